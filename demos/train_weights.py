"""Make again what ships with the package, and say how far the new is from the old."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import dataclasses
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from autoencoder import GaussianNoise, TrainingSettings, encode, mse_per_pixel, psnr, reconstruct
from autoencoder.classifier import classify, train_classifier
from autoencoder.data.corruption import EraseHalf, ErasePixels
from autoencoder.densities.diffusion import Mixed, velocity_loss
from autoencoder.lecture import shipped
from autoencoder.lecture.browser.laboratory import FITTED, write_fitted
from autoencoder.lecture.command_line import (
    CommonOptions,
    OptionError,
    build_parser,
    option,
    parse,
    switch,
)
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import run_command
from autoencoder.lecture.sections import SECTIONS, load_section
from autoencoder.lecture.terminal import command
from autoencoder.storage.files import atomic_write
from autoencoder.storage.weights import load_weights, save_weights
from autoencoder.training import Row, load_model, random_generator
from minigrad import Tensor, nn, no_grad
from minigrad.backend import with_one_blas_thread

CLASSIFIER = "classifier"
LABORATORY = "laboratory"  # of the page: the densities that it samples
CLASSIFIER_SETTINGS = TrainingSettings(epochs=6, learning_rate=2e-3, schedule="cosine")
# The networks whose weights ship, by the section that trains them. The rest of what sections
# train ships as their results.
NETWORKS = {
    "train_autoencoder": tuple(f"autoencoder-d{size}" for size in (2, 4, 8, 16, 32)),
    "density_ladder": ("latent-diffusion-d8", "latent-diffusion-d16", "variational-d16"),
    "restore": ("restorer",),
    "compare_denoisers": (
        *(f"denoiser-noise-{noise}" for noise in ("0.25", "0.5", "1")),
        "denoiser-wide-noise-0.5",
    ),
    "cures": ("multimodal-digits-squared",),
}
FEW = 500  # test images of the second figure of each network, which takes a moment


def made(text: str) -> str:
    """Names of sections, or the classifier, between commas; checked."""
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= {CLASSIFIER, *SECTIONS, LABORATORY}:
        raise ValueError
    return ",".join(names)


made.__name__ = f"list of names among {CLASSIFIER}, {', '.join(SECTIONS)}, {LABORATORY}"


@dataclass
class Options(CommonOptions):
    """What can be asked for."""

    only: str = option(
        "what to make, between commas",
        type=made,
        default=",".join((CLASSIFIER, *SECTIONS, LABORATORY)),
    )
    write: bool = switch("let it take the place of the old")


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Train the networks, compute the sections, and compare; gives the exit status."""
    parser = build_parser("train_weights.py", __doc__ or "", Options)
    options, given = parse(parser, Options, arguments)
    if options.write and shipped.differing(options):
        parser.error(f"--write: nothing ships for {' '.join(shipped.differing(options))}")
    return run_command(parser, options, given, _make)


def _make(run: Run[Options]) -> None:
    """Make everything in the run's folder; what is trained there serves the sections after it."""
    if run.ranks.size > 1:
        raise OptionError("what ships is made by one process")
    package, names = shipped.FOLDER, run.options.only.split(",")
    for kind in ("weights", "results"):
        (run.folder / kind).mkdir(exist_ok=True)
        for path in (package / kind).glob("*"):
            if not (run.folder / kind / path.name).exists():  # resumed
                shutil.copy(path, run.folder / kind)
    shipped.FOLDER = run.folder
    try:
        if CLASSIFIER in names:
            _make_classifier(run)
        for name in SECTIONS:
            if name in names:
                _make_section(name, run)
        if LABORATORY in names:
            write_fitted(run.dataset, run.folder / FITTED.name)
    finally:
        shipped.FOLDER = package
    _compare(package, run.folder, names)
    if run.options.write:
        _write(run.folder, package, names)
    print(f"Weights and results are in {package if run.options.write else run.folder}")


