"""Padded images, in the memory order all kernels read and write."""

from __future__ import annotations

from typing import Any

from minigrad.backend import array_module
from minigrad.kernels.geometry import Geometry

Array = Any  # a numpy.ndarray or a cupy.ndarray


def pad(x: Array, geometry: Geometry) -> Array:
    """The part of x that the windows read, with zeros where they reach beyond it.

    Parameters
    ----------
    x : array (N, C, H, W)

    Returns
    -------
    array (N, C, *geometry.read_size)
        A view of x where no zero is needed.
    """
    (top, left), read = geometry.padding, geometry.read_size
    if not top and not left and x.shape[2:] == read:
        return x
    inside = x[:, :, : max(read[0] - top, 0), : max(read[1] - left, 0)]
    if inside.shape[2:] == read:
        return inside
    padded = zero_images(x, read)
    padded[:, :, top : top + inside.shape[2], left : left + inside.shape[3]] = inside
    return padded


def zero_images(like: Array, size: tuple[int, int]) -> Array:
    """Zeros (N, C, *size), in memory H, N, W, C; N, C and dtype are those of ``like``."""
    images, channels = like.shape[:2]
    zeros = array_module(like).zeros((size[0], images, size[1], channels), dtype=like.dtype)
    return zeros.transpose(1, 3, 0, 2)
