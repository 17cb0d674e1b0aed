"""One table of calls through the public functions, from which the operation tests draw.

A case is written once for minigrad and for PyTorch: its function takes the library's functions
``F`` and the input tensors. ``torch=False`` marks what PyTorch has no like of (operations that
appear only in gradients, applied directly).
"""

import itertools

import numpy as np
import pytest
from operation_case import Case, apart, named, normal, off_zero, positive

from minigrad.gradcheck import away_from
from minigrad.kernels import Geometry

SHAPES = [(), (1,), (5,), (3, 4), (2, 1, 3), (0,), (2, 0, 3)]
PAIRS = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((2, 1, 3), (4, 1)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((), ()),
    ((1,), (3,)),
    ((0, 3), (1, 3)),
    ((1,), (0,)),
]


def elementwise():
    by_name = {
        normal: "neg exp sin cos tanh sigmoid softplus erf gelu",
        positive: "log sqrt",
        off_zero: "abs relu leaky_relu",
    }
    one = {
        name: (named(name), values) for values, names in by_name.items() for name in names.split()
    }
    one |= {
        "gelu-tanh": (lambda F, x: F.gelu(x, approximate="tanh"), normal),
        "clone": (lambda F, x: x.clone() * x, normal),
        "softplus-beta": (lambda F, x: F.softplus(x, 3.0), normal),
        "leaky_relu-slope": (lambda F, x: F.leaky_relu(x, -0.3), off_zero),
        "clamp": (lambda F, x: F.clamp(x, -0.5, 0.7), _off_ends),
        "clamp-min": (lambda F, x: F.clamp(x, min=-0.5), _off_ends),
        "clamp-max": (lambda F, x: F.clamp(x, max=0.7), _off_ends),
        "add-number": (lambda F, x: 2.5 + (x + 1.5), normal),
        "sub-number": (lambda F, x: 2.5 - (x - 1.5), normal),
        "mul-number": (lambda F, x: 2.5 * (x * -1.5), normal),
        "div-number": (lambda F, x: x / 2.5, normal),
        "number-div": (lambda F, x: 2.5 / x, off_zero),
        "pow-2": (lambda F, x: x**2, normal),
        "pow-3": (lambda F, x: F.pow(x, 3), normal),
        "pow-0": (lambda F, x: F.pow(x, 0) * x, normal),
        "pow-1": (lambda F, x: x**1, normal),
        "pow-fraction": (lambda F, x: x**-1.5, positive),
        "number-pow": (lambda F, x: 2.5**x, normal),
    }
    for name, (function, values) in one.items():
        for shape in SHAPES:
            yield Case(f"{name}-{shape}", function, (values(*shape),))
    two = {
        "add": (lambda F, a, b: a + b, normal, normal),
        "sub": (lambda F, a, b: a - b, normal, normal),
        "mul": (lambda F, a, b: a * b, normal, normal),
        "div": (lambda F, a, b: a / b, normal, off_zero),
        "pow": (lambda F, a, b: a**b, positive, normal),
        "maximum": (named("maximum"), _even, _odd),
        "minimum": (named("minimum"), _even, _odd),
        "where": (lambda F, a, b: F.where(a * 0 + b > 0, a, b), normal, off_zero),
    }
    for name, (function, first, second) in two.items():
        for left, right in PAIRS:
            inputs = first(*left), second(*right, seed=1)
            yield Case(f"{name}-{left}-{right}", function, inputs)
    yield Case("mul-itself", lambda F, x: x * x * x, (normal(3, 2),))
    yield Case("where-number", lambda F, x: F.where(x > 0, x * x, 0.5), (off_zero(3, 4),))


def _off_ends(*shape, seed=0):
    return away_from(normal(*shape, seed=seed), (-0.5, 0.7))


def _even(*shape, seed=0):
    return 0.5 * np.round(2 * normal(*shape, seed=seed))


def _odd(*shape, seed=0):
    return 0.25 + _even(*shape, seed=seed)


DIMS = [None, 0, -1, 1, (0, 2), (-1, 0), (0, 1, 2)]


