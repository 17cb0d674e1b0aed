"""Checks of the convolution kernels' arguments, so that no wrong call reaches an array library."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from minigrad.kernels.geometry import Geometry

Array = Any  # a numpy.ndarray or a cupy.ndarray
Shape = tuple[int, ...] | None


def check_arrays(
    name: str,
    geometry: Geometry,
    x: Array = None,
    weight: Array = None,
    y: Array = None,
    bias: Array = None,
    bias_channels: int = 0,
) -> None:
    """Refuse arrays that do not fit the geometry or each other.

    Parameters
    ----------
    name : str
        The kernel, for the message.
    geometry : Geometry
    x, weight, y : array, optional
        Two of (N, C, H, W), (O, C / G, kh, kw) and (N, O, P, Q).
    bias : array, optional
    bias_channels : int
        How many numbers the bias must hold.

    Raises
    ------
    ValueError
        Where shapes do not fit; names the kernel, the array and what was expected.
    TypeError
        Where dtypes differ.
    """
    arrays = (x, weight, y, bias)
    shapes = [None if array is None else array.shape for array in arrays]
    _check_shapes(name, geometry, *shapes, bias_channels)
    if len({array.dtype for array in arrays if array is not None}) > 1:
        letters = ("x", "weight", "y", "bias")
        given = [pair for pair in zip(letters, arrays, strict=True) if pair[1] is not None]
        dtypes = ", ".join(f"{letter} {array.dtype}" for letter, array in given)
        raise TypeError(f"{name}: arrays should share one dtype, got {dtypes}")


@lru_cache(maxsize=1024)  # a network's shapes come again and again
def _check_shapes(
    name: str,
    geometry: Geometry,
    x: Shape,
    weight: Shape,
    y: Shape,
    bias: Shape,
    bias_channels: int,
) -> None:
    groups = geometry.groups
    for letter, shape, size, axis in (
        ("x", x, geometry.input_size, 1),
        ("weight", weight, geometry.kernel_size, 0),
        ("y", y, geometry.output_size, 1),
    ):
        if shape is None:
            continue
        if len(shape) != 4 or shape[2:] != tuple(size):
            raise ValueError(f"{name}: {letter} {shape} should have 4 axes, the last two {size}")
        if shape[axis] % groups:
            raise ValueError(
                f"{name}: {shape[axis]} channels of {letter} {shape} "
                f"do not divide into {groups} groups"
            )
    if x is not None and weight is not None and x[1] != groups * weight[1]:
        raise ValueError(
            f"{name}: x {x} has {x[1]} channels, "
            f"weight {weight} in {groups} groups expects {groups * weight[1]}"
        )
    if y is not None and weight is not None and y[1] != weight[0]:
        raise ValueError(f"{name}: y {y} has {y[1]} channels, weight {weight} expects {weight[0]}")
    if x is not None and y is not None and x[0] != y[0]:
        raise ValueError(f"{name}: x {x} and y {y} differ in the number of images")
    if bias is not None and bias != (bias_channels,):
        raise ValueError(f"{name}: bias {bias} should have shape ({bias_channels},)")
