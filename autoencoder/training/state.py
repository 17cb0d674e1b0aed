"""What a training run keeps: its state as a checkpoint, and one row of metrics an epoch.

A checkpoint is believed only as far as it fits: the run that goes on from it, its model, its
optimiser and its position are all compared with what the file says, before anything is changed.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from autoencoder.storage.checkpoint import (
    COUNT,
    FINITE,
    LIST,
    NOT_NEGATIVE,
    CheckpointError,
    Kind,
    check_arrays,
    check_metadata,
    check_value,
    is_number,
    load_checkpoint,
    save_checkpoint,
)
from autoencoder.storage.files import WriteError, atomic_write
from autoencoder.storage.results import epoch_rows
from autoencoder.storage.weights import arguments_of
from minigrad import nn, optim
from minigrad.backend import shown
from minigrad.parallel import Communicator

CHECKPOINT = "checkpoint.npz"
METRICS = "metrics.csv"
KIND = "minigrad training"
_POSITION = ("epoch", "step", "running_loss", "seconds", "rows")

Row = dict[str, float]


def write_rows(path: str | os.PathLike[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows as a CSV file, whole or not at all; the columns are those of any row.

    >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
    >>> write_rows(path, [{"epoch": 1, "test_psnr_db": 18.0}])
    >>> path.read_text().split()
    ['epoch,test_psnr_db', '1,18.0']
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(path, text.getvalue())


@dataclass
class TrainingState:
    """A model in training, what improves it, and how far it has got: the step that comes next.

    >>> path = Path(tempfile.mkdtemp()) / "checkpoint.npz"
    >>> model = nn.Linear(2, 1)
    >>> state = TrainingState(model, optim.Adam(model.parameters()))
    >>> state.save(path, {"seed": 0})
    >>> state.load(path, {"seed": 0}, steps=10, epochs=1)
    """

    model: nn.Module
    optimizer: optim.Optimizer
    schedule: optim.CosineAnnealingLR | None = None
    epoch: int = 0
    step: int = 0
    running_loss: float = 0.0  # the sum over this epoch's samples
    seconds: float = 0.0  # spent in this epoch
    rows: list[Row] = field(default_factory=list)  # of each epoch that is over

    def begin_next_epoch(self, row: Row) -> None:
        """Add the row of the epoch that is over, and go to the beginning of the next."""
        self.rows.append(row)
        self.epoch += 1
        self.step = 0
        self.running_loss = 0.0
        self.seconds = 0.0

    def save(self, path: str | os.PathLike[str], identity: dict[str, Any]) -> None:
        """Write a checkpoint from which the run goes on as if it had never stopped.

        The identity is what decides the result: a checkpoint of another run is refused by it.
        """
        save_checkpoint(path, *self._packed(identity))

    def load(
        self, path: str | os.PathLike[str], identity: dict[str, Any], *, steps: int, epochs: int
    ) -> None:
        """Go on from a checkpoint, with a new model, optimiser and schedule.

        Its position must lie in a run of so many ``epochs`` of so many ``steps``, and what follows
        from it must stand in the file: the rows, the optimiser's steps and options, the schedule.
        Nothing is changed unless everything fits; a CheckpointError names file and field.
        """
        expected = {"kind": KIND, "model": repr(self.model), "identity": identity}
        arrays, metadata = load_checkpoint(path, expected_metadata=expected, require_finite=True)
        if "arguments" in metadata:  # a checkpoint may lack what only load_model needs
            check_metadata(metadata, arguments_of(self.model), path)
        check_arrays(part(arrays, "model/"), self.model.state_dict(), path)
        check_progress(metadata, path)
        _check_position(metadata, steps, epochs, path)
        done = metadata["epoch"] * steps + metadata["step"]
        _check_training(metadata, arrays, self.optimizer, self.schedule, done, path)
        self._take(arrays, metadata)
        self.rows = [_SavedRow(path, i, row) for i, row in enumerate(metadata["rows"])]

    def share(self, ranks: Communicator) -> None:
        """Give every rank the state of rank 0."""
        arrays, metadata = self._packed({})
        shapes = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
        shapes, metadata = ranks.broadcast([shapes, metadata])
        for name, (dtype, shape) in shapes.items():
            array = numpy.ascontiguousarray(arrays[name]) if ranks.rank == 0 else None
            arrays[name] = numpy.empty(shape, dtype) if array is None else array
            ranks.copy_from_first(arrays[name])
        if ranks.rank != 0:
            self._take(arrays, metadata)

    def _packed(self, identity: dict[str, Any]) -> tuple[dict[str, numpy.ndarray], dict[str, Any]]:
        """The arrays and the metadata of a checkpoint."""
        saved = self.optimizer.state_dict()
        arrays = {f"model/{name}": array for name, array in self.model.state_dict().items()}
        plain: dict[str, Any] = {}
        for number, memory in saved["state"].items():
            plain[str(number)] = {}
            for name, value in memory.items():
                if isinstance(value, numpy.ndarray):
                    arrays[f"optimizer/{number}/{name}"] = value
                else:
                    plain[str(number)][name] = value
        metadata = {
            "kind": KIND,
            "model": repr(self.model),
            **arguments_of(self.model),
            "identity": identity,
            **{name: getattr(self, name) for name in _POSITION},
            "optimizer": {"state": plain, "param_groups": saved["param_groups"]},
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
        }
        return arrays, metadata

    def _take(self, arrays: dict[str, numpy.ndarray], metadata: dict[str, Any]) -> None:
        """Become what a checkpoint says."""
        memories = {
            int(number): {**memory, **part(arrays, f"optimizer/{number}/")}
            for number, memory in metadata["optimizer"]["state"].items()
        }
        options = metadata["optimizer"]["param_groups"]
        self.optimizer.load_state_dict({"state": memories, "param_groups": options})
        if self.schedule is not None:
            self.schedule.load_state_dict(metadata["schedule"])
        self.model.load_state_dict(part(arrays, "model/"))
        for name in _POSITION:
            setattr(self, name, metadata[name])


@dataclass
class StateWriter:
    """Writes the state of a run into its folder, again and again.

    While training goes on, a failure costs nothing yet: it is reported once, the earlier files
    stand, and the next interval tries again. When there is no next time, the state goes to the
    temporary folder instead, and the failure is an error. Of several ranks rank 0 writes; the
    others wait for it, and learn of its failure.
    """

    write: Callable[[Path], None]  # into a folder
    folder: Path | None  # by default nothing is written
    seconds: float  # between two writes in the midst of an epoch
    warn: Callable[[str], None]
    ranks: Communicator
    saved_at: float = field(default_factory=time.monotonic)
    failure: str | None = None  # of the last attempt

    def is_due(self) -> bool:
        """Whether the last attempt to write lies as long ago as it should: by rank 0's clock."""
        return self.ranks.rank == 0 and time.monotonic() - self.saved_at >= self.seconds

    def save(self, final: bool = False) -> None:
        """Write the state; a failure is reported, but raised as WriteError if it is ``final``."""
        folder = self.folder
        if folder is not None:
            self.ranks.decided(lambda: self._save(folder, final))
        self.saved_at = time.monotonic()

    def _save(self, folder: Path, final: bool) -> None:
        try:
            self.write(folder)
        except OSError as error:
            if final:
                raise self._written_elsewhere(folder, error) from error
            if self.failure != str(error):
                self.warn(f"{error}; training goes on and tries again later")
            self.failure = str(error)
            return
        if self.failure is not None:
            self.warn("the state could be written again")
        self.failure = None

    def _written_elsewhere(self, folder: Path, error: OSError) -> WriteError:
        """Write the state into a temporary folder, and give the error that says so."""
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix="minigrad-"))
            try:
                self.write(elsewhere)
            except OSError:
                with contextlib.suppress(OSError):
                    elsewhere.rmdir()
                raise
        except OSError as second:
            what = f"what was trained since the last checkpoint is lost, for {second} too"
        else:
            what = f"the state of training is in {elsewhere} instead: move it here to go on with it"
        reason = error.strerror or str(error)
        return WriteError(error.errno, f"{reason}; {what}", os.fspath(error.filename or folder))


