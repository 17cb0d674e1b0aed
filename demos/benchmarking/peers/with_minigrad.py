"""minigrad: the step is what ``autoencoder.training`` does. And NumPy's matrix product."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy

from minigrad import Tensor, device, grad, nn, optim
from minigrad import functional as F
from minigrad.backend import CPU, array_module, one_blas_thread, to_device, to_numpy
from minigrad.parallel import map_shards, shard_gradients, suggest_shard_size

from ..problems import LEARNING_RATE, Problem, Settings
from . import Task, chain, sequential

_held = contextlib.ExitStack()  # the training loop holds the limit throughout; so does this process


def host(value: Any) -> numpy.ndarray:
    return to_numpy(value.data if isinstance(value, Tensor) else value)


class MinigradTask(Task):
    """``shard_gradients`` and ``Adam.step``; ``map_shards``; operators.

    A matrix product is NumPy's (or CuPy's): float32, with BLAS's own threads.
    """

    host = staticmethod(host)

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.place = device(settings.device)
        super().__init__(problem, lambda values: to_device(values, self.place))
        self.xp = array_module(self.inputs)
        self.workers = settings.threads
        _held.close()
        if problem.task == "matmul":
            self.out = self.xp.empty_like(self.inputs[0])
            return
        _held.enter_context(one_blas_thread())
        if problem.task == "chain":
            self.leaves = [Tensor(leaf, requires_grad=True) for leaf in self.leaves]
            return
        self.model = sequential(nn, problem.layers)
        self.model.load_state_dict(dict(zip(self.model.state_dict(), problem.weights.values())))
        self.model.to(self.place)
        if problem.task == "train":
            self.parameters = list(self.model.parameters())
            self.optimizer = optim.Adam(self.parameters, lr=LEARNING_RATE)
            self.batch = [self.inputs, self.inputs]  # its own target
            self.shard_size = suggest_shard_size(self.loss, self.batch)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(self.model(inputs), targets)

    def loss_and_gradients(self) -> tuple[Tensor, list[Tensor]]:
        return shard_gradients(
            self.loss, self.parameters, self.batch, shard_size=self.shard_size, workers=self.workers
        )

    def train(self) -> None:
        self.optimizer.step(self.loss_and_gradients()[1])

    def forward(self) -> None:
        self.result = map_shards(self.model, [self.inputs], workers=self.workers)

    def chain(self) -> None:
        loss = chain(self.leaves, self.problem.operations)
        self.result = loss, grad(loss, self.leaves)

    def matmul(self) -> None:
        self.xp.matmul(*self.inputs, out=self.out)

    def wait(self) -> None:
        if self.place != CPU:
            self.xp.cuda.Device().synchronize()


prepare = MinigradTask
