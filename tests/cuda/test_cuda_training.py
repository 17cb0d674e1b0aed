"""Training on a GPU: it starts as on the CPU, ends close to it, and its checkpoints travel."""

import dataclasses
import signal
import threading

import numpy
import pytest
from cupy_standin import installed

import minigrad
from autoencoder.data.corruption import GaussianNoise
from autoencoder.inference import decode, encode, reconstruct
from autoencoder.models import AutoEncoder, DenseAutoEncoder, mlp
from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.training import (
    CHECKPOINT,
    Interrupted,
    TrainingDiverged,
    TrainingSettings,
    load_model,
    train,
)
from autoencoder.training.loop import Learner, map_one_ahead
from minigrad import Tensor, nn
from minigrad import functional as F
from minigrad.backend import device_of, to_device, to_numpy, use_device
from minigrad.parallel import map_shards, shard_gradients
from minigrad.parallel import shards as parallel

POINTS = numpy.random.default_rng(0).normal(size=(90, 2)).astype("float32")
SETTINGS = TrainingSettings(epochs=2, batch_size=20, seed=5, save_seconds=0, log_steps=2)


def on(place, **changes):
    return dataclasses.replace(SETTINGS, device=str(place), **changes)


def new_model():
    minigrad.manual_seed(1)
    return mlp(2, 16, 2)


class Recorded(GaussianNoise):
    """Noise that keeps what it was given and what it drew; at one draw something may happen.

    The first draw measures the size of a shard.
    """

    def __init__(self, std=0.1, draw=0, happens=None):
        super().__init__(std)
        self.seen, self.left, self.happens = [], draw, happens

    def __call__(self, images, rng):
        noisy = super().__call__(images, rng)
        self.seen += [images, noisy]
        self.left -= 1
        return self.happens(noisy) if self.left == 0 else noisy

    def __repr__(self):
        return repr(GaussianNoise(self.std))


def trained(place, folder=None, resume=False, noise=None, **changes):
    model, noise = new_model(), noise or Recorded()
    start = model.state_dict()
    options = {"corruption": noise, "folder": folder, "resume": resume, "quiet": True}
    rows = train(model, POINTS, on(place, **changes), **options)
    return model, start, noise.seen, rows


def test_weights_shuffles_and_noise_are_the_cpus_and_the_result_close_to_it(gpu):
    model, start, seen, rows = trained(gpu)
    expected, expected_start, expected_seen, expected_rows = trained("cpu")
    for name, value in expected_start.items():
        numpy.testing.assert_array_equal(start[name], value)
    for batch, expected_batch in zip(seen, expected_seen, strict=True):
        numpy.testing.assert_array_equal(batch, expected_batch)
    assert {p.device for p in model.parameters()} == {gpu}
    for name, value in expected.state_dict().items():
        numpy.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-3, atol=1e-5)
    losses = [row["train_loss"] for row in rows]
    assert losses == pytest.approx([row["train_loss"] for row in expected_rows], rel=1e-4)


@pytest.mark.parametrize("direction", ["cpu to gpu", "gpu to cpu"])
def test_a_run_stopped_on_one_device_goes_on_on_the_other(gpu, direction, tmp_path, monkeypatch):
    first, second = ("cpu", gpu) if direction == "cpu to gpu" else (gpu, "cpu")
    update = Learner.update

    def stopping_in_the_third_step(self, gradients):
        update(self, gradients)
        if self.state.step == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Learner, "update", stopping_in_the_third_step)
    with pytest.raises(Interrupted):
        trained(first, folder=tmp_path, schedule="cosine")
    monkeypatch.setattr(Learner, "update", update)
    arrays, metadata = load_checkpoint(tmp_path / CHECKPOINT)
    assert (metadata["epoch"], metadata["step"]) == (0, 3)
    assert all(type(array) is numpy.ndarray for array in arrays.values())
    assert "cuda" not in repr(metadata)
    model, _, _, rows = trained(second, folder=tmp_path, resume=True, schedule="cosine")
    assert {p.device for p in model.parameters()} == {minigrad.device(second)}
    expected, *_, expected_rows = trained("cpu", schedule="cosine")
    for name, value in expected.state_dict().items():
        numpy.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-3, atol=1e-5)
    assert rows[-1]["train_loss"] == pytest.approx(expected_rows[-1]["train_loss"], rel=1e-4)


