"""Restoring: PSNR on the erased pixels only; every way sees the same; figures from saved data."""

import numpy
import pytest

from autoencoder.data import datasets
from autoencoder.data.corruption import EraseHalf
from autoencoder.lecture.sections import load_demo

restore = load_demo("restore")


def test_the_baseline_is_the_training_mean_on_the_erased_pixels(smoke):
    _, results = smoke("restore")
    train = datasets.load().train_images[:400] / 255.0
    clean = datasets.load().test_images[:40] / 255.0
    squares = (clean - train.mean(axis=0)) ** 2
    expected = -10 * numpy.log10(squares[:, :, :14].mean())  # the left half
    found = {(row["erased"], row["filled_by"]): row["psnr_erased_db"] for row in results.rows}
    assert found["the left half", "training mean"] == pytest.approx(expected, abs=1e-3)


def test_visible_pixels_are_kept_and_erased_ones_filled(smoke):
    _, results = smoke("restore")
    arrays = results.arrays
    for number in range(len(restore.KINDS)):
        mask = arrays[f"mask/{number}"]
        assert mask.any()
        assert not mask.all()
        for way in ("pca", "autoencoder"):
            filled = arrays[f"{way}/{number}"]
            numpy.testing.assert_array_equal(filled[~mask], arrays["clean"][~mask])
            assert (filled[mask] != arrays["clean"][mask]).any()


def test_training_erases_in_all_the_ways_that_are_measured():
    sides = {way.side for way in restore.TRAINED_ON.ways if isinstance(way, EraseHalf)}
    assert sides == {"left", "right", "top", "bottom"}
    kinds = {type(way) for way in restore.TRAINED_ON.ways}
    assert {type(kind) for kind in restore.KINDS.values()} <= kinds
