"""New digits: a Gaussian fitted to the latents, sampled and decoded."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass

from autoencoder import DiagonalGaussian, decode, figures
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import DeepOptions, columns_of, spelled_epochs, trained_autoencoder
from autoencoder.storage.checkpoint import FINITE
from autoencoder.storage.results import Needs, Results


@dataclass
class Options(DeepOptions):
    samples: int = option("samples to decode at each latent size", default=120)


PANEL_COLUMNS = 7


def check(run: Run[Options]) -> None:
    """A variance needs two images."""
    run.require_images(train=2, reason="a Gaussian")


def compute(run: Run[Options]) -> Results:
    """At each latent size: train, encode the training images, fit, sample, decode."""
    options = run.options
    test = run.images("test")
    drawn = run.rng("evaluation", 0).permutation(len(test))
    arrays = {"test": test[drawn[: options.samples]]}
    fits, rows = [], []
    for size in options.sizes:
        model, epochs = trained_autoencoder(run, size)
        density = DiagonalGaussian().fit(run.encoded(model, "train"))
        rng = run.rng("evaluation", 1, size)
        latents = density.sample(options.samples, rng)
        arrays[f"samples/{size}"] = decode(model, latents, **run.how)
        arrays[f"latents/{size}"] = latents
        arrays[f"mean/{size}"], arrays[f"std/{size}"] = density.mean, density.std
        rows += [{"latent_size": size, **row} for row in epochs]
        fits.append(
            {
                "latent_size": size,
                "epochs": options.epochs,
                "test_mse": epochs[-1]["test_mse"],
                "std_smallest": float(density.std.min()),
                "std_largest": float(density.std.max()),
            }
        )
    return Results(arrays, {"train_images": options.train_images, "fits": fits}, rows)


def needs(options: Options, found: Results) -> Needs:
    return Needs(
        {
            "test": "N C H W",
            **{f"samples/{size}": f"{options.samples} C H W" for size in options.sizes},
        },
        {
            "train_images": options.train_images,
            "fits": [
                {
                    "latent_size": size,
                    "epochs": options.epochs,
                    **dict.fromkeys(("test_mse", "std_smallest", "std_largest"), FINITE),
                }
                for size in options.sizes
            ],
        },
    )


def draw(results: Results) -> Figures:
    """Test images beside samples at each latent size; each size's samples as a large grid."""
    arrays, numbers = results.arrays, results.numbers
    panels, grids = {"test images": arrays["test"][: PANEL_COLUMNS**2]}, {}
    for fit in numbers["fits"]:
        size, epochs = fit["latent_size"], spelled_epochs(fit["epochs"])
        samples = arrays[f"samples/{size}"]
        panels[f"samples, d = {size}"] = samples[: PANEL_COLUMNS**2]
        title = f"Decoded samples of a diagonal Gaussian, d = {size} ({epochs})"
        grids[f"samples_d{size}"] = figures.image_grid(samples, title=title)
    return {"samples": figures.image_panels(panels, columns=PANEL_COLUMNS), **grids}


def captions(results: Results) -> dict[str, Caption]:
    numbers, fits = results.numbers, results.numbers["fits"]
    fitted = columns_of(fits)
    said = {
        "samples": Caption(
            "A mean and a standard deviation for each latent, fitted to "
            f"{numbers['train_images']:,} training images; samples of that density, decoded, none "
            "of them chosen. Beside test images, look for strokes that end nowhere, closed blots "
            "and shapes between two digits. How well images are reconstructed and how well samples "
            "look are two questions; the next section measures the second.",
            table={
                "d": fitted["latent_size"],
                "training": [*map(spelled_epochs, fitted["epochs"])],
                "smallest std": fitted["std_smallest"],
                "largest std": fitted["std_largest"],
                "error of reconstructions": fitted["test_mse"],
            },
        )
    }
    for fit in fits:
        size = fit["latent_size"]
        said[f"samples_d{size}"] = Caption(
            f"All {len(results.arrays[f'samples/{size}'])} samples at d = {size}. "
            f"The latents' standard deviations lie between {fit['std_smallest']:.2f} and "
            f"{fit['std_largest']:.2f}."
        )
    return said


section = Section.of(
    __name__,
    title="Generating digits",
    equation=r"z\sim\mathcal{N}\left(\mu,\ \mathrm{diag}(\sigma_1^2,\ldots,\sigma_d^2)\right),"
    r"\qquad x=g(z)",
    description="Fits a Gaussian with diagonal covariance to the latents, samples and decodes.",
    topics=(10,),
    sources=("Fleuret, Deep learning, course of the University of Geneva",),
)
