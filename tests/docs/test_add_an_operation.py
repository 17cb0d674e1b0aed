"""The page's code runs as it stands, and prints what its comments say."""

import re
from pathlib import Path

import pytest

from minigrad.engine import Operation

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add_an_operation.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def registry():
    known = dict(Operation.registry)
    yield Operation.registry
    Operation.registry.clear()
    Operation.registry.update(known)


def test_code_runs_from_top_to_bottom_and_prints_what_it_says(registry, capsys):
    assert len(BLOCKS) == 5
    namespace = {"__name__": "page"}
    for i, block in enumerate(BLOCKS):
        exec(compile(block, f"add_an_operation.md, block {i}", "exec"), namespace)
    said = re.findall(r"print\(.*\)  # (.*)", "".join(BLOCKS))
    assert capsys.readouterr().out.splitlines() == said
    assert len(said) == 2
    assert registry["hypot"] is namespace["Hypot"]


def test_files_it_names_exist():
    for path in re.findall(r"`((?:minigrad|tests)/[\w/.]+)`", PAGE):
        assert (ROOT / path).exists(), path
