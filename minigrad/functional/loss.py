"""Losses, which a network is trained on, and layer normalisation.

``reduction`` is ``"none"`` (one loss an element), ``"mean"`` or ``"sum"``.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import CPU, Array, array_module, is_part_of_batch, shown
from minigrad.engine import Operation, Tensor
from minigrad.functional.arguments import as_float, as_tensor, on_its_device, same_precision
from minigrad.functional.elementwise import Mask, abs, sigmoid, sqrt
from minigrad.functional.reduce import SumOfSquares, log_softmax, mean, sum


class BinaryCrossEntropy(Operation):
    """``y = -t ln s(x) - (1 - t) ln s(-x)``: dy/dx = (1 - t) s(x) - t s(-x), dy/dt = -x.

    From ``-ln s(x) = ln(1 + e^-x) = max(-x, 0) + ln(1 + e^-|x|)`` and the same for -x. All terms
    are positive: no small loss is the difference of large numbers.
    """

    def forward(self, x: Array, target: Array) -> Array:
        xp = array_module(x, target)
        wrong = xp.maximum(-x, 0) * target + xp.maximum(x, 0) * (1 - target)
        return wrong + xp.log1p(xp.exp(-xp.abs(x)))

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, target = self.saved
        needs_x, needs_target = self.needs_input_grad
        by_x = by_target = None
        if needs_x:
            by_x = gradient * ((1 - target) * sigmoid(x) - target * sigmoid(-x))
        if needs_target:
            by_target = -(gradient * x)
        return by_x, by_target


def _reduced(name: str, loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction == "mean":
        return mean(loss)
    if reduction == "sum":
        return sum(loss)
    raise ValueError(f"{name}: reduction must be 'none', 'mean' or 'sum', got {shown(reduction)}")


def _same_shape(name: str, x: Any, target: Any) -> tuple[Tensor, Tensor]:
    x, target = as_float(name, x, 0), as_float(name, target, 1)
    if x.shape != target.shape:
        raise ValueError(f"{name}: input {x.shape} and target {target.shape} differ in shape")
    return x, target


def mse_loss(x: Any, target: Any, reduction: str = "mean") -> Tensor:
    """The squared error ``(x - target)^2``; ``reduction`` is ``"none"``, ``"mean"`` or ``"sum"``.

    A ValueError says that the shapes differ (nothing is broadcast).

    >>> mse_loss(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(2.)
    """
    x, target = _same_shape("mse_loss", x, target)
    difference = x - target
    if reduction in ("mean", "sum"):
        return SumOfSquares(difference.size if reduction == "mean" else 1)(difference)
    return _reduced("mse_loss", difference**2, reduction)


def l1_loss(x: Any, target: Any, reduction: str = "mean") -> Tensor:
    """The absolute error ``|x - target|``; ``target`` and ``reduction`` as for :func:`mse_loss`.

    >>> l1_loss(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(1.)
    """
    x, target = _same_shape("l1_loss", x, target)
    return _reduced("l1_loss", abs(x - target), reduction)


def binary_cross_entropy_with_logits(x: Any, target: Any, reduction: str = "mean") -> Tensor:
    """``-t ln s(x) - (1 - t) ln(1 - s(x))`` with s the sigmoid and t the ``target``.

    ``x`` are logits, any real numbers; the target is probabilities in [0, 1], of the same shape.
    Nothing overflows, and small losses keep their precision in both tails. ``reduction`` and errors
    as for :func:`mse_loss`.

    >>> binary_cross_entropy_with_logits(Tensor([0.0]), Tensor([1.0]))
    Tensor(0.6931472)
    """
    name = "binary_cross_entropy_with_logits"
    x, target = _same_shape(name, x, target)
    return _reduced(name, BinaryCrossEntropy()(*same_precision(name, x, target)), reduction)


@on_its_device
def cross_entropy(
    x: Any,
    target: Any,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """``-sum_c t_c ln softmax(x)_c``: how badly scores predict a class.

    ``x`` holds scores (logits), (N, C), (N, C, ...) or (C,). ``target`` holds class numbers, (N,),
    (N, ...) or (), or probabilities, of the shape of ``x``. Targets with the class number
    ``ignore_index`` do not count. ``reduction`` is ``"none"``, ``"mean"`` (over the targets that
    count) or ``"sum"``. ``label_smoothing`` is the share of the probability, in [0, 1], that is
    spread evenly over all classes.

    A ValueError says that shapes do not fit, or that an option or a class number is out of range
    (class numbers are looked at on the host only). Inside a shard it also refuses a mean over
    targets some of which are ignored: the shard cannot know how many the whole batch ignores.

    >>> cross_entropy(Tensor([[0.0, 0.0]]), Tensor([1]))
    Tensor(0.6931472)
    """
    name = "cross_entropy"
    x, target = as_float(name, x, 0), as_tensor(name, target, 1)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{name}: label_smoothing must be in [0, 1], got {label_smoothing}")
    if x.ndim == 0:
        raise ValueError(f"{name}: input of shape () has no classes")
    axis = 0 if x.ndim == 1 else 1
    classes = x.shape[axis]
    xp = array_module(x.data, target.data)
    counted: Any
    if target.dtype.kind == "f":
        if target.shape != x.shape:
            raise ValueError(f"{name}: probabilities {target.shape} for input {x.shape}")
        counted = target.size // max(classes, 1)
        wanted = target
    else:
        if target.shape != x.shape[:axis] + x.shape[axis + 1 :]:
            raise ValueError(f"{name}: class numbers {target.shape} for input {x.shape}")
        kept = target.data != ignore_index
        is_class = (target.data >= 0) & (target.data < classes)
        if x.device == CPU and not (is_class | ~kept).all():
            raise ValueError(f"{name}: class numbers must be from 0 to {classes - 1}")
        if reduction == "mean" and is_part_of_batch() and not kept.all():
            raise ValueError(
                f"{name}: a shard does not know how many targets the batch ignores, and so not "
                "what its mean divides by; use reduction='sum' here and in shard_gradients, then "
                "divide by the batch's number of targets that are not ignored"
            )
        numbers = xp.arange(classes).reshape((-1,) + (1,) * (x.ndim - axis - 1))
        hot = (numbers == xp.expand_dims(target.data, axis)) & xp.expand_dims(kept, axis)
        wanted = Tensor(hot.astype(x.dtype))
        counted = Tensor(kept.sum().astype(x.dtype))
    if label_smoothing:
        share = sum(wanted, axis, keepdim=True)
        wanted = wanted * (1 - label_smoothing) + share * (label_smoothing / classes)
    logarithms = log_softmax(x, axis)
    # A class that does not count may have score -inf: 0 times its logarithm would be NaN.
    weighted = logarithms * wanted if target.dtype.kind == "f" else Mask(wanted.data)(logarithms)
    loss = -sum(weighted, axis)
    if reduction == "mean":
        return sum(loss) / counted
    return _reduced(name, loss, reduction)


def layer_norm(
    x: Any,
    normalized_shape: int | tuple[int, ...],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Tensor:
    """Shift and scale the last dimensions to mean 0 and variance 1, then apply weight and bias.

    ``x`` is (..., *normalized_shape). ``weight`` and ``bias``, where given, have the shape
    ``normalized_shape``; ``eps`` is added to the variance, which may be 0. A ValueError says that
    the shapes do not fit.

    >>> layer_norm(Tensor([[1.0, 3.0]]), 2, eps=0.0)
    Tensor([[-1.,  1.]])
    """
    name = "layer_norm"
    x = as_float(name, x)
    is_several = isinstance(normalized_shape, (tuple, list))
    shape = tuple(normalized_shape) if is_several else (normalized_shape,)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"{name}: input {x.shape} does not end in normalized_shape {shape}")
    for what, parameter in (("weight", weight), ("bias", bias)):
        given = shape if parameter is None else as_tensor(name, parameter).shape
        if given != shape:
            raise ValueError(f"{name}: {what} {given} must have shape {shape}")
    dims = tuple(range(-len(shape), 0))
    deviation = x - mean(x, dims, keepdim=True)
    variance = mean(deviation * deviation, dims, keepdim=True)
    y = deviation / sqrt(variance + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias
