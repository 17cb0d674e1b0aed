"""The training loop: corrupt a batch, compare, step.

:func:`train` is the loop. What a step needs is a :class:`Learner`; what hangs on the loop has a
file each: `progress` (what is shown), `state` (checkpoints), `divergence` (numbers that are not
finite) and `interrupts` (signals).
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import inspect
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy

from autoencoder.data.arrays import require_shape
from autoencoder.storage.checkpoint import digest_of
from autoencoder.storage.files import WriteError
from autoencoder.training.divergence import FiniteWatch
from autoencoder.training.interrupts import Interrupted, stop_request
from autoencoder.training.progress import Progress
from autoencoder.training.settings import TrainingSettings, random_generator
from autoencoder.training.state import (
    CHECKPOINT,
    METRICS,
    Row,
    StateWriter,
    TrainingState,
    write_rows,
)
from minigrad import Tensor, device, nn, optim
from minigrad import functional as F
from minigrad.backend import Array, one_blas_thread, to_device, use_device
from minigrad.parallel import Communicator, shard_gradients, suggest_shard_size
from minigrad.parallel.ranks import device_of_rank

LOSSES = {"mse": F.mse_loss, "l1": F.l1_loss}

Corruption = Callable[[numpy.ndarray, numpy.random.Generator], numpy.ndarray]
Loss = Callable[[Any, Tensor, Tensor], Tensor]
"""From a model, inputs and targets to the mean of the samples' losses."""


def train(
    model: nn.Module,
    samples: numpy.ndarray,
    settings: TrainingSettings,
    *,
    corruption: Corruption | None = None,
    targets: numpy.ndarray | None = None,
    loss: Loss | None = None,
    evaluate: Callable[[Any], dict[str, float]] | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    title: str = "training",
    quiet: bool = False,
    ranks: Communicator | None = None,
) -> list[Row]:
    """Train a model to give back clean samples, from the samples or from corrupted ones.

    Minimises the error of ``model(corruption(x))`` against x, its mean over samples and components,
    with Adam.
    The lecture's loss is the sum over a sample's components; it differs by their number, and both
    scales are logged. With targets or a loss of one's own the same loop trains anything else.

    Parameters
    ----------
    model : nn.Module
        Maps (N, ...) to the same shape. Changed in place, and moved to the settings' device.
    samples : numpy.ndarray
        (N, ...) float32, on the host.
    settings : TrainingSettings
    corruption : callable, optional
        ``(samples, rng) -> samples``, drawn afresh for every batch. A checkpoint knows a function
        by its qualified name, a lambda or any other object by its repr.
    targets : numpy.ndarray, optional
        (N, ...) what the model is to give, class labels for example; by default the samples.
    loss : callable, optional
        ``(model, inputs, targets) -> mean loss`` of some samples, in place of the settings' loss. A
        checkpoint knows it as it knows a corruption.
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
    ranks : Communicator, optional
        The processes that train this model together, from :func:`minigrad.parallel.find_ranks`;
        by default this one alone. Each calls with the same arguments and ends with the same model,
        which on the CPU is one process's to the bit. All start from rank 0's model. Rank 0 writes,
        shows progress, and reads the checkpoint.

    Returns
    -------
    list of dict
        One row an epoch: ``epoch, train_loss`` (a component), ``train_loss_per_sample``,
        ``seconds, images_per_second`` and what ``evaluate`` gave. A loss of one's own is
        that of a sample, in both.

    Raises
    ------
    TypeError, ValueError
        If the samples are no float32 array, none, or not finite, or do not fit the model, or the
        targets are no array of as many numbers.
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
    RankError
        If another rank raised one of these, or the ranks train on other samples, or by other
        settings, or have come to other weights.

    Examples
    --------
    >>> from autoencoder.models import mlp
    >>> points = numpy.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> rows = train(mlp(2, 8, 2), points, TrainingSettings(epochs=3), quiet=True)
    >>> [row["epoch"] for row in rows], rows[2]["train_loss"] < rows[0]["train_loss"]
    ([1, 2, 3], True)
    """
    ranks = ranks or Communicator()
    with ranks.failing_together():
        # The folder need not be on the other ranks' machines.
        _check_arguments(model, samples, settings, targets, folder if ranks.rank == 0 else None)
        settings = dataclasses.replace(settings, device=device_of_rank(settings.device, ranks))
    with stop_request() as stop, one_blas_thread(), use_device(device(settings.device)):
        learner = Learner(model, samples, settings, corruption, targets, loss, ranks)
        place = None if folder is None else Path(folder)
        checkpoint = None if place is None else place / CHECKPOINT
        watch = FiniteWatch(learner.loss, learner.parameters, learner.state.optimizer, checkpoint)
        progress = Progress(title, settings, len(samples), quiet or ranks.rank > 0)
        writer = StateWriter(learner.write, place, settings.save_seconds, progress.warn, ranks)
        learner.begin(checkpoint if resume else None)
        state = learner.state

        def save(position: str, final: bool) -> None:
            watch.require_finite_state(position)
            learner.require_same_weights(position)
            writer.save(final)

        for epoch in range(state.epoch, settings.epochs):
            order = random_generator(settings.seed, "order", epoch).permutation(len(samples))
            started = time.monotonic() - state.seconds
            total_loss = state.running_loss  # becomes an array on the device: adding does not wait
            with progress.bar(epoch, done=state.step * settings.batch_size) as bar:
                for step, indices, batch in learner.batches(epoch, order):
                    batch_loss, gradients = learner.gradients(batch)
                    position = f"epoch {epoch + 1}, step {step + 1}"
                    watch.require_finite_step(position, batch_loss, gradients, batch)
                    learner.update(gradients)

                    total_loss = batch_loss.data.astype("float64") * len(indices) + total_loss
                    state.step = step + 1
                    bar.update(len(indices))
                    position += f" of {learner.steps}"
                    is_last = state.step == learner.steps
                    # Asked once: a signal may come in between. One rank's is every rank's.
                    stopped_by, is_due = ranks.maximum(stop.signal_number, writer.is_due())
                    is_saving = stopped_by or is_due
                    if is_last or is_saving or state.step % settings.log_steps == 0:
                        state.running_loss = watch.finite_loss(float(total_loss), position)
                        progress.show_loss(bar, state.running_loss, state.step)
                    state.seconds = time.monotonic() - started
                    if is_saving and not is_last:
                        save(position, final=bool(stopped_by))
                    if stopped_by and not is_last:
                        raise Interrupted(stopped_by, position)

            row = learner.finish_epoch()
            if evaluate is not None:
                row.update(evaluate(model))
            position = f"the end of epoch {state.epoch}"
            (stopped_by,) = ranks.maximum(stop.signal_number)
            save(position, final=bool(stopped_by) or state.epoch == settings.epochs)
            progress.report(row)
            if stopped_by:
                raise Interrupted(stopped_by, position)

        (stopped_by,) = ranks.maximum(stop.signal_number)
        if stopped_by:  # in the last moment: whoever called is to stop too
            raise Interrupted(stopped_by, "the end of training")
    return state.rows


