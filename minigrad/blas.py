"""What there is to know of BLAS and to tell it: its way with small products, and its threads.

While shards run side by side it is held to one thread. Each worker's matrix products are small;
BLAS threads under several workers would only get in each other's way, and would make the order of
additions depend on how many there are.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

# The processors, as OpenBLAS calls them, for which it multiplies small matrices without first
# copying them into another order: those with AVX-512.
IN_PLACE = ("SkylakeX", "Cooperlake", "SapphireRapids")

_lock = threading.Lock()
_holders = 0
_limit: Any = None
_controller: Any = None
_modules = 0  # how many were loaded when the controller was made
_warned = False


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread inside the block, and restore it afterwards.

    The limit belongs to the process, so holders are counted: the first sets it, the last lifts
    it. Entering while it is held costs next to nothing, so a training loop holds it throughout.

    Warns
    -----
    RuntimeWarning
        Once, where the BLAS in use cannot be limited (macOS Accelerate, say): results may then
        depend on its threads.

    Examples
    --------
    >>> with one_blas_thread():
    ...     pass
    """
    global _holders, _limit
    with _lock:
        if _holders == 0:
            blas = _blas()
            if not blas.lib_controllers:
                _warn_once()
            _limit = blas.limit(limits=1)
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                _limit.restore_original_limits()
                _limit = None


@cache
def multiplies_small_in_place() -> bool:
    """Whether BLAS multiplies small matrices where they are: OpenBLAS on some processors.

    Examples
    --------
    >>> multiplies_small_in_place() in (True, False)
    True
    """
    with _lock:
        found = _blas().lib_controllers
    return any(getattr(library, "architecture", None) in IN_PLACE for library in found)


def _blas() -> Any:
    global _controller, _modules
    if _modules != len(sys.modules):  # SciPy, imported since, brings a BLAS of its own
        import threadpoolctl  # here, because it takes as long to import as the whole package

        _modules = len(sys.modules)
        _controller = threadpoolctl.ThreadpoolController().select(user_api="blas")
    return _controller


def _warn_once() -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            "minigrad: this NumPy's BLAS has threads that cannot be limited; results may "
            "depend on their number",
            RuntimeWarning,
            stacklevel=4,
        )
