"""One rank of the benchmark's case ``ranks``: does as many training steps as rank 0 is told to.

Started by ``ranks/__init__.py``, under ``mpiexec`` or alone. Rank 0 reads a number of steps from a
line of standard input and answers with a line of JSON; an empty line ends it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy

import minigrad
from autoencoder.models import AutoEncoder
from minigrad import Tensor, optim
from minigrad import functional as F
from minigrad.backend import CPU, ShardGenerators, one_blas_thread
from minigrad.parallel import Communicator, chain, find_ranks, shard_gradients

CHAINS = 15  # times that the chain is timed alone


def main(batch: int) -> None:
    """Answer until there is nothing more to do."""
    ranks = find_ranks()
    minigrad.manual_seed(0)
    model = AutoEncoder(8)
    optimizer = optim.Adam(model.parameters())
    parameters: list[Tensor] = list(model.parameters())
    images = numpy.random.default_rng(0).random((batch, 1, 28, 28)).astype("float32")

    def loss(x: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(model(x), target)

    def step() -> None:
        _, gradients = shard_gradients(loss, parameters, [images, images], workers=1, ranks=ranks)
        optimizer.step(gradients)

    step()
    chain_alone = _chain_seconds(ranks, parameters) if ranks.size > 1 else 0.0
    while (steps := ranks.decided(lambda: int(sys.stdin.readline() or 0))) > 0:
        waited, sent, received = ranks.waited, ranks.sent, ranks.received
        started = time.perf_counter()
        with one_blas_thread():
            for _ in range(steps):
                step()
        seconds = (time.perf_counter() - started) / steps
        bytes_a_step = (ranks.sent - sent) // steps, (ranks.received - received) // steps
        found = ranks.gather([seconds, (ranks.waited - waited) / steps, *bytes_a_step])
        if ranks.rank == 0:
            answer = {
                "seconds": max(each[0] for each in found),
                "waited": statistics.mean(each[1] for each in found),
                "chain": chain_alone,
                "bytes": max(max(each[2:]) for each in found),
            }
            print(json.dumps(answer), flush=True)
    ranks.leave(0)


def _chain_seconds(ranks: Communicator, parameters: list[Tensor]) -> float:
    """The sum over ranks alone, of gradients that are there: four shards, as a small batch has."""
    part = [Tensor(numpy.float32(1)), *(Tensor(numpy.ones_like(p.data)) for p in parameters)]
    shards = max(4, ranks.size)

    def run(indices: range, use: Callable[[list[Tensor]], None]) -> None:
        for _ in indices:
            use(part)

    times = []
    for _ in range(CHAINS):
        ranks.barrier()
        started = time.perf_counter()
        chain.sum_over_ranks(ranks, parameters, shards, run, ShardGenerators(shards=shards), CPU)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main(int(sys.argv[1]))
