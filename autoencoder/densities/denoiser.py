"""A denoiser that is told how much noise there is, and samples by following it from noise to data.

Add noise of standard deviation s to x, x~ = x + s e. What squared error learns from such pairs is

    D(x~, s) = E[x | x~],    and    (D(x~, s) - x~) / s^2 = slope of log p_s at x~,

where p_s is the density of x~ (Tweedie's formula; Vincent, 2011). A denoiser for one s knows one
p_s. One that is told s knows all of them, from nearly the data's to that of noise, and the flow

    dx/ds = (x - D(x, s)) / s

carries each to the next (Karras et al., 2022): from a large s to 0, noise becomes a sample.

The network and its loss are those of `diffusion`. For data of mean 0 and variance 1, and the angle
a with tan(a) = s, the mixture z(a) is cos(a) x~, and so

    D(x~, s) = cos(a)^2 x~ - sin(a) v(cos(a) x~, a).

The factors are those of Karras et al.: 1 / (1 + s^2) of the input, s / sqrt(1 + s^2) of the
network's output, and 1 / sqrt(1 + s^2) of what the network sees.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy

from autoencoder.data.arrays import require_generator, require_positive, require_shape
from autoencoder.densities.diffusion import FREQUENCIES, waves, with_angle
from autoencoder.inference import reconstruct
from minigrad import Tensor, nn
from minigrad import functional as F
from minigrad.backend import require_number, shown, whole_number
from minigrad.parallel import Communicator

# Levels of noise on the way to a sample, in standard deviations of the data. At the largest the
# data are next to nothing; below the smallest the network was shown nothing.
LARGEST, SMALLEST = 100.0, 0.01

Denoise = Callable[[numpy.ndarray, float], numpy.ndarray]
"""From noisy samples (N, ...) and s to the mean of the clean ones that fit."""


class VelocityUNet(nn.Module):
    """E[v | z, a] of images: convolutions to a quarter of the side and back, with links across.

    At half the side (``features`` maps) and at a quarter (twice as many) stand two convolutions
    each; at a quarter a dense layer sees the whole image. The angle adds a number to each feature
    map (Ronneberger et al., 2015; Ho et al., 2020). The side is a multiple of 4.

    >>> x = Tensor(numpy.zeros((5, 2, 28, 28), "float32"))  # an image and its angle
    >>> VelocityUNet(1, 28)(x).shape
    (5, 1, 28, 28)
    """

    def __init__(self, channels: int = 1, size: int = 28, features: int = 32) -> None:
        super().__init__()
        self.channels = whole_number("VelocityUNet", "channels", channels)
        self.size = whole_number("VelocityUNet", "size", size)
        features = whole_number("VelocityUNet", "features", features)
        if size % 4:
            raise ValueError(f"VelocityUNet: size must be a multiple of 4, got {size}")
        few, many, pixels = features, 2 * features, (size // 4) ** 2
        self.told = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, 64), nn.ReLU(), nn.Linear(64, few + many + few)
        )
        self.shares = (0, few, few + many, few + many + few)
        self.half = nn.Conv2d(channels, few, kernel_size=4, stride=2, padding=1)
        self.down = nn.ModuleList(_same(few) for _ in range(2))
        self.quarter = nn.Conv2d(few, many, kernel_size=4, stride=2, padding=1)
        self.inside = nn.ModuleList(_same(many) for _ in range(2))
        self.whole = nn.Sequential(
            nn.Flatten(), nn.Linear(many * pixels, 256), nn.ReLU(), nn.Linear(256, many * pixels)
        )
        self.back = nn.ConvTranspose2d(many, few, kernel_size=4, stride=2, padding=1)
        self.up = nn.ModuleList(_same(few) for _ in range(2))
        self.image = nn.ConvTranspose2d(few, channels, kernel_size=4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Images and angles (N, C + 1, H, W), as `Mixed` gives them, to velocities (N, C, H, W)."""
        require_shape("VelocityUNet", x, (self.channels + 1, self.size, self.size))
        told = self.told(waves(x[:, self.channels :, 0, 0])).reshape(len(x), -1, 1, 1)
        first, second, third = (told[:, a:b] for a, b in itertools.pairwise(self.shares))
        half = F.relu(self.half(x[:, : self.channels]) + first)
        for layer in self.down:
            half = half + F.relu(layer(half))
        quarter = F.relu(self.quarter(half) + second)
        quarter = quarter + F.relu(self.inside[0](quarter))
        quarter = quarter + self.whole(quarter).reshape(*quarter.shape)
        quarter = quarter + F.relu(self.inside[1](quarter))
        again = F.relu(self.back(quarter) + half + third)
        for layer in self.up:
            again = again + F.relu(layer(again))
        return self.image(again)


