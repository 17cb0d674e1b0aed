"""What CuPy has: its names and the arguments its functions accept, read from the real CuPy."""

from __future__ import annotations

import inspect
import json
from functools import cache
from pathlib import Path
from typing import Any

NAMES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "cupy_names.json").read_text(encoding="utf-8")
)


def missing(owner: str, name: str) -> Exception:
    """The error for a name that is not modelled: CuPy lacks it, or only the stand-in does."""
    if name in NAMES.get(owner, {}):
        return NotImplementedError(
            f"CuPy has {owner}.{name}, but the stand-in does not model it yet"
        )
    kind = "module" if owner.startswith("cupy") else "object"
    return AttributeError(f"{kind} {owner!r} has no attribute {name!r}")


@cache
def signature(owner: str, name: str) -> inspect.Signature | None:
    """The signature of one of CuPy's functions, or None where CuPy does not tell."""
    parameters = NAMES[owner][name].get("parameters")
    if parameters is None:
        return None
    return inspect.signature(eval(f"lambda {parameters}: None"))  # our own data file


def bind(owner: str, name: str, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Match arguments to CuPy's parameters.

    Raises
    ------
    TypeError
        If CuPy's function does not accept them.
    """
    known = signature(owner, name)
    if known is None:
        raise NotImplementedError(f"the signature of CuPy's {owner}.{name} is not known")
    try:
        return dict(known.bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise TypeError(f"CuPy's {name}({', '.join(known.parameters)}): {error}") from None
