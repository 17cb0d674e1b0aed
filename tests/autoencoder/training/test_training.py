"""The training loop: it learns, repeats itself bit for bit, resumes, and stops when it must."""

import contextlib
import os
import signal
from dataclasses import replace

import numpy
import pytest
from saved_state import state_in

import minigrad
from autoencoder.data.corruption import GaussianNoise
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from autoencoder.training import (
    CHECKPOINT,
    Interrupted,
    TrainingDiverged,
    TrainingSettings,
    load_model,
    train,
)
from autoencoder.training.loop import Learner
from autoencoder.training.state import TrainingState
from minigrad import functional as F
from minigrad import nn

POINTS = numpy.random.default_rng(0).normal(size=(90, 2)).astype("float32")
SETTINGS = TrainingSettings(epochs=3, batch_size=20, seed=5, save_seconds=0, log_steps=2)


def new_model(seed=1):
    minigrad.manual_seed(seed)
    return mlp(2, 16, 2)


def weights(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def trained(settings=SETTINGS, corruption=GaussianNoise(0.1), samples=POINTS, **options):  # noqa: B008
    model = new_model()
    rows = train(model, samples, settings, corruption=corruption, quiet=True, **options)
    return model, rows


class At(GaussianNoise):
    """Noise, and something that happens to a certain batch when it is drawn."""

    def __init__(self, batch, happens, std=0.1):
        super().__init__(std)
        self.left, self.happens = batch, happens

    def __call__(self, images, rng):
        self.left -= 1
        noisy = super().__call__(images, rng)
        if self.left == 0:
            self.happens(noisy)
        return noisy


def ctrl_c(noisy):
    os.kill(os.getpid(), signal.SIGINT)


def break_it(noisy):
    noisy[3, 1] = numpy.nan


def test_training_lowers_the_loss_and_logs_both_scales():
    _, rows = trained(TrainingSettings(epochs=20, batch_size=20))
    assert rows[-1]["train_loss"] < 0.5 * rows[0]["train_loss"]
    for row in rows:
        assert row["train_loss_per_sample"] == pytest.approx(2 * row["train_loss"])


# The first batch is drawn once to measure the shard size.
@pytest.mark.parametrize("batch", [2, 4, 6, 7, 11, 16])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_interrupted_and_resumed_run_ends_with_the_same_bits(tmp_path, batch, schedule):
    settings = replace(SETTINGS, schedule=schedule)
    alone, _ = trained(settings, folder=tmp_path_for(tmp_path, "alone"))
    folder = tmp_path_for(tmp_path, "stopped")
    # Also in the last batch of the last epoch: whoever started several trainings must hear of it.
    with pytest.raises(Interrupted) as caught:
        trained(settings, corruption=At(batch, ctrl_c), folder=folder)
    assert caught.value.signal_number == signal.SIGINT
    model, _ = trained(settings, folder=folder, resume=True)
    assert weights(model) == weights(alone)
    assert state_in(folder) == state_in(tmp_path / "alone")
    assert [row["epoch"] for row in state_in(folder)[2]] == ["1", "2", "3"]


def test_what_a_model_draws_is_the_same_in_a_run_that_was_stopped_and_resumed(tmp_path):
    def with_dropout(folder, corruption=GaussianNoise(0.1), resume=False):  # noqa: B008
        minigrad.manual_seed(1)
        model = nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.5), nn.Linear(16, 2))
        options = {"corruption": corruption, "resume": resume, "quiet": True}
        train(model, POINTS, SETTINGS, folder=tmp_path_for(tmp_path, folder), **options)
        return weights(model)

    with pytest.raises(Interrupted):
        with_dropout("stopped", At(4, ctrl_c))
    assert with_dropout("stopped", resume=True) == with_dropout("alone")


def tmp_path_for(tmp_path, name):
    (tmp_path / name).mkdir(exist_ok=True)
    return tmp_path / name


