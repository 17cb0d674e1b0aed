"""What every section leaves as a command, and that it can be drawn again from what it left."""

import csv
import math
import sys
import types

import pytest
from matplotlib.image import imread
from matplotlib.text import Text
from PIL import Image

from autoencoder.figures import house_style
from autoencoder.lecture.caption import said_in_text
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Section, main
from autoencoder.lecture.sections import load_demo, load_section
from autoencoder.storage.results import Results

FIGURES = {  # the main one first
    "manifold": ["manifold", "network", "coordinate", "loss", "gap", "trap", "circle"],
    "linear_is_pca": ["descent", "columns", "failures", "pca_error"],
    "train_autoencoder": ["digits", "error_by_size", "error_by_epoch", "network", "layers"],
    "linear_bottleneck": ["digits", "error_by_epoch"],
    "interpolate": ["walks", "distances"],
    "sample_latent": ["samples", "samples_d8", "samples_d16"],
    "latent_density": ["latent_pairs", "latent_marginals", "nearest", "energy_distance"],
    "density_ladder": ["ladder_d16", "ladder_d8", "frechet_distance"],
    "restore": ["scattered", "block", "halves", "psnr_by_share"],
    "denoise_2d": ["arrows", "posterior_mean", "score"],
    "compare_denoisers": ["digits", "psnr_by_noise"],
    "multimodal": ["points", "digits"],
    "cures": ["restorations", "densities", "posteriors"],
    "denoiser_to_diffusion": ["samples", "walks", "scores", "flow", "ladder"],
    "variational": ["samples", "told", "bound_by_epoch"],
    "degrees_of_freedom": [
        "error_by_latent_size",
        *(f"faces_{count}_factors" for count in (3, 6)),
        *("generated", "turned", "coloured"),
        *(f"traversals_{count}_factors" for count in (3, 6)),
    ],
}
FIGURES |= {  # of demos that are no sections
    "train_denoiser": ["digits", "psnr_by_epoch", "psnr_by_noise"],
    "classify": ["accuracy", "mistakes", "confusion"],
}
# How wide and high a figure is shown on a screen of 1280 x 720 at most, in pixels.
DOTS = 120  # an inch of a saved figure
ROOM = {"page": (1184, 640), "slides": (1232, 584)}
OWN_LOSS = {"cures", "denoiser_to_diffusion", "variational", "classify"}  # which has one scale
EXTRA = {
    "train_autoencoder": {"model.txt"},
    **{key: {"checkpoint.npz"} for key in ("linear_bottleneck", "train_denoiser", "classify")},
}


@pytest.fixture(params=FIGURES, scope="module")
def finished(request, tmp_path_factory, smoke_run):
    """A section, its figures' names and the folder of its smoke run."""
    folder = smoke_run(request.param, tmp_path_factory.mktemp(request.param))
    return load_section(request.param), FIGURES[request.param], folder


@pytest.fixture(scope="module")
def drawn(finished):
    """The section's figures, drawn from its results once more."""
    section, _, folder = finished
    with house_style():
        return section.draw(Results.load(folder / "results.npz"))


def is_finite(value):
    if isinstance(value, (dict, list)):
        return all(map(is_finite, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) or math.isfinite(value)


def test_a_smoke_run_leaves_its_files_its_figures_twice_and_finite_numbers(finished, drawn):
    section, figures, folder = finished
    results = Results.load(folder / "results.npz")
    assert list(drawn) == figures
    files = {path.name for path in folder.glob("[!.]*") if path.is_file()}
    expected = {f"{figure}.{kind}" for figure in figures for kind in ("png", "svg")}
    expected |= {"config.json", "results.npz", "metrics.csv", "summary.txt"}
    assert files == expected | EXTRA.get(section.name, set())
    for name in figures:
        assert imread(folder / f"{name}.png")[..., :3].std() > 0.01
        assert b"<svg" in (folder / f"{name}.svg").read_bytes()
    assert results.numbers
    assert is_finite(results.numbers)
    assert (folder / "summary.txt").read_text() == said_in_text(section.said(results, "smoke"))


@pytest.mark.parametrize("shown_as", ["page", "slides"])
def test_no_text_of_a_figure_is_small_on_a_projector(finished, drawn, shown_as):
    """Subscripts aside: on a screen of 1280 x 720 letters are 18 pixels an em and more."""
    _, _, folder = finished
    for name, figure in drawn.items():
        with Image.open(folder / f"{name}.png") as picture:
            inches = [side / DOTS for side in picture.size]
        scale = min(room / side for room, side in zip(ROOM[shown_as], inches, strict=True))
        for axes in figure.axes:  # ticks get their labels when somebody asks
            axes.get_xticklabels(), axes.get_yticklabels()
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        assert texts, name
        smallest = min(texts, key=Text.get_fontsize)
        pixels = smallest.get_fontsize() / 72 * scale
        assert pixels >= 18, f"{name}, {inches}: {smallest.get_text()!r} has {pixels:.1f}"


def test_a_figure_says_in_words_what_is_to_be_seen(finished, drawn):
    _, _, folder = finished
    for name, figure in drawn.items():
        with Image.open(folder / f"{name}.png") as picture:
            picture.load()
            words = picture.text["Description"]
        assert len(words) > 40, name
        for axes in figure.axes:
            for label in axes.get_yticklabels() if axes.images else ():
                assert " ".join(label.get_text().split()) in words


def test_both_scales_of_the_loss_are_in_the_metrics(finished):
    section, _, folder = finished
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    components = 2 if section.name in ("manifold", "denoise_2d") else 784
    assert rows
    for row in rows:
        if "train_loss_per_sample" in row and section.name not in OWN_LOSS:
            ratio = float(row["train_loss_per_sample"]) / float(row["train_loss"])
            expected = 2 if "modes" in row.get("run", "") else components
            assert ratio == pytest.approx(expected, rel=1e-6)
        if "test_sum_per_sample" in row:
            sums = float(row["test_sum_per_sample"])
            assert sums == pytest.approx(components * float(row["test_mse"]))


def test_replot_draws_the_same_bytes_without_computing(finished, monkeypatch):
    section, figures, folder = finished
    drawn = [folder / f"{name}.{kind}" for name in figures for kind in ("png", "svg")]
    drawn.append(folder / "summary.txt")
    before = [path.read_bytes() for path in drawn]
    for path in drawn:
        path.unlink()
    monkeypatch.setattr("autoencoder.lecture.run.train", None)
    monkeypatch.setattr(load_demo("linear_is_pca"), "train_linear", None)
    monkeypatch.setattr(Run, "trained", None)
    monkeypatch.setattr(Run, "images", None)
    assert main(section, ["--replot", "--out", str(folder)]) == 0
    assert [path.read_bytes() for path in drawn] == before


def test_a_section_says_which_of_its_parts_is_missing(monkeypatch):
    demo = types.ModuleType("mine")
    demo.compute = demo.draw = demo.needs = demo.Options = object
    monkeypatch.setitem(sys.modules, "mine", demo)
    with pytest.raises(TypeError, match=r"mine: a section has .*; without captions"):
        Section.of("mine", title="Mine", equation="x", description="Mine.")
