"""``cupy.random``: other streams than NumPy's for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .core import launch, ndarray
from .layout import numeric
from .names import bind, missing

APART = 0xC0DA  # mixed into every seed


def _numpy_generator(seed: Any) -> numpy.random.Generator:
    if isinstance(seed, ndarray):
        raise TypeError(f"seed: Unsupported type {type(seed)}")
    entropy = None if seed is None else [APART, *numpy.atleast_1d(seed).tolist()]
    return numpy.random.Generator(numpy.random.Philox(numpy.random.SeedSequence(entropy)))


def _deliver(name: str, host: Any, dtype: Any = None) -> ndarray:
    dtype = numpy.asarray(host).dtype if dtype in (None, ...) else numeric(dtype)
    return launch(f"random.{name}", numpy.array(host, dtype))


class Generator:
    """``cupy.random.Generator``: it has no ``normal``, no ``permutation`` and no ``shuffle``."""

    def __init__(self, bit_generator: Any) -> None:
        self._generator = _numpy_generator(bit_generator)

    def __getattr__(self, name: str) -> Any:
        raise missing("Generator", name)


class RandomState:
    """``cupy.random.RandomState``."""

    def __init__(self, seed: Any = None, method: Any = ...) -> None:
        self._generator = _numpy_generator(seed)

    def __getattr__(self, name: str) -> Any:
        raise missing("RandomState", name)

    def seed(self, seed: Any = None) -> None:
        """Start again from a seed."""
        self._generator = _numpy_generator(seed)

    def shuffle(self, a: ndarray) -> None:
        """Shuffle the first axis in place."""
        a[...] = self.permutation(a)

    def permutation(self, a: int | ndarray) -> ndarray:
        """A shuffled range or a shuffled copy."""
        host = a._host if isinstance(a, ndarray) else a
        return _deliver("permutation", self._generator.permutation(host))


# name here: name in NumPy's Generator
OF_GENERATOR = {
    "random": "random",
    "standard_normal": "standard_normal",
    "uniform": "uniform",
    "integers": "integers",
    "exponential": "exponential",
    "standard_exponential": "standard_exponential",
}
OF_STATE = {
    "random_sample": "random",
    "standard_normal": "standard_normal",
    "normal": "normal",
    "uniform": "uniform",
    "randint": "integers",
    "choice": "choice",
    "exponential": "exponential",
}


def _method(owner: str, name: str, numpy_name: str) -> Callable:
    def draw(self: Any, *args: Any, **kwargs: Any) -> ndarray:
        given = bind(owner, name, (self, *args), kwargs)
        given.pop("self")
        dtype = given.pop("dtype", None)
        if given.pop("out", None) is not None:
            raise NotImplementedError(f"the stand-in does not model {owner}.{name}(out=)")
        hosts = {k: v._host if isinstance(v, ndarray) else v for k, v in given.items()}
        return _deliver(name, getattr(self._generator, numpy_name)(**hosts), dtype)

    draw.__name__ = name
    return draw


for _name, _numpy_name in OF_GENERATOR.items():
    setattr(Generator, _name, _method("Generator", _name, _numpy_name))
for _name, _numpy_name in OF_STATE.items():
    setattr(RandomState, _name, _method("RandomState", _name, _numpy_name))


class _Global:
    state = RandomState()


def _rand(draw: str) -> Callable:
    def function(*size: int, dtype: Any = float) -> ndarray:
        return getattr(_Global.state, draw)(size, dtype=dtype)

    return function


def _forward(name: str) -> Callable:
    def function(*args: Any, **kwargs: Any) -> Any:
        return getattr(_Global.state, name)(*args, **kwargs)

    return function


NAMESPACE: dict[str, Any] = {
    "Generator": Generator,
    "RandomState": RandomState,
    "default_rng": Generator,
    "rand": _rand("random_sample"),
    "randn": _rand("standard_normal"),
    "random": _forward("random_sample"),
    "seed": _forward("seed"),
    **{name: _forward(name) for name in (*OF_STATE, "permutation", "shuffle")},
}
