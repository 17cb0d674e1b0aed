"""Layers: repr and results against PyTorch, initial weights, wrong arguments."""

import copy
import math

import numpy
import pytest

import minigrad
from minigrad import Tensor, nn
from minigrad.backend import random

LAYERS = {
    "linear": (lambda n: n.Linear(4, 3), (2, 5, 4)),
    "linear without bias": (lambda n: n.Linear(4, 3, bias=False), (4,)),
    "conv": (lambda n: n.Conv2d(1, 32, 5), (2, 1, 8, 8)),
    "conv, one image": (lambda n: n.Conv2d(2, 3, 3), (2, 8, 8)),
    "conv, all options": (
        lambda n: n.Conv2d(4, 8, (3, 2), (2, 1), (1, 2), (1, 2), 2, False),
        (2, 4, 9, 8),
    ),
    "conv same": (lambda n: n.Conv2d(1, 2, (3, 5), padding="same"), (1, 1, 6, 6)),
    "conv valid": (lambda n: n.Conv2d(1, 2, 3, stride=2, padding="valid"), (1, 1, 6, 6)),
    "transposed": (lambda n: n.ConvTranspose2d(8, 32, 4), (1, 8, 1, 1)),
    "transposed, all options": (
        lambda n: n.ConvTranspose2d(4, 6, 3, (2, 3), (0, 1), (1, 2), 2, False, 2),
        (2, 4, 5, 4),
    ),
    "relu": (lambda n: n.ReLU(), (3, 2)),
    "leaky relu": (lambda n: n.LeakyReLU(), (3, 2)),
    "leaky relu, slope": (lambda n: n.LeakyReLU(0.2), (3, 2)),
    "sigmoid": (lambda n: n.Sigmoid(), (3, 2)),
    "tanh": (lambda n: n.Tanh(), (3, 2)),
    "flatten": (lambda n: n.Flatten(), (2, 3, 4)),
    "flatten some": (lambda n: n.Flatten(0, -2), (2, 3, 4)),
    "unflatten": (lambda n: n.Unflatten(1, (2, 3)), (2, 6)),
    "unflatten, from the end": (lambda n: n.Unflatten(-1, [-1, 2]), (2, 6)),
    "identity": (lambda n: n.Identity(3, unused=True), (3, 2)),
    "gelu": (lambda n: n.GELU(), (3, 2)),
    "gelu, tanh": (lambda n: n.GELU("tanh"), (3, 2)),
    "dropout, evaluated": (lambda n: n.Dropout(0.3).eval(), (3, 2)),
    "group norm": (lambda n: n.GroupNorm(2, 4), (3, 4, 5, 2)),
    "group norm, bare": (lambda n: n.GroupNorm(4, 4, 1e-3, affine=False), (3, 4, 5)),
    "layer norm": (lambda n: n.LayerNorm(5), (3, 5)),
    "layer norm, two dimensions": (lambda n: n.LayerNorm((3, 5), 1e-3), (2, 3, 5)),
    "layer norm, bare": (lambda n: n.LayerNorm(5, elementwise_affine=False), (3, 5)),
    "layer norm without bias": (lambda n: n.LayerNorm(5, bias=False), (3, 5)),
    "max pool": (lambda n: n.MaxPool2d(2), (2, 3, 6, 6)),
    "max pool, options": (
        lambda n: n.MaxPool2d((3, 2), stride=1, padding=1, dilation=2, ceil_mode=True),
        (2, 3, 7, 6),
    ),
    "upsample": (lambda n: n.Upsample(scale_factor=2), (2, 3, 2, 3)),
    "upsample by two factors": (lambda n: n.Upsample(scale_factor=(2, 3.5)), (2, 3, 2, 3)),
    "upsample to a size": (lambda n: n.Upsample(size=(5, 4)), (2, 3, 2, 3)),
    "upsample to a square": (lambda n: n.Upsample(5), (2, 3, 2, 3)),
    "empty": (lambda n: n.Sequential(), (2,)),
    "nested": (
        lambda n: n.Sequential(
            n.Conv2d(1, 2, 3, bias=False),
            n.Sequential(n.ReLU(), n.Sequential(), n.Sequential(n.Tanh())),
            n.Flatten(),
        ),
        (2, 1, 5, 5),
    ),
}


