"""A small problem for the tests of shards and ranks, and a result to be compared bit by bit."""

import numpy

import minigrad
from minigrad import functional as F
from minigrad import nn


def problem(images=29, dtype="float32"):
    """A small network's loss, its parameters and a batch: a prime number of images."""
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    parameters = list(model.parameters())
    if dtype == "mixed":  # every second parameter in double precision
        for parameter in parameters[::2]:
            parameter.data = parameter.data.astype("float64")
    generator = numpy.random.default_rng(1)
    x = generator.normal(size=(images, 1, 6, 6)).astype("float32")
    target = generator.normal(size=(images, 2)).astype("float32")

    def loss(x, target):
        return F.mse_loss(model(x), target)

    return loss, parameters, [x, target]


def as_bytes(result):
    loss, gradients = result
    return [(tensor.dtype, tensor.shape, tensor.data.tobytes()) for tensor in (loss, *gradients)]
