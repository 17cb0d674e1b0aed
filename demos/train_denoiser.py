"""Training a denoiser: noisy digits in, clean digits out, mean squared error between."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

import math
from dataclasses import dataclass

import numpy

from autoencoder import Denoiser, GaussianNoise, figures, psnr, reconstruct
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import LARGEST, option, positive, positive_number
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import DataOptions, measure_psnr, one_of_each, spelled_epochs
from autoencoder.storage.checkpoint import COUNT, NUMBER
from autoencoder.storage.results import Needs, Results, epoch_rows


def positive_or_none(text: str) -> int:
    """A bottleneck's size, or 0 for none."""
    return 0 if text == "0" else positive(text)


positive_or_none.__name__ = f"whole number from 0 to {LARGEST}"  # what argparse calls it


@dataclass
class Options(DataOptions):
    epochs: int = option(
        "passes through the training samples", smoke=1, default=2, lecture=5, full=25
    )
    train_images: int = option("training images to use", smoke=1_000, default=60_000)
    test_images: int = option("test images to measure on", smoke=200, default=10_000)
    latent_size: int | None = option(
        "d, the size of the bottleneck; 0 for none, so that what was learnt serves any size "
        "(default: 32, with --data 0)",
        type=positive_or_none,
        default=None,
    )
    noise_std: float | None = option(
        "standard deviation of the noise; pixels are in [0, 1] (default: 0.5, with --data 0.1)",
        type=positive_number,
        default=None,
    )


SAID = ("noise_std", "latent_size", "epochs", "train_images", "test_images")  # in captions
STEPS = 1_500  # of training on other people's images, at least
NOISE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def check(run: Run[Options]) -> None:
    """Other people's images are seldom digits: little noise, and no bottleneck to lose them in."""
    options, is_mnist = run.options, run.options.data is None
    if options.latent_size is None:
        options.latent_size = 32 if is_mnist else 0
    if options.noise_std is None:
        options.noise_std = 0.5 if is_mnist else 0.1
    run.require_images()
    if not is_mnist and options.preset == "default" and not options.resume:
        # A folder holds hundreds of images rather than 60,000: enough steps even so.
        if "batch_size" not in run.given:
            options.batch_size = 20
        if "epochs" not in run.given:
            steps = math.ceil(options.train_images / options.batch_size)
            options.epochs = max(options.epochs, math.ceil(STEPS / steps))


def compute(run: Run[Options]) -> Results:
    """Train the denoiser, then measure it at the noise it was trained on and at others."""
    options = run.options
    size = options.latent_size
    assert size is not None
    assert options.noise_std is not None
    noise = GaussianNoise(options.noise_std)
    train, clean = run.images("train"), run.images("test")
    # The noise of the test set is drawn once: every epoch is measured on the same images.
    noisy = noise(clean, run.rng("evaluation"))
    model, rows = run.trained(
        "denoiser",
        lambda: run.autoencoder(size) if size else Denoiser(train.shape[1]),
        train,
        corruption=noise,
        evaluate=measure_psnr(noisy, clean, **run.how),
        own=True,
    )
    measured, few = [], clean[:1_000]
    for level in NOISE_LEVELS:
        drawn = GaussianNoise(level)(few, run.rng("evaluation", 1))
        denoised = reconstruct(model, drawn, **run.how)
        measured.append((psnr(drawn, few), psnr(denoised, few)))
    shown = one_of_each(run.labels("test"))
    arrays = {
        "clean": clean[shown],
        "noisy": noisy[shown],
        "denoised": reconstruct(model, noisy[shown], **run.how),
        "noise_levels": numpy.array(NOISE_LEVELS),
        "psnr_by_level": numpy.array(measured),  # (levels, noisy and denoised)
    }
    numbers = {
        **options.by_name(*SAID),
        "test_images_by_noise": len(few),
        "noisy_psnr_db": psnr(noisy, clean),
        "mean_psnr_db": psnr(numpy.broadcast_to(train.mean(axis=0), clean.shape), clean),
        "denoised_psnr_db": rows[-1]["test_psnr_db"],
    }
    return Results(arrays, numbers, rows)


