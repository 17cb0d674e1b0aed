"""Denoising points in the plane: what squared loss learns is E[x | x~], and with it the score."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass
from typing import Any

import numpy

from autoencoder import GaussianNoise, figures, mlp, mse_per_pixel, reconstruct, sum_per_sample
from autoencoder.data.curves import circle, mixture_ring, spiral, two_moons
from autoencoder.densities import GaussianMixture
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import CommonOptions, option, positive_number
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figure, Figures, Section
from autoencoder.lecture.shared import measure_error, spelled_epochs
from autoencoder.storage.checkpoint import FINITE, POSITIVE
from autoencoder.storage.results import Needs, Results, epoch_rows
from autoencoder.training import Row, TrainingSettings, random_generator
from minigrad import nn


@dataclass
class Options(CommonOptions):
    epochs: int = option("passes through the training samples", smoke=1, default=40, full=200)
    batch_size: int = option("samples in a step", default=500)
    train_points: int = option("training points to draw", smoke=2_000, default=50_000)
    test_points: int = option("test points to measure on", smoke=500, default=10_000)
    noise_std: float = option(
        "standard deviation of the noise on the curves", type=positive_number, default=0.15
    )
    mixture_noise_std: float = option(
        "standard deviation of the noise on the mixture", type=positive_number, default=0.3
    )


CURVES = (circle, spiral, two_moons)
NAMED_CURVES = [curve.name.replace("_", " ") for curve in CURVES]
MIXTURE = mixture_ring(6, std=0.15)
SHOWN = 220  # arrows
GRID = numpy.linspace(-1.9, 1.9, 19)
NAMES = ("test_loss", "test_loss_per_sample")
FIELDS = ("grid", "denoised", "posterior_mean", "learnt_score", "score")
MASS = 0.98  # of the noised density, that the fields are drawn for


def compute(run: Run[Options]) -> Results:
    """Train a denoiser for each curve and one for the mixture; compare that with closed forms."""
    options = run.options
    told = ("noise_std", "mixture_noise_std", "epochs", "train_points")
    results = Results(numbers=options.by_name(*told))
    for number, curve in enumerate(CURVES):
        train = curve(options.train_points, run.rng("data", number))
        clean = curve(options.test_points, run.rng("evaluation", number))
        _, noisy, denoised = _denoise(run, curve.name, train, clean, options.noise_std, results)
        results.numbers[curve.name]["noisy_loss"] = mse_per_pixel(noisy, clean)
        results.keep(curve.name, noisy=noisy, denoised=denoised)
    _compute_mixture(run, results)
    return results


def _denoise(
    run: Run[Options],
    name: str,
    train: numpy.ndarray,
    clean: numpy.ndarray,
    noise_std: float,
    results: Results,
) -> tuple[nn.Module, numpy.ndarray, numpy.ndarray]:
    """Train on fresh noise in every batch. Gives the model, noisy test points and denoised ones."""
    settings = run.settings(learning_rate=2e-3, schedule="cosine")
    model, rows = trained_denoiser(run, name, train, clean, noise_std, settings)
    results.rows += [{"data": name, **row} for row in rows]
    noisy = noisy_points(clean, noise_std, run.options.seed)
    denoised = reconstruct(model, noisy, **run.how)
    results.numbers[name] = {
        "loss": mse_per_pixel(denoised, clean),
        "loss_per_sample": sum_per_sample(denoised, clean),
    }
    return model, noisy, denoised


def noisy_points(clean: numpy.ndarray, noise_std: float, seed: int) -> numpy.ndarray:
    """The test points with the noise that they are measured with."""
    return GaussianNoise(noise_std)(clean, random_generator(seed, "corruption"))


def trained_denoiser(
    run: Run[Any],
    name: str,
    train: numpy.ndarray,
    clean: numpy.ndarray,
    noise_std: float,
    settings: TrainingSettings,
) -> tuple[nn.Module, list[Row]]:
    """A denoiser for one level of noise, trained or read, and its epochs' metrics."""
    noisy = noisy_points(clean, noise_std, run.options.seed)
    return run.trained(
        f"denoise-{name}",
        lambda: mlp(2, 128, 128, 2),
        train,
        settings,
        corruption=GaussianNoise(noise_std),
        evaluate=measure_error(noisy, clean, names=NAMES, **run.how),
        tested_on=clean,
    )


