"""Checking what layers are made with, and moved to."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy

from minigrad.backend import Device, as_dtype, device, shown
from minigrad.engine import Tensor


def whole_number(layer: str, name: str, value: Any, minimum: int | None = 1) -> int:
    """The value as an int.

    Raises
    ------
    TypeError, ValueError
        If it is no whole number, or less than ``minimum``; names the layer and the argument.

    Examples
    --------
    >>> whole_number("Linear", "in_features", 0)
    Traceback (most recent call last):
        ...
    ValueError: Linear: in_features must be at least 1, got 0
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{layer}: {name} must be a whole number, got {shown(value)}")
    if minimum is not None and number < minimum:
        raise ValueError(f"{layer}: {name} must be at least {minimum}, got {number}")
    return number


def whole_numbers(layer: str, name: str, value: Any, minimum: int | None = 1) -> tuple[int, ...]:
    """A sequence of whole numbers as a tuple; a single one becomes a tuple of one.

    Examples
    --------
    >>> whole_numbers("LayerNorm", "normalized_shape", [3, 4])
    (3, 4)
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        return (whole_number(layer, name, value, minimum),)
    return tuple(whole_number(layer, name, item, minimum) for item in value)


def pair(layer: str, name: str, value: Any, minimum: int = 1) -> tuple[int, int]:
    """One whole number for height and width, or one each, as a pair.

    Examples
    --------
    >>> pair("Conv2d", "stride", 2), pair("Conv2d", "stride", (2, 1))
    ((2, 2), (2, 1))
    """
    numbers = whole_numbers(layer, name, value, minimum)
    if isinstance(value, Sequence) and len(numbers) != 2:
        raise ValueError(f"{layer}: {name} must be one number or a pair, got {shown(value)}")
    return (numbers[0], numbers[-1])


def device_or_dtype(caller: str, target: Any) -> Device | numpy.dtype:
    """Tell a device from a precision.

    Raises
    ------
    TypeError
        If the value names neither, or no floating point dtype.

    Examples
    --------
    >>> device_or_dtype("Linear.to", "cpu"), device_or_dtype("Linear.to", "float64")
    (Device(type='cpu', index=None), dtype('float64'))
    """
    if isinstance(target, Device) or (
        isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda")
    ):
        return device(target)
    if isinstance(target, Tensor) or target is None:
        raise TypeError(f"{caller}: expected a device or a dtype, got {type(target).__name__}")
    return parameter_dtype(caller, target, "a device or a dtype")


def parameter_dtype(caller: str, given: Any, expected: str = "a dtype") -> numpy.dtype:
    """A floating point dtype, float32 for None.

    Raises
    ------
    TypeError
        If the value names no floating point dtype.

    Examples
    --------
    >>> parameter_dtype("Linear", "float64")
    dtype('float64')
    """
    dtype = as_dtype(caller, "float32" if given is None else given, expected)
    if dtype.kind != "f":
        raise TypeError(f"{caller}: parameters are floating point, got {dtype}")
    return dtype
