"""A layer whose output is a density: the mixture density network (Bishop, 1994)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from minigrad import functional as F
from minigrad.backend import whole_number
from minigrad.engine import Tensor
from minigrad.nn.layers import Linear
from minigrad.nn.module import Module

if TYPE_CHECKING:
    from numpy.random import Generator


class MixtureDensity(Module):
    """A mixture of K round Gaussians over targets t, for each input x another one.

        p(t | x) = sum_k w_k(x) N(t; m_k(x), s_k(x)^2 I)

    One linear layer gives, for each component, a score whose softmax is its weight w, its mean m
    and the logarithm of its standard deviation s. With one component and s fixed, the negative
    log-likelihood is the squared error, but for constants: squared loss assumes one Gaussian.

    An input has ``in_features`` features, a target ``target_size`` coordinates, d; K is the number
    of ``components``. Initial values are drawn by the ``generator``, as for `Linear`. A TypeError
    or ValueError says that a size is no whole number from 1.

    >>> from minigrad import Tensor, nn
    >>> head = nn.MixtureDensity(8, target_size=2, components=4)
    >>> weights, means, stds = head(Tensor([[0.0] * 8]))
    >>> weights.shape, means.shape, stds.shape
    ((1, 4), (1, 4, 2), (1, 4))
    >>> round(weights.sum().item(), 6)
    1.0
    """

    def __init__(
        self,
        in_features: int,
        target_size: int,
        components: int,
        *,
        generator: Generator | None = None,
    ) -> None:
        self.target_size = whole_number("MixtureDensity", "target_size", target_size)
        self.components = whole_number("MixtureDensity", "components", components)
        outputs = components * (target_size + 2)
        self.linear = Linear(in_features, outputs, generator=generator)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights (N, K), means (N, K, d) and log-deviations (N, K)."""
        count = self.components
        output = self.linear(x)  # (N, K (d + 2))
        log_weights = F.log_softmax(output[:, :count], dim=1)
        means = output[:, 2 * count :].reshape(len(output), count, self.target_size)
        return log_weights, means, output[:, count : 2 * count]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, in_features) to weights (N, K), means (N, K, d) and deviations (N, K)."""
        log_weights, means, log_stds = self._parts(x)
        return F.exp(log_weights), means, F.exp(log_stds)

    def log_prob(self, x: Tensor, target: Tensor) -> Tensor:
        """The log density in nats of each target (N, d), given the features (N, in_features): (N,).

            log sum_k exp( log w_k - d log s_k - ||t - m_k||^2 / (2 s_k^2) ) - d/2 log 2 pi

        The sum of exponentials is taken without over- or underflow, so a target far from every
        mean has a log density, and a gradient, all the same.
        """
        log_weights, means, log_stds = self._parts(x)
        d = self.target_size
        if target.shape != (len(x), d):
            raise ValueError(
                f"MixtureDensity: {len(x)} inputs need targets ({len(x)}, {d}), got {target.shape}"
            )
        squares = ((target.reshape(len(x), 1, d) - means) ** 2).sum(dim=2)  # (N, K)
        joint = log_weights - d * log_stds - 0.5 * squares * F.exp(-2 * log_stds)
        return F.logsumexp(joint, dim=1) - 0.5 * d * math.log(2 * math.pi)

    def __repr__(self) -> str:
        sizes = f"in_features={self.linear.in_features}, target_size={self.target_size}"
        return f"MixtureDensity({sizes}, components={self.components})"
