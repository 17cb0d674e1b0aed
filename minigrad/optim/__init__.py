"""Optimisers, learning-rate schedules and gradient clipping, as in PyTorch.

Reading order: ``algorithms.py`` (the formulas), ``optimizer.py`` (what they share), ``flat.py``
(all parameters in one array; clipping), ``schedules.py``.
"""

from minigrad.optim.algorithms import SGD, Adam, AdamW
from minigrad.optim.flat import clip_grad_norm_
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.schedules import CosineAnnealingLR, Schedule, StepLR

__all__ = [
    "Adam", "AdamW", "CosineAnnealingLR", "Optimizer", "SGD", "Schedule", "StepLR",
    "clip_grad_norm_",
]  # fmt: skip
