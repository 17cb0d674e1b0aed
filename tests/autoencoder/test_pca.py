"""PCA against the eigenvectors of the covariance, and the filling of holes against conditioning."""

import numpy
import pytest

from autoencoder import pca as pca_module
from autoencoder.data.datasets import load
from autoencoder.metrics import mse_per_pixel
from autoencoder.pca import PCA


@pytest.fixture
def points():
    rng = numpy.random.default_rng(0)
    mixing = rng.normal(size=(7, 7)) * numpy.array([5.0, 3, 2, 1, 0.5, 0.3, 0.1])[:, None]
    return rng.normal(size=(300, 7)) @ mixing + rng.normal(size=7) * 4


def by_eigenvectors(points, centre=True):
    centred = points - points.mean(axis=0) if centre else points
    values, vectors = numpy.linalg.eigh(centred.T @ centred)
    return values[::-1], vectors.T[::-1]


@pytest.mark.parametrize("centre", [True, False])
def test_components_and_variances_are_the_eigenvectors_and_values_of_the_scatter(points, centre):
    values, vectors = by_eigenvectors(points, centre)
    pca = PCA(4, centre=centre).fit(points)
    signs = numpy.sign((pca.components_ * vectors[:4]).sum(axis=1, keepdims=True))
    numpy.testing.assert_allclose(pca.components_, signs * vectors[:4], atol=1e-10)
    numpy.testing.assert_allclose(pca.singular_values_**2, values[:4], rtol=1e-10)
    count = len(points) - 1 if centre else len(points)
    numpy.testing.assert_allclose(pca.explained_variance_, values[:4] / count, rtol=1e-10)
    ratios = values[:4] / values.sum()
    numpy.testing.assert_allclose(pca.explained_variance_ratio_, ratios, rtol=1e-10)
    assert pca.noise_variance_ == pytest.approx(values[4:].mean() / count)


def test_stacking_chunks_gives_the_same_as_one_decomposition(points, monkeypatch):
    whole = PCA(5).fit(points)
    monkeypatch.setattr(pca_module, "_ROWS_FITTED", 11)
    chunked = PCA(5).fit(points)
    numpy.testing.assert_allclose(chunked.components_, whole.components_, atol=1e-12)
    numpy.testing.assert_allclose(chunked.singular_values_, whole.singular_values_, rtol=1e-12)


def test_small_singular_values_survive_that_the_covariance_would_lose():
    rng = numpy.random.default_rng(1)
    left, _ = numpy.linalg.qr(rng.normal(size=(50, 3)))
    right, _ = numpy.linalg.qr(rng.normal(size=(6, 3)))
    exact = numpy.array([1.0, 1e-5, 1e-10])
    pca = PCA(3, centre=False).fit(left * exact @ right.T)
    numpy.testing.assert_allclose(pca.singular_values_, exact, rtol=1e-4)


def test_no_other_linear_autoencoder_of_the_size_has_less_error(points):
    pca = PCA(3).fit(points)
    best = ((points - pca.inverse_transform(pca.transform(points))) ** 2).sum()
    values, _ = by_eigenvectors(points)
    assert best == pytest.approx(values[3:].sum())
    centred = points - points.mean(axis=0)
    rng = numpy.random.default_rng(2)
    for step in (1e-3, 0.1, 10.0):
        basis = pca.components_.T + step * rng.normal(size=(7, 3))
        projected = basis @ numpy.linalg.lstsq(basis, centred.T, rcond=None)[0]
        assert ((centred.T - projected) ** 2).sum() > best


def test_all_components_reconstruct_exactly_and_keep_shape_and_dtype(points):
    images = points.reshape(300, 1, 7, 1)
    pca = PCA().fit(images)
    assert pca.components_.shape == (7, 7)
    assert pca.noise_variance_ == 0.0
    back = pca.inverse_transform(pca.transform(images))
    numpy.testing.assert_allclose(back, images, atol=1e-10)
    single = images.astype("float32")
    assert pca.transform(single).dtype == "float32"
    assert pca.inverse_transform(pca.transform(single)).dtype == "float32"
    numpy.testing.assert_allclose(pca.fit_transform(images), pca.transform(images))


def test_unsigned_bytes_are_not_subtracted_as_bytes():
    images = numpy.random.default_rng(3).integers(0, 256, (40, 3, 3), dtype="uint8")
    expected = PCA(2).fit(images.astype(float)).transform(images.astype(float))
    numpy.testing.assert_allclose(PCA(2).fit(images).transform(images), expected)


def test_fewer_samples_than_features():
    points = numpy.random.default_rng(4).normal(size=(5, 20))
    pca = PCA(4).fit(points)
    numpy.testing.assert_allclose(
        pca.inverse_transform(pca.transform(points)), points, atol=1e-12
    )  # five centred points span four directions


def test_signs_do_not_depend_on_the_order_of_the_samples(points):
    order = numpy.random.default_rng(5).permutation(len(points))
    first, second = PCA(3).fit(points), PCA(3).fit(points[order])
    numpy.testing.assert_allclose(first.components_, second.components_, atol=1e-10)
    largest = numpy.abs(first.components_).argmax(axis=1)
    assert (first.components_[numpy.arange(3), largest] > 0).all()


def test_truncating_equals_fitting_with_fewer_components(points):
    cut, direct = PCA(6).fit(points).truncate(2), PCA(2).fit(points)
    for name in ("components_", "explained_variance_", "explained_variance_ratio_", "mean_"):
        numpy.testing.assert_array_equal(getattr(cut, name), getattr(direct, name))
    assert cut.noise_variance_ == direct.noise_variance_
    assert cut.n_components == 2


