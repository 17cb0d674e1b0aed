"""The module tree that ``import cupy`` finds while the stand-in is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy

from . import cuda, memory, random, raw
from .core import check_devices
from .counters import counters
from .creation import CREATION
from .functions import FUNCTIONS, LINALG
from .names import NAMES, bind, missing
from .operators import ndarray
from .options import CurrentDevice, Options, state
from .ufuncs import UFUNCS, matmul, ufunc

CONSTANTS = ("e", "euler_gamma", "inf", "nan", "newaxis", "pi", "s_", "index_exp")
EVENTS = ("Stream", "Event", "get_current_stream", "get_elapsed_time")


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


def sliding_window_view(*args: Any, **kwargs: Any) -> ndarray:
    """``cupy.lib.stride_tricks.sliding_window_view``: CuPy checks the window on the device."""
    given = bind("cupy.lib.stride_tricks", "sliding_window_view", args, kwargs)
    x = given.pop("x")
    if not isinstance(x, ndarray):
        raise TypeError(f"sliding_window_view: Unsupported type {type(x)}")
    check_devices("sliding_window_view", [x])
    if given.get("writeable"):
        raise NotImplementedError("Writeable views are not supported.")
    window = numpy.atleast_1d(given["window_shape"])
    counters.copy_to_device(window.nbytes)
    counters.wait(window.size)
    return x._view(numpy.lib.stride_tricks.sliding_window_view(x._host, **given))


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
    types |= {"dtype": numpy.dtype, "finfo": numpy.finfo, "iinfo": numpy.iinfo}
    top = {
        **types,
        **{name: getattr(numpy, name) for name in CONSTANTS},
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
        "get_default_pinned_memory_pool": cuda.get_default_pinned_memory_pool,
        "is_available": cuda.is_available,
        "__version__": state.options.version,
    }
    runtime = {name: value for name, value in vars(cuda.Runtime).items() if name[0] != "_"}
    runtime = {
        name: getattr(cuda.Runtime, name) if isinstance(value, staticmethod) else value
        for name, value in runtime.items()
    }
    tree = {
        "cupy": top,
        "cupy.cuda": {
            **{name: getattr(cuda, name) for name in ("Device", "is_available", "get_device_id")},
            **{name: getattr(cuda, name) for name in EVENTS},
            "Graph": cuda.Graph,
            "get_local_runtime_version": cuda.get_local_runtime_version,
            "PinnedMemoryPool": cuda.PinnedMemoryPool,
            "MemoryPool": memory.MemoryPool,
            "MemoryPointer": memory.MemoryPointer,
        },
        "cupy.cuda.runtime": runtime,
        "cupy.cuda.memory": {
            "OutOfMemoryError": memory.OutOfMemoryError,
            "MemoryPool": memory.MemoryPool,
            "MemoryPointer": memory.MemoryPointer,
        },
        "cupy.cuda.device": {"Device": cuda.Device},
        "cupy.cuda.stream": {name: getattr(cuda, name) for name in EVENTS},
        "cupy.linalg": {**LINALG, "matmul": matmul, "LinAlgError": numpy.linalg.LinAlgError},
        "cupy.random": dict(random.NAMESPACE),
        "cupy.lib": {},
        "cupy.lib.stride_tricks": {
            "as_strided": as_strided,
            "sliding_window_view": sliding_window_view,
        },
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


_saved: list[dict[str, ModuleType | None]] = []
_broken = _BrokenImport()


def _ours(name: str) -> bool:
    return name == "cupy" or name.startswith("cupy.")


def install(**options: Any) -> ModuleType | None:
    """Put the stand-in where ``import cupy`` finds it, in place of any other CuPy.

    Parameters
    ----------
    **options
        Fields of :class:`Options`.

    Returns
    -------
    module or None
        The module; None where the failure asked for keeps CuPy from being imported.
    """
    _saved.append({name: module for name, module in sys.modules.items() if _ours(name)})
    _clear()
    state.options = Options(**options)
    state.current = CurrentDevice()
    memory.ledger.held.clear()
    memory.ledger.held.update(memory.ledger.used)
    memory.ledger.pool_limit.clear()
    counters.reset()
    if state.options.failure == "missing":
        sys.modules["cupy"] = None  # type: ignore[assignment]
        return None
    if state.options.failure == "broken_import":
        sys.meta_path.insert(0, _broken)  # type: ignore[arg-type]
        return None
    modules = build()
    sys.modules.update(modules)
    return modules["cupy"]


def uninstall() -> None:
    """Undo the last ``install``."""
    _clear()
    sys.modules.update(_saved.pop())  # type: ignore[arg-type]
    state.options = Options()
    state.current = CurrentDevice()


def _clear() -> None:
    if _broken in sys.meta_path:
        sys.meta_path.remove(_broken)  # type: ignore[arg-type]
    for name in [name for name in sys.modules if _ours(name)]:
        del sys.modules[name]


@contextmanager
def installed(**options: Any) -> Iterator[Any]:
    """``install`` and ``uninstall`` as a context: ``with installed(device_count=1) as cupy:``."""
    try:
        yield install(**options)
    finally:
        uninstall()
