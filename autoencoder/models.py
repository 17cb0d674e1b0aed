"""The lecture's networks: an encoder f and a decoder g, so that ``g(f(x))`` comes close to x."""

from __future__ import annotations

import itertools
import math

from autoencoder.data.arguments import require_shape, whole_number, whole_numbers
from minigrad import Tensor, nn

__all__ = ["AutoEncoder", "DenseAutoEncoder", "Denoiser", "MLPAutoEncoder", "mlp"]


class AutoEncoder(nn.Module):
    """The lecture's deep convolutional autoencoder, layer for layer.

    Five convolutions take an image of 28 x 28 pixels to d numbers, through the sizes 24, 20, 9, 4
    and 1; five transposed convolutions take the same way back.

    Parameters
    ----------
    latent_size : int
        d, the number of latent variables, from 1.

    Raises
    ------
    ValueError
        When called, for images of another size: the last kernel would not cover what is left of
        them, and their latents would be more than d numbers.

    Examples
    --------
    >>> from minigrad import Tensor
    >>> model = AutoEncoder(latent_size=8)
    >>> sum(parameter.size for parameter in model.parameters())
    112457
    >>> import numpy
    >>> x = Tensor(numpy.zeros((2, 1, 28, 28), "float32"))
    >>> model.encode(x).shape, model(x).shape
    ((2, 8), (2, 1, 28, 28))
    """

    sample_shape: tuple[int, ...] = (1, 28, 28)

    def __init__(self, latent_size: int = 8) -> None:
        super().__init__()
        self.latent_size = latent_size = whole_number("AutoEncoder", "latent_size", latent_size)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=5),
            nn.ReLU(),
            nn.Conv2d(32, 32, kernel_size=5),
            nn.ReLU(),
            nn.Conv2d(32, 32, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, 32, kernel_size=3, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, latent_size, kernel_size=4),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(latent_size, 32, kernel_size=4),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, kernel_size=3, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, kernel_size=5),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, kernel_size=5),
        )

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) to latents (N, d)."""
        require_shape("AutoEncoder.encode", x, self.sample_shape)
        return self.encoder(x).flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        """Latents (N, d) to images (N, 1, 28, 28)."""
        require_shape("AutoEncoder.decode", z, (self.latent_size,))
        return self.decoder(z.reshape(len(z), self.latent_size, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) to their reconstructions, of the same shape."""
        require_shape("AutoEncoder", x, self.sample_shape)
        return self.decoder(self.encoder(x))


class DenseAutoEncoder(nn.Module):
    """One linear layer down to d numbers and one back: the lecture's linear bottleneck.

    Parameters
    ----------
    latent_size : int
        d, the size of the bottleneck, from 1.
    shape : tuple of int
        The shape of one sample.
    bias : bool
        Whether the layers have biases; without them the data should be centred.

    Examples
    --------
    >>> model = DenseAutoEncoder(32, bias=False)
    >>> [parameter.shape for parameter in model.parameters()]
    [(32, 784), (784, 32)]
    """

    def __init__(
        self, latent_size: int = 32, shape: tuple[int, ...] = (1, 28, 28), bias: bool = True
    ) -> None:
        super().__init__()
        self.latent_size = whole_number("DenseAutoEncoder", "latent_size", latent_size)
        self.sample_shape = whole_numbers("DenseAutoEncoder", "shape", shape)
        features = math.prod(self.sample_shape)
        self.encoder = nn.Linear(features, latent_size, bias=bias)
        self.decoder = nn.Linear(latent_size, features, bias=bias)

    def encode(self, x: Tensor) -> Tensor:
        """Samples (N, *shape) to latents (N, d)."""
        require_shape("DenseAutoEncoder.encode", x, self.sample_shape)
        return self.encoder(x.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """Latents (N, d) to samples (N, *shape)."""
        require_shape("DenseAutoEncoder.decode", z, (self.latent_size,))
        return self.decoder(z).reshape(len(z), *self.sample_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Samples (N, *shape) to their reconstructions, of the same shape."""
        return self.decode(self.encode(x))


class Denoiser(nn.Module):
    """A denoiser without a bottleneck: the autoencoder's first two and last two layers.

    The lecture notes that a denoiser may do without one, since copying its input would not help
    it. The image shrinks from 28 to 20 pixels a side only by the borders of the convolutions.

    Parameters
    ----------
    channels : int
        Feature maps of the hidden layers.

    Examples
    --------
    >>> import numpy
    >>> Denoiser()(Tensor(numpy.zeros((2, 1, 28, 28), "float32"))).shape
    (2, 1, 28, 28)
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        whole_number("Denoiser", "channels", channels)
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, kernel_size=5),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size=5),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, channels, kernel_size=5),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, 1, kernel_size=5),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Noisy images (N, 1, H, W) to clean ones, of the same shape."""
        return self.layers(x)


class MLPAutoEncoder(nn.Module):
    """An autoencoder of fully connected layers, for points: down the sizes, and back up.

    Parameters
    ----------
    *sizes : int
        Features of a sample, of each hidden layer of the encoder, and d, the size of the
        bottleneck. The decoder has the same sizes in reverse.

    Examples
    --------
    >>> import numpy
    >>> model = MLPAutoEncoder(2, 64, 1)
    >>> x = Tensor(numpy.zeros((5, 2), "float32"))
    >>> model.encode(x).shape, model(x).shape
    ((5, 1), (5, 2))
    """

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.encoder = mlp(*sizes)
        self.decoder = mlp(*reversed(sizes))
        self.sample_shape, self.latent_size = sizes[:1], sizes[-1]

    def encode(self, x: Tensor) -> Tensor:
        """Samples (N, features) to latents (N, d)."""
        require_shape("MLPAutoEncoder.encode", x, self.sample_shape)
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Latents (N, d) to samples (N, features)."""
        require_shape("MLPAutoEncoder.decode", z, (self.latent_size,))
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        """Samples (N, features) to their reconstructions, of the same shape."""
        require_shape("MLPAutoEncoder", x, self.sample_shape)
        return self.decoder(self.encoder(x))


def mlp(*sizes: int) -> nn.Sequential:
    """Fully connected layers with ReLU between them, for points in the plane.

    Parameters
    ----------
    *sizes : int
        Features of the input, of each hidden layer, and of the output.

    Returns
    -------
    nn.Sequential

    Raises
    ------
    ValueError
        If there are fewer than two sizes.

    Examples
    --------
    >>> mlp(2, 100, 2)
    Sequential(
      (0): Linear(in_features=2, out_features=100, bias=True)
      (1): ReLU()
      (2): Linear(in_features=100, out_features=2, bias=True)
    )
    """
    if len(sizes) < 2:
        raise ValueError(f"mlp: expected at least the sizes of input and output, got {sizes}")
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
