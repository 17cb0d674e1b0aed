"""What the erased part of an image may have been, sampled from a density over latents.

By Bayes' rule the latents z of an image with visible pixels x have the density

    p(z | x)  in proportion to  p(z) exp( -||g(z) - x||^2 / (2 s^2) ),    norm over visible pixels,

with the decoder g, and s the error that a decoded image has. Langevin's walk draws from it, while s
falls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from autoencoder.densities.langevin import annealed_langevin
from autoencoder.densities.mixture import GaussianMixture
from autoencoder.inference import decode, device_of_model
from autoencoder.models import AutoEncoder
from minigrad import Tensor, enable_grad, grad
from minigrad.parallel import Communicator

__all__ = ["misfit_gradients", "sample_latents"]

STDS = tuple(numpy.geomspace(1.0, 0.15, 60).tolist())
RATE = 0.1


def sample_latents(
    model: AutoEncoder,
    prior: GaussianMixture,
    images: numpy.ndarray,
    visible: numpy.ndarray,
    answers: int,
    draws: int,
    rng: numpy.random.Generator,
    scale: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
    *,
    stds: Sequence[float] = STDS,
    rate: float = RATE,
) -> numpy.ndarray:
    """Latents of what images may have been, by their visible pixels: samples of p(z | x).

    The walks begin at latents drawn from the prior; those that match an image are likelier to be
    taken.

    Parameters
    ----------
    model : AutoEncoder
        Whose decoder is g.
    prior : GaussianMixture
        p(z).
    images : numpy.ndarray (N, C, H, W)
    visible : numpy.ndarray (C, H, W)
        True where a pixel is visible, of every image.
    answers : int
        Samples of each image.
    draws : int
        Latents of the prior among which the walks find their beginnings.
    rng : numpy.random.Generator
    scale : numpy.ndarray (d, d)
        The covariance of the latents, in proportion to which the walk steps.
    workers, ranks
        As for :func:`autoencoder.decode`.
    stds, rate
        The values of s, falling, and the size of a step, as for `annealed_langevin`.

    Returns
    -------
    numpy.ndarray (N, answers, d), float64
    """
    drawn = prior.sample(draws, rng, dtype="float64")
    decoded = decode(model, drawn, workers, ranks)[:, visible]  # (draws, visible pixels)
    starts = []
    for image in images:
        misfit = ((decoded - image[visible]) ** 2).sum(axis=1) / (2 * stds[0] ** 2)
        chance = numpy.exp(misfit.min() - misfit)
        starts.append(rng.choice(draws, size=answers, p=chance / chance.sum()))
    wanted = numpy.repeat(images[:, visible], answers, axis=0)  # (N answers, visible pixels)

    def slope(z: numpy.ndarray, std: float) -> numpy.ndarray:
        misfit = misfit_gradients(model, z, wanted, visible)
        return prior.score(z) - misfit / std**2

    walked = annealed_langevin(
        slope, drawn[numpy.concatenate(starts)], stds, rng, rate=rate, scale=scale
    )
    return walked.reshape(len(images), answers, -1)


def misfit_gradients(
    model: AutoEncoder, z: numpy.ndarray, wanted: numpy.ndarray, visible: numpy.ndarray
) -> numpy.ndarray:
    """The gradients by z of half the squared error of the visible pixels, (N, d)."""
    places, device = numpy.flatnonzero(visible), device_of_model(model)
    gradients = []
    for start in range(0, len(z), 32):  # a few at a time stay in the processor's cache
        with enable_grad():
            some = z[start : start + 32].astype("float32")
            latents = Tensor(some, requires_grad=True, device=device)
            seen = model.decode(latents).flatten(1)[:, places]
            error = 0.5 * ((seen - Tensor(wanted[start : start + 32], device=device)) ** 2).sum()
        gradients.append(grad(error, latents)[0].cpu().numpy())
    return numpy.concatenate(gradients).astype("float64")
