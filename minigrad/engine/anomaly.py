"""Finding where a number went wrong: used by operations inside :func:`detect_anomaly`."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from minigrad.backend import Array, array_module, device_of, to_numpy, use_device

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def user_line() -> str:
    """The innermost line of code outside this package, as ``file:line, in name: source``."""
    for frame in reversed(traceback.extract_stack()):
        if not os.path.abspath(frame.filename).startswith(_PACKAGE):
            return f"{frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
    return "an unknown line"


def require_finite(array: Array, what: str, created: str) -> None:
    """Raise if an array holds NaN or infinity. Waits for the device.

    Raises
    ------
    FloatingPointError
        Naming ``what``, the first bad index and value, and the line of code.
    """
    xp = array_module(array)
    with use_device(device_of(array)):
        finite = xp.isfinite(array)
        if bool(finite.all()):
            return
        flat = int(xp.argmin(finite))  # False sorts first
        index = tuple(int(i) for i in xp.unravel_index(xp.asarray(flat), array.shape))
        value = to_numpy(array[index])
    raise FloatingPointError(
        f"{what} is not finite (first at index {index}: {value}), created at {created}"
    )
