"""Degrees of freedom: the error of the deep autoencoder drops at the true number of factors."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy

from autoencoder import (
    PCA,
    DiagonalGaussian,
    GaussianMixture,
    SmoothAutoEncoder,
    decode,
    encode,
    mse_per_pixel,
    reconstruct,
)
from autoencoder.data.faces import FACTORS, render_faces, sample_faces
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import CommonOptions, option, positive
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Section
from autoencoder.lecture.shared import spelled_epochs
from autoencoder.metrics import nearest_neighbours
from autoencoder.storage.checkpoint import COUNT, FINITE, NUMBER, POSITIVE
from autoencoder.storage.results import Needs, Results
from autoencoder.training import random_generator
from minigrad import nn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["drops", "faces", "section", "train_on_faces"]


@dataclass
class Options(CommonOptions):
    """What this demo can be told, and what the presets say of it."""

    epochs: int = option(
        positive, "passes through the training samples", smoke=1, default=20, lecture=40, full=60
    )
    batch_size: int = option(positive, "samples in a step", default=100)
    train_images: int = option(
        positive, "training faces to draw", smoke=400, default=20_000, full=40_000
    )
    test_images: int = option(positive, "test faces to draw", smoke=200, default=2_000, full=5_000)
    hidden: int = option(
        positive, "units of each of the four hidden layers", smoke=32, default=128, full=256
    )
    image_size: int = option(positive, "height and width of a face in pixels, from 8", default=16)


COUNTS = (3, 6)  # K, how many factors vary
BEYOND = 2  # latents more than factors that are tried
LEARNING_RATE = 2e-3
SHOWN = 8
STEPS = 9  # faces along a latent, or a factor
MOST = max(COUNTS)  # the factors of the faces that are generated, turned and coloured
COMPONENTS = 20  # of the mixture over the latents
GENERATED, COMPARED = 24, 400  # faces of a density: shown, and looked for among the training faces
DENSITIES = {"diagonal": "diagonal Gaussian", "mixture": f"mixture of {COMPONENTS}"}
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


def faces(run: Run[Options], count: int) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Training faces and test faces of K factors, and the factors of the test faces."""
    options = run.options
    size = options.image_size
    train, _ = sample_faces(
        options.train_images, random_generator(options.seed, "data", count), count, size
    )
    rng = random_generator(options.seed, "evaluation", count)
    test, factors = sample_faces(options.test_images, rng, count, size)
    return train, test, factors


def train_on_faces(
    run: Run[Options], count: int, latent_size: int, centred: numpy.ndarray
) -> SmoothAutoEncoder:
    """The deep autoencoder with d latents for faces of K factors, less their mean."""
    model, rows = run.trained(
        f"faces-{count}-factors-d-{latent_size}",
        lambda: SmoothAutoEncoder(latent_size, centred.shape[1:], run.options.hidden),
        centred,
        run.settings(learning_rate=LEARNING_RATE, schedule="cosine"),
        quiet=True,
    )
    if not run.quiet:
        loss, seconds = rows[-1]["train_loss"], sum(row["seconds"] for row in rows)
        print(
            f"faces of {count} factors, d = {latent_size}: train_loss {loss:.3g}, {seconds:.0f} s"
        )
    return model


def check(run: Run[Options]) -> None:
    """Faces enough for the components of the mixture, and for the map from latents to factors."""
    run.require("train_images", COMPONENTS, f"a mixture of {COMPONENTS} components")
    run.require("test_images", max(COUNTS) + 2, f"a linear map of {max(COUNTS)} latents")
    run.require("image_size", 8, "a face")