def reductions():
    for name in ("sum", "mean", "amax", "amin", "var", "std", "logsumexp"):
        values = apart if name in ("amax", "amin") else normal
        for dim in DIMS:
            for keepdim in (False, True):
                function = _reduction(name, dim, keepdim)
                yield Case(f"{name}-{dim}-{keepdim}", function, (values(2, 3, 4),))
        if name not in ("var", "std"):  # of one number they are NaN
            yield Case(f"{name}-one", _reduction(name, 0, False), (values(1, 3),))
            yield Case(f"{name}-0-d", _reduction(name, None, False), (values(),))
        yield Case(f"{name}-nothing-left", _reduction(name, 1, False), (values(0, 3),))
    for name in ("max", "min"):
        yield Case(f"{name}-all", named(name), (apart(2, 3, 4),))
    yield Case("clone", lambda F, x: F.clone(x), (normal(3, 4),))
    yield Case("sum-empty", _reduction("sum", 0, False), (normal(0, 3),))
    yield Case("var-correction", lambda F, x: F.var(x, 1, correction=0), (normal(3, 4),))
    yield Case("std-correction", lambda F, x: F.std(x, (0, 1), correction=2), (normal(3, 4),))
    for name in ("softmax", "log_softmax"):
        for dim in (0, 1, -1):
            function = named(name, dim=dim)
            yield Case(f"{name}-{dim}", function, (normal(2, 3, 4),))
            yield Case(f"{name}-{dim}-size-1", function, (normal(1, 1, 3),))
            yield Case(f"{name}-{dim}-size-0", function, (normal(0, 2, 3),))


def _reduction(name, dim, keepdim):
    def function(F, x):
        if dim is None and not keepdim and name != "logsumexp":
            return getattr(F, name)(x)
        dims = tuple(range(x.ndim)) if dim is None else dim
        return getattr(F, name)(x, dim=dims, keepdim=keepdim)

    return function


def shapes():
    x = normal(2, 3, 4)
    yield from (
        Case("reshape", lambda F, x: F.reshape(x, (4, 6)), (x,)),
        Case("reshape-rest", lambda F, x: x.reshape(-1, 2), (x,)),
        Case("reshape-0-d", lambda F, x: F.reshape(x, ()), (normal(1, 1),)),
        Case("reshape-from-0-d", lambda F, x: F.reshape(x, (1, 1)), (normal(),)),
        Case("reshape-size-0", lambda F, x: F.reshape(x, (3, 0)), (normal(0, 2),)),
        Case("permute", lambda F, x: F.permute(x, (2, 0, 1)), (x,)),
        Case("permute-negative", lambda F, x: x.permute(-1, 0, 1), (x,)),
        Case("permute-0-d", lambda F, x: F.permute(x, ()), (normal(),)),
        Case("transpose", lambda F, x: F.transpose(x, 0, -1), (x,)),
        Case("T", lambda F, x: x.T, (normal(2, 3),)),
        Case("flatten", lambda F, x: F.flatten(x), (x,)),
        Case("flatten-some", lambda F, x: F.flatten(x, 1, -1), (x,)),
        Case("flatten-0-d", lambda F, x: F.flatten(x), (normal(),)),
        Case("flatten-size-0", lambda F, x: F.flatten(x, 1), (normal(0, 2, 3),)),
        Case("squeeze", lambda F, x: F.squeeze(x), (normal(1, 3, 1),)),
        Case("squeeze-one", lambda F, x: F.squeeze(x, 0), (normal(1, 3, 1),)),
        Case("squeeze-several", lambda F, x: F.squeeze(x, (0, 1)), (normal(1, 3, 1),)),
        Case("unsqueeze", lambda F, x: F.unsqueeze(x, -1), (x,)),
        Case("unsqueeze-0-d", lambda F, x: F.unsqueeze(x, 0), (normal(),)),
        Case("expand", lambda F, x: F.expand(x, (2, 3, 4)), (normal(3, 1),)),
        Case("expand-keep", lambda F, x: x.expand(2, -1, 3), (normal(4, 1),)),
        Case("expand-0-d", lambda F, x: F.expand(x, (2, 2)), (normal(),)),
        Case("expand-size-0", lambda F, x: F.expand(x, (0, 3)), (normal(1, 3),)),
        Case("cat", lambda F, a, b: F.cat([a, b], 1), (normal(2, 3), normal(2, 1))),
        Case("cat-negative", lambda F, a, b: F.cat((a, b, a), dim=-1), (x, normal(2, 3, 2))),
        Case("cat-size-0", lambda F, a, b: F.cat([a, b]), (normal(0, 3), normal(2, 3))),
        Case("stack", lambda F, a, b: F.stack([a, b, a]), (normal(2, 3), normal(2, 3, seed=1))),
        Case("stack-last", lambda F, a, b: F.stack([a, b], -1), (normal(2), normal(2, seed=1))),
        Case("stack-0-d", lambda F, a, b: F.stack([a, b]), (normal(), normal(seed=1))),
        Case("pad", lambda F, x: F.pad(x, (1, 2)), (x,)),
        Case("pad-value", lambda F, x: F.pad(x, (1, 0, 0, 2), value=1.5), (x,)),
        Case("pad-negative", lambda F, x: F.pad(x, (-1, 2, 1, -1)), (x,)),
        Case("pad-size-0", lambda F, x: F.pad(x, (1, 1)), (normal(2, 0),)),
    )


