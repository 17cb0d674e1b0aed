"""Shards: the batch's gradients, whoever computed which part."""

from __future__ import annotations

import functools
import os
import signal
import threading
import traceback
import weakref
from pathlib import Path

import numpy
import pytest
import shard_problem
from running import python
from shard_problem import as_bytes

import minigrad
from minigrad import Tensor, grad, nn
from minigrad import functional as F
from minigrad.backend import default_generator
from minigrad.engine import Operation
from minigrad.parallel import map_shards, run_in_threads, shard_gradients, suggest_shard_size
from minigrad.parallel.shards import shard_slices
from minigrad.parallel.threads import Offer, helpers, run_in_order, usable_cores


@pytest.fixture
def problem():
    """A small network and a batch of 13 images: no shard size from 2 to 12 divides it."""
    return shard_problem.problem(images=13)


@pytest.mark.parametrize("shard_size", [1, 4, 5, 13, 100])
def test_sum_over_shards_is_the_gradient_of_the_whole_batch(problem, shard_size):
    loss_function, parameters, arrays = problem
    loss, gradients = shard_gradients(*problem, shard_size=shard_size, workers=2)
    whole = loss_function(*map(Tensor, arrays))
    numpy.testing.assert_allclose(loss.data, whole.data, rtol=1e-5)
    for found, wanted in zip(gradients, grad(whole, parameters)):
        numpy.testing.assert_allclose(found.data, wanted.data, rtol=1e-4, atol=1e-6)
    assert all(parameter.grad is None for parameter in parameters)


SCORES = numpy.random.default_rng(5).normal(size=(10, 4))
CLASSES = numpy.array([1, -100, 3, 0, 2, 2, -100, -100, 1, 0])
WANTED = numpy.random.default_rng(6).random((10, 3))


def linear(x):
    """Three outputs of four inputs."""
    return x @ WEIGHT


WEIGHT = Tensor(numpy.random.default_rng(7).normal(size=(4, 3)), requires_grad=True)


def masked_mean(x, target):
    """By hand: over the targets from 0.3 on, of which each row has another number."""
    counted = target >= 0.3
    return (((linear(x) - target) ** 2) * counted).sum() / counted.sum()


IS_THE_BATCHS = {
    "mean": ("mean", lambda x, t: F.mse_loss(linear(x), t)),
    "mean absolute": ("mean", lambda x, t: F.l1_loss(linear(x), t)),
    "mean logits": ("mean", lambda x, t: F.binary_cross_entropy_with_logits(linear(x), t)),
    "mean by hand": ("mean", lambda x, t: ((linear(x) - t) ** 2).sum() / len(x)),
    "lecture's": ("mean", lambda x, t: F.mse_loss(linear(x), t, reduction="sum") / len(x)),
    "mean of sums": ("mean", lambda x, t: ((linear(x) - t) ** 2).sum(1).mean()),
    "with a penalty": ("mean", lambda x, t: F.mse_loss(linear(x), t) + (WEIGHT**2).sum()),
    "probabilities": ("mean", lambda x, t: F.cross_entropy(linear(x), t)),
    "sum": ("sum", lambda x, t: F.mse_loss(linear(x), t, reduction="sum")),
    "sum absolute": ("sum", lambda x, t: F.l1_loss(linear(x), t, reduction="sum")),
    "sum of probabilities": ("sum", lambda x, t: F.cross_entropy(linear(x), t, reduction="sum")),
    "sum by hand": ("sum", lambda x, t: 0.5 * ((linear(x) - t) ** 2).sum()),
}
IS_NOT = {
    "sum as mean": ("mean", IS_THE_BATCHS["sum"][1]),
    "scaled sum as mean": ("mean", IS_THE_BATCHS["sum by hand"][1]),
    "sum and mean": ("mean", lambda x, t: IS_THE_BATCHS["sum"][1](x, t) + F.mse_loss(x, x + 1)),
    "sum over samples": ("mean", lambda x, t: ((linear(x) - t) ** 2).sum(0).mean()),
    "sum of logits": (
        "mean",
        lambda x, t: F.binary_cross_entropy_with_logits(linear(x), t, reduction="sum"),
    ),
    "mean as sum": ("sum", IS_THE_BATCHS["mean"][1]),
    "lecture's as sum": ("sum", IS_THE_BATCHS["lecture's"][1]),
    "sum with a penalty": ("sum", lambda x, t: ((linear(x) - t) ** 2).sum() + (WEIGHT**2).sum()),
    "root of a mean": ("mean", lambda x, t: F.mse_loss(linear(x), t).sqrt()),
    "mean of some": ("mean", masked_mean),
    "deviation": ("mean", lambda x, t: (linear(x) - t).std()),
}


