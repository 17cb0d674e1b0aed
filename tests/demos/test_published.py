"""The page in docs/lecture: of today's results, small, in one file, and linked from README."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from autoencoder.lecture.sections import SECTIONS, load_demo, load_section

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "lecture" / "index.html"


@pytest.fixture(scope="module")
def published():
    return PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_follows_from_the_results_that_ship(published, name):
    """Captions, texts and results are those of today: else run demos/publish.py again."""
    (found,) = re.findall(rf'<section id="{name}" data-digest="(\w*)">', published)
    assert found == load_demo("lecture").shipped_digest(name)


def test_the_page_is_one_small_file_that_loads_nothing(published):
    assert len(published.encode()) <= 6e6
    root = ElementTree.fromstring(published)
    for element in root.iter():
        for attribute in ("src", "href", "srcset", "data"):
            target = element.attrib.get(attribute, "#")
            assert target.startswith(("#", "data:image/")), target[:80]
    assert "@import" not in published
    assert "url(" not in published
    assert "prefers-color-scheme: dark" in published


def test_each_figure_is_in_it_once_with_words_and_an_address(published):
    root = ElementTree.fromstring(published)
    pictures = [image.attrib["src"] for image in root.iter("img")]
    assert len(pictures) > 3 * len(SECTIONS)
    assert len(set(pictures)) == len(pictures)
    assert all(image.attrib["alt"] for image in root.iter("img"))
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(set(ids)) == len(ids)
    targets = {link.attrib["href"][1:] for link in root.iter("a")}
    assert targets <= {*ids, "slides"}
    assert {figure.attrib["id"] for figure in root.iter("figure")} <= targets


def test_readme_links_each_picture_to_its_section_under_its_title():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for number, name in enumerate(SECTIONS, 1):
        title = f"{number} {load_section(name).title}"
        assert f"![{title}](docs/images/lecture/{name}.png)" in readme
        assert f"<br>{title}<br>`python demos/{name}.py`" in readme
    linked = re.findall(
        r"\[!\[[^]]*\]\(docs/images/lecture/(\w+)\.png\)\]\(docs/lecture/index\.html#(\w+)\)",
        readme,
    )
    assert linked == [(name, name) for name in SECTIONS]
