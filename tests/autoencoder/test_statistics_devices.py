"""PCA, densities and metrics give on a GPU what they give on the host, as arrays of that GPU.

Run on the stand-in for CuPy, and with ``-m cuda`` on CuPy itself.
"""

import numpy
import pytest

from autoencoder.densities import DiagonalGaussian, FullGaussian, GaussianMixture
from autoencoder.metrics import (
    energy_distance,
    frechet_distance,
    mse_per_pixel,
    nearest_neighbours,
    precision_recall,
    principal_angles,
    psnr,
    sum_per_sample,
)
from autoencoder.pca import PCA
from minigrad.backend import device_of, to_device, to_numpy, use_device

RNG = numpy.random.default_rng(0)
IMAGES = (RNG.normal(size=(60, 5)) @ RNG.normal(size=(5, 12))).reshape(60, 1, 3, 4)
IMAGES += 1 + 0.1 * RNG.normal(size=IMAGES.shape)
OTHERS = IMAGES[::-1] * 0.9
MASK = RNG.random(IMAGES.shape) < 0.4
POINTS = RNG.normal(size=(40, 2))


@pytest.fixture
def place(gpu):
    """The GPU made the current one, as CuPy wants it of code that works on bare arrays."""
    with use_device(gpu):
        yield gpu


def pca(*, images, mask):
    fitted = PCA(3).fit(images)
    return {
        "components": fitted.components_,
        "variances": fitted.explained_variance_,
        "ratios": fitted.explained_variance_ratio_,
        "latents": fitted.transform(images),
        "images": fitted.inverse_transform(fitted.transform(images)),
        "filled": fitted.fill_missing(images, mask),
        "filled by one mask": fitted.fill_missing(images, mask[:1]),
        "uncentred": PCA(2, centre=False).fit(images).truncate(1).components_,
    }


def densities(*, points):
    mixture = GaussianMixture([0.3, 0.7], [[0.0, 1.0], [1.0, -1.0]], [0.2, 0.5])
    posterior = mixture.posterior(points, 0.4)
    return {
        "diagonal": DiagonalGaussian().fit(points).log_prob(points),
        "full": FullGaussian().fit(points).log_prob(points),
        "mixture": mixture.log_prob(points),
        "score": mixture.score(points),
        "noised": mixture.noised(0.4).log_prob(points),
        "posterior mean": mixture.posterior_mean(points, 0.4),
        "responsibilities": posterior.responsibilities,
        "means": posterior.means,
        "covariances": posterior.covariances,
        "mean": posterior.mean(),
        "fitted": GaussianMixture.fit(points, 3, numpy.random.default_rng(0)).log_prob(points),
    }


def neighbours(*, images, others):
    indices, distances = nearest_neighbours(images, others, k=3)
    return {"indices": indices, "distances": distances}


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (pca, {"images": IMAGES, "mask": MASK}),
        (pca, {"images": IMAGES.astype("float32"), "mask": MASK}),
        (densities, {"points": POINTS}),
        (neighbours, {"images": IMAGES, "others": OTHERS}),
    ],
)
def test_arrays_agree_with_the_host_and_stay_on_the_device(function, arguments, place):
    on_host = function(**arguments)
    on_device = function(**{name: to_device(a, place) for name, a in arguments.items()})
    error = 1e-4 if any(a.dtype == "float32" for a in arguments.values()) else 1e-9
    for name, result in on_device.items():
        assert device_of(result) == place, name
        expected = on_host[name]
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype), name
        numpy.testing.assert_allclose(to_numpy(result), expected, error, error, err_msg=name)


def test_numbers_agree_with_the_host(place):
    images, others, mask = (to_device(a, place) for a in (IMAGES, OTHERS, MASK))
    assert mse_per_pixel(images, others) == pytest.approx(mse_per_pixel(IMAGES, OTHERS))
    assert sum_per_sample(images, others) == pytest.approx(sum_per_sample(IMAGES, OTHERS))
    assert psnr(images, others, mask=mask) == pytest.approx(psnr(IMAGES, OTHERS, mask=MASK))
    for score in (energy_distance, frechet_distance, precision_recall):
        assert score(images, others) == pytest.approx(score(IMAGES, OTHERS))
    basis = PCA(2).fit(images).components_
    assert principal_angles(basis.T, basis.T)[0] == pytest.approx(0.0, abs=1e-7)


def test_samples_are_the_same_whatever_device_the_density_was_fitted_on(place):
    on_host = FullGaussian().fit(POINTS).sample(5, numpy.random.default_rng(1))
    on_device = FullGaussian().fit(to_device(POINTS, place)).sample(5, numpy.random.default_rng(1))
    numpy.testing.assert_allclose(on_device, on_host, rtol=1e-5)
    mixture = GaussianMixture([1.0], [[0.0, 1.0]], 0.5)
    drawn = mixture.sample_posterior(to_device(POINTS, place), 0.3, 2, numpy.random.default_rng(2))
    expected = mixture.sample_posterior(POINTS, 0.3, 2, numpy.random.default_rng(2))
    numpy.testing.assert_allclose(drawn, expected, rtol=1e-5, atol=1e-6)


def test_mixed_devices_are_refused(place):
    images = to_device(IMAGES, place)
    for call in (
        lambda: mse_per_pixel(images, IMAGES),
        lambda: energy_distance(images, IMAGES),
        lambda: nearest_neighbours(IMAGES, images),
        lambda: PCA(2).fit(images).fill_missing(images, MASK),
    ):
        with pytest.raises(TypeError, match=r"cpu.*cuda|cuda.*cpu"):
            call()
