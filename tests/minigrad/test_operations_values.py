"""Values against NumPy, SciPy, and loops written from the definition."""

import inspect
import itertools
import math

import numpy as np
import pytest
import scipy.special
from operation_case import normal, off_zero, positive

from minigrad import Tensor, grad, nn
from minigrad import functional as F

X, Y, P = normal(3, 4), off_zero(3, 4, seed=1), positive(3, 4)
ELEMENTWISE = {
    "add": (F.add, np.add, (X, Y)),
    "sub": (F.sub, np.subtract, (X, Y)),
    "mul": (F.mul, np.multiply, (X, Y)),
    "div": (F.div, np.divide, (X, Y)),
    "neg": (F.neg, np.negative, (X,)),
    "pow": (F.pow, np.power, (P, X)),
    "exp": (F.exp, np.exp, (X,)),
    "log": (F.log, np.log, (P,)),
    "sqrt": (F.sqrt, np.sqrt, (P,)),
    "abs": (F.abs, np.abs, (X,)),
    "sin": (F.sin, np.sin, (X,)),
    "cos": (F.cos, np.cos, (X,)),
    "tanh": (F.tanh, np.tanh, (X,)),
    "sigmoid": (F.sigmoid, scipy.special.expit, (X * 20,)),
    "relu": (F.relu, lambda x: np.where(x > 0, x, 0), (X,)),
    "leaky_relu": (F.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x), (X,)),
    "softplus": (F.softplus, lambda x: np.log1p(np.exp(x)), (X,)),
    "maximum": (F.maximum, np.maximum, (X, Y)),
    "minimum": (F.minimum, np.minimum, (X, Y)),
    "clamp": (lambda x: F.clamp(x, -0.5, 0.5), lambda x: np.clip(x, -0.5, 0.5), (X,)),
    "where": (lambda x, y: F.where(x > 0, x, y), lambda x, y: np.where(x > 0, x, y), (X, Y)),
    "matmul": (F.matmul, np.matmul, (normal(5, 2, 3), normal(3, 4))),
    "linear": (F.linear, lambda x, w, b: x @ w.T + b, (normal(5, 4), normal(3, 4), normal(3))),
    "clone": (F.clone, np.copy, (X,)),
    "eq": (F.eq, np.equal, (np.round(X), np.round(Y))),
    "ne": (F.ne, np.not_equal, (np.round(X), np.round(Y))),
    "lt": (F.lt, np.less, (X, Y)),
    "le": (F.le, np.less_equal, (np.round(X), np.round(Y))),
    "gt": (F.gt, np.greater, (X, Y)),
    "ge": (F.ge, np.greater_equal, (np.round(X), np.round(Y))),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_match_numpy_and_scipy(name, tensor):
    function, oracle, arrays = ELEMENTWISE[name]
    found = function(*map(tensor, arrays)).to("cpu").numpy()
    expected = oracle(*arrays)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2), (-1, 1), (0, 1, 2)])
def test_reductions_match_numpy_and_scipy(dim, keepdim, tensor):
    x = normal(2, 3, 4)
    oracles = {
        "sum": np.sum,
        "mean": np.mean,
        "amax": np.max,
        "amin": np.min,
        "var": lambda x, **options: np.var(x, ddof=1, **options),
        "std": lambda x, **options: np.std(x, ddof=1, **options),
        "logsumexp": scipy.special.logsumexp,
    }
    for name, oracle in oracles.items():
        found = getattr(F, name)(tensor(x), dim=dim, keepdim=keepdim).to("cpu").numpy()
        expected = oracle(x, axis=dim, keepdims=keepdim)
        assert found.shape == np.shape(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_matches_scipy(dim, tensor):
    x = normal(2, 3, 4) * 30
    found = F.softmax(tensor(x), dim).to("cpu").numpy()
    np.testing.assert_allclose(found, scipy.special.softmax(x, axis=dim), rtol=1e-11, atol=1e-300)
    found = F.log_softmax(tensor(x), dim).to("cpu").numpy()
    expected = scipy.special.log_softmax(x, axis=dim)  # which rounds to units of 1
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-15)


