"""Learning rates that change while training goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from minigrad.backend import require_number, shown, whole_number
from minigrad.optim.optimizer import Optimizer


class Schedule:
    """Sets the learning rate of an optimiser's groups; call ``step`` after each epoch (or batch).

    A subclass names its options in ``options`` and writes ``next_rate``, from the last rate: so
    several schedules of one ``optimizer`` multiply, as in PyTorch. ``last_epoch`` is how often
    ``step`` was called, ``base_lrs`` the rate of each group in the beginning.

    >>> from minigrad import nn, optim
    >>> class Halving(optim.schedules.Schedule):
    ...     def next_rate(self, rate, base):
    ...         return rate / 2
    >>> schedule = Halving(optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.05]
    """

    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            kind = type(optimizer).__name__
            raise TypeError(f"{type(self).__name__}: expected an optimiser, got {kind}")
        self.check_options({name: getattr(self, name) for name in self.options})
        self.optimizer = optimizer
        self.last_epoch = 0
        self.base_lrs = self.get_last_lr()

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError or TypeError if an option is out of its range."""

    def next_rate(self, rate: float, base: float) -> float:
        """The rate at ``last_epoch``, from the one before and the one in the beginning."""
        raise NotImplementedError(f"{type(self).__name__}: next_rate is not written")

    def step(self) -> None:
        """Go on by one epoch: give every group its new learning rate."""
        self.last_epoch += 1
        for group, base in zip(self.optimizer.param_groups, self.base_lrs):
            group["lr"] = self.next_rate(float(group["lr"]), base)

    def get_last_lr(self) -> list[float]:
        """The learning rate each group has now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The options, the epoch and the first rates. The rates now are with the optimiser's."""
        state = {name: getattr(self, name) for name in self.options}
        return {**state, "last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` saved; load the optimiser's as well.

        A TypeError or ValueError says that it was saved by another schedule or for other groups.
        Nothing was changed then.
        """
        name = f"{type(self).__name__}.load_state_dict"
        expected = {*self.options, "last_epoch", "base_lrs"}
        if not isinstance(state_dict, Mapping) or set(state_dict) != expected:
            raise ValueError(
                f"{name}: expected a dict of {sorted(expected)}, got {shown(state_dict)}"
            )
        if len(state_dict["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"{name}: {len(state_dict['base_lrs'])} groups saved, {len(self.base_lrs)} here"
            )
        self.check_options(state_dict)
        whole_number(name, "last_epoch", state_dict["last_epoch"], minimum=0)
        for rate in state_dict["base_lrs"]:
            require_number(name, "base_lrs", rate, minimum=0.0, finite=True)
        for option, value in state_dict.items():
            setattr(self, option, list(value) if option == "base_lrs" else value)


class StepLR(Schedule):
    """Multiply the learning rate of an ``optimizer`` by ``gamma`` every ``step_size`` epochs.

    >>> from minigrad import Tensor, optim
    >>> optimizer = optim.SGD([Tensor([0.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     schedule.step()
    ...     print(schedule.get_last_lr())
    [1.0]
    [0.5]
    [0.5]
    [0.25]
    """

    options: ClassVar[tuple[str, ...]] = ("step_size", "gamma")

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def check_options(self, options: Mapping[str, Any]) -> None:
        whole_number("StepLR", "step_size", options["step_size"], minimum=1)
        require_number("StepLR", "gamma", options["gamma"], minimum=0.0, finite=True)

    def next_rate(self, rate: float, base: float) -> float:
        """``gamma`` times the rate, if a multiple of ``step_size`` is reached."""
        return rate if self.last_epoch % self.step_size else rate * self.gamma


class CosineAnnealingLR(Schedule):
    """Lower the learning rate of an ``optimizer`` along half a cosine wave.

    With t the epoch: ``lr = eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2``. So it reaches
    ``eta_min`` at epoch ``T_max``; then it rises again along the wave.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    equation 5, without the restarts.

    >>> from minigrad import Tensor, optim
    >>> optimizer = optim.SGD([Tensor([0.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.CosineAnnealingLR(optimizer, T_max=2)
    >>> for epoch in range(2):
    ...     schedule.step()
    ...     print(round(schedule.get_last_lr()[0], 12))
    0.5
    0.0
    """

    options: ClassVar[tuple[str, ...]] = ("T_max", "eta_min")

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def check_options(self, options: Mapping[str, Any]) -> None:
        whole_number("CosineAnnealingLR", "T_max", options["T_max"], minimum=1)
        require_number("CosineAnnealingLR", "eta_min", options["eta_min"], minimum=0.0, finite=True)

    def next_rate(self, rate: float, base: float) -> float:
        """The rate's distance from ``eta_min`` goes as ``1 + cos``; from 0 it is set afresh."""
        before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        now = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        if (self.last_epoch - 1) % (2 * self.T_max) == self.T_max:
            return self.eta_min + (base - self.eta_min) * now / 2
        return self.eta_min + (rate - self.eta_min) * now / before
