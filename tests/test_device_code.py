"""Kernels, operations and optimisers name no NumPy; scipy stays on the host, and says so."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEVICE_FOLDERS = ("kernels", "functional", "optim")
LIBRARIES = {"numpy", "scipy", "importlib", "sys"}
TO_THE_HOST = {  # what backend offers, and the files that may use it
    "to_numpy": ("optim/optimizer.py",),  # the saved state is on the host
    # A Python number on its way to a device; what is handed over with a launch.
    "as_host_array": ("functional/arguments.py", "kernels/cuda/__init__.py"),
}


def stray(source: str, path: str = "functional/any.py") -> list[str]:
    """Where code that must run on any device names NumPy, however it gets there."""
    tree = ast.parse(source)
    compared = {
        part for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names += [] if node.level else [(node.module or "").split(".")[0]]
            if any(a.asname and a.name in {"HostArray", *TO_THE_HOST} for a in node.names):
                found.append(f"{path}:{node.lineno}: another name for {names}")
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.Name):
            names = [node.id]
            if node.id == "HostArray" and node not in compared:
                found.append(f"{path}:{node.lineno}: HostArray not merely compared with")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
        banned = LIBRARIES | {"__import__", "eval", "exec"}
        banned |= {name for name, places in TO_THE_HOST.items() if path not in places}
        found += [f"{path}:{node.lineno}: {name}" for name in names if name in banned]
    return found


def test_kernels_operations_and_optimisers_name_no_numpy():
    found, read = [], 0
    for folder in DEVICE_FOLDERS:
        for path in sorted((ROOT / "minigrad" / folder).rglob("*.py")):
            place = path.relative_to(ROOT / "minigrad").as_posix()
            found += stray(path.read_text(encoding="utf-8"), place)
            read += 1
    assert found == []
    assert read > 20


PLANTED = [
    *("import numpy", "import numpy as xp", "import numpy.linalg", "from numpy import exp"),
    *("from numpy.lib.stride_tricks import as_strided", "import scipy.special"),
    *("def forward(self, x):\n    import numpy\n    return numpy.exp(x)", "y = x.numpy()"),
    *("from ..backend import numpy as xp", "from .. import backend\nbackend.numpy.exp(1)"),
    *("xp = getattr(backend, 'numpy')", "import importlib\nxp = importlib.import_module(name)"),
    *("xp = __import__('numpy')", "import sys\nxp = sys.modules[name]"),
    *("from ..backend import HostArray\ny = HostArray((2, 3))",),
    *("from ..backend import HostArray as H\ny = H((2, 3))",),
    *("from ..backend import to_numpy\ny = to_numpy(x)",),
    *("from ..backend import as_host_array\ny = as_host_array(x)",),
]
HARMLESS = (
    '"""NumPy and numpy.ndarray in words."""\n'
    "import math\n"
    "from ..backend import HostArray, array_module\n"
    "xp = array_module(x)\n"
    "y = xp.exp(x).sum() if type(x) is HostArray else math.exp(1.0)\n"
)


def test_numpy_by_any_way_is_noticed_and_arrays_own_modules_and_types_are_none():
    assert [source for source in PLANTED if not stray(source)] == []
    assert not stray(HARMLESS)


def test_scipy_is_on_the_host_only_and_said_to_be():
    unsaid = []
    for path in sorted((ROOT / "minigrad").rglob("*.py")):
        assert "scipy" not in _imported(ast.parse(path.read_text(encoding="utf-8"))), path
    for path in sorted([*(ROOT / "autoencoder").rglob("*.py"), *(ROOT / "demos").glob("*.py")]):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.Module)):
                own = ast.Module([n for n in function.body if not _defines(n)], [])
                if "scipy" in _imported(own) and "host" not in (ast.get_docstring(function) or ""):
                    name = getattr(function, "name", "the module")
                    unsaid.append(f"{path.relative_to(ROOT)}: {name} uses scipy")
    assert unsaid == []


def _defines(node: ast.stmt) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.ClassDef))


def _imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names
