"""Checks of the convolution kernels' arguments, so that no wrong call reaches an array library."""

from __future__ import annotations

from typing import Any

from .geometry import Geometry

Array = Any  # a numpy.ndarray or a cupy.ndarray


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
    groups = geometry.groups
    for letter, array, size, axis in (
        ("x", x, geometry.input_size, 1),
        ("weight", weight, geometry.kernel_size, 0),
        ("y", y, geometry.output_size, 1),
    ):
        if array is None:
            continue
        shape = array.shape
        if len(shape) != 4 or shape[2:] != tuple(size):
            raise ValueError(f"{name}: {letter} {shape} should have 4 axes, the last two {size}")
        if shape[axis] % groups:
            raise ValueError(
                f"{name}: {shape[axis]} channels of {letter} {shape} "
                f"do not divide into {groups} groups"
            )
    if x is not None and weight is not None and x.shape[1] != groups * weight.shape[1]:
        raise ValueError(
            f"{name}: x {x.shape} has {x.shape[1]} channels, "
            f"weight {weight.shape} in {groups} groups expects {groups * weight.shape[1]}"
        )
    if y is not None and weight is not None and y.shape[1] != weight.shape[0]:
        raise ValueError(
            f"{name}: y {y.shape} has {y.shape[1]} channels, "
            f"weight {weight.shape} expects {weight.shape[0]}"
        )
    if x is not None and y is not None and x.shape[0] != y.shape[0]:
        raise ValueError(f"{name}: x {x.shape} and y {y.shape} differ in the number of images")
    if bias is not None and bias.shape != (bias_channels,):
        raise ValueError(f"{name}: bias {bias.shape} should have shape ({bias_channels},)")
    arrays = (x, weight, y, bias)
    if len({array.dtype for array in arrays if array is not None}) > 1:
        letters = ("x", "weight", "y", "bias")
        given = [pair for pair in zip(letters, arrays, strict=True) if pair[1] is not None]
        dtypes = ", ".join(f"{letter} {array.dtype}" for letter, array in given)
        raise TypeError(f"{name}: arrays should share one dtype, got {dtypes}")
