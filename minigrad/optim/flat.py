"""Many parameters in one array, and their gradients in another.

An optimiser's step is then a handful of array operations, and so is clipping.

A model has tens of parameters, most of them small. Updating each by itself costs a dozen array
operations a parameter: on a CPU mostly the interpreter's time, on a GPU a launch each. So their
values move, one after the other, into one long array; each ``parameter.data`` becomes a view of
its stretch; and what the optimiser remembers lies in arrays of the same length.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

from minigrad.backend import (
    Array,
    HostArray,
    array_module,
    common_device,
    device_of,
    is_array,
    require_number,
    to_device,
    use_device,
)
from minigrad.engine import Tensor, mark_written
from minigrad.kernels import gpu


class FlatParameters:
    """Parameters of one dtype on one device, at least one, their values in one array.

    Every ``parameter.data`` is a view of ``values`` (total size,). ``state`` has arrays of the same
    length, see :meth:`memory`. ``steps`` are how many steps each parameter has taken.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.dtype, self.device = parameters[0].dtype, parameters[0].device
        self.steps = [0] * len(self.parameters)
        self.state: dict[str, Array] = {}
        ends = list(itertools.accumulate(parameter.size for parameter in parameters))
        self.stretches = [slice(start, end) for start, end in itertools.pairwise([0, *ends])]
        with use_device(self.device):
            self.values = array_module(parameters[0].data).zeros(ends[-1], self.dtype)
            self.gather()

    @cached_property
    def _views(self) -> list[Array]:
        return [
            self.values[stretch].reshape(parameter.shape)
            for stretch, parameter in zip(self.stretches, self.parameters)
        ]

    def gather(self) -> bool:
        """Take over the values of every parameter whose ``data`` is another array by now.

        If one has another dtype or device, nothing is done, and the result is False: the optimiser
        then sorts its parameters anew.
        """
        pairs = zip(self.parameters, self._views)
        moved = [(parameter, view) for parameter, view in pairs if parameter.data is not view]
        for parameter, view in moved:
            if parameter.shape != view.shape:
                raise ValueError(
                    f"optimiser: a parameter of shape {view.shape} has become "
                    f"{parameter.shape}; make a new optimiser for it"
                )
            if (parameter.dtype, parameter.device) != (self.dtype, self.device):
                return False
        for parameter, view in moved:
            view[...] = parameter.data
            parameter.data = view
        return True

    def memory(self, name: str) -> Array:
        """What is remembered under a name, one number an element: zeros to begin with."""
        if name not in self.state:
            self.state[name] = array_module(self.values).zeros_like(self.values)
        return self.state[name]

    @cached_property
    def _gradient(self) -> Array:
        """Room for all gradients."""
        return array_module(self.values).empty_like(self.values)

    def flatten(self, gradients: Sequence[Array | None]) -> Array:
        """The gradients one after the other, as the values are.

        A single gradient is returned as it is. Where one is None, the result has no meaning.
        """
        present = [gradient.reshape(-1) for gradient in gradients if gradient is not None]
        if len(present) == len(gradients):
            return present[0] if len(present) == 1 else _joined(present, self._gradient)
        for stretch, gradient in zip(self.stretches, gradients):
            if gradient is not None:
                self._gradient[stretch] = gradient.reshape(-1)
        return self._gradient

    def advance(self, present: Sequence[bool]) -> Iterator[tuple[slice, int]]:
        """Count a step of every parameter that has a gradient; give what to update together.

        That is runs of neighbours at the same step, since formulas depend on its number, which is
        given too. As a rule it is one run of everything.
        """
        numbers = []  # of this step, for each parameter; 0 without a gradient
        for index, has_gradient in enumerate(present):
            if has_gradient:
                self.steps[index] += 1
                mark_written(self.parameters[index])
            numbers.append(self.steps[index] if has_gradient else 0)
        for number, run in itertools.groupby(zip(numbers, self.stretches), key=itemgetter(0)):
            stretches = [stretch for _, stretch in run]
            if number:
                yield slice(stretches[0].start, stretches[-1].stop), number

    def __getstate__(self) -> dict[str, Any]:
        # A copied or unpickled view would be an array of its own: views are made anew.
        return {k: v for k, v in vars(self).items() if k not in ("_views", "_gradient")}

    def states(self, names: Sequence[str]) -> dict[Tensor, dict[str, Any]]:
        """What is remembered of each parameter, in its shape: views; and its number of steps."""
        found: dict[Tensor, dict[str, Any]] = {}
        with use_device(self.device):
            for index, parameter in enumerate(self.parameters):
                stretch, shape = self.stretches[index], self._views[index].shape
                memories = {name: self.memory(name)[stretch].reshape(shape) for name in names}
                found[parameter] = {"step": self.steps[index], **memories}
        return found

    def set_states(self, states: Mapping[Tensor, dict[str, Any]], names: Sequence[str]) -> None:
        """Take over what :meth:`states` gave, from any device and precision; else forget."""
        with use_device(self.device):
            for index, parameter in enumerate(self.parameters):
                state = states.get(parameter, {"step": 0})
                self.steps[index] = state["step"]
                for name in names:
                    memory, given = self.memory(name)[self.stretches[index]], state.get(name)
                    memory[...] = 0 if given is None else to_device(given, self.device).reshape(-1)


