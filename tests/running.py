"""Python in a process of its own, for the tests: run to its end, and what it says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

ELSEWHERE = """
import importlib.util, sys
specification = importlib.util.spec_from_file_location("elsewhere", sys.argv[1])
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
print(repr(eval(sys.argv[2], vars(module))))
"""


def python(*words, status=0, **options):
    """Run Python with these words to its end, which has this status."""
    command = [sys.executable, *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, **options)
    assert result.returncode == status, result.stderr
    return result


def elsewhere(file, expression, **environment):
    """What an expression of a test file's names gives where no other test left anything."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), **environment}
    result = python("-c", ELSEWHERE, file, expression, env=environment)
    return ast.literal_eval(result.stdout.splitlines()[-1])
