"""Checking saved parameters against a module before any of them is taken over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy

from minigrad.backend import HostArray, cut, is_array, to_numpy
from minigrad.engine import Tensor
from minigrad.nn.parameter import Parameter


class IncompatibleKeys(NamedTuple):
    """The names a state dict lacks, and those it has too many: what ``load_state_dict`` gives.

    Attributes
    ----------
    missing_keys, unexpected_keys : list of str

    Examples
    --------
    >>> IncompatibleKeys(["bias"], [])
    IncompatibleKeys(missing_keys=['bias'], unexpected_keys=[])
    """

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


def checked_values(
    module: str, parameters: Mapping[str, Parameter], state_dict: Mapping[str, Any], strict: bool
) -> tuple[dict[str, HostArray], IncompatibleKeys]:
    """The arrays to write into the parameters, all known to fit.

    Raises
    ------
    TypeError, ValueError
        Listing everything that does not fit, and naming the module.
    """
    if not isinstance(state_dict, Mapping):
        kind = type(state_dict).__name__
        raise TypeError(f"{module}.load_state_dict: expected a mapping, got {kind}")
    missing = [name for name in parameters if name not in state_dict]
    unexpected = [name for name in state_dict if name not in parameters]
    problems = []
    if strict:
        problems += [f"missing {name}" for name in missing]
        # Looking for what was meant takes long where there are many names, or long ones.
        problems += [
            f"unexpected {cut(str(name))}{_suggestion(cut(str(name)), missing) if i < 10 else ''}"
            for i, name in enumerate(unexpected)
        ]
    values, type_problems = {}, 0
    for name, parameter in parameters.items():
        if name not in state_dict:
            continue
        try:
            value = as_numpy(state_dict[name])
        except TypeError as error:
            problems.append(f"{name}: {error}")
            type_problems += 1
            continue
        if value.shape != parameter.shape:
            problems.append(f"{name}: expected shape {parameter.shape}, got {value.shape}")
        elif value.dtype != parameter.dtype:
            problems.append(f"{name}: expected {parameter.dtype}, got {value.dtype}")
            type_problems += 1
        values[name] = value
    if problems:
        error_type = TypeError if type_problems == len(problems) else ValueError
        more = f"; and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise error_type(f"{module}.load_state_dict: " + "; ".join(problems[:20]) + more)
    return values, IncompatibleKeys(missing, unexpected)


def as_numpy(value: Any) -> HostArray:
    """The values of an array or a tensor, also another library's, on the host."""
    if isinstance(value, Tensor):
        return to_numpy(value.data)
    if is_array(value):
        return to_numpy(value)
    for step in ("detach", "cpu"):  # PyTorch's: off the graph, off the GPU; then it converts
        value = getattr(value, step)() if hasattr(value, step) else value
    if not hasattr(value, "shape"):
        raise TypeError(f"expected an array, got {type(value).__name__}")
    try:
        return numpy.asarray(value)
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"cannot be turned into a NumPy array: {error}") from None


def _suggestion(name: str, candidates: Iterable[str]) -> str:
    import difflib  # only for the message

    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""
