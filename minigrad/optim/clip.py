"""Shortening gradients that are too long."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from minigrad.backend import Array, array_module, common_device, is_array, use_device
from minigrad.engine import Tensor, mark_written
from minigrad.optim.optimizer import require_number


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale the parameters' ``grad``, in place, so that together they are at most so long.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without ``grad`` are passed over.
    max_norm : float
        The length allowed.
    norm_type : float
        The p of the p-norm, positive; ``math.inf`` for the largest magnitude.
    error_if_nonfinite : bool
        Raise if the length is NaN or infinite. Waits for the device.

    Returns
    -------
    Tensor ()
        The length before, of all gradients taken as one vector.

    Raises
    ------
    TypeError, ValueError
        If something is no Tensor, or a number is out of range.
    RuntimeError
        If ``error_if_nonfinite``, and it is.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013,
    section 3.2.

    Examples
    --------
    >>> from minigrad import Tensor, optim
    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> optim.clip_grad_norm_([x], max_norm=1.0)
    Tensor(5.)
    >>> x.grad.data.round(3)
    array([0.6, 0.8], dtype=float32)
    """
    parameters = _listed("clip_grad_norm_", parameters)
    for i, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            kind = type(parameter).__name__
            raise TypeError(f"clip_grad_norm_: parameter {i} is a {kind}, no Tensor")
    gradients = [parameter.grad for parameter in parameters]
    return _clip("clip_grad_norm_", gradients, max_norm, norm_type, error_if_nonfinite)


def clip_gradients_(
    gradients: Tensor | Array | Iterable[Tensor | Array | None],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """The same for gradients in hand, as ``grad`` returns them: see :func:`clip_grad_norm_`.

    One array with all gradients in it, as ``Optimizer.step`` takes it, is a handful of array
    operations; a sequence takes one more for each gradient.

    Parameters
    ----------
    gradients : sequence of (Tensor, array or None), or one of them
        Written in place.
    max_norm, norm_type, error_if_nonfinite
        As there.

    Returns
    -------
    Tensor ()
        The length before.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As there; a TypeError also for a gradient that is neither array nor Tensor.

    Examples
    --------
    >>> from minigrad import Tensor, optim
    >>> gradients = [Tensor([3.0]), Tensor([4.0])]
    >>> length = optim.clip_gradients_(gradients, max_norm=1.0)
    >>> [round(gradient.item(), 3) for gradient in gradients]
    [0.6, 0.8]
    """
    gradients = _listed("clip_gradients_", gradients)
    for i, gradient in enumerate(gradients):
        if gradient is not None and not isinstance(gradient, Tensor) and not is_array(gradient):
            kind = type(gradient).__name__
            raise TypeError(f"clip_gradients_: gradient {i} is a {kind}, no array or Tensor")
    return _clip("clip_gradients_", gradients, max_norm, norm_type, error_if_nonfinite)


def _listed(name: str, given: Any) -> list[Any]:
    if isinstance(given, Tensor) or is_array(given):
        return [given]
    if not isinstance(given, Iterable):
        raise TypeError(f"{name}: expected Tensors, got {type(given).__name__}")
    return list(given)


def _clip(
    name: str, gradients: list[Any], max_norm: float, norm_type: float, error_if_nonfinite: bool
) -> Tensor:
    require_number(name, "max_norm", max_norm, finite=False)
    require_number(name, "norm_type", norm_type, finite=False)
    if norm_type == 0:
        raise ValueError(f"{name}: norm_type must be positive, got {norm_type}")
    gradients = [gradient for gradient in gradients if gradient is not None]
    arrays = [gradient.data if isinstance(gradient, Tensor) else gradient for gradient in gradients]
    if not arrays:
        return Tensor(0.0)
    with use_device(common_device(*arrays, name=name)):
        length = _length(arrays, float(norm_type))
        if error_if_nonfinite and not math.isfinite(length):
            raise RuntimeError(f"{name}: the gradients' length is {float(length)}")
        # Scaling by 1 where nothing is to do, rather than asking: asking waits for the device.
        scale = array_module(*arrays).minimum(float(max_norm) / (length + 1e-6), 1.0)
        for gradient, array in zip(gradients, arrays):
            array *= scale
            if isinstance(gradient, Tensor):
                mark_written(gradient)
    return Tensor(length)


def _length(arrays: list[Array], norm_type: float) -> Array:
    """The p-norm of all arrays as one vector, without dimensions."""
    xp = array_module(*arrays)
    vectors = [array.reshape(-1) for array in arrays]
    vector = xp.concatenate(vectors) if len(vectors) > 1 else vectors[0]
    if norm_type == math.inf and vector.size:
        return xp.abs(vector).max()
    if norm_type in (2, math.inf):
        return xp.sqrt((vector * vector).sum())
    return (xp.abs(vector) ** norm_type).sum() ** (1 / norm_type)