def test_finished_run_resumed_does_nothing_more_and_its_weights_can_be_read_alone(tmp_path):
    model, rows = trained(folder=tmp_path)
    again, rows_again = trained(folder=tmp_path, resume=True)
    assert weights(again) == weights(model)
    assert rows_again == rows
    fresh = new_model(seed=99)
    load_model(tmp_path / CHECKPOINT, fresh)
    assert weights(fresh) == weights(model)
    with pytest.raises(CheckpointError, match="model"):
        load_model(tmp_path / CHECKPOINT, mlp(2, 8, 2))


@pytest.mark.parametrize("has_own_loss", [False, True])
def test_constant_schedule_can_be_continued_for_more_epochs(tmp_path, has_own_loss):
    own = {"targets": LABELS, "loss": cross_entropy} if has_own_loss else {}
    trained(folder=tmp_path, **own)
    longer = replace(SETTINGS, epochs=5)
    model, rows = trained(longer, folder=tmp_path, resume=True, **own)
    alone, _ = trained(longer, **own)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert weights(model) == weights(alone)


def test_a_corruption_that_is_a_function_is_known_again_by_its_name(tmp_path):
    def another_processes_own():
        def shrink(samples, rng):
            return samples * rng.uniform(0.5, 1.0, samples.shape).astype("float32")

        return shrink

    model, _ = trained(folder=tmp_path, corruption=another_processes_own())
    again, _ = trained(folder=tmp_path, corruption=another_processes_own(), resume=True)
    assert weights(again) == weights(model)


def test_another_corruption_without_a_name_of_its_own_is_refused(tmp_path):
    for first, other in (
        (GaussianNoise(0.1).__call__, GaussianNoise(0.5).__call__),  # a method of another object
        (lambda x, rng: x, lambda x, rng: 2 * x),
    ):
        trained(folder=tmp_path, corruption=first)
        with pytest.raises(CheckpointError, match="corruption"):
            trained(folder=tmp_path, corruption=other, resume=True)


