"""Tensor: an array that remembers which operation made it.

Methods such as ``x.exp()`` are attached by ``minigrad/functional/methods.py``.
"""

from __future__ import annotations

from itertools import count
from operator import attrgetter
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from minigrad.backend import CPU, Array, Device, as_array, as_host_array, device_of, use_device
from minigrad.engine.modes import is_grad_enabled

if TYPE_CHECKING:
    from minigrad.engine.operation import Operation
    from minigrad.functional.methods import TensorMethods
else:
    TensorMethods = object

Self = TypeVar("Self", bound="Tensor")

MaybeNone: TypeAlias = Any  # None at times; its reader knows when, a type checker need not ask

# Recording an operation and writing in place draw from one count, so that backward can tell which
# came first. Atomic: threads may build graphs side by side.
next_number = count(1).__next__
_making = Lock()


def version_of(tensor: Tensor) -> list[int]:
    """When the memory of a tensor was last written in place, in one list for all that share it.

    Made when first asked for: most tensors are neither written in place nor shared.
    """
    with _making:
        if tensor._version is None:
            tensor._version = [0]
        return tensor._version


def mark_written(tensor: Tensor) -> None:
    """Note that the memory of a tensor is written in place now: every in-place method does."""
    version_of(tensor)[0] = next_number()


