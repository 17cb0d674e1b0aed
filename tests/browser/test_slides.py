"""The deck in a browser: turned by keys, with notes; as large as promised, by day and by night."""

import base64
import io

import numpy
import pytest
from PIL import Image
from small_section import small_section
from webdriver import Browser, missing

from autoencoder.figures import image_grid, line_chart, save
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.page import page, section_html
from autoencoder.storage.results import Results

if missing():
    pytest.skip(missing(), allow_module_level=True)

LONG = "A claim of two lines: " + "word " * 23 + "and the end."


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deck")
    figures = {
        "wide": line_chart({"a": ([1, 2], [3, 4])}, "x", "y"),
        "digits": image_grid(numpy.zeros((12, 28, 28)), columns=6),
    }
    for name, figure in figures.items():
        save(figure, folder / name)
    captions = {
        "wide": Caption("Drawn.", {LONG: True}, {"column": [1.5]}),
        "digits": Caption("Twelve digits. All are black."),
    }
    sections = {}
    command = "python demos/some.py"
    for name in figures:
        section = small_section(name, topics=[1], sources=["Somebody, 1901"])
        given = section, Results(), [folder / name], captions, command, {"seed": 0}
        sections[name] = section_html(*given)
    contents = [(name, f"About {name}") for name in sections]
    (folder / "index.html").write_text(page("Lecture", "Two sections.", contents, sections))
    with Browser() as browser:
        browser.address_of_page = (folder / "index.html").as_uri()
        yield browser


def shown(browser):
    """The text of what is on the screen, without what is hidden."""
    return browser.run("return document.querySelector('.slide.shown').innerText")


def number(browser):
    return browser.run("return document.querySelector('.slide.shown .foot').lastChild.textContent")


def size_of_figure(browser, name):
    code = "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
    return browser.run(f"{code} return [b.width, b.height]", f"#{name}-{name} img")


def test_keys_turn_slides_open_notes_and_lead_back(browser):
    browser.look(1280, 720)
    browser.open(browser.address_of_page + "#slides")
    assert number(browser) == "1 / 5"  # the title, and an opening and a figure for each section
    browser.press(None, ["right", "right"])
    assert number(browser) == "3 / 5"
    assert "A claim of two lines" in shown(browser)
    assert "1 About wide · Figure 1.1" in shown(browser)
    assert "Drawn." not in shown(browser)
    browser.press(None, ["n"])
    notes = browser.run("return document.getElementById('notes').innerText")
    assert "Drawn." in notes
    assert "1.500" in notes
    browser.press(None, ["right", "right", "right"])  # the last stays
    assert number(browser) == "5 / 5"
    assert "Twelve digits." in shown(browser)
    browser.press(None, ["\ue00c"])  # Escape
    assert browser.run("return location.hash") == "#digits-digits"
    assert browser.run("return document.querySelector('nav').offsetHeight") > 0
    assert browser.run("return document.getElementById('notes').offsetHeight") == 0
    browser.open(browser.address_of_page + "#slides/4")
    assert "About digits" in shown(browser)
    assert browser.errors() == []


def test_every_key_counts_however_fast_they_come(browser):
    """All in one script: no event of the browser's own comes between."""
    browser.look(1280, 720)
    browser.open(browser.address_of_page + "#slides")
    code = """
        for (const key of arguments[0])
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        return [location.hash, document.documentElement.className];
    """
    assert browser.run(code, ["ArrowRight"] * 3) == ["#slides/4", "slides"]
    assert number(browser) == "4 / 5"
    keys = ["ArrowLeft", "ArrowLeft", "Escape", "ArrowRight"]  # the page has no slide to turn
    assert browser.run(code, keys) == ["#wide", ""]


def test_figures_have_the_room_that_letters_are_measured_by(browser):
    """As tests/autoencoder/lecture/test_every_section.py counts on at 1280 x 720."""
    browser.look(1280, 720)
    browser.open(browser.address_of_page)
    ratio = 12.3 / 6.3
    width, height = size_of_figure(browser, "wide")
    assert width >= 1180 or height >= 640
    browser.open(browser.address_of_page + "#slides/3")
    width, height = size_of_figure(browser, "wide")
    assert width >= 1232 or height >= 584
    assert width / height == pytest.approx(ratio, rel=0.1)


def test_by_night_paper_is_as_dark_as_the_page_and_images_are_as_they_were(browser):
    browser.look(1280, 720, dark=True)
    browser.open(browser.address_of_page + "#slides/5")
    code = "return document.querySelector('#digits-digits img').getBoundingClientRect().toJSON()"
    box = browser.run(code)
    content = browser.chromium("Page.captureScreenshot", format="png")["data"]
    pixels = numpy.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("L"))
    inside = pixels[int(box["top"]) : int(box["bottom"]), int(box["left"]) : int(box["right"])]
    assert inside.max() < 40  # nothing is white
    assert (inside < 3).mean() > 0.5  # the digits are black
    assert (abs(inside.astype(int) - 23) < 4).mean() > 0.05  # the paper is the page's


def test_on_a_phone_a_figure_says_that_it_scrolls(browser):
    browser.look(390, 844, touch=True)
    browser.open(browser.address_of_page)
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    assert size_of_figure(browser, "wide")[0] > 600
    assert browser.run("return document.querySelector('.scrolls').offsetHeight") > 0
    browser.look(1280, 720)
    assert browser.run("return document.querySelector('.scrolls').offsetHeight") == 0
