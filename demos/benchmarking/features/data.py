"""The numbers the features are tried on, and the check that is wrong by 0.1 %."""

from __future__ import annotations

import hashlib

import numpy

__all__ = ["DEPTH", "FAULT", "chain", "digest", "images", "kernel"]

DEPTH = 10_000
FAULT = 1.001  # what a planted gradient is multiplied by


def chain(x):
    """``x + x + x ...``, one addition after the other: its derivative is DEPTH + 1."""
    y = x
    for _ in range(DEPTH):
        y = y + x
    return y


def images() -> numpy.ndarray:
    """Shape (32, 3, 28, 28), float32."""
    return numpy.random.default_rng(0).random((32, 3, 28, 28), dtype="float32")


def kernel() -> numpy.ndarray:
    """Shape (8, 3, 5, 5), float32."""
    return numpy.random.default_rng(1).random((8, 3, 5, 5), dtype="float32") - numpy.float32(0.5)


def digest(gradient: numpy.ndarray) -> str:
    """Of its bits."""
    return hashlib.sha256(numpy.ascontiguousarray(gradient).tobytes()).hexdigest()
