"""Noticing that a loss, gradient or weight is not finite, and finding where that arose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from minigrad import Tensor, detect_anomaly
from minigrad.backend import Array, array_module

__all__ = ["TrainingDiverged", "not_finite", "spoilt"]


class TrainingDiverged(FloatingPointError):
    """A loss or gradient was not finite; training stopped before the step was taken."""


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
        if not math.isfinite(gradient.data.sum())
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


def spoilt(parameters: Mapping[str, Tensor]) -> list[str]:
    """The parameters that hold a number that is not finite, in words. Waits for the device.

    Examples
    --------
    >>> spoilt({"weight": Tensor([1.0]), "bias": Tensor([float("inf")])})
    ['the parameter bias']
    """
    return [
        f"the parameter {name}"
        for name, parameter in parameters.items()
        if not bool(array_module(parameter.data).isfinite(parameter.data).all())
    ]