NO_DIMENSIONS = {  # of 1.5: the value, its shape and its gradient, as PyTorch 2.13 gives them
    "sum": (lambda x, dim, **kept: F.sum(x, dim, **kept), 1.5, (), 1),
    "mean": (lambda x, dim, **kept: F.mean(x, dim, **kept), 1.5, (), 1),
    "amax": (lambda x, dim, **kept: F.amax(x, dim, **kept), 1.5, (), 1),
    "amin": (lambda x, dim, **kept: F.amin(x, dim, **kept), 1.5, (), 1),
    "logsumexp": (lambda x, dim, **kept: F.logsumexp(x, dim, **kept), 1.5, (), 1),
    "var": (lambda x, dim, **kept: F.var(x, dim, **kept), math.nan, (), math.nan),
    "std": (lambda x, dim, **kept: F.std(x, dim, **kept), math.nan, (), math.nan),
    "softmax": (lambda x, dim: F.softmax(x, dim), 1, (), 0),
    "log_softmax": (lambda x, dim: F.log_softmax(x, dim), 0, (), 0),
    "squeeze": (lambda x, dim: F.squeeze(x, dim), 1.5, (), 1),
    "unsqueeze": (lambda x, dim: F.unsqueeze(x, dim), 1.5, (1,), 1),
    "transpose": (lambda x, dim: F.transpose(x, dim, -1 - dim), 1.5, (), 1),
    "flatten": (lambda x, dim: F.flatten(x, dim, -1 - dim), 1.5, (1,), 1),
    "stack": (lambda x, dim: F.stack([x, x], dim), 1.5, (2,), 2),
}
REDUCTIONS = ("sum", "mean", "amax", "amin", "logsumexp", "var", "std")
SEVERAL = (*REDUCTIONS, "squeeze")  # may be given several dimensions


def test_every_function_that_takes_a_dimension_is_tried_on_a_tensor_without_any():
    names = {"dim", "dims", "dim0", "start_dim"}
    taking = {n for n in F.__all__ if names & {*inspect.signature(getattr(F, n)).parameters}}
    assert taking == {
        *NO_DIMENSIONS,
        *("cat", "permute"),  # which have nothing to join or order
        *("argmax", "argmin", "max", "min"),  # tried in nn/test_further.py
    }


@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("name", NO_DIMENSIONS)
def test_a_tensor_without_dimensions_takes_dimensions_0_and_minus_1_as_in_pytorch(
    name, dim, tensor
):
    function, value, shape, slope = NO_DIMENSIONS[name]
    for option in [{}, {"keepdim": True}] if name in REDUCTIONS else [{}]:
        for given in [dim, (dim,)] if name in SEVERAL else [dim]:
            x = tensor(np.array(1.5), requires_grad=True)
            y = function(x, given, **option)
            assert y.shape == shape
            np.testing.assert_array_equal(y.detach().to("cpu").numpy(), np.full(shape, value))
            with np.errstate(invalid="ignore"):
                F.sum(y).backward()
            assert x.grad.shape == ()
            np.testing.assert_array_equal(x.grad.to("cpu").numpy(), slope)


@pytest.mark.parametrize("name", NO_DIMENSIONS)
def test_other_dimensions_of_a_tensor_without_any_are_refused(name):
    function, x = NO_DIMENSIONS[name][0], Tensor(1.5)
    for dim in (2, -3) if name in ("unsqueeze", "stack") else (1, -2):
        with pytest.raises(IndexError, match=f"{name}: dim {dim} is out of range"):
            function(x, dim)
    if name in SEVERAL:
        with pytest.raises(ValueError, match=f"{name}: .*twice"):
            function(x, (0, -1))
    else:
        for several in ((0,), (), None):
            with pytest.raises(TypeError, match=f"{name}: dim must be a whole number"):
                getattr(F, name)([x] if name == "stack" else x, several, *[0] * ("transp" in name))


