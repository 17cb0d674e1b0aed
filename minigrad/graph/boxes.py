"""The boxes of a drawing and what they say.

What was recorded behind a tensor: its operations, their results, and the leaves.

Folding a large graph: operations on parameters of one name prefix become one box.

``encoder.0.weight`` has the prefix ``encoder.0``; folded to one part of it, all operations between
the encoder's parameters become the box ``encoder``. An operation without parameters, such as a
ReLU, belongs to what the prefixes before and after it have in common.

Boxes as text in Graphviz's DOT language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from minigrad.engine import NotKept, Operation, Tensor, operations_behind


class Recorded(NamedTuple):
    """The graph behind a tensor.

    Attributes
    ----------
    operations : list of Operation
        Each after those whose results it takes.
    results : dict of Operation to Tensor
        What each gave.
    leaves : list of Tensor
        What the operations took and none of them made, in order of first use.
    """

    operations: list[Operation]
    results: dict[Operation, Tensor]
    leaves: list[Tensor]


def recorded_behind(tensor: Tensor) -> Recorded:
    """Collect the graph behind a tensor.

    Raises
    ------
    TypeError
        If it is no tensor.
    RuntimeError
        If the graph was freed by backward.

    Examples
    --------
    >>> x = Tensor([1.0], requires_grad=True)
    >>> graph = recorded_behind((x * x).sum())
    >>> [operation.name for operation in graph.operations], len(graph.leaves)
    (['mul', 'sum'], 1)
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"draw: expected a Tensor, got {type(tensor).__name__}")
    try:
        operations = operations_behind([tensor])
    except RuntimeError:
        raise RuntimeError(
            "draw: the graph was freed by backward; draw it before, or call "
            "backward(retain_graph=True) to draw it with its gradients"
        ) from None
    if not operations:
        return Recorded([], {}, [tensor])
    results = {tensor.grad_fn: tensor}
    leaves: dict[Tensor, None] = {}
    for operation in operations:
        for source in operation.inputs:
            if source.grad_fn is None:
                leaves[source] = None
            else:
                known = results.get(source.grad_fn)
                if known is None or type(known) is NotKept:  # somebody else may have kept it
                    results[source.grad_fn] = source
    for operation, result in results.items():
        if type(result) is NotKept and operation.saves_output:
            results[operation] = Tensor._wrap(operation._output)
    return Recorded(operations, results, list(leaves))


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


COLOURS = {  # fill and outline of each kind of box
    "parameter": ("#FBE7C6", "#B87700"),
    "constant": ("#DCEBF7", "#0072B2"),
    "operation": ("#F2F2F2", "#767676"),
    "folded": ("#DDF0E8", "#00795A"),
}


def dot_text(boxes: Sequence[Box]) -> str:
    r"""The boxes and lines of a drawing in the DOT language.

    Parameters
    ----------
    boxes : sequence of Box

    Returns
    -------
    str

    Examples
    --------
    >>> print(dot_text([Box("constant", "x", ("(2,) float32",), ())]))
    digraph {
      rankdir=LR;
      node [shape=box, style="rounded,filled", fontname="Helvetica"];
      n0 [label="x\n(2,) float32", fillcolor="#DCEBF7", color="#0072B2"];
    }
    """
    lines = [
        "digraph {",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica"];',
    ]
    for i, box in enumerate(boxes):
        label = "\\n".join(_quoted(text) for text in (box.title, *box.lines))
        fill, outline = COLOURS[box.kind]
        lines.append(f'  n{i} [label="{label}", fillcolor="{fill}", color="{outline}"];')
    for i, box in enumerate(boxes):
        lines += [f"  n{source} -> n{i};" for source in box.inputs]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
