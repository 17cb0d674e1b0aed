"""The state of a training run as a checkpoint, and back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy

from autoencoder.checkpoint import CheckpointError, check_arrays, load_checkpoint, save_checkpoint
from autoencoder.training.history import Row
from minigrad import nn, optim

__all__ = ["TrainingState", "load_model", "load_state", "save_state"]

KIND = "minigrad training"


@dataclass
class TrainingState:
    """How far a run has got.

    Parameters
    ----------
    epoch, step : int
        The step that comes next.
    running_loss : float
        Sum of the losses of this epoch's samples so far.
    seconds : float
        Time spent in this epoch so far.
    rows : list of dict
        The metrics of each epoch that is over.

    Examples
    --------
    >>> TrainingState(epoch=2).step
    0
    """

    epoch: int = 0
    step: int = 0
    running_loss: float = 0.0
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)


def save_state(
    path: str | os.PathLike[str],
    state: TrainingState,
    model: nn.Module,
    optimizer: optim.Optimizer,
    schedule: Any,
    identity: dict[str, Any],
) -> None:
    """Write a checkpoint from which the run goes on as if it had never stopped.

    Parameters
    ----------
    path : path-like
    state : TrainingState
    model, optimizer
        What is being trained, and by what.
    schedule : learning-rate schedule or None
    identity : dict
        What decides the result: a checkpoint of another run is refused by it.

    Raises
    ------
    WriteError
        If the file cannot be written; the earlier one is unchanged.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "checkpoint.npz"
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.Adam(model.parameters())
    >>> save_state(path, TrainingState(epoch=3), model, optimizer, None, {"seed": 0})
    >>> load_state(path, model, optimizer, None, {"seed": 0}).epoch
    3
    >>> load_model(path, nn.Linear(2, 1))["epoch"]
    3
    """
    saved = optimizer.state_dict()
    arrays = {f"model/{name}": array for name, array in model.state_dict().items()}
    plain: dict[str, Any] = {}
    for number, memory in saved["state"].items():
        plain[str(number)] = {}
        for name, value in memory.items():
            if isinstance(value, numpy.ndarray) and value.ndim:
                arrays[f"optimizer/{number}/{name}"] = value
            else:
                plain[str(number)][name] = float(value) if isinstance(value, float) else int(value)
    metadata = {
        "kind": KIND,
        "model": repr(model),
        "identity": identity,
        "epoch": state.epoch,
        "step": state.step,
        "running_loss": state.running_loss,
        "seconds": state.seconds,
        "rows": state.rows,
        "optimizer": {"state": plain, "param_groups": saved["param_groups"]},
        "schedule": None if schedule is None else schedule.state_dict(),
    }
    save_checkpoint(path, arrays, metadata)


def load_state(
    path: str | os.PathLike[str],
    model: nn.Module,
    optimizer: optim.Optimizer,
    schedule: Any,
    identity: dict[str, Any],
) -> TrainingState:
    """Read a checkpoint into a model, its optimiser and its schedule.

    Parameters as for :func:`save_state`. Nothing is changed unless everything fits.

    Returns
    -------
    TrainingState

    Raises
    ------
    CheckpointError
        If the file is damaged, of another model or of another run; it names file and field.

    Examples
    --------
    As in :func:`save_state`:

    >>> load_state("no/such/file", nn.Linear(2, 1), None, None, {})
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """
    expected = {"kind": KIND, "model": repr(model), "identity": identity}
    arrays, metadata = load_checkpoint(path, expected_metadata=expected, require_finite=True)
    weights = _part(arrays, "model/")
    check_arrays(weights, model.state_dict(), os.fspath(path))
    try:
        state = TrainingState(
            epoch=_whole(metadata["epoch"]),
            step=_whole(metadata["step"]),
            running_loss=float(metadata["running_loss"]),
            seconds=float(metadata["seconds"]),
            rows=[dict(row) for row in metadata["rows"]],
        )
        memories = {
            int(number): {**memory, **_part(arrays, f"optimizer/{number}/")}
            for number, memory in metadata["optimizer"]["state"].items()
        }
        saved = {"state": memories, "param_groups": metadata["optimizer"]["param_groups"]}
        optimizer.load_state_dict(saved)
        if schedule is not None:
            schedule.load_state_dict(metadata["schedule"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(os.fspath(path), "training state", f"does not fit: {error}") from None
    model.load_state_dict(weights)
    return state


def load_model(path: str | os.PathLike[str], model: nn.Module) -> dict[str, Any]:
    """Read only the weights of a checkpoint into a model.

    Parameters
    ----------
    path : path-like
    model : nn.Module
        The network the checkpoint is of, on any device.

    Returns
    -------
    dict
        The checkpoint's metadata.

    Raises
    ------
    CheckpointError
        If the file is damaged or of another model.

    Examples
    --------
    As in :func:`save_state`:

    >>> load_model("no/such/file", nn.Linear(2, 1))
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """
    expected = {"kind": KIND, "model": repr(model)}
    arrays, metadata = load_checkpoint(path, expected_metadata=expected, require_finite=True)
    weights = _part(arrays, "model/")
    check_arrays(weights, model.state_dict(), os.fspath(path))
    model.load_state_dict(weights)
    return metadata


def _part(arrays: dict[str, numpy.ndarray], prefix: str) -> dict[str, numpy.ndarray]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no position")
    return value
