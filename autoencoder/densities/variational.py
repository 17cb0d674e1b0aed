"""A density over images whose latents are drawn from N(0, I): the variational autoencoder.

The model draws latents z from N(0, I), and each of D pixels around the decoder's, with one variance
s^2 for all. So an image has the likelihood

    p(x) = integral of p(x | z) N(z; 0, I) dz,        p(x | z) = N(x; g(z), s^2 I),

an integral that nobody can compute for a deep g. But for any density q(z), Jensen's inequality
bounds its logarithm:

    log p(x) = log E_q[ p(x | z) N(z; 0, I) / q(z) ]  >=  E_q[ log p(x | z) ] - KL(q || N(0, I))

The gap is KL(q || p(z | x)): the bound is met where q is the posterior of the latents. The encoder
gives a Gaussian q(z | x) for each image, with means m and variances v, and then

    E_q[ log p(x | z) ] = -D/2 log(2 pi s^2) - E_q ||x - g(z)||^2 / (2 s^2)
    KL(q || N(0, I))    = 1/2 sum_i ( m_i^2 + v_i - 1 - log v_i )

The one expectation that is left is taken by a single draw, z = m + sqrt(v) e with e from N(0, I):
written so, z can be differentiated by m and v (Kingma and Welling, 2014; Rezende, Mohamed and
Wierstra, 2014). The lecture's sum of squares is there, and 1 / (2 s^2) weighs it against the
divergence; s^2 is learnt like a weight, and the best is the mean squared error a pixel.

On linear layers the model is probabilistic PCA, p(x) = N(mean, W W' + s^2 I). Its posterior has the
same covariance for every x, and where W's columns are orthogonal that is diagonal: the bound meets
the likelihood (Tipping and Bishop, 1999; Lucas et al., 2019).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy

from autoencoder.data.arrays import require_shape
from autoencoder.inference import apply_model
from autoencoder.models import AutoEncoder, DenseAutoEncoder
from minigrad import Tensor, nn
from minigrad import functional as F
from minigrad.backend import default_generator, to_device
from minigrad.parallel import Communicator

# The pixels' variance before training, near that of a digit's pixels around their mean.
START = 0.05

if TYPE_CHECKING:
    _Base = AutoEncoder
else:
    _Base = object


class _Variational(_Base):
    """What makes an autoencoder variational; it comes before an autoencoder among the bases."""

    def _learn_variance(self) -> None:
        self.log_pixel_variance = nn.Parameter(numpy.full((), math.log(START), "float32"))

    @property
    def pixel_variance(self) -> float:
        """s^2, of each pixel around the decoder's."""
        return math.exp(self.log_pixel_variance.item())

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Samples (N, ...) to the mean and log variance of their latents, (N, d) each."""
        both = super().encode(x)
        return both[:, : self.latent_size], both[:, self.latent_size :]

    def encode(self, x: Tensor) -> Tensor:
        """Samples (N, ...) to the mean of their latents (N, d)."""
        return self.posterior(x)[0]

    def forward(self, x: Tensor) -> Tensor:
        """Samples to their reconstructions from the mean of their latents."""
        return self.decode(self.encode(x))

    def bound(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """The lower bound on log p(x) in nats, one draw of the latents a sample: (N, ...) to (N,).

        ``noise`` (N, d), standard normal, is drawn if it is not given: from what
        :func:`minigrad.manual_seed` seeds, within a shard from the shard's own generator.
        """
        mean, log_variance = self.posterior(x)
        if noise is None:
            drawn = default_generator().standard_normal(mean.shape, dtype="float32")
            noise = Tensor(to_device(drawn.astype(mean.dtype, copy=False), mean.device))
        require_shape(f"{type(self).__name__}.bound: noise", noise, (self.latent_size,))
        z = mean + F.exp(0.5 * log_variance) * noise
        squares = ((x - self.decode(z)) ** 2).flatten(1).sum(dim=1)
        spread = self.log_pixel_variance
        constant = math.prod(self.sample_shape) * (spread + math.log(2 * math.pi))
        divergence = _divergences(mean, log_variance).sum(dim=1)
        return -0.5 * (constant + F.exp(-spread) * squares) - divergence


def _divergences(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(m, v) || N(0, 1)) of each latent."""
    return 0.5 * (mean**2 + F.exp(log_variance) - 1 - log_variance)


