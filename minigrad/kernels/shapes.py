"""Shape checks of the convolution kernels, so that no wrong call reaches an array library."""

from __future__ import annotations

from typing import Any

from .geometry import Geometry

Array = Any  # a numpy.ndarray or a cupy.ndarray


def check_shapes(
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
        Naming the kernel, the array and what was expected.
    """
    sizes = (
        ("x", x, "input_size", geometry.input_size),
        ("weight", weight, "kernel_size", geometry.kernel_size),
        ("y", y, "output_size", geometry.output_size),
    )
    for letter, array, field, size in sizes:
        if array is not None and (array.ndim != 4 or array.shape[2:] != tuple(size)):
            raise ValueError(
                f"{name}: {letter} {array.shape} does not have 4 axes ending in {field} {size}"
            )
    groups = geometry.groups
    for letter, array, axis in (("x", x, 1), ("weight", weight, 0), ("y", y, 1)):
        if array is not None and array.shape[axis] % groups:
            raise ValueError(
                f"{name}: {array.shape[axis]} channels of {letter} {array.shape} "
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
