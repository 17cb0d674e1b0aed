"""Run a function with another value of a context variable; a generator, at each of its steps.

Between its steps a generator or coroutine lies still, while whoever takes its values goes on. The
value is therefore set when a step begins, and the caller's own put back when it ends.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
Inside = Callable[[Any], Any]


class _Steps:
    """Sets the value for each step of a call. What a step itself sets, the next one finds."""

    def __init__(self, variable: ContextVar[Any], inside: Inside) -> None:
        self._variable = variable
        self._inside = inside
        self._own: Any = None

    def __enter__(self) -> None:
        self._callers = self._variable.get()
        self._given = self._own or self._inside(self._callers)
        self._variable.set(self._given)

    def __exit__(self, *error: object) -> None:
        value = self._variable.get()
        if value is not self._given:
            self._own = value
        self._variable.set(self._callers)


def run_inside(function: Function, variable: ContextVar[Any], inside: Inside) -> Function:
    """The function, run with ``inside(value)`` in place of its caller's value of a variable.

    A generator or coroutine has it at each of its steps; a class while it makes an instance.

    >>> level = ContextVar("level", default=1)
    >>> run_inside(level.get, level, lambda outer: outer + 1)(), level.get()
    (2, 1)
    """
    if isinstance(function, staticmethod | classmethod):
        return type(function)(run_inside(function.__func__, variable, inside))  # type: ignore[return-value]
    if isinstance(function, type):
        if function.__init__ is not object.__init__:
            function.__init__ = run_inside(function.__init__, variable, inside)
        return function  # type: ignore[return-value]

    def is_a(test: Callable[[Any], bool]) -> bool:
        return test(function) or test(getattr(function, "__call__", None))  # noqa: B004

    if is_a(inspect.isgeneratorfunction):

        def wrapped(*args: Any, **kwargs: Any) -> Generator:  # type: ignore[no-redef]
            steps = _Steps(variable, inside)
            return (yield from _stepwise(function(*args, **kwargs), steps))  # type: ignore[misc]

    elif is_a(inspect.iscoroutinefunction):

        async def wrapped(*args: Any, **kwargs: Any) -> Any:  # type: ignore[no-redef]
            return await _stepwise(function(*args, **kwargs), _Steps(variable, inside))

    elif is_a(inspect.isasyncgenfunction):

        async def wrapped(*args: Any, **kwargs: Any) -> AsyncGenerator:  # type: ignore[no-redef]
            generator, steps = function(*args, **kwargs), _Steps(variable, inside)
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
            with _Steps(variable, inside):
                return function(*args, **kwargs)

    return functools.wraps(function)(wrapped)  # type: ignore[return-value]


@types.coroutine
def _stepwise(generator: Generator | Coroutine, steps: _Steps) -> Generator[Any, Any, Any]:
    """Run a generator or coroutine step by step; between the steps the caller's value holds."""
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
