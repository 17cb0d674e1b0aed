"""Layers: repr and results against PyTorch, initial weights, wrong arguments."""

import copy
import math

import numpy
import pytest

import minigrad
from minigrad import Tensor, functional, nn
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


@pytest.mark.parametrize("case", LAYERS)
def test_repr_state_and_result_are_pytorchs(case):
    torch = pytest.importorskip("torch")
    make, shape = LAYERS[case]
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    x = numpy.random.default_rng(0).normal(size=shape).astype("float32")
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    result = ours(Tensor(x)).detach().numpy()
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
    ours = nn.ConvTranspose2d(2, 3, 3, stride=(2, 3), padding=1)
    theirs = torch.nn.ConvTranspose2d(2, 3, 3, stride=(2, 3), padding=1)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    x = numpy.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype("float32")
    result = ours(Tensor(x), output_size=(8, 12)).detach().numpy()
    expected = theirs(torch.from_numpy(x), output_size=(8, 12)).detach().numpy()
    numpy.testing.assert_allclose(result, expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"ConvTranspose2d: output_size \(9, 12\) .* \(7, 10\)"):
        ours(Tensor(x), output_size=(9, 12))


FAN_IN = {
    "linear": (lambda **o: nn.Linear(300, 100, **o), 300),
    "conv": (lambda **o: nn.Conv2d(6, 400, (2, 3), groups=2, **o), 3 * 6),
    # PyTorch reads the transposed layer's fan off the weight as it lies: out_channels / groups.
    "transposed": (lambda **o: nn.ConvTranspose2d(8, 200, (2, 3), groups=2, **o), 100 * 6),
}


@pytest.mark.parametrize("case", FAN_IN)
def test_initial_weights_are_uniform_up_to_one_over_root_fan_in(case):
    make, fan_in = FAN_IN[case]
    layer = make(generator=numpy.random.default_rng(0))
    bound = 1 / math.sqrt(fan_in)
    for parameter in (layer.weight, layer.bias):
        values = parameter.data
        assert values.dtype == numpy.float32
        assert parameter.requires_grad
        assert abs(values).max() <= numpy.float32(bound)
        # Of a uniform sample: the extremes, mean and standard deviation, within 4 sigma or so.
        count = values.size
        assert abs(values).max() > bound * (1 - 10 / count)
        assert abs(values.mean()) < 4 * bound / math.sqrt(3 * count)
        assert values.std() == pytest.approx(bound / math.sqrt(3), rel=2 / math.sqrt(count))


@pytest.mark.parametrize("case", FAN_IN)
def test_initial_weights_are_spread_as_pytorchs(case):
    torch = pytest.importorskip("torch")
    theirs = {
        "linear": lambda: torch.nn.Linear(300, 100),
        "conv": lambda: torch.nn.Conv2d(6, 400, (2, 3), groups=2),
        "transposed": lambda: torch.nn.ConvTranspose2d(8, 200, (2, 3), groups=2),
    }[case]()
    bound = 1 / math.sqrt(FAN_IN[case][1])
    for parameter in theirs.parameters():
        largest = parameter.detach().abs().max().item()
        assert bound * (1 - 10 / parameter.numel()) < largest <= bound * (1 + 1e-6)


@pytest.mark.parametrize("case", FAN_IN)
def test_a_seed_fixes_the_weights_in_any_precision(case):
    make, _ = FAN_IN[case]
    minigrad.manual_seed(7)
    first, second = make(), make()
    minigrad.manual_seed(7)
    again = make()
    given = make(generator=numpy.random.default_rng(7))
    double = make(generator=numpy.random.default_rng(7), dtype="float64")
    for name, value in first.state_dict().items():
        assert (value == again.state_dict()[name]).all()
        assert (value == given.state_dict()[name]).all()
        assert (value == double.state_dict()[name]).all()
        assert (value != second.state_dict()[name]).any()
    assert double.weight.dtype == numpy.float64


def test_a_generator_of_ones_own_leaves_the_default_alone():
    minigrad.manual_seed(3)
    expected = random.default_generator().bit_generator.state
    nn.Linear(3, 3, generator=numpy.random.default_rng(0))
    assert random.default_generator().bit_generator.state == expected


def test_unseeded_there_is_one_generator(monkeypatch):
    monkeypatch.setattr(random, "_generator", None)
    assert random.default_generator() is random.default_generator()


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (1.5, TypeError), ("1", TypeError), (None, TypeError)]
)
def test_a_seed_is_a_whole_number(seed, error):
    with pytest.raises(error, match="manual_seed"):
        minigrad.manual_seed(seed)


def test_layer_norm_starts_as_the_bare_normalisation():
    layer = nn.LayerNorm((2, 3), dtype="float64")
    assert layer.weight.dtype == layer.bias.dtype == numpy.float64
    assert (layer.weight.data == 1).all()
    assert (layer.bias.data == 0).all()


