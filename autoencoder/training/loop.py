"""The training loop: corrupt, compare, step; with progress, metrics, checkpoints and resuming.

What a training run checks before it changes anything.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
from tqdm import tqdm

from autoencoder.data.arrays import require_shape
from autoencoder.lecture.terminal import Unbreakable
from autoencoder.storage.atomic import WriteError
from autoencoder.storage.checkpoint import digest_of
from autoencoder.training.divergence import FiniteWatch
from autoencoder.training.interrupts import Interrupted, StopRequest, stop_request
from autoencoder.training.keeping import Keeper
from autoencoder.training.settings import TrainingSettings, random_generator
from autoencoder.training.state import Row, TrainingState, load_state, save_state, write_rows
from minigrad import Tensor, device, nn, optim
from minigrad import functional as F
from minigrad.backend import one_blas_thread, to_device, use_device
from minigrad.parallel import shard_gradients, suggest_shard_size

__all__ = ["CHECKPOINT", "METRICS", "check_arguments", "train"]


def check_arguments(
    model: Any, samples: Any, settings: Any, folder: str | os.PathLike[str] | None
) -> None:
    """Raise unless :func:`autoencoder.training.train` can work with these.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    WriteError
        If there is no such folder.

    Examples
    --------
    >>> check_arguments(nn.ReLU(), numpy.zeros((0, 2), "float32"), TrainingSettings(), None)
    Traceback (most recent call last):
        ...
    ValueError: train: there are no samples in (0, 2)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"train: the model must be a Module, got {type(model).__name__}")
    if not isinstance(settings, TrainingSettings):
        raise TypeError(f"train: settings must be TrainingSettings, got {type(settings).__name__}")
    if not isinstance(samples, numpy.ndarray) or samples.dtype != numpy.float32:
        kind = getattr(samples, "dtype", type(samples).__name__)
        raise TypeError(f"train: samples must be a float32 NumPy array, got {kind}")
    if samples.size == 0:
        raise ValueError(f"train: there are no samples in {samples.shape}")
    expected = getattr(model, "sample_shape", None)  # a model of one size of samples says so
    if expected is not None:
        require_shape(f"train: {type(model).__name__}", samples, expected)
    # Quick; and a sum of finite numbers that overflows is looked at more closely.
    if not numpy.isfinite(samples.sum()) and not numpy.isfinite(samples).all():
        raise ValueError(f"train: the samples {samples.shape} are not all finite")
    if folder is not None and not os.path.isdir(folder):
        path = os.fspath(folder)
        raise WriteError(errno.ENOENT, "it does not exist or is no folder", path)


CHECKPOINT = "checkpoint.npz"
METRICS = "metrics.csv"
LOSSES = {"mse": F.mse_loss, "l1": F.l1_loss}

Corruption = Callable[[numpy.ndarray, numpy.random.Generator], numpy.ndarray]


def train(
    model: nn.Module,
    samples: numpy.ndarray,
    settings: TrainingSettings,
    *,
    corruption: Corruption | None = None,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    title: str = "training",
    quiet: bool = False,
) -> list[Row]:
    """Train a model to give back clean samples, from the samples or from corrupted ones.

    Minimises the mean of ``loss(model(corrupt(x)), x)`` over samples and components with Adam.
    The lecture's loss is the sum over a sample's components; it differs by their number, and both
    scales are logged.

    Parameters
    ----------
    model : nn.Module
        Maps (N, ...) to the same shape. Changed in place, and moved to the settings' device.
    samples : numpy.ndarray
        (N, ...) float32, on the host.
    settings : TrainingSettings
    corruption : callable, optional
        ``(samples, rng) -> samples``, drawn afresh for every batch.
    evaluate : callable, optional
        From the model to metrics by name, after every epoch.
    folder : path-like, optional
        Where ``checkpoint.npz`` and ``metrics.csv`` go; by default nothing is written.
    resume : bool
        Go on from the folder's checkpoint, if there is one.
    title : str
        What the progress bar says.
    quiet : bool
        Show no progress.

    Returns
    -------
    list of dict
        One row an epoch: ``epoch, train_loss`` (a component), ``train_loss_per_sample``,
        ``seconds, images_per_second`` and what ``evaluate`` gave.

    Raises
    ------
    TypeError, ValueError
        If the samples are no float32 array, none, or not finite, or do not fit the model.
    Interrupted
        After Ctrl-C or SIGTERM; the state is saved.
    TrainingDiverged
        If a loss, gradient, weight or the optimiser's memory is not finite; the last checkpoint is
        kept.
    WriteError
        If there is no such folder, or the state cannot be written when training ends; it is in the
        temporary folder then. Before that, training goes on without, reports it and tries again
        at the next interval.
    CheckpointError
        If resuming from a checkpoint that is damaged or of another run.

    Examples
    --------
    >>> from autoencoder.models import mlp
    >>> points = numpy.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> rows = train(mlp(2, 8, 2), points, TrainingSettings(epochs=3), quiet=True)
    >>> [row["epoch"] for row in rows], rows[2]["train_loss"] < rows[0]["train_loss"]
    ([1, 2, 3], True)
    """
    check_arguments(model, samples, settings, folder)
    with stop_request() as stop, one_blas_thread(), use_device(device(settings.device)):
        run = _Run(model, samples, settings, corruption, evaluate, folder, title, quiet)
        if resume and run.checkpoint is not None and run.checkpoint.exists():
            run.load()
        for epoch in range(run.state.epoch, settings.epochs):
            run.epoch(epoch, stop)
        if stop:  # in the last moment: whoever called is to stop too
            raise Interrupted(stop.signal_number, "the end of training")
    return run.state.rows


