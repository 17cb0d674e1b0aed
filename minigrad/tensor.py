"""Tensor: an array that remembers which operation made it.

Read this first, then ``operation.py`` (the node of the graph), ``basic.py`` (four of them) and
``autograd.py`` (the backward pass). Arithmetic and methods such as ``x.exp()`` are attached by
``minigrad.ops``, in ``ops/methods.py``: the one link upward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .backend import CPU, Array, as_dtype, as_host_array, device_of, is_array, to_device, use_device
from .modes import current_mode

if TYPE_CHECKING:
    from .backend import Device
    from .operation import Operation
    from .ops.methods import TensorMethods
else:
    TensorMethods = object


class Tensor(TensorMethods):
    """An array, and how to differentiate with respect to it.

    Parameters
    ----------
    data : array, Tensor, number or nested list
        Arrays are shared, not copied. Python floats and lists of them become float32; arrays keep
        their precision.
    requires_grad : bool
        Whether gradients with respect to this tensor are wanted.
    dtype : numpy dtype, optional
    device : str or Device, optional
        Where to put the data; by default where it is.

    Attributes
    ----------
    data : numpy.ndarray or cupy.ndarray
        The values. Writing through ``data`` is not noticed by the mutation check (``copy_``,
        ``zero_`` and the optimisers are).
    grad : Tensor or None
        Filled in by ``backward`` on leaves: tensors the user made, not an operation.
    grad_fn : Operation or None
        The operation that made this tensor, if it was recorded.

    Raises
    ------
    TypeError
        If the data is not numeric, or gradients are asked for whole numbers.

    Examples
    --------
    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> length = (x * x).sum().sqrt()
    >>> length.backward()
    >>> x.grad
    Tensor([0.6, 0.8])
    """

    __slots__ = ("__weakref__", "_version", "data", "grad", "grad_fn", "requires_grad")
    __array_ufunc__ = None  # so that `array * tensor` reaches Tensor.__rmul__

    data: Array
    grad: Tensor | None
    grad_fn: Operation | None
    requires_grad: bool

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        dtype: Any = None,
        device: str | Device | None = None,
    ) -> None:
        if isinstance(data, Tensor):
            data = data.data
        if not is_array(data):
            is_plain_python = not hasattr(data, "dtype")
            try:
                data = as_host_array(data)
            except ValueError as error:
                raise TypeError(f"Tensor: the data is no regular array: {error}") from error
            if is_plain_python and data.dtype.kind == "f":
                data = data.astype("float32")
        if dtype is not None:
            data = data.astype(as_dtype("Tensor", dtype), copy=False)
        if data.dtype.kind not in "fiub":
            raise TypeError(f"Tensor: expected numbers, got data of type {data.dtype}")
        if device is not None:
            data = to_device(data, device)
        if requires_grad and data.dtype.kind != "f":
            raise TypeError(f"Tensor: only floating point can require gradients, got {data.dtype}")
        self.data = data
        self.requires_grad = bool(requires_grad)
        self.grad = None
        self.grad_fn = None
        self._version = [0]  # how often written in place; a list, because views share it

    @staticmethod
    def _wrap(data: Array) -> Tensor:
        """Make a tensor around an array that needs no checking."""
        tensor = Tensor.__new__(Tensor)
        tensor.data = data
        tensor.requires_grad = False
        tensor.grad = tensor.grad_fn = None
        tensor._version = [0]
        return tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements (an attribute, as in NumPy)."""
        return self.data.size

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of the elements."""
        return self.data.dtype

    @property
    def device(self) -> Device:
        """The device the data lives on."""
        return device_of(self.data)

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user rather than by a recorded operation."""
        return self.grad_fn is None

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Add the gradients of this tensor to the ``grad`` of every leaf it depends on.

        Parameters
        ----------
        gradient : Tensor, optional
            The gradient arriving from above, of this tensor's shape; 1 for a single element.
        retain_graph : bool, optional
            Keep what was saved for another backward; by default only with ``create_graph``.
        create_graph : bool
            Record the backward pass itself, so that the gradients can be differentiated.

        Raises
        ------
        RuntimeError
            If nothing was recorded, the graph was freed by an earlier backward, a saved tensor
            was changed in place, or ``gradient`` is missing and this is no single element.

        Examples
        --------
        >>> x = Tensor(3.0, requires_grad=True)
        >>> (x * x).backward()
        >>> x.grad
        Tensor(6.)
        """
        from .autograd import backward

        backward(self, gradient, retain_graph, create_graph)

    def detach(self) -> Tensor:
        """The same data, cut off from the graph.

        Examples
        --------
        >>> (Tensor([1.0], requires_grad=True) * 2).detach().requires_grad
        False
        """
        tensor = Tensor._wrap(self.data)
        tensor._version = self._version
        return tensor

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Switch the wish for gradients on or off; returns the tensor itself."""
        if not self.is_leaf:
            raise RuntimeError("requires_grad_: only leaves can be switched; use detach()")
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(f"requires_grad_: expected floating point, got {self.dtype}")
        self.requires_grad = bool(requires_grad)
        return self

    def item(self) -> float | int | bool:
        """The only element, as a Python number. Waits for the device.

        Examples
        --------
        >>> Tensor([2.5]).item()
        2.5
        """
        if self.size != 1:
            raise ValueError(f"item: expected one element, got shape {self.shape}")
        return self.data.item()

    def numpy(self) -> Array:
        """The data as a NumPy array, shared with the tensor.

        Raises
        ------
        RuntimeError
            If the tensor requires gradients: say ``detach().numpy()``.
        TypeError
            If it lives on a GPU: say ``to("cpu").numpy()``.

        Examples
        --------
        >>> Tensor([1.0, 2.0]).numpy()
        array([1., 2.], dtype=float32)
        """
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires gradients; use detach().numpy()")
        if self.device != CPU:
            raise TypeError(f"numpy: the tensor is on {self.device}; use to('cpu').numpy()")
        return self.data

    def copy_(self, source: Any) -> Tensor:
        """Write new values into this tensor, in place; the mutation check notices.

        Examples
        --------
        >>> Tensor([1.0, 2.0]).copy_([3.0, 4.0])
        Tensor([3., 4.])
        """
        source = source if isinstance(source, Tensor) else Tensor(source, device=self.device)
        if source.shape != self.shape:
            raise ValueError(f"copy_: expected shape {self.shape}, got {source.shape}")
        return self._write("copy_", to_device(source.data, self.device))

    def zero_(self) -> Tensor:
        """Set every element to 0, in place; the mutation check notices.

        Examples
        --------
        >>> Tensor([1.0, 2.0]).zero_()
        Tensor([0., 0.])
        """
        return self._write("zero_", 0)

    def _write(self, name: str, values: Any) -> Tensor:
        """Writing is not recorded, so a recorded result would no longer be what its graph says."""
        if self.grad_fn is not None and current_mode().recording:
            raise RuntimeError(
                f"{name}: the tensor of shape {self.shape} is the recorded result of "
                f"{self.grad_fn.name}; write to its detach(), or inside no_grad()"
            )
        with use_device(self.device):
            self.data[...] = values
        self._version[0] += 1
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

    __hash__ = object.__hash__  # `==` compares elements; a tensor is a key by identity

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError("deepcopy: only leaves can be copied; use detach()")
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        with use_device(self.device):
            copied.data, copied.requires_grad = self.data.copy(), self.requires_grad
        copied.grad = None if self.grad is None else self.grad.__deepcopy__(memo)
        copied.grad_fn, copied._version = None, [0]
        return copied

    def __repr__(self) -> str:
        text = repr(self.data)
        inside = text[text.index("(") + 1 : text.rindex(")")]
        inside = inside.replace(", dtype=float32", "").replace("\n", "\n ")
        place = "" if self.device == CPU else f", device='{self.device}'"
        maker = f", grad_fn={self.grad_fn.name}" if self.grad_fn is not None else ""
        wish = ", requires_grad=True" if self.requires_grad and not maker else ""
        return f"Tensor({inside}{place}{maker}{wish})"