def indexing():
    x = normal(3, 4, 5)
    keys = {
        "int": 1,
        "negative": (-1, 2),
        "element": (1, 2, 3),
        "slice": slice(1, None),
        "steps": (slice(None, None, 2), slice(0, 4, 3)),
        "empty": slice(2, 2),
        "none": (None, slice(None), None, 1),
        "ellipsis": (..., 0),
        "ellipsis-middle": (0, ..., slice(1, 3)),
        "list": [0, 2, 0, 0],
        "lists": ([0, 2, 0], [1, 1, 1]),
        "lists-broadcast": ([[0], [2]], [1, 3]),
        "list-slice": (slice(None), [3, 0, 3], slice(1, 4, 2)),
        "lists-apart": ([0, 1], slice(None), [2, 2]),
        "int-list-apart": (0, slice(1, None), [0, 2]),
        "list-int-none": ([2, 0, 2], None, 1, slice(None, None, 2)),
        "int-boolean-apart": (1, slice(None), np.arange(5) % 2 == 0),
        "0-d-list-apart": (np.array(-1), ..., [3, 0, 3]),
        "list-empty": np.zeros(0, "int64"),
        "boolean": np.arange(3) != 1,
        "boolean-all": np.arange(60).reshape(3, 4, 5) % 7 == 0,
        "boolean-none": np.zeros(3, bool),
        "boolean-and-slice": (slice(None), np.arange(4) > 1, 0),
    }
    for name, key in keys.items():
        yield Case(f"index-{name}", _taking(key), (x,))
    yield Case("index-0-d", lambda F, x: x[...], (normal(),))
    yield Case("index-0-d-none", lambda F, x: x[None], (normal(),))
    yield Case("index-size-0", lambda F, x: x[:, 1:], (normal(0, 3),))


def _taking(key):
    return lambda F, x: x[_native(F, key)]


def _native(F, key):
    """Arrays in a key as the library's own tensors (PyTorch refuses NumPy's)."""
    parts = key if isinstance(key, tuple) else (key,)
    parts = tuple(F.index_tensor(p) if isinstance(p, np.ndarray) else p for p in parts)
    return parts if isinstance(key, tuple) else parts[0]


