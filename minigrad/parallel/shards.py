"""Into what shards a batch is cut: each fits into a core's cache, and every core gets work."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import numpy

from minigrad.backend import CPU, Array, ShardGenerators, device_of, is_array
from minigrad.engine import Sum, Tensor, enable_grad
from minigrad.functional.arithmetic import ScaleDown
from minigrad.functional.reduce import SumOfSquares

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

_known: WeakKeyDictionary[Callable[..., Tensor], dict[tuple, int]] = WeakKeyDictionary()


def shard_slices(count: int, shard_size: int) -> list[slice]:
    """Cut a batch into shards of nearly equal size.

    Parameters
    ----------
    count : int
        Samples in the batch.
    shard_size : int
        Most samples in a shard.

    Returns
    -------
    list of slice
        Their number is 1, 2 or a multiple of 4, if there are samples enough. None is empty.

    Examples
    --------
    >>> [part.stop - part.start for part in shard_slices(100, 16)]
    [13, 13, 13, 13, 12, 12, 12, 12]
    """
    shards = -(-count // shard_size)
    if shards > 2:
        shards = min(-(-shards // SHARD_MULTIPLE) * SHARD_MULTIPLE, count)
    size, larger = divmod(count, shards)
    ends = [size * k + min(k, larger) for k in range(shards + 1)]
    return [slice(start, end) for start, end in itertools.pairwise(ends)]


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
    count = batch_size or batch_length(arrays)
    if device_of(arrays[0]) != CPU:
        return count
    largest = _largest_activation(function, arrays)
    size = 1
    while size < LARGEST_SHARD and 2 * size * largest <= SHARD_BYTES:
        size *= 2
    whole = count * largest
    parts = 4 if whole >= 4 * QUARTER_BYTES else 2 if whole >= 2 * HALF_BYTES else 1
    return min(size, -(-count // parts))


def _largest_activation(function: Callable[..., Tensor], arrays: Sequence[Array]) -> int:
    """Of what one sample makes on its way through a function, in bytes."""
    shapes, known = _shapes(arrays), _known_of(function)
    if shapes not in known:
        leaf = Tensor(arrays[0][:1])
        leaf.requires_grad = leaf.dtype.kind == "f"
        with enable_grad(), ShardGenerators(seed=0).use(0):  # others' random numbers stay theirs
            result = function(leaf, *(Tensor(array[:1]) for array in arrays[1:]))
        if not isinstance(result, Tensor):
            raise TypeError(f"shards: the result must be a Tensor, got {type(result).__name__}")
        largest, stack, seen = max(leaf.data.nbytes, result.data.nbytes), [result.grad_fn], set()
        while stack:
            operation = stack.pop()
            if operation is None or operation in seen:
                continue
            seen.add(operation)
            for tensor in operation.inputs:
                if not tensor.is_leaf:
                    largest = max(largest, tensor.size * tensor.dtype.itemsize)
                stack.append(tensor.grad_fn)
        known[shapes] = largest
    return known[shapes]


def require_parts_of_batch(
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

    Parameters
    ----------
    function : callable
        From one tensor per array to a loss.
    arrays : sequence of arrays
        A batch of two samples or more.
    loss : Tensor
        What the function gave for a shard, not yet differentiated.
    rows : int
        The samples of the shard.
    reduction : str
        ``"mean"`` or ``"sum"``: what the batch's loss is to be.

    Raises
    ------
    ValueError
        If the two do not make the whole.
    """
    if loss.grad_fn is None or (reduction == "mean" and _is_mean_over_rows(loss, rows)):
        return
    kind, known = (reduction, type(loss.grad_fn), *_shapes(arrays)), _known_of(function)
    if kind in known:
        return
    generators = ShardGenerators(seed=0, shards=2)

    def value(first: int, end: int) -> float:
        tensors = [Tensor(array[first:end]) for array in arrays]
        with enable_grad(), generators.use(0), numpy.errstate(all="ignore"):
            return float(function(*tensors).item())

    few = min(batch_length(arrays), FEW)
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
    summed = last.inputs[0].grad_fn if isinstance(last, ScaleDown) else last
    if not isinstance(last, (ScaleDown, SumOfSquares)) or not isinstance(
        summed, (Sum, SumOfSquares)
    ):
        return False
    array = summed.inputs[0]
    is_of_samples = array.shape[:1] == (rows,) and not isinstance(array.grad_fn, Sum)
    return is_of_samples and last.divisor == array.size


def _shapes(arrays: Sequence[Array]) -> tuple:
    return tuple((array.shape[1:], array.dtype) for array in arrays)


def _known_of(function: Callable[..., Tensor]) -> dict[tuple, int]:
    """What was found out about a function so far."""
    try:
        return _known.setdefault(function, {})
    except TypeError:  # nothing that can be a weak key
        return {}


def batch_length(arrays: Sequence[Array]) -> int:
    """How many samples a batch has: the common length of its arrays.

    Raises
    ------
    TypeError, ValueError
        If they are no arrays, differ in length, or are empty.
    """
    for array in arrays:
        if not is_array(array) or not array.ndim:
            raise TypeError(f"shards: expected arrays with one row a sample, got {array!r:.60}")
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1 or lengths == {0}:
        shapes = ", ".join(str(array.shape) for array in arrays) or "none"
        raise ValueError(f"shards: expected arrays with one row a sample, got shapes {shapes}")
    return lengths.pop()
