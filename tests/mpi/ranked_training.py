"""A small training on several ranks of MPI, that goes on from what is in its folder.

Started by ``mpiexec -n R python -m mpi4py ranked_training.py FOLDER``. Rank 0 prints the numbers of
the ranks' processes when training begins, and in which words it ended.
"""

import json
import os
import sys

import numpy

import minigrad
from autoencoder.data.corruption import GaussianNoise
from autoencoder.models import mlp
from autoencoder.training import Interrupted, TrainingSettings, train
from minigrad.parallel import find_ranks

# Wide, so that a batch is cut into four shards.
WIDTH = 4096
POINTS = numpy.random.default_rng(0).normal(size=(1024, 2)).astype("float32")
SETTINGS = TrainingSettings(epochs=4, batch_size=256, schedule="cosine", save_seconds=0.0, seed=3)


def main(folder: str) -> int:
    """Train, on all ranks; the exit status."""
    ranks = find_ranks()
    processes = ranks.gather(os.getpid())
    if ranks.rank == 0:
        print(json.dumps(processes), flush=True)
    minigrad.manual_seed(7)
    status, words = 0, "done"
    try:
        how = {"corruption": GaussianNoise(0.1), "folder": folder, "resume": True, "quiet": True}
        train(mlp(2, WIDTH, 2), POINTS, SETTINGS, ranks=ranks, **how)
    except Interrupted as stop:
        status, words = 128 + stop.signal_number, str(stop)
    if ranks.rank == 0:
        print(words, flush=True)
    return ranks.leave(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
