"""The formulas: stochastic gradient descent, Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from minigrad.backend import Array, HostArray, array_module, require_number, shown
from minigrad.kernels import gpu
from minigrad.optim.optimizer import Group, Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    With gradient g, parameter p, momentum buffer b and the options' letters::

        g <- g + weight_decay p
        b <- momentum b + (1 - dampening) g         (b = g at the first step, and without momentum)
        p <- p - lr b                               (nesterov: p - lr (g + momentum b))

    ``params`` and errors are those of :class:`Optimizer`. ``weight_decay`` is the factor of
    ``p^2 / 2`` added to the loss; ``nesterov`` needs momentum, and no dampening.

    Source: Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum
    in deep learning", 2013, section 2, with the learning rate outside the buffer.

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
        options = {"lr": lr, "momentum": momentum, "dampening": dampening}
        super().__init__(params, {**options, "weight_decay": weight_decay, "nesterov": nesterov})

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            require_number("SGD", name, options[name], minimum=0.0, finite=True)
        require_number("SGD", "dampening", options["dampening"], finite=True)
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


class Adam(Optimizer):
    """Steps of about ``lr`` in every element, whatever the size of its gradient.

    With gradient g, parameter p, running means m of g and v of g squared, and step number t::

        g <- g + weight_decay p
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        p <- p - lr m' / (sqrt(v') + eps)       m' = m / (1 - beta1^t)   v' = v / (1 - beta2^t)

    m and v start at 0 and so are too small at first, by exactly the factors m' and v' undo.

    ``params`` and errors are those of :class:`Optimizer`. ``betas`` are beta1 and beta2, in [0, 1);
    ``weight_decay`` is the factor of ``p^2 / 2`` added to the loss.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.

    >>> from minigrad import Tensor, optim
    >>> x = Tensor([1.0, 1000.0], requires_grad=True)
    >>> optimizer = optim.Adam([x], lr=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 3) for value in x.data.tolist()]
    [0.5, 999.5]
    """

    memories: ClassVar[tuple[str, ...]] = ("exp_avg", "exp_avg_sq")  # m and v
    decoupled: ClassVar[bool] = False  # whether weight decay leaves the gradient alone

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name in ("lr", "eps", "weight_decay"):
            require_number(self.name, name, options[name], minimum=0.0, finite=True)
        betas = options["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise TypeError(f"{self.name}: betas must be a pair of numbers, got {shown(betas)}")
        for name, beta in zip(("beta1", "beta2"), betas):
            require_number(self.name, name, beta, minimum=0.0, below=1.0)

    def update(
        self, group: Group, step: int, values: Array, gradient: Array, memory: dict[str, Array]
    ) -> None:
        """The four lines above, the corrections gathered into two numbers.

        ``m' / (sqrt(v') + eps) = c m / (sqrt(v) + r eps)`` with ``r = sqrt(1 - beta2^t)`` and
        ``c = r / (1 - beta1^t)``.
        """
        lr, eps, decay = (float(group[name]) for name in ("lr", "eps", "weight_decay"))
        beta1, beta2 = map(float, group["betas"])
        mean, mean_square = memory["exp_avg"], memory["exp_avg_sq"]
        if type(values) is not HostArray:
            numbers = [lr, beta1, beta2, eps, decay]
            if gpu.adam(values, gradient, mean, mean_square, step, numbers, self.decoupled):
                return  # a kernel has done it in one launch; without one, the lines below do
        xp = array_module(values)
        root = math.sqrt(1 - beta2**step)
        if decay:
            if self.decoupled:
                values *= 1 - lr * decay
            else:
                gradient = gradient + decay * values
        mean *= beta1
        work = (1 - beta1) * gradient  # one array for all results on the way: it stays in the cache
        mean += work
        mean_square *= beta2
        xp.multiply(1 - beta2, gradient, out=work)
        work *= gradient
        mean_square += work
        xp.sqrt(mean_square, out=work)
        work += root * eps
        xp.divide(mean, work, out=work)
        work *= lr * root / (1 - beta1**step)
        values -= work


class AdamW(Adam):
    """Adam with weight decay outside the gradient: ``p <- (1 - lr weight_decay) p``, then Adam.

    In :class:`Adam` the decay is divided by ``sqrt(v)`` with the gradient, so elements with large
    gradients hardly decay; here all decay alike. Parameters and errors are those of :class:`Adam`,
    but that ``weight_decay`` is the share of each parameter lost a step, as a multiple of ``lr``.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.

    >>> from minigrad import Tensor, optim
    >>> x = Tensor([1.0], requires_grad=True)
    >>> optim.AdamW([x], lr=0.5, weight_decay=0.5).step([Tensor([0.0])])
    >>> x.detach()
    Tensor([0.75])
    """

    decoupled: ClassVar[bool] = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
