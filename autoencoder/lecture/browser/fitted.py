"""What the laboratory computes with: networks that ship, and densities fitted to their latents.

``laboratory.npz`` holds the densities of `demos/density_ladder.py` at d = 8. When the weights of
that network change, ``python demos/train_weights.py --only laboratory --write`` makes it again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy

from autoencoder.data.datasets import Dataset
from autoencoder.densities import (
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    LatentDiffusion,
)
from autoencoder.densities.diffusion import VelocityNetwork
from autoencoder.inference import encode
from autoencoder.lecture import shipped
from autoencoder.lecture.browser.laboratory import SHOWN, Density, Laboratory
from autoencoder.models import AutoEncoder, Denoiser
from autoencoder.storage.checkpoint import (
    CheckpointError,
    digest_of,
    load_checkpoint,
    save_checkpoint,
)
from autoencoder.storage.weights import load_weights
from autoencoder.training import TrainingSettings, random_generator

__all__ = ["FITTED", "fit_densities", "shipped_laboratory", "write_fitted"]

FITTED = Path(__file__).with_name("laboratory.npz")
COMMAND = "python demos/train_weights.py --only laboratory --write"
KIND = "densities fitted to the latents of a network that ships"
SIZE = 8  # latents of the network whose densities are sampled
MIXTURES = (10, 50)  # components
FILL = 0.5  # what the restorer was trained to see in place of an erased pixel
DIFFUSION_STEPS = 5_000


def shipped_laboratory(dataset: Dataset) -> Laboratory:
    """The laboratory that ships, with test images of MNIST.

    Raises
    ------
    CheckpointError
        If a file is damaged, or ``laboratory.npz`` is of other weights than those that ship.
    OSError
        If a file is missing.
    """
    autoencoders = {size: _autoencoder(size) for size in SHOWN}
    images = dataset.images("test", max(SHOWN.values()))
    return Laboratory(
        autoencoders,
        denoiser=_loaded(AutoEncoder(32), "denoiser-noise-0.5"),
        denoiser_wide=_loaded(Denoiser(), "denoiser-wide-noise-0.5"),
        restorer=_loaded(AutoEncoder(32), "restorer"),
        fill=FILL,
        densities=_read_fitted(autoencoders[SIZE], FITTED),
        latents={size: encode(autoencoders[size], images[:n]) for size, n in SHOWN.items()},
        images=images,
        labels=dataset.labels("test")[: len(images)],
    )


def write_fitted(dataset: Dataset, path: str | os.PathLike[str] = FITTED) -> None:
    """Fit the densities to the training images' latents, and write the file."""
    model = _autoencoder(SIZE)
    densities = fit_densities(encode(model, dataset.images("train")))
    arrays: dict[str, numpy.ndarray] = {}
    for number, density in enumerate(densities.values()):
        for name, array in _parameters(density).items():
            arrays[f"density/{number}/{name}"] = array
    metadata = {
        "kind": KIND,
        "of": _digest(model),
        "names": list(densities),
        "command": COMMAND,
        "seed": 0,
        "versions": shipped.versions(),
    }
    save_checkpoint(path, arrays, metadata)


def fit_densities(latents: numpy.ndarray) -> dict[str, Density]:
    """The rungs of the ladder, fitted to latents (N, d) as `demos/density_ladder.py` fits them."""
    mixtures = {
        f"mixture of {components}": GaussianMixture.fit(
            latents.astype("float64"),
            components,
            random_generator(0, "evaluation", 2, latents.shape[1], components),
        )
        for components in MIXTURES
    }
    epochs = max(1, round(DIFFUSION_STEPS * 256 / len(latents)))
    settings = TrainingSettings(
        epochs=epochs, batch_size=256, learning_rate=2e-3, schedule="cosine"
    )
    return {
        "diagonal Gaussian": DiagonalGaussian().fit(latents),
        "full Gaussian": FullGaussian().fit(latents),
        **mixtures,
        "latent diffusion": LatentDiffusion().fit(latents, settings),
    }


def _loaded(model: Any, name: str) -> Any:
    load_weights(shipped.FOLDER / "weights" / f"{name}.npz", model)
    return model


def _autoencoder(size: int) -> AutoEncoder:
    return _loaded(AutoEncoder(size), f"autoencoder-d{size}")


def _digest(model: AutoEncoder) -> str:
    """By which the file knows the network to whose latents the densities were fitted."""
    return digest_of(*model.state_dict().values())


def _parameters(density: Density) -> dict[str, numpy.ndarray]:
    """A density's parameters by name; a network's in half precision."""
    if isinstance(density, LatentDiffusion):
        assert isinstance(density.network, VelocityNetwork)
        weights = density.network.state_dict().items()
        halves = {f"network/{name}": array.astype("float16") for name, array in weights}
        return {"mean": density.mean, "std": density.std, **halves}
    if isinstance(density, GaussianMixture):
        names = ("weights", "means", "covariances")
    else:
        names = ("mean", "std" if isinstance(density, DiagonalGaussian) else "covariance")
    return {name: numpy.asarray(getattr(density, name)) for name in names}


def _density(parameters: dict[str, numpy.ndarray]) -> Density:
    """A density again, told by the names of its parameters."""
    if "weights" in parameters:
        return GaussianMixture(**parameters)
    if "covariance" in parameters:
        return FullGaussian(**parameters)
    weights = {
        name.removeprefix("network/"): array.astype("float32")
        for name, array in parameters.items()
        if name.startswith("network/")
    }
    if not weights:
        return DiagonalGaussian(**parameters)
    density = LatentDiffusion()
    network = VelocityNetwork(len(parameters["mean"]), density.hidden)
    network.load_state_dict(weights)
    density.network, density.mean, density.std = network, parameters["mean"], parameters["std"]
    return density


def _read_fitted(model: AutoEncoder, path: Path) -> dict[str, Density]:
    """The densities over a network's latents, by name."""
    expected = {"kind": KIND, "of": _digest(model)}
    arrays, metadata = load_checkpoint(path, expected_metadata=expected, require_finite=True)
    try:
        densities = {}
        for number, name in enumerate(metadata["names"]):
            start = f"density/{number}/"
            own = {k.removeprefix(start): a for k, a in arrays.items() if k.startswith(start)}
            densities[name] = _density(own)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(str(path), "arrays", f"are incomplete: {error}") from error
    return densities
