"""SGD, Adam and AdamW: single steps by hand, many steps against PyTorch."""

import math

import numpy
import pytest

from minigrad import Tensor, optim
from minigrad.backend import to_device, to_numpy

SHAPES = [(3, 4), (), (5,), (2, 1, 3), (0, 2)]

OPTIONS = {
    "sgd": ("SGD", {}),
    "sgd lr": ("SGD", {"lr": 0.1}),
    "sgd momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "sgd dampening": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    "sgd nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd decay": ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    "sgd all": ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.1, "weight_decay": 0.01}),
    "adam": ("Adam", {}),
    "adam options": ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    "adam decay": ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
    "adam without betas": ("Adam", {"lr": 0.1, "betas": (0.0, 0.0)}),
    "adamw": ("AdamW", {}),
    "adamw decay": ("AdamW", {"lr": 0.1, "weight_decay": 0.5}),
}


def draws(seed, dtype="float64"):
    generator = numpy.random.default_rng(seed)
    return [numpy.asarray(generator.normal(size=shape), dtype=dtype) for shape in SHAPES]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", OPTIONS)
def test_ten_steps_follow_pytorch(case, dtype, device, tensor):
    torch = pytest.importorskip("torch")
    name, options = OPTIONS[case]
    ours = [tensor(value, requires_grad=True) for value in draws(0, dtype)]
    theirs = [torch.tensor(value, requires_grad=True) for value in draws(0, dtype)]
    optimizer = getattr(optim, name)(ours, **options)
    reference = getattr(torch.optim, name)(theirs, **options)
    tolerance = {"float64": 1e-12, "float32": 1e-5}[dtype]
    for step in range(10):
        for index, gradient in enumerate(draws(step + 1, dtype)):
            # Some parameters miss some steps, as where a branch of a model was not used.
            missing = index == step % 4 and step < 6
            theirs[index].grad = None if missing else torch.tensor(gradient)
            ours[index].grad = None if missing else tensor(gradient)
        reference.step()
        optimizer.step()
        for mine, other in zip(ours, theirs):
            assert mine.dtype == dtype
            found, expected = to_numpy(mine.data), other.detach().numpy()
            numpy.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("how", ["grad", "sequence of tensors", "sequence of arrays", "one array"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_gradients_given_in_any_form_make_the_same_step(name, how, device, tensor):
    values, gradients = draws(0, "float32"), draws(1, "float32")
    parameters, expected = ([tensor(v, requires_grad=True) for v in values] for _ in range(2))
    for group in (expected, parameters) if how == "grad" else (expected,):
        for parameter, gradient in zip(group, gradients):
            parameter.grad = tensor(gradient)
    reference = getattr(optim, name)(expected, lr=0.1)
    optimizer = getattr(optim, name)(parameters, lr=0.1)
    flat = numpy.concatenate([gradient.reshape(-1) for gradient in gradients])
    given = {
        "grad": None,
        "sequence of tensors": tuple(map(tensor, gradients)),
        "sequence of arrays": [to_device(gradient, device) for gradient in gradients],
        "one array": to_device(flat, device),
    }[how]
    for _ in range(3):
        reference.step()
        optimizer.step(given)
    for mine, other in zip(parameters, expected):
        numpy.testing.assert_array_equal(to_numpy(mine.data), to_numpy(other.data))


# Options, how often a gradient of 4 is given, and what becomes of 2.
BY_HAND = [
    (optim.SGD, dict(lr=0.25), 1, 1.0),
    (optim.SGD, dict(lr=0.25, weight_decay=0.5), 1, 2 - 0.25 * (4 + 1)),
    # buffers: 4, then 0.5 * 4 + 4 = 6
    (optim.SGD, dict(lr=0.25, momentum=0.5), 2, 2 - 0.25 * 10),
    # the second gradient enters by half: 0.5 * 4 + 0.5 * 4 = 4
    (optim.SGD, dict(lr=0.25, momentum=0.5, dampening=0.5), 2, 2 - 0.25 * 8),
    # g + momentum b: 4 + 2, then 4 + 3
    (optim.SGD, dict(lr=0.25, momentum=0.5, nesterov=True), 2, 2 - 0.25 * 13),
    # First step: m' = g and v' = g^2, so the change is lr g / (|g| + eps).
    (optim.Adam, dict(lr=0.5, eps=1.0), 1, 2 - 0.5 * 4 / 5),
    (optim.Adam, dict(lr=0.5, eps=1.0, weight_decay=0.5), 1, 2 - 0.5 * 5 / 6),
    (optim.AdamW, dict(lr=0.5, eps=1.0, weight_decay=0.5), 1, 2 * 0.75 - 0.5 * 4 / 5),
]


@pytest.mark.parametrize(("make", "options", "steps", "expected"), BY_HAND)
def test_steps_by_hand(make, options, steps, expected):
    x = Tensor(numpy.array([2.0]), requires_grad=True)
    optimizer = make([x], **options)
    for _ in range(steps):
        optimizer.step([numpy.array([4.0])])
    assert x.item() == pytest.approx(expected, rel=1e-12)


def test_two_steps_of_adam_by_hand():
    # Gradients 4 and 1, beta1 = beta2 = 1/2: m' = (1/4 4 + 1/2 1) / (3/4) = 2 and
    # v' = (1/4 16 + 1/2 1) / (3/4) = 6.
    x = Tensor(numpy.array([2.0]), requires_grad=True)
    optimizer = optim.Adam([x], lr=0.5, betas=(0.5, 0.5), eps=0.0)
    optimizer.step([numpy.array([4.0])])
    optimizer.step([numpy.array([1.0])])
    assert x.item() == pytest.approx(2 - 0.5 - 0.5 * 2 / math.sqrt(6))


def test_numpy_scalars_as_options_do_not_change_the_precision():
    x = Tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.AdamW([x], lr=numpy.float64(0.1), weight_decay=numpy.float64(0.1))
    optimizer.param_groups[0]["lr"] = numpy.float64(0.2)
    optimizer.step([Tensor([1.0, 1.0])])
    assert x.dtype == numpy.float32
    exact = 1 - 0.2 * 0.1 - 0.2
    assert x.data[0] == pytest.approx(exact, rel=1e-6)
