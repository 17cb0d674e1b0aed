"""PyTorch, in its default memory layout, in channels_last, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import torch
from torch import nn
from torch.autograd.gradcheck import GradcheckError, gradcheck

from ..problems import LEARNING_RATE, Problem, Settings
from . import FAULT, Arrays, Task, chain, is_caught, sequential


def host(value: torch.Tensor) -> numpy.ndarray:
    return value.detach().cpu().numpy()


class TorchTask(Task):
    """The loop of every PyTorch tutorial; inference mode; operators."""

    host = staticmethod(host)

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem)
        torch.set_num_threads(settings.threads)
        torch.backends.cuda.matmul.allow_tf32 = False  # float32 as everywhere else
        torch.backends.cudnn.allow_tf32 = False
        self.place = torch.device(settings.device)
        last = settings.variant == "channels_last"
        memory_format = torch.channels_last if last else torch.contiguous_format
        inputs = torch.from_numpy(problem.inputs).to(self.place)
        self.inputs = inputs.contiguous(memory_format=memory_format)
        if problem.task == "chain":
            values = (problem.inputs, *problem.weights.values())
            self.leaves = [torch.from_numpy(v).to(self.place).requires_grad_() for v in values]
            return
        model = sequential(nn, problem.layers)
        weights = map(torch.from_numpy, problem.weights.values())
        model.load_state_dict(dict(zip(model.state_dict(), weights)))
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

    def loss_and_gradients(self) -> tuple[Any, Arrays]:
        loss = self.backward()
        gradients = [parameter.grad for parameter in self.model.parameters()]
        return loss, dict(zip(self.problem.weights, gradients))

    def forward(self) -> None:
        with torch.inference_mode():
            self.result = self.model(self.inputs)

    def chain(self) -> None:
        loss = chain(*self.leaves, self.problem.operations)  # type: ignore[call-arg]
        self.result = loss, torch.autograd.grad(loss, self.leaves)

    def wait(self) -> None:
        if self.place.type == "cuda":
            torch.cuda.synchronize()


prepare = TorchTask

array = torch.tensor
conv2d = nn.functional.conv2d
conv_transpose2d = nn.functional.conv_transpose2d


def gradient(f: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: torch.autograd.grad(f(x.requires_grad_()), x, create_graph=True)[0]


def first_nan() -> bool:
    x = torch.tensor([-1.0], requires_grad=True)
    try:
        with torch.autograd.detect_anomaly(check_nan=True):
            (x.log() * 2).exp().backward()
    except RuntimeError as error:
        return "nan" in str(error)
    return False


class _Wrong(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * x * (2 * FAULT)


def gradient_check() -> bool:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    check = lambda f: gradcheck(f, [x], rtol=1e-5)  # noqa: E731
    return is_caught(check, _Wrong.apply, GradcheckError)
