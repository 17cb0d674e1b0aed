"""Comparing denoisers: the same noisy images for all, and the training of train_denoiser."""

import numpy
import pytest

from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_demo, load_section
from autoencoder.storage.results import Results

demo = load_demo("compare_denoisers")


@pytest.fixture
def table(smoke):
    _, results = smoke("compare_denoisers")
    return {(row["denoiser"], row["test_noise_std"]): row["test_psnr_db"] for row in results.rows}


def test_the_noisy_input_has_the_psnr_of_its_noise(table):
    for noise in demo.TEST_NOISES:
        assert table[demo.INPUT, noise] == pytest.approx(-20 * numpy.log10(noise), abs=0.1)


def test_the_middle_denoiser_is_that_of_train_denoiser(table, tmp_path):
    arguments = ["--preset", "smoke", "--out", str(tmp_path)]
    for key in ("train_images", "test_images"):
        arguments += [f"--{key.replace('_', '-')}", str(demo.section.presets["smoke"][key])]
    assert main(load_section("train_denoiser"), arguments) == 0
    alone = Results.load(tmp_path / "results.npz").numbers["denoised_psnr_db"]
    name = f"d = 32, trained on σ = {demo.MIDDLE:g}"
    assert table[name, demo.MIDDLE] == alone
