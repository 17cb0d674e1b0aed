"""Draw the lecture from what ships into docs/lecture/index.html, and README's pictures of it."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from autoencoder.lecture.command_line import Parser
from autoencoder.lecture.page.pictures import in_few_colours
from autoencoder.lecture.sections import SECTIONS, load_demo
from autoencoder.lecture.terminal import command
from autoencoder.storage.files import atomic_write

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "lecture" / "index.html"
_LARGEST = (640, 360)  # pixels of a picture in README


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and the pictures; gives the exit status."""
    Parser("publish.py", description=__doc__).parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        text, missing = load_demo("lecture").draw_what_ships(folder)
        mains = {
            name: folder / name / f"{figure}.png"
            for name, figure in re.findall(r'<figure id="([^-"]+)-([^"]+)">', text)[::-1]
        }  # the last to be put in is a section's first
        for name in SECTIONS:
            if name in missing:
                continue
            with Image.open(mains[name]) as picture:
                small = picture.convert("RGB")
            small.thumbnail(_LARGEST, Image.Resampling.LANCZOS)
            atomic_write(DOCS / "images" / "lecture" / f"{name}.png", in_few_colours(small))
    PAGE.parent.mkdir(exist_ok=True)
    atomic_write(PAGE, text)
    print(f"The page is {PAGE}, {len(text.encode()) / 1e6:.1f} MB")
    if missing:
        print(f"Nothing ships for {', '.join(missing)}: train_weights.py makes it")
    return 1 if missing else 0
