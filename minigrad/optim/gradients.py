"""Checking the gradients a step is given, before any parameter is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.backend import Array, HostArray, device_of, is_array
from minigrad.engine import Tensor


def single_gradients(
    name: str, parameters: Sequence[Tensor], gradients: Sequence[Any] | None
) -> list[Array | None]:
    """The gradients' arrays, one a parameter; each parameter's ``grad`` if none are given.

    Raises
    ------
    TypeError, ValueError
        Naming the optimiser, and the parameter whose gradient does not fit.
    """
    if gradients is None:
        gradients = [parameter.grad for parameter in parameters]
    elif not isinstance(gradients, Sequence):
        raise TypeError(
            f"{name}: expected a sequence of gradients or one array, got {type(gradients).__name__}"
        )
    if len(gradients) != len(parameters):
        raise ValueError(f"{name}: {len(gradients)} gradients for {len(parameters)} parameters")
    arrays = []
    for i, (parameter, gradient) in enumerate(zip(parameters, gradients)):
        array = gradient.data if isinstance(gradient, Tensor) else gradient
        if array is not None:
            _require_fit(f"{name}: gradient {i}", array, parameter, parameter.data.shape)
        arrays.append(array)
    return arrays


def one_gradient(name: str, parameters: Sequence[Tensor], gradient: Tensor | Array) -> Array:
    """The array that holds all gradients end to end.

    Raises
    ------
    TypeError, ValueError
        If it has another length, or not the dtype and device of every parameter.
    """
    array = gradient.data if isinstance(gradient, Tensor) else gradient
    size = sum(parameter.size for parameter in parameters)
    for parameter in parameters:
        _require_fit(f"{name}: the gradient of all parameters", array, parameter, (size,))
    return array


def _require_fit(what: str, array: Any, parameter: Tensor, shape: tuple[int, ...]) -> None:
    data = parameter.data
    if type(array) is not HostArray or type(data) is not HostArray:
        if not is_array(array):
            raise TypeError(f"{what} must be an array or Tensor, got {type(array).__name__}")
        if device_of(array) != parameter.device:
            raise TypeError(f"{what} is on {device_of(array)}, the parameter on {parameter.device}")
    if array.shape != shape:
        raise ValueError(f"{what} has shape {array.shape}, expected {shape}")
    if array.dtype != data.dtype:
        raise TypeError(f"{what} is {array.dtype}, the parameter {data.dtype}")
