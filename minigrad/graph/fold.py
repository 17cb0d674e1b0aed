"""Folding a large graph: operations on parameters of one name prefix become one box.

``encoder.0.weight`` has the prefix ``encoder.0``; folded to one part of it, all operations between
the encoder's parameters become the box ``encoder``. An operation without parameters, such as a
ReLU, belongs to what the prefixes before and after it have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minigrad.engine import Operation, Tensor

Prefix = tuple[str, ...]  # the parts of a name without the last: ("encoder", "0")


def fold(
    operations: Sequence[Operation], names: Mapping[Tensor, str], parts: int
) -> list[list[Operation]]:
    """Cut a graph's operations into groups, of which no two depend on each other both ways.

    Parameters
    ----------
    operations : sequence of Operation
        Each after those whose results it takes.
    names : mapping of Tensor to str
        The parameters' names.
    parts : int
        How many parts of a prefix to keep, from 1.

    Returns
    -------
    list of lists of Operation
        Every operation once.
    """
    group_of: dict[Operation, int] = {}
    groups: list[list[Operation]] = []
    sources: list[set[int]] = []  # the groups that a group takes results from
    latest: dict[Prefix, int] = {}
    labels = _labels(operations, names, parts)
    for operation in operations:
        label = labels[operation]
        before = {group_of[made] for made in _makers(operation)}
        group = latest.get(label, -1) if label else -1
        # Not if results left the group and came back: the two would depend on each other.
        if group < 0 or _reaches(before - {group}, group, sources):
            group = len(groups)
            groups.append([])
            sources.append(set())
            if label:
                latest[label] = group
        groups[group].append(operation)
        sources[group] |= before - {group}
        group_of[operation] = group
    return groups


def deepest(names: Mapping[Tensor, str]) -> int:
    """The largest number of parts that a prefix has.

    Examples
    --------
    >>> deepest({Tensor(1.0): "encoder.0.weight", Tensor(2.0): "scale"})
    2
    """
    return max((len(prefix(name)) for name in names.values()), default=0)


def prefix(name: str) -> Prefix:
    """The parts of a name without the last.

    Examples
    --------
    >>> prefix("encoder.0.weight")
    ('encoder', '0')
    """
    return tuple(name.split(".")[:-1])


def common(prefixes: Sequence[Prefix]) -> Prefix:
    """The parts that all prefixes begin with.

    Examples
    --------
    >>> common([("encoder", "0"), ("encoder", "2")])
    ('encoder',)
    """
    shared = []
    for parts in zip(*prefixes):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return tuple(shared)


def _labels(
    operations: Sequence[Operation], names: Mapping[Tensor, str], parts: int
) -> dict[Operation, Prefix]:
    """The prefix each operation is folded under; the empty one for those that stay alone."""
    own = {
        operation: common([prefix(names[t]) for t in operation.inputs if t in names])
        for operation in operations
    }
    takers: dict[Operation, list[Operation]] = {operation: [] for operation in operations}
    for operation in operations:
        for made in _makers(operation):
            takers[made].append(operation)
    before: dict[Operation, Prefix] = {}
    for operation in operations:
        before[operation] = own[operation] or common([before[m] for m in _makers(operation)])
    after: dict[Operation, Prefix] = {}
    for operation in reversed(operations):
        after[operation] = own[operation] or common([after[t] for t in takers[operation]])
    labels = {}
    for operation in operations:
        label = own[operation]
        if not label:
            label = common([before[operation], after[operation]])
            label = label if len(label) >= parts else ()
        labels[operation] = label[:parts]
    return labels


def _makers(operation: Operation) -> list[Operation]:
    return [tensor.grad_fn for tensor in operation.inputs if tensor.grad_fn is not None]


def _reaches(starts: set[int], goal: int, sources: list[set[int]]) -> bool:
    """Whether one of the groups takes, directly or not, something from the goal."""
    stack, seen = list(starts), set(starts)
    while stack:
        group = stack.pop()
        if group == goal:
            return True
        new = sources[group] - seen
        seen |= new
        stack.extend(new)
    return False
