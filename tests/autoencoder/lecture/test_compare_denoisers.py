"""Comparing denoisers: the same noisy images for all, and the training of train_denoiser."""

import numpy
import pytest

from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_demo, load_section
from autoencoder.storage.results import Results

demo = load_demo("compare_denoisers")
section, INPUT, MIDDLE = demo.section, demo.INPUT, demo.MIDDLE
TEST_NOISES, TRAINING_NOISES = demo.TEST_NOISES, demo.TRAINING_NOISES
SMOKE = section.presets["smoke"]


@pytest.fixture
def results(smoke):
    return smoke("compare_denoisers")[1]


def measured(results):
    return {(row["denoiser"], row["test_noise_std"]): row["test_psnr_db"] for row in results.rows}


def test_every_denoiser_is_measured_at_every_noise(results):
    table = measured(results)
    names = results.numbers["names"]
    assert len(names) == len(TRAINING_NOISES) + 1
    assert set(table) == {(name, noise) for name in [*names, INPUT] for noise in TEST_NOISES}


def test_the_noisy_input_has_the_psnr_of_its_noise(results):
    table = measured(results)
    for noise in TEST_NOISES:
        assert table[INPUT, noise] == pytest.approx(-20 * numpy.log10(noise), abs=0.1)


def test_the_middle_denoiser_is_that_of_train_denoiser(results, tmp_path):
    arguments = ["--preset", "smoke", "--out", str(tmp_path)]
    for key in ("train_images", "test_images"):
        arguments += [f"--{key.replace('_', '-')}", str(SMOKE[key])]
    assert main(load_section("train_denoiser"), arguments) == 0
    alone = Results.load(tmp_path / "results.npz").numbers["denoised_psnr_db"]
    name = f"d = 32, trained on σ = {MIDDLE:g}"
    assert measured(results)[name, MIDDLE] == alone
