"""Principal component analysis in closed form: the best linear autoencoder, and a density.

Among all linear encoders f and decoders g with d latents, the pair that minimises
(1/N) sum ||x_n - g(f(x_n))||^2 projects onto the span of the d leading right singular vectors of
the centred data matrix (Eckart and Young, 1936). Runs on NumPy and on CuPy arrays alike.

Probabilistic PCA (Tipping and Bishop, 1999) reads the same components as a density,

    x = W z + mean + noise,    z ~ N(0, I),    noise ~ N(0, s I),

whose maximum-likelihood loadings are W = V' diag(lambda - s)^(1/2), with V the components, lambda
their variances and s the average variance of the discarded directions. It fills in missing entries:
split x into visible entries v and missing entries m. The posterior mean of z given x_v, and with it
the conditional mean of x_m, is linear:

    z   = (W_v' W_v + s I)^(-1) W_v' (x_v - mean_v)
    x_m = W_m z + mean_m

That is ridge regression on the visible entries. As s goes to 0 it becomes the least-squares fit
inside the PCA subspace; with nothing visible it is the training mean.
"""

from __future__ import annotations

import math
from types import ModuleType

from minigrad.backend import Array, array_module, require_number, whole_number, with_one_blas_thread

_LARGEST = 1e150  # singular value whose square, summed over all, is a float64
# Rows at a time, which bounds the float64 copies; the first was measured fastest on 60,000 x 784.
_ROWS_FITTED = 4096
_ROWS_FILLED = 1024
# With s = 0 the small system may be singular; this share of the largest variance keeps it solvable
# and is far below what pixels are measured to.
_SMALLEST_NOISE = 1e-9


