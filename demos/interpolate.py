"""Walking from one digit to another: in latent space, and in pixel space for contrast."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass

import numpy

from autoencoder import decode, encode, figures, nearest_neighbours, reconstruct
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import OptionError, option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import DataOptions, spelled_epochs, trained_autoencoder
from autoencoder.storage.checkpoint import FINITE, POSITIVE
from autoencoder.storage.results import Needs, Results


@dataclass
class Options(DataOptions):
    latent_size: int = option("d, the size of the bottleneck", default=8)
    pairs: int = option("pairs of digits to show", default=3)
    measured_pairs: int = option("pairs of digits whose middle is measured", smoke=20, default=500)


SAID = ("latent_size", "epochs", "measured_pairs", "train_images")  # options in captions
SHARES = numpy.linspace(0, 1, 11)


def interpolate(start: numpy.ndarray, end: numpy.ndarray, shares: numpy.ndarray) -> numpy.ndarray:
    """The points a z + (1 - a) z' between z', the start (N, ...), and z, the end: (N, shares, ...).

    >>> start, end = numpy.zeros((1, 2)), numpy.ones((1, 2))
    >>> interpolate(start, end, numpy.array([0.0, 0.25, 1.0]))[0, 1]
    array([0.25, 0.25], dtype=float32)
    """
    a = numpy.reshape(shares, (1, -1) + (1,) * (start.ndim - 1))
    return (a * end[:, None] + (1 - a) * start[:, None]).astype("float32")


def choose_pairs(labels: numpy.ndarray, count: int, rng: numpy.random.Generator) -> numpy.ndarray:
    """Places (count, 2) of pairs of different classes, drawn at random.

    >>> choose_pairs(numpy.array([3, 3, 5]), 2, numpy.random.default_rng(0)).max(axis=1)
    array([2, 2])
    """
    if len(numpy.unique(labels)) < 2:
        raise ValueError("choose_pairs: all images are of one class")
    first = rng.integers(len(labels), size=count)
    others = [numpy.flatnonzero(labels != labels[i]) for i in first]
    return numpy.stack([first, [rng.choice(places) for places in others]], axis=1)


def check(run: Run[Options]) -> None:
    """A walk leads from one class to another."""
    run.require_images()
    if len(numpy.unique(run.labels("test"))) < 2:
        count = run.options.test_images
        raise OptionError(f"--test-images: the first {count} are of one class, a walk needs two")


def compute(run: Run[Options]) -> Results:
    """Train the autoencoder, walk between test digits, and measure the middle of many walks."""
    options = run.options
    train, test = run.images("train"), run.images("test")
    labels = run.labels("test")
    model, rows = trained_autoencoder(run, options.latent_size)

    def walk(pairs: numpy.ndarray, shares: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """The images on the way in latent space and in pixel space, (N, S, C, H, W)."""
        start, end = test[pairs[:, 0]], test[pairs[:, 1]]
        z, other = encode(model, end, **run.how), encode(model, start, **run.how)
        latents = interpolate(other, z, shares).reshape(-1, options.latent_size)
        in_pixels = interpolate(start, end, shares)
        return decode(model, latents, **run.how).reshape(in_pixels.shape), in_pixels

    shown = choose_pairs(labels, options.pairs, run.rng("evaluation", 0))
    by_latents, by_pixels = walk(shown, SHARES)
    many = choose_pairs(labels, options.measured_pairs, run.rng("evaluation", 1))
    middle_latents, middle_pixels = (x[:, 0] for x in walk(many, numpy.array([0.5])))
    ends = test[many[:, 0]]
    measured = {
        "latents": middle_latents,
        "pixels": middle_pixels,
        "test_images": ends,
        "reconstructions": reconstruct(model, ends, **run.how),
    }
    numbers = {**options.by_name(*SAID), "test_mse": rows[-1]["test_mse"]}
    for name, images in measured.items():
        _, distances = nearest_neighbours(images, train)
        numbers[f"distance_{name}"] = float(distances.mean())
    return Results({"by_latents": by_latents, "by_pixels": by_pixels}, numbers, rows)


def needs(options: Options, found: Results) -> Needs:
    others = ("test_mse", *(f"distance_{n}" for n in ("pixels", "test_images", "reconstructions")))
    return Needs(
        dict.fromkeys(("by_latents", "by_pixels"), f"{options.pairs} {len(SHARES)} C H W"),
        {**options.by_name(*SAID), "distance_latents": POSITIVE, **dict.fromkeys(others, FINITE)},
    )


def draw(results: Results) -> Figures:
    """Each pair's walk in latent space, beneath it the same in pixel space; the distances."""
    arrays, numbers = results.arrays, results.numbers
    pairs = zip(arrays["by_latents"], arrays["by_pixels"], strict=True)
    rows = [row for pair in pairs for row in pair]
    walks = figures.rows_of_images(
        rows,
        ["latent space", "pixel space"] * (len(rows) // 2),
        column_titles=["a = 0.0", *(f"{share:.1f}" for share in SHARES[1:])],
        title="Above $g(a\\,z + (1-a)\\,z')$, below $a\\,x + (1-a)\\,x'$"
        f"  (d = {numbers['latent_size']})",
        groups=range(2, len(rows), 2),
    )
    half_way = "half-way, in latent space", "half-way, in pixel space"
    distances = figures.bar_chart(
        {
            "reconstructions of test images": numbers["distance_reconstructions"],
            half_way[0]: numbers["distance_latents"],
            "test images": numbers["distance_test_images"],
            half_way[1]: numbers["distance_pixels"],
        },
        f"distance to the nearest of {numbers['train_images']:,} training images\n"
        f"(Euclidean, mean of {numbers['measured_pairs']:,})",
        emphasised=half_way,
    )
    return {"walks": walks, "distances": distances}


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    latents, pixels = numbers["distance_latents"], numbers["distance_pixels"]
    images, decoded = numbers["distance_test_images"], numbers["distance_reconstructions"]
    return {
        "walks": Caption(
            f"Between two test images of different classes (d = {numbers['latent_size']}, "
            f"{spelled_epochs(numbers['epochs'])} on {numbers['train_images']:,} images). In pixel "
            "space one image fades out while the other fades in. In latent space each step is "
            "decoded as an image of its own; the ends of that row are not the digits but their "
            "reconstructions, which can be blurred: the mean squared error of all test images is "
            f"{numbers['test_mse']:.4f} per pixel."
        ),
        "distances": Caption(
            f"How far {numbers['measured_pairs']:,} such images are from the nearest of the "
            "training images. What a decoder gives is smooth, and that alone changes the distance: "
            "so half-way in latent space is compared with reconstructions. In latent space it is "
            f"{latents:.2f}, for reconstructions {decoded:.2f}; in pixel space {pixels:.2f}, for "
            f"test images {images:.2f}.",
            {
                "The walk leads away from the images less in latent space than in pixel "
                "space.": latents - decoded < pixels - images,
            },
        ),
    }


section = Section.of(
    __name__,
    title="Interpolation in latent space",
    equation=r"g(a\,z+(1-a)\,z'),\qquad z=f(x),\ z'=f(x'),\quad 0\leq a\leq 1",
    description="Walks from one digit to another in latent space, and in pixel space beneath.",
    topics=(9,),
    sources=("Fleuret, Deep learning, course of the University of Geneva",),
)
