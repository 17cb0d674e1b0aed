"""Adam for libraries that bring none, on arrays of any of them."""

from __future__ import annotations

from typing import Any

from ..problems import LEARNING_RATE

__all__ = ["adam_step", "first_state"]

Arrays = dict[str, Any]


def first_state(xp: Any, weights: Arrays) -> tuple[Arrays, Arrays, Arrays, float]:
    """Weights, both running means, and the number of steps."""
    zeros = {name: xp.zeros_like(value) for name, value in weights.items()}
    return weights, zeros, zeros, 0.0


def adam_step(xp: Any, state: tuple, gradients: Arrays) -> tuple[Arrays, Arrays, Arrays, float]:
    """Kingma and Ba's algorithm 1, in PyTorch's order of operations; gives a new state."""
    weights, means, squares, step = state
    step = step + 1
    rate = LEARNING_RATE / (1 - 0.9**step)
    root = (1 - 0.999**step) ** 0.5
    new: tuple[Arrays, Arrays, Arrays] = ({}, {}, {})
    for name, gradient in gradients.items():
        new[1][name] = 0.9 * means[name] + (1 - 0.9) * gradient
        new[2][name] = 0.999 * squares[name] + (1 - 0.999) * gradient * gradient
        denominator = xp.sqrt(new[2][name]) / root + 1e-8
        new[0][name] = weights[name] - rate * new[1][name] / denominator
    return (*new, step)
