"""From denoiser to diffusion: a denoiser knows the slope of the density, and so can sample it."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from autoencoder import figures, reconstruct
from autoencoder.classifier import Classifier, Judge
from autoencoder.densities import NoiseConditionalDenoiser
from autoencoder.densities.denoiser import VelocityUNet, follow_flow
from autoencoder.densities.diffusion import VelocityNetwork
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option
from autoencoder.lecture.densities import (
    COMPONENTS,
    FLOORS,
    SCORE,
    decoded_samples,
    distances,
    fit_rung,
    told_denoiser,
    what_distances_tell,
)
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figure, Figures, Section
from autoencoder.lecture.sections import load_demo
from autoencoder.lecture.shared import (
    DataOptions,
    columns_of,
    fixed,
    spelled_epochs,
    trained_autoencoder,
)
from autoencoder.storage.checkpoint import COUNT, FINITE, NOT_NEGATIVE, POSITIVE
from autoencoder.storage.results import Needs, Results

plane = load_demo("denoise_2d")  # its mixture, and its denoiser for one level of noise


@dataclass
class Options(DataOptions):
    latent_size: int = option("d, of the autoencoder whose densities are compared with", default=16)
    diffusion_epochs: int = option(
        "passes through the training images of the denoiser of digits", smoke=1, default=6, full=30
    )
    point_epochs: int = option(
        "passes through the training points in the plane", smoke=1, default=40, full=200
    )
    train_points: int = option("training points to draw in the plane", smoke=2_000, default=50_000)
    test_points: int = option("points in the plane to measure on", smoke=500, default=10_000)
    compared: int = option("samples that are judged", smoke=60, default=5_000)
    steps: int = option("steps from noise to a sample", smoke=4, default=20)


# The options that captions name.
SAID = ("epochs", "diffusion_epochs", "point_epochs", "latent_size", "steps", "train_images")
BATCH = 128  # digits in a step
LEVELS = (0.1, 0.3, 1.0)  # of noise, at which scores in the plane are compared
FIELDS = ("grid", "exact", "one_level", "told")
POINT_STEPS = 40
DRAWN_LEVELS = (0.5, 0.25, 0.1)  # of noise, at which the flow in the plane is drawn, and 0
MOST_POINTS = 2_000  # of a sample in the plane
COMPARED = ("diagonal Gaussian", *COMPONENTS)  # with densities over latents
BEST = COMPARED[-1]
COLUMNS = 6  # of a panel of digits
SHOWN = COLUMNS**2
WALKS = 2  # digits whose way from noise is shown
WALK_STEPS, STOPS = 30, 8  # of a way

DIFFUSION = "diffusion on pixels"
JUDGED = (*COMPARED, FLOORS[0], DIFFUSION, FLOORS[1])


def check(run: Run[Options]) -> None:
    """A mixture needs as many latents as components, the score four images on either side."""
    options = run.options
    run.require_shape(Classifier.sample_shape, "the classifier that judges")
    least = max(*COMPONENTS.values(), options.latent_size + 1)
    run.require_images(train=least, reason=f"a mixture over {options.latent_size} latents")
    run.require_images(test=4, reason="the score of the samples")
    run.limit("compared", options.train_images)
    run.require("compared", 4, "the score of the samples")
    run.require("steps", 2, "the way from noise to a sample")
    run.require("test_points", 2, "an energy distance")


def compute(run: Run[Options]) -> Results:
    """In the plane, where the score is known; then on digits."""
    results = Results(numbers=run.options.by_name(*SAID))
    _compute_points(run, results)
    _compute_digits(run, results)
    return results


def _compute_points(run: Run[Options], results: Results) -> None:
    """The learnt scores beside the exact one, and samples beside exact ones."""
    options, mixture, one_std = run.options, plane.MIXTURE, plane.Options.mixture_noise_std
    train = mixture.sample(options.train_points, run.rng("data", 9))
    clean = mixture.sample(options.test_points, run.rng("evaluation", 9))
    how = {"epochs": options.point_epochs, "batch_size": min(500, options.train_points)}
    settings = run.settings(**how, learning_rate=2e-3, schedule="cosine")
    one_level, _ = plane.trained_denoiser(run, "mixture", train, clean, one_std, settings)
    told, results.rows = told_denoiser(
        run, "mixture", lambda: VelocityNetwork(2, (128, 128, 128)), train, **how
    )

    def one_score(x: numpy.ndarray, std: float) -> numpy.ndarray:
        """By Tweedie's formula from the denoiser for one level, whatever the level is."""
        return (reconstruct(one_level, x, **run.how) - x) / std**2

    scores = {"one_level": one_score, "told": told.score}
    errors = []
    for std in LEVELS:
        noisy = plane.noisy_points(clean, std, options.seed).astype("float64")
        exact = mixture.noised(std).score(noisy)
        off = {name: plane.rms(score(noisy, std) - exact) for name, score in scores.items()}
        errors.append({"std": std, "score": plane.rms(exact), **off})
    noised = mixture.noised(one_std)
    grid = plane.grid_within(noised, plane.noisy_points(clean, one_std, options.seed))
    results.arrays |= {
        "plane/grid": grid,
        "plane/exact": noised.score(grid),
        **{f"plane/{name}": score(grid, one_std) for name, score in scores.items()},
    }

    count = min(MOST_POINTS, options.test_points)
    rng = run.rng("evaluation", 40)
    stds, start = told.stds(POINT_STEPS), told.noise(count, (2,), rng)
    stops = [min(range(len(stds)), key=lambda i: abs(stds[i] - s)) for s in (*DRAWN_LEVELS, 0.0)]
    passed = _passed(told, start, stds, stops)
    results.arrays |= {f"plane/flow/{i}": points for i, points in enumerate(passed)}
    results.numbers["plane"] = {
        "noise_std": one_std,
        "errors": errors,
        "stds": [stds[stop] for stop in stops],
        **distances(passed[-1], mixture, rng),
    }


