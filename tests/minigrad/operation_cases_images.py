"""The part of the table of cases about images, losses and precision: see ``operation_cases.py``."""

import itertools

import numpy as np
from operation_case import Case, apart, named, normal, off_zero


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