@pytest.mark.parametrize("name", IS_THE_BATCHS)
@pytest.mark.parametrize("shard_size", [1, 3, 10, None])
def test_a_loss_that_is_a_mean_or_a_sum_gives_the_batchs_value(name, shard_size):
    reduction, loss_function = IS_THE_BATCHS[name]
    arrays = [SCORES, WANTED]
    loss, (gradient,) = shard_gradients(
        loss_function, [WEIGHT], arrays, shard_size=shard_size, workers=2, reduction=reduction
    )
    whole = loss_function(*map(Tensor, arrays))
    numpy.testing.assert_allclose(loss.data, whole.data, rtol=1e-12)
    numpy.testing.assert_allclose(gradient.data, grad(whole, WEIGHT)[0].data, rtol=1e-10)


@pytest.mark.parametrize("name", IS_NOT)
@pytest.mark.parametrize("shard_size", [1, 3, 10])
def test_a_loss_whose_shards_do_not_make_the_batchs_is_refused(name, shard_size):
    reduction, loss_function = IS_NOT[name]
    arrays = [SCORES, WANTED]
    if shard_size == 10:  # one shard: nothing to add up
        loss, _ = shard_gradients(
            loss_function, [WEIGHT], arrays, shard_size=shard_size, reduction=reduction
        )
        assert loss.item() == loss_function(*map(Tensor, arrays)).item()
        return
    with pytest.raises(ValueError, match=f"not their {reduction}.*shard_size"):
        shard_gradients(loss_function, [WEIGHT], arrays, shard_size=shard_size, reduction=reduction)


def scored(x, target, **options):
    return F.cross_entropy(x @ Tensor(numpy.eye(4)) * SCALE, target, **options)


SCALE = Tensor(numpy.array([1.0, 2.0, 0.5, 1.5]), requires_grad=True)


@pytest.mark.parametrize("shard_size", [1, 3, 10])
def test_ignored_targets_are_refused_in_a_shards_mean_and_counted_in_a_sum(shard_size):
    arrays = [SCORES, CLASSES]
    options = {"shard_size": shard_size, "workers": 2}
    # From the definition: the logarithm of the softmax at the class, over the targets that count.
    logits, kept = SCORES * SCALE.data, CLASSES != -100
    logarithms = logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))
    expected = -logarithms[kept, CLASSES[kept]].sum()
    if shard_size == 10:
        loss, _ = shard_gradients(scored, [SCALE], arrays, **options)
        numpy.testing.assert_allclose(loss.item(), expected / kept.sum(), rtol=1e-12)
    else:
        with pytest.raises(ValueError, match="cross_entropy: a shard does not know"):
            shard_gradients(scored, [SCALE], arrays, **options)
    loss, (gradient,) = shard_gradients(
        functools.partial(scored, reduction="sum"), [SCALE], arrays, reduction="sum", **options
    )
    (wanted,) = grad(scored(*map(Tensor, arrays)), SCALE)
    numpy.testing.assert_allclose(loss.item(), expected, rtol=1e-12)
    numpy.testing.assert_allclose(gradient.data / kept.sum(), wanted.data, rtol=1e-10)
    arrays = [SCORES, numpy.abs(CLASSES) % 4]  # of which none is ignored
    loss, (gradient,) = shard_gradients(scored, [SCALE], arrays, **options)
    whole = scored(*map(Tensor, arrays))
    numpy.testing.assert_allclose(loss.item(), whole.item(), rtol=1e-12)
    numpy.testing.assert_allclose(gradient.data, grad(whole, SCALE)[0].data, rtol=1e-10)


