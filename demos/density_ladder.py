"""A density that does convince: five over the same latents, under one score."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy

from autoencoder import decode, figures, reconstruct
from autoencoder.classifier import Classifier, Judge, shipped_classifier
from autoencoder.densities import LatentDiffusion
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import OptionError, option
from autoencoder.lecture.densities import (
    COMPONENTS,
    DIFFUSION,
    FLOORS,
    RUNGS,
    SCORE,
    decoded_samples,
    fit_rung,
    trained_diffusion,
)
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import (
    DeepOptions,
    fixed,
    spelled_epochs,
    trained_autoencoder,
    trained_variational,
)
from autoencoder.storage.checkpoint import FINITE, NOT_NEGATIVE, CheckpointError
from autoencoder.storage.results import Needs, Results
from autoencoder.storage.weights import load_weights
from autoencoder.training import Row, random_generator


@dataclass
class Options(DeepOptions):
    compared: int = option("samples of each density that are judged", smoke=60, default=5_000)
    diffusion_steps: int = option(
        "steps that the diffusion over latents is trained", smoke=20, default=5_000
    )
    likelihoods: int = option(
        "test latents whose likelihood under the diffusion is computed", smoke=5, default=1_000
    )
    judge: str = option(
        "files of weights, between commas, of classifiers that judge beside the one that ships",
        type=str,
        default="",
    )
    seeds: int = option(
        "how many autoencoders are measured, from --seed and those after it", default=1
    )

    @property
    def judges(self) -> list[str]:
        """The files of the other classifiers."""
        return [path.strip() for path in self.judge.split(",") if path.strip()]

    @property
    def all_seeds(self) -> range:
        """The seeds from which all is trained and fitted."""
        return range(self.seed, self.seed + self.seeds)


SAID = ("test_images", "compared", "likelihoods")  # options in captions
SHOWN = 12
LEVEL = 0.5  # nats: about two standard errors of a mean over 1,000 images
# It has latents of its own, so it stands apart from the ladder: at the largest d, below the rest.
APART = "variational autoencoder"


def check(run: Run[Options]) -> None:
    """A mixture needs as many latents as components, the score four images on either side."""
    options = run.options
    run.require_shape(Classifier.sample_shape, "the classifier that judges")
    for path in options.judges:
        _classifier(path)
    size = max(options.sizes)
    least = max(*COMPONENTS.values(), size + 1)
    run.require_images(train=least, reason=f"{len(RUNGS)} densities of {size} latents")
    run.require_images(test=4, reason="the score of the samples")
    run.limit("compared", options.train_images)
    run.require("compared", 4, "the score of the samples")
    run.limit("likelihoods", options.test_images)


def compute(run: Run[Options]) -> Results:
    """At each latent size: fit every density to the training latents, and judge its samples."""
    options = run.options
    test = run.images("test")
    classifiers = shipped_classifier(), *map(_classifier, options.judges)
    judges = [Judge(test, classifier, **run.how) for classifier in classifiers]
    train = run.images("train")
    arrays, sizes, scores = {}, [], []
    for seed in options.all_seeds:
        order = random_generator(seed, "evaluation", 0).permutation(len(train))
        few = train[order[: options.compared]]
        floor = _judged(judges, FLOORS[1], few)
        for size in options.sizes:
            rows, images = _ladder(run, size, seed, judges, few)
            rows.append(floor)
            measured = {"seed": seed, "latent_size": size}
            sizes.append({**measured, "epochs": options.epochs, "ladder": rows})
            scores += [{**measured, **row} for row in rows]
            arrays = {**images, **arrays}  # of the first seed
    for row in scores:
        del row["distances"]
    size = max(options.sizes)
    apart, _ = trained_variational(run, size, options.seed)
    rng = run.rng("evaluation", 3, size)
    samples = decode(apart, rng.standard_normal((options.compared, size)), **run.how)
    arrays["samples/apart"] = samples[:SHOWN]
    numbers = {
        **options.by_name(*SAID),
        "sizes": sizes,  # every latent size, for every seed
        "apart": [_judged(judges, APART, samples)],
    }
    return Results(arrays, numbers, scores)


def _ladder(
    run: Run[Options], size: int, seed: int, judges: list[Judge], few: numpy.ndarray
) -> tuple[list[dict[str, Any]], dict[str, numpy.ndarray]]:
    """The densities over latents of one size, judged, and some of their samples by name."""
    options = run.options
    model, _ = trained_autoencoder(run, size, seed)
    latents, held_out = (run.encoded(model, split) for split in ("train", "test"))
    rows, shown = [], {}
    for number, name in enumerate(RUNGS):
        started = time.perf_counter()
        if name == DIFFUSION:  # what was trained before took as long as it took then
            density, epochs = fitted_diffusion(run, latents, seed)
            seconds = sum(row["seconds"] for row in epochs)
        else:
            density = fit_rung(name, latents, seed)
            seconds = time.perf_counter() - started
        samples = decoded_samples(run, name, density, model, len(few), seed)
        judged = held_out[: options.likelihoods if name == DIFFUSION else None]
        nats = float(density.log_prob(judged).mean())
        rows.append({**_judged(judges, name, samples), "nats": nats, "seconds": round(seconds, 2)})
        shown[f"samples/{size}/{number}"] = samples[:SHOWN]
    decoded = reconstruct(model, few, **run.how)
    shown[f"reconstructions/{size}"] = decoded[:SHOWN]
    rows.append(_judged(judges, FLOORS[0], decoded))
    return rows, shown


def _judged(judges: list[Judge], name: str, images: numpy.ndarray) -> dict[str, Any]:
    """The score of images, and their distance by every classifier."""
    score = judges[0].score(images)
    others = [judge.distance(images) for judge in judges[1:]]
    return {"name": name, **score, "distances": [score["frechet"], *others]}


def _classifier(path: str) -> Classifier:
    model = Classifier()
    try:
        load_weights(path, model)
    except (CheckpointError, OSError) as error:
        raise OptionError(f"--judge: {path}: {error}") from error
    return model


def fitted_diffusion(
    run: Run[Options], latents: numpy.ndarray, seed: int
) -> tuple[LatentDiffusion, list[Row]]:
    """The diffusion over the latents of an autoencoder that the run has, and its training."""
    d = latents.shape[1]
    epochs = max(1, round(run.options.diffusion_steps * 256 / len(latents)))
    name, networks = f"latent-diffusion-d{d}", [f"autoencoder-d{d}"]
    return trained_diffusion(run, name, latents, networks, epochs, seed)


def needs(options: Options, found: Results) -> Needs:
    score = {**SCORE, "distances": [NOT_NEGATIVE] * (1 + len(options.judges))}
    fit = {"nats": FINITE, "seconds": NOT_NEGATIVE}
    ladder = [{"name": name, **score, **fit} for name in RUNGS]
    ladder += [{"name": name, **score} for name in FLOORS]
    shown = [f"samples/{d}/{number}" for d in options.sizes for number in range(len(RUNGS))]
    shown += [f"reconstructions/{d}" for d in options.sizes]
    return Needs(
        dict.fromkeys([*shown, "samples/apart"], "M 1 H W"),
        {
            **options.by_name(*SAID),
            "sizes": [
                {"seed": seed, "latent_size": size, "epochs": options.epochs, "ladder": ladder}
                for seed in options.all_seeds
                for size in options.sizes
            ],
            "apart": [{"name": APART, **score}],
        },
    )


def _by_size(numbers: dict[str, Any]) -> dict[int, list[list[dict[str, Any]]]]:
    """The ladders by latent size, the better autoencoder first: one for each seed."""
    sizes = sorted({measured["latent_size"] for measured in numbers["sizes"]}, reverse=True)
    return {
        size: [each["ladder"] for each in numbers["sizes"] if each["latent_size"] == size]
        for size in sizes
    }


def _first_ladders(numbers: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """The first seed's ladder by latent size; what stands apart is below the largest's."""
    ladders = {size: of_seeds[0] for size, of_seeds in _by_size(numbers).items()}
    ladders[max(ladders)] = [*ladders[max(ladders)], *numbers["apart"]]
    return ladders


def draw(results: Results) -> Figures:
    """Samples of every density under one another; the score of each beside the floor."""
    arrays, numbers = results.arrays, results.numbers
    drawn: Figures = {}
    panels = {}
    for size, ladder in _first_ladders(numbers).items():
        bars = panels[size] = {row["name"]: row["frechet"] for row in ladder}
        images = {name: f"samples/{size}/{number}" for number, name in enumerate(RUNGS)}
        images |= {FLOORS[0]: f"reconstructions/{size}", APART: "samples/apart"}
        drawn[f"ladder_d{size}"] = figures.rows_of_images(
            [arrays[images[name]] for name in bars if name in images],
            [f"{name}\n{bars[name]:.1f}" for name in bars if name in images],
            title=f"Samples and their Fréchet distance from test images, d = {size}",
            groups=[len(RUNGS), len(RUNGS) + 1],
        )
    figure, grid = figures.new_figure(1, len(panels), width=14.0, height=6.4, share_y=True)
    for axes, (size, bars) in zip(grid[0], panels.items(), strict=True):
        emphasised = [name for name in bars if name in RUNGS]
        figures.bar_chart(
            bars, "", emphasised=emphasised, value_format="{:.1f}", log_x=True, axes=axes
        )
        axes.set_title(f"d = {size}")
    ends = [end for axes in grid[0] for end in axes.get_xlim()]
    for axes in grid[0]:
        axes.set_xlim(min(ends), max(ends))
    figure.supxlabel(
        f"Fréchet distance of {numbers['compared']:,} samples from "
        f"{numbers['test_images']:,} test images",
        fontsize=17,
    )
    drawn["frechet_distance"] = figure
    return drawn


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    epochs = spelled_epochs(numbers["sizes"][0]["epochs"])
    said = {}
    for size, ladder in _first_ladders(numbers).items():
        distances = {row["name"]: row["frechet"] for row in ladder}
        diagonal, floor = distances[RUNGS[0]], distances[FLOORS[0]]
        best = min(distances[name] for name in RUNGS)
        recall = [row["recall"] for row in ladder if row["name"] in RUNGS]
        outside = numbers["apart"][0]["frechet"]
        is_apart = APART in distances
        falling = [distances[name] for name in RUNGS if name != DIFFUSION]
        apart = (
            f" Apart from them stand samples of a {APART}, trained as long: its latents are its "
            "own, and no density was fitted to them."
        )
        said[f"ladder_d{size}"] = Caption(
            f"One autoencoder ({epochs}), one decoder, and densities fitted to the same latents; "
            "none of the samples is chosen. Below them are reconstructed training images."
            f"{apart if is_apart else ''}",
            {
                f"From Gaussians to mixtures the digits get better (d = {size}).": all(
                    before > after for before, after in itertools.pairwise(falling)
                ),
                f"The best distance ({best:.1f}) is {best / max(floor, 1e-9):.2f} times that of "
                f"the reconstructions ({floor:.1f}).": best < 0.5 * diagonal,
                **_place_of_diffusion(ladder, numbers["likelihoods"]),
                f"Recall falls up the ladder, from {recall[0]:.2f} to {recall[-1]:.2f}.": (
                    recall[-1] < recall[0] - 0.05
                ),
                f"The {APART}'s samples score worse than the {RUNGS[0]}'s: {outside:.1f} "
                f"against {diagonal:.1f}.": is_apart and outside > diagonal,
            },
            {
                "density": list(distances),
                "Fréchet": fixed(ladder, "frechet", 1),
                "share of diagonal's": [
                    f"{distance / max(diagonal, 1e-9):.2f}" for distance in distances.values()
                ],
                "precision": fixed(ladder, "precision", 2),
                "recall": fixed(ladder, "recall", 2),
                "log-likelihood (nats)": fixed(ladder, "nats", 1),
                "seconds": fixed(ladder, "seconds", 1),
            },
        )
    said["frechet_distance"] = Caption(
        "The Fréchet distance compares means and covariances of what a small classifier sees in "
        "the images. Precision is the share of samples within the reach of a test image's three "
        "nearest neighbours, recall the share of test images within the reach of a sample's. "
        f"{numbers['compared']:,} training images have a distance too: less is not to be expected. "
        "The log-likelihood is that of the test images' latents, the mean of all (under "
        f"the diffusion, of {numbers['likelihoods']:,}).{_repeated(numbers)}",
        {},
        _table_of_shares(numbers),
    )
    return said


def _place_of_diffusion(ladder: list[dict[str, Any]], images: int) -> dict[str, bool]:
    """The diffusion beside the best other density, by either score."""
    rungs = {row["name"]: row for row in ladder if row["name"] in RUNGS}
    own = rungs.pop(DIFFUSION)
    nearest = min(rungs.values(), key=lambda row: row["frechet"])
    likeliest = max(rungs.values(), key=lambda row: row["nats"])
    lead = own["nats"] - likeliest["nats"]
    by_distance = "ahead of" if own["frechet"] < nearest["frechet"] else "behind"
    by_nats = "level with" if abs(lead) < LEVEL else "ahead of" if lead > 0 else "behind"
    return {
        f"By Fréchet distance the {DIFFUSION} ({own['frechet']:.1f}) is {by_distance} the "
        f"{nearest['name']} ({nearest['frechet']:.1f}), by nats ({own['nats']:.1f}, on {images:,} "
        f"images) it is {by_nats} the {likeliest['name']} ({likeliest['nats']:.1f}, on all).": (
            own["frechet"] != nearest["frechet"]
        )
    }


def _repeated(numbers: dict[str, Any]) -> str:
    """What the table of shares is the mean of."""
    seeds = len(_by_size(numbers)[max(_by_size(numbers))])
    judges = len(numbers["apart"][0]["distances"])
    if seeds * judges == 1:
        return ""
    means = f": means of {seeds} seeds and their standard deviation, of the {APART} one"
    return (
        f" The table has distances as shares of the diagonal Gaussian's, by {judges} "
        f"classifier{'' if judges == 1 else 's'}{means if seeds > 1 else ''}."
    )


def _table_of_shares(numbers: dict[str, Any]) -> dict[str, list[str]]:
    """Distances as shares of the diagonal's, by each classifier, and nats; nothing of one run."""
    if not _repeated(numbers):
        return {}
    judges = range(len(numbers["apart"][0]["distances"]))
    table: dict[str, list[str]] = {"density": []}
    table |= {f"share, classifier {judge + 1}": [] for judge in judges} | {"nats": []}
    for size, ladders in _by_size(numbers).items():
        rows = list(zip(*ladders, strict=True))  # of each density, one a seed
        names = [f"{row[0]['name']}, d = {size}" for row in rows]
        if size == max(_by_size(numbers)):
            rows.append(tuple(numbers["apart"]))
            names.append(f"{APART}, d = {size}")
        table["density"] += names
        for row in rows:
            for judge in judges:
                shares = [
                    each["distances"][judge] / max(first["distances"][judge], 1e-9)
                    for each, first in zip(row, rows[0])  # one of what stands apart
                ]
                table[f"share, classifier {judge + 1}"].append(_mean_and_spread(shares, 3))
            nats = [each["nats"] for each in row if "nats" in each]
            table["nats"].append(_mean_and_spread(nats, 2) if nats else "")
    return table


def _mean_and_spread(values: list[float], digits: int) -> str:
    """A mean, and with several values their standard deviation."""
    mean = f"{numpy.mean(values):.{digits}f}"
    return f"{mean} ± {numpy.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean


section = Section.of(
    __name__,
    title="A density that convinces",
    equation=r"p(z)=\sum_k w_k\,\mathcal{N}(z;\ \mu_k,\ \Sigma_k)\qquad "
    r"D=\|m-m'\|^2+\mathrm{tr}\left(C+C'-2\,(C\,C')^{1/2}\right)",
    description="Fits five densities to the latents, and judges their samples.",
    topics=(11,),
    sources=(
        "Dempster, Laird and Rubin, Maximum likelihood by the EM algorithm, 1977",
        "Heusel et al., GANs trained by a two time-scale update rule, 2017 (the Fréchet distance)",
        "Kynkäänniemi et al., Improved precision and recall metric, 2019",
        "Ghosh et al., From variational to deterministic autoencoders, 2020",
        "Song et al., Score-based generative modeling through SDEs, 2021",
    ),
)
