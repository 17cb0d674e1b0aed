"""The classifier as a demo: it learns, says what it needs, and reaches what is promised."""

import numpy
import pytest

from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_section
from autoencoder.storage.results import Results

section = load_section("classify")


def test_a_short_run_learns(tmp_path):
    small = ["--preset", "smoke", "--train-images", "1500", "--test-images", "200"]
    assert main(section, [*small, "--batch-size", "20", "--out", str(tmp_path)]) == 0
    results = Results.load(tmp_path / "results.npz")
    confusion = results.arrays["confusion"]
    assert confusion.shape == (10, 10)
    assert confusion.sum() == 200
    accuracy = results.numbers["test_accuracy"]
    assert accuracy == confusion.trace() / 200
    assert accuracy > 0.6


@pytest.mark.parametrize(
    ("shape", "labels", "words"),
    [
        ((28, 28), None, "has no labels to learn"),
        ((32, 32, 3), [0, 1] * 20, "the classifier takes"),
    ],
)
def test_data_it_cannot_learn_from_are_refused_first(shape, labels, words, tmp_path, refused):
    arrays = {"images": numpy.random.default_rng(0).random((40, *shape))}
    if labels is not None:
        arrays["labels"] = numpy.array(labels)
    numpy.savez("data.npz", **arrays)
    assert words in refused(main, section, ["--preset", "smoke", "--data", "data.npz"])


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_twelve_epochs_name_99_2_per_cent_of_the_test_digits(tmp_path):
    assert main(section, ["--out", str(tmp_path)]) == 0
    assert Results.load(tmp_path / "results.npz").numbers["test_accuracy"] >= 0.992
