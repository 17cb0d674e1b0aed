"""The deep convolutional autoencoder: what it keeps of a digit in d numbers, beside PCA."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy

from autoencoder import PCA, mse_per_pixel, reconstruct
from autoencoder.lecture.caption import Caption, text_table, written
from autoencoder.lecture.command_line import option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Section
from autoencoder.lecture.shared import (
    DeepOptions,
    latent_sizes,
    layer_table,
    one_of_each,
    spelled_epochs,
    trained_autoencoder,
)
from autoencoder.storage.checkpoint import COUNT, FINITE, POSITIVE, TEXT
from autoencoder.storage.files import atomic_write
from autoencoder.storage.results import Needs, Results, epoch_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["section"]


@dataclass
class Options(DeepOptions):
    """What this demo can be told, and what the presets say of it."""

    latent_size: str = option(
        "d, or several such as 2,4,8", type=latent_sizes, smoke="2,8", default="2,4,8,16,32"
    )


def check(run: Run[Options]) -> None:
    """PCA is compared with, and must have as many components as the largest network has latents."""
    run.require_components(max(run.options.sizes))


def compute(run: Run[Options]) -> Results:
    """Fit PCA and train an autoencoder at each latent size; measure both on the test images."""
    options = run.options
    sizes = options.sizes
    listed = 8 if 8 in sizes else sizes[0]
    drawn = run.autoencoder(listed)
    listing, layers = repr(drawn), layer_table(drawn)
    lines = [listing, "", text_table(_table_of_layers(layers)), ""]
    run.ranks.decided(lambda: atomic_write(run.folder / "model.txt", "\n".join(lines)))

    train, test = run.images("train"), run.images("test")
    pixels = test[0].size
    shown = one_of_each(run.labels("test"))
    all_components = PCA(max(sizes)).fit(train)
    arrays = {"originals": test[shown]}
    errors, rows = [], []
    for size in sizes:
        pca = all_components.truncate(size)
        model, epochs = trained_autoencoder(run, size)
        arrays[f"pca/{size}"] = pca.inverse_transform(pca.transform(test[shown]))
        arrays[f"autoencoder/{size}"] = reconstruct(model, test[shown], options.workers, run.ranks)
        rows += [{"latent_size": size, **row} for row in epochs]
        errors.append(
            {
                "latent_size": size,
                "epochs": len(epochs),
                "pca_mse": mse_per_pixel(pca.inverse_transform(pca.transform(test)), test),
                "autoencoder_mse": epochs[-1]["test_mse"],
            }
        )
    numbers = {
        "train_images": len(train),
        "test_images": len(test),
        "pixels": pixels,
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
    """What figures and captions take out of a file of results."""
    sizes = options.sizes
    errors = [
        {
            "latent_size": size,
            "epochs": options.epochs,
            "pca_mse": POSITIVE,
            "autoencoder_mse": FINITE,
        }
        for size in sizes
    ]
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
            "errors": errors,
            "layers": [{"part": part, **layer} for part in parts],
            "layers_latent_size": COUNT,
        },
        epoch_rows(options.epochs, "latent_size", sizes, **losses),
    )


def draw(results: Results) -> dict[str, Figure]:
    """Reconstructions and errors by latent size, errors by epoch, the layers drawn and listed."""
    from autoencoder.figures import epoch_chart, line_chart, network_diagram, rows_of_images, table

    arrays, numbers = results.arrays, results.numbers
    images, titles = [arrays["originals"]], ["original"]
    for error in numbers["errors"]:
        size = error["latent_size"]
        images += [arrays[f"pca/{size}"], arrays[f"autoencoder/{size}"]]
        titles += [f"PCA, d = {size}", "autoencoder"]
    sizes = [error["latent_size"] for error in numbers["errors"]]
    figures = {"digits": rows_of_images(images, titles, groups=range(1, len(images), 2))}
    if len(sizes) > 1:
        figures["error_by_size"] = line_chart(
            {
                "PCA": (sizes, [error["pca_mse"] for error in numbers["errors"]]),
                "autoencoder": (sizes, [error["autoencoder_mse"] for error in numbers["errors"]]),
            },
            "latent size d",
            "mean squared error per pixel",
            title=f"Error on {numbers['test_images']:,} test images; "
            f"autoencoders after {spelled_epochs(numbers['errors'][0]['epochs'])}",
            log_x=True,
            log_y=True,
            x_ticks=sizes,
        )
    figures["error_by_epoch"] = epoch_chart(
        {
            f"d = {size}": [row for row in results.rows if row["latent_size"] == size]
            for size in sizes
        },
        "test_mse",
        "mean squared error per pixel",
        title=f"Autoencoders: error on {numbers['test_images']:,} test images",
        log_y=True,
    )
    layers = numbers["layers"]
    figures["network"] = network_diagram(layers)
    parts, columns = [layer["part"] for layer in layers], _table_of_layers(layers)
    figures["layers"] = table(
        list(columns),
        list(zip(*(map(written, column) for column in columns.values()), strict=True)),
        title=f"The autoencoder at d = {numbers['layers_latent_size']}",
        rules=[i for i in range(1, len(parts)) if parts[i] != parts[i - 1]] + [len(parts)],
    )
    return figures


def captions(results: Results) -> dict[str, Caption]:
    """What is said below each figure."""
    numbers = results.numbers
    pixels, errors = numbers["pixels"], numbers["errors"]
    pca, deep = (
        numpy.array([error[f"{name}_mse"] for error in errors]) for name in ("pca", "autoencoder")
    )
    ratios = deep / pca
    first = [
        next(row["test_mse"] for row in results.rows if row["latent_size"] == error["latent_size"])
        for error in errors
    ]
    falls = 100 * (1 - deep / first)
    least, most = falls.min(), falls.max()
    said = {
        "digits": Caption(
            "Each column is one test image, at the top as it is. Going down, d grows, PCA above "
            f"and the autoencoder below it. Trained on {numbers['train_images']:,} images, "
            f"measured on {numbers['test_images']:,} test images: the squared error per pixel, and "
            f"the lecture's sum per sample, {pixels} times that.",
            {"At each d the autoencoder errs less than PCA.": bool((ratios < 1).all())},
            {
                "d": [error["latent_size"] for error in errors],
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
                "The fewer the latents, the further the autoencoder is ahead.": len(ratios) > 2
                and bool((numpy.diff(ratios) > 0).all()),
                "The more latents, the further the autoencoder is ahead: from "
                f"{ratios[0]:.2f} of PCA's error to {ratios[-1]:.2f}.": len(ratios) > 2
                and bool((numpy.diff(ratios) < 0).all()),
            },
        ),
        "error_by_epoch": Caption(
            "The autoencoders' error on test images after each epoch, from the first on.",
            {
                f"The error falls by {least:.0f} to {most:.0f} % after the first epoch.": bool(
                    least > 0
                )
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


section = Section(
    name="train_autoencoder",
    title="The deep autoencoder",
    equation=r"\min_{f,\,g}\ \frac{1}{N}\sum_{n=1}^{N}\left\|x_n-g(f(x_n))\right\|^2,"
    r"\quad z_n=f(x_n)\in\mathbb{R}^d",
    description="Trains the lecture's convolutional autoencoder and compares it with PCA.",
    compute=compute,
    draw=draw,
    captions=captions,
    topics=(6, 7),
    sources=("LeCun et al., Gradient-based learning applied to document recognition, 1998",),
    needs=needs,
    options=Options,
    check=check,
)
