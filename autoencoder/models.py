"""The lecture's networks: an encoder f and a decoder g, so that ``g(f(x))`` comes close to x.

Convolutional for images, fully connected for points, smooth (tanh) for data on a smooth manifold;
a denoiser without a bottleneck; and the list of what a network is made of.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy

from autoencoder.data.arrays import require_shape
from minigrad import Tensor, nn, no_grad
from minigrad.backend import shown, whole_number, whole_numbers

IMAGE_SIDES = (16, 128)
"""The shortest and the longest side of an image that an AutoEncoder takes."""


class AutoEncoder(nn.Module):
    """The lecture's deep convolutional autoencoder, layer for layer; for other images, its kin.

    Five convolutions take an image to d numbers; five transposed convolutions take the same way
    back. At 28 x 28 pixels the sizes are 24, 20, 9, 4 and 1. At another size the last kernel covers
    what is left of the image (1 x 1 of 16, 13 x 13 of 64, 29 x 29 of 128), so d is d at any size.
    Where a side is no multiple of four, ``output_padding`` adds the row that a stride left out.

    Parameters
    ----------
    latent_size : int
        d, the number of latent variables, from 1.
    image_size : int or pair of int
        Height and width of an image in pixels, from 16 to 128.
    channels : int
        Of an image: 1 grey, 3 colour.

    Raises
    ------
    ValueError
        If a size is out of its range; when called, for images of another shape.

    Examples
    --------
    >>> from minigrad import Tensor
    >>> model = AutoEncoder(latent_size=8)
    >>> count_parameters(model)
    112457
    >>> import numpy
    >>> x = Tensor(numpy.zeros((2, 1, 28, 28), "float32"))
    >>> model.encode(x).shape, model(x).shape
    ((2, 8), (2, 1, 28, 28))
    >>> x = Tensor(numpy.zeros((2, 3, 33, 64), "float32"))
    >>> AutoEncoder(8, image_size=(33, 64), channels=3)(x).shape
    (2, 3, 33, 64)
    """

    def __init__(
        self, latent_size: int = 8, image_size: int | tuple[int, int] = 28, channels: int = 1
    ) -> None:
        super().__init__()
        self.latent_size = latent_size = whole_number("AutoEncoder", "latent_size", latent_size)
        channels = whole_number("AutoEncoder", "channels", channels)
        sides = _sides(image_size)
        self.sample_shape = (channels, *sides)
        self.arguments = (latent_size, sides, channels)
        height, width = sides
        after = (height - 10) // 2, (width - 10) // 2  # sides after the layer with kernel 4
        kernel = (after[0] - 1) // 2, (after[1] - 1) // 2
        # The row or column that a stride of 2 leaves out.
        first, second = ((after[0] + 1) % 2, (after[1] + 1) % 2), (height % 2, width % 2)
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, 32, kernel_size=5),
            nn.ReLU(),
            nn.Conv2d(32, 32, kernel_size=5),
            nn.ReLU(),
            nn.Conv2d(32, 32, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, 32, kernel_size=3, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, latent_size, kernel_size=kernel),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(latent_size, 32, kernel_size=kernel),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, kernel_size=3, stride=2, output_padding=first),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, kernel_size=4, stride=2, output_padding=second),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 32, kernel_size=5),
            nn.ReLU(),
            nn.ConvTranspose2d(32, channels, kernel_size=5),
        )

    def encode(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to latents (N, d)."""
        require_shape("AutoEncoder.encode", x, self.sample_shape)
        return self.encoder(x).flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        """Latents (N, d) to images (N, C, H, W)."""
        require_shape("AutoEncoder.decode", z, (self.latent_size,))
        return self.decoder(z.reshape(len(z), self.latent_size, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to their reconstructions, of the same shape."""
        require_shape("AutoEncoder", x, self.sample_shape)
        return self.decoder(self.encoder(x))


def _sides(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width, checked."""
    given = (image_size, image_size) if isinstance(image_size, int) else image_size
    sides = whole_numbers("AutoEncoder", "image_size", given)
    low, high = IMAGE_SIDES
    if len(sides) != 2 or not all(low <= side <= high for side in sides):
        raise ValueError(
            f"AutoEncoder: image_size must be from {low} to {high} pixels, one number or height "
            f"and width, got {shown(image_size)}"
        )
    return sides[0], sides[1]


class Denoiser(nn.Module):
    """A denoiser without a bottleneck: the autoencoder's first two and last two layers.

    The lecture notes that a denoiser may do without one, since copying its input would not help
    it. An image shrinks by 8 pixels a side, by the borders of the convolutions, and grows again:
    what was learnt on one size serves any, from 9 x 9.

    Parameters
    ----------
    channels : int
        Of an image: 1 grey, 3 colour.
    features : int
        Feature maps of the hidden layers.

    Examples
    --------
    >>> import numpy
    >>> Denoiser()(Tensor(numpy.zeros((2, 1, 28, 28), "float32"))).shape
    (2, 1, 28, 28)
    """

    def __init__(self, channels: int = 1, features: int = 32) -> None:
        super().__init__()
        channels = whole_number("Denoiser", "channels", channels)
        features = whole_number("Denoiser", "features", features)
        self.channels = channels
        self.arguments = (channels, features)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, features, kernel_size=5),
            nn.ReLU(),
            nn.Conv2d(features, features, kernel_size=5),
            nn.ReLU(),
            nn.ConvTranspose2d(features, features, kernel_size=5),
            nn.ReLU(),
            nn.ConvTranspose2d(features, channels, kernel_size=5),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Noisy images (N, C, H, W) to clean ones, of the same shape."""
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
        self.arguments = (self.latent_size, self.sample_shape, bool(bias))
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
        self.arguments = sizes
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
        self.arguments = (self.latent_size, self.sample_shape, hidden)
        features = math.prod(shape)
        self.encoder = _dense(nn.Tanh, features, hidden, hidden, latent_size)
        self.decoder = _dense(nn.Tanh, latent_size, hidden, hidden, features)


def mlp(*sizes: int) -> nn.Sequential:
    """Fully connected layers with ReLU between them, for points in the plane.

    The sizes are the features of the input, of each hidden layer, and of the output: ValueError if
    there are fewer than two.

    >>> mlp(2, 100, 2)
    Sequential(
      (0): Linear(in_features=2, out_features=100, bias=True)
      (1): ReLU()
      (2): Linear(in_features=100, out_features=2, bias=True)
    )
    """
    if len(sizes) < 2:
        raise ValueError(f"mlp: expected at least the sizes of input and output, got {sizes}")
    return _dense(nn.ReLU, *sizes)


def _dense(activation: type[nn.Module], *sizes: int) -> nn.Sequential:
    """Fully connected layers of these sizes, with an activation between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


class MixtureDensityNetwork(nn.Module):
    """A network for points whose answer is a density: two hidden layers, then a mixture.

    Trained by the likelihood of the clean points of d coordinates, it can say that several fit.

    >>> network = MixtureDensityNetwork(2, components=4)
    >>> points = Tensor(numpy.zeros((3, 2), "float32"))
    >>> network.log_prob(points, points).shape
    (3,)
    """

    def __init__(self, d: int = 2, components: int = 4, hidden: int = 128) -> None:
        super().__init__()
        self.body = nn.Sequential(mlp(d, hidden, hidden), nn.ReLU())
        self.head = nn.MixtureDensity(hidden, target_size=d, components=components)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Noisy points (N, d) to weights (N, K), means (N, K, d) and deviations (N, K)."""
        return self.head.forward(self.body(x))

    def log_prob(self, x: Tensor, target: Tensor) -> Tensor:
        """The log density in nats of clean points (N, d), given noisy ones (N, d): (N,)."""
        return self.head.log_prob(self.body(x), target)


@dataclass(frozen=True)
class Layer:
    """One layer as PyTorch prints it, and what a forward pass of one sample takes."""

    description: str
    shape: tuple[int, ...]  # of its output
    parameters: int
    multiplications: int


def count_parameters(module: nn.Module) -> int:
    """How many numbers a module learns.

    >>> count_parameters(nn.Linear(2, 3))
    9
    """
    return sum(math.prod(parameter.shape) for parameter in module.parameters())


def count_multiplications(network: nn.Module, shape: tuple[int, ...]) -> int:
    """How many products a forward pass of one sample takes, if layer follows layer.

    >>> count_multiplications(nn.Sequential(nn.Conv2d(1, 32, kernel_size=5)), (1, 28, 28))
    460800
    """
    return sum(layer.multiplications for layer in list_layers(network, shape))


def layers_of(module: nn.Module) -> Iterator[nn.Module]:
    """The layers that a sample passes one after another; one that stands twice comes twice.

    >>> relu = nn.ReLU()
    >>> list(layers_of(nn.Sequential(relu, nn.Sequential(relu))))
    [ReLU(), ReLU()]
    """
    is_sequence = isinstance(module, nn.Sequential)
    below = list(module if is_sequence else module.children())
    if not below and not is_sequence:
        yield module
    for each in below:
        yield from layers_of(each)


def list_layers(network: nn.Module, shape: tuple[int, ...]) -> list[Layer]:
    """The layers of a network, found by passing one sample of zeros through it.

    >>> list_layers(nn.Sequential(nn.Conv2d(1, 32, kernel_size=5), nn.ReLU()), (1, 28, 28))[1]
    Layer(description='ReLU()', shape=(32, 24, 24), parameters=0, multiplications=0)
    """
    x = Tensor(numpy.zeros((1, *shape), dtype="float32"))
    layers = []
    with no_grad():
        for layer in layers_of(network):
            before, x = x, layer(x)
            products = 0
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                # A weight meets each place of the output; of a transposed convolution, the input.
                places = before if isinstance(layer, nn.ConvTranspose2d) else x
                products = layer.weight.size * math.prod(places.shape[2:])
            parameters = count_parameters(layer)
            layers.append(Layer(repr(layer), tuple(x.shape[1:]), parameters, products))
    return layers


def zero_biases(model: nn.Module) -> None:
    """Set every bias to 0, where training is to begin.

    Drawn biases put some units of a new network below 0 for every input. The first steps of Adam,
    which move all weights alike, push more of them there; a ReLU passes them no gradient then, and
    they are lost. With d = 8 and seed 0 a layer of the lecture's autoencoder kept 1 of its 32
    channels after 5 epochs of MNIST, and 26 with biases that begin at 0.

    >>> model = nn.Linear(3, 2)
    >>> zero_biases(model)
    >>> model.bias.data.tolist()
    [0.0, 0.0]
    """
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2] == "bias":
            parameter.zero_()
