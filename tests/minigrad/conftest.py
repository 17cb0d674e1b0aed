"""Where tests build their tensors: on one device, given by the fixture ``device``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import minigrad

sys.path.insert(0, str(Path(__file__).parent))  # tests share tables of cases kept beside them


@pytest.fixture(params=["cpu"])
def device(request):
    """The device under test; a device that cannot be used skips the test."""
    try:
        return minigrad.device(request.param)
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def tensor(device):
    """Make a tensor from host values, on the device, keeping an array's precision."""

    def make(values, requires_grad=False, dtype=None):
        return minigrad.Tensor(values, requires_grad=requires_grad, dtype=dtype, device=device)

    return make