def test_shape_functions_match_numpy(tensor):
    x, y = normal(2, 3, 4), normal(2, 1, 4, seed=1)
    pairs = [
        (F.reshape(tensor(x), (4, -1)), x.reshape(4, -1)),
        (F.permute(tensor(x), (2, 0, 1)), x.transpose(2, 0, 1)),
        (F.transpose(tensor(x), 0, 2), x.swapaxes(0, 2)),
        (F.flatten(tensor(x), 1), x.reshape(2, 12)),
        (F.squeeze(tensor(y), 1), y.squeeze(1)),
        (F.squeeze(tensor(x), 1), x),
        (F.unsqueeze(tensor(x), -2), x[:, :, None]),
        (F.expand(tensor(y), (5, 2, 3, 4)), np.broadcast_to(y, (5, 2, 3, 4))),
        (F.cat([tensor(x), tensor(y)], 1), np.concatenate([x, y], 1)),
        (F.stack([tensor(x), tensor(x)], -1), np.stack([x, x], -1)),
        (
            F.pad(tensor(x), (1, 2, 0, 3), value=7.0),
            np.pad(x, ((0, 0), (0, 3), (1, 2)), constant_values=7),
        ),
        (F.pad(tensor(x), (-1, -1)), x[..., 1:-1]),
    ]
    for found, expected in pairs:
        np.testing.assert_array_equal(found.to("cpu").numpy(), expected)


def indexed_by_loops(x, key):
    """PyTorch's rule, from its definition: numbers select, then arrays stand in place or in front.

    Returns the shape of the result, and for each element of it the place in x it is taken from.
    """
    places = np.arange(x.size).reshape(x.shape)
    parts = []  # each dimension's: a slice or an array of one dimension
    used = sum(
        np.ndim(part) if np.asarray(part).dtype == bool else 1
        for part in key
        if part is not None and part is not ... and not is_slice(part)
    )
    used += sum(map(is_slice, key))
    axis = 0
    for part in key:
        if part is ...:
            parts += [slice(None)] * (x.ndim - used)
            axis += x.ndim - used
        elif part is None:
            places = np.expand_dims(places, axis)
            parts.append(slice(None))
            axis += 1
        elif is_slice(part):
            places = np.moveaxis(np.moveaxis(places, axis, 0)[part], 0, axis)
            parts.append(slice(None))
            axis += 1
        elif np.ndim(part) == 0:
            places = places.take(int(part), axis)
        elif np.asarray(part).dtype == bool:
            parts += list(np.nonzero(part))
            axis += np.ndim(part)
        else:
            parts.append(np.asarray(part))
            axis += 1
    parts += [slice(None)] * (places.ndim - len(parts))
    taken = [k for k, part in enumerate(parts) if not is_slice(part)]
    arrays = np.broadcast_arrays(*(parts[k] for k in taken))
    left = [k for k in range(places.ndim) if k not in taken]
    before = taken[0] if taken == list(range(taken[0], taken[-1] + 1)) else 0
    lengths = [places.shape[k] for k in left]
    shape = (*lengths[:before], *arrays[0].shape, *lengths[before:])
    found = np.zeros(shape, int)
    many = arrays[0].ndim
    for cell in itertools.product(*map(range, shape)):
        chosen, others = cell[before : before + many], cell[:before] + cell[before + many :]
        source = [0] * places.ndim
        for k, array in zip(taken, arrays):
            source[k] = int(array[chosen])
        for k, place in zip(left, others):
            source[k] = place
        found[cell] = places[tuple(source)]
    return found


def is_slice(part):
    return isinstance(part, slice)