def needs(options: Options, found: Results) -> Needs:
    levels = len(NOISE_LEVELS)
    return Needs(
        {
            **dict.fromkeys(("clean", "noisy", "denoised"), "N C H W"),
            "noise_levels": f"{levels}",
            "psnr_by_level": f"{levels} 2",
        },
        {
            **options.by_name(*SAID),
            "test_images_by_noise": COUNT,
            **{f"{what}_psnr_db": NUMBER for what in ("noisy", "mean", "denoised")},
        },
        epoch_rows(options.epochs, test_psnr_db=NUMBER),
    )


def draw(results: Results) -> Figures:
    """Clean, noisy and denoised digits; PSNR after each epoch and at each noise level."""
    arrays, numbers = results.arrays, results.numbers
    noise = f"noise of standard deviation {numbers['noise_std']:g}"
    digits = figures.rows_of_images(
        [arrays["clean"], arrays["noisy"], arrays["denoised"]],
        [
            "clean",
            f"noisy\n{numbers['noisy_psnr_db']:.1f} dB",
            f"denoised\n{numbers['denoised_psnr_db']:.1f} dB",
        ],
    )
    by_epoch = figures.epoch_chart(
        {"denoised": results.rows},
        "test_psnr_db",
        f"PSNR on {numbers['test_images']:,} test images (dB)",
        levels={"noisy input": numbers["noisy_psnr_db"]},
        title=f"Denoising, {noise}",
    )
    levels, measured = arrays["noise_levels"], arrays["psnr_by_level"]
    by_level = figures.line_chart(
        {"denoised": (levels, measured[:, 1]), "noisy input": (levels, measured[:, 0])},
        "standard deviation of the test noise (pixels in [0, 1])",
        f"PSNR on {numbers['test_images_by_noise']:,} test images (dB)",
        title=f"One denoiser, trained on {noise}",
    )
    return {"digits": digits, "psnr_by_epoch": by_epoch, "psnr_by_noise": by_level}


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    levels, measured = results.arrays["noise_levels"], results.arrays["psnr_by_level"]
    noisy, mean, denoised = (numbers[f"{what}_psnr_db"] for what in ("noisy", "mean", "denoised"))
    gains = measured[:, 1] - measured[:, 0]
    trained_on, size = numbers["noise_std"], numbers["latent_size"]
    bottleneck = f"with d = {size}" if size else "without a bottleneck"
    return {
        "digits": Caption(
            f"Test images, with noise of standard deviation {trained_on:g}, and what a denoiser "
            f"{bottleneck} makes of them after {spelled_epochs(numbers['epochs'])} on "
            f"{numbers['train_images']:,} images. PSNR (peak signal-to-noise ratio: higher "
            f"is better) on {numbers['test_images']:,} test images, measured unclipped: "
            f"{noisy:.2f} dB noisy, {denoised:.2f} dB denoised, {mean:.2f} dB for the mean "
            "training image.",
            {
                "The strokes come back where the noise hid them, a little soft: squared loss gives "
                "the mean of all digits that could lie under the noise.": size > 0
                and denoised > mean + 1,
            },
        ),
        "psnr_by_epoch": Caption(
            "What the denoiser reaches on test images after each epoch.",
            {
                "It beats the noisy input.": denoised > noisy,
                "It is no better than the mean training image: train longer.": denoised <= mean,
            },
        ),
        "psnr_by_noise": Caption(
            f"The same denoiser at other noises than its own, which is {trained_on:g}.",
            {
                "It gains more, the more noise there is.": bool((numpy.diff(gains) > 0).all()),
                f"At a noise of {levels[0]:g} its output is further off than its input.": bool(
                    gains[0] < 0
                ),
            },
        ),
    }


section = Section.of(
    __name__,
    title="Denoising images",
    equation=r"\min_{\phi}\ \frac{1}{N}\sum_{n=1}^{N}"
    r"\left\|x_n-\phi(x_n+\epsilon_n)\right\|^2,\quad \epsilon_n\sim\mathcal{N}(0,\sigma^2 I)",
    description="Trains the lecture's autoencoder to remove Gaussian noise from digits.",
    topics=(13, 14),
    sources=("Vincent et al., Extracting and composing robust features, 2008",),
)