def _joined(vectors: Sequence[Array], room: Array) -> Array:
    """Vectors one after the other, in an array that they fill."""
    if type(room) is HostArray or not gpu.join(vectors, room):
        array_module(room).concatenate(vectors, out=room)
    return room


def as_tensors(name: str, what: str, parameters: Any) -> list[Tensor]:
    """A Tensor or several as a list."""
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    if not isinstance(parameters, Iterable) or isinstance(parameters, str):
        raise TypeError(f"{name}: {what!r} must be tensors, got {type(parameters).__name__}")
    found = list(parameters)
    for i, parameter in enumerate(found):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{name}: parameter {i} is a {type(parameter).__name__}, no Tensor")
    return found


def single_gradients(name: str, parameters: Sequence[Tensor], gradients: Any) -> list[Array | None]:
    """The gradients' arrays, one a parameter; each parameter's ``grad`` if none are given."""
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
            require_fit(f"{name}: gradient {i}", array, parameter, parameter.data.shape)
        arrays.append(array)
    return arrays


def one_gradient(name: str, parameters: Sequence[Tensor], gradient: Any) -> Array:
    """The array that holds all gradients end to end, of every parameter's dtype and device."""
    array = gradient.data if isinstance(gradient, Tensor) else gradient
    size = sum(parameter.size for parameter in parameters)
    for parameter in parameters:
        require_fit(f"{name}: the gradient of all parameters", array, parameter, (size,))
    return array


def require_fit(
    what: str, array: Any, parameter: Tensor, shape: tuple[int, ...], anywhere: bool = False
) -> None:
    """Raise unless an array has a shape, and a parameter's dtype and (not ``anywhere``) device."""
    data = parameter.data
    if type(array) is not HostArray or type(data) is not HostArray:
        if not is_array(array):
            raise TypeError(f"{what} must be an array or Tensor, got {type(array).__name__}")
        if not anywhere and device_of(array) != parameter.device:
            raise TypeError(f"{what} is on {device_of(array)}, the parameter on {parameter.device}")
    if array.shape != shape:
        raise ValueError(f"{what} has shape {array.shape}, expected {shape}")
    if array.dtype != data.dtype:
        raise TypeError(f"{what} is {array.dtype}, expected {data.dtype}")


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale the parameters' ``grad``, in place, to a length of at most ``max_norm`` together.

    The length is that of all gradients taken as one vector, by the p-norm with p the ``norm_type``:
    positive, ``math.inf`` for the largest magnitude. What it was before is returned, without
    dimensions. ``parameters`` are a Tensor or several; those without ``grad`` are passed over. A
    TypeError or ValueError says that something is no Tensor, or a number out of range. With
    ``error_if_nonfinite`` a RuntimeError says that the length is NaN or infinite, which waits for
    the device.

    Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
    2013, section 3.2.

    >>> from minigrad import Tensor, optim
    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x / 2).sum().backward()
    >>> optim.clip_grad_norm_([x], max_norm=1.0)
    Tensor(5.)
    >>> x.grad.data.round(3)
    array([0.6, 0.8], dtype=float32)
    """
    name = "clip_grad_norm_"
    require_number(name, "max_norm", max_norm, minimum=0.0)
    require_number(name, "norm_type", norm_type, minimum=0.0)
    if norm_type == 0:
        raise ValueError(f"{name}: norm_type must be positive, got {norm_type}")
    found = as_tensors(name, "parameters", parameters)
    gradients = [parameter.grad for parameter in found if parameter.grad is not None]
    if not gradients:
        return Tensor(0.0)
    arrays = [gradient.data for gradient in gradients]
    with use_device(common_device(*arrays, name=name)):
        length = _length(arrays, float(norm_type))
        if error_if_nonfinite and not math.isfinite(length):
            raise RuntimeError(f"{name}: the gradients' length is {float(length)}")
        # Scaling by 1 where nothing is to do, rather than asking: asking waits for the device.
        scale = array_module(*arrays).minimum(float(max_norm) / (length + 1e-6), 1.0)
        for gradient, array in zip(gradients, arrays):
            array *= scale
            mark_written(gradient)
    return Tensor(length)


def _length(arrays: list[Array], norm_type: float) -> Array:
    """The p-norm of all arrays as one vector, without dimensions."""
    xp = array_module(*arrays)
    vectors = [array.reshape(-1) for array in arrays]
    size = sum(vector.size for vector in vectors)
    room = xp.empty(size, xp.result_type(*vectors)) if len(vectors) > 1 else None
    vector = vectors[0] if room is None else _joined(vectors, room)
    if norm_type == math.inf and vector.size:
        return xp.abs(vector).max()
    if norm_type in (2, math.inf):  # infinity here of no elements, whose largest is 0
        return xp.sqrt((vector * vector).sum())
    return (xp.abs(vector) ** norm_type).sum() ** (1 / norm_type)
