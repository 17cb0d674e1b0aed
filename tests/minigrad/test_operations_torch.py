"""Values and gradients of the whole table beside PyTorch's, and the corners whose rule it sets."""

import numpy as np
import pytest
from operation_case import Functions, naming
from operation_cases import each_group
from test_operations_values import KEYS

from minigrad import Tensor, grad
from minigrad.backend import CPU

torch = pytest.importorskip("torch")


class TorchFunctions:
    """PyTorch's functions under the same names."""

    def __getattr__(self, name):
        for place in (torch.nn.functional, torch, torch.Tensor):
            if hasattr(place, name):
                return getattr(place, name)
        raise AttributeError(name)

    def index_tensor(self, array):
        return torch.from_numpy(np.asarray(array))


def compare(function, inputs, device="cpu", rtol=1e-9, atol=1e-12, grad_atol=None):
    """Value, dtype and gradients of one call in both libraries, with a random cotangent."""
    ours = [Tensor(values, requires_grad=True, device=device) for values in inputs]
    theirs = [torch.tensor(values, requires_grad=True) for values in inputs]
    output = function(Functions(device), *ours)
    expected = function(TorchFunctions(), *theirs)
    assert output.shape == tuple(expected.shape)
    assert f"torch.{output.dtype}" == str(expected.dtype)
    values = output.detach().to("cpu").numpy()
    np.testing.assert_allclose(values, expected.detach().numpy(), rtol, atol)
    seed = np.random.default_rng(7).standard_normal(output.shape).astype(output.dtype)
    found = grad(output, ours, Tensor(seed, device=device), allow_unused=True)
    wanted = torch.autograd.grad(expected, theirs, torch.tensor(seed), allow_unused=True)
    for one, other in zip(found, wanted):
        if one is None or other is None:
            assert one is None
            assert other is None
            continue
        assert f"torch.{one.dtype}" == str(other.dtype)
        np.testing.assert_allclose(one.to("cpu").numpy(), other.numpy(), rtol, grad_atol or atol)


@pytest.mark.filterwarnings("ignore:.*degrees of freedom", "ignore:Using padding='same'")
@each_group
def test_values_and_gradients_are_pytorchs(group):  # a GPU's are compared with the CPU's
    for case in group():
        if case.torch:
            with naming(case.name):
                compare(case.function, case.inputs, CPU)


TIES = {
    "relu": (lambda F, x: F.relu(x), [-1.0, 0.0, 2.0]),
    "leaky_relu": (lambda F, x: F.leaky_relu(x, 0.1), [-1.0, 0.0, 2.0]),
    "abs": (lambda F, x: F.abs(x), [-1.0, 0.0, 2.0]),
    "clamp": (lambda F, x: F.clamp(x, -1.0, 2.0), [-1.5, -1.0, 0.0, 2.0, 2.5]),
    "clamp-crossed": (lambda F, x: F.clamp(x, 2.0, -1.0), [-1.5, -1.0, 0.0, 2.0, 2.5]),
    "amax": (lambda F, x: F.amax(x, 0), [1.0, 3.0, 3.0]),
    "amin": (lambda F, x: F.amin(x, 0), [1.0, 1.0, 3.0]),
    "amax-2d": (lambda F, x: F.amax(x, dim=(0, 1)), [[1.0, 3.0], [3.0, 3.0]]),
    "max_pool2d": (lambda F, x: F.max_pool2d(x, 2), [[[1.0, 1.0, 5.0], [1.0, 0.0, 5.0]]]),
    "l1_loss": (lambda F, x: F.l1_loss(x, x.detach()), [1.0, 2.0]),
    "pow-0": (lambda F, x: x**0, [0.0, 2.0]),
    "pow-1": (lambda F, x: x**1, [0.0, 2.0]),
    "pow-2": (lambda F, x: x**2, [0.0, -2.0]),
    "pow-half": (lambda F, x: x**0.5, [0.0, 2.0]),
    "number-pow-0": (lambda F, x: 0.0**x, [0.0, 2.0]),
    "sqrt": (lambda F, x: F.sqrt(x), [0.0, 4.0]),
    "log": (lambda F, x: F.log(x), [0.0, 4.0]),
    "std-constant": (lambda F, x: F.std(x, 0), [2.0, 2.0, 2.0]),
    "var-constant": (lambda F, x: F.var(x, 0), [2.0, 2.0, 2.0]),
    "mse_loss-equal": (lambda F, x: F.mse_loss(x, x.detach()), [1.0, 2.0]),
    "maximum": (lambda F, a, b: F.maximum(a, b), [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]),
    "minimum": (lambda F, a, b: F.minimum(a, b), [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]),
    "pow": (lambda F, a, b: a**b, [0.0, 2.0, 0.0, -2.0], [2.0, 0.0, 0.0, 2.0]),
    "div": (lambda F, a, b: a / b, [0.0, 2.0, -1.0], [2.0, 0.0, 0.0]),
    **{  # minus infinity masks
        f"masked-{name}": (function, [[0.5, -np.inf, 1.0], [-np.inf, 2.0, -1.0]])
        for name, function in {
            "softmax": lambda F, x: F.softmax(x, 1),
            "logsumexp": lambda F, x: F.logsumexp(x, 1),
            "amax": lambda F, x: F.amax(x, 1),
            "cross_entropy": lambda F, x: F.cross_entropy(x, F.index_tensor([0, 1])),
            "cross_entropy-ignored": lambda F, x: F.cross_entropy(
                x, F.index_tensor([0, -100]), reduction="none"
            ),
        }.items()
    },
    "mse_loss-empty-none": (lambda F, x: F.mse_loss(x, x.detach(), reduction="none"), [[]]),
    "mse_loss-empty-mean": (lambda F, x: F.mse_loss(x, x.detach()), [[]]),
    "mse_loss-empty-sum": (lambda F, x: F.mse_loss(x, x.detach(), reduction="sum"), [[]]),
}


