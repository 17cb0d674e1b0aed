"""How the stand-in behaves, and which device is current: what CuPy keeps in the driver."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
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

GIBIBYTE = 2**30


@dataclass
class Options:
    """What kind of machine and which version of CuPy the stand-in plays.

    Parameters
    ----------
    device_count : int
        Number of GPUs.
    total_memory : int
        Memory of each GPU in bytes, as reported.
    memory_limit : int or None
        Bytes that may be allocated on each GPU before ``OutOfMemoryError``; None for
        ``total_memory``.
    strict_numpy : bool
        Refuse NumPy functions called on the stand-in's arrays, so that a stray ``numpy.`` call
        shows. False: dispatch them to CuPy's functions, as CuPy does.
    peer_access : bool
        Whether one GPU may read the memory of another; False raises, as machines without peer
        access do, and as a design that keeps to one device never notices.
    failure : str or None
        One of ``FAILURES``.
    version : str
        ``cupy.__version__``.
    runtime_version : int
        The CUDA version CuPy was built for, such as 13020 for 13.2.
    driver_version : int
        The newest CUDA version the driver supports.
    device_name : str
        Name of each GPU.
    emulated_work : int
        Up to how many multiply-adds a CUDA source is run itself, instead of its equal in array
        code: some hundredths of a second.
    """

    device_count: int = 2
    total_memory: int = 16 * GIBIBYTE
    memory_limit: int | None = None
    strict_numpy: bool = True
    peer_access: bool = False
    failure: str | None = None
    version: str = NAMES["version"]
    runtime_version: int = NAMES["runtime_version"]
    driver_version: int = NAMES["runtime_version"]
    device_name: str = "Stand-in GPU"
    emulated_work: int = 2_000_000

    def __post_init__(self) -> None:
        if self.failure not in FAILURES:
            raise ValueError(f"failure must be one of {FAILURES}, got {self.failure!r}")
        if self.failure == "no_driver":
            self.driver_version = 0
        if self.failure == "driver_too_old":
            self.driver_version = self.runtime_version - 1000
        if self.failure == "no_device":
            self.device_count = 0

    @property
    def limit(self) -> int:
        """Bytes that may be allocated on one device."""
        return self.total_memory if self.memory_limit is None else self.memory_limit


class CurrentDevice(threading.local):
    """The current device and stream are one a thread, and CuPy's stacks of those to go back to."""

    number = 0
    is_capturing = False  # whether the current stream records its work into a graph

    def __init__(self) -> None:
        self.previous: list[int] = []
        self.streams: list[Any] = []


@dataclass
class State:
    """The options in force and the current device."""

    options: Options = field(default_factory=Options)
    current: CurrentDevice = field(default_factory=CurrentDevice)


state = State()
