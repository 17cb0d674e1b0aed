"""The classifier that judges digits: what ships is good, and its file is checked."""

import numpy
import pytest

import minigrad
from autoencoder import load
from autoencoder.classifier import (
    WEIGHTS,
    Classifier,
    Judge,
    Shift,
    classify,
    features,
    shipped_classifier,
    train_classifier,
)
from autoencoder.metrics import frechet_distance, precision_recall
from autoencoder.storage.checkpoint import CheckpointError
from autoencoder.storage.weights import load_weights, save_weights
from autoencoder.training import TrainingSettings


@pytest.fixture(scope="module")
def digits():
    return load("mnist")


def test_the_shipped_classifier_names_98_of_100_digits_and_as_many_as_its_file_says(digits):
    model = Classifier()
    facts = load_weights(WEIGHTS, model)
    accuracy = (classify(model, digits.images("test")) == digits.labels("test")).mean()
    assert accuracy >= 0.985
    assert accuracy == pytest.approx(facts["test_accuracy"], abs=5e-4)  # rounded to half precision


def test_a_few_epochs_on_a_few_digits_learn_and_repeat_their_bits(digits):
    images, labels = digits.images("train", 600), digits.labels("train")[:600]
    settings = TrainingSettings(epochs=4, batch_size=30, learning_rate=2e-3)
    one, two = (train_classifier(images, labels, settings, quiet=True) for _ in range(2))
    assert (classify(one, images) == labels).mean() > 0.8
    for name, array in one.state_dict().items():
        assert array.tobytes() == two.state_dict()[name].tobytes()


def test_the_scores_are_linear_in_the_features(digits):
    minigrad.manual_seed(0)
    model, x = Classifier(), digits.images("test", 20)
    weight, bias = (parameter.detach().numpy() for parameter in model.head.parameters())
    scores = features(model, x) @ weight.T + bias
    assert (scores.argmax(axis=1) == classify(model, x)).all()
    with minigrad.no_grad():
        numpy.testing.assert_allclose(scores, model(minigrad.Tensor(x)).numpy(), atol=1e-5)


def test_shifts_move_whole_images_by_at_most_so_many_pixels_along_each_axis():
    rng = numpy.random.default_rng(0)
    images = numpy.zeros((2_000, 1, 9, 9), "float32")
    images[:, :, 4, 4] = 1.0
    moved = Shift(2)(images, rng)
    assert moved.dtype == images.dtype
    assert (moved.sum(axis=(1, 2, 3)) == 1).all()
    down, right = numpy.argwhere(moved)[:, 2:].T - 4
    counts = numpy.histogram2d(down, right, bins=numpy.arange(-2.5, 3))[0]
    assert counts.sum() == 2_000
    assert counts.min() > 2_000 / 25 / 2  # each of the 25 shifts about equally often
    border = numpy.ones((1, 1, 3, 3))
    assert sorted({float(Shift(1)(border, rng).sum()) for _ in range(50)}) == [4.0, 6.0, 9.0]


def test_the_judge_scores_by_the_features_of_its_classifier(digits):
    x, real = digits.images("train", 60), digits.images("test", 80)
    model = shipped_classifier()
    seen, wanted = features(model, x), features(model, real)
    precision, recall = precision_recall(seen, wanted)
    expected = {"frechet": frechet_distance(seen, wanted), "precision": precision, "recall": recall}
    assert Judge(real).score(x) == pytest.approx(expected)
    minigrad.manual_seed(0)
    assert Judge(real, Classifier()).score(x)["frechet"] != pytest.approx(expected["frechet"])


def test_weights_come_back_to_half_precision(tmp_path):
    minigrad.manual_seed(1)
    model, other = Classifier(), Classifier()
    save_weights(tmp_path / "w.npz", model, {"seed": 1})
    assert load_weights(tmp_path / "w.npz", other) == {"seed": 1}
    for name, array in model.state_dict().items():
        numpy.testing.assert_allclose(other.state_dict()[name], array, rtol=2**-11, atol=2**-25)


def test_weights_of_another_model_or_damaged_ones_are_refused(tmp_path):
    path = tmp_path / "w.npz"
    save_weights(path, Classifier(), {})
    with pytest.raises(CheckpointError):
        load_weights(path, Classifier(classes=3))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError):
        load_weights(path, Classifier())


def test_weights_too_large_for_half_precision_are_not_written(tmp_path):
    model = minigrad.nn.Linear(2, 1)
    with minigrad.no_grad():
        model.bias.copy_(minigrad.Tensor([1e5]))
    with pytest.raises(ValueError, match="bias is not finite in half precision"):
        save_weights(tmp_path / "w.npz", model, {})
    assert not list(tmp_path.iterdir())
