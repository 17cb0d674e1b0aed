"""What an autoencoder learns: points that lie near a curve need one number each."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass
from typing import Any

import numpy

from autoencoder import PCA, MLPAutoEncoder, decode, encode, figures, mse_per_pixel, reconstruct
from autoencoder.data.curves import Curve, circle, s_curve
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import CommonOptions, option, positive_number
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figure, Figures, Section
from autoencoder.lecture.shared import layer_table, measure_error, projected, spelled_epochs
from autoencoder.metrics import nearest_neighbours
from autoencoder.storage.checkpoint import FINITE, NOT_NEGATIVE, NUMBER, POSITIVE
from autoencoder.storage.results import Needs, Results, epoch_rows
from autoencoder.training import Row


@dataclass
class Options(CommonOptions):
    epochs: int = option("passes through the training samples", smoke=2, default=30, full=120)
    batch_size: int = option("samples in a step", default=200)
    train_points: int = option("training points to draw", smoke=2_000, default=20_000)
    test_points: int = option("test points to measure on", smoke=500, default=5_000)
    noise_std: float = option(
        "standard deviation of the noise around the curve", type=positive_number, default=0.08
    )


CURVES = (s_curve, circle)  # the first is also drawn with few points, and with two latents
SHOWN, PROJECTED = 1_500, 150  # points that are drawn, and those with a line to g(f(x))
NAMES = ("test_loss", "test_loss_per_sample")
FEW = (30, 100, 300, 1_000)  # training points, to see how far the loss on them can be trusted
LATENT_SIZES = (1, 2)  # the second is the trap: as many latents as coordinates
ANYWHERE = 250  # points that have nothing to do with the curve


def network(latent_size: int = 1) -> MLPAutoEncoder:
    """The autoencoder of this section."""
    return MLPAutoEncoder(2, 128, 128, latent_size)


def check(run: Run[Options]) -> None:
    """A line needs two points, and so does a correlation."""
    run.require("train_points", 2, "PCA")
    run.require("test_points", 2, "a correlation")


def compute(run: Run[Options]) -> Results:
    """Train with d = 1 on each curve; on the first also with fewer points, and with d = 2."""
    results = Results(numbers=run.options.by_name("noise_std", "epochs"))
    results.numbers["layers"] = layer_table(network())
    drawn = [_compute_curve(run, curve, number, results) for number, curve in enumerate(CURVES)]
    train, test = drawn[0]
    _compute_gap(run, train, test, results)
    _compute_trap(run, train, test, results)
    return results


def _trained(
    run: Run[Options],
    name: str,
    train: numpy.ndarray,
    test: numpy.ndarray,
    latent_size: int = 1,
    quiet: bool = True,
) -> tuple[MLPAutoEncoder, list[Row]]:
    return run.trained(
        f"manifold-{name}",
        lambda: network(latent_size),
        train,
        run.settings(schedule="cosine"),
        evaluate=measure_error(test, test, names=NAMES, **run.how),
        tested_on=test,
        quiet=quiet,
    )


def _compute_curve(
    run: Run[Options], curve: Curve, number: int, results: Results
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Train on points of one curve, and measure on others; gives both. Ranks are the host's."""
    from scipy.stats import spearmanr  # a second to import

    options, name = run.options, curve.name
    train = curve(options.train_points, run.rng("data", number), options.noise_std)
    rng = run.rng("evaluation", number)
    test, positions = curve.sample_with_positions(options.test_points, rng, options.noise_std)
    model, rows = _trained(run, name, train, test, quiet=False)
    latents = encode(model, test, **run.how)[:, 0]
    # 1 or -1 if and only if one is a monotone function of the other.
    correlation: Any = spearmanr(latents, positions)[0]
    # The decoded curve is drawn over the latents of the data, not beyond them.
    line = numpy.linspace(latents.min(), latents.max(), 1_000)[:, None]
    results.keep(name, points=test, positions=positions, latents=latents)
    results.keep(name, reconstructions=reconstruct(model, test, **run.how))
    results.keep(name, decoded_line=decode(model, line, **run.how))
    results.numbers[name] = {
        "loss": rows[-1]["test_loss"],
        "loss_per_sample": rows[-1]["test_loss_per_sample"],
        "pca_loss": mse_per_pixel(projected(PCA(1).fit(train), test), test),
        "rank_correlation": abs(float(correlation)),
    }
    results.rows += [{"curve": name, **row} for row in rows]
    return train, test


