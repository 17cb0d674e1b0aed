"""The Gaussian mixture, its score, and its posterior: what a noisy copy says of a clean point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import ArrayLike, DTypeLike

from autoencoder.data.arrays import (
    array_of_numbers,
    check_sampling,
    require_generator,
    require_positive,
)
from autoencoder.densities.checks import (
    as_indices,
    as_points,
    full_covariances,
    points_to_fit,
    singular,
)
from autoencoder.densities.em import maximise, start_at_spread_points
from minigrad.backend import (
    Array,
    array_module,
    device_of,
    require_number,
    to_numpy,
    whole_number,
    with_one_blas_thread,
)
from minigrad.parallel.threads import on_all_cores

# float64 values of an (N, K, d) array worked on at once: 2 MiB, which stay in a core's cache.
_CHUNK_VALUES = 2**18
_SINGULAR = 1e-13  # of a singular covariance: an eigenvalue this far below the largest is a zero


@dataclass(frozen=True)
class Posterior:
    """The density of x given y = x + s * noise, where x comes from a Gaussian mixture.

    It is a mixture again, for each y another one. With weights w_k, means m_k and covariances C_k
    of the prior, by Bayes' rule for Gaussians (Bishop, 2006, eqs. 2.113 to 2.117):

        r_k(y) = w_k N(y; m_k, C_k + s^2 I) / sum_j w_j N(y; m_j, C_j + s^2 I)
        m_k(y) = m_k + C_k (C_k + s^2 I)^(-1) (y - m_k)
        S_k    = C_k - C_k (C_k + s^2 I)^(-1) C_k

    The responsibilities r_k(y) are (N, K), one row for each noisy point, the means m_k(y)
    (N, K, d), and the covariances S_k, which do not depend on y, (K, d, d); all are float64.

    >>> prior = GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 0.0)
    >>> posterior = prior.posterior(numpy.array([[0.0]]), std=1.0)
    >>> posterior.responsibilities, posterior.means[0, :, 0]
    (array([[0.5, 0.5]]), array([-1.,  1.]))
    """

    responsibilities: Array
    means: Array
    covariances: Array

    def mean(self) -> Array:
        """E[x | y], (N, d)."""
        return (self.responsibilities[:, :, None] * self.means).sum(axis=1)

    def mixture(self, index: int) -> GaussianMixture:
        """The posterior of one noisy point as a density, to draw or to evaluate."""
        return GaussianMixture(
            to_numpy(self.responsibilities[index]),
            to_numpy(self.means[index]),
            to_numpy(self.covariances),
        )

    @with_one_blas_thread
    def sample(self, n: int, rng: numpy.random.Generator) -> numpy.ndarray:
        """Draw n clean points for each noisy one, (N, n, d), float32."""
        check_sampling(n, rng, "Posterior.sample")
        weights, means = to_numpy(self.responsibilities), to_numpy(self.means)
        variances, axes = numpy.linalg.eigh(to_numpy(self.covariances))
        roots = axes * numpy.sqrt(numpy.maximum(variances, 0.0))[:, None, :]  # S = roots roots'
        thresholds = numpy.cumsum(weights, axis=1)
        thresholds /= thresholds[:, -1:]
        draws = rng.random((len(means), n, 1))
        component = (draws >= thresholds[:, None, :]).sum(axis=2)  # (N, n)
        noise = rng.standard_normal((*component.shape, means.shape[2]))
        rows = numpy.arange(len(means))[:, None]
        offset = numpy.einsum("anij,anj->ani", roots[component], noise)
        return (means[rows, component] + offset).astype("float32")


class GaussianMixture:
    """A mixture of K Gaussians, with given parameters or fitted to points by `fit`.

        p(x) = sum_k w_k N(x; m_k, C_k)

    Parameters
    ----------
    weights : array_like (K,)
        Non-negative; they must sum to 1.
    means : array_like (K, d)
    covariances : array_like () or (K,) or (K, d, d)
        One variance for all components and directions, one for each component, or full covariance
        matrices. A covariance may be singular (a component may be a single point, variance 0);
        then `log_prob` and `score` refuse, while `sample` and everything about noisy
        observations still work.

    Attributes
    ----------
    weights : numpy.ndarray (K,), float64
    means : numpy.ndarray (K, d), float64
    covariances : numpy.ndarray (K, d, d), float64
    log_likelihoods : list of float
        After `fit`: the mean log-likelihood of the points after each step, in nats.

    Notes
    -----
    Each covariance is decomposed once, C_k = E diag(v) E'. In the eigenvectors a posterior is a
    division of numbers, and a covariance that is singular does no harm. The density itself uses
    the Cholesky factors, which the scales of the coordinates do not harm.

    Examples
    --------
    >>> mixture = GaussianMixture([0.5, 0.5], [[-2.0, 0.0], [2.0, 0.0]], 0.25)
    >>> mixture.posterior_mean(numpy.array([[0.0, 1.0]]), std=0.5).round(3)
    array([[0. , 0.5]])
    """

    @with_one_blas_thread
    def __init__(self, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> None:
        self.log_likelihoods: list[float] = []
        self.weights = array_of_numbers("GaussianMixture", "weights", weights)
        self.means = array_of_numbers("GaussianMixture", "means", means)
        if self.means.ndim != 2 or not self.means.size or self.weights.shape != (len(self.means),):
            raise ValueError(
                f"GaussianMixture: expected weights (K,) and means (K, d), "
                f"got {self.weights.shape} and {self.means.shape}"
            )
        if not numpy.isfinite(self.means).all():
            raise ValueError("GaussianMixture: the means must be finite")
        if not ((self.weights >= 0).all() and abs(self.weights.sum() - 1) < 1e-6):
            raise ValueError(
                "GaussianMixture: the weights must be non-negative and sum to 1, "
                f"they sum to {self.weights.sum()}"
            )
        self.covariances = full_covariances(covariances, *self.means.shape)
        d = self.means.shape[1]
        # (K, d) eigenvalues and (K, d, d) eigenvectors in columns
        self.variances, self.axes = numpy.linalg.eigh(self.covariances)
        largest = self.variances.max(axis=1, keepdims=True)
        if (self.variances < -_SINGULAR * numpy.abs(largest)).any():
            raise ValueError(
                "GaussianMixture: a covariance has the negative eigenvalue "
                f"{self.variances.min():.3g}"
            )
        # Where the coordinates' scales differ, an eigenvalue may be small without being a zero.
        self._singular = singular(self.covariances)
        is_zero = (self.variances < _SINGULAR * largest) & self._singular[:, None]
        self.variances[is_zero | (self.variances < 0)] = 0.0
        # C = L L', where there is a density: exact to rounding whatever the coordinates' scales.
        regular = numpy.where(self._singular[:, None, None], numpy.eye(d), self.covariances)
        self._factors = numpy.linalg.cholesky(regular)
        self._whitenings = numpy.linalg.inv(self._factors)

    @classmethod
    @with_one_blas_thread
    def fit(
        cls,
        x: Array,
        components: int,
        rng: numpy.random.Generator,
        *,
        jitter: float = 1e-6,
        restarts: int = 1,
        iterations: int = 200,
        tolerance: float = 1e-3,
    ) -> GaussianMixture:
        """Fit by maximum likelihood: expectation-maximisation, whose steps `em` derives.

        Parameters
        ----------
        x : array (N, d)
            As many points as components, at least.
        components : int
            K, from 1.
        rng : numpy.random.Generator
            Draws the points to start from.
        jitter : float
            Is added to each variance; in squared units of x.
        restarts : int
            How many starts are tried; the likeliest result is kept.
        iterations : int
            The most steps of one start.
        tolerance : float
            Stop when a step adds less to the mean log-likelihood, in nats a point.

        Raises
        ------
        ValueError
            If x has another shape, too few points or values that are not finite, an option is out
            of range, or, without jitter, a component shrinks until its covariance is singular.

        Examples
        --------
        >>> rng = numpy.random.default_rng(0)
        >>> x = rng.normal(size=(500, 1)) + rng.choice([-5.0, 5.0], size=(500, 1))
        >>> numpy.sort(GaussianMixture.fit(x, 2, rng).means[:, 0]).round(1)
        array([-5.,  5.])
        """
        caller = "GaussianMixture.fit"
        require_generator(caller, rng)
        points, _ = points_to_fit(x, jitter, caller)
        counts = {"components": components, "restarts": restarts, "iterations": iterations}
        for name, count in counts.items():
            whole_number(caller, name, count)
        require_number(caller, "tolerance", tolerance, minimum=0.0, finite=True)
        if len(points) < components:
            raise ValueError(f"{caller}: {components} components need as many points, got {len(x)}")
        fitted = []
        for _ in range(restarts):
            start = start_at_spread_points(points, components, rng)
            fitted.append(cls._climb(points, start, jitter, iterations, tolerance))
        return max(fitted, key=lambda mixture: mixture.log_likelihoods[-1])

    @classmethod
    def _climb(
        cls, x: Array, responsibilities: Array, jitter: float, iterations: int, tolerance: float
    ) -> GaussianMixture:
        """Take both steps in turn until the log-likelihood rises by less than the tolerance."""
        log_likelihoods = [-math.inf]
        while True:
            mixture = cls(*maximise(x, responsibilities, jitter))
            if mixture._singular.any():
                raise ValueError(
                    f"GaussianMixture.fit: one of {len(mixture.means)} components shrank onto too "
                    f"few of the points {x.shape}; fewer components or a larger jitter than "
                    f"{jitter:g} help"
                )
            expected = on_all_cores(mixture._expected, mixture._parts(x, "fit"), device_of(x))
            log_prob, responsibilities = map(array_module(x).concatenate, zip(*expected))
            log_likelihoods.append(float(log_prob.mean()))
            rise = log_likelihoods[-1] - log_likelihoods[-2]
            if rise < tolerance or len(log_likelihoods) > iterations:
                mixture.log_likelihoods = log_likelihoods[1:]
                return mixture

    def _expected(self, x: Array) -> tuple[Array, Array]:
        """The expectation step: log p (N, 1) and the responsibilities (N, K) of points (N, d)."""
        log_joint = self.log_joint(x)
        log_prob = _log_sum_exp(log_joint)
        return log_prob, array_module(x).exp(log_joint - log_prob)

    def sample(self, n: int, rng: numpy.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """Draw n points (n, d): choose a component, then draw from its Gaussian."""
        check_sampling(n, rng, "GaussianMixture.sample")
        component = rng.choice(len(self.weights), size=n, p=self.weights / self.weights.sum())
        noise = rng.standard_normal((n, self.means.shape[1]))
        roots = self.axes * numpy.sqrt(self.variances)[:, None, :]  # C = roots roots'
        roots = numpy.where(self._singular[:, None, None], roots, self._factors)
        points = self.means[component] + numpy.einsum("nij,nj->ni", roots[component], noise)
        return points.astype(dtype)

    def log_prob(self, x: Array) -> Array:
        """The log density of points (N, d), in nats; ValueError if a covariance is singular."""
        parts = [_log_sum_exp(self.log_joint(part))[:, 0] for part in self._parts(x, "log_prob")]
        return array_module(x).concatenate(parts)

    def score(self, x: Array) -> Array:
        """The gradient of log p at points (N, d); ValueError if a covariance is singular.

        score(x) = -sum_k r_k(x) C_k^(-1) (x - m_k),    r_k(x) = w_k N(x; m_k, C_k) / p(x)
        """
        scores = []
        for part in self._parts(x, "score"):
            xp = array_module(part)
            weighted = self.responsibilities(part)[:, :, None] * self._whitened(part)
            scores.append(-xp.einsum("kji,nkj->ni", xp.asarray(self._whitenings), weighted))
        return array_module(x).concatenate(scores)

    def responsibilities(self, x: Array) -> Array:
        """How probable it is that component k made the point: r_k(x), (N, K), rows sum to 1."""
        return self._expected(self._points(x, "responsibilities"))[1]

    def noised(self, std: float) -> GaussianMixture:
        """The density of x + std * noise, noise standard normal: covariances C_k + std^2 I."""
        require_positive("GaussianMixture.noised", "std", std)
        added = std**2 * numpy.eye(self.means.shape[1])
        return GaussianMixture(self.weights, self.means, self.covariances + added)

    @with_one_blas_thread
    def posterior(self, noisy: Array, std: float) -> Posterior:
        """The density of the clean x given each noisy point x + std * noise: a mixture again.

        In the eigenvectors E_k of C_k with eigenvalues v, C_k (C_k + s^2 I)^(-1) is the shrinkage
        v / (v + s^2) and S_k has the eigenvalues v s^2 / (v + s^2).
        """
        require_positive("GaussianMixture.posterior", "std", std)
        noisy = self._points(noisy, "posterior")
        xp = array_module(noisy)
        shrinkage = self.variances / (self.variances + std**2)  # (K, d)
        covariances = (self.axes * (std**2 * shrinkage)[:, None, :]) @ self.axes.transpose(0, 2, 1)
        axes, means = xp.asarray(self.axes), xp.asarray(self.means)
        offsets = xp.einsum("kij,nki->nkj", axes, noisy[:, None, :] - means)  # E_k' (x - m_k)
        means = means + xp.einsum("kij,nkj->nki", axes, offsets * xp.asarray(shrinkage))
        return Posterior(self.noised(std).responsibilities(noisy), means, xp.asarray(covariances))

    def posterior_mean(self, noisy: Array, std: float) -> Array:
        """E[x | noisy], (N, d), float64: the minimiser of the squared denoising error.

        E[x | y] = sum_k r_k(y) [ m_k + C_k (C_k + std^2 I)^(-1) (y - m_k) ]
                 = y + std^2 * score of the noised density at y     (Tweedie's formula)
        """
        require_positive("GaussianMixture.posterior_mean", "std", std)
        parts = self._parts(noisy, "posterior_mean")
        return array_module(noisy).concatenate([self.posterior(y, std).mean() for y in parts])

    def sample_posterior(
        self, noisy: Array, std: float, n: int, rng: numpy.random.Generator
    ) -> numpy.ndarray:
        """Draw n clean points for each noisy one (N, d): (N, n, d), float32."""
        return self.posterior(noisy, std).sample(n, rng)

    def marginal(self, indices: Sequence[int]) -> GaussianMixture:
        """The density of some of the coordinates, in the order given."""
        kept = as_indices(indices, self.means[0], "GaussianMixture.marginal")
        covariances = self.covariances[:, kept[:, None], kept[None, :]]
        return GaussianMixture(self.weights, self.means[:, kept], covariances)

    def _whitened(self, x: Array) -> Array:
        """L_k^(-1) (x - m_k), (N, K, d): its squares add up to (x - m_k)' C_k^(-1) (x - m_k).

        As L_k^(-1) x - L_k^(-1) m_k: one matrix product for all components.
        """
        xp = array_module(x)
        k, d = self.means.shape
        centres = (self._whitenings @ self.means[:, :, None]).reshape(k * d)
        whitened = x @ xp.asarray(self._whitenings.reshape(k * d, d).T)
        whitened -= xp.asarray(centres)
        return whitened.reshape(len(x), k, d)

    def log_joint(self, x: Array) -> Array:
        """log w_k + log N(x; m_k, C_k), (N, K)."""
        if self._singular.any():
            raise ValueError("GaussianMixture: a covariance is singular, so there is no density")
        xp = array_module(x)
        whitened = self._whitened(x)
        squares = xp.einsum("nkd,nkd->nk", whitened, whitened)
        with numpy.errstate(divide="ignore"):  # a weight of 0 has log -inf, as it should
            log_weights = numpy.log(self.weights)
        d = self.means.shape[1]
        lengths = numpy.diagonal(self._factors, axis1=1, axis2=2)
        constant = log_weights - numpy.log(lengths).sum(axis=1) - 0.5 * d * math.log(2 * math.pi)
        return xp.asarray(constant) - 0.5 * squares

    def _parts(self, x: Array, caller: str) -> list[Array]:
        """The points, checked, in parts small enough to work on at once."""
        size = max(1, _CHUNK_VALUES // self.means.size)
        x = self._points(x, caller)
        return [x[start : start + size] for start in range(0, max(len(x), 1), size)]

    def _points(self, x: Array, caller: str) -> Array:
        return as_points(x, self.means.shape[1], f"GaussianMixture.{caller}")


def _log_sum_exp(values: Array) -> Array:
    """log of the sum of exponentials along axis 1, which is kept; safe from overflow."""
    xp = array_module(values)
    largest = values.max(axis=1, keepdims=True)
    return largest + xp.log(xp.exp(values - largest).sum(axis=1, keepdims=True))
