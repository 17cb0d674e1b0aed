"""Training on a GPU: it starts as on the CPU, ends close to it, and its checkpoints travel."""

import dataclasses
import signal

import numpy
import pytest

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
from minigrad import Tensor
from minigrad import functional as F
from minigrad.backend import device_of, to_device, to_numpy
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
    """Noise that keeps what it was given and what it drew, and may stop the run."""

    def __init__(self, std, stop_at=None):
        super().__init__(std)
        self.seen, self.stop_at = [], stop_at

    def __call__(self, images, rng):
        noisy = super().__call__(images, rng)
        self.seen += [images, noisy]
        if self.stop_at == len(self.seen) // 2:
            signal.raise_signal(signal.SIGINT)
        return noisy

    def __repr__(self):
        return repr(GaussianNoise(self.std))


def trained(place, folder=None, resume=False, stop_at=None, **changes):
    model, noise = new_model(), Recorded(0.1, stop_at)
    start = model.state_dict()
    rows = train(
        model,
        POINTS,
        on(place, **changes),
        corruption=noise,
        folder=folder,
        resume=resume,
        quiet=True,
    )
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
def test_a_run_stopped_on_one_device_goes_on_on_the_other(gpu, direction, tmp_path):
    first, second = ("cpu", gpu) if direction == "cpu to gpu" else (gpu, "cpu")
    with pytest.raises(Interrupted):
        trained(first, folder=tmp_path, stop_at=4, schedule="cosine")
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


def test_loading_weights_leaves_a_model_on_its_device(gpu, tmp_path):
    model, *_ = trained(gpu, folder=tmp_path)
    on_host, on_gpu = new_model(), new_model().to(gpu)
    for fresh, place in ((on_host, "cpu"), (on_gpu, gpu)):
        load_model(tmp_path / CHECKPOINT, fresh)
        assert {p.device for p in fresh.parameters()} == {minigrad.device(place)}
        for name, value in model.state_dict().items():
            numpy.testing.assert_array_equal(fresh.state_dict()[name], value)


def test_a_loss_that_is_not_finite_stops_the_run_at_the_next_look(gpu):
    class Breaks(GaussianNoise):
        def __call__(self, images, rng):
            return super().__call__(images, rng) * numpy.float32("inf")

    with pytest.raises(TrainingDiverged, match="the loss and the parameter"):
        train(new_model(), POINTS, on(gpu), corruption=Breaks(0.1), quiet=True)


def test_an_operation_is_named_where_a_number_went_wrong(gpu):
    x = Tensor([0.0, 1.0], device=gpu, requires_grad=True)
    with minigrad.detect_anomaly(), pytest.raises(FloatingPointError, match=r"log.*index \(0,\)"):
        x.log()


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
