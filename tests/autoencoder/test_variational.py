"""The variational autoencoder's bound: against exact likelihoods, on linear layers."""

import math

import numpy
import pytest
from scipy.stats import multivariate_normal

import minigrad
from autoencoder import AutoEncoder, TrainingSettings, load_model, reconstruct, train
from autoencoder.densities.variational import (
    DenseVariationalAutoEncoder,
    VariationalAutoEncoder,
    negative_bound,
    variational_bound,
)
from minigrad import Tensor
from minigrad.parallel import shard_gradients


def linear_model(latent_size, features, seed=0):
    """A linear model whose weights, all of them, are drawn."""
    rng = numpy.random.default_rng(seed)
    model = DenseVariationalAutoEncoder(latent_size, (features,))
    for parameter in model.parameters():
        parameter.data[...] = 0.3 * rng.normal(size=parameter.shape)
    return model


def exact_bound(model, x):
    """The bound's expectation over the noise, in which it is quadratic where layers are linear.

    So the mean over the points +-sqrt(d) along each axis, whose mean and covariance are the
    noise's, is the expectation.
    """
    d = model.latent_size
    found = []
    for point in math.sqrt(d) * numpy.concatenate([numpy.eye(d), -numpy.eye(d)]):
        noise = numpy.tile(point, (len(x), 1)).astype("float32")
        found.append(model.bound(Tensor(x), Tensor(noise)).detach().numpy().astype("float64"))
    return numpy.mean(found, axis=0)


def test_the_gap_to_the_likelihood_is_the_divergence_from_the_posterior():
    """log p(x) - bound = KL(q || p(z | x)), each in closed form for a linear decoder."""
    d, features = 3, 7
    model = linear_model(d, features)
    x = numpy.random.default_rng(1).normal(size=(5, features)).astype("float32")
    weight, bias = (p.detach().numpy().astype("float64") for p in model.decoder.parameters())
    variance = model.pixel_variance
    density = multivariate_normal(bias, weight @ weight.T + variance * numpy.eye(features))
    precision = weight.T @ weight / variance + numpy.eye(d)
    covariance = numpy.linalg.inv(precision)
    mean, log_variance = (t.detach().numpy().astype("float64") for t in model.posterior(Tensor(x)))
    exact_mean = (x - bias) @ weight @ covariance / variance
    gap = density.logpdf(x) - exact_bound(model, x)
    for found, m, v, e in zip(gap, mean, log_variance, exact_mean, strict=True):
        squares = (numpy.diag(precision) * numpy.exp(v)).sum() + (e - m) @ precision @ (e - m)
        divergence = 0.5 * (squares - d + numpy.linalg.slogdet(covariance)[1] - v.sum())
        assert found == pytest.approx(divergence, rel=1e-4, abs=1e-4)


def points_around_a_plane(n, d, features, rng):
    directions = numpy.linalg.qr(rng.normal(size=(features, d)))[0]
    latents = rng.normal(size=(n, d)) * numpy.arange(d, 0, -1)
    noise = 0.3 * rng.normal(size=(n, features))
    return (latents @ directions.T + noise + rng.normal(size=features)).astype("float32")


def largest_likelihood(x, d):
    """Probabilistic PCA's mean log-likelihood (Tipping and Bishop, 1999, eq. 8), and its s^2."""
    values = numpy.linalg.eigvalsh(numpy.cov(x.T.astype("float64"), bias=True))[::-1]
    noise = values[d:].mean()
    logs = numpy.log(values[:d]).sum() + (len(values) - d) * math.log(noise)
    return -0.5 * (len(values) * (math.log(2 * math.pi) + 1) + logs), noise


def test_with_probabilistic_pcas_weights_the_bound_is_its_likelihood():
    d, features = 2, 6
    x = points_around_a_plane(400, d, features, numpy.random.default_rng(2))
    expected, noise = largest_likelihood(x, d)
    mean = x.mean(axis=0, dtype="float64")
    values, vectors = numpy.linalg.eigh(numpy.cov(x.T.astype("float64"), bias=True))
    values, vectors = values[::-1][:d], vectors[:, ::-1][:, :d]
    weight = vectors * numpy.sqrt(values - noise)
    inverse = weight.T / values[:, None]  # (W'W + s^2 I)^(-1) W'
    model = DenseVariationalAutoEncoder(d, (features,))
    encoder, decoder = model.encoder, model.decoder
    encoder.weight.data[...] = numpy.concatenate([inverse, numpy.zeros((d, features))])
    encoder.bias.data[...] = numpy.concatenate([-inverse @ mean, numpy.log(noise / values)])
    decoder.weight.data[...], decoder.bias.data[...] = weight, mean
    model.log_pixel_variance.data[...] = math.log(noise)
    assert exact_bound(model, x).mean() == pytest.approx(expected, abs=1e-4)


