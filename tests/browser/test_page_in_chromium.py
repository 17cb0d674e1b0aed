"""The laboratory in a headless Chromium without network, used by mouse, finger and keyboard."""

import pytest
from webdriver import Browser, missing

from autoencoder.lecture.browser.laboratory import laboratory_html
from autoencoder.lecture.page import page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.timeout(900),
]

SEVEN = [(0.25, 0.2), (0.5, 0.2), (0.75, 0.2), (0.6, 0.5), (0.45, 0.9)]
PICTURES = """
    return Object.fromEntries([...document.querySelectorAll(arguments[0])].map(
      (canvas, i) => [`${canvas.getAttribute('aria-label')} ${i}`, canvas.toDataURL()]));
"""
# Two frames on, so that what was asked for has begun, and then until nothing is left to compute.
IDLE = """
    const isBusy = () => document.getElementById('laboratory').ariaBusy === 'true';
    return new Promise((resolve) => {
      const frame = (left) => left || isBusy()
        ? requestAnimationFrame(() => frame(left && left - 1)) : resolve(true);
      frame(2);
    });
"""
INK = """
    const canvas = document.querySelector(arguments[0]);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, i) => i % 4 === 0 && value > 127).length;
"""
SEE = "document.querySelector(arguments[0]).scrollIntoView({behavior: 'instant'})"