WRONG = {
    "Linear: in_features must be at least 1": lambda: nn.Linear(0, 1),
    "Linear: out_features must be a whole number": lambda: nn.Linear(1, 2.0),
    "Linear: out_features must be a whole number, got True": lambda: nn.Linear(1, True),
    "Conv2d: kernel_size must be at least 1": lambda: nn.Conv2d(1, 1, (3, 0)),
    "Conv2d: kernel_size must be one number or a pair": lambda: nn.Conv2d(1, 1, (3, 3, 3)),
    "Conv2d: stride must be at least 1": lambda: nn.Conv2d(1, 1, 3, stride=0),
    "Conv2d: padding must be at least 0": lambda: nn.Conv2d(1, 1, 3, padding=-1),
    "Conv2d: padding must be numbers, 'same' or": lambda: nn.Conv2d(1, 1, 3, padding="full"),
    "Conv2d: padding 'same' needs stride 1": lambda: nn.Conv2d(1, 1, 3, 2, padding="same"),
    "Conv2d: dilation must be a whole number": lambda: nn.Conv2d(1, 1, 3, dilation="1"),
    "Conv2d: out_channels 3 is no multiple": lambda: nn.Conv2d(4, 3, 3, groups=2),
    "Conv2d: in_channels 3 is no multiple": lambda: nn.Conv2d(3, 4, 3, groups=2),
    "Conv2d: padding_mode must be 'zeros'": lambda: nn.Conv2d(1, 1, 3, padding_mode="reflect"),
    "ConvTranspose2d: padding must be a whole": lambda: nn.ConvTranspose2d(1, 1, 3, padding="same"),
    "ConvTranspose2d: output_padding \\(2, 2\\)": lambda: nn.ConvTranspose2d(
        1, 1, 3, stride=2, output_padding=2
    ),
    "LeakyReLU: negative_slope must be a number": lambda: nn.LeakyReLU("0.1"),
    "Flatten: start_dim must be a whole number": lambda: nn.Flatten(1.0),
    "Unflatten: unflattened_size must be a tuple": lambda: nn.Unflatten(1, 8),
    "Unflatten: unflattened_size needs": lambda: nn.Unflatten(1, (-1, -1)),
    "Unflatten: dimension 1 of shape \\(2, 6\\)": lambda: nn.Unflatten(1, (4, 2))(
        Tensor(numpy.ones((2, 6), "f"))
    ),
    "Unflatten: dim 3 is out of range": lambda: nn.Unflatten(3, (2,))(Tensor([1.0])),
    "LayerNorm: normalized_shape must be at least 1": lambda: nn.LayerNorm((3, 0)),
    "LayerNorm: normalized_shape must name": lambda: nn.LayerNorm(()),
    "MaxPool2d: kernel_size must be at least 1": lambda: nn.MaxPool2d(0),
    "MaxPool2d: padding 2 must be at most half": lambda: nn.MaxPool2d(3, padding=2),
    "Upsample: give size or scale_factor": lambda: nn.Upsample(),
    "Upsample: give size or scale_factor, and not both": lambda: nn.Upsample(2, 2),
    "Upsample: mode must be 'nearest'": lambda: nn.Upsample(2, mode="bilinear"),
    "Upsample: scale_factor must be positive": lambda: nn.Upsample(scale_factor=0),
    "Upsample: scale_factor must be a number": lambda: nn.Upsample(scale_factor="2"),
    "Upsample: size must be at least 1": lambda: nn.Upsample(size=0),
    "Sequential: expected modules, got function": lambda: nn.Sequential(functional.relu),
    "Sequential: 'a.b' cannot name a module": lambda: nn.Sequential({"a.b": nn.ReLU()}),
    "Sequential: 'forward' cannot name a module": lambda: nn.Sequential({"forward": nn.ReLU()}),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arguments_name_the_layer(message):
    with pytest.raises((TypeError, ValueError), match=message):
        WRONG[message]()


def test_sequential_is_a_sequence():
    first, second, third = nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)
    model = nn.Sequential(first, second)
    assert model.append(third) is model
    assert len(model) == 3
    assert list(model) == [first, second, third]
    assert model[0] is first
    assert model[-1] is third
    assert list(model[1:]) == [second, third]
    for index in (3, -4):
        with pytest.raises(IndexError, match="Sequential: index"):
            model[index]
    with pytest.raises(TypeError, match="Sequential: the index"):
        model["0"]
    replacement = nn.Tanh()
    model[1] = replacement
    assert list(model) == [first, replacement, third]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_slice_shares_modules_keeps_names_and_can_be_appended_to():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    tail = model[1:]
    assert tail[1] is model[2]
    assert list(tail.state_dict()) == ["2.weight", "2.bias"]
    tail.append(nn.Tanh())
    assert [name for name, _ in tail.named_children()] == ["1", "2", "3"]


def test_sequential_by_names():
    model = nn.Sequential({"encoder": nn.Linear(2, 1), "decoder": nn.Linear(1, 2)})
    assert next(iter(model.state_dict())) == "encoder.weight"
    assert model.encoder is model[0]
    assert model(Tensor([[1.0, 2.0]])).shape == (1, 2)


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
