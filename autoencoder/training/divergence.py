"""Noticing that a loss, gradient or weight is not finite, and finding where that arose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy

from minigrad import Tensor, detect_anomaly, optim
from minigrad.backend import Array, array_module

__all__ = ["FiniteWatch", "TrainingDiverged", "not_finite", "spoilt"]


class TrainingDiverged(FloatingPointError):
    """A loss, gradient or weight was not finite; the last checkpoint is the last good state.

    Examples
    --------
    >>> from autoencoder.models import mlp
    >>> from autoencoder.training import TrainingSettings, train
    >>> points = numpy.ones((4, 2), "float32") * 1e30
    >>> with numpy.errstate(over="ignore"):
    ...     train(mlp(2, 2), points, TrainingSettings(epochs=1), quiet=True)
    Traceback (most recent call last):
        ...
    autoencoder.training.divergence.TrainingDiverged: epoch 1, step 1: ...
    """


class FiniteWatch:
    """Stops a training run when a number is not finite.

    Parameters
    ----------
    loss_function : callable
        From a batch's tensors to its loss.
    parameters : mapping of str to Tensor
        By name.
    optimizer : optim.Optimizer
    checkpoint : pathlib.Path or None
        Where the last good state is kept.
    """

    def __init__(
        self,
        loss_function: Callable[..., Tensor],
        parameters: Mapping[str, Tensor],
        optimizer: optim.Optimizer,
        checkpoint: Path | None,
    ) -> None:
        self.loss_function = loss_function
        self.parameters = parameters
        self.optimizer = optimizer
        self.checkpoint = checkpoint

    def require_finite_step(
        self, place: str, loss: Tensor, gradients: Sequence[Tensor], arrays: Sequence[Array]
    ) -> None:
        """Stop before a step that would spoil the weights, and say where the bad number arose."""
        bad = not_finite(self.loss_function, self.parameters, loss, gradients, arrays)
        if bad is not None:
            for parameter in self.parameters.values():
                parameter.grad = None
            raise TrainingDiverged(f"{place}: {bad} is not finite; {self._kept()}")

    def finite_loss(self, total: float, place: str) -> float:
        """A sum of losses, if it is a number; else say what else went wrong by now."""
        if math.isfinite(total):
            return total
        bad = ["the loss", *spoilt(self.parameters, self.optimizer)]
        raise TrainingDiverged(
            f"by {place}: {' and '.join(bad[:2])} became not finite; {self._kept()}"
        )

    def require_finite_state(self, place: str) -> None:
        """Refuse a state from which no run could go on."""
        bad = spoilt(self.parameters, self.optimizer)
        if bad:
            raise TrainingDiverged(f"{place}: {bad[0]} is not finite; {self._kept()}")

    def _kept(self) -> str:
        """What is left after training went wrong."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return "no checkpoint had been written; try a smaller learning rate"
        return f"the last good checkpoint is {self.checkpoint}; try a smaller learning rate"


def not_finite(
    loss_function: Callable[..., Tensor],
    parameters: Mapping[str, Tensor],
    loss: Tensor,
    gradients: Sequence[Tensor],
    arrays: Sequence[Array],
) -> str | None:
    """What about a step is not finite, in words; None if all of it is. Waits for the device.

    Parameters
    ----------
    loss_function : callable
        Gave ``loss`` for ``arrays``; run once more, with every operation checked, to name the
        first that went wrong. Leaves gradients in the parameters' ``grad`` then.
    parameters : mapping of str to Tensor
        By name.
    loss : Tensor
    gradients : sequence of Tensor
        One a parameter.
    arrays : sequence of arrays
        The batch.

    Returns
    -------
    str or None

    Examples
    --------
    >>> weight = Tensor([1.0], requires_grad=True)
    >>> nan = Tensor([float("nan")])
    >>> not_finite(lambda x: (weight * x).sum(), {"weight": weight}, nan, [nan], [nan.data])
    'the loss (mul: the result is not finite (first at index (0,): nan), created at ...)'
    """
    bad = [
        name
        for name, gradient in zip(parameters, gradients)
        if not math.isfinite(gradient.data.sum())  # quick; but a sum of large numbers may overflow
        and not bool(array_module(gradient.data).isfinite(gradient.data).all())
    ]
    is_loss_bad = not math.isfinite(loss.item())
    if not is_loss_bad and not bad:
        return None
    what = "the loss" if is_loss_bad else f"the gradient of {bad[0]}"
    try:
        with detect_anomaly():
            loss_function(*(Tensor(array) for array in arrays)).backward()
    except FloatingPointError as error:
        what += f" ({error})"
    return what


def spoilt(parameters: Mapping[str, Tensor], optimizer: optim.Optimizer) -> list[str]:
    """What of a model or its optimiser's memory is not finite, in words. Waits for the device.

    A finite gradient can leave an infinite memory (its square may overflow), from which no run
    can go on.

    Examples
    --------
    >>> parameters = {"weight": Tensor([1.0]), "bias": Tensor([float("inf")])}
    >>> spoilt(parameters, optim.Adam(parameters.values()))
    ['the parameter bias']
    """
    names = {id(parameter): name for name, parameter in parameters.items()}
    found = [
        f"the parameter {name}"
        for name, parameter in parameters.items()
        if not bool(array_module(parameter.data).isfinite(parameter.data).all())
    ]
    improved = optimizer.parameters
    for number, memory in optimizer.state_dict()["state"].items():
        found += [
            f"the optimiser's {key} of {names[id(improved[number])]}"
            for key, value in memory.items()
            if not numpy.isfinite(value).all()
        ]
    return found
