"""Do two libraries compute the same? Asked before anything is timed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy

__all__ = ["GRADIENT_TOLERANCE", "TOLERANCE", "Disagreement", "largest_difference"]

TOLERANCE = 1e-4
"""Of a result's largest element: float32 sums of some million terms, in different orders."""

GRADIENT_TOLERANCE = 5e-3
"""The same for gradients, which jump: a ReLU whose input is rounded to the other side of 0 lets its
gradient through or not. One such unit among 2 million (batch 128) has been seen to change a
gradient by 1.3e-3 of its largest element; without one, libraries agree within 1e-5."""


class Disagreement(Exception):
    """Two libraries do not compute the same thing, so their times cannot be compared."""


def largest_difference(
    ours: Mapping[str, numpy.ndarray], theirs: Mapping[str, numpy.ndarray]
) -> float:
    """The largest difference of any result, as a share of that result's largest element.

    Raises
    ------
    Disagreement
        If it is above the tolerance, something is not finite, or names or shapes differ.
    """
    if set(ours) != set(theirs):
        different = ", ".join(sorted(set(ours) ^ set(theirs)))
        raise Disagreement(f"only one of the two computes {different}")
    largest = 0.0
    for name, mine in ours.items():
        other = theirs[name]
        if mine.shape != other.shape:
            raise Disagreement(f"the {name} has shape {mine.shape} and {other.shape}")
        mine, other = mine.astype("float64"), other.astype("float64")
        difference = float(numpy.max(numpy.abs(mine - other), initial=0.0))
        scale = float(numpy.max(numpy.abs(mine), initial=0.0))
        share = difference / scale if scale else difference
        limit = GRADIENT_TOLERANCE if name.startswith("gradient") else TOLERANCE
        if not math.isfinite(share) or share > limit:
            raise Disagreement(
                f"the {name} differs by {share:.2g} of its largest element (tolerance {limit:g})"
            )
        largest = max(largest, share)
    return largest
