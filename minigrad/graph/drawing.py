"""What a drawing of the computation graph shows.

A box stands for a tensor and, where an operation made it, for that operation: the graph *is*
operations pointing at tensors pointing at operations.

A large graph is folded by the prefixes of its parameters' names: that of ``encoder.0.weight`` is
``encoder.0``. An operation without parameters, such as a ReLU, belongs to what the prefixes before
and after it have in common.
"""

from __future__ import annotations

import io
import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from minigrad.backend import array_module, shown, use_device
from minigrad.engine import Node, NotKept, Operation, Tensor, operations_behind
from minigrad.nn import Module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BOXES = 24  # what a slide holds
MOST_DRAWN = 500
NO_GRADIENT = "no gradient yet"
KINDS = {  # of boxes: what fills and outlines one, and what the key calls it
    "constant": ("#DCEBF7", "#0072B2", "constant"),
    "parameter": ("#FBE7C6", "#B87700", "wants a gradient"),
    "operation": ("#F2F2F2", "#767676", "operation and its result"),
    "folded": ("#DDF0E8", "#00795A", "folded, with its parameters"),
}

Prefix = tuple[str, ...]  # the parts of a name without the last: ("encoder", "0")


class Box(NamedTuple):
    """One box of a drawing.

    Its kind is ``"parameter"`` (a leaf that wants gradients), ``"constant"`` (any other leaf),
    ``"operation"`` or ``"folded"`` (an operation with its parameters, or several).
    """

    kind: str
    title: str
    lines: tuple[str, ...]  # below the title
    inputs: tuple[int, ...]  # the boxes it takes tensors from, by number: each before this one


