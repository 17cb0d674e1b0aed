"""Parameter groups: which tensors are improved, with which options."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minigrad.backend import shown
from minigrad.engine import Tensor

Group = dict[str, Any]  # "params", and the options


def checked_group(
    name: str, group: Mapping[str, Any], defaults: Mapping[str, Any], others: Sequence[Tensor]
) -> Group:
    """A group with its options complete, after checking its parameters.

    Parameters
    ----------
    name : str
        The optimiser's, for messages.
    group : dict
        ``"params"`` and any options.
    defaults : dict
        Every option there is.
    others : sequence of Tensor
        The parameters of other groups, which may not come again.

    Raises
    ------
    TypeError, ValueError
        Saying which parameter or option is wrong.
    """
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError(f"{name}: a parameter group is a dict with 'params', got {shown(group)}")
    unknown = [key for key in group if key != "params" and key not in defaults]
    if unknown:
        known = ", ".join(defaults)
        raise TypeError(f"{name}: unknown option {shown(unknown[0])} in a group, expected {known}")
    params = group["params"]
    params = [params] if isinstance(params, Tensor) else params
    if not isinstance(params, Iterable) or isinstance(params, str):
        raise TypeError(f"{name}: 'params' must be tensors, got {type(params).__name__}")
    params = list(params)
    if not params:
        raise ValueError(f"{name}: a parameter group has no parameters")
    seen = {id(parameter) for parameter in others}
    for i, parameter in enumerate(params):
        if not isinstance(parameter, Tensor):
            kind = type(parameter).__name__
            raise TypeError(f"{name}: parameter {i} is a {kind}, no Tensor")
        if not parameter.is_leaf or parameter.dtype.kind != "f":
            raise ValueError(
                f"{name}: parameter {i} of shape {parameter.shape} must be a floating point leaf, "
                f"not whole numbers or the result of an operation"
            )
        if id(parameter) in seen:
            raise ValueError(f"{name}: parameter {i} of shape {parameter.shape} comes twice")
        seen.add(id(parameter))
    return {**defaults, **group, "params": params}


def require_number(
    name: str,
    option: str,
    value: Any,
    minimum: float = 0.0,
    below: float | None = None,
    finite: bool = True,
) -> None:
    """Raise unless an option is a number of at least ``minimum`` and less than ``below``.

    Examples
    --------
    >>> require_number("SGD", "lr", -0.1)
    Traceback (most recent call last):
        ...
    ValueError: SGD: lr must be at least 0.0, got -0.1
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {option} must be a number, got {shown(value)}") from None
    if below is not None and not minimum <= number < below:
        raise ValueError(f"{name}: {option} must lie in [{minimum}, {below}), got {shown(value)}")
    if not number >= minimum:
        raise ValueError(f"{name}: {option} must be at least {minimum}, got {shown(value)}")
    if finite and number == math.inf:
        raise ValueError(f"{name}: {option} must be finite, got {shown(value)}")


def require_count(name: str, option: str, value: Any, minimum: int) -> None:
    """Raise unless an option is a whole number of at least ``minimum``.

    Examples
    --------
    >>> require_count("StepLR", "step_size", 0, minimum=1)
    Traceback (most recent call last):
        ...
    ValueError: StepLR: step_size must be at least 1, got 0
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {option} must be a whole number, got {shown(value)}") from None
    if number < minimum:
        raise ValueError(f"{name}: {option} must be at least {minimum}, got {number}")
