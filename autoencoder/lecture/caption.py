"""What is said of a figure: a text, claims that are made only if the numbers bear them, a table."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy

Table = Mapping[str, Sequence[Any] | numpy.ndarray]
"""Columns by their headings; how an entry is written, :func:`written` says."""

_LINE = 88  # characters of a line of text in a terminal
_HEADLINE = 140  # characters that two lines of a slide hold


@dataclass(frozen=True)
class Caption:
    """What stands below a figure.

    ``text`` says what is drawn: it is true whatever was measured. ``claims`` are sentences, each
    with whether the numbers bear it out: only those that hold are said. ``table`` shows the numbers
    themselves. ``note`` says last where the results come from, if they were not computed here.

    >>> gain = -0.3
    >>> Caption("The error after each epoch.", {"It falls.": gain > 0, "It rises.": gain < 0}).said
    'The error after each epoch. It rises.'
    """

    text: str
    claims: Mapping[str, bool] = field(default_factory=dict)
    table: Table = field(default_factory=dict)
    note: str = ""

    @property
    def said(self) -> str:
        """The text, the claims that hold, and the note."""
        held = [claim for claim, holds in self.claims.items() if holds]
        return " ".join([self.text, *held, *([self.note] if self.note else [])])

    def html(self, label: str = "") -> str:
        """The caption as a paragraph, which begins with a label (markup), and a table.

        One sentence is the headline, which stands above the figure on a slide: the first claim that
        holds, or what is drawn; of a long one the part before its colon.
        """
        paragraph = f"<p>{label}{self._sentences()}</p>"
        if not self.table:
            return paragraph
        header, *rows = _rows(self.table)
        head = "".join(f"<th>{escape(name)}</th>" for name in header)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{escape(entry)}</td>" for entry in row) + "</tr>" for row in rows
        )
        table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        return f'{paragraph}<div class="numbers">{table}</div>'

    def _sentences(self) -> str:
        """The sentences, in groups that a style can tell apart."""
        held = [claim for claim, holds in self.claims.items() if holds]
        if held:
            before, headline, after = f"{self.text} ", held[0], "".join(f" {c}" for c in held[1:])
        else:
            headline, *rest = re.split(r"(?<=[.?!])(?= [A-Z])", self.text, maxsplit=1)
            before, after = "", "".join(rest)
        colon = headline.find(": ")
        if len(headline) > _HEADLINE and colon > 0:
            headline, after = headline[:colon], headline[colon:] + after
        note = f" {self.note}" if self.note else ""
        parts = {"text": before, "headline": headline, "more": after, "note": note}
        return "".join(
            f'<span class="{kind}">{escape(text)}</span>' for kind, text in parts.items() if text
        )


def written(entry: Any) -> str:
    """An entry of a table as text: a count with commas, a measurement to four digits.

    >>> written(60_000), written(0.0123456), written("S-curve")
    ('60,000', '0.01235', 'S-curve')
    """
    if isinstance(entry, str):
        return entry
    is_count = isinstance(entry, int | numpy.integer)
    return f"{entry:,}" if is_count else f"{entry:#.4g}".rstrip(".")


def _rows(table: Table) -> list[list[str]]:
    """The header, and the rows below it."""
    columns = [[heading, *map(written, entries)] for heading, entries in table.items()]
    return [list(row) for row in zip(*columns, strict=True)]


def text_table(table: Table) -> str:
    """A table in lines of text: the first column flush left, the others flush right.

    >>> print(text_table({"layer": ["Linear", "ReLU"], "parameters": [25_120, ""]}))
    layer   parameters
    Linear      25,120
    ReLU
    """
    rows = _rows(table)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def said_in_text(captions: Mapping[str, Caption]) -> str:
    """The captions of all figures, for a terminal and for ``summary.txt``."""
    parts = []
    for name, caption in captions.items():
        parts.append(textwrap.fill(f"{name}: {caption.said}", _LINE))
        if caption.table:
            parts.append(textwrap.indent(text_table(caption.table), "    "))
    return "\n".join(parts) + "\n"
