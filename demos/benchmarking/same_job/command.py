"""The command of ``same_job.py``: the programs take turns; their lines, seconds and errors."""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy

from autoencoder import load
from autoencoder.lecture.command_line import Parser, positive
from autoencoder.lecture.terminal import command
from autoencoder.models import AutoEncoder, count_parameters

from ..command import describe_machine
from ..process import TIME_LIMIT

LIBRARIES = ("minigrad", "torch", "keras", "pythae")
ROUNDS, TRAIN_IMAGES, TEST_IMAGES = 3, 10_000, 10_000
ANSWER = re.compile(r"(\d+) parameters, test error (\S+)$")
FIND_VERSION = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"


@dataclass
class Program:
    """A program, the Python that runs it, and what came of its turns."""

    library: str
    python: str
    version: str = ""
    problem: str = ""  # why it takes no part, or no part any more
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    error: float = float("nan")

    @property
    def path(self) -> Path:
        return Path(__file__).with_name(f"with_{self.library}.py")


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, in Markdown. Gives 0, or 1 if a program that was started failed."""
    parser = Parser(
        prog="same_job.py",
        description="Train the lecture's autoencoder with minigrad, PyTorch, Keras and pythae.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--rounds", type=positive, default=ROUNDS, help="turns of each program")
    parser.add_argument("--images", type=positive, default=TRAIN_IMAGES, help="to train on")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="LIBRARY=PATH",
        help="the Python of another environment that has a library",
    )
    options = parser.parse_args(arguments)
    pythons = dict.fromkeys(LIBRARIES, sys.executable)
    for given in options.python:
        library, _, path = given.partition("=")
        if library not in pythons or not Path(path).is_file():
            parser.error(f"--python {given}: not one of {', '.join(LIBRARIES)}, = and a file")
        # Not resolved: an environment is where its link is.
        pythons[library] = os.path.abspath(path)
    programs = [Program(library, python) for library, python in pythons.items()]
    for program in programs:
        find_version(program)
    machine = describe_machine([])
    print(
        f"{machine['processor']}, {machine['cores']} cores; Python {machine['python']}", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="minigrad-same-job-") as folder:
        write_images(Path(folder) / "images.npz", options.images)
        for number in range(options.rounds):
            for program in programs:
                if not program.problem:
                    run(program, Path(folder))
                    took = program.problem or f"{program.seconds[-1]:.1f} s"
                    print(f"round {number + 1}, {program.library}: {took}", file=sys.stderr)
    print(f"\n{table(programs)}")
    for program in programs:
        if program.problem:
            print(f"\n{program.library}: {program.problem}")
    return 1 if any(program.problem and program.version for program in programs) else 0


def find_version(program: Program) -> None:
    """Which version of its library a program's Python has; if none, the program takes no part."""
    asked = [program.python, "-c", FIND_VERSION, program.library]
    answer = subprocess.run(asked, capture_output=True, text=True)
    program.version = answer.stdout.strip()
    if answer.returncode:
        program.problem = (
            f"not installed for {program.python}: pip install {program.library}, "
            f"or --python {program.library}=PATH"
        )


def write_images(path: Path, count: int) -> None:
    """The images for every program, as bytes: some for training, and the test images."""
    digits = load("mnist")
    numpy.savez(
        path, train=digits.train_images[:count], test=digits.test_images[: min(count, TEST_IMAGES)]
    )


def run(program: Program, folder: Path) -> None:
    """Let a program have a turn: from the start of its process to the end."""
    environment = {"KERAS_BACKEND": "torch", **os.environ}
    before, started = os.times(), time.perf_counter()
    try:
        process = subprocess.run(
            [program.python, program.path, folder / "images.npz"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        program.problem = f"not ready in {TIME_LIMIT:.0f} s"
        return
    program.seconds.append(time.perf_counter() - started)
    after = os.times()
    program.processor_seconds.append(sum(after[2:4]) - sum(before[2:4]))  # of child processes
    answer = ANSWER.search(process.stdout.strip())
    if process.returncode or not answer:
        last = process.stderr.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        program.problem = f"failed: {last[0]}"
    elif int(answer[1]) != (expected := count_parameters(AutoEncoder(latent_size=8))):
        program.problem = f"another network: {answer[1]} parameters, not {expected}"
    else:
        program.error = float(answer[2])


def table(programs: Sequence[Program]) -> str:
    """A row a program that has done its job: its quickest turn, and beside it the slowest."""
    rows = [
        "| | lines of code | seconds (slowest) | processor seconds | test error |",
        "| --- | --- | --- | --- | --- |",
    ]
    for program in programs:
        if not program.problem:
            rows.append(
                f"| {program.library} {program.version} | {lines_of_code(program.path)} "
                f"| {min(program.seconds):.1f} ({max(program.seconds):.1f}) "
                f"| {min(program.processor_seconds):.1f} | {program.error:.4f} |"
            )
    return "\n".join(rows)


def lines_of_code(path: Path) -> int:
    """Lines that are neither empty nor a comment nor the docstring at the top."""
    source = path.read_text()
    start = ast.parse(source).body[0].end_lineno or 0
    lines = [line.strip() for line in source.splitlines()[start:]]
    return sum(bool(line) and not line.startswith("#") for line in lines)
