"""The boxes of a drawing and what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from minigrad.engine import NotKept, Operation, Tensor
from minigrad.graph.fold import common, prefix
from minigrad.graph.recorded import Recorded

NO_GRADIENT = "no gradient yet"


class Box(NamedTuple):
    """One box of a drawing.

    Attributes
    ----------
    kind : str
        ``"parameter"`` (a leaf that wants gradients), ``"constant"`` (any other leaf),
        ``"operation"`` or ``"folded"`` (an operation with its parameters, or several).
    title : str
    lines : tuple of str
        What stands below the title.
    inputs : tuple of int
        The boxes it takes tensors from, by their place in the list; each before this one.
    """

    kind: str
    title: str
    lines: tuple[str, ...]
    inputs: tuple[int, ...]


def boxes_of(
    graph: Recorded,
    groups: Sequence[Sequence[Operation]],
    names: Mapping[Tensor, str],
    folded: bool,
) -> list[Box]:
    """The boxes of a graph whose operations are grouped, each after those it takes from.

    Parameters
    ----------
    graph : Recorded
    groups : sequence of sequences of Operation
        What becomes one box.
    names : mapping of Tensor to str
        Names of leaves.
    folded : bool
        Whether a parameter that only one box uses is named inside it, or has a box of its own.

    Returns
    -------
    list of Box
    """
    group_of = {operation: i for i, group in enumerate(groups) for operation in group}
    users: dict[Tensor, set[int]] = {leaf: set() for leaf in graph.leaves}
    for operation, group in group_of.items():
        for tensor in operation.inputs:
            if tensor.grad_fn is None:
                users[tensor].add(group)
    inside: list[list[Tensor]] = [[] for _ in groups]
    boxes: list[Box] = []
    box_of_leaf: dict[Tensor, int] = {}
    for leaf, of in users.items():
        if folded and len(of) == 1 and leaf in names and prefix(names[leaf]):
            inside[next(iter(of))].append(leaf)
        else:
            box_of_leaf[leaf] = len(boxes)
            boxes.append(_leaf_box(leaf, names.get(leaf)))
    box_of_group: dict[int, int] = {}
    for i in _in_order(groups, group_of):
        sources: list[int] = []
        for operation in groups[i]:
            for tensor in operation.inputs:
                maker = group_of.get(tensor.grad_fn)
                source = box_of_leaf.get(tensor) if maker is None else box_of_group.get(maker)
                # One operation shows each input, also one taken twice; a folded box, each source.
                if source is not None and (len(groups[i]) == 1 or source not in sources):
                    sources.append(source)
        box_of_group[i] = len(boxes)
        result = graph.results[groups[i][-1]]
        boxes.append(_group_box(groups[i], inside[i], names, result, tuple(sources)))
    return boxes


def _in_order(
    groups: Sequence[Sequence[Operation]], group_of: Mapping[Operation, int]
) -> list[int]:
    """The groups, each after those it takes results from."""
    waiting = [0] * len(groups)
    takers: list[list[int]] = [[] for _ in groups]
    for operation, group in group_of.items():
        for tensor in operation.inputs:
            source = group_of.get(tensor.grad_fn, group)
            if source != group:
                waiting[group] += 1
                takers[source].append(group)
    order = [i for i, count in enumerate(waiting) if count == 0]
    for i in order:  # grows while it is read
        for taker in takers[i]:
            waiting[taker] -= 1
            if waiting[taker] == 0:
                order.append(taker)
    return order


def _leaf_box(leaf: Tensor, name: str | None) -> Box:
    lines = [*_describe(leaf), *([_gradient_of([leaf])] if leaf.requires_grad else [])]
    title = name or ("leaf" if leaf.requires_grad else "constant")
    return Box("parameter" if leaf.requires_grad else "constant", title, tuple(lines), ())


def _group_box(
    group: Sequence[Operation],
    parameters: Sequence[Tensor],
    names: Mapping[Tensor, str],
    result: Tensor,
    inputs: tuple[int, ...],
) -> Box:
    if len(group) == 1 and not parameters:
        (operation,) = group
        return Box("operation", operation.name, (*_options(operation), *_describe(result)), inputs)
    shared = ".".join(common([prefix(names[parameter]) for parameter in parameters]))
    if len(group) == 1:
        lines = [shared, *_describe(result)]
        lines += [f"{names[p].rpartition('.')[2]} {_shape(p)}" for p in parameters]
        lines.append(_gradient_of(parameters))
        return Box("folded", group[0].name, tuple(lines), inputs)
    counts = Counter(operation.name for operation in group)
    lines = [", ".join(f"{count} {name}" for name, count in counts.items()), *_describe(result)]
    if parameters:
        numbers = sum(parameter.size for parameter in parameters)
        lines += [f"{len(parameters)} parameters, {numbers:,} numbers", _gradient_of(parameters)]
    return Box("folded", shared or "operations", tuple(lines), inputs)


def _describe(tensor: Tensor) -> list[str]:
    """Shape and dtype; the value too, if there is only one."""
    lines = [f"{_shape(tensor)} {tensor.dtype}"]
    if tensor.size == 1:
        lines.append("value not kept" if type(tensor) is NotKept else f"= {tensor.item():.6g}")
    return lines


def _shape(tensor: Tensor) -> str:
    return str(tensor.shape)


def _options(operation: Operation) -> list[str]:
    """The plain numbers an operation was made with: ``factor = 3``."""
    return [
        f"{name} = {value:.6g}"
        for name, value in vars(operation).items()
        if not name.startswith("_") and type(value) in (int, float)
    ]


def _gradient_of(leaves: Sequence[Tensor]) -> str:
    """What is known of the gradients of one or several leaves."""
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    found = [leaf.grad.data for leaf in wanted if leaf.grad is not None]
    if not wanted:
        return "held fixed"
    if not found:
        return NO_GRADIENT
    if len(found) < len(wanted):
        return f"gradients of {len(found)} of {len(wanted)}"
    if len(leaves) == 1 and found[0].size == 1:
        return f"gradient = {float(found[0].reshape(())):.6g}"
    total = sum(float((array.astype("float64") ** 2).sum()) for array in found)
    return f"gradient norm {total**0.5:.4g}"