def _same(features: int) -> nn.Conv2d:
    """A convolution that keeps the size."""
    return nn.Conv2d(features, features, kernel_size=3, padding=1)


class NoiseConditionalDenoiser:
    """D(x~, s) by a network of velocities, for data of any mean and spread.

    The network was trained with `Mixed` and `velocity_loss` on (x - mean) / std, the mean and the
    deviation those of all numbers of the data: from noisy samples and their angle, (N, C + 1, ...),
    to velocities (N, C, ...). ``workers`` and ``ranks`` are as for :func:`autoencoder.reconstruct`.

    >>> from autoencoder.densities.diffusion import VelocityNetwork
    >>> denoiser = NoiseConditionalDenoiser(VelocityNetwork(2, (8,)), mean=0.0, std=1.0)
    >>> denoiser.denoise(numpy.zeros((5, 2)), 0.3).shape
    (5, 2)
    """

    def __init__(
        self,
        network: nn.Module,
        mean: float,
        std: float,
        workers: int | None = None,
        ranks: Communicator | None = None,
    ) -> None:
        require_positive("NoiseConditionalDenoiser", "std", std)
        self.network, self.mean, self.std = network, float(mean), float(std)
        self.workers, self.ranks = workers, ranks

    def denoise(self, x: numpy.ndarray, noise_std: float) -> numpy.ndarray:
        """E[x | x~] of noisy samples (N, ...), for one standard deviation of the noise; float64."""
        require_number("NoiseConditionalDenoiser.denoise", "noise_std", noise_std)
        angle = math.atan2(noise_std, self.std)
        z = math.cos(angle) * (x.astype("float64") - self.mean) / self.std
        velocity = reconstruct(self.network, with_angle(z, angle), self.workers, self.ranks)
        return self.mean + self.std * (math.cos(angle) * z - math.sin(angle) * velocity)

    def score(self, x: numpy.ndarray, noise_std: float) -> numpy.ndarray:
        """The gradients (N, ...) of the log density of noisy samples: Tweedie's formula."""
        require_positive("NoiseConditionalDenoiser.score", "noise_std", noise_std)
        return (self.denoise(x, noise_std) - x) / noise_std**2

    def sample(
        self, n: int, shape: Sequence[int], rng: numpy.random.Generator, steps: int = 20
    ) -> numpy.ndarray:
        """n samples (n, *shape), float32: noise, followed along the flow in so many steps."""
        samples = follow_flow(self.denoise, self.noise(n, shape, rng), self.stds(steps))
        return samples.astype("float32")

    def stds(self, steps: int) -> list[float]:
        """The levels of noise on the way to a sample, in the data's unit: see `falling_stds`."""
        return falling_stds(steps, LARGEST * self.std, SMALLEST * self.std)

    def noise(self, n: int, shape: Sequence[int], rng: numpy.random.Generator) -> numpy.ndarray:
        """Where n samples (n, *shape) begin: at the largest level of noise."""
        require_generator("NoiseConditionalDenoiser.noise", rng)
        return self.mean + LARGEST * self.std * rng.standard_normal((n, *shape))


