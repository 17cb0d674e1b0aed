"""The command of ``compare_features.py``: a table of what each library can do.

Each feature is tried in a process of its own: ``python -m benchmarking.features.command LIBRARY
FEATURE`` prints, as JSON, what came out.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy

from autoencoder.lecture.command_line import Parser
from autoencoder.lecture.terminal import command

from ..process import child_environment
from . import IMAGES, KERNEL

LIBRARIES = ("minigrad", "torch", "jax", "autograd", "tinygrad")
SAME_BITS = "gradient_bits"
FEATURES = {  # the function's name, and what it means that it returns True
    "deep_chain": "a chain of 10,000 operations is differentiated",
    "second_derivative": "second derivatives through a strided convolution",
    "transposed_convolution": "a transposed convolution and its gradient",
    "change_in_place": "a value changed in place after use never gives a wrong gradient",
    "first_nan": "the operation that made the first NaN is named on request",
    "gradient_check": "a numerical gradient check is on board, and finds an error of 0.1 %",
    SAME_BITS: "the same bits of a convolution's gradient on one core and on two",
}
DEPTH = 10_000
TIME_LIMIT = 120.0  # seconds for one feature


def deep_chain(library: Any) -> bool:
    """``x + x + x ...``: its derivative is DEPTH + 1."""
    summed = lambda x: functools.reduce(lambda y, _: y + x, range(DEPTH), x).sum()  # noqa: E731
    x = library.array(numpy.ones(1, "float32"))
    return bool(library.host(library.gradient(summed)(x))[0] == DEPTH + 1)


def second_derivative(library: Any) -> bool:
    x = library.array(IMAGES)
    first = library.gradient(lambda weight: (library.conv2d(x, weight, stride=2) ** 3).sum())
    second = library.gradient(lambda weight: (first(weight) ** 2).sum())
    return bool(numpy.isfinite(library.host(second(library.array(KERNEL)))).all())


def transposed_convolution(library: Any) -> bool:
    x, weight = library.array(IMAGES), library.array(KERNEL[:3])
    found = library.gradient(lambda weight: library.conv_transpose2d(x, weight, stride=2).sum())
    return library.host(found(weight)).shape == (3, 3, 5, 5)


def change_in_place(library: Any) -> bool:
    """Where it is written as in PyTorch."""
    x, weight = library.array([2.0]), library.array([3.0]).requires_grad_()
    y = x * weight
    x.copy_(library.array([5.0]))
    try:
        y.backward()
    except RuntimeError:
        return True
    return weight.grad.item() == 2


def first_nan(library: Any) -> bool:
    try:
        library.make_nan()
    except (FloatingPointError, RuntimeError) as error:
        return library.NAN_MAKER in str(error)
    return False


def gradient_check(library: Any) -> bool:
    """Whether the check raises for a wrong derivative, and not for a right one."""
    try:
        library.check_gradient(library.wrong_square)
    except library.CheckError:
        library.check_gradient(lambda x: x * x)
        return True
    return False


def gradient_bits(library: Any) -> numpy.ndarray:
    x = library.array(IMAGES)
    found = library.gradient(lambda weight: (library.conv2d(x, weight) ** 2).mean())
    return library.host(found(library.array(KERNEL)))


def answer(library: str, feature: str) -> object:
    """Try a feature in this process: whether it is there, or "no" with the error's name.

    Of ``gradient_bits`` a digest.
    """
    try:
        module = importlib.import_module(f"benchmarking.features.with_{library}")
        if hasattr(module, feature):
            found = getattr(module, feature) is not None and getattr(module, feature)()
        else:
            found = feature in FEATURES and globals()[feature](module)
    except Exception as error:
        return f"no ({type(error).__name__})"
    if isinstance(found, numpy.ndarray):
        return hashlib.sha256(numpy.ascontiguousarray(found).tobytes()).hexdigest()
    return found


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, in Markdown; gives 0, or 130 after Ctrl-C."""
    parser = Parser(
        prog="compare_features.py",
        description="Try features of minigrad and of other libraries that are installed.",
        allow_abbrev=False,
    )
    parser.add_argument("--peer", action="append", choices=LIBRARIES, help="only this library")
    chosen = parser.parse_args(arguments).peer or list(LIBRARIES)
    libraries = [name for name in chosen if importlib.util.find_spec(name) is not None]
    with tempfile.TemporaryDirectory(prefix="minigrad-features-") as folder:
        print(table(libraries, lambda name, feature: tried(name, feature, folder)))
    return 0


def table(libraries: Sequence[str], attempt: Callable[[str, str], str]) -> str:
    """One line a feature, one column a library; ``attempt(library, feature)`` gives a cell."""
    lines = [["", *libraries], ["---"] * (len(libraries) + 1)]
    for feature, meaning in FEATURES.items():
        lines.append([meaning, *(attempt(name, feature) for name in libraries)])
    sizes = [size(name) for name in libraries]
    lines.append(["lines of Python in the package", *(f"{count:,}" for count, _ in sizes)])
    lines.append(["compiled code beside them, MB", *(f"{mega:.0f}" for _, mega in sizes)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tried(library: str, feature: str, bytecode: str) -> str:
    """Whether a library has a feature: ``"yes"``, ``"no"``, or no and why."""
    if feature != SAME_BITS:
        return _word(_run(library, feature, bytecode))
    cores = sorted(os.sched_getaffinity(0))[:2] if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return "not tried: needs Linux and two cores"
    digests = [_run(library, feature, bytecode, cores[:count]) for count in (1, 2)]
    if not all(isinstance(digest, str) and len(digest) == 64 for digest in digests):
        return _word(digests[0])
    return _word(digests[0] == digests[1])


def size(library: str) -> tuple[int, float]:
    """Lines of Python in a package's folders, and megabytes of compiled libraries."""
    lines, compiled = 0, 0
    for package in ("jax", "jaxlib") if library == "jax" else (library,):
        found: Any = importlib.util.find_spec(package)
        for folder in found.submodule_search_locations or []:
            for path in Path(folder).rglob("*"):
                if path.suffix == ".py":
                    lines += path.read_bytes().count(b"\n")
                elif {".so", ".dll", ".dylib", ".pyd"} & set(path.suffixes):
                    compiled += path.stat().st_size
    return lines, compiled / 1e6


def _run(library: str, feature: str, bytecode: str, cores: Sequence[int] = ()) -> object:
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    try:
        process = subprocess.run(
            [sys.executable, "-m", "benchmarking.features.command", library, feature],
            env=child_environment(len(cores) or 2, bytecode),
            preexec_fn=pin,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return f"no (not in {TIME_LIMIT:.0f} s)"
    if process.returncode:
        return f"no (exit status {process.returncode})"
    return json.loads(process.stdout.splitlines()[-1])


def _word(outcome: object) -> str:
    if isinstance(outcome, bool):
        return "yes" if outcome else "no"
    return str(outcome)


if __name__ == "__main__":
    print(json.dumps(answer(*sys.argv[1:])))
