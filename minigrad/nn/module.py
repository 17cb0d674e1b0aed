"""Module: a function with parameters, made of other modules."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from minigrad.backend import Device, HostArray, device_of, to_device, to_numpy, use_device
from minigrad.engine import mark_written
from minigrad.nn.arguments import device_or_dtype
from minigrad.nn.parameter import Parameter
from minigrad.nn.state import IncompatibleKeys, checked_values

Self = TypeVar("Self", bound="Module")


class Module:
    """The base of every layer and model: subclass it, assign layers, write ``forward``.

    Nothing is registered anywhere: parameters and children *are* the attributes, in the order
    they were first assigned. (Those inside a plain list are not found; use :class:`Sequential`.)

    Attributes
    ----------
    training : bool
        Set for the whole tree by ``train`` and ``eval``.

    Examples
    --------
    >>> from minigrad import Tensor, nn
    >>> class Line(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = nn.Parameter([2.0])
    ...         self.offset = nn.Parameter([1.0])
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(Tensor([3.0])).detach()
    Tensor([7.])
    >>> [name for name, parameter in line.named_parameters()]
    ['slope', 'offset']
    """

    training: bool = True

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's result; what calling the module calls."""
        raise NotImplementedError(f"{type(self).__name__}: forward is not written")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def __setattr__(self, name: str, value: Any) -> None:
        is_parameter = isinstance(vars(self).get(name), Parameter)
        if is_parameter and value is not None and not isinstance(value, Parameter):
            raise TypeError(
                f"{type(self).__name__}: {name} is a Parameter; assign another Parameter, or "
                f"write into it with {name}.copy_(...), got {type(value).__name__}"
            )
        if isinstance(value, Module) and value._contains(self):
            raise ValueError(
                f"{type(self).__name__}: {name} cannot be a {type(value).__name__} that is or "
                "contains this module: it would contain itself"
            )
        super().__setattr__(name, value)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules assigned to attributes, each once, with the attribute's name."""
        seen = set()
        for name, value in self._attributes(Module):
            if value not in seen:
                seen.add(value)
                yield name, value

    def children(self) -> Iterator[Module]:
        """The modules assigned to attributes, each once."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and every module below it, each once, with its dotted path.

        Examples
        --------
        >>> from minigrad import nn
        >>> [path for path, module in nn.Sequential(nn.ReLU(), nn.Tanh()).named_modules()]
        ['', '0', '1']
        """
        seen = set()
        for path, module in self._walk(prefix):
            if module not in seen:
                seen.add(module)
                yield path, module

    def modules(self) -> Iterator[Module]:
        """This module and every module below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters, each once even if shared, with their names in ``state_dict``.

        Parameters
        ----------
        prefix : str
            Put before every name, with a dot.
        recurse : bool
            Also those of the modules below.

        Examples
        --------
        >>> from minigrad import nn
        >>> for name, parameter in nn.Sequential(nn.Linear(3, 2)).named_parameters():
        ...     print(name, parameter.shape)
        0.weight (2, 3)
        0.bias (2,)
        """
        seen = set()
        for name, parameter in self._all_parameters(prefix, recurse):
            if parameter not in seen:
                seen.add(parameter)
                yield name, parameter

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once even if shared: what an optimiser is given.

        Examples
        --------
        >>> from minigrad import nn
        >>> sum(parameter.size for parameter in nn.Linear(3, 2).parameters())
        8
        """
        return (parameter for _, parameter in self.named_parameters("", recurse))

    def train(self: Self, mode: bool = True) -> Self:
        """Put the module and those below into training mode (or evaluation); returns itself.

        Examples
        --------
        >>> from minigrad import nn
        >>> nn.Sequential(nn.ReLU()).train(False)[0].training
        False
        """
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self: Self) -> Self:
        """Put the module and those below into evaluation mode; returns itself."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Ask for the gradients of all parameters, or hold them fixed; returns the module.

        Examples
        --------
        >>> from minigrad import nn
        >>> nn.Linear(2, 1).requires_grad_(False).weight.requires_grad
        False
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forget every parameter's ``grad``."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self: Self, *targets: Any) -> Self:
        """Move every parameter to a device, to another precision, or both; in place.

        Parameters
        ----------
        *targets : str, Device or numpy dtype
            ``"cpu"``, ``"cuda:1"``, ``"float64"``, ``numpy.float32``, ...

        Returns
        -------
        Module
            The module itself. Its parameters are the same objects with other arrays.

        Raises
        ------
        TypeError
            If a target is neither, or no floating point dtype.
        RuntimeError
            If the device cannot be used.

        Examples
        --------
        >>> from minigrad import nn
        >>> nn.Linear(2, 1).to("cpu", "float64").weight.dtype
        dtype('float64')
        """
        moves = [device_or_dtype(f"{type(self).__name__}.to", target) for target in targets]
        tensors = [t for p in self.parameters() for t in (p, p.grad) if t is not None]
        moved = []
        for tensor in tensors:
            array = tensor.data
            for move in moves:
                if isinstance(move, Device):
                    array = to_device(array, move)
                else:
                    with use_device(device_of(array)):
                        array = array.astype(move, copy=False)
            moved.append(array)
        for tensor, array in zip(tensors, moved):
            if array is not tensor.data:
                tensor.data = array
                mark_written(tensor)
        return self

    def state_dict(self) -> dict[str, HostArray]:
        """A copy of every parameter, on the host, under its dotted name.

        Names and shapes are PyTorch's, so that weights move to the same network there with
        ``network.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})``. Being
        copies, they do not change when training goes on.

        Returns
        -------
        dict of str to numpy.ndarray

        Examples
        --------
        >>> from minigrad import nn
        >>> {k: v.shape for k, v in nn.Sequential(nn.Linear(3, 2)).state_dict().items()}
        {'0.weight': (2, 3), '0.bias': (2,)}
        """
        return {name: to_numpy(p.data).copy() for name, p in self._all_parameters()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Take over parameters saved by ``state_dict``, here or in PyTorch.

        Everything is checked first: if an error is raised, nothing was changed.

        Parameters
        ----------
        state_dict : mapping of str to array
            NumPy or CuPy arrays, Tensors, or PyTorch's tensors, on any device; the parameters
            stay where they are.
        strict : bool
            Raise if a name is missing or unexpected. Shapes and dtypes must fit in any case.

        Returns
        -------
        IncompatibleKeys
            The ``missing_keys`` and ``unexpected_keys``: both empty if ``strict``.

        Raises
        ------
        ValueError
            If names are missing or unexpected, or a shape differs.
        TypeError
            If a value is no array, or has another dtype.

        Examples
        --------
        >>> from minigrad import nn
        >>> saved, fresh = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> fresh.load_state_dict(saved.state_dict())
        <All keys matched successfully>
        """
        parameters = dict(self._all_parameters())
        values, keys = checked_values(type(self).__name__, parameters, state_dict, strict)
        for name, array in values.items():
            parameters[name].copy_(array)
        return keys

    def extra_repr(self) -> str:
        """The options shown between the parentheses of ``repr``."""
        return ""

    @reprlib.recursive_repr("(contains itself)")
    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}" for name, child in self._attributes(Module)]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        if self.extra_repr():
            lines.insert(0, self.extra_repr())
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"

    def _attributes(self, kind: type) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, kind)]

    def _contains(self, module: Module) -> bool:
        """Whether a module is this one or one below it."""
        waiting, seen = [self], {id(self)}
        while waiting:
            one = waiting.pop()
            if one is module:
                return True
            below = [child for _, child in one._attributes(Module) if id(child) not in seen]
            seen.update(map(id, below))
            waiting += below
        return False

    def _walk(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and those below, with their paths; one met along two paths comes twice."""
        yield prefix, self
        above, children = {id(self)}, [(self, prefix, iter(self._attributes(Module)))]
        while children:
            module, path, rest = children[-1]
            name, child = next(rest, (None, None))
            if child is None:
                above.discard(id(module))
                children.pop()
                continue
            path = f"{path}.{name}" if path else name
            if id(child) in above:  # assignment refuses it, but ``vars(module)`` takes anything
                raise ValueError(f"{type(self).__name__}: {path} contains itself")
            yield path, child
            above.add(id(child))
            children.append((child, path, iter(child._attributes(Module))))

    def _all_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every parameter under every name it has."""
        for path, module in self._walk(prefix) if recurse else [(prefix, self)]:
            for name, parameter in module._attributes(Parameter):
                yield (f"{path}.{name}" if path else name), parameter
