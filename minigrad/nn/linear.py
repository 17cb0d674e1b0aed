"""The fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minigrad import functional
from minigrad.backend import Device
from minigrad.engine import Tensor
from minigrad.nn.arguments import whole_number
from minigrad.nn.init import fan_in_uniform
from minigrad.nn.module import Module

if TYPE_CHECKING:
    from numpy.random import Generator


class Linear(Module):
    """``y = x @ weight.T + bias``, on the last dimension.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Whether to add a learnt bias.
    device : str or Device, optional
    dtype : numpy dtype, optional
        Of the parameters; float32 by default.
    generator : numpy.random.Generator, optional
        Where initial values are drawn, from U(-b, b) with ``b = 1 / sqrt(in_features)``.

    Attributes
    ----------
    weight : Parameter (out_features, in_features)
    bias : Parameter (out_features,) or None

    Raises
    ------
    TypeError, ValueError
        If a size is no whole number, or less than 1.

    Examples
    --------
    >>> from minigrad import Tensor, nn
    >>> layer = nn.Linear(3, 2)
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    >>> layer(Tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    bias: Any

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        self.in_features = whole_number("Linear", "in_features", in_features)
        self.out_features = whole_number("Linear", "out_features", out_features)
        fan_in = self.in_features
        shape = (self.out_features, self.in_features)
        self.weight = fan_in_uniform(shape, fan_in, generator, dtype, device)
        self.bias = fan_in_uniform(shape[:1], fan_in, generator, dtype, device) if bias else None

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
