"""Langevin's walk ends in samples of the density whose slope it is given."""

import numpy
import pytest

from autoencoder.data.curves import two_modes
from autoencoder.densities import FullGaussian, GaussianMixture, annealed_langevin
from autoencoder.metrics import energy_distance

STDS = numpy.geomspace(2.0, 0.05, 30)


def test_it_finds_both_modes_in_proportion_to_their_mass():
    density = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [2.0, 0.0]], 0.1)
    rng = numpy.random.default_rng(0)
    start = rng.normal(size=(1_500, 2)) * 3
    walked = annealed_langevin(
        lambda x, std: density.noised(std).score(x), start, STDS, rng, rate=0.2, steps=15
    )
    exact = density.sample(1_500, rng, "float64")
    again = density.sample(1_500, rng, "float64")
    assert energy_distance(walked, exact) < 0.02 + abs(energy_distance(again, exact))
    assert (walked[:, 0] > 0).mean() == pytest.approx(0.7, abs=0.06)


def test_a_scale_walks_narrow_and_wide_directions_alike():
    covariance = numpy.array([[25.0, 0.0], [0.0, 1e-4]])
    density = FullGaussian([1.0, 2.0], covariance)
    rng = numpy.random.default_rng(1)

    def slope(x, std):  # of the density widened by s in its own units
        return -(x - density.mean) @ numpy.linalg.inv(covariance) / (1 + std**2)

    start = rng.normal(size=(3_000, 2)) * [10.0, 0.02] + [1.0, 2.0]
    walked = annealed_langevin(slope, start, STDS, rng, rate=0.2, steps=30, scale=covariance)
    numpy.testing.assert_allclose(walked.mean(axis=0), [1, 2], atol=0.3)
    numpy.testing.assert_allclose(walked.std(axis=0), [5.0, 0.01], rtol=0.08)


def test_the_same_generator_gives_the_same_walk_and_the_points_are_left_alone():
    density, start = two_modes(2.0, 0.3), numpy.zeros((4, 2))
    one, two = (
        annealed_langevin(
            lambda x, std: density.noised(std).score(x),
            start,
            STDS,
            numpy.random.default_rng(3),
        )
        for _ in range(2)
    )
    assert one.tobytes() == two.tobytes()
    assert (start == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(stds=[]), "positive, and fall"),
        (dict(stds=[1.0, 2.0]), "positive, and fall"),
        (dict(stds=[1.0, 0.0]), "positive, and fall"),
        (dict(rate=0.0), "rate must be in"),
        (dict(rate=1.5), "rate must be in"),
    ],
)
def test_wrong_options_are_named(options, message):
    rng = numpy.random.default_rng(0)
    with pytest.raises(ValueError, match=f"annealed_langevin: .*{message}"):
        annealed_langevin(
            lambda x, std: -x, numpy.zeros((1, 1)), **{"stds": [1.0], "rng": rng, **options}
        )
