"""What a caller passes, made into tensors that an operation can take.

Precision follows the tensors: Python and NumPy *scalars* never change it, whole numbers yield to
floating point, and of two floating-point precisions the higher one wins.
"""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable
from typing import Any, ParamSpec

from minigrad.backend import (
    CPU,
    array_module,
    as_dtype,
    as_host_array,
    is_array,
    shown,
    use_device,
    whole_number,
    whole_numbers,
)
from minigrad.engine import Operation, Tensor

DEFAULT_FLOAT = "float32"
Parameters = ParamSpec("Parameters")
Dims = int | tuple[int, ...] | list[int] | None


def on_its_device(function: Callable[Parameters, Tensor]) -> Callable[Parameters, Tensor]:
    """Make the first argument's device the current one inside a function that makes arrays.

    Operations do so by themselves; this is for arrays made between them.
    """

    @functools.wraps(function)
    def placed(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Tensor:
        with use_device(args[0].device if args and isinstance(args[0], Tensor) else CPU):
            return function(*args, **kwargs)

    return placed


class Cast(Operation):
    """``y = x`` in another floating-point precision; the gradient is cast back."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x):
        return x.astype(self.dtype)

    def backward(self, gradient: Tensor) -> Tensor:
        return Cast(self.inputs[0].dtype)(gradient)


def cast(x: Tensor, dtype: Any) -> Tensor:
    """A tensor in another precision: the tensor itself if it already has it."""
    dtype = as_dtype("to", dtype)
    if x.data.dtype == dtype:
        return x
    if x.data.dtype.kind == "f" and dtype.kind == "f":
        return Cast(dtype)(x)
    return Tensor(x.data, dtype=dtype)


def is_number(value: object) -> bool:
    """A plain number (Python's or NumPy's), as opposed to a tensor, array or list."""
    if isinstance(value, Tensor):
        return False
    if type(value) in (float, int):
        return True
    return isinstance(value, numbers.Real) or (hasattr(value, "dtype") and not is_array(value))


def with_number(name: str, x: Any, number: Any) -> tuple[Tensor, float | int]:
    """A tensor in a dtype that can take a number, and the number as Python's.

    Whole numbers yield to a floating-point number, booleans to a whole one. An OverflowError says
    that the tensor's whole numbers are too small a kind for the number.
    """
    x = as_tensor(name, x)
    kind = x.data.dtype.kind
    # Beyond 2**53 not every whole number is a float.
    is_small = type(number) is float or (type(number) is int and abs(number) < 2**53)
    if is_small and kind == "f":  # most calls: nothing to do
        return x, number
    number = python_number(name, number)
    if isinstance(number, float):
        return as_float(name, x), number
    if kind == "b" and not isinstance(number, bool):
        x = cast(x, "int64")
    require_in_range(name, number, x.data.dtype)
    return x, number


def python_number(name: str, number: Any) -> float | int:
    """A number of any kind (NumPy's, a fraction) as Python's bool, int or float."""
    number = number.item() if hasattr(number, "item") else number
    if isinstance(number, complex):
        raise TypeError(f"{name}: complex numbers are not supported, got {shown(number)}")
    if not isinstance(number, numbers.Real):
        raise TypeError(f"{name}: expected a number, got a {type(number).__name__}")
    return number if isinstance(number, int) else float(number)


def require_in_range(name: str, number: int, dtype: Any) -> None:
    """Raise an OverflowError naming the operation unless the dtype has the number."""
    # Beyond float32 a number becomes infinite, as in NumPy; booleans yield to int64.
    wide = {"f": "float64", "b": "int64"}.get(dtype.kind, dtype)
    try:
        as_host_array(number, wide)
    except OverflowError as error:
        what = number if abs(number) < 2**64 else f"a number beyond {'-' * (number < 0)}2**64"
        raise OverflowError(f"{name}: {what} is out of the range of {dtype}") from error


def as_tensor(name: str, value: Any, position: int = 0) -> Tensor:
    """A tensor as it is; a number, array or list wrapped. A TypeError names the operation."""
    if isinstance(value, Tensor):
        return value
    if value is None or isinstance(value, (str, bytes, complex)):
        raise TypeError(f"{name}: argument {position} is {shown(value)}, expected a tensor")
    try:
        return Tensor(value)
    except TypeError as error:
        kind, why = type(value).__name__, str(error).removeprefix("Tensor: ")
        raise TypeError(
            f"{name}: argument {position} is a {kind}, expected a tensor: {why}"
        ) from error


def as_float(name: str, value: Any, position: int = 0) -> Tensor:
    """A tensor of floating point; whole numbers become float32."""
    tensor = as_tensor(name, value, position)
    return tensor if tensor.data.dtype.kind == "f" else cast(tensor, DEFAULT_FLOAT)


def same_precision(name: str, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors cast to the precision their combination has."""
    first = tensors[0].data.dtype
    for tensor in tensors:
        if tensor.data.dtype is not first:
            break
    else:
        return tensors
    dtypes = {tensor.data.dtype for tensor in tensors}
    floating = [dtype for dtype in dtypes if dtype.kind == "f"]
    result = array_module(tensors[0].data).result_type(*(floating or dtypes))
    return tuple(cast(tensor, result) for tensor in tensors)


def layer_tensors(name: str, x: Any, weight: Any, bias: Any) -> tuple[Tensor, ...]:
    """A layer's input, weight and, if there is one, bias, in one floating-point precision."""
    biases = [] if bias is None else [as_float(name, bias, 2)]
    return same_precision(name, as_float(name, x, 0), as_float(name, weight, 1), *biases)


def broadcast_shape(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape several shapes broadcast to, or a ValueError that names operation and shapes."""
    result: list[int] = []
    for k in range(1, max(map(len, shapes)) + 1):
        lengths = {shape[-k] for shape in shapes if len(shape) >= k} - {1}
        if len(lengths) > 1:
            listed = " and ".join(map(str, shapes))
            raise ValueError(f"{name}: shapes {listed} cannot be broadcast together")
        result.append(lengths.pop() if lengths else 1)
    return tuple(reversed(result))


def number_or_pair(name: str, a: Any, b: Any, ready: Callable[..., Tensor] = as_tensor) -> Any:
    """Two operands made ready: two tensors that go together, or a tensor and a Python number.

    A number stays on the side where it stood. ``ready`` makes a tensor of an argument.

    >>> number_or_pair("div", 1, Tensor([4]), as_float)
    (1, Tensor([4.]))
    """
    if type(a) is type(b) is Tensor:
        x, y = a.data, b.data
        fits = x.dtype is y.dtype and x.shape == y.shape
        if fits and (ready is as_tensor or x.dtype.kind == "f"):  # most calls: nothing to do
            return a, b
    elif type(b) is not Tensor and is_number(b):
        return with_number(name, ready(name, a), b)
    elif type(a) is not Tensor and is_number(a):
        x, number = with_number(name, ready(name, b, 1), a)
        return number, x
    a, b = ready(name, a), ready(name, b, 1)
    if a.data.dtype is not b.data.dtype:
        a, b = same_precision(name, a, b)
    for n, m in zip(a.data.shape[::-1], b.data.shape[::-1]):
        if n != m and n != 1 and m != 1:
            broadcast_shape(name, a.data.shape, b.data.shape)  # raises an error in words
    return a, b


def number_like(number: float | int, tensor: Tensor) -> Tensor:
    """A number as a tensor without dimensions, of a tensor's precision and device."""
    return Tensor(as_host_array(number, tensor.dtype), device=tensor.device)


def operands(name: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Two arguments as tensors of one precision whose shapes broadcast together."""
    a, b = number_or_pair(name, a, b)
    if not isinstance(b, Tensor):
        b = number_like(b, a)
    elif not isinstance(a, Tensor):
        a = number_like(a, b)
    return a, b


def normal_dims(name: str, dim: Dims, ndim: int) -> tuple[int, ...]:
    """``dim`` as a sorted tuple of dimensions that are not negative.

    A tensor without dimensions takes 0 and -1, as in PyTorch, and has none of them: ``()``.

    >>> normal_dims("sum", (-1, 0), 3)
    (0, 2)
    """
    if dim is None:
        return tuple(range(ndim))
    dims = whole_numbers(name, "dim", dim, minimum=None)
    length = max(ndim, 1)
    for one in dims:
        if not -length <= one < length:
            raise IndexError(f"{name}: dim {one} is out of range for {ndim} dimensions")
    normal = tuple(sorted(one % length for one in dims))
    if len(set(normal)) < len(normal):
        raise ValueError(f"{name}: dim {dim} names a dimension twice")
    return normal if ndim else ()


def one_dim(name: str, dim: int, ndim: int) -> int:
    """A single dimension that is not negative: see :func:`normal_dims`; 0 where there is none."""
    return (normal_dims(name, whole_number(name, "dim", dim, minimum=None), ndim) or (0,))[0]


def one_tuple(name: str, what: str, values: tuple) -> tuple[int, ...]:
    """``f(x, 2, 3)`` and ``f(x, (2, 3))`` as the same tuple of whole numbers."""
    is_one = len(values) == 1 and isinstance(values[0], (tuple, list))
    return whole_numbers(name, what, values[0] if is_one else values, minimum=None)
