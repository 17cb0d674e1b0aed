"""What several sections share: options, networks, what is measured, doubtful images, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from autoencoder.densities.variational import (
    VariationalAutoEncoder,
    negative_bound,
    variational_bound,
)
from autoencoder.inference import reconstruct
from autoencoder.lecture.command_line import CommonOptions, option, positive
from autoencoder.lecture.run import Run
from autoencoder.metrics import mse_per_pixel, nearest_neighbours, psnr, sum_per_sample
from autoencoder.models import AutoEncoder, layers_of, list_layers, zero_biases
from autoencoder.pca import PCA
from autoencoder.storage.results import Results
from autoencoder.training import Row, random_generator
from minigrad import nn
from minigrad.parallel import Communicator

Evaluate = Callable[[nn.Module], dict[str, float]]
"""What is measured after each epoch: from a model to numbers by name."""

NEIGHBOURS = 30  # training images that match the visible half of a digit
SHOWN = 8  # digits with a half erased
ERASED_COLOUR = (0.35, 0.60, 0.85)  # blue, which no pixel of a digit has


@dataclass
class DataOptions(CommonOptions):
    """The options of a section that trains on some images and measures on others."""

    epochs: int = option("passes through the training samples", smoke=1, default=5, full=25)
    batch_size: int = option("samples in a step", default=100)
    train_images: int = option("training images to use", smoke=300, default=60_000)
    test_images: int = option("test images to measure on", smoke=100, default=10_000)


def latent_sizes(text: str) -> str:
    """Latent sizes as typed, checked: different whole numbers from 1, between commas.

    >>> latent_sizes("16, 8")
    '8,16'
    """
    sizes = sorted(positive(size) for size in text.split(","))
    if len(set(sizes)) < len(sizes):
        raise ValueError
    return ",".join(map(str, sizes))


latent_sizes.__name__ = "list of whole numbers from 1"  # what argparse calls it in an error


@dataclass
class DeepOptions(DataOptions):
    """The options of a section that shows the deep autoencoder at several latent sizes."""

    latent_size: str = option("d, or several such as 8,16", type=latent_sizes, default="8,16")

    @property
    def sizes(self) -> list[int]:
        """The latent sizes, smallest first."""
        return [int(size) for size in self.latent_size.split(",")]


def spelled_epochs(epochs: int) -> str:
    """A number of epochs in words.

    >>> spelled_epochs(1), spelled_epochs(5)
    ('1 epoch', '5 epochs')
    """
    return f"{epochs} epoch{'' if epochs == 1 else 's'}"


def trained_autoencoder(
    run: Run[Any], latent_size: int, seed: int | None = None
) -> tuple[AutoEncoder, list[Row]]:
    """The lecture's autoencoder, trained on the training images or read if it was before.

    From the run's seed, or another; its biases begin at 0.

    The rows are each epoch's metrics, ``test_mse`` (a pixel) and ``test_sum_per_sample`` among
    them.
    """
    test = run.images("test")
    model, rows = run.trained(
        f"autoencoder-d{latent_size}",
        lambda: run.autoencoder(latent_size),
        run.images("train"),
        run.settings() if seed is None else run.settings(seed=seed),
        evaluate=measure_error(test, test, **run.how),
        tested_on=test,
        start=zero_biases,
    )
    return model, rows


def trained_variational(
    run: Run[Any], latent_size: int, seed: int | None = None
) -> tuple[VariationalAutoEncoder, list[Row]]:
    """The variational autoencoder of the same layers, its biases drawn like its weights.

    The rows have ``test_bound``, the mean bound on the log density in nats, beside the error of
    reconstructions.
    """
    options = run.options
    test = run.images("test")
    _, height, width = run.dataset.image_shape
    channels = test.shape[1]
    error = measure_error(test, test, **run.how)

    def evaluate(model: Any) -> dict[str, float]:
        rng = random_generator(options.seed, "evaluation", 0)
        bound = variational_bound(model, test, rng, **run.how)
        return {"test_bound": float(bound.mean(dtype="float64")), **error(model)}

    return run.trained(
        f"variational-d{latent_size}",
        lambda: VariationalAutoEncoder(latent_size, (height, width), channels),
        run.images("train"),
        run.settings() if seed is None else run.settings(seed=seed),
        loss=negative_bound,
        evaluate=evaluate,
        tested_on=test,
    )


def one_of_each(labels: numpy.ndarray, count: int = 10) -> numpy.ndarray:
    """The places of the first image of each class, in the order of the classes; others fill up.

    >>> one_of_each(numpy.array([1, 1, 0, 1]), count=3)
    array([2, 0, 1])
    """
    first = [int(numpy.flatnonzero(labels == label)[0]) for label in numpy.unique(labels)]
    rest = [i for i in range(len(labels)) if i not in first]
    return numpy.array((first + rest)[:count])


def measure_error(
    inputs: numpy.ndarray,
    targets: numpy.ndarray,
    workers: int | None,
    names: tuple[str, str] = ("test_mse", "test_sum_per_sample"),
    ranks: Communicator | None = None,
) -> Evaluate:
    """Measure the squared error of what a model makes of inputs, a pixel and a sample.

    >>> x = numpy.zeros((3, 2), "float32")
    >>> measure_error(x, x + 1, 1)(nn.Linear(2, 2, bias=False))
    {'test_mse': 1.0, 'test_sum_per_sample': 2.0}
    """

    def evaluate(model: nn.Module) -> dict[str, float]:
        found = reconstruct(model, inputs, workers, ranks)
        errors = mse_per_pixel(found, targets), sum_per_sample(found, targets)
        return dict(zip(names, errors, strict=True))

    return evaluate


def measure_psnr(
    noisy: numpy.ndarray,
    clean: numpy.ndarray,
    workers: int | None,
    ranks: Communicator | None = None,
) -> Evaluate:
    """Measure in dB how near a denoiser comes to the clean images, given the noisy ones."""

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {"test_psnr_db": psnr(reconstruct(model, noisy, workers, ranks), clean)}

    return evaluate


def projected(pca: PCA, x: numpy.ndarray) -> numpy.ndarray:
    """Samples (N, ...) as PCA gives them back: projected onto its components."""
    return pca.inverse_transform(pca.transform(x))


def layer_table(model: Any) -> list[dict[str, Any]]:
    """An autoencoder's layers as rows of a table, found by passing a sample through it.

    A layer without parameters that keeps the shape, an activation, shares its predecessor's row.
    ``brief`` names the layer in a few lines, for a diagram. The encoder and the decoder are
    nn.Sequential.

    >>> row = layer_table(AutoEncoder(8))[1]
    >>> row["layer"], row["brief"]
    ('Conv2d(1, 32, kernel_size=(5, 5), stride=(1, 1)), ReLU', 'Conv2d\\n5 × 5\\nReLU')
    """
    columns = ("part", "layer", "shape", "parameters", "brief")
    shape = list(model.sample_shape)
    rows: list[dict[str, Any]] = []

    def add(*entries: Any) -> None:
        rows.append(dict(zip(columns, entries, strict=True)))

    add("input", "image" if len(shape) == 3 else "point", shape, 0, "")
    for part, network in (("encoder", model.encoder), ("decoder", model.decoder)):
        layers = list_layers(network, tuple(rows[-1]["shape"]))
        for module, layer in zip(layers_of(network), layers, strict=True):
            brief = type(module).__name__
            if not layer.parameters and list(layer.shape) == rows[-1]["shape"]:
                rows[-1]["layer"] += f", {layer.description.removesuffix('()')}"
                rows[-1]["brief"] += f"\n{brief}"
                continue
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                stride = "" if module.stride == (1, 1) else f", stride {module.stride[0]}"
                brief += f"\n{' × '.join(map(str, module.kernel_size))}{stride}"
            add(part, layer.description, list(layer.shape), layer.parameters, brief)
    return rows


def table_of(results: Results, row: str, column: str, value: str) -> dict[tuple[Any, Any], Any]:
    """The rows of results as a table: a value for each pair of a row's and a column's name.

    >>> rows = [{"denoiser": "wide", "noise": 0.5, "psnr": 20.0}]
    >>> table_of(Results(rows=rows), "denoiser", "noise", "psnr")
    {('wide', 0.5): 20.0}
    """
    return {(each[row], each[column]): each[value] for each in results.rows}


def columns_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows that have the same columns, one at least, as these columns by name.

    >>> columns_of([{"d": 8, "error": 0.02}, {"d": 16, "error": 0.01}])
    {'d': [8, 16], 'error': [0.02, 0.01]}
    """
    return {name: [row[name] for row in rows] for name in rows[0]}