@pytest.mark.parametrize("name", TIES)
def test_kinks_ties_infinities_and_empty_batches_follow_pytorch(name, device):
    function, *inputs = TIES[name]
    with np.errstate(all="ignore"):
        compare(function, list(map(np.array, inputs)), device)


EXTREME = np.array([-1e4, -800.0, -90.0, -20.0, -1e-8, 0.0, 1e-8, 20.0, 90.0, 800.0, 1e4])


STEEP = {
    "sigmoid": lambda F, x: F.sigmoid(x),
    "tanh": lambda F, x: F.tanh(x),
    "softplus": lambda F, x: F.softplus(x),
    "softplus-beta": lambda F, x: F.softplus(x, 2.0),
    "softmax": lambda F, x: F.softmax(x, 0),
    "log_softmax": lambda F, x: F.log_softmax(x, 0),
    "logsumexp": lambda F, x: F.logsumexp(x, 0),
    "cross_entropy": lambda F, x: F.cross_entropy(x, F.index_tensor(np.array(3))),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STEEP)
def test_large_inputs_neither_overflow_nor_lose_precision(name, dtype, device):
    # PyTorch's softplus is the identity above 20, which is off by 2e-9.
    rtol, rounding = (1e-8, 1e-15) if dtype == "float64" else (3e-5, 1e-6)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        compare(STEEP[name], [EXTREME.astype(dtype)], device, rtol, 1e-37, grad_atol=rounding)


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_binary_cross_entropy_of_large_logits_is_right_to_their_rounding(target, device):
    def function(F, x):
        return F.binary_cross_entropy_with_logits(x, x.detach() * 0 + target, reduction="none")

    with np.errstate(over="raise", invalid="raise", divide="raise"):
        compare(function, [EXTREME], device, atol=1e-14, grad_atol=1e-15)


@pytest.mark.parametrize(
    "function",
    [
        lambda F, x: F.amax(x, 0),
        lambda F, x: F.maximum(x, x * 0 + 1),
        lambda F, x: F.relu(x),
        lambda F, x: F.clamp(x, 0.0, 1.0),
        lambda F, x: F.max_pool2d(x.reshape(1, 2, 2), 2),
        lambda F, x: F.softmax(x, 0),
    ],
)
def test_nan_is_not_swallowed(function):
    values = np.array([1.0, np.nan, -1.0, 3.0])
    with np.errstate(all="ignore"):
        output = function(Functions("cpu"), Tensor(values))
    expected = function(TorchFunctions(), torch.tensor(values))
    np.testing.assert_array_equal(np.isnan(output.numpy()), np.isnan(expected.numpy()))


# Above 128 rows and columns together PyTorch's CPU kernel rounds otherwise than its own others.
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (4, 9), (13, 17), (14, 22), (2, 82)])
@pytest.mark.parametrize(
    "scale", [None, 0.3, 0.7, 1.1, 1.3, 1.9, (2.6, 0.9), (1, 2.3), (2.1, 1.05), 3, 3.7]
)
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_interpolate_picks_pytorchs_pixels_and_sends_gradients_back(size, scale, recompute, dtype):
    options = {"size": size}
    if scale is not None:
        options = {"scale_factor": scale, "recompute_scale_factor": recompute}

    def function(F, x):
        return F.interpolate(x, **options)

    for shape in ((7, 11), (4, 5)):
        x = np.arange(2.0 * shape[0] * shape[1], dtype=dtype).reshape(1, 2, *shape)
        compare(function, [x], atol=1e-4)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_numbers_slices_and_arrays_in_one_key_stand_as_in_pytorch(key):
    def function(F, x):
        return x[tuple(F.index_tensor(p) if isinstance(p, np.ndarray) else p for p in key)]

    compare(function, [np.random.default_rng(0).standard_normal((2, 3, 4, 5))])
