"""What an operation keeps for backward, and the check that it still is what forward saw.

Recorded operations and writes in place are numbered in one sequence. If an input carries a write
later than the operation when backward asks for its values, the gradient would be silently wrong, so
backward stops.
"""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import Any, NoReturn

from minigrad.backend import CPU, Array, HostArray, as_host_array, strided_view
from minigrad.engine.tensor import Tensor

wrap = Tensor._wrap


class NotKept(Tensor):
    """An input that an operation forgot: its place in the graph, shape and dtype, no values.

    Examples
    --------
    >>> from minigrad import Tensor
    >>> y = (Tensor([1.0, 2.0], requires_grad=True) * 2).tanh()
    >>> y.grad_fn.inputs[0]
    Tensor(values not kept by tanh, shape=(2,), dtype=float32, grad_fn=scale)
    >>> y.grad_fn.inputs[0].data
    Traceback (most recent call last):
        ...
    RuntimeError: tanh: the values of an input of shape (2,), made by scale, were not kept: ...
    """

    __slots__ = ("_by", "_like")

    _by: str
    _like: Array  # of the input's shape and dtype, all elements one zero

    shape = property(attrgetter("_like.shape"))
    ndim = property(attrgetter("_like.ndim"))
    size = property(attrgetter("_like.size"))
    dtype = property(attrgetter("_like.dtype"))
    device = CPU

    @property
    def data(self) -> NoReturn:
        """Raises: there are none."""
        raise RuntimeError(
            f"{self._by}: the values of an input of shape {self.shape}, made by "
            f"{self.grad_fn.name}, were not kept: its backward needs none of them; keep a "
            f"reference to the tensor itself to read them"
        )

    def numpy(self, *_: object, **__: object) -> NoReturn:
        """Raises, as ``data`` does."""
        return self.data

    __array__ = numpy

    def __repr__(self) -> str:
        return (
            f"Tensor(values not kept by {self._by}, shape={self.shape}, dtype={self.dtype}, "
            f"grad_fn={self.grad_fn.name})"
        )


@cache
def _zero(dtype: Any) -> Array:
    return as_host_array(0).astype(dtype)


def without_values(tensor: Tensor, name: str) -> Tensor:
    """A tensor's place in the graph and its shape, without its memory, for the operation named."""
    data = tensor.data
    if tensor.grad_fn is None or type(data) is not HostArray:
        return tensor
    place = NotKept.__new__(NotKept)
    zero = _zero(data.dtype)
    place._like = strided_view(zero, data.shape, (0,) * data.ndim) if data.ndim else zero
    place._by, place.grad_fn, place.requires_grad = name, tensor.grad_fn, True
    place.grad = place._version = None
    return place


def like(tensor: Tensor) -> Array:
    """An array of a tensor's shape, dtype and device, whatever its values."""
    return tensor._like if type(tensor) is NotKept else tensor.data


class Saved:
    """The half of an operation that remembers.

    Attributes
    ----------
    inputs : tuple of Tensor or None
        ``None`` until the operation is recorded, and again once backward has freed it: what is
        behind it goes, what it saved itself goes with its output.
    """

    name: str
    inputs: tuple[Tensor, ...] | None = None
    _number: int  # in the sequence of operations and writes
    _output: Array
    _output_version: list[int]

    @property
    def saved(self) -> tuple[Tensor, ...]:
        """The inputs, after checking that none was written in place since forward read it."""
        if self.inputs is None:
            raise AttributeError(f"{self.name}: saved: not recorded, or freed by backward")
        for tensor in self.inputs:
            if tensor._version and tensor._version[0] > self._number:
                self._refuse(tensor)
        return self.inputs

    @property
    def output(self) -> Tensor:
        """The output, rebuilt around its saved array: another tensor, the same node."""
        if self._output_version[0] > self._number:
            raise RuntimeError(
                f"{self.name}: its output of shape {self._output.shape} was changed in place; "
                f"its old value is needed for the gradient"
            )
        output = wrap(self._output)
        output.requires_grad, output.grad_fn = True, self
        output._version = self._output_version
        return output

    def _refuse(self, tensor: Tensor) -> NoReturn:
        i = next(i for i, one in enumerate(self.inputs) if one is tensor)
        raise RuntimeError(
            f"{self.name}: input {i} of shape {tensor.shape} was changed in place after "
            f"{self.name} used it; its old value is needed for the gradient"
        )
