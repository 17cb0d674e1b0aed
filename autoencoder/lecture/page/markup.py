"""The lecture's page: one HTML file that holds everything it shows.

The reader's browser sets the text. Equations and figures are embedded; nothing is loaded from
elsewhere. The style fits a phone and a projector, by day and by night, and the same page is a deck
of slides: see `style.css`, `slides.css` and `slides.js` beside this file. The markup is well-formed
XML as well as HTML.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy

from autoencoder.figures.equations import equations_svg
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.page.pictures import picture_html
from autoencoder.lecture.section import Section
from autoencoder.lecture.sections import topics_in_words
from autoencoder.storage.results import Results

HERE = Path(__file__).parent
_NUMBER = "<!--number-->"  # where a section's number will stand: it is the page that gives it


def section_html(
    section: Section,
    results: Results,
    figures: Sequence[Path],
    captions: Mapping[str, Caption],
    command: str,
    settings: Mapping[str, object],
) -> str:
    """A section of the page, as a ``<section>`` element with the anchor ``section.name``.

    ``figures`` are paths without suffix beside which ``.png`` lies, the main one first; each has
    its caption in ``captions``. ``command`` reproduces the section alone, ``settings`` are what it
    was computed with.
    """
    name = escape(section.name)
    if not figures:
        raise ValueError(f"section_html: {name} has no figure")
    drawn = "\n".join(
        _figure(f"{name}-{escape(stem.name)}", f"{_NUMBER}.{number}", stem, captions[stem.name])
        for number, stem in enumerate(figures, 1)
    )
    texts = {key.replace("_", " "): _text(value) for key, value in settings.items()}
    used = ", ".join(f"{key} {text}" for key, text in texts.items() if text)
    heading = f'<span class="number">{_NUMBER}</span> {escape(section.title)}'
    return f"""<section id="{name}" data-digest="{digest_of(section, results, captions)}">
<div class="head"><div>
<h2><a class="anchor" href="#{name}">{heading}</a></h2>
<p>{escape(section.description)}</p>
<div class="equation">{equations_svg(section.equation)}</div>
</div></div>
{drawn}
<dl>
<dt>Lecture</dt><dd>{escape(topics_in_words(section.topics))}</dd>
<dt>Sources</dt><dd>{"<br/>".join(map(escape, section.sources))}</dd>
<dt>Reproduce</dt><dd><code>{escape(command)}</code></dd>
<dt>Read</dt><dd><code>demos/{name}.py</code></dd>
<dt>Settings</dt><dd>{escape(used)}</dd>
</dl>
</section>"""


def digest_of(section: Section, results: Results, captions: Mapping[str, Caption]) -> str:
    """What a section's part of the page follows from: it tells a page that is older.

    The first 16 digits of the SHA-256 of the section's texts, captions and results.
    """
    texts = [section.title, section.description, section.equation]
    said = {name: caption.html() for name, caption in captions.items()}
    digest = hashlib.sha256()
    digest.update(json.dumps([texts, section.topics, section.sources, said]).encode())
    digest.update(json.dumps([results.numbers, results.rows], sort_keys=True).encode())
    for name, array in sorted(results.arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(numpy.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def opening_html(text: str, figure: Path, caption: Caption, name: str, link: str) -> str:
    """What the page opens with: a paragraph that ends in a link to a section, and a picture."""
    anchor = f'<a href="#{escape(name)}">{escape(link)}</a>'
    return (
        f'<section class="opening">\n<p>{escape(text)} {anchor}</p>\n'
        f"{_figure(figure.name, '0', figure, caption)}\n</section>"
    )


def page(
    title: str,
    introduction: str,
    contents: Sequence[tuple[str, str]],
    sections: Mapping[str, str],
    opening: str = "",
    laboratory: str = "",
) -> str:
    """The whole page.

    ``contents`` are names and titles of all sections in order, ``sections`` what
    :func:`section_html` gave, by name: those missing are listed as not computed yet. ``opening``
    is what :func:`opening_html` gave: it stands before the contents. ``laboratory`` is a section
    with that anchor, the last.

    >>> "not computed yet" in page("Lecture", "Two of three.", [("pca", "PCA")], {})
    True
    """
    entries = []
    for name, heading in contents:
        link = f'<a href="#{escape(name)}">{escape(heading)}</a>'
        entries.append(link if name in sections else f"{escape(heading)} (not computed yet)")
    listed = "\n".join(f"<li>{entry}</li>" for entry in entries)
    # A number before each heading and figure, that of the lecture, also while some are missing.
    numbered = "\n".join(
        sections[name].replace(_NUMBER, str(number))
        for number, (name, _) in enumerate(contents, 1)
        if name in sections
    )
    play = (
        '<a href="#laboratory">Try it</a>: turn the latents, draw a digit. ' if laboratory else ""
    )
    slides = '<a href="#slides">Show as slides</a> (arrow keys turn them, N shows notes, P opens '
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>{escape(title)}</title>
<style>{_file("style.css")}{_file("slides.css")}</style>
</head>
<body>
<header class="title"><div>
<h1>{escape(title)}</h1>
<p>{escape(introduction)}</p>
</div></header>
{opening}
<nav aria-label="Sections">
<p>{play}{slides}them in a window of their own, Esc leads back here).</p>
<ol>
{listed}
</ol></nav>
<main>
{numbered}
{laboratory}
</main>
<aside id="notes" hidden="hidden"></aside>
<script>/*<![CDATA[*/
{_file("slides.js")}/*]]>*/</script>
</body>
</html>
"""


def _figure(anchor: str, number: str, stem: Path, caption: Caption) -> str:
    label = f'<a class="anchor" href="#{anchor}">Figure {number}</a> '
    return (
        f'<figure id="{anchor}">{picture_html(stem.with_name(f"{stem.name}.png"))}'
        '<p class="scrolls">The figure scrolls sideways \N{RIGHTWARDS ARROW}</p>'
        f"<figcaption>{caption.html(label)}</figcaption></figure>"
    )


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
