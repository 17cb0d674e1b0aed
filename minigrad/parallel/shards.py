"""Gradients of a batch, computed in shards of a few samples on several threads.

A batch is cut into shards. Each runs forward and backward with a small graph of its own, and the
gradients are added *in shard order*. One idea gives four things:

- the activations of a shard stay in the processor's cache, where matrix products run at full speed;
- all cores work, since NumPy lets go of the interpreter lock inside its loops and products;
- peak memory does not grow with the batch;
- the result is the same, bit for bit, with 1, 2 or 16 workers: who computed a shard never matters.

On a GPU one thread does everything. There ``shard_gradients`` takes the whole batch as one shard,
unless told otherwise, and ``map_shards``, which only applies a function, ``GPU_ROWS`` at a time.

Both may be spread over ``ranks``, the processes of an MPI program: each computes a part of the same
shards, and the result is again the same, bit for bit (see :mod:`minigrad.parallel.chain`). Every
rank calls with the same arguments, and has the whole result. On GPUs each rank's part is one shard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy

from minigrad.backend import (
    CPU,
    Array,
    Device,
    ShardGenerators,
    array_module,
    device_of,
    is_array,
    to_device,
    to_numpy,
    use_device,
    whole_number,
    with_one_blas_thread,
)
from minigrad.engine import (
    Sum,
    Tensor,
    borrowed_gradients,
    enable_grad,
    grad,
    no_grad,
    operations_behind,
)
from minigrad.functional.arithmetic import ScaleDown
from minigrad.functional.rearrange import cat
from minigrad.functional.reduce import SumOfSquares
from minigrad.kernels import gpu
from minigrad.parallel.chain import even_parts, rows_of_all_ranks, sum_over_ranks
from minigrad.parallel.ranks import Communicator
from minigrad.parallel.threads import contained, run_in_order

# What the largest activation of one shard may take: about two level-2 caches of a core. In half of
# it the arithmetic is no faster, and threads wait for the interpreter lock twice as often.
# A constant, not the cache found here, so that the same seed gives the same shards everywhere.
SHARD_BYTES = 2560 * 1024
LARGEST_SHARD = 256
# A batch that would fit into one or two shards is cut as well, into halves or quarters, if each
# keeps so much. Smaller ones take longer than the whole: threads wait for the interpreter lock.
HALF_BYTES = 512 * 1024
QUARTER_BYTES = 1024 * 1024
# The number of shards is 1, 2 or a multiple of this, so that 2 or 4 workers get equal work.
SHARD_MULTIPLE = 4
# How many samples a loss is tried on: enough that those it leaves out hardly ever balance.
FEW = 8
# Samples at a time through a network on a GPU that is only applied: enough to keep it busy, and
# the windows of the lecture's largest layer then take 0.9 GiB.
GPU_ROWS = 512

_known: WeakKeyDictionary[Callable[..., Tensor], dict[tuple, dict]] = WeakKeyDictionary()


@with_one_blas_thread
@contained
def shard_gradients(
    loss_function: Callable[..., Tensor],
    parameters: Sequence[Tensor],
    arrays: Sequence[Array],
    *,
    shard_size: int | None = None,
    workers: int | None = None,
    reduction: str = "mean",
    ranks: Communicator | None = None,
    seed: int | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Loss and gradients of a batch, the mean over its samples or their sum.

    With N samples in shards of n_s, the batch's mean loss is ``sum_s (n_s / N) loss_s``; so each
    shard's backward starts from ``n_s / N`` instead of 1, and the results are added up. For a sum
    it starts from 1.

    Parameters
    ----------
    loss_function : callable
        From one tensor per array, holding a shard's samples, to their *mean* loss, or the sum of
        their losses. What is neither (a root of a mean, a mean over some samples only) is refused
        as far as it is seen: in the library's own losses, and by trying any other once on a few
        samples, unless it draws random numbers.
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
    ranks : Communicator, optional
        The processes that share the work, from :func:`find_ranks`; by default this one does it
        all. Does not change a single bit of the result on the CPU either.
    seed : int, optional
        Of what the loss function draws, by dropout for example; by default the default generator
        gives it. The same seed draws the same, whatever was drawn before.

    Returns
    -------
    loss : Tensor
        The batch's loss, without dimensions, detached.
    gradients : list of Tensor
        One a parameter, of its shape.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above, or the batch's loss does not follow from its shards'.
    RankError
        If another rank raised one of these.

    Examples
    --------
    >>> import numpy
    >>> from minigrad import functional as F
    >>> weight = Tensor([2.0], requires_grad=True)
    >>> x = numpy.arange(5, dtype="float32")
    >>> shard_gradients(lambda x: F.mse_loss(weight * x, x), [weight], [x], shard_size=2)
    (Tensor(6.), [Tensor([12.])])
    """
    count = _batch_length(arrays)
    _require_counts(shard_size, workers)
    if reduction not in ("mean", "sum"):
        raise ValueError(f"shards: reduction must be 'mean' or 'sum', got {reduction!r:.60}")
    ranks, device = ranks or Communicator(), device_of(arrays[0])
    if shard_size is None:
        shard_size = suggest_shard_size(loss_function, arrays)
    shards = shard_slices(count, shard_size)
    if device != CPU and ranks.size > 1:
        shards = _slices(count, min(ranks.size, count))
    if seed is not None:
        whole_number("shards", "seed", seed, minimum=0)
    generators = ShardGenerators(seed, shards=len(shards))

    def run(index: int) -> Sequence[Tensor]:
        """Forward and backward of one shard: its share of the loss and of each gradient."""
        tensors = [Tensor(array[shards[index]]) for array in arrays]
        share = len(tensors[0]) / count if reduction == "mean" else 1
        with generators.use(index), enable_grad():
            loss = _tensor("loss", loss_function(*tensors))
            if loss.size != 1:
                raise ValueError(f"shards: the loss must be one number, got shape {loss.shape}")
            if len(shards) == 1:  # these gradients are the result: the caller's to keep
                if device == CPU:
                    return (loss.detach(), *grad(loss, parameters))
                borrowed = borrowed_gradients(loss, parameters)
                return (loss.detach(), *map(Tensor, gpu.copies([one.data for one in borrowed])))
            if index == 0:
                rows = len(tensors[0])
                _require_parts_of_batch(loss_function, arrays, loss, rows, reduction)
            start = Tensor(array_module(loss.data).full_like(loss.data, share))
            # Read once, into the sum; so they may share memory with what backward computed.
            return (Tensor(loss.data * share), *borrowed_gradients(loss, parameters, start))

    run_all = partial(_run_all, run, workers or ranks.cores, device)
    with use_device(device):
        if ranks.size > 1:
            return sum_over_ranks(ranks, parameters, len(shards), run_all, generators, device)
        total = _Sum()
        run_all(range(len(shards)), total.add)
    loss, *gradients = total.values
    return loss, gradients


