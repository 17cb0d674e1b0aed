"""A density that does convince: five over the same latents, under one score."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy

from autoencoder import DiagonalGaussian, FullGaussian, GaussianMixture, decode, encode
from autoencoder.classifier import Classifier, Judge, shipped_classifier
from autoencoder.densities import LatentDiffusion
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import OptionError, option, positive
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Section
from autoencoder.lecture.shared import (
    DeepOptions,
    spelled_epochs,
    trained_autoencoder,
)
from autoencoder.storage.checkpoint import COUNT, FINITE, NOT_NEGATIVE, CheckpointError
from autoencoder.storage.results import Needs, Results
from autoencoder.storage.weights import load_weights
from autoencoder.training import random_generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["section"]


@dataclass
class Options(DeepOptions):
    """What this demo can be told, and what the presets say of it."""

    compared: int = option(
        positive, "samples of each density that are judged", smoke=60, default=5_000
    )
    diffusion_steps: int = option(
        positive, "steps that the diffusion over latents is trained", smoke=20, default=5_000
    )
    likelihoods: int = option(
        positive,
        "test latents whose likelihood under the diffusion is computed",
        smoke=5,
        default=1_000,
    )
    judge: str = option(
        str, "file of weights of the classifier that judges, or nothing: that ships", default=""
    )


MIXTURES = (10, 50)  # components
SHOWN = 12
DIFFUSION = "latent diffusion"
RUNGS = (
    "diagonal Gaussian",
    "full Gaussian",
    *(f"mixture of {components}" for components in MIXTURES),
    DIFFUSION,
)
# What the densities are compared with. A density is not expected to do better than the first.
FLOORS = ("reconstructions", "training images")


def check(run: Run[Options]) -> None:
    """A mixture needs as many latents as components, the score four images on either side."""
    options = run.options
    run.require_shape(Classifier.sample_shape, "the classifier that judges")
    _classifier(options.judge)
    size = max(options.sizes)
    least = max(*MIXTURES, size + 1)
    run.require_images(train=least, reason=f"{len(RUNGS)} densities of {size} latents")
    run.require_images(test=4, reason="the score of the samples")
    run.limit("compared", options.train_images)
    run.require("compared", 4, "the score of the samples")
    run.limit("likelihoods", options.test_images)


def compute(run: Run[Options]) -> Results:
    """At each latent size: fit every density to the training latents, and judge its samples."""
    options = run.options
    train = run.images("train", options.train_images)
    test = run.images("test", options.test_images)
    judge = Judge(test, _classifier(options.judge), options.workers, run.ranks)
    drawn = random_generator(options.seed, "evaluation", 0).permutation(len(train))
    few = train[drawn[: options.compared]]
    training_score = {"name": FLOORS[1], **judge.score(few)}
    results = Results(
        {},
        {"test_images": len(test), "compared": len(few), "likelihoods": options.likelihoods},
    )
    results.numbers["sizes"] = []
    for size in options.sizes:
        model, epochs = trained_autoencoder(run, size)
        latents, held_out = (encode(model, x, options.workers, run.ranks) for x in (train, test))
        rows = []
        for number, (name, density, seconds) in enumerate(_fitted(run, latents)):
            rng = random_generator(options.seed, "evaluation", 1, size, number)
            samples = decode(model, density.sample(len(few), rng), options.workers, run.ranks)
            judged = held_out[: options.likelihoods if name == DIFFUSION else None]
            nats = float(density.log_prob(judged).mean())
            rows.append({"name": name, **judge.score(samples), "nats": nats, "seconds": seconds})
            results.arrays[f"samples/{size}/{number}"] = samples[:SHOWN]
        decoded = decode(
            model, encode(model, few, options.workers, run.ranks), options.workers, run.ranks
        )
        results.arrays[f"reconstructions/{size}"] = decoded[:SHOWN]
        rows += [{"name": FLOORS[0], **judge.score(decoded)}, training_score]
        results.numbers["sizes"].append(
            {"latent_size": size, "epochs": len(epochs), "ladder": rows}
        )
        results.rows += [{"latent_size": size, **row} for row in rows]
    return results


def _classifier(path: str) -> Classifier:
    if not path:
        return shipped_classifier()
    model = Classifier()
    try:
        load_weights(path, model)
    except (CheckpointError, OSError) as error:
        raise OptionError(f"--judge: {path}: {error}") from error
    return model


def _fitted(run: Run[Options], latents: numpy.ndarray) -> Iterator[tuple[str, Any, float]]:
    """The rungs: each density's name, fitted to the latents, and the seconds that took."""
    options = run.options

    def mixture(components: int) -> GaussianMixture:
        rng = random_generator(options.seed, "evaluation", 2, latents.shape[1], components)
        return GaussianMixture.fit(latents.astype("float64"), components, rng)

    def diffusion() -> LatentDiffusion:
        epochs = max(1, round(options.diffusion_steps * 256 / len(latents)))
        settings = run.settings(
            epochs=epochs, batch_size=256, learning_rate=2e-3, schedule="cosine"
        )
        return LatentDiffusion().fit(latents, settings)

    fits = [
        lambda: DiagonalGaussian().fit(latents),
        lambda: FullGaussian().fit(latents),
        *(lambda components=components: mixture(components) for components in MIXTURES),
        diffusion,
    ]
    for name, fit in zip(RUNGS, fits, strict=True):
        started = time.perf_counter()
        density = fit()
        yield name, density, round(time.perf_counter() - started, 2)