def test_a_loss_with_random_numbers_is_not_refused_for_them():
    own = numpy.random.default_rng(0)
    for source in (default_generator, lambda: own):
        loss, _ = shard_gradients(
            lambda x, source=source: (linear(x + source().normal(size=x.shape)) ** 2).mean() * 2,
            [WEIGHT],
            [SCORES],
            shard_size=3,
        )
        assert loss.item() > 0


@pytest.mark.parametrize("shard_size", [1, 2, 5])
def test_number_of_workers_does_not_change_a_bit(problem, shard_size):
    alone = as_bytes(shard_gradients(*problem, shard_size=shard_size, workers=1))
    for workers in (2, 3, 16):
        for _ in range(5):
            together = shard_gradients(*problem, shard_size=shard_size, workers=workers)
            assert as_bytes(together) == alone


def test_random_numbers_inside_the_model_belong_to_the_shard_not_the_worker(problem):
    _, (weight, *_), arrays = problem

    def noisy_loss(x, target):
        noise = default_generator().normal(size=x.shape).astype("float32")
        return ((x + noise).mean() * weight.sum() + target.mean()) ** 2

    def gradients(workers):
        return as_bytes(
            shard_gradients(noisy_loss, [weight], arrays, shard_size=2, workers=workers)
        )

    results = []
    for workers in (1, 2, 7):
        minigrad.manual_seed(3)
        results.append(gradients(workers))
    assert results[0] == results[1] == results[2]
    assert gradients(1) != results[0], "the next batch must draw other numbers"


def test_no_shard_is_empty_and_together_they_are_the_batch(problem):
    loss_function, parameters, arrays = problem
    seen, lock = [], threading.Lock()

    def watched(x, target):
        with lock:
            seen.append(len(x))
        return loss_function(x, target)

    shard_gradients(watched, parameters, arrays, shard_size=4, workers=3)
    assert sorted(seen) == [3, 3, 3, 4]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a choice of cores")