@dataclasses.dataclass
class Learner:
    """A model, what it learns from and by what, and how far it has got."""

    model: nn.Module
    samples: numpy.ndarray
    settings: TrainingSettings
    corruption: Corruption | None
    targets: numpy.ndarray | None = None
    own_loss: Loss | None = None
    ranks: Communicator = dataclasses.field(default_factory=Communicator)

    def __post_init__(self) -> None:
        model, settings = self.model, self.settings
        self.steps = math.ceil(len(self.samples) / settings.batch_size)
        # Measured on the host: part of what a checkpoint is resumed by, whatever the device.
        model.to("cpu")
        self.device = device("cpu")
        one = self.drawn(0, 0, numpy.arange(1))
        self.shard_size = suggest_shard_size(self.loss, one, settings.batch_size)
        self.device = device(settings.device)
        model.to(self.device)
        self.parameters = {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
        optimizer = optim.Adam(self.parameters.values(), lr=settings.learning_rate)
        self.state = TrainingState(model, optimizer)
        if settings.schedule == "cosine":
            steps = self.steps * settings.epochs
            self.state.schedule = optim.CosineAnnealingLR(optimizer, steps)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of some samples."""
        if self.own_loss is not None:
            return self.own_loss(self.model, inputs, targets)
        return LOSSES[self.settings.loss](self.model(inputs), targets)

    def batches(
        self, epoch: int, order: numpy.ndarray
    ) -> Iterator[tuple[int, numpy.ndarray, list[Array]]]:
        """The steps of an epoch that are left: number, indices, and :meth:`drawn` on the device.

        A GPU takes less time for a step than the host for its noise: the next is drawn meanwhile.
        """
        size = self.settings.batch_size
        steps = range(self.state.step, self.steps)
        parts = [order[step * size :][:size] for step in steps]
        map_in_order = map if self.device.type == "cpu" else map_one_ahead
        drawn = map_in_order(functools.partial(self.drawn, epoch), steps, parts)
        for step, indices, (inputs, targets) in zip(steps, parts, drawn):
            moved = to_device(targets, self.device)
            inputs = moved if inputs is targets else to_device(inputs, self.device)
            yield step, indices, [inputs, moved]

    def drawn(self, epoch: int, step: int, indices: numpy.ndarray) -> list[numpy.ndarray]:
        """The inputs and targets of a step, on the host."""
        clean = self.samples[indices]
        targets = clean if self.targets is None else self.targets[indices]
        if self.corruption is None:
            return [clean, targets]
        rng = random_generator(self.settings.seed, "corruption", epoch, step)
        return [self.corruption(clean, rng), targets]

    def gradients(self, batch: list[Array]) -> tuple[Tensor, list[Tensor]]:
        """The loss of a batch, which may still be being computed, and each parameter's gradient."""
        at = self.state.epoch, self.state.step
        seed = random_generator(self.settings.seed, "model", *at).integers(2**63)
        return shard_gradients(
            self.loss,
            list(self.parameters.values()),
            batch,
            shard_size=self.shard_size if self.device.type == "cpu" else len(batch[0]),
            workers=self.settings.workers,
            ranks=self.ranks,
            seed=int(seed),  # what the model draws: a run that is resumed goes on with the same
        )

    def update(self, gradients: list[Tensor]) -> None:
        """One step of the optimiser and of the learning rate."""
        self.state.optimizer.step(gradients)
        if self.state.schedule is not None:
            self.state.schedule.step()

    def finish_epoch(self) -> Row:
        """The row of the epoch that is over; the state is at the next one's beginning then."""
        state, count = self.state, len(self.samples)
        loss = state.running_loss / count
        row: Row = {
            "epoch": state.epoch + 1,
            "train_loss": loss,
            "train_loss_per_sample": loss * (1 if self.own_loss else self.samples[0].size),
            "seconds": round(state.seconds, 3),
            "images_per_second": round(count / max(state.seconds, 1e-9), 1),
        }
        state.begin_next_epoch(row)
        return row

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must have been written by to be resumed by this run."""
        identity = {
            **self.settings.decisive,
            "samples": [list(self.samples.shape), digest_of(self.samples)],
            "corruption": name_of(self.corruption),
            "shard_size": self.shard_size,
        }
        if self.state.schedule is None:
            del identity["epochs"]  # more epochs of the same: a run may be continued
        if self.targets is not None:
            identity["targets"] = [list(self.targets.shape), digest_of(self.targets)]
        if self.own_loss is not None:
            identity["loss"] = name_of(self.own_loss)
        return identity

    def write(self, folder: Path) -> None:
        """Write metrics and checkpoint into a folder.

        In this order: once the checkpoint says that an epoch is over, its row is in the metrics.
        """
        write_rows(folder / METRICS, self.state.rows)
        self.state.save(folder / CHECKPOINT, self.identity)

    def begin(self, checkpoint: Path | None) -> None:
        """Go on from a checkpoint of the same run, if it is there; all ranks from the same state.

        Rank 0 reads it: the others may have no such file.
        """
        if checkpoint is not None and self.ranks.decided(checkpoint.exists):
            run = {"steps": self.steps, "epochs": self.settings.epochs}
            self.ranks.decided(lambda: self.state.load(checkpoint, self.identity, **run))
        if self.ranks.size > 1:
            self.ranks.require_same("one of the settings", self.settings.decisive)
            self.ranks.require_same("one of the samples", digest_of(self.samples))
            self.state.share(self.ranks)

    def require_same_weights(self, position: str) -> None:
        """Raise unless all ranks have the same weights, to the bit: on the CPU that is promised."""
        if self.ranks.size > 1 and self.device.type == "cpu":
            digests = [digest_of(parameter.data) for parameter in self.parameters.values()]
            self.ranks.require_same(f"{position}: a weight, from the same steps,", digests)


def map_one_ahead(function: Callable[..., Any], *arguments: Iterable[Any]) -> Iterator[Any]:
    """As ``map``, but a thread computes the next result while the last one is used.

    >>> list(map_one_ahead(pow, [2, 3], [4, 5]))
    [16, 243]
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        waiting: Future | None = None
        for each in zip(*arguments):
            following = thread.submit(function, *each)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def name_of(function: Callable[..., Any] | None) -> str:
    """What a checkpoint knows a function by, such as a loss or a corruption.

    Its qualified name, if that is enough to find it again: of a method the object decides as well,
    and functions without a name are told apart by nothing else than where they lie in memory.
    """
    name = getattr(function, "__qualname__", "<lambda>")
    is_named = inspect.isfunction(function) and "<lambda>" not in name
    return name if is_named else repr(function)


def _check_arguments(
    model: Any, samples: Any, settings: Any, targets: Any, folder: str | os.PathLike[str] | None
) -> None:
    """Raise, naming the argument, unless :func:`train` can work with these."""
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
    if targets is None:
        return
    if not isinstance(targets, numpy.ndarray) or targets.dtype.kind not in "iuf":
        kind = getattr(targets, "dtype", type(targets).__name__)
        raise TypeError(f"train: targets must be a NumPy array of numbers, got {kind}")
    if targets.shape[:1] != samples.shape[:1]:
        raise ValueError(
            f"train: {samples.shape} samples need as many targets, got {targets.shape}"
        )
    if not numpy.isfinite(targets).all():
        raise ValueError(f"train: the targets {targets.shape} are not all finite")
