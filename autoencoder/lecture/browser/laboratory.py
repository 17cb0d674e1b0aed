"""The interactive part of the page: networks in half precision, and the JavaScript that runs them.

The pieces are beside this file. `network.js` is the forward pass, `densities.js` draws samples,
`digit.js` makes of a drawing what MNIST has; `latents.js`, `drawn.js`, `walk.js` and `samples.js`
are what the reader plays with. Nothing is loaded from elsewhere.

``laboratory.npz`` holds the Gaussians and mixtures of `demos/density_ladder.py` at d = 8; the
networks ship with the package. When the weights of the autoencoder change,
``python demos/train_weights.py --only laboratory --write`` makes the file again.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy

from autoencoder.data.arrays import require_shape
from autoencoder.data.datasets import Dataset
from autoencoder.densities import DiagonalGaussian, FullGaussian, GaussianMixture, LatentDiffusion
from autoencoder.densities.diffusion import VelocityNetwork
from autoencoder.inference import encode
from autoencoder.lecture import shipped
from autoencoder.lecture.densities import COMPONENTS, DIFFUSION, RUNGS, fit_rung
from autoencoder.models import AutoEncoder, Denoiser
from autoencoder.storage.checkpoint import (
    CheckpointError,
    digest_of,
    load_checkpoint,
    save_checkpoint,
)
from autoencoder.storage.weights import load_weights
from minigrad import nn
from minigrad.backend import to_numpy

HERE = Path(__file__).parent
SCRIPTS = (
    "network.js",
    "densities.js",
    "digit.js",
    "parts.js",
    "latents.js",
    "drawn.js",
    "walk.js",
    "samples.js",
    "start.js",
)
"""The JavaScript files, in an order in which each uses only what those before it define."""

Density = DiagonalGaussian | FullGaussian | GaussianMixture | LatentDiffusion

SHOWN = {2: 2_000, 8: 500}  # test images whose latents are shown, by the number of latents
CLASSES = 10

FITTED = HERE / "laboratory.npz"
KIND = "densities fitted to the latents of a network that ships"
SIZE = 8  # latents of the network whose densities are sampled
KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "diagonal Gaussian": (DiagonalGaussian, ("mean", "std")),
    "full Gaussian": (FullGaussian, ("mean", "covariance")),
    **dict.fromkeys(COMPONENTS, (GaussianMixture, ("weights", "means", "covariances"))),
}
"""What each density is made from again: its class, and the names of its parameters."""

FILL = 0.5  # what the restorer was trained to see in place of an erased pixel


@dataclass(frozen=True)
class Laboratory:
    """What the reader plays with.

    ``autoencoders`` by their latents, 2 and 8; ``others`` by name: denoisers with a bottleneck and
    without, and the restorer, which fills in pixels that were set to :data:`FILL`. The
    ``densities`` are over the latents of the autoencoder of 8. ``images`` (N, 1, 28, 28) are test
    images, in [0, 1], ``labels`` (N,) their digits, ``latents`` (up to N, d) those of the first
    ones, by d.
    """

    autoencoders: Mapping[int, AutoEncoder]
    others: Mapping[str, AutoEncoder | Denoiser]
    densities: Mapping[str, Density]
    latents: Mapping[int, numpy.ndarray]
    images: numpy.ndarray
    labels: numpy.ndarray


def shipped_laboratory(dataset: Dataset) -> Laboratory:
    """The laboratory that ships, with test images of MNIST.

    CheckpointError if a file is damaged, or ``laboratory.npz`` is of other weights than those that
    ship; OSError if one is missing.
    """
    autoencoders = {size: _autoencoder(size) for size in SHOWN}
    images = dataset.images("test", max(SHOWN.values()))
    return Laboratory(
        autoencoders,
        others={
            "denoiser": _loaded(AutoEncoder(32), "denoiser-noise-0.5"),
            "denoiser-wide": _loaded(Denoiser(), "denoiser-wide-noise-0.5"),
            "restorer": _loaded(AutoEncoder(32), "restorer"),
        },
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


def laboratory_html(laboratory: Laboratory, introduction: str) -> str:
    """A ``<section>`` of the page with the anchor ``laboratory``; well-formed as XML, too."""
    script = "\n".join(
        (HERE / name).read_text(encoding="utf-8").replace('"use strict";\n', "", 1)
        for name in SCRIPTS
    )
    parts = {
        "style": (HERE / "laboratory.css").read_text(encoding="utf-8"),
        "introduction": escape(introduction),
        "data": _json(packed(laboratory)),
        "script": script,
    }
    template = (HERE / "laboratory.html").read_text(encoding="utf-8")
    return re.sub(r"\{(\w+)\}", lambda place: parts[place[1]], template)


def _json(value: object) -> str:
    """As JSON without the characters that end a script, or mean something in XML."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def packed(laboratory: Laboratory) -> dict[str, Any]:
    """What `start.js` reads: numbers, names, and arrays in base64."""
    autoencoders = {f"autoencoder {d}": laboratory.autoencoders[d] for d in SHOWN}
    networks = {**autoencoders, **laboratory.others}
    images, labels = laboratory.images, laboratory.labels
    chosen = _typical(laboratory.latents[max(SHOWN)], labels)
    require_shape("laboratory_html", images, (1, 28, 28))
    pixels = numpy.rint(255 * images[chosen])
    return {
        "fill": FILL,
        "networks": {name: pack_network(network) for name, network in networks.items()},
        "densities": [
            {"name": name, "density": pack_density(density)}
            for name, density in laboratory.densities.items()
        ],
        "latents": {str(d): _pack_latents(laboratory.latents[d], labels) for d in SHOWN},
        "digits": {"pixels": pack(pixels, "uint8"), "labels": labels[chosen].tolist()},
    }


