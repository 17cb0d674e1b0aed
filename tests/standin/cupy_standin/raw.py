"""``cupy.RawModule`` and ``cupy.RawKernel``: CUDA C, run by the C++ compiler or by array code.

A launch is checked as strictly as can be: CuPy hands over whatever it is given, and a GPU reads
whatever lies there. Small launches run the source itself, in ``demos/emulation``; larger ones, and
all where there is no C++ compiler, an equal in array code (``array_code.py``).
"""

from __future__ import annotations

import functools
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from .array_code import ARRAY_CODE, products, work
from .core import check_devices, ndarray
from .counters import counters
from .layout import check_writable
from .memory import check_driver, check_toolkit
from .options import state

sys.path.append(str(Path(__file__).parents[3] / "demos"))

import emulation

MOST_THREADS = 1 << 14  # of a launch that is emulated: two microseconds each, at least
MOST_THREADS_OF_A_BLOCK = 1024
MOST_BLOCKS = (2**31 - 1, 65535, 65535)

TYPES = {"float": "f4", "double": "f8", "short": "i2", "int": "i4", "long long": "i8"}
_one_at_a_time = threading.Lock()  # the emulation's threads are those of the process


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kernel: its name, dtype (None: a structure), and what is done with it."""

    name: str
    dtype: numpy.dtype | None
    is_pointer: bool
    is_read_only: bool
    may_be_null: bool


def parameters_of(code: str, name: str, options: tuple[str, ...]) -> list[Parameter]:
    """The parameters of a kernel, read from its source."""
    found = re.search(rf"__global__ void\s[^;{{]*?\b{name}\(([^)]*)\)\s*{{", code)
    if found is None:
        raise AttributeError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}")
    macros = dict(option[2:].partition("=")[::2] for option in options if option[:2] == "-D")
    parameters = []
    for part in found.group(1).split(","):
        part = " ".join(part.replace("__restrict__", " ").replace("*", " * ").split())
        kind, _, own_name = part.rpartition(" ")
        words = [macros.get(word, word) for word in kind.split() if word not in ("const", "*")]
        dtype = TYPES.get(" ".join(words))
        parameters.append(
            Parameter(
                own_name,
                None if dtype is None else numpy.dtype(dtype),
                is_pointer="*" in kind,
                is_read_only="const" in kind,
                may_be_null=bool(re.search(rf"\b{own_name} \?", code)),
            )
        )
    return parameters


class RawKernel:
    """``cupy.RawKernel``: a kernel of a source, compiled when it is first launched."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
        if not isinstance(options, tuple):
            raise TypeError(f"Argument 'options' has incorrect type {type(options).__name__}")
        self.code, self.name, self.options = code, name, options
        self._parameters = parameters_of(code, name, options)
        self._launches = 0

    def compile(self, log_stream: Any = None) -> None:
        """Fail where CuPy's compiler would: no driver, no library."""
        check_driver()
        check_toolkit()

    def __call__(self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0) -> None:
        self.compile()
        grid, block = self._sizes("grid", grid), self._sizes("block", block)
        if len(args) != len(self._parameters):
            raise TypeError(
                f"{self.name}: {len(args)} arguments for {len(self._parameters)} parameters"
            )
        hosts = [self._host(*pair) for pair in zip(self._parameters, args)]
        check_devices(self.name, [value for value in args if isinstance(value, ndarray)])
        for parameter, host in zip(self._parameters, hosts):
            if parameter.is_pointer and not parameter.is_read_only and host is not None:
                check_writable(self.name, host)
        counters.launch(self.name)
        size = sum(value.nbytes for value in args if isinstance(value, ndarray))
        counters.add(multiply_adds=products(self.name, hosts), kernel_bytes=size)
        self._launches += 1
        if self._is_small(grid, block, hosts):
            kernel = _emulated(self.code, self.name, self.options)
            with _one_at_a_time:
                kernel.launch(grid, block, hosts, shared_mem, seed=self._launches)
        else:
            with numpy.errstate(all="ignore"):
                ARRAY_CODE[self.name](*hosts)

    def _is_small(self, grid: tuple[int, ...], block: tuple[int, ...], hosts: list[Any]) -> bool:
        if self.name not in ARRAY_CODE:
            return True
        if emulation.missing() is not None:
            return False
        threads = grid[0] * grid[1] * grid[2] * block[0] * block[1] * block[2]
        return work(self.name, hosts) <= state.options.emulated_work and threads <= MOST_THREADS

    def _sizes(self, what: str, given: Any) -> tuple[int, int, int]:
        if not isinstance(given, tuple) or not all(type(n) is int for n in given):
            raise TypeError(f"{self.name}: {what} must be a tuple of int, got {given!r}")
        sizes = (given + (1, 1))[:3]
        if min(sizes) < 1:  # CuPy would launch one block or thread all the same
            raise ValueError(f"{self.name}: {what} {given} launches nothing")
        most = MOST_BLOCKS if what == "grid" else (MOST_THREADS_OF_A_BLOCK,) * 3
        if any(n > m for n, m in zip(sizes, most)) or (
            what == "block" and sizes[0] * sizes[1] * sizes[2] > MOST_THREADS_OF_A_BLOCK
        ):
            raise ValueError(f"{self.name}: CUDA_ERROR_INVALID_VALUE: {what} {given} is too large")
        return sizes

    def _host(self, parameter: Parameter, value: Any) -> Any:
        """What plays an argument's memory, once it is known to fit its parameter."""
        what = f"{self.name}: argument {parameter.name}"
        if parameter.is_pointer:
            if value is None and parameter.may_be_null:
                return None
            if not isinstance(value, ndarray) or value.dtype != parameter.dtype:
                given = f"{type(value).__module__}.{type(value).__name__}"
                given += f" of {value.dtype}" if hasattr(value, "dtype") else ""
                raise TypeError(
                    f"{what} should be a cupy.ndarray of {parameter.dtype}, got a {given}"
                )
            return value._host
        if parameter.dtype is None:
            if not isinstance(value, numpy.ndarray) or value.size != 1:
                raise TypeError(f"{what}: Only numpy.ndarrays of size one can be passed by value")
            return value
        python_type = {"i8": int, "f8": float}.get(parameter.dtype.str[1:])
        if isinstance(value, numpy.generic):
            fits = value.dtype == parameter.dtype
        else:  # CuPy hands over Python's numbers as int64 and float64
            fits = type(value) is python_type
        if not fits:
            given = getattr(value, "dtype", type(value).__name__)
            raise TypeError(f"{what} should be a number of {parameter.dtype}, got {given}")
        return value


class RawModule:
    """``cupy.RawModule``: a source with several kernels."""

    def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
        self.code, self.options = code, options

    def get_function(self, name: str) -> RawKernel:
        """A kernel of the module; compiles it."""
        kernel = RawKernel(self.code, name, self.options)
        kernel.compile()
        return kernel


@functools.cache
def _emulated(code: str, name: str, options: tuple[str, ...]) -> emulation.Kernel:
    return emulation.Kernel(code, name, options)
