"""Holding BLAS to one thread while shards run side by side.

Each worker's matrix products are small; BLAS threads under several workers would only get in
each other's way, and would make the order of additions depend on how many there are.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

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
        _holders += 1
        if _holders == 1:
            _limit = _blas().limit(limits=1)
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                _limit.restore_original_limits()
                _limit = None


def _blas() -> Any:
    global _controller, _modules, _warned
    if _modules != len(sys.modules):  # SciPy, imported since, brings a BLAS of its own
        import threadpoolctl  # here, because it takes as long to import as the whole package

        _modules = len(sys.modules)
        _controller = threadpoolctl.ThreadpoolController().select(user_api="blas")
        if not _controller.lib_controllers and not _warned:
            _warned = True
            warnings.warn(
                "minigrad: this NumPy's BLAS has threads that cannot be limited; results may "
                "depend on their number",
                RuntimeWarning,
                stacklevel=4,
            )
    return _controller
