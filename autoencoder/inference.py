"""Applying a trained model to arrays: in shards, without recording, back on the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy

from autoencoder.data.arrays import require_shape
from minigrad import Tensor, nn
from minigrad.backend import to_device, to_numpy
from minigrad.parallel import Communicator, map_shards


def _part(model: nn.Module, name: str) -> Callable[[Tensor], Tensor]:
    if not hasattr(model, name):
        raise TypeError(f"inference: a {type(model).__name__} has no {name}, it is no autoencoder")
    return getattr(model, name)


def apply_model(
    caller: str,
    model: nn.Module,
    function: Callable[[Tensor], Tensor],
    x: numpy.ndarray,
    workers: int | None,
    ranks: Communicator | None,
    expected: Sequence[int] | None = None,
) -> numpy.ndarray:
    """A function of a model, on the host, of samples (N, ...): by default those that it takes."""
    if not isinstance(x, numpy.ndarray) or x.dtype.kind not in "fiu":
        raise TypeError(f"inference: samples must be a NumPy array of numbers, got {x!r:.60}")
    if not len(x):
        raise ValueError(f"inference: there are no samples in {x.shape}")
    if expected is None:
        expected = getattr(model, "sample_shape", None)
    if expected is not None:  # here, where the whole batch is known: the model sees a shard of it
        require_shape(f"{caller}: {type(model).__name__}", x, expected)
    device = next(iter(model.parameters())).device
    parts = []
    for start in range(0, len(x), 4096):  # bounds what is on the device at once
        part = to_device(numpy.asarray(x[start : start + 4096], dtype="float32"), device)
        parts.append(to_numpy(map_shards(function, [part], workers=workers, ranks=ranks)))
    # Convolutions compute in a memory order of their own; arrays that leave them are in C order.
    return numpy.ascontiguousarray(numpy.concatenate(parts))


def reconstruct(
    model: nn.Module,
    x: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """What a model makes of samples: g(f(x)).

    Parameters
    ----------
    model : nn.Module
        On any device.
    x : numpy.ndarray
        (N, ...) samples, on the host, N at least 1.
    workers : int, optional
        Threads on the CPU.
    ranks : Communicator, optional
        The processes that share the work, from :func:`minigrad.parallel.find_ranks`. Each calls
        with the same arguments and has the whole result.

    Returns
    -------
    numpy.ndarray
        (N, ...) float32, on the host.

    Raises
    ------
    TypeError, ValueError
        If the samples are no array or none, or do not fit the model.

    Examples
    --------
    >>> from autoencoder.models import AutoEncoder
    >>> reconstruct(AutoEncoder(2), numpy.zeros((3, 1, 28, 28))).shape
    (3, 1, 28, 28)
    """
    return apply_model("reconstruct", model, model, x, workers, ranks)


def encode(
    model: nn.Module,
    x: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """The latents (N, d) of samples, z = f(x). Parameters and results are as for `reconstruct`.

    >>> from autoencoder.models import AutoEncoder
    >>> encode(AutoEncoder(2), numpy.zeros((3, 1, 28, 28))).shape
    (3, 2)
    """
    return apply_model("encode", model, _part(model, "encode"), x, workers, ranks)


def decode(
    model: nn.Module,
    z: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """The samples g(z) that latents stand for. Parameters and results are as for `reconstruct`.

    >>> from autoencoder.models import AutoEncoder
    >>> decode(AutoEncoder(2), numpy.zeros((3, 2))).shape
    (3, 1, 28, 28)
    """
    size = getattr(model, "latent_size", None)
    expected = getattr(z, "shape", ())[1:] if size is None else (size,)
    return apply_model("decode", model, _part(model, "decode"), z, workers, ranks, expected)


# A denoiser without a bottleneck sees 8 pixels around each: a tile is cut with these, which are
# computed and left out, so that a picture in tiles is the picture as a whole. As many are mirrored
# at the picture's own border.
_MARGIN, _TILE = 8, 128


def denoise(model: nn.Module, image: numpy.ndarray, workers: int | None = None) -> numpy.ndarray:
    """A denoised copy of one picture, in memory that does not grow with its size.

    Parameters
    ----------
    model : nn.Module
        A denoiser: a network without a bottleneck takes any size from 9 x 9, others theirs. To such
        a network the picture goes on, mirrored, beyond its border.
    image : numpy.ndarray
        (C, H, W) in [0, 1], C = 1 or 3. A model of grey images takes each colour on its own; one of
        colour images gives the mean of its colours for a grey picture.
    workers : int, optional
        Threads on the CPU.

    Returns
    -------
    numpy.ndarray
        (C, H, W) float32 in [0, 1].

    Raises
    ------
    ValueError
        If the picture does not fit the model.

    Examples
    --------
    >>> from autoencoder.models import Denoiser
    >>> denoise(Denoiser(), numpy.zeros((3, 40, 300))).shape
    (3, 40, 300)
    """
    if not isinstance(image, numpy.ndarray) or image.ndim != 3 or len(image) not in (1, 3):
        got = getattr(image, "shape", type(image).__name__)
        raise ValueError(f"denoise: expected a picture (1 or 3, H, W), got {got}")
    shape = getattr(model, "sample_shape", None)
    channels = shape[0] if shape is not None else getattr(model, "channels", len(image))
    given = len(image)
    batch = image[:, None] if channels == 1 else numpy.repeat(image[None], channels // given, 1)
    mirrored = _MARGIN if shape is None else 0
    border = (mirrored, mirrored)
    batch = numpy.pad(batch, ((0, 0), (0, 0), border, border), "reflect")
    if shape is None and max(batch.shape[2:]) > _TILE + 2 * _MARGIN:
        found = _in_tiles(model, batch, workers)
    else:
        found = reconstruct(model, batch, workers)
    if found.shape != batch.shape:
        raise ValueError(f"denoise: a {type(model).__name__} gives back no picture")
    found = found[..., mirrored : mirrored + image.shape[1], mirrored : mirrored + image.shape[2]]
    found = found[:, 0] if channels == 1 else found[0]
    if given < len(found):
        found = found.mean(axis=0, keepdims=True)
    return numpy.clip(found, 0, 1)


def _in_tiles(model: nn.Module, batch: numpy.ndarray, workers: int | None) -> numpy.ndarray:
    """What a model without a bottleneck makes of large images, a row of tiles at a time."""
    found = numpy.empty(batch.shape, "float32")
    height, width = batch.shape[2:]
    for top, first, last in _spans(height):
        band = batch[:, :, top : top + _TILE + 2 * _MARGIN]
        spans = list(_spans(width))
        cut = [band[..., left : left + _TILE + 2 * _MARGIN] for left, _, _ in spans]
        tiles = reconstruct(model, numpy.concatenate(cut), workers)
        for (left, begin, end), tile in zip(spans, numpy.split(tiles, len(spans)), strict=True):
            inside = tile[:, :, first - top : last - top, begin - left : end - left]
            found[:, :, first:last, begin:end] = inside
    return found


def _spans(length: int) -> Iterator[tuple[int, int, int]]:
    """Where tiles of one length begin, and from where to where each is kept."""
    tile = min(_TILE + 2 * _MARGIN, length)
    kept = 0
    while kept < length:
        begin = min(max(kept - _MARGIN, 0), length - tile)
        end = length if begin + tile == length else begin + tile - _MARGIN
        yield begin, kept, end
        kept = end
