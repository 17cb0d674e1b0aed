"""What is said of a figure: a text, claims that are made only if the numbers bear them, a table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["Caption", "Entry", "said_in_text", "text_table", "written"]

Entry = str | int | float
"""An entry of a table: see :func:`written`."""

_LINE = 88  # characters of a line of text in a terminal


@dataclass(frozen=True)
class Caption:
    """What stands below a figure.

    ``text`` says what is drawn: it is true whatever was measured. ``claims`` are sentences, each
    with whether the numbers bear it out: only those that hold are said. ``header`` and ``rows`` are
    a table of the numbers themselves.

    >>> gain = -0.3
    >>> Caption("The error after each epoch.", {"It falls.": gain > 0, "It rises.": gain < 0}).said
    'The error after each epoch. It rises.'
    """

    text: str
    claims: Mapping[str, bool] = field(default_factory=dict)
    header: Sequence[str] = ()
    rows: Sequence[Sequence[Entry]] = ()

    @property
    def said(self) -> str:
        """The text and the claims that hold."""
        return " ".join([self.text, *(claim for claim, holds in self.claims.items() if holds)])

    def html(self) -> str:
        """The caption as a paragraph and a table."""
        if not self.rows:
            return f"<p>{escape(self.said)}</p>"
        head = "".join(f"<th>{escape(name)}</th>" for name in self.header)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{escape(written(entry))}</td>" for entry in row) + "</tr>"
            for row in self.rows
        )
        table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        return f'<p>{escape(self.said)}</p><div class="numbers">{table}</div>'


def written(entry: Entry) -> str:
    """An entry of a table as text: a count with commas, a measurement to four digits.

    >>> written(60_000), written(0.0123456), written("S-curve")
    ('60,000', '0.01235', 'S-curve')
    """
    if isinstance(entry, str):
        return entry
    return f"{entry:,}" if isinstance(entry, int) else f"{entry:#.4g}".rstrip(".")


def text_table(header: Sequence[str], rows: Sequence[Sequence[Entry]]) -> list[str]:
    """A table in lines of text: the first column flush left, the others flush right.

    >>> print(*text_table(["layer", "parameters"], [["Linear", 25_120], ["ReLU", ""]]), sep="\\n")
    layer   parameters
    Linear      25,120
    ReLU
    """
    entries = [list(header), *([written(entry) for entry in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*entries, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in entries
    ]


def said_in_text(captions: Mapping[str, Caption]) -> str:
    """The captions of all figures, for a terminal and for ``summary.txt``."""
    parts = []
    for name, caption in captions.items():
        parts.append(textwrap.fill(f"{name}: {caption.said}", _LINE))
        if caption.rows:
            table = "\n".join(text_table(caption.header, caption.rows))
            parts.append(textwrap.indent(table, "    "))
    return "\n".join(parts) + "\n"
