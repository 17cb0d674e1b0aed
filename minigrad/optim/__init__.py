"""Optimisers, learning-rate schedules and gradient clipping, as in PyTorch.

Reading order: ``sgd.py`` and ``adam.py`` (the formulas), ``optimizer.py`` (what they share),
``flat.py`` (all parameters in one array), ``schedules.py``, ``clip.py``.
"""

from minigrad.optim.algorithms import SGD, Adam, AdamW
from minigrad.optim.clip import clip_grad_norm_, clip_gradients_
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.schedules import CosineAnnealingLR, Schedule, StepLR

__all__ = [
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "Optimizer",
    "SGD",
    "Schedule",
    "StepLR",
    "clip_grad_norm_",
    "clip_gradients_",
]
