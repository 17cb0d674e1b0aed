"""A denoiser that is told the noise: Tweedie's formula, the flow and its order, the same bits."""

import itertools
import math

import numpy
import pytest
from scipy.stats import multivariate_normal

import minigrad
from autoencoder.data.curves import two_modes
from autoencoder.densities import NoiseConditionalDenoiser
from autoencoder.densities.denoiser import (
    VelocityUNet,
    conditioned_on,
    falling_stds,
    follow_flow,
)
from autoencoder.densities.diffusion import Mixed, VelocityNetwork, velocity_loss
from autoencoder.metrics import energy_distance
from minigrad import nn

MEAN, STD = 0.4, 0.7


class ExactVelocity(nn.Module):
    """E[v | z, a] of standard normal numbers: cov(v, z) is 0 there, whatever the angle."""

    def __init__(self):
        super().__init__()
        self.zero = nn.Parameter(numpy.zeros(1, "float32"))

    def forward(self, x):
        return self.zero * x[:, :-1]


def gaussian_denoiser(covariance):
    """E[x | x~] of a Gaussian of mean 0: C (C + s^2 I)^-1 x~."""

    def denoise(x, std):
        return x @ numpy.linalg.solve(covariance + std**2 * numpy.eye(len(covariance)), covariance)

    return denoise


def test_tweedie_gives_the_slope_of_a_gaussian_with_noise():
    """Against differences of scipy's log density of N(m, s0^2 + s^2)."""
    denoiser = NoiseConditionalDenoiser(ExactVelocity(), MEAN, STD)
    x, step = numpy.random.default_rng(0).normal(size=(20, 2)), 1e-5
    for noise_std in (0.05, 0.6, 8.0):
        density = multivariate_normal([MEAN] * 2, (STD**2 + noise_std**2) * numpy.eye(2))
        score = denoiser.score(x, noise_std)
        for i, e in enumerate(step * numpy.eye(2)):
            slopes = (density.logpdf(x + e) - density.logpdf(x - e)) / (2 * step)
            numpy.testing.assert_allclose(score[:, i], slopes, atol=1e-6)


def test_the_answer_undoes_the_mixing_where_the_velocity_is_known():
    """x = cos z - sin v for the very v of a pair, in any unit and shape."""
    rng = numpy.random.default_rng(1)
    x, noise = rng.normal(size=(2, 3, 1, 8, 8))
    noise_std = 1.3
    angle = math.atan(noise_std / STD)
    velocity = math.cos(angle) * noise - math.sin(angle) * (x - MEAN) / STD

    class Known(ExactVelocity):
        def forward(self, inputs):
            return minigrad.Tensor(velocity.astype("float32"))

    denoiser = NoiseConditionalDenoiser(Known(), MEAN, STD, workers=1)
    found = denoiser.denoise(x + noise_std * noise, noise_std)
    numpy.testing.assert_allclose(found, x, atol=1e-6)


def test_the_flow_of_a_known_gaussian_denoiser_gives_its_covariance():
    covariance = numpy.array([[1.0, 0.6], [0.6, 0.5]])
    stds = falling_stds(200, 80.0, 0.002)
    start = stds[0] * numpy.random.default_rng(2).standard_normal((100_000, 2))
    found = follow_flow(gaussian_denoiser(covariance), start, stds)
    numpy.testing.assert_allclose(found.mean(axis=0), 0.0, atol=0.02)
    numpy.testing.assert_allclose(numpy.cov(found.T), covariance, rtol=0.02)


def test_conditioned_on_a_noisy_point_the_flow_samples_bayes_posterior():
    """Of the mixture, which is known in closed form, and against exact samples of it."""
    prior, noise_std = two_modes(2.0, 0.3), 0.8
    noisy = numpy.array([[0.2, 0.1]])
    exact = prior.posterior(noisy, noise_std).mixture(0)
    answer = conditioned_on(prior.posterior_mean, noisy, noise_std)
    rng, stds = numpy.random.default_rng(9), falling_stds(60, 50.0, 0.005)
    found = follow_flow(answer, stds[0] * rng.standard_normal((4_000, 2)), stds)
    one, other = (exact.sample(4_000, rng, "float64") for _ in range(2))
    assert energy_distance(found, one) < 0.003 + abs(energy_distance(other, one))
    numpy.testing.assert_allclose((found[:, 0] > 0).mean(), exact.weights.max(), atol=0.03)
    numpy.testing.assert_allclose(found.mean(axis=0), exact.weights @ exact.means, atol=0.04)


