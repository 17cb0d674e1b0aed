"""A density learnt by a network that takes noise away: diffusion over latents.

Mix a point x with standard normal noise e along a quarter of a circle,

    z(a) = cos(a) x + sin(a) e,        0 <= a <= pi/2,

from the data at a = 0 to noise alone at a = pi/2. Along this path dz/da = v = cos(a) e - sin(a) x.
A network that sees z(a) and a, trained by squared error to give v, gives its mean E[v | z(a)]; and
the flow

    dz/da = E[v | z]

carries the density of z(0) to that of z(a) at every a (the probability-flow equation; Song et al.,
2021; in these terms Salimans and Ho, 2022). So a standard normal point, followed backwards from
a = pi/2 to 0, becomes a sample of the data's density. Followed forwards, a point has the density

    log p(z(0)) = log N(z(pi/2); 0, I) + integral of div E[v | z(a)] da        from 0 to pi/2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
from numpy.typing import DTypeLike

from autoencoder.data.arrays import require_generator, whole_number
from autoencoder.densities.checks import as_points, check_sampling, finite_mean
from autoencoder.models import mlp
from autoencoder.training import TrainingSettings, train
from minigrad import Tensor, enable_grad, grad, manual_seed, nn, no_grad
from minigrad import functional as F
from minigrad.backend import Array, to_numpy, with_one_blas_thread
from minigrad.parallel.threads import on_all_cores

__all__ = [
    "FREQUENCIES",
    "LatentDiffusion",
    "Mixed",
    "VelocityNetwork",
    "velocity_loss",
    "waves",
    "with_angle",
]

SMALLEST_ANGLE = 0.01  # of training: below it next to no noise is left to learn from
FREQUENCIES = 4
_CHUNK = 4096  # points moved at once
_FEW = 500  # points moved at once by a thread, where each is differentiated


class VelocityNetwork(nn.Module):
    """E[v | z, a]: fully connected layers that see a point, and its angle as sines and cosines.

    Parameters
    ----------
    d : int
        Coordinates of a point.
    hidden : tuple of int
        Units of each hidden layer.

    Examples
    --------
    >>> x = Tensor(numpy.zeros((5, 3), "float32"))  # two coordinates and an angle
    >>> VelocityNetwork(2, (16, 16))(x).shape
    (5, 2)
    """

    def __init__(self, d: int, hidden: tuple[int, ...] = (192, 192, 192)) -> None:
        super().__init__()
        self.d = whole_number("VelocityNetwork", "d", d)
        self.arguments = (self.d, tuple(hidden))
        self.layers = mlp(d + 2 * FREQUENCIES, *hidden, d)

    def forward(self, x: Tensor) -> Tensor:
        """Points and angles (N, d + 1), as `Mixed` gives them, to velocities (N, d)."""
        points, angle = x[:, : self.d], x[:, self.d :]
        return self.layers(F.cat([points, waves(angle)], dim=1))


def waves(angle: Tensor) -> Tensor:
    """Cosines and sines of multiples of angles (N, 1): (N, 8), what networks see of an angle."""
    multiples = [k * angle for k in range(1, FREQUENCIES + 1)]
    return F.cat([wave(each) for each in multiples for wave in (F.cos, F.sin)], dim=1)


class Mixed:
    """Mix samples with noise at angles drawn evenly, and append the angle as one more channel.

    Points (N, d) become (N, d + 1), images (N, C, H, W) become (N, C + 1, H, W).

    Examples
    --------
    >>> Mixed()(numpy.zeros((3, 2), "float32"), numpy.random.default_rng(0)).shape
    (3, 3)
    >>> Mixed()(numpy.zeros((3, 1, 28, 28), "float32"), numpy.random.default_rng(0)).shape
    (3, 2, 28, 28)
    """

    def __call__(self, samples: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        """Samples (N, C, ...) to noisy samples and their angles (N, C + 1, ...)."""
        require_generator("Mixed", rng)
        ones = (1,) * (samples.ndim - 1)
        angle = rng.uniform(SMALLEST_ANGLE, math.pi / 2, size=(len(samples), *ones))
        noise = rng.standard_normal(samples.shape)
        return with_angle(numpy.cos(angle) * samples + numpy.sin(angle) * noise, angle)

    def __repr__(self) -> str:
        return "Mixed()"


def with_angle(z: numpy.ndarray, angle: numpy.ndarray | float) -> numpy.ndarray:
    """Samples (N, C, ...) and an angle, or one each, as networks take them: (N, C + 1, ...).

    >>> with_angle(numpy.zeros((3, 2)), 0.5)[0]
    array([0. , 0. , 0.5], dtype=float32)
    """
    plane = numpy.broadcast_to(angle, (len(z), 1, *z.shape[2:]))
    return numpy.concatenate([z, plane], axis=1).astype("float32")


def velocity_loss(model: nn.Module, inputs: Tensor, points: Tensor) -> Tensor:
    """The mean squared error of a network's velocities.

    The noise follows from the mixture, e = (z - cos(a) x) / sin(a), and so does the velocity:
    v = cos(a) e - sin(a) x = (cos(a) z - x) / sin(a).
    """
    z, angle = inputs[:, :-1], inputs[:, -1:]
    velocity = (F.cos(angle) * z - points) / F.sin(angle)
    return F.mse_loss(model(inputs), velocity)


Learn = Callable[..., nn.Module]
"""Trains a network of velocities, as :meth:`LatentDiffusion.fit` asks."""


def _learn(
    make_network: Callable[[], nn.Module],
    points: numpy.ndarray,
    settings: TrainingSettings,
    **how: Any,
) -> nn.Module:
    manual_seed(settings.seed)
    network = make_network()
    train(network, points, settings, title="diffusion", **how)
    return network


class LatentDiffusion:
    """A density over points (N, d) by diffusion, with the interface of the Gaussians.

    Parameters
    ----------
    hidden : tuple of int
        Units of the network's hidden layers.
    steps : int
        Of a sample's way from noise to data.

    Attributes
    ----------
    network : VelocityNetwork
        After `fit`.
    mean, std : numpy.ndarray (d,)
        Of the points fitted to: the network works on points of mean 0 and variance 1.

    Examples
    --------
    >>> x = numpy.random.default_rng(0).normal(3.0, 0.1, size=(500, 2))
    >>> density = LatentDiffusion(hidden=(32,)).fit(x, TrainingSettings(epochs=20))
    >>> density.sample(1_000, numpy.random.default_rng(1)).mean(axis=0).round(1)
    array([3., 3.], dtype=float32)
    """

    def __init__(self, hidden: tuple[int, ...] = (192, 192, 192), steps: int = 50) -> None:
        self.hidden = hidden
        self.steps = whole_number("LatentDiffusion", "steps", steps)
        self.network: Callable[[Tensor], Tensor] | None = None
        self.mean: numpy.ndarray = numpy.zeros(0)
        self.std: numpy.ndarray = numpy.zeros(0)

    def fit(
        self,
        x: numpy.ndarray,
        settings: TrainingSettings | None = None,
        *,
        quiet: bool = True,
        learn: Learn | None = None,
    ) -> LatentDiffusion:
        """Train the network on points (N, d), by default for 5,000 steps of 256.

        ``learn`` may train it elsewhere, or know it already: it is called as
        ``learn(make_network, points, settings, corruption=, loss=, quiet=)`` with points of mean 0
        and variance 1, and gives the network.

        Raises
        ------
        ValueError
            If x has another shape, no rows, values that are not finite, or a coordinate that is
            constant.
        """
        points = to_numpy(as_points(x, None, "LatentDiffusion.fit"))
        mean = finite_mean(points, "LatentDiffusion.fit")
        std = points.std(axis=0)
        if not (std > 0).all():
            constant = numpy.flatnonzero(std == 0).tolist()
            raise ValueError(f"LatentDiffusion.fit: the coordinates {constant} are constant")
        if settings is None:
            epochs = max(1, round(5_000 * 256 / len(points)))
            settings = TrainingSettings(
                epochs=epochs, batch_size=256, learning_rate=2e-3, schedule="cosine"
            )
        network = (learn or _learn)(
            lambda: VelocityNetwork(points.shape[1], self.hidden),
            ((points - mean) / std).astype("float32"),
            settings,
            corruption=Mixed(),
            loss=velocity_loss,
            quiet=quiet,
        )
        self.network, self.mean, self.std = network.to("cpu"), mean, std
        return self

    @with_one_blas_thread
    def sample(self, n: int, rng: numpy.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """Draw n points (n, d): follow noise backwards along the flow.

        In a step from a to a - h the noise and the point that the network expects stay as they are,
        so z moves along their circle: z(a - h) = cos(h) z - sin(h) v (DDIM; Song, Meng and Ermon,
        2021). It is exact where v is.
        """
        check_sampling(n, rng, "LatentDiffusion.sample")
        network = self._network("sample")
        step = math.pi / 2 / self.steps
        z = rng.standard_normal((n, len(self.mean)))
        for start in range(0, n, _CHUNK):
            part = z[start : start + _CHUNK]
            for i in range(self.steps):
                velocity = _velocity(network, part, math.pi / 2 - i * step)
                part = math.cos(step) * part - math.sin(step) * velocity
            z[start : start + _CHUNK] = part
        return (self.mean + self.std * z).astype(dtype)

    @with_one_blas_thread
    def log_prob(self, x: numpy.ndarray, steps: int = 100) -> numpy.ndarray:
        """The log density in nats of points (N, d): (N,), float64.

        The flow and its divergence are integrated by the classical Runge-Kutta method, in so many
        steps. The divergence is exact: a backward pass for each coordinate of the points.
        """
        network = self._network("log_prob")
        whole_number("LatentDiffusion.log_prob", "steps", steps)
        points = to_numpy(as_points(x, len(self.mean), "LatentDiffusion.log_prob"))
        z = (points - self.mean) / self.std
        chunks = [z[start : start + _FEW] for start in range(0, max(len(z), 1), _FEW)]
        parts = on_all_cores(lambda i: _log_prob(network, chunks[i], steps), len(chunks))
        return numpy.concatenate(parts) - numpy.log(self.std).sum()

    def _network(self, caller: str) -> Callable[[Tensor], Tensor]:
        if self.network is None:
            raise RuntimeError(f"LatentDiffusion.{caller}: call fit first")
        return self.network


def _velocity(network: Callable[[Tensor], Tensor], z: numpy.ndarray, angle: float) -> numpy.ndarray:
    with no_grad():
        return network(Tensor(with_angle(z, angle))).numpy()


def _log_prob(network: Callable[[Tensor], Tensor], z: numpy.ndarray, steps: int) -> numpy.ndarray:
    """The log density (N,) of points (N, d), which it moves."""
    gathered = numpy.zeros(len(z))  # the integral of the divergence
    h = math.pi / 2 / steps
    for i in range(steps):
        slopes = []
        for weight in (0.0, 0.5, 0.5, 1.0):
            place = z + weight * h * slopes[-1][0] if slopes else z
            slopes.append(_velocity_and_divergence(network, place, (i + weight) * h))
        for total, parts in ((z, 0), (gathered, 1)):
            k1, k2, k3, k4 = (slope[parts] for slope in slopes)
            total += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    log_noise = -0.5 * (z**2).sum(axis=1) - 0.5 * z.shape[1] * math.log(2 * math.pi)
    return log_noise + gathered


def _velocity_and_divergence(
    network: Callable[[Tensor], Tensor], z: numpy.ndarray, angle: float
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """v (N, d) and sum_i dv_i/dz_i (N,), float64."""
    with enable_grad():
        x = Tensor(with_angle(z, angle), requires_grad=True)
        velocity = network(x)
        divergence = numpy.zeros(len(z))
        for i in range(z.shape[1]):  # a point's velocity depends on that point alone
            (slope,) = grad(velocity[:, i].sum(), x, retain_graph=True)
            divergence += slope.numpy()[:, i]
    return velocity.detach().numpy().astype("float64"), divergence