def compute(run: Run[Options]) -> Results:
    """For each K, PCA and the deep autoencoder for d from 1 to K + 2."""
    options = run.options
    how = {name: vars(options)[name] for name in ("train_images", "epochs", "hidden", "image_size")}
    results = Results(numbers=how)
    arrays, numbers, rows = results.arrays, results.numbers, results.rows
    workers = options.workers
    for count in COUNTS:
        train, test, factors = faces(run, count)
        mean = train.mean(axis=0, keepdims=True, dtype="float64").astype("float32")
        pca = PCA(count + BEYOND).fit(train)
        for latent_size in range(1, count + BEYOND + 1):
            linear = pca.truncate(latent_size)
            projected = linear.inverse_transform(linear.transform(test))
            model = train_on_faces(run, count, latent_size, train - mean)
            restored = reconstruct(model, test - mean, workers, run.ranks) + mean
            for name, guess in (("PCA", projected), ("deep", restored)):
                error = mse_per_pixel(guess, test)
                rows.append({"factors": count, "model": name, "d": latent_size, "test_mse": error})
            if latent_size == count == MOST:
                _generate(run, model, mean, train, test, results)
                _turn(run, model, mean, test, factors, results)
                _colour(run, mean, train, test, results)
            if latent_size == count:
                arrays[f"original/{count}"] = test[:SHOWN]
                arrays[f"PCA/{count}"] = projected[:SHOWN]
                arrays[f"deep/{count}"] = restored[:SHOWN]
                z = encode(model, test - mean, workers, run.ranks)
                arrays[f"traversal/{count}"] = (
                    decode(model, _traversal(z), workers, run.ranks) + mean
                )
                numbers[f"explained/{count}"] = _explained(z, factors)
    return results


def _generate(
    run: Run[Options],
    model: SmoothAutoEncoder,
    mean: numpy.ndarray,
    train: numpy.ndarray,
    test: numpy.ndarray,
    results: Results,
) -> None:
    """Densities over the latents, sampled and decoded; how far each sample is from a real face."""
    workers = run.options.workers
    latents = encode(model, train - mean, workers, run.ranks).astype("float64")
    rng = random_generator(run.options.seed, "evaluation", MOST, COMPONENTS)
    densities = DiagonalGaussian().fit(latents), GaussianMixture.fit(latents, COMPONENTS, rng)
    results.arrays["generated/test"] = test[:GENERATED]
    real = reconstruct(model, test[:COMPARED] - mean, workers, run.ranks) + mean
    nearest = results.numbers["nearest"] = {"reconstructions": _from_nearest(real, train)}
    for name, density in zip(DENSITIES, densities, strict=True):
        drawn = density.sample(COMPARED, rng).astype("float32")
        faces = decode(model, drawn, workers, run.ranks) + mean
        results.arrays[f"generated/{name}"] = faces[:GENERATED]
        nearest[name] = _from_nearest(faces, train)


def _from_nearest(images: numpy.ndarray, train: numpy.ndarray) -> float:
    """The mean squared error a pixel between images and the training image nearest to each."""
    return float((nearest_neighbours(images, train)[1] ** 2).mean() / images[0].size)


def _turn(
    run: Run[Options],
    model: SmoothAutoEncoder,
    mean: numpy.ndarray,
    test: numpy.ndarray,
    factors: numpy.ndarray,
    results: Results,
) -> None:
    """Turn each factor of one face in the latents; the same face drawn with it, to compare."""
    workers = run.options.workers
    z = encode(model, test - mean, workers, run.ranks).astype("float64")
    directions = factor_directions(z, factors)
    # The face in the middle of all: of others a factor may be at its end already.
    start = int(numpy.abs(factors - 0.5).max(axis=1).argmin())
    values = numpy.linspace(0.05, 0.95, STEPS)
    moves = values - factors[start, :, None].astype("float64")  # (K, STEPS)
    path = z[start] + moves[:, :, None] * directions[:, None]  # (K, STEPS, d)
    flat = path.reshape(-1, z.shape[1]).astype("float32")
    turned = decode(model, flat, workers, run.ranks) + mean
    wanted = numpy.tile(factors[start], (MOST, STEPS, 1))
    for k in range(MOST):
        wanted[k, :, k] = values
    drawn = render_faces(wanted.reshape(-1, MOST), MOST, run.options.image_size)
    results.arrays |= {"turned": turned, "drawn": drawn}
    shape = (MOST, STEPS, -1)
    rest = ((turned - drawn).reshape(shape) ** 2).mean(axis=(1, 2))
    change = drawn.reshape(shape).var(axis=1).mean(axis=1)
    results.numbers["turned"] = {
        name: {"error": float(rest[k]), "change": float(change[k])}
        for k, name in enumerate(FACTORS[:MOST])
    }


