"""Autoencoders on minigrad: models, data, training, densities and measures, under one name.

>>> from autoencoder import AutoEncoder, TrainingSettings, load, mse_per_pixel, reconstruct, train
>>> digits = load("mnist")
>>> model = AutoEncoder(latent_size=8)
>>> rows = train(model, digits.images("train", 100), TrainingSettings(epochs=1), quiet=True)
>>> test = digits.images("test", 10)
>>> mse_per_pixel(reconstruct(model, test), test) < 0.3
True

A name is looked up when it is first used, so ``import autoencoder`` itself costs nothing.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers
    from autoencoder.data.corruption import (
        EraseBlock,
        EraseHalf,
        EraseOneOf,
        ErasePixels,
        GaussianNoise,
    )
    from autoencoder.data.datasets import Dataset, load
    from autoencoder.densities import DiagonalGaussian, FullGaussian, GaussianMixture
    from autoencoder.inference import decode, denoise, encode, reconstruct
    from autoencoder.metrics import (
        energy_distance,
        frechet_distance,
        mse_per_pixel,
        nearest_neighbours,
        precision_recall,
        principal_angles,
        psnr,
        sum_per_sample,
    )
    from autoencoder.models import (
        AutoEncoder,
        Denoiser,
        DenseAutoEncoder,
        MLPAutoEncoder,
        SmoothAutoEncoder,
        mlp,
    )
    from autoencoder.pca import PCA
    from autoencoder.training import (
        Interrupted,
        TrainingDiverged,
        TrainingSettings,
        load_model,
        train,
    )

__all__ = [
    "PCA",
    "AutoEncoder",
    "Dataset",
    "DenseAutoEncoder",
    "Denoiser",
    "DiagonalGaussian",
    "EraseBlock",
    "EraseHalf",
    "EraseOneOf",
    "ErasePixels",
    "FullGaussian",
    "GaussianMixture",
    "GaussianNoise",
    "Interrupted",
    "MLPAutoEncoder",
    "SmoothAutoEncoder",
    "TrainingDiverged",
    "TrainingSettings",
    "decode",
    "denoise",
    "encode",
    "energy_distance",
    "frechet_distance",
    "load",
    "load_model",
    "mlp",
    "mse_per_pixel",
    "nearest_neighbours",
    "precision_recall",
    "principal_angles",
    "psnr",
    "reconstruct",
    "sum_per_sample",
    "train",
]

# Searched in this order.
_HOMES = (
    "models",
    "pca",
    "densities",
    "inference",
    "metrics",
    "data.corruption",
    "data.datasets",
    "training",
)


def looked_up(package: str, names: Sequence[str], homes: Sequence[str]) -> Callable[[str], Any]:
    """A package's ``__getattr__``: a name is looked up in its modules when it is first used."""

    def find(name: str) -> Any:
        if name in names:
            for home in homes:
                module = importlib.import_module(f"{package}.{home}")
                if name in vars(module):
                    found = vars(sys.modules[package])[name] = getattr(module, name)
                    return found
        near = difflib.get_close_matches(name, names)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise AttributeError(f"module {package!r} has no attribute {name!r}{hint}")

    return find


__getattr__ = looked_up(__name__, __all__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
