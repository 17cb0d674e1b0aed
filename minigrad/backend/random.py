"""The one source of random numbers inside the engine: where initial weights come from.

Numbers are drawn on the host and then moved, because NumPy's and CuPy's streams differ: so a run
starts from the same weights on every device.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy

from minigrad.backend.array_switch import Array
from minigrad.backend.numbers import whole_number

if TYPE_CHECKING:
    from numpy.random import Generator

_lock = threading.Lock()
_shard: ContextVar[tuple[ShardGenerators, int] | None] = ContextVar("minigrad_shard", default=None)
_generator: Generator | None = None  # made when first needed: `numpy.random` takes time to import


def manual_seed(seed: int) -> Generator:
    """Start the default generator afresh, so that the layers made next are the same every time.

    The seed is a whole number, not negative. The new default generator is returned.

    >>> from minigrad import nn
    >>> seeded = manual_seed(1)
    >>> first = nn.Linear(2, 1).weight
    >>> seeded = manual_seed(1)
    >>> bool((nn.Linear(2, 1).weight.data == first.data).all())
    True
    """
    global _generator
    number = whole_number("manual_seed", "the seed", seed, minimum=0)
    generator = numpy.random.default_rng(number)
    with _lock:
        _generator = generator
    return generator


def default_generator() -> Generator:
    """The generator layers draw from when they are given none.

    Seeded by :func:`manual_seed`; before that, from the operating system. Threads may share it,
    but which of them draws first is a matter of chance: code that makes layers in several threads
    and wants the same ones twice gives each a generator of its own.
    """
    global _generator
    shard = _shard.get()
    if shard is not None:
        generators, index = shard
        return generators.generator(index)
    with _lock:
        if _generator is None:
            _generator = numpy.random.default_rng()
        return _generator


def is_part_of_batch() -> bool:
    """Whether this code sees one shard of several: it cannot know what the others hold."""
    shard = _shard.get()
    return shard is not None and shard[0].shards > 1


class ShardGenerators:
    """One generator for each of a batch's shards: what a model draws depends on no worker.

    All are seeded by one number. Without a ``seed`` it is drawn from the default generator when
    the first of them is asked for: a model that draws nothing leaves the default generator alone.
    """

    def __init__(self, seed: int | None = None, shards: int = 1) -> None:
        self.shards = shards
        self._lock = threading.Lock()
        self._seed = seed
        self._made: dict[int, Generator] = {}

    @property
    def were_asked(self) -> bool:
        """Whether any generator was made."""
        return bool(self._made)

    @contextlib.contextmanager
    def use(self, index: int) -> Iterator[None]:
        """Make shard ``index``'s generator the default one inside the block, in this context."""
        token = _shard.set((self, index))
        try:
            yield
        finally:
            _shard.reset(token)

    def generator(self, index: int) -> Generator:
        """The generator of one shard."""
        with self._lock:
            if index not in self._made:
                self._made[index] = numpy.random.default_rng([self.draw_seed(), index])
            return self._made[index]

    def draw_seed(self) -> int:
        """The number that seeds all, drawn if it was not yet."""
        if self._seed is None:
            token = _shard.set(None)  # the number comes from outside the shards
            self._seed = int(default_generator().integers(2**63))
            _shard.reset(token)
        return self._seed


def batches(
    arrays: Array | Sequence[Array], size: int, seed: int | None = None
) -> Iterator[tuple[Array, ...]]:
    """The samples of arrays in batches, each sample once, in an order that the seed fixes.

    Parameters
    ----------
    arrays : array or sequence of arrays
        One sample for each index of their first dimension, as many in each.
    size : int
        Samples in a batch; the last may have fewer.
    seed : int, optional
        By default the order of the arrays is kept. For another in each epoch, give its number.

    Returns
    -------
    iterator of tuples of arrays
        Copies of the samples.

    Raises
    ------
    TypeError, ValueError
        If the arrays differ in length, or a number is no whole number in its range.

    Examples
    --------
    >>> x, y = numpy.arange(5) * 10, numpy.arange(5)
    >>> [(a.tolist(), b.tolist()) for a, b in batches([x, y], 2)]
    [([0, 10], [0, 1]), ([20, 30], [2, 3]), ([40], [4])]
    >>> sorted(int(i) for (batch,) in batches(y, 2, seed=7) for i in batch)
    [0, 1, 2, 3, 4]
    """
    whole_number("batches", "size", size)
    given: tuple[Any, ...] = tuple(arrays) if isinstance(arrays, tuple | list) else (arrays,)
    counts = [len(array) for array in given]
    if len(set(counts)) != 1:
        raise ValueError(f"batches: the arrays have {counts} samples, expected as many in each")
    order = numpy.arange(counts[0])
    if seed is not None:
        whole_number("batches", "seed", seed, minimum=0)
        order = numpy.random.default_rng(seed).permutation(order)
    for start in range(0, len(order), size):
        yield tuple(array[order[start : start + size]] for array in given)
