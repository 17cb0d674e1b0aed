"""The chain on up to 1,024 ranks whose clocks are simulated: its bits, its time, its traffic.

Each rank is a thread that runs the library's own code. A message carries the moment it arrives, so
a rank's clock does not depend on when its thread really runs.
"""

from __future__ import annotations

import numpy
import pytest
from benchmarking.ranks.chain_model import CHUNK_BYTES, NETWORKS, chain_seconds

from minigrad import Tensor
from minigrad.backend import CPU, ShardGenerators
from minigrad.parallel import chain, run_in_threads
from minigrad.parallel.ranks import ThreadCommunicator, Transfer

NUMBERS = 112_457  # the lecture's network


class Simulated(ThreadCommunicator):
    """A rank with a clock of its own, at the ends of two links."""

    network = NETWORKS["10 Gbit/s Ethernet, 30 us"]
    shards = 1

    def __init__(self, rank, room):
        super().__init__(rank, room)
        self.clock = 0.0
        self.free = {}  # when the link to another rank has taken what it was given

    def send(self, array, to):
        begin = max(self.clock, self.free.get(to, 0.0))
        self.free[to] = begin + array.nbytes / self.network.bandwidth
        super().send(numpy.array([self.free[to] + self.network.latency]), to)
        return super().send(array, to)

    def receive(self, array, source):
        arrives = numpy.empty(1)
        told, transfer = super().receive(arrives, source), super().receive(array, source)

        def finish():
            told.wait()
            transfer.wait()
            adding = array.nbytes * self.shards / self.network.additions
            self.clock = max(self.clock, arrives[0]) + adding * (source < self.rank)

        return Transfer(self, finish)


def simulated(size, network, shards):
    """The sum on so many ranks, each rank's clock at its end, and what each sent and received."""
    gradients = numpy.random.default_rng(0).normal(size=(size * shards, 60)).astype("float32")
    parameters = [Tensor(numpy.zeros(NUMBERS, "float32"), requires_grad=True)]

    class Rank(Simulated):
        pass

    Rank.network, Rank.shards = network, shards

    def gradient(index):
        return numpy.resize(gradients[index], NUMBERS)

    def add_up(ranks):
        def run(indices, use):
            for index in indices:
                use([Tensor(numpy.float32(1.0)), Tensor(gradient(index))])

        generators = ShardGenerators(shards=size * shards)
        count = size * shards
        loss, (summed,) = chain.sum_over_ranks(ranks, parameters, count, run, generators, CPU)
        assert loss.item() == count
        return ranks.clock, ranks.sent, ranks.received, summed.data[:60].tobytes()

    expected = gradient(0)[:60].copy()
    for index in range(1, size * shards):
        expected += gradient(index)[:60]
    return run_in_threads(add_up, size, Rank), expected.tobytes()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("size", [2, 3, 8, 64, pytest.param(1024, marks=pytest.mark.slow)])
def test_the_model_says_how_long_the_chain_takes(size, shards, name):
    found, expected = simulated(size, NETWORKS[name], shards)
    clocks, sent, received, sums = zip(*found)
    assert set(sums) == {expected}
    assert max(sent + received) <= 2.1 * 4 * NUMBERS
    predicted = chain_seconds(size, 4 * NUMBERS, NETWORKS[name], shards)
    assert max(clocks) == pytest.approx(predicted, rel=0.15)


def test_smaller_chunks_pay_where_the_chain_is_long():
    """In the model, which has no cost a message beside its latency."""
    network = NETWORKS["100 Gbit/s, 2 us"]
    nbytes = 4 * NUMBERS
    assert chain_seconds(1024, nbytes, network, chunk=CHUNK_BYTES // 8) < chain_seconds(
        1024, nbytes, network
    )