ALL, END, ODD = slice(None), slice(1, None), slice(None, None, 2)
KEYS = [
    (0, END, [0, 2]),
    (0, ALL, [[0, 2, 1]], ODD),
    ([0, 1], ALL, 1),
    ([1, 0, 1], END, 2, ODD),
    (0, [0, 2], END),
    (ALL, 1, [0, 2]),
    (ALL, [2, 0], ODD, 1),
    (ALL, [2, 0], 1, ODD),
    (1, ..., [0, 3, 3]),
    ([1, 1], ..., 0),
    (0, None, [0, 2]),
    (None, 1, END, [0, 2], None),
    ([0, 1], None, 1, [2, 2]),
    ([0, 1], ALL, [2, 2], 1),
    (0, [0, 1], ALL, [2, 2]),
    (-1, ALL, np.array([True, False, True, True])),
    (np.array([True, False]), ALL, 2),
    (1, np.arange(12).reshape(3, 4) % 5 == 0, END),
    (0, ALL, np.arange(20).reshape(4, 5) % 3 == 0),
    (np.array(1), ALL, [0, 2]),
    ([0, 1], ODD, np.array(-1)),
    (np.array(0), END, np.array(1), [4, 4]),
    (0, 1, [0, 1], [2, 2]),
    (0, ALL, 1, [2, 2]),
    (0, ALL, []),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_numbers_slices_and_arrays_in_one_key_stand_in_pytorchs_order(key, tensor):
    x = normal(2, 3, 4, 5)
    places = indexed_by_loops(x, key)
    given = tensor(x, requires_grad=True)
    y = given[tuple(tensor(part) if isinstance(part, np.ndarray) else part for part in key)]
    np.testing.assert_array_equal(y.detach().to("cpu").numpy(), x.ravel()[places])
    seed = normal(*places.shape, seed=1)
    expected = np.zeros(x.size)
    for place, arriving in zip(places.ravel(), seed.ravel()):
        expected[place] += arriving
    found = grad(y, given, tensor(seed))[0].to("cpu").numpy()
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-12)


