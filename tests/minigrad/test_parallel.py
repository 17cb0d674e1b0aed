"""Shards: the batch's gradients, whoever computed which part."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
import weakref

import numpy
import pytest
import threadpoolctl

import minigrad
from minigrad import Tensor, grad, nn
from minigrad import functional as F
from minigrad.blas import one_blas_thread
from minigrad.helper_threads import helpers
from minigrad.operation import Operation
from minigrad.parallel import map_shards, shard_gradients, shard_slices, suggest_shard_size
from minigrad.random import default_generator
from minigrad.workers import sum_in_order


@pytest.fixture
def problem():
    """A small network, its loss and a batch of 13 images: no shard size from 2 to 12 divides it."""
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    x = numpy.random.default_rng(1).normal(size=(13, 1, 6, 6)).astype("float32")
    target = numpy.random.default_rng(2).normal(size=(13, 2)).astype("float32")

    def loss(x, target):
        return F.mse_loss(model(x), target)

    return loss, list(model.parameters()), [x, target]


def as_bytes(result):
    loss, gradients = result
    return [loss.data.tobytes()] + [gradient.data.tobytes() for gradient in gradients]


@pytest.mark.parametrize("shard_size", [1, 4, 5, 13, 100])
def test_sum_over_shards_is_the_gradient_of_the_whole_batch(problem, shard_size):
    loss_function, parameters, arrays = problem
    loss, gradients = shard_gradients(
        loss_function, parameters, arrays, shard_size=shard_size, workers=2
    )
    whole = loss_function(*map(Tensor, arrays))
    expected = grad(whole, parameters)
    numpy.testing.assert_allclose(loss.data, whole.data, rtol=1e-5)
    for found, wanted in zip(gradients, expected):
        numpy.testing.assert_allclose(found.data, wanted.data, rtol=1e-4, atol=1e-6)
    assert all(parameter.grad is None for parameter in parameters)


@pytest.mark.parametrize("shard_size", [1, 2, 5])
def test_number_of_workers_does_not_change_a_bit(problem, shard_size):
    alone = as_bytes(shard_gradients(*problem, shard_size=shard_size, workers=1))
    for workers in (2, 3, 16):
        for _ in range(5):
            together = shard_gradients(*problem, shard_size=shard_size, workers=workers)
            assert as_bytes(together) == alone


def test_random_numbers_inside_the_model_belong_to_the_shard_not_the_worker(problem):
    _, parameters, arrays = problem

    def noisy_loss(x, target):
        noise = default_generator().normal(size=x.shape).astype("float32")
        return ((x + noise).mean() * parameters[0].sum() + target.mean()) ** 2

    results = []
    for workers in (1, 2, 7):
        minigrad.manual_seed(3)
        results.append(
            as_bytes(
                shard_gradients(noisy_loss, parameters[:1], arrays, shard_size=2, workers=workers)
            )
        )
    assert results[0] == results[1] == results[2]
    following = shard_gradients(noisy_loss, parameters[:1], arrays, shard_size=2, workers=1)
    assert as_bytes(following) != results[0], "the next batch must draw other numbers"


def test_no_shard_is_empty_and_together_they_are_the_batch(problem):
    loss_function, parameters, arrays = problem
    seen, lock = [], threading.Lock()

    def watched(x, target):
        with lock:
            seen.append(len(x))
        return loss_function(x, target)

    shard_gradients(watched, parameters, arrays, shard_size=4, workers=3)
    assert sorted(seen) == [3, 3, 3, 4]


def test_error_in_a_worker_surfaces_with_its_own_traceback(problem):
    loss_function, parameters, arrays = problem
    caller = threading.current_thread()
    raised = threading.Event()

    def fails_elsewhere(x, target):
        if threading.current_thread() is not caller:
            raised.set()
            raise ZeroDivisionError("planted in a worker")
        raised.wait(10)  # leaves a shard for the other thread
        return loss_function(x, target)

    with pytest.raises(ZeroDivisionError, match="planted in a worker") as caught:
        shard_gradients(fails_elsewhere, parameters, arrays, shard_size=1, workers=2)
    assert "fails_elsewhere" in "".join(traceback.format_tb(caught.tb))
    # The pool is not left broken.
    shard_gradients(loss_function, parameters, arrays, shard_size=1, workers=2)


def test_keyboard_interrupt_in_a_shard_reaches_the_caller(problem):
    loss_function, parameters, arrays = problem
    caller = threading.current_thread()
    is_pressed = threading.Event()

    def pressed(x, target):
        if threading.current_thread() is caller:
            is_pressed.set()
            raise KeyboardInterrupt
        is_pressed.wait(10)  # leaves a shard for the caller
        return loss_function(x, target)

    with pytest.raises(KeyboardInterrupt):
        shard_gradients(pressed, parameters, arrays, shard_size=1, workers=2)
    shard_gradients(loss_function, parameters, arrays, shard_size=1, workers=2)


def blas_threads():
    return [
        library["num_threads"]
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    ]


def test_blas_is_held_to_one_thread_inside_and_restored_after(problem):
    loss_function, parameters, arrays = problem
    before, inside = blas_threads(), []

    def watched(x, target):
        inside.append(blas_threads())
        return loss_function(x, target)

    shard_gradients(watched, parameters, arrays, shard_size=4, workers=2)
    assert all(set(counts) == {1} for counts in inside)
    assert blas_threads() == before


def test_blas_limit_is_counted_so_that_the_last_holder_lifts_it():
    before = blas_threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


def test_workers_inherit_the_modes_of_the_caller(problem):
    loss_function, parameters, arrays = problem
    with minigrad.detect_anomaly(), pytest.raises(FloatingPointError, match="log"):
        shard_gradients(
            lambda x, target: loss_function(x, target) + (x * 0).log().sum(),
            parameters,
            arrays,
            shard_size=1,
            workers=4,
        )


def test_two_threads_with_batches_of_their_own_do_not_disturb_each_other(problem):
    expected = as_bytes(shard_gradients(*problem, shard_size=2, workers=1))
    wrong = []

    def work():
        for _ in range(20):
            if as_bytes(shard_gradients(*problem, shard_size=2, workers=2)) != expected:
                wrong.append(threading.current_thread().name)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_work_withdrawn_before_a_thread_came_to_it_is_forgotten():
    release = threading.Event()
    helpers(1).offer(release.wait)  # the only thread comes to nothing else

    def run(index):
        return (Tensor([float(index)]),)

    remembered = weakref.ref(run)
    try:
        (total,) = sum_in_order(run, count=4, workers=2)
        del run
        assert remembered() is None
    finally:
        release.set()
    assert total.item() == 6.0


class Lend(Operation):
    """``y = sum of w^2 / 2``, whose gradient by w is w: the very memory, not a copy."""

    def forward(self, w):
        return (w * w).sum() / 2

    def backward(self, gradient):
        return self.saved[0]


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_gradients_share_no_memory_with_what_an_operation_lent(shards):
    w = Tensor(numpy.array([1.0, 2.0], "float32"), requires_grad=True)
    x = numpy.ones((10, 1), "float32")
    _, (gradient,) = shard_gradients(lambda x: Lend()(w), [w], [x], shard_size=10 // shards)
    assert not numpy.shares_memory(gradient.data, w.data)
    assert w.data.tolist() == [1.0, 2.0]


def test_map_shards_gives_the_rows_of_the_whole_batch_in_order():
    x = numpy.arange(26, dtype="float32").reshape(13, 2)
    result = map_shards(lambda x: x * 2 + 1, [x], shard_size=4, workers=3)
    numpy.testing.assert_array_equal(result, x * 2 + 1)


def test_shard_size_follows_the_largest_activation():
    minigrad.manual_seed(0)
    wide = nn.Conv2d(1, 32, 5)
    small = nn.Linear(4, 4)
    images = numpy.zeros((128, 1, 28, 28), "float32")
    assert suggest_shard_size(lambda x: wide(x).mean(), [images]) == 32
    points = numpy.zeros((1024, 4), "float32")
    assert suggest_shard_size(lambda x: small(x).mean(), [points]) == 256


@pytest.mark.parametrize(("count", "shards"), [(8, 1), (16, 2), (48, 2), (64, 4), (128, 4)])
def test_a_batch_is_cut_for_several_cores_if_the_parts_are_worth_it(count, shards):
    minigrad.manual_seed(0)
    wide = nn.Conv2d(1, 32, 5)
    one = numpy.zeros((1, 1, 28, 28), "float32")
    size = suggest_shard_size(lambda x: wide(x).mean(), [one], batch_size=count)
    assert len(shard_slices(count, size)) == shards


def test_a_function_is_measured_once_and_its_random_numbers_disturb_nobody():
    calls = []

    def noisy(x):
        calls.append(len(x))
        return x * minigrad.Tensor(default_generator().random(x.shape).astype("float32"))

    samples = numpy.ones((4, 3), "float32")
    minigrad.manual_seed(0)
    expected = default_generator().random()
    minigrad.manual_seed(0)
    sizes = [suggest_shard_size(noisy, [samples]) for _ in range(2)]
    assert calls == [1]
    assert sizes == [4, 4]
    assert default_generator().random() == expected


def test_a_function_that_cannot_be_remembered_is_measured_all_the_same():
    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return x * 2

    assert suggest_shard_size(Unhashable(), [numpy.ones((4, 3), "float32")]) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shard_size": 0}, "shard_size must be at least 1"),
        ({"workers": 0}, "workers must be at least 1"),
    ],
)
def test_numbers_that_are_not_positive_are_refused(problem, change, message):
    with pytest.raises(ValueError, match=message):
        shard_gradients(*problem, **change)


def test_arrays_of_different_length_or_none_are_refused(problem):
    loss_function, parameters, (x, target) = problem
    for arrays in ([x, target[:3]], [], [x[:0], target[:0]]):
        with pytest.raises(ValueError, match="one row a sample"):
            shard_gradients(loss_function, parameters, arrays)


def test_a_blas_loaded_later_is_held_as_well():
    code = (
        "import threadpoolctl\n"
        "from minigrad.blas import one_blas_thread\n"
        "with one_blas_thread(): pass\n"
        "import scipy.linalg\n"
        "with one_blas_thread():\n"
        "    info = [i for i in threadpoolctl.threadpool_info() if i['user_api'] == 'blas']\n"
        "    print({i['num_threads'] for i in info})\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "{1}", result.stderr
