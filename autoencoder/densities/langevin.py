"""Samples from the slope of a log density alone: Langevin's walk, from loud to quiet."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy

from autoencoder.data.arrays import require_generator

__all__ = ["annealed_langevin"]


def annealed_langevin(
    slope: Callable[[numpy.ndarray, float], numpy.ndarray],
    points: numpy.ndarray,
    stds: Sequence[float],
    rng: numpy.random.Generator,
    *,
    rate: float = 0.1,
    steps: int = 1,
    scale: numpy.ndarray | None = None,
) -> numpy.ndarray:
    """Walk points towards a density p, along a sequence of wider ones p_s that shrink to it.

    At each s, from the widest to the narrowest, so many times, with e standard normal noise and
    the step a = rate s^2,

        x  <-  x + a/2 M slope of log p_s at x + sqrt(a) M^(1/2) e

    Small steps of this kind, many of them, leave p_s as it is (Langevin dynamics); starting wide,
    points find every mode, each in proportion to its mass (Song and Ermon, 2019).

    Parameters
    ----------
    slope : callable
        From points (N, d) and s to the gradients (N, d) of log p_s.
    points : numpy.ndarray (N, d)
        Where the walk begins; near p_s of the first s.
    stds : sequence of float
        The s, in falling order, positive.
    rng : numpy.random.Generator
    rate : float
        Of the steps, in (0, 1]; smaller is more exact, and slower.
    steps : int
        At each s.
    scale : numpy.ndarray (d, d), optional
        M, a covariance such as that of p: all directions are then walked in proportion to their
        width. By default the identity.

    Returns
    -------
    numpy.ndarray (N, d), float64

    Raises
    ------
    ValueError
        If the s are not positive and falling, or the rate is out of range.

    Examples
    --------
    >>> rng = numpy.random.default_rng(0)
    >>> start = 5.0 * rng.normal(size=(4_000, 1))
    >>> walked = annealed_langevin(  # a normal density of variance 1, and s^2 beyond it
    ...     lambda x, s: -x / (1 + s**2), start, numpy.geomspace(5.0, 0.1, 50), rng, steps=20
    ... )
    >>> bool(abs(walked.std() - 1) < 0.1)
    True
    """
    require_generator("annealed_langevin", rng)
    widths = [float(std) for std in stds]
    if not widths or min(widths) <= 0 or any(b > a for a, b in itertools.pairwise(widths)):
        raise ValueError("annealed_langevin: the stds must be positive, and fall")
    if not 0 < rate <= 1:
        raise ValueError(f"annealed_langevin: rate must be in (0, 1], got {rate}")
    x = numpy.array(points, dtype="float64")
    root = None if scale is None else numpy.linalg.cholesky(scale)
    for std in widths:
        size = rate * std**2
        for _ in range(steps):
            drift, noise = slope(x, std), rng.standard_normal(x.shape)
            if root is not None:
                drift, noise = drift @ scale, noise @ root.T
            x = x + size / 2 * drift + math.sqrt(size) * noise
    return x