def _compute_mixture(run: Run[Options], results: Results) -> None:
    """The learnt denoiser and score against the exact ones, on test points and on a grid."""
    options, std = run.options, run.options.mixture_noise_std
    train = MIXTURE.sample(options.train_points, run.rng("data", 9))
    clean = MIXTURE.sample(options.test_points, run.rng("evaluation", 9))
    model, noisy, denoised = _denoise(run, "mixture", train, clean, std, results)
    noised = MIXTURE.noised(std)
    mean, score = MIXTURE.posterior_mean(noisy, std), noised.score(noisy)
    learnt = (denoised - noisy.astype("float64")) / std**2

    grid = grid_within(noised, noisy)
    on_grid = reconstruct(model, grid, **run.how)
    results.keep("mixture", grid=grid, denoised=on_grid, learnt_score=(on_grid - grid) / std**2)
    results.keep("mixture", posterior_mean=MIXTURE.posterior_mean(grid, std))
    results.keep("mixture", score=noised.score(grid))
    results.numbers["mixture"] |= {
        "rms_error": rms(denoised - mean),
        "rms_step": rms(mean - noisy),
        "rms_left": rms(mean - clean),
        "rms_score_error": rms(learnt - score),
        "rms_score": rms(score),
        "least_loss": mse_per_pixel(mean, clean.astype("float64")),
    }


