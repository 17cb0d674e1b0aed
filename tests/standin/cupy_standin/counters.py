"""Counting what costs time on a GPU: launches, waits of the host, copies to it and from it."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .options import state

FIELDS = (
    "launches",
    "waits",
    "host_to_device",
    "device_to_host",
    "host_to_device_bytes",
    "device_to_host_bytes",
    "allocations",
    "hidden_copies",
    "multiply_adds",
    "kernel_bytes",
)
HERE = Path(__file__).parent


class Counts:
    """Numbers of events, and where they came from.

    Attributes
    ----------
    launches : int
        Array calls that write device memory: one a call, whatever the number of kernels inside.
    waits : int
        Times the host waited for the device: ``.item()``, ``float()``, ``bool()``, ``.get()``,
        printing, boolean masks, ``synchronize()``.
    host_to_device, device_to_host : int
        Copies, and their sizes in ``host_to_device_bytes`` and ``device_to_host_bytes``.
    allocations : int
        Arrays allocated.
    hidden_copies : int
        Copies CuPy makes on the device inside a call: of an input that overlaps the output, of a
        non-contiguous operand of a batched matrix product, of a non-contiguous array on its way
        to the host.
    multiply_adds : int
        Of the launches of CUDA sources that are sums of products, counted from their sizes.
    kernel_bytes : int
        The size of all arrays that such launches, and those of other CUDA sources, were given:
        what a GPU reads and writes at least, its caches being ideal.
    calls : collections.Counter
        Launches by name of the call.
    wait_places : collections.Counter
        Waits by ``file:line`` outside the stand-in.
    """

    def __init__(self) -> None:
        self.launches = self.waits = 0
        self.host_to_device = self.device_to_host = 0
        self.host_to_device_bytes = self.device_to_host_bytes = 0
        self.allocations = self.hidden_copies = 0
        self.multiply_adds = self.kernel_bytes = 0
        self.calls: Counter[str] = Counter()
        self.wait_places: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Counts({', '.join(f'{name}={getattr(self, name)}' for name in FIELDS)})"


class Counters(Counts):
    """The running totals since the last reset."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._listeners: list[Counts] = []
        self._forbidden = 0

    def reset(self) -> None:
        """Set everything to zero."""
        with self._lock:
            fresh = Counts()
            for name, value in vars(fresh).items():
                setattr(self, name, value)

    @contextmanager
    def measure(self) -> Iterator[Counts]:
        """Count what happens inside: ``with counters.measure() as used: ...; used.launches``."""
        counts = Counts()
        with self._lock:
            self._listeners.append(counts)
        try:
            yield counts
        finally:
            with self._lock:
                self._listeners = [other for other in self._listeners if other is not counts]

    @contextmanager
    def no_waits(self) -> Iterator[None]:
        """Raise ``AssertionError`` where the host waits for the device inside."""
        with self._lock:
            self._forbidden += 1
        try:
            yield
        finally:
            with self._lock:
                self._forbidden -= 1

    def _add(self, name: str, amount: int = 1) -> None:
        for counts in (self, *self._listeners):
            setattr(counts, name, getattr(counts, name) + amount)

    def launch(self, call: str) -> None:
        """Record an array call that writes device memory."""
        with self._lock:
            self._add("launches")
            for counts in (self, *self._listeners):
                counts.calls[call] += 1

    def work(self, multiply_adds: int, size: int) -> None:
        """Record how much a launch of a CUDA source computes, and the size of its arrays."""
        with self._lock:
            self._add("multiply_adds", multiply_adds)
            self._add("kernel_bytes", size)

    def wait(self, times: int = 1) -> None:
        """Record that the host waited for the device."""
        if state.current.is_capturing:
            from .memory import CUDARuntimeError

            raise CUDARuntimeError(900)
        place = _caller()
        with self._lock:
            forbidden = self._forbidden
            self._add("waits", times)
            for counts in (self, *self._listeners):
                counts.wait_places[place] += times
        if forbidden:
            raise AssertionError(f"the host waits for the device at {place}")

    def copy_to_device(self, size: int) -> None:
        """Record a copy of ``size`` bytes from host to device."""
        with self._lock:
            self._add("host_to_device")
            self._add("host_to_device_bytes", size)

    def copy_to_host(self, size: int) -> None:
        """Record a copy of ``size`` bytes from device to host."""
        with self._lock:
            self._add("device_to_host")
            self._add("device_to_host_bytes", size)

    def allocation(self) -> None:
        """Record an allocation."""
        with self._lock:
            self._add("allocations")

    def hidden_copy(self) -> None:
        """Record a copy that CuPy makes inside a call."""
        with self._lock:
            self._add("hidden_copies")


def _caller() -> str:
    frame = sys._getframe(1)
    while frame is not None and Path(frame.f_code.co_filename).parent == HERE:
        frame = frame.f_back
    return "?" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


counters = Counters()
