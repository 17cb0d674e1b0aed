"""Diffusion over points: exact velocities give exact densities; a trained network comes near."""

import math

import numpy
import pytest
from scipy.stats import norm

import minigrad
from autoencoder.data.curves import two_modes
from autoencoder.densities import LatentDiffusion
from autoencoder.densities.denoiser import VelocityUNet
from autoencoder.densities.diffusion import Mixed, VelocityNetwork, velocity_loss
from autoencoder.metrics import energy_distance
from autoencoder.training import TrainingSettings
from minigrad import functional as F
from minigrad.gradcheck import gradcheck

STD = numpy.array([0.3, 1.0, 2.5])
MEAN = numpy.array([4.0, 0.0, -1.0])


def exact(std, mean, **options):
    """A density whose network is the exact E[v | z] of independent Gaussians.

    v and z are linear in the independent x and e: cov(v, z) = cos sin (1 - s^2) and
    var z = cos^2 s^2 + sin^2, so E[v | z] = cov(v, z) / var(z) z.
    """
    density = LatentDiffusion(**options)
    squares = minigrad.Tensor((std**2).astype("float32"))

    def velocity(x):
        z, angle = x[:, : len(std)], x[:, len(std) :]
        c, s = F.cos(angle), F.sin(angle)
        return c * s * (1 - squares) / (c * c * squares + s * s) * z

    density.network, density.mean, density.std = velocity, mean, numpy.ones(len(std))
    return density


def test_exact_velocities_give_the_gaussian_log_density():
    x = numpy.random.default_rng(0).normal(MEAN, 1.5 * STD, size=(50, 3))
    expected = norm.logpdf(x, MEAN, STD).sum(axis=1)
    numpy.testing.assert_allclose(exact(STD, MEAN).log_prob(x), expected, atol=2e-4)


def test_exact_velocities_give_samples_of_the_gaussian():
    samples = exact(STD, MEAN, steps=400).sample(20_000, numpy.random.default_rng(1), "float64")
    numpy.testing.assert_allclose(samples.mean(axis=0), MEAN, atol=0.06)
    numpy.testing.assert_allclose(samples.std(axis=0), STD, rtol=0.03)


def test_the_scale_of_the_points_is_part_of_the_density():
    """A network for points of variance 1, and a mean and spread beside it."""
    density = exact(numpy.ones(3), MEAN)
    density.std = STD
    x = numpy.random.default_rng(0).normal(MEAN, STD, size=(20, 3))
    expected = norm.logpdf(x, MEAN, STD).sum(axis=1)
    numpy.testing.assert_allclose(density.log_prob(x), expected, atol=1e-4)


def given_exact(slope, std):
    """As `exact`, of x = slope g + std e, which is given g: z has the mean cos(a) slope g."""
    density = LatentDiffusion()

    def velocity(x):
        z, given, angle = x[:, :1], x[:, 1:2], x[:, 2:]
        c, s, middle = F.cos(angle), F.sin(angle), slope * given
        pull = c * s * (1 - std**2) / (c * c * std**2 + s * s)
        return pull * (z - c * middle) - s * middle

    density.network = velocity
    density.mean, density.std = numpy.zeros(1), numpy.ones(1)
    density.given_mean, density.given_std = numpy.array([5.0]), numpy.array([2.0])
    return density


def test_exact_velocities_of_what_is_given_give_the_conditional_density():
    rng = numpy.random.default_rng(10)
    density, g = given_exact(3.0, 0.5), rng.normal(size=(9_000, 1))  # more than one chunk
    samples = density.sample(9_000, rng, "float64", given=5.0 + 2.0 * g)
    assert norm.fit(samples - 3.0 * g) == pytest.approx((0, 0.5), abs=0.02)
    some, mine = samples[:600], g[:600]  # more than one piece of work
    found = density.log_prob(some, given=5.0 + 2.0 * mine)
    numpy.testing.assert_allclose(found, norm.logpdf(some - 3.0 * mine, 0, 0.5)[:, 0], atol=2e-4)


def test_a_network_learns_what_belongs_to_what_is_given():
    rng = numpy.random.default_rng(11)
    given = rng.normal(4.0, 2.0, size=(4_000, 2))
    given[:, 1] = 7.0  # says nothing
    x = 3.0 * given[:, :1] + 0.5 * rng.normal(size=(4_000, 1))
    settings = TrainingSettings(epochs=30, batch_size=200, learning_rate=5e-3, schedule="cosine")
    density = LatentDiffusion(hidden=(64, 64)).fit(x, settings, given=given)
    asked = numpy.repeat([[2.0, 7.0], [6.0, 7.0]], 1_000, axis=0)
    samples = density.sample(2_000, rng, "float64", given=asked).reshape(2, 1_000)
    numpy.testing.assert_allclose(samples.mean(axis=1), [6.0, 18.0], atol=0.15)
    assert (samples.std(axis=1) < 0.8).all()  # that of x alone is 6


