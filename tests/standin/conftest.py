"""Fixtures over the stand-in; and the cases kept beside the tests of minigrad, importable."""

import sys
from pathlib import Path

import pytest
from cupy_standin import counters, installed

MINIGRAD = Path(__file__).parents[1] / "minigrad"
sys.path += [str(MINIGRAD), str(MINIGRAD / "kernels")]


@pytest.fixture
def cupy():
    """The stand-in, installed as ``cupy`` for one test, with two GPUs."""
    with installed() as module:
        yield module


@pytest.fixture
def used(cupy):
    """What the test has cost so far: launches, waits, copies."""
    with counters.measure() as counts:
        yield counts
