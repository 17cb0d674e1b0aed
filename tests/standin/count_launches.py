"""Counts what one training step of the lecture's autoencoder costs a GPU, on the stand-in.

    python tests/standin/count_launches.py

prints a table of array calls that write device memory, host waits and copies; and an estimate of
the time that a step takes on a card, from its operations, bytes and launches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
from cupy_standin import Counts, counters, installed

import minigrad
from autoencoder.data.corruption import GaussianNoise
from autoencoder.models import AutoEncoder
from autoencoder.training import TrainingSettings, train
from minigrad import functional as F
from minigrad import no_grad, optim
from minigrad.backend import to_device
from minigrad.parallel import shard_gradients

BATCH = 128
LOG_STEPS = 3


def images(count: int) -> numpy.ndarray:
    """Random images (N, 1, 28, 28)."""
    return numpy.random.default_rng(0).random((count, 1, 28, 28), dtype="float32")


@contextmanager
def measured(costs: dict[str, Counts], name: str) -> Iterator[None]:
    """Keep what happens inside under a name."""
    with counters.measure() as costs[name]:
        yield


def count_parts() -> dict[str, Counts]:
    """The parts of a step made by hand, from the batch on the host to the changed weights.

    A first, small step lets Adam allocate what it remembers; the second is counted.
    """
    minigrad.manual_seed(0)
    model = AutoEncoder(8).to("cuda")
    parameters = list(model.parameters())
    optimizer = optim.Adam(parameters)
    costs: dict[str, Counts] = {}
    for size in (1, BATCH):
        samples = images(size)
        with measured(costs, "copy the batch"):
            batch = to_device(samples, "cuda")
        with measured(costs, "forward, nothing recorded"), no_grad():
            F.mse_loss(model(minigrad.Tensor(batch)), minigrad.Tensor(batch))
        with measured(costs, "forward and backward"):
            _, gradients = shard_gradients(lambda x: F.mse_loss(model(x), x), parameters, [batch])
        with measured(costs, "Adam"):
            optimizer.step(gradients)
    return costs


class _Ticks(AutoEncoder):
    """The lecture's autoencoder, which cuts a run's costs into steps: it is applied once in each.

    So a step ends with the copies of the next one's batch.
    """

    def __init__(self) -> None:
        super().__init__(8)
        self.steps: list[Counts] = []
        self.running: Any = None

    def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
        self.finish()
        self.running = counters.measure()
        self.steps.append(self.running.__enter__())
        return super().forward(x)

    def finish(self) -> None:
        """End the last step."""
        if self.running is not None:
            self.running.__exit__(None, None, None)
            self.running = None


def count_training(steps: int, batch: int = BATCH) -> list[Counts]:
    """Each step of the training loop, the last (with the end of the epoch) left out."""
    minigrad.manual_seed(0)
    model = _Ticks()
    settings = TrainingSettings(
        epochs=1, batch_size=batch, device="cuda", log_steps=LOG_STEPS, save_seconds=3600
    )
    try:
        samples = images(steps * batch)
        train(model, samples, settings, corruption=GaussianNoise(0.5), quiet=True)
    finally:
        model.finish()
    return model.steps[1:-1]  # the first only measures the size of a shard


COLUMNS = (
    *("launches", "waits", "host_to_device", "host_to_device_bytes", "device_to_host"),
    "hidden_copies",
)


def table(costs: dict[str, Counts]) -> str:
    """The costs as a Markdown table."""
    lines = [
        "| part | launches | waits | copies to the GPU | bytes | copies to the host "
        "| hidden copies |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, counts in costs.items():
        cells = " | ".join(f"{getattr(counts, column):,}" for column in COLUMNS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


# From NVIDIA's data sheet of the H100 SXM: multiply-adds in float32 and bytes a second.
H100_MULTIPLY_ADDS, H100_BYTES = 67e12 / 2, 3.35e12
LAUNCH_SECONDS = 12e-6  # assumed, of the host's time, as for one of CuPy's elementwise functions


def estimate(costs: dict[str, Counts]) -> str:
    """What a step would take on an H100 if each of three things alone took time."""
    parts = [costs["forward and backward"], costs["Adam"]]
    products = sum(part.multiply_adds for part in parts)
    size = sum(part.kernel_bytes for part in parts)
    launches = sum(part.launches for part in parts)
    lines = [
        "| of a step | amount | what it alone would take on an H100 (estimated) |",
        "| --- | --- | --- |",
        f"| multiply-adds in float32 | {products / 1e9:.2f} thousand million "
        f"| {1e3 * products / H100_MULTIPLY_ADDS:.2f} ms at the peak of its data sheet |",
        f"| bytes of the kernels' arrays | {size / 1e6:.0f} million "
        f"| {1e3 * size / H100_BYTES:.2f} ms at the peak of its data sheet |",
        f"| launches | {launches} | {1e3 * launches * LAUNCH_SECONDS:.2f} ms of the host, "
        f"at {1e6 * LAUNCH_SECONDS:.0f} microseconds each |",
    ]
    return "\n".join(lines)


def main() -> None:
    """Count and print."""
    with installed():
        costs = count_parts()
        calls = costs["forward and backward"].calls + costs["Adam"].calls
        steps = count_training(LOG_STEPS + 2)
    costs["a step of the training loop"] = steps[LOG_STEPS - 2]
    costs["the same, logging the loss"] = steps[LOG_STEPS - 1]
    print(f"The lecture's autoencoder, d = 8, batch {BATCH}, float32.\n\n{table(costs)}\n")
    print(f"{estimate(costs)}\n")
    print("Launches by call: " + ", ".join(f"{name} {n}" for name, n in calls.most_common()))


if __name__ == "__main__":
    main()
