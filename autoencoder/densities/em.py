"""The two steps that fit a mixture of Gaussians, and where they start.

Expectation-maximisation (Dempster, Laird and Rubin, 1977) climbs the log-likelihood of N points x_n
without a step size. Let r_nk be the responsibility of component k for point n, by the parameters
so far. For any r whose rows sum to 1, Jensen's inequality bounds the log-likelihood from below,

    sum_n log sum_k w_k N(x_n; m_k, C_k)  >=  sum_nk r_nk log( w_k N(x_n; m_k, C_k) / r_nk )

with equality where r holds the responsibilities. So the *expectation* step, which computes them,
makes the bound touch; the *maximisation* step raises the bound, and the log-likelihood with it.
Setting its derivatives to 0 gives averages over the points, each weighted by r:

    N_k = sum_n r_nk        w_k = N_k / N        m_k = sum_n r_nk x_n / N_k
    C_k = sum_n r_nk (x_n - m_k) (x_n - m_k)' / N_k  +  jitter I

The jitter keeps a component from shrinking onto a single point, where the likelihood is infinite.
"""

from __future__ import annotations

import numpy

from minigrad.backend import Array, array_module, to_numpy

_EMPTY = 1e-100  # points; a component of fewer has none
_CHUNK_VALUES = 2**14  # float64 coordinates of points worked on at once: 128 KiB stay in the cache


def maximise(
    x: Array, responsibilities: Array, jitter: float
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """The maximisation step: weights (K,), means (K, d) and covariances (K, d, d), on the host.

    Of points x (N, d) with responsibilities (N, K). A component that no point belongs to gets the
    weight 0, and the mean and covariance of all points.

    >>> x = numpy.array([[0.0], [2.0], [7.0]])
    >>> nearest = numpy.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> weights, means, covariances = maximise(x, nearest, jitter=0.5)
    >>> means[:, 0], covariances[:, 0, 0]
    (array([1., 7.]), array([1.5, 0.5]))
    """
    xp = array_module(x, responsibilities)
    counts = responsibilities.sum(axis=0)  # (K,)
    empty = counts < _EMPTY
    shares = xp.where(empty, 1 / len(x), responsibilities / xp.where(empty, 1.0, counts))  # (N, K)
    means = shares.T @ x  # (K, d)
    covariances = xp.zeros((len(means), x.shape[1], x.shape[1]))
    rows = max(1, _CHUNK_VALUES // x.shape[1])
    for start in range(0, len(x), rows):
        points = xp.ascontiguousarray(x[start : start + rows].T)  # (d, rows)
        owned = xp.ascontiguousarray(shares[start : start + rows].T)  # (K, rows)
        for k, mean in enumerate(means):
            offsets = points - mean[:, None]
            covariances[k] += (offsets * owned[k]) @ offsets.T
    spread = to_numpy(covariances)
    spread = (spread + spread.transpose(0, 2, 1)) / 2  # symmetric to the last bit
    weights = to_numpy(xp.where(empty, 0.0, counts))
    return weights / weights.sum(), to_numpy(means), spread + jitter * numpy.eye(x.shape[1])


def start_at_spread_points(x: Array, components: int, rng: numpy.random.Generator) -> Array:
    """Responsibilities (N, K) to start from: each point belongs to the nearest of K centres.

    The centres are points. Each is drawn with a probability in proportion to its squared distance
    from those drawn before (k-means++; Arthur and Vassilvitskii, 2007).

    >>> x = numpy.array([[0.0], [0.1], [9.0]])
    >>> start_at_spread_points(x, 2, numpy.random.default_rng(0))[:, 0]
    array([0., 0., 1.])
    """
    xp = array_module(x)
    centre = int(rng.integers(len(x)))
    squares = []  # of the distances from each centre
    for _ in range(components):
        squares.append(((x - x[centre]) ** 2).sum(axis=1))
        nearest = to_numpy(xp.stack(squares).min(axis=0))
        total = nearest.sum()
        if total > 0:
            centre = int(rng.choice(len(x), p=nearest / total))
        else:  # fewer different points than centres
            centre = int(rng.integers(len(x)))
    owner = xp.stack(squares).argmin(axis=0)
    return (owner[:, None] == xp.arange(components)).astype("float64")
