"""What an operation keeps for backward, and the check that it still is what forward saw.

Recorded operations and writes in place are numbered in one sequence. If an input carries a write
later than the operation when backward asks for its values, the gradient would be silently wrong, so
backward stops.
"""

from __future__ import annotations

from typing import NoReturn

from .backend import Array, HostArray, as_host_array
from .strided import strided_view
from .tensor import Tensor

wrap = Tensor._wrap


def without_values(tensor: Tensor) -> Tensor:
    """A tensor's place in the graph and its shape, without its memory: all elements one zero."""
    if tensor.grad_fn is None or type(tensor.data) is not HostArray:
        return tensor
    data = tensor.data
    zero = as_host_array(0).astype(data.dtype)
    place = wrap(strided_view(zero, data.shape, (0,) * data.ndim))
    place.requires_grad, place.grad_fn = True, tensor.grad_fn
    return place


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
