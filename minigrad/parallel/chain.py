"""The sum over shards goes on over ranks: a pipelined chain, the same bits for any number of them.

Rank r computes a contiguous range of the shards that one process would compute. The sum is made in
chunks. For each, rank r receives the running sum from rank r - 1, adds the gradients of its own
shards one by one, and sends it on to rank r + 1, while the next chunk is on its way. The last
rank's sum is the result, and goes back down the chain in the same chunks. So every element sees
exactly the additions of a single process, in their order, and no rank sends or receives more than
twice the bytes of the parameters.

A rank keeps the gradients of each of its shards until the running sum has come: to add its own up
first would be another order. What it keeps is bounded by :data:`KEPT_BYTES`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence

import numpy

from minigrad.backend import CPU, Array, Device, ShardGenerators, array_module, to_device, to_numpy
from minigrad.engine import Tensor
from minigrad.parallel.ranks import Communicator, Transfer

# Numbers that travel at once. Fewer make more messages, more make the chain's ends wait longer.
CHUNK = 32_000
# The most that a rank keeps of its shards' gradients, but for one shard's. A rank with more shards
# waits with those beyond it until the running sum has come: they are added at once then.
KEPT_BYTES = 2**28

Part = Sequence[Tensor]
"""What a shard gives: its share of the loss, then of each parameter's gradient."""


def even_parts(count: int, parts: int) -> list[range]:
    """So many pieces of work in parts; the first have one more, where not all can have as many.

    >>> even_parts(5, 2)
    [range(0, 3), range(3, 5)]
    """
    size, larger = divmod(count, parts)
    ends = [size * part + min(part, larger) for part in range(parts + 1)]
    return [range(start, end) for start, end in itertools.pairwise(ends)]


