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
REDUCIBLE = ("add", "multiply")
SCATTERABLE = ("add", "subtract", "maximum", "minimum")
NUMPY_NAMES = {"fix": "trunc"}  # in NumPy a function, in CuPy a ufunc


def operand(name: str, value: Any) -> Any:
    """The NumPy side of an operand; CuPy takes its own arrays and numbers."""
    if isinstance(value, ndarray):
        return value._host
    if is_scalar(value):
        return value
    raise TypeError(f"{name}: Unsupported type {type(value)}")


class ufunc:
    """``cupy.ufunc``."""

    __module__ = "cupy"

    def __init__(self, name: str) -> None:
        self.name = f"cupy_{name}"
        self.__name__ = name
        self.nin = NAMES["cupy"][name]["inputs"]
        self.nout = NAMES["cupy"][name]["outputs"]
        self.nargs = self.nin + self.nout
        self._function = getattr(numpy, NUMPY_NAMES.get(name, name), None)

    def __repr__(self) -> str:
        return f"<ufunc {self.name!r}>"

    def __getattr__(self, name: str) -> Any:
        raise missing("ufunc", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply elementwise."""
        name = self.__name__
        if self._function is None:
            raise missing("cupy", name)
        wrong = [key for key in kwargs if key not in CALL_OPTIONS]
        if wrong:
            raise TypeError(f"{name}: Wrong arguments {', '.join(wrong)}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        inputs, outputs = args[: self.nin], list(args[self.nin :])
        out = kwargs.pop("out", None)
        if out is not None:
            if outputs:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            if self.nout > 1 and not isinstance(out, tuple):
                raise ValueError("'out' must be a tuple of arrays")
            outputs = list(out) if isinstance(out, tuple) else [out]
        outputs += [None] * (self.nout - len(outputs))
        hosts = [operand(name, value) for value in inputs]
        arrays = [value for value in (*inputs, *outputs) if isinstance(value, ndarray)]
        check_devices(name, arrays)
        if kwargs.get("dtype") is None:
            kwargs.pop("dtype", None)
        self._check_outputs(inputs, outputs)
        with numpy.errstate(all="ignore"):
            if all(out is None for out in outputs):
                results = self._function(*hosts, **kwargs)
            else:
                results = self._into(hosts, outputs, kwargs)
        if self.nout == 1:
            return self._deliver(results, outputs[0])
        return tuple(self._deliver(r, o) for r, o in zip(results, outputs, strict=True))

    def _check_outputs(self, inputs: tuple, outputs: list[Any]) -> None:
        shape = numpy.broadcast_shapes(*(getattr(value, "shape", ()) for value in inputs))
        for out in outputs:
            if out is None:
                continue
            if not isinstance(out, ndarray):
                raise TypeError(f"{self.__name__}: Output arguments type must be cupy.ndarray")
            if out.shape != shape:
                raise ValueError(
                    f"{self.__name__}: Out shape is mismatched: {out.shape}, expected {shape}"
                )

    def _into(self, hosts: list[Any], outputs: list[Any], kwargs: dict[str, Any]) -> Any:
        """Compute with outputs given; an input that overlaps one is copied first, as in CuPy."""
        targets = [None if out is None else out._host for out in outputs]
        for host in hosts:
            for target in targets:
                if (
                    target is not None
                    and isinstance(host, numpy.ndarray)
                    and not _same_view(host, target)
                    and numpy.may_share_memory(host, target)
                ):
                    counters.hidden_copy()
        for out in outputs:
            if out is not None:
                write(self.__name__, out)
        return self._function(*hosts, out=tuple(targets), **kwargs)

    def _deliver(self, result: Any, out: ndarray | None) -> ndarray:
        if out is not None:
            return out
        return launch(self.__name__, numpy.array(result, order="C", copy=None))

    def outer(self, A: Any, B: Any, **kwargs: Any) -> ndarray:
        """Apply to all pairs."""
        for value in (A, B):
            operand(self.__name__, value)
        return self(A.reshape(A.shape + (1,) * B.ndim), B, **kwargs)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Apply in place at indices, every duplicate once, in no fixed order."""
        if self.__name__ not in SCATTERABLE:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        if not isinstance(a, ndarray):
            raise TypeError(f"{self.__name__}.at: Unsupported type {type(a)}")
        scatter(a, indices, b, self.__name__, self._function)

    def reduce(self, *args: Any, **kwargs: Any) -> ndarray:
        """Reduce along an axis: only ``add`` and ``multiply``, as in CuPy."""
        return self._fold("reduce", ("sum", "prod"), args, kwargs)

    def accumulate(self, *args: Any, **kwargs: Any) -> ndarray:
        """Accumulate along an axis: only ``add`` and ``multiply``, as in CuPy."""
        return self._fold("accumulate", ("cumsum", "cumprod"), args, kwargs)

    def _fold(self, kind: str, methods: tuple[str, str], args: tuple, kwargs: Any) -> ndarray:
        if self.__name__ not in REDUCIBLE:
            raise NotImplementedError(f"`{self.name}.{kind}` is not supported yet")
        given = bind("ufunc", kind, (self, *args), kwargs)
        array = given.pop("array")
        operand(self.__name__, array)
        given.pop("self")
        given.setdefault("axis", 0)
        return getattr(array, methods[REDUCIBLE.index(self.__name__)])(**given)


def _same_view(a: numpy.ndarray, b: numpy.ndarray) -> bool:
    return (
        a.__array_interface__["data"] == b.__array_interface__["data"]
        and a.shape == b.shape
        and a.strides == b.strides
    )


UFUNCS = {name: ufunc(name) for name, entry in NAMES["cupy"].items() if entry["kind"] == "ufunc"}


def matmul(*args: Any, **kwargs: Any) -> ndarray:
    """``cupy.matmul``: a generalised ufunc in CuPy, so it takes ``axes=`` and ``order=`` too."""
    given = bind("cupy", "matmul", args, kwargs)
    operands = given.pop("args")
    out = given.pop("out", None)
    if given.pop("dtype", None) is not None or given:
        raise NotImplementedError("the stand-in models matmul(a, b, out=) only")
    if len(operands) == 3 and out is None:
        *operands, out = operands
    if len(operands) != 2:
        raise ValueError(f"matmul: takes two arrays, got {len(operands)} arguments")
    if isinstance(out, tuple):
        (out,) = out
    for value in (*operands, *([] if out is None else [out])):
        if not isinstance(value, ndarray):
            raise TypeError(f"matmul: Unsupported type {type(value)}")
    a, b = (value._host for value in operands)
    check_devices("matmul", [*operands, *([] if out is None else [out])])
    refuse_capture("cuBLAS")
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("Scalar operands are not allowed, use '*' instead")
    if max(a.ndim, b.ndim) > 2:
        for host in (a, b):
            if not host.flags.c_contiguous:
                counters.hidden_copy()  # CuPy hands cuBLAS C-contiguous batches
    with numpy.errstate(all="ignore"):
        if out is None:
            return launch("matmul", numpy.array(numpy.matmul(a, b), order="C", copy=None))
        if not out.flags.c_contiguous or out.dtype != numpy.result_type(a, b):
            counters.hidden_copy()
        product = numpy.matmul(a, b)
        if product.shape != out.shape:
            raise ValueError(f"matmul: Output array {out.shape} has an invalid size")
        if not numpy.can_cast(product.dtype, out.dtype, "same_kind"):
            raise TypeError(f"matmul: cannot cast {product.dtype} to {out.dtype}")
        write("matmul", out)
        out._host[...] = product
    return out
