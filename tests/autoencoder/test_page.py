"""The page is well-formed, holds everything it shows, and sets its equations itself."""

import base64
import re
from xml.etree import ElementTree

import pytest

from autoencoder.figures import line_chart, save
from autoencoder.figures.equations import equation_svg
from autoencoder.lecture.page import page, section_html


@pytest.fixture
def figure(tmp_path):
    return save(line_chart({"a": ([1, 2], [3, 4])}, "x", "y"), tmp_path / "curve")[0].with_suffix(
        ""
    )


def a_section(figures, summary, **changes):
    parts = {
        "name": "curve",
        "title": "A curve & more",
        "description": "1 < 2",
        "equation": equation_svg("x^2"),
        "figures": figures,
        "summary": summary,
        "command": 'python demos/curve.py --data "a b"',
        "source": "autoencoder/lecture/curve.py",
        "settings": {"train_images": 60_000, "data": None},
    }
    return section_html(**{**parts, **changes})


def text_of(element):
    return "".join(element.itertext())


def test_a_section_holds_all_its_parts(figure):
    root = ElementTree.fromstring(a_section([figure], ["No name.", "curve: goes up by 1.5."]))
    assert root.attrib["id"] == "curve"
    assert text_of(root.find("h2")) == "A curve & more"
    assert [text_of(p) for p in root.iter("p")] == ["1 < 2", "No name.", "Goes up by 1.5."]
    picture = root.find(".//img").attrib["src"]
    kind, _, content = picture.partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content) == figure.with_suffix(".svg").read_bytes()
    terms = [text_of(entry) for entry in root.iter("dd")]
    assert terms[0] == 'python demos/curve.py --data "a b"'
    assert terms[1] == "autoencoder/lecture/curve.py"
    assert terms[2].startswith("train images 60,000")


def test_captions_go_below_the_figure_they_name(figure, tmp_path):
    other = save(line_chart({"b": ([1, 2], [4, 3])}, "x", "y"), tmp_path / "other")[0]
    lines = ["other: falls.", "Of all.", "unknown: stays.", "other, left: more."]
    root = ElementTree.fromstring(a_section([figure, other.with_suffix("")], lines))
    captions = [text_of(caption) for caption in root.iter("figcaption")]
    assert captions == ["Of all.unknown: stays.", "Falls.Left: more."]


def test_a_large_figure_goes_in_as_pixels(figure, monkeypatch):
    monkeypatch.setattr("autoencoder.lecture.page._LARGEST_VECTOR", 100)
    picture = ElementTree.fromstring(a_section([figure], [])).find(".//img").attrib["src"]
    kind, _, content = picture.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == figure.with_suffix(".png").read_bytes()


def test_a_section_without_a_figure_is_refused():
    with pytest.raises(ValueError, match="curve has no figure"):
        a_section([], [])


def test_the_page_lists_sections_in_order_and_numbers_those_that_are_there(figure):
    contents = [("first", "First"), ("curve", "A curve"), ("last", "Last")]
    text = page("Lecture", "Half < done.", contents, {"curve": a_section([figure], [])})
    root = ElementTree.fromstring(text)
    entries = [text_of(entry) for entry in root.iter("li")]
    assert entries == ["First (not computed yet)", "A curve", "Last (not computed yet)"]
    assert [a.attrib["href"] for a in root.iter("a")] == ["#curve"]
    assert text_of(root.find(".//h2")) == "2 A curve & more"


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
