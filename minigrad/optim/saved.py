"""An optimiser's state on its way to and from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigrad.backend import is_array, shown, to_numpy
from minigrad.engine import Tensor
from minigrad.optim.flat import FlatParameters
from minigrad.optim.groups import Group, require_count

MemoriesOf = Callable[[Group], "tuple[str, ...]"]


def saved_state(
    groups: Sequence[Group],
    flat: Sequence[Sequence[tuple[list[int], FlatParameters]]],
    memories_of: MemoriesOf,
) -> dict[str, Any]:
    """What ``Optimizer.state_dict`` returns: copies, on the host."""
    states: dict[int, dict[str, Any]] = {}
    saved_groups = []
    first = 0
    for group, flats in zip(groups, flat):
        for indices, parameters in flats:
            for place, index in enumerate(indices):
                state = parameters.state_of(place, memories_of(group))
                if state["step"]:
                    states[first + index] = {
                        name: value if name == "step" else to_numpy(value).copy()
                        for name, value in state.items()
                    }
        options = {key: value for key, value in group.items() if key != "params"}
        stop = first + len(group["params"])
        saved_groups.append({**options, "params": list(range(first, stop))})
        first = stop
    return {"state": dict(sorted(states.items())), "param_groups": saved_groups}


def checked_state(
    name: str,
    groups: Sequence[Group],
    memories_of: MemoriesOf,
    check_options: Callable[[Mapping[str, Any]], None],
    state_dict: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """The options of each group and the state of each parameter, all known to fit.

    Raises
    ------
    TypeError, ValueError
        Naming the optimiser, and the group or parameter that does not fit.
    """
    name = f"{name}.load_state_dict"
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        raise TypeError(f"{name}: expected a dict with 'state' and 'param_groups'")
    saved_groups = state_dict["param_groups"]
    if len(saved_groups) != len(groups):
        raise ValueError(f"{name}: {len(saved_groups)} groups saved, {len(groups)} here")
    options = []
    for i, (group, saved) in enumerate(zip(groups, saved_groups)):
        if set(saved) != set(group):
            here, there = sorted(group), shown(sorted(map(str, saved)))
            raise ValueError(f"{name}: group {i} has {there} saved, {here} here")
        if len(saved["params"]) != len(group["params"]):
            raise ValueError(
                f"{name}: group {i} has {len(saved['params'])} parameters saved, "
                f"{len(group['params'])} here"
            )
        new = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in saved.items()
            if key != "params"
        }
        check_options(new)
        options.append(new)
    expected = [
        (parameter, memories_of(new))
        for group, new in zip(groups, options)
        for parameter in group["params"]
    ]
    states = {}
    for key, state in state_dict["state"].items():
        try:
            index = int(key)
        except ValueError:
            raise ValueError(f"{name}: {shown(key)} is no number of a parameter") from None
        if not 0 <= index < len(expected):
            raise ValueError(f"{name}: state of parameter {index}, of {len(expected)} parameters")
        states[index] = _checked(f"{name}: parameter {index}", *expected[index], state)
    return options, states


def _checked(
    what: str, parameter: Tensor, names: Sequence[str], state: Mapping[str, Any]
) -> dict[str, Any]:
    if set(state) != {"step", *names}:
        there = shown(sorted(map(str, state)))
        raise ValueError(f"{what} has {there} saved, expected {sorted(['step', *names])}")
    require_count(what, "step", state["step"], minimum=0)
    arrays = {}
    for name in names:
        value = state[name]
        array = value.data if isinstance(value, Tensor) else value
        if not is_array(array):
            raise TypeError(f"{what}: {name} must be an array, got {type(array).__name__}")
        if array.shape != parameter.shape:
            raise ValueError(f"{what}: {name} has shape {array.shape}, expected {parameter.shape}")
        if array.dtype != parameter.dtype:
            raise TypeError(f"{what}: {name} is {array.dtype}, expected {parameter.dtype}")
        arrays[name] = array
    return {"step": int(state["step"]), **arrays}