def _passed(
    denoiser: NoiseConditionalDenoiser,
    start: numpy.ndarray,
    stds: Sequence[float],
    stops: Sequence[int],
) -> list[numpy.ndarray]:
    """Where samples are after some of the steps, which are in order."""
    x, before, found = start, 0, []
    for stop in stops:
        if stop > before:
            x = follow_flow(denoiser.denoise, x, stds[before : stop + 1])
        before = stop
        found.append(x)
    return found


def _compute_digits(run: Run[Options], results: Results) -> None:
    """Train the denoiser of digits, sample, and judge beside the densities of the ladder."""
    options = run.options
    train, test = run.images("train"), run.images("test")
    told, rows = told_denoiser(run, "digits", VelocityUNet, train, options.diffusion_epochs, BATCH)
    results.rows += rows
    rng = run.rng("evaluation", 41)
    samples = told.sample(options.compared, train.shape[1:], rng, options.steps)
    _compute_walks(run, told, results)

    judge = Judge(test, **run.how)
    few = train[run.rng("evaluation", 0).permutation(len(train))[: options.compared]]
    model, _ = trained_autoencoder(run, options.latent_size)
    latents, seed = run.encoded(model, "train"), options.seed
    of_latents = [
        decoded_samples(run, name, fit_rung(name, latents, seed), model, len(few), seed)
        for name in COMPARED
    ]
    judged = (*of_latents, reconstruct(model, few, **run.how), samples, few)
    ladder = [
        {"name": name, **judge.score(images)} for name, images in zip(JUDGED, judged, strict=True)
    ]
    results.arrays |= {
        "digits/mixture": of_latents[-1][:SHOWN],
        "digits/diffusion": samples[:SHOWN],
        "digits/test": test[:SHOWN],
    }
    results.numbers |= {"ladder": ladder, **options.by_name("compared", "test_images")}
    results.rows += ladder


def _compute_walks(run: Run[Options], told: NoiseConditionalDenoiser, results: Results) -> None:
    """What some samples are on their way, and what the denoiser answers there."""
    start = told.noise(WALKS, run.dataset.image_shape, run.rng("evaluation", 42))
    stds = told.stds(WALK_STEPS)
    # Where most happens: from noise as wide as ten times the data to a tenth of that.
    wanted = told.std * numpy.geomspace(10.0, 0.1, STOPS)
    stops = [int(numpy.argmin(numpy.abs(numpy.log(stds[:-1] / s)))) for s in wanted]
    for i, (stop, noisy) in enumerate(zip(stops, _passed(told, start, stds, stops), strict=True)):
        # In the picture as wide as the data, however much noise there is.
        narrow = 1 / numpy.hypot(1.0, stds[stop] / told.std)
        shown = told.mean + narrow * (noisy - told.mean)
        results.arrays[f"walks/noisy/{i}"] = shown.astype("float32")
        results.arrays[f"walks/answer/{i}"] = told.denoise(noisy, stds[stop]).astype("float32")
    results.numbers["walk_stds"] = [stds[stop] for stop in stops]