class Drawing(NamedTuple):
    """A computation graph as :func:`draw` saw it.

    ``str(drawing)`` is :attr:`dot`; a notebook shows the picture.

    >>> draw(Tensor(2.0, requires_grad=True).exp())
    Drawing of 2 boxes
    """

    boxes: tuple[Box, ...]  # what is drawn

    @property
    def dot(self) -> str:
        r"""The graph in Graphviz's DOT language.

        >>> print(draw(Tensor([1.0, 2.0])).dot)
        digraph {
          rankdir=LR;
          node [shape=box, style="rounded,filled", fontname="Helvetica"];
          n0 [label="constant\n(2,) float32", fillcolor="#DCEBF7", color="#0072B2"];
        }
        """
        style = 'node [shape=box, style="rounded,filled", fontname="Helvetica"]'
        lines = ["digraph {", "  rankdir=LR;", f"  {style};"]
        for i, box in enumerate(self.boxes):
            label = json.dumps("\n".join((box.title, *box.lines)), ensure_ascii=False)
            fill, outline, _ = KINDS[box.kind]
            lines.append(f'  n{i} [label={label}, fillcolor="{fill}", color="{outline}"];')
        for i, box in enumerate(self.boxes):
            lines += [f"  n{source} -> n{i};" for source in box.inputs]
        return "\n".join([*lines, "}"])

    def figure(self, width: float = 12.0, height: float = 6.75) -> Figure:
        """The graph as a picture, drawn by matplotlib; unknown to pyplot.

        It is arranged for a page of ``width`` by ``height`` inches: a slide. It is cut where it
        needs less, and grows beyond where letters would be smaller than 7 points. A ValueError says
        that there are more than 500 boxes: fold them, or use the DOT text.

        >>> x = Tensor(2.0, requires_grad=True)
        >>> figure = draw(x.exp()).figure()
        >>> float(figure.get_figwidth()) <= 12
        True
        """
        if len(self.boxes) > MOST_DRAWN:
            raise ValueError(
                f"draw: {len(self.boxes)} boxes are too many for a picture; fold them "
                "(pass model=..., fold=1) or give the DOT text to Graphviz"
            )
        from minigrad.graph.picture import picture  # here, because it imports matplotlib

        return picture(self.boxes, width, height)

    def __str__(self) -> str:
        return self.dot

    def __repr__(self) -> str:
        return f"Drawing of {len(self.boxes)} boxes"

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows."""
        if len(self.boxes) > MOST_DRAWN:
            return None
        content = io.BytesIO()
        self.figure().savefig(content, format="png", dpi=120)
        return content.getvalue()


def draw(
    tensor: Tensor,
    *,
    model: Module | None = None,
    names: Mapping[str, Tensor] | None = None,
    fold: int | str | None = "auto",
) -> Drawing:
    """Draw the operations a tensor was made by, back to the leaves.

    Every box is a tensor, with its shape and dtype, and with the operation that made it, if one
    did. Leaves that want gradients say what they have: the gradient's norm (its value, if it is
    one number) or "no gradient yet". Backward frees the graph: draw it before, or keep it with
    ``backward(retain_graph=True)``.

    Parameters
    ----------
    tensor : Tensor
        The result, on the right of the picture.
    model : Module, optional
        Its parameters are called by their names in ``state_dict``.
    names : mapping of str to Tensor, optional
        What to call other leaves: inputs and targets.
    fold : "auto", None or int
        How many parts of the parameters' name prefixes to tell apart: with 1, everything between
        the parameters ``encoder.…`` is one box, with 2 ``encoder.0`` is; ``None`` folds nothing.
        ``"auto"`` folds as little as leaves 24 boxes.

    Returns
    -------
    Drawing
        With ``dot`` and ``figure()``.

    Raises
    ------
    RuntimeError
        If the graph was freed by backward.

    Examples
    --------
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    >>> y = model(Tensor([[1.0, 2.0, 3.0]]))
    >>> [box.title for box in draw(y, model=model).boxes]
    ['constant', '0.weight', '0.bias', 'linear', 'tanh']
    >>> [box.title for box in draw(y, model=model, fold=1).boxes]
    ['constant', 'linear', 'tanh']
    """
    if not (fold is None or fold == "auto" or (type(fold) is int and fold >= 1)):
        raise ValueError(f"draw: fold must be 'auto', None or a number from 1, got {shown(fold)}")
    operations, results = _recorded_behind(tensor)
    labels, parameters = names_of_leaves("draw", model, names)
    if not operations:
        return Drawing((_leaf_box(tensor, labels.get(tensor)),))
    deepest = max((len(_prefix(name)) for name in parameters.values()), default=0)
    boxes: list[Box] = []
    for parts in (0, *range(deepest, 0, -1)) if isinstance(fold, str) else (fold or 0,):
        groups = fold_operations(operations, parameters, parts)
        boxes = _boxes_of(groups, results, labels, is_folded=parts > 0)
        if len(boxes) <= MOST_BOXES:
            break
    return Drawing(tuple(boxes))


def names_of_leaves(
    caller: str, model: Module | None, names: Mapping[str, Tensor] | None
) -> tuple[dict[Tensor, str], dict[Tensor, str]]:
    """What to call leaves, and those among them that the model names: its parameters."""
    for name, leaf in (names or {}).items():
        if not isinstance(leaf, Tensor):
            raise TypeError(f"{caller}: names[{shown(name)}] is a {type(leaf).__name__}, no Tensor")
    own = () if model is None else model.named_parameters()
    parameters: dict[Tensor, str] = {parameter: name for name, parameter in own}
    return {leaf: name for name, leaf in (names or {}).items()} | parameters, parameters


def _recorded_behind(tensor: Tensor) -> tuple[list[Operation], dict[Operation, Tensor]]:
    """The operations behind a tensor, each after those it takes from, and what each gave."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"draw: expected a Tensor, got {type(tensor).__name__}")
    try:
        operations = operations_behind([tensor])
    except RuntimeError:
        raise RuntimeError(
            "draw: the graph was freed by backward; draw it before, or call "
            "backward(retain_graph=True) to draw it with its gradients"
        ) from None
    given = [tensor, *(source for operation in operations for source in operation.inputs)]
    # One operation may have let go of a value that another has kept: the kept ones come last.
    given.sort(key=lambda source: type(source) is not NotKept)
    results = {source.grad_fn: source for source in given if source.grad_fn is not None}
    for operation, result in results.items():
        if type(result) is NotKept and operation.saves_output:
            results[operation] = Tensor._wrap(operation._output)
    return operations, results


def fold_operations(
    operations: Sequence[Operation], names: Mapping[Tensor, str], parts: int
) -> list[list[Operation]]:
    """Group operations that follow each other and share the first ``parts`` of their prefix.

    So each group takes results only from those before it.
    """
    own = [_common([_prefix(names[t]) for t in made.inputs if t in names]) for made in operations]

    def latest(prefixes: Sequence[Prefix]) -> list[Prefix]:
        return list(itertools.accumulate(prefixes, lambda before, this: this or before))

    labels: dict[Operation, Prefix] = {}  # the empty one for those that stay alone
    around = zip(latest(own), latest(own[::-1])[::-1])
    for operation, prefix, (before, after) in zip(operations, own, around):
        between = _common([before, after])
        labels[operation] = (prefix or (between if len(between) >= parts else ()))[:parts]
    runs = itertools.groupby(operations, key=lambda made: labels[made] or made)
    return [list(run) for _, run in runs]


