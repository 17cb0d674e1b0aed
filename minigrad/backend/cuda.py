"""Finding out whether CUDA works here, and saying in words why it does not."""

from __future__ import annotations

import importlib
from functools import lru_cache
from types import ModuleType
from typing import Any

OLDEST_CUPY = (14, 0)
NO_DEVICE = "device 'cuda': the driver works but no CUDA device was found"
# By the names of errors: CuPy may not be installed.
MEMORY_IS_FULL = (
    "OutOfMemoryError",  # CuPy's memory pool
    "cudaErrorMemoryAllocation",  # the CUDA runtime
    "CUDA_ERROR_OUT_OF_MEMORY",  # the driver: a kernel's code, a launch
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUSOLVER_STATUS_ALLOC_FAILED",
)
LIBRARY_WORKSPACE = 256 << 20  # bytes: more than cuBLAS and cuSOLVER ask for to begin with
# What the extras cuda13 and cuda12 stand for: it works without a clone too.
EXTRAS = (
    "pip install 'cupy-cuda13x[ctk]>=14' (CUDA 13) or pip install 'cupy-cuda12x[ctk]>=14' (CUDA 12)"
)


def import_cupy() -> ModuleType:
    """Import CuPy; if it is missing, broken or too old, say which extra installs it."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name != "cupy":
            raise RuntimeError(f"device 'cuda': CuPy cannot be imported: {error}") from error
        message = f"device 'cuda': CuPy is not installed: {EXTRAS}"
        raise RuntimeError(message) from error
    except ImportError as error:
        raise RuntimeError(
            f"device 'cuda': CuPy cannot be imported, perhaps built for another CUDA version: "
            f"{' '.join(str(error).split())}; reinstall with {EXTRAS}"
        ) from error
    found: Any = cupy  # a type checker thinks that modules cannot be hashed
    _require_new_enough(found)
    return found


@lru_cache(maxsize=8)  # asked about a hundred times a training step
def _require_new_enough(cupy: ModuleType) -> None:
    version = tuple(int(part) for part in cupy.__version__.split(".")[:2])
    if version < OLDEST_CUPY:
        raise RuntimeError(
            f"device 'cuda': CuPy {cupy.__version__} is too old, 14.0 or later is needed: {EXTRAS}"
        )


@lru_cache(maxsize=64)  # CuPy keeps the device to go back to in the thread, not in this object
def current(cupy: ModuleType, index: int) -> Any:
    """A context in which GPU number ``index`` is the current one."""
    return cupy.cuda.Device(index)


_working: set[int] = set()  # GPUs that have computed something: asked once, since asking waits


def count() -> int:
    """How many GPUs this machine has; RuntimeError, saying what is missing, if it has none."""
    cupy = import_cupy()
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises CUDARuntimeError, or ImportError for a missing library
        raise RuntimeError(_explain(cupy, error)) from error
    if found == 0:
        raise RuntimeError(NO_DEVICE)
    return found


def require_device(index: int) -> None:
    """Make sure that GPU number ``index`` exists and computes.

    An importable CuPy says nothing about a GPU: it imports without a driver. So ask the driver
    for its devices, then run one small computation. A RuntimeError says what is missing.
    """
    cupy = import_cupy()
    if index in _working:
        return
    devices = count()
    if index >= devices:
        raise RuntimeError(
            f"device 'cuda:{index}': index out of range, this machine has {devices} CUDA device"
            f"{'s' if devices > 1 else ''} (cuda:0 to cuda:{devices - 1})"
        )
    try:
        with cupy.cuda.Device(index):
            probe = int(cupy.ones(2, dtype="float32").sum())
    except Exception as error:
        raise RuntimeError(_explain(cupy, error)) from error
    if probe != 2:
        raise RuntimeError(f"device 'cuda:{index}': 1 + 1 gave {probe}; the device is not usable")
    _working.add(index)


def nccl() -> Any | None:
    """CuPy's NCCL, which sends from GPU to GPU; None where there is none."""
    import_cupy()
    try:
        found = importlib.import_module("cupy.cuda.nccl")
    except ImportError:
        return None
    return found if found.available else None


def new_stream() -> Any:
    """A stream of the current GPU whose work waits for no other stream's."""
    return import_cupy().cuda.Stream(non_blocking=True)


def describe(index: int) -> str:
    """The name of a GPU that works, and its memory: what a run on it begins with."""
    cupy = import_cupy()
    name = cupy.cuda.runtime.getDeviceProperties(index)["name"].decode()
    with cupy.cuda.Device(index):
        free, total = cupy.cuda.runtime.memGetInfo()
    return f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def is_memory_full(error: BaseException) -> bool:
    """Whether an error says that a GPU's memory is full, in the words of whoever raised it.

    cuBLAS and cuSOLVER make their workspace when first used, and where it does not fit they say
    that they are not initialised. So they do without a working driver: then memory is free.
    """
    words = f"{type(error).__name__} {error}"
    if any(name in words for name in MEMORY_IS_FULL):
        return True
    if not any(f"{name}_STATUS_NOT_INITIALIZED" in words for name in ("CUBLAS", "CUSOLVER")):
        return False
    try:
        free, _ = import_cupy().cuda.runtime.memGetInfo()
    except Exception:
        return False
    return free < LIBRARY_WORKSPACE


def _explain(cupy: ModuleType, error: Exception) -> str:
    """One line for each failure of the CUDA runtime, told apart by the name of the error."""
    text = " ".join(str(error).split())
    if "NoDevice" in text:
        return NO_DEVICE
    if "InsufficientDriver" in text:
        try:
            driver = cupy.cuda.runtime.driverGetVersion()  # 0 if there is none
        except Exception:
            driver = 0
        if driver == 0:
            return f"device 'cuda': there is no NVIDIA driver on this machine ({text})"
        why = "the NVIDIA driver is too old for this CuPy's CUDA version"
        cure = "update the driver, or install CuPy for its CUDA version:"
    elif "nvrtc" in text.lower() or isinstance(error, ImportError):
        why, cure = "a library of the CUDA toolkit is missing", "reinstall with"
    elif "NoKernelImage" in text:
        why, cure = "CuPy was built for another CUDA version", "install the matching one:"
    else:
        return f"device 'cuda': the CUDA device cannot be used: {text}"
    return f"device 'cuda': {why} ({text}); {cure} {EXTRAS}"
