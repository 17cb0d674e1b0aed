"""How the lecture's page looks: on a phone, on a projector, by day and by night."""

__all__ = ["STYLE"]

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
