"""The two Gaussians against scipy.stats and against moments computed in loops."""

import math
from fractions import Fraction

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


DENSITIES = [
    (DiagonalGaussian(MEAN, STD), numpy.diag(STD**2)),
    (FullGaussian(MEAN, COVARIANCE), COVARIANCE),
]


@pytest.mark.parametrize(("density", "covariance"), DENSITIES)
def test_log_prob_and_marginals_agree_with_scipy(density, covariance, x):
    expected = multivariate_normal(MEAN, covariance).logpdf(x)
    numpy.testing.assert_allclose(density.log_prob(x), expected, rtol=1e-10)
    kept = [2, 0]
    expected = multivariate_normal(MEAN[kept], covariance[numpy.ix_(kept, kept)]).logpdf(x[:, kept])
    numpy.testing.assert_allclose(density.marginal(kept).log_prob(x[:, kept]), expected)


def test_the_deviations_that_a_density_has_now_decide():
    """Of a density whose parameters were set anew."""
    density = DiagonalGaussian(MEAN, STD)
    density.std = 2 * density.std
    wider = DiagonalGaussian(MEAN, 2 * STD)
    numpy.testing.assert_array_equal(density.log_prob(MEAN[None]), wider.log_prob(MEAN[None]))


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


@pytest.mark.parametrize(("density", "covariance"), DENSITIES)
def test_samples_have_the_mean_and_covariance_and_follow_the_seed(density, covariance):
    samples = density.sample(200_000, numpy.random.default_rng(1))
    assert samples.dtype == "float32"
    numpy.testing.assert_allclose(samples.mean(axis=0), MEAN, atol=0.02)
    numpy.testing.assert_allclose(numpy.cov(samples.T), covariance, atol=0.05)
    first, second = (density.sample(5, numpy.random.default_rng(7), "float64") for _ in range(2))
    numpy.testing.assert_array_equal(first, second)


def test_latents_in_float32_are_accumulated_in_float64():
    x = (1e4 + numpy.random.default_rng(2).normal(size=(100_000, 1))).astype("float32")
    exact = x.astype("float64")
    assert DiagonalGaussian().fit(x).mean[0] == pytest.approx(exact.mean(), abs=1e-9)
    assert FullGaussian().fit(x).covariance[0, 0] == pytest.approx(exact.var(), rel=1e-9)


def assert_constant(points, coordinates):
    """Both kinds of Gaussian refuse points that are constant in one coordinate."""
    with pytest.raises(ValueError, match=rf"coordinates \[{coordinates}"):
        DiagonalGaussian().fit(points)
    assert_flat(points)


def assert_flat(points, **options):
    with pytest.raises(ValueError, match=r"points \(\d+, \d+\) is not positive definite.*jitter"):
        FullGaussian().fit(points, **options)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000, 60_001])
def test_a_constant_is_refused_whatever_its_value_precision_and_count(dtype, count):
    points = numpy.random.default_rng(0).normal(size=(count, 3)).astype(dtype)
    for value in (0.0, 0.1, 1 / 3, -7.0, 123.4, 1e6):
        points[:, 1] = min(value, 6e4)  # float16 ends there
        assert_constant(points, "(0, )?1")
        fit = DiagonalGaussian().fit(points, jitter=0.04)
        assert (fit.mean[1], fit.std[1]) == (points[0, 1], pytest.approx(0.2)), value
        covariance = FullGaussian().fit(points, jitter=0.04).covariance
        assert covariance[1, 1] == pytest.approx(0.04), value


def test_a_coordinate_that_only_its_rounding_moves_is_constant():
    for dtype in ("float32", "float64"):
        points = numpy.random.default_rng(0).normal(size=(100, 2)).astype(dtype)
        points[:, 1] = 0.1
        points[::3, 1] = numpy.nextafter(points[0, 1], numpy.asarray(1, dtype))
        assert_constant(points, r"1\]")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0.0, 3.0, 1000.0])
