"""PyTorch, in its default memory layout, in channels_last, and compiled."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from ..problems import LEARNING_RATE, Problem, Settings
from . import Task, chain, sequential

host = partial(torch.Tensor.numpy, force=True)  # also of what requires a gradient, from a GPU


class TorchTask(Task):
    """The loop of every PyTorch tutorial; inference mode; operators."""

    host = staticmethod(host)

    def __init__(self, problem: Problem, settings: Settings) -> None:
        torch.set_num_threads(settings.threads)
        torch.backends.cuda.matmul.allow_tf32 = False  # float32 as everywhere else
        torch.backends.cudnn.allow_tf32 = False
        self.place = torch.device(settings.device)
        super().__init__(problem, lambda values: torch.from_numpy(values).to(self.place))
        if problem.task == "chain":
            self.leaves = [leaf.requires_grad_() for leaf in self.leaves]
            return
        last = settings.variant == "channels_last"
        memory_format = torch.channels_last if last else torch.contiguous_format
        self.inputs = self.inputs.contiguous(memory_format=memory_format)
        model = sequential(nn, problem.layers)
        model.load_state_dict(dict(zip(model.state_dict(), self.weights)))
        self.model = model.to(self.place, memory_format=memory_format)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        if settings.variant == "compiled":
            self.model = torch.compile(model)

    def backward(self) -> torch.Tensor:
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(self.inputs), self.inputs)
        loss.backward()
        return loss

    def train(self) -> None:
        self.backward()
        self.optimizer.step()

    def loss_and_gradients(self) -> tuple[Any, list[Any]]:
        return self.backward(), [parameter.grad for parameter in self.model.parameters()]

    def forward(self) -> None:
        with torch.inference_mode():
            self.result = self.model(self.inputs)

    def chain(self) -> None:
        loss = chain(self.leaves, self.problem.operations)
        self.result = loss, torch.autograd.grad(loss, self.leaves)

    def wait(self) -> None:
        if self.place.type == "cuda":
            torch.cuda.synchronize()


prepare = TorchTask