def grid_within(noised: GaussianMixture, noisy: numpy.ndarray) -> numpy.ndarray:
    """Places (M, 2) where the noised density is: beyond were no points to learn from."""
    grid = numpy.stack(numpy.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
    edge = numpy.quantile(noised.log_prob(noisy), 1 - MASS)
    return grid[noised.log_prob(grid) >= edge]


def rms(vectors: numpy.ndarray) -> float:
    """The root of the mean squared length of the rows."""
    return float(numpy.sqrt((vectors.astype("float64") ** 2).sum(axis=1).mean()))


def needs(options: Options, found: Results) -> Needs:
    curves = [curve.name for curve in CURVES]
    errors = ("rms_error", "rms_step", "rms_left", "rms_score_error", "rms_score")
    losses = ("loss", "loss_per_sample")
    return Needs(
        {
            **{f"{name}/{way}": "N 2" for name in curves for way in ("noisy", "denoised")},
            **{f"mixture/{field}": "M 2" for field in FIELDS},
        },
        {
            **options.by_name("noise_std", "mixture_noise_std", "epochs", "train_points"),
            **{name: dict.fromkeys((*losses, "noisy_loss"), FINITE) for name in curves},
            "mixture": {
                **dict.fromkeys((*errors, *losses, "least_loss"), FINITE),
                "rms_step": POSITIVE,
                "rms_score": POSITIVE,
            },
        },
        epoch_rows(options.epochs, "data", (*curves, "mixture"), **dict.fromkeys(NAMES, FINITE)),
    )


def draw(results: Results) -> Figures:
    """Arrows from noisy to denoised; for the mixture, learnt and exact means and scores."""
    std = results.numbers["mixture_noise_std"]
    grid, learnt, exact, learnt_score, score = results.kept("mixture", *FIELDS)
    means = {"learnt: $\\phi(\\tilde{x})$": learnt, "exact: $E[x\\,|\\,\\tilde{x}]$": exact}
    scores = {
        "learnt: $(\\phi(\\tilde{x})-\\tilde{x})/\\sigma^2$": learnt_score,
        "exact: $\\nabla\\,\\log\\,p_\\sigma(\\tilde{x})$": score,
    }
    to_answer = "from $\\tilde{x}$ to the answer"
    return {
        "arrows": _draw_arrows(results),
        "posterior_mean": _draw_fields(grid, means, to_answer, MIXTURE, "clean data"),
        "score": draw_scores(grid, scores, score, std),
    }


def _draw_arrows(results: Results) -> Figure:
    figure, panels = figures.plane_figure(NAMED_CURVES, 2.0)
    for axes, curve in zip(panels, CURVES, strict=True):
        noisy, denoised = results.kept(curve.name, "noisy", "denoised")
        figures.draw_curve(axes, curve.lines(), "clean data", width=2.0)
        figures.draw_points(axes, noisy[:SHOWN], "noisy point", size=14)
        figures.draw_arrows(axes, noisy[:SHOWN], denoised[:SHOWN], "from noisy to denoised")
    figures.shared_legend(figure)
    return figure


def draw_scores(
    grid: numpy.ndarray, scores: dict[str, numpy.ndarray], exact: numpy.ndarray, std: float
) -> Figure:
    """Scores (M, 2) by title, to one scale: the longest exact one is 1.3 steps of the grid."""
    scale = 1.3 * (GRID[1] - GRID[0]) / numpy.linalg.norm(exact, axis=1).max()
    ends = {title: grid + scale * score for title, score in scores.items()}
    arrows = "score, arrows to one scale"
    return _draw_fields(grid, ends, arrows, MIXTURE.noised(std), "noised data")


def _draw_fields(
    grid: numpy.ndarray,
    ends: dict[str, numpy.ndarray],
    arrows: str,
    density: GaussianMixture,
    data: str,
) -> Figure:
    figure, panels = figures.plane_figure(list(ends), 2.0)
    for axes, end in zip(panels, ends.values(), strict=True):
        figures.draw_density(axes, density, f"{data}: 50, 90, 99 % of the mass")
        figures.draw_arrows(axes, grid, end, arrows)
    figures.shared_legend(figure, columns=2)
    return figure


def captions(results: Results) -> dict[str, Caption]:
    numbers, mixture = results.numbers, results.numbers["mixture"]
    curves = [numbers[curve.name] for curve in CURVES]
    off = mixture["rms_error"] / mixture["rms_step"]
    score_off = mixture["rms_score_error"] / mixture["rms_score"]
    return {
        "arrows": Caption(
            f"Noise of standard deviation {numbers['noise_std']:g}. From each noisy point an arrow "
            f"leads to the learnt answer ({numbers['train_points']:,} training points, "
            f"{spelled_epochs(numbers['epochs'])}).",
            {
                "The answers are nearer to the clean points than the noisy ones are.": all(
                    curve["loss"] < curve["noisy_loss"] for curve in curves
                )
            },
            {
                "squared error": NAMED_CURVES,
                "noisy, per component": [curve["noisy_loss"] for curve in curves],
                "denoised, per component": [curve["loss"] for curve in curves],
                "denoised, per sample": [curve["loss_per_sample"] for curve in curves],
            },
        ),
        "posterior_mean": Caption(
            f"Six Gaussians on a ring, noise {numbers['mixture_noise_std']:g}: there the mean of "
            "all clean points that fit is known in closed form. No denoiser can have a smaller "
            "loss.",
            {
                f"The learnt answer misses the exact one by {off:.1%} of the way it moves a "
                "point.": off < 0.25
            },
            {
                "on test points": ["loss per component", "moves a point by", "is off by"],
                "learnt": [mixture["loss"], "", mixture["rms_error"]],
                "exact": [mixture["least_loss"], mixture["rms_step"], ""],
            },
        ),
        "score": Caption(
            "The way to the answer, divided by the variance of the noise, is the gradient of the "
            f"noised log density. Drawn where that density holds {MASS:.0%} of its mass.",
            {f"The learnt gradient is off by {score_off:.1%}.": score_off < 0.25},
        ),
    }


section = Section.of(
    __name__,
    title="Denoising in the plane",
    equation=r"\phi^*(\tilde{x})=E[x\,|\,\tilde{x}]"
    r"=\tilde{x}+\sigma^2\,\nabla\,\log\,p_\sigma(\tilde{x})",
    description="Trains denoisers of points in the plane and compares one with the exact answer.",
    topics=(13, 14),
    sources=(
        "Vincent, A connection between score matching and denoising autoencoders, 2011",
        "Alain and Bengio, What regularized auto-encoders learn from data, 2014",
    ),
)
