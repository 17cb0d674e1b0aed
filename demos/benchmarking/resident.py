"""How much memory of this process is resident, and how much has been."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["is_supported", "peak_resident", "reset_peak", "resident"]

_STATUS = Path("/proc/self/status")


def is_supported() -> bool:
    """Only Linux tells both, and lets the peak be reset."""
    return sys.platform == "linux" and _STATUS.exists()


def resident() -> int:
    """Bytes now."""
    return _read("VmRSS")


def peak_resident() -> int:
    """The most bytes since :func:`reset_peak`."""
    return _read("VmHWM")


def reset_peak() -> None:
    """Let the peak be what is resident now (see ``proc(5)``, ``clear_refs``)."""
    Path("/proc/self/clear_refs").write_text("5")


def _read(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"{_STATUS} has no {field}")