def test_the_next_noise_is_drawn_in_a_thread_while_a_gpu_computes_and_only_then(gpu, monkeypatch):
    """With the bits that a CPU's run draws: see the first test of this file."""
    events = []
    update, main_thread = Learner.update, threading.get_ident()

    class Noise(GaussianNoise):
        def __call__(self, images, rng):
            events.append(("drawn", threading.get_ident() == main_thread))
            return super().__call__(images, rng)

    def updated(self, gradients):
        update(self, gradients)
        events.append(("updated", True))

    monkeypatch.setattr(Learner, "update", updated)
    train(new_model(), POINTS, on("cpu", epochs=1), corruption=Noise(0.1), quiet=True)
    steps = [("drawn", True), ("updated", True)] * 5
    assert events == [("drawn", True), *steps]  # the first only measures the size of a shard
    events.clear()
    train(new_model(), POINTS, on(gpu, epochs=1), corruption=Noise(0.1), quiet=True)
    assert events[0] == ("drawn", True)
    drawn = [i for i, (what, _) in enumerate(events[1:]) if what == "drawn"]
    updated_at = [i for i, (what, _) in enumerate(events[1:]) if what == "updated"]
    assert not any(is_main for what, is_main in events[1:] if what == "drawn")
    assert len(drawn) == len(updated_at) == 5
    assert all(later < step for later, step in zip(drawn[1:], updated_at[1:]))


def fails(noisy):
    raise ZeroDivisionError("no noise")


def test_a_noise_that_fails_in_its_thread_fails_at_its_own_step(gpu):
    steps = []
    model = new_model()
    forward = model.forward
    model.forward = lambda x: steps.append(len(x)) or forward(x)
    with pytest.raises(ZeroDivisionError, match="no noise"):
        train(model, POINTS, on(gpu), corruption=Recorded(draw=4, happens=fails), quiet=True)
    assert steps == [1, 20, 20]


def test_a_map_one_ahead_is_a_map_and_never_two_ahead():
    started = []

    def square(n):
        started.append(n)
        return n * n

    results = map_one_ahead(square, iter(range(5)))
    for n in range(5):
        assert next(results) == n * n
        assert len(started) <= n + 2
    assert list(results) == list(map_one_ahead(square, [])) == []


def test_loading_weights_leaves_a_model_on_its_device(gpu, tmp_path):
    model, *_ = trained(gpu, folder=tmp_path)
    on_host, on_gpu = new_model(), new_model().to(gpu)
    for fresh, place in ((on_host, "cpu"), (on_gpu, gpu)):
        load_model(tmp_path / CHECKPOINT, fresh)
        assert {p.device for p in fresh.parameters()} == {minigrad.device(place)}
        for name, value in model.state_dict().items():
            numpy.testing.assert_array_equal(fresh.state_dict()[name], value)


def saved_position(folder):
    _, metadata = load_checkpoint(folder / CHECKPOINT, require_finite=True)
    return metadata["epoch"], metadata["step"]


def test_a_loss_that_is_not_finite_stops_at_the_next_look_and_keeps_the_last_checkpoint(
    gpu, tmp_path
):
    def spoil(noisy):
        noisy[0, 0] = numpy.nan
        return noisy

    options = {"batch_size": 10, "log_steps": 4, "save_seconds": 30}
    with pytest.raises(TrainingDiverged) as caught:  # spoilt in the second epoch's sixth step
        trained(gpu, tmp_path, noise=Recorded(draw=1 + 9 + 6, happens=spoil), **options)
    message = str(caught.value)
    assert message.startswith("by epoch 2, step 8 of 9: the loss and the parameter 0.weight")
    assert str(tmp_path / CHECKPOINT) in message
    assert saved_position(tmp_path) == (1, 0)


class Breaking(nn.Module):
    """A linear layer; in one call the loss is finite and the gradient is not."""

    def __init__(self, call):
        super().__init__()
        self.linear, self.left = nn.Linear(2, 2), call

    def forward(self, x):
        self.left -= 1
        y = self.linear(x)
        return y + (0.0 * y).sqrt() if self.left == 0 else y  # the root's slope at 0 is infinite

    def __repr__(self):
        return "Breaking()"


