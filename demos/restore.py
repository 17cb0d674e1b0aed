"""Restoring missing components: pixels erased at random, in blocks, in halves."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass

import numpy

from autoencoder import (
    PCA,
    AutoEncoder,
    EraseBlock,
    EraseHalf,
    EraseOneOf,
    ErasePixels,
    figures,
    psnr,
    reconstruct,
)
from autoencoder.data.corruption import MaskedCorruption
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import DataOptions, spelled_epochs, table_of, tinted
from autoencoder.storage.checkpoint import NUMBER, TEXT
from autoencoder.storage.results import Needs, Results


@dataclass
class Options(DataOptions):
    train_images: int = option("training images to use", smoke=400, default=60_000)
    test_images: int = option(
        "test images to measure on", smoke=40, default=1_000, lecture=2_000, full=2_000
    )
    latent_size: int = option(
        "d, the autoencoder's bottleneck and the smaller PCA's size", default=32
    )
    components: int = option("the larger PCA's size", smoke=64, default=128)


# An erased pixel becomes mid-grey, a value few pixels have, so that it is not taken for background.
FILL = 0.5
BLOCK = 14
KINDS: dict[str, MaskedCorruption] = {
    "50 % of the pixels": ErasePixels(0.5),
    "90 % of the pixels": ErasePixels(0.9),
    f"a block of {BLOCK} × {BLOCK}": EraseBlock(BLOCK),
    "the left half": EraseHalf("left"),
    "the lower half": EraseHalf("bottom"),
}
# What fills the erased pixels is the same for all kinds: only their masks are asked for.
PLACES = {name: place for place, name in enumerate(KINDS)}
FIGURES = {"scattered": [*KINDS][:2], "block": [*KINDS][2:3], "halves": [*KINDS][3:]}
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
TRAINED_ON = EraseOneOf(
    [*(ErasePixels(share) for share in (0.1, 0.3, 0.5, 0.7, 0.9))]
    + 2 * [EraseBlock(BLOCK)]
    + [EraseHalf(side) for side in ("left", "right", "top", "bottom")],
    fill=FILL,
)
SHOWN = 8
SAID = ("epochs", "latent_size", "train_images", "test_images")  # options in captions


def check(run: Run[Options]) -> None:
    """The larger PCA is lowered to what the images allow; the smaller one is refused."""
    run.require_components(run.options.latent_size)
    run.limit("components", min(run.options.train_images - 1, run.dataset.train_images[0].size))


def compute(run: Run[Options]) -> Results:
    """Train one autoencoder on all kinds of erasure; measure every way on the erased pixels."""
    options = run.options
    train, clean = run.images("train"), run.images("test")
    rng = run.rng("evaluation", 2)
    chosen = {name: kind.mask(clean, rng) for name, kind in KINDS.items()}
    half = chosen["50 % of the pixels"]
    half_erased = TRAINED_ON.apply(clean, half)

    def evaluate(model: AutoEncoder) -> dict[str, float]:
        restored = reconstruct(model, half_erased, **run.how)
        return {"test_psnr_half_erased_db": psnr(restored, clean, mask=half)}

    model, _ = run.trained(
        "restorer",
        lambda: run.autoencoder(options.latent_size),
        train,
        run.settings(),
        corruption=TRAINED_ON,
        evaluate=evaluate,
        tested_on=clean,
    )
    mean = train.mean(axis=0, keepdims=True, dtype="float64").astype("float32")
    largest = PCA(max(options.components, options.latent_size)).fit(train)
    pcas = {f"PCA, d = {d}": largest.truncate(d) for d in (options.latent_size, options.components)}
    rows = []

    def fill_in(what: str, mask: numpy.ndarray) -> list[numpy.ndarray]:
        """The images filled in by each way, whose PSNR on the erased pixels becomes a row.

        PCA is told which pixels are lost. The network is not: it sees them grey.
        """
        erased = TRAINED_ON.apply(clean, mask)
        guesses = {
            "training mean": numpy.broadcast_to(mean, clean.shape),
            **{name: pca.fill_missing(erased, mask) for name, pca in pcas.items()},
            "autoencoder": reconstruct(model, erased, **run.how),
        }
        filled = [numpy.where(mask, guess, clean) for guess in guesses.values()]
        for name, images in zip(guesses, filled, strict=True):
            decibels = psnr(images, clean, mask=mask)
            rows.append({"erased": what, "filled_by": name, "psnr_erased_db": decibels})
        return filled

    arrays: dict[str, numpy.ndarray] = {"clean": clean[:SHOWN], "shares": numpy.array(SHARES)}
    for kind, mask in chosen.items():
        *_, by_pca, by_autoencoder = fill_in(kind, mask)
        arrays[f"mask/{PLACES[kind]}"] = mask[:SHOWN]
        arrays[f"pca/{PLACES[kind]}"] = by_pca[:SHOWN]
        arrays[f"autoencoder/{PLACES[kind]}"] = by_autoencoder[:SHOWN]
    for share in SHARES:
        fill_in(f"share {share:g}", ErasePixels(share).mask(clean, rng))
    names = ["training mean", *pcas, "autoencoder"]
    return Results(arrays, {"names": names, "kinds": [*KINDS], **options.by_name(*SAID)}, rows)


def needs(options: Options, found: Results) -> Needs:
    # How many components the larger PCA has depends on the images; it may be as small as the other.
    said = found.numbers.get("names")
    larger = [TEXT] if isinstance(said, list) and len(said) == 4 else []
    names = ["training mean", f"PCA, d = {options.latent_size}", *larger, "autoencoder"]
    erased = [*KINDS, *(f"share {share:g}" for share in SHARES)]
    return Needs(
        {
            "clean": "N C H W",
            "shares": numpy.array(SHARES),
            **{f"mask/{i}": "bool N C H W" for i in PLACES.values()},
            **{f"{way}/{i}": "N C H W" for i in PLACES.values() for way in ("pca", "autoencoder")},
        },
        {"names": names, "kinds": list(KINDS), **options.by_name(*SAID)},
        (
            {"erased": kind, "filled_by": name, "psnr_erased_db": NUMBER}
            for kind in erased
            for name in found.numbers["names"]
        ),
    )


def draw(results: Results) -> Figures:
    """Erased and restored digits, a block of rows for each kind; PSNR by kind and by share."""
    arrays, names = results.arrays, results.numbers["names"]
    measured = table_of(results, "erased", "filled_by", "psnr_erased_db")
    drawn: Figures = {}
    for figure, kinds in FIGURES.items():
        rows, titles = [arrays["clean"]], ["original"]
        for kind in kinds:
            rows.append(tinted(arrays["clean"], arrays[f"mask/{PLACES[kind]}"]))
            titles.append(f"erased: {kind}")
            for way, key in zip(names[-2:], ("pca", "autoencoder"), strict=True):
                rows.append(arrays[f"{key}/{PLACES[kind]}"])
                titles.append(f"{way}: {measured[kind, way]:.1f} dB")
        drawn[figure] = figures.rows_of_images(rows, titles)
    percent = [100 * share for share in SHARES]
    drawn["psnr_by_share"] = figures.line_chart(
        {
            name: (percent, [measured[f"share {share:g}", name] for share in SHARES])
            for name in reversed(names)
        },
        "pixels erased at random (%)",
        "PSNR on the erased pixels (dB)",
        x_ticks=[10, 30, 50, 70, 90],
    )
    return drawn


def captions(results: Results) -> dict[str, Caption]:
    numbers, names = results.numbers, results.numbers["names"]
    measured = table_of(results, "erased", "filled_by", "psnr_erased_db")

    def lead(erased: str) -> float:
        """By how many dB the autoencoder, the last of the names, beats the best other way."""
        return measured[erased, names[-1]] - max(measured[erased, name] for name in names[:-1])

    def rivals(kinds: list[str]) -> str:
        """The names of the best other ways."""
        best = (max(names[:-1], key=lambda name: measured[kind, name]) for kind in kinds)
        return " or ".join(dict.fromkeys(best))

    texts = {
        "scattered": f"One autoencoder (d = {numbers['latent_size']}) was trained to restore all "
        f"these erasures, {spelled_epochs(numbers['epochs'])} on {numbers['train_images']:,} "
        "images with fresh masks for every batch. Erased pixels are blue; visible ones are kept as "
        f"they are. PSNR on the erased pixels alone, of {numbers['test_images']:,} test images.",
        "block": "The same network, with a block erased at a random place.",
        "halves": "The same network, with a half erased.",
    }
    said = {
        figure: Caption(
            texts[figure],
            _claims([lead(kind) for kind in kinds], rivals(kinds)),
            {
                "PSNR in dB, filled in by": names,
                **{kind: [measured[kind, name] for name in names] for kind in kinds},
            },
        )
        for figure, kinds in FIGURES.items()
    }
    leads = {f"{100 * share:g} %": lead(f"share {share:g}") for share in SHARES}
    least, most = min(leads, key=leads.__getitem__), max(leads, key=leads.__getitem__)
    behind = sum(by < 0 for by in leads.values())
    others = rivals([f"share {share:g}" for share in SHARES])
    whole = [lead(kind) for kind in FIGURES["block"] + FIGURES["halves"]]
    said["psnr_by_share"] = Caption(
        "PCA fills in the conditional mean of a Gaussian: a linear guess from the visible pixels.",
        {
            f"On scattered pixels {others} is ahead at {behind} of {len(leads)} shares, by up to "
            f"{-leads[least]:.2f} dB ({least} erased).": behind > 0,
            "On scattered pixels the autoencoder is ahead at every share, by up to "
            f"{leads[most]:.2f} dB ({most} erased).": leads[least] > 0,
            f"On the block and the halves the autoencoder leads by {_span(whole)} dB.": min(whole)
            > 0,
        },
    )
    return said


def _span(values: list[float]) -> str:
    """From the least to the largest, to two decimals."""
    ends = dict.fromkeys(f"{value:.2f}" for value in (min(values), max(values)))
    return " to ".join(ends)


def _claims(leads: list[float], rivals: str) -> dict[str, bool]:
    """Which way fills in best, and by how much, from the autoencoder's leads."""
    behind = [-lead for lead in leads]
    signed = ", ".join(f"{lead:+.2f} dB" for lead in leads)
    return {
        f"The autoencoder fills in best, {_span(leads)} dB ahead of {rivals}.": min(leads) > 0,
        f"{rivals} fills in best: the autoencoder stays {_span(behind)} dB behind.": max(leads) < 0,
        f"The autoencoder's lead over {rivals}, row by row: {signed}.": min(leads) < 0 < max(leads),
    }


section = Section.of(
    __name__,
    title="Restoring missing components",
    equation=r"\min_{f,g}\ \frac{1}{N}\sum_{n=1}^{N}\left\|x_n-g(f(\tilde{x}_n))\right\|^2,"
    r"\qquad \tilde{x}_n = x_n\ \mathrm{with\ components\ erased}",
    description="Trains an autoencoder to fill in erased pixels, and compares it with the "
    "training mean of each pixel and with PCA.",
    topics=(12,),
    sources=("Vincent et al., Extracting and composing robust features, 2008",),
)
