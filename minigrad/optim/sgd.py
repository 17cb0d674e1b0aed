"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minigrad.backend import Array
from minigrad.optim.groups import Group, require_number
from minigrad.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    With gradient g, parameter p, momentum buffer b and the options' letters::

        g <- g + weight_decay p
        b <- momentum b + (1 - dampening) g         (b = g at the first step)
        p <- p - lr b                               (nesterov: p - lr (g + momentum b))

    Parameters
    ----------
    params : iterable of Tensor, or of dicts
        See :class:`Optimizer`.
    lr : float
        The learning rate.
    momentum : float
        How much of the last steps' direction is kept.
    dampening : float
        How little of the new gradient enters it.
    weight_decay : float
        The factor of ``p^2 / 2`` added to the loss, for each element.
    nesterov : bool
        Look a step ahead; needs momentum, and no dampening.

    Raises
    ------
    TypeError, ValueError
        If there are no parameters, or an option is out of range.

    References
    ----------
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep
    learning", 2013, section 2, with the learning rate outside the buffer.

    Examples
    --------
    >>> from minigrad import Tensor, optim
    >>> x = Tensor([1.0], requires_grad=True)
    >>> optimizer = optim.SGD([x], lr=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.detach()
    Tensor([0.])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, options)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError or TypeError if an option is out of its range."""
        for name in ("lr", "momentum", "weight_decay"):
            require_number("SGD", name, options[name])
        require_number("SGD", "dampening", options["dampening"], minimum=float("-inf"))
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            raise ValueError("SGD: nesterov needs momentum, and no dampening")

    def memories_of(self, group: Group) -> tuple[str, ...]:
        """The momentum buffer, where there is momentum."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(
        self, group: Group, step: int, values: Array, gradient: Array, memory: dict[str, Array]
    ) -> None:
        """The three lines above."""
        momentum, dampening = float(group["momentum"]), float(group["dampening"])
        if group["weight_decay"]:
            gradient = gradient + float(group["weight_decay"]) * values
        if momentum:
            buffer = memory["momentum_buffer"]
            buffer *= momentum
            buffer += gradient * (1 - dampening) if dampening and step > 1 else gradient
            gradient = gradient + momentum * buffer if group["nesterov"] else buffer
        values -= float(group["lr"]) * gradient