class Tensor(TensorMethods):
    """An array, and how to differentiate with respect to it.

    Parameters
    ----------
    data : array, Tensor, number or nested list
        Arrays are shared, not copied, and keep their precision; Python floats become float32.
        Of float32, float64, whole numbers or booleans.
    requires_grad : bool
        Whether gradients with respect to this tensor are wanted.
    dtype, device : optional
        A NumPy dtype; ``"cpu"``, ``"cuda:1"``. By default those of the data.

    Attributes
    ----------
    data : numpy.ndarray or cupy.ndarray
        The values. Unlike ``copy_`` and ``zero_``, writing through it escapes the mutation check.
    grad : Tensor or None
        Filled in by ``backward`` on leaves: tensors the user made, not an operation.
    grad_fn : Operation or None
        The operation that made this tensor, if it was recorded.
    shape, ndim, size, dtype, device
        Those of the data, as in NumPy: ``size`` is the number of elements.

    Raises
    ------
    TypeError
        If the data is of another type, or gradients are asked for whole numbers.
    OverflowError
        If a Python number is out of the range of the dtype asked for.

    Examples
    --------
    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x).sum().sqrt().backward()
    >>> x.grad
    Tensor([0.6, 0.8])
    >>> x.detach().copy_([1.0, 2.0]).numpy()
    array([1., 2.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_version", "data", "grad", "grad_fn", "requires_grad")
    __array_ufunc__ = None  # so that `array * tensor` reaches Tensor.__rmul__
    # `==` compares elements; a tensor is a key by identity.
    __hash__ = object.__hash__  # type: ignore[assignment]

    shape: tuple[int, ...] = property(attrgetter("data.shape"))  # type: ignore[assignment]
    ndim: int = property(attrgetter("data.ndim"))  # type: ignore[assignment]
    size: int = property(attrgetter("data.size"))  # type: ignore[assignment]
    dtype: Any = property(attrgetter("data.dtype"))

    data: Array
    grad: Tensor | MaybeNone
    grad_fn: Operation | MaybeNone
    requires_grad: bool
    _version: list[int] | None

    def __init__(
        self, data: Any, requires_grad: bool = False, dtype: Any = None, device: Any = None
    ) -> None:
        given = data.data if isinstance(data, Tensor) else data
        self.data = as_array(given, dtype, device)
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(f"Tensor: only floating point can require gradients, got {self.dtype}")
        self.requires_grad = bool(requires_grad)
        self.grad = self.grad_fn = None
        is_shared = isinstance(data, Tensor) and self.data is given
        self._version = version_of(data) if is_shared else None

    @staticmethod
    def _wrap(data: Array) -> Tensor:
        """Make a tensor around an array that needs no checking."""
        tensor = Tensor.__new__(Tensor)
        tensor.data = data
        tensor.requires_grad = False
        tensor.grad = tensor.grad_fn = tensor._version = None
        return tensor

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Add the gradients of this tensor to the ``grad`` of every leaf it depends on.

        ``gradient`` arrives from above, of this tensor's shape (1 for a single element). The other
        parameters, and the errors, are those of :func:`minigrad.grad`.
        """
        from minigrad.engine.backward import backward

        backward(self, gradient, retain_graph, create_graph)

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user rather than by a recorded operation."""
        return self.grad_fn is None

    def detach(self) -> Tensor:
        """The same data, cut off from the graph."""
        tensor = Tensor._wrap(self.data)
        tensor._version = version_of(self)
        return tensor

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Switch the wish for gradients on or off; returns the tensor itself."""
        if self.grad_fn is not None:
            raise RuntimeError("requires_grad_: only leaves can be switched; use detach()")
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(f"requires_grad_: expected floating point, got {self.dtype}")
        self.requires_grad = bool(requires_grad)
        return self

    @property
    def device(self) -> Device:
        """The device the data lives on."""
        return device_of(self.data)

    def item(self) -> float | int | bool:
        """The only element, as a Python number. Waits for the device."""
        if self.size != 1:
            raise ValueError(f"item: expected one element, got shape {self.shape}")
        return self.data.item()

    def numpy(self) -> Array:
        """The data as a NumPy array, shared with the tensor: what NumPy and Matplotlib ask for.

        Ufuncs, as ``numpy.exp``, refuse tensors: here they are methods, which have gradients. A
        tensor that requires gradients, or lives on a GPU, says what to call before.
        """
        data = self.data  # raises if an operation forgot it
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires gradients; use detach().numpy()")
        if self.device != CPU:
            raise TypeError(f"numpy: the tensor is on {self.device}; use to('cpu').numpy()")
        return data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """What ``numpy.asarray`` takes: :meth:`numpy`, and its errors."""
        return as_host_array(self.numpy(), dtype, copy=copy)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """NumPy's functions compute with the values and give arrays, which have no gradient."""
        if args and args[0] is self and function.__name__ in ("shape", "ndim", "size"):
            args = (self.data, *args[1:])  # the answer needs no values
        return function(*_with_values(args), **_with_values(kwargs))

    def copy_(self: Self, source: Any) -> Self:
        """Write new values into this tensor, in place; the mutation check notices."""
        given = source.data if isinstance(source, Tensor) else source
        values = as_array(given, self.dtype, self.device, "copy_")
        if values.shape != self.shape:
            raise ValueError(f"copy_: expected shape {self.shape}, got {values.shape}")
        return self._write("copy_", values)

    def zero_(self: Self) -> Self:
        """Set every element to 0, in place; the mutation check notices."""
        return self._write("zero_", 0)

    def _write(self: Self, name: str, values: Any) -> Self:
        """Write in place. Not into a recorded result: it would not be what its graph says."""
        if self.grad_fn is not None and is_grad_enabled():
            raise RuntimeError(
                f"{name}: the tensor of shape {self.shape} is the recorded result of "
                f"{self.grad_fn.name}; write to its detach(), or inside no_grad()"
            )
        with use_device(self.device):
            self.data[...] = values
        mark_written(self)
        return self

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len: a tensor without dimensions has no length")
        return self.shape[0]

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"bool: shape {self.shape} is ambiguous; use .data.any() or .all()")
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.size != 1 or self.dtype.kind not in "iu":
            raise TypeError(
                f"index: expected one whole number, got {self.dtype} of shape {self.shape}"
            )
        return int(self.item())

    def __deepcopy__(self: Self, memo: dict) -> Self:
        if self.grad_fn is not None:
            raise RuntimeError("deepcopy: only leaves can be copied; use detach()")
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        with use_device(self.device):
            copied.data = self.data.copy()
        copied.requires_grad = self.requires_grad
        copied.grad = None if self.grad is None else self.grad.__deepcopy__(memo)
        copied.grad_fn = copied._version = None
        return copied

    def __format__(self, spec: str) -> str:
        if self.ndim == 0:
            return format(self.item(), spec)
        if spec:
            raise TypeError(
                f"format: expected one number for {spec!r:.40}, got a tensor of shape {self.shape}"
            )
        return str(self)

    def __repr__(self) -> str:
        text = repr(self.data)
        inside = text[text.index("(") + 1 : text.rindex(")")]
        inside = inside.replace(", dtype=float32", "").replace("\n", "\n ")
        device = "" if self.device == CPU else f", device='{self.device}'"
        maker = f", grad_fn={self.grad_fn.name}" if self.grad_fn is not None else ""
        wish = ", requires_grad=True" if self.requires_grad and not maker else ""
        return f"Tensor({inside}{device}{maker}{wish})"


def _with_values(given: Any) -> Any:
    """Arguments of a NumPy function with arrays in place of tensors, also inside lists."""
    if isinstance(given, Tensor):
        return given.numpy()
    if type(given) in (list, tuple):
        return type(given)(map(_with_values, given))
    if type(given) is dict:
        return {key: _with_values(value) for key, value in given.items()}
    return given
