"""The mixture against scipy.stats, finite differences, and posteriors integrated on a grid."""

import numpy
import pytest
from scipy.stats import multivariate_normal, norm

from autoencoder.densities import GaussianMixture, mixture

WEIGHTS = numpy.array([0.2, 0.5, 0.3])
MEANS = numpy.array([[-1.0, 0.5], [1.0, 0.0], [0.3, -1.2]])
COVARIANCES = numpy.array(
    [[[0.3, 0.1], [0.1, 0.2]], [[0.1, -0.05], [-0.05, 0.4]], [[0.2, 0.0], [0.0, 0.2]]]
)
STD = 0.4


@pytest.fixture
def prior():
    return GaussianMixture(WEIGHTS, MEANS, COVARIANCES)


@pytest.fixture
def x():
    return numpy.random.default_rng(0).normal(size=(40, 2)) * 1.5


def density_by_scipy(x, extra=0.0):
    return sum(
        w * multivariate_normal(m, c + extra * numpy.eye(2)).pdf(x)
        for w, m, c in zip(WEIGHTS, MEANS, COVARIANCES, strict=True)
    )


AXIS = numpy.linspace(-5, 5, 401)


def joint_on_a_grid(noisy):
    """Points of a fine grid and the joint density of each and of what was seen: no more."""
    grid = numpy.stack(numpy.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2)
    likelihood = norm.pdf(noisy[0], grid[:, 0], STD) * norm.pdf(noisy[1], grid[:, 1], STD)
    return grid, density_by_scipy(grid) * likelihood


def posterior_on_a_grid(noisy):
    """The mean and the covariance of the posterior, by Bayes' rule on the grid."""
    grid, mass = joint_on_a_grid(noisy)
    mass /= mass.sum()
    mean = mass @ grid
    return mean, (grid - mean).T @ ((grid - mean) * mass[:, None])


def test_log_prob_agrees_with_scipy(prior, x):
    numpy.testing.assert_allclose(prior.log_prob(x), numpy.log(density_by_scipy(x)), rtol=1e-10)


def test_log_prob_and_score_stay_finite_where_the_density_underflows(prior):
    far = numpy.array([[300.0, -400.0]])
    assert density_by_scipy(far) == 0.0
    assert numpy.isfinite(prior.log_prob(far)).all()
    assert numpy.isfinite(prior.score(far)).all()


def test_a_component_of_weight_zero_changes_nothing(prior, x):
    covariances = [*COVARIANCES, numpy.eye(2) * 0.01]
    padded = GaussianMixture([*WEIGHTS, 0.0], [*MEANS, [0.0, 0.0]], covariances)
    numpy.testing.assert_allclose(padded.log_prob(x), prior.log_prob(x))
    numpy.testing.assert_allclose(padded.score(x), prior.score(x))


def test_score_agrees_with_finite_differences_of_the_log_density(prior, x):
    step = 1e-5
    for axis, shift in enumerate(step * numpy.eye(2)):
        above, below = (numpy.log(density_by_scipy(x + s)) for s in (shift, -shift))
        slope = (above - below) / (2 * step)
        numpy.testing.assert_allclose(prior.score(x)[:, axis], slope, rtol=1e-6, atol=1e-6)


def test_noised_density_is_the_convolution_with_the_noise(prior):
    for noisy in ([0.0, 0.0], [1.3, -0.4]):
        integral = joint_on_a_grid(noisy)[1].sum() * (AXIS[1] - AXIS[0]) ** 2
        log_prob = prior.noised(STD).log_prob(numpy.array([noisy]))
        numpy.testing.assert_allclose(numpy.exp(log_prob), integral, rtol=1e-6)


@pytest.mark.parametrize("noisy", [[0.0, 0.0], [0.2, -0.6], [-1.5, 2.0]])
def test_posterior_mean_and_covariance_agree_with_quadrature(prior, noisy):
    mean, covariance = posterior_on_a_grid(noisy)
    noisy = numpy.array([noisy])
    numpy.testing.assert_allclose(prior.posterior_mean(noisy, STD)[0], mean, atol=1e-7)
    posterior = prior.posterior(noisy, STD)
    numpy.testing.assert_allclose(posterior.mean()[0], mean, atol=1e-7)
    r, off = posterior.responsibilities[0], posterior.means[0] - mean
    assert r.sum() == pytest.approx(1.0)
    total = numpy.einsum("k,kij->ij", r, posterior.covariances) + off.T @ (off * r[:, None])
    numpy.testing.assert_allclose(total, covariance, atol=1e-7)


def test_posterior_density_is_bayes_rule_pointwise(prior, x):
    noisy = numpy.array([[0.2, -0.6]])
    likelihood = norm.pdf(0.2, x[:, 0], STD) * norm.pdf(-0.6, x[:, 1], STD)
    expected = density_by_scipy(x) * likelihood / density_by_scipy(noisy, STD**2)
    density = prior.posterior(noisy, STD).mixture(0)
    numpy.testing.assert_allclose(numpy.exp(density.log_prob(x)), expected, rtol=1e-8)


def test_tweedies_formula_joins_the_posterior_mean_and_the_noised_score(prior, x):
    by_score = x + STD**2 * prior.noised(STD).score(x)
    numpy.testing.assert_allclose(prior.posterior_mean(x, STD), by_score, atol=1e-12)