def needs(options: Options, found: Results) -> Needs:
    """What figures and captions take out of a file of results."""
    score = dict.fromkeys(("frechet", "precision", "recall"), NOT_NEGATIVE)
    fit = {"nats": FINITE, "seconds": NOT_NEGATIVE}
    rungs = [{"name": name, **score, **fit} for name in RUNGS]
    floors = [{"name": name, **score} for name in FLOORS]
    return Needs(
        {
            **{
                f"samples/{size}/{number}": "M 1 H W"
                for size in options.sizes
                for number in range(len(RUNGS))
            },
            **{f"reconstructions/{size}": "M 1 H W" for size in options.sizes},
        },
        {
            **dict.fromkeys(("test_images", "compared", "likelihoods"), COUNT),
            "sizes": [
                {
                    "latent_size": size,
                    "epochs": options.epochs,
                    "ladder": [*rungs, *floors],
                }
                for size in options.sizes
            ],
        },
    )


def _latents_of(measured: dict[str, Any]) -> str:
    """Which latents: their size, and how long the autoencoder was trained."""
    return f"d = {measured['latent_size']} ({spelled_epochs(measured['epochs'])})"


def draw(results: Results) -> dict[str, Figure]:
    """Samples of every density under one another; the score of each beside the floor."""
    from autoencoder.figures import bar_chart, rows_of_images

    arrays, numbers = results.arrays, results.numbers
    figures = {}
    for measured in reversed(numbers["sizes"]):
        size, ladder = measured["latent_size"], measured["ladder"]
        rows = [arrays[f"samples/{size}/{number}"] for number in range(len(RUNGS))]
        rows.append(arrays[f"reconstructions/{size}"])
        titles = [f"{row['name']}\n{row['frechet']:.1f}" for row in ladder[: len(rows)]]
        figures[f"ladder_d{size}"] = rows_of_images(
            rows,
            titles,
            title=f"Samples and their Fréchet distance from test images, d = {size}",
            groups=[len(RUNGS)],
        )
    bars = {
        f"{row['name']}, {_latents_of(measured)}": row["frechet"]
        for measured in reversed(numbers["sizes"])  # the better autoencoder first
        for row in measured["ladder"][:-1]
    }
    bars[FLOORS[1]] = numbers["sizes"][0]["ladder"][-1]["frechet"]
    figures["frechet_distance"] = bar_chart(
        bars,
        f"Fréchet distance of {numbers['compared']:,} samples from "
        f"{numbers['test_images']:,} test images",
        emphasised=[name for name in bars if name.startswith(RUNGS)],
        value_format="{:.1f}",
    )
    return figures


def captions(results: Results) -> dict[str, Caption]:
    """What is said below each figure."""
    numbers = results.numbers
    said = {}
    for measured in reversed(numbers["sizes"]):
        ladder = measured["ladder"]
        distances = [row["frechet"] for row in ladder]
        by_name = {row["name"]: row["frechet"] for row in ladder}
        diagonal, floor = by_name[RUNGS[0]], by_name[FLOORS[0]]
        rising = [by_name[name] for name in RUNGS if name != DIFFUSION]
        said[f"ladder_d{measured['latent_size']}"] = Caption(
            f"One autoencoder ({spelled_epochs(measured['epochs'])}), one decoder, and densities "
            "fitted to the same latents; none of the samples is chosen. The last row is "
            "reconstructed training images.",
            {
                "From Gaussians to mixtures the digits get better.": rising
                == sorted(rising, reverse=True),
                "The best comes close to the reconstructions: what is left is the autoencoder's.": (
                    min(distances[: len(RUNGS)]) - floor < 0.1 * diagonal and floor < 0.5 * diagonal
                ),
            },
            {
                "density": [row["name"] for row in ladder],
                "Fréchet": [f"{distance:.1f}" for distance in distances],
                "share of diagonal's": [f"{d / max(diagonal, 1e-9):.2f}" for d in distances],
                "precision": [f"{row['precision']:.2f}" for row in ladder],
                "recall": [f"{row['recall']:.2f}" for row in ladder],
                "log-likelihood (nats)": [
                    f"{row['nats']:.1f}" if "nats" in row else "" for row in ladder
                ],
                "seconds": [f"{row['seconds']:.1f}" if "seconds" in row else "" for row in ladder],
            },
        )
    said["frechet_distance"] = Caption(
        "The Fréchet distance compares means and covariances of what a small classifier sees in "
        "the images. Precision is the share of samples within the reach of a test image's three "
        "nearest neighbours, recall the share of test images within the reach of a sample's. "
        "Training images have a distance too: it is the noise of the score. The log-likelihood is "
        "that of the test images' latents, the mean of all (under the diffusion, of "
        f"{numbers['likelihoods']:,}).",
    )
    return said


section = Section(
    name="density_ladder",
    title="A density that convinces",
    equation=r"p(z)=\sum_k w_k\,\mathcal{N}(z;\ \mu_k,\ \Sigma_k)\qquad "
    r"D=\|m-m'\|^2+\mathrm{tr}\left(C+C'-2\,(C\,C')^{1/2}\right)",
    description="Fits five densities to the latents, and judges their samples.",
    compute=compute,
    draw=draw,
    captions=captions,
    topics=(11,),
    sources=(
        "Dempster, Laird and Rubin, Maximum likelihood by the EM algorithm, 1977",
        "Heusel et al., GANs trained by a two time-scale update rule, 2017 (the Fréchet distance)",
        "Kynkäänniemi et al., Improved precision and recall metric, 2019",
        "Ghosh et al., From variational to deterministic autoencoders, 2020",
        "Song et al., Score-based generative modeling through SDEs, 2021",
    ),
    needs=needs,
    options=Options,
    check=check,
)
