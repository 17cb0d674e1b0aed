"""Python in a process of its own, for the tests: run to its end, and what it says."""

import ast
import os
import subprocess
import sys
from pathlib import Path

# In which programs find the helpers beside the tests.
PATHS = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
ELSEWHERE = """
import importlib.util, sys
specification = importlib.util.spec_from_file_location("elsewhere", sys.argv[1])
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
print(repr(eval(sys.argv[2], vars(module))))
"""


def start(*words, **options):
    """Start Python with these words; its streams are text."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *map(str, words)], **{**pipes, **options})


def python(*words, status=0, **options):
    """Run Python with these words to its end, which has this status."""
    command = [sys.executable, *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, **options)
    assert result.returncode == status, result.stderr
    return result


def start_elsewhere(file, expression):
    """Start a process that evaluates an expression of a test file's names."""
    return start("-c", ELSEWHERE, file, expression, env=ENVIRONMENT)


def elsewhere(file, expression, **environment):
    """What an expression of a test file's names gives where no other test left anything."""
    result = python("-c", ELSEWHERE, file, expression, env={**ENVIRONMENT, **environment})
    return ast.literal_eval(result.stdout.splitlines()[-1])