@pytest.mark.parametrize(
    "change", [{"seed": 6}, {"batch_size": 10}, {"learning_rate": 0.5}, {"loss": "l1"}, {}]
)
def test_checkpoint_of_another_run_is_refused_and_nothing_is_changed(tmp_path, change):
    trained(folder=tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    samples = POINTS if change else POINTS + numpy.float32(1e-6)  # others of the same shape
    with pytest.raises(CheckpointError, match=next(iter(change), "identity")):
        trained(replace(SETTINGS, **change), samples=samples, folder=tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_loss_that_is_not_finite_stops_at_that_step_and_keeps_the_last_checkpoint(tmp_path):
    with pytest.raises(TrainingDiverged) as caught:
        trained(corruption=At(5, break_it), folder=tmp_path)
    message = str(caught.value)
    assert "epoch 1, step 4: the loss" in message
    assert "linear: the result is not finite" in message
    assert str(tmp_path / CHECKPOINT) in message
    _, metadata = load_checkpoint(tmp_path / CHECKPOINT, require_finite=True)
    assert (metadata["epoch"], metadata["step"]) == (0, 3)


def test_evaluation_runs_after_every_epoch_and_lands_in_the_rows(tmp_path):
    calls = []

    def evaluate(model):
        calls.append(model)
        return {"test_error": float(len(calls))}

    _, rows = trained(evaluate=evaluate, folder=tmp_path)
    assert [row["test_error"] for row in rows] == [1.0, 2.0, 3.0]


def test_gradients_whose_square_overflows_stop_training_before_such_a_state_is_saved(tmp_path):
    huge = POINTS.copy()
    huge[:, 0] = 1e15  # the gradient is finite in float32, its square is not
    minigrad.manual_seed(1)
    with pytest.raises(TrainingDiverged, match=r"the optimiser's exp_avg_sq of 0\.weight"):
        train(mlp(2, 16, 2), huge, SETTINGS, folder=tmp_path, quiet=True)
    assert not (tmp_path / CHECKPOINT).exists()


def mutations(value):
    """A value of a checkpoint's metadata with every part of it spoilt in turn, and what it was."""
    huge = [None, "text", [], {}, [[1]], -1, 10**9, 10**400, float("nan"), float("inf"), True, 0.5]
    for wrong in huge:
        if wrong != value or isinstance(wrong, bool) != isinstance(value, bool):
            yield wrong
    if isinstance(value, dict):
        for key in value:
            yield {name: one for name, one in value.items() if name != key}
            yield from ({**value, key: wrong} for wrong in mutations(value[key]))
        yield {**value, "another": 1.0}
    if isinstance(value, list):
        yield [*value, *value[-1:]] if value else [3]
        for i, one in enumerate(value):
            yield value[:i] + value[i + 1 :]
            yield from ([*value[:i], wrong, *value[i + 1 :]] for wrong in mutations(one))


@pytest.mark.parametrize(("schedule", "batch"), [("cosine", 9), ("constant", 99)])
def test_sealed_checkpoint_with_a_field_mutated_is_refused_by_its_name(tmp_path, schedule, batch):
    settings = replace(SETTINGS, epochs=2, schedule=schedule)
    with contextlib.suppress(Interrupted):  # within the second epoch, or not at all
        trained(settings, corruption=At(batch, ctrl_c), folder=tmp_path)
    path = tmp_path / CHECKPOINT
    arrays, metadata = load_checkpoint(path)
    assert len(metadata["rows"]) == (1 if batch == 9 else 2)
    # Any time is a time, any sum of losses one; a row may have metrics of its own.
    free = {"seconds", "images_per_second", "train_loss", "train_loss_per_sample", "another"}
    accepted, messages = [], []
    for key in metadata:
        spoilt = [{k: v for k, v in metadata.items() if k != key}]
        spoilt += [{**metadata, key: wrong} for wrong in mutations(metadata[key])]
        for one in spoilt:
            save_checkpoint(path, arrays, one)
            model = new_model()
            before = weights(model)
            try:
                resume(model, settings, tmp_path)
            except CheckpointError as error:
                messages.append((f"{path}: metadata {key!r}", str(error), weights(model) == before))
            else:
                accepted.append((key, one[key]))
    assert len(messages) > 400
    for start, message, is_unchanged in messages:
        assert message.startswith(start)
        assert len(message) < 1000
        assert is_unchanged
    for key, value in accepted:
        assert key in ("running_loss", "seconds", "rows")
        for row, good in zip(value, metadata["rows"]) if key == "rows" else ():
            assert {column for column in row if row[column] != good.get(column)} <= free
    save_checkpoint(path, arrays, metadata)
    resume(new_model(), settings, tmp_path)


def resume(model, settings, folder):
    """Go on from a checkpoint, but take no step."""
    Learner(model, POINTS, settings, GaussianNoise(0.1)).begin(folder / CHECKPOINT)


def test_sealed_checkpoint_with_an_array_mutated_is_refused_by_name(tmp_path):
    trained(SETTINGS, corruption=GaussianNoise(0.1), folder=tmp_path)
    path = tmp_path / CHECKPOINT
    arrays, metadata = load_checkpoint(path)
    for name, array in arrays.items():
        changes = [array[None], array.astype("float64"), array * numpy.nan]
        changes += [-numpy.abs(array) - 1] if name.endswith("_sq") else []
        for wrong in (None, *changes):
            kept = {k: v for k, v in {**arrays, name: wrong}.items() if v is not None}
            save_checkpoint(path, kept, metadata)
            with pytest.raises(CheckpointError, match=name.removeprefix("model/")):
                resume(new_model(), SETTINGS, tmp_path)
    save_checkpoint(path, {**arrays, "another": array}, metadata)
    with pytest.raises(CheckpointError, match="another"):
        resume(new_model(), SETTINGS, tmp_path)


def test_metric_that_a_checkpoints_row_lacks_is_named_when_it_is_asked_for(tmp_path):
    trained(folder=tmp_path)
    _, rows = trained(folder=tmp_path, resume=True, evaluate=lambda model: {"test_error": 1.0})
    with pytest.raises(CheckpointError, match=r"checkpoint.npz: .*'rows'\[2\]\['test_error'\]"):
        rows[-1]["test_error"]


def test_a_parameter_without_dimensions_is_resumed_with_its_memory(tmp_path):
    model = minigrad.nn.Linear(1, 1)
    model.scale = minigrad.nn.Parameter(numpy.float32(2.0))
    optimizer = minigrad.optim.Adam(model.parameters())
    optimizer.step([numpy.full(p.shape, 0.3, "float32") for p in model.parameters()])
    TrainingState(model, optimizer, step=1).save(tmp_path / "c.npz", {})
    other = minigrad.optim.Adam(model.parameters())
    TrainingState(model, other).load(tmp_path / "c.npz", {}, steps=3, epochs=1)
    saved, loaded = optimizer.state_dict()["state"], other.state_dict()["state"]
    saved, loaded = ([s["exp_avg"].tolist() for s in o.values()] for o in (saved, loaded))
    assert saved == loaded


# Targets and a loss of one's own: labels, and noise that the loss knows.
LABELS = (POINTS[:, 0] > POINTS[:, 1]).astype("int64")
LEARNING = TrainingSettings(epochs=30, batch_size=30, learning_rate=0.01, seed=5)


def cross_entropy(model, inputs, targets):
    return F.cross_entropy(model(inputs), targets)


def squares_less_nine(model, inputs, targets):
    return F.mse_loss(model(inputs), inputs) - 9


def trained_on_labels(settings, targets=LABELS, loss=cross_entropy, **options):
    return trained(settings, None, targets=targets, loss=loss, **options)


def test_labels_are_learnt_and_the_loss_is_the_mean_over_samples():
    model, rows = trained_on_labels(LEARNING)
    with minigrad.no_grad():
        logits = model(minigrad.Tensor(POINTS)).numpy()
    assert (logits.argmax(axis=1) == LABELS).mean() > 0.95
    assert rows[-1]["train_loss"] < 0.5 * rows[0]["train_loss"]
    assert rows[0]["train_loss_per_sample"] == rows[0]["train_loss"]
    one = TrainingSettings(epochs=1, batch_size=90, learning_rate=1e-30)
    model, (row,) = trained_on_labels(one)
    with minigrad.no_grad():
        logits = model(minigrad.Tensor(POINTS)).numpy().astype("float64")
    shares = numpy.exp(logits) / numpy.exp(logits).sum(axis=1, keepdims=True)
    expected = -numpy.log(shares[numpy.arange(90), LABELS]).mean()
    assert row["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_a_loss_below_zero_is_saved_and_resumed(tmp_path):
    for epochs in (1, 2):
        settings = TrainingSettings(epochs=epochs, batch_size=30)
        _, rows = trained_on_labels(settings, loss=squares_less_nine, folder=tmp_path, resume=True)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[0]["train_loss"] < 0


def test_targets_are_compared_with_what_the_settings_loss_gives():
    double, rows = trained_on_labels(LEARNING, targets=2 * POINTS, loss=None)
    assert rows[-1]["train_loss"] < 0.1 * rows[0]["train_loss"]
    assert rows[0]["train_loss_per_sample"] == pytest.approx(2 * rows[0]["train_loss"])
    with minigrad.no_grad():
        found = double(minigrad.Tensor(POINTS)).numpy()
    assert ((found - 2 * POINTS) ** 2).mean() < 0.2 * (POINTS**2).mean()


@pytest.mark.parametrize(
    "change", [dict(targets=1 - LABELS), dict(loss=lambda m, x, y: F.cross_entropy(m(x), y))]
)
def test_a_checkpoint_of_other_targets_or_another_loss_is_refused(change, tmp_path):
    trained_on_labels(TrainingSettings(epochs=1), folder=tmp_path)
    with pytest.raises(CheckpointError):
        trained_on_labels(TrainingSettings(epochs=1), folder=tmp_path, resume=True, **change)