def test_filled_entries_are_the_conditional_mean_under_the_model_covariance(points):
    # The oracle conditions the Gaussian N(mean, W W' + s I) the long way, entry by entry.
    pca = PCA(3).fit(points)
    noise = pca.noise_variance_
    loadings = pca.components_.T * numpy.sqrt(pca.explained_variance_ - noise)
    covariance = loadings @ loadings.T + noise * numpy.eye(7)
    rng = numpy.random.default_rng(6)
    mask = rng.random((20, 7)) < 0.5
    mask[0], mask[1] = True, False  # nothing visible; nothing missing
    holed = numpy.where(mask, numpy.nan, points[:20])
    filled = pca.fill_missing(holed, mask)
    for row, missing, result in zip(points, mask, filled, strict=False):
        expected = row.copy()
        inverse = numpy.linalg.pinv(covariance[numpy.ix_(~missing, ~missing)])
        gain = covariance[numpy.ix_(missing, ~missing)] @ inverse
        expected[missing] = pca.mean_[missing] + gain @ (row - pca.mean_)[~missing]
        numpy.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)
    numpy.testing.assert_allclose(filled[0], pca.mean_)


def test_without_noise_filling_is_least_squares_on_the_visible_entries(points):
    pca = PCA(2).fit(points)
    missing = numpy.array([True, False, False, True, False, False, False])
    filled = pca.fill_missing(points, missing, noise_variance=0.0)
    basis = pca.components_.T
    latents = numpy.linalg.lstsq(basis[~missing], (points - pca.mean_)[:, ~missing].T, rcond=None)
    expected = (basis @ latents[0]).T + pca.mean_
    numpy.testing.assert_allclose(filled[:, missing], expected[:, missing], atol=1e-5)
    numpy.testing.assert_array_equal(filled[:, ~missing], points[:, ~missing])


def test_one_shared_mask_gives_the_same_as_one_mask_a_sample(points):
    images = points.astype("float32").reshape(-1, 1, 7, 1)
    pca = PCA(3).fit(images)
    missing = numpy.zeros((1, 1, 7, 1), dtype=bool)
    missing[:, :, 2:5] = True
    shared = pca.fill_missing(images, missing)
    each = pca.fill_missing(images, numpy.broadcast_to(missing, images.shape))
    assert shared.shape == images.shape
    assert shared.dtype == "float32"
    numpy.testing.assert_allclose(shared, each, rtol=1e-5, atol=1e-5)
    numpy.testing.assert_array_equal(shared, pca.fill_missing(images, missing[0]))


def test_filling_stays_bounded_when_almost_nothing_is_visible(points):
    pca = PCA(6).fit(points)
    missing = numpy.ones(7, dtype=bool)
    missing[0] = False
    for noise in (None, 0.0):
        filled = pca.fill_missing(points, missing, noise_variance=noise)
        assert numpy.isfinite(filled).all()
        assert numpy.abs(filled).max() < 10 * numpy.abs(points).max()


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("value", [0.0, 0.1, 7.0, 200.0])
@pytest.mark.parametrize("count", [2, 5, 10_001])
def test_samples_that_are_all_the_same_are_filled_with_their_value(count, value, dtype):
    samples = numpy.full((count, 3), value).astype(dtype)
    pca = PCA(2).fit(samples)
    assert (pca.mean_ == samples[0]).all()
    assert not pca.explained_variance_.any()
    for mask in ([[True, False, True]], [[True, True, True]], numpy.eye(3, dtype=bool)[:2]):
        mask = numpy.asarray(mask)
        for noise in (None, 0.0, 0.5):
            shown = samples[: max(2, len(mask))]
            filled = pca.fill_missing(shown, mask, noise_variance=noise)
            numpy.testing.assert_array_equal(filled, shown)


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_dependent_features_are_filled_by_what_they_depend_on(kept):
    t = numpy.linspace(-1.0, 1.0, 21)[:, None]
    pca = PCA(kept).fit(numpy.hstack([t, 2 * t, 5 - t, numpy.full_like(t, 0.1)]))
    holed = numpy.array([[0.5, numpy.nan, numpy.nan, numpy.nan]])
    filled = pca.fill_missing(holed, numpy.isnan(holed))
    numpy.testing.assert_allclose(filled, [[0.5, 1.0, 4.5, 0.1]], atol=1e-7)


def test_samples_without_spread_through_the_origin_are_filled_with_0():
    pca = PCA(2, centre=False).fit(numpy.zeros((4, 3)))
    filled = pca.fill_missing(numpy.ones((1, 3)), numpy.array([[True, False, True]]))
    numpy.testing.assert_array_equal(filled, [[0.0, 1.0, 0.0]])


def test_samples_too_large_are_refused():
    points = numpy.random.default_rng(0).normal(size=(9, 3))
    with pytest.raises(ValueError, match=r"PCA.fit: the samples \(9, 3\) are too large"):
        PCA(1).fit(points * 1e200)


# Mean squared error a pixel on the 10,000 test images, fitted on the 60,000 (computed elsewhere):
# what the autoencoders are compared with.
OF_MNIST = {2: 0.05567, 4: 0.04790, 8: 0.03744, 16: 0.02686, 32: 0.01683}


@pytest.mark.slow
def test_reconstruction_errors_on_mnist_agree_to_five_decimals():
    data = load("mnist")
    test, fitted = data.images("test"), PCA(32).fit(data.images("train"))
    for latent_size, expected in OF_MNIST.items():
        pca = fitted.truncate(latent_size)
        error = mse_per_pixel(pca.inverse_transform(pca.transform(test)), test)
        assert round(error, 5) == expected, latent_size
