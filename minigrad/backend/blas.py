"""BLAS, which multiplies matrices: its threads, and its way with small products.

While shards run side by side BLAS is held to one thread. Threads of its own under several workers
would get in each other's way, and the order of additions would depend on how many there are.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any, TypeVar

# The processors, as OpenBLAS calls them, for which it multiplies small matrices without first
# copying them into another order: those with AVX-512.
IN_PLACE = ("SkylakeX", "Cooperlake", "SapphireRapids")

# Reentrant, since the garbage collector may end a holder's block while another one begins.
_lock = threading.RLock()
_holders: set[object] = set()
_limited: list[tuple[Any, int]] = []  # each library held to one thread, and how many it had
_found: list[Any] = []  # the libraries at hand
_modules = 0  # how many modules were loaded when they were looked for
_modules_limited = 0  # how many when they were limited
_warned = False

_Function = TypeVar("_Function", bound=Callable[..., Any])


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread inside the block, and restore it afterwards.

    The limit belongs to the process, so holders are counted: the first sets it, the last lifts
    it. Entering while it is held costs next to nothing, so a training loop holds it throughout.
    Where BLAS cannot be limited (macOS Accelerate, say), a RuntimeWarning says so once.
    """
    holder = object()
    try:
        try:
            _hold(holder, stacklevel=4)
            yield
        finally:
            _let_go(holder)
    except BaseException:
        _let_go(holder)  # again: Ctrl-C may have come in the midst of it
        raise


def with_one_blas_thread(function: _Function) -> _Function:
    """A function during which BLAS is limited to one thread, as by :func:`one_blas_thread`.

    Whatever moment Ctrl-C comes at, the limit is lifted when the function is left. A ``with``
    statement cannot promise that: Ctrl-C may come between the end of the block and the code that
    lifts the limit. It is lifted once the exception is forgotten then.
    """

    @wraps(function)
    def limited(*arguments: Any, **options: Any) -> Any:
        holder = object()
        try:
            try:
                _hold(holder, stacklevel=3)
                return function(*arguments, **options)
            finally:
                _let_go(holder)
        except BaseException:
            _let_go(holder)  # again: Ctrl-C may have come in the midst of it
            raise

    return limited  # type: ignore[return-value]


def has_one_blas_thread() -> bool:
    """Whether BLAS is held to one thread just now, or has none that could be held."""
    return bool(_limited) or not _can_be_limited()


@cache
def _can_be_limited() -> bool:
    return bool(_libraries())


def _hold(holder: object, stacklevel: int) -> None:
    """Limit what is not limited yet. What interrupts this, :func:`_let_go` puts right."""
    global _modules_limited, _warned
    with _lock:
        _holders.add(holder)
        if _limited and _modules_limited == len(sys.modules):
            return
        libraries = _libraries()
        if not libraries and not _warned:
            _warned = True
            warnings.warn(
                "minigrad: this NumPy's BLAS has threads that cannot be limited; results may "
                "depend on their number",
                RuntimeWarning,
                stacklevel=stacklevel,
            )
        _modules_limited = 0  # in case this is interrupted
        for library in libraries:
            _limited.append((library, library.get_num_threads()))
            _set_threads(library, 1)
        _modules_limited = len(sys.modules)


def _let_go(holder: object) -> None:
    """Lift the limit with its last holder. To be called again if it was interrupted."""
    with _lock:
        _holders.discard(holder)
        while _limited and not _holders:
            library, threads = _limited[-1]
            _set_threads(library, threads)
            del _limited[-1:]


def _set_threads(library: Any, threads: int) -> None:
    """Set a library's threads, whichever thread set them before: the limit is the process's.

    From 3.7 on threadpoolctl heeds the first thread that sets them only, until told to forget it.
    """
    forget = getattr(library, "clear_controlling_thread", None)
    if forget is not None:
        forget(force=True)
    library.set_num_threads(threads)
    if forget is not None:
        forget(force=True)


@cache
def multiplies_small_in_place() -> bool:
    """Whether BLAS multiplies small matrices where they are: OpenBLAS on some processors."""
    return any(getattr(library, "architecture", None) in IN_PLACE for library in _libraries())


def _libraries() -> list[Any]:
    """The libraries at hand, looked for anew when SciPy, say, has brought a BLAS of its own."""
    global _found, _modules
    with _lock:
        modules = len(sys.modules)
        if _modules != modules:
            import threadpoolctl  # here, because it takes as long to import as the whole package

            made: list[Any] = []
            # In a thread, where Ctrl-C does not come: in a call from C it would be lost, and with
            # it the libraries not seen yet.
            finder = threading.Thread(
                target=lambda: made.append(threadpoolctl.ThreadpoolController()), daemon=True
            )
            finder.start()
            finder.join()
            _found = made[0].select(user_api="blas").lib_controllers
            _modules = modules
        return _found