def test_weights_spoilt_by_a_gradient_alone_are_never_saved(gpu, tmp_path):
    model = Breaking(1 + 2 * 5)  # after one that measures: the last step of the second epoch
    settings = on(gpu, epochs=3, save_seconds=30)
    with pytest.raises(TrainingDiverged, match="the end of epoch 2: the parameter linear"):
        train(model, POINTS, settings, folder=tmp_path, quiet=True)
    assert model.left == 0
    assert saved_position(tmp_path) == (1, 0)


def test_a_run_on_the_stand_in_resumes_to_the_same_bits(tmp_path):
    with installed():
        alone, *_ = trained("cuda")
        with pytest.raises(ZeroDivisionError):
            trained("cuda", tmp_path, noise=Recorded(draw=9, happens=fails))
        resumed, *_, rows = trained("cuda", tmp_path, resume=True)
        assert saved_position(tmp_path) == (2, 0)
        assert [row["epoch"] for row in rows] == [1, 2]
        for name, value in alone.state_dict().items():
            assert resumed.state_dict()[name].tobytes() == value.tobytes()


@pytest.mark.parametrize("shard_size", [None, 5])
def test_shards_give_the_cpus_loss_and_gradients(gpu, shard_size):
    model = new_model()
    expected = shard_gradients(
        lambda x: F.mse_loss(model(x), x), list(model.parameters()), [POINTS], workers=1
    )
    model = new_model().to(gpu)
    found = shard_gradients(
        lambda x: F.mse_loss(model(x), x),
        list(model.parameters()),
        [to_device(POINTS, gpu)],
        shard_size=shard_size,
        workers=2,
    )
    for one, other in zip((found[0], *found[1]), (expected[0], *expected[1])):
        assert one.device == gpu
        numpy.testing.assert_allclose(to_numpy(one.data), other.data, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float32", "float64")])
def test_the_gradients_of_a_batch_have_memory_of_their_own(gpu, dtypes):
    """Copied by one launch where they are of one precision, else one by one."""
    a, b = (Tensor([2.0, 3.0], dtype=dtype, device=gpu, requires_grad=True) for dtype in dtypes)
    batch = to_device(numpy.ones((4, 2), "float32"), gpu)

    def loss(x):
        return (a * x).mean() + (b * b).to("float32").sum() * x.mean()

    _, gradients = shard_gradients(loss, [a, b, a], [batch])
    found = [to_numpy(gradient.data) for gradient in gradients]
    numpy.testing.assert_allclose(found[0], [0.5, 0.5])
    numpy.testing.assert_allclose(found[1], [4.0, 6.0])
    with use_device(gpu):
        gradients[0].data[...] = 7
        b.data[...] = 0
    numpy.testing.assert_array_equal(to_numpy(gradients[2].data), found[2])
    numpy.testing.assert_array_equal(to_numpy(gradients[1].data), found[1])
    assert [gradient.dtype for gradient in gradients] == [*dtypes, dtypes[0]]


@pytest.mark.parametrize(("shard_size", "most"), [(20, 20), (None, 50)])
def test_mapped_shards_bound_the_memory_and_are_joined_on_the_device(
    gpu, shard_size, most, monkeypatch
):
    monkeypatch.setattr(parallel, "GPU_ROWS", 50)
    seen = []

    def function(x):
        seen.append(len(x))
        return x * 2 + 1

    result = map_shards(function, [to_device(POINTS, gpu)], shard_size=shard_size)
    assert device_of(result) == gpu
    assert max(seen) <= most < 90 == sum(seen)
    numpy.testing.assert_array_equal(to_numpy(result), POINTS * 2 + 1)


@pytest.mark.parametrize("make", [AutoEncoder, DenseAutoEncoder])
def test_trained_models_take_and_give_host_arrays(gpu, make):
    minigrad.manual_seed(0)
    model = make(4)
    images = numpy.random.default_rng(0).random((5, 1, 28, 28), dtype="float32")
    expected = [encode(model, images), reconstruct(model, images)]
    expected.append(decode(model, expected[0]))
    model.to(gpu)
    found = [encode(model, images), reconstruct(model, images), decode(model, expected[0])]
    for one, other in zip(found, expected):
        assert type(one) is numpy.ndarray
        numpy.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
