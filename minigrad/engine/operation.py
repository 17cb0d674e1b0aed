"""Operation: the node of the graph, and the four operations that backward itself needs.

An operation keeps its inputs for backward. Recorded operations and writes in place are numbered in
one sequence: an input whose last write has a later number than the operation is no longer what
forward saw. Its gradient would be silently wrong, so backward stops there.

The end of the file is for calls that leave the plain way: on a GPU, inside ``detect_anomaly``, and
of operations that forget their inputs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, ClassVar, NoReturn

from minigrad.backend import (
    CPU,
    Array,
    HostArray,
    HostScalar,
    array_module,
    as_host_array,
    common_device,
    is_array,
    strided_view,
    use_device,
    user_line,
    where_not_finite,
)
from minigrad.engine.modes import current_mode
from minigrad.engine.tensor import MaybeNone, Tensor, next_number, version_of

wrap = Tensor._wrap
_ZERO = as_host_array([0])  # its bytes are zeros in any precision


class Operation:
    """One step of a computation, and its derivative.

    An instance is used once: options go to ``__init__``, input tensors to the call. When the call
    is recorded, the instance keeps its inputs and becomes the ``grad_fn`` of its output: the graph
    is operations pointing at tensors pointing at operations.

    To add one, write ``forward``, from the inputs' arrays to the result's, and ``backward``, from
    the gradient of the result to one an input (``None`` where there is none). Backward is written
    in operations, so that it can be differentiated again: see ``docs/add_an_operation.md``.

    Attributes
    ----------
    name : str
        The class name in snake case; what error messages call it.
    is_view : bool, set on the class
        The result shares memory with input 0.
    saves_output : bool, set on the class
        Backward reads ``self.output``.
    forgets_inputs : bool, set on the class
        Backward reads ``self.output``, and of the inputs only shapes; their values are let go.
    inputs, saved : tuple of Tensor
        The same, for backward: ``inputs`` to ask for shapes, ``saved`` to read values.
    output : Tensor
        The result. Reading it, or ``saved``, is an error if it was changed in place meanwhile.
    needs_input_grad : list of bool
        For backward: which inputs' gradients are wanted, so that costly ones can be skipped.

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
    is_view: bool = False
    saves_output: ClassVar[bool] = False
    forgets_inputs: ClassVar[bool] = False
    inputs: tuple[Tensor, ...] | MaybeNone = None
    needs_input_grad: list[bool]
    _number: int  # in the sequence of operations and writes
    _output: Array
    _output_version: list[int]
    _created: str  # the line that called it, inside detect_anomaly

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

        # compute: NumPy arrays here; forward_elsewhere runs or refuses all else
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
            if type(data) is not HostArray:  # NumPy gives a scalar for a result without dimensions
                data = as_host_array(data) if isinstance(data, HostScalar) else an_array(self, data)
        output = wrap(data)
        if self.is_view:
            output._version = version_of(inputs[0])

        # record
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

        # check (detect_anomaly)
        if checking:
            self._created = user_line()
            require_finite(self, data, "the result")
        return output

    @property
    def saved(self) -> tuple[Tensor, ...]:
        """The inputs, after checking that none was written in place since forward read it."""
        if self.inputs is None:
            raise AttributeError(f"{self.name}: saved: not recorded, or freed by backward")
        for tensor in self.inputs:
            if tensor._version and tensor._version[0] > self._number:
                i = [one is tensor for one in self.inputs].index(True)
                raise RuntimeError(
                    f"{self.name}: input {i} of shape {tensor.shape} was changed in place after "
                    f"{self.name} used it; its old value is needed for the gradient"
                )
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
        output.requires_grad = True
        output.grad_fn = self
        output._version = self._output_version
        return output


class Add(Operation):
    """``y = a + b``. Both partial derivatives are 1: the gradient goes through to both."""

    def forward(self, a: Array, b: Array) -> Array:
        return a + b

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, gradient


