"""Python's operators on arrays, with CuPy's rule for who answers: CuPy first, else the other."""

from __future__ import annotations

from typing import Any

import numpy

from .core import is_scalar, ndarray
from .ufuncs import UFUNCS, matmul

BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _defers_to(other: Any) -> bool:
    """Whether the other operand asks to be the one who answers (NEP 13)."""
    try:
        return other.__array_ufunc__ is None
    except AttributeError:
        return getattr(other, "__array_priority__", 0) > ndarray.__array_priority__


def _other(name: str, other: Any) -> Any:
    if isinstance(other, ndarray) or is_scalar(other):
        return other
    if isinstance(other, numpy.ndarray):
        raise TypeError(f"{name}: Unsupported type {type(other)}")
    raise TypeError(f"{name}: unsupported operand cupy.ndarray and {type(other).__name__}")


def _binary(symbol: str, name: str) -> None:
    function = matmul if name == "matmul" else UFUNCS[name]

    def forward(self: ndarray, other: Any) -> Any:
        if not isinstance(other, ndarray) and _defers_to(other):
            return NotImplemented
        return function(self, _other(name, other))

    def reflected(self: ndarray, other: Any) -> Any:
        return function(_other(name, other), self)

    setattr(ndarray, f"__{symbol}__", forward)
    if symbol not in COMPARISONS:
        setattr(ndarray, f"__r{symbol}__", reflected)


def _in_place(symbol: str, name: str) -> None:
    function = UFUNCS[name]

    def assign(self: ndarray, other: Any) -> ndarray:
        return function(self, _other(name, other), self)

    setattr(ndarray, f"__i{symbol}__", assign)


def _unary(symbol: str, name: str) -> None:
    function = UFUNCS[name]
    setattr(ndarray, f"__{symbol}__", lambda self: function(self))


for _symbol, _name in {**BINARY, **COMPARISONS}.items():
    _binary(_symbol, _name)
_binary("matmul", "matmul")
for _symbol, _name in BINARY.items():
    _in_place(_symbol, _name)  # there is no __imatmul__: a @= b makes a new array
for _symbol, _name in UNARY.items():
    _unary(_symbol, _name)
