"""Layers that make images smaller or larger without weights."""

from __future__ import annotations

from typing import Any

from minigrad import functional
from minigrad.backend import shown
from minigrad.engine import Tensor
from minigrad.nn.arguments import pair
from minigrad.nn.module import Module


class MaxPool2d(Module):
    """The largest value in each window of an image.

    Parameters
    ----------
    kernel_size : int or pair of int
        The window's height and width.
    stride : int or pair of int, optional
        The distance between windows; by default ``kernel_size``: they touch.
    padding : int or pair of int
        Rows and columns of minus infinity added on each side; at most half the window.
    dilation : int or pair of int
        The distance between the window's elements.
    ceil_mode : bool
        Also windows that reach over the end.

    Raises
    ------
    TypeError, ValueError
        If an option is no whole number, or out of its range.

    Examples
    --------
    >>> from minigrad import Tensor, nn
    >>> nn.MaxPool2d(2)(Tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    Tensor([[[4.]]])
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = bool(ceil_mode)
        window = pair("MaxPool2d", "kernel_size", kernel_size)
        pair("MaxPool2d", "stride", self.stride)
        pair("MaxPool2d", "dilation", dilation)
        margin = pair("MaxPool2d", "padding", padding, minimum=0)
        if any(2 * pad > length for pad, length in zip(margin, window)):
            raise ValueError(
                f"MaxPool2d: padding {padding} must be at most half the kernel_size {kernel_size}"
            )

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W), or one image without N, to (N, C, P, Q)."""
        return functional.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class Upsample(Module):
    """Enlarge images by repeating the nearest pixel.

    Parameters
    ----------
    size : int or pair of int, optional
        The height and width wanted.
    scale_factor : float or pair of float, optional
        Or by what to multiply them. One of the two must be given.
    mode : str
        Only ``"nearest"``.
    recompute_scale_factor : bool, optional
        Use a factor for the size only: see :func:`minigrad.functional.interpolate`.

    Raises
    ------
    TypeError, ValueError
        If neither or both are given, one is not positive, or the mode is another.

    Examples
    --------
    >>> from minigrad import Tensor, nn
    >>> nn.Upsample(scale_factor=2)(Tensor([[[[1.0, 2.0]]]]))
    Tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest",
        *,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        if (size is None) == (scale_factor is None):
            raise ValueError(
                f"Upsample: give size or scale_factor, and not both, "
                f"got size={size} and scale_factor={scale_factor}"
            )
        if mode != "nearest":
            raise ValueError(f"Upsample: mode must be 'nearest', got {shown(mode)}")
        if size is not None:
            pair("Upsample", "size", size)
        self.size = size
        self.scale_factor = None if scale_factor is None else _factors(scale_factor)
        self.mode = mode
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, P, Q)."""
        return functional.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            recompute_scale_factor=self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor}, mode={self.mode!r}"
        return f"size={self.size}, mode={self.mode!r}"


def _factors(value: Any) -> float | tuple[float, float]:
    """A factor, or a pair of them, as floats."""
    several = isinstance(value, (tuple, list))
    factors = tuple(value) if several else (value,)
    for factor in factors:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            raise TypeError(
                f"Upsample: scale_factor must be a number or a pair, got {shown(value)}"
            )
        if not 0 < factor < float("inf"):
            raise ValueError(f"Upsample: scale_factor must be positive, got {shown(value)}")
    if several and len(factors) != 2:
        raise ValueError(f"Upsample: scale_factor must be a number or a pair, got {shown(value)}")
    return (float(factors[0]), float(factors[1])) if several else float(value)
