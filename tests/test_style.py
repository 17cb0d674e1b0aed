"""The house rules a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("minigrad", "autoencoder", "demos")
    for path in (ROOT / folder).rglob("*.py")
)
FLOORS = [  # each imports only from floors before it
    ["backend"],
    ["engine", "kernels"],
    ["functional"],
    ["nn"],
    ["optim", "parallel", "gradcheck", "graph"],
]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff_has_nothing_to_say(command):
    pytest.importorskip("ruff")
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


def test_no_file_is_called_utils():
    assert not [path for path in SOURCES if "util" in path.name]


def imported_floors(path):
    """The modules of minigrad that a module of minigrad imports when it is imported."""
    depth = len(path.relative_to(ROOT / "minigrad").parts)
    tree = ast.parse(path.read_text())
    inside = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    checking = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and getattr(branch.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node in inside or node in checking:
            continue
        if node.level == depth:
            yield from [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
        elif node.level == 0 and (node.module or "").startswith("minigrad."):
            yield node.module.split(".")[1]


def test_floors_of_minigrad_import_only_downward():
    height = {name: i for i, names in enumerate(FLOORS) for name in names}
    upward = []
    for path in sorted((ROOT / "minigrad").rglob("*.py")):
        own = path.relative_to(ROOT / "minigrad").parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        assert own in height, f"which floor is minigrad/{own} on?"
        for other in imported_floors(path):
            if other != own and height[other] > height[own]:
                upward.append(f"{path.relative_to(ROOT)} imports {other}")
    assert upward == []


def test_minigrad_does_not_know_autoencoder():
    for path in (ROOT / "minigrad").rglob("*.py"):
        assert "autoencoder" not in [
            (node.module or "").split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.level == 0
        ], path


def test_import_loads_neither_matplotlib_nor_scipy_nor_cupy():
    code = "import sys, minigrad; print({'matplotlib', 'scipy', 'cupy'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


def test_no_test_is_named_after_bytes(request):
    """A packed file holds the time it was made: xdist's workers would disagree on the name."""
    assert not [item.nodeid for item in request.session.items if "\\x" in item.nodeid]
