"""Ranks: whoever computed which part, in whichever process, the result is one process's."""

from __future__ import annotations

import functools
import sys
import threading
import time

import numpy
import pytest
from shard_problem import as_bytes, problem

import minigrad
from minigrad import Tensor, nn
from minigrad.backend import CPU
from minigrad.parallel import (
    RankError,
    chain,
    find_ranks,
    map_shards,
    run_in_threads,
    shard_gradients,
)
from minigrad.parallel.ranks import ThreadCommunicator, Transfer, told
from minigrad.parallel.threads import usable_cores


def on_ranks(size, kind=ThreadCommunicator, dtype="float32", **options):
    """The gradients of the problem on each of so many ranks, as bytes."""
    made = problem(dtype=dtype)
    return run_in_threads(
        lambda ranks: as_bytes(shard_gradients(*made, ranks=ranks, **options)), size, kind
    )


@pytest.mark.parametrize("dtype", ["float32", "mixed"])
@pytest.mark.parametrize("shard_size", [1, 3, 8, 29])
@pytest.mark.parametrize("size", [2, 3, 4, 9])
def test_any_number_of_ranks_gives_the_bits_of_one_process(size, shard_size, dtype):
    alone = as_bytes(shard_gradients(*problem(dtype=dtype), shard_size=shard_size, workers=1))
    for workers in (1, 2):
        found = on_ranks(size, shard_size=shard_size, workers=workers, dtype=dtype)
        assert found == [alone] * size


@pytest.mark.parametrize("kept", [1, 2**9, 2**30])
@pytest.mark.parametrize("numbers", [1, 7, 10_000])
def test_neither_the_chunks_nor_what_a_rank_may_keep_change_a_bit(monkeypatch, numbers, kept):
    alone = as_bytes(shard_gradients(*problem(), shard_size=2))
    monkeypatch.setattr(chain, "CHUNK", numbers)
    monkeypatch.setattr(chain, "KEPT_BYTES", kept)
    assert on_ranks(3, shard_size=2, workers=2) == [alone] * 3


def test_a_rank_keeps_no_more_than_it_may(monkeypatch):
    """With room for two shards of the eight it has, it waits with the others."""
    alive = []

    class Counted(chain._FlatSum):
        def __init__(self, parameters, place=CPU, part=None):
            super().__init__(parameters, place, part)
            if part is not None:
                alive.append(1)

    one = chain._FlatSum(problem()[1]).nbytes
    monkeypatch.setattr(chain, "_FlatSum", Counted)
    monkeypatch.setattr(chain, "KEPT_BYTES", 2 * one)
    on_ranks(3, shard_size=1, workers=1)
    assert len(alive) == 2 * 2  # by two ranks: the first one adds up as it goes


def test_no_rank_sends_or_receives_more_than_twice_the_parameters():
    *_, arrays = problem()
    wide = Tensor(numpy.ones(200_000, "float32"), requires_grad=True)

    def loss(x, target):
        return (wide * 0.5).sum() + (x[:, 0, 0, :2] - target).sum(1).mean()

    def traffic(ranks):
        shard_gradients(loss, [wide], arrays, shard_size=4, ranks=ranks)
        return ranks.sent, ranks.received

    nbytes = wide.data.nbytes
    for size in (2, 3, 5):
        for sent, received in run_in_threads(traffic, size):
            assert nbytes <= sent <= 2.1 * nbytes
            assert nbytes <= received <= 2.1 * nbytes


def test_minus_zero_stays_minus_zero_on_its_way_past_ranks_without_shards():
    """To add a zero for a rank without shards would make it 0.0."""
    weight = Tensor([[1.0]], requires_grad=True)
    x = numpy.array([[-0.0]], "float32")

    def is_negative(ranks):
        _, (found,) = shard_gradients(lambda x: (weight * x).mean(), [weight], [x], ranks=ranks)
        return bool(numpy.signbit(found.data[0, 0]))

    assert [is_negative(None), *run_in_threads(is_negative, 3)] == [True] * 4


def test_ranks_of_unequal_speed_wait_for_each_other():
    alone = as_bytes(shard_gradients(*problem(), shard_size=4))
    loss, parameters, arrays = problem()

    def gradients(ranks, slow):
        def delayed(x, target):
            time.sleep(0.02 * (ranks.rank == slow))
            return loss(x, target)

        return as_bytes(shard_gradients(delayed, parameters, arrays, shard_size=4, ranks=ranks))

    for slow in range(3):
        assert run_in_threads(functools.partial(gradients, slow=slow), 3) == [alone] * 3


class Late(ThreadCommunicator):
    """A rank whose messages arrive late, each by another time."""

    def receive(self, array, source):
        transfer = super().receive(array, source)
        late = numpy.random.default_rng([self.rank, self.received]).uniform(0, 0.003)

        def finish():
            time.sleep(late)
            transfer.wait()

        return Transfer(self, finish)


def test_messages_that_are_delayed_change_nothing(monkeypatch):
    monkeypatch.setattr(chain, "CHUNK", 20)
    alone = as_bytes(shard_gradients(*problem(), shard_size=4))
    assert on_ranks(4, kind=Late, shard_size=4) == [alone] * 4


