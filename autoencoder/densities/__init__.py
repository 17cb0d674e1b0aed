"""Probability densities with one interface: ``fit``, ``sample(n, rng)``, ``log_prob(x)``.

Parameters are small, so they are kept on the host in float64. `log_prob`, `score` and the
posteriors are evaluated wherever their argument is, NumPy or CuPy. Samples are drawn on the host
from a seeded ``numpy.random.Generator``, so that a seed gives the same samples on every device.
"""

from autoencoder.densities.denoiser import NoiseConditionalDenoiser
from autoencoder.densities.diffusion import LatentDiffusion
from autoencoder.densities.gaussian import DiagonalGaussian, FullGaussian
from autoencoder.densities.mixture import GaussianMixture, Posterior

__all__ = [
    "DiagonalGaussian",
    "FullGaussian",
    "GaussianMixture",
    "LatentDiffusion",
    "NoiseConditionalDenoiser",
    "Posterior",
]