@with_one_blas_thread
@contained
def map_shards(
    function: Callable[..., Tensor],
    arrays: Sequence[Array],
    *,
    shard_size: int | None = None,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> Array:
    """Apply a function to a batch, shard by shard, without recording; results are joined.

    Parameters and errors are those of :func:`shard_gradients`, but that ``function`` gives a tensor
    with a row a sample; a ValueError says that it does not.

    Returns
    -------
    array
        (N, ...), on the arrays' device.

    Examples
    --------
    >>> import numpy
    >>> map_shards(lambda x: 2 * x, [numpy.arange(3.0)], shard_size=2)
    array([0., 2., 4.])
    """
    count = _batch_length(arrays)
    _require_counts(shard_size, workers)
    ranks, device = ranks or Communicator(), device_of(arrays[0])
    if shard_size is None:
        shard_size = suggest_shard_size(function, arrays) if device == CPU else GPU_ROWS
    shards = shard_slices(count, shard_size)
    results: list[Tensor] = []

    def run(index: int) -> Tensor:
        with no_grad():
            tensors = [Tensor(array[shards[index]]) for array in arrays]
            result = _tensor("result", function(*tensors))
        rows = len(tensors[0])
        if result.shape[:1] != (rows,):
            raise ValueError(
                f"shards: expected a row for each of {rows} samples, got {result.shape}"
            )
        return result.detach()

    parts = even_parts(len(shards), ranks.size)
    with ranks.failing_together():
        own = parts[ranks.rank]
        _run_all(run, workers or ranks.cores, device, own, results.append)
    with no_grad():
        rows = cat(results).data if results else None
    if rows is not None and ranks.size == 1:
        return rows
    mine = None if rows is None else to_numpy(rows)
    joined = rows_of_all_ranks(ranks, mine, [shards[part.stop - 1].stop for part in parts])
    return to_device(joined, device)


class _Sum:
    """The sum of the shards' losses and gradients."""

    def __init__(self) -> None:
        self._count = 0
        self.values: Sequence[Tensor] = ()

    def add(self, result: Sequence[Tensor]) -> None:
        self._count += 1
        if self._count == 1:
            self.values = result
        elif self._count == 2:  # a new sum, since the results' memory may be others'
            self.values = [Tensor(a.data + b.data) for a, b in zip(self.values, result)]
        else:
            for value, part in zip(self.values, result):
                value.data += part.data


def _run_all(
    run: Callable[[int], Any], workers: int, device: Device, indices: range, use: Callable
) -> None:
    """Run some of the shards, on several threads on the CPU; use their results in order."""
    threads = max(1, min(workers, len(indices))) if device == CPU else 1
    run_in_order(lambda number: run(indices[number]), len(indices), threads, use)


def suggest_shard_size(
    function: Callable[..., Tensor], arrays: Sequence[Array], batch_size: int | None = None
) -> int:
    """How many samples go into a shard.

    On the CPU the largest power of two, up to 256, for which the largest activation of the shard
    stays within about two level-2 caches of a core (2.5 MiB); less for a batch that would then be
    one or two shards, if a quarter of it still fills 1 MiB, or a half 512 KiB. The activations are
    measured by running one sample, once for a function and shapes. On a GPU, the whole batch.

    Parameters
    ----------
    function : callable
        From one tensor per array to a tensor: a loss, or a model.
    arrays : sequence of arrays
        Samples, each (N, ...); one is enough.
    batch_size : int, optional
        How many samples a batch has; by default as many as the arrays.

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy
    >>> suggest_shard_size(lambda x: (x * x).mean(), [numpy.zeros((100, 20_000), "float32")])
    25
    """
    count = batch_size or _batch_length(arrays)
    if device_of(arrays[0]) != CPU:
        return count
    largest = _largest_activation(function, arrays)
    size = 1
    while size < LARGEST_SHARD and 2 * size * largest <= SHARD_BYTES:
        size *= 2
    whole = count * largest
    parts = 4 if whole >= 4 * QUARTER_BYTES else 2 if whole >= 2 * HALF_BYTES else 1
    return min(size, -(-count // parts))


def shard_slices(count: int, shard_size: int) -> list[slice]:
    """Cut a batch into shards of nearly equal size, at most ``shard_size``; none is empty.

    >>> [part.stop - part.start for part in shard_slices(100, 16)]
    [13, 13, 13, 13, 12, 12, 12, 12]
    """
    shards = -(-count // shard_size)
    if shards > 2:
        shards = min(-(-shards // SHARD_MULTIPLE) * SHARD_MULTIPLE, count)
    return _slices(count, shards)


def _slices(count: int, parts: int) -> list[slice]:
    """Cut into so many parts of nearly equal size."""
    return [slice(part.start, part.stop) for part in even_parts(count, parts)]


def _largest_activation(function: Callable[..., Tensor], arrays: Sequence[Array]) -> int:
    """Of what one sample makes on its way through a function, in bytes."""
    known = _known_about(function, arrays)
    if "largest" in known:
        return known["largest"]
    leaf = Tensor(arrays[0][:1])
    leaf.requires_grad = leaf.dtype.kind == "f"
    with enable_grad(), ShardGenerators(seed=0).use(0):  # others' random numbers stay theirs
        result = _tensor("result", function(leaf, *(Tensor(array[:1]) for array in arrays[1:])))
    made = [tensor for operation in operations_behind([result]) for tensor in operation.inputs]
    sizes = [tensor.size * tensor.dtype.itemsize for tensor in made if not tensor.is_leaf]
    known["largest"] = max(leaf.data.nbytes, result.data.nbytes, *sizes)
    return known["largest"]


def _require_parts_of_batch(
    function: Callable[..., Tensor],
    arrays: Sequence[Array],
    loss: Tensor,
    rows: int,
    reduction: str,
) -> None:
    """Refuse a loss that its shards' losses do not add up to.

    The mean of an array with a row a sample needs no look. Any other loss is tried once, for a
    function and shapes: that of a few samples must be the mean, or the sum, of the first one's and
    the others'. Not where it draws random numbers, since these differ from one to the other.
    ``loss`` is what the function gave for a shard of so many ``rows``, not yet differentiated.
    """
    if loss.grad_fn is None or (reduction == "mean" and _is_mean_over_rows(loss, rows)):
        return
    kind, known = (reduction, type(loss.grad_fn)), _known_about(function, arrays)
    if kind in known:
        return
    generators = ShardGenerators(seed=0, shards=2)

    def value(first: int, end: int) -> float:
        tensors = [Tensor(array[first:end]) for array in arrays]
        with enable_grad(), generators.use(0), numpy.errstate(all="ignore"):
            return float(function(*tensors).item())

    few = min(_batch_length(arrays), FEW)
    whole, *parts = value(0, few), value(0, 1), value(1, few)
    shares = (1 / few, 1 - 1 / few) if reduction == "mean" else (1, 1)
    rounding = float(numpy.finfo(loss.dtype).eps) ** 0.5 * sum(map(abs, parts))
    is_whole = abs(whole - shares[0] * parts[0] - shares[1] * parts[1]) <= rounding
    is_looked_at = numpy.isfinite(whole) and not generators.were_asked
    # A function that then gives another number draws from a generator of its own.
    if is_looked_at and not is_whole and value(0, few) == whole:
        raise ValueError(
            f"shards: the loss of {few} samples is {whole:.6g}, of the first {parts[0]:.6g}, of "
            f"the others {parts[1]:.6g}: not their {reduction}, so the batch's does not follow "
            "from its shards'. reduction is 'mean' for a loss that is the mean over its samples, "
            "'sum' for a sum; any other needs the whole batch as one shard (shard_size)"
        )
    if any(parts):  # of zeros the mean is the sum
        known[kind] = True


def _is_mean_over_rows(loss: Tensor, rows: int) -> bool:
    """Whether a loss is the mean of all elements of an array with a row a sample."""
    last = loss.grad_fn
    if not isinstance(last, (ScaleDown, SumOfSquares)):
        return False
    summed = last.inputs[0].grad_fn if isinstance(last, ScaleDown) else last
    if not isinstance(summed, (Sum, SumOfSquares)):
        return False
    array = summed.inputs[0]
    is_of_samples = array.shape[:1] == (rows,) and not isinstance(array.grad_fn, Sum)
    return is_of_samples and last.divisor == array.size


def _known_about(function: Callable[..., Tensor], arrays: Sequence[Array]) -> dict[Any, Any]:
    """What was found out so far about a function of arrays of such shapes."""
    shapes = tuple((array.shape[1:], array.dtype) for array in arrays)
    try:
        return _known.setdefault(function, {}).setdefault(shapes, {})
    except TypeError:  # nothing that can be a weak key
        return {}


def _batch_length(arrays: Sequence[Array]) -> int:
    """How many samples a batch has: the common length of its arrays."""
    for array in arrays:
        if not is_array(array) or not array.ndim:
            raise TypeError(f"shards: expected arrays with one row a sample, got {array!r:.60}")
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1 or lengths == {0}:
        shapes = ", ".join(str(array.shape) for array in arrays) or "none"
        raise ValueError(f"shards: expected arrays with one row a sample, got shapes {shapes}")
    return lengths.pop()


def _require_counts(shard_size: int | None, workers: int | None) -> None:
    for what, value in (("shard_size", shard_size), ("workers", workers)):
        if value is not None:
            whole_number("shards", what, value)


def _tensor(what: str, given: Any) -> Tensor:
    if not isinstance(given, Tensor):
        raise TypeError(f"shards: the {what} must be a Tensor, got {type(given).__name__}")
    return given
