"""Boxes as text in Graphviz's DOT language."""

from __future__ import annotations

from collections.abc import Sequence

from minigrad.graph.boxes import Box

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
