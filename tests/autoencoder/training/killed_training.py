"""A small training run, killed with SIGKILL at random moments and resumed until it is over.

Run as a program: ``killed_training.py FOLDER KILLS SEED``. Everything is imported once; each
training is a fork, so a kill costs no start of Python. Prints how many kills hit, and how many
runs it took to place them.
"""

import csv
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy

import minigrad
from autoencoder.data.corruption import GaussianNoise
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.training import CHECKPOINT, METRICS, TrainingSettings, train

POINTS = numpy.random.default_rng(0).normal(size=(200, 2)).astype("float32")
SETTINGS = TrainingSettings(
    epochs=4, batch_size=10, schedule="cosine", workers=2, save_seconds=0.0, seed=3
)


def fork_training(folder: Path) -> int:
    """Start or go on with the training in a process of its own; gives its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        minigrad.manual_seed(7)
        train(
            mlp(2, 16, 2),
            POINTS,
            SETTINGS,
            corruption=GaussianNoise(0.1),
            folder=folder,
            resume=True,
            quiet=True,
        )
        status = 0
    finally:
        os._exit(status)


def state_in(folder: Path) -> tuple[dict[str, bytes], dict[str, object], list[dict[str, str]]]:
    """All that must not depend on the kills: arrays, metadata and metrics, without times."""
    arrays, metadata = load_checkpoint(folder / CHECKPOINT)
    del metadata["seconds"]
    with open(folder / METRICS, newline="") as file:
        rows = list(csv.DictReader(file))
    for row in [*rows, *metadata["rows"]]:
        del row["seconds"], row["images_per_second"]
    return {name: array.tobytes() for name, array in arrays.items()}, metadata, rows


def killed_run(folder: Path, kills: int, moments: random.Random, longest: float) -> int:
    """Train in a folder to the end, killed up to so many times. Gives how many kills hit."""
    hit = 0
    while True:
        child = fork_training(folder)
        if hit < kills:
            time.sleep(moments.uniform(0.0, longest))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            hit += 1
            if (folder / CHECKPOINT).exists():
                load_checkpoint(folder / CHECKPOINT, require_finite=True)  # whole, always
        elif os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit("the training failed")
        else:
            return hit


def main(folder: Path, kills: int, seed: int) -> None:
    """Compare the run left alone with killed ones."""
    moments = random.Random(seed)
    alone = folder / "alone"
    alone.mkdir(parents=True)
    started = time.monotonic()
    killed_run(alone, 0, moments, 0.0)
    seconds = time.monotonic() - started
    expected = state_in(alone)
    if [row["epoch"] for row in expected[2]] != ["1", "2", "3", "4"]:
        raise SystemExit(f"metrics.csv of the run left alone has the rows {expected[2]}")
    hit, runs = 0, 0
    while hit < kills:
        runs += 1
        killed = folder / f"killed-{runs}"
        killed.mkdir()
        hit += killed_run(killed, kills - hit, moments, 2.0 * seconds / min(kills, 10))
        if state_in(killed) != expected:
            raise SystemExit(f"{killed} ended with another state than {alone}")
    print(f"{hit} kills in {runs} runs, all with the same bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