def linear_algebra():
    products = [
        ((3, 4), (4, 2)),
        ((4,), (4,)),
        ((4,), (4, 2)),
        ((3, 4), (4,)),
        ((2, 3, 4), (4, 2)),
        ((3, 4), (2, 4, 2)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((1, 3, 4), (2, 4, 1)),
        ((2, 3, 4), (4,)),
        ((4,), (2, 4, 3)),
        ((1, 1), (1, 1)),
        ((0, 4), (4, 2)),
        ((3, 0), (0, 2)),
        ((2, 0, 4), (4, 3)),
    ]
    for left, right in products:
        inputs = normal(*left), normal(*right, seed=1)
        yield Case(f"matmul-{left}-{right}", named("matmul"), inputs)
    weight, bias = normal(3, 4, seed=1), normal(3, seed=2)
    for shape in ((2, 4), (4,), (2, 5, 4), (0, 4), (1, 4)):
        x = normal(*shape)
        yield Case(f"linear-{shape}", named("linear"), (x, weight))
        yield Case(f"linear-bias-{shape}", named("linear"), (x, weight, bias))


def gradients_only():
    """Operations that only gradients are made of, applied directly."""
    geometry = Geometry((5, 4), (2, 2), (2, 3), (2, 1), (0, 0), (2, 1), 1)

    def unindex(F, x):
        return F.operation("unindex", (3, 4), (F.index_tensor([0, 2, 0]).data, slice(1, 3)))(x)

    def with_array(name):
        array = off_zero(3, 4)
        return lambda F, x: F.operation(name, F.index_tensor(array.astype(x.dtype)).data)(x)

    def applied(name, *options):
        return lambda F, *tensors: F.operation(name, *options)(*tensors)

    inputs = normal(2, 3, 5, 4), normal(2, 2, 2, 3, seed=1)
    yield Case("unindex", unindex, (normal(3, 2),), torch=False)
    yield Case("relu_grad", with_array("relu_grad"), (normal(3, 4),), torch=False)
    yield Case("mask", with_array("mask"), (normal(3, 4),), torch=False)
    yield Case("conv2d_weight_grad", applied("conv2d_weight_grad", geometry), inputs, torch=False)

    yield Case("expm1", applied("expm1"), (normal(3, 4),), torch=False)
    yield Case("channel_sum", applied("channel_sum"), inputs[:1], torch=False)
    yield Case("channel_sum-features", applied("channel_sum"), (normal(4, 3),), torch=False)
    matrices = normal(4, 2), normal(4, 3, seed=1)
    yield Case("transposed_matmul", applied("transposed_matmul"), matrices, torch=False)


def convolutions():
    options = {
        "plain": {},
        "stride": {"stride": 2},
        "strides": {"stride": (2, 3), "padding": (1, 0)},
        "padding": {"padding": 1},
        "dilation": {"dilation": (1, 2), "padding": (0, 2)},
        "groups": {"groups": 2, "padding": 1},
        "all": {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 1), "groups": 2},
    }
    for name, option in options.items():
        groups = option.get("groups", 1)
        x, bias = normal(2, 2, 6, 5), normal(4, seed=2)
        weight = normal(4, 2 // groups, 2, 3, seed=1)
        function = named("conv2d", **option)
        yield Case(f"conv2d-{name}", function, (x, weight))
        yield Case(f"conv2d-{name}-bias", function, (x, weight, bias))
        weight, bias = normal(2, 4 // groups, 2, 3, seed=1), normal(4, seed=2)
        function = named("conv_transpose2d", **option)
        yield Case(f"conv_transpose2d-{name}", function, (x[..., :3, :3], weight))
        yield Case(f"conv_transpose2d-{name}-bias", function, (x[..., :3, :3], weight, bias))
    for name in ("same", "valid"):
        weight = normal(2, 2, 3, 2, seed=1)
        yield Case(f"conv2d-{name}", named("conv2d", padding=name), (x, weight))
    option = {"stride": (3, 2), "output_padding": (2, 1), "padding": 1, "groups": 2}
    inputs = normal(2, 4, 3, 2), normal(4, 1, 3, 2, seed=1), normal(2, seed=2)
    yield Case("conv_transpose2d-output_padding", named("conv_transpose2d", **option), inputs)
    option = {"output_padding": 1, "dilation": 2}
    yield Case("conv_transpose2d-dilated", named("conv_transpose2d", **option), inputs[:2])
    one, none, bias = normal(2, 4, 4), normal(0, 2, 4, 4), normal(3, seed=2)
    for name, weight in (
        ("conv2d", normal(3, 2, 1, 3, seed=1)),
        ("conv_transpose2d", normal(2, 3, 1, 3, seed=1)),
    ):
        yield Case(f"{name}-single", named(name), (one, weight, bias))
        yield Case(f"{name}-empty-batch", named(name), (none, weight, bias))


def pooling():
    options = {
        "plain": {"kernel_size": 2},
        "stride": {"kernel_size": (3, 2), "stride": (1, 2)},
        "padding": {"kernel_size": 3, "stride": 2, "padding": 1},
        "ceil": {"kernel_size": 2, "stride": 3, "padding": (1, 0), "ceil_mode": True},
        "remainder": {"kernel_size": (2, 3), "ceil_mode": True},
    }
    for name, option in options.items():
        x = apart(2, 2, 5, 6)
        yield Case(f"max_pool2d-{name}", named("max_pool2d", **option), (x,))
        yield Case(f"avg_pool2d-{name}", named("avg_pool2d", **option), (x,))
        option = {**option, "count_include_pad": False}
        yield Case(f"avg_pool2d-{name}-exclude", named("avg_pool2d", **option), (x,))
    dilated = {"kernel_size": 2, "dilation": (2, 1)}
    yield Case("max_pool2d-dilation", named("max_pool2d", **dilated), (x,))
    for name in ("max_pool2d", "avg_pool2d"):
        yield Case(f"{name}-single", named(name, kernel_size=2), (x[0],))
        yield Case(f"{name}-empty-batch", named(name, kernel_size=2), (x[:0],))
    sizes = [
        {"scale_factor": 2},
        {"scale_factor": (3, 1)},
        {"scale_factor": 1.7},
        {"scale_factor": (0.5, 2.5)},
        {"size": (7, 4)},
        {"size": 3},
        {"size": (10, 12)},
    ]
    for i, option in enumerate(sizes):
        yield Case(f"interpolate-{i}", named("interpolate", **option), (x,))
    yield Case("interpolate-empty-batch", named("interpolate", scale_factor=2), (x[:0],))


REDUCTIONS = ("none", "mean", "sum")


def losses():
    a, b = normal(3, 4), normal(3, 4, seed=1)
    b = a + off_zero(3, 4, seed=2)
    shares = np.abs(b) / np.abs(b).sum(axis=1, keepdims=True)
    logits = "binary_cross_entropy_with_logits"
    for reduction in REDUCTIONS:
        option = {"reduction": reduction}
        yield Case(f"mse_loss-{reduction}", named("mse_loss", **option), (a, b))
        yield Case(f"l1_loss-{reduction}", named("l1_loss", **option), (a, b))
        yield Case(f"{logits}-{reduction}", named(logits, **option), (a, shares))
        yield Case(
            f"cross_entropy-shares-{reduction}", named("cross_entropy", **option), (a, shares)
        )
        classes = {
            "classes": ((3, 4), [1, 0, 3], {}),
            "ignored": ((3, 4), [1, -100, 3], {}),
            "smooth": ((3, 4), [1, 0, 3], {"label_smoothing": 0.2}),
            "smooth-ignored": ((3, 4), [1, 2, 3], {"label_smoothing": 0.2, "ignore_index": 2}),
            "images": ((2, 3, 2, 2), [[[0, 1], [2, 0]], [[1, 1], [2, 2]]], {}),
            "one": ((4,), 2, {}),
        }
        for name, (shape, target, more) in classes.items():
            function = _cross_entropy(np.array(target), {**option, **more})
            yield Case(f"cross_entropy-{name}-{reduction}", function, (normal(*shape),))
    for shape, last in (((2, 3, 4), (4,)), ((2, 3, 4), (3, 4)), ((3,), (3,)), ((0, 3), (3,))):
        x, weight, bias = normal(*shape), normal(*last, seed=1), normal(*last, seed=2)
        yield Case(f"layer_norm-{shape}-{last}", _normalised("layer_norm", last), (x,))
        yield Case(
            f"layer_norm-{shape}-{last}-weight", _normalised("layer_norm", last), (x, weight, bias)
        )


def _cross_entropy(target, options):
    return lambda F, x: F.cross_entropy(x, F.index_tensor(target), **options)


def further():
    for shape, groups in (((2, 6, 3, 2), 3), ((2, 4), 2), ((1, 4, 5), 1), ((3, 2, 2), 2)):
        inputs = normal(*shape), normal(shape[1], seed=1), normal(shape[1], seed=2)
        yield Case(f"group_norm-{shape}", _normalised("group_norm", groups), inputs[:1])
        yield Case(f"group_norm-{shape}-weight", _normalised("group_norm", groups), inputs)
    rows = np.array([[1, 0], [3, 1]])
    yield Case("embedding", lambda F, w: F.embedding(F.index_tensor(rows), w), (normal(4, 3),))
    for name, dim, keepdim in itertools.product(("max", "min"), (0, 1, -1), (False, True)):
        yield Case(f"{name}-{dim}-{keepdim}", _extreme(name, dim, keepdim), (apart(3, 4, 2),))
    yield Case("max", lambda F, x: x.max() - x.min(), (apart(3, 4),))
    yield Case("view", lambda F, x: x.view(2, -1).view((4, 3)), (normal(3, 4),))


def _normalised(name, over):
    return lambda F, x, *parameters: getattr(F, name)(x, over, *parameters)


def _extreme(name, dim, keepdim):
    return lambda F, x: getattr(x, name)(dim, keepdim=keepdim)[0]


def moves():
    def cast(F, x):
        other = "float32" if str(x.dtype) == "float64" else "float64"
        return x.to(other).to(x.dtype)

    def to_device(F, x):
        return F.operation("to_device", F.device)(x)

    exact = np.round(normal(2, 3) * 16) / 16  # so that float32 holds the steps exactly
    yield Case("to-device", to_device, (normal(2, 3),), torch=False)
    yield Case("cast", cast, (exact,), torch=False, step=2**-3)


GROUPS = [
    elementwise,
    reductions,
    shapes,
    indexing,
    linear_algebra,
    gradients_only,
    convolutions,
    pooling,
    losses,
    moves,
    further,
]
CASES = [case for group in GROUPS for case in group()]


each_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