def test_trained_on_linear_layers_the_bound_meets_probabilistic_pcas_likelihood():
    x = points_around_a_plane(500, 2, 6, numpy.random.default_rng(3))
    expected, noise = largest_likelihood(x, 2)
    minigrad.manual_seed(0)
    model = DenseVariationalAutoEncoder(2, (6,))
    settings = TrainingSettings(
        epochs=600, batch_size=250, learning_rate=0.1, schedule="cosine", save_seconds=1e6
    )
    train(model, x, settings, loss=negative_bound, quiet=True)
    bound = exact_bound(model, x).mean()
    assert expected - 0.03 < bound < expected
    assert model.pixel_variance == pytest.approx(noise, rel=0.05)


@pytest.mark.parametrize("workers", [2, 3])
def test_the_same_bits_for_any_number_of_workers(workers):
    model = VariationalAutoEncoder(4, 16)
    x = numpy.random.default_rng(0).random((12, 1, 16, 16), dtype="float32")

    def bound(x):
        return negative_bound(model, x, x)

    def found(count):
        parameters, how = list(model.parameters()), {"shard_size": 3, "workers": count, "seed": 7}
        loss, gradients = shard_gradients(bound, parameters, [x], **how)
        return [each.detach().numpy().tobytes() for each in (loss, *gradients)]

    assert found(workers) == found(1)
    one, other = (variational_bound(model, x, numpy.random.default_rng(0), w) for w in (1, workers))
    numpy.testing.assert_array_equal(one, other)


def test_the_bound_and_its_gradients_are_the_same_on_a_gpu(gpu):
    rng = numpy.random.default_rng(0)
    x, noise = (rng.normal(size=(3, n)).astype("float32") for n in (6, 2))
    model = linear_model(2, 6)

    def found(device):
        model.to(device)
        loss = -model.bound(Tensor(x, device=device), Tensor(noise, device=device)).mean()
        gradients = minigrad.grad(loss, list(model.parameters()))
        return [each.detach().to("cpu").numpy() for each in (loss, *gradients)]

    for ours, theirs in zip(found("cpu"), found(gpu)):
        numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    with minigrad.no_grad():  # the noise is drawn on the host, and moved
        assert model.bound(Tensor(x, device=gpu)).device == gpu


def test_a_trained_one_is_read_back_and_has_a_plain_twin_of_the_same_reconstructions(tmp_path):
    x = numpy.random.default_rng(0).random((6, 1, 16, 18), dtype="float32")
    minigrad.manual_seed(0)
    model = VariationalAutoEncoder(4, (16, 18))
    train(model, x, TrainingSettings(epochs=1), loss=negative_bound, folder=tmp_path, quiet=True)
    again = load_model(tmp_path)
    assert again.pixel_variance == model.pixel_variance != VariationalAutoEncoder().pixel_variance
    numpy.testing.assert_array_equal(reconstruct(again, x), reconstruct(model, x))
    plain = model.plain()
    assert type(plain) is AutoEncoder
    expected = reconstruct(model, x)
    numpy.testing.assert_allclose(reconstruct(plain, x), expected, rtol=1e-5, atol=1e-6)


def test_a_reconstruction_takes_the_latents_mean_and_draws_nothing():
    model = VariationalAutoEncoder(4, (16, 20), channels=3)
    x = numpy.random.default_rng(0).random((2, 3, 16, 20), dtype="float32")
    mean, _ = model.posterior(Tensor(x))
    assert mean.shape == (2, 4)
    numpy.testing.assert_array_equal(reconstruct(model, x), model.decode(mean).detach().numpy())
    with pytest.raises(ValueError, match=r"bound: noise.*\(2, 5\)"):
        model.bound(Tensor(x), Tensor(numpy.zeros((2, 5), "float32")))
