"""The lecture's page: one HTML file that holds everything it shows.

The reader's browser sets the text. Equations and figures are embedded; nothing is loaded from
elsewhere. The style fits a phone and a projector, by day and by night. The markup is well-formed
XML as well as HTML.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from autoencoder.lecture.caption import Caption

__all__ = ["STYLE", "page", "section_html"]

STYLE = """
:root {
  --text: #1b1b1b; --quiet: #595959; --page: #ffffff; --card: #f4f4f2; --line: #dcdcd8;
  --link: #00598a; --glow: none;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e8e8e6; --quiet: #a9a9a6; --page: #16181a; --card: #202326; --line: #3a3e42;
    --link: #7cc0ee; --glow: brightness(0.92);
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem;
  font: 400 clamp(1rem, 0.9rem + 0.45vw, 1.3rem)/1.55 system-ui, "Segoe UI", Roboto,
    "Helvetica Neue", "DejaVu Sans", sans-serif;
  color: var(--text); background: var(--page);
}
h1 { font-size: 1.9em; line-height: 1.2; margin: 0.5em 0 0.3em; }
h2 { font-size: 1.45em; line-height: 1.25; margin: 0 0 0.4em; }
h2 span { color: var(--quiet); font-weight: 400; margin-right: 0.25em; }
header p { color: var(--quiet); max-width: 48em; }
a { color: var(--link); }
nav { background: var(--card); border-radius: 0.6rem; padding: 0.8rem 1rem; }
nav ol { margin: 0; padding-left: 1.8em; columns: 16em auto; }
section { margin-top: 2.5rem; padding-top: 2rem; border-top: 1px solid var(--line); }
section > p { max-width: 48em; }
.equation { overflow-x: auto; padding: 0.6em 0; text-align: center; font-size: 1.15em; }
.equation svg { display: inline-block; max-width: none; vertical-align: middle; }
figure { margin: 1.4rem 0; }
.picture { overflow-x: auto; }
figure img {
  display: block; width: auto; max-width: 100%; max-height: 88vh; margin: 0 auto;
  padding: 0.5rem; background: #ffffff; border: 1px solid var(--line); border-radius: 0.6rem;
  filter: var(--glow);
}
figcaption { margin-top: 0.6rem; }
figcaption p { margin: 0.35em auto; max-width: 48em; }
.numbers { overflow-x: auto; margin-top: 0.8rem; }
table { margin: 0 auto; border-collapse: collapse; font-size: 0.88em; }
th { font-weight: 400; color: var(--quiet); vertical-align: bottom; }
th, td { padding: 0.2em 0.8em; text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
td { border-top: 1px solid var(--line); }
dl {
  display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.3em 1em;
  margin: 1.2rem 0 0; padding: 0.8rem 1rem; background: var(--card); border-radius: 0.6rem;
  font-size: 0.88em;
}
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: 0.4em; }
  .equation { font-size: 1em; }
  .picture img { max-width: none; width: 40rem; }  /* smaller, its labels could not be read */
}
@media print { figure, dl { break-inside: avoid; } nav { display: none; } }
"""


# A figure goes in as the vector file up to this size, beyond it as pixels: scatter plots of
# thousands of points would make the page slow to open.
_LARGEST_VECTOR = 400_000  # bytes


def section_html(
    name: str,
    title: str,
    description: str,
    equation: str,
    figures: Sequence[Path],
    captions: Mapping[str, Caption],
    topics: str,
    sources: Sequence[str],
    command: str,
    source: str,
    settings: Mapping[str, object],
) -> str:
    """A section of the page, as a ``<section>`` element with the anchor ``name``.

    ``equation`` is an SVG element, ``figures`` are paths without suffix beside which ``.svg`` and
    ``.png`` lie, the main one first; each has its caption in ``captions``. ``topics`` are those of
    the lecture, ``sources`` publications. ``command`` reproduces the section alone, ``source`` is
    the file to read, ``settings`` what it was computed with.
    """
    if not figures:
        raise ValueError(f"section_html: {name} has no figure")
    drawn = "\n".join(_figure(figure, title, captions[figure.name]) for figure in figures)
    used = ", ".join(f"{key.replace('_', ' ')} {_text(value)}" for key, value in settings.items())
    return f"""<section id="{escape(name)}">
<h2>{escape(title)}</h2>
<p>{escape(description)}</p>
<div class="equation">{equation}</div>
{drawn}
<dl>
<dt>Lecture</dt><dd>{escape(topics)}</dd>
<dt>Sources</dt><dd>{"<br/>".join(map(escape, sources))}</dd>
<dt>Reproduce</dt><dd><code>{escape(command)}</code></dd>
<dt>Read</dt><dd><code>{escape(source)}</code></dd>
<dt>Settings</dt><dd>{escape(used)}</dd>
</dl>
</section>"""


def opening_html(text: str, figure: Path, caption: Caption, name: str, link: str) -> str:
    """What the page opens with: a paragraph that ends in a link to a section, and a picture."""
    anchor = f'<a href="#{escape(name)}">{escape(link)}</a>'
    return (
        f"<section>\n<p>{escape(text)} {anchor}</p>\n{_figure(figure, link, caption)}\n</section>"
    )


def page(
    title: str,
    introduction: str,
    contents: Sequence[tuple[str, str]],
    sections: Mapping[str, str],
    opening: str = "",
) -> str:
    """The whole page.

    ``contents`` are names and titles of all sections in order, ``sections`` what
    :func:`section_html` gave, by name: those missing are listed as not computed yet.
    ``opening`` is what :func:`opening_html` gave: it stands before the contents.

    >>> "not computed yet" in page("Lecture", "Two of three.", [("pca", "PCA")], {})
    True
    """
    entries = []
    for name, heading in contents:
        link = f'<a href="#{escape(name)}">{escape(heading)}</a>'
        entries.append(link if name in sections else f"{escape(heading)} (not computed yet)")
    listed = "\n".join(f"<li>{entry}</li>" for entry in entries)
    # A number before each heading, that of the lecture, also while some are missing.
    numbered = "\n".join(
        sections[name].replace("<h2>", f"<h2><span>{number}</span> ", 1)
        for number, (name, _) in enumerate(contents, 1)
        if name in sections
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{escape(introduction)}</p>
</header>
{opening}
<nav aria-label="Sections"><ol>
{listed}
</ol></nav>
<main>
{numbered}
</main>
</body>
</html>
"""


def _figure(stem: Path, title: str, caption: Caption) -> str:
    vector = stem.with_name(f"{stem.name}.svg")
    is_small = vector.stat().st_size <= _LARGEST_VECTOR
    file = vector if is_small else stem.with_name(f"{stem.name}.png")
    kind = "svg+xml" if is_small else "png"
    content = base64.b64encode(file.read_bytes()).decode("ascii")
    label = escape(f"{title}: {stem.name.replace('_', ' ')}")
    return (
        f'<figure><div class="picture" tabindex="0">'
        f'<img alt="{label}" src="data:image/{kind};base64,{content}"/></div>'
        f"<figcaption>{caption.html()}</figcaption></figure>"
    )


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
