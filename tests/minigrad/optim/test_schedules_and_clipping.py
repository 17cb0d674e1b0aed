"""Learning-rate schedules and gradient clipping: closed forms and PyTorch."""

import math

import numpy
import pytest

from minigrad import Tensor, optim
from minigrad.backend import to_numpy


def optimizer_of(lr=1.0):
    return optim.SGD([Tensor([1.0], requires_grad=True)], lr=lr)


SCHEDULES = {
    "step": ("StepLR", {"step_size": 3}),
    "step gamma": ("StepLR", {"step_size": 1, "gamma": 0.5}),
    "cosine": ("CosineAnnealingLR", {"T_max": 7}),
    "cosine eta_min": ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.1}),
    "cosine one": ("CosineAnnealingLR", {"T_max": 1}),
}


@pytest.mark.parametrize("case", SCHEDULES)
def test_rates_are_pytorchs_for_two_groups_and_beyond_the_end(case):
    torch = pytest.importorskip("torch")
    name, options = SCHEDULES[case]
    groups = lambda make: [{"params": [make()]}, {"params": [make()], "lr": 0.3}]  # noqa: E731
    ours = optim.SGD(groups(lambda: Tensor([1.0], requires_grad=True)), lr=2.0)
    theirs = torch.optim.SGD(groups(lambda: torch.ones(1, requires_grad=True)), lr=2.0)
    schedule = getattr(optim, name)(ours, **options)
    reference = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    assert schedule.get_last_lr() == reference.get_last_lr()
    for _ in range(25):
        theirs.step()
        schedule.step()
        reference.step()
        assert schedule.get_last_lr() == pytest.approx(reference.get_last_lr(), abs=1e-12)


def test_schedules_of_one_optimiser_combine_as_pytorchs():
    torch = pytest.importorskip("torch")
    ours, theirs = optimizer_of(), torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    mine = [optim.StepLR(ours, 2, 0.5), optim.CosineAnnealingLR(ours, 5)]
    scheduler = torch.optim.lr_scheduler
    others = [scheduler.StepLR(theirs, 2, 0.5), scheduler.CosineAnnealingLR(theirs, 5)]
    for _ in range(12):
        theirs.step()
        for schedule in mine + others:
            schedule.step()
        rate = theirs.param_groups[0]["lr"]
        assert ours.param_groups[0]["lr"] == pytest.approx(rate, abs=1e-12)


def test_the_cosine_over_thousands_of_steps_stays_on_its_curve():
    optimizer = optimizer_of(lr=0.5)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=2000, eta_min=0.01)
    for t in range(1, 2001):
        schedule.step()
        exact = 0.01 + 0.49 * (1 + math.cos(math.pi * t / 2000)) / 2
        assert schedule.get_last_lr()[0] == pytest.approx(exact, rel=1e-9)
    assert schedule.get_last_lr() == [0.01]


def test_steps_lower_the_rate_the_optimiser_uses():
    x = Tensor(numpy.array([0.0]), requires_grad=True)
    optimizer = optim.SGD([x], lr=1.0)
    schedule = optim.StepLR(optimizer, 1, gamma=0.5)
    for _ in range(3):
        optimizer.step([numpy.array([1.0])])
        schedule.step()
    assert x.item() == -(1 + 0.5 + 0.25)


@pytest.mark.parametrize("case", SCHEDULES)
def test_a_resumed_schedule_goes_on_where_it_was(case):
    name, options = SCHEDULES[case]
    optimizer = optimizer_of()
    schedule = getattr(optim, name)(optimizer, **options)
    for _ in range(5):
        schedule.step()
    saved = optimizer.state_dict(), schedule.state_dict()
    other = optimizer_of(lr=123.0)
    resumed = getattr(optim, name)(other, **{**options, next(iter(options)): 99})
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    for _ in range(10):
        schedule.step()
        resumed.step()
        assert resumed.get_last_lr() == schedule.get_last_lr()


SHAPES = [(3, 4), (), (5,)]


@pytest.mark.parametrize("norm_type", [2, 1, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.7, 1e6])
def test_clipping_is_pytorchs(norm_type, max_norm, tensor):
    torch = pytest.importorskip("torch")
    generator = numpy.random.default_rng(0)
    values = [numpy.asarray(generator.normal(size=shape), "f") for shape in SHAPES]
    ours = [tensor(value, requires_grad=True) for value in values] + [tensor([1.0], True)]
    theirs = [torch.tensor(value, requires_grad=True) for value in values]
    for mine, other, value in zip(ours, theirs, values):
        mine.grad, other.grad = tensor(value), torch.tensor(value)
    length = optim.clip_grad_norm_(iter(ours), max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert length.shape == ()
    assert length.dtype == numpy.float32
    assert length.item() == pytest.approx(expected.item(), rel=1e-6)
    for mine, other in zip(ours, theirs):
        assert mine.grad.dtype == numpy.float32
        numpy.testing.assert_allclose(to_numpy(mine.grad.data), other.grad.numpy(), rtol=1e-5)


def with_grad(*gradients):
    """Parameters whose ``grad`` is given."""
    parameters = [Tensor(numpy.zeros(gradient.shape, "f"), True) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient
    return parameters


def test_short_gradients_keep_every_bit():
    gradient = Tensor([0.1, 0.2])
    optim.clip_grad_norm_(with_grad(gradient), 1.0)
    assert (gradient.data == numpy.array([0.1, 0.2], "f")).all()


@pytest.mark.parametrize("norm_type", [2, 1, math.inf])
def test_empty_and_missing_gradients_add_nothing(norm_type):
    empty, gradient = Tensor(numpy.zeros((0, 2), "f")), Tensor([-4.0])
    assert optim.clip_grad_norm_(with_grad(empty, gradient), 2.0, norm_type).item() == 4.0
    assert gradient.item() == pytest.approx(-2.0)
    bare = Tensor([1.0], requires_grad=True)
    for parameters in (with_grad(empty), [bare], bare):
        assert optim.clip_grad_norm_(parameters, 2.0, norm_type).item() == 0.0


def test_gradients_that_are_not_finite_can_be_refused():
    x = Tensor([1.0], requires_grad=True)
    x.grad = Tensor([float("inf")])
    with pytest.raises(RuntimeError, match="clip_grad_norm_: the gradients' length is inf"):
        optim.clip_grad_norm_([x], 1.0, error_if_nonfinite=True)
    assert x.grad.item() == float("inf")


def test_clipping_is_a_change_backward_notices():
    gradient = Tensor([3.0], requires_grad=True)
    loss = (gradient * gradient).sum()
    optim.clip_grad_norm_(with_grad(gradient), 1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()