def falling_stds(steps: int, largest: float, smallest: float, exponent: float = 7.0) -> list[float]:
    """Levels of noise for so many steps: from the largest to the smallest, then 0.

    Their roots of degree ``exponent`` are evenly spaced, so that most steps are taken where there
    is little noise (Karras et al., 2022, with their exponent).

    >>> [round(std, 2) for std in falling_stds(4, 80.0, 0.01)]
    [80.0, 11.61, 0.8, 0.01, 0.0]
    """
    whole_number("falling_stds", "steps", steps, minimum=2)
    if not 0 < smallest < largest:
        raise ValueError(
            f"falling_stds: expected 0 < smallest < largest, got {smallest} and {largest}"
        )
    roots = numpy.linspace(largest ** (1 / exponent), smallest ** (1 / exponent), steps)
    return [*(roots**exponent).tolist(), 0.0]


def follow_flow(denoise: Denoise, start: numpy.ndarray, stds: Sequence[float]) -> numpy.ndarray:
    """Carry samples (N, ...) along the flow dx/ds = (x - D(x, s)) / s, to less noise; float64.

    ``start`` has noise of the first of the ``stds``, the levels to step through; they fall, to 0 at
    the lowest. A step is Heun's: along the slope where it begins, then along the mean of that and
    of the slope where it ended. The error falls with the square of the number of steps. A step to
    s = 0, where the slope has no value, goes straight to the denoiser's answer.

    >>> rng = numpy.random.default_rng(0)
    >>> noise = 50 * rng.normal(size=(4_000, 1))
    >>> normal = follow_flow(  # the data are standard normal: E[x | x~] is known
    ...     lambda x, s: x / (1 + s**2), noise, falling_stds(40, 50.0, 0.01)
    ... )
    >>> bool(abs(normal.std() - 1) < 0.03)
    True
    """
    levels = [float(std) for std in stds]
    falls = all(a > b for a, b in itertools.pairwise(levels))
    if len(levels) < 2 or not falls or levels[-1] < 0:
        raise ValueError(
            "follow_flow: the stds must be two at least, and fall, to 0 at the lowest, "
            f"got {shown(levels)}"
        )
    x = numpy.array(start, dtype="float64")
    for here, there in itertools.pairwise(levels):
        slope = (x - denoise(x, here)) / here
        ahead = x + (there - here) * slope
        if there > 0:
            slope = (slope + (ahead - denoise(ahead, there)) / there) / 2
        x = x + (there - here) * slope
    return x


def conditioned_on(denoise: Denoise, noisy: numpy.ndarray, noise_std: float) -> Denoise:
    """The denoiser of the density that clean samples have, given a noisy sight of them.

    Two sights of one x, with independent noise of standard deviations s and t, are as good as one:
    their mean, each weighted by its precision, which has noise r with

        1 / r^2 = 1 / s^2 + 1 / t^2.

    So the mean of the x that fit both needs no other training: only D(x, s) of the clean samples,
    for every s up to t, the ``noise_std``. Followed along the flow, where x itself is the sight
    with noise s, it leads to samples of p(x | x~). ``noisy`` has the shape of the samples, or is
    broadcast to it.

    >>> standard_normal = lambda x, s: x / (1 + s**2)  # its E[x | x~]
    >>> answer = conditioned_on(standard_normal, numpy.array([[3.0]]), 1.0)
    >>> answer(numpy.array([[3.0]]), 1.0)  # the mean of two sights at 3 and of the prior at 0
    array([[2.]])
    """
    require_positive("conditioned_on", "noise_std", noise_std)

    def answer(x: numpy.ndarray, std: float) -> numpy.ndarray:
        precision = 1 / std**2 + 1 / noise_std**2
        seen = (x / std**2 + noisy / noise_std**2) / precision
        return denoise(seen, precision**-0.5)

    return answer
