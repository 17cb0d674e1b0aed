"""A small training run, killed with SIGKILL at random moments and resumed until it is over.

In a process of its own. Everything is imported once; each training is a fork, so a kill costs no
start of Python.
"""

import os
import random
import signal
import time
from pathlib import Path

import numpy
from saved_state import state_in

import minigrad
from autoencoder.data.corruption import GaussianNoise
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.training import CHECKPOINT, TrainingSettings, train

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
        model, noise = mlp(2, 16, 2), GaussianNoise(0.1)
        train(model, POINTS, SETTINGS, corruption=noise, folder=folder, resume=True, quiet=True)
        status = 0
    finally:
        os._exit(status)


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


def compare(folder: Path, kills: int, seed: int) -> int:
    """Compare the run left alone with killed ones. Gives how many kills hit."""
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
    return hit
