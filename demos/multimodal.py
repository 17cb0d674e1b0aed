"""The weakness: where several clean x fit, squared loss answers with their mean, which is none."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass
from typing import Any

import numpy

from autoencoder import EraseHalf, GaussianNoise, figures, mlp, mse_per_pixel, reconstruct
from autoencoder.data.curves import mixture_ring, two_modes
from autoencoder.densities import GaussianMixture
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import CommonOptions, option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figure, Figures, Section
from autoencoder.lecture.shared import (
    NEIGHBOURS,
    SHOWN,
    find_doubtful,
    gradient_energy,
    hidden_part,
    spelled_epochs,
    tinted,
)
from autoencoder.storage.checkpoint import ANYTHING, COUNT, FINITE
from autoencoder.storage.results import Needs, Results
from autoencoder.training import Row, TrainingSettings
from minigrad import nn


@dataclass
class Options(CommonOptions):
    epochs: int = option(
        "passes through the training samples", smoke=1, default=2, lecture=5, full=25
    )
    batch_size: int = option("samples in a step", default=100)
    train_images: int = option(
        "training images to use", smoke=300, default=30_000, lecture=60_000, full=60_000
    )
    test_images: int = option(
        "test images among which the doubtful ones are found",
        smoke=60,
        default=1_000,
        lecture=2_000,
        full=2_000,
    )
    latent_size: int = option(
        "d, the size of the bottleneck of the networks for images", default=64
    )
    point_epochs: int = option(
        "passes through the training points in the plane", smoke=1, default=30
    )
    train_points: int = option("training points to draw in the plane", smoke=1_000, default=30_000)


# Loss, as the training knows it, and its name.
LOSSES = {"mse": "squared", "l1": "absolute"}

NOISE_STD = 0.6
# A mixture, and a noisy point between its modes. Two modes on a line let the median of a
# coordinate fall into one of them; of three modes it is a corner of none.
CASES: dict[str, tuple[GaussianMixture, tuple[float, float]]] = {
    "two modes": (two_modes(distance=2.0, std=0.15), (0.15, 0.1)),
    "three modes": (
        # The ring of three, turned so that one mode is on top.
        GaussianMixture([1 / 3] * 3, mixture_ring(3).means @ [[0.0, 1.0], [-1.0, 0.0]], 0.15**2),
        (0.0, 0.05),
    ),
}
POSTERIOR_SAMPLES = 300

# The answers to a noisy point: name, marker, colour and size.
MARKS = {
    "mean": ("exact mean", "s", "vermilion", 300),
    "squared": ("squared loss, learnt", "o", "black", 60),
    "median": ("exact median of each coordinate", "D", "orange", 300),
    "absolute": ("absolute loss, learnt", "^", "purple", 80),
}

DISTANCES = {
    "error_to_mean": "squared loss is off the mean by",
    "error_to_median": "absolute loss is off the median by",
    "spread": "the posterior's spread",
}

CORRUPTION = EraseHalf("top")
CANDIDATES = 3  # real images shown for each
ERRORS = {
    "error_to_average": "the mean of the matches",
    "error_to_match": "the nearest match",
    "error_to_truth": "the original",
}


def check(run: Run[Options]) -> None:
    """Digits are doubtful by their neighbours among the training images."""
    run.require_images(train=NEIGHBOURS, reason=f"looking for {NEIGHBOURS} best matches")


def compute(run: Run[Options]) -> Results:
    """Points in the plane, where the posterior is known; then digits."""
    results = Results(numbers={"epochs": run.options.epochs})
    _compute_points(run, results)
    _compute_digits(run, results)
    return results


def posterior_at(case: str) -> GaussianMixture:
    """The exact density of the clean point given the noisy one of a case.

    >>> posterior_at("three modes").means.shape
    (3, 2)
    """
    prior, noisy = CASES[case]
    return prior.posterior(numpy.array([noisy]), NOISE_STD).mixture(0)


def componentwise_median(mixture: GaussianMixture) -> numpy.ndarray:
    """The median of each coordinate (d,): what absolute loss asks for. On the host, by scipy.

    Each coordinate of a mixture of Gaussians is one again; its distribution function is a sum of
    error functions, and is 1/2 at the median.

    >>> componentwise_median(GaussianMixture([0.25, 0.75], [[-9.0], [0.0]], 1.0)).round(3)
    array([-0.431])
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr  # the standard normal distribution function

    std = numpy.sqrt(numpy.diagonal(mixture.covariances, axis1=1, axis2=2))  # (K, d)
    low = (mixture.means - 40 * std).min(axis=0)
    high = (mixture.means + 40 * std).max(axis=0)

    def excess(x: float, i: int) -> float:
        """The mass below x of coordinate i, less a half."""
        return float(mixture.weights @ ndtr((x - mixture.means[:, i]) / std[:, i])) - 0.5

    return numpy.array([brentq(excess, low[i], high[i], args=(i,)) for i in range(len(low))])


