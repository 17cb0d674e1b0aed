"""PyTorch, in its default memory layout and in channels_last."""

from __future__ import annotations

import numpy
import torch
from torch import nn

from ..networks import NETWORKS
from ..problems import LEARNING_RATE, Problem, Settings
from .task import Task, Training

__all__ = ["prepare"]

LAYERS = {"conv2d": nn.Conv2d, "conv_transpose2d": nn.ConvTranspose2d}


class _OnDevice(Task):
    def __init__(self, problem: Problem, settings: Settings) -> None:
        torch.set_num_threads(settings.threads)
        torch.backends.cuda.matmul.allow_tf32 = False  # float32 as everywhere else
        torch.backends.cudnn.allow_tf32 = False
        self.place = torch.device(settings.device)
        self.format = torch.contiguous_format
        if settings.variant == "channels_last":
            self.format = torch.channels_last
        inputs = torch.from_numpy(problem.inputs).to(self.place)
        self.inputs = inputs.contiguous(memory_format=self.format)

    def wait(self) -> None:
        if self.place.type == "cuda":
            torch.cuda.synchronize()


class _Network(_OnDevice):
    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, settings)
        modules: list[nn.Module] = []
        for layer in NETWORKS[problem.network]:
            if layer.kind == "linear":
                module: nn.Module = nn.Linear(layer.inputs, layer.outputs)
            else:
                kind = LAYERS[layer.kind]
                module = kind(layer.inputs, layer.outputs, layer.kernel, layer.stride)
            names = ("weight", "bias")
            values = {n: torch.from_numpy(problem.weights[f"{layer.name}.{n}"]) for n in names}
            module.load_state_dict(values)
            modules += [module, nn.ReLU()] if layer.relu else [module]
        self.names = list(problem.weights)
        self.model = nn.Sequential(*modules).to(self.place, memory_format=self.format)


class Train(_Network, Training):
    """The loop of every PyTorch tutorial."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, settings)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)

    def backward(self) -> torch.Tensor:
        """Forward and backward."""
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(self.inputs), self.inputs)
        loss.backward()
        return loss

    def call(self) -> None:
        """One step of training."""
        self.backward()
        self.optimizer.step()

    def loss_and_gradients(self) -> tuple[float, dict[str, numpy.ndarray]]:
        """At the weights of now."""
        loss = self.backward().item()
        values = [parameter.grad.cpu().numpy() for parameter in self.model.parameters()]
        return loss, {name: value.copy() for name, value in zip(self.names, values)}


class Forward(_Network):
    """The model, in inference mode."""

    def call(self) -> None:
        """One batch through the model."""
        with torch.inference_mode():
            self.result = self.model(self.inputs)

    def check(self) -> dict[str, numpy.ndarray]:
        """The output."""
        self.call()
        return {"output": self.result.cpu().numpy()}


class Chain(_OnDevice):
    """One small operation after another."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, settings)
        self.x, self.a, self.b = (
            torch.from_numpy(value).to(self.place).requires_grad_()
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
        self.gradients = torch.autograd.grad(self.result, [self.x, self.a, self.b])

    def check(self) -> dict[str, numpy.ndarray]:
        """The last value's sum and the three gradients."""
        self.call()
        results = {"loss": self.result.detach().cpu().numpy()}
        for name, gradient in zip("xab", self.gradients):
            results[f"gradient of {name}"] = gradient.cpu().numpy()
        return results


def prepare(problem: Problem, settings: Settings) -> Task:
    """The problem in PyTorch."""
    return {"train": Train, "forward": Forward, "chain": Chain}[problem.task](problem, settings)
