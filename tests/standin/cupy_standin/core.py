"""The array class: it holds a NumPy array as its device memory, and is none itself."""

from __future__ import annotations

import sys
from typing import Any

import numpy

from .counters import counters
from .layout import Flags, check_writable, fill_with_garbage, numeric, saturate
from .memory import Block, MemoryPointer, check_toolkit
from .names import missing
from .options import state

NO_CONVERSION = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)


class ndarray:
    """``cupy.ndarray``, on the host.

    ``_host`` is the NumPy array that plays the device memory; nothing outside the stand-in reads
    it, so whatever reaches the values goes through what is counted and checked.
    """

    __slots__ = ("__weakref__", "_block", "_host", "base")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]
    __module__ = "cupy"

    def __init__(self, shape: Any, dtype: Any = float, order: Any = "C") -> None:
        host = numpy.empty(shape, numeric(dtype), order=order or "C")
        fill_with_garbage(host)
        self._adopt(host, Block(host.nbytes), None)

    def _adopt(self, host: numpy.ndarray, block: Block, base: ndarray | None) -> None:
        self._host = host
        self._block = block
        self.base = base

    def _view(self, host: numpy.ndarray) -> ndarray:
        view = ndarray.__new__(ndarray)
        view._adopt(host, self._block, self if self.base is None else self.base)
        return view

    def __getattr__(self, name: str) -> Any:
        raise missing("ndarray", name)

    # what is known without asking the device

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    strides = property(lambda self: self._host.strides)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    flags = property(Flags)
    T = property(lambda self: self._view(self._host.T))

    @property
    def data(self) -> MemoryPointer:
        return MemoryPointer(self._block, self._host.__array_interface__["data"][0])

    @property
    def device(self) -> Any:
        from .cuda import Device

        return Device(self._block.device_id)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Any:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    # NumPy's protocols

    def __array__(self, dtype: Any = None, copy: Any = None) -> numpy.ndarray:
        raise TypeError(NO_CONVERSION)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        # An operator with a NumPy scalar on the left comes here too: Python gives NumPy no choice.
        is_operator = method == "__call__" and len(inputs) == 2 and not options
        if is_operator and isinstance(inputs[0], numpy.generic):
            return getattr(sys.modules["cupy"], function.__name__)(*inputs)
        return self.__array_function__(function, (), (), {})

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        # CuPy would call its own function (NEP 13, NEP 18): a stray call would show only where it
        # meets a function without one.
        raise TypeError(
            f"numpy.{function.__name__} was called on an array of the device; call it on the "
            "array's own module"
        )

    # what waits for the device

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking=True) -> Any:
        if out is not None:
            raise NotImplementedError("the stand-in does not model get(out=)")
        counters.wait()
        counters.add(device_to_host=1, device_to_host_bytes=self.nbytes)
        order = order.upper()
        if order == "A":
            order = "F" if self.flags.f_contiguous else "C"
        if not (self.flags.c_contiguous if order == "C" else self.flags.f_contiguous):
            counters.add(hidden_copies=1)
        return self._host.copy(order=order)

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, specification: str) -> str:
        return format(self.get(), specification)

    def __reduce__(self) -> Any:
        from .creation import array

        return array, (self.get(),)

    # copies and assignment

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        with self.device:
            return self.copy()

    def copy(self, order: str = "C") -> ndarray:
        """A copy on the current device, whichever device the array is on."""
        return launch("copy", self._host.copy(order=order))

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy=True
    ) -> ndarray:
        """Cast; without ``copy`` an array that has the type already is returned itself."""
        if casting is not None or subok is not None:
            raise TypeError("CuPy's astype supports neither casting= nor subok=")
        check_devices("astype", [self])
        host = saturate(self._host, numeric(dtype)).astype(dtype, order=order, copy=copy)
        return self if host is self._host else launch("astype", host)


def device_array(host: numpy.ndarray) -> ndarray:
    """Put a NumPy array that nobody else holds into device memory, layout and all."""
    array = ndarray.__new__(ndarray)
    array._adopt(host, Block(host.nbytes), None)
    return array


def launch(name: str, host: numpy.ndarray) -> ndarray:
    """The result of an array call, in fresh device memory; counted."""
    check_toolkit()
    result = device_array(host)
    counters.launch(name)
    return result


def write(name: str, target: ndarray) -> None:
    """Count a call that writes into an array, after checking that it may be written."""
    check_toolkit()
    check_writable(name, target._host)
    counters.launch(name)


def check_devices(name: str, arrays: list[ndarray]) -> None:
    """Refuse arrays that are not on the current device, as a kernel launch does."""
    current = state.current.number
    for array in arrays:
        if array._block.device_id != current:
            raise ValueError(
                f"{name}: The device where the array resides ({array._block.device_id}) is "
                f"different from the current device ({current}). Peer access is unavailable "
                "between these devices."
            )


def is_scalar(value: Any) -> bool:
    """What CuPy's kernels take as a number: Python's and NumPy's scalars, no arrays."""
    return isinstance(value, (bool, int, float, complex, numpy.generic))
