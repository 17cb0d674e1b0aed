"""A bottleneck of 32 numbers between 784 pixels: linear, and with ReLU, sigmoid, cross-entropy."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import math
from dataclasses import dataclass

import numpy

from autoencoder import PCA, DenseAutoEncoder, figures, mse_per_pixel, reconstruct
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import (
    DataOptions,
    measure_error,
    one_of_each,
    projected,
    spelled_epochs,
)
from autoencoder.storage.checkpoint import COUNT, FINITE, POSITIVE
from autoencoder.storage.results import Needs, Results, epoch_rows
from minigrad import Tensor, nn
from minigrad import functional as F


class BlogAutoEncoder(DenseAutoEncoder):
    """The same two layers as in the Keras blog: ReLU after the first, sigmoid after the second.

    They begin as Keras's do, at weights from U(-b, b) with b = sqrt(6 / (inputs + outputs)) (Glorot
    and Bengio, 2010) and biases of 0. From PyTorch's, many a latent comes to be 0 for every image,
    and a ReLU that is never above 0 learns nothing any more.
    """

    def __init__(self, latent_size: int = 32, shape: tuple[int, ...] = (1, 28, 28)) -> None:
        super().__init__(latent_size, shape)
        for layer in (self.encoder, self.decoder):
            assert isinstance(layer, nn.Linear)
            inputs, outputs = layer.in_features, layer.out_features
            # It was 1 / sqrt(inputs).
            layer.weight.data *= math.sqrt(6 * inputs / (inputs + outputs))
            layer.bias.zero_()

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to latents (N, d), none below 0."""
        return F.relu(super().encode(x))

    def decode(self, z: Tensor) -> Tensor:
        """Latents (N, d) to images (N, C, H, W) between 0 and 1."""
        return F.sigmoid(super().decode(z))

    def logits(self, x: Tensor) -> Tensor:
        """Reconstructions before the sigmoid: log p / (1 - p) of a pixel's value p."""
        return super().decode(self.encode(x))


