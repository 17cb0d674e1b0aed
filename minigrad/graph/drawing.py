"""What a drawing of the computation graph shows.

A box stands for a tensor and, where an operation made it, for that operation: the graph *is*
operations pointing at tensors pointing at operations.

A large graph is folded by the prefixes of its parameters' names: that of ``encoder.0.weight`` is
``encoder.0``. Folded to one part, all operations from the first with a parameter of the encoder to
the last become the box ``encoder``. An operation without parameters, such as a ReLU, belongs to
what the prefixes before and after it have in common.
"""

from __future__ import annotations

import io
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, NamedTuple

from minigrad.backend import shown
from minigrad.engine import NotKept, Operation, Tensor, operations_behind
from minigrad.nn import Module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BOXES = 24  # what a slide holds
MOST_DRAWN = 500
NO_GRADIENT = "no gradient yet"
COLOURS = {  # fill and outline of each kind of box
    "parameter": ("#FBE7C6", "#B87700"),
    "constant": ("#DCEBF7", "#0072B2"),
    "operation": ("#F2F2F2", "#767676"),
    "folded": ("#DDF0E8", "#00795A"),
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


class Drawing:
    """A computation graph as :func:`draw` saw it.

    ``str(drawing)`` is :attr:`dot`; a notebook shows the picture.

    Attributes
    ----------
    boxes : tuple of Box
        What is drawn: each box with ``kind``, ``title``, ``lines``, and ``inputs``.

    Examples
    --------
    >>> draw(Tensor(2.0, requires_grad=True).exp())
    Drawing of 2 boxes
    """

    def __init__(self, boxes: Sequence[Box]) -> None:
        self.boxes = tuple(boxes)

    @property
    def dot(self) -> str:
        r"""The graph in Graphviz's DOT language.

        Examples
        --------
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
            label = "\\n".join(_quoted(text) for text in (box.title, *box.lines))
            fill, outline = COLOURS[box.kind]
            lines.append(f'  n{i} [label="{label}", fillcolor="{fill}", color="{outline}"];')
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
    TypeError, ValueError
        If an argument is not what it should be.
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
    is_number = isinstance(fold, int) and not isinstance(fold, bool) and fold >= 1
    if not (is_number or fold is None or fold == "auto"):
        raise ValueError(f"draw: fold must be 'auto', None or a number from 1, got {shown(fold)}")
    operations, results = _recorded_behind(tensor)
    for name, leaf in (names or {}).items():
        if not isinstance(leaf, Tensor):
            raise TypeError(f"draw: names[{shown(name)}] is a {type(leaf).__name__}, no Tensor")
    own = () if model is None else model.named_parameters()
    parameters: dict[Tensor, str] = {parameter: name for name, parameter in own}
    labels = {leaf: name for name, leaf in (names or {}).items()} | parameters
    if not operations:
        return Drawing([_leaf_box(tensor, labels.get(tensor))])
    deepest = max((len(_prefix(name)) for name in parameters.values()), default=0)
    boxes: list[Box] = []
    for parts in (None, *range(deepest, 0, -1)) if isinstance(fold, str) else (fold,):
        groups = [[operation] for operation in operations]
        if parts is not None:
            groups = fold_operations(operations, parameters, parts)
        boxes = _boxes_of(groups, results, labels, is_folded=parts is not None)
        if len(boxes) <= MOST_BOXES:
            break
    return Drawing(boxes)


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
    results = {tensor.grad_fn: tensor} if operations else {}
    for source in (source for operation in operations for source in operation.inputs):
        # One operation may have let go of a value that another has kept.
        if source.grad_fn is not None and type(results.get(source.grad_fn)) in (NotKept, NoneType):
            results[source.grad_fn] = source
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

    def latest(before: Prefix, this: Prefix) -> Prefix:
        return this or before

    befores = itertools.accumulate(own, latest)
    afters = list(itertools.accumulate(own[::-1], latest))[::-1]
    labels: dict[Operation, Prefix] = {}  # the empty one for those that stay alone
    for operation, prefix, before, after in zip(operations, own, befores, afters):
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
    """First the leaves' boxes, then the groups'.

    Folded, a parameter that only one box uses is named inside that box.
    """
    group_of = {operation: i for i, group in enumerate(groups) for operation in group}
    users: dict[Tensor, set[int]] = {}  # of each leaf, in order of first use
    for operation, group in group_of.items():
        for tensor in operation.inputs:
            if tensor.grad_fn is None:
                users.setdefault(tensor, set()).add(group)
    inside = {
        leaf: min(of)
        for leaf, of in users.items()
        if is_folded and len(of) == 1 and leaf in names and _prefix(names[leaf])
    }
    outside = [leaf for leaf in users if leaf not in inside]
    boxes = [_leaf_box(leaf, names.get(leaf)) for leaf in outside]
    box_of = {leaf: i for i, leaf in enumerate(outside)}
    for i, group in enumerate(groups):
        taken = [tensor for operation in group for tensor in operation.inputs]
        inputs = [
            box_of[tensor] if tensor in box_of else len(outside) + group_of[tensor.grad_fn]
            for tensor in taken
            if tensor not in inside and group_of.get(tensor.grad_fn) != i
        ]
        if len(group) > 1:  # one operation shows each input, also one taken twice
            inputs = list(dict.fromkeys(inputs))
        parameters = [leaf for leaf, of in inside.items() if of == i]
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


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