@pytest.mark.parametrize("wanted", [1, 2])
def test_there_are_as_many_workers_as_the_process_may_use_cores(wanted):
    """As under ``taskset``; each shard waits until so many threads have come, or a little."""
    allowed = sorted(os.sched_getaffinity(0))[:wanted]
    if len(allowed) < wanted:
        pytest.skip("needs two cores")
    program = (
        "import os, sys, threading, time, numpy\n"
        "os.sched_setaffinity(0, map(int, sys.argv[1:]))\n"
        "from minigrad import Tensor\n"
        "from minigrad.parallel import map_shards, shard_gradients\n"
        "w, x = Tensor([2.0], requires_grad=True), numpy.ones((40, 1), 'float32')\n"
        "def seen(call):\n"
        "    threads, end = set(), time.monotonic() + 30\n"
        "    def function(x):\n"
        "        threads.add(threading.get_ident())\n"
        "        time.sleep(0.005)\n"
        "        while len(threads) < len(sys.argv) - 1 and time.monotonic() < end:\n"
        "            time.sleep(0.005)\n"
        "        return w * x if call is map_shards else (w * x).mean()\n"
        "    call(function, *([[w]] if call is shard_gradients else []), [x], shard_size=1)\n"
        "    return len(threads)\n"
        "print(seen(shard_gradients), seen(map_shards))\n"
    )
    result = python("-c", program, *allowed, env=dict(os.environ, PYTHON_CPU_COUNT="default"))
    assert result.stdout.split() == [str(wanted)] * 2


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"process_cpu_count": lambda: 5}, 5),  # Python 3.13
        ({"sched_getaffinity": lambda process: {0, 3, 7}}, 3),  # Linux
        ({"cpu_count": lambda: 4}, 4),  # macOS, Windows
        ({"cpu_count": lambda: None}, 1),
    ],
    ids=["told", "Linux", "elsewhere", "unknown"],
)
def test_usable_cores_are_asked_for_in_the_way_the_system_has(monkeypatch, found, expected):
    for name in ("process_cpu_count", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    for name, function in found.items():
        monkeypatch.setattr(os, name, function, raising=False)
    assert usable_cores() == expected


@pytest.mark.parametrize(
    ("error", "is_callers"), [(ZeroDivisionError, False), (KeyboardInterrupt, True)]
)
def test_an_error_in_a_worker_or_ctrl_c_in_the_caller_keeps_its_traceback_and_breaks_nothing(
    problem, error, is_callers
):
    loss_function, parameters, arrays = problem
    caller, raised = threading.current_thread(), threading.Event()

    def fails_in_one_thread(x, target):
        if (threading.current_thread() is caller) == is_callers:
            raised.set()
            raise error("planted")
        raised.wait(10)  # leaves a shard for the other thread
        return loss_function(x, target)

    with pytest.raises(error, match="planted") as caught:
        shard_gradients(fails_in_one_thread, parameters, arrays, shard_size=1, workers=2)
    assert "fails_in_one_thread" in "".join(traceback.format_tb(caught.tb))
    shard_gradients(*problem, shard_size=1, workers=2)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an interval timer")
@pytest.mark.parametrize(
    "times", [60, pytest.param(500, marks=pytest.mark.slow)], ids=["quick", "slow"]
)
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_ctrl_c_at_any_moment_ends_the_call_and_leaves_everything_as_it_was(workers, times):
    """BLAS's threads, the helpers, the modes, and what the next call gives."""
    program = Path(__file__).with_name("interrupted_shards.py")
    result = python(program, times, workers, 3, timeout=120)
    assert result.stdout.strip() == "as it was", result.stderr


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_workers_inherit_the_modes_of_the_caller(problem):
    _, parameters, arrays = problem
    with minigrad.detect_anomaly(), pytest.raises(FloatingPointError, match="log"):
        shard_gradients(
            lambda x, target: (parameters[0].sum() * x * 0).log().mean(),
            parameters[:1],
            arrays,
            shard_size=1,
            workers=4,
        )


def test_threads_with_batches_of_their_own_do_not_disturb_each_other(problem):
    def work(workers, times):
        return {
            tuple(as_bytes(shard_gradients(*problem, shard_size=2, workers=workers)))
            for _ in range(times)
        }

    expected = work(1, times=1)
    assert run_in_threads(lambda ranks: work(2, times=20), 3) == [expected] * 3


def test_work_withdrawn_before_a_thread_came_to_it_is_forgotten():
    release = threading.Event()
    helpers(1).offer(Offer(release.wait))  # the only thread comes to nothing else

    def run(index):
        return float(index)

    remembered = weakref.ref(run)
    try:
        results = []
        run_in_order(run, count=4, workers=2, use=results.append)
        del run
        assert remembered() is None
    finally:
        release.set()
    assert results == [0.0, 1.0, 2.0, 3.0]


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

    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return noisy(x)

    samples, unhashable = numpy.ones((4, 3), "float32"), Unhashable()
    minigrad.manual_seed(0)
    expected = default_generator().random()
    minigrad.manual_seed(0)
    sizes = [suggest_shard_size(noisy, [samples]) for _ in range(2)]
    assert calls == [1]
    sizes += [suggest_shard_size(unhashable, [samples]) for _ in range(2)]
    assert calls == [1] * 3  # what cannot be remembered is measured each time
    assert sizes == [4] * 4
    assert default_generator().random() == expected
