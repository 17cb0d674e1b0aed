"""Mixtures fitted by expectation-maximisation: closed form, scikit-learn, and what must hold."""

import numpy
import pytest

from autoencoder.densities import FullGaussian, GaussianMixture
from autoencoder.densities.em import maximise, start_at_spread_points

TRUTH = GaussianMixture(
    [0.2, 0.5, 0.3],
    [[-4.0, 0.5], [3.0, 0.0], [0.3, -5.2]],
    [[[0.3, 0.1], [0.1, 0.2]], [[0.1, -0.05], [-0.05, 0.4]], [[0.2, 0.0], [0.0, 0.2]]],
)


def generator(seed=0):
    return numpy.random.default_rng(seed)


@pytest.fixture(scope="module")
def x():
    return TRUTH.sample(4_000, generator(), dtype="float64")


def test_one_component_is_the_gaussian_of_closed_form(x):
    mixture = GaussianMixture.fit(x, 1, generator(), jitter=0.0)
    gaussian = FullGaussian().fit(x)
    numpy.testing.assert_allclose(mixture.means[0], gaussian.mean, rtol=1e-12)
    numpy.testing.assert_allclose(mixture.covariances[0], gaussian.covariance, rtol=1e-12)


def test_a_mixture_far_apart_is_found_again(x):
    mixture = GaussianMixture.fit(x, 3, generator(), restarts=3)
    order, truth = numpy.argsort(mixture.means[:, 0]), numpy.argsort(TRUTH.means[:, 0])
    numpy.testing.assert_allclose(mixture.weights[order], TRUTH.weights[truth], atol=0.02)
    numpy.testing.assert_allclose(mixture.means[order], TRUTH.means[truth], atol=0.05)
    numpy.testing.assert_allclose(mixture.covariances[order], TRUTH.covariances[truth], atol=0.03)


@pytest.mark.parametrize("seed", range(12))
def test_the_log_likelihood_never_falls_and_is_that_of_the_result(seed):
    rng = generator(seed)
    d, components = int(rng.integers(1, 6)), int(rng.integers(1, 7))
    x = rng.standard_t(4, size=(600, d)) @ rng.normal(size=(d, d))  # no mixture made these
    mixture = GaussianMixture.fit(x, components, rng, jitter=0.0, tolerance=1e-9)
    rises = numpy.diff(mixture.log_likelihoods)
    assert (rises > -1e-12).all()
    assert mixture.log_likelihoods[-1] == pytest.approx(mixture.log_prob(x).mean(), rel=1e-12)


def test_the_maximisation_step_is_a_maximum():
    """Any other parameters near by make the weighted log-likelihood smaller."""
    rng = generator(1)
    x, responsibilities = rng.normal(size=(50, 2)), rng.dirichlet([1.0, 1.0, 1.0], size=50)

    def bound(weights, means, covariances):
        joint = GaussianMixture(weights, means, covariances).log_joint(x)
        return float((responsibilities * joint).sum())

    best = maximise(x, responsibilities, jitter=0.0)
    for _ in range(20):
        weights = best[0] * (1 + rng.normal(size=3) * 0.01)
        bend = numpy.eye(2) + rng.normal(size=(3, 2, 2)) * 0.01
        means = best[1] + rng.normal(size=best[1].shape) * 0.01
        covariances = bend @ best[2] @ bend.transpose(0, 2, 1)
        assert bound(weights / weights.sum(), means, covariances) < bound(*best)


@pytest.mark.parametrize("jitter", [0.0, 1e-3])
def test_it_agrees_with_scikit_learn_from_the_same_start(x, jitter):
    sklearn_mixture = pytest.importorskip("sklearn.mixture")
    weights, means, covariances = maximise(x, start_at_spread_points(x, 3, generator(5)), jitter)
    start = {"weights_init": weights, "means_init": means}
    start["precisions_init"] = numpy.linalg.inv(covariances)
    options = {"tol": 1e-4, "reg_covar": jitter, "max_iter": 200}
    theirs = sklearn_mixture.GaussianMixture(3, **options, **start).fit(x)
    ours = GaussianMixture.fit(x, 3, generator(5), jitter=jitter)
    # It counts a step of its own before it compares, so both may stop a step apart.
    assert abs(len(ours.log_likelihoods) - theirs.n_iter_) <= 1
    numpy.testing.assert_allclose(ours.weights, theirs.weights_, atol=1e-6)
    numpy.testing.assert_allclose(ours.means, theirs.means_, atol=1e-6)
    numpy.testing.assert_allclose(ours.covariances, theirs.covariances_, atol=1e-6)


def test_more_starts_are_never_less_likely():
    x = TRUTH.sample(300, generator(3), dtype="float64")
    few, many = (GaussianMixture.fit(x, 3, generator(0), restarts=n) for n in (1, 6))
    assert many.log_likelihoods[-1] >= few.log_likelihoods[-1]


def test_the_same_seed_gives_the_same_bits(x):
    one, two = (GaussianMixture.fit(x, 4, generator(7)) for _ in range(2))
    assert (one.means == two.means).all()
    assert (one.covariances == two.covariances).all()


def test_more_components_than_different_points_leave_some_empty():
    x = numpy.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    mixture = GaussianMixture.fit(x, 4, generator(), jitter=0.01)
    assert sorted(mixture.weights.round(9))[-2:] == [0.25, 0.75]
    assert mixture.sample(10, generator()).shape == (10, 2)


def test_the_jitter_is_added_to_every_variance():
    x = numpy.repeat([[0.0, 0.0], [5.0, 5.0]], 3, axis=0)
    mixture = GaussianMixture.fit(x, 2, generator(), jitter=0.25)
    numpy.testing.assert_allclose(mixture.covariances, [0.25 * numpy.eye(2)] * 2, atol=1e-12)


def test_components_that_shrink_onto_points_are_named():
    with pytest.raises(ValueError, match=r"GaussianMixture.fit: .*shrank onto too few of the po"):
        GaussianMixture.fit(numpy.arange(8.0).reshape(4, 2), 2, generator(), jitter=0.0)
