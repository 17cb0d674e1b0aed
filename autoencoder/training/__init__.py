"""Training: settings, the loop, its checkpoints and its record."""

from autoencoder.training.divergence import TrainingDiverged
from autoencoder.training.interrupts import Interrupted, stop_request
from autoencoder.training.loading import load_model
from autoencoder.training.loop import train
from autoencoder.training.settings import TrainingSettings, random_generator
from autoencoder.training.state import (
    CHECKPOINT,
    METRICS,
    Row,
    TrainingState,
    write_rows,
)

__all__ = [
    "CHECKPOINT",
    "METRICS",
    "Interrupted",
    "Row",
    "TrainingDiverged",
    "TrainingSettings",
    "TrainingState",
    "load_model",
    "random_generator",
    "stop_request",
    "train",
    "write_rows",
]