def training_points(run: Run[Any], case: str) -> numpy.ndarray:
    """Clean points (N, 2) of a case."""
    number = 10 + list(CASES).index(case)
    return CASES[case][0].sample(run.options.train_points, run.rng("data", number))


def point_settings(run: Run[Any], **changes: Any) -> TrainingSettings:
    """How networks are trained in the plane."""
    how = {"batch_size": 500, "learning_rate": 2e-3, "schedule": "cosine"}
    return run.settings(epochs=run.options.point_epochs, **how, **changes)


def trained_on_points(
    run: Run[Any], case: str, train: numpy.ndarray, loss: str = "mse"
) -> tuple[nn.Module, list[Row]]:
    """A network that answers to noisy points of a case, and the metrics of its epochs."""
    return run.trained(
        f"multimodal-{case.replace(' ', '-')}-{LOSSES[loss]}",
        lambda: mlp(2, 128, 128, 2),
        train,
        point_settings(run, loss=loss),
        corruption=GaussianNoise(NOISE_STD),
    )


def _compute_points(run: Run[Options], results: Results) -> None:
    """Exact posterior, samples of it, and the answers of squared and of absolute loss."""
    for number, (case, (_, place)) in enumerate(CASES.items(), 10):
        posterior = posterior_at(case)
        train = training_points(run, case)
        answers = {
            "mean": posterior.weights @ posterior.means,
            "median": componentwise_median(posterior),
        }
        for loss, name in LOSSES.items():
            model, rows = trained_on_points(run, case, train, loss)
            (answer,) = reconstruct(model, numpy.array([place]), **run.how)
            answers[name] = answer.astype("float64")
            results.rows += [{"run": f"{case}, {name} loss", **row} for row in rows]
        samples = posterior.sample(POSTERIOR_SAMPLES, run.rng("evaluation", number))
        results.keep(key(case), samples=samples, **answers)
        # Relative to the density of a sample typically drawn, so that 1 is an ordinary clean point.
        typical = float(numpy.median(posterior.log_prob(samples.astype("float64"))))
        results.numbers[case] = {
            "noisy": list(place),
            "weights": posterior.weights.tolist(),
            "relative_density": {
                name: float(numpy.exp(posterior.log_prob(point[None])[0] - typical))
                for name, point in answers.items()
            },
            "error_to_mean": float(numpy.linalg.norm(answers["squared"] - answers["mean"])),
            "error_to_median": float(numpy.linalg.norm(answers["absolute"] - answers["median"])),
            "spread": float(numpy.sqrt(samples.var(axis=0, dtype="float64").sum())),
        }


def key(case: str) -> str:
    """The name of a case in the results' arrays."""
    return case.replace(" ", "_")


def mid_grey(hidden: numpy.ndarray) -> float:
    """The share of pixels between 0.2 and 0.8: ink has few, a blur many.

    >>> mid_grey(numpy.array([0.0, 0.5, 1.0, 0.9]))
    0.25
    """
    return float(((hidden > 0.2) & (hidden < 0.8)).mean())


