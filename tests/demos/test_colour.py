"""Every section on images of 32 x 32 pixels in colour without labels, which nobody foresaw."""

from pathlib import Path

import numpy
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from autoencoder.data.faces import sample_faces
from autoencoder.densities import DiagonalGaussian
from autoencoder.lecture.explorer import Explorer
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import SECTIONS, load_section
from autoencoder.models import AutoEncoder


@pytest.fixture
def faces():
    images, _ = sample_faces(600, numpy.random.default_rng(0), 8, 32)
    numpy.save("faces.npy", images)


def outcome(name, capsys, arguments):
    """The exit status of a section, and its line on standard error."""
    try:
        status = main(load_section(name), arguments)
    except SystemExit as stop:
        status = stop.code
    return status, capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [*SECTIONS, "train_denoiser", "classify"])
def test_a_section_computes_and_draws_colour_or_says_why_not_before_it_writes(name, faces, capsys):
    arguments = ["--preset", "smoke", "--data", "faces.npy", "--out", "run"]
    status, error = outcome(name, capsys, arguments)
    if status != 0:
        assert status == 2
        assert error.count("\n") == 1
        assert "--data" in error
        assert not Path("run").exists()
        return
    pictures = list(Path("run").glob("*.png"))
    assert pictures
    grey = {"manifold", "denoise_2d", "degrees_of_freedom"}  # which make up their own data
    if name not in grey:
        spread = [float(numpy.ptp(imread(path)[..., :3], axis=2).max()) for path in pictures]
        assert max(spread) > 0.2


def test_pca_of_images_too_large_for_memory_is_one_line(tmp_path, monkeypatch, capsys):
    images = numpy.random.default_rng(0).integers(0, 256, (90, 16, 16, 3), "uint8")
    numpy.save("large.npy", images)
    monkeypatch.setattr("autoencoder.lecture.run.LARGEST_MATRIX", 2**18)
    for name in ("linear_is_pca", "train_autoencoder", "linear_bottleneck", "restore"):
        arguments = ["--preset", "smoke", "--data", "large.npy"]
        status, error = outcome(name, capsys, arguments)
        assert status == 2
        assert "of images of 768 numbers needs a matrix of" in error
        assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["large.npy"]


def test_the_explorer_shows_colour():
    images = numpy.random.default_rng(0).random((4, 3, 16, 16), dtype="float32")
    density = DiagonalGaussian([0.0] * 3, [1.0] * 3)
    rng = numpy.random.default_rng(0)
    model = AutoEncoder(3, 16, 3)
    explorer = Explorer(Figure(), model, images, numpy.arange(4), density, rng)
    explorer.random_image()
    assert explorer.decoded.shape == (16, 16, 3)
    shown = numpy.asarray(explorer.original.get_array())
    numpy.testing.assert_allclose(shown, images[explorer.index].transpose(1, 2, 0))
