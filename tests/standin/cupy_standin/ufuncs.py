"""Universal functions: arrays of the device and numbers in, C-contiguous arrays out."""

from __future__ import annotations

from typing import Any

import numpy

from .core import check_devices, is_scalar, launch, ndarray, write
from .counters import counters
from .indexing import scatter
from .memory import refuse_capture
from .names import NAMES, bind, missing

CALL_OPTIONS = ("out", "dtype", "casting")  # CuPy's ufuncs take no where=, order=, subok=
SCATTERABLE = ("add", "subtract", "maximum", "minimum")


def operand(name: str, value: Any) -> Any:
    """The NumPy side of an operand; CuPy takes its own arrays and numbers."""
    if isinstance(value, ndarray):
        return value._host
    if is_scalar(value):
        return value
    raise TypeError(f"{name}: Unsupported type {type(value)}")


class ufunc:
    """``cupy.ufunc``, of one result."""

    __module__ = "cupy"

    def __init__(self, name: str) -> None:
        self.name = f"cupy_{name}"
        self.__name__ = name
        self.nin, self.nout = NAMES["cupy"][name]["inputs"], 1
        self.nargs = self.nin + self.nout
        self._function = getattr(numpy, name)

    def __repr__(self) -> str:
        return f"<ufunc {self.name!r}>"

    def __getattr__(self, name: str) -> Any:
        raise missing("ufunc", name)

    def __call__(self, *args: Any, **kwargs: Any) -> ndarray:
        name = self.__name__
        wrong = [key for key in kwargs if key not in CALL_OPTIONS]
        if wrong:
            raise TypeError(f"{name}: Wrong arguments {', '.join(wrong)}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        inputs, outputs = args[: self.nin], [*args[self.nin :], kwargs.pop("out", None)]
        if len(outputs) == 2 and outputs[1] is not None:
            raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
        out = outputs[0]
        hosts = [operand(name, value) for value in inputs]
        check_devices(name, [value for value in (*inputs, out) if isinstance(value, ndarray)])
        if kwargs.get("dtype") is None:
            kwargs.pop("dtype", None)
        if out is not None:
            self._check_output(inputs, out)
            for host in hosts:  # an input that overlaps the output is copied first, as in CuPy
                is_other = isinstance(host, numpy.ndarray) and not _same_view(host, out._host)
                if is_other and numpy.may_share_memory(host, out._host):
                    counters.add(hidden_copies=1)
            write(name, out)
            kwargs["out"] = out._host
        with numpy.errstate(all="ignore"):
            result = self._function(*hosts, **kwargs)
        if out is not None:
            return out
        return launch(name, numpy.array(result, order="C", copy=None))

    def _check_output(self, inputs: tuple, out: Any) -> None:
        if not isinstance(out, ndarray):
            raise TypeError(f"{self.__name__}: Output arguments type must be cupy.ndarray")
        shape = numpy.broadcast_shapes(*(getattr(value, "shape", ()) for value in inputs))
        if out.shape != shape:
            raise ValueError(
                f"{self.__name__}: Out shape is mismatched: {out.shape}, expected {shape}"
            )

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Apply in place at indices, every duplicate once, in no fixed order."""
        if self.__name__ not in SCATTERABLE:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        operand(f"{self.__name__}.at", a)
        scatter(a, indices, b, self.__name__, self._function)


def _same_view(a: numpy.ndarray, b: numpy.ndarray) -> bool:
    return (
        a.__array_interface__["data"] == b.__array_interface__["data"]
        and a.shape == b.shape
        and a.strides == b.strides
    )


UFUNCS = {
    name: ufunc(name)
    for name, entry in NAMES["cupy"].items()
    if entry["kind"] == "ufunc" and entry["outputs"] == 1 and hasattr(numpy, name)
}


def matmul(*args: Any, **kwargs: Any) -> ndarray:
    """``cupy.matmul``: a generalised ufunc in CuPy, so it takes ``axes=`` and ``order=`` too."""
    given = bind("cupy", "matmul", args, kwargs)
    operands = given.pop("args")
    if given.pop("dtype", None) is not None or given or len(operands) != 2:
        raise NotImplementedError("the stand-in models matmul(a, b) only")
    for value in operands:
        if not isinstance(value, ndarray):
            raise TypeError(f"matmul: Unsupported type {type(value)}")
    a, b = (value._host for value in operands)
    check_devices("matmul", operands)
    refuse_capture("cuBLAS")
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("Scalar operands are not allowed, use '*' instead")
    if max(a.ndim, b.ndim) > 2:  # CuPy hands cuBLAS C-contiguous batches
        counters.add(hidden_copies=sum(not host.flags.c_contiguous for host in (a, b)))
    with numpy.errstate(all="ignore"):
        return launch("matmul", numpy.array(numpy.matmul(a, b), order="C", copy=None))
