"""What the laboratory computes with: networks that ship, and densities fitted to their latents.

``laboratory.npz`` holds the Gaussians and mixtures of `demos/density_ladder.py` at d = 8; the
network of the diffusion ships with the others. When the weights of the autoencoder change,
``python demos/train_weights.py --only laboratory --write`` makes the file again.
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
from autoencoder.lecture.densities import COMPONENTS, DIFFUSION, RUNGS, fit_rung
from autoencoder.models import AutoEncoder, Denoiser
from autoencoder.storage.checkpoint import (
    CheckpointError,
    digest_of,
    load_checkpoint,
    save_checkpoint,
)
from autoencoder.storage.weights import load_weights

__all__ = ["FITTED", "shipped_laboratory", "write_fitted"]

FITTED = Path(__file__).with_name("laboratory.npz")
KIND = "densities fitted to the latents of a network that ships"
SIZE = 8  # latents of the network whose densities are sampled
KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    RUNGS[0]: (DiagonalGaussian, ("mean", "std")),
    RUNGS[1]: (FullGaussian, ("mean", "covariance")),
    **dict.fromkeys(COMPONENTS, (GaussianMixture, ("weights", "means", "covariances"))),
}
"""What each density is made from again: its class, and the names of its parameters."""

FILL = 0.5  # what the restorer was trained to see in place of an erased pixel


def shipped_laboratory(dataset: Dataset) -> Laboratory:
    """The laboratory that ships, with test images of MNIST.

    CheckpointError if a file is damaged, or ``laboratory.npz`` is of other weights than those that
    ship; OSError if one is missing.
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
    latents = encode(model, dataset.images("train"))
    arrays = {}
    for name, (_, parameters) in KINDS.items():
        density = fit_rung(name, latents, seed=0)
        arrays |= {_key(name, each): numpy.asarray(getattr(density, each)) for each in parameters}
    facts = {"kind": KIND, "of": _digest(model), **shipped.made_by("laboratory")}
    save_checkpoint(path, arrays, facts)


def _key(name: str, parameter: str) -> str:
    """Under which name the file has a density's parameter."""
    return f"density/{RUNGS.index(name)}/{parameter}"


def _loaded(model: Any, name: str) -> Any:
    load_weights(shipped.FOLDER / "weights" / f"{name}.npz", model)
    return model


def _autoencoder(size: int) -> AutoEncoder:
    return _loaded(AutoEncoder(size), f"autoencoder-d{size}")


def _digest(model: AutoEncoder) -> str:
    """By which the file knows the network to whose latents the densities were fitted."""
    return digest_of(*model.state_dict().values())


def _diffusion(latents: Any) -> LatentDiffusion:
    """The diffusion over latents that have the mean and standard deviations of a Gaussian."""
    density = LatentDiffusion()
    network = _loaded(VelocityNetwork(SIZE, density.hidden), f"latent-diffusion-d{SIZE}")
    density.network, density.mean, density.std = network, latents.mean, latents.std
    return density


def _read_fitted(model: AutoEncoder, path: Path) -> dict[str, Density]:
    """The densities over a network's latents, by name."""
    expected = {"kind": KIND, "of": _digest(model)}
    arrays, _ = load_checkpoint(path, expected_metadata=expected, require_finite=True)
    densities: dict[str, Density] = {}
    try:
        for name, (kind, parameters) in KINDS.items():
            densities[name] = kind(*(arrays[_key(name, each)] for each in parameters))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(str(path), "arrays", f"are incomplete: {error}") from error
    return {**densities, DIFFUSION: _diffusion(densities[RUNGS[0]])}
