"""What is known about a clean point once a noisy copy of it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy

from autoencoder.densities.checks import check_sampling
from minigrad.backend import Array, array_module, to_numpy, with_one_blas_thread

if TYPE_CHECKING:
    from autoencoder.densities.mixture import GaussianMixture

__all__ = ["Posterior", "posterior_of"]


@dataclass(frozen=True)
class Posterior:
    """The density of x given y = x + s * noise, where x comes from a Gaussian mixture.

    It is a mixture again, for each y another one. With weights w_k, means m_k and covariances C_k
    of the prior, by Bayes' rule for Gaussians (Bishop, 2006, eqs. 2.113 to 2.117):

        r_k(y) = w_k N(y; m_k, C_k + s^2 I) / sum_j w_j N(y; m_j, C_j + s^2 I)
        m_k(y) = m_k + C_k (C_k + s^2 I)^(-1) (y - m_k)
        S_k    = C_k - C_k (C_k + s^2 I)^(-1) C_k

    Attributes
    ----------
    responsibilities : array (N, K), float64
        r_k(y), one row for each noisy point.
    means : array (N, K, d), float64
    covariances : array (K, d, d), float64
        S_k, which does not depend on y.

    Examples
    --------
    >>> from autoencoder.densities import GaussianMixture
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
        from autoencoder.densities.mixture import GaussianMixture

        return GaussianMixture(
            to_numpy(self.responsibilities[index]),
            to_numpy(self.means[index]),
            to_numpy(self.covariances),
        )

    @with_one_blas_thread
    def sample(self, n: int, rng: numpy.random.Generator) -> numpy.ndarray:
        """Draw n clean points for each noisy one.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator

        Returns
        -------
        numpy.ndarray (N, n, d), float32
        """
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


@with_one_blas_thread
def posterior_of(prior: GaussianMixture, noisy: Array, std: float) -> Posterior:
    """The posterior of each noisy point; :meth:`GaussianMixture.posterior` checks and calls it.

    In the eigenvectors E_k of C_k with eigenvalues v, C_k (C_k + s^2 I)^(-1) is the shrinkage
    v / (v + s^2) and S_k has the eigenvalues v s^2 / (v + s^2).
    """
    xp = array_module(noisy)
    shrinkage = prior.variances / (prior.variances + std**2)  # (K, d)
    covariances = (prior.axes * (std**2 * shrinkage)[:, None, :]) @ prior.axes.transpose(0, 2, 1)
    shrunk = prior.project(noisy) * xp.asarray(shrinkage)
    means = xp.asarray(prior.means) + xp.einsum("kij,nkj->nki", xp.asarray(prior.axes), shrunk)
    return Posterior(prior.noised(std).responsibilities(noisy), means, xp.asarray(covariances))
