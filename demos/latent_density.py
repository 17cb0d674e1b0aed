"""Why the samples do not convince: the density fitted to the latents is too simple."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import operator
from dataclasses import dataclass

import numpy

from autoencoder import decode, energy_distance, figures, nearest_neighbours, reconstruct
from autoencoder.densities import DiagonalGaussian, FullGaussian
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import DeepOptions, columns_of, spelled_epochs, trained_autoencoder
from autoencoder.storage.checkpoint import FINITE, NUMBER
from autoencoder.storage.results import Needs, Results


@dataclass
class Options(DeepOptions):
    compared: int = option(
        "images on each side of the energy distance", smoke=100, default=5_000, full=10_000
    )
    nearest: int = option(
        "samples whose nearest training image is looked for", smoke=20, default=500
    )


SAID = ("train_images", "test_images", "compared")  # options in captions
ENERGIES = ("energy_diagonal", "energy_full", "energy_reconstructions")
LIKELIHOODS = ("log_likelihood_diagonal", "log_likelihood_full")
SHOWN = 12
SHOWN_LATENTS = 10_000


def check(run: Run[Options]) -> None:
    """A full covariance needs more images than latents, a distance two images on either side."""
    options = run.options
    size = max(options.sizes)
    run.require_images(train=size + 1, reason=f"a Gaussian of {size} latents")
    run.require_images(test=2, reason="an energy distance")
    run.limit("compared", min(options.train_images, options.test_images))
    run.require("compared", 2, "an energy distance")
    run.limit("nearest", options.compared)


def compute(run: Run[Options]) -> Results:
    """At each latent size: fit two Gaussians, and measure them on latents and on images."""
    options = run.options
    train, test = run.images("train"), run.images("test")
    rng = run.rng("evaluation", 0)
    few_train, few_test = (
        images[rng.permutation(len(images))[: options.compared]] for images in (train, test)
    )
    arrays: dict[str, numpy.ndarray] = {}
    measured, rows = [], []
    for size in options.sizes:
        model, epochs = trained_autoencoder(run, size)
        rows += [{"latent_size": size, **row} for row in epochs]
        latents, held_out = run.encoded(model, "train"), run.encoded(model, "test")
        densities = DiagonalGaussian().fit(latents), FullGaussian().fit(latents)
        if not arrays:
            arrays["latents"] = held_out[:SHOWN_LATENTS]
            arrays["mean"], arrays["std"] = densities[0].mean, densities[0].std
        rng = run.rng("evaluation", 1, size)
        latent_samples = [density.sample(options.compared, rng) for density in densities]
        samples, samples_full = (decode(model, z, **run.how) for z in latent_samples)
        compared = samples, samples_full, reconstruct(model, few_train, **run.how)
        energies = [energy_distance(images, few_test) for images in compared]
        likelihoods = [float(density.log_prob(held_out).mean()) for density in densities]
        decoded = decode(model, held_out[: options.nearest], **run.how)
        places, distances = nearest_neighbours(samples[: options.nearest], train)
        _, decoded_distances = nearest_neighbours(decoded, train)
        correlation = numpy.corrcoef(latents.T) - numpy.eye(size)
        measured.append(
            {
                "latent_size": size,
                "epochs": options.epochs,
                **dict(zip(ENERGIES, energies, strict=True)),
                **dict(zip(LIKELIHOODS, likelihoods, strict=True)),
                "nearest": options.nearest,
                "nearest_distance": float(distances.mean()),
                "nearest_distance_reconstructions": float(decoded_distances.mean()),
                "largest_correlation": float(numpy.abs(correlation).max()),
            }
        )
        arrays[f"samples/{size}"] = samples[:SHOWN]
        arrays[f"nearest/{size}"] = train[places[:SHOWN, 0]]
    numbers = {
        **options.by_name(*SAID),
        "energy_train": energy_distance(few_train, few_test),
        "sizes": measured,
    }
    return Results(arrays, numbers, rows)


def pair_divergences(latents: numpy.ndarray, density: DiagonalGaussian) -> numpy.ndarray:
    """How far each pair of latents is from the density, (d, d): a Kullback-Leibler divergence in
    nats. On the host, by scipy.

    Of the latents' histogram over 24 x 24 cells within 4 standard deviations, from the density's
    share of each cell. Coarse, and biased upwards where latents are few: meant for ranking pairs.

    >>> z = numpy.random.default_rng(0).normal(size=(5_000, 3))
    >>> z[:, 2] = z[:, 0]
    >>> int(pair_divergences(z, DiagonalGaussian().fit(z)).argmax())
    2
    """
    from scipy.special import ndtr  # the standard normal distribution function

    assert density.mean is not None
    standard = (latents - density.mean) / density.std
    edges = numpy.linspace(-4, 4, 25)
    expected = numpy.outer(numpy.diff(ndtr(edges)), numpy.diff(ndtr(edges)))
    d = latents.shape[1]
    divergences = numpy.zeros((d, d))
    for i in range(d):
        for j in range(i):
            counts, _, _ = numpy.histogram2d(standard[:, i], standard[:, j], [edges, edges])
            share = counts / max(counts.sum(), 1)
            filled = share > 0
            divergence = share[filled] * numpy.log(share[filled] / expected[filled])
            divergences[i, j] = divergences[j, i] = divergence.sum()
    return divergences


def needs(options: Options, found: Results) -> Needs:
    sizes = options.sizes
    nearest = ("nearest_distance", "nearest_distance_reconstructions")
    return Needs(
        {
            "latents": f"L {sizes[0]}",
            "mean": f"{sizes[0]}",
            "std": f"positive {sizes[0]}",
            **{f"{way}/{size}": "N C H W" for size in sizes for way in ("samples", "nearest")},
        },
        {
            **options.by_name(*SAID),
            "energy_train": FINITE,
            "sizes": [
                {
                    "latent_size": size,
                    **options.by_name("epochs", "nearest"),
                    **dict.fromkeys((*ENERGIES, *LIKELIHOODS, *nearest), FINITE),
                    "largest_correlation": NUMBER,
                }
                for size in sizes
            ],
        },
    )


def draw(results: Results) -> Figures:
    """Latents under the fitted density, samples over their nearest images, the two measures."""
    arrays, numbers = results.arrays, results.numbers
    first = numbers["sizes"][0]
    density = DiagonalGaussian(arrays["mean"], arrays["std"])
    worst = pair_divergences(arrays["latents"], density).sum(axis=0).argsort()[-3:]
    what = f"Latents of {len(arrays['latents']):,} test images, d = {first['latent_size']}"
    drawn: Figures = {}
    if first["latent_size"] > 1:
        worst = sorted(worst.tolist())
        drawn["latent_pairs"] = figures.latent_pairs(arrays["latents"], density, worst, title=what)
    drawn["latent_marginals"] = figures.latent_marginals(arrays["latents"], density, title=what)
    images, titles, emphasised = [], [], []
    bars = {"training images": numbers["energy_train"]}
    for size in numbers["sizes"]:
        d = size["latent_size"]
        images += [arrays[f"samples/{d}"], arrays[f"nearest/{d}"]]
        titles += [f"sample, d = {d}", "nearest\ntraining image"]
        bars[f"training images, reconstructed, d = {d}"] = size["energy_reconstructions"]
        bars[f"samples, full covariance, d = {d}"] = size["energy_full"]
        bars[f"samples, diagonal covariance, d = {d}"] = size["energy_diagonal"]
        emphasised.append(f"samples, diagonal covariance, d = {d}")
    drawn["nearest"] = figures.rows_of_images(
        images,
        titles,
        title="Samples, and the training image nearest to each",
        groups=range(2, len(images), 2),
    )
    drawn["energy_distance"] = figures.bar_chart(
        bars,
        f"energy distance to test images ({numbers['compared']:,} of each)",
        emphasised=emphasised,
        value_format="{:.3f}",
    )
    return drawn


def captions(results: Results) -> dict[str, Caption]:
    numbers, sizes = results.numbers, results.numbers["sizes"]
    measured = columns_of(sizes)
    far, near = measured["nearest_distance"], measured["nearest_distance_reconstructions"]
    diagonal, full = (measured[name] for name in LIKELIHOODS)
    said = {
        "latent_pairs": Caption(
            "Dots and histograms are latents of test images, lines the diagonal Gaussian fitted to "
            "the latents of the training images. Shown are the latents that differ most from it. "
            "Where lines enclose a place without dots, samples fall where there is no data."
        ),
        "latent_marginals": Caption(
            "Each latent alone. How likely the latents of "
            f"{numbers['test_images']:,} test images are, in nats a vector, says which density "
            f"fits; both were fitted to {numbers['train_images']:,} training images.",
            {
                "A full covariance fits better: latents are correlated, which each alone cannot "
                "show.": all(map(operator.gt, full, diagonal))
            },
            {
                "d": measured["latent_size"],
                "training": [*map(spelled_epochs, measured["epochs"])],
                "diagonal, nats": diagonal,
                "full covariance, nats": full,
                "largest correlation": measured["largest_correlation"],
            },
        ),
        "nearest": Caption(
            "Below each sample stands the training image nearest to it.",
            {
                "Samples are farther from the training images than reconstructions are.": all(
                    sample > 1.02 * image for sample, image in zip(far, near, strict=True)
                )
            },
            {
                "d": measured["latent_size"],
                "images": measured["nearest"],
                "distance of samples": far,
                "of reconstructed test images": near,
            },
        ),
        "energy_distance": Caption(
            "Reconstructed training images are what samples would reach if the density of the "
            "latents were exact. What lies above them is the density's fault.",
            {
                "A full covariance brings the samples nearer to the digits, but not as near as "
                "reconstructions are: the density is too simple.": all(
                    1.1 * size["energy_reconstructions"]
                    < size["energy_full"]
                    < size["energy_diagonal"]
                    for size in sizes
                )
            },
        ),
    }
    if sizes[0]["latent_size"] == 1:  # there is no pair
        del said["latent_pairs"]
    return said


section = Section.of(
    __name__,
    title="Why the samples do not convince",
    equation=r"p(z)=\mathcal{N}\left(z;\ \mu,\ \mathrm{diag}(\sigma^2)\right)\ ?\qquad "
    r"D=2\,\mathrm{E}\|X-Y\|-\mathrm{E}\|X-X'\|-\mathrm{E}\|Y-Y'\|",
    description="Compares the fitted density with the latents, and samples with test images.",
    topics=(11,),
    sources=("Szekely and Rizzo, Energy statistics, 2013",),
)