class PCA:
    """Principal component analysis with scikit-learn's interface.

    Parameters
    ----------
    n_components : int or None
        How many components d to keep, at most min(N, features); None keeps all.
    centre : bool
        Subtract the mean first. With False this is the uncentred singular value decomposition,
        whose best subspace through the origin is another one: what a linear autoencoder without
        biases finds on data that were not centred.

    Attributes
    ----------
    components_ : array (d, features), float64
        Orthonormal rows, largest variance first. The sign is fixed: the entry of largest
        magnitude in each row is positive.
    mean_ : array (features,), float64
        The training mean; zeros with ``centre=False``.
    singular_values_ : array (d,), float64
    explained_variance_ : array (d,), float64
        s^2 / (N - 1) for singular value s; with ``centre=False`` the second moment s^2 / N.
    explained_variance_ratio_ : array (d,), float64
        The same as a share of the total.
    noise_variance_ : float
        The average variance of the discarded directions: the maximum-likelihood noise of
        probabilistic PCA (Tipping and Bishop, 1999, eq. 8). Zero when nothing is discarded.
    n_samples_ : int
    n_features_in_ : int

    Notes
    -----
    A tall data matrix X = Q R has the singular values and right singular vectors of its small
    triangular factor R, because R = U S V' gives X = (Q U) S V'. So R is found first, by stacking
    the R so far on the next rows and factoring again, and only R is decomposed: in float64, in
    memory that does not grow with N, and without squaring the condition number as the eigenvalues
    of X'X would.

    Samples may have any shape, images (N, 1, 28, 28) for example; they are flattened, and
    `inverse_transform` gives the shape back.

    Examples
    --------
    >>> import numpy
    >>> points = numpy.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    >>> pca = PCA(1).fit(points)
    >>> pca.components_.round(3)
    array([[0.447, 0.894]])
    >>> numpy.allclose(pca.inverse_transform(pca.transform(points)), points)
    True
    """

    components_: Array
    mean_: Array
    singular_values_: Array
    explained_variance_: Array
    explained_variance_ratio_: Array
    noise_variance_: float
    n_samples_: int
    n_features_in_: int

    def __init__(self, n_components: int | None = None, *, centre: bool = True) -> None:
        if n_components is not None:
            whole_number("PCA", "n_components", n_components)
        self.n_components = n_components
        self.centre = centre

    def __repr__(self) -> str:
        return f"PCA(n_components={self.n_components}, centre={self.centre})"

    @with_one_blas_thread
    def fit(self, x: Array, y: None = None) -> PCA:
        """Find the components of the samples x (N, ...), and give back this object.

        ``y`` is ignored; it is there because scikit-learn's pipelines pass it.

        Raises
        ------
        ValueError
            If there are too few samples or features for n_components, or a value is not finite or
            too large.
        """
        xp = array_module(x)
        least = 2 if self.centre else 1
        if x.ndim < 2 or len(x) < least:
            raise ValueError(f"PCA.fit: expected at least {least} samples (N, ...), got {x.shape}")
        rows = x.reshape(len(x), -1)
        n_samples, n_features = rows.shape
        kept = min(rows.shape) if self.n_components is None else self.n_components
        if kept > min(rows.shape):
            raise ValueError(f"PCA.fit: {kept} components asked of a data matrix {rows.shape}")

        starts = range(0, n_samples, _ROWS_FITTED)
        chunks = [slice(start, start + _ROWS_FITTED) for start in starts]
        mean = xp.zeros(n_features)
        if self.centre:  # from the first sample on, which is exact where all are the same
            first = rows[0].astype("float64")
            mean = first + sum((rows[c] - first).sum(axis=0) for c in chunks) / n_samples
        if not bool(xp.isfinite(rows.sum(dtype="float64"))):
            raise ValueError(f"PCA.fit: the samples {x.shape} hold values that are not finite")
        factor = xp.empty((0, n_features))
        for c in chunks:
            factor = xp.linalg.qr(xp.concatenate([factor, rows[c] - mean]), mode="r")
        _, singular_values, components = xp.linalg.svd(factor, full_matrices=False)
        if float(singular_values[0]) > _LARGEST:
            raise ValueError(f"PCA.fit: the samples {x.shape} are too large to be squared")

        self._sample_shape = x.shape[1:]
        self._spectrum = singular_values
        self._directions = _fix_signs(xp, components)
        self.mean_ = mean
        self.n_samples_ = n_samples
        self.n_features_in_ = n_features
        self._keep(kept)
        return self

    def truncate(self, n_components: int) -> PCA:
        """The fit with fewer (or more) components, without decomposing again.

        At most min(N, features) of the fit. A new object, which shares arrays with this one.
        """
        self._require_fit("truncate")
        if not 1 <= n_components <= len(self._spectrum):
            raise ValueError(
                f"PCA.truncate: n_components must be in [1, {len(self._spectrum)}], "
                f"got {n_components}"
            )
        other = PCA(n_components, centre=self.centre)
        other.__dict__.update(self.__dict__, n_components=n_components)
        other._keep(n_components)
        return other

    def _keep(self, kept: int) -> None:
        degrees_of_freedom = self.n_samples_ - 1 if self.centre else self.n_samples_
        variances = self._spectrum**2 / degrees_of_freedom
        total = float(variances.sum())
        # A direction beyond min(N, features) has variance zero and counts as discarded too.
        discarded = self.n_features_in_ - kept
        self.components_ = self._directions[:kept]
        self.singular_values_ = self._spectrum[:kept]
        self.explained_variance_ = variances[:kept]
        self.explained_variance_ratio_ = variances[:kept] / (total if total > 0 else math.inf)
        self.noise_variance_ = float(variances[kept:].sum()) / discarded if discarded else 0.0

    @with_one_blas_thread
    def transform(self, x: Array) -> Array:
        """The encoder f(x) = V (x - mean), V the rows of components_: (N, ...) to (N, d).

        float32 for float32 samples, else float64; the same holds for `inverse_transform`.
        """
        self._require_fit("transform")
        rows = self._rows(x, "transform")
        return (rows - self.mean_.astype(rows.dtype)) @ self.components_.astype(rows.dtype).T

    def fit_transform(self, x: Array, y: None = None) -> Array:
        """Fit, then encode the same samples; see `fit` and `transform`."""
        return self.fit(x).transform(x)

    @with_one_blas_thread
    def inverse_transform(self, z: Array) -> Array:
        """The decoder g(z) = V' z + mean: (N, d) to samples of the shape fitted."""
        self._require_fit("inverse_transform")
        kept = len(self.components_)
        if z.ndim != 2 or z.shape[1] != kept:
            raise ValueError(f"PCA.inverse_transform: expected latents (N, {kept}), got {z.shape}")
        dtype = _working_dtype(z)
        rows = z.astype(dtype) @ self.components_.astype(dtype) + self.mean_.astype(dtype)
        return rows.reshape(len(z), *self._sample_shape)

    @with_one_blas_thread
    def fill_missing(self, x: Array, mask: Array, *, noise_variance: float | None = None) -> Array:
        """Replace missing entries by their conditional mean given the visible ones.

        The equation, and what it becomes in the limits, stands at the head of this module. Visible
        entries stay as they were; nothing is clipped to [0, 1].

        Parameters
        ----------
        x : array (N, ...)
            Samples of the shape fitted; what stands at missing entries is never read.
        mask : bool array
            True where an entry is missing; of x's shape, or broadcast to it (one mask for all
            samples is much faster).
        noise_variance : float, optional
            s; default `noise_variance_`. Towards 0 it gives the least-squares fit on the visible
            entries, which is unstable where few are visible.

        Examples
        --------
        >>> import numpy
        >>> line = numpy.linspace(-1.0, 1.0, 21)[:, None] * numpy.array([1.0, 2.0])
        >>> holed = numpy.array([[0.5, numpy.nan]])
        >>> PCA(1).fit(line).fill_missing(holed, numpy.isnan(holed)).round(4)
        array([[0.5, 1. ]])
        """
        self._require_fit("fill_missing")
        rows = self._rows(x, "fill_missing")
        xp = array_module(x, mask)
        if mask.dtype != "bool":
            raise TypeError(f"fill_missing: the mask must be boolean, got {mask.dtype}")
        noise = self.noise_variance_ if noise_variance is None else noise_variance
        require_number("fill_missing", "noise_variance", noise, minimum=0.0, finite=True)
        # Of samples that are all the same no direction is kept, and any noise gives the mean.
        noise = max(noise, _SMALLEST_NOISE * float(self.explained_variance_[0])) or 1.0
        missing = _mask_rows(xp, mask, x.shape)

        scales = xp.sqrt(xp.maximum(self.explained_variance_ - noise, 0.0))
        loadings = (self.components_ * scales[:, None]).T  # (features, d)
        ridge = noise * xp.eye(loadings.shape[1])
        filled = xp.empty(rows.shape, dtype=rows.dtype)
        for start in range(0, len(rows), _ROWS_FILLED):
            chunk = slice(start, start + _ROWS_FILLED)
            hidden = missing if len(missing) == 1 else missing[chunk]
            # `where`, not a product: a missing entry may hold NaN.
            offset = xp.where(hidden, 0.0, rows[chunk] - self.mean_)
            gram, right = _visible_gram(xp, loadings, ~hidden) + ridge, offset @ loadings
            if len(gram) == 1:  # all samples share it
                latents = xp.linalg.solve(gram[0], right.T).T
            else:
                latents = xp.linalg.solve(gram, right[:, :, None])[:, :, 0]
            guess = latents @ loadings.T + self.mean_
            filled[chunk] = xp.where(hidden, guess, rows[chunk])
        return filled.reshape(x.shape)

    def _rows(self, x: Array, caller: str) -> Array:
        if x.ndim < 2 or math.prod(x.shape[1:]) != self.n_features_in_:
            raise ValueError(
                f"PCA.{caller}: fitted on samples {tuple(self._sample_shape)}, got {x.shape}"
            )
        return x.reshape(len(x), -1).astype(_working_dtype(x))

    def _require_fit(self, caller: str) -> None:
        if not hasattr(self, "components_"):
            raise RuntimeError(f"PCA.{caller}: call fit first")


def _working_dtype(x: Array) -> str:
    return "float32" if x.dtype == "float32" else "float64"


def _fix_signs(xp: ModuleType, components: Array) -> Array:
    """Make each row's entry of largest magnitude positive; a singular vector has no own sign."""
    largest = xp.argmax(xp.abs(components), axis=1)
    signs = xp.sign(xp.take_along_axis(components, largest[:, None], axis=1))
    return components * signs


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
