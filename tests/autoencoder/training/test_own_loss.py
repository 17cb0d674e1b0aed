"""The training loop with targets and a loss of one's own: labels, and noise that the loss knows."""

import numpy
import pytest

import minigrad
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import CheckpointError
from autoencoder.training import TrainingSettings, train
from minigrad import functional as F

RNG = numpy.random.default_rng(0)
POINTS = RNG.normal(size=(90, 2)).astype("float32")
LABELS = (POINTS[:, 0] > POINTS[:, 1]).astype("int64")
SETTINGS = TrainingSettings(epochs=30, batch_size=30, learning_rate=0.01, seed=5)


def cross_entropy(model, inputs, targets):
    return F.cross_entropy(model(inputs), targets)


def squares_less_nine(model, inputs, targets):
    return F.mse_loss(model(inputs), inputs) - 9


def new_model():
    minigrad.manual_seed(1)
    return mlp(2, 16, 2)


def trained(settings=SETTINGS, targets=LABELS, loss=cross_entropy, **options):
    model = new_model()
    return model, train(model, POINTS, settings, targets=targets, loss=loss, quiet=True, **options)


def test_labels_are_learnt_and_the_loss_is_the_mean_over_samples():
    model, rows = trained()
    with minigrad.no_grad():
        logits = model(minigrad.Tensor(POINTS)).numpy()
    assert (logits.argmax(axis=1) == LABELS).mean() > 0.95
    assert rows[-1]["train_loss"] < 0.5 * rows[0]["train_loss"]
    assert rows[0]["train_loss_per_sample"] == rows[0]["train_loss"]
    one = TrainingSettings(epochs=1, batch_size=90, learning_rate=1e-30)
    model, (row,) = trained(one)
    with minigrad.no_grad():
        logits = model(minigrad.Tensor(POINTS)).numpy().astype("float64")
    shares = numpy.exp(logits) / numpy.exp(logits).sum(axis=1, keepdims=True)
    expected = -numpy.log(shares[numpy.arange(90), LABELS]).mean()
    assert row["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_a_loss_below_zero_is_saved_and_resumed(tmp_path):
    for epochs in (1, 2):
        settings = TrainingSettings(epochs=epochs, batch_size=30)
        _, rows = trained(settings, loss=squares_less_nine, folder=tmp_path, resume=True)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[0]["train_loss"] < 0


def test_targets_are_compared_with_what_the_settings_loss_gives():
    double, rows = trained(targets=2 * POINTS, loss=None)
    assert rows[-1]["train_loss"] < 0.1 * rows[0]["train_loss"]
    assert rows[0]["train_loss_per_sample"] == pytest.approx(2 * rows[0]["train_loss"])
    with minigrad.no_grad():
        found = double(minigrad.Tensor(POINTS)).numpy()
    assert ((found - 2 * POINTS) ** 2).mean() < 0.2 * (POINTS**2).mean()


def test_a_run_resumed_ends_with_the_bits_of_one_left_alone(tmp_path):
    whole, rows = trained()
    half = TrainingSettings(**{**vars(SETTINGS), "epochs": 11})
    trained(half, folder=tmp_path)
    resumed, resumed_rows = trained(folder=tmp_path, resume=True)
    for name, array in whole.state_dict().items():
        assert array.tobytes() == resumed.state_dict()[name].tobytes()
    assert [row["train_loss"] for row in resumed_rows] == [row["train_loss"] for row in rows]


@pytest.mark.parametrize(
    "change", [dict(targets=1 - LABELS), dict(loss=lambda m, x, y: F.cross_entropy(m(x), y))]
)
def test_a_checkpoint_of_other_targets_or_another_loss_is_refused(change, tmp_path):
    trained(TrainingSettings(epochs=1), folder=tmp_path)
    with pytest.raises(CheckpointError):
        trained(TrainingSettings(epochs=1), folder=tmp_path, resume=True, **change)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (LABELS[:50], r"\(90, 2\) samples need as many targets, got \(50,\)"),
        (LABELS.tolist(), "targets must be a NumPy array of numbers, got list"),
        (LABELS.astype(str), "targets must be a NumPy array of numbers"),
        (numpy.full(90, numpy.nan, "float32"), "are not all finite"),
    ],
)
def test_wrong_targets_are_named(targets, message):
    with pytest.raises((TypeError, ValueError), match=f"train: .*{message}"):
        trained(targets=targets)
