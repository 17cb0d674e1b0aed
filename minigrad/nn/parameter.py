"""Parameter: a tensor that a module learns. Initial weights, as PyTorch draws them by default."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy

from minigrad.backend import Device, as_dtype, default_generator
from minigrad.backend import device as as_device
from minigrad.engine import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator


class Parameter(Tensor):
    """A tensor that belongs to a module and is to be learnt.

    Assigned to an attribute of a :class:`Module`, it is found by ``parameters()`` and saved by
    ``state_dict()``; a plain :class:`Tensor` there is a constant. ``data``, ``dtype`` and
    ``device`` are as for a Tensor. With ``requires_grad`` False it is saved but held fixed.

    >>> Parameter([1.0, 2.0])
    Parameter containing:
    Tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(
        self,
        data: Any,
        requires_grad: bool = True,
        dtype: Any = None,
        device: str | Device | None = None,
    ) -> None:
        super().__init__(data, requires_grad, dtype, device)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


_largest: ContextVar[float] = ContextVar("most elements of a parameter", default=math.inf)


@contextlib.contextmanager
def parameters_up_to(size: int) -> Iterator[None]:
    """Draw no parameter of more elements inside the block: what a file claims may be any size."""
    token = _largest.set(size)
    try:
        yield
    finally:
        _largest.reset(token)


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
    if math.prod(shape) > _largest.get():
        raise ValueError(f"Parameter: {shape} is more than {_largest.get():,} elements")
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
    values = generator.uniform(-bound, bound, shape).astype("float32")
    return Parameter(values, dtype=dtype, device=place)


def parameter_dtype(caller: str, given: Any, expected: str = "a dtype") -> numpy.dtype:
    """A floating point dtype, float32 for None."""
    dtype = as_dtype(caller, "float32" if given is None else given, expected)
    if dtype.kind != "f":
        raise TypeError(f"{caller}: parameters are floating point, got {dtype}")
    return dtype