def test_the_error_of_the_flow_falls_with_the_square_of_the_steps():
    """dx/ds = s x / (c + s^2) has the solution x(s) = x(S) sqrt((c + s^2) / (c + S^2))."""
    errors = []
    for steps in (40, 80, 160):
        stds = falling_stds(steps, 10.0, 0.01)[:-1]  # the last step, to 0, is another rule
        found = follow_flow(gaussian_denoiser(numpy.array([[0.3]])), numpy.ones((1, 1)), stds)
        errors.append(abs(found.item() - math.sqrt((0.3 + 0.01**2) / (0.3 + 10.0**2))))
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert orders == pytest.approx([2, 2], abs=0.15)
    assert errors[-1] < 1e-4


def test_levels_fall_evenly_in_their_roots_and_end_at_0():
    stds = falling_stds(20, 80.0, 0.002)
    assert stds[0] == pytest.approx(80.0)
    assert stds[-2:] == pytest.approx([0.002, 0.0])
    roots = numpy.array(stds[:-1]) ** (1 / 7)
    numpy.testing.assert_allclose(numpy.diff(roots, 2), 0, atol=1e-12)


def test_images_are_mixed_as_points_are_and_every_pixel_is_told_the_angle():
    images = numpy.random.default_rng(3).normal(size=(4, 3, 5, 6)).astype("float32")
    mixed = Mixed()(images, numpy.random.default_rng(4))
    flat = Mixed()(images.reshape(4, -1), numpy.random.default_rng(4))
    assert mixed.shape == (4, 4, 5, 6)
    assert mixed[:, :3].reshape(4, -1).tobytes() == flat[:, :-1].tobytes()
    assert (mixed[:, 3] == flat[:, -1].reshape(4, 1, 1)).all()


def test_the_network_of_images_is_told_the_angle():
    minigrad.manual_seed(0)
    network, x = VelocityUNet(size=8, features=4), numpy.zeros((2, 2, 8, 8), "float32")
    x[1, 1] = 1.5
    one, other = network(minigrad.Tensor(x)).detach().numpy()
    assert numpy.abs(one - other).max() > 1e-3


def test_samples_have_the_same_bits_for_any_number_of_workers():
    minigrad.manual_seed(0)
    network = VelocityUNet(size=8, features=4)
    found = set()
    for workers in (1, 2, 3):
        denoiser = NoiseConditionalDenoiser(network, MEAN, STD, workers)
        found.add(denoiser.sample(70, (1, 8, 8), numpy.random.default_rng(6), steps=3).tobytes())
    assert len(found) == 1


@pytest.mark.slow
def test_trained_in_the_plane_it_samples_what_it_was_trained_on():
    """A ring of Gaussians, whose modes must all be found, each with its share."""
    from autoencoder.data.curves import mixture_ring
    from autoencoder.training import TrainingSettings, train

    x = mixture_ring(4, std=0.15).sample(20_000, numpy.random.default_rng(7))
    mean, std = float(x.mean()), float(x.std())
    minigrad.manual_seed(0)
    network = VelocityNetwork(2, (64, 64))
    settings = TrainingSettings(epochs=30, batch_size=250, learning_rate=3e-3, schedule="cosine")
    x = ((x - mean) / std).astype("float32")
    train(network, x, settings, corruption=Mixed(), loss=velocity_loss, quiet=True)
    denoiser = NoiseConditionalDenoiser(network, mean, std)
    samples = denoiser.sample(4_000, (2,), numpy.random.default_rng(8), steps=30)
    means = mixture_ring(4).means
    distance = numpy.linalg.norm(samples[:, None] - means, axis=2)
    assert (distance.min(axis=1) < 0.5).mean() > 0.97  # 99.6 % of the ring's own points
    shares = numpy.bincount(distance.argmin(axis=1), minlength=4) / len(samples)
    numpy.testing.assert_allclose(shares, 0.25, atol=0.04)