def in_both(ours, theirs, shape, **options):
    """What a layer and PyTorch's, given its weights, make of an input."""
    torch = pytest.importorskip("torch")
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    x = numpy.random.default_rng(0).normal(size=shape).astype("float32")
    result = ours(Tensor(x), **options).detach().numpy()
    return result, theirs(torch.from_numpy(x), **options).detach().numpy()


@pytest.mark.parametrize("case", LAYERS)
def test_repr_state_and_result_are_pytorchs(case):
    torch = pytest.importorskip("torch")
    make, shape = LAYERS[case]
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    result, expected = in_both(ours, theirs, shape)
    assert result.dtype == numpy.float32
    numpy.testing.assert_allclose(result, expected, atol=1e-5)


def test_repr_of_a_model_of_ones_own():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
            self.decoder = nn.Linear(1, 2, bias=False)

        def extra_repr(self):
            return "latent_size=1"

    assert repr(Net()) == (
        "Net(\n"
        "  latent_size=1\n"
        "  (encoder): Sequential(\n"
        "    (0): Linear(in_features=2, out_features=1, bias=True)\n"
        "    (1): ReLU()\n"
        "  )\n"
        "  (decoder): Linear(in_features=1, out_features=2, bias=False)\n"
        ")"
    )


def test_output_size_picks_the_output_padding():
    torch = pytest.importorskip("torch")
    ours, theirs = (
        library.ConvTranspose2d(2, 3, 3, stride=(2, 3), padding=1) for library in (nn, torch.nn)
    )
    numpy.testing.assert_allclose(
        *in_both(ours, theirs, (1, 2, 4, 4), output_size=(8, 12)), atol=1e-5
    )
    with pytest.raises(ValueError, match=r"ConvTranspose2d: output_size \(9, 12\) .* \(7, 10\)"):
        ours(Tensor(numpy.zeros((1, 2, 4, 4), "f")), output_size=(9, 12))


FAN_IN = {
    "linear": (lambda n, **o: n.Linear(300, 100, **o), 300),
    "conv": (lambda n, **o: n.Conv2d(6, 400, (2, 3), groups=2, **o), 3 * 6),
    # PyTorch reads the transposed layer's fan off the weight as it lies: out_channels / groups.
    "transposed": (lambda n, **o: n.ConvTranspose2d(8, 200, (2, 3), groups=2, **o), 100 * 6),
}


@pytest.mark.parametrize("case", FAN_IN)
def test_initial_weights_are_uniform_up_to_one_over_root_fan_in(case):
    make, fan_in = FAN_IN[case]
    layer = make(nn, generator=numpy.random.default_rng(0))
    bound = 1 / math.sqrt(fan_in)
    for parameter in (layer.weight, layer.bias):
        values, count = parameter.data, parameter.size
        assert values.dtype == numpy.float32
        assert parameter.requires_grad
        # Of a uniform sample: the extremes, mean and standard deviation, within 4 sigma or so.
        assert bound * (1 - 10 / count) < abs(values).max() <= numpy.float32(bound)
        assert abs(values.mean()) < 4 * bound / math.sqrt(3 * count)
        assert values.std() == pytest.approx(bound / math.sqrt(3), rel=2 / math.sqrt(count))


@pytest.mark.parametrize("case", FAN_IN)
def test_initial_weights_are_spread_as_pytorchs(case):
    torch = pytest.importorskip("torch")
    make, fan_in = FAN_IN[case]
    bound = 1 / math.sqrt(fan_in)
    for parameter in make(torch.nn).parameters():
        largest = parameter.detach().abs().max().item()
        assert bound * (1 - 10 / parameter.numel()) < largest <= bound * (1 + 1e-6)


