"""Trained models, read back: into a network that is given, or into one that the file describes."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, overload

from autoencoder.storage.checkpoint import CheckpointError, check_arrays, load_checkpoint
from autoencoder.storage.weights import WEIGHTS_KIND
from autoencoder.training.state import CHECKPOINT, KIND, check_progress, part
from minigrad import nn
from minigrad.backend import shown
from minigrad.nn.parameter import parameters_up_to

# The networks that a file can name, and where they are defined.
NETWORKS = {
    **dict.fromkeys(("AutoEncoder", "Denoiser", "DenseAutoEncoder"), "autoencoder.models"),
    **dict.fromkeys(("MLPAutoEncoder", "SmoothAutoEncoder"), "autoencoder.models"),
    "Classifier": "autoencoder.classifier",
    "VariationalAutoEncoder": "autoencoder.densities.variational",
    "VelocityNetwork": "autoencoder.densities.diffusion",
}


@overload
def load_model(path: str | os.PathLike[str]) -> nn.Module: ...
@overload
def load_model(path: str | os.PathLike[str], model: nn.Module) -> dict[str, Any]: ...
def load_model(
    path: str | os.PathLike[str], model: nn.Module | None = None
) -> nn.Module | dict[str, Any]:
    """Read a trained model.

    Parameters
    ----------
    path : path-like
        A checkpoint, the folder of a run that holds one, or a file of weights that ships with the
        package.
    model : nn.Module, optional
        What to read the weights into, on any device. By default the network is built as the file
        says, if it is one of this package.

    Returns
    -------
    nn.Module or dict
        The network; if one was given, the checkpoint's metadata.

    Raises
    ------
    CheckpointError
        If the file is damaged or of another model; it names file and field.
    OSError
        If it cannot be read at all.

    Examples
    --------
    >>> import numpy, tempfile
    >>> from autoencoder import AutoEncoder, TrainingSettings, train
    >>> folder, x = tempfile.mkdtemp(), numpy.zeros((4, 1, 28, 28), "float32")
    >>> rows = train(AutoEncoder(3), x, TrainingSettings(epochs=1), folder=folder, quiet=True)
    >>> load_model(folder).latent_size
    3
    >>> load_model(folder, AutoEncoder(3))["epoch"]
    1
    """
    path = _file_in(Path(path))
    arrays, metadata = load_checkpoint(path, require_finite=True)
    if model is not None and metadata.get("kind") == KIND and metadata.get("model") != repr(model):
        raise CheckpointError(path, "metadata 'model'", "is another than the one given")
    if metadata.get("kind") == KIND:
        weights = part(arrays, "model/")
        check_progress(metadata, path)
    elif metadata.get("kind") == WEIGHTS_KIND and model is None:
        weights = {name: array.astype("float32") for name, array in arrays.items()}
    else:
        problem = f"is {shown(metadata.get('kind'))}, expected {shown(KIND)}"
        raise CheckpointError(path, "metadata 'kind'", problem)
    built = model or _build(metadata, max((a.size for a in weights.values()), default=0), path)
    check_arrays(weights, built.state_dict(), path)
    built.load_state_dict(weights)
    return built if model is None else metadata


def _file_in(path: Path) -> Path:
    """The checkpoint in a folder; any other path as it is."""
    if not path.is_dir():
        return path
    if (path / CHECKPOINT).exists():
        return path / CHECKPOINT
    problem = "is missing"
    for models in (path / "models", path.parent.parent / "models"):
        found = sorted(each.name for each in models.iterdir()) if models.is_dir() else []
        if found:
            problem += f"; the networks that sections share are folders in {models}: "
            problem += ", ".join(found[:8]) + (", ..." if len(found) > 8 else "")
            break
    raise CheckpointError(path, CHECKPOINT, problem)


def _build(metadata: dict[str, Any], largest: int, path: Path) -> nn.Module:
    """The network that metadata describe, with new weights, none of more elements than there are.

    What a file says of its network is not believed: a few bytes can claim a layer of any size.
    """
    listing = metadata.get("model")
    name = listing.partition("(")[0] if isinstance(listing, str) else ""
    if name not in NETWORKS:
        problem = f"is {shown(name)}, no network of this package: give load_model one to read into"
        raise CheckpointError(path, "metadata 'model'", problem)
    kind = getattr(importlib.import_module(NETWORKS[name]), name)
    arguments = metadata.get("arguments") or []
    try:
        with parameters_up_to(largest):
            model = kind(*(tuple(a) if isinstance(a, list) else a for a in arguments))
    except (TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(path, "metadata 'arguments'", str(error)) from None
    if repr(model) != listing:
        problem = f"do not make the {name} that the file describes: give load_model one"
        raise CheckpointError(path, "metadata 'arguments'", problem)
    return model
