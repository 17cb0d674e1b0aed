"""The modes code runs in: whether operations are recorded, and whether they are checked.

The state lives in a context variable: each thread, and each asynchronous task, has its own.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, TypeVar, overload

Function = TypeVar("Function", bound=Callable[..., Any])

# Whether operations are recorded, whether they are checked, and the mode outside the innermost
# block. A plain tuple, because every operation takes it apart.
Mode = tuple[bool, bool, Any]

_mode: ContextVar[Mode] = ContextVar("minigrad_mode", default=(True, False, None))
current_mode = _mode.get


class ModeBlock:
    """A mode for a ``with`` block, or for a function while it runs: used as often as one likes.

    The block itself remembers nothing of where it is entered, the mode does. So one object can be
    entered again inside itself, and by several threads at once.
    """

    def __init__(self, recording: bool | None = None, checking: bool | None = None) -> None:
        self._changes = recording, checking
        self._before: Mode | None = None  # if the mode was set at once: the one until then,
        self._set: Mode | None = None  # and the one since

    def _inside(self, outer: Mode) -> Mode:
        recording, checking = self._changes
        return (
            outer[0] if recording is None else recording,
            outer[1] if checking is None else checking,
            outer,
        )

    def _set_at_once(self) -> ModeBlock:
        self._before = _mode.get()
        self._set = (*self._inside(self._before)[:2], self._before[2])
        _mode.set(self._set)
        return self

    def _outside(self) -> Mode:
        """The mode to return to: if this object set the present one, the one before."""
        mode = _mode.get()
        return self._before if self._before is not None and mode is self._set else mode

    def __enter__(self) -> None:
        _mode.set(self._inside(self._outside()))

    def __exit__(self, *error: object) -> None:
        outer = _mode.get()[2]
        if outer is not None:  # None where a generator is closed by another thread
            _mode.set(outer)

    def __call__(self, function: Function) -> Function:
        """The function, run in this mode: also a coroutine, a generator, at each of its steps."""
        _mode.set(self._outside())  # `@set_grad_enabled(False)` is meant for the function only
        wrapped: Any
        if isinstance(function, staticmethod | classmethod):
            return type(function)(self(function.__func__))  # type: ignore[return-value]
        if isinstance(function, type):  # while it makes an instance
            if function.__init__ is not object.__init__:
                function.__init__ = self(function.__init__)
            return function
        if not callable(function):
            kind = type(function).__name__
            raise TypeError(f"no_grad and its like decorate functions, got an object {kind!r}")

        def is_a(test: Callable[[Any], bool]) -> bool:
            return test(function) or test(getattr(function, "__call__", None))  # noqa: B004

        if is_a(inspect.isgeneratorfunction):

            def wrapped(*args: Any, **kwargs: Any) -> Generator:
                return (yield from _stepwise(function(*args, **kwargs), _Steps(self)))

        elif is_a(inspect.iscoroutinefunction):

            async def wrapped(*args: Any, **kwargs: Any) -> Any:
                return await _stepwise(function(*args, **kwargs), _Steps(self))

        elif is_a(inspect.isasyncgenfunction):

            async def wrapped(*args: Any, **kwargs: Any) -> AsyncGenerator:
                generator, steps = function(*args, **kwargs), _Steps(self)
                try:
                    produced = await _stepwise(generator.asend(None), steps)
                    while True:
                        try:
                            sent = yield produced
                        except BaseException as error:
                            produced = await _stepwise(generator.athrow(error), steps)
                        else:
                            produced = await _stepwise(generator.asend(sent), steps)
                except StopAsyncIteration:
                    return

        else:

            def wrapped(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return functools.wraps(function)(wrapped)  # type: ignore[return-value]


class _Steps:
    """The mode of a generator while it runs: what it changes itself, it finds again."""

    def __init__(self, block: ModeBlock) -> None:
        self._block = block
        self._own: Mode | None = None

    def __enter__(self) -> None:
        self._callers = _mode.get()
        self._given = self._own or self._block._inside(self._callers)
        _mode.set(self._given)

    def __exit__(self, *error: object) -> None:
        mode = _mode.get()
        if mode is not self._given:
            self._own = mode
        _mode.set(self._callers)


@types.coroutine
def _stepwise(generator: Generator | Coroutine, steps: _Steps) -> Generator[Any, Any, Any]:
    """Run a generator or coroutine in its mode, and whoever it hands a value to in his own."""
    try:
        with steps:
            produced = generator.send(None)
        while True:
            try:
                sent = yield produced
            except BaseException as error:  # GeneratorExit, on close, too
                with steps:
                    produced = generator.throw(error)
            else:
                with steps:
                    produced = generator.send(sent)
    except StopIteration as end:
        return end.value


def set_grad_enabled(mode: bool) -> ModeBlock:
    """Record operations from now on, or not; inside a block or a decorated function, only there.

    Parameters
    ----------
    mode : bool

    Returns
    -------
    context manager
        To be used or not; also a decorator, as :func:`no_grad`.

    Raises
    ------
    TypeError
        If ``mode`` is neither true nor false.

    Examples
    --------
    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    >>> before = set_grad_enabled(False)
    >>> is_grad_enabled()
    False
    >>> before = set_grad_enabled(True)
    """
    if mode not in (True, False):
        kind = type(mode).__name__
        raise TypeError(f"set_grad_enabled: expected True or False, got an object {kind!r}")
    return ModeBlock(recording=bool(mode))._set_at_once()


@overload
def no_grad() -> ModeBlock: ...
@overload
def no_grad(function: Function) -> Function: ...
def no_grad(function: Function | None = None) -> ModeBlock | Function:
    """Record no operation inside the block; also a decorator, with or without brackets.

    A decorated generator or coroutine runs in the mode at each of its steps, and whoever takes its
    values in his own; of a class, making an instance runs in it.

    Parameters
    ----------
    function : callable, optional
        What is decorated, without brackets.

    Returns
    -------
    context manager, or the decorated function

    Raises
    ------
    TypeError
        If what is decorated is no function.

    Examples
    --------
    >>> from minigrad import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     y = 2 * x
    >>> y.requires_grad
    False
    >>> @no_grad
    ... def double(x):
    ...     return 2 * x
    >>> double(x).requires_grad
    False
    """
    block = ModeBlock(recording=False)
    return block if function is None else block(function)


@overload
def enable_grad() -> ModeBlock: ...
@overload
def enable_grad(function: Function) -> Function: ...
def enable_grad(function: Function | None = None) -> ModeBlock | Function:
    """Record operations inside the block, also within :func:`no_grad`.

    Parameters, result and errors as for :func:`no_grad`.

    Examples
    --------
    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """
    block = ModeBlock(recording=True)
    return block if function is None else block(function)


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
    return _mode.get()[0]


def unchecked() -> ModeBlock:
    """A block without the checks of :func:`detect_anomaly`.

    Backward uses it: a gradient that is not finite is blamed on the operation whose gradient it
    is, not on one of the operations its backward is made of.
    """
    return ModeBlock(checking=False)


@overload
def detect_anomaly() -> ModeBlock: ...
@overload
def detect_anomaly(function: Function) -> Function: ...
def detect_anomaly(function: Function | None = None) -> ModeBlock | Function:
    """Stop at the first operation whose result or gradient is not finite, inside the block.

    Every operation then remembers the line of user code that created it, and its output and the
    gradients that leave it are checked; a value that is NaN or infinite raises
    :class:`FloatingPointError` naming the operation and that line. Slow: for finding a fault.

    Parameters and result as for :func:`no_grad`.

    Examples
    --------
    >>> from minigrad import Tensor
    >>> with detect_anomaly():
    ...     Tensor([0.0]).log()
    Traceback (most recent call last):
        ...
    FloatingPointError: log: the result is not finite (first at index (0,): -inf), created at ...
    """
    block = ModeBlock(checking=True)
    return block if function is None else block(function)
