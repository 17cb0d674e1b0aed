"""Cures for the blur: a network that says that several answers fit, and samples of the answers.

In the plane a network answers with a density: a mixture of Gaussians, trained by the likelihood of
the clean points. A denoiser that is told the noise samples the points that fit. On digits the
answer is sampled from a density of the latents that is given the visible half.
"""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy

from autoencoder import GaussianNoise, decode, encode, figures, mse_per_pixel, reconstruct
from autoencoder.classifier import Classifier, classify, shipped_classifier
from autoencoder.densities import GaussianMixture
from autoencoder.densities.denoiser import conditioned_on, follow_flow
from autoencoder.densities.diffusion import VelocityNetwork
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option
from autoencoder.lecture.densities import (
    distances,
    told_denoiser,
    trained_diffusion,
    what_distances_tell,
)
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figure, Figures, Section
from autoencoder.lecture.sections import load_demo
from autoencoder.lecture.shared import (
    NEIGHBOURS,
    SHOWN,
    DataOptions,
    find_doubtful,
    gradient_energy,
    hidden_part,
    spelled_epochs,
    tinted,
    trained_autoencoder,
)
from autoencoder.models import MixtureDensityNetwork
from autoencoder.storage.checkpoint import COUNT, FINITE, NOT_NEGATIVE
from autoencoder.storage.results import Needs, Results
from autoencoder.training import random_generator
from minigrad import Tensor, no_grad

blur = load_demo("multimodal")  # the section before: its cases, and its doubtful digits


@dataclass
class Options(DataOptions):
    latent_size: int = option("d, of the autoencoder in whose latents is sampled", default=16)
    bottleneck: int = option(
        "the size of the bottleneck of the network trained by squared loss", default=64
    )
    point_epochs: int = option(
        "passes through the training points in the plane", smoke=1, default=30
    )
    train_points: int = option("training points to draw in the plane", smoke=1_000, default=30_000)
    test_points: int = option(
        "points in the plane whose density is measured", smoke=500, default=20_000
    )
    restoration_epochs: int = option(
        "passes through the latents by the density over them", smoke=1, default=40
    )
    answers: int = option("restorations sampled for each digit", smoke=4, default=200)


FLOW_STEPS = 40
SAMPLED = 2_000  # points of a posterior in the plane
COMPONENTS = 4  # of the mixture that the network in the plane answers with
SHOWN_ANSWERS = 8
MEASURED = 200  # digits, the most doubtful, of which the first are shown
HIDDEN = (384, 384, 384)  # units of the network of that density
LEAST_SHARE = 0.1  # of the answers: a class of fewer is not counted


def check(run: Run[Options]) -> None:
    """Digits are doubtful by their neighbours among the training images."""
    run.require_shape(Classifier.sample_shape, "the classifier that names the answers")
    run.require_images(train=NEIGHBOURS, reason="the neighbours of a digit")
    run.require_images(test=SHOWN, reason=f"{SHOWN} doubtful digits")


def negative_log_likelihood(model: MixtureDensityNetwork, noisy: Tensor, clean: Tensor) -> Tensor:
    """The mean of -log p(clean | noisy), in nats: what squared error is for one fixed Gaussian."""
    return -model.log_prob(noisy, clean).mean()


def compute(run: Run[Options]) -> Results:
    """Densities in the plane, where the posterior is known; then sampled restorations."""
    results = Results(numbers={"epochs": run.options.epochs})
    for number, case in enumerate(blur.CASES):
        _compute_points(run, results, case, number)
    _compute_digits(run, results)
    return results


