"""draw: from a tensor to its graph as DOT text and as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from minigrad.backend import shown
from minigrad.engine import Tensor
from minigrad.graph.boxes import Box, boxes_of, deepest, dot_text, recorded_behind
from minigrad.graph.boxes import fold as fold_operations
from minigrad.nn import Module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BOXES = 24  # what a slide holds
MOST_DRAWN = 500


class Drawing:
    """A computation graph as :func:`draw` saw it.

    ``str(drawing)`` is :attr:`dot`; a notebook shows the picture.

    Attributes
    ----------
    boxes : sequence of Box
        What is drawn: each with its kind, title, lines, and the boxes it takes tensors from.

    Examples
    --------
    >>> draw(Tensor(2.0, requires_grad=True).exp())
    Drawing of 2 boxes
    """

    def __init__(self, boxes: Sequence[Box]) -> None:
        self.boxes = tuple(boxes)

    @property
    def dot(self) -> str:
        """The graph in Graphviz's DOT language.

        Examples
        --------
        >>> x = Tensor(2.0, requires_grad=True)
        >>> print(draw(x.exp(), names={"x": x}).dot.splitlines()[-2])
          n0 -> n1;
        """
        return dot_text(self.boxes)

    def figure(self, width: float = 12.0, height: float = 6.75) -> Figure:
        """The graph as a picture, drawn by matplotlib.

        Parameters
        ----------
        width, height : float
            Of the page it is arranged for, in inches; by default those of a slide. The picture
            grows beyond where letters would be smaller than 7 points, and is cut where it needs
            less.

        Returns
        -------
        matplotlib.figure.Figure
            Not registered with pyplot: ``savefig`` writes it, a notebook shows it.

        Raises
        ------
        ValueError
            If there are more than 500 boxes: fold them, or use the DOT text.

        Examples
        --------
        >>> x = Tensor(2.0, requires_grad=True)
        >>> figure = draw(x.exp()).figure()
        >>> float(figure.get_figwidth()) <= 12
        True
        """
        if len(self.boxes) > MOST_DRAWN:
            raise ValueError(
                f"draw: {len(self.boxes)} boxes are too many for a picture; fold them (pass "
                f"model=..., fold=1) or give the DOT text to Graphviz"
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
    >>> drawing = draw(model(Tensor([[1.0, 2.0, 3.0]])), model=model)
    >>> [box.title for box in drawing.boxes]
    ['constant', '0.weight', '0.bias', 'linear', 'tanh']
    >>> drawing.boxes[1].lines
    ('(2, 3) float32', 'no gradient yet')
    >>> [box.title for box in draw(model(Tensor([[1.0, 2.0, 3.0]])), model=model, fold=1).boxes]
    ['constant', 'linear', 'tanh']
    """
    is_number = isinstance(fold, int) and not isinstance(fold, bool) and fold >= 1
    if not (is_number or fold is None or fold == "auto"):
        raise ValueError(f"draw: fold must be 'auto', None or a number from 1, got {shown(fold)}")
    graph = recorded_behind(tensor)
    parameters = {}
    if model is not None:
        parameters = {parameter: name for name, parameter in model.named_parameters()}
    labels = {}
    for name, leaf in (names or {}).items():
        if not isinstance(leaf, Tensor):
            raise TypeError(f"draw: names[{shown(name)}] is a {type(leaf).__name__}, no Tensor")
        labels[leaf] = name
    labels.update(parameters)

    def boxes(parts: int | None) -> list[Box]:
        if parts is None:
            alone = [[operation] for operation in graph.operations]
            return boxes_of(graph, alone, labels, folded=False)
        groups = fold_operations(graph.operations, parameters, parts)
        return boxes_of(graph, groups, labels, folded=True)

    if fold != "auto":
        return Drawing(boxes(fold))
    found: list[Box] = []
    for parts in (None, *range(deepest(parameters), 0, -1)):
        found = boxes(parts)
        if len(found) <= MOST_BOXES:
            break
    return Drawing(found)
