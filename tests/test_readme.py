"""The README, held to what it says: its code runs, its files and options exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoencoder.lecture.command_line import build_parser
from autoencoder.lecture.lecture_page import SECTIONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run_in_order():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    names: dict = {"__name__": "readme"}
    for block in blocks:
        exec(block, names)
    assert names["x"].grad.data == pytest.approx([0.6, 0.8])
    assert names["curvature"].data == pytest.approx([18.0, 24.0])


def test_every_file_it_names_exists():
    paths = re.findall(r"`((?:minigrad|autoencoder|demos|tests|docs)/[\w/.]*)`", README)
    paths += re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    paths += re.findall(r"python (demos/\w+\.py)", README)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_ci_calls_exactly_its_test_command():
    command = re.search(r"^python3 -m venv .*pytest.*$", README, re.MULTILINE)[0]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_common_options_are_those_of_the_demos():
    sentence = re.search(r"Every demo takes `([^`]*)`", README)[1]
    parser = build_parser(
        "demo", "", {name: {} for name in ("smoke", "default", "lecture", "full")}
    )
    known = {text for action in parser._actions for text in action.option_strings}
    assert set(re.findall(r"--[\w-]+", sentence)) - known <= {"--epochs", "--batch-size"}


def test_every_section_of_the_lecture_stands_in_its_table():
    shown = re.findall(r"^\| \d+ .*?`python demos/(\w+)\.py`", README, re.MULTILINE)
    assert shown == list(SECTIONS)
