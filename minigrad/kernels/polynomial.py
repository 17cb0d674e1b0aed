"""Products of polynomials by their values at a few points: the matrices ``winograd.py`` needs."""

from __future__ import annotations

from functools import lru_cache

Matrix = tuple[tuple[float, ...], ...]

# Where polynomials are evaluated; beyond these, "at infinity", which is their highest coefficient.
# Small powers of two, of both signs: their powers are exact and stay near 1.
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
COUNT = len(POINTS) + 1


@lru_cache(maxsize=64)
def evaluation(coefficients: int) -> Matrix:
    """From the coefficients of a polynomial to its values.

    Parameters
    ----------
    coefficients : int
        How many the polynomial has, from 1 to 8, the constant one first.

    Returns
    -------
    8 rows, one a point, of so many columns

    Examples
    --------
    >>> evaluation(3)[3]  # at 2
    (1.0, 2.0, 4.0)
    """
    powers = (tuple(point**k for k in range(coefficients)) for point in POINTS)
    return (*powers, (0.0,) * (coefficients - 1) + (1.0,))


@lru_cache(maxsize=1)
def interpolation() -> Matrix:
    """From the values of a polynomial to its 8 coefficients: the inverse of ``evaluation(8)``.

    Let L(z) be the product of ``z - z_i`` over the 7 points, and l_k(z) that of
    ``(z - z_i) / (z_k - z_i)`` over all but z_k, which is 1 at z_k and 0 at the others. Taking
    x_7 L(z) from x(z) changes no value at the points and leaves degree 6, so (Lagrange)

        x(z) = sum over k of  x(z_k) l_k(z)  +  x_7 L(z)

    Returns
    -------
    8 rows, one a coefficient, the constant one first, of 8 columns

    Examples
    --------
    >>> values = [sum(row[:2]) for row in evaluation(8)]  # of 1 + z
    >>> [round(sum(b * value for b, value in zip(row, values)), 9) + 0.0 for row in interpolation()]
    [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    columns = []
    for k, point in enumerate(POINTS):
        others = POINTS[:k] + POINTS[k + 1 :]
        scale = 1.0
        for other in others:
            scale *= point - other
        columns.append([c / scale for c in _with_roots(others)] + [0.0])
    columns.append(_with_roots(POINTS))
    return tuple(zip(*columns))


def _with_roots(roots: tuple[float, ...]) -> list[float]:
    """Coefficients of the product of ``z - root``, the constant one first."""
    product = [1.0]
    for root in roots:
        product = [a - root * b for a, b in zip([0.0, *product], [*product, 0.0])]
    return product
