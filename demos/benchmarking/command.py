"""The command: which cases, which peers, how long; then tables, figures and JSON.

It begins with what the numbers depend on: processor, libraries, variables that slow some of them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from autoencoder.lecture.command_line import Parser, positive, positive_number
from autoencoder.lecture.run import new_folder
from autoencoder.lecture.terminal import command
from autoencoder.storage.files import atomic_write
from minigrad import __version__
from minigrad.parallel.threads import usable_cores

from .cases import CASES, measurements
from .peers import PEERS, Peer
from .process import ProcessError
from .report import save_figures, text
from .results import Result, as_json
from .rounds import GRADIENT_TOLERANCE, TOLERANCE, Rounds

__all__ = ["main"]

ROUNDS, SECONDS = 15, 0.4
QUICK_ROUNDS, QUICK_SECONDS = 3, 0.1
_PRESET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
NAMES = tuple(dict.fromkeys(peer.name for peer in PEERS))


@command
def main(arguments: Sequence[str] | None = None, extra: Sequence[Peer] = ()) -> int:
    """Run the benchmark, also with ``extra`` libraries.

    Gives 0; 1 if minigrad failed or a peer computes something else; 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    peers = [*_peers(parser, options), *extra]
    quick = options.quick
    rounds = options.rounds or (QUICK_ROUNDS if quick else ROUNDS)
    seconds = options.seconds or (QUICK_SECONDS if quick else SECONDS)
    about = {
        "machine": _describe(peers),
        "settings": {
            "threads": options.threads,
            "device": options.device,
            "rounds": rounds,
            "seconds_a_turn": seconds,
            "quick": quick,
            "tolerance": TOLERANCE,
            "gradient_tolerance": GRADIENT_TOLERANCE,
        },
    }
    _introduce(about, options.threads)
    wanted = [
        measurement
        for case in CASES
        if not options.case or case in options.case
        for measurement in measurements(case, peers, options.threads, options.device, quick)
    ]
    if not wanted:
        parser.error(f"nothing to measure on {options.device} in {', '.join(options.case)}")
    results: list[Result] = []
    try:
        with (
            tempfile.TemporaryDirectory(prefix="minigrad-benchmark-") as folder,
            Rounds(Path(folder), rounds, seconds, options.device) as turns,
        ):
            for measurement in wanted:
                results.append(turns.measure(measurement))
                print(f"\n{text(results[-1])}", flush=True)
    except ProcessError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted", file=sys.stderr)
        return 130
    folder = Path(options.out) if options.out else new_folder("benchmark")
    paths = save_figures(results, folder)
    if options.json:
        path = Path(options.json)
        atomic_write(path, json.dumps(as_json(results, about), indent=1) + "\n")
        paths.append(path)
    print("\n" + "\n".join(f"wrote {path}" for path in paths))
    wrong = [text for result in results for text in result.disagreements]
    for sentence in wrong:
        print(f"{parser.prog}: not the same as minigrad: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def _parser() -> Parser:
    parser = Parser(
        prog="benchmark.py",
        description="Time minigrad beside other libraries, in turn, each in a process of its own.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--case", action="append", choices=CASES, help="only this case; may be repeated")
    add("--peer", action="append", choices=NAMES, help="only this library; may be repeated")
    add("--threads", type=positive, default=2, help="for every library")
    add("--rounds", type=positive, help=f"turns of everybody ({ROUNDS}; quick: {QUICK_ROUNDS})")
    add("--seconds", type=positive_number, help=f"a turn ({SECONDS}; quick: {QUICK_SECONDS})")
    add("--quick", action="store_true", help="few short turns of small problems: to try it out")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="where the work is done")
    add("--json", metavar="FILE", help="write every ratio, by case and peer, and all values")
    add("--out", metavar="FOLDER", help="where figures go, if not a new folder under runs/")
    return parser


def _peers(parser: Parser, options: argparse.Namespace) -> list[Peer]:
    """The peers asked for, or all others that are installed."""
    if not options.peer:
        return [peer for peer in PEERS if peer.name != "minigrad" and peer.is_installed]
    chosen = [peer for peer in PEERS if peer.name in options.peer]
    for peer in chosen:
        if not peer.is_installed:
            parser.error(f"{peer.name} is not installed: pip install {peer.package}")
    return chosen


def _introduce(about: dict, threads: int) -> None:
    machine = about["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(f"{machine['processor']}, {machine['cores']} cores; Python {machine['python']}")
    print(f"{versions}; {threads} threads each")
    print(
        f"before timing, results must agree within {TOLERANCE:g} of their largest element, "
        f"gradients within {GRADIENT_TOLERANCE:g}"
    )
    print("median (quartiles); each ratio is the median of the ratios pair by pair")
    for note in _notes(threads):
        print(f"note: {note}")


def _describe(peers: Sequence[Peer]) -> dict[str, Any]:
    """Processor, cores, and versions of everything that takes part."""
    versions = {"minigrad": __version__, "numpy": numpy.__version__}
    for peer in peers:
        if peer.package not in versions:
            versions[peer.package] = importlib.metadata.version(peer.package)
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "preset": {name: os.environ[name] for name in _PRESET if name in os.environ},
    }


def _notes(threads: int) -> list[str]:
    """What a reader must know before believing a number."""
    found = []
    preset = [name for name in _PRESET if name in os.environ]
    if preset:
        unset = " ".join(f"-u {name}" for name in preset)
        found.append(
            f"{' and '.join(preset)} preset: NumPy's matrix products do not run at their best; "
            f"use `env {unset} python demos/benchmark.py`"
        )
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5:
        found.append(
            f"the machine is busy (load {os.getloadavg()[0]:.1f}): where threads wait for each "
            "other at every operation, as in BLAS and PyTorch, that costs most; ratios are not to "
            "be believed"
        )
    if threads > usable_cores():
        found.append(f"{threads} threads on {usable_cores()} cores")
    return found


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
