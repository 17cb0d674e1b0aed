"""Training on several ranks: one process's bits, written once, stopped and resumed together."""

import functools
import time

import numpy
import pytest
from saved_state import state_in

from autoencoder.data import datasets
from autoencoder.data.corruption import GaussianNoise
from autoencoder.models import AutoEncoder, mlp
from autoencoder.storage.files import WriteError
from autoencoder.training import (
    METRICS,
    TrainingDiverged,
    TrainingSettings,
    train,
)
from autoencoder.training.state import StateWriter
from minigrad import manual_seed
from minigrad.parallel import RankError, run_in_threads
from minigrad.parallel.ranks import told

POINTS = numpy.random.default_rng(0).normal(size=(300, 2)).astype("float32")


@functools.cache
def images():
    return datasets.load().images("train", 260)


def trained(folder, size=None, batch_size=129, workers=None, epochs=1):
    """Train the lecture's autoencoder on noisy digits, on so many ranks; each rank's rows."""
    folder.mkdir(exist_ok=True)
    manual_seed(0)
    first = AutoEncoder(2)
    settings = TrainingSettings(epochs=epochs, batch_size=batch_size, workers=workers)

    def on_rank(ranks=None):
        how = {"corruption": GaussianNoise(0.3), "resume": True, "quiet": True, "ranks": ranks}
        if ranks is None or ranks.rank == 0:
            return train(first, images(), settings, folder=folder, **how)
        # Of the others neither the model nor the folder is taken.
        return train(AutoEncoder(2), images(), settings, folder=folder / "none", **how)

    return [on_rank()] if size is None else run_in_threads(on_rank, size)


@pytest.mark.parametrize("batch_size", [100, 129])
def test_any_number_of_ranks_and_workers_trains_to_the_same_bits(tmp_path, batch_size):
    states = []
    for size, workers in [(None, 1), (None, 2), (2, None), (3, 2), (5, 1)]:
        folder = tmp_path / f"{size} ranks, {workers} workers"
        losses = {row["train_loss"] for (row,) in trained(folder, size, batch_size, workers)}
        states.append((losses, state_in(folder)))
    assert states == states[:1] * 5


def test_a_run_goes_on_with_another_number_of_ranks(tmp_path):
    """Each of three epochs by another number, from the last one's checkpoint."""
    trained(tmp_path / "alone", epochs=3)
    for epochs, size in enumerate((2, None, 3), 1):
        trained(tmp_path / "ranks", size, epochs=epochs)
    assert state_in(tmp_path / "ranks") == state_in(tmp_path / "alone")
    assert len((tmp_path / "ranks" / METRICS).read_text().splitlines()) == 1 + 3


def failures(function, size=3):
    """What each rank raises, in one line, in the order of the ranks."""

    def note(ranks):
        try:
            function(ranks)
        except Exception as error:
            return told(error)

    return run_in_threads(note, size)


def test_a_loss_that_is_not_finite_is_found_by_all_ranks_in_one_processs_words(tmp_path):
    def diverge(ranks=None):
        settings = TrainingSettings(epochs=1, batch_size=100)
        samples = POINTS.copy()
        samples[250] = 1e30
        with numpy.errstate(over="ignore"):
            train(mlp(2, 8, 2), samples, settings, quiet=True, ranks=ranks)

    with pytest.raises(TrainingDiverged) as alone:
        diverge()
    manual_seed(0)
    assert failures(diverge) == [told(alone.value)] * 3


def test_ranks_that_have_come_to_other_weights_are_named():
    def drift(ranks):
        def spoil(model):
            parameter = next(iter(model.parameters()))
            parameter.data[...] += 1e-6 * (ranks.rank == 2)
            return {}

        settings = TrainingSettings(epochs=2)
        train(mlp(2, 8, 2), POINTS, settings, evaluate=spoil, quiet=True, ranks=ranks)

    problem = "RankError: rank 2: the end of epoch 1: a weight, from the same steps, differs"
    assert failures(drift) == [f"{problem} from rank 0's"] * 3


@pytest.mark.parametrize("what", ["settings", "samples"])
def test_ranks_that_train_something_else_are_refused(what):
    def train_another(ranks):
        other = ranks.rank == 1
        samples = POINTS + other if what == "samples" else POINTS
        settings = TrainingSettings(epochs=1, seed=int(other and what == "settings"))
        train(mlp(2, 8, 2), samples, settings, quiet=True, ranks=ranks)

    problem = f"RankError: rank 1: one of the {what} differs from rank 0's"
    assert failures(train_another) == [problem] * 3


def test_what_is_wrong_on_one_rank_is_told_to_all(tmp_path):
    def wrong(ranks):
        samples = POINTS.astype("float64") if ranks.rank == 1 else POINTS
        train(mlp(2, 8, 2), samples, TrainingSettings(), quiet=True, ranks=ranks)

    own = "TypeError: train: samples must be a float32 NumPy array, got float64"
    assert failures(wrong) == [f"RankError: rank 1: {own}", own, f"RankError: rank 1: {own}"]

    def nowhere(ranks):
        folder = tmp_path / "none"
        train(mlp(2, 8, 2), POINTS, TrainingSettings(), folder=folder, quiet=True, ranks=ranks)

    first, *others = failures(nowhere)
    assert first.startswith(WriteError.__name__)
    assert others == [f"{RankError.__name__}: rank 0: {first}"] * 2


def test_rank_0s_clock_says_when_to_save_and_all_wait_until_it_has(tmp_path):
    events = []

    def write(folder):
        time.sleep(0.1)
        events.append("written")

    def save(ranks):
        writer = StateWriter(write, tmp_path, 0.0, events.append, ranks)
        is_due = writer.is_due()
        writer.save()
        events.append("left")
        return is_due

    assert run_in_threads(save, 3) == [True, False, False]
    assert events == ["written", "left", "left", "left"]
