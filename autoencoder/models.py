"""The lecture's networks: an encoder f and a decoder g, so that ``g(f(x))`` comes close to x.

Convolutional for images, fully connected for points, smooth (tanh) for data on a smooth manifold;
a denoiser without a bottleneck; and the list of what a network is made of.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy

from autoencoder.data.arrays import require_shape, whole_number, whole_numbers
from minigrad import Tensor, nn, no_grad

__all__ = [
    "AutoEncoder",
    "DenseAutoEncoder",
    "Denoiser",
    "MLPAutoEncoder",
    "SmoothAutoEncoder",
    "list_layers",
    "mlp",
]


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


class _FlatAutoEncoder(nn.Module):
    """What autoencoders do whose layers take flat samples; a subclass makes the layers."""

    sample_shape: tuple[int, ...]
    latent_size: int
    encoder: nn.Module
    decoder: nn.Module

    def encode(self, x: Tensor) -> Tensor:
        """Samples (N, *sample_shape) to latents (N, d)."""
        require_shape(f"{type(self).__name__}.encode", x, self.sample_shape)
        return self.encoder(x.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        """Latents (N, d) to samples (N, *sample_shape)."""
        require_shape(f"{type(self).__name__}.decode", z, (self.latent_size,))
        return self.decoder(z).reshape(len(z), *self.sample_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Samples (N, *sample_shape) to their reconstructions, of the same shape."""
        require_shape(type(self).__name__, x, self.sample_shape)
        return self.decode(self.encode(x))


class DenseAutoEncoder(_FlatAutoEncoder):
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


class MLPAutoEncoder(_FlatAutoEncoder):
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
        self.sample_shape = sizes[:1]
        self.latent_size = sizes[-1]


class SmoothAutoEncoder(_FlatAutoEncoder):
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
        self.latent_size = whole_number("SmoothAutoEncoder", "latent_size", latent_size)
        self.sample_shape = whole_numbers("SmoothAutoEncoder", "shape", shape)
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


def mlp(*sizes: int) -> nn.Sequential:
    """Fully connected layers with ReLU between them, for points in the plane.

    Parameters
    ----------
    *sizes : int
        Features of the input, of each hidden layer, and of the output.

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


@dataclass(frozen=True)
class Layer:
    """One layer as PyTorch prints it, its output's shape for one sample, how much it learns."""

    description: str
    shape: tuple[int, ...]
    parameters: int


def count_parameters(module: nn.Module) -> int:
    """How many numbers a module learns."""
    return sum(math.prod(parameter.shape) for parameter in module.parameters())


def list_layers(network: nn.Sequential, shape: tuple[int, ...]) -> list[Layer]:
    """The layers of a network, found by passing one sample of zeros through it.

    Parameters
    ----------
    network : nn.Sequential
    shape : tuple of int
        Of one sample, without the batch.

    Returns
    -------
    list of Layer

    Examples
    --------
    >>> list_layers(nn.Sequential(nn.Conv2d(1, 32, kernel_size=5), nn.ReLU()), (1, 28, 28))[1]
    Layer(description='ReLU()', shape=(32, 24, 24), parameters=0)
    """
    x = Tensor(numpy.zeros((1, *shape), dtype="float32"))
    layers = []
    with no_grad():
        for layer in network:
            x = layer(x)
            layers.append(Layer(repr(layer), tuple(x.shape[1:]), count_parameters(layer)))
    return layers
