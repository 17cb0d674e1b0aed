"""What the section on the weakness of squared loss measures, against sums over a fine grid."""

import numpy
import pytest

from autoencoder.densities import GaussianMixture
from autoencoder.lecture import shared
from autoencoder.lecture.run import Run
from autoencoder.lecture.sections import load_demo
from autoencoder.storage.results import Results

multimodal = load_demo("multimodal")
CASES, NOISE_STD = multimodal.CASES, multimodal.NOISE_STD
LINE = numpy.linspace(-3, 3, 601)
STEP = LINE[1] - LINE[0]


@pytest.fixture(params=list(CASES), scope="module")
def on_grid(request):
    """The grid (P, 2) and the posterior there, by Bayes' rule from prior and noise, normalised."""
    prior, noisy = CASES[request.param]
    grid = numpy.stack(numpy.meshgrid(LINE, LINE), axis=-1).reshape(-1, 2)
    prior_at = numpy.zeros(len(grid))
    for weight, mean in zip(prior.weights, prior.means):
        squares = ((grid - mean) ** 2).sum(axis=1)
        prior_at += weight * numpy.exp(-squares / (2 * 0.15**2))
    likelihood = numpy.exp(-((grid - noisy) ** 2).sum(axis=1) / (2 * NOISE_STD**2))
    probability = prior_at * likelihood
    return request.param, grid, probability / probability.sum()


def test_mean_and_componentwise_median_are_those_of_the_grid(on_grid):
    case, grid, probability = on_grid
    posterior = multimodal.posterior_at(case)
    assert numpy.allclose(posterior.weights @ posterior.means, probability @ grid, atol=1e-6)
    median = multimodal.componentwise_median(posterior)
    for axis in range(2):
        below = probability[grid[:, axis] < median[axis] - STEP].sum()
        at_most = probability[grid[:, axis] <= median[axis] + STEP].sum()
        assert below <= 0.5 <= at_most


def test_median_minimises_the_absolute_error_over_samples():
    mixture = GaussianMixture([0.3, 0.7], [[-1.0, 2.0], [1.0, 0.0]], 0.3**2)
    samples = mixture.sample(20_000, numpy.random.default_rng(0), dtype="float64")
    median = multimodal.componentwise_median(mixture)
    assert numpy.allclose(median, numpy.median(samples, axis=0), atol=0.02)


def test_mean_of_each_case_lies_in_no_mode_and_so_does_the_median_of_three():
    for case in CASES:
        posterior = multimodal.posterior_at(case)
        at_modes = posterior.log_prob(posterior.means).min()
        assert posterior.log_prob((posterior.weights @ posterior.means)[None])[0] < at_modes - 5
    three = multimodal.posterior_at("three modes")
    median = multimodal.componentwise_median(three)
    assert three.log_prob(median[None])[0] < three.log_prob(three.means).min() - 10


def test_sharpness_falls_when_an_image_is_blurred():
    sharp = numpy.zeros((1, 1, 9, 9))
    sharp[..., 3:6] = 1.0
    blurred = (sharp + numpy.roll(sharp, 1, axis=-1) + numpy.roll(sharp, -1, axis=-1)) / 3
    assert shared.gradient_energy(blurred) < shared.gradient_energy(sharp)
    assert multimodal.mid_grey(blurred) > multimodal.mid_grey(sharp) == 0


def test_gradient_energy_is_the_sum_over_neighbours():
    image = numpy.random.default_rng(0).random((4, 5))
    across = [(image[i, j] - image[i, j + 1]) ** 2 for i in range(4) for j in range(4)]
    down = [(image[i, j] - image[i + 1, j]) ** 2 for i in range(3) for j in range(5)]
    expected = (numpy.mean(across) + numpy.mean(down)) / 2
    assert shared.gradient_energy(image) == pytest.approx(expected, rel=1e-12)


def test_candidates_are_the_best_match_of_each_frequent_class():
    near = numpy.array([10, 11, 12, 13, 14, 15])  # nearest first
    labels = numpy.zeros(16, int)
    labels[10:] = [4, 9, 9, 9, 7, 4]
    chosen = multimodal._candidates(near, labels)
    assert chosen.tolist() == [11, 10, 14]
    assert multimodal._candidates(near, numpy.full(16, 3)).tolist() == [10, 11, 12]


def test_entropy_of_equal_shares_is_the_logarithm_of_their_number():
    assert shared._entropy(numpy.array([1, 2, 3, 4])) == pytest.approx(2.0)
    assert shared._entropy(numpy.array([5, 5, 5])) == 0


@pytest.mark.slow
def test_with_training_squared_loss_meets_the_mean_and_absolute_loss_the_median(tmp_path):
    section = multimodal.section
    options = section.options(preset="default", **section.presets["default"])
    run, results = Run("multimodal", options, tmp_path, tmp_path / "models", quiet=True), Results()
    multimodal._compute_points(run, results)
    assert results.numbers["two modes"]["error_to_median"] < 0.05
    for case in CASES:
        assert results.numbers[case]["error_to_mean"] < 0.05