@pytest.mark.parametrize("scales", [(1, 1), (1e-6, 1e-6), (1e6, 1e6), (1e-6, 1e6)])
@pytest.mark.parametrize("count", [5, 300, 100_000])
def test_dependent_coordinates_are_refused_whatever_their_scale(scales, offset, dtype, count):
    a, b = numpy.random.default_rng(0).normal(size=(2, count)) * numpy.array([scales]).T
    a, b = (a + offset * scales[0]).astype(dtype), (b - offset * scales[1]).astype(dtype)
    number = numpy.dtype(dtype).type
    for c in (a + b, a - b, number(0.7) * a + number(1 / 3) * b, 2 * b, b + number(5 * scales[1])):
        points = numpy.stack([a, c, b], axis=1)
        assert_flat(points)
        DiagonalGaussian().fit(points)
        assert FullGaussian().fit(points, jitter=1e-3 * float(points.var())).mean.shape == (3,)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_points_that_do_not_span_the_dimensions_are_refused(dtype):
    rng = numpy.random.default_rng(0)
    low = rng.normal(size=(500, 20)).astype(dtype) @ rng.normal(size=(20, 32)).astype(dtype)
    scales = (10.0 ** numpy.linspace(-6, 6, 32)).astype(dtype)
    few = [rng.normal(size=(count, 8)).astype(dtype) for count in (1, 2, 7, 8)]
    for points in (low, low * scales, low + numpy.asarray(5, dtype), *few):
        assert_flat(points)
    assert FullGaussian().fit(rng.normal(size=(9, 8)).astype(dtype)).mean.shape == (8,)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [4, 2000])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_scales_that_differ_by_many_orders_change_nothing_but_the_unit(count, offset, dtype):
    units = 2.0 ** numpy.array([-20, 0, 20])
    points = (numpy.random.default_rng(1).normal(size=(count, 3)) + offset).astype(dtype)
    for kind in (DiagonalGaussian, FullGaussian):
        in_units = kind().fit((points * units).astype(dtype)).log_prob(points * units)
        expected = kind().fit(points).log_prob(points) - numpy.log(units).sum()
        numpy.testing.assert_allclose(in_units, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("dtype", "spread"), [("float32", 1e-6), ("float64", 1e-13)])
def test_a_small_spread_above_the_rounding_is_a_spread(dtype, spread):
    points = (1 + spread * numpy.random.default_rng(0).normal(size=(1000, 2))).astype(dtype)
    exact = [[Fraction(float(value)) for value in column] for column in points.T]
    means = [sum(column) / len(column) for column in exact]
    variances = [sum((v - m) ** 2 for v in c) / len(c) for c, m in zip(exact, means)]
    expected = [float(variance) for variance in variances]
    found = (
        DiagonalGaussian().fit(points).std ** 2,
        FullGaussian().fit(points).covariance.diagonal(),
    )
    numpy.testing.assert_allclose(found, [expected] * 2, rtol=1e-3)


@pytest.mark.parametrize("rest", [1e-3, 1e-6, 1e-9])
def test_nearly_dependent_coordinates_have_the_density_of_the_independent_ones(rest):
    """c = a + b + rest * e is (a, b, e) in other coordinates, of determinant ``rest``."""
    a, b, e = columns = numpy.random.default_rng(0).normal(size=(3, 400))
    points = numpy.stack([a, b, a + b + rest * e], axis=1)
    expected = FullGaussian().fit(columns.T).log_prob(columns.T) - math.log(rest)
    fit = FullGaussian().fit(points)
    numpy.testing.assert_allclose(fit.log_prob(points), expected, atol=1e-14 / rest + 1e-8)
    kept = fit.marginal([2, 0])
    assert numpy.isfinite(kept.log_prob(points[:, [2, 0]])).all()


def test_a_given_covariance_is_judged_by_its_correlations():
    for scales in ([1.0, 1.0, 1.0], [1e-6, 1.0, 1e6]):
        unit = numpy.diag(scales)
        dependent = numpy.array([[1.0, 0.3, 1.3], [0.3, 1.0, 1.3], [1.3, 1.3, 2.6]])
        with pytest.raises(ValueError, match="not positive definite"):
            FullGaussian(MEAN, unit @ dependent @ unit)
        points = numpy.random.default_rng(0).normal(size=(10, 3))
        scaled = FullGaussian(numpy.zeros(3), unit @ COVARIANCE @ unit).log_prob(points @ unit)
        expected = multivariate_normal(numpy.zeros(3), COVARIANCE).logpdf(points)
        numpy.testing.assert_allclose(scaled, expected - numpy.log(scales).sum(), rtol=1e-9)


def test_a_jitter_below_rounding_does_not_help(x):
    x[:, 2] = x[:, 0] + x[:, 1]
    assert_flat(x, jitter=1e-40)
    assert FullGaussian().fit(x[:2], jitter=1e-6).covariance.shape == (3, 3)


def test_the_error_for_many_constants_is_short():
    with pytest.raises(ValueError, match="and more") as caught:
        DiagonalGaussian().fit(numpy.full((5, 5000), 0.1))
    assert len(str(caught.value)) < 500
