"""The command: which cases, which peers, how long; then tables, figures and JSON.

It begins with what the numbers depend on: processor, libraries, variables that slow some of them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from autoencoder.figures import save
from autoencoder.lecture.command_line import Parser, positive, positive_number
from autoencoder.lecture.run import new_folder
from autoencoder.lecture.terminal import command
from autoencoder.storage.files import atomic_write
from minigrad import __version__
from minigrad.parallel.threads import usable_cores

from . import ranks
from .cases import CASES, NAMES, PEERS, Peer, measurement
from .process import ProcessError
from .report import ratio_figure, summary, text
from .rounds import GRADIENT_TOLERANCE, TOLERANCE, Rounds

ROUNDS, SECONDS = 15, 0.4
QUICK_ROUNDS, QUICK_SECONDS = 3, 0.1
RANKS = "ranks"  # needs MPI, and is measured only when asked for
LIBRARIES = tuple(dict.fromkeys(peer.name for peer in PEERS))


@command
def main(arguments: Sequence[str] | None = None, extra: Sequence[Peer] = ()) -> int:
    """Run the benchmark, also with ``extra`` libraries.

    Gives 0; 1 if minigrad failed or a peer computes something else; 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    options.case = options.case or list(NAMES)
    try:
        if RANKS in options.case:
            content, wrong = _measure_ranks(parser, options), []
        else:
            content, wrong = _measure_libraries(parser, options, extra)
    except ProcessError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    if options.json:
        atomic_write(options.json, json.dumps(content, indent=1) + "\n")
        print(f"wrote {options.json}")
    for sentence in wrong:
        print(f"{parser.prog}: not the same as minigrad: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def _measure_libraries(
    parser: Parser, options: argparse.Namespace, extra: Sequence[Peer]
) -> tuple[dict[str, Any], list[str]]:
    """What came out, and a sentence for each peer that computes something else."""
    # All that are installed, if none is asked for; minigrad beside itself only when asked for.
    asked = options.peer or [name for name in LIBRARIES if name != "minigrad"]
    peers = [peer for peer in PEERS if peer.name in asked]
    missing = [peer for peer in peers if importlib.util.find_spec(peer.package) is None]
    if options.peer and missing:
        parser.error(f"{missing[0].name} is not installed: pip install {missing[0].package}")
    peers = [*(peer for peer in peers if peer not in missing), *extra]
    cases = [case for case in CASES if case.name in options.case]
    threads, device = options.threads, options.device
    wanted = [measurement(case, peers, threads, device, options.quick) for case in cases]
    wanted = [each for each in wanted if each]
    if not wanted:
        parser.error(f"nothing to measure on {device} in {', '.join(options.case)}")
    machine = describe_machine(peers)
    _introduce(machine, threads)
    summaries = []
    ratios: dict[str, Any] = {}  # the medians, by case, measurement and label
    with (
        tempfile.TemporaryDirectory(prefix="minigrad-benchmark-") as folder,
        Rounds(Path(folder), options.rounds, options.seconds, device) as turns,
    ):
        for each in wanted:
            turns.measure(each)
            found = summary(each)
            summaries.append(found)
            print(f"\n{text(found)}", flush=True)
            medians = {ratio["label"]: ratio["median"] for ratio in found["ratios"]}
            ratios.setdefault(found["case"], {})[found["name"]] = medians
    print()
    if figure := ratio_figure(summaries):
        out = Path(options.out) if options.out else new_folder("benchmark")
        print(f"wrote {save(figure, out / 'benchmark')[0]}")
    tolerances = {"tolerance": TOLERANCE, "gradient_tolerance": GRADIENT_TOLERANCE}
    content = {"machine": machine, "settings": {**vars(options), **tolerances}}
    wrong = [sentence for found in summaries for sentence in found["disagreements"]]
    return {**content, "ratios": ratios, "measurements": summaries}, wrong


def _measure_ranks(parser: Parser, options: argparse.Namespace) -> dict[str, Any]:
    """Several ranks beside as many processes: programs of their own, and no other library."""
    if options.case != [RANKS]:
        parser.error(f"--case {RANKS} is measured alone")
    machine = describe_machine([])
    _introduce(machine, 1)
    measured = ranks.measure(options.rounds, options.seconds, options.quick)
    print(f"\n{ranks.text(measured)}")
    return {"machine": machine, "quick": options.quick, RANKS: measured}


def _parser() -> Parser:
    parser = Parser(
        prog="benchmark.py",
        description="Time minigrad beside other libraries, in turn, each in a process of its own.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--case", action="append", choices=(*NAMES, RANKS), help="only this case; may be repeated")
    add("--peer", action="append", choices=LIBRARIES, help="only this library; may be repeated")
    add("--threads", type=positive, default=2, help="for every library")
    add("--rounds", type=positive, help=f"turns of everybody ({ROUNDS}; quick: {QUICK_ROUNDS})")
    add("--seconds", type=positive_number, help=f"a turn ({SECONDS}; quick: {QUICK_SECONDS})")
    add("--quick", action="store_true", help="few short turns of small problems: to try it out")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="where the work is done")
    add("--json", metavar="FILE", help="write every ratio, by case and peer, and all values")
    add("--out", metavar="FOLDER", help="where figures go, if not a new folder under runs/")
    return parser


def describe_machine(peers: Sequence[Peer]) -> dict[str, Any]:
    """Processor, cores, and versions of everything that takes part."""
    versions = {"minigrad": __version__, "numpy": numpy.__version__}
    packages = [peer.package for peer in peers if peer.package not in versions]
    versions.update((package, importlib.metadata.version(package)) for package in packages)
    file = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", file.read_text() if file.exists() else "")
    preset = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    return {
        "processor": found[1] if found else platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "preset": {name: os.environ[name] for name in preset if name in os.environ},
    }


def _introduce(machine: dict[str, Any], threads: int) -> None:
    """What a reader must know before believing a number."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    print(
        f"{machine['processor']}, {machine['cores']} cores; Python {machine['python']}\n"
        f"{versions}; {threads} threads each\n"
        f"before timing, results must agree within {TOLERANCE:g} of their largest element, "
        f"gradients within {GRADIENT_TOLERANCE:g}\n"
        "median (quartiles); each ratio is the median of the ratios pair by pair"
    )
    if machine["preset"]:
        unset = " ".join(f"-u {name}" for name in machine["preset"])
        print(
            f"note: {' and '.join(machine['preset'])} preset: NumPy's matrix products do not run "
            f"at their best; use `env {unset} python demos/benchmark.py`"
        )
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > 0.5:
        print(
            f"note: the machine is busy (load {load:.1f}), which costs most where threads wait for "
            "each other at every operation, as in BLAS and PyTorch; ratios are not to be believed"
        )
    if threads > machine["cores"]:
        print(f"note: {threads} threads on {machine['cores']} cores")
