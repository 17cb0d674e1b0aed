"""A fully connected autoencoder of smooth layers, for data on a smooth manifold."""

from __future__ import annotations

import math

from autoencoder.data.arguments import require_shape
from minigrad import Tensor, nn

__all__ = ["SmoothAutoEncoder"]


class SmoothAutoEncoder(nn.Module):
    """Two hidden layers of tanh down to d numbers, and two back.

    Parameters
    ----------
    latent_size : int
        d, the number of latent variables, from 1.
    shape : tuple of int
        The shape of one sample; its mean should be about 0.
    hidden : int
        Units of each hidden layer.

    Examples
    --------
    >>> import numpy
    >>> model = SmoothAutoEncoder(3, (3, 16, 16), hidden=128)
    >>> sum(parameter.size for parameter in model.parameters())
    231427
    >>> x = Tensor(numpy.zeros((2, 3, 16, 16), "float32"))
    >>> model.encode(x).shape, model(x).shape
    ((2, 3), (2, 3, 16, 16))
    """

    def __init__(self, latent_size: int, shape: tuple[int, ...], hidden: int = 128) -> None:
        super().__init__()
        if latent_size < 1:
            raise ValueError(
                f"SmoothAutoEncoder: latent_size must be at least 1, got {latent_size}"
            )
        self.latent_size, self.sample_shape = latent_size, tuple(shape)
        features = math.prod(shape)
        self.encoder = nn.Sequential(
            nn.Linear(features, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, latent_size),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_size, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, features),
        )

    def encode(self, x: Tensor) -> Tensor:
        """Samples (N, *shape) to latents (N, d)."""
        require_shape("SmoothAutoEncoder.encode", x, self.sample_shape)
        return self.encoder(x.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """Latents (N, d) to samples (N, *shape)."""
        require_shape("SmoothAutoEncoder.decode", z, (self.latent_size,))
        return self.decoder(z).reshape(len(z), *self.sample_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Samples (N, *shape) to their reconstructions, of the same shape."""
        return self.decode(self.encode(x))