def _prefix(name: str) -> Prefix:
    return tuple(name.split(".")[:-1])


def _common(prefixes: Sequence[Prefix]) -> Prefix:
    """The parts that all prefixes begin with."""
    same = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*prefixes))
    return tuple(part for part, *_ in same)


def _boxes_of(
    groups: Sequence[list[Operation]],
    results: Mapping[Operation, Tensor],
    names: Mapping[Tensor, str],
    is_folded: bool,
) -> list[Box]:
    """First the leaves' boxes, in the order of their first use, then the groups'.

    Folded, a parameter that only one box uses is named inside that box.
    """
    taken = [[tensor for operation in group for tensor in operation.inputs] for group in groups]
    uses = Counter(t for tensors in taken for t in dict.fromkeys(tensors) if t.grad_fn is None)
    inside = {t for t, n in uses.items() if is_folded and n == 1 and _prefix(names.get(t, ""))}
    outside = [leaf for leaf in uses if leaf not in inside]
    number: dict[Node, int] = {leaf: i for i, leaf in enumerate(outside)}
    number.update((made, i) for i, group in enumerate(groups, len(outside)) for made in group)
    boxes = [_leaf_box(leaf, names.get(leaf)) for leaf in outside]
    for group, tensors in zip(groups, taken):
        inputs = [number[tensor.grad_fn or tensor] for tensor in tensors if tensor not in inside]
        if len(group) > 1:  # one operation shows each input, also one taken twice
            inputs = list(dict.fromkeys(i for i in inputs if i < len(boxes)))
        parameters = [tensor for tensor in dict.fromkeys(tensors) if tensor in inside]
        boxes.append(_group_box(group, parameters, names, results[group[-1]], tuple(inputs)))
    return boxes


def _leaf_box(leaf: Tensor, name: str | None) -> Box:
    if not leaf.requires_grad:
        return Box("constant", name or "constant", tuple(_described(leaf)), ())
    return Box("parameter", name or "leaf", (*_described(leaf), _gradient_of([leaf])), ())


def _group_box(
    group: list[Operation],
    parameters: Sequence[Tensor],
    names: Mapping[Tensor, str],
    result: Tensor,
    inputs: tuple[int, ...],
) -> Box:
    described = _described(result)
    shared = ".".join(_common([_prefix(names[parameter]) for parameter in parameters]))
    if len(group) == 1 and not parameters:
        numbers = [  # that the operation was made with: ``factor = 3``
            f"{name} = {value:.6g}"
            for name, value in vars(group[0]).items()
            if not name.startswith("_") and type(value) in (int, float)
        ]
        return Box("operation", group[0].name, (*numbers, *described), inputs)
    if len(group) == 1:
        own = [f"{names[p].rpartition('.')[2]} {p.shape}" for p in parameters]
        lines = (shared, *described, *own, _gradient_of(parameters))
        return Box("folded", group[0].name, lines, inputs)
    counts = Counter(operation.name for operation in group)
    lines = (", ".join(f"{count} {name}" for name, count in counts.items()), *described)
    if parameters:
        size = sum(parameter.size for parameter in parameters)
        lines += (f"{len(parameters)} parameters, {size:,} numbers", _gradient_of(parameters))
    return Box("folded", shared or "operations", lines, inputs)


def _described(tensor: Tensor) -> list[str]:
    """Shape and dtype; the value too, if there is only one."""
    lines = [f"{tensor.shape} {tensor.dtype}"]
    if tensor.size == 1:
        lines.append("value not kept" if type(tensor) is NotKept else f"= {tensor.item():.6g}")
    return lines


def _gradient_of(leaves: Sequence[Tensor]) -> str:
    """What is known of the gradients of one or several leaves."""
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    found = [leaf.grad for leaf in wanted if leaf.grad is not None]
    if not wanted:
        return "held fixed"
    if not found:
        return NO_GRADIENT
    if len(found) < len(wanted):
        return f"gradients of {len(found)} of {len(wanted)}"
    if len(leaves) == 1 and found[0].size == 1:
        return f"gradient = {found[0].item():.6g}"
    return f"gradient norm {math.hypot(*map(norm, found)):.4g}"


def norm(tensor: Tensor) -> float:
    """The Euclidean norm of all elements, in float64; waits for the device."""
    with use_device(tensor.device):
        return float(array_module(tensor.data).linalg.norm(tensor.data.astype("float64")))
