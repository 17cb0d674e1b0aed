"""What the numbers depend on: processor, libraries, and variables that slow some of them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from minigrad import __version__
from minigrad.parallel.threads import usable_cores

from .peers import Peer

__all__ = ["describe", "notes"]

_PRESET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def describe(peers: Sequence[Peer]) -> dict[str, Any]:
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


def notes(threads: int) -> list[str]:
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
