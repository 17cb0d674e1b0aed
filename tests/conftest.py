"""Devices under test: the CPU, the stand-in for CuPy, and with ``-m cuda`` a real GPU."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import minigrad

sys.path.insert(0, str(Path(__file__).parent / "standin"))

from cupy_standin import installed


@pytest.fixture(autouse=True)
def _no_gpu_is_remembered(monkeypatch):
    """Let every test ask anew whether a GPU works: the stand-in's answer is not the machine's."""
    monkeypatch.setattr(minigrad.backend.cuda, "_working", set())


def real_gpu():
    """The real GPU, or a skipped test that says why there is none."""
    try:
        return minigrad.device("cuda")
    except RuntimeError as error:
        pytest.skip(str(error))


GPUS = ["standin", pytest.param("cuda", marks=pytest.mark.cuda)]


def _on(name):
    if name == "standin":
        with installed(device_count=2):
            yield minigrad.device("cuda:1")  # the second: nothing may fall back to the first
    elif name == "cuda":
        yield real_gpu()
    else:
        yield minigrad.device(name)


@pytest.fixture(params=["cpu", *GPUS])
def device(request):
    """The device under test: all of them in turn."""
    yield from _on(request.param)


@pytest.fixture(params=GPUS)
def gpu(request):
    """A GPU, for tests that compare it with the CPU: the stand-in's, then the real one."""
    yield from _on(request.param)


@pytest.fixture
def tensor(device):
    """Make a tensor from host values, on the device, keeping an array's precision."""

    def make(values, requires_grad=False, dtype=None):
        return minigrad.Tensor(values, requires_grad=requires_grad, dtype=dtype, device=device)

    return make
