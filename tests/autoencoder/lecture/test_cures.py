"""The section on cures: answers that are densities, and samples of what was erased."""

import copy
import math

import numpy
import pytest

import minigrad
from autoencoder.densities import GaussianMixture
from autoencoder.densities.restoration import misfit_gradients, sample_latents
from autoencoder.lecture.run import Run
from autoencoder.lecture.sections import load_demo
from autoencoder.models import MixtureDensityNetwork
from autoencoder.storage.results import Results
from minigrad import nn

cures = load_demo("cures")


@pytest.fixture(scope="module")
def results(tmp_path_factory, smoke_run):
    return Results.load(smoke_run("cures", tmp_path_factory.mktemp("cures")) / "results.npz")


def test_every_figure_has_a_caption_and_no_claim_is_made_that_the_numbers_deny(results):
    captions = cures.captions(results)
    figures = {"restorations", "densities", "posteriors"}
    assert set(captions) == set(cures.draw(results)) == figures
    assert "as good as the exact posterior" not in captions["densities"].said  # too little training
    learnt = copy.deepcopy(results)
    learnt.numbers["two modes"]["lead"] = learnt.numbers["three modes"]["lead"] = 0.01
    assert "as good as the exact posterior" in cures.captions(learnt)["densities"].said


def test_the_gaussian_of_squared_loss_is_the_likeliest_of_its_width(results):
    """With the mean squared error as its variance, d/2 (1 + log 2 pi s^2) nats are lost."""
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


class LinearDecoder(nn.Module):
    """g(z) = A z as an image of 1 x 1 x 6: what is sampled then has a closed form."""

    latent_size = 2

    def __init__(self, matrix):
        super().__init__()
        self.matrix = nn.Parameter(matrix.astype("float32"))

    def decode(self, z):
        return (z @ self.matrix.T).reshape(len(z), 1, 1, 6)


def test_sampled_latents_follow_bayes_rule_where_it_has_a_closed_form():
    """A Gaussian prior and a linear decoder: the posterior's precision is a sum of two."""
    stds = numpy.geomspace(1.0, 0.15, 800).tolist()  # a walk that comes to rest
    rng = numpy.random.default_rng(0)
    matrix = 20 * rng.normal(size=(6, 2))  # a latent's spread moves the pixels as digits' do
    mean, covariance = numpy.array([1.0, -1.0]), numpy.array([[0.09, 0.02], [0.02, 0.04]])
    prior = GaussianMixture([1.0], [mean], [covariance])
    visible = numpy.array([True, False, False, False, False, False]).reshape(1, 1, 6)
    images = (prior.sample(2, rng, "float64") @ matrix.T).reshape(2, 1, 1, 6)
    sampled = sample_latents(
        LinearDecoder(matrix), prior, images, visible, 1_500, 4_000, rng, covariance, stds=stds
    )
    seen, width = matrix[:1], stds[-1]
    posterior = numpy.linalg.inv(numpy.linalg.inv(covariance) + seen.T @ seen / width**2)
    for image, latents in zip(images, sampled, strict=True):
        wanted = numpy.linalg.solve(covariance, mean) + seen.T @ image[visible] / width**2
        root = numpy.linalg.inv(numpy.linalg.cholesky(posterior))  # in units of the posterior
        off = root @ (latents.mean(axis=0) - posterior @ wanted)
        spread = numpy.linalg.eigvalsh(root @ numpy.cov(latents.T) @ root.T)
        assert numpy.abs(off).max() < 0.15
        assert 0.8 < spread.min() <= spread.max() < 1.8  # steps of finite size widen it a little


def test_the_gradients_of_the_misfit_agree_with_differences():
    rng = numpy.random.default_rng(1)
    decoder, visible = LinearDecoder(rng.normal(size=(6, 2))), rng.random((1, 1, 6)) < 0.5
    z, wanted = rng.normal(size=(40, 2)), rng.normal(size=(40, int(visible.sum())))

    def misfit(z):
        return 0.5 * ((z @ decoder.matrix.data.T.astype("float64"))[:, visible[0, 0]] - wanted) ** 2

    found = misfit_gradients(decoder, z, wanted, visible)
    for i, step in enumerate(1e-5 * numpy.eye(2)):
        slope = (misfit(z + step) - misfit(z - step)).sum(axis=1) / 2e-5
        numpy.testing.assert_allclose(found[:, i], slope, atol=1e-5)


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
