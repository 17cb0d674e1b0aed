"""Denoising images, compared: with a bottleneck and without; trained on little and much noise."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from collections.abc import Callable
from dataclasses import dataclass

import numpy

from autoencoder import Denoiser, GaussianNoise, figures, psnr, reconstruct
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import DataOptions, measure_psnr, spelled_epochs, table_of
from autoencoder.models import count_parameters
from autoencoder.storage.checkpoint import COUNT, NUMBER
from autoencoder.storage.results import Needs, Results
from minigrad import nn


@dataclass
class Options(DataOptions):
    epochs: int = option(
        "passes through the training samples", smoke=1, default=2, lecture=5, full=25
    )
    train_images: int = option("training images to use", smoke=400, default=60_000)
    latent_size: int = option("d, the size of the bottleneck", default=32)


MIDDLE = 0.5  # the noise of train_denoiser, and of the denoiser without a bottleneck
TRAINING_NOISES = (0.25, MIDDLE, 1.0)
TEST_NOISES = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0, 1.25)
SHOWN_NOISES = (0.25, 0.5, 1.0)
DIGITS = 3  # shown at each noise; odd, so that a heading stands over the middle one
INPUT = "noisy input"
WAYS = ("noisy", "narrow", "wide")  # what is shown: the input, with a bottleneck and without
SAID = ("epochs", "train_images", "test_images")  # options in captions


def check(run: Run[Options]) -> None:
    """As many images as there are."""
    run.require_images()


def compute(run: Run[Options]) -> Results:
    """Train the denoisers, then measure all of them on the same noisy images."""
    options = run.options
    train, clean = run.images("train"), run.images("test")

    def add_noise(noise_std: float) -> numpy.ndarray:
        """At every noise the same draw, scaled: all are compared on the same images."""
        return GaussianNoise(noise_std)(clean, run.rng("evaluation"))

    def trained(name: str, make_model: Callable[[], nn.Module], noise_std: float) -> nn.Module:
        """A denoiser trained on one noise, as demos/train_denoiser.py trains it."""
        model, _ = run.trained(
            f"{name}-noise-{noise_std:g}",
            make_model,
            train,
            corruption=GaussianNoise(noise_std),
            evaluate=measure_psnr(add_noise(noise_std), clean, **run.how),
            tested_on=clean,
        )
        return model

    def narrow() -> nn.Module:
        return run.autoencoder(options.latent_size)

    names = _names(options)
    networks = [trained("denoiser", narrow, noise_std) for noise_std in TRAINING_NOISES]
    networks.append(trained("denoiser-wide", lambda: Denoiser(train.shape[1]), MIDDLE))
    models = dict(zip(names, networks, strict=True))
    shown = dict(zip((INPUT, names[TRAINING_NOISES.index(MIDDLE)], names[-1]), WAYS, strict=True))
    arrays, rows = {"clean": clean[:DIGITS]}, []
    for test_noise in TEST_NOISES:
        noisy = add_noise(test_noise)
        for name in (INPUT, *names):
            images = noisy if name == INPUT else reconstruct(models[name], noisy, **run.how)
            rows.append(_row(name, test_noise, psnr(images, clean)))
            if test_noise in SHOWN_NOISES and name in shown:
                arrays[f"{shown[name]}/{test_noise:g}"] = images[:DIGITS]
    numbers = {
        "names": names,
        "narrow": f"d = {options.latent_size}",
        **options.by_name(*SAID),
        "parameters": {name: count_parameters(model) for name, model in models.items()},
    }
    return Results(arrays, numbers, rows)


def _names(options: Options) -> list[str]:
    """The denoisers, of which the last has no bottleneck."""
    narrow = [f"d = {options.latent_size}, trained on σ = {noise:g}" for noise in TRAINING_NOISES]
    return [*narrow, f"no bottleneck, trained on σ = {MIDDLE:g}"]


def _row(name: str, test_noise: float, decibels: object) -> dict[str, object]:
    return {"denoiser": name, "test_noise_std": test_noise, "test_psnr_db": decibels}


def needs(options: Options, found: Results) -> Needs:
    names = _names(options)
    shown = [f"{way}/{n:g}" for way in WAYS for n in SHOWN_NOISES]
    return Needs(
        dict.fromkeys(["clean", *shown], f"{DIGITS} C H W"),
        {
            "names": names,
            "narrow": f"d = {options.latent_size}",
            **options.by_name(*SAID),
            "parameters": dict.fromkeys(names, COUNT),
        },
        [_row(name, noise, NUMBER) for noise in TEST_NOISES for name in (INPUT, *names)],
    )


def draw(results: Results) -> Figures:
    """Noisy and denoised digits at several noises; PSNR against the noise of the test images."""
    arrays, numbers = results.arrays, results.numbers
    measured = table_of(results, "denoiser", "test_noise_std", "test_psnr_db")
    keys = [f"{noise:g}" for noise in SHOWN_NOISES]
    groups = [[arrays["clean"]] * len(keys)]
    groups += [[arrays[f"{way}/{key}"] for key in keys] for way in WAYS]
    gap = numpy.full_like(arrays["clean"][:1], numpy.nan)  # an empty place between two noises
    rows = [numpy.concatenate([a, gap, b, gap, c]) for a, b, c in groups]
    headings = [""] * len(rows[0])
    shown = len(arrays["clean"])  # fewer than DIGITS where there are fewer test images
    for number, key in enumerate(keys):
        headings[number * (shown + 1) + shown // 2] = f"σ = {key}"
    digits = figures.rows_of_images(
        rows, ["clean", "noisy", numbers["narrow"], "no bottleneck"], column_titles=headings
    )
    by_noise = figures.line_chart(
        {
            name: (TEST_NOISES, [measured[name, noise] for noise in TEST_NOISES])
            for name in [*numbers["names"], INPUT]
        },
        "σ, standard deviation of the test noise",
        "PSNR on test images (dB)",
        x_ticks=(0.1, *TRAINING_NOISES[:2], 0.75, 1.0, 1.25),
    )
    return {"digits": digits, "psnr_by_noise": by_noise}


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    measured = table_of(results, "denoiser", "test_noise_std", "test_psnr_db")
    names, parameters = numbers["names"], numbers["parameters"]
    everything = [INPUT, *names]
    narrow, wide = names[TRAINING_NOISES.index(MIDDLE)], names[-1]
    gain = measured[wide, MIDDLE] - measured[narrow, MIDDLE]
    is_best_at_its_own = all(
        measured[own, noise] > measured[name, noise]
        for own, noise in zip(names, TRAINING_NOISES, strict=False)
        for name in names[:-1]
        if name != own
    )
    losing = {
        name: [f"{n:g}" for n in TEST_NOISES if measured[name, n] < measured[INPUT, n]]
        for name in names
    }
    worse = [f"{name}, at {', '.join(noises)}" for name, noises in losing.items() if noises]
    return {
        "digits": Caption(
            f"Trained on σ = {MIDDLE:g}, with the bottleneck ({numbers['narrow']}) and without: a "
            "denoiser may do without one, as copying its input would not help it. "
            f"{numbers['train_images']:,} training images, {spelled_epochs(numbers['epochs'])}.",
            {
                f"At its own noise the one without a bottleneck is {gain:.2f} dB better.": gain > 0,
                f"At its own noise the one without a bottleneck is {-gain:.2f} dB worse.": gain < 0,
            },
            {
                f"PSNR in dB, {numbers['test_images']:,} test images": everything,
                **{
                    f"σ = {n:g}": [f"{measured[name, n]:.2f}" for name in everything]
                    for n in SHOWN_NOISES
                },
                "parameters": ["", *(parameters[name] for name in names)],
            },
        ),
        "psnr_by_noise": Caption(
            "Every denoiser at every noise.",
            {
                f"Of those with {numbers['narrow']}, each is the best at the noise it was trained "
                "on.": is_best_at_its_own,
                f"Worse than the noisy input itself: {'; '.join(worse)}.": bool(worse),
                "None is anywhere worse than the noisy input itself.": not worse,
            },
        ),
    }


section = Section.of(
    __name__,
    title="Denoising images",
    equation=r"\min_{\phi}\ \frac{1}{N}\sum_{n=1}^{N}"
    r"\left\|x_n-\phi(x_n+\epsilon_n)\right\|^2,\quad \epsilon_n\sim\mathcal{N}(0,\sigma^2 I)",
    description="Denoisers with a bottleneck and without one, trained on little, middling and "
    "much noise, measured at every noise. A denoiser may do without a bottleneck: copying its "
    "input would not help it.",
    topics=(13, 14),
    sources=("Vincent et al., Extracting and composing robust features, 2008",),
)
