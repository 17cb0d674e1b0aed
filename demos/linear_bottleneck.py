"""A linear bottleneck of 32 numbers between 784 pixels, trained by gradient descent."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoencoder import PCA, DenseAutoEncoder, mse_per_pixel, reconstruct
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option, positive
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Section
from autoencoder.lecture.shared import DataOptions, measure_error, one_of_each, spelled_epochs
from autoencoder.storage.checkpoint import COUNT, FINITE, POSITIVE
from autoencoder.storage.results import Needs, Results, epoch_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["section"]


@dataclass
class Options(DataOptions):
    """What this demo can be told, and what the presets say of it."""

    latent_size: int = option(positive, "d, the size of the bottleneck", default=32)


def check(run: Run[Options]) -> None:
    """PCA is compared with, and must have as many components as the network has latents."""
    run.require_components(run.options.latent_size)


def compute(run: Run[Options]) -> Results:
    """Train the linear pair, fit PCA with as many components, measure both on the test images."""
    options = run.options
    size = options.latent_size
    train = run.images("train", options.train_images)
    test = run.images("test", options.test_images)
    model, rows = run.trained(
        "linear-bottleneck",
        lambda: DenseAutoEncoder(size, train.shape[1:]),
        train,
        evaluate=measure_error(test, test, options.workers, ranks=run.ranks),
        own=True,
    )
    pca = PCA(size).fit(train)
    projected = pca.inverse_transform(pca.transform(test))
    shown = one_of_each(run.labels("test", len(test)))
    arrays = {
        "originals": test[shown],
        "reconstructions": reconstruct(model, test[shown], options.workers, run.ranks),
        "pca": projected[shown],
    }
    numbers = {
        "latent_size": size,
        "pixels": test[0].size,
        "epochs": len(rows),
        "train_images": len(train),
        "test_images": len(test),
        "linear_mse": rows[-1]["test_mse"],
        "pca_mse": mse_per_pixel(projected, test),
    }
    return Results(arrays, numbers, rows)


def needs(options: Options, found: Results) -> Needs:
    """What figures and captions take out of a file of results."""
    return Needs(
        dict.fromkeys(("originals", "reconstructions", "pca"), "N C H W"),
        {
            "latent_size": options.latent_size,
            "epochs": options.epochs,
            **dict.fromkeys(("pixels", "train_images", "test_images"), COUNT),
            "linear_mse": FINITE,
            "pca_mse": POSITIVE,
        },
        epoch_rows(options.epochs, test_mse=FINITE, test_sum_per_sample=FINITE),
    )


def draw(results: Results) -> dict[str, Figure]:
    """Originals above, reconstructions below, PCA's beside them; the error after each epoch."""
    from autoencoder.figures import epoch_chart, rows_of_images

    arrays, numbers = results.arrays, results.numbers
    pixels, size = numbers["pixels"], numbers["latent_size"]
    digits = rows_of_images(
        [arrays["originals"], arrays["reconstructions"], arrays["pca"]],
        [
            "original",
            f"linear {pixels}–{size}–{pixels}\nerror {numbers['linear_mse']:.4f}",
            f"PCA, d = {size}\nerror {numbers['pca_mse']:.4f}",
        ],
        title=f"A linear bottleneck of {size} (mean squared error a pixel, test images)",
    )
    by_epoch = epoch_chart(
        {"gradient descent": results.rows},
        "test_mse",
        "mean squared error a pixel",
        levels={f"PCA, d = {size}": numbers["pca_mse"]},
        title=f"Linear {pixels}–{size}–{pixels}: error on {numbers['test_images']:,} test images",
    )
    return {"digits": digits, "error_by_epoch": by_epoch}


def captions(results: Results) -> dict[str, Caption]:
    """What is said below each figure."""
    numbers = results.numbers
    linear, pca, pixels = numbers["linear_mse"], numbers["pca_mse"], numbers["pixels"]
    return {
        "digits": Caption(
            f"Originals above; below, what comes back through {numbers['latent_size']} numbers. No "
            "linear network of this size can beat PCA on the images it is trained on.",
            {
                "Gradient descent has not reached PCA yet.": linear > 1.02 * pca,
                "Gradient descent has come within 2 % of PCA.": 0.98 * pca < linear <= 1.02 * pca,
            },
            {
                f"error on {numbers['test_images']:,} test images": [
                    f"linear, {spelled_epochs(numbers['epochs'])} on {numbers['train_images']:,}",
                    "PCA",
                    "ratio",
                ],
                "a pixel": [linear, pca, linear / pca],
                "a sample": [linear * pixels, pca * pixels, ""],
            },
        ),
        "error_by_epoch": Caption(
            "The linear network's error on test images after each epoch, and PCA's."
        ),
    }


section = Section(
    name="linear_bottleneck",
    title="A linear bottleneck of 32",
    equation=r"f(x)=W_1x+b_1\in\mathbb{R}^{32},\qquad g(z)=W_2z+b_2\in\mathbb{R}^{784}",
    description="Trains two dense layers, 784 to 32 and back, without a non-linearity.",
    compute=compute,
    draw=draw,
    captions=captions,
    topics=(8,),
    sources=("Chollet, Building autoencoders in Keras, blog.keras.io, 2016",),
    needs=needs,
    options=Options,
    check=check,
)
