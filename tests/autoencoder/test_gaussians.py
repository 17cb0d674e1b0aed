"""The two Gaussians against scipy.stats and against moments computed in loops."""

import numpy
import pytest
from scipy.stats import multivariate_normal

from autoencoder.densities import DiagonalGaussian, FullGaussian

MEAN = numpy.array([1.0, -2.0, 0.5])
COVARIANCE = numpy.array([[2.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 0.5]])
STD = numpy.array([0.5, 2.0, 1.0])


@pytest.fixture
def x():
    return numpy.random.default_rng(0).normal(size=(50, 3)) * 3


def test_diagonal_log_prob_agrees_with_scipy(x):
    expected = multivariate_normal(MEAN, numpy.diag(STD**2)).logpdf(x)
    numpy.testing.assert_allclose(DiagonalGaussian(MEAN, STD).log_prob(x), expected, rtol=1e-12)


def test_full_log_prob_agrees_with_scipy(x):
    expected = multivariate_normal(MEAN, COVARIANCE).logpdf(x)
    numpy.testing.assert_allclose(FullGaussian(MEAN, COVARIANCE).log_prob(x), expected, rtol=1e-10)


def test_fits_are_the_moments_divided_by_n(x):
    mean = [sum(row[i] for row in x) / len(x) for i in range(3)]
    covariance = [
        [sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in x) / len(x) for j in range(3)]
        for i in range(3)
    ]
    full = FullGaussian().fit(x)
    diagonal = DiagonalGaussian().fit(x)
    numpy.testing.assert_allclose(full.mean, mean, rtol=1e-12)
    numpy.testing.assert_allclose(full.covariance, covariance, rtol=1e-12)
    numpy.testing.assert_allclose(diagonal.mean, mean, rtol=1e-12)
    numpy.testing.assert_allclose(diagonal.std**2, numpy.diag(covariance), rtol=1e-12)


@pytest.mark.parametrize("shift", [(0.02, 0.0), (0.0, 0.02), (-0.02, 0.0), (0.0, -0.02)])
def test_no_parameters_near_the_diagonal_fit_have_a_higher_likelihood(x, shift):
    fit = DiagonalGaussian().fit(x)
    other = DiagonalGaussian(fit.mean + shift[0], fit.std * (1 + shift[1]))
    assert fit.log_prob(x).sum() > other.log_prob(x).sum()


def test_full_fit_is_at_least_as_likely_as_the_diagonal_one(x):
    y = x @ numpy.linalg.cholesky(COVARIANCE).T
    full, diagonal = FullGaussian().fit(y), DiagonalGaussian().fit(y)
    assert full.log_prob(y).mean() > diagonal.log_prob(y).mean() + 0.1


@pytest.mark.parametrize(
    ("density", "covariance"),
    [
        (DiagonalGaussian(MEAN, STD), numpy.diag(STD**2)),
        (FullGaussian(MEAN, COVARIANCE), COVARIANCE),
    ],
)
def test_samples_have_the_mean_and_covariance_and_follow_the_seed(density, covariance):
    samples = density.sample(200_000, numpy.random.default_rng(1))
    assert samples.dtype == "float32"
    numpy.testing.assert_allclose(samples.mean(axis=0), MEAN, atol=0.02)
    numpy.testing.assert_allclose(numpy.cov(samples.T), covariance, atol=0.05)
    first = density.sample(5, numpy.random.default_rng(7), dtype="float64")
    second = density.sample(5, numpy.random.default_rng(7), dtype="float64")
    numpy.testing.assert_array_equal(first, second)


def test_marginals_agree_with_scipy_on_the_kept_coordinates(x):
    kept = [2, 0]
    y = x[:, kept]
    full = FullGaussian(MEAN, COVARIANCE).marginal(kept)
    expected = multivariate_normal(MEAN[kept], COVARIANCE[numpy.ix_(kept, kept)]).logpdf(y)
    numpy.testing.assert_allclose(full.log_prob(y), expected)
    diagonal = DiagonalGaussian(MEAN, STD).marginal(kept)
    expected = multivariate_normal(MEAN[kept], numpy.diag(STD[kept] ** 2)).logpdf(y)
    numpy.testing.assert_allclose(diagonal.log_prob(y), expected)


def test_latents_in_float32_are_accumulated_in_float64():
    x = (1e4 + numpy.random.default_rng(2).normal(size=(100_000, 1))).astype("float32")
    exact = x.astype("float64")
    assert DiagonalGaussian().fit(x).mean[0] == pytest.approx(exact.mean(), abs=1e-9)
    assert FullGaussian().fit(x).covariance[0, 0] == pytest.approx(exact.var(), rel=1e-9)


def test_a_constant_coordinate_is_refused_until_jitter_is_added(x):
    flat = x.copy()
    flat[:, 1] = 4.0
    with pytest.raises(ValueError, match=r"coordinates \[1\]"):
        DiagonalGaussian().fit(flat)
    with pytest.raises(ValueError, match="not positive definite"):
        FullGaussian().fit(flat)
    assert DiagonalGaussian().fit(flat, jitter=0.01).std[1] == pytest.approx(0.1)
    assert FullGaussian().fit(flat, jitter=0.01).covariance[1, 1] == pytest.approx(0.01)


@pytest.mark.parametrize("kind", [DiagonalGaussian, FullGaussian])
def test_bad_use_is_named(kind, x):
    density = kind().fit(x)
    with pytest.raises(RuntimeError, match="call fit first"):
        kind().log_prob(x)
    with pytest.raises(RuntimeError, match="call fit first"):
        kind().sample(1, numpy.random.default_rng(0))
    with pytest.raises(ValueError, match=rf"{kind.__name__}.log_prob: .*\(N, 3\), got \(50, 2\)"):
        density.log_prob(x[:, :2])
    with pytest.raises(ValueError, match=r"\(N, d\), got \(3,\)"):
        kind().fit(x[0])
    with pytest.raises(ValueError, match="no points"):
        kind().fit(x[:0])
    with pytest.raises(ValueError, match="finite"):
        kind().fit(numpy.where(x > 3, numpy.inf, x))
    with pytest.raises(TypeError, match="Generator"):
        density.sample(3, 0)
    with pytest.raises(ValueError, match="negative"):
        density.sample(-1, numpy.random.default_rng(0))
    for indices in ([3], [0, 0], [], [-1]):
        with pytest.raises(ValueError, match="distinct coordinates"):
            density.marginal(indices)
    with pytest.raises(ValueError, match="or neither"):
        kind(MEAN)
    with pytest.raises(ValueError, match="mean"):
        kind(MEAN, numpy.ones((2, 2)))
    with pytest.raises(ValueError, match="not symmetric"):
        FullGaussian([0, 0], [[1, 0.5], [0, 1]])
