"""Press Ctrl-C in shard_gradients and map_shards again and again, at random moments of a call.

Usage: python interrupted_shards.py TIMES WORKERS SEED. Prints what went wrong, or "as it was".
"""

import faulthandler
import random
import signal
import sys
import threading
import time

import numpy
import threadpoolctl

import minigrad
from minigrad import functional as F
from minigrad import nn
from minigrad.backend import is_part_of_batch
from minigrad.parallel import map_shards, shard_gradients

minigrad.manual_seed(0)
model = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 20))
parameters = list(model.parameters())
x = numpy.random.default_rng(0).normal(size=(16, 20)).astype("float32")


def gradients(workers: int) -> list[bytes]:
    loss, found = shard_gradients(
        lambda x: F.mse_loss(model(x), x), parameters, [x], shard_size=1, workers=workers
    )
    return [loss.data.tobytes(), *(gradient.data.tobytes() for gradient in found)]


def outputs(workers: int) -> list[bytes]:
    return [map_shards(model, [x], shard_size=1, workers=workers).tobytes()]


def threads() -> list[int]:
    libraries = threadpoolctl.threadpool_info()
    return [library["num_threads"] for library in libraries if library["user_api"] == "blas"]


def helpers() -> int:
    return sum(thread.name.startswith("minigrad-helper") for thread in threading.enumerate())


def main(times: int, workers: int, seed: int) -> str:
    """What went wrong, or that nothing did."""
    rng = random.Random(seed)
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # what Ctrl-C does
    threadpoolctl.threadpool_limits(3)  # a number that nobody else sets
    expected = {call: call(workers) for call in (gradients, outputs)}
    started = time.perf_counter()
    for _ in range(10):
        gradients(workers)
    usual = (time.perf_counter() - started) / 10
    while helpers() < workers - 1:  # they start beside the first calls
        time.sleep(0.01)
    pressed, before = 0, (threads(), helpers(), minigrad.is_grad_enabled())
    held: list[BaseException] = []  # interrupts whose frames live on, as in a debugger
    while pressed < times:
        call = rng.choice([gradients, gradients, outputs])
        held.clear()
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 1.1 * usual))
            call(workers)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt as interrupt:
            held.append(interrupt)
            pressed += 1
        found = threads(), helpers(), minigrad.is_grad_enabled()
        if found != before or is_part_of_batch():
            return f"after {pressed}: {found} instead of {before}, {is_part_of_batch()}"
        if pressed % 5 == 0 and call(workers) != expected[call]:
            return f"after {pressed}: another result"
    return "as it was"


if __name__ == "__main__":
    faulthandler.dump_traceback_later(90, exit=True)  # so that a hang says where
    print(main(*map(int, sys.argv[1:])))
