"""What an operation keeps for backward, and the check that it still is what forward saw.

Every tensor counts how often it was written in place. Recording remembers the count; if it has
moved on when backward asks for the values, the gradient would be silently wrong, so backward stops.
"""

from __future__ import annotations

from typing import NoReturn

from .backend import Array
from .tensor import Tensor

wrap = Tensor._wrap


class Saved:
    """The half of an operation that remembers.

    Attributes
    ----------
    inputs : tuple of Tensor or None
        ``None`` until the operation is recorded, and again once it is freed.
    """

    name: str
    inputs: tuple[Tensor, ...] | None = None
    _versions: list[int]  # of the inputs, when they were used
    _output: Array
    _output_version: list[int]

    @property
    def saved(self) -> tuple[Tensor, ...]:
        """The inputs, after checking that none was written in place since forward read it."""
        if [tensor._version[0] for tensor in self.inputs] != self._versions:
            self._refuse_input()
        return self.inputs

    @property
    def output(self) -> Tensor:
        """The output, rebuilt around its saved array: another tensor, the same node."""
        if self._output_version[0] != 0:
            raise RuntimeError(
                f"{self.name}: its output of shape {self._output.shape} was changed in place; "
                f"its old value is needed for the gradient"
            )
        output = wrap(self._output)
        output.requires_grad, output.grad_fn = True, self
        output._version = self._output_version
        return output

    def release(self) -> None:
        """Let go of the inputs and of everything saved for backward."""
        self.__dict__.clear()

    def _refuse_input(self) -> NoReturn:
        pairs = zip(self.inputs, self._versions)
        i = next(i for i, (tensor, version) in enumerate(pairs) if tensor._version[0] != version)
        raise RuntimeError(
            f"{self.name}: input {i} of shape {self.inputs[i].shape} was changed in place after "
            f"{self.name} used it; its old value is needed for the gradient"
        )
