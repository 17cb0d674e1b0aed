"""The deep convolutional autoencoder: what it keeps of a digit in d numbers, beside PCA."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass
from typing import Any

import numpy

from autoencoder import PCA, figures, mse_per_pixel, reconstruct
from autoencoder.lecture.caption import Caption, text_table, written
from autoencoder.lecture.command_line import option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import (
    DeepOptions,
    latent_sizes,
    layer_table,
    one_of_each,
    projected,
    spelled_epochs,
    trained_autoencoder,
)
from autoencoder.storage.checkpoint import COUNT, FINITE, POSITIVE, TEXT
from autoencoder.storage.files import atomic_write
from autoencoder.storage.results import Needs, Results, epoch_rows


@dataclass
class Options(DeepOptions):
    latent_size: str = option(
        "d, or several such as 2,4,8", type=latent_sizes, smoke="2,8", default="2,4,8,16,32"
    )


def check(run: Run[Options]) -> None:
    """PCA is compared with, and must have as many components as the largest network has latents."""
    run.require_components(max(run.options.sizes))


def compute(run: Run[Options]) -> Results:
    """Fit PCA and train an autoencoder at each latent size; measure both on the test images."""
    sizes = run.options.sizes
    listed = 8 if 8 in sizes else sizes[0]
    drawn = run.autoencoder(listed)
    listing, layers = repr(drawn), layer_table(drawn)
    lines = [listing, "", text_table(_table_of_layers(layers)), ""]
    run.ranks.decided(lambda: atomic_write(run.folder / "model.txt", "\n".join(lines)))

    train, test = run.images("train"), run.images("test")
    shown = one_of_each(run.labels("test"))
    all_components = PCA(max(sizes)).fit(train)
    arrays, errors, rows = {"originals": test[shown]}, [], []
    for size in sizes:
        pca = all_components.truncate(size)
        model, epochs = trained_autoencoder(run, size)
        arrays[f"pca/{size}"] = projected(pca, test[shown])
        arrays[f"autoencoder/{size}"] = reconstruct(model, test[shown], **run.how)
        rows += [{"latent_size": size, **row} for row in epochs]
        errors.append(
            {
                "latent_size": size,
                "epochs": len(epochs),
                "pca_mse": mse_per_pixel(projected(pca, test), test),
                "autoencoder_mse": epochs[-1]["test_mse"],
            }
        )
    numbers = {
        **run.options.by_name("train_images", "test_images"),
        "pixels": test[0].size,
        "errors": errors,
        "layers": layers,
        "layers_latent_size": listed,
        "listing": listing,
    }
    return Results(arrays, numbers, rows)


def _table_of_layers(layers: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The columns of the table of layers, with the sum of parameters below."""
    counts = [layer["parameters"] for layer in layers]
    return {
        "layer": [*(layer["layer"] for layer in layers), "all"],
        "output: channels × height × width": [
            *(" × ".join(map(str, layer["shape"])) for layer in layers),
            "",
        ],
        "parameters": [*(count or "" for count in counts), sum(counts)],
    }


def needs(options: Options, found: Results) -> Needs:
    sizes = options.sizes
    measured = {"epochs": options.epochs, "pca_mse": POSITIVE, "autoencoder_mse": FINITE}
    layer = {"layer": TEXT, "shape": [POSITIVE] * 3, "parameters": COUNT, "brief": TEXT}
    parts = ["input"] + ["encoder"] * 5 + ["decoder"] * 5
    losses = dict.fromkeys(("test_mse", "test_sum_per_sample"), FINITE)
    return Needs(
        {
            "originals": "N C H W",
            **{f"{way}/{size}": "N C H W" for size in sizes for way in ("pca", "autoencoder")},
        },
        {
            **dict.fromkeys(("train_images", "test_images", "pixels"), COUNT),
            "errors": [{"latent_size": size, **measured} for size in sizes],
            "layers": [{"part": part, **layer} for part in parts],
            "layers_latent_size": COUNT,
        },
        epoch_rows(options.epochs, "latent_size", sizes, **losses),
    )