def sum_over_ranks(
    ranks: Communicator,
    parameters: Sequence[Tensor],
    shards: int,
    run: Callable[[range, Callable[[Part], None]], None],
    generators: ShardGenerators,
    device: Device,
) -> tuple[Tensor, list[Tensor]]:
    """The loss and gradients of all ranks' shards together, on every rank.

    ``run(indices, use)`` computes shards and calls ``use`` with what each gives, in their order.
    A rank whose shard fails takes part to the end, so that no other waits for it; then it raises
    its error, and the others a RankError.
    """
    before, after, is_last = ranks.rank - 1, ranks.rank + 1, ranks.rank == ranks.size - 1
    place = device if ranks.reaches(device) else CPU
    total = _FlatSum(parameters, place)
    result = total if is_last else _FlatSum(parameters, place)
    count = len(total.chunks)
    arriving = [ranks.receive(chunk, before) for chunk in total.chunks] if ranks.rank > 0 else []
    returning = [ranks.receive(chunk, after) for chunk in result.chunks] if not is_last else []
    leaving: list[Transfer] = []
    kept: list[_FlatSum] = []
    errors: list[Exception] = []

    def compute(indices: range, use: Callable[[Part], None]) -> None:
        if not errors:
            try:
                run(indices, use)
            except Exception as error:
                errors.append(error)

    def complete(number: int) -> None:
        arriving[number].wait()
        for part in kept:
            total.add_chunk(number, part)

    parts = even_parts(shards, ranks.size)
    own = parts[ranks.rank]
    most = max(1, KEPT_BYTES // total.nbytes)
    all_are_kept = len(parts[0]) <= most  # the same on every rank
    if ranks.rank == 0:
        most = 0  # what it computes is the beginning of the sum
    compute(own[:most], lambda part: kept.append(_FlatSum(parameters, place, part)))
    is_complete = len(own) > most  # rank 0's always is: it has a shard
    if is_complete:
        for number in range(len(arriving)):
            complete(number)
        kept.clear()
        compute(own[most:], total.add)

    # A chunk's way to the last rank and back, in chunks. But all have to leave before any comes
    # back, if a rank needs them all first.
    lag = min(2 * (ranks.size - 1 - ranks.rank), count) if all_are_kept else count
    for step in range(count + lag):
        if step < count:
            if not is_complete:
                complete(step)
            if step == 0:
                total.note(has_drawn=generators.were_asked, has_failed=bool(errors))
            if not is_last:
                leaving.append(ranks.send(total.chunks[step], after))
        if step >= lag:
            if not is_last:
                returning[step - lag].wait()
            if ranks.rank > 0:
                leaving.append(ranks.send(result.chunks[step - lag], before))
    for transfer in leaving:
        transfer.wait()

    has_drawn, has_failed = result.noted
    if has_failed:  # the numbers mean nothing
        ranks.require_all_well(errors[0] if errors else None)
    if has_drawn and not generators.were_asked:
        generators.draw_seed()  # as the others did: the next random number is the same for all
    return result.values(device)


class _FlatSum:
    """The loss and gradients of some shards, flat: a small array about the loss, one a dtype."""

    def __init__(
        self, parameters: Sequence[Tensor], place: Device = CPU, part: Part | None = None
    ) -> None:
        self._parameters = parameters
        self._place = place
        # The loss, the bytes of its dtype (0: there is none yet), and what `note` is told.
        self._head = numpy.zeros(4)
        self.noted = self._head[2:]
        sizes: Counter[numpy.dtype] = Counter()
        for parameter in parameters:
            sizes[parameter.dtype] += parameter.size
        library = numpy if place == CPU else array_module(parameters[0].data)
        self._flat = {dtype: library.empty(size, dtype) for dtype, size in sizes.items()}
        self.chunks = [self._head]
        for flat in self._flat.values():
            self.chunks += [flat[start : start + CHUNK] for start in range(0, len(flat), CHUNK)]
        self.nbytes = sum(chunk.nbytes for chunk in self.chunks)
        if part is not None:
            self.add(part)

    def note(self, has_drawn: bool, has_failed: bool) -> None:
        """Say whether a model drew random numbers, and whether a shard failed, on this rank too."""
        self.noted[...] = numpy.maximum(self.noted, [has_drawn, has_failed])

    def add(self, part: Part) -> None:
        """Add a shard's loss and gradients, or begin with them."""
        loss = to_numpy(part[0].data)
        gradients = [to_device(tensor.data, self._place) for tensor in part[1:]]
        is_begun = self._head[1] > 0
        self._add_loss(loss.item(), loss.dtype.itemsize)
        for target, gradient in zip(self._split(self._flat), gradients):
            if is_begun:
                target += gradient
            else:
                target[...] = gradient

    def add_chunk(self, number: int, other: _FlatSum) -> None:
        """Add one chunk of another sum."""
        if number == 0:
            self._add_loss(float(other._head[0]), int(other._head[1]))
        else:
            self.chunks[number] += other.chunks[number]

    def values(self, device: Device) -> tuple[Tensor, list[Tensor]]:
        """The loss and the gradients, on a device."""
        loss = numpy.asarray(self._head[0], f"f{int(self._head[1])}")
        flat = {dtype: to_device(array, device) for dtype, array in self._flat.items()}
        return Tensor(to_device(loss, device)), [Tensor(array) for array in self._split(flat)]

    def _add_loss(self, loss: float, itemsize: int) -> None:
        """Add a number as numbers of its precision are added."""
        if self._head[1] > 0:
            as_given = numpy.dtype(f"f{itemsize}").type
            loss = float(as_given(self._head[0]) + as_given(loss))
        self._head[:2] = loss, itemsize

    def _split(self, flat: dict[numpy.dtype, Array]) -> list[Array]:
        """A view of each parameter's numbers, in its shape."""
        ends: Counter[numpy.dtype] = Counter()
        views = []
        for parameter in self._parameters:
            start = ends[parameter.dtype]
            ends[parameter.dtype] += parameter.size
            piece = flat[parameter.dtype][start : start + parameter.size]
            views.append(piece.reshape(parameter.shape))
        return views


def rows_of_all_ranks(
    ranks: Communicator, rows: numpy.ndarray | None, ends: Sequence[int]
) -> numpy.ndarray:
    """Each rank's rows, joined in the order of the ranks, on every rank.

    ``ends`` says where in the whole each rank's rows end; ``rows`` is None where there are none.
    They go round a ring: each rank passes on to the next what came from the one before.
    """
    described = ranks.gather(None if rows is None else [rows.dtype.str, rows.shape[1:]])
    dtype, shape = next(each for each in described if each is not None)
    whole = numpy.empty((ends[-1], *shape), dtype)
    parts = [whole[start:end] for start, end in zip([0, *ends], ends)]
    if rows is not None:
        parts[ranks.rank][...] = rows
    for step in range(1, ranks.size):
        leaving = parts[(ranks.rank - step + 1) % ranks.size]
        arriving = parts[(ranks.rank - step) % ranks.size]
        sending = ranks.send(leaving, (ranks.rank + 1) % ranks.size)
        ranks.receive(arriving, (ranks.rank - 1) % ranks.size).wait()
        sending.wait()
    return whole
