"""An autoencoder that is a density by itself: latents from N(0, I), and a bound on log p(x)."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass

import numpy

from autoencoder import GaussianMixture, decode, encode, figures, mse_per_pixel, reconstruct
from autoencoder.classifier import Classifier, Judge
from autoencoder.densities.variational import divergences, variational_bound
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option
from autoencoder.lecture.densities import SCORE
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import (
    DataOptions,
    fixed,
    one_of_each,
    spelled_epochs,
    trained_variational,
)
from autoencoder.storage.checkpoint import FINITE, NOT_NEGATIVE, POSITIVE
from autoencoder.storage.results import Needs, Results, epoch_rows


@dataclass
class Options(DataOptions):
    latent_size: int = option("d, the number of latent variables", default=16)
    compared: int = option("samples that are judged", smoke=60, default=5_000)


SAID = ("latent_size", "epochs", "train_images", "test_images", "compared")  # in captions
SHOWN = 12
COMPONENTS = 10  # of the mixture that is fitted to the latents, to compare with
ROWS = {
    "samples": "samples,\nz from N(0, I)",
    "fitted": f"samples, z from\na mixture of {COMPONENTS}",
    "originals": "test images",
    "reconstructions": "reconstructions",
}
USED = 0.1  # nats: a latent that says less of an image is not used
JUDGED = (
    "samples from N(0, I)",
    f"samples from a mixture of {COMPONENTS}",
    "reconstructions",
    "training images",
)


def is_judged(run: Run[Options]) -> bool:
    """Whether the images are of the shape that the classifier takes by which samples are judged."""
    return run.dataset.image_shape == Classifier.sample_shape


def check(run: Run[Options]) -> None:
    """A mixture needs as many latents as components, the score four images on either side."""
    run.require_images(train=COMPONENTS, test=4, reason="a mixture and the score of its samples")
    run.limit("compared", run.options.train_images)
    if is_judged(run):
        run.require("compared", 4, "the score of the samples")


def compute(run: Run[Options]) -> Results:
    """Train by the bound; sample, reconstruct, and say what the latents tell of an image."""
    options = run.options
    train, test = run.images("train"), run.images("test")
    model, rows = trained_variational(run, options.latent_size)
    few = train[run.rng("evaluation", 0).permutation(len(train))[: options.compared]]
    rng = run.rng("evaluation", 1)
    count = max(len(few), SHOWN)
    latents = rng.standard_normal((count, options.latent_size), dtype="float32")
    samples = decode(model, latents, **run.how)
    encoded = encode(model, train, **run.how).astype("float64")
    mixture = GaussianMixture.fit(encoded, COMPONENTS, run.rng("evaluation", 3))
    fitted = decode(model, mixture.sample(count, rng), **run.how)
    restored = reconstruct(model, test, **run.how)
    told = divergences(model, test, **run.how)
    bound = variational_bound(model, test, run.rng("evaluation", 2), **run.how)
    # Of too few images some are shown twice, so that all rows are equally long.
    shown = numpy.resize(one_of_each(run.labels("test"), SHOWN), SHOWN)
    numbers = {
        **options.by_name(*SAID),
        "bound": float(bound.mean(dtype="float64")),
        "told": float(told.sum(axis=1).mean(dtype="float64")),
        "pixel_variance": model.pixel_variance,
        "mse": mse_per_pixel(restored, test),
        "scores": [],
    }
    if is_judged(run):
        judge = Judge(test, **run.how)
        restored_few = reconstruct(model, few, **run.how)
        judged = samples[: len(few)], fitted[: len(few)], restored_few, few
        numbers["scores"] = [
            {"name": name, **judge.score(images)}
            for name, images in zip(JUDGED, judged, strict=True)
        ]
    arrays = {
        "samples": samples[:SHOWN],
        "fitted": fitted[:SHOWN],
        "originals": test[shown],
        "reconstructions": restored[shown],
        "told": told.mean(axis=0, dtype="float64"),
    }
    return Results(arrays, numbers, rows)


def needs(options: Options, found: Results) -> Needs:
    names = JUDGED if found.numbers.get("scores") else ()
    return Needs(
        {**dict.fromkeys(ROWS, "N C H W"), "told": "K"},
        {
            **options.by_name(*SAID),
            **{"bound": FINITE, "told": FINITE, "pixel_variance": POSITIVE, "mse": NOT_NEGATIVE},
            "scores": [{"name": name, **SCORE} for name in names],
        },
        epoch_rows(options.epochs, test_bound=FINITE, test_mse=FINITE, test_sum_per_sample=FINITE),
    )


def draw(results: Results) -> Figures:
    """Samples above reconstructions; what each latent tells of an image; the bound by epoch."""
    arrays, numbers = results.arrays, results.numbers
    told = numpy.sort(arrays["told"])[::-1]
    of_latents = figures.bar_chart(
        {str(place): nats for place, nats in enumerate(told, 1)},
        "KL(q(z | x) || N(0, I)) of each latent in nats, the mean of "
        f"{numbers['test_images']:,} test images",
    )
    of_latents.axes[0].set_ylabel("latent, by rank")
    return {
        "samples": figures.rows_of_images(
            [arrays[name] for name in ROWS],
            list(ROWS.values()),
            title=f"A variational autoencoder, d = {numbers['latent_size']}",
            groups=[2],
        ),
        "told": of_latents,
        "bound_by_epoch": figures.epoch_chart(
            {f"d = {numbers['latent_size']}": results.rows},
            "test_bound",
            "lower bound on log p(x) (nats)",
            title=f"The bound on {numbers['test_images']:,} test images",
        ),
    }


def captions(results: Results) -> dict[str, Caption]:
    numbers, told = results.numbers, results.arrays["told"]
    used = int((told > USED).sum())
    variance, mse = numbers["pixel_variance"], numbers["mse"]
    scores, bound, price = numbers["scores"], numbers["bound"], numbers["told"]
    distances = [score["frechet"] for score in scores]
    bounds = [row["test_bound"] for row in results.rows]
    return {
        "samples": Caption(
            "Above, latents drawn from N(0, I) and decoded; none is chosen. No density was fitted "
            "to them: the training itself pulls latents towards N(0, I). Below, to compare, one "
            f"that was: a mixture of {COMPONENTS} Gaussians. Then test images and their "
            f"reconstructions ({spelled_epochs(numbers['epochs'])} on "
            f"{numbers['train_images']:,} images, mean squared error {mse:.5f} per pixel).",
            {
                "The mixture's samples are the better ones: the latents of images do not fill "
                "N(0, I) evenly.": bool(scores) and distances[0] > 2 * distances[1],
            },
            {
                "images": [*JUDGED[:2], "training images, reconstructed", JUDGED[3]],
                "Fréchet": fixed(scores, "frechet", 1),
                "precision": fixed(scores, "precision", 2),
                "recall": fixed(scores, "recall", 2),
            }
            if scores
            else {},
        ),
        "told": Caption(
            "How much a latent tells of an image, the most telling first: the divergence of what "
            "the encoder says of it from N(0, I), which is the price the bound asks. "
            f"{used} of {len(told)} latents tell more than {USED} nats.",
            {
                f"All {used} are used: they tell {told.min():.1f} to {told.max():.1f} nats each.": (
                    used == len(told)
                ),
                "The others are not used: the decoder does without them.": used < len(told),
            },
            {
                "in nats per image": [
                    "log p(x | z), the mean over q",
                    "- KL(q || N(0, I))",
                    "= bound on log p(x)",
                ],
                f"mean of {numbers['test_images']:,}": [
                    f"{nats:.1f}" for nats in (bound + price, -price, bound)
                ],
            },
        ),
        "bound_by_epoch": Caption(
            "The bound on the log density of a test image, each pixel a Gaussian of the variance "
            f"that was learnt, {variance:.5f}: a standard deviation of {variance**0.5:.3f}.",
            {
                f"The bound rises from {bounds[0]:.0f} to {bounds[-1]:.0f} nats.": (
                    bounds[0] < bounds[-1]
                ),
                f"The learnt variance is near the mean squared error of a pixel, {mse:.5f}, which "
                "it equals where the bound is highest.": abs(variance / max(mse, 1e-9) - 1) < 0.2,
            },
        ),
    }


section = Section.of(
    __name__,
    title="The variational autoencoder",
    equation=r"\log p(x)\ \geq\ \mathbb{E}_{q(z|x)}\left[\log\,p(x|z)\right]"
    r"-\mathrm{KL}\left(q(z|x)\,\|\,\mathcal{N}(0,I)\right),\qquad "
    r"p(x|z)=\mathcal{N}(x;\ g(z),\ s^2 I)",
    description="Trains the autoencoder to be a density, and samples it in one step.",
    topics=(11,),
    sources=(
        "Kingma and Welling, Auto-encoding variational Bayes, 2014",
        "Rezende, Mohamed and Wierstra, Stochastic backpropagation, 2014",
        "Tipping and Bishop, Probabilistic principal component analysis, 1999",
        "Lucas et al., Don't blame the ELBO! A linear VAE perspective on posterior collapse, 2019",
        "Dai and Wipf, Diagnosing and enhancing VAE models, 2019 (a density fitted to the latents)",
        "Rybkin et al., Simple and effective VAE training with calibrated decoders, 2021 (s^2)",
    ),
)
