"""``cupy.cuda``: devices, the runtime's questions, streams that only count waits."""

from __future__ import annotations

import time
from typing import Any

from .counters import counters
from .memory import CUDARuntimeError, MemoryPool, check_driver, ledger
from .options import state


class Device:
    """``cupy.cuda.Device``: names a GPU; as a context it makes that GPU the current one."""

    def __init__(self, device: int | Device | None = None) -> None:
        if device is None:
            check_driver()
            device = state.current.number
        self.id = int(device)

    def __int__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return hash(("cupy.cuda.Device", self.id))

    def use(self) -> None:
        """Make it the current device of this thread."""
        _check_ordinal(self.id)
        state.current.number = self.id

    def __enter__(self):
        check_driver()
        previous = state.current.number
        self.use()
        state.current.previous.append(previous)  # one stack a thread, for all Devices alike
        return self

    def __exit__(self, *exception: object) -> None:
        state.current.number = state.current.previous.pop()

    def synchronize(self) -> None:
        """Wait for everything launched on the device."""
        _check_ordinal(self.id)
        counters.wait()

    @property
    def mem_info(self) -> tuple[int, int]:
        """Free and total bytes."""
        _check_ordinal(self.id)
        total = state.options.total_memory
        return total - ledger.held.get(self.id, 0), total

    @property
    def compute_capability(self) -> str:
        """Such as "90"."""
        _check_ordinal(self.id)
        return "90"

    @property
    def pci_bus_id(self) -> str:
        """A made-up address on the bus."""
        _check_ordinal(self.id)
        return f"0000:{self.id + 1:02X}:00.0"


def _check_ordinal(number: int) -> None:
    check_driver()
    if not 0 <= number < state.options.device_count:
        raise CUDARuntimeError(101)


class Runtime:
    """The functions of ``cupy.cuda.runtime``."""

    CUDARuntimeError = CUDARuntimeError

    @staticmethod
    def getDeviceCount() -> int:
        """Number of GPUs; raises without a driver or a GPU, as CUDA does."""
        check_driver()
        return state.options.device_count

    @staticmethod
    def getDeviceProperties(device: int) -> dict[str, Any]:
        """Some of what CUDA tells of a GPU; the name is bytes, as in CuPy."""
        _check_ordinal(device)
        return {
            "name": state.options.device_name.encode(),
            "totalGlobalMem": state.options.total_memory,
            "multiProcessorCount": 132,
            "major": 9,
            "minor": 0,
            "warpSize": 32,
        }

    @staticmethod
    def getDevice() -> int:
        """The current device of this thread."""
        check_driver()
        return state.current.number

    @staticmethod
    def setDevice(device: int) -> None:
        """Make a device the current one of this thread."""
        Device(device).use()

    @staticmethod
    def runtimeGetVersion() -> int:
        """The CUDA version CuPy was built for; answers without a driver."""
        return state.options.runtime_version

    @staticmethod
    def driverGetVersion() -> int:
        """The newest CUDA version the driver supports; 0 without a driver."""
        return state.options.driver_version

    @staticmethod
    def memGetInfo() -> tuple[int, int]:
        """Free and total bytes of the current device."""
        return Device().mem_info

    @staticmethod
    def deviceSynchronize() -> None:
        """Wait for the current device."""
        Device().synchronize()


def is_available() -> bool:
    """Whether there is a GPU that the driver can use."""
    try:
        return Runtime.getDeviceCount() > 0
    except CUDARuntimeError:
        return False


def get_device_id() -> int:
    """The current device of this thread."""
    return Runtime.getDevice()


class Stream:
    """``cupy.cuda.Stream``; all work is done at once, so only waits and captures matter."""

    null: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority=None
    ) -> None:
        if not null:
            check_driver()
        self._is_null = null
        self.ptr = 0 if null else id(self)

    def __enter__(self):
        state.current.streams.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        state.current.streams.pop()

    def synchronize(self) -> None:
        """Wait for everything launched on the stream."""
        check_driver()
        counters.wait()

    def record(self, event: Event | None = None) -> Event:
        """Mark a moment in the stream."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let the stream wait for an event; the host does not."""

    def use(self) -> Stream:
        """Make it the current stream."""
        state.current.streams[-1:] = [self]
        return self

    def begin_capture(self, mode: int | None = None) -> None:
        """Record work into a graph from now on: cuBLAS and waits are refused.

        CuPy records and does not compute. Here everything is computed as well, once.
        """
        if self._is_null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        state.current.is_capturing = True

    def end_capture(self) -> Graph:
        """The recorded graph."""
        state.current.is_capturing = False
        return Graph.__new__(Graph)

    def is_capturing(self) -> bool:
        """Whether work is recorded into a graph."""
        return state.current.is_capturing

    @property
    def done(self) -> bool:
        """Whether everything launched has finished."""
        return True


Stream.null = Stream(null=True)


class Graph:
    """``cupy.cuda.Graph``: recorded work. The stand-in cannot launch it again."""

    def __init__(self) -> None:
        raise NotImplementedError(
            "currently this class cannot be initiated by the user and must be created via stream "
            "capture"
        )


class Event:
    """``cupy.cuda.Event``: a moment, for timing."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        check_driver()
        self._moment = 0.0

    def record(self, stream: Stream | None = None) -> None:
        """Remember now."""
        self._moment = time.perf_counter()

    def synchronize(self) -> None:
        """Wait until the moment has come."""
        counters.wait()

    @property
    def done(self) -> bool:
        """Whether the moment has come."""
        return True


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events."""
    return 1000 * (end_event._moment - start_event._moment)


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream of the innermost ``with``, or the default one."""
    return state.current.streams[-1] if state.current.streams else Stream.null


def get_local_runtime_version() -> int:
    """The CUDA version found on the machine."""
    return state.options.runtime_version


class PinnedMemoryPool:
    """``cupy.cuda.PinnedMemoryPool``: host memory for copies; the stand-in keeps none."""

    def free_all_blocks(self) -> None:
        """Give free blocks back."""

    def n_free_blocks(self) -> int:
        """Number of free blocks."""
        return 0


pool = MemoryPool()
pinned_pool = PinnedMemoryPool()


def get_default_memory_pool() -> MemoryPool:
    """``cupy.get_default_memory_pool``."""
    return pool


def get_default_pinned_memory_pool() -> PinnedMemoryPool:
    """``cupy.get_default_pinned_memory_pool``."""
    return pinned_pool
