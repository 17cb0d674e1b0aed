"""Checks of numbers that a caller gives, and how values are shown in error messages.

Each check names the function or class it speaks for and the argument that is wrong.
"""

from __future__ import annotations

import difflib
import math
import numbers
import operator
import os
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def cut(text: str, most: int = 200) -> str:
    """A text, or its beginning and how long it was."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def unknown_name(
    module: str, name: str, known: Iterable[str], instead: str | None = None
) -> AttributeError:
    """The error for a name that a module lacks: what there is like it, and how to add one."""
    lower = {each.lower(): each for each in known}
    near = [lower[each] for each in difflib.get_close_matches(name.lower(), lower)]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    hint = f"there is {instead}. " if instead else hint
    return AttributeError(
        f"{module} has no {name!r}; {hint}docs/add_an_operation.md shows how to add one"
    )


def shown(value: Any, most: int = 200) -> str:
    """The ``repr`` of a value that came from outside, cut; whatever the value is.

    >>> shown("mode"), shown("mode" * 1_000_000, 5), shown(10**5_000)
    ("'mode'", "'mode... (4,000,002 characters)", 'an int that cannot be shown')
    """
    try:
        return cut(repr(value), most)
    except (ValueError, RecursionError):  # numbers of more than 4,300 digits; cycles
        kind = type(value).__name__
        return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} that cannot be shown"


def user_line() -> str:
    """The innermost line of code outside this package, as ``file:line, in name: source``."""
    for frame in reversed(traceback.extract_stack()):
        if not os.path.abspath(frame.filename).startswith(_PACKAGE):
            return f"{frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
    return "an unknown line"


def require_number(
    name: str,
    what: str,
    value: Any,
    minimum: float = -math.inf,
    below: float | None = None,
    finite: bool = False,
) -> None:
    """Raise unless a value is one real number, Python's or NumPy's, within its bounds."""
    is_numpy = isinstance(value, numpy.generic)
    if not (value.dtype.kind in "biuf" if is_numpy else isinstance(value, numbers.Real)):
        raise TypeError(f"{name}: {what} must be a number, got {shown(value)}")
    if below is not None and not minimum <= value < below:
        raise ValueError(f"{name}: {what} must lie in [{minimum}, {below}), got {shown(value)}")
    if minimum > -math.inf and not value >= minimum:
        raise ValueError(f"{name}: {what} must be at least {minimum}, got {shown(value)}")
    if finite and not abs(value) < math.inf:
        raise ValueError(f"{name}: {what} must be finite, got {shown(value)}")


def is_whole(value: Any) -> bool:
    """Something that counts, Python's or NumPy's: no truth value, no tensor, nothing to round."""
    if type(value) is int:
        return True
    if isinstance(value, bool) or hasattr(value, "requires_grad"):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def whole_number(name: str, what: str, value: Any, minimum: int | None = 1) -> int:
    """A whole number of at least ``minimum`` as an int; no truth value, and no tensor."""
    if not is_whole(value):
        raise TypeError(f"{name}: {what} must be a whole number, got {shown(value)}")
    number = operator.index(value)
    if minimum is not None and number < minimum:
        raise ValueError(f"{name}: {what} must be at least {minimum}, got {shown(number)}")
    return number


def whole_numbers(name: str, what: str, value: Any, minimum: int | None = 1) -> tuple[int, ...]:
    """A sequence of whole numbers as a tuple; a single one becomes a tuple of one."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (whole_number(name, what, value, minimum),)
    return tuple(whole_number(name, what, item, minimum) for item in value)


def pair(name: str, what: str, value: Any, minimum: int | None = 1) -> tuple[int, int]:
    """One whole number for height and width, or one each, as a pair."""
    is_pair = type(value) is tuple and [type(one) for one in value] == [int, int]
    if is_pair and (minimum is None or min(value) >= minimum):  # most calls
        return value
    found = whole_numbers(name, what, value, minimum)
    if isinstance(value, Sequence) and len(found) != 2:
        raise ValueError(f"{name}: {what} must be one number or a pair, got {shown(value)}")
    return (found[0], found[-1])
