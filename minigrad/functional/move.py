"""Moving a tensor to another device or precision."""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array, Device, as_dtype, device, to_device
from minigrad.engine import Operation, Tensor
from minigrad.functional.operands import cast


class ToDevice(Operation):
    """``y = x`` on another device; the gradient travels back."""

    def __init__(self, target: Device) -> None:
        self.target = target

    def forward(self, x: Array) -> Array:
        return to_device(x, self.target)

    def backward(self, gradient: Tensor) -> Tensor:
        return ToDevice(self.inputs[0].device)(gradient)


def to(x: Tensor, target: Any) -> Tensor:
    """The tensor on another device, or in another precision.

    Parameters
    ----------
    x : Tensor
    target : str, Device or dtype
        A device (``"cpu"``, ``"cuda"``, ``"cuda:1"``) or a NumPy dtype (``"float64"``).

    Returns
    -------
    Tensor
        The tensor itself if it is there already; else a copy, through which gradients flow.

    Raises
    ------
    ValueError, TypeError
        If the target is neither.
    RuntimeError
        If the device cannot be used.

    Examples
    --------
    >>> to(Tensor([1.0]), "float64").dtype
    dtype('float64')
    """
    is_device = isinstance(target, Device) or (
        isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda")
    )
    if not is_device:
        return cast(x, as_dtype("to", target, "a device or a dtype"))
    place = device(target)
    return x if place == x.device else ToDevice(place)(x)
