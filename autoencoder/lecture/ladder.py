"""The densities over an autoencoder's latents, fitted and sampled alike wherever they are shown."""

from __future__ import annotations

from typing import Any

import numpy

from autoencoder.densities import DiagonalGaussian, FullGaussian, GaussianMixture
from autoencoder.inference import decode
from autoencoder.lecture.run import Run
from autoencoder.models import AutoEncoder
from autoencoder.training import random_generator

__all__ = ["COMPONENTS", "DIFFUSION", "RUNGS", "decoded_samples", "fit_rung"]

COMPONENTS = {"mixture of 10": 10, "mixture of 50": 50}
DIFFUSION = "latent diffusion"  # a network, which a section trains
RUNGS = ("diagonal Gaussian", "full Gaussian", *COMPONENTS, DIFFUSION)
"""The names of the densities, the simplest first."""


def fit_rung(
    name: str, latents: numpy.ndarray, seed: int
) -> DiagonalGaussian | FullGaussian | GaussianMixture:
    """A density other than the diffusion, fitted to latents (N, d).

    >>> fit_rung("diagonal Gaussian", numpy.array([[0.0], [2.0]]), seed=0).std
    array([1.])
    """
    if name in COMPONENTS:
        components = COMPONENTS[name]
        rng = random_generator(seed, "evaluation", 2, latents.shape[1], components)
        return GaussianMixture.fit(latents.astype("float64"), components, rng)
    kinds = {"diagonal Gaussian": DiagonalGaussian, "full Gaussian": FullGaussian}
    return kinds[name]().fit(latents)


def decoded_samples(
    run: Run[Any], name: str, density: Any, model: AutoEncoder, count: int, seed: int
) -> numpy.ndarray:
    """Images (count, C, H, W) of latents that are drawn from a rung's density."""
    rng = random_generator(seed, "evaluation", 1, model.latent_size, RUNGS.index(name))
    return decode(model, density.sample(count, rng), **run.how)