def _compute_digits(run: Run[Options], results: Results) -> None:
    """Train with both losses; find, by their neighbours, the images most open to doubt."""
    train, test, labels = run.images("train"), run.images("test"), run.labels("train")
    mask = CORRUPTION.mask(test[:1])[0]  # (C, H, W), the same for every image
    masked = CORRUPTION(test)
    answers = {}
    for loss, name in LOSSES.items():
        model, rows = run.trained(
            f"multimodal-digits-{name}",
            lambda: run.autoencoder(run.options.latent_size),
            train,
            run.settings(loss=loss),
            corruption=CORRUPTION,
        )
        answers[name] = reconstruct(model, masked, **run.how)
        results.rows += [{"run": f"digits, {name} loss", **row} for row in rows]

    found = find_doubtful(train, labels, test, mask)
    near, shown = found.near, found.order[:SHOWN]
    doubtful = found.order[: max(SHOWN, len(test) // 10)]
    hidden = train[:, mask]
    average = hidden[near].mean(axis=1)  # (N, hidden pixels)
    candidates = numpy.stack([_candidates(near[i], labels) for i in shown])  # (SHOWN, CANDIDATES)
    pasted = masked.copy()
    pasted[:, mask] = average
    results.keep("digits", mask=mask, candidates=train[candidates])
    images = {"masked": masked, "average": pasted, **answers}
    results.keep("digits", **{name: each[shown] for name, each in images.items()})
    results.numbers |= run.options.by_name("train_images", "test_images")
    results.numbers["digits"] = {
        "doubtful": len(doubtful),
        "shown_classes": [numpy.unique(labels[near[i]]).tolist() for i in shown],
        "shown_entropy": found.entropy[shown].tolist(),
        "neighbours": NEIGHBOURS,
        "mid_grey": mid_grey(hidden),
        "gradient_energy": gradient_energy(hidden_part(train, mask)),
        "average_gradient_energy": gradient_energy(hidden_part(pasted[doubtful], mask)),
    }
    matches = hidden[near[doubtful]].astype("float64")  # (n, NEIGHBOURS, hidden pixels)
    for name, answer in answers.items():
        guess = answer[doubtful][:, mask]
        to_matches = ((guess[:, None] - matches) ** 2).mean(axis=2)
        results.numbers["digits"][name] = {
            "error_to_average": mse_per_pixel(guess, average[doubtful]),
            "error_to_truth": mse_per_pixel(guess, test[doubtful][:, mask]),
            "error_to_match": float(to_matches.min(axis=1).mean()),
            "mid_grey": mid_grey(guess),
            "gradient_energy": gradient_energy(hidden_part(answer[doubtful], mask)),
        }


def _candidates(near: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    """The best match of each of the most frequent classes, then whatever matches best."""
    _, first, counts = numpy.unique(labels[near], return_index=True, return_counts=True)
    if len(first) == len(near):  # no labels: the best matches
        return near[:CANDIDATES]
    frequent = first[numpy.argsort(-counts, kind="stable")][:CANDIDATES]
    rest = [i for i in range(len(near)) if i not in frequent]
    return near[numpy.concatenate([frequent, rest])[:CANDIDATES].astype(int)]


def needs(options: Options, found: Results) -> Needs:
    images = ("masked", "average", *LOSSES.values())
    blur = ("mid_grey", "gradient_energy")
    return Needs(
        {
            **{f"{key(case)}/samples": "S 2" for case in CASES},
            **{f"{key(case)}/{answer}": "2" for case in CASES for answer in MARKS},
            **{f"digits/{name}": "N C H W" for name in images},
            "digits/mask": "bool C H W",
            "digits/candidates": "N K C H W",
        },
        {
            "epochs": options.epochs,
            **dict.fromkeys(("train_images", "test_images"), COUNT),
            **{
                case: {
                    "noisy": [FINITE, FINITE],
                    "weights": [FINITE, ...],
                    "relative_density": dict.fromkeys(MARKS, FINITE),
                    **dict.fromkeys(DISTANCES, FINITE),
                }
                for case in CASES
            },
            "digits": {
                **dict.fromkeys(("doubtful", "neighbours"), COUNT),
                **dict.fromkeys(("shown_classes", "shown_entropy"), ANYTHING),
                **dict.fromkeys((*blur, "average_gradient_energy"), FINITE),
                **{n: dict.fromkeys((*ERRORS, *blur), FINITE) for n in LOSSES.values()},
            },
        },
    )


def draw(results: Results) -> Figures:
    """The posterior with the answers to it; erased digits with the answers and the candidates."""
    return {"points": _draw_points(results), "digits": _draw_digits(results)}


def _draw_points(results: Results) -> Figure:
    colours, of_mass = figures.COLOURS, "posterior: 50, 90, 99 % of the mass"
    figure, panels = figures.plane_figure(list(CASES), 1.6)
    for axes, case in zip(panels, CASES, strict=True):
        posterior, (samples,) = posterior_at(case), results.kept(key(case), "samples")
        figures.draw_density(axes, posterior, of_mass, colour=colours["blue"], resolution=400)
        label = "samples of the posterior"
        figures.draw_points(axes, samples, label, colour=colours["sky"], opacity=0.5)
        # A ring: the mean is never far from the noisy point.
        ring: dict[str, Any] = {"facecolors": "none", "linewidths": 3}
        noisy, green = results.numbers[case]["noisy"], colours["green"]
        axes.scatter(*noisy, s=1000, marker="o", edgecolors=green, label="noisy point", **ring)
        points = results.kept(key(case), *MARKS)
        for point, (label, marker, colour, size) in zip(points, MARKS.values(), strict=True):
            style = {"facecolors": colours[colour], "linewidths": 0, "zorder": 5}
            if label.startswith("exact"):  # open, around what was learnt
                style = {**ring, "edgecolors": colours[colour], "zorder": 4}
            axes.scatter(*point, s=size, marker=marker, label=label, **style)
    figures.shared_legend(figure, columns=3)
    return figure


def _draw_digits(results: Results) -> Figure:
    names = ("masked", "mask", "squared", "absolute", "average", "candidates")
    masked, mask, squared, absolute, average, candidates = results.kept("digits", *names)
    matches = candidates.swapaxes(0, 1)  # (candidates, N, C, H, W)
    titles = ["what is left", "squared loss", "absolute loss"]
    titles.append(f"mean of the {results.numbers['digits']['neighbours']}\nbest matches")
    titles += ["training images\nthat match"] + [""] * (len(matches) - 1)
    return figures.rows_of_images(
        [tinted(masked, mask), squared, absolute, average, *matches], titles
    )


def _to_four_places(value: float) -> str:
    return f"{value:.4f}" if value >= 5e-5 else "< 0.0001"


def captions(results: Results) -> dict[str, Caption]:
    numbers, digits = results.numbers, results.numbers["digits"]
    cases = {case: numbers[case] for case in CASES}
    density = {case: each["relative_density"] for case, each in cases.items()}
    squared, average_energy = digits["squared"], digits["average_gradient_energy"]
    to_others = min(squared["error_to_match"], squared["error_to_truth"])
    energies = squared["gradient_energy"], average_energy
    return {
        "points": Caption(
            f"A noisy point (the ring, noise {NOISE_STD:g}), the clean points it may have been, "
            "and the answers to it: exact, and learnt with each loss.",
            {
                "Squared loss answers with the mean, where there is no clean point.": all(
                    density[case]["squared"] < 0.01 and each["error_to_mean"] < 0.1 * each["spread"]
                    for case, each in cases.items()
                ),
                "Absolute loss finds one of two modes, but of three modes none.": (
                    density["two modes"]["absolute"] > 0.1
                    and density["three modes"]["absolute"] < 0.01
                ),
            },
            {
                "density, 1 at a typical clean point": [
                    *(label for label, *_ in MARKS.values()),
                    *DISTANCES.values(),
                ],
                **{
                    case: [
                        *(_to_four_places(density[case][answer]) for answer in MARKS),
                        *(f"{each[distance]:.4f}" for distance in DISTANCES),
                    ]
                    for case, each in cases.items()
                },
            },
        ),
        "digits": Caption(
            f"The upper half is erased ({numbers['train_images']:,} training images, "
            f"{spelled_epochs(numbers['epochs'])}). Shown are those of "
            f"{numbers['test_images']:,} test images whose {digits['neighbours']} best matches in "
            "the visible half disagree most, in class and in the hidden half. Below, the best "
            f"match of each of the most frequent classes. Measured on the {digits['doubtful']} "
            "most doubtful.",
            {
                "Squared loss answers with the mean of what fits: it is nearer to the mean of the "
                "matches than to any one of them, or to the original, and as blurred as that "
                "mean.": squared["error_to_average"] < to_others
                and max(energies) < 2 * min(energies),
            },
            {
                "in the erased half": [
                    *(f"squared error to {what}" for what in ERRORS.values()),
                    "gradient energy",
                    "mid-grey pixels",
                ],
                **{
                    f"{name} loss": [
                        *(digits[name][error] for error in ERRORS),
                        *_blur(digits[name]),
                    ]
                    for name in LOSSES.values()
                },
                "matches' mean": ["", "", "", average_energy, ""],
                "real digits": ["", "", "", *_blur(digits)],
            },
        ),
    }


def _blur(measured: dict[str, Any]) -> list[Any]:
    return [measured["gradient_energy"], f"{measured['mid_grey']:.1%}"]


section = Section.of(
    __name__,
    title="The weakness: the answer is a mean",
    equation=r"\arg\min_{y}\ E\left[\left\|x-y\right\|^2\,|\,\tilde{x}\right]"
    r"=E[x\,|\,\tilde{x}],\qquad p(x\,|\,\tilde{x})\ \mathrm{may\ have\ several\ modes}",
    description="Shows answers of squared and absolute loss where several clean samples fit.",
    topics=(15,),
    sources=("Mathieu, Couprie and LeCun, Video prediction beyond mean square error, 2016",),
)
