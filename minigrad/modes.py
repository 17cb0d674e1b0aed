"""The modes code runs in: whether operations are recorded, and whether they are checked.

The state lives in a context variable: each thread, and each asynchronous task, has its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple


class Mode(NamedTuple):
    """The modes in force: ``recording`` operations into the graph, ``checking`` for anomalies."""

    recording: bool = True
    checking: bool = False


_mode: ContextVar[Mode] = ContextVar("minigrad_mode", default=Mode())  # noqa: B039 (a tuple)
current_mode = _mode.get


@contextlib.contextmanager
def _changed(**changes: bool) -> Iterator[None]:
    token = _mode.set(_mode.get()._replace(**changes))
    try:
        yield
    finally:
        _mode.reset(token)


def set_grad_enabled(enabled: bool) -> contextlib.AbstractContextManager[None]:
    """Record operations inside the block, or not.

    Parameters
    ----------
    enabled : bool

    Returns
    -------
    context manager

    Examples
    --------
    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """
    return _changed(recording=bool(enabled))


def no_grad() -> contextlib.AbstractContextManager[None]:
    """Record no operation inside the block; also a decorator.

    Returns
    -------
    context manager

    Examples
    --------
    >>> from minigrad import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     y = 2 * x
    >>> y.requires_grad
    False
    """
    return _changed(recording=False)


def enable_grad() -> contextlib.AbstractContextManager[None]:
    """Record operations inside the block, also within :func:`no_grad`.

    Returns
    -------
    context manager

    Examples
    --------
    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """
    return _changed(recording=True)


def is_grad_enabled() -> bool:
    """Tell whether operations are being recorded in this thread.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_grad_enabled()
    True
    """
    return _mode.get().recording


def unchecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function run without the checks of :func:`detect_anomaly`.

    Backward uses it: a gradient that is not finite is blamed on the operation whose gradient it
    is, not on one of the operations its backward is made of.
    """
    return _changed(checking=False)(function)


def detect_anomaly() -> contextlib.AbstractContextManager[None]:
    """Stop at the first operation whose result or gradient is not finite, inside the block.

    Every operation then remembers the line of user code that created it, and its output and the
    gradients that leave it are checked; a value that is NaN or infinite raises
    :class:`FloatingPointError` naming the operation and that line. Slow: for finding a fault.

    Returns
    -------
    context manager

    Examples
    --------
    >>> from minigrad import Tensor
    >>> with detect_anomaly():
    ...     Tensor([0.0]).log()
    Traceback (most recent call last):
        ...
    FloatingPointError: log: the result is not finite (first at index (0,): -inf), created at ...
    """
    return _changed(checking=True)
