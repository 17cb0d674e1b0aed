"""Denoising points in the plane: what squared loss learns is E[x | x~], and with it the score."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy

from autoencoder import GaussianNoise, mlp, mse_per_pixel, reconstruct, sum_per_sample
from autoencoder.data.curves import circle, mixture_ring, spiral, two_moons
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import CommonOptions, option, positive_number
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Section
from autoencoder.lecture.shared import measure_error, spelled_epochs
from autoencoder.storage.checkpoint import FINITE, POSITIVE
from autoencoder.storage.results import Needs, Results, epoch_rows
from autoencoder.training import Row, TrainingSettings, random_generator
from minigrad import nn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["noisy_points", "section", "trained_denoiser"]


@dataclass
class Options(CommonOptions):
    """What this demo can be told, and what the presets say of it."""

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
MASS = 0.98  # of the noised density, that the fields are drawn for


def compute(run: Run[Options]) -> Results:
    """Train a denoiser for each curve and one for the mixture; compare that with closed forms."""
    options = run.options
    results = Results(
        numbers={
            "noise_std": options.noise_std,
            "mixture_noise_std": options.mixture_noise_std,
            "epochs": options.epochs,
            "train_points": options.train_points,
        }
    )
    for number, curve in enumerate(CURVES):
        train = curve(options.train_points, random_generator(options.seed, "data", number))
        clean = curve(options.test_points, random_generator(options.seed, "evaluation", number))
        _, noisy, denoised = _denoise(run, curve.name, train, clean, options.noise_std, results)
        results.numbers[curve.name] = {
            "loss": mse_per_pixel(denoised, clean),
            "loss_per_sample": sum_per_sample(denoised, clean),
            "noisy_loss": mse_per_pixel(noisy, clean),
        }
        results.arrays |= {f"{curve.name}/noisy": noisy, f"{curve.name}/denoised": denoised}
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
    options = run.options
    noisy = noisy_points(clean, noise_std, options.seed)
    settings = run.settings(learning_rate=2e-3, schedule="cosine")
    model, rows = trained_denoiser(run, name, train, clean, noise_std, settings)
    results.rows += [{"data": name, **row} for row in rows]
    return model, noisy, reconstruct(model, noisy, options.workers, run.ranks)


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
    options = run.options
    noisy = noisy_points(clean, noise_std, options.seed)
    return run.trained(
        f"denoise-{name}",
        lambda: mlp(2, 128, 128, 2),
        train,
        settings,
        corruption=GaussianNoise(noise_std),
        evaluate=measure_error(noisy, clean, options.workers, NAMES, run.ranks),
        tested_on=clean,
    )


def _compute_mixture(run: Run[Options], results: Results) -> None:
    """The learnt denoiser and score against the exact ones, on test points and on a grid."""
    options = run.options
    std = options.mixture_noise_std
    train = MIXTURE.sample(options.train_points, random_generator(options.seed, "data", 9))
    clean = MIXTURE.sample(options.test_points, random_generator(options.seed, "evaluation", 9))
    model, noisy, denoised = _denoise(run, "mixture", train, clean, std, results)
    noised = MIXTURE.noised(std)
    mean, score = MIXTURE.posterior_mean(noisy, std), noised.score(noisy)
    learnt = (denoised - noisy.astype("float64")) / std**2

    # Beyond nearly all of the noised density there were no points to learn from.
    grid = numpy.stack(numpy.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
    edge = numpy.quantile(noised.log_prob(noisy), 1 - MASS)
    grid = grid[noised.log_prob(grid) >= edge]
    on_grid = reconstruct(model, grid, options.workers, run.ranks)
    results.arrays |= {
        "mixture/grid": grid,
        "mixture/denoised": on_grid,
        "mixture/posterior_mean": MIXTURE.posterior_mean(grid, std),
        "mixture/learnt_score": (on_grid - grid) / std**2,
        "mixture/score": noised.score(grid),
    }
    results.numbers["mixture"] = {
        "rms_error": _rms(denoised - mean),
        "rms_step": _rms(mean - noisy),
        "rms_left": _rms(mean - clean),
        "rms_score_error": _rms(learnt - score),
        "rms_score": _rms(score),
        "loss": mse_per_pixel(denoised, clean),
        "loss_per_sample": sum_per_sample(denoised, clean),
        "least_loss": mse_per_pixel(mean, clean.astype("float64")),
    }


def _rms(vectors: numpy.ndarray) -> float:
    """The root of the mean squared length of the rows."""
    return float(numpy.sqrt((vectors.astype("float64") ** 2).sum(axis=1).mean()))


def needs(options: Options, found: Results) -> Needs:
    """What figures and captions take out of a file of results."""
    curves = [curve.name for curve in CURVES]
    fields = ("grid", "denoised", "posterior_mean", "learnt_score", "score")
    errors = ("rms_error", "rms_step", "rms_left", "rms_score_error", "rms_score")
    losses = ("loss", "loss_per_sample")
    return Needs(
        {
            **{f"{name}/{way}": "N 2" for name in curves for way in ("noisy", "denoised")},
            **{f"mixture/{field}": "M 2" for field in fields},
        },
        {
            "noise_std": options.noise_std,
            "mixture_noise_std": options.mixture_noise_std,
            "epochs": options.epochs,
            "train_points": options.train_points,
            **{name: dict.fromkeys((*losses, "noisy_loss"), FINITE) for name in curves},
            "mixture": {
                **dict.fromkeys((*errors, *losses, "least_loss"), FINITE),
                "rms_step": POSITIVE,
                "rms_score": POSITIVE,
            },
        },
        epoch_rows(options.epochs, "data", (*curves, "mixture"), **dict.fromkeys(NAMES, FINITE)),
    )


def draw(results: Results) -> dict[str, Figure]:
    """Arrows from noisy to denoised; for the mixture, learnt and exact means and scores."""
    return {
        "arrows": _draw_arrows(results),
        "posterior_mean": _draw_fields(
            results, ["learnt: $\\phi(\\tilde{x})$", "exact: $E[x\\,|\\,\\tilde{x}]$"], False
        ),
        "score": _draw_fields(
            results,
            [
                "learnt: $(\\phi(\\tilde{x})-\\tilde{x})/\\sigma^2$",
                "exact: $\\nabla\\,\\log\\,p_\\sigma(\\tilde{x})$",
            ],
            True,
        ),
    }


def _draw_arrows(results: Results) -> Figure:
    from autoencoder.figures import (
        draw_arrows,
        draw_curve,
        draw_points,
        plane_figure,
        shared_legend,
    )

    figure, axes = plane_figure(NAMED_CURVES, 2.0)
    for ax, curve in zip(axes, CURVES, strict=True):
        noisy = results.arrays[f"{curve.name}/noisy"][:SHOWN]
        denoised = results.arrays[f"{curve.name}/denoised"][:SHOWN]
        draw_curve(ax, curve.lines(), "clean data", width=2.0)
        draw_points(ax, noisy, "noisy point", size=14)
        draw_arrows(ax, noisy, denoised, "from noisy to denoised")
    shared_legend(figure)
    return figure


def _draw_fields(results: Results, titles: list[str], is_score: bool) -> Figure:
    from autoencoder.figures import draw_arrows, draw_density, plane_figure, shared_legend

    arrays, std = results.arrays, results.numbers["mixture_noise_std"]
    grid = arrays["mixture/grid"]
    names = ("learnt_score", "score") if is_score else ("denoised", "posterior_mean")
    figure, axes = plane_figure(titles, 2.0)
    # Score arrows are shortened by one factor, to the grid's width at the longest.
    longest = numpy.linalg.norm(arrays["mixture/score"], axis=1).max()
    scale = 1.3 * (GRID[1] - GRID[0]) / longest
    for ax, name in zip(axes, names, strict=True):
        field = arrays[f"mixture/{name}"]
        density = MIXTURE.noised(std) if is_score else MIXTURE
        label = "noised data" if is_score else "clean data"
        draw_density(ax, density, f"{label}: 50, 90, 99 % of the mass")
        end = grid + scale * field if is_score else field
        what = "score, arrows to one scale" if is_score else "from $\\tilde{x}$ to the answer"
        draw_arrows(ax, grid, end, what)
    shared_legend(figure, columns=2)
    return figure


def captions(results: Results) -> dict[str, Caption]:
    """What is said below each figure."""
    numbers, mixture = results.numbers, results.numbers["mixture"]
    curves = [numbers[curve.name] for curve in CURVES]
    off, score_off = (
        mixture["rms_error"] / mixture["rms_step"],
        mixture["rms_score_error"] / mixture["rms_score"],
    )
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


section = Section(
    name="denoise_2d",
    title="Denoising in the plane",
    equation=r"\phi^*(\tilde{x})=E[x\,|\,\tilde{x}]"
    r"=\tilde{x}+\sigma^2\,\nabla\,\log\,p_\sigma(\tilde{x})",
    description="Trains denoisers of points in the plane and compares one with the exact answer.",
    compute=compute,
    draw=draw,
    captions=captions,
    topics=(13, 14),
    sources=(
        "Vincent, A connection between score matching and denoising autoencoders, 2011",
        "Alain and Bengio, What regularized auto-encoders learn from data, 2014",
    ),
    needs=needs,
    options=Options,
)
