"""Faces are smooth in every factor, every factor shows, and nothing else varies."""

import numpy
import pytest

from autoencoder.data.faces import FACTORS, render_faces, sample_faces

NEUTRAL = numpy.full((1, len(FACTORS)), 0.5)


def sweep(name, steps):
    values = numpy.repeat(NEUTRAL, steps, axis=0)
    values[:, FACTORS.index(name)] = numpy.linspace(0, 1, steps)
    return render_faces(values)


def test_images_have_the_promised_shape_range_and_seed():
    images, values = sample_faces(40, numpy.random.default_rng(0), factors=6)
    again, _ = sample_faces(40, numpy.random.default_rng(0), factors=6)
    assert images.shape == (40, 3, 32, 32)
    assert images.dtype == "float32"
    assert values.shape == (40, 6)
    assert images.min() >= 0
    assert images.max() <= 1
    numpy.testing.assert_array_equal(images, again)
    numpy.testing.assert_array_equal(images, render_faces(values))


@pytest.mark.parametrize("name", FACTORS)
def test_each_factor_is_clearly_visible(name):
    low, *_, high = sweep(name, 5)
    changed = numpy.abs(high - low).max(axis=0) > 0.1
    assert changed.sum() >= 15  # pixels of 1024
    # Anywhere along its range, not only at the ends:
    steps = [numpy.abs(b - a).max() for a, b in zip(sweep(name, 5), sweep(name, 5)[1:])]
    assert min(steps) > 0.05


@pytest.mark.parametrize("name", FACTORS)
def test_images_are_continuous_in_each_factor(name):
    # Ten times finer steps must give about ten times smaller changes: no jump anywhere.
    coarse = numpy.abs(numpy.diff(sweep(name, 101), axis=0)).max()
    fine = numpy.abs(numpy.diff(sweep(name, 1001), axis=0)).max()
    assert coarse < 0.1
    assert fine < 0.15 * coarse


def test_edges_are_soft():
    images, _ = sample_faces(200, numpy.random.default_rng(1), factors=3)
    # A hard-edged face moves pixels by whole steps; here in-between values are common at the rim.
    red = images[:, 0, 16, :]
    steps = numpy.abs(numpy.diff(red, axis=1))
    assert numpy.median(steps.max(axis=1)) < 0.45


def test_nuisances_do_not_vary_and_factors_can_be_named():
    images, values = sample_faces(20, numpy.random.default_rng(2), factors=["lip_curve"])
    assert values.shape == (20, 1)
    assert numpy.ptp(images[:, :, :16], axis=0).max() == 0.0  # the upper half is the same in all
    assert numpy.ptp(images[:, :, 16:], axis=0).max() > 0.3


def test_k_factors_make_a_k_dimensional_set_of_images():
    # The images near one face fill exactly K directions: the rank of the derivative.
    for count in (3, 6):
        centre = numpy.full((1, count), 0.37)
        steps = 1e-2 * numpy.eye(count)
        derivative = render_faces(centre + steps) - render_faces(centre - steps)
        singular = numpy.linalg.svd(derivative.reshape(count, -1), compute_uv=False)
        assert singular[-1] > 0.05 * singular[0]


def test_chunks_and_sizes():
    values = numpy.random.default_rng(3).random((600, 3))
    together = render_faces(values)
    numpy.testing.assert_array_equal(together[550], render_faces(values[550:551])[0])
    large = render_faces(values[:1], size=64)[0]
    halved = large.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4))
    assert numpy.abs(halved - together[0]).mean() < 0.02
