"""PyTorch's words for the features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.autograd.gradcheck import GradcheckError, gradcheck
from torch.nn.functional import conv2d, conv_transpose2d

from ..peers.with_torch import host
from . import FAULT

__all__ = ["CheckError", "array", "conv2d", "conv_transpose2d", "host", "wrong_square"]

array = torch.tensor
CheckError = GradcheckError
NAN_MAKER = "nan"


def gradient(f: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: torch.autograd.grad(f(x.requires_grad_()), x, create_graph=True)[0]


def make_nan() -> None:
    x = torch.tensor([-1.0], requires_grad=True)
    with torch.autograd.detect_anomaly(check_nan=True):
        (x.log() * 2).exp().backward()


class _Wrong(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(context, gradient):
        (x,) = context.saved_tensors
        return gradient * x * (2 * FAULT)


wrong_square = _Wrong.apply


def check_gradient(f: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    gradcheck(f, [x], rtol=1e-5)
