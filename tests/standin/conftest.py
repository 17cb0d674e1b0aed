"""Fixtures over the stand-in."""

import pytest
from cupy_standin import counters, installed


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
