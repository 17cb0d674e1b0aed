"""Filling in missing entries with probabilistic PCA.

Probabilistic PCA (Tipping and Bishop, 1999) reads the principal components as a density,

    x = W z + mean + noise,    z ~ N(0, I),    noise ~ N(0, s I),

whose maximum-likelihood loadings are W = V' diag(lambda - s)^(1/2), with V the components, lambda
their variances and s the average variance of the discarded directions. Split x into visible
entries v and missing entries m. The posterior mean of z given x_v, and with it the conditional
mean of x_m, is linear:

    z   = (W_v' W_v + s I)^(-1) W_v' (x_v - mean_v)
    x_m = W_m z + mean_m

That is ridge regression on the visible entries. As s goes to 0 it becomes the least-squares fit
inside the PCA subspace; with nothing visible it is the training mean.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import TYPE_CHECKING

from minigrad.backend import Array, array_module, with_one_blas_thread

if TYPE_CHECKING:
    from autoencoder.pca import PCA

__all__ = ["fill_missing"]

_CHUNK = 1024
# With s = 0 the small system may be singular; this share of the largest variance keeps it solvable
# and is far below what pixels are measured to.
_SMALLEST_NOISE = 1e-9


@with_one_blas_thread
def fill_missing(
    pca: PCA, x: Array, rows: Array, mask: Array, noise_variance: float | None
) -> Array:
    """The computation behind :meth:`autoencoder.pca.PCA.fill_missing`.

    Parameters
    ----------
    pca : PCA
        A fitted one.
    x : array (N, ...)
        The samples, whose shape the mask must broadcast to.
    rows : array (N, features)
        The same samples, flattened, in the dtype of the result.
    mask : bool array
        True where an entry is missing.
    noise_variance : float or None
        s; None takes pca.noise_variance_.

    Returns
    -------
    array of x's shape

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the mask does not broadcast to x, or the noise variance is negative or not finite.
    """
    xp = array_module(x, mask)
    if mask.dtype != "bool":
        raise TypeError(f"fill_missing: the mask must be boolean, got {mask.dtype}")
    noise = pca.noise_variance_ if noise_variance is None else float(noise_variance)
    if not 0 <= noise < math.inf:
        raise ValueError(
            f"fill_missing: the noise variance must not be negative, and finite, got {noise}"
        )
    # Of samples that are all the same no direction is kept, and any noise gives the mean.
    noise = max(noise, _SMALLEST_NOISE * float(pca.explained_variance_[0])) or 1.0
    missing = _mask_rows(xp, mask, x.shape)

    scales = xp.sqrt(xp.maximum(pca.explained_variance_ - noise, 0.0))
    loadings = (pca.components_ * scales[:, None]).T  # (features, d)
    ridge = noise * xp.eye(loadings.shape[1])
    filled = xp.empty(rows.shape, dtype=rows.dtype)
    for start in range(0, len(rows), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        hidden = missing if len(missing) == 1 else missing[chunk]
        # `where`, not a product: a missing entry may hold NaN.
        offset = xp.where(hidden, 0.0, rows[chunk] - pca.mean_)
        gram = _visible_gram(xp, loadings, ~hidden) + ridge
        latents = _solve(xp, gram, offset @ loadings)
        guess = latents @ loadings.T + pca.mean_
        filled[chunk] = xp.where(hidden, guess, rows[chunk])
    return filled.reshape(x.shape)


def _mask_rows(xp: ModuleType, mask: Array, shape: tuple[int, ...]) -> Array:
    """The mask as (N, features), or (1, features) where all samples share it."""
    samples = shape[0] if mask.ndim == len(shape) and mask.shape[0] != 1 else 1
    try:
        full = xp.broadcast_to(mask, (samples, *shape[1:]))
    except ValueError:
        raise ValueError(
            f"fill_missing: a mask {mask.shape} does not broadcast to samples {shape}"
        ) from None
    if samples not in (1, shape[0]):
        raise ValueError(f"fill_missing: a mask {mask.shape} does not match samples {shape}")
    return full.reshape(samples, -1)


def _visible_gram(xp: ModuleType, loadings: Array, visible: Array) -> Array:
    """W_v' W_v for each row of the mask, (M, d, d), as one matrix product."""
    features, d = loadings.shape
    if len(visible) == 1:
        kept = xp.where(visible[0][:, None], loadings, 0.0)
        return (kept.T @ kept)[None]
    pairs = (loadings[:, :, None] * loadings[:, None, :]).reshape(features, d * d)
    return (visible.astype(pairs.dtype) @ pairs).reshape(-1, d, d)


def _solve(xp: ModuleType, gram: Array, right: Array) -> Array:
    """Solve each sample's d x d system; with one shared matrix, all samples at once."""
    if len(gram) == 1:
        return xp.linalg.solve(gram[0], right.T).T
    return xp.linalg.solve(gram, right[:, :, None])[:, :, 0]
