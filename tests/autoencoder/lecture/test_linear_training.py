"""The linear autoencoder's loss and its optimum, against direct sums and the closed form."""

import numpy
import pytest

from autoencoder.data.datasets import load
from autoencoder.metrics import principal_angles
from autoencoder.models import DenseAutoEncoder
from autoencoder.pca import PCA
from autoencoder.training import load_model
from autoencoder.training.linear_training import reconstruction_loss, second_moments, train_linear
from minigrad import Tensor
from minigrad.gradcheck import gradcheck


@pytest.fixture(scope="module")
def samples():
    """400 samples of 12 components, whose directions differ clearly in variance."""
    rng = numpy.random.default_rng(0)
    axes, _ = numpy.linalg.qr(rng.normal(size=(12, 12)))
    scales = 0.8 ** numpy.arange(12)
    return rng.normal(size=(400, 12)) * scales @ axes + rng.normal(size=12)


@pytest.mark.parametrize("centre", [True, False])
def test_loss_from_second_moments_is_the_mean_over_the_samples(samples, centre):
    rng = numpy.random.default_rng(1)
    encoder, decoder = rng.normal(size=(3, 12)), rng.normal(size=(12, 3))
    x = samples - samples.mean(axis=0) if centre else samples
    direct = numpy.mean([((row - decoder @ (encoder @ row)) ** 2).sum() for row in x])
    moments = second_moments(samples, centre)
    loss = reconstruction_loss(Tensor(encoder), Tensor(decoder), Tensor(moments))
    assert loss.item() == pytest.approx(direct, rel=1e-12)


def test_gradient_of_the_loss(samples):
    rng = numpy.random.default_rng(2)
    moments = Tensor(second_moments(samples))
    encoder, decoder = rng.normal(size=(2, 12)), rng.normal(size=(12, 2))
    inputs = [Tensor(encoder, requires_grad=True), Tensor(decoder, requires_grad=True)]
    gradcheck(lambda e, d: reconstruction_loss(e, d, moments), inputs)


def test_second_moments_in_chunks_are_numpys_covariance():
    x = numpy.random.default_rng(3).normal(size=(5_000, 4)).astype("float32")
    expected = numpy.cov(x.astype("float64").T, bias=True)
    assert numpy.allclose(second_moments(x), expected, rtol=1e-6, atol=1e-9)


def _compare_with_svd(x, latent_size):
    """The trained pair's relative excess error over the best subspace's, and the angle to it."""
    moments = second_moments(x, centre=False)
    encoder, decoder = train_linear(moments, latent_size, steps=2_000, learning_rate=0.02)
    _, singular, axes = numpy.linalg.svd(x, full_matrices=False)
    floor = (singular[latent_size:] ** 2).sum()
    error = ((x - x @ (decoder @ encoder).T) ** 2).sum()
    return error / floor - 1, principal_angles(decoder, axes[:latent_size].T)[0]


@pytest.mark.parametrize("latent_size", [1, 3])
def test_descent_on_centred_samples_finds_pca_to_one_part_in_a_million(samples, latent_size):
    excess, angle = _compare_with_svd(samples - samples.mean(axis=0), latent_size)
    assert abs(excess) < 1e-6
    assert angle < 1e-6


def test_descent_on_samples_that_are_not_centred_finds_the_uncentred_svd_instead(samples):
    excess, angle = _compare_with_svd(samples, 1)
    assert abs(excess) < 1e-6
    assert angle < 1e-3
    of_pca = PCA(1).fit(samples).components_
    of_svd = PCA(1, centre=False).fit(samples).components_
    assert principal_angles(of_pca.T, of_svd.T)[0] > 0.1


def test_descent_on_a_gpu_that_is_not_the_current_one_is_the_hosts(samples, gpu):
    moments = second_moments(samples)
    here, there = (train_linear(moments, 2, steps=20, device=str(d)) for d in ("cpu", gpu))
    for expected, found in zip(here, there, strict=True):
        numpy.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_observer_is_told_exactly_the_steps_asked_for_and_the_loss_falls(samples):
    seen = []

    def observe(step, loss, decoder):
        seen.append((step, loss, decoder.shape))

    moments = second_moments(samples)
    train_linear(moments, 2, steps=50, observe=observe, observe_at={0, 7, 50})
    assert [step for step, _, _ in seen] == [0, 7, 50]
    assert seen[0][1] > seen[1][1] > seen[2][1]
    assert {shape for _, _, shape in seen} == {(12, 2)}


def test_same_seed_same_bits_and_another_seed_another_start(samples):
    moments = second_moments(samples)
    first, again, other = (train_linear(moments, 2, steps=5, seed=seed)[1] for seed in (0, 0, 1))
    assert (first == again).all()
    assert not (first == other).any()


def test_minibatches_are_measured_by_the_loss_of_the_whole_set_over_the_least(smoke):
    folder, results = smoke("linear_is_pca")
    x = load("mnist").images("train", 300).reshape(300, -1).astype("float64")
    x -= x.mean(axis=0)
    _, singular, axes = numpy.linalg.svd(x, full_matrices=False)
    floor = (singular[8:] ** 2).sum()
    found = set()
    for path in (folder / "models").glob("linear-minibatch-*"):
        model = DenseAutoEncoder(8, bias=False)
        load_model(path, model)
        weights = model.state_dict()
        decoder = weights["decoder.weight"].astype("float64")
        rest = x - x @ (decoder @ weights["encoder.weight"].astype("float64")).T
        angle = numpy.rad2deg(principal_angles(decoder, axes[:8].T)[0])
        found.add((round((rest**2).sum() / floor, 5), round(float(angle), 2)))
    said = results.numbers["minibatch"]
    assert {(round(each["ratio"], 5), round(each["angle"], 2)) for each in said} == found
    assert len(found) == 3