def fixed(rows: Iterable[Mapping[str, Any]], column: str, digits: int) -> list[str]:
    """A column of rows, with so many digits after the point; nothing where a row lacks it.

    >>> fixed([{"nats": -13.26}, {}], "nats", 1)
    ['-13.3', '']
    """
    return [f"{row[column]:.{digits}f}" if column in row else "" for row in rows]


def tinted(images: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
    """Images (N, C, H, W) in colour, erased pixels blue: nobody takes them for black ink.

    >>> tinted(numpy.zeros((1, 1, 1, 2)), numpy.array([True, False]))[0, :, 0].tolist()
    [[0.35, 0.0], [0.6, 0.0], [0.85, 0.0]]
    """
    colour = numpy.array(ERASED_COLOUR).reshape(3, 1, 1)
    return numpy.where(mask, colour, images)


class Doubtful(NamedTuple):
    """Test images with a half erased, by how open to doubt it is what the half was."""

    near: numpy.ndarray  # (N, NEIGHBOURS) training images that match the visible half best
    entropy: numpy.ndarray  # (N,) that of their classes, in bits
    order: numpy.ndarray  # (N,) the test images, most doubtful first


def find_doubtful(
    train: numpy.ndarray, labels: numpy.ndarray, test: numpy.ndarray, mask: numpy.ndarray
) -> Doubtful:
    """Order test images by how much the matches of their visible half disagree; mask (C, H, W)."""
    near, distances = nearest_neighbours(test[:, ~mask], train[:, ~mask], NEIGHBOURS)
    hidden = train[:, mask]
    spread = hidden[near].var(axis=1).mean(axis=1)
    entropy = numpy.array([_entropy(labels[row]) for row in near])
    # Matches that differ in class and in pixels mean doubt, but only if they match well: images
    # whose matches are among the worse half come last.
    is_matched = distances[:, -1] <= numpy.median(distances[:, -1])
    order = numpy.argsort(numpy.where(is_matched, entropy * spread, -1.0))[::-1]
    return Doubtful(near, entropy, order)


def hidden_part(images: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
    """The erased rows of images (..., H, W), of which a mask (C, H, W) erases whole rows."""
    return images[..., mask[0].any(axis=1), :]


def _entropy(labels: numpy.ndarray) -> float:
    """Of the classes among some labels, in bits."""
    _, counts = numpy.unique(labels, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * numpy.log2(share)).sum())


def gradient_energy(images: numpy.ndarray) -> float:
    """The mean squared difference of neighbouring pixels of images (..., H, W): low for a blur.

    >>> gradient_energy(numpy.array([[0.0, 1.0], [0.0, 1.0]]))
    0.5
    """
    images = images.astype("float64")
    across = (numpy.diff(images, axis=-1) ** 2).mean()
    down = (numpy.diff(images, axis=-2) ** 2).mean()
    return float((across + down) / 2)
