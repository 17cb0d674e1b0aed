"""Finding out whether CUDA works here, and saying in words why it does not."""

from __future__ import annotations

from types import ModuleType

OLDEST_CUPY = (14, 0)
EXTRAS = "pip install -e '.[cuda13]' (CUDA 13) or pip install -e '.[cuda12]' (CUDA 12)"


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
    version = tuple(int(part) for part in cupy.__version__.split(".")[:2])
    if version < OLDEST_CUPY:
        raise RuntimeError(
            f"device 'cuda': CuPy {cupy.__version__} is too old, 14.0 or later is needed: {EXTRAS}"
        )
    return cupy


_working: set[int] = set()  # GPUs that have computed something: asked once, since asking waits


def require_device(index: int) -> None:
    """Make sure that GPU number ``index`` exists and computes.

    An importable CuPy says nothing about a GPU: it imports without a driver. So ask the driver
    for its devices, then run one small computation. A RuntimeError says what is missing.
    """
    cupy = import_cupy()
    if index in _working:
        return
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises CUDARuntimeError, or ImportError for a missing library
        raise RuntimeError(_explain(cupy, error)) from error
    if count == 0:
        raise RuntimeError("device 'cuda': the driver works but no CUDA device was found")
    if index >= count:
        raise RuntimeError(
            f"device 'cuda:{index}': index out of range, this machine has {count} CUDA device"
            f"{'s' if count > 1 else ''} (cuda:0 to cuda:{count - 1})"
        )
    try:
        with cupy.cuda.Device(index):
            probe = int(cupy.ones(2, dtype="float32").sum())
    except Exception as error:
        raise RuntimeError(_explain(cupy, error)) from error
    if probe != 2:
        raise RuntimeError(f"device 'cuda:{index}': 1 + 1 gave {probe}; the device is not usable")
    _working.add(index)


def describe(index: int) -> str:
    """The name of a GPU that works, and its memory: what a run on it begins with."""
    cupy = import_cupy()
    name = cupy.cuda.runtime.getDeviceProperties(index)["name"].decode()
    with cupy.cuda.Device(index):
        free, total = cupy.cuda.runtime.memGetInfo()
    return f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def _explain(cupy: ModuleType, error: Exception) -> str:
    """One line for each failure of the CUDA runtime, told apart by the name of the error."""
    text = " ".join(str(error).split())
    if "NoDevice" in text:
        return "device 'cuda': the driver works but no CUDA device was found"
    if "InsufficientDriver" in text:
        if _driver_version(cupy) == 0:
            return f"device 'cuda': there is no NVIDIA driver on this machine ({text})"
        return (
            f"device 'cuda': the NVIDIA driver is too old for this CuPy's CUDA version ({text}); "
            f"update the driver, or install CuPy for its CUDA version: {EXTRAS}"
        )
    if "nvrtc" in text.lower() or isinstance(error, ImportError):
        return (
            f"device 'cuda': a library of the CUDA toolkit is missing ({text}); reinstall with "
            f"{EXTRAS}"
        )
    if "NoKernelImage" in text:
        return (
            f"device 'cuda': CuPy was built for another CUDA version ({text}); "
            f"install the matching one: {EXTRAS}"
        )
    return f"device 'cuda': the CUDA device cannot be used: {text}"


def _driver_version(cupy: ModuleType) -> int:
    """The CUDA version the driver supports, 0 if there is no driver."""
    try:
        return int(cupy.cuda.runtime.driverGetVersion())
    except Exception:
        return 0
