"""Programs on several MPI ranks, for the tests: started, and their ranks found again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


def require_mpi():
    """Skip a test, and say why, where programs on several ranks cannot be started."""
    pytest.importorskip("mpi4py", reason="needs mpi4py: pip install -e '.[mpi]'")
    if MPIEXEC is None:
        pytest.skip("needs mpiexec: pip install -e '.[mpi]'")


def command(size, *arguments):
    """The command that runs a Python program on so many ranks, or on none with the size 0."""
    python = [sys.executable, *(["-m", "mpi4py"] if size else [])]
    return [*([MPIEXEC, "-n", str(size)] if size else []), *python, *map(str, arguments)]


def start(size, *arguments, **options):
    """Start a Python program on so many ranks."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(size, *arguments), **{**pipes, **options})


def run(size, *arguments, timeout=120, **options):
    """Run a Python program on so many ranks to its end."""
    process = start(size, *arguments, **options)
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