def draw(results: Results) -> Figures:
    """Reconstructions and errors by latent size, errors by epoch, the layers drawn and listed."""
    arrays, numbers, by_size = results.arrays, results.numbers, results.rows_by("latent_size")
    images, titles = [arrays["originals"]], ["original"]
    for size in by_size:
        images += [arrays[f"pca/{size}"], arrays[f"autoencoder/{size}"]]
        titles += [f"PCA, d = {size}", "autoencoder"]
    groups = range(1, len(images), 2)
    drawn = {"digits": figures.rows_of_images(images, titles, groups=groups)}
    measured = f"error on {numbers['test_images']:,} test images"
    if len(by_size) > 1:
        sizes, errors = list(by_size), numbers["errors"]
        trained = spelled_epochs(errors[0]["epochs"])
        drawn["error_by_size"] = figures.line_chart(
            {
                name: (sizes, [error[f"{name.lower()}_mse"] for error in errors])
                for name in ("PCA", "autoencoder")
            },
            "latent size d",
            "mean squared error per pixel",
            title=f"{measured.capitalize()}; autoencoders after {trained}",
            log_x=True,
            log_y=True,
            x_ticks=sizes,
        )
    drawn["error_by_epoch"] = figures.epoch_chart(
        {f"d = {size}": rows for size, rows in by_size.items()},
        "test_mse",
        "mean squared error per pixel",
        title=f"Autoencoders: {measured}",
        log_y=True,
    )
    layers = numbers["layers"]
    drawn["network"] = figures.network_diagram(layers)
    parts, columns = [layer["part"] for layer in layers], _table_of_layers(layers)
    drawn["layers"] = figures.table(
        list(columns),
        list(zip(*(map(written, column) for column in columns.values()), strict=True)),
        title=f"The autoencoder at d = {numbers['layers_latent_size']}",
        rules=[i for i in range(1, len(parts)) if parts[i] != parts[i - 1]] + [len(parts)],
    )
    return drawn


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    pixels, errors = numbers["pixels"], numbers["errors"]
    sizes = [error["latent_size"] for error in errors]
    pca, deep = (
        numpy.array([error[f"{name}_mse"] for error in errors]) for name in ("pca", "autoencoder")
    )
    ratios = deep / pca
    steps = numpy.diff(ratios) if len(sizes) > 2 else numpy.zeros(1)  # two sizes are no trend
    rows = results.rows_by("latent_size")
    falls = 100 * (1 - deep / [rows[size][0]["test_mse"] for size in sizes])
    said = {
        "digits": Caption(
            "Each column is one test image, at the top as it is. Going down, d grows, PCA above "
            f"and the autoencoder below it. Trained on {numbers['train_images']:,} images, "
            f"measured on {numbers['test_images']:,} test images: the squared error per pixel, and "
            f"the lecture's sum per sample, {pixels} times that.",
            {"At each d the autoencoder errs less than PCA.": ratios.max() < 1},
            {
                "d": sizes,
                "training": [spelled_epochs(error["epochs"]) for error in errors],
                "PCA, per pixel": pca,
                "PCA, per sample": pixels * pca,
                "deep, per pixel": deep,
                "deep, per sample": pixels * deep,
                "deep / PCA": ratios,
            },
        ),
        "error_by_size": Caption(
            "The same errors against d.",
            {
                "The fewer the latents, the further the autoencoder is ahead.": steps.min() > 0,
                "The more latents, the further the autoencoder is ahead: from "
                f"{ratios[0]:.2f} of PCA's error to {ratios[-1]:.2f}.": steps.max() < 0,
            },
        ),
        "error_by_epoch": Caption(
            "The autoencoders' error on test images after each epoch, from the first on.",
            {
                f"The error falls by {falls.min():.0f} to {falls.max():.0f} % after the first "
                "epoch.": falls.min() > 0
            },
        ),
        "network": Caption(
            f"Encoder and decoder at d = {numbers['layers_latent_size']}, drawn from the model: "
            "what goes from layer to layer is channels × height × width of one image."
        ),
        "layers": Caption(
            f"The {sum(layer['parameters'] for layer in numbers['layers']):,} parameters at d = "
            f"{numbers['layers_latent_size']}; only the two layers beside the bottleneck depend on "
            "d. The file model.txt has the listing that print(model) gives."
        ),
    }
    if len(errors) == 1:
        del said["error_by_size"]
    return said


section = Section.of(
    __name__,
    title="The deep autoencoder",
    equation=r"\min_{f,\,g}\ \frac{1}{N}\sum_{n=1}^{N}\left\|x_n-g(f(x_n))\right\|^2,"
    r"\quad z_n=f(x_n)\in\mathbb{R}^d",
    description="Trains the lecture's convolutional autoencoder and compares it with PCA.",
    topics=(6, 7),
    sources=("LeCun et al., Gradient-based learning applied to document recognition, 1998",),
)