@pytest.fixture(scope="module")
def address(tmp_path_factory, laboratory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    html = laboratory_html(laboratory, "Computed here.")
    path.write_text(page("Lecture", "", [], {}, laboratory=html))
    assert path.stat().st_size < 2_000_000
    return path.as_uri()


@pytest.fixture(scope="module")
def window():
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(window, address):
    """The page, opened anew on a desktop; afterwards the console must be empty."""
    window.look(1280, 720)
    window.open(address)
    yield window
    assert window.errors() == []


def see(browser, piece, least):
    """Scroll to a piece, which starts it: it shows so many pictures in the end."""
    browser.run(SEE, piece)
    for _ in range(100):
        browser.run(IDLE)
        if len(browser.run(PICTURES, f"{piece} canvas")) >= least:
            return
    raise AssertionError(f"{piece} has not started")


def see_all(browser):
    for piece, least in {"latents": 13, "drawn": 19, "walk": 31, "samples": 40}.items():
        see(browser, f"#lab-{piece}", least)


def pictures(browser, selector):
    """What canvases show, after all that was asked for is computed."""
    browser.run(IDLE)
    return browser.run(PICTURES, selector)


def changed(before, after):
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def value_of(browser, selector):
    return float(browser.run("return document.querySelector(arguments[0]).value", selector))


def test_an_error_in_the_console_would_be_seen(window, address):
    window.open(address)
    window.run("setTimeout(() => { throw new Error('planted'); })")
    window.run(IDLE)
    assert any("planted" in error for error in window.errors())


def test_opening_the_page_computes_nothing_that_is_not_seen(browser):
    assert browser.run("return document.querySelectorAll('#lab-samples canvas').length") == 0


def test_a_slider_moved_by_mouse_keys_and_finger_changes_the_picture(browser):
    see(browser, "#lab-latents", 13)
    first = "#lab-sliders input"
    before, start = pictures(browser, "#lab-decoded canvas"), value_of(browser, first)
    browser.drag(first, [(0.5, 0.5), (0.7, 0.5), (0.9, 0.5)])
    moved, by_mouse = pictures(browser, "#lab-decoded canvas"), value_of(browser, first)
    assert by_mouse > start
    assert len(changed(before, moved)) == 1
    browser.press(first, ["left"] * 20)
    by_keys = value_of(browser, first)
    assert by_keys < by_mouse
    assert len(changed(moved, pictures(browser, "#lab-decoded canvas"))) == 1
    browser.look(390, 844, touch=True)
    browser.run(IDLE)
    browser.drag(first, [(0.8, 0.5), (0.5, 0.5), (0.1, 0.5)], "touch")
    assert value_of(browser, first) < by_keys


def test_the_plane_is_moved_in_by_mouse_keys_and_finger(browser):
    see(browser, "#lab-latents", 13)
    browser.run("document.querySelectorAll('#lab-sliders input').forEach((e, i) => e.id = `z${i}`)")
    sliders = ["#z0", "#z1"]
    seen = [[value_of(browser, each) for each in sliders]]
    browser.drag("#lab-plane", [(0.5, 0.5), (0.8, 0.2)])
    seen.append([value_of(browser, each) for each in sliders])
    assert seen[1][0] > seen[0][0]
    browser.press("#lab-plane", ["left", "left", "down"])
    seen.append([value_of(browser, each) for each in sliders])
    assert seen[2][0] < seen[1][0]
    assert seen[2][1] < seen[1][1]
    browser.drag("#lab-plane", [(0.2, 0.3), (0.1, 0.1)], "touch")
    seen.append([value_of(browser, each) for each in sliders])
    assert seen[3][0] < seen[2][0]
    assert seen[3][1] > seen[2][1]


def test_eight_latents_have_eight_sliders_and_a_digit_sets_them(browser):
    see(browser, "#lab-latents", 13)
    browser.press("input[name='lab-d'][value='2']", ["right"])
    assert browser.run("return document.querySelectorAll('#lab-sliders input').length") == 8
    assert browser.run("return document.querySelector('#lab-plane').checkVisibility()") is False
    before = pictures(browser, "#lab-decoded canvas")
    browser.press("#lab-latents-from button:nth-child(5)", ["\ue007"])  # Enter
    assert len(changed(before, pictures(browser, "#lab-decoded canvas"))) == 1


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_a_drawn_stroke_changes_every_picture(browser, kind):
    see(browser, "#lab-drawn", 19)
    everything = "#lab-pad, #lab-drawn .lab-picture canvas"
    before = pictures(browser, everything)
    assert len(before) == 9
    browser.drag("#lab-pad", SEVEN, kind)
    assert changed(before, pictures(browser, everything)) == before.keys()
    assert browser.run(INK, "#lab-clean canvas") > 60  # of 784; a dot has 5


def test_a_digit_is_drawn_with_the_keyboard_and_taken_back(browser):
    see(browser, "#lab-drawn", 19)
    shown = "#lab-drawn .lab-picture canvas"
    browser.press("#lab-clear", [" "])
    empty = pictures(browser, shown)
    browser.press("#lab-pad", ["up"] * 8 + [" "] + ["down"] * 16 + [" "])
    drawn = pictures(browser, shown)
    assert changed(empty, drawn) == empty.keys()
    assert browser.run(INK, "#lab-clean canvas") > 30
    browser.press("#lab-undo", [" "])
    assert pictures(browser, shown) == empty


def test_noise_and_the_half_that_is_erased_are_chosen(browser):
    see(browser, "#lab-drawn", 19)
    noised = "#lab-noisy canvas, #lab-denoiser canvas, #lab-denoiser-wide canvas"
    halved = "#lab-erased canvas, #lab-restored canvas"
    before = pictures(browser, noised)
    browser.press("#lab-noise input", ["right"] * 30)
    more = pictures(browser, noised)
    assert changed(before, more) == before.keys()
    browser.press("#lab-other-noise", [" "])
    assert changed(more, pictures(browser, noised)) == before.keys()
    before = pictures(browser, halved)
    browser.press("input[name='lab-half'][value='left']", ["right"])
    assert changed(before, pictures(browser, halved)) == before.keys()


def test_a_walk_follows_its_slider_and_its_ends(browser):
    see(browser, "#lab-walk", 31)
    place, film = "#lab-walk .lab-picture canvas", "#lab-walk-film canvas"
    before, whole = pictures(browser, place), pictures(browser, film)
    browser.drag("#lab-walk-way input", [(0.5, 0.5), (0.1, 0.5)])
    moved = pictures(browser, place)
    assert changed(before, moved) == before.keys()
    assert pictures(browser, film) == whole
    browser.press("#lab-walk-to button:nth-child(1)", [" "])
    # Where the walk begins nothing has changed; the way's later pictures have.
    assert len(changed(whole, pictures(browser, film))) == len(whole) - 1


def test_a_drawn_digit_is_an_end_of_a_walk(browser):
    see(browser, "#lab-walk", 31)
    see(browser, "#lab-drawn", 19)
    browser.drag("#lab-pad", SEVEN)
    before = pictures(browser, "#lab-walk-film canvas")
    browser.press("#lab-walk-to button[aria-label='your own digit']", [" "])
    assert changed(before, pictures(browser, "#lab-walk-film canvas"))


def test_other_samples_are_drawn(browser):
    see(browser, "#lab-samples", 40)
    before = pictures(browser, "#lab-samples canvas")
    assert len(set(before.values())) == 40
    browser.press("#lab-sample", [" "])
    assert changed(before, pictures(browser, "#lab-samples canvas")) == before.keys()


def test_the_keyboard_reaches_everything_in_turn(browser):
    see_all(browser)
    reachable = """
        const all = [...document.querySelectorAll(
          '#laboratory button, #laboratory input, #laboratory canvas[tabindex]')];
        const radios = new Set();
        return all.filter((each) => {
          if (!each.checkVisibility()) return false;
          if (each.type !== 'radio') return true;
          return each.checked;
        }).length;
    """
    wanted = browser.run(reachable)
    assert wanted > 50
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    focused = """
        const each = document.activeElement;
        if (!each.closest('#laboratory')) return null;
        each.dataset.seen = '1';
        return document.querySelectorAll('#laboratory [data-seen]').length;
    """
    found = 0
    for _ in range(wanted + 5):
        browser.press(None, ["tab"])
        found = browser.run(focused) or found
    assert found == wanted


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(browser, width, dark):
    browser.look(width, 720, dark, touch=width < 600)
    see_all(browser)
    browser.run('document.querySelector(\'input[name="lab-d"][value="8"]\').click()')
    browser.run(IDLE)
    assert browser.run("return document.documentElement.scrollWidth") <= width
