"""The page's samples in JavaScript, run by Node, against the densities they are of."""

import numpy
import pytest
from scipy import stats

from autoencoder import TrainingSettings
from autoencoder.densities import (
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    LatentDiffusion,
)
from autoencoder.lecture.browser.laboratory import pack_density

# A source of random numbers that gives what it is given.
PLANTED = """
    const density = unpackDensity(given.density);
    return given.draws.map(({ uniform, normals }) => {
      let next = 0;
      return sampleDensity(density, { uniform: () => uniform, normal: () => normals[next++] });
    });
"""


def points():
    rng = numpy.random.default_rng(0)
    mixing = numpy.array([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0], [0.3, 0.0, 0.2]])
    return rng.normal(size=(600, 3)) @ mixing + rng.choice([-3.0, 4.0], size=(600, 1))


def draws(uniforms, normals):
    pairs = zip(uniforms, normals, strict=True)
    return [{"uniform": float(u), "normals": noise.tolist()} for u, noise in pairs]


def a_diffusion():
    settings = TrainingSettings(epochs=3, batch_size=100, learning_rate=2e-3)
    density = LatentDiffusion(hidden=(16, 16)).fit(points(), settings)
    for parameter in density.network.parameters():
        parameter.data[...] = parameter.data.astype("float16")
    return density


@pytest.mark.parametrize(
    "make",
    [lambda: DiagonalGaussian().fit(points()), lambda: FullGaussian().fit(points()), a_diffusion],
    ids=["diagonal", "full", "diffusion"],
)
def test_the_same_noise_gives_the_same_sample(make, run_node):
    density = make()
    wanted = density.sample(20, numpy.random.default_rng(1), "float64")
    noise = numpy.random.default_rng(1).standard_normal((20, 3))
    given = {"density": pack_density(density), "draws": draws([0.5] * 20, noise)}
    numpy.testing.assert_allclose(run_node(PLANTED, given), wanted, atol=1e-5)


def test_a_mixture_chooses_components_by_weight_and_places_the_noise(run_node):
    mixture = GaussianMixture.fit(points(), 4, numpy.random.default_rng(0))
    noise = numpy.random.default_rng(1).standard_normal((4, 3))
    bounds = numpy.concatenate([[0.0], numpy.cumsum(mixture.weights)])
    middles = (bounds[1:] + bounds[:-1]) / 2
    given = {"density": pack_density(mixture), "draws": draws(middles, noise)}
    roots = [numpy.linalg.cholesky(covariance) for covariance in mixture.covariances]
    wanted = [m + root @ e for m, root, e in zip(mixture.means, roots, noise, strict=True)]
    numpy.testing.assert_allclose(run_node(PLANTED, given), wanted, atol=1e-5)


def test_random_numbers_are_uniform_and_normal(run_node):
    body = """
        const random = randomNumbers(3);
        const many = (draw) => Float64Array.from({ length: 20000 }, draw);
        return { uniform: many(random.uniform), normal: many(random.normal) };
    """
    found = run_node(body)
    assert stats.kstest(found["uniform"], "uniform").pvalue > 0.01
    assert stats.kstest(found["normal"], "norm").pvalue > 0.01
    assert abs(numpy.corrcoef(found["normal"][1:], found["normal"][:-1])[0, 1]) < 0.03


def test_another_seed_gives_other_random_numbers(run_node):
    body = "return [0, 1, 2, 0].map((seed) => randomNumbers(seed).normal());"
    first, second, third, again = run_node(body)
    assert first == again
    assert len({round(value, 3) for value in (first, second, third)}) == 3
