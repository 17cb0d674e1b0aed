"""The modes code runs in: whether operations are recorded, and whether they are checked.

The state lives in a context variable: each thread, and each asynchronous task, has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar, overload

from minigrad.backend import run_inside

Function = TypeVar("Function", bound=Callable[..., Any])

# Whether operations are recorded, whether they are checked, and the mode outside the innermost
# block. A plain tuple, because every operation takes it apart.
Mode = tuple[bool, bool, Any]

_mode: ContextVar[Mode] = ContextVar("minigrad_mode", default=(True, False, None))
current_mode = _mode.get


class ModeBlock:
    """A mode for a ``with`` block, or for a function while it runs.

    The mode, not the object, remembers where it was entered: the same object can be entered again
    inside itself, and by several threads at once.
    """

    _set: Mode | None = None  # what set_grad_enabled set at once
    _before: Mode  # what was set before it

    def __init__(self, recording: bool | None = None, checking: bool | None = None) -> None:
        self._recording = recording
        self._checking = checking

    def _inside(self, outer: Mode) -> Mode:
        """The mode inside the block, given the one outside."""
        recording = outer[0] if self._recording is None else self._recording
        checking = outer[1] if self._checking is None else self._checking
        return recording, checking, outer

    def _outside(self) -> Mode:
        """The present mode; if this object set it at once, the one before."""
        mode = _mode.get()
        return self._before if mode is self._set else mode

    def __enter__(self) -> None:
        _mode.set(self._inside(self._outside()))

    def __exit__(self, *error: object) -> None:
        outer = _mode.get()[2]
        if outer is not None:  # None where a generator is closed by another thread
            _mode.set(outer)

    def __call__(self, function: Function) -> Function:
        """The function, run in this mode; a generator or coroutine at each of its steps."""
        _mode.set(self._outside())  # `@set_grad_enabled(False)` is meant for the function only
        if not callable(function) and not isinstance(function, classmethod):
            kind = type(function).__name__
            raise TypeError(f"no_grad and its like decorate functions, got an object {kind!r}")
        return run_inside(function, _mode, self._inside)


def set_grad_enabled(mode: bool) -> ModeBlock:
    """Record operations from now on, or not; inside a block or a decorated function, only there.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """
    if mode not in (True, False):
        kind = type(mode).__name__
        raise TypeError(f"set_grad_enabled: expected True or False, got an object {kind!r}")
    block = ModeBlock(recording=bool(mode))
    block._before = _mode.get()
    block._set = (bool(mode), *block._before[1:])
    _mode.set(block._set)
    return block


@overload
def no_grad() -> ModeBlock: ...
@overload
def no_grad(function: Function) -> Function: ...
def no_grad(function: Function | None = None) -> ModeBlock | Function:
    """Record no operation inside the block; also a decorator, with or without brackets.

    A decorated generator or coroutine runs in the mode at each of its steps; between them the mode
    is the caller's. Of a decorated class, making an instance runs in it.

    >>> from minigrad import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     (2 * x).requires_grad
    False
    >>> no_grad(lambda x: 2 * x)(x).requires_grad
    False
    """
    block = ModeBlock(recording=False)
    return block if function is None else block(function)


@overload
def enable_grad() -> ModeBlock: ...
@overload
def enable_grad(function: Function) -> Function: ...
def enable_grad(function: Function | None = None) -> ModeBlock | Function:
    """Record operations inside the block, also within :func:`no_grad`; a decorator like it.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """
    block = ModeBlock(recording=True)
    return block if function is None else block(function)


def is_grad_enabled() -> bool:
    """Tell whether operations are being recorded in this thread.

    >>> is_grad_enabled()
    True
    """
    return _mode.get()[0]


@overload
def detect_anomaly() -> ModeBlock: ...
@overload
def detect_anomaly(function: Function) -> Function: ...
def detect_anomaly(function: Function | None = None) -> ModeBlock | Function:
    """Stop at the first operation whose result or gradient is not finite; a decorator like no_grad.

    It raises a :class:`FloatingPointError` that names the operation and the line of user code that
    created it. Slow: for finding a fault.

    >>> from minigrad import Tensor
    >>> with detect_anomaly():
    ...     Tensor([0.0]).log()
    Traceback (most recent call last):
        ...
    FloatingPointError: log: the result is not finite (first at index (0,): -inf), created at ...
    """
    block = ModeBlock(checking=True)
    return block if function is None else block(function)
