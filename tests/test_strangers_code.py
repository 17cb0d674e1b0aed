"""No file, name or text that comes from outside is ever run: read off the syntax trees."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
BENCHMARKS = {
    "benchmark.py",
    "compare_features.py",
    "same_job.py",
}  # they start other frameworks' processes
SOURCES = sorted(
    [path for package in ("minigrad", "autoencoder") for path in (ROOT / package).rglob("*.py")]
    + [path for path in (ROOT / "demos").glob("*.py") if path.name not in BENCHMARKS]
)
ALLOWED = {
    # The one place that runs a file: a demo of this repository, by its name.
    ("autoencoder/lecture/sections.py", "exec_module"),
    # The one other process: this Python, with a line of this repository, to speak when ranks die.
    ("autoencoder/lecture/terminal.py", "subprocess"),
    ("autoencoder/lecture/terminal.py", "executable"),
}
FUNCTIONS = {"eval", "exec", "compile", "__import__", "__builtins__"}
MODULES = {
    "builtins", "cloudpickle", "code", "codeop", "commands", "ctypes", "dill", "imp", "joblib",
    "marshal", "multiprocessing", "pickle", "_pickle", "pty", "runpy", "shelve", "subprocess",
    "yaml",
}  # fmt: skip
METHODS = {
    "extractall", "fork", "popen", "posix_spawn", "posix_spawnp", "startfile",
    "system",
}  # fmt: skip


def uses(source):
    """What in a source could run a stranger's code, as (line, what)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in FUNCTIONS:
            yield node.lineno, node.id
        if isinstance(node, ast.Attribute):
            name, owner = node.attr, getattr(node.value, "id", "")
            if name in METHODS or name.startswith(("exec", "spawn")):
                yield node.lineno, name
            if name == "eval" and owner in ("numexpr", "pandas", "builtins", "sympy"):
                yield node.lineno, name
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module, *(alias.name for alias in node.names)]
        else:
            names = []
        yield from (
            (node.lineno, name)
            for name in names
            if name.split(".")[0] in MODULES or name in METHODS | FUNCTIONS
        )
        is_switch = isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell")
        if is_switch and getattr(node.value, "value", None) is not False:
            yield node.value.lineno, node.arg
        if isinstance(node, ast.Constant) and node.value in FUNCTIONS:
            yield node.lineno, f"the name {node.value!r}"  # for getattr, say


def test_nothing_is_evaluated_unpickled_or_given_to_a_shell():
    found = [
        f"{path.relative_to(ROOT)}:{line} {what}"
        for path in SOURCES
        for line, what in uses(path.read_text())
        if (path.relative_to(ROOT).as_posix(), what) not in ALLOWED
    ]
    assert found == []


PLANTED = [
    *("import pickle", "import pickle as p", "from pickle import loads", "import os, marshal"),
    *("def f():\n    import subprocess\n    subprocess.run('ls')", "x = eval('1')", "run = eval"),
    *("from multiprocessing import Pool", "exec(open('x').read())", "m = __import__('os')"),
    *("f = compile('1', 'x', 'eval')", "import os\nos.system('ls')", "from os import system"),
    *("import os\nos.popen('ls').read()", "import os\nos.execv('/bin/ls', [])"),
    *("import os\nos.spawnl(0, '/bin/ls')", "import os\nos.posix_spawn('/bin/ls', [], {})"),
    *("from builtins import eval", "import builtins\ngetattr(builtins, 'ev' + 'al')"),
    *("getattr(something, 'exec')('1')", "import numpy\nnumpy.load('x', allow_pickle=True)"),
    *("import numpy\nnumpy.load('x', allow_pickle=flag)", "run('ls', shell=True)"),
    *("import ctypes", "import runpy", "archive.extractall()", "import yaml"),
]
HARMLESS = ["model.eval()", "import re\nre.compile('x')", "load(path, allow_pickle=False)"]


def test_what_would_run_a_strangers_code_is_found_and_what_is_only_called_alike_is_not():
    assert [source for source in PLANTED if not list(uses(source))] == []
    assert [source for source in HARMLESS if list(uses(source))] == []