def factor_directions(z: numpy.ndarray, factors: numpy.ndarray) -> numpy.ndarray:
    """How the latents (N, d) move with each of the factors (N, K): directions (K, d).

    The slopes of the affine map from factors to latents with the least squared error.
    """
    design = numpy.column_stack([numpy.ones(len(z)), factors.astype("float64")])
    solution, *_ = numpy.linalg.lstsq(design, z, rcond=None)
    return solution[1:]


def grey(images: numpy.ndarray) -> numpy.ndarray:
    """Colour images (N, 3, H, W) without their colour: (N, 1, H, W)."""
    weights = numpy.array(LUMINANCE, dtype=images.dtype).reshape(1, 3, 1, 1)
    return (images * weights).sum(axis=1, keepdims=True)


def _colour(
    run: Run[Options],
    mean: numpy.ndarray,
    train: numpy.ndarray,
    test: numpy.ndarray,
    results: Results,
) -> None:
    """From image to image: a network that is shown grey faces and asked for colour."""
    options, shape = run.options, train.shape[1:]
    hidden, pixels = options.hidden, math.prod(shape[1:])
    model, _ = run.trained(
        "faces-grey-to-colour",
        lambda: nn.Sequential(
            *(nn.Flatten(), nn.Linear(pixels, hidden), nn.Tanh()),
            *(nn.Linear(hidden, hidden), nn.Tanh()),
            *(nn.Linear(hidden, 3 * pixels), nn.Unflatten(1, shape)),
        ),
        grey(train - mean),
        run.settings(learning_rate=LEARNING_RATE, schedule="cosine"),
        targets=train - mean,
        quiet=True,
    )
    coloured = reconstruct(model, grey(test - mean), options.workers, run.ranks) + mean
    shown = numpy.repeat(grey(test), 3, axis=1)
    results.arrays |= {"grey": shown[:SHOWN], "coloured": coloured[:SHOWN]}
    results.numbers["colour_mse"] = mse_per_pixel(coloured, test)
    results.numbers["grey_mse"] = mse_per_pixel(shown, test)


def _traversal(z: numpy.ndarray) -> numpy.ndarray:
    """Latents (d * STEPS, d): each in turn from its 5 % to its 95 % quantile, others in the middle.

    Moved along their principal axes: a latent on its own may leave the data, where latents of
    the data go together.
    """
    centre = z.mean(axis=0)
    axes = PCA(z.shape[1]).fit(z)
    along = axes.transform(z)
    path = numpy.zeros((z.shape[1], STEPS, z.shape[1]), dtype="float32")
    for i in range(z.shape[1]):
        low, high = numpy.quantile(along[:, i], [0.05, 0.95])
        path[i, :, i] = numpy.linspace(low, high, STEPS)
    moved = path.reshape(-1, z.shape[1]) @ axes.components_.astype("float32")
    return (moved + centre).astype("float32")


def _explained(z: numpy.ndarray, factors: numpy.ndarray) -> dict[str, float]:
    """For each factor, the share of its variance that a linear map of the latents explains."""
    design = numpy.column_stack([numpy.ones(len(z)), z.astype("float64")])
    solution, *_ = numpy.linalg.lstsq(design, factors.astype("float64"), rcond=None)
    rest = ((factors - design @ solution) ** 2).mean(axis=0) / factors.var(axis=0)
    return {name: float(1 - r) for name, r in zip(FACTORS, rest)}


def drops(rows: Iterable[dict[str, Any]], count: int, model: str) -> tuple[float, float]:
    """The drop in log error from d = K - 1 to K, and from K to K + 1."""
    error = {
        row["d"]: row["test_mse"]
        for row in rows
        if row["factors"] == count and row["model"] == model
    }
    return (
        math.log(error[count - 1] / error[count]),
        math.log(error[count] / error[count + 1]),
    )