@pytest.fixture
def generator_of_a_thread(monkeypatch):
    """Give each thread a default generator of its own, as each process has one."""
    own = threading.local()
    usual = minigrad.backend.random.default_generator

    def default():
        return usual() if minigrad.backend.random._shard.get() else own.generator

    def seed(number):
        own.generator = numpy.random.default_rng(number)
        return own.generator

    monkeypatch.setattr(minigrad.backend.random, "default_generator", default)
    return seed


@pytest.mark.parametrize("shards", [1, 2, 8])
def test_random_numbers_of_a_model_are_one_processs_and_so_are_the_next(
    shards, generator_of_a_thread
):
    """A rank without a shard draws the seed of the shards' generators all the same."""
    weight = Tensor([2.0], requires_grad=True)
    x = numpy.arange(8, dtype="float32")

    def noisy(x):
        return (weight * x * minigrad.backend.random.default_generator().random()).mean()

    def twice(ranks):
        generator = generator_of_a_thread(3)
        size = 8 // shards
        found = [
            as_bytes(shard_gradients(noisy, [weight], [x], shard_size=size, ranks=ranks))
            for _ in range(2)
        ]
        return found, generator.random()

    assert run_in_threads(twice, 4) == [twice(None)] * 4


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_on_one_rank_is_raised_there_and_named_on_the_others(failing):
    loss, parameters, arrays = problem()
    told_elsewhere = []

    def gradients(ranks):
        def wrong(x, target):
            if ranks.rank == failing:
                raise ZeroDivisionError("planted")
            return loss(x, target)

        try:
            shard_gradients(wrong, parameters, arrays, shard_size=4, ranks=ranks)
        except RankError as error:
            told_elsewhere.append(str(error))
            return as_bytes(shard_gradients(loss, parameters, arrays, shard_size=4, ranks=ranks))

    with pytest.raises(ZeroDivisionError, match="planted"):
        run_in_threads(gradients, 3)
    assert told_elsewhere == [f"rank {failing}: ZeroDivisionError: planted"] * 2


def test_map_shards_gives_every_rank_all_rows_in_order():
    x = numpy.random.default_rng(0).normal(size=(23, 5)).astype("float32")
    layer = nn.Linear(5, 3)
    alone = map_shards(layer, [x], shard_size=2)
    for size in (2, 3, 20):
        found = run_in_threads(
            lambda ranks: map_shards(layer, [x], shard_size=2, ranks=ranks), size
        )
        assert [each.tobytes() for each in found] == [alone.tobytes()] * size
    one = run_in_threads(lambda ranks: map_shards(layer, [x[:1]], ranks=ranks), 3)
    assert [each.tobytes() for each in one] == [map_shards(layer, [x[:1]]).tobytes()] * 3


def test_map_shards_names_the_rank_that_failed():
    def note(ranks):
        def apply(x):
            return x if ranks.rank == 0 else x[:, 0].sum()

        try:
            map_shards(apply, [numpy.ones((8, 2), "float32")], shard_size=2, ranks=ranks)
        except (RankError, ValueError) as error:
            return told(error)

    words = "ValueError: shards: expected a row for each of 2 samples, got ()"
    assert run_in_threads(note, 2) == [f"RankError: rank 1: {words}", words]


def test_what_rank_0_decides_reaches_all_and_so_does_its_failure():
    def decide(ranks):
        first = ranks.decided(lambda: {"folder": f"run of {ranks.rank}", "step": 1.5})
        try:
            ranks.decided(lambda: 1 // 0)
        except (RankError, ZeroDivisionError) as error:
            return first, told(error)

    at_first, *elsewhere = run_in_threads(decide, 3)
    assert at_first == (
        {"folder": "run of 0", "step": 1.5},
        "ZeroDivisionError: integer division or modulo by zero",
    )
    problem = "RankError: rank 0: ZeroDivisionError: integer division or modulo by zero"
    assert elsewhere == [(at_first[0], problem)] * 2


def test_ranks_that_differ_are_named():
    with pytest.raises(RankError, match="rank 2: the seed differs from rank 0's"):
        run_in_threads(lambda ranks: ranks.require_same("the seed", ranks.rank // 2), 4)


def test_a_rank_that_dies_stops_those_who_wait_for_it():
    def wait(ranks):
        if ranks.rank == 1:
            raise MemoryError("planted")
        ranks.receive(numpy.empty(3), 1).wait()

    with pytest.raises(MemoryError, match="planted"):
        run_in_threads(wait, 3)


def test_the_only_rank_has_nobody_to_send_to():
    alone = find_ranks()
    assert (alone.rank, alone.size, alone.cores) == (0, 1, usable_cores())
    for transfer in (alone.send, alone.receive):
        with pytest.raises(ValueError, match="there is no rank 1 of 1"):
            transfer(numpy.zeros(1), 1)


def test_threads_are_the_cores_divided_by_the_ranks():
    """Four ranks on four cores start four threads, not sixteen."""
    cores = run_in_threads(lambda ranks: ranks.cores, 2)
    assert cores == [max(1, usable_cores() // 2)] * 2


def test_a_program_that_mpiexec_started_without_mpi4py_is_refused(monkeypatch):
    monkeypatch.setattr("minigrad.parallel.ranks._found", [])
    monkeypatch.setenv("PMI_SIZE", "3")
    monkeypatch.delitem(sys.modules, "mpi4py.run", raising=False)
    with pytest.raises(RuntimeError, match="python -m mpi4py PROGRAM"):
        find_ranks()
