"""The page is well-formed, holds everything it shows, and sets its equations itself."""

import base64
import re
from xml.etree import ElementTree

import pytest

from autoencoder.figures import line_chart, save
from autoencoder.figures.equations import equation_svg
from autoencoder.lecture.caption import Caption, said_in_text
from autoencoder.lecture.page import opening_html, page, section_html

RISES = {"curve": Caption("Rises.")}


@pytest.fixture
def figure(tmp_path):
    return save(line_chart({"a": ([1, 2], [3, 4])}, "x", "y"), tmp_path / "curve")[0].with_suffix(
        ""
    )


def a_section(figures, captions, **changes):
    parts = {
        "name": "curve",
        "title": "A curve & more",
        "description": "1 < 2",
        "equation": equation_svg("x^2"),
        "figures": figures,
        "captions": captions,
        "topics": "3 Autoencoder",
        "sources": ["Somebody & others, 1901"],
        "command": 'python demos/curve.py --data "a b"',
        "source": "autoencoder/lecture/curve.py",
        "settings": {"train_images": 60_000, "data": None},
    }
    return section_html(**{**parts, **changes})


def text_of(element):
    return "".join(element.itertext())


def test_a_section_holds_all_its_parts(figure):
    caption = Caption("Goes up.", table={"of 1 < 2": ["curve"], "rise": [1.5]})
    root = ElementTree.fromstring(a_section([figure], {"curve": caption}))
    assert root.attrib["id"] == "curve"
    assert text_of(root.find("h2")) == "A curve & more"
    assert [text_of(p) for p in root.iter("p")] == ["1 < 2", "Goes up."]
    assert [text_of(cell) for cell in root.iter("th")] == ["of 1 < 2", "rise"]
    assert [text_of(cell) for cell in root.iter("td")] == ["curve", "1.500"]
    picture = root.find(".//img").attrib["src"]
    kind, _, content = picture.partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content) == figure.with_suffix(".svg").read_bytes()
    terms = [text_of(entry) for entry in root.iter("dd")]
    assert terms[:2] == ["3 Autoencoder", "Somebody & others, 1901"]
    assert terms[2] == 'python demos/curve.py --data "a b"'
    assert terms[3] == "autoencoder/lecture/curve.py"
    assert terms[4].startswith("train images 60,000")


def test_a_caption_stands_in_the_figure_it_is_of(figure, tmp_path):
    other = save(line_chart({"b": ([1, 2], [4, 3])}, "x", "y"), tmp_path / "other")[0]
    captions = {"other": Caption("Falls."), "curve": Caption("Rises.")}
    root = ElementTree.fromstring(a_section([figure, other.with_suffix("")], captions))
    assert [text_of(each) for each in root.iter("figcaption")] == ["Rises.", "Falls."]
    assert [each.find(".//img") is not None for each in root.iter("figure")] == [True, True]


def test_a_figure_without_a_caption_is_a_bug(figure):
    with pytest.raises(KeyError, match="curve"):
        a_section([figure], {"other": Caption("Falls.")})


def test_a_claim_is_made_only_if_it_holds():
    nan = float("nan")
    caption = Caption("Drawn.", {"It rises.": 1 < 2, "It falls.": 2 < 1, "It is small.": nan < 1})
    assert caption.said == "Drawn. It rises."
    assert "falls" not in caption.html() + said_in_text({"curve": caption})


def test_a_large_figure_goes_in_as_pixels(figure, monkeypatch):
    monkeypatch.setattr("autoencoder.lecture.page._LARGEST_VECTOR", 100)
    picture = ElementTree.fromstring(a_section([figure], RISES)).find(".//img").attrib["src"]
    kind, _, content = picture.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == figure.with_suffix(".png").read_bytes()


def test_a_section_without_a_figure_is_refused():
    with pytest.raises(ValueError, match="curve has no figure"):
        a_section([], {})


def test_the_page_lists_sections_in_order_and_numbers_those_that_are_there(figure):
    contents = [("first", "First"), ("curve", "A curve"), ("last", "Last")]
    text = page("Lecture", "Half < done.", contents, {"curve": a_section([figure], RISES)})
    root = ElementTree.fromstring(text)
    entries = [text_of(entry) for entry in root.iter("li")]
    assert entries == ["First (not computed yet)", "A curve", "Last (not computed yet)"]
    assert [a.attrib["href"] for a in root.iter("a")] == ["#curve"]
    assert text_of(root.find(".//h2")) == "2 A curve & more"


def test_the_opening_stands_before_the_contents_and_links_to_its_section(figure):
    opening = opening_html("A face & more.", figure, Caption("Drawn."), "curve", "Section 1.")
    text = page("Lecture", "Done.", [("curve", "A curve")], {}, opening)
    _, found, contents, _ = ElementTree.fromstring(text).find("body")
    assert contents.tag == "nav"
    assert text_of(found.find("p")) == "A face & more. Section 1."
    assert found.find("p/a").attrib["href"] == "#curve"
    assert found.find(".//img") is not None
    assert text_of(found.find(".//figcaption")) == "Drawn."


@pytest.mark.parametrize(
    "equation",
    [
        r"\min_{f,g}\ \frac{1}{N}\sum_{n=1}^{N}\left\|x_n-g(f(x_n))\right\|^2",
        r"\hat{x}=\int x\,p(x\,|\,\tilde{x})\,dx",
        r"z<1",
    ],
)
def test_an_equation_is_outlines_in_the_colour_of_the_text(equation):
    root = ElementTree.fromstring(equation_svg(equation))
    space = "{http://www.w3.org/2000/svg}"
    (path,) = root.findall(f"{space}path")
    assert path.attrib["fill"] == "currentColor"
    assert root.attrib["aria-label"] == equation
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    numbers = [float(n) for n in re.findall(r"-?\d+\.\d+", path.attrib["d"])]
    assert len(numbers) > 20
    # Every point, control points of curves aside by a little, lies inside the box.
    slack = 2.0
    assert left - slack <= min(numbers[::2])
    assert max(numbers[::2]) <= left + width + slack
    assert top - slack <= min(numbers[1::2])
    assert max(numbers[1::2]) <= top + height + slack


def test_a_bad_equation_is_an_error():
    with pytest.raises(ValueError, match="frac"):
        equation_svg(r"\frac{1")
