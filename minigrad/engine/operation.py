"""Operation: the node of the graph."""

from __future__ import annotations

import re
from typing import ClassVar

from minigrad.backend import Array, HostArray, HostScalar, as_host_array
from minigrad.engine.guards import an_array, forward_elsewhere, remember_line_and_check
from minigrad.engine.modes import current_mode
from minigrad.engine.saved import Saved, without_values, wrap
from minigrad.engine.tensor import Tensor
from minigrad.engine.values import next_number, version_of


class Operation(Saved):
    """One step of a computation, and how to undo it.

    An instance is used once: options go to ``__init__``, input tensors to the call. When the call
    is recorded, the instance keeps its inputs and becomes the ``grad_fn`` of its output, so the
    graph is nothing but operations pointing at tensors pointing at operations.

    To add one, write ``forward``, from the inputs' arrays to the result's, and ``backward``, from
    the gradient of the result to one an input (``None`` where there is none), in operations, so
    that it can be differentiated again: see ``docs/add_an_operation.md``.

    Attributes
    ----------
    name : str
        The class name in snake case; what error messages call it.
    is_view, saves_output, forgets_inputs : bool
        Set on the class: the result shares memory with input 0; backward reads ``output``, and, of
        the inputs, nothing but shapes, so that their memory is not kept: reading it would raise.
    inputs, saved, output, needs_input_grad
        For backward: the inputs, to ask for shapes, and, to read values, ``saved`` (the same) and
        ``output``; and which gradients are wanted, so that costly ones can be skipped.

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
    forgets_inputs: ClassVar[bool] = False
    needs_input_grad: list[bool]

    def __init_subclass__(cls) -> None:
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        Operation.registry[cls.name] = cls

    def __repr__(self) -> str:
        if self.inputs is None:
            return f"<{self.name}>"
        shapes = ", ".join(str(tensor.shape) for tensor in self.inputs[:4])
        return f"<{self.name} of {shapes}{', ...' if len(self.inputs) > 4 else ''}>"

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
        recording, checking, _ = current_mode()
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
        if not on_host:
            data = forward_elsewhere(self, inputs, arrays)
        else:  # two arguments are passed faster than any number of them
            data = self.forward(*arrays) if len(arrays) != 2 else self.forward(arrays[0], arrays[1])
            if type(data) is not HostArray:  # CuPy gives an array without dimensions
                data = as_host_array(data) if isinstance(data, HostScalar) else an_array(self, data)
        output = wrap(data)
        if self.is_view:
            output._version = version_of(inputs[0])
        if recording and wants_grad:
            self.inputs = inputs
            self._number = next_number()
            if self.saves_output:
                # The array, not the tensor: output -> operation -> output would be a cycle.
                self._output, self._output_version = data, version_of(output)
                if self.forgets_inputs:
                    self.inputs = tuple([without_values(tensor, self.name) for tensor in inputs])
            output.requires_grad = True
            output.grad_fn = self
        if checking:
            remember_line_and_check(self, data)
        return output
