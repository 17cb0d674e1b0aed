"""What a training run checks before it changes anything."""

from __future__ import annotations

import errno
import os
from typing import Any

import numpy

from autoencoder.data.arguments import require_shape
from autoencoder.storage.atomic import WriteError
from autoencoder.training.settings import TrainingSettings
from minigrad import nn

__all__ = ["check_arguments"]


def check_arguments(
    model: Any, samples: Any, settings: Any, folder: str | os.PathLike[str] | None
) -> None:
    """Raise unless :func:`autoencoder.training.train` can work with these.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    WriteError
        If there is no such folder.

    Examples
    --------
    >>> check_arguments(nn.ReLU(), numpy.zeros((0, 2), "float32"), TrainingSettings(), None)
    Traceback (most recent call last):
        ...
    ValueError: train: there are no samples in (0, 2)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"train: the model must be a Module, got {type(model).__name__}")
    if not isinstance(settings, TrainingSettings):
        raise TypeError(f"train: settings must be TrainingSettings, got {type(settings).__name__}")
    if not isinstance(samples, numpy.ndarray) or samples.dtype != numpy.float32:
        kind = getattr(samples, "dtype", type(samples).__name__)
        raise TypeError(f"train: samples must be a float32 NumPy array, got {kind}")
    if samples.size == 0:
        raise ValueError(f"train: there are no samples in {samples.shape}")
    expected = getattr(model, "sample_shape", None)  # a model of one size of samples says so
    if expected is not None:
        require_shape(f"train: {type(model).__name__}", samples, expected)
    # Quick; and a sum of finite numbers that overflows is looked at more closely.
    if not numpy.isfinite(samples.sum()) and not numpy.isfinite(samples).all():
        raise ValueError(f"train: the samples {samples.shape} are not all finite")
    if folder is not None and not os.path.isdir(folder):
        path = os.fspath(folder)
        raise WriteError(errno.ENOENT, "it does not exist or is no folder", path)
