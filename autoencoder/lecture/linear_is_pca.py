"""A linear autoencoder's optimum is PCA: the same error, the same subspace, another basis."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy

from autoencoder.lecture.command_line import Option, positive, positive_number
from autoencoder.lecture.linear_runs import (
    LATENT_SIZES,
    MINIBATCH_RUNS,
    MINIBATCH_SIZE,
    PCA_SIZES,
    SHOWN_SIZE,
    UNCENTRED_SIZE,
    compute,
)
from autoencoder.lecture.section import Section
from autoencoder.storage.checkpoint import COUNT, FINITE
from autoencoder.storage.results import Needs, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["section"]

PRESETS = {
    "smoke": {"steps": 50, "epochs": 1, "train_images": 300, "test_images": 200},
    "default": {"steps": 2_000, "epochs": 5, "train_images": 60_000, "test_images": 10_000},
    "lecture": {"steps": 2_000, "epochs": 5, "train_images": 60_000, "test_images": 10_000},
    "full": {"steps": 2_000, "epochs": 25, "train_images": 60_000, "test_images": 10_000},
}
for preset in PRESETS.values():
    preset.update(batch_size=100, step_size=5e-3)

OPTIONS = (
    Option("steps", positive, "steps over the whole training set"),
    Option("step-size", positive_number, "Adam's learning rate at the start of these steps"),
    Option("train-images", positive, "training images to use"),
    Option("test-images", positive, "test images to measure PCA on"),
)


def needs(options: argparse.Namespace, found: Results) -> Needs:
    """What figures and captions take out of a file of results."""
    seeds = [options.seed + i for i in range(MINIBATCH_RUNS)]
    measured = ("loss", "loss_per_sample", "floor", "ratio", "angle")
    sizes = {f"d{d}": d for d in LATENT_SIZES} | {"uncentred": UNCENTRED_SIZE}
    return Needs(
        {
            **{f"{name}/history": "L 3" for name in sizes},
            **dict.fromkeys(("components", "columns", "projected"), f"{SHOWN_SIZE} 1 H W"),
            **{f"minibatch/{seed}": f"{options.epochs} 2" for seed in seeds},
            **{f"uncentred/{name}": f"{UNCENTRED_SIZE}" for name in ("angles", "angles_to_pca")},
        },
        {
            "steps": options.steps,
            "epochs": options.epochs,
            "train_images": COUNT,
            **{
                name: {"latent_size": d, **dict.fromkeys(measured, FINITE)}
                for name, d in sizes.items()
            },
            "pca_test_loss": {str(d): FINITE for d in PCA_SIZES},
            "minibatch": [{"seed": seed, "ratio": FINITE, "angle": FINITE} for seed in seeds],
            "eigenvalue_gap": FINITE,
        },
    )


def draw(results: Results) -> dict[str, Figure]:
    """Error and angle against steps; columns beside components; the failures; PCA's table."""
    return {
        "descent": _draw_descent(results),
        "columns": _draw_columns(results),
        "failures": _draw_failures(results),
        "pca_error": _draw_pca_error(results),
    }


def _draw_descent(results: Results) -> Figure:
    from autoencoder.figures import COLOURS, CYCLE, house_style, line_chart, new_figure

    with house_style():
        figure, grid = new_figure(1, 2, width=14.0, height=6.0)
        left, right = grid[0]
        losses, angles = {}, {}
        for d in LATENT_SIZES:
            step, loss, angle = results.arrays[f"d{d}/history"].T
            losses[f"d = {d}"] = (step, loss)
            angles[f"d = {d}"] = (step, angle)
        line_chart(losses, "step", "loss a pixel, training set", log_x=True, log_y=True, axes=left)
        for d, colour in zip(LATENT_SIZES, CYCLE, strict=False):
            floor = results.numbers[f"d{d}"]["floor"]
            left.axhline(floor, color=colour, linestyle=":", linewidth=2.0)
        left.plot([], [], ":", color=COLOURS["grey"], label="PCA's loss")
        lowest = min(results.numbers[f"d{d}"]["floor"] for d in LATENT_SIZES)
        left.set_ylim(bottom=0.4 * lowest)  # room for the legend
        left.legend(loc="lower left")
        line_chart(
            angles, "step", "largest principal angle (degrees)", log_x=True, log_y=True, axes=right
        )
        right.axhline(1.0, color=COLOURS["grey"], linestyle="--", linewidth=2.0, label="1 degree")
        right.legend(loc="lower left")
    return figure


def _draw_columns(results: Results) -> Figure:
    from autoencoder.figures import rows_of_images

    rows = []
    for name in ("components", "columns", "projected"):
        images = results.arrays[name]
        rows.append(images / numpy.abs(images).max(axis=(1, 2, 3), keepdims=True))
    return rows_of_images(
        rows,
        ["PCA's\ncomponents", "decoder's\ncolumns", "components,\nprojected on\nthe columns"],
        value_range=(-1.0, 1.0),
        column_titles=[str(i + 1) for i in range(SHOWN_SIZE)],
    )