def pack(array: numpy.ndarray, kind: str = "float16") -> dict[str, str]:
    """Numbers in base64, the lowest byte first.

    >>> pack(numpy.array([1.0, -2.0]))
    {'type': 'float16', 'data': 'ADwAwA=='}
    """
    data = array.astype(numpy.dtype(kind).newbyteorder("<")).tobytes()
    return {"type": kind, "data": base64.b64encode(data).decode("ascii")}


def pack_network(network: AutoEncoder | Denoiser) -> dict[str, list[dict[str, Any]]]:
    """A network's layers, in two parts; that without a bottleneck is an encoder alone."""
    if isinstance(network, AutoEncoder):
        require_shape("laboratory_html", numpy.empty((1, *network.sample_shape)), (1, 28, 28))
        return {"encoder": pack_layers(network.encoder), "decoder": pack_layers(network.decoder)}
    return {"encoder": pack_layers(network.layers), "decoder": []}


def pack_layers(layers: nn.Module) -> list[dict[str, Any]]:
    """Each layer by its class's name, with its weights in the order `network.js` meets them."""
    return [_pack_layer(layer) for layer in layers.children()]


def _pack_layer(layer: nn.Module) -> dict[str, Any]:
    kind = {"kind": type(layer).__name__}
    if isinstance(layer, nn.ReLU):
        return kind
    if isinstance(layer, nn.Linear):
        order: Sequence[int] = (1, 0)  # (outputs, inputs) to (inputs, outputs)
        options = {"outputs": layer.weight.shape[0]}
    elif isinstance(layer, nn.Conv2d):
        order = (2, 3, 1, 0)  # (outputs, inputs, KH, KW) to (KH, KW, inputs, outputs)
        options = {"outputs": layer.weight.shape[0], **_geometry(layer)}
    elif isinstance(layer, nn.ConvTranspose2d):
        order = (0, 2, 3, 1)  # (inputs, outputs, KH, KW) to (inputs, KH, KW, outputs)
        options = {"outputs": layer.weight.shape[1], **_geometry(layer)}
    else:
        raise ValueError(f"laboratory_html: network.js has no layer {layer!r}")
    if layer.bias is None:
        raise ValueError(f"laboratory_html: network.js expects a bias, {layer!r} has none")
    weight = to_numpy(layer.weight.data).transpose(order)
    return {**kind, **options, "weight": pack(weight), "bias": pack(to_numpy(layer.bias.data))}


def _geometry(layer: nn.Conv2d | nn.ConvTranspose2d) -> dict[str, int]:
    """Kernel size and stride, one number each: `network.js` knows no padding or groups."""
    height, width = layer.weight.shape[2:]
    plain = (layer.padding, getattr(layer, "output_padding", (0, 0)), layer.dilation, layer.groups)
    is_square = height == width and layer.stride[0] == layer.stride[1]
    if not is_square or plain != ((0, 0), (0, 0), (1, 1), 1):
        raise ValueError(f"laboratory_html: network.js has no layer {layer!r}")
    return {"size": height, "stride": layer.stride[0]}


def pack_density(density: Density) -> dict[str, Any]:
    """A density's parameters: a Gaussian is a mixture of one."""
    if isinstance(density, LatentDiffusion):
        assert isinstance(density.network, VelocityNetwork)
        layers = density.network.layers
        inputs = next(iter(layers.parameters())).shape[1]
        return {
            "kind": "diffusion",
            "layers": pack_layers(layers),
            "frequencies": (inputs - len(density.mean)) // 2,  # a sine and a cosine of each
            "steps": density.steps,
            "mean": pack(density.mean, "float32"),
            "std": pack(density.std, "float32"),
        }
    if isinstance(density, GaussianMixture):
        weights, means, covariances = density.weights, density.means, density.covariances
    else:
        is_full = isinstance(density, FullGaussian)
        covariances = density.covariance if is_full else numpy.diag(density.std**2)
        weights, means = numpy.ones(1), density.mean
    factors = numpy.linalg.cholesky(covariances)
    parameters = {"weights": weights, "means": means, "factors": factors}
    return {"kind": "mixture", **{name: pack(each, "float32") for name, each in parameters.items()}}


def _pack_latents(latents: numpy.ndarray, labels: numpy.ndarray) -> dict[str, Any]:
    """Where the encoder puts test images, and how far a slider reaches."""
    latents = latents.astype("float32")
    low, high = latents.min(axis=0), latents.max(axis=0)
    margin = 0.03 * (high - low)
    return {
        "values": pack(latents),
        "labels": pack(labels[: len(latents)], "uint8"),
        "low": _rounded(low - margin),
        "high": _rounded(high + margin),
        "mean": _rounded(latents.mean(axis=0)),
    }


def _typical(latents: numpy.ndarray, labels: numpy.ndarray) -> list[int]:
    """For each digit the place of the image whose latents are nearest to the mean of its class."""
    labels = labels[: len(latents)]
    places = []
    for label in range(CLASSES):
        members = numpy.flatnonzero(labels == label)
        own = latents[members].astype("float32")
        places.append(int(members[((own - own.mean(axis=0)) ** 2).sum(axis=1).argmin()]))
    return places


def _rounded(values: numpy.ndarray) -> list[float]:
    return [round(float(value), 2) for value in values]
