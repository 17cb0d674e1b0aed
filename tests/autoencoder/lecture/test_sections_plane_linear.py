"""The sections on curves, PCA, points and ambiguity as commands: files, numbers, redrawing."""

import csv
import math

import pytest

from autoencoder.lecture.caption import said_in_text
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_demo, load_section
from autoencoder.storage.results import Results

FIGURES = {
    "manifold": ["manifold", "coordinate", "loss", "circle"],
    "linear_is_pca": ["descent", "columns", "failures", "pca_error"],
    "denoise_2d": ["arrows", "posterior_mean", "score"],
    "multimodal": ["points", "digits"],
}


@pytest.fixture(params=list(FIGURES), scope="module")
def finished(request, tmp_path_factory, smoke_run):
    """A section, its figures' names and the folder of its smoke run."""
    section, figures = load_section(request.param), FIGURES[request.param]
    folder = smoke_run(request.param, tmp_path_factory.mktemp(request.param))
    return section, figures, folder


def _finite(value):
    if isinstance(value, dict):
        return all(_finite(part) for part in value.values())
    if isinstance(value, list):
        return all(_finite(part) for part in value)
    return isinstance(value, str) or math.isfinite(value)


def test_smoke_run_writes_every_figure_twice_and_finite_numbers(finished):
    section, figures, folder = finished
    results = Results.load(folder / "results.npz")
    assert list(section.draw(results)) == figures
    for name in figures:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (folder / f"{name}.svg").read_bytes()
    assert results.numbers
    assert _finite(results.numbers)
    assert (folder / "summary.txt").read_text() == said_in_text(section.captions(results))


def test_both_scales_of_the_loss_are_in_the_metrics(finished):
    section, _, folder = finished
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    components = 2 if section.name in ("manifold", "denoise_2d") else None
    assert rows
    for row in rows:
        ratio = float(row["train_loss_per_sample"]) / float(row["train_loss"])
        expected = components or (2 if "modes" in row["run"] else 784)
        assert ratio == pytest.approx(expected, rel=1e-6)


def test_replot_draws_the_same_bytes_without_training(finished, monkeypatch):
    section, figures, folder = finished
    before = {name: (folder / f"{name}.png").read_bytes() for name in figures}
    for name in figures:
        (folder / f"{name}.png").unlink()
    monkeypatch.setattr("autoencoder.lecture.run.train", None)
    monkeypatch.setattr(load_demo("linear_is_pca"), "train_linear", None)
    assert main(section, ["--replot", "--out", str(folder)]) == 0
    assert {name: (folder / f"{name}.png").read_bytes() for name in figures} == before
