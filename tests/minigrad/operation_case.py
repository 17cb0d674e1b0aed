"""What a case is, and the values cases are made of: see ``operation_cases.py``."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import minigrad
from minigrad.engine import Operation
from minigrad.gradcheck import away_from, distinct


@dataclass(frozen=True)
class Case:
    """A call to check: ``function(F, *tensors)`` at host values ``inputs`` (float64)."""

    name: str
    function: Callable
    inputs: tuple[np.ndarray, ...]
    torch: bool = True
    step: float = 1e-6


@contextlib.contextmanager
def naming(case):
    """Name the case of a loop that fails."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"in the case {case}") from error


class Functions:
    """minigrad's functions on a device: what a case is given as ``F``."""

    def __init__(self, device):
        self.device = device

    def __getattr__(self, name):
        return getattr(minigrad.functional, name)

    def index_tensor(self, array):
        return minigrad.Tensor(np.asarray(array), device=self.device)

    def operation(self, name, *options):
        return Operation.registry[name](*options)


def named(name, **options):
    """The function of that name, with options."""
    return lambda F, *tensors: getattr(F, name)(*tensors, **options)


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def positive(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).uniform(0.5, 2.0, shape)


def off_zero(*shape, seed=0):
    return away_from(normal(*shape, seed=seed), margin=0.1)


def apart(*shape, seed=0):
    """Values without ties."""
    return distinct(shape, seed=seed + len(shape))
