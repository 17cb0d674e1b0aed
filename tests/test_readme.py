"""The README and the pages of docs/, held to what they say: code runs, files and options exist."""

import re
import shlex
from pathlib import Path

import pytest
from running import python

from autoencoder.lecture.command_line import build_parser
from autoencoder.lecture.sections import SECTIONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BY_NAME = [path.name for path in PAGES]


def run_blocks(text):
    """Execute a page's Python blocks in order, and return the names they leave."""
    names: dict = {"__name__": "page"}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(block, names)
    return names


def test_readme_can_be_read_at_a_sitting():
    assert len(README.splitlines()) <= 150


def test_its_python_blocks_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_blocks(README)
    assert names["x"].grad.data == pytest.approx([0.6, 0.8])
    assert names["curvature"].data == pytest.approx([18.0, 24.0])
    assert names["error"] < 0.1


@pytest.mark.parametrize("page", ["carry_on.md", "your_own_images.md"])
def test_python_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_blocks((ROOT / "docs" / page).read_text(encoding="utf-8"))


def test_python_blocks_of_the_api_in_a_page_run_in_order():
    names = run_blocks((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    assert names["x"].grad.data == pytest.approx([0.6, 0.8])
    assert set(names["gradients"][0].shape) == {8, 1, 3}


@pytest.mark.parametrize("path", PAGES, ids=BY_NAME)
def test_every_file_a_page_names_exists(path):
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"`((?:minigrad|autoencoder|demos|tests|docs)/[\w/.]*)`", text)
    named += re.findall(r"python (demos/\w+\.py)", text)
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert [one for one in named if not (ROOT / one).exists()] == []
    assert [one for one in linked if not (path.parent / one).exists()] == []


def test_every_promise_names_tests_that_exist():
    """In the second column of each row; a bare name is a file beside the one named before it."""
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    for promise, tests, _ in rows:
        named = re.findall(r"`([\w/]+\.py)`", tests)
        assert named or tests.startswith("the same"), promise
        folder = ROOT / "tests" / "autoencoder"
        for one in named:
            places = [ROOT / one, ROOT / "tests" / "autoencoder" / one, folder / one]
            found = [place for place in places if place.is_file()]
            assert found, f"{one}: {promise}"
            folder = found[0].parent


def test_ci_calls_exactly_its_test_command():
    command = re.search(r"^python3 -m venv .*pytest.*$", README, re.MULTILINE)[0]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_its_breakpoint_stops_in_the_backward_loop():
    (command,) = re.findall(r"^python (-m pdb .*)$", README, re.MULTILINE)
    given = {"cwd": ROOT, "input": "p sorted(locals())\nq\n", "timeout": 120}
    result = python(*shlex.split(command), **given)
    assert re.search(r"engine.backward\.py\(\d+\)walk\(\)", result.stdout), result.stdout
    assert "'gradients', 'outputs'" in result.stdout


def test_common_options_are_those_of_the_demos():
    sentence = re.search(r"Every demo takes `([^`]*)`", README)[1]
    parser = build_parser("demo", "")
    known = {text for action in parser._actions for text in action.option_strings}
    assert set(re.findall(r"--[\w-]+", sentence)) - known <= {"--epochs", "--batch-size"}


def test_every_section_of_the_lecture_stands_in_its_grid():
    cells = re.findall(r"!\[(\d+) [^]]*\]\(docs/images/lecture/(\w+)\.png\)", README)
    commands = re.findall(r"<br>\d+ [^<|]*<br>`python demos/(\w+)\.py`", README)
    assert [name for _, name in cells] == commands == list(SECTIONS)
    assert [int(number) for number, _ in cells] == list(range(1, len(SECTIONS) + 1))
