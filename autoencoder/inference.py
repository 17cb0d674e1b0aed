"""Applying a trained model to arrays: in shards, without recording, back on the host."""

from __future__ import annotations

from collections.abc import Callable

import numpy

from autoencoder.data.arrays import require_shape
from minigrad import Tensor, nn
from minigrad.backend import Device, to_device, to_numpy
from minigrad.parallel import Communicator, map_shards

__all__ = ["decode", "device_of_model", "encode", "reconstruct"]


def device_of_model(model: nn.Module) -> Device:
    """The device a model's parameters live on.

    Examples
    --------
    >>> str(device_of_model(nn.Linear(2, 1)))
    'cpu'
    """
    return next(iter(model.parameters())).device


def _part(model: nn.Module, name: str) -> Callable[[Tensor], Tensor]:
    if not hasattr(model, name):
        raise TypeError(f"inference: a {type(model).__name__} has no {name}, it is no autoencoder")
    return getattr(model, name)


def apply_model(
    function: Callable[[Tensor], Tensor],
    model: nn.Module,
    x: numpy.ndarray,
    workers: int | None,
    caller: str,
    expected: tuple[int, ...] | None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    if not isinstance(x, numpy.ndarray) or x.dtype.kind not in "fiu":
        raise TypeError(f"inference: samples must be a NumPy array of numbers, got {x!r:.60}")
    if not len(x):
        raise ValueError(f"inference: there are no samples in {x.shape}")
    if expected is not None:  # here, where the whole batch is known: the model sees a shard of it
        require_shape(f"{caller}: {type(model).__name__}", x, expected)
    device = device_of_model(model)
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
    return apply_model(
        model, model, x, workers, "reconstruct", getattr(model, "sample_shape", None)
    )


def encode(
    model: nn.Module,
    x: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """The latents (N, d) of samples, z = f(x). Parameters and results are as for `reconstruct`.

    Examples
    --------
    >>> from autoencoder.models import AutoEncoder
    >>> encode(AutoEncoder(2), numpy.zeros((3, 1, 28, 28))).shape
    (3, 2)
    """
    expected = getattr(model, "sample_shape", None)
    return apply_model(_part(model, "encode"), model, x, workers, "encode", expected, ranks)


def decode(
    model: nn.Module,
    z: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """The samples g(z) that latents stand for. Parameters and results are as for `reconstruct`.

    Examples
    --------
    >>> from autoencoder.models import AutoEncoder
    >>> decode(AutoEncoder(2), numpy.zeros((3, 2))).shape
    (3, 1, 28, 28)
    """
    size = getattr(model, "latent_size", None)
    expected = None if size is None else (size,)
    return apply_model(_part(model, "decode"), model, z, workers, "decode", expected, ranks)
