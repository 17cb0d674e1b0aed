"""Wrong calls raise TypeError, ValueError or IndexError that name the operation and the shapes.

No message may come from inside NumPy: the words expected here are the library's own.
"""

import traceback

import numpy as np
import pytest

import minigrad
from minigrad import Operation, Tensor
from minigrad import functional as F


def t(*shape, dtype="float32"):
    return Tensor(np.ones(shape, dtype))


BOOLS = Tensor(np.array([True, False]))
IMAGE = t(1, 4, 6, 6)
KERNEL = t(4, 4, 3, 3)


def at(x, key):
    return x[key]


CALLS = [
    # shapes that do not fit
    (ValueError, r"add: shapes \(2, 3\) and \(4,\)", lambda: t(2, 3) + t(4)),
    (ValueError, r"mul: shapes \(2, 2\) and \(3, 1, 3\)", lambda: t(2, 2) * t(3, 1, 3)),
    (ValueError, r"add: shapes", lambda: np.ones(3) + t(2)),
    *((ValueError, rf"{name}: shapes \(2,\) and \(3,\)", lambda n=name: getattr(F, n)(t(2), t(3)))
      for name in ("sub", "div", "pow", "maximum", "minimum", "lt", "eq")),
    (ValueError, r"where: shapes \(2,\) and \(3,\)", lambda: F.where(BOOLS, t(3), 0.0)),
    (TypeError, "where: .*boolean.*float32", lambda: F.where(t(2), t(2), 0.0)),
    (ValueError, r"matmul: shapes \(2, 3\) and \(4, 5\)", lambda: t(2, 3) @ t(4, 5)),
    (ValueError, r"matmul: shapes \(3,\) and \(4,\)", lambda: t(3) @ t(4)),
    (ValueError, r"matmul: shapes \(2,\) and \(3,\)", lambda: t(2, 3, 4) @ t(3, 4, 5)),
    (ValueError, r"matmul: shapes \(2, 2\) and \(\)", lambda: t(2, 2) @ 3.0),
    (ValueError, r"linear: input \(2, 3\).*\(5, 4\)", lambda: F.linear(t(2, 3), t(5, 4))),
    (ValueError, r"linear: weight must be .*\(3,\)", lambda: F.linear(t(2, 3), t(3))),
    (ValueError, r"linear: bias \(3,\).*\(5, 3\)", lambda: F.linear(t(2, 3), t(5, 3), t(3))),
    (ValueError, r"reshape: shape \(2, 3\) .*\(4, 2\)", lambda: t(2, 3).reshape(4, 2)),
    (ValueError, r"reshape: shape \(2, 3\)", lambda: t(2, 3).reshape(-1, 4)),
    (ValueError, r"reshape: .*\(-1, -1\)", lambda: t(2, 3).reshape(-1, -1)),
    (TypeError, "reshape: .*whole number", lambda: t(2, 3).reshape(2.0, 3)),
    (TypeError, "reshape: .*whole number", lambda: t(2).reshape("2")),
    (ValueError, r"permute: 1 dimensions given for shape \(2, 3\)", lambda: t(2, 3).permute(1)),
    (ValueError, r"permute: .*\(1, 1\).*twice", lambda: t(2, 3).permute(1, 1)),
    (IndexError, "permute: dim 2.*2 dimensions", lambda: t(2, 3).permute(0, 2)),
    (IndexError, "transpose: dim 2", lambda: t(2, 3).transpose(0, 2)),
    (AttributeError, r"T: expected a matrix, got shape \(2, 3, 4\)", lambda: t(2, 3, 4).T),
    (ValueError, "flatten: start_dim 1 .*end_dim 0", lambda: t(2, 3).flatten(1, 0)),
    (IndexError, "flatten: dim 3", lambda: t(2, 3).flatten(3)),
    (IndexError, "squeeze: dim 2", lambda: t(2, 1).squeeze(2)),
    (IndexError, "unsqueeze: dim 4", lambda: t(2, 1).unsqueeze(4)),
    (ValueError, r"expand: shape \(2, 3\) .*\(4, 3\)", lambda: t(2, 3).expand(4, 3)),
    (ValueError, r"expand: shape \(2, 3\) .*\(3,\)", lambda: t(2, 3).expand(3)),
    (ValueError, r"expand: shape \(3,\)", lambda: t(3).expand(-1, 3)),
    (ValueError, r"cat: shapes \(2, 3\), \(2, 4\)", lambda: F.cat([t(2, 3), t(2, 4)])),
    (ValueError, r"cat: shapes \(2, 3\), \(2,\)", lambda: F.cat([t(2, 3), t(2)])),
    (IndexError, "cat: dim 2", lambda: F.cat([t(2, 3)], 2)),
    ((ValueError, IndexError), "cat: ", lambda: F.cat([t(), t()])),
    ((TypeError, ValueError), "cat: .*at least one tensor", lambda: F.cat([])),
    (TypeError, "cat: expected a list or tuple", lambda: F.cat(t(2, 3))),
    (TypeError, "cat: argument 1 is None", lambda: F.cat([t(2), None])),
    (ValueError, r"stack: shapes \(2,\), \(3,\)", lambda: F.stack([t(2), t(3)])),
    (IndexError, "stack: dim 3", lambda: F.stack([t(2)], 3)),
    (ValueError, r"pad: \(1,\) .*\(2, 3\)", lambda: F.pad(t(2, 3), (1,))),
    (ValueError, r"pad: .*\(2,\)", lambda: F.pad(t(2), (1, 1, 1, 1))),
    (ValueError, r"pad: \(-2, -2\) .*\(3,\)", lambda: F.pad(t(3), (-2, -2))),
    (ValueError, "pad: mode .*'mirror'", lambda: F.pad(t(3), (1, 1), "mirror")),
    (TypeError, "pad: ", lambda: F.pad(t(3), 1)),
    (TypeError, "pad: .*whole number", lambda: F.pad(t(3), (1.0, 1))),
    (TypeError, "pad: .*'x'", lambda: F.pad(t(3), (1, 1), value="x")),
    # indices
    (IndexError, r"index: \[0, 3\].*\(2, 3\)", lambda: at(t(2, 3), (0, 3))),
    (IndexError, r"index: \[0, 0\].*\(2,\)", lambda: at(t(2), (0, 0))),
    (IndexError, r"index: \[array.*\].*\(2,\)", lambda: at(t(2), [0, 2])),
    (IndexError, r"index: \[-3\].*\(2,\)", lambda: at(t(2), -3)),
    (IndexError, r"index: \[array of shape \(2,\)\].*\(3,\)", lambda: at(t(3), BOOLS)),
    (IndexError, r"index: .*\(4, 4\)", lambda: at(t(4, 4), ([0, 1], [0, 1, 2]))),
    (IndexError, r"index: .*\(4,\)", lambda: at(t(4), (..., ...))),
    ((TypeError, IndexError), "index: .*float", lambda: at(t(3), 1.0)),
    ((TypeError, IndexError), "index: ", lambda: at(t(3), "a")),
    (TypeError, "index: ", lambda: at(t(3), slice(0.5, 2))),
    (ValueError, "index: ", lambda: at(t(3), slice(None, None, 0))),
    # reductions
    (IndexError, "sum: dim 2 is out of range", lambda: F.sum(t(2, 3), 2)),
    (IndexError, "mean: dim -3", lambda: F.mean(t(2, 3), -3)),
    (ValueError, "mean: .*twice", lambda: F.mean(t(2, 3), (0, -2))),
    (TypeError, "sum: dim must be a whole number", lambda: F.sum(t(2, 3), 1.0)),
    (TypeError, "sum: dim must be a whole number", lambda: F.sum(t(2, 3), "0")),
    (ValueError, r"amax: .*\(0, 3\)", lambda: F.amax(t(0, 3), 0)),
    (ValueError, r"amin: .*\(0,\)", lambda: F.amin(t(0))),
    (IndexError, "logsumexp: dim 1", lambda: F.logsumexp(t(2), 1)),
    (IndexError, "softmax: dim 1", lambda: F.softmax(t(2), 1)),
    (IndexError, "log_softmax: dim -2", lambda: F.log_softmax(t(2), -2)),
    (IndexError, "var: dim 1", lambda: F.var(t(2), 1)),
    (IndexError, "std: dim 1", lambda: F.std(t(2), 1)),
    (ValueError, "clamp: ", lambda: F.clamp(t(2))),
    (TypeError, "clamp: .*'a'", lambda: F.clamp(t(2), "a")),
    (ValueError, "softplus: beta", lambda: F.softplus(t(2), 0.0)),
    (TypeError, "leaky_relu: .*'x'", lambda: F.leaky_relu(t(2), "x")),
    # what is no tensor
    (TypeError, "exp: argument 0 is 'a'", lambda: F.exp("a")),
    (TypeError, "exp: argument 0 is None", lambda: F.exp(None)),
    (TypeError, "exp: argument 0 is a object", lambda: F.exp(object())),
    (TypeError, "exp: argument 0", lambda: F.exp([[1.0], [1.0, 2.0]])),
    (TypeError, "add: argument 1 is 'a'", lambda: t(2) + "a"),
    (TypeError, "add: argument . is None", lambda: None + t(2)),
    (TypeError, "mul: .*1j", lambda: t(2) * 1j),
    (TypeError, "neg: .*bool", lambda: -BOOLS),
    (TypeError, "sub: .*bool", lambda: BOOLS - BOOLS),
    ((TypeError, ValueError), "pow: .*negative", lambda: Tensor([2, 3]) ** Tensor([-1, -2])),
    (TypeError, "matmul: argument 1 is None", lambda: t(2) @ None),
    (TypeError, "mse_loss: argument 1 is None", lambda: F.mse_loss(t(2), None)),
    # images
    (ValueError, r"conv2d: input .*\(6, 6\)", lambda: F.conv2d(t(6, 6), KERNEL)),
    (ValueError, r"conv2d: weight .*\(4, 4, 3\)", lambda: F.conv2d(IMAGE, t(4, 4, 3))),
    (ValueError, r"conv2d: input has 3 channels, weight \(4, 4, 3, 3\) expects 4",
     lambda: F.conv2d(t(1, 3, 6, 6), KERNEL)),
    (ValueError, "conv2d: 3 groups do not divide", lambda: F.conv2d(IMAGE, KERNEL, groups=3)),
    (ValueError, r"conv2d: input has 4 channels, .* expects 8 \(2 groups\)",
     lambda: F.conv2d(IMAGE, KERNEL, groups=2)),
    (ValueError, "conv2d: groups .*got 0", lambda: F.conv2d(IMAGE, KERNEL, groups=0)),
    ((TypeError, ValueError), "conv2d: groups", lambda: F.conv2d(IMAGE, KERNEL, groups=2.0)),
    (ValueError, r"conv2d: bias has shape \(3,\)", lambda: F.conv2d(IMAGE, KERNEL, t(3))),
    (ValueError, r"conv2d: kernel \(7, 1\) .*\(1, 4, 6, 6\)",
     lambda: F.conv2d(IMAGE, t(4, 4, 7, 1))),
    (ValueError, "conv2d: kernel .*dilation", lambda: F.conv2d(IMAGE, KERNEL, dilation=3)),
    (ValueError, "conv2d: padding .*-1", lambda: F.conv2d(IMAGE, KERNEL, padding=-1)),
    (ValueError, "conv2d: stride .*got 0", lambda: F.conv2d(IMAGE, KERNEL, stride=0)),
    (TypeError, "conv2d: stride .*got 1.5", lambda: F.conv2d(IMAGE, KERNEL, stride=1.5)),
    (ValueError, "conv2d: stride", lambda: F.conv2d(IMAGE, KERNEL, stride=(1, 1, 1))),
    (ValueError, "conv2d: dilation", lambda: F.conv2d(IMAGE, KERNEL, dilation=0)),
    (ValueError, "conv2d: padding 'same' needs stride 1",
     lambda: F.conv2d(IMAGE, KERNEL, stride=2, padding="same")),
    (ValueError, "conv2d: padding .*'full'", lambda: F.conv2d(IMAGE, KERNEL, padding="full")),
    (ValueError, r"conv2d: weight \(4, 4, 0, 3\)", lambda: F.conv2d(IMAGE, t(4, 4, 0, 3))),
    (TypeError, "conv2d: argument 1 is None", lambda: F.conv2d(IMAGE, None)),
    (ValueError, "conv_transpose2d: input has 3 channels",
     lambda: F.conv_transpose2d(t(1, 3, 6, 6), KERNEL)),
    (ValueError, "conv_transpose2d: 3 groups do not divide",
     lambda: F.conv_transpose2d(IMAGE, KERNEL, groups=3)),
    (ValueError, "conv_transpose2d: output_padding",
     lambda: F.conv_transpose2d(IMAGE, KERNEL, output_padding=1)),
    (ValueError, "conv_transpose2d: .*padding",
     lambda: F.conv_transpose2d(IMAGE, KERNEL, padding=9)),
    ((TypeError, ValueError), "conv_transpose2d: padding",
     lambda: F.conv_transpose2d(IMAGE, KERNEL, padding="same")),
    (ValueError, "conv_transpose2d: bias", lambda: F.conv_transpose2d(IMAGE, KERNEL, t(3))),
    (ValueError, r"max_pool2d: kernel \(7, 7\)", lambda: F.max_pool2d(IMAGE, 7)),
    (ValueError, "max_pool2d: padding", lambda: F.max_pool2d(IMAGE, 2, padding=2)),
    (ValueError, r"max_pool2d: .*\(6, 6\)", lambda: F.max_pool2d(t(6, 6), 2)),
    (ValueError, "avg_pool2d: kernel_size", lambda: F.avg_pool2d(IMAGE, 0)),
    (TypeError, "avg_pool2d: stride", lambda: F.avg_pool2d(IMAGE, 2, "x")),
    (ValueError, "interpolate: mode", lambda: F.interpolate(IMAGE, 3, mode="bilinear")),
    (ValueError, "interpolate: give either", lambda: F.interpolate(IMAGE)),
    (ValueError, "interpolate: give either", lambda: F.interpolate(IMAGE, 3, 2.0)),
    (ValueError, "interpolate: size", lambda: F.interpolate(IMAGE, 0)),
    (ValueError, "interpolate: scale_factor", lambda: F.interpolate(IMAGE, scale_factor=-1.0)),
    (ValueError, "interpolate: scale_factor",
     lambda: F.interpolate(IMAGE, scale_factor=(1, float("nan")))),
    (ValueError, "interpolate: scale_factor",
     lambda: F.interpolate(IMAGE, scale_factor=float("inf"))),
    (ValueError, "interpolate: recompute_scale_factor",
     lambda: F.interpolate(IMAGE, 3, recompute_scale_factor=True)),
    (TypeError, "interpolate: scale_factor", lambda: F.interpolate(IMAGE, scale_factor="2")),
    (ValueError, r"interpolate: input \(1, 4, 6, 6\)",
     lambda: F.interpolate(IMAGE, scale_factor=0.1)),
    # losses
    (ValueError, r"mse_loss: .*\(2,\).*\(2, 1\)", lambda: F.mse_loss(t(2), t(2, 1))),
    (ValueError, "mse_loss: reduction .*'avg'", lambda: F.mse_loss(t(2), t(2), "avg")),
    (ValueError, r"l1_loss: .*\(2,\).*\(3,\)", lambda: F.l1_loss(t(2), t(3))),
    (ValueError, r"binary_cross_entropy_with_logits: .*\(2,\).*\(3,\)",
     lambda: F.binary_cross_entropy_with_logits(t(2), t(3))),
    (ValueError, r"cross_entropy: .*\(1,\).*\(2, 3\)",
     lambda: F.cross_entropy(t(2, 3), Tensor([1]))),
    ((ValueError, IndexError), "cross_entropy: class numbers must be from 0 to 2",
     lambda: F.cross_entropy(t(2, 3), Tensor([1, 3]))),
    (ValueError, r"cross_entropy: .*\(2, 4\)", lambda: F.cross_entropy(t(2, 3), t(2, 4))),
    (ValueError, "cross_entropy: label_smoothing",
     lambda: F.cross_entropy(t(2, 3), Tensor([1, 1]), label_smoothing=2.0)),
    (ValueError, r"cross_entropy: .*shape \(\)", lambda: F.cross_entropy(t(), Tensor(1))),
    (ValueError, "cross_entropy: reduction",
     lambda: F.cross_entropy(t(2, 3), Tensor([1, 1]), reduction="all")),
    (ValueError, r"layer_norm: input \(2, 3\).*\(2,\)", lambda: F.layer_norm(t(2, 3), 2)),
    (ValueError, r"layer_norm: weight \(2,\).*\(3,\)", lambda: F.layer_norm(t(2, 3), 3, t(2))),
    ((TypeError, ValueError), "layer_norm: bias",
     lambda: F.layer_norm(t(2, 3), 3, bias=[1.0, 1.0])),
    # tensors and devices
    (ValueError, r"item: expected one element, got shape \(1, 2\)", lambda: t(1, 2).item()),
    (ValueError, r"bool: shape \(1, 2\) is ambiguous", lambda: bool(t(1, 2) == t(1, 2))),
    (RuntimeError, r"detach\(\).numpy\(\)", lambda: Tensor([1.0], requires_grad=True).numpy()),
    (TypeError, "len", lambda: len(t())),
    (TypeError, "only floating point can require gradients, got int",
     lambda: Tensor([1, 2], requires_grad=True)),
    (TypeError, "no regular array", lambda: Tensor([[1.0], [1.0, 2.0]])),
    (TypeError, "expected numbers", lambda: Tensor(["a"])),
    (TypeError, "expected numbers", lambda: Tensor([1j])),
    (NotImplementedError, "not_written: forward is not written",
     lambda: type("NotWritten", (Operation,), {})()(t(1))),
    *((TypeError, "exp: input 0 is a", lambda wrong=wrong: Operation.registry["exp"]()(wrong))
      for wrong in (1.0, np.ones(1), [1.0], None)),
    (TypeError, "Tensor: expected numbers", lambda: Tensor("abc")),
    (TypeError, "Tensor: expected numbers", lambda: Tensor(1j)),
    (TypeError, "Tensor: .*nonsense", lambda: Tensor([1.0], dtype="nonsense")),
    (ValueError, "device: .*'gpu'", lambda: Tensor([1.0], device="gpu")),
    (ValueError, "device: .*'cuda:x'", lambda: minigrad.device("cuda:x")),
    (TypeError, "to: expected a device or a dtype, got 'tpu'", lambda: t(2).to("tpu")),
    (TypeError, "to: expected a device or a dtype, got None", lambda: t(2).to(None)),
    (ValueError, r"copy_: expected shape \(2,\), got \(3,\)", lambda: t(2).copy_(t(3))),
    (TypeError, "expected numbers", lambda: t(2).copy_("ab")),
]  # fmt: skip


