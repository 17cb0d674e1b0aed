"""The house rules a machine can check."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from running import python

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
# The two links upward: Tensor.backward imports the backward pass when it is called, and functional
# attaches Tensor's methods, whose names the engine imports for type checkers only.
EXCEPTIONS = {
    "minigrad.engine.tensor": {"minigrad.engine.backward"},
}


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff_has_nothing_to_say(command):
    pytest.importorskip("ruff")
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


def test_no_file_is_called_utils():
    assert not [path for path in SOURCES if "util" in path.name]


def modules_of_minigrad():
    """Each module of minigrad by name, with its file."""
    found = {}
    for path in sorted((ROOT / "minigrad").rglob("*.py")):
        if path.name == "__main__.py":  # a command, above all floors
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules_of_minigrad()


def imports_of(path, when):
    """The modules of minigrad that a file imports: at import time, or later inside a function."""
    tree = ast.parse(path.read_text())
    later = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    typing = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and getattr(branch.test, "id", "") == "TYPE_CHECKING"
        for statement in branch.body
        for node in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if node in typing or (node in later) != (when == "later"):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= inside or {node.module}
    return {name for name in found if name.split(".")[0] == "minigrad"}


def floor_of(module):
    """How high the folder of a module lies; the package itself above all."""
    height = {name: i for i, names in enumerate(FLOORS) for name in names}
    folder = module.split(".")[1] if "." in module else None
    assert folder is None or folder in height, f"which floor is minigrad/{folder} on?"
    return len(FLOORS) if folder is None else height[folder]


@pytest.mark.parametrize("when", ["at import time", "later"])
def test_floors_of_minigrad_import_only_downward(when):
    upward = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        for other in imports_of(path, when)
        if floor_of(other) > floor_of(module)
        or (floor_of(other) == floor_of(module) and other.split(".")[1:2] != module.split(".")[1:2])
    ]
    assert upward == []


def test_imports_close_no_circle_of_files():
    """A package stands for its files: who imports it waits for all of them."""
    imports = {
        module: imports_of(path, "at import time")
        for module, path in MODULES.items()
        if path.name != "__init__.py"
    }
    for module, others in imports.items():
        assert module.rpartition(".")[0] not in others, f"{module} imports its own package"
    while imports:
        free = [m for m, others in imports.items() if not (others & imports.keys()) - {m}]
        assert free, f"a circle among {sorted(imports)}"
        for module in free:
            del imports[module]


def test_inside_a_folder_only_the_backward_pass_is_imported_late():
    late = {
        module: {name for name in imports_of(path, "later") if floor_of(name) == floor_of(module)}
        for module, path in MODULES.items()
        if module.startswith("minigrad.engine")
    }
    assert {module: names for module, names in late.items() if names} == EXCEPTIONS


def test_the_engine_is_small_and_stands_on_the_array_switch_only():
    files = {m: p for m, p in MODULES.items() if m.startswith("minigrad.engine.")}
    assert len(files) <= 5
    lines = {module: len(path.read_text().splitlines()) for module, path in files.items()}
    assert sum(lines.values()) <= 1100, lines
    for path in files.values():
        for other in imports_of(path, "at import time") | imports_of(path, "later"):
            assert other.split(".")[1] in ("backend", "engine"), f"{path} imports {other}"


def test_minigrad_does_not_know_autoencoder():
    for path in (ROOT / "minigrad").rglob("*.py"):
        assert "autoencoder" not in [
            (node.module or "").split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.level == 0
        ], path


def test_import_loads_neither_matplotlib_nor_scipy_nor_cupy():
    code = "import sys, minigrad; print({'matplotlib', 'scipy', 'cupy'} & set(sys.modules))"
    assert python("-c", code).stdout.strip() == "set()"


def test_no_test_is_named_after_bytes(request):
    """A packed file holds the time it was made: xdist's workers would disagree on the name."""
    assert not [item.nodeid for item in request.session.items if "\\x" in item.nodeid]
