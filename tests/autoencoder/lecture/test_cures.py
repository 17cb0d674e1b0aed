"""The section on cures: answers that are densities, and samples of what was erased."""

import copy
import math

import numpy
import pytest

import minigrad
from autoencoder.densities import GaussianMixture
from autoencoder.lecture import shipped
from autoencoder.lecture.run import Run
from autoencoder.lecture.sections import load_demo
from autoencoder.lecture.shared import SHOWN, hidden_part
from autoencoder.metrics import mse_per_pixel
from autoencoder.models import MixtureDensityNetwork
from autoencoder.storage.results import Results

cures = load_demo("cures")


def test_no_claim_is_made_that_the_numbers_deny(smoke):
    _, results = smoke("cures")
    captions = cures.captions(results)
    assert "as good as the exact posterior" not in captions["densities"].said  # too little training
    learnt = copy.deepcopy(results)
    learnt.numbers["two modes"]["lead"] = learnt.numbers["three modes"]["lead"] = 0.01
    assert "as good as the exact posterior" in cures.captions(learnt)["densities"].said


def test_the_gaussian_of_squared_loss_is_the_likeliest_of_its_width(smoke):
    """With the mean squared error as its variance, d/2 (1 + log 2 pi s^2) nats are lost."""
    _, results = smoke("cures")
    for case in ("two modes", "three modes"):
        numbers = results.numbers[case]
        expected = -(1 + math.log(2 * math.pi * numbers["std"] ** 2))
        assert numbers["squared"] == pytest.approx(expected, rel=1e-6)
        assert numbers["exact"] - numbers["learnt"] == pytest.approx(numbers["lead"])


def test_the_likelihood_is_the_mean_over_points():
    minigrad.manual_seed(0)
    network = MixtureDensityNetwork(2, components=3)
    rng = numpy.random.default_rng(0)
    x, y = rng.normal(size=(2, 6, 2)).astype("float32")
    one_by_one = []
    for i in range(6):
        weights, means, stds = cures.density_at(network, x[i : i + 1])
        one_by_one.append(-GaussianMixture(weights, means, stds**2).log_prob(y[i : i + 1])[0])
    found = cures.negative_log_likelihood(network, minigrad.Tensor(x), minigrad.Tensor(y))
    assert found.item() == pytest.approx(numpy.mean(one_by_one), rel=1e-5)


def test_restorations_that_ship_are_sharp_and_their_mean_is_squared_losss_answer():
    results = shipped.read_results(shipped.FOLDER / "results" / "cures.npz")
    digits = results.numbers["digits"]
    assert digits["answers"] >= 20
    assert digits["energy_answers"] >= 2 * digits["energy_squared"]
    assert digits["energy_mean"] == pytest.approx(digits["energy_squared"], rel=0.2)
    assert digits["error_mean"] <= 1.05 * digits["error_squared"]
    assert digits["several_classes"] >= digits["measured"] / 2
    assert "their mean is as blurred" in cures.captions(results)["restorations"].said
    arrays = results.arrays
    mask = arrays["digits/mask"]
    mean, squared, original = (
        hidden_part(arrays[f"digits/{name}"], mask) for name in ("mean", "squared", "original")
    )
    assert len(mean) == SHOWN
    assert mse_per_pixel(mean, original) <= 1.05 * mse_per_pixel(squared, original)


@pytest.mark.slow
def test_with_training_the_answer_in_the_plane_is_as_good_as_the_exact_posterior(tmp_path):
    section = cures.section
    options = section.options(preset="default", **section.presets["default"])

    run = Run("cures", options, tmp_path, tmp_path / "models", quiet=True)
    results = Results()
    for number, case in enumerate(cures.blur.CASES):
        cures._compute_points(run, results, case, number)
        numbers = results.numbers[case]
        assert numbers["lead"] < 0.03
        assert numbers["exact"] - numbers["squared"] > 0.5
        assert numbers["energy"] < numbers["energy_noise"] + 2 * numbers["energy_deviation"]