def needs(options: Options, found: Results) -> Needs:
    return Needs(
        {
            **{f"plane/{name}": "M 2" for name in FIELDS},
            **{f"plane/flow/{i}": "N 2" for i in range(len(DRAWN_LEVELS) + 1)},
            **dict.fromkeys(("digits/mixture", "digits/diffusion"), "K C H W"),
            "digits/test": "L C H W",
            **{f"walks/noisy/{i}": f"{WALKS} C H W" for i in range(STOPS)},
            **{f"walks/answer/{i}": f"{WALKS} C H W" for i in range(STOPS)},
        },
        {
            **options.by_name(*SAID, "compared", "test_images"),
            "walk_stds": [POSITIVE] * STOPS,
            "plane": {
                "noise_std": plane.Options.mixture_noise_std,
                "errors": [
                    {"std": std, "score": POSITIVE, "one_level": NOT_NEGATIVE, "told": NOT_NEGATIVE}
                    for std in LEVELS
                ],
                "stds": [NOT_NEGATIVE] * (len(DRAWN_LEVELS) + 1),
                "compared": COUNT,
                "energy": FINITE,
                "energy_noise": FINITE,
                "energy_deviation": NOT_NEGATIVE,
            },
            "ladder": [{"name": name, **SCORE} for name in JUDGED],
        },
    )


def draw(results: Results) -> Figures:
    """Samples; the way to them; the score and the flow in the plane; the place on the ladder."""
    numbers, points = results.numbers, results.numbers["plane"]
    fields = {name: results.arrays[f"plane/{name}"] for name in FIELDS}
    scores = {
        "exact": fields["exact"],
        "one level of noise": fields["one_level"],
        "told the noise": fields["told"],
    }
    panels = {
        f"{BEST} over {numbers['latent_size']} latents": results.arrays["digits/mixture"],
        DIFFUSION: results.arrays["digits/diffusion"],
        "test images": results.arrays["digits/test"],
    }
    bars = {row["name"]: row["frechet"] for row in numbers["ladder"]}
    return {
        "samples": figures.image_panels(panels, columns=COLUMNS),
        "walks": _draw_walks(results),
        "scores": plane.draw_scores(fields["grid"], scores, fields["exact"], points["noise_std"]),
        "flow": _draw_flow(results),
        "ladder": figures.bar_chart(
            bars,
            f"Fréchet distance of {numbers['compared']:,} samples from "
            f"{numbers['test_images']:,} test images",
            emphasised=[DIFFUSION],
            value_format="{:.1f}",
            log_x=True,
        ),
    }


def _draw_walks(results: Results) -> Figure:
    stds = results.numbers["walk_stds"]
    noisy, answers = (
        numpy.stack([results.arrays[f"walks/{what}/{i}"] for i in range(len(stds))], axis=1)
        for what in ("noisy", "answer")
    )  # (walks, stops, C, H, W)
    rows = [row for pair in zip(noisy, answers, strict=True) for row in pair]
    return figures.rows_of_images(
        rows,
        ["on the way", "the answer"] * len(noisy),
        column_titles=[f"{std:.2g}" for std in stds],
        title="Standard deviation of the noise",
        groups=range(0, len(rows), 2),
    )


def _draw_flow(results: Results) -> Figure:
    stds = results.numbers["plane"]["stds"]
    figure, axes = figures.plane_figure([f"σ = {std:.2g}" for std in stds], 2.5)
    sky = figures.COLOURS["sky"]
    for i, (ax, std) in enumerate(zip(axes, stds, strict=True)):
        points = results.arrays[f"plane/flow/{i}"]
        density = plane.MIXTURE.noised(std) if std else plane.MIXTURE
        figures.draw_points(ax, points, "samples on their way", colour=sky, size=8)
        figures.draw_density(ax, density, "exact density: 50, 90, 99 % of the mass")
    figures.shared_legend(figure, columns=2)
    return figure


