"""The mixture density layer: its density against scipy, its gradients by differences, its fit."""

import numpy
import pytest
from scipy.stats import multivariate_normal

from minigrad import Tensor, manual_seed, nn, no_grad, optim
from minigrad import functional as F
from minigrad.gradcheck import gradcheck


def numbers(*tensors):
    return [tensor.detach().numpy() for tensor in tensors]


@pytest.fixture
def head():
    manual_seed(3)
    return nn.MixtureDensity(3, target_size=2, components=4).to("float64")


@pytest.fixture
def batch():
    rng = numpy.random.default_rng(0)
    return Tensor(rng.normal(size=(5, 3))), Tensor(rng.normal(size=(5, 2)) * 2)


def test_the_density_is_that_of_the_mixture_the_layer_gives(head, batch):
    x, target = batch
    weights, means, stds = numbers(*head(x))
    numpy.testing.assert_allclose(weights.sum(axis=1), 1)
    expected = [
        sum(
            weights[n, k] * multivariate_normal(means[n, k], stds[n, k] ** 2).pdf(target.data[n])
            for k in range(4)
        )
        for n in range(5)
    ]
    numpy.testing.assert_allclose(*numbers(head.log_prob(x, target)), numpy.log(expected))


def test_its_gradients_agree_with_differences(head, batch):
    x, target = (Tensor(tensor.data, requires_grad=True) for tensor in batch)
    assert gradcheck(head.log_prob, (x, target))
    parameters = dict(head.named_parameters())

    def by_weight(weight):
        head.linear.weight = nn.Parameter(weight) if not isinstance(weight, Tensor) else weight
        return head.log_prob(*batch)

    weight = Tensor(parameters["linear.weight"].detach().numpy(), requires_grad=True)
    vars(head.linear)["weight"] = weight
    assert gradcheck(by_weight, (weight,))


def test_one_component_of_fixed_width_is_squared_error_but_for_constants():
    manual_seed(0)
    head = nn.MixtureDensity(3, target_size=2, components=1).to("float64")
    with no_grad():  # s = 1 for every input
        head.linear.weight[1:2].copy_(Tensor(numpy.zeros((1, 3))))
        head.linear.bias[1:2].copy_(Tensor(numpy.zeros(1)))
    rng = numpy.random.default_rng(1)
    x, target = Tensor(rng.normal(size=(6, 3))), Tensor(rng.normal(size=(6, 2)))
    mean = head(x)[1].reshape(6, 2)
    loss = -head.log_prob(x, target).mean()
    squares = 0.5 * F.mse_loss(mean, target, reduction="sum") / 6
    assert loss.item() == pytest.approx(squares.item() + numpy.log(2 * numpy.pi))


def test_a_target_far_from_every_mean_has_a_finite_density_and_gradient(head, batch):
    x, _ = batch
    far = Tensor(numpy.full((5, 2), 1e6), requires_grad=True)
    loss = head.log_prob(x, far).sum()
    loss.backward()
    assert numpy.isfinite(loss.item())
    assert numpy.isfinite(far.grad.numpy()).all()
    assert (far.grad.numpy() != 0).all()


def test_it_learns_both_answers_where_squared_loss_would_learn_neither():
    """Targets are -1 or 1, whatever the input: their mean, 0, is never one."""
    manual_seed(1)
    rng = numpy.random.default_rng(2)
    x = Tensor(rng.normal(size=(400, 2)).astype("float32"))
    target = (rng.choice([-1.0, 1.0], size=(400, 1)) + 0.1 * rng.normal(size=(400, 1))).astype(
        "float32"
    )
    head = nn.MixtureDensity(2, target_size=1, components=2)
    optimizer = optim.Adam(head.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = -head.log_prob(x, Tensor(target)).mean()
        loss.backward()
        optimizer.step()
    entropy = 0.5 * numpy.log(2 * numpy.pi * numpy.e * 0.01) + numpy.log(2)  # of the targets
    assert loss.item() == pytest.approx(entropy, abs=0.05)
    with no_grad():
        weights, means, stds = numbers(*head(Tensor([[0.0, 0.0]])))
    numpy.testing.assert_allclose(numpy.sort(means[0, :, 0]), [-1, 1], atol=0.05)
    numpy.testing.assert_allclose(weights, 0.5, atol=0.1)
    numpy.testing.assert_allclose(stds, 0.1, atol=0.03)


def test_it_says_what_it_is(head):
    assert repr(head) == "MixtureDensity(in_features=3, target_size=2, components=4)"
