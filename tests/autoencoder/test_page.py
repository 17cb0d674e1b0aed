"""The page is well-formed, holds everything it shows, and sets its equations itself."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy
import pytest
from PIL import Image
from small_section import small_section

from autoencoder.figures import image_grid, line_chart, save
from autoencoder.figures.equations import equation_svg, equations_svg
from autoencoder.lecture.caption import Caption, said_in_text
from autoencoder.lecture.page import opening_html, page, section_html
from autoencoder.lecture.page.pictures import in_few_colours
from autoencoder.storage.results import Results

RISES = {"curve": Caption("Rises.")}


@pytest.fixture
def figure(tmp_path):
    save(line_chart({"a": ([1, 2], [3, 4])}, "x", "y"), tmp_path / "curve")
    return tmp_path / "curve"


def a_section(figures, captions):
    texts = {"title": "A curve & more", "description": "1 < 2"}
    sources = {"topics": [3], "sources": ["Somebody & others, 1901"]}
    section = small_section("curve", captions=lambda results: captions, **texts, **sources)
    settings = {"train_images": 60_000, "data": None}
    command = 'python demos/curve.py --data "a b"'
    return section_html(section, Results(), figures, captions, command, settings)


def text_of(element):
    return "".join(element.itertext())


def pixels_of(stem):
    return numpy.asarray(Image.open(stem.with_suffix(".png")).convert("RGB")).astype(int)


def shown(root, mode):
    """The pixels of the first picture of a section."""
    kind, _, content = root.find(".//img").attrib["src"].partition(",")
    assert kind == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    assert picture.mode == "P"
    return numpy.asarray(picture.convert(mode)).astype(int)


def test_a_section_holds_all_its_parts(figure):
    caption = Caption("Goes up.", table={"of 1 < 2": ["curve"], "rise": [1.5]})
    root = ElementTree.fromstring(a_section([figure], {"curve": caption}))
    assert root.attrib["id"] == "curve"
    assert text_of(root.find(".//h2")).strip() == "A curve & more"
    described, scrolls, said = [text_of(p) for p in root.iter("p")]
    assert (described, said) == ("1 < 2", "Figure .1 Goes up.")
    assert "scrolls" in scrolls
    assert [text_of(cell) for cell in root.iter("th")] == ["of 1 < 2", "rise"]
    assert [text_of(cell) for cell in root.iter("td")] == ["curve", "1.500"]
    numpy.testing.assert_allclose(shown(root, "RGB"), pixels_of(figure), atol=24)
    terms = [text_of(entry) for entry in root.iter("dd")]
    assert terms[:2] == ["3 Autoencoder", "Somebody & others, 1901"]
    assert terms[2] == 'python demos/curve.py --data "a b"'
    assert terms[3] == "demos/curve.py"
    assert terms[4].startswith("train images 60,000")


def test_a_caption_stands_in_the_figure_it_is_of(figure, tmp_path):
    other = save(line_chart({"b": ([1, 2], [4, 3])}, "x", "y"), tmp_path / "other")[0]
    captions = {"other": Caption("Falls."), "curve": Caption("Rises.")}
    root = ElementTree.fromstring(a_section([figure, other.with_suffix("")], captions))
    said = [text_of(each) for each in root.iter("figcaption")]
    assert said == ["Figure .1 Rises.", "Figure .2 Falls."]
    assert [each.find(".//img") is not None for each in root.iter("figure")] == [True, True]


def test_a_figure_without_a_caption_is_a_bug(figure):
    with pytest.raises(KeyError, match="curve"):
        a_section([figure], {"other": Caption("Falls.")})


def test_a_claim_is_made_only_if_it_holds():
    nan = float("nan")
    caption = Caption("Drawn.", {"It rises.": 1 < 2, "It falls.": 2 < 1, "It is small.": nan < 1})
    assert caption.said == "Drawn. It rises."
    assert "falls" not in caption.html() + said_in_text({"curve": caption})


def test_the_headline_of_a_slide_is_the_first_claim_that_holds_or_what_is_drawn():
    def headline(caption):
        root = ElementTree.fromstring(f"<div>{caption.html('<i>1</i> ')}</div>")
        return [text_of(span) for span in root.iter("span") if span.get("class") == "headline"]

    claims = {"It falls.": False, "It rises.": True, "It is steep.": True}
    assert headline(Caption("Drawn.", claims)) == ["It rises."]
    assert headline(Caption("Errors at d = 2. Fewer is better.")) == ["Errors at d = 2."]
    long = f"Nothing was learnt: {'and so on ' * 15}to the end."
    assert headline(Caption("Drawn.", {long: True})) == ["Nothing was learnt"]
    for caption in (Caption("Drawn.", claims), Caption("A. B.", {long: True}, note="So it was.")):
        assert text_of(ElementTree.fromstring(caption.html("<i>1</i> "))) == f"1 {caption.said}"


def test_a_figure_has_an_address_and_a_link_to_itself(figure):
    text = page("Lecture", "", [("a", "A"), ("curve", "B")], {"curve": a_section([figure], RISES)})
    root = ElementTree.fromstring(text)
    assert root.find(".//figure").attrib["id"] == "curve-curve"
    links = {a.attrib["href"]: text_of(a) for a in root.iter("a")}
    assert links["#curve-curve"] == "Figure 2.1"


def test_a_figure_is_described_to_who_cannot_see_it(figure):
    root = ElementTree.fromstring(a_section([figure], RISES))
    assert root.find(".//img").attrib["alt"] == "Y over x: a from 3 at 1 to 4 at 2."


def test_by_night_images_stay_and_all_else_turns_dark(tmp_path, figure):
    """What is neither inverted nor painted over is the images, to the pixel."""
    images = numpy.zeros((5, 28, 28))
    stem = save(image_grid(images, columns=2, title="five"), tmp_path / "images")[0].with_suffix("")
    root = ElementTree.fromstring(a_section([stem], {"images": Caption("Black.")}))
    (night,) = [e for e in root.iter("span") if e.get("class") == "night"]
    points = re.findall(r"([\d.]+)% ([\d.]+)%", night.attrib["style"])
    pixels = pixels_of(stem)
    height, width, _ = pixels.shape
    shape = [(float(x) / 100 * width, float(y) / 100 * height) for x, y in points]
    space = "{http://www.w3.org/2000/svg}"
    (paper,) = [e for e in root.iter(f"{space}svg") if e.get("class") == "paper"]
    parts = paper.find(f"{space}path").attrib["d"].split("M")[1:]
    rectangles = [[float(number) for number in re.findall(r"-?\d+", part)] for part in parts]
    seen = {"inverted": 0, "painted": 0, "as it is": 0}
    for y in numpy.arange(5, height, 37) + 0.5:
        for x in numpy.arange(5, width, 41) + 0.5:
            near = pixels[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
            if near.min() != near.max():
                continue  # an edge, or the title's ink
            crossed = 0  # a ray to the right crosses an outline an odd number of times from inside
            for (x0, y0), (x1, y1) in zip(shape, shape[1:] + shape[:1], strict=True):
                if (y0 <= y) != (y1 <= y):
                    crossed += x0 + (y - y0) / (y1 - y0) * (x1 - x0) > x
            around = sum(a <= x < a + w and b <= y < b + h for a, b, w, h, _ in rectangles)
            state = "inverted" if crossed % 2 else "painted" if around % 2 else "as it is"
            assert crossed % 2 == 0 or around == 0
            seen[state] += 1
            assert (near.max() == 0) == (state == "as it is")
    assert min(seen.values()) > 5
    drawn = ElementTree.fromstring(a_section([figure], RISES))
    assert drawn.find(".//img").attrib["class"] == "drawn"
    assert not [e for e in drawn.iter("span") if e.get("class") == "night"]


def test_few_colours_are_kept_as_they_are_and_many_are_near():
    generator = numpy.random.default_rng(0)
    few = generator.integers(0, 256, (200, 3), "uint8")[generator.integers(0, 100, (40, 50))]
    many = numpy.add.outer(numpy.arange(100), numpy.arange(150))[..., None] % [200, 210, 220]
    for pixels, tolerance in ((few, 0), (many.astype("uint8"), 40)):
        reduced = Image.open(io.BytesIO(in_few_colours(Image.fromarray(pixels))))
        assert reduced.mode == "P"
        near = numpy.asarray(reduced.convert("RGB")).astype(int)
        numpy.testing.assert_allclose(near, pixels, atol=tolerance)


def test_a_section_without_a_figure_is_refused():
    with pytest.raises(ValueError, match="curve has no figure"):
        a_section([], {})


def test_the_page_lists_sections_in_order_and_numbers_those_that_are_there(figure):
    contents = [("first", "First"), ("curve", "A curve"), ("last", "Last")]
    text = page("Lecture", "Half < done.", contents, {"curve": a_section([figure], RISES)})
    root = ElementTree.fromstring(text)
    entries = [text_of(entry) for entry in root.iter("li")]
    assert entries == ["First (not computed yet)", "A curve", "Last (not computed yet)"]
    assert [a.attrib["href"] for a in root.find(".//ol").iter("a")] == ["#curve"]
    assert text_of(root.find(".//h2")) == "2 A curve & more"


def test_the_opening_stands_before_the_contents_and_links_to_its_section(figure):
    opening = opening_html("A face & more.", figure, Caption("Drawn."), "curve", "Section 1.")
    text = page("Lecture", "Done.", [("curve", "A curve")], {}, opening)
    _, found, contents, *_ = ElementTree.fromstring(text).find("body")
    assert contents.tag == "nav"
    assert text_of(found.find("p")) == "A face & more. Section 1."
    assert found.find("p/a").attrib["href"] == "#curve"
    assert found.find(".//img") is not None
    assert text_of(found.find(".//figcaption")) == "Figure 0 Drawn."


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


@pytest.mark.parametrize(
    "enclosed", ["x-y", "x_n-g(f(x_n))", r"x-\phi(\tilde{x})", r"\frac{a}{b}", "X-Y"]
)
def test_bars_of_a_norm_are_as_large_as_what_they_enclose(enclosed):
    """The two bars at either end are the first and the last shapes; y points down."""
    data = ElementTree.fromstring(equation_svg(rf"\left\|{enclosed}\right\|"))[0].attrib["d"]
    spans = []
    for shape in data.split("M")[1:]:
        numbers = [float(n) for n in re.findall(r"-?\d+\.\d+", shape)]
        across, down = numbers[::2], numbers[1::2]
        spans.append((min(across), max(across), min(down), max(down)))
    spans.sort()
    bars, inside = [*spans[:2], *spans[-2:]], spans[2:-2]
    assert all(right - left < 2 for left, right, _, _ in bars)
    assert max(bar[2] for bar in bars) <= min(shape[2] for shape in inside) + 0.5
    assert min(bar[3] for bar in bars) >= max(shape[3] for shape in inside) - 0.5


def test_several_equations_may_stand_below_each_other():
    root = ElementTree.fromstring(f"<div>{equations_svg('x=1' + chr(92) + 'qquad y=2')}</div>")
    assert [svg.attrib["aria-label"].strip() for svg in root] == ["x=1", "y=2"]


def test_a_bad_equation_is_an_error():
    with pytest.raises(ValueError, match="frac"):
        equation_svg(r"\frac{1")