def part(arrays: dict[str, numpy.ndarray], prefix: str) -> dict[str, numpy.ndarray]:
    """The arrays whose names begin with a prefix, under the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


class _SavedRow(dict[str, float]):
    """A row from a file: a metric that it lacks is the file's fault."""

    def __init__(self, path: str | os.PathLike[str], number: int, row: Row) -> None:
        super().__init__(row)
        self.path, self.number = path, number

    def __missing__(self, column: str) -> float:
        field = f"metadata 'rows'[{self.number}][{column!r}]"
        raise CheckpointError(self.path, field, "is missing")


# What a run's own evaluation measures may be infinite or NaN.
_METRIC = Kind("a number", lambda value: isinstance(value, float | bool) or is_number(value))


def check_progress(metadata: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Refuse what no run can have written, whatever its length."""
    kinds = {"epoch": COUNT, "step": COUNT, "running_loss": FINITE, "seconds": NOT_NEGATIVE}
    check_metadata(metadata, {**kinds, "rows": LIST}, path)
    first = metadata["rows"][0] if metadata["rows"] else {}
    columns = dict.fromkeys(first if isinstance(first, dict) else {}, _METRIC)
    for i, row in enumerate(metadata["rows"]):
        check_value(row, columns, path, f"metadata 'rows'[{i}]")


def _check_position(
    metadata: dict[str, Any], steps: int, epochs: int, path: str | os.PathLike[str]
) -> None:
    """The position must lie in the run; there is a row for each epoch that is over."""
    epoch, step = metadata["epoch"], metadata["step"]
    last = steps - 1 if epoch < epochs else 0
    for name, most in (("epoch", epochs), ("step", last)):
        if metadata[name] > most:
            problem = f"is {shown(metadata[name])}, more than the {most} of this run"
            raise CheckpointError(path, f"metadata {name!r}", problem)
    if step == 0:  # nothing of the epoch has been done
        for name in ("running_loss", "seconds"):
            check_value(metadata[name], 0, path, f"metadata {name!r}")
    if len(metadata["rows"]) != epoch:
        problem = f"are {len(metadata['rows'])}, but {epoch} epochs are over"
        raise CheckpointError(path, "metadata 'rows'", problem)
    for i, (row, wanted) in enumerate(zip(metadata["rows"], epoch_rows(epoch))):
        row = {column: row[column] for column in wanted if column in row}
        check_value(row, wanted, path, f"metadata 'rows'[{i}]")


def _check_training(
    metadata: dict[str, Any],
    arrays: dict[str, numpy.ndarray],
    optimizer: optim.Optimizer,
    schedule: Any,
    done: int,
    path: str | os.PathLike[str],
) -> None:
    """What optimiser and schedule remember is what as many steps of this run's own make of them."""
    rates = [group["lr"] for group in optimizer.param_groups]
    own = None
    if schedule is not None:
        before = schedule.state_dict()
        for _ in range(done):
            schedule.step()
        own = schedule.state_dict()
        schedule.load_state_dict(before)
    options = optimizer.state_dict()["param_groups"]
    for group, rate in zip(optimizer.param_groups, rates):
        group["lr"] = rate
    parameters = optimizer.parameters if done else []
    steps = {str(i): {"step": done} for i in range(len(parameters))}
    expected = {"optimizer": {"state": steps, "param_groups": options}, "schedule": own}
    check_metadata(metadata, expected, path)

    groups = [group for group in optimizer.param_groups for _ in group["params"]]
    shapes = {
        f"optimizer/{i}/{name}": numpy.broadcast_to(parameter.dtype.type(0), parameter.shape)
        for i, (parameter, group) in enumerate(zip(parameters, groups))
        for name in optimizer.memories_of(group)
    }
    found = {name: array for name, array in arrays.items() if not name.startswith("model/")}
    check_arrays(found, shapes, path)
    for name, array in found.items():
        if name.endswith("_sq") and array.min(initial=0) < 0:
            raise CheckpointError(path, name, "holds a mean of squares below 0")