def captions(results: Results) -> dict[str, Caption]:
    numbers, points = results.numbers, results.numbers["plane"]
    ladder = numbers["ladder"]
    by_name = {row["name"]: row for row in ladder}
    of_pixels, of_latents = by_name[DIFFUSION], by_name[BEST]
    lead = of_latents["frechet"] - of_pixels["frechet"]
    own = points["errors"][LEVELS.index(points["noise_std"])]
    others = [error for error in points["errors"] if error is not own]
    errors = columns_of(points["errors"])
    trained = (
        f"{numbers['train_images']:,} training images, "
        f"{spelled_epochs(numbers['diffusion_epochs'])}"
    )
    return {
        "samples": Caption(
            "A small convolutional network learnt to take any amount of noise from digits, and is "
            f"told how much there is ({trained}). Its samples begin as noise alone and take "
            f"{numbers['steps']} steps. None is chosen.",
            {
                "No autoencoder, no latents: the density is that of the images themselves.": (
                    of_pixels["frechet"] < by_name["diagonal Gaussian"]["frechet"]
                ),
            },
        ),
        "walks": Caption(
            "Two samples on their way from noise, and what the denoiser answers at each stop. An "
            "answer is the mean of all digits that fit. Where the noise is wide that is a blur; as "
            "it falls, fewer digits fit. Each stop is scaled to the contrast of the data.",
        ),
        "scores": Caption(
            "Tweedie's formula: the way to the mean of the clean points that fit, divided by the "
            "variance of the noise, is the slope of the noised log density. The denoiser of the "
            f"section on the plane knows it at one level of noise, {points['noise_std']:g}, "
            "which is drawn. One that is told the level knows it at all. The table has root mean "
            f"squares over test points ({spelled_epochs(numbers['point_epochs'])}).",
            {
                "At its own level the denoiser for one level is off by "
                f"{own['one_level'] / own['score']:.1%}, the one that is told by "
                f"{own['told'] / own['score']:.1%}.": max(own["one_level"], own["told"])
                < 0.25 * own["score"],
                "At other levels only the one that is told is of use.": all(
                    error["told"] < 0.25 * error["score"] < error["one_level"] for error in others
                ),
            },
            {
                "σ": [f"{std:g}" for std in errors["std"]],
                "the exact score": errors["score"],
                "error, for one level": errors["one_level"],
                "error, told σ": errors["told"],
            },
        ),
        "flow": Caption(
            f"{points['compared']:,} points follow the equation for dx/dσ above, from wide noise "
            f"to none, in {POINT_STEPS} steps of Heun. Contours: the exact noised density at "
            "that level. The energy distance of the last to as many exact samples, estimated "
            "without bias and so below 0 at times, is "
            f"{points['energy']:.5f}; between two exact samples it is "
            f"{points['energy_noise']:.5f} ± {points['energy_deviation']:.5f} (20 pairs).",
            what_distances_tell([points]),
        ),
        "ladder": Caption(
            "The same score as on the ladder of densities. Those over "
            f"{numbers['latent_size']} latents need the decoder "
            f"({spelled_epochs(numbers['epochs'])}), and are not expected to be better than "
            "its reconstructions.",
            {
                "Diffusion on pixels beats the best mixture.": lead > 0,
                f"After {spelled_epochs(numbers['diffusion_epochs'])} diffusion on pixels is "
                "behind the best mixture over latents.": lead < 0,
                "Its recall is higher than that mixture's and its precision lower: the variety is "
                "there, and many strokes are broken.": (
                    of_pixels["recall"] > of_latents["recall"]
                    and of_pixels["precision"] < of_latents["precision"]
                ),
            },
            {
                "samples of": [row["name"] for row in ladder],
                "Fréchet": fixed(ladder, "frechet", 1),
                "precision": fixed(ladder, "precision", 2),
                "recall": fixed(ladder, "recall", 2),
            },
        ),
    }


section = Section.of(
    __name__,
    title="From denoiser to diffusion",
    equation=r"\nabla\,\log\,p_\sigma(\tilde{x})=\frac{D(\tilde{x};\,\sigma)-\tilde{x}}{\sigma^2}"
    r"\qquad\frac{dx}{d\sigma}=\frac{x-D(x;\,\sigma)}{\sigma}",
    description="Trains denoisers that are told the noise, and samples by them.",
    topics=(11, 13, 14),
    sources=(
        "Hyvärinen, Estimation of non-normalized models by score matching, 2005",
        "Vincent, A connection between score matching and denoising autoencoders, 2011",
        "Alain and Bengio, What regularized auto-encoders learn from data, 2014",
        "Karras et al., Elucidating the design space of diffusion-based generative models, 2022",
    ),
)
