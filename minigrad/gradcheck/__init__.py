"""Is a gradient right? Compare it with differences of function values.

For ``y = f(x)`` and a cotangent v, reverse mode claims ``g = (df/dx)^T v``. Independently of any
backward method, Taylor's theorem gives the same number along every direction d:

    <g, d> = <v, f(x + h d) - f(x - h d)> / 2h + O(h^2)

The cotangent is random and not constant. A cotangent of ones, which is what any check of
``f(x).sum()`` uses, hides mistakes: the gradient of a softmax, for one, is then 0, and a backward
that returns zeros passes. The directions are the unit vectors, so every element is compared, or for
large inputs a few random ones.

The comparison means nothing where f has a kink: the difference straddles it. Keep inputs away from
kinks at known points (relu, abs, clamp) with :func:`away_from`, and away from ties (amax, maximum,
max_pool2d) with :func:`distinct`.
"""

from minigrad.gradcheck.check import (
    GradcheckError,
    adjoint_check,
    away_from,
    distinct,
    gradcheck,
    gradgradcheck,
)

__all__ = [
    "GradcheckError", "adjoint_check", "away_from", "distinct", "gradcheck", "gradgradcheck",
]  # fmt: skip
