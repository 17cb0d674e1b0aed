"""Module: a function with parameters, made of other modules. Sequential: one after the other.

Saved parameters are checked against a module before any of them is taken over.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, overload

import numpy

from minigrad.backend import (
    HostArray,
    as_array,
    cut,
    is_array,
    named_device,
    shown,
    to_numpy,
    whole_number,
)
from minigrad.engine import Tensor, mark_written
from minigrad.nn.parameter import Parameter, parameter_dtype

Self = TypeVar("Self", bound="Module")
Named = TypeVar("Named", bound="Module | Parameter")


class Module:
    """The base of every layer and model: subclass it, assign layers, write ``forward``.

    Nothing is registered anywhere: parameters and children *are* the attributes, in the order
    they were first assigned. (Those inside a plain list are not found; use :class:`Sequential`.)
    ``training`` is set for the whole tree by ``train`` and ``eval``.

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

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
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
        return each_once(self._attributes(Module))

    def children(self) -> Iterator[Module]:
        """The modules assigned to attributes, each once."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and every module below it, each once, with its dotted path.

        >>> from minigrad import nn
        >>> [path for path, module in nn.Sequential(nn.ReLU(), nn.Tanh()).named_modules()]
        ['', '0', '1']
        """
        return each_once(self._walk(prefix))

    def modules(self) -> Iterator[Module]:
        """This module and every module below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters, each once even if shared, with their names in ``state_dict``.

        ``prefix`` is put before every name, with a dot; ``recurse`` asks for those of the modules
        below too.

        >>> from minigrad import nn
        >>> for name, parameter in nn.Sequential(nn.Linear(3, 2)).named_parameters():
        ...     print(name, parameter.shape)
        0.weight (2, 3)
        0.bias (2,)
        """
        return each_once(self._all_parameters(prefix, recurse))

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once even if shared: what an optimiser is given."""
        return (parameter for _, parameter in self.named_parameters("", recurse))

    def train(self: Self, mode: bool = True) -> Self:
        """Put the module and those below into training mode (or evaluation); returns itself."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self: Self) -> Self:
        """Put the module and those below into evaluation mode; returns itself."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Ask for the gradients of all parameters, or hold them fixed; returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forget every parameter's ``grad``."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self: Self, *targets: Any) -> Self:
        """Move every parameter to a device, to another precision, or both; in place.

        Targets are ``"cpu"``, ``"cuda:1"``, ``"float64"``, ``numpy.float32``, ... The result is the
        module itself; its parameters are the same objects with other arrays. A TypeError says that
        a target is neither or no floating point dtype, a RuntimeError why a device cannot be used.

        >>> from minigrad import nn
        >>> nn.Linear(2, 1).to("cpu", "float64").weight.dtype
        dtype('float64')
        """
        name, place, dtype = f"{type(self).__name__}.to", None, None
        for target in targets:
            named = named_device(target)
            place = named or place
            if isinstance(target, Tensor) or target is None:
                kind = type(target).__name__
                raise TypeError(f"{name}: expected a device or a dtype, got {kind}")
            if named is None:
                dtype = parameter_dtype(name, target, "a device or a dtype")
        tensors = [t for p in self.parameters() for t in (p, p.grad) if t is not None]
        moved = [as_array(tensor.data, dtype, place) for tensor in tensors]
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

        >>> from minigrad import nn
        >>> {k: v.shape for k, v in nn.Sequential(nn.Linear(3, 2)).state_dict().items()}
        {'0.weight': (2, 3), '0.bias': (2,)}
        """
        return {name: to_numpy(p.data).copy() for name, p in self._all_parameters()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Take over parameters saved by ``state_dict``, here or in PyTorch.

        Values are NumPy or CuPy arrays, Tensors, or PyTorch's tensors, on any device; the
        parameters stay where they are. If ``strict``, a ValueError names what is missing or
        unexpected; if not, the result does. Shapes and dtypes must fit in any case: a ValueError
        names another shape, a TypeError another dtype. Nothing was changed then.

        >>> from minigrad import nn
        >>> saved, fresh = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> fresh.load_state_dict(saved.state_dict())
        <All keys matched successfully>
        """
        caller = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{caller}: expected a mapping, got {type(state_dict).__name__}")
        parameters = dict(self._all_parameters())
        missing = [name for name in parameters if name not in state_dict]
        unexpected = [name for name in state_dict if name not in parameters]
        problems: list[Exception] = []
        if strict:
            problems += [ValueError(f"missing {name}") for name in missing]
            # Looking for what was meant takes long where there are many names, or long ones.
            for i, name in enumerate(cut(str(name)) for name in unexpected):
                close = difflib.get_close_matches(name, missing, 1, 0.5) if i < 10 else []
                meant = f" (did you mean {close[0]}?)" if close else ""
                problems.append(ValueError(f"unexpected {name}{meant}"))
        values = {}
        for name in (name for name in parameters if name in state_dict):
            try:
                value = values[name] = as_numpy(state_dict[name])
            except TypeError as error:
                problems.append(TypeError(f"{name}: {error}"))
                continue
            shape, dtype = parameters[name].shape, parameters[name].dtype
            if value.shape != shape:
                problems.append(ValueError(f"{name}: expected shape {shape}, got {value.shape}"))
            elif value.dtype != dtype:
                problems.append(TypeError(f"{name}: expected {dtype}, got {value.dtype}"))
        if problems:
            are_types = all(isinstance(problem, TypeError) for problem in problems)
            more = f"; and {len(problems) - 20} more" if len(problems) > 20 else ""
            text = "; ".join(map(str, problems[:20])) + more
            raise (TypeError if are_types else ValueError)(f"{caller}: {text}")
        for name, value in values.items():
            parameters[name].copy_(value)
        return IncompatibleKeys(missing, unexpected)

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
            name, child = next(rest, ("", None))
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


class Sequential(Module):
    """Pass the input through one module after the other.

    The ``modules`` are named "0", "1", ...; or one dict gives names and modules. A TypeError says
    that something is no module, a ValueError that a name has a dot or is taken.

    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Linear(784, 32), nn.ReLU())
    >>> model.append(nn.Linear(32, 784))
    Sequential(
      (0): Linear(in_features=784, out_features=32, bias=True)
      (1): ReLU()
      (2): Linear(in_features=32, out_features=784, bias=True)
    )
    >>> len(model), model[-1].out_features, len(model[:2])
    (3, 784, 2)
    """

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = dict(modules[0])
        else:
            named = {str(index): module for index, module in enumerate(modules)}
        for name, module in named.items():
            self._add(name, module)

    def _add(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"Sequential: expected modules, got {type(module).__name__}")
        if not isinstance(name, str) or "." in name or not name or hasattr(self, name):
            raise ValueError(f"Sequential: {shown(name)} cannot name a module, or is taken")
        setattr(self, name, module)

    def _modules(self) -> list[Module]:
        return [module for _, module in self._attributes(Module)]

    def forward(self, input: Any) -> Any:
        """The last module's result."""
        for module in self._modules():
            input = module(input)
        return input

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; returns the container."""
        number = len(self)
        while hasattr(self, str(number)):  # a slice keeps its modules' names
            number += 1
        self._add(str(number), module)
        return self

    def __len__(self) -> int:
        return len(self._modules())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module | Sequential:
        """One module, or a container of those in a slice, under the names they have here."""
        if isinstance(index, slice):
            return Sequential(dict(self._attributes(Module)[index]))
        return self._modules()[self._position(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        """Put another module in a place; it takes over the name."""
        if not isinstance(module, Module):
            raise TypeError(f"Sequential: expected a module, got {type(module).__name__}")
        name, _ = self._attributes(Module)[self._position(index)]
        setattr(self, name, module)

    def _position(self, index: int) -> int:
        position = whole_number("Sequential", "the index", index, minimum=None)
        if not -len(self) <= position < len(self):
            raise IndexError(f"Sequential: index {index} is out of range for {len(self)} modules")
        return position


class ModuleList(Sequential):
    """``modules`` in a list, whose parameters are found; ``forward`` is yours to write.

    >>> from minigrad import nn
    >>> layers = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 1)])
    >>> len(layers), [name for name, _ in layers.named_parameters()][:2]
    (2, ['0.weight', '0.bias'])
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__(*modules)

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError("ModuleList: call its modules; it does not know in which order")


def each_once(pairs: Iterable[tuple[str, Named]]) -> Iterator[tuple[str, Named]]:
    """Names and what they name, without those that had another name before."""
    seen = set()
    for name, value in pairs:
        if value not in seen:
            seen.add(value)
            yield name, value


class IncompatibleKeys(NamedTuple):
    """The names a state dict lacks, and those it has too many: what ``load_state_dict`` gives.

    >>> IncompatibleKeys(["bias"], [])
    IncompatibleKeys(missing_keys=['bias'], unexpected_keys=[])
    """

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


def as_numpy(value: Any) -> HostArray:
    """The values of an array or a tensor, also another library's, on the host."""
    value = value.data if isinstance(value, Tensor) else value
    if is_array(value):
        return to_numpy(value)
    for step in ("detach", "cpu"):  # PyTorch's: off the graph, off the GPU; then it converts
        value = getattr(value, step)() if hasattr(value, step) else value
    if not hasattr(value, "shape"):
        raise TypeError(f"expected an array, got {type(value).__name__}")
    try:
        return numpy.asarray(value)
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"cannot be turned into a NumPy array: {error}") from None