def training_counts(most: int) -> list[int]:
    """How many training points are tried: a few, and all there are.

    >>> training_counts(2_000), training_counts(100)
    ([30, 100, 300, 1000, 2000], [30, 100])
    """
    return [*(count for count in FEW if count < most), most]


def _compute_gap(
    run: Run[Options], train: numpy.ndarray, test: numpy.ndarray, results: Results
) -> None:
    """The loss on N training points beside that on test points, for several N.

    Fewer points are repeated until they are as many: so each network takes the same steps.
    """
    results.numbers["gap"] = []
    for count in training_counts(len(train)):
        few = train[:count]
        name = "s_curve" if count == len(train) else f"s_curve-{count}-points"
        model, _ = _trained(run, name, numpy.resize(few, train.shape), test)
        losses = {
            split: mse_per_pixel(reconstruct(model, points, **run.how), points)
            for split, points in (("train", few), ("test", test))
        }
        results.numbers["gap"].append({"points": count, **losses})


def _compute_trap(
    run: Run[Options], train: numpy.ndarray, test: numpy.ndarray, results: Results
) -> None:
    """With as many latents as coordinates: the loss, and what becomes of points from anywhere."""
    limit = float(numpy.abs(test).max())
    rng = run.rng("evaluation", len(CURVES))
    anywhere = rng.uniform(-limit, limit, (ANYWHERE, 2)).astype("float32")
    results.arrays["anywhere"] = anywhere
    line = numpy.concatenate(s_curve.lines()).astype("float32")
    results.numbers["trap"] = []
    for size in LATENT_SIZES:
        name = "s_curve" if size == 1 else f"s_curve-d{size}"
        model, rows = _trained(run, name, train, test, size)
        taken = reconstruct(model, anywhere, **run.how)
        results.arrays[f"anywhere/{size}"] = taken
        results.numbers["trap"].append(
            {
                "latent_size": size,
                "loss": rows[-1]["test_loss"],
                "anywhere": mse_per_pixel(taken, anywhere),
                "from_curve": float((nearest_neighbours(taken, line)[1] ** 2).mean()) / 2,
                "pca_loss": mse_per_pixel(projected(PCA(size).fit(train), test), test),
            }
        )


def _shown_latents(results: Results, curve: Curve) -> tuple[numpy.ndarray, str]:
    """The coordinate to draw, on the host, and its name.

    On the closed curve z makes a leap at the cut, beside which nothing else could be seen: there
    its rank is drawn.
    """
    from scipy.stats import rankdata

    latents = results.arrays[f"{curve.name}/latents"]
    if curve.closed:
        below = (rankdata(latents, "ordinal") - 1) / len(latents)
        return below[:SHOWN], "rank of $z$ (share of points below)"
    return latents[:SHOWN], "latent $z$"


def needs(options: Options, found: Results) -> Needs:
    curves = [curve.name for curve in CURVES]
    shapes = dict(
        points="N 2", positions="N", latents="N", reconstructions="N 2", decoded_line="L 2"
    )
    losses = dict.fromkeys(("loss", "loss_per_sample", "pca_loss"), FINITE)
    return Needs(
        {
            **{f"{name}/{what}": shape for name in curves for what, shape in shapes.items()},
            "anywhere": f"{ANYWHERE} 2",
            **{f"anywhere/{size}": f"{ANYWHERE} 2" for size in LATENT_SIZES},
        },
        {
            **options.by_name("noise_std", "epochs"),
            "layers": layer_table(network()),
            "gap": [
                {"points": count, "train": POSITIVE, "test": POSITIVE}
                for count in training_counts(options.train_points)
            ],
            "trap": [
                {
                    **{"latent_size": size, "loss": POSITIVE, "pca_loss": NOT_NEGATIVE},
                    **dict.fromkeys(("anywhere", "from_curve"), FINITE),
                }
                for size in LATENT_SIZES
            ],
            **{name: {**losses, "rank_correlation": NUMBER} for name in curves},
        },
        epoch_rows(options.epochs, "curve", curves, **dict.fromkeys(NAMES, FINITE)),
    )


def draw(results: Results) -> Figures:
    """Data, decoded curve and coordinate; the network; the loss, its gap, and its trap."""
    return {
        "manifold": _draw_manifold(results, s_curve),
        "network": figures.network_diagram(results.numbers["layers"]),
        "coordinate": _draw_coordinate(results),
        "loss": _draw_loss(results),
        "gap": _draw_gap(results),
        "trap": _draw_trap(results),
        "circle": _draw_manifold(results, circle),
    }