class VariationalAutoEncoder(_Variational, AutoEncoder):
    """The lecture's autoencoder, whose encoder gives each latent a mean and a log variance.

    Parameters are those of :class:`autoencoder.AutoEncoder`. One more is learnt,
    ``log_pixel_variance``.

    >>> model = VariationalAutoEncoder(latent_size=8)
    >>> x = Tensor(numpy.zeros((2, 1, 28, 28), "float32"))
    >>> model(x).shape, model.bound(x).shape
    ((2, 1, 28, 28), (2,))
    >>> [latents.shape for latents in model.posterior(x)]
    [(2, 8), (2, 8)]
    """

    def __init__(
        self, latent_size: int = 16, image_size: int | tuple[int, int] = 28, channels: int = 1
    ) -> None:
        super().__init__(latent_size, image_size, channels)
        self.encoder = AutoEncoder(2 * latent_size, image_size, channels).encoder
        self._learn_variance()

    def plain(self) -> AutoEncoder:
        """The autoencoder of the same reconstructions: its encoder gives the means alone."""
        plain = AutoEncoder(*self.arguments)
        weights = self.state_dict()
        kept = {
            name: weights[name][: len(array)] if name.startswith("encoder") else weights[name]
            for name, array in plain.state_dict().items()
        }
        plain.load_state_dict(kept)
        return plain


class DenseVariationalAutoEncoder(_Variational, DenseAutoEncoder):
    """One linear layer to the means and log variances, and one back: probabilistic PCA, learnt.

    Parameters are those of :class:`autoencoder.DenseAutoEncoder`.

    >>> model = DenseVariationalAutoEncoder(2, shape=(5,))
    >>> model.encoder
    Linear(in_features=5, out_features=4, bias=True)
    """

    def __init__(self, latent_size: int = 2, shape: tuple[int, ...] = (1, 28, 28)) -> None:
        DenseAutoEncoder.__init__(self, latent_size, shape)
        self.arguments = (self.latent_size, self.sample_shape)
        self.encoder = nn.Linear(math.prod(self.sample_shape), 2 * latent_size)
        self._learn_variance()


def negative_bound(model: _Variational, inputs: Tensor, targets: Tensor) -> Tensor:
    """What a variational autoencoder is trained by: minus the mean bound, in nats a sample."""
    return -model.bound(inputs).mean()


def variational_bound(
    model: _Variational,
    x: numpy.ndarray,
    rng: numpy.random.Generator,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """The bound on log p(x) of each sample in nats, (N,), float32; one draw of the latents each.

    Other parameters are as for :func:`autoencoder.reconstruct`.

    >>> x = numpy.zeros((3, 1, 28, 28), "float32")
    >>> variational_bound(VariationalAutoEncoder(8), x, numpy.random.default_rng(0)).shape
    (3,)
    """
    pixels = math.prod(model.sample_shape)
    noise = rng.standard_normal((len(x), model.latent_size), dtype="float32")

    def bound(both: Tensor) -> Tensor:
        images = both[:, :pixels].reshape(len(both), *model.sample_shape)
        return model.bound(images, both[:, pixels:])

    both = numpy.concatenate([x.reshape(len(x), -1), noise], axis=1)
    return apply_model("variational_bound", model, bound, both, workers, ranks, both.shape[1:])


def divergences(
    model: _Variational,
    x: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """What each latent tells of each sample: KL(q(z | x) || N(0, I)) in nats, (N, d).

    Parameters and results are as for :func:`autoencoder.reconstruct`.

    >>> divergences(VariationalAutoEncoder(8), numpy.zeros((3, 1, 28, 28), "float32")).shape
    (3, 8)
    """

    def told(images: Tensor) -> Tensor:
        return _divergences(*model.posterior(images))

    return apply_model("divergences", model, told, x, workers, ranks)