def _draw_failures(results: Results) -> Figure:
    from matplotlib.ticker import MaxNLocator

    from autoencoder.figures import COLOURS, house_style, line_chart, new_figure

    arrays, numbers = results.arrays, results.numbers
    with house_style():
        figure, grid = new_figure(1, 2, width=14.0, height=6.0)
        left, right = grid[0]
        series = {}
        for n in numbers["minibatch"]:
            name = f"seed {n['seed']}: loss {n['ratio']:.4f} times PCA's"
            series[name] = tuple(arrays[f"minibatch/{n['seed']}"].T)
        line_chart(series, "epoch", "largest angle to PCA (degrees)", axes=left)
        left.axhline(
            numbers[f"d{MINIBATCH_SIZE}"]["angle"],
            color=COLOURS["grey"],
            linestyle="--",
            linewidth=2.0,
            label="descent on the whole set",
        )
        left.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        left.set(ylim=(-4, 150), yticks=[0, 30, 60, 90])
        left.set_title(f"Steps on minibatches, d = {MINIBATCH_SIZE}")
        left.legend(loc="upper right")
        pairs = [
            ("to PCA", arrays["uncentred/angles_to_pca"], COLOURS["vermilion"]),
            ("to the uncentred SVD", arrays["uncentred/angles"], COLOURS["blue"]),
        ]
        width = 0.38
        places = numpy.arange(UNCENTRED_SIZE)
        for i, (label, angles, colour) in enumerate(pairs):
            bars = right.bar(places + (i - 0.5) * width, angles, width, color=colour, label=label)
            right.bar_label(bars, [f"{angle:.2f}\N{DEGREE SIGN}" for angle in angles], fontsize=15)
        right.set_xticks(places, [f"angle {i + 1}" for i in places])
        right.set(ylabel="degrees", ylim=(0, 115), yticks=[0, 30, 60, 90])
        right.set_title(f"Without centring, d = {UNCENTRED_SIZE}")
        right.grid(False, axis="x")
        right.legend(loc="upper right")
    return figure


def _draw_pca_error(results: Results) -> Figure:
    from autoencoder.figures import house_style, line_chart

    table = results.numbers["pca_test_loss"]
    sizes, losses = [int(d) for d in table], list(table.values())
    figure = line_chart(
        {"PCA": (sizes, losses)},
        "number of components d",
        "mean squared error a pixel, test images",
        log_x=True,
        log_y=True,
        x_ticks=sizes,
    )
    axes = figure.axes[0]
    with house_style():
        for d, loss in zip(sizes, losses, strict=True):
            axes.annotate(
                f"{loss:.5f}", (d, loss), xytext=(6, 10), textcoords="offset points", fontsize=15
            )
        axes.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.4)
        axes.set_ylim(top=1.15 * max(losses))
    return figure


def summary(results: Results) -> list[str]:
    """What to see, with the measured numbers."""
    numbers = results.numbers
    sizes = [numbers[f"d{d}"] for d in LATENT_SIZES]
    each = "; ".join(
        f"d = {n['latent_size']}: {n['loss']:.5f} a pixel ({n['loss_per_sample']:.3f} a sample, "
        f"the lecture's sum), {n['ratio'] - 1:.1e} of PCA's loss above it, largest angle "
        f"{n['angle']:.3f} degrees"
        for n in sizes
    )
    raw = numbers["uncentred"]
    minibatches = "; ".join(
        f"seed {n['seed']}: loss {n['ratio']:.4f} times PCA's, largest angle "
        f"{n['angle']:.1f} degrees"
        for n in numbers["minibatch"]
    )
    to_pca = results.arrays["uncentred/angles_to_pca"][0]
    table = ", ".join(f"{loss:.5f} (d = {d})" for d, loss in numbers["pca_test_loss"].items())
    return [
        f"PCA, mean squared error a pixel on test images: {table}.",
        f"descent: {numbers['steps']} steps on the exact gradient of {numbers['train_images']} "
        f"centred images. Training loss: {each}.",
        "columns: the decoder's columns are another basis than the principal components. "
        "Projecting the components onto their span turns each by no more than the largest angle, "
        f"{numbers[f'd{SHOWN_SIZE}']['angle']:.3f} degrees.",
        f"failures, left: steps on minibatches ({numbers['epochs']} epochs, d = {MINIBATCH_SIZE}): "
        f"{minibatches}. The next eigenvalue is only {numbers['eigenvalue_gap']:.1%} below the "
        "last one kept: exchanging their directions costs next to nothing.",
        f"failures, right: inputs not centred, no biases, d = {UNCENTRED_SIZE}: largest angle "
        f"{to_pca:.1f} degrees to PCA's subspace, {raw['angle']:.2f} degrees to the uncentred "
        "singular value decomposition's.",
    ]


section = Section(
    name="linear_is_pca",
    title="Linear encoder and decoder: the optimum is PCA",
    equation=r"\frac{1}{N}\sum_{n=1}^{N}\left\|x_n-DEx_n\right\|^2"
    r"=\mathrm{tr}\left((I-DE)\,C\,(I-DE)^{\top}\right)",
    description="Trains a linear autoencoder by gradient descent and compares it with PCA.",
    presets=PRESETS,
    compute=compute,
    draw=draw,
    summary=summary,
    needs=needs,
    options=OPTIONS,
    # One more than the components need: the error they leave is what a training is measured by.
    check=lambda run: run.require_images(
        train=max(LATENT_SIZES) + 2, reason=f"an error beside {max(LATENT_SIZES)} components"
    ),
)