def _compute_points(run: Run[Options], results: Results, case: str, number: int) -> None:
    """The learnt density and the Gaussian of squared loss, beside the exact posterior."""
    options, (prior, place) = run.options, blur.CASES[case]
    train, noise = blur.training_points(run, case), GaussianNoise(blur.NOISE_STD)
    squared, _ = blur.trained_on_points(run, case, train)
    network, rows = run.trained(
        f"mixture-density-{case.replace(' ', '-')}",
        lambda: MixtureDensityNetwork(2, COMPONENTS),
        train,
        blur.point_settings(run),
        corruption=noise,
        loss=negative_log_likelihood,
    )
    results.rows += [{"run": f"{case}, mixture density", **row} for row in rows]

    rng = run.rng("evaluation", 20 + number)
    clean = prior.sample(options.test_points, rng)
    noisy = noise(clean, rng)
    # Bayes' rule: log p(clean | noisy) = log p(noisy | clean) + log p(clean) - log p(noisy)
    exact = _log_gaussian(clean, noisy, noise.std**2) + prior.log_prob(clean)
    exact -= prior.noised(noise.std).log_prob(noisy)
    with no_grad():
        learnt = network.to("cpu").log_prob(Tensor(noisy), Tensor(clean)).numpy().astype("float64")
    answers = reconstruct(squared, noisy, **run.how)
    variance = mse_per_pixel(answers, clean)  # the likeliest of a Gaussian about the answers
    lead = exact - learnt
    results.numbers[case] = {
        "exact": float(exact.mean()),
        "learnt": float(learnt.mean()),
        "squared": float(_log_gaussian(answers, clean, variance).mean()),
        "lead": float(lead.mean()),
        "lead_error": float(lead.std() / math.sqrt(len(lead))),
        "points": len(clean),
        "noisy": list(place),
        "std": math.sqrt(variance),
    }
    point, posterior = numpy.array([place], dtype="float32"), blur.posterior_at(case)
    weights, means, stds = density_at(network, point)
    results.keep(blur.key(case), weights=weights, means=means, stds=stds)
    (answer,) = reconstruct(squared, point, **run.how)
    samples = posterior.sample(blur.POSTERIOR_SAMPLES, rng)
    results.keep(blur.key(case), answer=answer, samples=samples)
    _sample_points(run, results, case, train, rng)


def _sample_points(
    run: Run[Any], results: Results, case: str, train: numpy.ndarray, rng: numpy.random.Generator
) -> None:
    """Sample the clean points that fit the noisy one, and compare with exact samples."""
    options, name = run.options, case.replace(" ", "-")
    network = functools.partial(VelocityNetwork, 2, (128, 128, 128))
    told, rows = told_denoiser(run, name, network, train, options.point_epochs, 500)
    results.rows += rows
    posterior, count = blur.posterior_at(case), min(SAMPLED, options.test_points)
    place = numpy.array([blur.CASES[case][1]])
    answer = conditioned_on(told.denoise, place, blur.NOISE_STD)
    sampled = follow_flow(answer, told.noise(count, (2,), rng), told.stds(FLOW_STEPS))
    results.numbers[case] |= distances(sampled, posterior, rng)
    results.numbers[case]["outside"] = _outside(posterior, sampled)
    results.keep(blur.key(case), sampled=sampled)


def _outside(density: GaussianMixture, points: numpy.ndarray) -> float:
    """How many % of points are less likely than 99 % of the density's own."""
    own = density.sample(20_000, random_generator(0, "evaluation", 40), "float64")
    least = numpy.quantile(density.log_prob(own), 0.01)
    return 100 * float((density.log_prob(points) < least).mean())


def _log_gaussian(mean: numpy.ndarray, x: numpy.ndarray, variance: float) -> numpy.ndarray:
    """log N(x; mean, variance I) of points (N, d): (N,)."""
    squares = ((x.astype("float64") - mean) ** 2).sum(axis=1)
    return -0.5 * squares / variance - 0.5 * x.shape[1] * math.log(2 * math.pi * variance)