def needs(options: Options, found: Results) -> Needs:
    """What figures and captions take out of a file of results."""
    arrays = {f"traversal/{count}": f"{count * STEPS} 3 H W" for count in COUNTS}
    arrays |= dict.fromkeys(("turned", "drawn"), f"{MOST * STEPS} 3 H W")
    arrays |= {f"generated/{name}": "G 3 H W" for name in ("test", *DENSITIES)}
    shown = [f"{way}/{count}" for count in COUNTS for way in ("original", "PCA", "deep")]
    return Needs(
        {**arrays, **dict.fromkeys((*shown, "grey", "coloured"), "N 3 H W")},
        {
            "train_images": COUNT,
            **{name: vars(options)[name] for name in ("epochs", "hidden", "image_size")},
            "nearest": dict.fromkeys(("reconstructions", *DENSITIES), POSITIVE),
            "turned": {name: {"error": FINITE, "change": POSITIVE} for name in FACTORS[:MOST]},
            **dict.fromkeys(("colour_mse", "grey_mse"), POSITIVE),
            **{f"explained/{count}": dict.fromkeys(FACTORS[:count], NUMBER) for count in COUNTS},
        },
        [
            {"factors": count, "model": model, "d": d, "test_mse": POSITIVE}
            for count in COUNTS
            for d in range(1, count + BEYOND + 1)
            for model in ("PCA", "deep")
        ],
    )


def draw(results: Results) -> dict[str, Figure]:
    """Error against d, and faces: back from d = K, generated, turned, coloured, along axes."""
    from autoencoder.figures import (
        COLOURS,
        image_panels,
        line_chart,
        new_figure,
        rows_of_images,
        shared_legend,
    )

    arrays = results.arrays
    figure, grid = new_figure(1, len(COUNTS), width=14.0, height=6.2, share_y=True)
    for axes, count in zip(grid[0], COUNTS):
        curves = {}
        for model, name in (("PCA", "PCA"), ("deep", "deep autoencoder")):
            chosen = [r for r in results.rows if r["factors"] == count and r["model"] == model]
            curves[name] = ([r["d"] for r in chosen], [r["test_mse"] for r in chosen])
        line_chart(
            curves,
            "latent size d",
            "mean squared error per pixel" if count == COUNTS[0] else "",
            title=f"faces of K = {count} factors",
            log_y=True,
            x_ticks=range(1, count + BEYOND + 1),
            axes=axes,
        )
        axes.get_legend().remove()
        axes.axvline(count, color=COLOURS["grey"], linestyle=":", zorder=1, label="d = K")
    shared_legend(figure)
    figures = {"error_by_latent_size": figure}
    for count in COUNTS:
        figures[f"faces_{count}_factors"] = rows_of_images(
            [arrays[f"{way}/{count}"] for way in ("original", "PCA", "deep")],
            ["original", f"PCA, d = {count}", f"deep, d = {count}"],
        )
    figures["generated"] = image_panels(
        {
            "test faces": arrays["generated/test"],
            **{name: arrays[f"generated/{key}"] for key, name in DENSITIES.items()},
        },
        columns=4,
    )
    turned = arrays["turned"]
    figures["turned"] = rows_of_images(
        list(turned.reshape(MOST, STEPS, *turned.shape[1:])),
        [name.replace("_", " ") for name in FACTORS[:MOST]],
        title="One face, its factors turned one by one in the latents",
    )
    figures["coloured"] = rows_of_images(
        [arrays["grey"], arrays["coloured"], arrays[f"original/{MOST}"]],
        ["grey, in", "colour, out", "original"],
        title="From image to image",
    )
    for count in COUNTS:
        path = arrays[f"traversal/{count}"]
        figures[f"traversals_{count}_factors"] = rows_of_images(
            list(path.reshape(count, STEPS, *path.shape[1:])),
            [f"axis {i}" for i in range(1, count + 1)],
        )
    return figures


