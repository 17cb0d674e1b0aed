"""Densities and denoisers that several sections fit or train, sample, and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy

from autoencoder.densities import (
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    LatentDiffusion,
    NoiseConditionalDenoiser,
)
from autoencoder.densities.diffusion import Mixed, velocity_loss
from autoencoder.inference import decode
from autoencoder.lecture.run import Run
from autoencoder.metrics import energy_distance, energy_distance_noise
from autoencoder.models import AutoEncoder
from autoencoder.storage.checkpoint import NOT_NEGATIVE
from autoencoder.training import Row, random_generator
from minigrad import nn

COMPONENTS = {"mixture of 10": 10, "mixture of 50": 50}
DIFFUSION = "latent diffusion"  # a network, which a section trains
RUNGS = ("diagonal Gaussian", "full Gaussian", *COMPONENTS, DIFFUSION)
"""The names of the densities, the simplest first."""
FLOORS = ("reconstructions", "training images")  # what samples of densities are compared with
SCORE = dict.fromkeys(("frechet", "precision", "recall"), NOT_NEGATIVE)  # of a `Judge`


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


def trained_diffusion(
    run: Run[Any],
    name: str,
    latents: numpy.ndarray,
    networks: Sequence[str],
    epochs: int,
    seed: int,
    *,
    hidden: tuple[int, ...] = (192, 192, 192),
    given: numpy.ndarray | None = None,
) -> tuple[LatentDiffusion, list[Row]]:
    """A diffusion over latents, by what is given with them, and the metrics of its training.

    ``networks`` are the names of the run's models that made the latents and what is given.
    """
    found: list[Row] = []
    origin = " ".join(run.identities[network] for network in networks)
    settings = run.settings(
        epochs=epochs, batch_size=256, learning_rate=2e-3, schedule="cosine", seed=seed
    )

    def learn(*arguments: Any, **how: Any) -> nn.Module:
        network, rows = run.trained(name, *arguments, samples_of=origin, **how)
        found.extend(rows)
        return network

    return LatentDiffusion(hidden).fit(latents, settings, given=given, learn=learn), found


def told_denoiser(
    run: Run[Any],
    name: str,
    make_network: Callable[[], nn.Module],
    samples: numpy.ndarray,
    epochs: int,
    batch_size: int,
) -> tuple[NoiseConditionalDenoiser, list[dict[str, Any]]]:
    """A denoiser that is told the noise, trained on samples (N, ...) or read if it was before.

    The rows are the metrics of its epochs, each with the name as its ``run``.
    """
    mean, std = float(samples.mean()), float(samples.std())
    network, rows = run.trained(
        f"told-{name}",
        make_network,
        ((samples - mean) / std).astype("float32"),
        run.settings(epochs=epochs, batch_size=batch_size, learning_rate=2e-3, schedule="cosine"),
        corruption=Mixed(),
        loss=velocity_loss,
    )
    denoiser = NoiseConditionalDenoiser(network, mean, std, **run.how)
    return denoiser, [{"run": name, **row} for row in rows]


def distances(
    sampled: numpy.ndarray, density: GaussianMixture, rng: numpy.random.Generator
) -> dict[str, float]:
    """The energy distance of samples (N, d) to exact ones, and what it is between exact ones.

    >>> from autoencoder.data.curves import two_modes
    >>> rng = numpy.random.default_rng(0)
    >>> sorted(distances(two_modes().sample(50, rng), two_modes(), rng))
    ['compared', 'energy', 'energy_deviation', 'energy_noise']
    """

    def exact(n: int) -> numpy.ndarray:
        return density.sample(n, rng, "float64")

    mean, deviation = energy_distance_noise(exact, len(sampled))
    return {
        "compared": len(sampled),
        "energy": energy_distance(sampled, exact(len(sampled))),
        "energy_noise": mean,
        "energy_deviation": deviation,
    }


def what_distances_tell(found: Iterable[dict[str, float]]) -> dict[str, bool]:
    """What a caption claims of what `distances` found in each of some cases, and whether it holds.

    Samples may be two standard deviations further from exact ones than those are from each other.
    """
    near = [case["energy"] <= case["energy_noise"] + 2 * case["energy_deviation"] for case in found]
    return {
        "The energy distance does not tell the samples from exact ones.": all(near),
        "The energy distance tells the samples from exact ones.": not any(near),
    }
