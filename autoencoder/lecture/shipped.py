"""What ships with the package: weights of trained networks, and what sections computed.

``autoencoder/data/weights/manifest.json`` lists both, each with the SHA-256 of its file, the
command that makes it again, the seed, versions, and figures on test images.
`demos/train_weights.py` writes all of it.

Weights are found by a network's name and by everything that decides the result of its training:
whoever trains anything else gets nothing from here. Results are found by a section's options.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy

import minigrad
from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from autoencoder.storage.files import read_text
from autoencoder.storage.results import Results
from autoencoder.storage.weights import load_weights

if TYPE_CHECKING:
    from autoencoder.lecture.section import Section
    from autoencoder.training import Row
    from minigrad import nn

FOLDER = Path(__file__).resolve().parents[1] / "data"
MANIFEST = "weights/manifest.json"
SHIPS_FOR = {"preset": "default", "seed": 0, "data": None, "size": None}
_KIND = "minigrad shipped results"
_LARGEST_MANIFEST = 2**20
_FEW = 64  # elements up to which an array is kept as it is
_WIDEST = 8.0  # range of images' values that 256 steps are enough for


def manifest(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The weights and results that ship, by name; none where a package leaves the files out.

    >>> sorted(manifest())
    ['results', 'weights']
    """
    try:
        found = json.loads(read_text((folder or FOLDER) / MANIFEST, _LARGEST_MANIFEST))
    except FileNotFoundError:
        found = {}
    return {kind: found.get(kind, {}) for kind in ("weights", "results")}


def differing(options: Any) -> list[str]:
    """The options, as typed, for which no results ship.

    >>> from autoencoder.lecture.command_line import CommonOptions
    >>> differing(CommonOptions(preset="lecture", seed=3)), differing(CommonOptions())
    (['--preset lecture', '--seed 3'], [])
    """
    values = {name: vars(options)[name] for name in SHIPS_FOR}
    return [f"--{name} {value}" for name, value in values.items() if value != SHIPS_FOR[name]]


def versions() -> dict[str, str]:
    """Of what decides a result's last bits."""
    return {
        "minigrad": minigrad.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
    }


def made_by(name: str, seed: int = 0) -> dict[str, Any]:
    """How something that ships is made again: by which command, and by what it was made."""
    command = f"python demos/train_weights.py --only {name} --write"
    return {"command": command, "seed": seed, "versions": versions()}


def shipped_weights(name: str, identity: str) -> Path | None:
    """The file of a network's weights, if just this network, trained just so, ships."""
    entry = manifest()["weights"].get(name)
    if entry is None or entry["identity"] != identity:
        return None
    return FOLDER / "weights" / f"{name}.npz"


def shipped_rows(path: Path, model: nn.Module) -> list[Row]:
    """Read shipped weights into their model; gives the metrics of its training, an epoch a row."""
    rows = load_weights(path, model).get("rows")
    if not isinstance(rows, list):
        raise CheckpointError(path, "facts 'rows'", "are missing")
    return rows


def shipped_results(section: Section, configuration: Mapping[str, Any], options: Any) -> Results:
    """What a section computed with these options, from the package.

    Raises
    ------
    CheckpointError
        If nothing ships for the section, or what does was computed with other options, or lacks
        what its figures and captions need by now.
    """
    entry = manifest()["results"].get(section.name)
    path = FOLDER / "results" / f"{section.name}.npz"
    if entry is None or not path.is_file():
        raise CheckpointError(path, "file", "does not ship with the package")
    results = read_results(path, configuration)
    if section.needs is not None:
        section.needs(options, results).check(results, path)
    results.origin = f"Shipped results, computed by {entry['command']}."
    return results


def read_results(path: Path, configuration: Mapping[str, Any] | None = None) -> Results:
    """Read what :func:`write_results` wrote."""
    expected: dict[str, Any] = {"kind": _KIND}
    if configuration is not None:
        expected["configuration"] = decisive(configuration)
    arrays, metadata = load_checkpoint(path, expected_metadata=expected)
    try:
        for name, (dtype, low, high) in metadata["packed"].items():
            values = arrays[name]
            if low is not None:
                values = low + values.astype("float64") * ((high - low) / 255)
            arrays[name] = values.astype(dtype)
        return Results(arrays, dict(metadata["numbers"]), list(metadata["rows"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(path, "metadata", f"is incomplete: {error}") from error


def write_results(
    path: Path, section: Section, results: Results, configuration: Mapping[str, Any], options: Any
) -> None:
    """Write a section's results as small as its figures allow: images in 256 steps, numbers halved.

    Arrays that its captions are made from, or that must have exact values, are kept as they are.
    """
    exact: set[str] = set()
    if section.needs is not None:
        wanted = section.needs(options, results).arrays
        exact = {name for name, shape in wanted.items() if isinstance(shape, numpy.ndarray)}

    def said(results: Results) -> dict[str, str]:
        return {name: caption.said for name, caption in section.captions(results).items()}

    for kept in (exact, set(results.arrays)):
        small, packed = {}, {}
        for name, array in results.arrays.items():
            small[name], how = (array, None) if name in kept else _packed(array)
            if how is not None:
                packed[name] = how
        metadata = {
            "kind": _KIND,
            "configuration": decisive(configuration),
            "packed": packed,
            "numbers": results.numbers,
            "rows": results.rows,
        }
        save_checkpoint(path, small, metadata)
        if said(read_results(path)) == said(results):
            return


def decisive(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The options by which results are found: whether networks were trained again is left out."""
    return {key: value for key, value in configuration.items() if key != "retrain"}


def _packed(array: numpy.ndarray) -> tuple[numpy.ndarray, list[Any] | None]:
    """A smaller array, and how to get the old one back: its dtype and the range of its values."""
    if array.dtype.kind != "f" or array.size <= _FEW:
        return array, None
    low, high = float(array.min()), float(array.max())
    if array.ndim >= 3 and 0 < high - low <= _WIDEST:
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        steps = numpy.rint((array.astype("float64") - low) * (255 / (high - low)))
        return steps.astype("uint8"), [array.dtype.str, low, high]
    with numpy.errstate(over="ignore"):  # looked for in the next line
        half = array.astype("float16")
    if not numpy.isfinite(half).all() or ((half == 0) & (array != 0)).any():
        return array, None
    return half, [array.dtype.str, None, None]
