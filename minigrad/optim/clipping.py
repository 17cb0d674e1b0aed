"""Shortening gradients that are too long."""

from __future__ import annotations

import math
from collections.abc import Iterable

from minigrad.backend import (
    Array,
    HostArray,
    array_module,
    common_device,
    require_number,
    use_device,
)
from minigrad.engine import Tensor, mark_written
from minigrad.kernels import gpu


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
    name = "clip_grad_norm_"
    require_number(name, "max_norm", max_norm, minimum=0.0)
    require_number(name, "norm_type", norm_type, minimum=0.0)
    if norm_type == 0:
        raise ValueError(f"{name}: norm_type must be positive, got {norm_type}")
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    if not isinstance(parameters, Iterable):
        raise TypeError(f"{name}: expected Tensors, got {type(parameters).__name__}")
    gradients = []
    for i, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{name}: parameter {i} is a {type(parameter).__name__}, no Tensor")
        if parameter.grad is not None:
            gradients.append(parameter.grad)
    if not gradients:
        return Tensor(0.0)
    arrays = [gradient.data for gradient in gradients]
    with use_device(common_device(*arrays, name=name)):
        length = _length(arrays, float(norm_type))
        if error_if_nonfinite and not math.isfinite(length):
            raise RuntimeError(f"{name}: the gradients' length is {float(length)}")
        # Scaling by 1 where nothing is to do, rather than asking: asking waits for the device.
        scale = array_module(*arrays).minimum(float(max_norm) / (length + 1e-6), 1.0)
        for gradient, array in zip(gradients, arrays):
            array *= scale
            mark_written(gradient)
    return Tensor(length)


def _length(arrays: list[Array], norm_type: float) -> Array:
    """The p-norm of all arrays as one vector, without dimensions."""
    xp = array_module(*arrays)
    vectors = [array.reshape(-1) for array in arrays]
    vector = vectors[0]
    if len(vectors) > 1:
        vector = xp.empty(sum(part.size for part in vectors), vector.dtype)
        if type(vector) is HostArray or not gpu.join(vectors, vector):
            vector = xp.concatenate(vectors)
    if norm_type == math.inf and vector.size:
        return xp.abs(vector).max()
    if norm_type in (2, math.inf):
        return xp.sqrt((vector * vector).sum())
    return (xp.abs(vector) ** norm_type).sum() ** (1 / norm_type)
