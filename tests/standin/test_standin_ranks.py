"""Several ranks with a GPU each, on the stand-in: the whole batch's gradients, the same for all."""

from __future__ import annotations

import ctypes
import itertools
import queue
import sys
from collections import defaultdict

import numpy
import pytest
from cupy_standin import installed

import minigrad
from autoencoder.models import mlp
from autoencoder.training import TrainingSettings, train
from minigrad import Tensor, nn
from minigrad import functional as F
from minigrad.backend import to_device, to_numpy
from minigrad.parallel import chain, map_shards, run_in_threads, shard_gradients
from minigrad.parallel.ranks import Communicator, device_of_rank

X = numpy.random.default_rng(0).normal(size=(13, 4)).astype("float32")
TARGET = numpy.random.default_rng(1).normal(size=(13, 3)).astype("float32")


@pytest.fixture(autouse=True)
def _gpus():
    with installed(device_count=3):
        yield


def gradients(ranks=None, place="cpu"):
    """Loss and gradients of a layer for the whole batch, on the host."""
    minigrad.manual_seed(0)
    layer = nn.Linear(4, 3)
    layer.load_state_dict({"weight": X[:3], "bias": TARGET[0]})
    layer.to(place)
    calls = []

    def loss(x: Tensor, target: Tensor) -> Tensor:
        calls.append(len(x))
        return F.mse_loss(layer(x), target)

    arrays = [to_device(array, minigrad.device(place)) for array in (X, TARGET)]
    total, found = shard_gradients(loss, list(layer.parameters()), arrays, ranks=ranks)
    assert all(str(each.device) == str(minigrad.device(place)) for each in (total, *found))
    return [to_numpy(each.data) for each in (total, *found)], calls


class Nccl:
    """``cupy.cuda.nccl`` for ranks that are threads: a message is copied where it is sent."""

    available = True
    NCCL_UINT8 = 1

    def __init__(self):
        self.ways = defaultdict(queue.SimpleQueue)
        self.sent = []
        nccl = self

        class NcclCommunicator:
            def __init__(self, ndev: int, commId: tuple, rank: int) -> None:
                assert isinstance(commId, tuple)
                self.ndev, self.id, self.rank = ndev, commId, rank

            def send(self, sendbuf: int, count: int, datatype: int, peer: int, stream: int):
                assert (datatype, peer < self.ndev, stream > 0) == (1, True, True)
                nccl.sent.append(count)
                nccl.ways[self.id, self.rank, peer].put(ctypes.string_at(sendbuf, count))

            def recv(self, recvbuf: int, count: int, datatype: int, peer: int, stream: int):
                found = nccl.ways[self.id, peer, self.rank].get(timeout=20)
                assert (datatype, len(found), stream > 0) == (1, count, True)
                ctypes.memmove(recvbuf, found, count)

        self.NcclCommunicator = NcclCommunicator

    def get_unique_id(self):
        return tuple(range(len(self.sent), len(self.sent) + 3)) + (next(_NUMBERS),)


_NUMBERS = itertools.count()


@pytest.mark.parametrize("numbers", [4, 32_000])
def test_gradients_go_from_gpu_to_gpu_where_there_is_nccl(monkeypatch, numbers):
    """With the same bits as through the host, and no gradient's copy there."""
    monkeypatch.setattr(chain, "CHUNK", numbers)
    through_host = run_in_threads(lambda r: gradients(r, device_of_rank("cuda", r))[0], 3)
    nccl = Nccl()
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", nccl)
    found = run_in_threads(lambda r: gradients(r, device_of_rank("cuda", r))[0], 3)
    assert sum(nccl.sent) == 2 * 2 * 15 * 4  # 15 numbers, up and down two links
    for values, wanted in zip(found, through_host):
        assert [each.tobytes() for each in values] == [each.tobytes() for each in wanted]


def test_without_a_gpu_for_each_rank_gradients_go_through_the_host(monkeypatch):
    nccl = Nccl()
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", nccl)
    found = run_in_threads(lambda r: gradients(r, device_of_rank("cuda", r))[0], 4)
    assert nccl.sent == []
    assert [each.tobytes() for each in found[3]] == [each.tobytes() for each in found[0]]


@pytest.mark.parametrize("size", [2, 3, 5])
def test_each_rank_takes_the_next_gpu_and_one_part_of_the_batch(size):
    expected, _ = gradients()

    def on_rank(ranks):
        place = device_of_rank("cuda", ranks)
        return place, gradients(ranks, place)

    found = run_in_threads(on_rank, size)
    assert [place for place, _ in found] == [f"cuda:{rank % 3}" for rank in range(size)]
    parts = [calls[0] for _, (_, calls) in found]
    assert sum(parts) == len(X)
    assert max(parts) - min(parts) <= 1
    for _, (values, _) in found:
        for value, first, wanted in zip(values, found[0][1][0], expected):
            assert value.tobytes() == first.tobytes()
            numpy.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-7)


def test_one_rank_has_the_first_gpu_and_a_numbered_one_is_kept():
    assert device_of_rank("cuda", Communicator()) == "cuda"
    places = run_in_threads(lambda ranks: device_of_rank("cuda:2", ranks), 2)
    assert places == ["cuda:2", "cuda:2"]


def test_map_shards_gives_every_rank_all_rows_on_its_own_gpu():
    def on_rank(ranks):
        place = minigrad.device(device_of_rank("cuda", ranks))
        rows = map_shards(lambda x: 2 * x, [to_device(X, place)], shard_size=4, ranks=ranks)
        return str(minigrad.backend.device_of(rows)), to_numpy(rows).tobytes()

    found = run_in_threads(on_rank, 3)
    assert found == [(f"cuda:{rank}", (2 * X).tobytes()) for rank in range(3)]


def test_a_training_on_three_gpus_ends_as_on_one(tmp_path):
    points = numpy.random.default_rng(2).normal(size=(90, 2)).astype("float32")
    settings = TrainingSettings(epochs=2, batch_size=32, device="cuda")
    minigrad.manual_seed(0)
    weights = mlp(2, 8, 2).state_dict()

    def trained(ranks=None):
        model = mlp(2, 8, 2)
        model.load_state_dict(weights)
        folder = tmp_path / str(ranks is None)
        folder.mkdir(exist_ok=True)
        train(model, points, settings, folder=folder, quiet=True, ranks=ranks)
        return [to_numpy(each.data) for each in model.parameters()]

    alone = trained()
    first, *others = run_in_threads(trained, 3)
    for values in others:
        assert [each.tobytes() for each in values] == [each.tobytes() for each in first]
    for value, wanted in zip(first, alone):
        numpy.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-6)
    assert sorted(path.name for path in (tmp_path / "False").iterdir()) == [
        "checkpoint.npz",
        "metrics.csv",
    ]