def windows(size, kernel, stride, padding, count):
    """For each window, the positions inside the image it covers."""
    for k in range(count):
        start = k * stride - padding
        yield [i for i in range(start, start + kernel) if 0 <= i < size]


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 1, 1), (3, 2, 0)])
def test_pooling_matches_loops(kernel, stride, padding, tensor):
    x = normal(2, 3, 6, 7)
    height, width = ((n + 2 * padding - kernel) // stride + 1 for n in (6, 7))
    rows = list(windows(6, kernel, stride, padding, height))
    columns = list(windows(7, kernel, stride, padding, width))
    largest, mean = np.zeros((2, 2, 3, height, width))
    for p, q in itertools.product(range(height), range(width)):
        patch = x[:, :, rows[p]][..., columns[q]]
        largest[:, :, p, q] = patch.max((2, 3))
        mean[:, :, p, q] = patch.sum((2, 3)) / kernel**2
    found = F.max_pool2d(tensor(x), kernel, stride, padding).to("cpu").numpy()
    np.testing.assert_array_equal(found, largest)
    found = F.avg_pool2d(tensor(x), kernel, stride, padding).to("cpu").numpy()
    np.testing.assert_allclose(found, mean, rtol=1e-12, atol=1e-15)


def test_interpolate_matches_loops(tensor):
    x = normal(1, 2, 3, 4)
    for height, width in ((6, 4), (5, 9), (2, 3), (1, 1)):
        expected = np.zeros((1, 2, height, width))
        for p, q in itertools.product(range(height), range(width)):
            expected[:, :, p, q] = x[:, :, p * 3 // height, q * 4 // width]
        found = F.interpolate(tensor(x), (height, width)).to("cpu").numpy()
        np.testing.assert_array_equal(found, expected)


def test_a_window_that_hangs_over_the_end_may_be_larger_than_the_image(tensor):
    x = normal(1, 1, 2, 3)
    options = {"stride": 2, "ceil_mode": True}
    found = F.max_pool2d(tensor(x), (3, 2), **options).to("cpu").numpy()
    np.testing.assert_array_equal(found[0, 0], [[x[..., :2].max(), x[..., 2:].max()]])
    found = F.avg_pool2d(tensor(x), (3, 2), **options).to("cpu").numpy()
    np.testing.assert_allclose(found[0, 0], [[x[..., :2].mean(), x[..., 2:].mean()]])


@pytest.mark.parametrize(
    ("width", "factor", "taken", "recomputed"),
    [
        (3, 2.3, [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]),  # doubled
        (3, 1.2, [0, 1, 2], [0, 1, 2]),  # kept
        (3, 2.9, [0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1, 2, 2]),
        (4, 0.7, [0, 1], [0, 2]),
        (4, 1.3, [0, 0, 1, 2, 3], [0, 0, 1, 2, 3]),
        (5, 3.1, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4], [k // 3 for k in range(15)]),
    ],
)
def test_interpolate_steps_by_the_factor_given_unless_told_to_recompute(
    width, factor, taken, recomputed, tensor
):
    """Values worked out from PyTorch's rule: floor(k / factor), or floor(k width / new width)."""
    x = normal(1, 2, 2, width)
    layer = nn.Upsample(scale_factor=(1, factor))
    fresh = nn.Upsample(scale_factor=(1, factor), recompute_scale_factor=True)
    turned = F.interpolate(tensor(x.swapaxes(2, 3)), scale_factor=(factor, 1)).to("cpu").numpy()
    np.testing.assert_array_equal(turned.swapaxes(2, 3), x[..., taken])
    np.testing.assert_array_equal(layer(tensor(x)).to("cpu").numpy(), x[..., taken])
    np.testing.assert_array_equal(fresh(tensor(x)).to("cpu").numpy(), x[..., recomputed])


def test_losses_match_loops(tensor):
    x, y = normal(5, 3), normal(5, 3, seed=1)
    share = scipy.special.softmax(y, axis=1)
    binary = scipy.special.expit(y)
    chosen = np.array([0, 2, 1, 1, 0])
    cells = list(itertools.product(range(5), range(3)))
    squares = sum((x[cell] - y[cell]) ** 2 for cell in cells)
    distances = sum(abs(x[cell] - y[cell]) for cell in cells)
    surprise = 0.0
    for cell in cells:
        probability = 1 / (1 + math.exp(-x[cell]))
        surprise -= binary[cell] * math.log(probability)
        surprise -= (1 - binary[cell]) * math.log(1 - probability)
    rows = [np.log(np.exp(row).sum()) - row for row in x]  # -ln softmax
    wrong = sum(rows[n][c] for n, c in enumerate(chosen))
    blurred = sum(float(rows[n] @ share[n]) for n in range(5))
    name = "binary_cross_entropy_with_logits"
    losses = {
        "mse_loss": (y, squares, 15),
        "l1_loss": (y, distances, 15),
        name: (binary, surprise, 15),
        "cross_entropy": (chosen, wrong, 5),
    }
    for name, (target, total, count) in losses.items():
        found = getattr(F, name)(tensor(x), tensor(target), reduction="sum")
        assert found.item() == pytest.approx(total, rel=1e-12)
        found = getattr(F, name)(tensor(x), tensor(target))
        assert found.item() == pytest.approx(total / count, rel=1e-12)
        each = getattr(F, name)(tensor(x), tensor(target), reduction="none")
        assert each.sum().item() == pytest.approx(total, rel=1e-12)
    found = F.cross_entropy(tensor(x), tensor(share), reduction="sum")
    assert found.item() == pytest.approx(blurred, rel=1e-12)


def test_layer_norm_matches_the_definition(tensor):
    x, weight, bias = normal(2, 3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2)
    expected = np.stack([(one - one.mean()) / np.sqrt(one.var() + 1e-5) for one in x])
    found = F.layer_norm(tensor(x), (3, 4), tensor(weight), tensor(bias)).to("cpu").numpy()
    np.testing.assert_allclose(found, expected * weight + bias, rtol=1e-10, atol=1e-12)


def test_large_values_neither_overflow_nor_underflow(tensor):
    x = np.array([1000.0, 1001.0, -1000.0])
    with np.errstate(all="raise", under="ignore"):
        assert F.logsumexp(tensor(x), 0).item() == pytest.approx(1001 + math.log1p(math.exp(-1)))
        np.testing.assert_allclose(F.softplus(tensor(x)).to("cpu").numpy(), [1000, 1001, 0])
        np.testing.assert_array_equal(F.sigmoid(tensor(x)).to("cpu").numpy(), [1, 1, 0])
        assert F.softmax(tensor(x), 0).to("cpu").numpy().sum() == pytest.approx(1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_and_its_gradient_keep_small_values_in_both_tails(
    target, dtype, tensor
):
    logits = [sign * size for size in (0.001, 1, 5, 15, 17, 40, 80) for sign in (-1, 1)]
    if dtype == "float64":
        logits += [-700, 700]
    logits = np.array(logits, dtype)
    x, t = tensor(logits, True), tensor(np.full(logits.shape, target, dtype), True)
    y = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    by_x, by_t = (one.to("cpu").numpy() for one in grad(y.sum(), [x, t]))
    for k, logit in enumerate(map(float, logits)):
        small = math.log1p(math.exp(-abs(logit)))  # -ln s(|x|)
        of_one, of_none = (small, small + logit) if logit > 0 else (small - logit, small)
        share = math.exp(-of_one)  # s(x)
        slope = (1 - target) * share - target * math.exp(-of_none)
        loss = target * of_one + (1 - target) * of_none
        assert y.data[k].item() == pytest.approx(loss, rel=1e-6, abs=0)
        assert by_x[k] == pytest.approx(slope, rel=1e-5, abs=0)
        assert by_t[k] == -logits[k]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lead", [0.0, 1.0, 5.0, 15.0, 17.0, 40.0, 80.0])
def test_where_one_logit_dominates_what_the_others_add_is_not_lost(lead, dtype, tensor):
    gaps = [lead, lead + 2.0, lead + 0.5]  # how far the others lie below the largest
    others = math.fsum(math.exp(-gap) for gap in gaps)
    small = math.log1p(others)
    shares = np.exp(-np.array([gaps[0], gaps[1], 0.0, gaps[2]])) / (1 + others)
    for largest in (0.0, 64.0, 1000.0):
        values = largest - np.array([[gaps[0], gaps[1], 0.0, gaps[2]]])
        x = tensor(values.astype(dtype), requires_grad=True)
        np.testing.assert_array_equal(x.detach().to("cpu").numpy(), values)  # nothing rounded
        y = F.logsumexp(x, 1)
        assert y.item() == pytest.approx(largest + small, rel=1e-6, abs=0)
        found = grad(y, x)[0].to("cpu").numpy()
        np.testing.assert_allclose(found[0], shares, rtol=1e-5)
        loss = F.cross_entropy(x, tensor(np.array([2])))
        assert loss.item() == pytest.approx(small, rel=1e-6, abs=0)
        found = grad(loss, x)[0].to("cpu").numpy()
        expected = [shares[0], shares[1], -others / (1 + others), shares[3]]
        np.testing.assert_allclose(found[0], expected, rtol=1e-5)
        found = F.log_softmax(x, 1).detach().to("cpu").numpy()
        expected = [-small - gaps[0], -small - gaps[1], -small, -small - gaps[2]]
        np.testing.assert_allclose(found[0], expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_and_softplus_keep_small_values_in_their_tails(dtype, tensor):
    values = np.array([-80.0, -40.0, -15.0, -1.0, 0.0, 1.0, 15.0, 40.0, 80.0], dtype)
    x = tensor(values, requires_grad=True)
    shares = [1 / (1 + math.exp(-value)) for value in map(float, values)]
    np.testing.assert_allclose(F.sigmoid(x).detach().to("cpu").numpy(), shares, rtol=1e-6)
    y = F.softplus(x)
    expected = [max(v, 0) + math.log1p(math.exp(-abs(v))) for v in map(float, values)]
    np.testing.assert_allclose(y.detach().to("cpu").numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(grad(y.sum(), x)[0].to("cpu").numpy(), shares, rtol=1e-6)


def test_ties_and_infinities_take_their_part_in_the_logarithm_of_a_sum(tensor):
    x = np.array([[0.0, 0.0, 0.0], [0.0, -np.inf, -40.0], [-np.inf] * 3, [np.inf, 0.0, 1.0]])
    with np.errstate(divide="ignore"):
        found = F.logsumexp(tensor(x), 1).to("cpu").numpy()
        expected = [math.log(3), math.exp(-40), -np.inf, np.inf]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        found = F.logsumexp(tensor(x[:3])).item()
    assert found == pytest.approx(math.log(4 + math.exp(-40)), rel=1e-15)


def test_inputs_are_never_written_and_results_of_computing_functions_are_new(tensor):
    for function, _, arrays in ELEMENTWISE.values():
        inputs = [tensor(array.copy()) for array in arrays]
        result = function(*inputs)
        for given, array in zip(inputs, arrays):
            np.testing.assert_array_equal(given.to("cpu").numpy(), array)
            if given.device.type == "cpu":
                assert not np.shares_memory(given.data, result.data)
