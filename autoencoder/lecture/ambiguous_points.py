"""Noisy points that may have come from either of several modes, and what denoisers answer."""

from __future__ import annotations

import numpy

from autoencoder.data.corruption import GaussianNoise
from autoencoder.data.curves import mixture_ring, two_modes
from autoencoder.densities import GaussianMixture
from autoencoder.inference import reconstruct
from autoencoder.lecture.run import Run
from autoencoder.models import mlp
from autoencoder.storage.results import Results
from autoencoder.training import random_generator

__all__ = ["CASES", "componentwise_median", "compute_points", "posterior_at"]

NOISE_STD = 0.6
# A mixture, and a noisy point between its modes. Two modes on a line let the median of a
# coordinate fall into one of them; of three modes it is a corner of none.
CASES: dict[str, tuple[GaussianMixture, tuple[float, float]]] = {
    "two modes": (two_modes(distance=2.0, std=0.15), (0.02, 0.1)),
    "three modes": (
        # The ring of three, turned so that one mode is on top.
        GaussianMixture([1 / 3] * 3, mixture_ring(3).means @ [[0.0, 1.0], [-1.0, 0.0]], 0.15**2),
        (0.0, 0.05),
    ),
}
SAMPLES = 300
LOSSES = {"mse": "squared", "l1": "absolute"}


def posterior_at(case: str) -> GaussianMixture:
    """The exact density of the clean point given the noisy one of a case.

    Examples
    --------
    >>> posterior_at("three modes").means.shape
    (3, 2)
    """
    prior, noisy = CASES[case]
    return prior.posterior(numpy.array([noisy]), NOISE_STD).mixture(0)


def componentwise_median(mixture: GaussianMixture) -> numpy.ndarray:
    """The median of each coordinate (d,): what absolute loss asks for. On the host, by scipy.

    Each coordinate of a mixture of Gaussians is one again; its distribution function is a sum of
    error functions, which bisection inverts.

    Examples
    --------
    >>> componentwise_median(GaussianMixture([0.25, 0.75], [[-9.0], [0.0]], 1.0)).round(3)
    array([-0.431])
    """
    from scipy.special import ndtr

    std = numpy.sqrt(numpy.diagonal(mixture.covariances, axis1=1, axis2=2))  # (K, d)
    low = (mixture.means - 40 * std).min(axis=0)
    high = (mixture.means + 40 * std).max(axis=0)
    for _ in range(200):
        middle = (low + high) / 2
        below = (mixture.weights[:, None] * ndtr((middle - mixture.means) / std)).sum(axis=0)
        low, high = numpy.where(below < 0.5, middle, low), numpy.where(below < 0.5, high, middle)
    return (low + high) / 2


def compute_points(run: Run, results: Results) -> None:
    """Exact posterior, samples of it, and the answers of squared and of absolute loss."""
    options = run.options
    for number, (case, (prior, place)) in enumerate(CASES.items()):
        noisy = numpy.array([place])
        posterior = posterior_at(case)
        train = prior.sample(
            options.train_points, random_generator(options.seed, "data", 10 + number)
        )
        answers = {
            "mean": posterior.weights @ posterior.means,
            "median": componentwise_median(posterior),
        }
        for loss, name in LOSSES.items():
            model, rows = run.trained(
                f"multimodal-{case.replace(' ', '-')}-{name}",
                lambda: mlp(2, 128, 128, 2),
                train,
                run.settings(
                    epochs=options.point_epochs,
                    batch_size=500,
                    learning_rate=2e-3,
                    schedule="cosine",
                    loss=loss,
                ),
                corruption=GaussianNoise(NOISE_STD),
            )
            answers[name] = reconstruct(model, noisy, options.workers)[0].astype("float64")
            results.rows += [{"run": f"{case}, {name} loss", **row} for row in rows]
        samples = posterior.sample(
            SAMPLES, random_generator(options.seed, "evaluation", 10 + number)
        )
        results.arrays |= {f"{key_of(case)}/samples": samples} | {
            f"{key_of(case)}/{name}": point for name, point in answers.items()
        }
        # Relative to the density of a sample typically drawn, so that 1 is an ordinary clean point.
        typical = float(numpy.median(posterior.log_prob(samples.astype("float64"))))
        results.numbers[case] = {
            "noisy": list(place),
            "weights": posterior.weights.tolist(),
            "relative_density": {
                name: float(numpy.exp(posterior.log_prob(point[None])[0] - typical))
                for name, point in answers.items()
            },
            "error_to_mean": float(numpy.linalg.norm(answers["squared"] - answers["mean"])),
            "error_to_median": float(numpy.linalg.norm(answers["absolute"] - answers["median"])),
            "spread": float(numpy.sqrt(samples.var(axis=0, dtype="float64").sum())),
        }


def key_of(case: str) -> str:
    """The name of a case in the results' arrays."""
    return case.replace(" ", "_")