class _Run:
    """One training run: what it works on, and how far it has got."""

    def __init__(
        self,
        model: nn.Module,
        samples: numpy.ndarray,
        settings: TrainingSettings,
        corruption: Corruption | None,
        evaluate: Callable[[nn.Module], dict[str, float]] | None,
        folder: str | os.PathLike[str] | None,
        title: str,
        quiet: bool,
    ) -> None:
        self.place = device("cpu")
        self.model = model.to("cpu")
        self.samples = samples
        self.settings = settings
        self.corruption = corruption
        self.loss_function = LOSSES[settings.loss]
        # Measured on the host: part of what a checkpoint is resumed by, whatever the device.
        one = self.batch(0, numpy.arange(1), 0)
        self.shard_size = suggest_shard_size(self.loss, one, settings.batch_size)
        self.place = device(settings.device)
        model.to(self.place)
        self.evaluate = evaluate
        self.title = title
        self.quiet = quiet
        self.checkpoint = None if folder is None else Path(folder) / CHECKPOINT
        self.keeper = Keeper(self.write, folder, title)
        self.state = TrainingState()
        self.samples_digest = "" if folder is None else digest_of(samples)
        self.steps = math.ceil(len(samples) / settings.batch_size)
        self.parameters = {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
        self.optimizer = optim.Adam(self.parameters.values(), lr=settings.learning_rate)
        self.schedule = None
        if settings.schedule == "cosine":
            self.schedule = optim.CosineAnnealingLR(self.optimizer, self.steps * settings.epochs)
        self.watch = FiniteWatch(self.loss, self.parameters, self.optimizer, self.checkpoint)
        self.saved_at = time.monotonic()

    def identity(self) -> dict[str, Any]:
        """What a checkpoint must have been written by to be resumed by this run."""
        decisive = dict(self.settings.decisive)
        if self.schedule is None:
            del decisive["epochs"]  # more epochs of the same: a run may be continued
        return {
            **decisive,
            "samples": [list(self.samples.shape), self.samples_digest],
            "corruption": repr(self.corruption),
            "shard_size": self.shard_size,
        }

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of some samples."""
        return self.loss_function(self.model(inputs), targets)

    def batch(self, epoch: int, indices: numpy.ndarray, step: int) -> list[Any]:
        """The inputs and targets of a step, on the device."""
        clean = self.samples[indices]
        inputs = clean
        if self.corruption is not None:
            rng = random_generator(self.settings.seed, "corruption", epoch, step)
            inputs = self.corruption(clean, rng)
        clean = to_device(clean, self.place)
        return [clean if inputs is clean else to_device(inputs, self.place), clean]

    def epoch(self, epoch: int, stop: StopRequest) -> None:
        """The rest of one epoch, its metrics and its checkpoint."""
        state, size = self.state, self.settings.batch_size
        order = random_generator(self.settings.seed, "order", epoch)
        order = order.permutation(len(self.samples))
        started, before = time.monotonic(), state.seconds
        total = state.running_loss  # becomes an array on the device: adding does not wait
        with self.progress(epoch) as bar:
            for step in range(state.step, self.steps):
                indices = order[step * size : (step + 1) * size]
                loss = self.step(epoch, step, indices)
                total = loss.data.astype("float64") * len(indices) + total
                state.step = step + 1
                place = f"epoch {epoch + 1}, step {state.step} of {self.steps}"
                bar.update(len(indices))
                is_last = state.step == self.steps
                is_due = time.monotonic() - self.saved_at >= self.settings.save_seconds
                is_stopping = bool(stop)  # asked once: the signal may come in between
                if is_last or is_stopping or is_due or state.step % self.settings.log_steps == 0:
                    state.running_loss = self.watch.finite_loss(float(total), place)
                    seen = min(state.step * size, len(self.samples))
                    bar.set_postfix(loss=f"{state.running_loss / seen:.5f}")
                state.seconds = before + time.monotonic() - started
                if (is_stopping or is_due) and not is_last:
                    self.save(place, final=is_stopping)
                if is_stopping and not is_last:
                    raise Interrupted(stop.signal_number, place)
        row = self.finish(epoch)
        place, is_stopping = f"the end of epoch {epoch + 1}", bool(stop)
        self.save(place, final=is_stopping or state.epoch == self.settings.epochs)
        self.report(row)
        if is_stopping:
            raise Interrupted(stop.signal_number, place)

    def step(self, epoch: int, step: int, indices: numpy.ndarray) -> Tensor:
        """One step of the optimiser. Returns the loss, which may still be being computed."""
        arrays = self.batch(epoch, indices, step)
        loss, gradients = shard_gradients(
            self.loss,
            list(self.parameters.values()),
            arrays,
            shard_size=self.shard_size if self.place.type == "cpu" else len(indices),
            workers=self.settings.workers,
        )
        if self.place.type == "cpu":  # on a GPU looking would wait; the loss is checked when logged
            place = f"epoch {epoch + 1}, step {step + 1}"
            self.watch.require_finite_step(place, loss, gradients, arrays)
        self.optimizer.step(gradients)
        if self.schedule is not None:
            self.schedule.step()
        return loss

    def finish(self, epoch: int) -> Row:
        """The row of an epoch that is over; the next one's beginning is the state now."""
        state, count = self.state, len(self.samples)
        loss = state.running_loss / count
        row: Row = {
            "epoch": epoch + 1,
            "train_loss": loss,
            "train_loss_per_sample": loss * self.samples[0].size,
            "seconds": round(state.seconds, 3),
            "images_per_second": round(count / max(state.seconds, 1e-9), 1),
        }
        if self.evaluate is not None:
            row.update(self.evaluate(self.model))
        state.rows.append(row)
        state.epoch, state.step, state.running_loss, state.seconds = epoch + 1, 0, 0.0, 0.0
        return row

    def report(self, row: Row) -> None:
        """Print an epoch's row."""
        if not self.quiet:
            names = [name for name in row if name not in ("epoch", "seconds")]
            values = ", ".join(f"{name} {row[name]:.5g}" for name in names)
            text = f"{self.title}: epoch {row['epoch']}/{self.settings.epochs}: {values}"
            tqdm.write(text, file=Unbreakable.of(sys.stdout))

    def save(self, place: str, final: bool) -> None:
        """Write the state, if there is a folder; refuse one from which no run could go on."""
        self.watch.require_finite_state(place)
        self.keeper.keep(final)
        self.saved_at = time.monotonic()

    def write(self, folder: Path) -> None:
        """Write metrics and checkpoint into a folder.

        In this order: once the checkpoint says that an epoch is over, its row is in the metrics.
        """
        write_rows(folder / METRICS, self.state.rows)
        save_state(
            folder / CHECKPOINT,
            self.state,
            self.model,
            self.optimizer,
            self.schedule,
            self.identity(),
        )

    def load(self) -> None:
        """Go on from the checkpoint."""
        self.state = load_state(
            self.checkpoint,
            self.model,
            self.optimizer,
            self.schedule,
            self.identity(),
            steps=self.steps,
            epochs=self.settings.epochs,
        )

    def progress(self, epoch: int) -> tqdm:
        """A bar over the samples of an epoch: loss, samples a second, time left."""
        return tqdm(
            total=len(self.samples),
            initial=self.state.step * self.settings.batch_size,
            desc=f"{self.title}: epoch {epoch + 1}/{self.settings.epochs}",
            unit="image",
            disable=True if self.quiet else None,  # None: only on a terminal
            leave=False,
            file=Unbreakable.of(sys.stderr),
        )
