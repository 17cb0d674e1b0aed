"""Training on the stand-in's GPU: what goes wrong is noticed without a wait at each step."""

import numpy
import pytest

import minigrad
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.training import CHECKPOINT, TrainingDiverged, TrainingSettings, train
from minigrad import Tensor, detect_anomaly

POINTS = numpy.random.default_rng(0).normal(size=(100, 2)).astype("float32")


def settings(**changes):
    values = {"epochs": 2, "batch_size": 10, "log_steps": 4, "device": "cuda", **changes}
    return TrainingSettings(**values)


class BreaksAt:
    """Leaves the samples alone, but for one number in one batch."""

    def __init__(self, batch, value):
        self.left, self.value = batch + 1, value  # one is drawn to measure the shard size

    def __call__(self, samples, rng):
        self.left -= 1
        samples = samples.copy()
        if self.left == 0:
            samples[0, 0] = self.value
        return samples


def train_on_gpu(folder, corruption=None, **changes):
    minigrad.manual_seed(0)
    model = mlp(2, 8, 2)
    rows = train(
        model, POINTS, settings(**changes), corruption=corruption, folder=folder, quiet=True
    )
    return model, rows


def test_a_loss_that_is_not_finite_stops_at_the_next_look_and_keeps_the_last_checkpoint(
    cupy, tmp_path
):
    with pytest.raises(TrainingDiverged) as caught:
        train_on_gpu(tmp_path, BreaksAt(15, numpy.nan))
    message = str(caught.value)
    assert message.startswith("by epoch 2, step 8 of 10: the loss and the parameter 0.weight")
    assert str(tmp_path / CHECKPOINT) in message
    _, metadata = load_checkpoint(tmp_path / CHECKPOINT, require_finite=True)
    assert (metadata["epoch"], metadata["step"]) == (1, 0)


class Breaking(minigrad.nn.Module):
    """A linear layer; in one call the loss is finite and the gradient is not."""

    def __init__(self, call):
        super().__init__()
        self.linear = minigrad.nn.Linear(2, 2)
        self.left = call

    def forward(self, x):
        self.left -= 1
        y = self.linear(x)
        return y + (0.0 * y).sqrt() if self.left == 0 else y  # the root's slope at 0 is infinite

    def __repr__(self):
        return "Breaking()"


def test_weights_spoilt_by_a_gradient_alone_are_never_saved(cupy, tmp_path):
    minigrad.manual_seed(0)
    model = Breaking(21)  # after one that measures: the last step of the second epoch
    with pytest.raises(TrainingDiverged, match="the end of epoch 2: the parameter linear"):
        train(model, POINTS, settings(epochs=3), folder=tmp_path, quiet=True)
    assert model.left == 0
    _, metadata = load_checkpoint(tmp_path / CHECKPOINT, require_finite=True)
    assert (metadata["epoch"], metadata["step"]) == (1, 0)


def test_anomaly_mode_names_operation_and_line_on_the_gpu_too(cupy):
    x = Tensor([4.0, -1.0], requires_grad=True, device="cuda")
    with detect_anomaly(), pytest.raises(FloatingPointError) as caught:
        x.sqrt()  # the bad result
    assert "sqrt: the result is not finite (first at index (1,): nan)" in str(caught.value)
    assert "the bad result" in str(caught.value)
    y = Tensor([4.0, 0.0], requires_grad=True, device="cuda")
    with detect_anomaly():
        root = y.sqrt()  # the bad gradient
        with pytest.raises(FloatingPointError) as caught:
            root.sum().backward()
    assert "sqrt: the gradient of input 0 is not finite" in str(caught.value)
    assert "the bad gradient" in str(caught.value)


def test_a_run_on_the_gpu_resumes_to_the_same_bits(cupy, tmp_path):
    (tmp_path / "alone").mkdir()
    (tmp_path / "stopped").mkdir()
    alone, _ = train_on_gpu(tmp_path / "alone")
    with pytest.raises(ZeroDivisionError):
        train_on_gpu(tmp_path / "stopped", Fails(13), save_seconds=0.0)
    resumed, rows = train_on_gpu(tmp_path / "stopped", Fails(-1), save_seconds=0.0)
    assert [row["epoch"] for row in rows] == [1, 2]
    for name, value in alone.state_dict().items():
        assert resumed.state_dict()[name].tobytes() == value.tobytes()


class Fails(BreaksAt):
    """Leaves the samples alone until it raises."""

    def __init__(self, batch):
        super().__init__(batch, 0.0)

    def __call__(self, samples, rng):
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError
        return samples

    def __repr__(self):
        return "None"
