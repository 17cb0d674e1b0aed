"""Problems: a piece of work to be timed, with its data, the same in every process."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy

from .networks import NETWORKS, forward_multiply_adds, initial_weights, training_multiply_adds

__all__ = ["LEARNING_RATE", "Problem", "Settings"]

LEARNING_RATE = 1e-3  # Adam's, in every library
SEED = 4


@dataclass(frozen=True)
class Settings:
    """How a library is to work.

    Parameters
    ----------
    threads : int
    device : str
        ``"cpu"`` or ``"cuda"``.
    variant : str
        What only one library knows, such as a memory layout.
    """

    threads: int = 2
    device: str = "cpu"
    variant: str = ""


@dataclass(frozen=True)
class Problem:
    """What one call computes.

    Parameters
    ----------
    task : str
        ``"train"``: forward, backward and Adam; ``"forward"``; ``"chain"``: forward and backward
        of ``x a + b``, again and again; ``"matmul"``: one square matrix product.
    network : str
        A key of ``NETWORKS``, for train and forward.
    batch : int
        Samples in a call.
    size : int
        Pixels a side of an image; rows of a matrix.
    operations, elements : int
        Length of a chain, and elements of its arrays: 0 for scalars.
    """

    task: str
    network: str = ""
    batch: int = 1
    size: int = 28
    operations: int = 0
    elements: int = 0

    @property
    def items(self) -> int:
        """Samples, or operations, in a call."""
        return self.operations or self.batch

    @property
    def is_convolutional(self) -> bool:
        """Whether it needs convolutions."""
        return self.network == "autoencoder"

    @property
    def flops(self) -> float | None:
        """Floating point operations of a call, or None where they say nothing about it."""
        if self.task == "matmul":
            return 2.0 * self.size**3
        if self.task == "train":
            return 2.0 * self.batch * training_multiply_adds(self.network, self.size)
        if self.task == "forward":
            return 2.0 * self.batch * forward_multiply_adds(self.network, self.size)
        return None

    @functools.cached_property
    def weights(self) -> dict[str, numpy.ndarray]:
        """Initial weights by name; of a chain ``a`` and ``b``."""
        rng = numpy.random.default_rng([SEED, 0])
        if self.task == "chain":  # close to 1 and to 0, so that values stay in range
            shape = (self.elements,) if self.elements else ()
            near = [rng.uniform(-1e-3, 1e-3, shape) for _ in range(2)]
            return {
                "a": numpy.asarray(1 + near[0], dtype="float32"),
                "b": numpy.asarray(near[1], dtype="float32"),
            }
        return initial_weights(self.network, rng)

    @functools.cached_property
    def inputs(self) -> numpy.ndarray:
        """The batch, between 0 and 1, float32; it is its own target."""
        rng = numpy.random.default_rng([SEED, 1])
        if self.task == "chain":
            shape: tuple[int, ...] = (self.elements,) if self.elements else ()
        elif self.is_convolutional:
            shape = (self.batch, 1, self.size, self.size)
        else:
            shape = (self.batch, NETWORKS[self.network][0].inputs)
        return numpy.asarray(rng.random(shape, dtype="float32"))
