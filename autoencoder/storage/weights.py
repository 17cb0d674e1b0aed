"""Weights that ship with the package: half precision, with what made them and how good they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy

from autoencoder.storage.checkpoint import NAMED_VALUES, load_checkpoint, save_checkpoint
from minigrad import nn

WEIGHTS_KIND = "minigrad weights in half precision"


def arguments_of(model: nn.Module) -> dict[str, Any]:
    """What a network of this package was made with: a file then says how to build it again.

    >>> from autoencoder.models import Denoiser
    >>> arguments_of(Denoiser(3))
    {'arguments': (3, 32)}
    """
    return {"arguments": vars(model)["arguments"]} if "arguments" in vars(model) else {}


def save_weights(path: str | os.PathLike[str], model: nn.Module, facts: Mapping[str, Any]) -> None:
    """Write a model's weights, rounded to 11 significant bits, and facts about them.

    Facts are such as the command, the seed and a measure: anything JSON can hold. ValueError if a
    weight is not finite in half precision, whose largest number is 65,504.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "weights.npz"
    >>> save_weights(path, nn.Linear(2, 1), {"seed": 0})
    >>> load_weights(path, nn.Linear(2, 1))
    {'seed': 0}
    """
    with numpy.errstate(over="ignore"):  # said in words below
        halves = {name: array.astype("float16") for name, array in model.state_dict().items()}
    for name, array in halves.items():
        if not numpy.isfinite(array).all():
            raise ValueError(f"save_weights: {name} is not finite in half precision")
    described = {"kind": WEIGHTS_KIND, "model": repr(model), **arguments_of(model)}
    save_checkpoint(path, halves, {**described, "facts": dict(facts)})


def load_weights(path: str | os.PathLike[str], model: nn.Module) -> dict[str, Any]:
    """Read weights into the model they are of, and give the facts that stand beside them.

    CheckpointError if the file is damaged or of another model, OSError if it cannot be read at all.
    """
    shapes = {
        name: numpy.broadcast_to(numpy.float16(0), array.shape)
        for name, array in model.state_dict().items()
    }
    arrays, metadata = load_checkpoint(
        path,
        expected=shapes,
        expected_metadata={"kind": WEIGHTS_KIND, "model": repr(model), "facts": NAMED_VALUES},
        require_finite=True,
    )
    model.load_state_dict({name: array.astype("float32") for name, array in arrays.items()})
    return metadata["facts"]
