"""How the stand-in behaves, and which device is current: what CuPy keeps in the driver."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from .names import NAMES

FAILURES = (
    None,
    "missing",  # CuPy is not installed
    "broken_import",  # CuPy is installed, but its import fails
    "no_driver",  # CuPy imports, but there is no NVIDIA driver
    "driver_too_old",  # the driver is older than the CUDA version CuPy was built for
    "no_device",  # a driver, but no GPU
    "no_toolkit",  # a GPU, but the CUDA libraries CuPy compiles kernels with are missing
    "no_kernel_image",  # a GPU that CuPy was not built for
)
RUNTIME_VERSION: int = NAMES["runtime_version"]  # of CUDA, that CuPy was built for: 13020 for 13.2


@dataclass
class Options:
    """What kind of machine and which version of CuPy the stand-in plays."""

    device_count: int = 2
    total_memory: int = 16 * 2**30  # bytes of each GPU, as reported
    memory_limit: int | None = None  # bytes that may be allocated on each; None for all
    failure: str | None = None  # one of FAILURES
    version: str = NAMES["version"]
    # Up to how many multiply-adds a CUDA source is run itself, instead of its equal in array
    # code: some hundredths of a second.
    emulated_work: int = 2_000_000

    def __post_init__(self) -> None:
        if self.failure not in FAILURES:
            raise ValueError(f"failure must be one of {FAILURES}, got {self.failure!r}")
        self.limit = self.total_memory if self.memory_limit is None else self.memory_limit
        self.driver_version = RUNTIME_VERSION  # the newest CUDA version that the driver supports
        if self.failure == "no_driver":
            self.driver_version = 0
        if self.failure == "driver_too_old":
            self.driver_version = RUNTIME_VERSION - 1000


class CurrentDevice(threading.local):
    """The current device and stream are one a thread, and CuPy's stacks of those to go back to."""

    number = 0
    is_capturing = False  # whether the current stream records its work into a graph

    def __init__(self) -> None:
        self.previous: list[int] = []
        self.streams: list[Any] = []


class State:
    """The options in force and the current device."""

    options = Options()
    current = CurrentDevice()


state = State()
