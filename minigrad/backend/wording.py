"""Values and names in error messages, cut to a length that can be read."""

from __future__ import annotations

from typing import Any

__all__ = ["cut", "shown"]


def cut(text: str, most: int = 200) -> str:
    """A text, or its beginning and how long it was.

    Examples
    --------
    >>> cut("short"), cut("a" * 1_000_000, 8)
    ('short', 'aaaaaaaa... (1,000,000 characters)')
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def shown(value: Any, most: int = 200) -> str:
    """The ``repr`` of a value that came from outside, cut; whatever the value is.

    Examples
    --------
    >>> shown("mode"), shown("mode" * 1_000_000, 5), shown(10**5_000)
    ("'mode'", "'mode... (4,000,002 characters)", 'an int that cannot be shown')
    """
    try:
        return cut(repr(value), most)
    except (ValueError, RecursionError):  # numbers of more than 4,300 digits; cycles
        kind = type(value).__name__
        return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} that cannot be shown"
