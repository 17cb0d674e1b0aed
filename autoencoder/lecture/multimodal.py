"""The weakness: where several clean x fit, squared loss answers with their mean, which is none."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy

from autoencoder.lecture.ambiguous_digits import NEIGHBOURS, compute_digits
from autoencoder.lecture.ambiguous_points import (
    CASES,
    NOISE_STD,
    compute_points,
    key_of,
    posterior_at,
)
from autoencoder.lecture.command_line import Option, positive
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Section
from autoencoder.storage.checkpoint import ANYTHING, COUNT, FINITE
from autoencoder.storage.results import Needs, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["section"]

PRESETS = {
    "smoke": {"epochs": 1, "train_images": 300, "test_images": 60},
    "default": {"epochs": 2, "train_images": 30_000, "test_images": 1_000},
    "lecture": {"epochs": 5, "train_images": 60_000, "test_images": 2_000},
    "full": {"epochs": 25, "train_images": 60_000, "test_images": 2_000},
}
for name, preset in PRESETS.items():
    is_smoke = name == "smoke"
    preset.update(
        batch_size=100,
        latent_size=64,
        point_epochs=1 if is_smoke else 30,
        train_points=1_000 if is_smoke else 30_000,
    )

OPTIONS = (
    Option("train-images", positive, "training images to use"),
    Option("test-images", positive, "test images among which the doubtful ones are found"),
    Option("latent-size", positive, "d, the size of the bottleneck of the networks for images"),
    Option("point-epochs", positive, "passes through the training points in the plane"),
    Option("train-points", positive, "training points to draw in the plane"),
)


def compute(run: Run) -> Results:
    """Points in the plane, where the posterior is known; then digits."""
    results = Results(numbers={"epochs": run.options.epochs})
    compute_points(run, results)
    compute_digits(run, results)
    return results


def needs(options: argparse.Namespace, found: Results) -> Needs:
    """What figures and captions take out of a file of results."""
    answers = ("mean", "median", "squared", "absolute")
    images = ("masked", "average", "squared", "absolute")
    one_loss = ("error_to_average", "error_to_truth", "error_to_match")
    blur = ("mid_grey", "gradient_energy")
    return Needs(
        {
            **{f"{key_of(case)}/samples": "S 2" for case in CASES},
            **{f"{key_of(case)}/{answer}": "2" for case in CASES for answer in answers},
            **{f"digits/{name}": "N 1 H W" for name in images},
            "digits/mask": "bool 1 H W",
            "digits/candidates": "N C 1 H W",
        },
        {
            "epochs": options.epochs,
            **dict.fromkeys(("train_images", "test_images"), COUNT),
            **{
                case: {
                    "noisy": [FINITE, FINITE],
                    "weights": [FINITE, ...],
                    "relative_density": dict.fromkeys(answers, FINITE),
                    **dict.fromkeys(("error_to_mean", "error_to_median", "spread"), FINITE),
                }
                for case in CASES
            },
            "digits": {
                **dict.fromkeys(("doubtful", "neighbours"), COUNT),
                **dict.fromkeys(("shown_classes", "shown_entropy"), ANYTHING),
                **dict.fromkeys((*blur, "average_gradient_energy"), FINITE),
                **{n: dict.fromkeys((*one_loss, *blur), FINITE) for n in ("squared", "absolute")},
            },
        },
    )


def draw(results: Results) -> dict[str, Figure]:
    """The posterior with the answers to it; erased digits with the answers and the candidates."""
    return {"points": _draw_points(results), "digits": _draw_digits(results)}


def _draw_points(results: Results) -> Figure:
    from autoencoder.figures import (
        COLOURS,
        draw_density,
        draw_points,
        house_style,
        plane_figure,
        shared_legend,
    )

    marks = {
        "mean": ("exact mean", "P", COLOURS["vermilion"], 330),
        "squared": ("squared loss, learnt", "o", COLOURS["black"], 90),
        "median": ("exact median of each coordinate", "D", COLOURS["orange"], 230),
        "absolute": ("absolute loss, learnt", "^", COLOURS["purple"], 110),
    }
    figure, axes = plane_figure(list(CASES), 1.6)
    for ax, case in zip(axes, CASES, strict=True):
        draw_density(
            ax,
            posterior_at(case),
            "posterior: 50, 90, 99 % of the mass",
            colour=COLOURS["blue"],
            resolution=400,
        )
        samples = results.arrays[f"{key_of(case)}/samples"]
        draw_points(ax, samples, "samples of the posterior", colour=COLOURS["sky"], opacity=0.5)
        with house_style():
            x, y = results.numbers[case]["noisy"]
            ax.scatter(
                # A ring: the mean is never far from the noisy point.
                x,
                y,
                s=650,
                marker="o",
                facecolors="none",
                edgecolors=COLOURS["green"],
                linewidths=3,
                label="noisy point",
            )
            for name, (label, marker, colour, size) in marks.items():
                x, y = results.arrays[f"{key_of(case)}/{name}"]
                ax.scatter(
                    x,
                    y,
                    s=size,
                    marker=marker,
                    color=colour,
                    edgecolors="white",
                    linewidths=1,
                    label=label,
                    zorder=4,
                )
    shared_legend(figure, columns=3)
    return figure


def _draw_digits(results: Results) -> Figure:
    from autoencoder.figures import rows_of_images

    arrays, numbers = results.arrays, results.numbers["digits"]
    erased = numpy.broadcast_to(arrays["digits/mask"], arrays["digits/masked"].shape)
    # What was erased is not black: it is drawn in a colour that no pixel has.
    visible = numpy.repeat(arrays["digits/masked"], 3, axis=1)
    tint = numpy.array([0.34, 0.71, 0.91])[:, None, None]
    visible = numpy.where(erased, tint, visible)
    rows, titles = [visible], ["what is left"]
    answers = {
        "squared": "squared loss",
        "absolute": "absolute loss",
        "average": f"mean of the {numbers['neighbours']}\nbest matches",
    }
    for name, label in answers.items():
        rows.append(numpy.repeat(arrays[f"digits/{name}"], 3, axis=1))
        titles.append(label)
    candidates = arrays["digits/candidates"]  # (N, candidates, 1, H, W)
    for i in range(candidates.shape[1]):
        rows.append(numpy.repeat(candidates[:, i], 3, axis=1))
        titles.append("training images\nthat match" if i == 0 else "")
    return rows_of_images(rows, titles)


def summary(results: Results) -> list[str]:
    """What to see, with the measured numbers."""
    numbers = results.numbers
    lines = []
    for case in CASES:
        n = numbers[case]
        density = n["relative_density"]
        weights = " : ".join(f"{weight:.2f}" for weight in n["weights"])
        lines.append(
            f"points, {case} (posterior weights {weights}, noise {NOISE_STD:g}): density of the "
            f"answers, where a typical sample has 1: exact mean {density['mean']:.1e}, squared "
            f"loss {density['squared']:.1e}, exact median {density['median']:.1e}, absolute loss "
            f"{density['absolute']:.1e}. Squared loss lands {n['error_to_mean']:.3f} from the "
            f"mean, absolute loss {n['error_to_median']:.3f} from the median; the posterior's "
            f"standard deviation is {n['spread']:.3f}."
        )
    d = numbers["digits"]
    lines.append(
        f"digits: upper half erased; {numbers['train_images']} training images, "
        f"{numbers['epochs']} epochs. Shown are those of {numbers['test_images']} test images "
        f"whose {d['neighbours']} best matches in the visible half (training images) disagree most "
        "in class and in the hidden half, if the matches are better than the median; below, the "
        "best match of each of the three most frequent classes."
    )
    for name in ("squared", "absolute"):
        n = d[name]
        lines.append(
            f"{name} loss, erased half of the {d['doubtful']} most doubtful: mean squared error a "
            f"pixel {n['error_to_average']:.4f} to the mean of the matches, "
            f"{n['error_to_match']:.4f} to the nearest single one, {n['error_to_truth']:.4f} to "
            f"the original; mid-grey pixels {n['mid_grey']:.1%} (real digits "
            f"{d['mid_grey']:.1%}), gradient energy {n['gradient_energy']:.4f} (real digits "
            f"{d['gradient_energy']:.4f}, mean of the matches {d['average_gradient_energy']:.4f})."
        )
    return lines


section = Section(
    name="multimodal",
    title="The weakness: the answer is a mean",
    equation=r"\arg\min_{y}\ E\left[\left\|x-y\right\|^2\,|\,\tilde{x}\right]"
    r"=E[x\,|\,\tilde{x}],\quad p(x\,|\,\tilde{x})\ \mathrm{may\ have\ several\ modes}",
    description="Shows answers of squared and absolute loss where several clean samples fit.",
    presets=PRESETS,
    compute=compute,
    draw=draw,
    summary=summary,
    needs=needs,
    options=OPTIONS,
    check=lambda run: run.require_images(
        train=NEIGHBOURS, reason=f"looking for {NEIGHBOURS} best matches"
    ),
)