class Sum(Operation):
    """``y = sum of x over axes`` (none negative), which stay with length 1 if ``keepdim``.

    Each summed x has derivative 1: spread the gradient over them.
    """

    def __init__(self, axes: tuple[int, ...], keepdim: bool = False) -> None:
        self.axes = axes
        self.keepdim = keepdim

    def forward(self, x: Array) -> Array:
        return x.sum(axis=self.axes, keepdims=self.keepdim, dtype=x.dtype)

    def backward(self, gradient: Tensor) -> Tensor:
        shape = self.inputs[0].shape
        kept = tuple([1 if axis in self.axes else n for axis, n in enumerate(shape)])
        return Expand(shape)(Reshape(kept)(gradient))


class Reshape(Operation):
    """``y = x`` with its elements, in order, in another shape; so does the gradient."""

    is_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        return x.reshape(self.shape)

    def backward(self, gradient: Tensor) -> Tensor:
        return Reshape(self.inputs[0].shape)(gradient)


class Expand(Operation):
    """``y = x`` repeated along new or length-1 dimensions, without copying.

    The gradient goes back as it arrives; the engine sums it down to the shape of x (`unbroadcast`).
    """

    is_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        return array_module(x).broadcast_to(x, self.shape)

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient


def forward_elsewhere(operation: Operation, inputs: Sequence[Tensor], arrays: list) -> Array:
    """Refuse an input that is no Tensor; run forward on the GPU of the arrays."""
    for i, tensor in enumerate(inputs):
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise TypeError(f"{operation.name}: input {i} is a {kind}, no Tensor")
    with use_device(common_device(*arrays, name=operation.name)):
        return an_array(operation, operation.forward(*arrays))


def an_array(operation: Operation, data: Any) -> Array:
    """What forward gave, if it is an array, or a scalar of NumPy's."""
    if isinstance(data, HostScalar):
        return as_host_array(data)
    if not is_array(data):
        raise TypeError(f"{operation.name}: forward gave a {type(data).__name__}, no array")
    return data


def require_finite(operation: Operation, array: Array, what: str) -> None:
    """Raise a FloatingPointError if an array holds NaN or infinity. Waits for the device."""
    if problem := where_not_finite(array):
        what = f"{operation.name}: {what} is not finite ({problem})"
        raise FloatingPointError(f"{what}, created at {getattr(operation, '_created', 'unknown')}")


class NotKept(Tensor):
    """In place of an input that an operation forgot: where it came from, its shape, no values."""

    __slots__ = ("_by", "_like")

    _by: str
    _like: Array  # of the input's shape and dtype, all elements one zero

    shape = property(attrgetter("_like.shape"))  # type: ignore[assignment]
    ndim = property(attrgetter("_like.ndim"))  # type: ignore[assignment]
    size = property(attrgetter("_like.size"))  # type: ignore[assignment]
    dtype = property(attrgetter("_like.dtype"))
    device = CPU  # type: ignore[assignment]

    @property
    def data(self) -> NoReturn:
        """Raises: there are none."""
        raise RuntimeError(
            f"{self._by}: the values of an input of shape {self.shape}, made by "
            f"{self.grad_fn.name}, were not kept; to read them, keep a reference to the tensor"
        )

    def __repr__(self) -> str:
        known = f"shape={self.shape}, dtype={self.dtype}, grad_fn={self.grad_fn.name}"
        return f"Tensor(values not kept by {self._by}, {known})"


def without_values(tensor: Tensor, name: str) -> Tensor:
    """Forget a tensor's values, so that their memory is freed; leaves keep theirs."""
    data = tensor.data
    if tensor.grad_fn is None or type(data) is not HostArray:
        return tensor
    forgotten = NotKept.__new__(NotKept)
    forgotten._like = strided_view(_ZERO.view(data.dtype), data.shape, (0,) * data.ndim)
    forgotten._by = name
    forgotten.grad_fn = tensor.grad_fn
    forgotten.requires_grad = True
    forgotten.grad = forgotten._version = None
    return forgotten
