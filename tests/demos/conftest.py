"""Sets of images as somebody else may have them."""

import numpy
import pytest

from autoencoder.data import datasets
from autoencoder.data.idx import write_idx
from autoencoder.data.published import FILES


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def write_set():
    """Write a set of four IDX files: MNIST's images from some place on, or blank ones of a size."""
    mnist = datasets.load()

    def write(folder, train, test, size=(28, 28), start=0):
        folder.mkdir(exist_ok=True)
        pixels = (mnist.train_images, mnist.test_images)
        labels = (mnist.train_labels, mnist.test_labels)
        for split, count in enumerate((train, test)):
            chosen = slice(start, start + count)
            images = pixels[split][chosen]
            if size != (28, 28):
                images = numpy.zeros((count, *size), "uint8")
            write_idx(folder / FILES[2 * split], images)
            write_idx(folder / FILES[2 * split + 1], labels[split][chosen])
        return folder

    return write
