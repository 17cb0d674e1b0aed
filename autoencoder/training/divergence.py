"""The watch over a training run: it stops the run when a number is not finite, and says where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy

from minigrad import Tensor, detect_anomaly, optim
from minigrad.backend import Array, array_module


class TrainingDiverged(FloatingPointError):
    """A loss, gradient or weight was not finite; the last checkpoint is the last good state.

    >>> from autoencoder.models import mlp
    >>> from autoencoder.training import TrainingSettings, train
    >>> points = numpy.ones((4, 2), "float32") * 1e30
    >>> with numpy.errstate(over="ignore"):
    ...     train(mlp(2, 2), points, TrainingSettings(epochs=1), quiet=True)
    Traceback (most recent call last):
        ...
    autoencoder.training.divergence.TrainingDiverged: epoch 1, step 1: ...
    """


@dataclass
class FiniteWatch:
    """Stops a training run when a number is not finite."""

    loss_function: Callable[..., Tensor]  # of a batch
    parameters: Mapping[str, Tensor]
    optimizer: optim.Optimizer
    checkpoint: Path | None  # where the last good state is kept

    def require_finite_step(
        self, position: str, loss: Tensor, gradients: Sequence[Tensor], batch: Sequence[Array]
    ) -> None:
        """Stop before a step that would spoil the weights, and say where the bad number arose.

        On a GPU the look would wait for the device: the loss is checked when it is logged.
        """
        if loss.device.type != "cpu":
            return
        spoilt = [
            f"the gradient of {name}"
            for name, gradient in zip(self.parameters, gradients)
            # The sum is quick, but a sum of large finite numbers may overflow.
            if not (math.isfinite(gradient.data.sum()) or _is_finite(gradient.data))
        ]
        if not math.isfinite(loss.item()):
            spoilt.insert(0, "the loss")
        if spoilt:
            origin = self._origin(batch)
            raise TrainingDiverged(
                f"{position}: {spoilt[0]}{origin} is not finite; {self._what_is_kept()}"
            )

    def _origin(self, batch: Sequence[Array]) -> str:
        """Which operation gave the first bad number: the step again, each operation checked."""
        try:
            with detect_anomaly():
                self.loss_function(*(Tensor(array) for array in batch)).backward()
        except FloatingPointError as error:
            return f" ({error})"
        finally:
            for parameter in self.parameters.values():
                parameter.grad = None
        return ""

    def finite_loss(self, total: float, position: str) -> float:
        """Give back a sum of losses, or stop and name what else is not finite by now."""
        if math.isfinite(total):
            return total
        spoilt = ["the loss", *self._spoilt_state()]
        raise TrainingDiverged(
            f"by {position}: {' and '.join(spoilt[:2])} became not finite; {self._what_is_kept()}"
        )

    def require_finite_state(self, position: str) -> None:
        """Stop before a state is saved from which no run could go on."""
        for spoilt in self._spoilt_state():
            raise TrainingDiverged(f"{position}: {spoilt} is not finite; {self._what_is_kept()}")

    def _spoilt_state(self) -> Iterator[str]:
        """Name the parameters that are not finite, then the optimiser's memories. Waits for a GPU.

        A finite gradient can leave an infinite memory: its square may overflow.
        """
        for name, parameter in self.parameters.items():
            if not _is_finite(parameter.data):
                yield f"the parameter {name}"
        names = list(self.parameters)
        for number, memory in self.optimizer.state_dict()["state"].items():
            for key, value in memory.items():
                if not numpy.isfinite(value).all():
                    yield f"the optimiser's {key} of {names[number]}"

    def _what_is_kept(self) -> str:
        if self.checkpoint is None or not self.checkpoint.exists():
            return "no checkpoint had been written; try a smaller learning rate"
        return f"the last good checkpoint is {self.checkpoint}; try a smaller learning rate"


def _is_finite(array: Array) -> bool:
    return bool(array_module(array).isfinite(array).all())
