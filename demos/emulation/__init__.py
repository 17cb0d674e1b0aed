"""Runs CUDA C kernels without a graphics card: the same source, compiled by the C++ compiler.

``cuda.h`` says what is emulated. A kernel is compiled once and kept, under a digest of its source
and options, in a folder of the user's own among the temporary files.

>>> import numpy
>>> source = '''
... extern "C" __global__ void doubled(const float* x, float* y, int count) {
...     int e = blockIdx.x * blockDim.x + threadIdx.x;
...     if (e < count) y[e] = 2 * x[e];
... }'''
>>> x, y = numpy.arange(3, dtype="f4"), numpy.empty(3, "f4")
>>> if missing() is None:
...     Kernel(source, "doubled").launch((1,), (32,), (x, y, 3))
>>> y if missing() is None else 2 * x
array([0., 2., 4.], dtype=float32)
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

HEADER = Path(__file__).with_name("cuda.h")
OPTIONS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-g1", "-w", "-ffp-contract=off")
FILL = "-ftrivial-auto-var-init=pattern"  # a large number in every variable not yet set
KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^()]*\)\s+)?(\w+)\s*\(")
TYPES = {  # how a C++ compiler spells the parameters' types
    "f": "float32", "d": "float64", "s": "int16", "i": "int32", "x": "int64",
    "b": "bool", "h": "uint8", "j": "uint32", "y": "uint64", "l": "int64",
}  # fmt: skip


class EmulationError(Exception):
    """A source that does not compile, arguments that do not fit, or a divergent barrier."""


@functools.cache
def missing() -> str | None:
    """What keeps kernels from being emulated here, in words; None if nothing does."""
    if not sys.platform.startswith("linux"):
        return f"CUDA C is emulated on Linux only, not on {sys.platform}"
    if compiler() is None:
        return "there is no C++ compiler (g++ or clang++; or name one in the variable CXX)"
    return None


@functools.cache
def compiler() -> str | None:
    """The path of the C++ compiler."""
    names = [os.environ.get("CXX", ""), "g++", "clang++", "c++"]
    return next(filter(None, map(shutil.which, filter(None, names))), None)


@functools.cache
def fills_variables() -> bool:
    """Whether the compiler can fill variables that a source leaves unset; older ones cannot."""
    command = [str(compiler()), FILL, "-x", "c++", "-fsyntax-only", os.devnull]
    return subprocess.run(command, capture_output=True).returncode == 0


def cache_folder() -> Path:
    """Where compiled kernels are kept: a folder that only this user can write."""
    folder = Path(tempfile.gettempdir()) / f"minigrad-emulation-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise EmulationError(f"{folder} can be written by others; remove it")
    return folder


def build(source: str, macros: Sequence[str] = (), flags: Sequence[str] = ()) -> Path:
    """Compile a source with all its kernels; the file of its shared library.

    ``macros`` are options such as ``-DREAL=float``; ``flags`` more options of the C++ compiler.
    Several processes may compile the same at once: each writes a file of its own and renames it.
    """
    reason = missing()
    if reason is not None:
        raise EmulationError(reason)
    kernels = "".join(f"EMULATE({name})\n" for name in KERNEL.findall(source))
    text = f'#include "{HEADER}"\n#line 1 "kernel.cu"\n{source}\n{kernels}'
    fill = (FILL,) if fills_variables() else ()
    command = [str(compiler()), *OPTIONS, *fill, *macros, *flags]
    digest = hashlib.sha256(repr((command, text, HEADER.read_text())).encode()).hexdigest()
    library = cache_folder() / f"{digest[:32]}.so"
    if library.exists():
        return library
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
        source_file, built = Path(scratch, "kernel.cpp"), Path(scratch, "kernel.so")
        source_file.write_text(text)
        result = subprocess.run(
            [*command, str(source_file), "-o", str(built)], capture_output=True, text=True
        )
        if result.returncode:
            raise EmulationError(f"the source does not compile:\n{result.stderr.strip()}")
        built.replace(library)
    return library


class Kernel:
    """A kernel of a source, ready to be launched as often as wanted.

    The source is CUDA C, with ``extern "C" __global__ void`` before the kernel's ``name``;
    ``macros`` and ``flags`` are as for :func:`build`. ``types`` are those of its parameters: a
    NumPy dtype, behind ``*`` for a pointer and ``const *`` for one that is only read; ``struct``
    and a name for a structure.
    """

    def __init__(
        self, source: str, name: str, macros: Sequence[str] = (), flags: Sequence[str] = ()
    ) -> None:
        self.name = name
        # PyDLL keeps the interpreter's lock: an emulation's state is not for two threads at once.
        self.library = ctypes.PyDLL(str(build(source, macros, flags)))
        self._launch = getattr(self.library, f"launch_{name}")
        types = getattr(self.library, f"types_{name}")
        self._launch.restype = types.restype = ctypes.c_char_p
        self.types = [_type_in_words(code) for code in types().decode().split()]

    def launch(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        arguments: Sequence[Any],
        shared_bytes: int = 0,
        seed: int = 0,
    ) -> None:
        """Run all blocks of a grid, and the threads of each, in an order that a seed decides.

        ``grid`` and ``block`` are numbers along x, y and z, one at least. ``arguments`` are arrays
        for pointers, contiguous in some order of their axes (None for a null pointer), and numbers
        for the rest; arrays that are not read-only parameters are written. Shared memory sized at
        the launch, ``shared_bytes``, is not emulated. EmulationError also if threads of a block
        wait at different barriers.
        """
        sizes = [(*given, 1, 1)[:3] for given in (grid, block)]
        threads = sizes[1][0] * sizes[1][1] * sizes[1][2]
        if min(*sizes[0], *sizes[1]) < 1 or threads > 1024 or max(sizes[0][1:]) > 65535:
            raise self._error(f"no card runs grid {grid} of blocks {block}")
        if shared_bytes:
            raise self._error("shared memory sized at the launch is not emulated")
        if len(arguments) != len(self.types):
            raise self._error(f"{len(arguments)} arguments for {len(self.types)} parameters")
        boxes = [self._box(*each) for each in zip(range(len(arguments)), arguments, self.types)]
        pointers = (ctypes.c_void_p * len(boxes))(*(box.ctypes.data for box in boxes))
        triples = [(ctypes.c_uint * 3)(*size) for size in sizes]
        failure = self._launch(*triples, ctypes.c_uint(seed), pointers).decode()
        if failure:
            raise self._error(failure)

    def _box(self, place: int, argument: Any, kind: str) -> numpy.ndarray:
        """What a parameter is read from: one number, or the address of an array."""
        dtype = kind.rpartition("*")[2]
        is_array = isinstance(argument, numpy.ndarray)
        if dtype.startswith("struct"):
            if not is_array or argument.size != 1:
                raise self._error(
                    f"argument {place}, a {dtype}, should be a NumPy array of one element, which "
                    "is handed over by value"
                )
            return argument
        if "*" not in kind:
            box = numpy.array([argument]).astype(dtype)
            whole = isinstance(argument, (int, numpy.integer))
            if whole != (box.dtype.kind in "iu") or (whole and int(box[0]) != int(argument)):
                raise self._error(f"argument {place}, {argument!r}, is no number of type {dtype}")
            return box
        if argument is None:
            return numpy.zeros(1, "uintp")
        if not is_array or argument.dtype != dtype:
            given = getattr(argument, "dtype", type(argument).__name__)
            raise self._error(f"argument {place} should be an array of {dtype}, got {given}")
        return numpy.array([argument.ctypes.data], "uintp")

    def _error(self, problem: str) -> EmulationError:
        return EmulationError(f"{self.name}: {problem}")


def _type_in_words(code: str) -> str:
    """Such as ``const *float32``, for the C++ compiler's ``PKf``."""
    pointer, code = ("*", code[1:]) if code.startswith("P") else ("", code)
    read_only, code = ("const ", code[1:]) if code.startswith("K") else ("", code)
    name = code.lstrip("0123456789")  # a structure's stands behind its length
    return read_only + pointer + (TYPES[code] if name == code else f"struct {name}")
