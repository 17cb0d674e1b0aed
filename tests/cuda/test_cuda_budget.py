"""What a training step may cost a GPU: launches, waits, copies, memory; and the time on one.

``python tests/standin/count_launches.py`` prints the counts.
"""

import gc
import time
from pathlib import Path

import numpy
import pytest
from count_launches import BATCH, LOG_STEPS, count_parts, count_training, estimate, table
from cupy_standin import counters, installed

import minigrad
from autoencoder.models import AutoEncoder
from minigrad import functional as F
from minigrad import kernels, optim
from minigrad.backend import device_of, to_device, use_device
from minigrad.kernels import Geometry
from minigrad.parallel import shard_gradients

LAUNCHES = 90  # that a step may make: forward, backward, optimiser, and the sum of the losses
IMAGE_BYTES = 28 * 28 * 4


@pytest.fixture(scope="module")
def parts():
    with installed():
        return count_parts()


def test_a_step_stays_within_its_launches_and_neither_waits_nor_copies(parts):
    step = [parts["forward and backward"], parts["Adam"]]
    assert 60 < sum(part.launches for part in step) <= LAUNCHES
    for part in step:
        assert part.waits == part.host_to_device == part.device_to_host == 0
    assert parts["Adam"].launches <= 3  # whatever the number of parameters
    calls = step[0].calls + step[1].calls
    assert not {"matmul", "concatenate"} & set(calls)  # neither can be captured into a graph
    batch = parts["copy the batch"]
    assert (batch.host_to_device, batch.host_to_device_bytes) == (1, BATCH * IMAGE_BYTES)


GEOMETRIES = [
    Geometry((6, 7), (3, 2), (4, 4), (2, 2), (2, 1)),
    Geometry((6, 7), (3, 2), (2, 4), dilation=(2, 3), groups=2),
    Geometry((6, 7), (3, 2), (9, 9), padding=(4, 4)),
    Geometry((6, 7), (3, 2), (0, 6)),
]


@pytest.mark.parametrize("images", [0, 2])
def test_kernels_take_few_launches_and_none_waits(images):
    """Images go to (N, H, W, C) first; a weight gradient's parts are added up."""
    with installed() as cupy:
        for geometry in GEOMETRIES:
            x = cupy.ones((images, 4, *geometry.input_size))
            y = cupy.ones((images, 6, *geometry.output_size))
            weight = cupy.ones((6, 4 // geometry.groups, *geometry.kernel_size))
            for most, kernel, arguments in (
                (2, kernels.conv2d, (x, weight, geometry, cupy.ones(6))),
                (2, kernels.conv_transpose2d, (y, weight, geometry, cupy.ones(4))),
                (4, kernels.conv2d_weight_grad, (x, y, geometry)),
                (1, kernels.relu, (weight,)),
                (1, kernels.relu_grad, (weight, weight)),
            ):
                with counters.measure() as used, counters.no_waits():
                    kernel(*arguments)
                assert used.launches <= most


def test_the_training_loop_waits_once_a_log_interval_and_copies_only_the_batch():
    batch = 8
    with installed():
        steps = count_training(3 * LOG_STEPS + 1, batch)
    waits = [step.waits for step in steps]
    assert waits == [int(number % LOG_STEPS == 0) for number in range(1, 3 * LOG_STEPS + 1)]
    for step in steps[1:]:  # the first allocates what Adam remembers
        assert step.launches <= LAUNCHES
        assert step.host_to_device == 2  # the clean and the noisy images
        assert step.host_to_device_bytes == 2 * batch * IMAGE_BYTES
        assert step.device_to_host == step.waits


def test_the_budget_notices_a_wait_and_a_copy_planted_in_the_step(monkeypatch):
    forward = minigrad.functional.elementwise.Relu.forward

    def waits(self, x):
        float(x.ravel()[0])
        return forward(self, x + to_device(numpy.zeros(1, "float32"), device_of(x)))

    monkeypatch.setattr(minigrad.functional.elementwise.Relu, "forward", waits)
    with installed():
        (_, step) = count_training(3, 2)
    assert step.waits >= 8
    assert step.host_to_device >= 10


def test_the_table_in_the_docs_is_what_is_counted(parts):
    """If a change was meant, put what the command prints into the page."""
    page = (Path(__file__).parents[2] / "docs" / "cuda.md").read_text(encoding="utf-8")
    lines = table(parts).splitlines()
    assert len(lines) == 2 + len(parts)
    lines += estimate(parts).splitlines()
    assert [line for line in lines if line not in page] == []


def training_step(place, batch_size, batch=None):
    """One step of the lecture's autoencoder, and the loss it gives back; each copies its batch.

    A ``batch`` that is given is on the device already.
    """
    minigrad.manual_seed(0)
    model = AutoEncoder(8).to(place)
    parameters = list(model.parameters())
    optimizer = optim.Adam(parameters)
    images = numpy.random.default_rng(0).random((batch_size, 1, 28, 28), dtype="float32")

    def step():
        x = to_device(images, place) if batch is None else batch
        loss, gradients = shard_gradients(lambda x: F.mse_loss(model(x), x), parameters, [x])
        optimizer.step(gradients)
        return loss

    return step


def test_a_step_can_be_captured_into_a_graph():
    """Neither cuBLAS nor a wait, which a capture refuses, nor a copy, which it would repeat."""
    with installed() as cupy, use_device(minigrad.device("cuda")):
        batch = to_device(numpy.zeros((4, 1, 28, 28), "float32"), "cuda")
        step = training_step("cuda", 4, batch)
        step()  # the first allocates what Adam remembers
        stream = cupy.cuda.Stream(non_blocking=True)
        with stream, counters.measure() as used:
            stream.begin_capture()
            step()
            stream.end_capture()
    assert used.launches > 60
    assert used.host_to_device == used.device_to_host == 0


def test_memory_of_a_step_is_given_back():
    with installed() as cupy, use_device(minigrad.device("cuda")):
        gc.collect()
        step, used = training_step("cuda", 4), []
        for _ in range(3):
            step()
            used.append(cupy.get_default_memory_pool().used_bytes())
    assert used[1] == used[2]


@pytest.mark.cuda
def test_time_of_a_step_on_the_gpu(capsys):
    try:
        place = minigrad.device("cuda")
    except RuntimeError as error:
        pytest.skip(str(error))
    import cupy

    step = training_step(place, BATCH)
    first = [step().item() for _ in range(5)]
    assert first[-1] < first[0]
    seconds = []
    for _ in range(20):
        cupy.cuda.Device().synchronize()
        started = time.perf_counter()
        step()
        cupy.cuda.Device().synchronize()
        seconds.append(time.perf_counter() - started)
    median = float(numpy.median(seconds))
    name = cupy.cuda.runtime.getDeviceProperties(place.index)["name"].decode()
    with capsys.disabled():
        print(
            f"\n{name}: a training step of the lecture's autoencoder, batch {BATCH}: "
            f"{1e3 * median:.2f} ms, {BATCH / median:,.0f} images a second"
        )