def _draw_manifold(results: Results, curve: Curve) -> Figure:
    names = ("points", "reconstructions", "decoded_line")
    points, found, line = results.kept(curve.name, *names)
    points, found = points[:SHOWN], found[:SHOWN]
    titles = ["data $x$", "decoded curve $g(z)$", "latent coordinate $z=f(x)$"]
    limit = 0.1 + float(numpy.abs(points).max())
    figure, (data, decoded, coloured) = figures.plane_figure(titles, limit)
    figures.draw_points(data, points, "data", opacity=0.5)
    figures.draw_curve(data, curve.lines(), "the curve behind them", style="--")
    moved, blue = numpy.stack([points, found], axis=1), figures.COLOURS["blue"]
    figures.draw_points(decoded, points, "data", opacity=0.25)
    figures.draw_curve(decoded, list(moved[:PROJECTED]), colour=blue, width=1.2)
    figures.draw_curve(decoded, line, "decoded", colour=figures.COLOURS["vermilion"])
    figures.draw_curve(decoded, moved[0], "from $x$ to $g(f(x))$", colour=blue, width=1.2)
    latents, name = _shown_latents(results, curve)
    figures.draw_points_by_value(coloured, points, latents, name)
    figures.shared_legend(figure)
    return figure


def _draw_coordinate(results: Results) -> Figure:
    figure, grid = figures.new_figure(1, len(CURVES), width=13.0, height=5.6)
    for axes, curve in zip(grid[0], CURVES, strict=True):
        positions = results.arrays[f"{curve.name}/positions"][:SHOWN]
        latents, name = _shown_latents(results, curve)
        points = numpy.stack([positions, latents], axis=1)
        figures.draw_points(axes, points, colour=figures.COLOURS["blue"])
        axes.set(xlabel="position along the curve (share of its length)", ylabel=name)
        axes.set_title(_title(curve))
    return figure


def _title(curve: Curve) -> str:
    name = {"s_curve": "S-curve"}.get(curve.name, curve.name)
    return f"{name}, {'closed' if curve.closed else 'open'}"


def _draw_loss(results: Results) -> Figure:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    rows = results.rows_by("curve")
    figure = figures.epoch_chart(
        {_title(curve): rows[curve.name] for curve in CURVES},
        "test_loss",
        "loss per component\n(mean squared error)",
        levels={"noise across the curve": results.numbers["noise_std"] ** 2 / 2},
        log_y=True,
    )
    axes: Any = figure.axes[0]
    axes.legend(loc="best")
    # A sample has two components: the same curve read on the lecture's scale.
    sample = axes.secondary_yaxis("right", functions=(lambda y: 2 * y, lambda y: y / 2))
    sample.set_ylabel("loss per sample\n(the lecture's sum)")
    sample.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    sample.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    sample.yaxis.set_minor_locator(NullLocator())
    return figure


def _draw_gap(results: Results) -> Figure:
    numbers, gap = results.numbers, results.numbers["gap"]
    counts = [row["points"] for row in gap]
    return figures.line_chart(
        {
            "on new points": (counts, [row["test"] for row in gap]),
            "on the training points": (counts, [row["train"] for row in gap]),
        },
        "number of training points N",
        "loss per component\n(mean squared error)",
        levels={"noise across the curve": numbers["noise_std"] ** 2 / 2},
        log_x=True,
        log_y=True,
        x_ticks=counts,
    )


