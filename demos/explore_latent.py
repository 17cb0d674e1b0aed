"""The command that explores latents by hand, or without a screen writes a contact sheet."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy

from autoencoder import AutoEncoder, DiagonalGaussian, decode, encode, figures, load_model
from autoencoder.lecture.command_line import (
    CommonOptions,
    OptionError,
    build_parser,
    folder,
    option,
    parse,
    setting,
    switch,
)
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import run_command
from autoencoder.lecture.terminal import command
from autoencoder.storage.checkpoint import CheckpointError
from autoencoder.training import random_generator
from minigrad import nn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS, MOST_ROWS, PLANE = 9, 10, 13


@dataclass
class Options(CommonOptions):
    epochs: int = option("passes through the training samples", default=1, lecture=5, full=25)
    batch_size: int = option("samples in a step", default=50)
    latent_size: int = option("d, the number of latents, of a model trained here", default=8)
    train_images: int = option(
        "images to train on, and to fit the density to",
        smoke=300,
        default=10_000,
        lecture=60_000,
        full=60_000,
    )
    test_images: int = option(
        "test images to choose from", smoke=100, default=1_000, lecture=10_000, full=10_000
    )
    checkpoint: str | None = setting(
        None, "a trained AutoEncoder to explore", metavar="FILE", type=folder
    )
    headless: bool = switch("open no window; write contact sheets")


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Explore latents from the command line; gives the exit status."""
    parser = build_parser(
        "explore_latent.py",
        "Moves the latents of an autoencoder by hand and decodes them. Trains one first, or takes "
        "--checkpoint; without a screen it writes contact sheets.",
        Options,
    )
    options, given = parse(parser, Options, arguments)
    if options.checkpoint is not None and "latent_size" in given:
        parser.error("--latent-size: not allowed with --checkpoint, which has its own")
    headless = vars(options).pop("headless")  # how to run, not what to compute

    return run_command(parser, options, given, lambda run: _explore(run, headless), _check)


def _read(path: str) -> AutoEncoder:
    """The AutoEncoder of a checkpoint."""
    model = load_model(path)
    if not isinstance(model, AutoEncoder):
        raise CheckpointError(path, "metadata 'model'", "is no AutoEncoder")
    return model


def _check(run: Run[Options]) -> None:
    path = run.options.checkpoint
    model = None if path is None else _read(path)
    run.require_images(train=2, test=2, reason="going from one image to another")
    if model is not None and model.sample_shape != run.dataset.image_shape:
        taken, given = model.sample_shape, run.dataset.image_shape
        raise OptionError(f"--checkpoint: takes images {taken}, the data are {given}")


def _explore(run: Run[Options], headless: bool) -> None:
    options = run.options
    model = None if options.checkpoint is None else _read(options.checkpoint)
    train = run.images("train")
    test = run.images("test")
    if model is None:
        name = f"explored-d{options.latent_size}"
        model, _ = run.trained(name, lambda: run.autoencoder(options.latent_size), train)
    model.to(options.device)
    density = DiagonalGaussian().fit(encode(model, train, options.workers, run.ranks), jitter=1e-12)
    if run.ranks.rank > 0:
        return  # one window is enough
    rng = random_generator(options.seed, "evaluation", 2)
    labels = run.labels("test")
    if not headless:
        from matplotlib import pyplot  # chooses a backend, which only a window needs

        figure = pyplot.figure(num="the latents, by hand")
        if getattr(figure.canvas, "required_interactive_framework", None) is not None:
            from autoencoder.lecture.explorer import Explorer

            _window = Explorer(figure, model, test, labels, density, rng)  # kept while it is open
            pyplot.show()
            return
        pyplot.close(figure)
        print("there is no screen to open a window on: writing contact sheets instead")
    for name, sheet in contact_sheets(model, test, density, rng).items():
        figures.save(sheet, run.folder / name)
    print(f"contact sheets are in {run.folder}")


def contact_sheets(
    model: nn.Module, images: numpy.ndarray, density: DiagonalGaussian, rng: numpy.random.Generator
) -> dict[str, Figure]:
    """What a hand would find in the window, as pictures of images (N, 1, H, W) and of the density.

    ``contact_sheet``: each of the latents of largest spread moved from -3 to 3 standard deviations
    about the mean, the way between two test images, and samples; at d = 2 also ``plane``: the
    decoded plane.

    >>> images, rng = numpy.zeros((4, 1, 28, 28), "float32"), numpy.random.default_rng(0)
    >>> density = DiagonalGaussian([0.0] * 2, [1.0] * 2)
    >>> sorted(contact_sheets(AutoEncoder(2), images, density, rng))
    ['contact_sheet', 'plane']
    """
    mean, std = numpy.array(density.mean), numpy.array(density.std)
    rows, titles = [], []
    steps = numpy.linspace(-3.0, 3.0, COLUMNS)
    for i in sorted(numpy.argsort(-std, kind="stable")[: MOST_ROWS - 2]):
        z = numpy.repeat(mean[None], COLUMNS, axis=0)
        z[:, i] += steps * std[i]
        rows.append(decode(model, z))
        titles.append(f"$z_{{{i + 1}}}$")
    first, second = encode(model, images[rng.choice(len(images), 2, replace=False)])
    share = numpy.linspace(0.0, 1.0, COLUMNS)[:, None]
    rows.append(decode(model, (1 - share) * first + share * second))
    titles.append("between")
    rows.append(decode(model, density.sample(COLUMNS, rng)))
    titles.append("samples")
    title = "Latents from -3 to 3 standard deviations; between two images; samples"
    sheets = {"contact_sheet": figures.rows_of_images(rows, titles, title=title)}
    if len(mean) == 2:
        ticks = numpy.linspace(-3.0, 3.0, PLANE)
        grid = numpy.array([(x, y) for y in ticks[::-1] for x in ticks])
        sheets["plane"] = figures.image_grid(
            decode(model, mean + grid * std),
            columns=PLANE,
            title="The latent plane, decoded: 3 standard deviations each way",
        )
    return sheets