class Making(Run[Any]):
    """A section's run that trains what ships, and goes on with the rounded weights."""

    def trained(
        self, name: str, make_model: Callable[[], Any], *arguments: Any, **keywords: Any
    ) -> tuple[Any, list[Row]]:
        """As a run's, but a network of this section that ships is written, and read again."""
        if name not in NETWORKS.get(self.name, ()):
            return super().trained(name, make_model, *arguments, **keywords)
        self.options.retrain = True
        model, rows = super().trained(name, make_model, *arguments, **keywords)
        self.options.retrain = False
        self.trains.remove(name)
        place = next(iter(model.parameters())).device
        model.to("cpu")
        facts = {"identity": self.identities[name], "rows": rows, "epochs": len(rows)}
        _save(name, model, facts, self.name, self.dataset.images("test"))
        load_weights(shipped.FOLDER / "weights" / f"{name}.npz", model)
        model.to(place)
        return model, rows


def _make_classifier(run: Run[Options]) -> None:
    model = train_classifier(
        run.dataset.images("train"),
        run.dataset.labels("train"),
        dataclasses.replace(CLASSIFIER_SETTINGS, seed=run.options.seed),
    )
    labels = run.dataset.labels("test")
    facts = {"epochs": CLASSIFIER_SETTINGS.epochs, "seed": run.options.seed}
    _save(CLASSIFIER, model, facts, CLASSIFIER, run.dataset.images("test"), labels)


def _make_section(name: str, run: Run[Options]) -> None:
    """Train what a section trains, and compute its results from what ships."""
    section = load_section(name)
    own = section.run_inside(run, run.folder / "sections" / name, Making)
    own.options.retrain = False
    own.write_configuration()
    print(section.title, flush=True)
    started = time.monotonic()
    results = with_one_blas_thread(section.compute)(own)
    path = run.folder / "results" / f"{name}.npz"
    shipped.write_results(path, section, results, own.configuration, own.options)
    entry = {"trains": own.trains, "seconds": round(time.monotonic() - started)}
    _note("results", name, path, {**shipped.made_by(name, run.options.seed), **entry})


def _save(
    name: str,
    model: nn.Module,
    facts: dict[str, Any],
    maker: str,
    images: numpy.ndarray,
    labels: numpy.ndarray | None = None,
) -> None:
    """Write weights, and measure what was written."""
    path = shipped.FOLDER / "weights" / f"{name}.npz"
    facts = {**shipped.made_by(maker), **facts}
    save_weights(path, model, facts)
    load_weights(path, model)
    figures = {
        f"{measure} of {len(images[:count]):,} test images": value
        for count in (len(images), FEW)
        for measure, value in figure(name, model, images[:count], labels).items()
    }
    print(f"{name}: {', '.join(f'{key} {value:.5g}' for key, value in figures.items())}")
    del facts["versions"]
    facts.pop("rows", None)
    _note("weights", name, path, {**facts, "versions": shipped.versions(), "figures": figures})


def figure(
    name: str, model: Any, images: numpy.ndarray, labels: numpy.ndarray | None = None
) -> dict[str, float]:
    """How good a network that ships is on test images: the measure's name and value."""
    rng = random_generator(0, "evaluation", 5)
    if name == CLASSIFIER:
        assert labels is not None
        return {"accuracy": float((classify(model, images) == labels[: len(images)]).mean())}
    if name.startswith("denoiser"):
        noisy = GaussianNoise(float(name.rpartition("-")[2]))(images, rng)
        return {"PSNR (dB)": psnr(reconstruct(model, noisy), images)}
    if name == "restorer":
        mask = ErasePixels(0.5).mask(images, rng)
        restored = reconstruct(model, ErasePixels(0.5, 0.5).apply(images, mask))
        return {"PSNR (dB) of half the pixels, erased,": psnr(restored, images, mask=mask)}
    if name == "multimodal-digits-squared":
        halved = EraseHalf("top")(images)
        return {"squared error": mse_per_pixel(reconstruct(model, halved), images)}
    if name.startswith("latent-diffusion"):
        size = name.rpartition("-")[2]
        z = encode(load_model(shipped.FOLDER / "weights" / f"autoencoder-{size}.npz"), images)
        z = ((z - z.mean(axis=0)) / z.std(axis=0)).astype("float32")
        with no_grad():
            loss = velocity_loss(model, Tensor(Mixed()(z, rng)), Tensor(z))
        return {"squared error of velocities": loss.item()}
    return {"squared error": mse_per_pixel(reconstruct(model, images), images)}


