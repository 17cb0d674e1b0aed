"""Tensor's operators and methods: the one place where this floor reaches up to ``tensor.py``.

Type checkers read :class:`TensorMethods` as a base class of Tensor; at run time :func:`attach`
copies its members onto Tensor when ``minigrad.functional`` is imported. ``to``, which moves a
tensor to another device or precision, is a method only, and stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.backend import Array, Device, as_dtype, named_device, to_device
from minigrad.engine import Operation, Tensor
from minigrad.functional import arithmetic, elementwise, further, linalg, rearrange, reduce
from minigrad.functional.arguments import cast


class ToDevice(Operation):
    """``y = x`` on another device; the gradient travels back."""

    def __init__(self, target: Device) -> None:
        self.target = target

    def forward(self, x: Array) -> Array:
        return to_device(x, self.target)

    def backward(self, gradient: Tensor) -> Tensor:
        return ToDevice(self.inputs[0].device)(gradient)


def to(x: Tensor, target: Any) -> Tensor:
    """The tensor on another device, or in another precision; through the copy gradients flow.

    ``target`` is a device (``"cpu"``, ``"cuda"``, ``"cuda:1"``) or a NumPy dtype (``"float64"``).
    A tensor that is there already is returned itself. A ValueError or TypeError says that the
    target is neither, a RuntimeError that the device cannot be used.

    >>> to(Tensor([1.0]), "float64").dtype
    dtype('float64')
    """
    place = named_device(target)
    if place is None:
        return cast(x, as_dtype("to", target, "a device or a dtype"))
    return x if place == x.device else ToDevice(place)(x)


def _reflected(function: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
    """``b - a`` for ``a.__rsub__(b)``."""

    def operator(self: Tensor, other: Any) -> Tensor:
        """The operator with its arguments swapped."""
        return function(other, self)

    return operator


class TensorMethods:
    """Everything Tensor can do that is an operation: each is the function of the same name."""

    __slots__ = ()

    __add__ = __radd__ = add = arithmetic.add
    __sub__ = sub = arithmetic.sub
    __rsub__ = _reflected(arithmetic.sub)
    __mul__ = __rmul__ = mul = arithmetic.mul
    __truediv__ = div = arithmetic.div
    __rtruediv__ = _reflected(arithmetic.div)
    __pow__ = pow = arithmetic.pow
    __rpow__ = _reflected(arithmetic.pow)
    __neg__ = neg = arithmetic.neg
    __matmul__ = matmul = linalg.matmul
    __rmatmul__ = _reflected(linalg.matmul)
    __getitem__ = rearrange.getitem

    eq = arithmetic.eq
    ne = arithmetic.ne
    __lt__ = lt = arithmetic.lt
    __le__ = le = arithmetic.le
    __gt__ = gt = arithmetic.gt
    __ge__ = ge = arithmetic.ge
    __abs__ = abs = elementwise.abs

    log = elementwise.log
    exp = elementwise.exp
    sqrt = elementwise.sqrt
    sin = elementwise.sin
    cos = elementwise.cos
    tanh = elementwise.tanh
    sigmoid = elementwise.sigmoid
    softplus = elementwise.softplus
    relu = elementwise.relu
    leaky_relu = elementwise.leaky_relu
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    clamp = elementwise.clamp

    sum = reduce.sum
    mean = reduce.mean
    amax = reduce.amax
    amin = reduce.amin
    var = reduce.var
    std = reduce.std
    logsumexp = reduce.logsumexp
    softmax = reduce.softmax
    log_softmax = reduce.log_softmax

    max = further.max
    min = further.min
    argmax = further.argmax
    argmin = further.argmin
    clone = further.clone

    reshape = view = rearrange.reshape
    permute = rearrange.permute
    transpose = rearrange.transpose
    flatten = rearrange.flatten
    squeeze = rearrange.squeeze
    unsqueeze = rearrange.unsqueeze
    expand = rearrange.expand

    to = to

    def __eq__(self: Any, other: Any) -> Tensor:  # type: ignore[override]
        return arithmetic.eq(self, other)

    def __ne__(self: Any, other: Any) -> Tensor:  # type: ignore[override]
        return arithmetic.ne(self, other)

    def where(self: Any, condition: Any, other: Any) -> Tensor:
        """This tensor where the condition holds, ``other`` elsewhere: see ``functional.where``."""
        return elementwise.where(condition, self, other)

    @property
    def T(self: Any) -> Tensor:
        """A matrix with rows and columns swapped."""
        if self.ndim != 2:
            raise AttributeError(f"T: expected a matrix, got shape {self.shape}; use permute")
        return rearrange.transpose(self, 0, 1)

    def cpu(self: Any) -> Tensor:
        """The tensor on the CPU: ``to("cpu")``."""
        return to(self, "cpu")

    def cuda(self: Any, device: str | Device = "cuda") -> Tensor:
        """The tensor on a GPU: ``to("cuda")``."""
        return to(self, device)

    def float(self: Any) -> Tensor:
        """The tensor in float32: ``to("float32")``."""
        return to(self, "float32")

    def double(self: Any) -> Tensor:
        """The tensor in float64: ``to("float64")``."""
        return to(self, "float64")

    def __iter__(self: Any) -> Any:
        return map(self.__getitem__, range(len(self)))


def attach() -> None:
    """Copy the members of TensorMethods onto Tensor."""
    for name, member in vars(TensorMethods).items():
        if name not in ("__module__", "__doc__", "__slots__", "__hash__", "__qualname__"):
            setattr(Tensor, name, member)
