"""Operation: the node of the graph."""

from __future__ import annotations

import re
from itertools import count
from typing import ClassVar

from .anomaly import require_finite, user_line
from .backend import Array, HostArray, as_own_array, common_device, use_device
from .modes import current_mode
from .tensor import Tensor

wrap = Tensor._wrap
_next_number = count().__next__  # atomic: threads may build graphs side by side


class Operation:
    """One step of a computation, and how to undo it.

    An instance is used once: options go to ``__init__``, input tensors to the call. When the call
    is recorded, the instance keeps its inputs and becomes the ``grad_fn`` of its output, so the
    graph is nothing but operations pointing at tensors pointing at operations.

    To add one, subclass and write

    ``forward(*arrays) -> array``
        NumPy or CuPy arrays in, one array out. Save what backward needs on ``self``.
    ``backward(gradient) -> Tensor or tuple``
        The gradient arriving from above, as a Tensor, to one gradient per input (``None`` where
        there is none), written with Tensor operations so that it can be differentiated again.
        Where an input was broadcast, return the gradient of the broadcast shape: the engine
        sums it down. Read input values through ``self.saved``, the output's through
        ``self.output``; shapes may come from ``self.inputs``.

    Attributes
    ----------
    name : str
        The class name in snake case; what error messages call it.
    is_view : bool
        Set on the class when the result shares memory with input 0.
    saves_output : bool
        Set on the class when backward reads ``self.output``.
    needs_input_grad : list of bool
        In backward: which inputs' gradients are wanted, so that costly ones can be skipped.

    Examples
    --------
    >>> class Cube(Operation):
    ...     def forward(self, x):
    ...         return x * x * x
    ...     def backward(self, gradient):
    ...         (x,) = self.saved
    ...         return gradient * 3 * x * x
    >>> x = Tensor([2.0], requires_grad=True)
    >>> Cube()(x).backward()
    >>> x.grad
    Tensor([12.])
    """

    registry: ClassVar[dict[str, type[Operation]]] = {}
    name: ClassVar[str] = "operation"
    is_view: ClassVar[bool] = False
    saves_output: ClassVar[bool] = False
    inputs: tuple[Tensor, ...] | None = None  # None until recorded, and again once freed
    needs_input_grad: list[bool]

    def __init_subclass__(cls) -> None:
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        Operation.registry[cls.name] = cls

    def forward(self, *arrays: Array) -> Array:
        """Compute the result from the inputs' arrays."""
        raise NotImplementedError(f"{self.name}: forward is not written")

    def backward(self, gradient: Tensor) -> Tensor | tuple[Tensor | None, ...]:
        """Turn the gradient of the result into the gradients of the inputs."""
        raise NotImplementedError(f"{self.name}: backward is not written")

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Compute, and record if any input wants gradients. Returns the output tensor."""
        if self.inputs is not None:
            raise RuntimeError(f"{self.name}: an operation is used once; make another")
        recording, checking = current_mode()
        arrays, on_host, wants_grad = [], True, False
        try:
            for tensor in inputs:
                array = tensor.data
                arrays.append(array)
                if type(array) is not HostArray:
                    on_host = False
                if tensor.requires_grad:
                    wants_grad = True
        except AttributeError:
            on_host = False  # an input is no Tensor
        data = self.forward(*arrays) if on_host else self._forward_elsewhere(inputs, arrays)
        if type(data) is not HostArray:
            data = as_own_array(data)
        output = wrap(data)
        if self.is_view:
            output._version = inputs[0]._version
        if recording and wants_grad:
            self.inputs = inputs
            self._versions = [tensor._version[0] for tensor in inputs]
            self._number = _next_number()
            if self.saves_output:
                # The array, not the tensor: output -> operation -> output would be a cycle.
                self._output, self._output_version = data, output._version
            output.requires_grad = True
            output.grad_fn = self
        if checking:
            self._created = user_line()
            require_finite(data, f"{self.name}: the result", self._created)
        return output

    def _forward_elsewhere(self, inputs: tuple[Tensor, ...], arrays: list[Array]) -> Array:
        """Forward on a GPU, or say which input does not belong."""
        for i, tensor in enumerate(inputs):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{self.name}: input {i} is a {type(tensor).__name__}, no Tensor")
        with use_device(common_device(*arrays, name=self.name)):
            return self.forward(*arrays)

    @property
    def saved(self) -> tuple[Tensor, ...]:
        """The inputs, after checking that none was written in place since forward read it."""
        if [tensor._version[0] for tensor in self.inputs] != self._versions:
            self._refuse_changed()
        return self.inputs

    def _refuse_changed(self) -> None:
        for i, (tensor, version) in enumerate(zip(self.inputs, self._versions)):
            if tensor._version[0] != version:
                raise RuntimeError(
                    f"{self.name}: input {i} of shape {tensor.shape} was changed in place after "
                    f"{self.name} used it; its old value is needed for the gradient"
                )

    @property
    def output(self) -> Tensor:
        """The output, rebuilt around its saved array: another tensor, the same node."""
        if self._output_version[0] != 0:
            raise RuntimeError(
                f"{self.name}: its output of shape {self._output.shape} was changed in place; "
                f"its old value is needed for the gradient"
            )
        output = Tensor._wrap(self._output)
        output.requires_grad, output.grad_fn = True, self
        output._version = self._output_version
        return output

    def release(self) -> None:
        """Let go of the inputs and of everything saved for backward."""
        self.__dict__.clear()
