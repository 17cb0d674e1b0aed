"""Sequential: modules one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, overload

from minigrad.backend import shown, whole_number
from minigrad.nn.module import Module


class Sequential(Module):
    """Pass the input through one module after the other.

    Parameters
    ----------
    *modules : Module
        Named "0", "1", ...; or one dict of names to modules.

    Raises
    ------
    TypeError
        If something is no module.
    ValueError
        If a name has a dot or is taken.

    Examples
    --------
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
