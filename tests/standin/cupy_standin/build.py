"""The module tree that ``import cupy`` finds while the stand-in is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy

from . import cuda, memory, raw
from .counters import counters
from .creation import CREATION
from .functions import FUNCTIONS, LINALG
from .names import NAMES, bind, missing
from .operators import ndarray
from .options import CurrentDevice, Options, state
from .ufuncs import UFUNCS, matmul, ufunc

CONSTANTS = ("e", "inf", "nan", "newaxis", "pi")
STREAMS = {"Stream": cuda.Stream, "get_current_stream": cuda.get_current_stream}


def as_strided(*args: Any, **kwargs: Any) -> ndarray:
    """``cupy.lib.stride_tricks.as_strided``: a view by shape and strides, nothing else."""
    given = bind("cupy.lib.stride_tricks", "as_strided", args, kwargs)
    x = given.pop("x")
    if not isinstance(x, ndarray):
        raise TypeError(f"as_strided: Unsupported type {type(x)}")
    view = numpy.lib.stride_tricks.as_strided(x._host, **given)
    allocation = x if x.base is None else x.base
    low, high = numpy.lib.array_utils.byte_bounds(allocation._host)
    view_low, view_high = numpy.lib.array_utils.byte_bounds(view)
    if view.size and not low <= view_low <= view_high <= high:
        raise ValueError(
            f"as_strided: shape {view.shape} and strides {view.strides} reach outside the memory "
            "of the array; CuPy would read whatever is there"
        )
    return x._view(view)


def _module(name: str, contents: dict[str, Any]) -> ModuleType:
    """A module with these names; others raise, told apart by whether CuPy has them."""
    module = ModuleType(name)
    module.__path__ = []  # type: ignore[attr-defined]
    vars(module).update(contents)

    def __getattr__(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        raise missing(name, attribute)

    module.__getattr__ = __getattr__  # type: ignore[method-assign]
    return module


def build() -> dict[str, ModuleType]:
    """All modules, by the name they are imported under."""
    types = {
        name: getattr(numpy, name)
        for name, entry in NAMES["cupy"].items()
        if entry["kind"] == "class"
        and isinstance(getattr(numpy, name, None), type)
        and issubclass(getattr(numpy, name), numpy.generic)
    }
    pool = {"MemoryPool": memory.MemoryPool, "MemoryPointer": memory.MemoryPointer}
    tree = {
        "cupy": {
            **types,
            **{name: getattr(numpy, name) for name in ("dtype", "finfo", "iinfo", *CONSTANTS)},
            **FUNCTIONS,
            **CREATION,
            **UFUNCS,
            "matmul": matmul,
            "ndarray": ndarray,
            "ufunc": ufunc,
            "RawKernel": raw.RawKernel,
            "RawModule": raw.RawModule,
            "AxisError": numpy.exceptions.AxisError,
            "get_default_memory_pool": cuda.get_default_memory_pool,
            "__version__": state.options.version,
        },
        "cupy.cuda": {
            "Device": cuda.Device,
            "Graph": cuda.Graph,
            **STREAMS,
            **pool,
        },
        "cupy.cuda.runtime": cuda.RUNTIME,
        "cupy.cuda.memory": {"OutOfMemoryError": memory.OutOfMemoryError, **pool},
        "cupy.cuda.device": {"Device": cuda.Device},
        "cupy.cuda.stream": STREAMS,
        "cupy.linalg": {**LINALG, "LinAlgError": numpy.linalg.LinAlgError},
        "cupy.random": {},  # minigrad draws on the host, for the same numbers on every device
        "cupy.lib": {},
        "cupy.lib.stride_tricks": {"as_strided": as_strided},
    }
    modules = {name: _module(name, contents) for name, contents in tree.items()}
    for name, module in modules.items():
        owner, _, last = name.rpartition(".")
        if owner:
            setattr(modules[owner], last, module)
    return modules


class _BrokenImport:
    """A finder under which ``import cupy`` fails as a broken installation does."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "cupy" or name.startswith("cupy."):
            raise ImportError(
                "CuPy is not correctly installed.\n\nlibcudart.so.12: cannot open shared object "
                "file: No such file or directory"
            )


_broken = _BrokenImport()


def _ours(name: str) -> bool:
    return name == "cupy" or name.startswith("cupy.")


def _clear() -> None:
    if _broken in sys.meta_path:
        sys.meta_path.remove(_broken)  # type: ignore[arg-type]
    for name in [name for name in sys.modules if _ours(name)]:
        del sys.modules[name]


@contextmanager
def installed(**options: Any) -> Iterator[Any]:
    """Put the stand-in where ``import cupy`` finds it, in place of any other CuPy.

    Options are the fields of :class:`Options`. The block is given the module, or None where the
    failure asked for keeps CuPy from being imported.
    """
    saved = {name: module for name, module in sys.modules.items() if _ours(name)}
    before = state.options, state.current
    state.options, state.current = Options(**options), CurrentDevice()
    _clear()
    memory.ledger.held = memory.ledger.used.copy()
    counters.reset()
    module = None
    if state.options.failure == "missing":
        sys.modules["cupy"] = None  # type: ignore[assignment]
    elif state.options.failure == "broken_import":
        sys.meta_path.insert(0, _broken)  # type: ignore[arg-type]
    else:
        sys.modules.update(build())
        module = sys.modules["cupy"]
    try:
        yield module
    finally:
        _clear()
        sys.modules.update(saved)
        state.options, state.current = before
