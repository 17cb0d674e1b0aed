"""Initial weights, as PyTorch draws them by default."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from minigrad.backend import Device, default_generator
from minigrad.backend import device as as_device
from minigrad.nn.module import Parameter, parameter_dtype

if TYPE_CHECKING:
    from numpy.random import Generator


def fan_in_uniform(
    shape: tuple[int, ...],
    fan_in: int,
    generator: Generator | None = None,
    dtype: Any = None,
    device: str | Device | None = None,
) -> Parameter:
    """A parameter drawn from U(-b, b) with ``b = 1 / sqrt(fan_in)``.

    If x has ``fan_in`` independent elements of variance 1, each weight's variance
    ``b^2 / 3 = 1 / (3 fan_in)`` gives ``w . x`` the variance 1/3: activations neither blow up nor
    vanish from layer to layer. PyTorch writes the same bound as ``kaiming_uniform_(a=sqrt(5))``:
    ``sqrt(6 / ((1 + a^2) fan_in)) = 1 / sqrt(fan_in)``.

    ``fan_in`` is how many inputs each output adds up, the bias not counted. By default numbers are
    drawn from what :func:`minigrad.manual_seed` seeds; they are the same whatever the dtype.

    Source: He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", 2015, section 2.2.

    Examples
    --------
    >>> weight = fan_in_uniform((10, 4), fan_in=4)
    >>> bool(abs(weight.data).max() <= 0.5)
    True
    """
    dtype = parameter_dtype("Parameter", dtype)
    place = None if device is None else as_device(device)
    if generator is None:
        generator = default_generator()
    elif not isinstance(generator, numpy.random.Generator):
        kind = type(generator).__name__
        raise TypeError(f"Parameter: generator must be a numpy.random.Generator, got {kind}")
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
    values = generator.uniform(-bound, bound, shape).astype("float32")
    return Parameter(values, dtype=dtype, device=place)