@pytest.mark.parametrize(("error", "words", "call"), CALLS, ids=[words for _, words, _ in CALLS])
def test_a_wrong_call_is_explained_in_the_librarys_own_words(error, words, call):
    with pytest.raises(error, match=words) as caught:
        call()
    last = traceback.extract_tb(caught.value.__traceback__)[-1].filename
    assert "minigrad" in last
    assert "numpy" not in last


@pytest.mark.parametrize(
    "call",
    [
        lambda x, y: x + y,
        lambda x, y: y * x,
        lambda x, y: x @ y,
        lambda x, y: F.cat([x, y]),
        lambda x, y: F.maximum(x, y),
        lambda x, y: x < y,
        lambda x, y: F.mse_loss(x, y),
        lambda x, y: F.linear(x, y),
    ],
)
def test_mixed_devices_are_refused_listing_each(call, gpu):
    match = r"argument 0 on (cpu|cuda:\d), argument 1 on (cpu|cuda:\d)"
    with pytest.raises(TypeError, match=match):
        call(t(2, 2), t(2, 2).to(gpu))


def test_a_gradient_on_another_device_is_refused(gpu):
    x, elsewhere = t(2, 2).requires_grad_(), t(2, 2).to(gpu)
    with pytest.raises(TypeError, match=r"the output is on cpu, its gradient .*cuda:\d"):
        (x * 2.0).backward(elsewhere)
    with pytest.raises(TypeError, match=r"numpy: the tensor is on cuda:\d"):
        elsewhere.numpy()
