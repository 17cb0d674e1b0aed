"""minigrad: the step is what ``autoencoder.training`` does."""

from __future__ import annotations

import contextlib

import numpy

from autoencoder.models import AutoEncoder, DenseAutoEncoder, mlp
from minigrad import Tensor, device, grad, nn, optim
from minigrad import functional as F
from minigrad.backend import CPU, array_module, one_blas_thread, to_device, to_numpy
from minigrad.parallel import map_shards, shard_gradients, suggest_shard_size

from ..problems import LEARNING_RATE, Problem, Settings
from .task import Task, Training

__all__ = ["prepare"]

MODELS = {
    "autoencoder": lambda: AutoEncoder(latent_size=8),
    "dense": lambda: DenseAutoEncoder(32, shape=(784,)),
    "mlp": lambda: mlp(2, 100, 100, 2),
}
_held = contextlib.ExitStack()  # the training loop holds the limit throughout; so does this process


class _OnDevice(Task):
    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.place = device(settings.device)
        self.workers = settings.threads
        self.inputs = to_device(problem.inputs, self.place)

    def wait(self) -> None:
        if self.place != CPU:
            array_module(self.inputs).cuda.Device().synchronize()


class _Network(_OnDevice):
    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, settings)
        model: nn.Module = MODELS[problem.network]()
        model.load_state_dict(problem.weights)
        self.model = model.to(self.place)


class Train(_Network, Training):
    """``shard_gradients`` and ``Adam.step``."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, settings)
        self.names = [name for name, _ in self.model.named_parameters()]
        self.parameters = list(self.model.parameters())
        self.optimizer = optim.Adam(self.parameters, lr=LEARNING_RATE)
        self.shard_size = suggest_shard_size(self.loss, [self.inputs, self.inputs])

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error."""
        return F.mse_loss(self.model(inputs), targets)

    def gradients(self) -> tuple[Tensor, list[Tensor]]:
        """Of the batch, in shards."""
        return shard_gradients(
            self.loss,
            self.parameters,
            [self.inputs, self.inputs],
            shard_size=self.shard_size,
            workers=self.workers,
        )

    def call(self) -> None:
        """One step of training."""
        _, gradients = self.gradients()
        self.optimizer.step(gradients)

    def loss_and_gradients(self) -> tuple[float, dict[str, numpy.ndarray]]:
        """At the weights of now."""
        loss, gradients = self.gradients()
        values = [to_numpy(gradient.data) for gradient in gradients]
        return loss.item(), dict(zip(self.names, values))


class Forward(_Network):
    """``map_shards`` of the model."""

    def call(self) -> None:
        """One batch through the model."""
        self.result = map_shards(self.model, [self.inputs], workers=self.workers)

    def check(self) -> dict[str, numpy.ndarray]:
        """The output."""
        self.call()
        return {"output": to_numpy(self.result)}


class Chain(_OnDevice):
    """One small operation after another."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, settings)
        self.x, self.a, self.b = (
            Tensor(to_device(value, self.place), requires_grad=True)
            for value in (problem.inputs, problem.weights["a"], problem.weights["b"])
        )
        self.pairs = problem.operations // 2

    def call(self) -> None:
        """Forward and backward."""
        y = self.x
        for _ in range(self.pairs):
            y = y * self.a
            y = y + self.b
        self.result = y.sum()
        self.gradients = grad(self.result, [self.x, self.a, self.b])

    def check(self) -> dict[str, numpy.ndarray]:
        """The last value's sum and the three gradients."""
        self.call()
        results = {"loss": to_numpy(self.result.data)}
        for name, gradient in zip("xab", self.gradients):
            results[f"gradient of {name}"] = to_numpy(gradient.data)
        return results


def prepare(problem: Problem, settings: Settings) -> Task:
    """The problem in minigrad."""
    _held.close()
    _held.enter_context(one_blas_thread())
    return {"train": Train, "forward": Forward, "chain": Chain}[problem.task](problem, settings)
