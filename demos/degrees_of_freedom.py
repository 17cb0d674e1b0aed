"""Degrees of freedom: the error of the deep autoencoder drops at the true number of factors."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from autoencoder import PCA, SmoothAutoEncoder, decode, encode, figures, mse_per_pixel, reconstruct
from autoencoder.data.faces import FACTORS, render_faces, sample_faces
from autoencoder.densities import DiagonalGaussian, GaussianMixture
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import CommonOptions, option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import projected, spelled_epochs
from autoencoder.metrics import nearest_neighbours
from autoencoder.storage.checkpoint import COUNT, FINITE, NUMBER, POSITIVE
from autoencoder.storage.results import Needs, Results
from minigrad import nn


@dataclass
class Options(CommonOptions):
    epochs: int = option(
        "passes through the training samples", smoke=1, default=20, lecture=40, full=60
    )
    batch_size: int = option("samples in a step", default=100)
    train_images: int = option("training faces to draw", smoke=400, default=20_000, full=40_000)
    test_images: int = option("test faces to draw", smoke=200, default=2_000, full=5_000)
    hidden: int = option("units of each of the four hidden layers", smoke=32, default=128, full=256)
    image_size: int = option("height and width of a face in pixels, from 8", default=16)


COUNTS = (3, 6)  # K, how many factors vary
BEYOND = 2  # latents more than factors that are tried
LEARNING_RATE = 2e-3
SHOWN = 8
STEPS = 9  # faces along a latent, or a factor
MOST = max(COUNTS)  # the factors of the faces that are generated, turned and coloured
COMPONENTS = 20  # of the mixture over the latents
GENERATED, COMPARED = 24, 400  # faces of a density: shown, and looked for among the training faces
DENSITIES = {"diagonal": "diagonal Gaussian", "mixture": f"mixture of {COMPONENTS}"}
FACTOR_NAMES = {name: name.replace("_", " ") for name in FACTORS[:MOST]}
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


class Faces(NamedTuple):
    """Training faces and test faces (N, 3, H, W), the factors of the latter, the former's mean."""

    train: numpy.ndarray
    test: numpy.ndarray
    factors: numpy.ndarray
    mean: numpy.ndarray


def draw_faces(run: Run[Options], count: int) -> Faces:
    """Faces of K factors, drawn from the seed."""
    options, size = run.options, run.options.image_size
    train, _ = sample_faces(options.train_images, run.rng("data", count), count, size)
    test, factors = sample_faces(options.test_images, run.rng("evaluation", count), count, size)
    mean = train.mean(axis=0, keepdims=True, dtype="float64").astype("float32")
    return Faces(train, test, factors, mean)


