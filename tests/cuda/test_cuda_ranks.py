"""Ranks with a GPU each, on a machine that has several: ``pytest -m cuda``."""

from __future__ import annotations

import json

import pytest
from mpi_programs import require_mpi, run

import minigrad
from minigrad.backend import cuda

pytestmark = pytest.mark.cuda
PROGRAM = """
import json
import numpy
import minigrad
from autoencoder.models import AutoEncoder
from minigrad import functional as F
from minigrad.backend import to_device, to_numpy
from minigrad.parallel import find_ranks, shard_gradients
from minigrad.parallel.ranks import device_of_rank
ranks = find_ranks()
place = minigrad.device(device_of_rank("cuda", ranks))
minigrad.manual_seed(0)
model = AutoEncoder(8).to(place)
x = to_device(numpy.random.default_rng(0).random((65, 1, 28, 28)).astype("float32"), place)
parameters = list(model.parameters())
_, gradients = shard_gradients(
    lambda x, y: F.mse_loss(model(x), y), parameters, [x, x], ranks=ranks
)
norms = [float(abs(to_numpy(each.data)).sum()) for each in gradients]
found = ranks.gather([str(place), norms])
if ranks.rank == 0:
    print(json.dumps(found))
ranks.leave(0)
"""


def test_every_card_takes_its_part_and_all_have_the_same_gradients(tmp_path):
    require_mpi()
    try:
        cards = cuda.count()
    except RuntimeError as error:
        pytest.skip(str(error))
    if cards < 2:
        pytest.skip("needs several GPUs")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    alone = json.loads(run(1, program).stdout)
    found = json.loads(run(cards, program).stdout)
    assert [place for place, _ in found] == [f"cuda:{index}" for index in range(cards)]
    for _, norms in found:
        assert norms == pytest.approx(alone[0][1], rel=1e-3)
    assert minigrad.device("cuda").index == 0
