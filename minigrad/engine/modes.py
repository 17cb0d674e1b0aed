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
    """A mode for a ``with`` block, or for a function while it runs.

    Where it was entered is remembered by the mode, not by the object. So one object can be entered
    again inside itself, and by several threads at once.
    """

    _set: Mode | None = None  # the mode that set_grad_enabled set at once,
    _before: Mode  # and the one until then

    def __init__(self, recording: bool | None = None, checking: bool | None = None) -> None:
        self._recording = recording
        self._checking = checking

    def _inside(self, outer: Mode) -> Mode:
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

    Examples
    --------
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

    A decorated generator or coroutine runs in the mode at each of its steps, and whoever takes its
    values in his own; of a class, making an instance runs in it.

    Examples
    --------
    >>> from minigrad import Tensor
    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     (2 * x).requires_grad
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
    """Record operations inside the block, also within :func:`no_grad`; a decorator like it.

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

    Examples
    --------
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

    Inside the block every operation remembers the line of user code that created it. Its output
    and the gradients that leave it are checked: NaN or infinity raises a
    :class:`FloatingPointError` naming the operation and that line. Slow: for finding a fault.

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
