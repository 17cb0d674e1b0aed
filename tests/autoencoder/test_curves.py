"""Points lie where the curves' equations say, evenly, and follow the seed."""

import numpy
import pytest
from scipy.stats import kstest

from autoencoder.data.curves import (
    CURVES,
    circle,
    mixture_along,
    mixture_ring,
    s_curve,
    spiral,
    two_modes,
    two_moons,
)


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_points_follow_the_seed_and_have_the_promised_shape(curve):
    first = curve(100, numpy.random.default_rng(3), noise_std=0.1)
    second = curve(100, numpy.random.default_rng(3), noise_std=0.1)
    assert first.shape == (100, 2)
    assert first.dtype == "float32"
    numpy.testing.assert_array_equal(first, second)
    assert curve(0, numpy.random.default_rng(0)).shape == (0, 2)


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_positions_measure_the_share_of_the_arc_length(curve):
    # A fine polygon through the curve, its length summed here: equal steps of position must be
    # equal steps of length, except across the gap between two pieces.
    positions = numpy.linspace(0, 1, 2001)
    steps = numpy.linalg.norm(numpy.diff(curve.at(positions), axis=0), axis=1)
    steps = numpy.delete(steps, numpy.argmax(steps)) if curve.pieces > 1 else steps
    numpy.testing.assert_allclose(steps, steps.mean(), rtol=0.01)


def test_noiseless_points_satisfy_the_equations(rng):
    numpy.testing.assert_allclose(numpy.hypot(*circle(200, rng).T), 1.0, atol=1e-6)
    x, y = two_moons(500, rng).T.astype(float)
    upper = numpy.hypot(x + 0.5, y + 0.25)
    lower = numpy.hypot(x - 0.5, y - 0.25)
    assert numpy.minimum(abs(upper - 1), abs(lower - 1)).max() < 1e-5
    assert 150 < (abs(upper - 1) < 1e-5).sum() < 350
    x, y = s_curve(500, rng).T.astype(float)
    top, bottom = numpy.hypot(x, y - 0.7), numpy.hypot(x, y + 0.7)
    assert numpy.minimum(abs(top - 0.7), abs(bottom - 0.7)).max() < 1e-5
    radius = numpy.hypot(*spiral.at(numpy.linspace(0, 1, 50)).T)
    assert (numpy.diff(radius) > 0).all()
    assert radius[-1] == pytest.approx(1.4)


def test_positions_are_uniform_and_belong_to_their_points(rng):
    points, positions = spiral.sample_with_positions(4000, rng)
    assert kstest(positions, "uniform").pvalue > 0.01
    numpy.testing.assert_allclose(points, spiral.at(positions), atol=1e-6)


def test_noise_has_the_standard_deviation_asked_for(rng):
    points, positions = circle.sample_with_positions(50_000, rng, noise_std=0.2)
    noise = points - circle.at(positions)
    numpy.testing.assert_allclose(numpy.cov(noise.T), 0.04 * numpy.eye(2), atol=0.001)


def test_lines_do_not_bridge_the_gap_between_pieces():
    pieces = two_moons.lines(200)
    assert len(pieces) == 2
    for piece in pieces:
        assert numpy.linalg.norm(numpy.diff(piece, axis=0), axis=1).max() < 0.1
    (closed,) = circle.lines()
    numpy.testing.assert_allclose(closed[0], closed[-1], atol=1e-6)


def test_mixture_along_a_curve_is_nearly_the_noisy_curve(rng):
    mixture = mixture_along(spiral, 80, std=0.1)
    own = mixture.log_prob(mixture.sample(2000, rng)).mean()
    noisy = mixture.log_prob(spiral(2000, rng, noise_std=0.1)).mean()
    assert noisy == pytest.approx(own, abs=0.1)


def test_ring_and_two_modes_are_symmetric():
    ring = mixture_ring(6, radius=2.0, std=0.3)
    numpy.testing.assert_allclose(numpy.hypot(*ring.means.T), 2.0)
    numpy.testing.assert_allclose(ring.means.mean(axis=0), 0.0, atol=1e-12)
    numpy.testing.assert_allclose(ring.covariances[0], 0.09 * numpy.eye(2))
    between = numpy.array([[0.0, 0.3]])
    mean = two_modes().posterior_mean(between, 0.5)[0]
    assert mean[0] == pytest.approx(0.0, abs=1e-12)
    assert two_modes().log_prob(mean[None]) < two_modes().log_prob(numpy.array([[1.0, 0.0]])) - 10
