"""Denoisers that are told how much noise there is, and how near their samples are to exact ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy

from autoencoder.densities import GaussianMixture, NoiseConditionalDenoiser
from autoencoder.densities.diffusion import Mixed, velocity_loss
from autoencoder.lecture.run import Run
from autoencoder.metrics import energy_distance, energy_distance_noise
from minigrad import nn

__all__ = ["distances", "told_denoiser", "what_distances_tell"]


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