def test_posterior_samples_follow_the_posterior(prior):
    noisy = numpy.array([[0.2, -0.6], [-0.5, 0.5]])
    samples = prior.sample_posterior(noisy, STD, 100_000, numpy.random.default_rng(1))
    assert samples.shape == (2, 100_000, 2)
    assert samples.dtype == "float32"
    for drawn, (mean, covariance) in zip(samples, map(posterior_on_a_grid, noisy)):
        numpy.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.01)
        numpy.testing.assert_allclose(numpy.cov(drawn.T), covariance, atol=0.01)


def test_samples_have_the_moments_of_the_mixture_and_follow_the_seed(prior):
    samples = prior.sample(200_000, numpy.random.default_rng(2))
    mean = WEIGHTS @ MEANS
    covariance = numpy.einsum("k,kij->ij", WEIGHTS, COVARIANCES)
    covariance += numpy.cov(MEANS.T, aweights=WEIGHTS, ddof=0)
    numpy.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.01)
    numpy.testing.assert_allclose(numpy.cov(samples.T), covariance, atol=0.02)
    again = prior.sample(200_000, numpy.random.default_rng(2))
    numpy.testing.assert_array_equal(samples, again)


def test_variances_in_short_form_mean_round_components(x):
    short = GaussianMixture(WEIGHTS, MEANS, [0.1, 0.2, 0.3])
    written_out = GaussianMixture(WEIGHTS, MEANS, [v * numpy.eye(2) for v in (0.1, 0.2, 0.3)])
    numpy.testing.assert_array_equal(short.log_prob(x), written_out.log_prob(x))
    one = GaussianMixture(WEIGHTS, MEANS, 0.1)
    numpy.testing.assert_array_equal(one.covariances[2], 0.1 * numpy.eye(2))


def test_a_mixture_of_points_has_a_posterior_but_no_density():
    points = GaussianMixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], 0.0)
    noisy = numpy.array([[0.1, 0.0]])
    odds = numpy.exp((-(1.1**2) + 0.9**2) / (2 * STD**2))  # of the left point to the right one
    expected = (1 - odds) / (1 + odds)
    numpy.testing.assert_allclose(points.posterior_mean(noisy, STD), [[expected, 0.0]], atol=1e-12)
    drawn = points.sample_posterior(noisy, STD, 50, numpy.random.default_rng(0))
    assert set(drawn[0, :, 0].tolist()) <= {-1.0, 1.0}
    with pytest.raises(ValueError, match="singular"):
        points.log_prob(noisy)
    line = GaussianMixture([1.0], [[0.0, 0.0]], [[[1.0, 1.0], [1.0, 1.0]]])
    with pytest.raises(ValueError, match="singular"):
        line.score(noisy)


def test_chunks_do_not_change_the_result(prior, x, monkeypatch):
    whole = prior.log_prob(x), prior.score(x), prior.posterior_mean(x, STD)
    monkeypatch.setattr(mixture, "_CHUNK_VALUES", 30)
    chunked = prior.log_prob(x), prior.score(x), prior.posterior_mean(x, STD)
    for a, b in zip(whole, chunked, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-13)
    assert prior.log_prob(x[:0]).shape == (0,)
    assert prior.score(x[:0]).shape == (0, 2)


def test_marginal_agrees_with_scipy(prior, x):
    expected = sum(
        w * norm.pdf(x[:, 1], m[1], numpy.sqrt(c[1, 1]))
        for w, m, c in zip(WEIGHTS, MEANS, COVARIANCES, strict=True)
    )
    numpy.testing.assert_allclose(numpy.exp(prior.marginal([1]).log_prob(x[:, 1:])), expected)


def test_the_scales_of_the_coordinates_do_not_make_a_covariance_singular():
    """A change of units u divides the density by |u| and the score by u."""
    correlated = numpy.array([[1.0, 0.6], [0.6, 1.0]])
    plain = GaussianMixture([0.4, 0.6], [[0.0, 1.0], [2.0, -1.0]], [correlated, numpy.eye(2)])
    unit = numpy.array([2.0**-20, 2.0**20])
    covariances = plain.covariances * unit[:, None] * unit
    scaled = GaussianMixture(plain.weights, plain.means * unit, covariances)
    x = numpy.random.default_rng(0).normal(size=(20, 2))
    numpy.testing.assert_allclose(scaled.log_prob(x * unit), plain.log_prob(x), rtol=1e-9)
    numpy.testing.assert_allclose(scaled.score(x * unit) * unit, plain.score(x), rtol=1e-9)
    samples = scaled.sample(20_000, numpy.random.default_rng(1), dtype="float64") / unit
    unscaled = plain.sample(20_000, numpy.random.default_rng(1), dtype="float64")
    numpy.testing.assert_allclose(samples, unscaled, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_dependent_coordinates_have_no_density_but_samples(unit):
    dependent = numpy.array([[1.0, 0.3, 1.3], [0.3, 1.0, 1.3], [1.3, 1.3, 2.6]]) / 3
    mixture = GaussianMixture([1.0], numpy.zeros((1, 3)), [dependent * unit**2])
    for refuses in (mixture.log_prob, mixture.score, mixture.responsibilities):
        with pytest.raises(ValueError, match="singular"):
            refuses(numpy.zeros((1, 3)))
    samples = mixture.sample(100, numpy.random.default_rng(0), dtype="float64") / unit
    numpy.testing.assert_allclose(samples[:, 0] + samples[:, 1], samples[:, 2], atol=1e-6)
