"""Gradients of a batch, computed in shards of a few samples on several threads.

A batch is cut into shards. Each runs forward and backward with a small graph of its own, and the
gradients are added *in shard order*. One idea gives four things:

- the activations of a shard stay in the processor's cache, where matrix products run at full speed;
- all cores work, since NumPy lets go of the interpreter lock inside its loops and products;
- peak memory does not grow with the batch;
- the result is the same, bit for bit, with 1, 2 or 16 workers: who computed a shard never matters.

On a GPU the shard is the whole batch.
"""

from __future__ import annotations

import contextvars
import operator
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from minigrad.backend import (
    CPU,
    Array,
    ShardGenerators,
    array_module,
    device_of,
    shown,
    use_device,
    with_one_blas_thread,
)
from minigrad.engine import Tensor, borrowed_gradients, enable_grad, grad, no_grad
from minigrad.functional.join import cat
from minigrad.parallel.helper_threads import usable_cores
from minigrad.parallel.shards import (
    batch_length,
    require_parts_of_batch,
    shard_slices,
    suggest_shard_size,
)
from minigrad.parallel.workers import sum_in_order

__all__ = ["map_shards", "shard_gradients", "shard_slices", "suggest_shard_size"]

LossFunction = Callable[..., Tensor]

# Samples at a time through a network on a GPU that is only applied: enough to keep it busy, and
# the windows of the lecture's largest layer then take 0.9 GiB.
GPU_ROWS = 512

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _contained(function: _Function) -> _Function:
    """A function that leaves no mode behind, whatever moment Ctrl-C comes at."""

    @wraps(function)
    def contained(*arguments: Any, **options: Any) -> Any:
        return contextvars.copy_context().run(function, *arguments, **options)

    return contained  # type: ignore[return-value]


@with_one_blas_thread
@_contained
def shard_gradients(
    loss_function: LossFunction,
    parameters: Sequence[Tensor],
    arrays: Sequence[Array],
    *,
    shard_size: int | None = None,
    workers: int | None = None,
    reduction: str = "mean",
) -> tuple[Tensor, list[Tensor]]:
    """Loss and gradients of a batch, the mean over its samples or their sum.

    With N samples in shards of n_s, the batch's mean loss is ``sum_s (n_s / N) loss_s``; so each
    shard's backward starts from ``n_s / N`` instead of 1, and the results are added up. For a sum
    it starts from 1.

    Parameters
    ----------
    loss_function : callable
        From one tensor per array, holding a shard's samples, to their *mean* loss, or the sum of
        their losses. What is neither (a root of a mean, a mean over some samples only) is refused:
        the library's own losses know, any other is tried once on a few samples, unless it draws
        random numbers.
    parameters : sequence of Tensor
        What to differentiate by. Their ``grad`` is not touched.
    arrays : sequence of arrays
        The batch: each (N, ...), all on one device.
    shard_size : int, optional
        Most samples in a shard; by default :func:`suggest_shard_size`. Another size adds the
        same numbers in another order: equal up to rounding.
    workers : int, optional
        Threads on the CPU; by default as many as the process may use cores. Does not change a
        single bit of the result.
    reduction : str
        ``"mean"`` or ``"sum"``: which of the two the loss function gives.

    Returns
    -------
    loss : Tensor
        The batch's loss, without dimensions, detached.
    gradients : list of Tensor
        One a parameter, of its shape.

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the arrays differ in length, a number is not positive, the reduction
        is unknown, the loss is not a Tensor of one element, or the batch's loss does not follow
        from its shards'.

    Examples
    --------
    >>> import numpy
    >>> from minigrad import functional as F
    >>> weight = Tensor([2.0], requires_grad=True)
    >>> x = numpy.arange(5, dtype="float32")
    >>> loss, (gradient,) = shard_gradients(
    ...     lambda x: F.mse_loss(weight * x, x), [weight], [x], shard_size=2
    ... )
    >>> loss, gradient
    (Tensor(6.), Tensor([12.]))
    """
    count = batch_length(arrays)
    _require_counts(workers=workers, shard_size=shard_size)
    if reduction not in ("mean", "sum"):
        raise ValueError(f"shards: reduction must be 'mean' or 'sum', got {reduction!r:.60}")
    if shard_size is None:
        shard_size = suggest_shard_size(loss_function, arrays)
    shards = shard_slices(count, shard_size)
    generators = ShardGenerators(shards=len(shards))

    def run(index: int) -> tuple[Tensor, ...]:
        """Forward and backward of one shard: its share of the loss and of each gradient."""
        tensors = [Tensor(array[shards[index]]) for array in arrays]
        share = len(tensors[0]) / count if reduction == "mean" else 1
        with generators.use(index), enable_grad():
            loss = _require_one_number(loss_function(*tensors))
            if len(shards) == 1:
                return (loss.detach(), *grad(loss, parameters))
            if index == 0:
                rows = len(tensors[0])
                require_parts_of_batch(loss_function, arrays, loss, rows, reduction)
            start = Tensor(array_module(loss.data).full_like(loss.data, share))
            return (Tensor(loss.data * share), *borrowed_gradients(loss, parameters, start))

    place = device_of(arrays[0])
    workers = min(workers or usable_cores(), len(shards)) if place == CPU else 1
    with use_device(place):
        loss, *gradients = sum_in_order(run, len(shards), workers)
    return loss, gradients