def cross_entropy(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of -t log p - (1 - t) log(1 - p) over pixels, a pixel's value t taken for a chance.

    From logits, since log p of a sigmoid that has rounded to 0 is not finite.
    """
    assert isinstance(model, BlogAutoEncoder)
    return F.binary_cross_entropy_with_logits(model.logits(inputs), targets)


@dataclass
class Options(DataOptions):
    latent_size: int = option("d, the size of the bottleneck", default=32)


LINEAR, BLOG = "linear", "ReLU, sigmoid"


def check(run: Run[Options]) -> None:
    """PCA is compared with, and must have as many components as the network has latents."""
    run.require_components(run.options.latent_size)


def compute(run: Run[Options]) -> Results:
    """Train both pairs of layers, fit PCA with as many components, measure on the test images."""
    size = run.options.latent_size
    train, test = run.images("train"), run.images("test")
    evaluate = measure_error(test, test, **run.how)
    model, rows = run.trained(
        "linear-bottleneck",
        lambda: DenseAutoEncoder(size, train.shape[1:]),
        train,
        evaluate=evaluate,
        own=True,
    )
    blog, blog_rows = run.trained(
        "blog-bottleneck",
        lambda: BlogAutoEncoder(size, train.shape[1:]),
        train,
        loss=cross_entropy,
        evaluate=evaluate,
        tested_on=test,
    )
    from_pca = projected(PCA(size).fit(train), test)
    shown = one_of_each(run.labels("test"))
    arrays = {
        "originals": test[shown],
        "reconstructions": reconstruct(model, test[shown], **run.how),
        "blog": reconstruct(blog, test[shown], **run.how),
        "pca": from_pca[shown],
    }
    numbers = {
        **run.options.by_name("latent_size", "train_images", "test_images"),
        "pixels": test[0].size,
        "epochs": len(rows),
        "linear_mse": rows[-1]["test_mse"],
        "blog_mse": blog_rows[-1]["test_mse"],
        "pca_mse": mse_per_pixel(from_pca, test),
    }
    # A loss of one's own is told once: here it is a pixel's.
    for row in blog_rows:
        row["train_loss_per_sample"] = row["train_loss"] * test[0].size
    networks = {LINEAR: rows, BLOG: blog_rows}
    return Results(
        arrays,
        numbers,
        [{"network": name, **row} for name, found in networks.items() for row in found],
    )


def needs(options: Options, found: Results) -> Needs:
    losses = dict.fromkeys(("test_mse", "test_sum_per_sample"), FINITE)
    return Needs(
        dict.fromkeys(("originals", "reconstructions", "blog", "pca"), "N C H W"),
        {
            **options.by_name("latent_size", "epochs"),
            **dict.fromkeys(("pixels", "train_images", "test_images"), COUNT),
            **{"linear_mse": FINITE, "blog_mse": FINITE, "pca_mse": POSITIVE},
        },
        epoch_rows(options.epochs, "network", (LINEAR, BLOG), **losses),
    )


def draw(results: Results) -> Figures:
    """Originals above, reconstructions below, PCA's beside them; the error after each epoch."""
    arrays, numbers = results.arrays, results.numbers
    pixels, size = numbers["pixels"], numbers["latent_size"]
    digits = figures.rows_of_images(
        [arrays[name] for name in ("originals", "reconstructions", "pca", "blog")],
        [
            "original",
            f"linear {pixels}–{size}–{pixels}\nerror {numbers['linear_mse']:.4f}",
            f"PCA, d = {size}\nerror {numbers['pca_mse']:.4f}",
            f"{BLOG}\nerror {numbers['blog_mse']:.4f}",
        ],
        title=f"A bottleneck of {size} (mean squared error per pixel, test images)",
    )
    by_epoch = figures.epoch_chart(
        results.rows_by("network"),
        "test_mse",
        "mean squared error per pixel",
        levels={f"PCA, d = {size}": numbers["pca_mse"]},
        title=f"{pixels}–{size}–{pixels}: error on {numbers['test_images']:,} test images",
    )
    return {"digits": digits, "error_by_epoch": by_epoch}


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    linear, blog, pca = (numbers[f"{name}_mse"] for name in ("linear", "blog", "pca"))
    first = results.rows_by("network")[LINEAR][0]["test_mse"]
    pixels, errors = numbers["pixels"], numpy.array([linear, pca, blog])
    return {
        "digits": Caption(
            f"Originals above; below, what comes back through {numbers['latent_size']} numbers. No "
            "linear network of this size can beat PCA on the images it is trained on.",
            {
                "Gradient descent has not reached PCA yet: its error is "
                f"{100 * (linear / pca - 1):.1f} % above.": linear > 1.02 * pca,
                f"Gradient descent has come within {100 * abs(linear / pca - 1):.1f} % of "
                "PCA.": 0.98 * pca < linear <= 1.02 * pca,
                "With ReLU, sigmoid and cross-entropy two layers of the same size err "
                f"{100 * (1 - blog / pca):.0f} % less than PCA, in squared error too.": blog
                < 0.98 * pca,
            },
            {
                f"error on {numbers['test_images']:,} test images": [
                    f"linear, {spelled_epochs(numbers['epochs'])} on {numbers['train_images']:,}",
                    "PCA",
                    f"{BLOG}, cross-entropy, as long",
                ],
                "per pixel": errors,
                "per sample": errors * pixels,
                "of PCA's": [f"{ratio:.3f}" for ratio in errors / pca],
            },
        ),
        "error_by_epoch": Caption(
            "The networks' error on test images after each epoch, and PCA's.",
            {
                f"The linear network begins at {first / pca:.2f} times PCA's error and ends at "
                f"{linear / pca:.3f} times.": linear < first
            },
        ),
    }


section = Section.of(
    __name__,
    title="A linear bottleneck of 32",
    equation=r"f(x)=W_1x+b_1\in\mathbb{R}^{32},\quad g(z)=W_2z+b_2\in\mathbb{R}^{784}\qquad "
    r"\mathrm{or}\qquad f(x)=\mathrm{ReLU}(W_1x+b_1),\quad g(z)=\sigma(W_2z+b_2)",
    description="Trains two dense layers, 784 to 32 and back, without a non-linearity, and then "
    "as the Keras blog has them: with ReLU and sigmoid, by cross-entropy.",
    topics=(8,),
    sources=(
        "Chollet, Building autoencoders in Keras, blog.keras.io, 2016",
        "Glorot and Bengio, Understanding the difficulty of training deep networks, 2010",
    ),
)
