"""Optimisers, learning-rate schedules and gradient clipping, as in PyTorch.

Reading order: ``sgd.py`` and ``adam.py`` (the formulas), ``optimizer.py`` (what they share),
``flat.py`` (all parameters in one array), ``schedules.py``, ``clip.py``.
"""

from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_gradients_
from .optimizer import Optimizer
from .schedules import CosineAnnealingLR, Schedule, StepLR
from .sgd import SGD

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
