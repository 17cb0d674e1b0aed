"""Optimizer: what all optimisers share. A subclass writes the formula, see ``algorithms.py``.

An optimiser has groups of parameters, each with options of its own (``param_groups``). Of each
group, the values lie in one array for each dtype and device. What is remembered of them lies in
arrays of the same length: ``flat.py``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from minigrad.backend import Array, is_array, shown, to_numpy, use_device, whole_number
from minigrad.engine import Tensor
from minigrad.optim.flat import (
    FlatParameters,
    as_tensors,
    one_gradient,
    require_fit,
    single_gradients,
)

Group = dict[str, Any]  # "params", and the options
States = dict[Tensor, dict[str, Any]]  # of each parameter: "step", and what is remembered


class Optimizer:
    """Improves parameters, step by step, from their gradients.

    ``params`` are leaves, as ``model.parameters()`` gives them, or dicts of leaves with options of
    their own: ``[{"params": encoder, "lr": 1e-4}, {"params": decoder}]``. ``options`` hold for
    those that do not say otherwise. A list of complete dicts is in ``param_groups``, where options
    may be changed between steps. A TypeError or ValueError says that there is no parameter, one
    comes twice or is no leaf, or an option is unknown or out of range.

    A subclass sets ``memories`` and writes ``check_options`` and ``update``.

    The values move into one long array (see ``flat.py``), and each ``parameter.data`` becomes a
    view of it. So an array taken from ``parameter.data`` before the optimiser was made is no
    longer the parameter's. Assigning to ``parameter.data``, ``load_state_dict`` and
    ``module.to(...)`` stay possible at any time: the next step takes the new values over.

    >>> from minigrad import Tensor, grad, optim
    >>> x = Tensor([4.0], requires_grad=True)
    >>> optimizer = optim.SGD([x], lr=0.25)
    >>> for step in range(3):
    ...     loss = (x * x).sum()
    ...     optimizer.step(grad(loss, optimizer.parameters))
    >>> x.detach()
    Tensor([0.5])
    """

    memories: ClassVar[tuple[str, ...]] = ()  # names of what is remembered of each element

    def __init__(self, params: Iterable[Any], options: dict[str, Any]) -> None:
        self.defaults = options
        self.param_groups: list[Group] = []
        if isinstance(params, (Tensor, Mapping, str)) or not isinstance(params, Iterable):
            raise TypeError(
                f"{self.name}: expected an iterable of parameters or of groups, "
                f"got {type(params).__name__}"
            )
        entries = list(params)
        if not entries:
            raise ValueError(f"{self.name}: there are no parameters")
        are_groups = [isinstance(entry, Mapping) for entry in entries]
        if any(are_groups) and not all(are_groups):
            raise TypeError(f"{self.name}: expected parameters or groups, not both")
        for entry in entries if are_groups[0] else [{"params": entries}]:
            self.param_groups.append(self._checked_group(entry))
        self._sort()  # nothing moves before all is known to fit

    @property
    def name(self) -> str:
        """What error messages call the optimiser."""
        return type(self).__name__

    @property
    def parameters(self) -> list[Tensor]:
        """All parameters, in the order ``step`` takes their gradients."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError or TypeError if an option is out of its range."""

    def memories_of(self, group: Group) -> tuple[str, ...]:
        """The names of what is remembered with a group's options."""
        return self.memories

    def update(
        self, group: Group, step: int, values: Array, gradient: Array, memory: dict[str, Array]
    ) -> None:
        """Write better ``values`` (n,), and the ``memory``, in place; not the ``gradient`` (n,).

        ``group`` holds the options. ``step`` is the number of this step, from 1. ``memory`` has an
        array (n,) for each name in ``memories``: zeros at step 1.
        """
        raise NotImplementedError(f"{self.name}: update is not written")

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add a group of parameters: a dict of ``"params"`` and any options.

        >>> from minigrad import Tensor, optim
        >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.1)
        >>> optimizer.add_param_group({"params": Tensor([2.0], requires_grad=True), "lr": 0.2})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.2]
        """
        self.param_groups.append(self._checked_group(group))
        self._parts += _parts_of(self.param_groups[-1])

    def zero_grad(self) -> None:
        """Forget every parameter's ``grad``."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self, gradients: Sequence[Any] | Tensor | Array | None = None) -> None:
        """Improve the parameters once. Does not wait for the device.

        ``gradients`` are one a parameter, in the order of :attr:`parameters`, as
        :func:`minigrad.grad` returns them; or one array (total size,) with all of them, in
        row-major order, end to end, which saves the copying. By default each ``grad``. A parameter
        whose gradient is None is left as it is. A TypeError or ValueError says which number, shape,
        dtype or device is not the parameters'. Nothing was changed then.

        >>> from minigrad import Tensor, optim
        >>> x, y = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
        >>> optim.SGD([x, y], lr=1.0).step([Tensor([0.5]), None])
        >>> x.detach(), y.detach()
        (Tensor([0.5]), Tensor([2.]))
        """
        self._gather()
        parameters, whole, single = self.parameters, None, {}
        if isinstance(gradients, Tensor) or is_array(gradients):
            whole = one_gradient(self.name, parameters, gradients)
        else:
            single = dict(zip(parameters, single_gradients(self.name, parameters, gradients)))
        start = 0
        for group, flat in self._parts:
            with use_device(flat.device):
                if whole is None:
                    mine = [single[parameter] for parameter in flat.parameters]
                    gradient, present = flat.flatten(mine), [part is not None for part in mine]
                else:
                    stop = start + flat.values.size
                    gradient, present = whole[start:stop], [True] * len(flat.parameters)
                    start = stop
                names = self.memories_of(group)
                for where, step in flat.advance(present):
                    memory = {name: flat.memory(name)[where] for name in names}
                    self.update(group, step, flat.values[where], gradient[where], memory)

    def state_dict(self) -> dict[str, Any]:
        """A copy, on the host, of what is remembered and of the options: to go on from later.

        ``"state"`` has, for each parameter that has taken a step, by its position, ``"step"`` and
        the remembered arrays; ``"param_groups"`` the options, with positions for parameters. Names
        and structure are PyTorch's.

        >>> from minigrad import Tensor, optim
        >>> x = Tensor([1.0], requires_grad=True)
        >>> optimizer = optim.SGD([x], lr=0.1, momentum=0.5)
        >>> optimizer.step([Tensor([3.0])])
        >>> optimizer.state_dict()["state"]
        {0: {'step': 1, 'momentum_buffer': array([3.], dtype=float32)}}
        """
        self._gather()
        found = self._states()
        states = {
            position: {
                name: value if name == "step" else to_numpy(value).copy()
                for name, value in found[parameter].items()
            }
            for position, parameter in enumerate(self.parameters)
            if found[parameter]["step"]
        }
        position = itertools.count()
        groups = [
            {**group, "params": [next(position) for _ in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": states, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` saved of an optimiser of the same parameters.

        Positions may be strings and tuples lists, as they come back from JSON. A TypeError or
        ValueError says which group, option, shape or dtype does not fit. Nothing was changed then.
        """
        self._gather()
        name = f"{self.name}.load_state_dict"
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise TypeError(f"{name}: expected a dict with 'state' and 'param_groups'")
        saved_groups = state_dict["param_groups"]
        if len(saved_groups) != len(self.param_groups):
            here = len(self.param_groups)
            raise ValueError(f"{name}: {len(saved_groups)} groups saved, {here} here")
        options = []
        expected: list[tuple[Any, Any]] = []  # a parameter, the names of what is remembered of it
        for i, (group, saved) in enumerate(zip(self.param_groups, saved_groups)):
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
            self.check_options(new)
            options.append(new)
            expected += [(parameter, self.memories_of(new)) for parameter in group["params"]]
        states: States = {}
        for key, state in state_dict["state"].items():
            try:
                index = int(key)
            except ValueError:
                raise ValueError(f"{name}: {shown(key)} is no number of a parameter") from None
            if not 0 <= index < len(expected):
                count = len(expected)
                raise ValueError(f"{name}: state of parameter {index}, of {count} parameters")
            parameter, names = expected[index]
            what = f"{name}: parameter {index}"
            states[parameter] = _checked_memories(what, parameter, names, state)
        for group, new in zip(self.param_groups, options):
            group.update(new)
        self._set_states(states)

    def __repr__(self) -> str:
        lines = [f"{self.name} ("]
        for index, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {index}")
            options = sorted((key, value) for key, value in group.items() if key != "params")
            lines += [f"    {key}: {value}" for key, value in options]
        return "\n".join([*lines, ")"])

    def _sort(self) -> None:
        """Move the values into flat arrays, one for each group, dtype and device."""
        self._parts = [part for group in self.param_groups for part in _parts_of(group)]

    def _gather(self) -> None:
        """See to it that all values are in the flat arrays, whatever was done to ``data``."""
        are_gathered = [flat.gather() for _, flat in self._parts]
        if all(are_gathered):
            return
        states = self._states()  # a dtype or device has changed
        self._sort()
        self._set_states(states)

    def _states(self) -> States:
        """What is remembered of each parameter."""
        states: States = {}
        for group, flat in self._parts:
            states |= flat.states(self.memories_of(group))
        return states

    def _set_states(self, states: States) -> None:
        for group, flat in self._parts:
            flat.set_states(states, self.memories_of(group))

    def _checked_group(self, group: Mapping[str, Any]) -> Group:
        """A group with its options complete, once its parameters and options are known to fit."""
        name = self.name
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(
                f"{name}: a parameter group is a dict with 'params', got {shown(group)}"
            )
        unknown = [key for key in group if key != "params" and key not in self.defaults]
        if unknown:
            known = ", ".join(self.defaults)
            wrong = shown(unknown[0])
            raise TypeError(f"{name}: unknown option {wrong} in a group, expected {known}")
        params = as_tensors(name, "params", group["params"])
        if not params:
            raise ValueError(f"{name}: a parameter group has no parameters")
        seen = {id(parameter) for parameter in self.parameters}
        for i, parameter in enumerate(params):
            if not parameter.is_leaf or parameter.dtype.kind != "f":
                raise ValueError(
                    f"{name}: parameter {i} of shape {parameter.shape} must be a floating point "
                    f"leaf, not whole numbers or the result of an operation"
                )
            if id(parameter) in seen:
                raise ValueError(f"{name}: parameter {i} of shape {parameter.shape} comes twice")
            seen.add(id(parameter))
        complete = {**self.defaults, **group, "params": params}
        self.check_options(complete)
        return complete


def _parts_of(group: Group) -> list[tuple[Group, FlatParameters]]:
    """A group's parameters, sorted by dtype and device, each kind moved into one array."""
    kinds: dict[Any, list[Tensor]] = {}
    for parameter in group["params"]:
        kinds.setdefault((parameter.dtype, parameter.device), []).append(parameter)
    return [(group, FlatParameters(parameters)) for parameters in kinds.values()]


def _checked_memories(
    what: str, parameter: Tensor, names: Sequence[str], state: Mapping[str, Any]
) -> dict[str, Any]:
    """The saved state of one parameter, once its arrays are known to fit."""
    if set(state) != {"step", *names}:
        there = shown(sorted(map(str, state)))
        raise ValueError(f"{what} has {there} saved, expected {sorted(['step', *names])}")
    step = whole_number(what, "step", state["step"], minimum=0)
    arrays = {}
    for name in names:
        value = state[name]
        arrays[name] = value.data if isinstance(value, Tensor) else value
        require_fit(f"{what}: {name}", arrays[name], parameter, parameter.shape, anywhere=True)
    return {"step": step, **arrays}
