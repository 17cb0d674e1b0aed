"""NVIDIA's compilers on the CUDA sources; neither needs a card.

As a program it prints the table of registers of docs/cuda.md.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import itertools
import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from minigrad.kernels import cuda

ARCHITECTURES = (75, 80, 90)
TILES = tuple(itertools.product((8, 2), (4, 1)))  # THREAD_ROWS, THREAD_COLUMNS
REALS, INDICES = ("float", "double"), ("int", "long long")
# What CuPy 14 adds to the options of a RawModule, but for the architecture.
BY_CUPY = ("-std=c++17", "-ftz=true", "--device-as-default-execution-space")


class Variant(NamedTuple):
    """A source as it is specialised for a launch; ``tile`` is None where it has none."""

    file: str
    real: str = "float"
    index: str = "int"
    tile: tuple[int, int] | None = None

    @property
    def options(self):
        tile = self.tile or ()
        names = ("THREAD_ROWS", "THREAD_COLUMNS")
        sizes = tuple(f"-D{name}={size}" for name, size in zip(names, tile))
        return (f"-DREAL={self.real}", f"-DINDEX={self.index}", f"-DPIECES={cuda.PIECES}", *sizes)


def variants(reals=REALS, indices=INDICES, tiles=TILES):
    """Every specialisation of every source."""
    for file in sorted(set(cuda.FILES.values())):
        tiled = "THREAD_ROWS" in text_of(file)
        for real, index, tile in itertools.product(reals, indices, tiles if tiled else (None,)):
            yield Variant(file, real, index, tile)


def text_of(file):
    return cuda.source(next(name for name, its_file in cuda.FILES.items() if its_file == file))


def packaged(distribution, pattern):
    """A file that a package of NVIDIA's brings: the newest, or None."""
    found = []
    for package in importlib.metadata.distributions():
        if (package.metadata["Name"] or "").startswith(distribution):
            files = [Path(str(package.locate_file(f))) for f in package.files or ()]
            found += [file for file in files if re.fullmatch(pattern, file.name)]
    return max(
        found, default=None, key=lambda file: [int(n) for n in re.findall(r"\d+", str(file))]
    )


class Nvrtc:
    """NVRTC as its package brings it, through ctypes: what CuPy compiles a RawModule with."""

    def __init__(self, library):
        self.nvrtc = ctypes.CDLL(str(library))
        numbers = ctypes.c_int(), ctypes.c_int()
        self.nvrtc.nvrtcVersion(*map(ctypes.byref, numbers))
        self.version = tuple(number.value for number in numbers)

    def compile(self, text, options):
        """The code for a card, and the same in PTX."""
        program = ctypes.c_void_p()
        given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        self.nvrtc.nvrtcCreateProgram(
            ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None
        )
        failure = self.nvrtc.nvrtcCompileProgram(program, len(options), given)
        log = self._text(program, "ProgramLog")
        assert failure == 0, log.decode()
        return self._text(program, "CUBIN"), self._text(program, "PTX")

    def _text(self, program, what):
        size = ctypes.c_size_t()
        getattr(self.nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(self.nvrtc, f"nvrtcGet{what}")(program, buffer)
        return buffer.raw


@functools.cache
def nvrtc():
    """NVRTC; None where its package is not installed (CuPy's extra ``ctk`` installs it too)."""
    library = packaged("nvidia-cuda-nvrtc", r"libnvrtc\.so\.\d+")
    return None if library is None else Nvrtc(library)


@functools.cache
def ptxas():
    """The assembler that says what a kernel takes of a card; None where it is not installed."""
    return packaged("nvidia-cuda-nvcc", "ptxas")


@functools.cache
def compiled(variant, architecture):
    """The code of a source for a card, and the same in PTX."""
    options = (*variant.options, *BY_CUPY, f"-arch=sm_{architecture}")
    return nvrtc().compile(text_of(variant.file), options)


class Usage(NamedTuple):
    """What a kernel takes of a card."""

    registers: int  # of a thread
    spilt: int  # bytes
    shared: int  # bytes of a block


def usages(variant, architecture):
    """What each kernel of a source takes, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kernel.ptx")
        file.write_bytes(compiled(variant, architecture)[1].rstrip(b"\0"))
        command = [ptxas(), "-v", f"-arch=sm_{architecture}", file, "-o", f"{file}.cubin"]
        result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = {}
    for part in result.stderr.split("Compiling entry function ")[1:]:
        name = re.match(r"'(\w+)'", part)[1]
        spills = re.findall(r"(\d+) bytes (?:spill|stack)", part)
        shared = re.search(r"(\d+) bytes smem", part)
        registers = int(re.search(r"Used (\d+) registers", part)[1])
        found[name] = Usage(registers, sum(map(int, spills)), int(shared[1]) if shared else 0)
    return found


def versions():
    """Which compilers these are, in words."""
    told = subprocess.run([ptxas(), "--version"], capture_output=True, text=True).stdout
    numbers = ".".join(map(str, nvrtc().version))
    return f"NVRTC {numbers}, ptxas {re.findall(r'V([0-9.]+)', told)[0]}"


def table(architecture=90):
    """Registers and shared memory of each kernel and tile, as rows of Markdown."""
    rows = {}
    for variant in variants(indices=("int",)):
        for name, usage in usages(variant, architecture).items():
            rows.setdefault((name, variant.tile), []).append(usage)
    yield "| kernel | tile | registers, float32 | float64 | bytes shared, float32 | float64 |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for (name, tile), (single, double) in rows.items():
        size = f"{16 * tile[0]} x {8 * tile[1]}" if tile else ""
        numbers = (single.registers, double.registers, single.shared, double.shared)
        yield f"| {name} | {size} | {' | '.join(map(str, numbers))} |"


if __name__ == "__main__":
    print(versions(), *table(), sep="\n")
