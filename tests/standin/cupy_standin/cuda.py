"""``cupy.cuda``: devices, the runtime's questions, streams whose work is done at once."""

from __future__ import annotations

from typing import Any

from .counters import counters
from .memory import CUDARuntimeError, MemoryPool, check_driver, ledger
from .options import RUNTIME_VERSION, state


class Device:
    """``cupy.cuda.Device``: names a GPU; as a context it makes that GPU the current one."""

    def __init__(self, device: int | Device | None = None) -> None:
        if device is None:
            check_driver()
            device = state.current.number
        self.id = int(device)

    def use(self) -> None:
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
        _check_ordinal(self.id)
        counters.wait()

    @property
    def mem_info(self) -> tuple[int, int]:
        _check_ordinal(self.id)
        total = state.options.total_memory
        return total - ledger.held[self.id], total


def _check_ordinal(number: int) -> None:
    check_driver()
    if not 0 <= number < state.options.device_count:
        raise CUDARuntimeError(101)


def getDeviceCount() -> int:
    """Number of GPUs; raises without a driver or a GPU, as CUDA does."""
    check_driver()
    return state.options.device_count


def getDeviceProperties(device: int) -> dict[str, Any]:
    """Some of what CUDA tells of a GPU; the name is bytes, as in CuPy."""
    _check_ordinal(device)
    return {"name": b"Stand-in GPU", "totalGlobalMem": state.options.total_memory}


def getDevice() -> int:
    return Device().id


def runtimeGetVersion() -> int:
    """The CUDA version CuPy was built for; answers without a driver."""
    return RUNTIME_VERSION


def driverGetVersion() -> int:
    """The newest CUDA version the driver supports; 0 without a driver."""
    return state.options.driver_version


def memGetInfo() -> tuple[int, int]:
    return Device().mem_info


RUNTIME = {
    function.__name__: function
    for function in (
        *(getDeviceCount, getDeviceProperties, getDevice, runtimeGetVersion, driverGetVersion),
        *(memGetInfo, CUDARuntimeError),
    )
}


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
        check_driver()
        counters.wait()

    def record(self) -> Event:
        return Event()

    def wait_event(self, event: Event) -> None:
        """Let the stream wait for an event; the host does not."""

    def begin_capture(self, mode: int | None = None) -> None:
        """Record work into a graph from now on: cuBLAS and waits are refused.

        CuPy records and does not compute. Here everything is computed as well, once.
        """
        if self._is_null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        state.current.is_capturing = True

    def end_capture(self) -> Graph:
        state.current.is_capturing = False
        return Graph.__new__(Graph)

    def is_capturing(self) -> bool:
        return state.current.is_capturing


Stream.null = Stream(null=True)


class Event:
    """``cupy.cuda.Event``: a moment in a stream."""


class Graph:
    """``cupy.cuda.Graph``: recorded work. The stand-in cannot launch it again."""

    def __init__(self) -> None:
        raise NotImplementedError(
            "currently this class cannot be initiated by the user and must be created via stream "
            "capture"
        )


def get_current_stream(device_id: int = -1) -> Stream:
    """The stream of the innermost ``with``, or the default one."""
    return state.current.streams[-1] if state.current.streams else Stream.null


_pool = MemoryPool()


def get_default_memory_pool() -> MemoryPool:
    return _pool
