import gzip
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import autoencoder.data.datasets
from autoencoder.data.arrays import DataError
from autoencoder.data.datasets import load
from autoencoder.data.idx import IdxError, write_idx
from autoencoder.data.published import FILES, SOURCES

PACKAGED = Path(autoencoder.data.datasets.__file__).parent / "mnist"
IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = FILES


@pytest.fixture
def small_set(tmp_path):
    """A folder with a valid set of 6 and 4 images."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for images, labels, count in ((IMAGES, LABELS, 6), (TEST_IMAGES, TEST_LABELS, 4)):
        pixels = rng.integers(0, 256, (count, 5, 7), dtype=np.uint8)
        write_idx(folder / f"{images}.gz", pixels)
        write_idx(folder / labels, np.arange(count, dtype=np.uint8))
    return folder


def test_mnist_ships_with_the_package_and_is_the_published_one():
    start = time.process_time()
    digits = load("mnist")
    assert time.process_time() - start < 5
    assert digits.train_images.shape == (60_000, 28, 28)
    assert digits.train_images.dtype == np.uint8
    assert digits.test_images.shape == (10_000, 28, 28)
    # Facts published with the data: the first labels, and how often each digit occurs.
    assert digits.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(digits.labels("train")).tolist() == counts
    assert digits.labels("test")[:5].tolist() == [7, 2, 1, 0, 4]
    assert digits.images("train").mean() == pytest.approx(0.1307, abs=5e-5)


def test_the_licence_and_attribution_stand_beside_the_data():
    text = (PACKAGED / "README.md").read_text()
    for words in ("Yann LeCun", "Corinna Cortes", "Burges", "CC BY-SA 3.0", "creativecommons.org"):
        assert words in text
    for digest in SOURCES["mnist"].sha256.values():
        assert digest in text


def test_images_are_float32_in_the_unit_interval_and_exact(small_set):
    dataset = load(small_set)
    for split, pixels in (("train", dataset.train_images), ("test", dataset.test_images)):
        images = dataset.images(split)
        assert images.shape == (len(pixels), 1, 5, 7)
        assert images.dtype == np.float32
        np.testing.assert_array_equal(images[:, 0], (pixels / 255).astype(np.float32))
    assert repr(dataset) == "Dataset('tiny', 6 training and 4 test images of 5 x 7)"


def test_a_missing_folder_and_a_missing_file_say_which(small_set):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load("mnist", folder=small_set / "nowhere")
    (small_set / f"{IMAGES}.gz").unlink()
    with pytest.raises(DataError, match=rf"tiny.*{IMAGES}.gz or {IMAGES}"):
        load(small_set)


def test_labels_and_test_images_of_a_folder_of_idx_files_may_be_missing(small_set):
    (small_set / LABELS).unlink()
    dataset = load(small_set)
    assert not dataset.has_labels
    assert len(dataset.test_images) == 4
    with pytest.raises(DataError, match="tiny: the train images have no labels"):
        dataset.labels("train")
    (small_set / f"{TEST_IMAGES}.gz").unlink()
    dataset = load(small_set)
    assert (len(dataset.train_images), len(dataset.test_images)) == (5, 1)


@pytest.mark.parametrize("name", list(SOURCES))
def test_files_that_are_not_the_published_ones_are_refused_on_load(small_set, name):
    with pytest.raises(IdxError, match=f"{IMAGES}.gz: content: .* expected"):
        load(name, folder=small_set)


def test_one_changed_pixel_in_a_valid_mnist_file_is_refused(tmp_path):
    for file in PACKAGED.iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / f"{TEST_LABELS}.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[5000] ^= 1
    path.write_bytes(gzip.compress(content))
    with pytest.raises(IdxError, match=f"{TEST_LABELS}.gz: content: its SHA-256"):
        load("mnist", folder=tmp_path)
    path.unlink()
    content[5000] ^= 1
    (tmp_path / TEST_LABELS).write_bytes(content)
    assert len(load("mnist", folder=tmp_path).test_labels) == 10_000


@pytest.mark.parametrize(
    ("file", "array", "words"),
    [
        (IMAGES, np.zeros((6, 5, 7), np.float32), "images must be uint8"),
        (IMAGES, np.zeros((6, 35), np.uint8), "three dimensions"),
        (LABELS, np.zeros((6, 1), np.uint8), "labels must be integers of one dimension"),
        (LABELS, np.zeros(6, np.float32), "labels must be integers"),
        (LABELS, np.zeros(5, np.uint8), "5 labels for 6 images"),
        (TEST_IMAGES, np.zeros((4, 7, 5), np.uint8), "training images"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(small_set, file, array, words):
    for path in small_set.glob(f"{file}*"):
        path.unlink()
    write_idx(small_set / file, array)
    with pytest.raises(DataError, match=words):
        load(small_set)