def _draw_trap(results: Results) -> Figure:
    anywhere = results.arrays["anywhere"]
    limit = 0.1 + float(numpy.abs(anywhere).max())
    blue, vermilion = figures.COLOURS["blue"], figures.COLOURS["vermilion"]
    figure, panels = figures.plane_figure([f"$d={size}$" for size in LATENT_SIZES], limit)
    for axes, size in zip(panels, LATENT_SIZES, strict=True):
        figures.draw_points(axes, results.arrays["s_curve/points"][:SHOWN], "data", opacity=0.25)
        taken = results.arrays[f"anywhere/{size}"]
        pairs = list(numpy.stack([anywhere, taken], axis=1))
        figures.draw_curve(axes, pairs, "from $x$ to $g(f(x))$", colour=blue, width=1.0)
        figures.draw_points(axes, anywhere, "any point $x$", colour=blue, size=16.0)
        figures.draw_points(axes, taken, "$g(f(x))$", colour=vermilion, size=26.0, opacity=0.9)
    figures.shared_legend(figure)
    return figure


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    curve, ring = numbers["s_curve"], numbers["circle"]
    across = numbers["noise_std"] ** 2 / 2  # of the noise's two components the one across the curve
    correlation = curve["rank_correlation"]
    losses = numpy.array([curve["loss"], across, curve["pca_loss"]])
    gap, (one, two) = numbers["gap"], numbers["trap"]
    ratios = [row["test"] / row["train"] for row in gap]
    return {
        "manifold": Caption(
            "Left: the data and the curve they were drawn along. Middle: the decoded curve, and "
            "where it takes single points. Right: the points, coloured by their latent "
            "coordinate.",
            {
                "One number per point is enough: what is lost is little more than the noise across "
                "the curve.": curve["loss"] < 1.5 * across,
            },
            {
                f"S-curve, {spelled_epochs(numbers['epochs'])}": [
                    "autoencoder, d = 1",
                    "noise across the curve",
                    "PCA, the best straight line",
                ],
                "per component": losses,
                "per sample": 2 * losses,
            },
        ),
        "network": Caption(
            "Encoder f and decoder g, drawn from the model: how many numbers a sample has after "
            "each layer. What has to pass through one number cannot be copied."
        ),
        "coordinate": Caption(
            "Of the closed curve the rank of z is drawn: z leaps at the cut.",
            {
                "On the open curve the latent orders the points as they lie along it: the rank "
                f"correlation is {correlation:.4f}.": correlation > 0.99
            },
        ),
        "loss": Caption(
            "One loss on both scales: per component on the left; on the right per sample, which is "
            "twice as much here."
        ),
        "gap": Caption(
            "What is wanted is a small expectation; what is minimised is a mean over N points. "
            "Every network takes the same number of steps; new points are "
            f"{len(results.arrays['s_curve/points']):,}.",
            {
                "On few points the loss looks better than it is: of "
                f"{gap[0]['points']} it is {ratios[0]:.1f} times as large on new points.": ratios[0]
                > 1.2,
                "With more points the gap closes.": ratios[0] > 1.2
                and abs(ratios[-1] - 1) < 0.1 * (ratios[0] - 1),
            },
            {
                "N": [row["points"] for row in gap],
                "on the training points": [row["train"] for row in gap],
                "on new points": [row["test"] for row in gap],
                "ratio": [f"{ratio:.2f}" for ratio in ratios],
            },
        ),
        "trap": Caption(
            "With as many latents as coordinates, f and g can be the identity. The loss does not "
            "tell: look at what becomes of points that have nothing to do with the curve.",
            {
                f"At d = 2 the loss falls to {two['loss'] / one['loss']:.1e} of that at d = 1, and "
                "any point is given back, as if there were no curve: nothing was learnt about "
                "the data.": two["loss"] < 0.05 * one["loss"]
                and two["anywhere"] < 0.05 * one["anywhere"],
                "At d = 1 a point from anywhere is taken to the curve, or beside its ends.": (
                    one["from_curve"] < 0.1 * one["anywhere"]
                ),
            },
            {
                "": [f"d = {row['latent_size']}" for row in numbers["trap"]],
                "loss": [row["loss"] for row in numbers["trap"]],
                "PCA's loss": [row["pca_loss"] for row in numbers["trap"]],
                "points from anywhere: error": [row["anywhere"] for row in numbers["trap"]],
                "g(f(x)) from the curve": [row["from_curve"] for row in numbers["trap"]],
            },
        ),
        "circle": Caption(
            "A line cannot be bent into a closed curve without a cut. Look for the place where "
            "neighbouring points get distant z.",
            {
                "The cut costs something: the loss is "
                f"{ring['loss'] / across:.1f} times the noise across the curve, on the open curve "
                f"{curve['loss'] / across:.1f} times.": curve["loss"] < 1.5 * across
                and ring["loss"] > 1.1 * curve["loss"]
            },
        ),
    }


section = Section.of(
    __name__,
    title="An autoencoder and its loss",
    equation=r"\mathbb{E}_{x\sim p}\left\|x-g(f(x))\right\|^2\ \approx\ "
    r"\frac{1}{N}\sum_{n=1}^{N}\left\|x_n-g(f(x_n))\right\|^2\ \rightarrow\ \min_{f,\,g}",
    description="Trains an autoencoder with one latent variable on points near a curve, and shows "
    "when a small loss says nothing.",
    topics=(3, 4, 5),
    sources=(
        "Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, 2006",
    ),
)
