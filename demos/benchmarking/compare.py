"""The command behind ``compare_features.py``: each feature of each library, tried in a process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from autoencoder.lecture.command_line import Parser
from autoencoder.lecture.terminal import command

from .features import FEATURES, SAME_BITS
from .process import child_environment

__all__ = ["main", "size", "table", "tried"]

LIBRARIES = {  # and the folders of site-packages that are theirs
    "minigrad": ("minigrad",),
    "torch": ("torch",),
    "jax": ("jax", "jaxlib"),
    "autograd": ("autograd",),
    "tinygrad": ("tinygrad",),
}
TIME_LIMIT = 120.0  # seconds for one feature


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, in Markdown.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default the command line's.

    Returns
    -------
    int
        0, or 130 after Ctrl-C.
    """
    parser = Parser(
        prog="compare_features.py",
        description="Try features of minigrad and of other libraries that are installed.",
        allow_abbrev=False,
    )
    parser.add_argument("--peer", action="append", choices=LIBRARIES, help="only this library")
    chosen = parser.parse_args(arguments).peer or list(LIBRARIES)
    libraries = [name for name in chosen if importlib.util.find_spec(name) is not None]
    try:
        with tempfile.TemporaryDirectory(prefix="minigrad-features-") as folder:
            print(table(libraries, lambda name, feature: tried(name, feature, folder)))
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted", file=sys.stderr)
        return 130
    return 0


def table(libraries: Sequence[str], attempt: Callable[[str, str], str]) -> str:
    """One line a feature, one column a library; then what there is to read.

    Parameters
    ----------
    libraries : sequence of str
    attempt : callable
        From a library and a feature to the text of a cell.
    """
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
    for package in LIBRARIES[library]:
        for folder in importlib.util.find_spec(package).submodule_search_locations or []:
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
            [sys.executable, "-m", "benchmarking.features", library, feature],
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
