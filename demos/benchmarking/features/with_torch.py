"""PyTorch."""

from __future__ import annotations

import torch
from torch.autograd.gradcheck import GradcheckError
from torch.nn import functional as F

from .data import DEPTH, FAULT, chain, digest, images, kernel


def deep_chain() -> bool:
    x = torch.tensor(1.0, requires_grad=True)
    chain(x).backward()
    return x.grad.item() == DEPTH + 1


def second_derivative() -> bool:
    x, weight = torch.from_numpy(images()), torch.from_numpy(kernel()).requires_grad_()
    y = (F.conv2d(x, weight, stride=2) ** 3).sum()
    (first,) = torch.autograd.grad(y, weight, create_graph=True)
    (second,) = torch.autograd.grad((first * first).sum(), weight)
    return bool(second.isfinite().all())


def transposed_convolution() -> bool:
    x, weight = torch.from_numpy(images()), torch.from_numpy(kernel()[:3]).requires_grad_()
    (gradient,) = torch.autograd.grad(F.conv_transpose2d(x, weight, stride=2).sum(), weight)
    return gradient.shape == weight.shape


def change_in_place() -> bool:
    x, weight = torch.tensor([2.0]), torch.tensor([3.0], requires_grad=True)
    y = x * weight
    x.copy_(torch.tensor([5.0]))
    try:
        y.backward()
    except RuntimeError:
        return True
    return weight.grad.item() == 2


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
    try:
        torch.autograd.gradcheck(_Wrong.apply, [x], rtol=1e-5)
    except GradcheckError:
        return torch.autograd.gradcheck(lambda x: x * x, [x], rtol=1e-5)
    return False


def gradient_bits() -> str:
    weight = torch.from_numpy(kernel()).requires_grad_()
    loss = (F.conv2d(torch.from_numpy(images()), weight) ** 2).mean()
    (gradient,) = torch.autograd.grad(loss, weight)
    return digest(gradient.numpy())