def test_what_is_given_is_not_mixed():
    rng = numpy.random.default_rng(12)
    points = rng.normal(size=(50, 3)).astype("float32")
    mixed = Mixed(given=2)(points, rng)
    assert (mixed[:, 1:3] == points[:, 1:]).all()
    assert (mixed[:, 0] != points[:, 0]).all()
    assert repr(Mixed(2)) != repr(Mixed())


def test_mixed_points_lie_on_the_quarter_of_a_circle_and_tell_their_angle():
    rng = numpy.random.default_rng(2)
    points = numpy.full((50_000, 1), 2.0, "float32")
    mixed, angle = Mixed()(points, rng).T.astype("float64")
    assert 0 < angle.min() < 0.02
    assert math.pi / 2 - 0.01 < angle.max() <= math.pi / 2
    noise = (mixed - numpy.cos(angle) * 2) / numpy.sin(angle)
    assert norm.fit(noise) == pytest.approx((0, 1), abs=0.02)
    assert abs(numpy.corrcoef(noise, angle)[0, 1]) < 0.02


def test_the_loss_is_that_of_the_velocity_along_the_path():
    rng = numpy.random.default_rng(3)
    x, e, a = rng.normal(size=(6, 2)), rng.normal(size=(6, 2)), rng.uniform(0.1, 1.5, (6, 1))
    inputs = numpy.concatenate([numpy.cos(a) * x + numpy.sin(a) * e, a], axis=1)
    guess = rng.normal(size=(6, 2))
    loss = velocity_loss(lambda _: minigrad.Tensor(guess), *map(minigrad.Tensor, (inputs, x)))
    step = 1e-6  # dz/da by differences
    ahead, behind = (numpy.cos(a + h) * x + numpy.sin(a + h) * e for h in (step, -step))
    assert loss.item() == pytest.approx((((ahead - behind) / (2 * step) - guess) ** 2).mean())


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: VelocityNetwork(2, (5,)), (4, 2)),
        (lambda: VelocityUNet(channels=2, size=8, features=2), (2, 2, 8, 8)),
    ],
)
def test_the_loss_of_a_network_has_the_right_gradients(make, shape):
    minigrad.manual_seed(0)
    network = make().to("float64")
    rng = numpy.random.default_rng(0)
    x = minigrad.Tensor(rng.normal(size=shape))
    inputs = minigrad.Tensor(Mixed()(x.numpy(), rng).astype("float64"), requires_grad=True)
    assert gradcheck(lambda inputs: velocity_loss(network, inputs, x), (inputs,))


@pytest.fixture(scope="module")
def trained():
    x = two_modes(distance=2.0, std=0.3).sample(4_000, numpy.random.default_rng(4), "float64")
    settings = TrainingSettings(epochs=40, batch_size=200, learning_rate=5e-3, schedule="cosine")
    return LatentDiffusion(hidden=(64, 64)).fit(x, settings)


def test_a_trained_density_comes_near_the_one_its_points_are_from(trained):
    truth = two_modes(distance=2.0, std=0.3)
    fresh = truth.sample(2_000, numpy.random.default_rng(5), "float64")
    gap = truth.log_prob(fresh).mean() - trained.log_prob(fresh, steps=30).mean()
    assert -0.02 < gap < 0.15
    samples = trained.sample(2_000, numpy.random.default_rng(6), "float64")
    gaussian = numpy.random.default_rng(7).normal(fresh.mean(axis=0), fresh.std(axis=0), (2_000, 2))
    assert energy_distance(samples, fresh) < 0.1 * energy_distance(gaussian, fresh)


def test_its_density_integrates_to_one(trained):
    axis = numpy.linspace(-4, 4, 81)
    grid = numpy.stack(numpy.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    mass = numpy.exp(trained.log_prob(grid, steps=30)).sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1.0, abs=0.01)


def test_the_same_seed_gives_the_same_samples(trained):
    one, two = (trained.sample(5, numpy.random.default_rng(0)) for _ in range(2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.sample(2, numpy.random.default_rng(0)), "sample: the density was fitted with"),
        (lambda d: d.log_prob(numpy.zeros((2, 1)), given=numpy.zeros((2, 3))), "log_prob, given: "),
    ],
)
def test_what_is_given_must_be_what_it_was_fitted_with(call, message):
    with pytest.raises(ValueError, match=rf"{message}.* \(N, 1\)"):
        call(given_exact(1, 1))