@with_one_blas_thread
@_contained
def map_shards(
    function: Callable[..., Tensor],
    arrays: Sequence[Array],
    *,
    shard_size: int | None = None,
    workers: int | None = None,
) -> Array:
    """Apply a function to a batch, shard by shard, without recording; results are joined.

    Parameters
    ----------
    function : callable
        From one tensor per array, holding a shard's samples, to a tensor with a row a sample.
    arrays, shard_size, workers
        As for :func:`shard_gradients`.

    Returns
    -------
    array
        (N, ...), on the arrays' device.

    Raises
    ------
    ValueError
        As for :func:`shard_gradients`; or if the function gives no row a sample.

    Examples
    --------
    >>> import numpy
    >>> map_shards(lambda x: 2 * x, [numpy.arange(3.0)], shard_size=2)
    array([0., 2., 4.])
    """
    count = batch_length(arrays)
    _require_counts(workers=workers, shard_size=shard_size)
    if shard_size is None:
        shard_size = GPU_ROWS
        if device_of(arrays[0]) == CPU:
            shard_size = suggest_shard_size(function, arrays)
    shards = shard_slices(count, shard_size)
    results: list[Array] = [None] * len(shards)

    def run(index: int) -> tuple[()]:
        with no_grad():
            result = function(*(Tensor(array[shards[index]]) for array in arrays)).data
        rows = shards[index].stop - shards[index].start
        if result.shape[:1] != (rows,):
            raise ValueError(
                f"shards: expected a row for each of {rows} samples, got {result.shape}"
            )
        results[index] = result
        return ()

    if device_of(arrays[0]) != CPU:
        workers = 1
    sum_in_order(run, len(shards), min(workers or usable_cores(), len(shards)))
    with no_grad():
        return cat([Tensor(result) for result in results]).data


def _require_counts(**options: int | None) -> None:
    for name, value in options.items():
        if value is None:
            continue
        try:
            number = operator.index(value)
        except TypeError:
            raise TypeError(f"shards: {name} must be a whole number, got {shown(value)}") from None
        if number < 1:
            raise ValueError(f"shards: {name} must be at least 1, got {number}")


def _require_one_number(loss: Tensor) -> Tensor:
    if not isinstance(loss, Tensor):
        raise TypeError(f"shards: the loss must be a Tensor, got {type(loss).__name__}")
    if loss.size != 1:
        raise ValueError(f"shards: the loss must be one number, got shape {loss.shape}")
    return loss
