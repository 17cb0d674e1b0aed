"""Counting what costs time on a GPU: launches, waits of the host, copies to it and from it."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .options import state

HERE = Path(__file__).parent


@dataclass(eq=False)
class Counts:
    """Numbers of events, and where they came from."""

    launches: int = 0  # array calls that write device memory: one a call, whatever kernels it needs
    # How often the host waited: ``.item()``, ``float()``, ``bool()``, ``.get()``, printing,
    # boolean masks, ``synchronize()``.
    waits: int = 0
    host_to_device: int = 0  # copies
    device_to_host: int = 0
    host_to_device_bytes: int = 0
    device_to_host_bytes: int = 0
    allocations: int = 0
    # Copies that CuPy makes on the device inside a call: of an input that overlaps the output, of a
    # non-contiguous operand of a batched product, of a non-contiguous array on its way to the host.
    hidden_copies: int = 0
    multiply_adds: int = 0  # of CUDA sources that are sums of products, counted from their sizes
    # The size of all arrays that launches of CUDA sources were given: what a GPU reads and writes
    # at least, its caches being ideal.
    kernel_bytes: int = 0
    calls: Counter[str] = field(default_factory=Counter)  # launches by name of the call
    wait_places: Counter[str] = field(default_factory=Counter)  # waits by file:line outside


class Counters(Counts):
    """The running totals since the last reset."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._listeners: list[Counts] = []
        self._forbidden = 0

    def reset(self) -> None:
        with self._lock:
            vars(self).update(vars(Counts()))

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
                self._listeners.remove(counts)

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

    def add(self, **events: Any) -> None:
        """Record events, by the names of the fields."""
        with self._lock:
            for counts in (self, *self._listeners):
                for name, amount in events.items():
                    setattr(counts, name, getattr(counts, name) + amount)

    def launch(self, call: str) -> None:
        self.add(launches=1, calls=Counter([call]))

    def wait(self, times: int = 1) -> None:
        if state.current.is_capturing:
            from .memory import CUDARuntimeError

            raise CUDARuntimeError(900)
        place = _caller()
        self.add(waits=times, wait_places=Counter({place: times}))
        if self._forbidden:
            raise AssertionError(f"the host waits for the device at {place}")

    def copy_to_device(self, size: int) -> None:
        """Record a copy of ``size`` bytes from host to device."""
        self.add(host_to_device=1, host_to_device_bytes=size)


def _caller() -> str:
    frame = sys._getframe(1)
    while frame is not None and Path(frame.f_code.co_filename).parent == HERE:
        frame = frame.f_back
    return "?" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


counters = Counters()
