"""Wrong calls raise TypeError, ValueError or IndexError that name the operation and the shapes.

No message may come from inside NumPy: the words expected here are the library's own.
"""

import traceback

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad import functional as F


def t(*shape, dtype="float32"):
    return Tensor(np.ones(shape, dtype))


BOOLS = Tensor(np.array([True, False]))
IMAGE = t(1, 4, 6, 6)
KERNEL = t(4, 4, 3, 3)


def at(x, key):
    return x[key]


CALLS = {
    # shapes that do not fit
    "add": (lambda: t(2, 3) + t(4), ValueError, r"add: shapes \(2, 3\) and \(4,\)"),
    "sub": (lambda: t(2) - t(3), ValueError, r"sub: shapes \(2,\) and \(3,\)"),
    "mul": (lambda: t(2, 2) * t(3, 1, 3), ValueError, r"mul: shapes \(2, 2\) and \(3, 1, 3\)"),
    "div": (lambda: t(2) / t(3), ValueError, r"div: shapes \(2,\) and \(3,\)"),
    "pow": (lambda: t(2) ** t(3), ValueError, r"pow: shapes \(2,\) and \(3,\)"),
    "array-add": (lambda: np.ones(3) + t(2), ValueError, r"add: shapes"),
    "maximum": (lambda: F.maximum(t(2), t(3)), ValueError, r"maximum: shapes \(2,\) and \(3,\)"),
    "minimum": (lambda: F.minimum(t(2), t(3)), ValueError, r"minimum: shapes \(2,\) and \(3,\)"),
    "less": (lambda: t(2) < t(3), ValueError, r"lt: shapes \(2,\) and \(3,\)"),
    "equal": (lambda: t(2) == t(3), ValueError, r"eq: shapes \(2,\) and \(3,\)"),
    "where-shape": (
        lambda: F.where(BOOLS, t(3), 0.0), ValueError, r"where: shapes \(2,\) and \(3,\)"),
    "where-number": (lambda: F.where(t(2), t(2), 0.0), TypeError, "where: .*boolean.*float32"),
    "matmul": (lambda: t(2, 3) @ t(4, 5), ValueError, r"matmul: shapes \(2, 3\) and \(4, 5\)"),
    "matmul-vector": (lambda: t(3) @ t(4), ValueError, r"matmul: shapes \(3,\) and \(4,\)"),
    "matmul-batch": (
        lambda: t(2, 3, 4) @ t(3, 4, 5), ValueError, r"matmul: shapes \(2,\) and \(3,\)"),
    "matmul-number": (lambda: t(2, 2) @ 3.0, ValueError, r"matmul: shapes \(2, 2\) and \(\)"),
    "linear": (
        lambda: F.linear(t(2, 3), t(5, 4)), ValueError, r"linear: input \(2, 3\).*\(5, 4\)"),
    "linear-weight": (
        lambda: F.linear(t(2, 3), t(3)), ValueError, r"linear: weight must be .*\(3,\)"),
    "linear-bias": (
        lambda: F.linear(t(2, 3), t(5, 3), t(3)), ValueError, r"linear: bias \(3,\).*\(5, 3\)"),
    "reshape": (
        lambda: t(2, 3).reshape(4, 2), ValueError, r"reshape: shape \(2, 3\) .*\(4, 2\)"),
    "reshape-rest": (lambda: t(2, 3).reshape(-1, 4), ValueError, r"reshape: shape \(2, 3\)"),
    "reshape-two-rests": (lambda: t(2, 3).reshape(-1, -1), ValueError, r"reshape: .*\(-1, -1\)"),
    "reshape-float": (lambda: t(2, 3).reshape(2.0, 3), TypeError, "reshape: .*whole numbers"),
    "reshape-text": (lambda: t(2).reshape("2"), TypeError, "reshape: .*whole numbers"),
    "permute-few": (
        lambda: t(2, 3).permute(1), ValueError, r"permute: 1 dimensions given for shape \(2, 3\)"),
    "permute-twice": (lambda: t(2, 3).permute(1, 1), ValueError, r"permute: .*\(1, 1\).*twice"),
    "permute-range": (lambda: t(2, 3).permute(0, 2), IndexError, "permute: dim 2.*2 dimensions"),
    "transpose": (lambda: t(2, 3).transpose(0, 2), IndexError, "transpose: dim 2"),
    "T": (lambda: t(2, 3, 4).T, AttributeError, r"T: expected a matrix, got shape \(2, 3, 4\)"),
    "flatten": (lambda: t(2, 3).flatten(1, 0), ValueError, "flatten: start_dim 1 .*end_dim 0"),
    "flatten-range": (lambda: t(2, 3).flatten(3), IndexError, "flatten: dim 3"),
    "squeeze": (lambda: t(2, 1).squeeze(2), IndexError, "squeeze: dim 2"),
    "unsqueeze": (lambda: t(2, 1).unsqueeze(4), IndexError, "unsqueeze: dim 4"),
    "expand": (
        lambda: t(2, 3).expand(4, 3), ValueError, r"expand: shape \(2, 3\) .*\(4, 3\)"),
    "expand-fewer": (lambda: t(2, 3).expand(3), ValueError, r"expand: shape \(2, 3\) .*\(3,\)"),
    "expand-new-rest": (lambda: t(3).expand(-1, 3), ValueError, r"expand: shape \(3,\)"),
    "cat": (lambda: F.cat([t(2, 3), t(2, 4)]), ValueError, r"cat: shapes \(2, 3\), \(2, 4\)"),
    "cat-ndim": (lambda: F.cat([t(2, 3), t(2)]), ValueError, r"cat: shapes \(2, 3\), \(2,\)"),
    "cat-dim": (lambda: F.cat([t(2, 3)], 2), IndexError, "cat: dim 2"),
    "cat-0-d": (lambda: F.cat([t(), t()]), (ValueError, IndexError), "cat: "),
    "cat-none": (lambda: F.cat([]), (TypeError, ValueError), "cat: .*at least one tensor"),
    "cat-tensor": (lambda: F.cat(t(2, 3)), TypeError, "cat: expected a list or tuple"),
    "cat-item": (lambda: F.cat([t(2), None]), TypeError, "cat: argument 1 is None"),
    "stack": (lambda: F.stack([t(2), t(3)]), ValueError, r"stack: shapes \(2,\), \(3,\)"),
    "stack-dim": (lambda: F.stack([t(2)], 3), IndexError, "stack: dim 3"),
    "pad-odd": (lambda: F.pad(t(2, 3), (1,)), ValueError, r"pad: \(1,\) .*\(2, 3\)"),
    "pad-many": (lambda: F.pad(t(2), (1, 1, 1, 1)), ValueError, r"pad: .*\(2,\)"),
    "pad-cuts": (lambda: F.pad(t(3), (-2, -2)), ValueError, r"pad: \(-2, -2\) .*\(3,\)"),
    "pad-mode": (lambda: F.pad(t(3), (1, 1), "mirror"), ValueError, "pad: mode .*'mirror'"),
    "pad-number": (lambda: F.pad(t(3), 1), TypeError, "pad: "),
    "pad-float": (lambda: F.pad(t(3), (1.0, 1)), TypeError, "pad: .*whole numbers"),
    "pad-value": (lambda: F.pad(t(3), (1, 1), value="x"), TypeError, "pad: .*'x'"),
    # indices
    "index-range": (lambda: at(t(2, 3), (0, 3)), IndexError, r"index: \[0, 3\].*\(2, 3\)"),
    "index-many": (lambda: at(t(2), (0, 0)), IndexError, r"index: \[0, 0\].*\(2,\)"),
    "index-list": (lambda: at(t(2), [0, 2]), IndexError, r"index: \[array.*\].*\(2,\)"),
    "index-negative": (lambda: at(t(2), -3), IndexError, r"index: \[-3\].*\(2,\)"),
    "index-mask": (
        lambda: at(t(3), BOOLS), IndexError, r"index: \[array of shape \(2,\)\].*\(3,\)"),
    "index-broadcast": (
        lambda: at(t(4, 4), ([0, 1], [0, 1, 2])), IndexError, r"index: .*\(4, 4\)"),
    "index-ellipses": (lambda: at(t(4), (..., ...)), IndexError, r"index: .*\(4,\)"),
    "index-float": (lambda: at(t(3), 1.0), (TypeError, IndexError), "index: .*float"),
    "index-text": (lambda: at(t(3), "a"), (TypeError, IndexError), "index: "),
    "index-slice-float": (lambda: at(t(3), slice(0.5, 2)), TypeError, "index: "),
    "index-slice-step": (lambda: at(t(3), slice(None, None, 0)), ValueError, "index: "),
    # reductions
    "sum-dim": (lambda: F.sum(t(2, 3), 2), IndexError, "sum: dim 2 is out of range"),
    "mean-dim": (lambda: F.mean(t(2, 3), -3), IndexError, "mean: dim -3"),
    "mean-twice": (lambda: F.mean(t(2, 3), (0, -2)), ValueError, "mean: .*twice"),
    "sum-float": (lambda: F.sum(t(2, 3), 1.0), TypeError, "sum: dim must be an int"),
    "sum-text": (lambda: F.sum(t(2, 3), "0"), TypeError, "sum: dim must be an int"),
    "amax-empty": (lambda: F.amax(t(0, 3), 0), ValueError, r"amax: .*\(0, 3\)"),
    "amin-empty": (lambda: F.amin(t(0)), ValueError, r"amin: .*\(0,\)"),
    "logsumexp-dim": (lambda: F.logsumexp(t(2), 1), IndexError, "logsumexp: dim 1"),
    "softmax-dim": (lambda: F.softmax(t(2), 1), IndexError, "softmax: dim 1"),
    "log_softmax-dim": (lambda: F.log_softmax(t(2), -2), IndexError, "log_softmax: dim -2"),
    "var-dim": (lambda: F.var(t(2), 1), IndexError, "var: dim 1"),
    "std-dim": (lambda: F.std(t(2), 1), IndexError, "std: dim 1"),
    "clamp-none": (lambda: F.clamp(t(2)), ValueError, "clamp: "),
    "clamp-text": (lambda: F.clamp(t(2), "a"), TypeError, "clamp: .*'a'"),
    "softplus-beta": (lambda: F.softplus(t(2), 0.0), ValueError, "softplus: beta"),
    "leaky_relu-slope": (lambda: F.leaky_relu(t(2), "x"), TypeError, "leaky_relu: .*'x'"),
    # what is no tensor
    "exp-text": (lambda: F.exp("a"), TypeError, "exp: argument 0 is 'a'"),
    "exp-none": (lambda: F.exp(None), TypeError, "exp: argument 0 is None"),
    "exp-object": (lambda: F.exp(object()), TypeError, "exp: argument 0 is a object"),
    "exp-ragged": (lambda: F.exp([[1.0], [1.0, 2.0]]), TypeError, "exp: argument 0"),
    "add-text": (lambda: t(2) + "a", TypeError, "add: argument 1 is 'a'"),
    "add-none": (lambda: None + t(2), TypeError, "add: argument . is None"),
    "mul-complex": (lambda: t(2) * 1j, TypeError, "mul: .*1j"),
    "neg-bool": (lambda: -BOOLS, TypeError, "neg: .*bool"),
    "sub-bool": (lambda: BOOLS - BOOLS, TypeError, "sub: .*bool"),
    "pow-whole": (
        lambda: Tensor([2, 3]) ** Tensor([-1, -2]), (TypeError, ValueError), "pow: .*negative"),
    "matmul-none": (lambda: t(2) @ None, TypeError, "matmul: argument 1 is None"),
    "mse-none": (lambda: F.mse_loss(t(2), None), TypeError, "mse_loss: argument 1 is None"),
    # images
    "conv2d-ndim": (lambda: F.conv2d(t(6, 6), KERNEL), ValueError, r"conv2d: input .*\(6, 6\)"),
    "conv2d-weight": (
        lambda: F.conv2d(IMAGE, t(4, 4, 3)), ValueError, r"conv2d: weight .*\(4, 4, 3\)"),
    "conv2d-channels": (
        lambda: F.conv2d(t(1, 3, 6, 6), KERNEL), ValueError,
        r"conv2d: input has 3 channels, weight \(4, 4, 3, 3\) expects 4"),
    "conv2d-groups": (
        lambda: F.conv2d(IMAGE, KERNEL, groups=3), ValueError, "conv2d: 3 groups do not divide"),
    "conv2d-groups-channels": (
        lambda: F.conv2d(IMAGE, KERNEL, groups=2), ValueError,
        r"conv2d: input has 4 channels, .* expects 8 \(2 groups\)"),
    "conv2d-groups-0": (
        lambda: F.conv2d(IMAGE, KERNEL, groups=0), ValueError, "conv2d: groups .*got 0"),
    "conv2d-groups-float": (
        lambda: F.conv2d(IMAGE, KERNEL, groups=2.0), (TypeError, ValueError), "conv2d: groups"),
    "conv2d-bias": (
        lambda: F.conv2d(IMAGE, KERNEL, t(3)), ValueError, r"conv2d: bias has shape \(3,\)"),
    "conv2d-large": (
        lambda: F.conv2d(IMAGE, t(4, 4, 7, 1)), ValueError,
        r"conv2d: kernel \(7, 1\) .*\(1, 4, 6, 6\)"),
    "conv2d-dilated": (
        lambda: F.conv2d(IMAGE, KERNEL, dilation=3), ValueError, "conv2d: kernel .*dilation"),
    "conv2d-padding": (
        lambda: F.conv2d(IMAGE, KERNEL, padding=-1), ValueError, "conv2d: padding .*-1"),
    "conv2d-stride": (
        lambda: F.conv2d(IMAGE, KERNEL, stride=0), ValueError, "conv2d: stride .*got 0"),
    "conv2d-stride-float": (
        lambda: F.conv2d(IMAGE, KERNEL, stride=1.5), TypeError, "conv2d: stride .*got 1.5"),
    "conv2d-stride-triple": (
        lambda: F.conv2d(IMAGE, KERNEL, stride=(1, 1, 1)), ValueError, "conv2d: stride"),
    "conv2d-dilation": (
        lambda: F.conv2d(IMAGE, KERNEL, dilation=0), ValueError, "conv2d: dilation"),
    "conv2d-same-stride": (
        lambda: F.conv2d(IMAGE, KERNEL, stride=2, padding="same"), ValueError,
        "conv2d: padding 'same' needs stride 1"),
    "conv2d-padding-text": (
        lambda: F.conv2d(IMAGE, KERNEL, padding="full"), ValueError, "conv2d: padding .*'full'"),
    "conv2d-no-kernel": (
        lambda: F.conv2d(IMAGE, t(4, 4, 0, 3)), ValueError, r"conv2d: weight \(4, 4, 0, 3\)"),
    "conv2d-no-tensor": (lambda: F.conv2d(IMAGE, None), TypeError, "conv2d: argument 1 is None"),
    "transposed-channels": (
        lambda: F.conv_transpose2d(t(1, 3, 6, 6), KERNEL), ValueError,
        "conv_transpose2d: input has 3 channels"),
    "transposed-groups": (
        lambda: F.conv_transpose2d(IMAGE, KERNEL, groups=3), ValueError,
        "conv_transpose2d: 3 groups do not divide"),
    "transposed-output-padding": (
        lambda: F.conv_transpose2d(IMAGE, KERNEL, output_padding=1), ValueError,
        "conv_transpose2d: output_padding"),
    "transposed-padding": (
        lambda: F.conv_transpose2d(IMAGE, KERNEL, padding=9), ValueError,
        "conv_transpose2d: .*padding"),
    "transposed-same": (
        lambda: F.conv_transpose2d(IMAGE, KERNEL, padding="same"), (TypeError, ValueError),
        "conv_transpose2d: padding"),
    "transposed-bias": (
        lambda: F.conv_transpose2d(IMAGE, KERNEL, t(3)), ValueError, "conv_transpose2d: bias"),
    "max_pool2d-large": (
        lambda: F.max_pool2d(IMAGE, 7), ValueError, r"max_pool2d: kernel \(7, 7\)"),
    "max_pool2d-padding": (
        lambda: F.max_pool2d(IMAGE, 2, padding=2), ValueError, "max_pool2d: padding"),
    "max_pool2d-ndim": (
        lambda: F.max_pool2d(t(6, 6), 2), ValueError, r"max_pool2d: .*\(6, 6\)"),
    "avg_pool2d-kernel": (
        lambda: F.avg_pool2d(IMAGE, 0), ValueError, "avg_pool2d: kernel_size"),
    "avg_pool2d-stride": (
        lambda: F.avg_pool2d(IMAGE, 2, "x"), TypeError, "avg_pool2d: stride"),
    "interpolate-mode": (
        lambda: F.interpolate(IMAGE, 3, mode="bilinear"), ValueError, "interpolate: mode"),
    "interpolate-neither": (lambda: F.interpolate(IMAGE), ValueError, "interpolate: give either"),
    "interpolate-both": (
        lambda: F.interpolate(IMAGE, 3, 2.0), ValueError, "interpolate: give either"),
    "interpolate-size": (lambda: F.interpolate(IMAGE, 0), ValueError, "interpolate: size"),
    "interpolate-scale": (
        lambda: F.interpolate(IMAGE, scale_factor=-1.0), ValueError, "interpolate: scale_factor"),
    "interpolate-scale-nan": (
        lambda: F.interpolate(IMAGE, scale_factor=(1, float("nan"))), ValueError,
        "interpolate: scale_factor"),
    "interpolate-scale-infinite": (
        lambda: F.interpolate(IMAGE, scale_factor=float("inf")), ValueError,
        "interpolate: scale_factor"),
    "interpolate-recompute": (
        lambda: F.interpolate(IMAGE, 3, recompute_scale_factor=True), ValueError,
        "interpolate: recompute_scale_factor"),
    "interpolate-scale-text": (
        lambda: F.interpolate(IMAGE, scale_factor="2"), TypeError, "interpolate: scale_factor"),
    "interpolate-nothing": (
        lambda: F.interpolate(IMAGE, scale_factor=0.1), ValueError,
        r"interpolate: input \(1, 4, 6, 6\)"),
    # losses
    "mse": (lambda: F.mse_loss(t(2), t(2, 1)), ValueError, r"mse_loss: .*\(2,\).*\(2, 1\)"),
    "mse-reduction": (
        lambda: F.mse_loss(t(2), t(2), "avg"), ValueError, "mse_loss: reduction .*'avg'"),
    "l1": (lambda: F.l1_loss(t(2), t(3)), ValueError, r"l1_loss: .*\(2,\).*\(3,\)"),
    "bce": (
        lambda: F.binary_cross_entropy_with_logits(t(2), t(3)), ValueError,
        r"binary_cross_entropy_with_logits: .*\(2,\).*\(3,\)"),
    "cross_entropy": (
        lambda: F.cross_entropy(t(2, 3), Tensor([1])), ValueError,
        r"cross_entropy: .*\(1,\).*\(2, 3\)"),
    "cross_entropy-class": (
        lambda: F.cross_entropy(t(2, 3), Tensor([1, 3])), (ValueError, IndexError),
        "cross_entropy: class numbers must be from 0 to 2"),
    "cross_entropy-shares": (
        lambda: F.cross_entropy(t(2, 3), t(2, 4)), ValueError, r"cross_entropy: .*\(2, 4\)"),
    "cross_entropy-smoothing": (
        lambda: F.cross_entropy(t(2, 3), Tensor([1, 1]), label_smoothing=2.0), ValueError,
        "cross_entropy: label_smoothing"),
    "cross_entropy-0-d": (
        lambda: F.cross_entropy(t(), Tensor(1)), ValueError, r"cross_entropy: .*shape \(\)"),
    "cross_entropy-reduction": (
        lambda: F.cross_entropy(t(2, 3), Tensor([1, 1]), reduction="all"), ValueError,
        "cross_entropy: reduction"),
    "layer_norm": (
        lambda: F.layer_norm(t(2, 3), 2), ValueError, r"layer_norm: input \(2, 3\).*\(2,\)"),
    "layer_norm-weight": (
        lambda: F.layer_norm(t(2, 3), 3, t(2)), ValueError, r"layer_norm: weight \(2,\).*\(3,\)"),
    "layer_norm-list": (
        lambda: F.layer_norm(t(2, 3), 3, bias=[1.0, 1.0]), (TypeError, ValueError),
        "layer_norm: bias"),
    # tensors and devices
    "tensor-text": (lambda: Tensor("abc"), TypeError, "Tensor: expected numbers"),
    "tensor-complex": (lambda: Tensor(1j), TypeError, "Tensor: expected numbers"),
    "tensor-dtype": (lambda: Tensor([1.0], dtype="nonsense"), TypeError, "Tensor: .*nonsense"),
    "tensor-device": (lambda: Tensor([1.0], device="gpu"), ValueError, "device: .*'gpu'"),
    "device-number": (lambda: minigrad.device("cuda:x"), ValueError, "device: .*'cuda:x'"),
    "to": (lambda: t(2).to("tpu"), TypeError, "to: expected a device or a dtype, got 'tpu'"),
    "to-none": (lambda: t(2).to(None), TypeError, "to: expected a device or a dtype, got None"),
    "copy_": (lambda: t(2).copy_(t(3)), ValueError, r"copy_: expected shape \(2,\), got \(3,\)"),
    "copy_-text": (lambda: t(2).copy_("ab"), TypeError, "expected numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_explained_in_the_librarys_own_words(name):
    call, error, words = CALLS[name]
    with pytest.raises(error, match=words) as caught:
        call()
    last = traceback.extract_tb(caught.value.__traceback__)[-1].filename
    assert "minigrad" in last
    assert "numpy" not in last


def test_there_are_at_least_forty_wrong_calls():
    assert len(CALLS) >= 40


class ElsewhereArray(np.ndarray):
    """Stands for an array on a GPU."""


@pytest.fixture
def elsewhere(monkeypatch):
    """A tensor the library takes for one on a GPU."""
    from minigrad.backend import array_switch as backend
    from minigrad.engine import tensor as values

    real = backend.device_of

    def device_of(array):
        if isinstance(array, ElsewhereArray):
            return minigrad.Device("cuda", 0)
        return real(array)

    for module in (backend, values):
        monkeypatch.setattr(module, "device_of", device_of)
    return Tensor._wrap(np.ones((2, 2), "float32").view(ElsewhereArray))


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
def test_mixed_devices_are_refused_listing_each(call, elsewhere):
    with pytest.raises(TypeError, match=r"argument 0 on (cpu|cuda:0), argument 1 on (cpu|cuda:0)"):
        call(t(2, 2), elsewhere)


def test_a_gradient_on_another_device_is_refused(elsewhere):
    x = Tensor(np.ones((2, 2), "float32"), requires_grad=True)
    with pytest.raises(TypeError, match=r"the output is on cpu, its gradient .*cuda:0"):
        (x * 2.0).backward(elsewhere)
    with pytest.raises(TypeError, match=r"numpy: the tensor is on cuda:0"):
        elsewhere.numpy()