@pytest.mark.parametrize("case", FAN_IN)
def test_a_seed_fixes_the_weights_in_any_precision(case):
    make, _ = FAN_IN[case]
    minigrad.manual_seed(7)
    first, second = make(nn), make(nn)
    minigrad.manual_seed(7)
    again = make(nn)
    given, double = (
        make(nn, generator=numpy.random.default_rng(7), **option)
        for option in ({}, {"dtype": "float64"})
    )
    for name, value in first.state_dict().items():
        for same in (again, given, double):
            assert (value == same.state_dict()[name]).all()
        assert (value != second.state_dict()[name]).any()
    assert double.weight.dtype == numpy.float64


def test_there_is_one_default_generator_and_one_of_ones_own_leaves_it_alone(monkeypatch):
    monkeypatch.setattr(random, "_generator", None)  # unseeded
    default = random.default_generator()
    expected = default.bit_generator.state
    nn.Linear(3, 3, generator=numpy.random.default_rng(0))
    assert random.default_generator() is default
    assert default.bit_generator.state == expected


def test_layer_norm_starts_as_the_bare_normalisation():
    layer = nn.LayerNorm((2, 3), dtype="float64")
    assert layer.weight.dtype == layer.bias.dtype == numpy.float64
    assert (layer.weight.data == 1).all()
    assert (layer.bias.data == 0).all()


def test_sequential_is_a_sequence_whose_slices_share_modules_and_keep_names():
    first, second, third = nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)
    model = nn.Sequential(first, second)
    assert model.append(third) is model
    assert len(model) == 3
    assert list(model) == [first, second, third]
    assert (model[0], model[-1]) == (first, third)
    tail = model[1:]
    assert list(tail) == [second, third]
    assert list(tail.state_dict()) == ["2.weight", "2.bias"]
    tail.append(nn.Tanh())
    assert [name for name, _ in tail.named_children()] == ["1", "2", "3"]
    model[1] = replacement = nn.Tanh()
    assert list(model) == [first, replacement, third]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    named = nn.Sequential({"encoder": first, "decoder": third})
    assert next(iter(named.state_dict())) == "encoder.weight"
    assert named.encoder is named[0] is first
    assert named(Tensor([[1.0, 2.0]])).shape == (1, 1)


@pytest.mark.parametrize("case", LAYERS)
def test_results_and_gradients_on_a_gpu_are_the_cpus(case, gpu):
    make, shape = LAYERS[case]
    x = numpy.random.default_rng(0).standard_normal(shape).astype("float32")

    def results(place):
        minigrad.manual_seed(0)
        layer = make(nn).to(place)
        given = Tensor(x, requires_grad=True, device=place)
        output = layer(given)
        gradients = minigrad.grad((output * output).sum(), [given, *layer.parameters()])
        assert {one.device for one in (output, *gradients)} == {minigrad.device(place)}
        return [one.detach().to("cpu").numpy() for one in (output, *gradients)]

    for found, expected in zip(results(gpu), results("cpu"), strict=True):
        numpy.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_model_goes_to_a_gpu_and_back_with_weights_precision_and_copies(gpu):
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.LayerNorm(4))
    expected = model.state_dict()
    model.to(gpu)
    assert {p.device for p in model.parameters()} == {gpu}
    copied = copy.deepcopy(model)
    assert {p.device for p in copied.parameters()} == {gpu}
    doubled = copy.deepcopy(model).to("float64")
    assert {(p.device, str(p.dtype)) for p in doubled.parameters()} == {(gpu, "float64")}
    model.load_state_dict({name: value + 1 for name, value in expected.items()})
    for name, value in expected.items():
        numpy.testing.assert_array_equal(copied.state_dict()[name], value)
        numpy.testing.assert_array_equal(model.state_dict()[name], value + 1)
    assert {p.device for p in model.to("cpu").parameters()} == {minigrad.device("cpu")}
