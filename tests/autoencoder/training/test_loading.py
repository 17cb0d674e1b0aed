"""A trained model is read back from its file alone; what a forged file claims is not built."""

import tracemalloc

import numpy
import pytest

import autoencoder
import minigrad
from autoencoder.classifier import WEIGHTS, Classifier
from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from autoencoder.training import CHECKPOINT
from minigrad import nn

NETWORKS = {
    "AutoEncoder": (lambda: autoencoder.AutoEncoder(3), (1, 28, 28)),
    "AutoEncoder 17 x 30 in colour": (lambda: autoencoder.AutoEncoder(2, (17, 30), 3), (3, 17, 30)),
    "Denoiser": (lambda: autoencoder.Denoiser(3, 5), (3, 20, 20)),
    "DenseAutoEncoder": (lambda: autoencoder.DenseAutoEncoder(2, (3, 4), bias=False), (3, 4)),
    "MLPAutoEncoder": (lambda: autoencoder.MLPAutoEncoder(2, 7, 1), (2,)),
    "SmoothAutoEncoder": (lambda: autoencoder.SmoothAutoEncoder(2, (3, 8, 8), 9), (3, 8, 8)),
}


@pytest.fixture
def trained(tmp_path):
    """Train a network for one step; its folder."""

    def make(model, shape):
        x = numpy.random.default_rng(0).random((4, *shape), dtype="float32")
        settings = autoencoder.TrainingSettings(epochs=1)
        autoencoder.train(model, x, settings, folder=tmp_path, quiet=True)
        return tmp_path, x

    return make


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_comes_back_from_its_folder_alone_to_the_bit(name, trained):
    make, shape = NETWORKS[name]
    model = make()
    folder, x = trained(model, shape)
    again = autoencoder.load_model(folder)
    assert type(again) is type(model)
    expected = autoencoder.reconstruct(model, x).tobytes()
    assert autoencoder.reconstruct(again, x).tobytes() == expected
    given = make()
    assert autoencoder.load_model(folder, given)["epoch"] == 1
    assert autoencoder.reconstruct(given, x).tobytes() == expected


def test_the_weights_that_ship_with_the_package_come_back_too():
    assert isinstance(autoencoder.load_model(WEIGHTS), Classifier)


def test_another_module_and_a_folder_without_a_checkpoint_are_refused_in_words(trained, tmp_path):
    folder, _ = trained(nn.Linear(4, 4), (4,))
    with pytest.raises(CheckpointError, match="'Linear', no network of this package"):
        autoencoder.load_model(folder)
    assert autoencoder.load_model(folder, nn.Linear(4, 4))["epoch"] == 1
    with pytest.raises(CheckpointError, match=r"'model'.*is another"):
        autoencoder.load_model(folder, nn.Linear(4, 5))
    run = tmp_path / "runs" / "interpolate" / "001"
    run.mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"checkpoint.npz: is missing$"):
        autoencoder.load_model(run)
    (tmp_path / "runs" / "models" / "autoencoder-d8").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"folders in .*models: autoencoder-d8"):
        autoencoder.load_model(run)


@pytest.mark.parametrize(
    "arguments",
    [
        *([10**9, 28, 1], [10**5, 128, 10**5], [3, 28, 2], [3, [28, 28], 1, 1], [3, 10**9]),
        *(["3"], [True], [None], [10**400], [[3]], {"latent_size": 3}, 7),
    ],
)
def test_a_forged_description_builds_nothing_large_and_names_the_field(arguments, trained):
    folder, _ = trained(autoencoder.AutoEncoder(3), (1, 28, 28))
    arrays, metadata = load_checkpoint(folder / CHECKPOINT)
    save_checkpoint(folder / CHECKPOINT, arrays, {**metadata, "arguments": arguments})
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="arguments"):
        autoencoder.load_model(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25


def test_no_limit_stays_behind(trained):
    folder, _ = trained(autoencoder.AutoEncoder(3), (1, 28, 28))
    autoencoder.load_model(folder)
    assert minigrad.nn.Linear(1000, 1000).weight.size == 10**6
