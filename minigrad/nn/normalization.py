"""Layer normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from minigrad import functional
from minigrad.backend import Device, shown
from minigrad.engine import Tensor
from minigrad.nn.arguments import parameter_dtype, whole_numbers
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter


class LayerNorm(Module):
    """Give each sample mean 0 and variance 1 over its last dimensions, then a learnt scale.

    ``y = (x - mean) / sqrt(variance + eps) * weight + bias``, the variance not corrected.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The lengths of the last dimensions, which are normalised together.
    eps : float
    elementwise_affine : bool
        Whether to learn ``weight`` and ``bias``.
    bias : bool
        Whether to learn ``bias``, where ``weight`` is learnt.
    device : str or Device, optional
    dtype : numpy dtype, optional
        Of the parameters; float32 by default.

    Attributes
    ----------
    weight, bias : Parameter of shape ``normalized_shape``, or None
        Ones and zeros to begin with.

    Raises
    ------
    TypeError, ValueError
        If a length is no whole number, less than 1, or there is none.

    References
    ----------
    Ba, Kiros and Hinton, "Layer Normalization", 2016.

    Examples
    --------
    >>> from minigrad import Tensor, nn
    >>> nn.LayerNorm(2, elementwise_affine=False, eps=0.0)(Tensor([[1.0, 3.0]]))
    Tensor([[-1.,  1.]])
    """

    weight: Any
    bias: Any

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
    ) -> None:
        self.normalized_shape = whole_numbers("LayerNorm", "normalized_shape", normalized_shape)
        if not self.normalized_shape:
            raise ValueError("LayerNorm: normalized_shape must name at least one dimension")
        if not isinstance(eps, (int, float)) or isinstance(eps, bool):
            raise TypeError(f"LayerNorm: eps must be a number, got {shown(eps)}")
        self.eps = eps
        self.elementwise_affine = bool(elementwise_affine)
        ones = numpy.ones(self.normalized_shape, parameter_dtype("LayerNorm", dtype))
        self.weight = Parameter(ones, device=device) if elementwise_affine else None
        has_bias = elementwise_affine and bias
        self.bias = Parameter(numpy.zeros_like(ones), device=device) if has_bias else None

    def forward(self, input: Tensor) -> Tensor:
        """(..., *normalized_shape) to the same shape."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )
