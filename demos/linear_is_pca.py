"""A linear autoencoder's optimum is PCA: the same error, the same subspace, another basis."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass
from typing import Any

import numpy

from autoencoder import PCA, DenseAutoEncoder, figures, mse_per_pixel, principal_angles
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import CommonOptions, option, positive_number
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figure, Figures, Section
from autoencoder.lecture.shared import projected, spelled_epochs
from autoencoder.storage.checkpoint import COUNT, FINITE
from autoencoder.storage.results import Needs, Results
from autoencoder.training.linear_training import reconstruction_loss, second_moments, train_linear
from minigrad import Tensor


@dataclass
class Options(CommonOptions):
    epochs: int = option(
        "passes through the training samples, in steps on minibatches", smoke=2, default=40
    )
    batch_size: int = option("samples in a step", default=100)
    steps: int = option("steps over the whole training set", smoke=50, default=2_000)
    step_size: float = option(
        "Adam's learning rate at the start of these steps", type=positive_number, default=0.005
    )
    train_images: int = option("training images to use", smoke=300, default=60_000)
    test_images: int = option("test images to measure PCA on", smoke=200, default=10_000)


LATENT_SIZES = (2, 8, 32)
PCA_SIZES = (2, 4, 8, 16, 32)
SHOWN_SIZE = 8  # of the figure with the decoder's columns
MINIBATCH_SIZE = 8
MINIBATCH_RUNS = 3
EARLY = 5  # epochs, after which the minibatches' angles are told too
UNCENTRED_SIZE = 2
OBSERVED = 50  # how often the loss and the angle are looked at


def check(run: Run[Options]) -> None:
    """Images enough for an error beside the largest PCA, and a covariance that fits in memory."""
    # One more than the components need: the error they leave is what a training is measured by.
    most = max(LATENT_SIZES)
    run.require_images(train=most + 2, reason=f"an error beside {most} components")
    run.require_small(run.dataset.train_images[0].size, "the covariance")


def compute(run: Run[Options]) -> Results:
    """PCA's table, descent at three latent sizes, minibatches, and a miss; angles on the host."""
    train, test = run.images("train"), run.images("test")
    pca, moments = PCA().fit(train), second_moments(train)
    results = Results(numbers=run.options.by_name("steps", "epochs", "train_images"))
    results.numbers["pca_test_loss"] = {
        str(d): mse_per_pixel(projected(pca.truncate(d), test), test) for d in PCA_SIZES
    }
    for d in LATENT_SIZES:
        components = pca.truncate(d).components_
        decoder = _descend(run, f"d{d}", moments, components, results)
        if d == SHOWN_SIZE:
            basis, _ = numpy.linalg.qr(decoder)
            columns = {
                "columns": decoder.T,
                "components": components,
                "projected": components @ basis @ basis.T,  # onto the span of the columns
            }
            for name, vectors in columns.items():
                results.arrays[name] = vectors.reshape(d, *train.shape[1:])
    moments_about_0 = second_moments(train, centre=False)
    svd = PCA(UNCENTRED_SIZE, centre=False).fit(train)
    decoder = _descend(run, "uncentred", moments_about_0, svd.components_, results)
    angles = principal_angles(decoder, pca.truncate(UNCENTRED_SIZE).components_.T)
    results.arrays["uncentred/angles_to_pca"] = numpy.rad2deg(angles)
    _train_in_minibatches(run, train, moments, pca, results)
    return results


def _descend(
    run: Run[Options],
    name: str,
    moments: numpy.ndarray,
    components: numpy.ndarray,
    results: Results,
) -> numpy.ndarray:
    """Train over the whole set; keep loss and angle to the best subspace. Gives the decoder."""
    options, (latent_size, features) = run.options, components.shape
    floor = _least_loss(components, moments)
    history: list[tuple[float, float, float]] = []  # step, loss, angle

    def observe(step: int, loss: float, decoder: numpy.ndarray) -> None:
        history.append((step, loss / features, _largest_angle(decoder, components.T)))

    # Evenly on a logarithmic axis, and at the end.
    seen = numpy.geomspace(1, options.steps, min(OBSERVED, options.steps // 5 + 1)).round()
    _, decoder = train_linear(
        moments,
        latent_size,
        steps=options.steps,
        learning_rate=options.step_size,
        seed=options.seed,
        device=options.device,
        observe=observe,
        observe_at={*seen.astype(int).tolist(), options.steps},
    )
    angles = numpy.rad2deg(principal_angles(decoder, components.T))
    results.keep(name, history=numpy.array(history), angles=angles)
    _, loss, angle = history[-1]
    results.numbers[name] = {
        "latent_size": latent_size,
        "loss": loss,
        "loss_per_sample": loss * features,
        "floor": floor / features,
        "ratio": loss * features / floor,
        "angle": angle,
    }
    results.rows += [
        {
            "run": name,
            "step": step,
            "train_loss": loss,
            "train_loss_per_sample": loss * features,
            "largest_angle_degrees": angle,
        }
        for step, loss, angle in history
    ]
    return decoder


def _least_loss(components: numpy.ndarray, moments: numpy.ndarray) -> float:
    """The loss a sample of the best subspace."""
    pair = Tensor(components), Tensor(components.T)
    return reconstruction_loss(*pair, Tensor(moments)).item()


def _largest_angle(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """In degrees, between the spans of the columns."""
    return float(numpy.rad2deg(principal_angles(a, b)[0]))


def _train_in_minibatches(
    run: Run[Options], train: numpy.ndarray, moments: numpy.ndarray, pca: PCA, results: Results
) -> None:
    """The same linear pair on the same centred images, by steps over a batch of images each."""
    centred = train - train.mean(axis=0)
    components = pca.truncate(MINIBATCH_SIZE).components_
    floor = _least_loss(components, moments)

    def evaluate(model: DenseAutoEncoder) -> dict[str, float]:
        weights = model.state_dict()
        pair = [weights[f"{part}.weight"].astype("float64") for part in ("encoder", "decoder")]
        loss = reconstruction_loss(*map(Tensor, (*pair, moments)))
        angle = _largest_angle(weights["decoder.weight"], components.T)
        return {"ratio": loss.item() / floor, "largest_angle_degrees": angle}

    results.numbers["minibatch"] = []
    first = run.options.seed
    for seed in range(first, first + MINIBATCH_RUNS):
        _, rows = run.trained(
            "linear-minibatch",
            lambda: DenseAutoEncoder(MINIBATCH_SIZE, train.shape[1:], bias=False),
            centred,
            run.settings(seed=seed),
            evaluate=evaluate,
        )
        early, last = rows[:EARLY][-1], rows[-1]
        results.numbers["minibatch"].append(
            {
                "seed": seed,
                "early_angle": early["largest_angle_degrees"],
                "early_ratio": early["ratio"],
                "angle": last["largest_angle_degrees"],
                "ratio": last["ratio"],
            }
        )
        angles = [(row["epoch"], row["largest_angle_degrees"]) for row in rows]
        results.arrays[f"minibatch/{seed}"] = numpy.array(angles)  # (epochs, 2)
        results.rows += [{"run": f"minibatch, seed {seed}", **row} for row in rows]
    # How much less the next direction is worth than the last one kept.
    kept, following = pca.truncate(MINIBATCH_SIZE + 1).explained_variance_[-2:]
    results.numbers["eigenvalue_gap"] = float(1 - following / kept)


def needs(options: Options, found: Results) -> Needs:
    seeds = range(options.seed, options.seed + MINIBATCH_RUNS)
    measured = ("loss", "loss_per_sample", "floor", "ratio", "angle")
    sizes = {f"d{d}": d for d in LATENT_SIZES} | {"uncentred": UNCENTRED_SIZE}
    return Needs(
        {
            **{f"{name}/history": "L 3" for name in sizes},
            **dict.fromkeys(("components", "columns", "projected"), f"{SHOWN_SIZE} C H W"),
            **{f"minibatch/{seed}": f"{options.epochs} 2" for seed in seeds},
            **{f"uncentred/{name}": f"{UNCENTRED_SIZE}" for name in ("angles", "angles_to_pca")},
        },
        {
            **options.by_name("steps", "epochs"),
            "train_images": COUNT,
            **{
                name: {"latent_size": d, **dict.fromkeys(measured, FINITE)}
                for name, d in sizes.items()
            },
            "pca_test_loss": {str(d): FINITE for d in PCA_SIZES},
            "minibatch": [
                {
                    "seed": seed,
                    **dict.fromkeys(("early_angle", "early_ratio", "angle", "ratio"), FINITE),
                }
                for seed in seeds
            ],
            "eigenvalue_gap": FINITE,
        },
    )


def draw(results: Results) -> Figures:
    """Error and angle against steps; columns beside components; the failures; PCA's table."""
    return {
        "descent": _draw_descent(results),
        "columns": _draw_columns(results),
        "failures": _draw_failures(results),
        "pca_error": _draw_pca_error(results),
    }


def _draw_descent(results: Results) -> Figure:
    figure, ((left, right),) = figures.new_figure(1, 2, width=14.0, height=6.0)
    losses, angles = {}, {}
    for d in LATENT_SIZES:
        step, loss, angle = results.arrays[f"d{d}/history"].T
        losses[f"d = {d}"], angles[f"d = {d}"] = (step, loss), (step, angle)
    logarithmic: dict[str, Any] = {"log_x": True, "log_y": True}
    figures.line_chart(losses, "step", "loss per pixel, training set", axes=left, **logarithmic)
    floors = [results.numbers[f"d{d}"]["floor"] for d in LATENT_SIZES]
    for floor, colour in zip(floors, figures.CYCLE):
        left.axhline(floor, color=colour, linestyle=":", linewidth=2.0)
    left.plot([], [], ":", color=figures.COLOURS["grey"], label="PCA's loss")
    low, high = 0.8 * min(floors), left.get_ylim()[1]
    left.set_yticks([tick for tick in left.get_yticks() if low < tick < high])
    left.set_ylim(bottom=0.4 * min(floors))  # room for the legend
    name, levels = "largest principal angle (degrees)", {"1 degree": 1.0}
    figures.line_chart(angles, "step", name, levels=levels, axes=right, **logarithmic)
    for axes in (left, right):
        axes.legend(loc="lower left")
    return figure


def _draw_columns(results: Results) -> Figure:
    rows = [results.arrays[name] for name in ("components", "columns", "projected")]
    return figures.rows_of_images(
        [images / numpy.abs(images).max(axis=(1, 2, 3), keepdims=True) for images in rows],
        ["PCA's\ncomponents", "decoder's\ncolumns", "components,\nprojected on\nthe columns"],
        value_range=(-1.0, 1.0),
        column_titles=[str(i + 1) for i in range(SHOWN_SIZE)],
    )


def _draw_failures(results: Results) -> Figure:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    arrays, numbers = results.arrays, results.numbers
    figure, ((left, right),) = figures.new_figure(1, 2, width=14.0, height=6.0)
    seeds = [each["seed"] for each in numbers["minibatch"]]
    figures.line_chart(
        {f"seed {seed}": tuple(arrays[f"minibatch/{seed}"].T) for seed in seeds},
        "epoch",
        "largest angle to PCA (degrees)",
        title=f"Steps on minibatches, d = {MINIBATCH_SIZE}",
        levels={"descent on the whole set": numbers[f"d{MINIBATCH_SIZE}"]["angle"]},
        axes=left,
    )
    left.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    left.set(ylim=(-4, 135), yticks=[0, 30, 60, 90])
    pairs = [
        ("to PCA", arrays["uncentred/angles_to_pca"], "vermilion"),
        ("to the uncentred SVD", arrays["uncentred/angles"], "blue"),
    ]
    places, width = numpy.arange(UNCENTRED_SIZE), 0.38
    for beside, (label, angles, colour) in zip((-0.5, 0.5), pairs):
        where = places + beside * width
        bars = right.bar(where, angles, width, color=figures.COLOURS[colour], label=label)
        right.bar_label(bars, [f"{angle:.2g}\N{DEGREE SIGN}" for angle in angles], fontsize=16)
    right.set_xticks(places, [f"angle {i + 1}" for i in places])
    lowest = max(min(angles.min() for _, angles, _ in pairs), 1e-6)
    right.set(ylabel="degrees", yscale="log", ylim=(lowest / 4, 20_000))  # room for the legend
    right.set_yticks([tick for tick in 10.0 ** numpy.arange(-6, 3) if tick > lowest / 4])
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.yaxis.set_minor_locator(NullLocator())
    right.set_title(f"Without centring, d = {UNCENTRED_SIZE}")
    right.grid(False, axis="x")
    for axes in (left, right):
        axes.legend(loc="upper right")
    return figure


def _draw_pca_error(results: Results) -> Figure:
    losses = {int(d): loss for d, loss in results.numbers["pca_test_loss"].items()}
    figure = figures.line_chart(
        {"PCA": (list(losses), list(losses.values()))},
        "number of components d",
        "mean squared error per pixel, test images",
        log_x=True,
        log_y=True,
        x_ticks=list(losses),
    )
    axes = figure.axes[0]
    for d, loss in losses.items():
        above = {"xytext": (6, 10), "textcoords": "offset points"}
        axes.annotate(f"{loss:.5f}", (d, loss), fontsize=16, **above)
    axes.set_xlim(min(losses) / 1.15, max(losses) * 1.4)
    axes.set_ylim(top=1.15 * max(losses.values()))
    return figure


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    sizes = [numbers[f"d{d}"] for d in LATENT_SIZES]
    shown, minibatches = numbers[f"d{SHOWN_SIZE}"], numbers["minibatch"]
    epochs, to_svd = numbers["epochs"], numbers["uncentred"]["angle"]
    ends, full = [n["angle"] for n in minibatches], numbers[f"d{MINIBATCH_SIZE}"]
    rising = [
        f"seed {n['seed']} (from {n['early_ratio']:.4f} to {n['ratio']:.4f} of PCA's)"
        for n in minibatches
        if n["ratio"] > n["early_ratio"]
    ]
    early, late = spelled_epochs(min(EARLY, epochs)), spelled_epochs(epochs)
    is_slow = epochs > EARLY and any(n["early_angle"] > 5 for n in minibatches)
    to_pca = float(results.arrays["uncentred/angles_to_pca"][0])
    return {
        "descent": Caption(
            f"{numbers['steps']:,} steps on the exact gradient of {numbers['train_images']:,} "
            "centred images.",
            {
                "The loss comes down to PCA's, and the decoder's columns span PCA's subspace.": all(
                    size["ratio"] < 1.001 and size["angle"] < 1 for size in sizes
                )
            },
            {
                "d": LATENT_SIZES,
                "loss per pixel": [size["loss"] for size in sizes],
                "loss per sample": [size["loss_per_sample"] for size in sizes],
                "above PCA's by": [f"{size['ratio'] - 1:.1e}" for size in sizes],
                "largest angle": [f"{size['angle']:.3f}°" for size in sizes],
            },
        ),
        "columns": Caption(
            "The decoder's columns are another basis than the principal components. Projecting the "
            "components onto the span of the columns turns each by no more than the largest angle, "
            f"{shown['angle']:.3f}°.",
            {"It is the same subspace.": shown["angle"] < 1},
        ),
        "failures": Caption(
            f"Left: steps on minibatches at a constant learning rate, {late}. "
            "Right: inputs that are not centred, no biases.",
            {
                "Minibatches are slow: they have PCA's loss long before its subspace. The next "
                f"eigenvalue is only {numbers['eigenvalue_gap']:.1%} below the last one kept, so "
                "exchanging their directions costs next to nothing.": is_slow
                and all(n["early_ratio"] < 1.01 for n in minibatches),
                f"Trained on, they end at {min(ends):.1f}° to {max(ends):.1f}°, the noise of steps "
                f"that stay as large; the full gradient's angle is {full['angle']:.3f}°.": (
                    is_slow and max(ends) < 5
                ),
                f"Meanwhile the loss rises with {' and '.join(rising)}.": (
                    epochs > EARLY and bool(rising)
                ),
                "Without centring the descent finds another subspace, that of the uncentred "
                "singular value decomposition.": to_svd < 1 < to_pca,
            },
            {
                "minibatches": [f"seed {n['seed']}" for n in minibatches],
                f"loss / PCA's, {early}": [f"{n['early_ratio']:.4f}" for n in minibatches],
                f"angle in degrees, {early}": [f"{n['early_angle']:.1f}" for n in minibatches],
                f"loss / PCA's, {late}": [f"{n['ratio']:.4f}" for n in minibatches],
                f"angle in degrees, {late}": [f"{n['angle']:.1f}" for n in minibatches],
            },
        ),
        "pca_error": Caption("What PCA leaves of test images: the error that others have to beat."),
    }


section = Section.of(
    __name__,
    title="Linear encoder and decoder: the optimum is PCA",
    equation=r"\frac{1}{N}\sum_{n=1}^{N}\left\|x_n-DEx_n\right\|^2"
    r"=\mathrm{tr}\left((I-DE)\,C\,(I-DE)^{\top}\right)",
    description="Trains a linear autoencoder by gradient descent and compares it with PCA.",
    topics=(6,),
    sources=(
        "Bourlard and Kamp, Auto-association by multilayer perceptrons, 1988",
        "Baldi and Hornik, Neural networks and principal component analysis, 1989",
    ),
)