def captions(results: Results) -> dict[str, Caption]:
    """What is said below each figure."""
    numbers, size = results.numbers, results.numbers["image_size"]
    error = {(row["factors"], row["model"], row["d"]): row["test_mse"] for row in results.rows}
    fall = {
        (count, model): drops(results.rows, count, model)
        for count in COUNTS
        for model in ("deep", "PCA")
    }

    def has_elbow(count: int) -> bool:
        before, after = fall[count, "deep"]
        is_better = error[count, "deep", count] < error[count, "PCA", count]
        return is_better and before >= 3 * after

    said = {
        "error_by_latent_size": Caption(
            f"Faces of {size} × {size} pixels in colour, {numbers['train_images']:,} for training "
            f"({spelled_epochs(numbers['epochs'])}); the deep autoencoder has "
            f"{numbers['hidden']} tanh units in each of two hidden layers on either side. Error on "
            "new faces.",
            {
                "The deep autoencoder's error has an elbow at d = K: it falls steeply until there "
                "are as many latents as factors, and hardly beyond.": all(map(has_elbow, COUNTS)),
                "There is no clear elbow.": not any(map(has_elbow, COUNTS)),
            },
            {
                "error falls by a factor of": [f"{model}, K = {count}" for count, model in fall],
                "from d = K - 1 to K": [math.exp(before) for before, _ in fall.values()],
                "from K to K + 1": [math.exp(after) for _, after in fall.values()],
            },
        )
    }
    for count in COUNTS:
        said[f"faces_{count}_factors"] = Caption(
            f"Faces of K = {count} factors, and what comes back through d = {count} numbers: "
            f"PCA's error is {error[count, 'PCA', count] / error[count, 'deep', count]:.1f} times "
            "as large."
        )
    nearest, turned = numbers["nearest"], numbers["turned"]
    diagonal, mixture = (nearest[name] for name in DENSITIES)
    decoded = nearest["reconstructions"]
    said["generated"] = Caption(
        f"Left: faces that were drawn. Then: a density over the {MOST} latents, sampled and "
        "decoded; none is chosen. Who models the few degrees of freedom can make faces of "
        f"{3 * size * size} numbers.",
        {
            "The samples of the mixture are nearer to real faces than those of the diagonal "
            f"Gaussian: their error is {mixture / decoded:.2f} times that of faces that were "
            f"encoded and decoded, the Gaussian's {diagonal / decoded:.1f} times.": mixture
            < 0.95 * diagonal,
        },
        {
            f"{COMPARED} faces": [DENSITIES.get(name, name) for name in nearest],
            "error to the nearest training face": list(nearest.values()),
            "of the first": [f"{error / decoded:.2f}" for error in nearest.values()],
        },
    )
    said["turned"] = Caption(
        "Each factor has a direction in the latents: the slope of a linear fit from the factors to "
        "the latents of test faces. One face is moved along it, from left to right, and decoded.",
        {
            "Moved along it, a face turns in this factor and keeps the others: it is close to the "
            "faces drawn so.": all(each["error"] < 0.3 * each["change"] for each in turned.values())
        },
        {
            "turned": [name.replace("_", " ") for name in turned],
            "error to the faces drawn with it": [each["error"] for each in turned.values()],
            "how much those differ": [each["change"] for each in turned.values()],
        },
    )
    coloured, grey_error = numbers["colour_mse"], numbers["grey_mse"]
    said["coloured"] = Caption(
        "The lecture begins with transformations of images into images: this network takes "
        f"{size * size} numbers of grey and gives {3 * size * size} of colour. Three layers, "
        f"trained by squared error like the others ({spelled_epochs(numbers['epochs'])}). What "
        "grey does not tell, such as the colour of some eyes, can only come out as a mean.",
        {
            "The network finds most of the colour, which grey does not show, by what faces have in "
            f"common: {1 - coloured / grey_error:.0%} of the error is gone.": (
                coloured < 0.1 * grey_error
            )
        },
        {
            "mean squared error per pixel": ["grey, as it is", "coloured"],
            "test faces": [grey_error, coloured],
        },
    )
    for count in COUNTS:
        explained = numbers[f"explained/{count}"]
        said[f"traversals_{count}_factors"] = Caption(
            f"Faces of K = {count} factors along each principal axis of their latents, the others "
            "in the middle. Nothing in the loss asks for one factor a latent.",
            table={
                "a linear map of the latents explains": [
                    name.replace("_", " ") for name in explained
                ],
                "of the variance": [f"{100 * share:.0f} %" for share in explained.values()],
            },
        )
    return said


section = Section(
    name="degrees_of_freedom",
    title="Degrees of freedom",
    equation=r"\min_{f,g}\ \frac{1}{N}\sum_{n=1}^{N}\left\|x_n-g(f(x_n))\right\|^2,\quad"
    r" f(x)\in\mathbb{R}^d,\qquad x=\mathrm{render}(u_1,\ldots,u_K)",
    description="Faces drawn from K factors have K degrees of freedom, however many pixels: the "
    "deep autoencoder's error shows K, that of PCA does not.",
    compute=compute,
    draw=draw,
    captions=captions,
    topics=(1, 2),
    sources=("Tenenbaum, de Silva and Langford, A global geometric framework, 2000",),
    needs=needs,
    options=Options,
    check=check,
)