def train_on_faces(run: Run[Options], faces: Faces, latent_size: int) -> SmoothAutoEncoder:
    """The deep autoencoder with d latents, for the faces less their mean."""
    count = faces.factors.shape[1]
    model, rows = run.trained(
        f"faces-{count}-factors-d-{latent_size}",
        lambda: SmoothAutoEncoder(latent_size, faces.train.shape[1:], run.options.hidden),
        faces.train - faces.mean,
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
    run.require("test_images", MOST + 2, f"a linear map of {MOST} latents")
    run.require("image_size", 8, "a face")


def compute(run: Run[Options]) -> Results:
    """For each K, PCA and the deep autoencoder for d from 1 to K + 2."""
    results = Results(numbers=run.options.by_name("train_images", "epochs", "hidden", "image_size"))
    for count in COUNTS:
        faces = draw_faces(run, count)
        _, test, factors, mean = faces
        pca = PCA(count + BEYOND).fit(faces.train)
        for d in range(1, count + BEYOND + 1):
            model = train_on_faces(run, faces, d)
            restored = reconstruct(model, test - mean, **run.how) + mean
            guesses = {"PCA": projected(pca.truncate(d), test), "deep": restored}
            for name, guess in guesses.items():
                error = mse_per_pixel(guess, test)
                results.rows.append({"factors": count, "model": name, "d": d, "test_mse": error})
            if d != count:
                continue
            for name, images in {"original": test, **guesses}.items():
                results.arrays[f"{name}/{count}"] = images[:SHOWN]
            z = encode(model, test - mean, **run.how)
            results.arrays[f"traversal/{count}"] = decode(model, _traversal(z), **run.how) + mean
            results.numbers[f"explained/{count}"] = _explained(z, factors)
            if count == MOST:
                _generate(run, model, faces, results)
                _turn(run, model, faces, results)
                _colour(run, faces, results)
    return results


def _generate(run: Run[Options], model: SmoothAutoEncoder, faces: Faces, results: Results) -> None:
    """Densities over the latents, sampled and decoded; how far each sample is from a real face."""
    train, test, _, mean = faces
    latents = encode(model, train - mean, **run.how).astype("float64")
    rng = run.rng("evaluation", MOST, COMPONENTS)
    densities = DiagonalGaussian().fit(latents), GaussianMixture.fit(latents, COMPONENTS, rng)
    results.arrays["generated/test"] = test[:GENERATED]
    real = reconstruct(model, test[:COMPARED] - mean, **run.how) + mean
    nearest = results.numbers["nearest"] = {"reconstructions": _from_nearest(real, train)}
    for name, density in zip(DENSITIES, densities, strict=True):
        drawn = density.sample(COMPARED, rng).astype("float32")
        generated = decode(model, drawn, **run.how) + mean
        results.arrays[f"generated/{name}"] = generated[:GENERATED]
        nearest[name] = _from_nearest(generated, train)


def _from_nearest(images: numpy.ndarray, train: numpy.ndarray) -> float:
    """The mean squared error a pixel between images and the training image nearest to each."""
    return float((nearest_neighbours(images, train)[1] ** 2).mean() / images[0].size)


def _turn(run: Run[Options], model: SmoothAutoEncoder, faces: Faces, results: Results) -> None:
    """Turn each factor of one face in the latents; the same face drawn with it, to compare."""
    _, test, factors, mean = faces
    z = encode(model, test - mean, **run.how).astype("float64")
    # The face in the middle of all: of others a factor may be at its end already.
    start = int(numpy.abs(factors - 0.5).max(axis=1).argmin())
    values = numpy.linspace(0.05, 0.95, STEPS)
    moves = values - factors[start, :, None].astype("float64")  # (K, STEPS)
    path = z[start] + moves[:, :, None] * factor_directions(z, factors)[:, None]  # (K, STEPS, d)
    flat = path.reshape(-1, z.shape[1]).astype("float32")
    turned = decode(model, flat, **run.how) + mean
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
    return _affine_fit(factors, z)[0]


def _affine_fit(x: numpy.ndarray, y: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The affine map from x (N, j) to y (N, k) by least squares: slopes (j, k), what is left."""
    design = numpy.column_stack([numpy.ones(len(x)), x.astype("float64")])
    solution, *_ = numpy.linalg.lstsq(design, y.astype("float64"), rcond=None)
    return solution[1:], y - design @ solution


def grey(images: numpy.ndarray) -> numpy.ndarray:
    """Colour images (N, 3, H, W) without their colour: (N, 1, H, W)."""
    weights = numpy.array(LUMINANCE, dtype=images.dtype).reshape(1, 3, 1, 1)
    return (images * weights).sum(axis=1, keepdims=True)


def _colour(run: Run[Options], faces: Faces, results: Results) -> None:
    """From image to image: a network that is shown grey faces and asked for colour."""
    train, test, _, mean = faces
    hidden, shape = run.options.hidden, train.shape[1:]
    pixels = math.prod(shape[1:])
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
    coloured = reconstruct(model, grey(test - mean), **run.how) + mean
    shown = numpy.repeat(grey(test), 3, axis=1)
    results.arrays |= {"grey": shown[:SHOWN], "coloured": coloured[:SHOWN]}
    results.numbers["colour_mse"] = mse_per_pixel(coloured, test)
    results.numbers["grey_mse"] = mse_per_pixel(shown, test)


def _traversal(z: numpy.ndarray) -> numpy.ndarray:
    """Latents (d * STEPS, d): each in turn from its 5 % to its 95 % quantile, others in the middle.

    Moved along their principal axes: a latent on its own may leave the data, where latents of
    the data go together.
    """
    d = z.shape[1]
    axes = PCA(d).fit(z)
    low, high = numpy.quantile(axes.transform(z), [0.05, 0.95], axis=0)
    path = numpy.zeros((d, STEPS, d), dtype="float32")
    for i in range(d):
        path[i, :, i] = numpy.linspace(low[i], high[i], STEPS)
    moved = path.reshape(-1, d) @ axes.components_.astype("float32")
    return (moved + z.mean(axis=0)).astype("float32")


def _explained(z: numpy.ndarray, factors: numpy.ndarray) -> dict[str, float]:
    """For each factor, the share of its variance that a linear map of the latents explains."""
    _, rest = _affine_fit(z, factors)
    shares = 1 - (rest**2).mean(axis=0) / factors.var(axis=0)
    return dict(zip(FACTORS, shares.tolist()))


def errors_of(rows: Iterable[dict[str, Any]]) -> dict[tuple[int, str, int], float]:
    """The error by K, model and d."""
    return {(row["factors"], row["model"], row["d"]): row["test_mse"] for row in rows}


def drops(rows: Iterable[dict[str, Any]], count: int, model: str) -> tuple[float, float]:
    """The drop in log error from d = K - 1 to K, and from K to K + 1."""
    errors = errors_of(rows)
    before, at, after = (errors[count, model, d] for d in (count - 1, count, count + 1))
    return math.log(before / at), math.log(at / after)


def needs(options: Options, found: Results) -> Needs:
    arrays = {f"traversal/{count}": f"{count * STEPS} 3 H W" for count in COUNTS}
    arrays |= dict.fromkeys(("turned", "drawn"), f"{MOST * STEPS} 3 H W")
    arrays |= {f"generated/{name}": "G 3 H W" for name in ("test", *DENSITIES)}
    shown = [f"{way}/{count}" for count in COUNTS for way in ("original", "PCA", "deep")]
    return Needs(
        {**arrays, **dict.fromkeys((*shown, "grey", "coloured"), "N 3 H W")},
        {
            "train_images": COUNT,
            **options.by_name("epochs", "hidden", "image_size"),
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


def draw(results: Results) -> Figures:
    """Error against d, and faces: back from d = K, generated, turned, coloured, along axes."""
    arrays, errors = results.arrays, errors_of(results.rows)
    by_size, grid = figures.new_figure(1, len(COUNTS), width=14.0, height=6.2, share_y=True)
    for axes, count in zip(grid[0], COUNTS):
        sizes = range(1, count + BEYOND + 1)
        curves = {"PCA": "PCA", "deep autoencoder": "deep"}
        figures.line_chart(
            {name: (sizes, [errors[count, curves[name], d] for d in sizes]) for name in curves},
            "latent size d",
            "mean squared error per pixel" if count == COUNTS[0] else "",
            title=f"faces of K = {count} factors",
            log_y=True,
            x_ticks=sizes,
            axes=axes,
        )
        axes.get_legend().remove()
        axes.axvline(count, color=figures.COLOURS["grey"], linestyle=":", zorder=1, label="d = K")
    figures.shared_legend(by_size)
    drawn = {"error_by_latent_size": by_size}
    for count in COUNTS:
        drawn[f"faces_{count}_factors"] = figures.rows_of_images(
            [arrays[f"{way}/{count}"] for way in ("original", "PCA", "deep")],
            ["original", f"PCA, d = {count}", f"deep, d = {count}"],
        )
    generated = {"test": "test faces", **DENSITIES}
    drawn["generated"] = figures.image_panels(
        {name: arrays[f"generated/{key}"] for key, name in generated.items()}, columns=4
    )
    drawn["turned"] = figures.rows_of_images(
        numpy.split(arrays["turned"], MOST),
        [FACTOR_NAMES[name] for name in FACTORS[:MOST]],
        title="One face, its factors turned one by one in the latents",
    )
    drawn["coloured"] = figures.rows_of_images(
        [arrays["grey"], arrays["coloured"], arrays[f"original/{MOST}"]],
        ["grey, in", "colour, out", "original"],
        title="From image to image",
    )
    for count in COUNTS:
        drawn[f"traversals_{count}_factors"] = figures.rows_of_images(
            numpy.split(arrays[f"traversal/{count}"], count),
            [f"axis {i}" for i in range(1, count + 1)],
        )
    return drawn


def captions(results: Results) -> dict[str, Caption]:
    numbers, errors = results.numbers, errors_of(results.rows)
    size, epochs = numbers["image_size"], spelled_epochs(numbers["epochs"])
    fall = {(K, model): drops(results.rows, K, model) for K in COUNTS for model in ("deep", "PCA")}
    has_elbow = [
        errors[K, "deep", K] < errors[K, "PCA", K] and fall[K, "deep"][0] >= 3 * fall[K, "deep"][1]
        for K in COUNTS
    ]
    nearest, turned = numbers["nearest"], numbers["turned"]
    diagonal, mixture = (nearest[name] for name in DENSITIES)
    decoded = nearest["reconstructions"]
    coloured, grey_error = numbers["colour_mse"], numbers["grey_mse"]
    return {
        "error_by_latent_size": Caption(
            f"Faces of {size} × {size} pixels in colour, {numbers['train_images']:,} for training "
            f"({epochs}); the deep autoencoder has {numbers['hidden']} tanh units in each of two "
            "hidden layers on either side. Error on new faces.",
            {
                "The deep autoencoder's error has an elbow at d = K: it falls steeply until there "
                "are as many latents as factors, and hardly beyond.": all(has_elbow),
                "There is no clear elbow.": not any(has_elbow),
            },
            {
                "error falls by a factor of": [f"{model}, K = {count}" for count, model in fall],
                "from d = K - 1 to K": [math.exp(before) for before, _ in fall.values()],
                "from K to K + 1": [math.exp(after) for _, after in fall.values()],
            },
        ),
        **{
            f"faces_{K}_factors": Caption(
                f"Faces of K = {K} factors, and what comes back through d = {K} numbers: PCA's "
                f"error is {errors[K, 'PCA', K] / errors[K, 'deep', K]:.1f} times as large."
            )
            for K in COUNTS
        },
        "generated": Caption(
            f"Left: faces that were drawn. Then: a density over the {MOST} latents, sampled and "
            "decoded; none is chosen. Who models the few degrees of freedom can make faces of "
            f"{3 * size * size} numbers.",
            {
                "The samples of the mixture are nearer to real faces than those of the diagonal "
                f"Gaussian: their error is {mixture / decoded:.2f} times that of faces that were "
                f"encoded and decoded, the Gaussian's {diagonal / decoded:.1f} times.": (
                    mixture < 0.95 * diagonal
                ),
            },
            {
                f"{COMPARED} faces": [DENSITIES.get(name, name) for name in nearest],
                "error to the nearest training face": list(nearest.values()),
                "of the first": [f"{error / decoded:.2f}" for error in nearest.values()],
            },
        ),
        "turned": Caption(
            "Each factor has a direction in the latents: the slope of a linear fit from the "
            "factors to the latents of test faces. One face is moved along it, from left to right, "
            "and decoded.",
            {
                "Moved along it, a face turns in this factor and keeps the others: it is close to "
                "the faces drawn so.": all(
                    each["error"] < 0.3 * each["change"] for each in turned.values()
                )
            },
            {
                "turned": [FACTOR_NAMES[name] for name in turned],
                "error to the faces drawn with it": [each["error"] for each in turned.values()],
                "how much those differ": [each["change"] for each in turned.values()],
            },
        ),
        "coloured": Caption(
            "The lecture begins with transformations of images into images: this network takes "
            f"{size * size} numbers of grey and gives {3 * size * size} of colour. Three layers, "
            f"trained by squared error like the others ({epochs}). What grey does not tell, such "
            "as the colour of some eyes, can only come out as a mean.",
            {
                "The network finds most of the colour, which grey does not show, by what faces "
                f"have in common: {1 - coloured / grey_error:.0%} of the error is gone.": (
                    coloured < 0.1 * grey_error
                )
            },
            {
                "mean squared error per pixel": ["grey, as it is", "coloured"],
                "test faces": [grey_error, coloured],
            },
        ),
        **{
            f"traversals_{K}_factors": Caption(
                f"Faces of K = {K} factors along each principal axis of their latents, the others "
                "in the middle. Nothing in the loss asks for one factor a latent.",
                table={
                    "a linear map of the latents explains": [FACTOR_NAMES[name] for name in shares],
                    "of the variance": [f"{100 * share:.0f} %" for share in shares.values()],
                },
            )
            for K, shares in ((K, numbers[f"explained/{K}"]) for K in COUNTS)
        },
    }


section = Section.of(
    __name__,
    title="Degrees of freedom",
    equation=r"\min_{f,g}\ \frac{1}{N}\sum_{n=1}^{N}\left\|x_n-g(f(x_n))\right\|^2,\quad"
    r" f(x)\in\mathbb{R}^d,\qquad x=\mathrm{render}(u_1,\ldots,u_K)",
    description="Faces drawn from K factors have K degrees of freedom, however many pixels: the "
    "deep autoencoder's error shows K, that of PCA does not.",
    topics=(1, 2),
    sources=("Tenenbaum, de Silva and Langford, A global geometric framework, 2000",),
)