def density_at(
    network: MixtureDensityNetwork, point: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Weights (K,), means (K, d) and deviations (K,) of the answer to a noisy point (1, d).

    >>> weights, means, stds = density_at(MixtureDensityNetwork(), numpy.zeros((1, 2), "float32"))
    >>> means.shape
    (4, 2)
    """
    with no_grad():
        parts = [part.numpy()[0].astype("float64") for part in network(Tensor(point))]
    weights, means, stds = parts
    return weights / weights.sum(), means, stds


def _compute_digits(run: Run[Options], results: Results) -> None:
    """Sample what the erased half may have been, from the latents' density given the rest."""
    options, erase = run.options, blur.CORRUPTION
    train, test, labels = run.images("train"), run.images("test"), run.labels("train")
    mask = erase.mask(test[:1])[0]  # (1, H, W), the same for every image
    places = find_doubtful(train, labels, test, mask).order[:MEASURED]
    original, masked = test[places], erase(test[places])
    restorer, _ = run.trained(
        "multimodal-digits-squared",
        lambda: run.autoencoder(options.bottleneck),
        train,
        corruption=erase,
    )
    squared = reconstruct(restorer, masked, **run.how)
    model, _ = trained_autoencoder(run, options.latent_size)
    density, rows = trained_diffusion(
        run,
        "restorations",
        run.encoded(model, "train"),
        [f"autoencoder-d{options.latent_size}", "multimodal-digits-squared"],
        options.restoration_epochs,
        options.seed,
        hidden=HIDDEN,
        given=encode(restorer, erase(train), **run.how),
    )
    results.rows += [{"run": "restorations", **row} for row in rows]
    given = numpy.repeat(encode(restorer, masked, **run.how), options.answers, axis=0)
    latents = density.sample(len(given), run.rng("evaluation", 30), given=given)
    images = decode(model, latents, **run.how)
    classes = classify(shipped_classifier(), images, **run.how).reshape(len(masked), -1)
    images = images.reshape(len(masked), -1, *images.shape[1:])  # (N, answers, 1, H, W)
    mean = images.mean(axis=1)
    found = [int((numpy.bincount(row) >= LEAST_SHARE * len(row)).sum()) for row in classes]

    pictures = {"masked": masked, "original": original, "squared": squared, "mean": mean}
    results.keep("digits", **{name: each[:SHOWN] for name, each in pictures.items()})
    results.keep("digits", mask=mask, answers=images[:SHOWN, :SHOWN_ANSWERS])
    measured = {"real": train, "answers": images, "mean": mean, "squared": squared}
    energies = {n: gradient_energy(hidden_part(each, mask)) for n, each in measured.items()}
    truth = hidden_part(original, mask)
    originals = numpy.broadcast_to(original[:, None], images.shape)
    results.numbers["digits"] = {
        "measured": len(places),
        **options.by_name("answers", "train_images"),
        "several_classes": sum(count > 1 for count in found),
        **{f"energy_{name}": energy for name, energy in energies.items()},
        "error_mean": mse_per_pixel(hidden_part(mean, mask), truth),
        "error_squared": mse_per_pixel(hidden_part(squared, mask), truth),
        "visible_answers": mse_per_pixel(images, originals, mask=~mask),
        "visible_reconstructed": mse_per_pixel(
            reconstruct(model, original, **run.how), original, mask=~mask
        ),
    }


def needs(options: Options, found: Results) -> Needs:
    shapes = {
        "samples": f"{blur.POSTERIOR_SAMPLES} 2",
        "weights": f"positive {COMPONENTS}",
        "means": f"{COMPONENTS} 2",
        "stds": f"positive {COMPONENTS}",
        "answer": "2",
        "sampled": "S 2",
    }
    numbers = ("exact", "learnt", "squared", "lead", "lead_error", "std")
    energies = ("energy", "energy_noise", "energy_deviation", "outside")
    pictures = ("masked", "original", "squared", "mean")
    gradients = ("energy_real", "energy_answers", "energy_mean", "energy_squared")
    errors = ("error_mean", "error_squared", "visible_answers", "visible_reconstructed")
    return Needs(
        {
            **{
                f"{blur.key(case)}/{n}": shape for case in blur.CASES for n, shape in shapes.items()
            },
            "digits/mask": "bool C H W",
            **{f"digits/{name}": "N C H W" for name in pictures},
            "digits/answers": "N M C H W",
        },
        {
            "epochs": options.epochs,
            **{
                case: {
                    **dict.fromkeys((*numbers, *energies), FINITE),
                    **dict.fromkeys(("points", "compared"), COUNT),
                    "noisy": list(place),
                }
                for case, (_, place) in blur.CASES.items()
            },
            "digits": {
                **dict.fromkeys(("measured", "answers", "train_images", "several_classes"), COUNT),
                **dict.fromkeys((*gradients, *errors), NOT_NEGATIVE),
            },
        },
    )


def draw(results: Results) -> Figures:
    """Restorations of digits; then the densities and the samples that are answers in the plane."""
    return {
        "restorations": _draw_restorations(results),
        "densities": _draw_densities(results),
        "posteriors": _draw_posteriors(results),
    }


def _draw_posteriors(results: Results) -> Figure:
    exact = "exact posterior: 50, 90, 99 % of the mass"
    figure, panels = figures.plane_figure(list(blur.CASES), 1.8)
    for axes, case in zip(panels, blur.CASES, strict=True):
        (sampled,) = results.kept(blur.key(case), "sampled")
        sky = figures.COLOURS["sky"]
        figures.draw_points(axes, sampled, "sampled by the denoiser", colour=sky)
        figures.draw_density(axes, blur.posterior_at(case), exact)
        _cross(axes, results.numbers[case]["noisy"])
    figures.shared_legend(figure, columns=3)
    return figure


def _cross(axes: Any, noisy: list[float]) -> None:
    axes.plot(*noisy, "x", color="black", markersize=12, label="noisy point")


def _draw_densities(results: Results) -> Figure:
    sky, blue = figures.COLOURS["sky"], figures.COLOURS["blue"]
    figure, panels = figures.plane_figure(list(blur.CASES), 1.8)
    for axes, case in zip(panels, blur.CASES, strict=True):
        numbers = results.numbers[case]
        names = ("weights", "means", "stds", "answer", "samples")
        weights, means, stds, answer, samples = results.kept(blur.key(case), *names)
        learnt = GaussianMixture(weights / weights.sum(), means, stds**2)
        assumed = GaussianMixture([1.0], [answer], numbers["std"] ** 2)
        figures.draw_points(axes, samples, "samples of the exact posterior", colour=sky)
        figures.draw_density(axes, learnt, "mixture density network")
        _cross(axes, numbers["noisy"])
        figures.draw_density(axes, assumed, "what squared loss assumes", colour=blue)
    figures.shared_legend(figure, columns=2)
    return figure


def _draw_restorations(results: Results) -> Figure:
    names = ("masked", "mask", "squared", "mean", "answers", "original")
    masked, mask, squared, mean, answers, original = results.kept("digits", *names)
    count = answers.shape[1]
    rows = [tinted(masked, mask), squared, mean, *answers.swapaxes(0, 1), original]
    titles = ["upper half\nerased", "squared loss", "mean of the\nsamples", "samples"]
    titles += [""] * (count - 1) + ["original"]
    return figures.rows_of_images(rows, titles, groups=[1, 3, 3 + count])


def captions(results: Results) -> dict[str, Caption]:
    numbers, digits = results.numbers, results.numbers["digits"]
    points = {case: numbers[case] for case in blur.CASES}
    short = [case["exact"] - case["squared"] for case in points.values()]
    strays = [f"{case['outside']:.1f}" for case in points.values()]
    return {
        "restorations": Caption(
            "The test digits whose visible half leaves most doubt, and samples of the erased half: "
            "latents by a diffusion that is given the visible half, as the network of squared "
            f"loss encodes it ({digits['train_images']:,} training images, "
            f"{spelled_epochs(numbers['epochs'])}; {digits['answers']} samples per digit). "
            f"Measured are the {digits['measured']} most doubtful, of which these are the first. "
            "Gradient energy, the mean square of neighbouring pixels' differences, is low for a "
            "blur.",
            {
                "Samples are sharper than squared loss's answer; their mean is as blurred, with "
                f"{digits['error_mean'] / digits['error_squared']:.2f} times its squared error.": (
                    digits["energy_answers"] > 2 * digits["energy_squared"]
                    and abs(digits["energy_mean"] / digits["energy_squared"] - 1) < 0.2
                ),
                f"{digits['several_classes']} of the {digits['measured']} have samples of two "
                "classes or more, each a tenth of them at least.": digits["several_classes"] > 0,
            },
            {
                "in the erased half": ["gradient energy", "squared error"],
                "samples": [digits["energy_answers"], ""],
                "their mean": [digits["energy_mean"], digits["error_mean"]],
                "squared loss": [digits["energy_squared"], digits["error_squared"]],
                "real digits": [digits["energy_real"], ""],
            },
        ),
        "densities": Caption(
            "Squared error is the negative log-likelihood of one Gaussian of fixed width about the "
            "answer. A mixture density network answers with a mixture instead. Contours hold 50, "
            "90 and 99 % of the network's density and of the one Gaussian, at the noisy point (the "
            "cross) of the section before. The table has the mean "
            "log-density of clean points given noisy ones, in nats.",
            {
                "The network's answer is nearly as good as the exact posterior: at most "
                f"{max(case['lead'] for case in points.values()):.4f} nats short of it.": all(
                    case["lead"] < 0.03 for case in points.values()
                ),
                "The network is no better than one Gaussian yet: train longer.": any(
                    case["learnt"] <= case["squared"] for case in points.values()
                ),
                f"One Gaussian falls short of it by {min(short):.2f} to {max(short):.2f} nats.": (
                    min(short) > 0
                ),
            },
            {
                "log-density, nats": list(points),
                "exact posterior": [f"{case['exact']:.3f}" for case in points.values()],
                "mixture density network": [f"{case['learnt']:.3f}" for case in points.values()],
                "the exact one's lead": [
                    f"{case['lead']:.4f} ± {case['lead_error']:.4f}" for case in points.values()
                ],
                "squared loss's Gaussian": [f"{case['squared']:.3f}" for case in points.values()],
            },
        ),
        "posteriors": Caption(
            "The clean points that fit the noisy one, sampled. A denoiser for one level of noise "
            "knows only the mean of them. The way from that to samples leads through all lower "
            "levels, and needs a denoiser that is told the level, as the next section builds "
            "them. On the way, the noisy point and the moving one are two sights of the same clean "
            "point; their mean, weighted by precision, is what the denoiser is shown "
            f"({FLOW_STEPS} steps of Heun along the flow). The energy distance is that of "
            f"{points[next(iter(points))]['compared']:,} samples and as many exact ones; its noise "
            "is that of 20 pairs of exact samples. Estimated without bias, it may be below 0.",
            {
                **what_distances_tell(points.values()),
                f"Some stray: {' and '.join(strays)} % of them lie outside the contour of 99 %.": (
                    all(case["outside"] > 1.5 for case in points.values())
                ),
            },
            {
                "energy distance to exact samples": list(points),
                "sampled": [f"{case['energy']:.5f}" for case in points.values()],
                "exact": [
                    f"{case['energy_noise']:.5f} ± {case['energy_deviation']:.5f}"
                    for case in points.values()
                ],
            },
        ),
    }


section = Section.of(
    __name__,
    title="Cures for the blur",
    equation=r"\|x-\phi(\tilde{x})\|^2 = -2\sigma^2\,\log\mathcal{N}\left(x;\ \phi(\tilde{x}),\ "
    r"\sigma^2 I\right)+\mathrm{const}",
    description="Answers with a density in place of a point, and samples restorations.",
    topics=(15,),
    sources=(
        "Bishop, Mixture density networks, 1994",
        "Rombach et al., High-resolution image synthesis with latent diffusion models, 2022",
        "Karras et al., Elucidating the design space of diffusion-based generative models, 2022",
    ),
)
