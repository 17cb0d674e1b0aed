"""Probability densities with one interface: ``fit``, ``sample(n, rng)``, ``log_prob(x)``.

Parameters are small, so they are kept on the host in float64. `log_prob`, `score` and the
posteriors are evaluated wherever their argument is, NumPy or CuPy. Samples are drawn on the host
from a seeded ``numpy.random.Generator``, so that a seed gives the same samples on every device.
"""

from .diagonal import DiagonalGaussian
from .full import FullGaussian
from .mixture import GaussianMixture
from .posterior import Posterior

__all__ = ["DiagonalGaussian", "FullGaussian", "GaussianMixture", "Posterior"]
