"""Device memory: blocks that are counted, a pool that reports them, and CUDA's errors."""

from __future__ import annotations

import threading
from collections import Counter

from .counters import counters
from .options import RUNTIME_VERSION, state

ALLOCATION_UNIT = 512  # CuPy's pool rounds every allocation up to this

CUDA_ERRORS = {
    2: "cudaErrorMemoryAllocation: out of memory",
    35: "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
    100: "cudaErrorNoDevice: no CUDA-capable device is detected",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
    209: "cudaErrorNoKernelImageForDevice: no kernel image is available for execution",
    900: "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
}


class CUDARuntimeError(RuntimeError):
    """``cupy.cuda.runtime.CUDARuntimeError``: a call of the CUDA runtime failed."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(CUDA_ERRORS[status])


class OutOfMemoryError(MemoryError):
    """``cupy.cuda.memory.OutOfMemoryError``, with CuPy's wording."""

    def __init__(self, size: int, total: int) -> None:
        super().__init__(
            f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes)."
        )


def check_driver() -> None:
    """Fail as every call of the CUDA runtime fails on the machine that is played."""
    failure = state.options.failure
    if failure in ("no_driver", "driver_too_old"):
        raise CUDARuntimeError(35)
    if failure == "no_device" or state.options.device_count == 0:
        raise CUDARuntimeError(100)


def check_toolkit() -> None:
    """Fail as the first kernel launch fails: no compiler library, or an unknown GPU."""
    if state.options.failure == "no_kernel_image":
        raise CUDARuntimeError(209)
    if state.options.failure == "no_toolkit":
        library = f"libnvrtc.so.{RUNTIME_VERSION // 1000}"
        raise RuntimeError(
            f"CuPy failed to load {library}: OSError: {library}: cannot open shared object "
            "file: No such file or directory"
        )


def refuse_capture(library: str) -> None:
    """Fail as cuBLAS and cuSOLVER do, in CuPy, while work is captured into a graph."""
    if state.current.is_capturing:
        raise NotImplementedError(
            f"calling {library} API during stream capture is currently unsupported"
        )


class _Ledger:
    """Bytes in use and bytes held by the pool, one entry a device."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.used: Counter[int] = Counter()
        self.held: Counter[int] = Counter()

    def take(self, device: int, size: int) -> None:
        with self.lock:
            if self.used[device] + size > state.options.limit:
                raise OutOfMemoryError(size, self.held[device])
            self.used[device] += size
            self.shrink(device, at_least=self.held[device])

    def give(self, device: int, size: int) -> None:
        with self.lock:
            self.used[device] -= size

    def shrink(self, device: int, at_least: int = 0) -> None:
        with self.lock:
            self.held[device] = max(at_least, self.used[device])


ledger = _Ledger()


class Block:
    """One allocation on one device, given back when the last array over it dies."""

    __slots__ = ("device_id", "size")

    def __init__(self, size: int) -> None:
        check_driver()
        self.size = 0
        self.device_id = state.current.number
        rounded = -(-size // ALLOCATION_UNIT) * ALLOCATION_UNIT
        ledger.take(self.device_id, rounded)
        self.size = rounded
        counters.add(allocations=1)

    def __del__(self) -> None:
        if self.size:
            ledger.give(self.device_id, self.size)


class MemoryPointer:
    """``cupy.cuda.MemoryPointer``: an address on a device."""

    def __init__(self, block: Block, ptr: int) -> None:
        self.mem, self.ptr, self.device_id = block, ptr, block.device_id


class MemoryPool:
    """``cupy.cuda.MemoryPool``: reports on the current device, as CuPy's does."""

    def used_bytes(self) -> int:
        check_driver()
        return ledger.used[state.current.number]

    def total_bytes(self) -> int:
        """Bytes held: in use, and free but not given back to the driver."""
        check_driver()
        return ledger.held[state.current.number]

    def free_all_blocks(self, stream: object = None) -> None:
        check_driver()
        ledger.shrink(state.current.number)