def _note(kind: str, name: str, path: Path, entry: dict[str, Any]) -> None:
    """Add a file to the manifest beside it."""
    content = path.read_bytes()
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), **entry}
    _update(shipped.FOLDER, {kind: {name: facts}})


def _update(folder: Path, entries: dict[str, dict[str, Any]]) -> None:
    found = shipped.manifest(folder)
    for kind, named in entries.items():
        found[kind] = dict(sorted({**found[kind], **named}.items()))
    atomic_write(folder / shipped.MANIFEST, json.dumps(found, indent=1) + "\n")


def _files(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The manifest's entries of what was made."""
    networks = [network for name in names for network in NETWORKS.get(name, (name,))]
    found = shipped.manifest(folder)
    chosen = {"weights": networks, "results": names}
    return {
        kind: {name: entry for name, entry in found[kind].items() if name in chosen[kind]}
        for kind in found
    }


def _compare(old: Path, new: Path, names: Sequence[str]) -> None:
    """Say of each file how far it is from the one that ships."""
    earlier, made = shipped.manifest(old), _files(new, names)
    for name, entry in made["weights"].items():
        files = [folder / "weights" / f"{name}.npz" for folder in (old, new)]
        if name not in earlier["weights"] or not files[0].is_file():
            print(f"{name}: nothing shipped before")
            continue
        apart = difference(*map(_arrays, files))
        known = earlier["weights"][name]["figures"]
        figures = "; ".join(
            f"{key} {value:.5g}, it was {known.get(key, math.nan):.5g}"
            for key, value in entry["figures"].items()
        )
        print(f"{name}: weights differ by {apart:.1e} of their size; {figures}")
    for name in made["results"]:
        files = [folder / "results" / f"{name}.npz" for folder in (old, new)]
        if not files[0].is_file():
            print(f"results of {name}: nothing shipped before")
            continue
        first, second = map(shipped.read_results, files)
        apart = difference(first.arrays, second.arrays)
        same = "the same" if first.numbers == second.numbers else "other"
        print(f"results of {name}: arrays differ by {apart:.1e} of their size; {same} numbers")
    if LABORATORY in names and FITTED.is_file():
        apart = difference(_arrays(FITTED), _arrays(new / FITTED.name))
        print(f"{LABORATORY}: arrays differ by {apart:.1e} of their size")


def _arrays(path: Path) -> dict[str, numpy.ndarray]:
    with numpy.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != "metadata.json"}


def difference(old: dict[str, numpy.ndarray], new: dict[str, numpy.ndarray]) -> float:
    """The length of the difference of all numbers, as a share of the old ones' length.

    >>> difference({"a": numpy.array([3.0, 4.0])}, {"a": numpy.array([3.0, 4.5])})
    0.1
    """
    before, after = ({name: each.shape for name, each in arrays.items()} for arrays in (old, new))
    if before != after:
        return math.inf
    pairs = [
        (old[name].astype("float64"), new[name]) for name in old if old[name].dtype.kind == "f"
    ]
    apart = sum(numpy.square(second - first).sum() for first, second in pairs)
    size = sum(numpy.square(first).sum() for first, _ in pairs)
    return math.sqrt(apart / size) if pairs else 0.0


def _write(new: Path, package: Path, names: Sequence[str]) -> None:
    """Put what was made into the package."""
    entries = _files(new, names)
    for kind, named in entries.items():
        (package / kind).mkdir(exist_ok=True)
        for name in named:
            atomic_write(package / kind / f"{name}.npz", (new / kind / f"{name}.npz").read_bytes())
    _update(package, entries)
    if LABORATORY in names:
        atomic_write(FITTED, (new / FITTED.name).read_bytes())
