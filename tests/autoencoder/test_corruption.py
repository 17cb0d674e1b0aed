import math

import numpy as np
import pytest

from autoencoder.data import corruption as corruptions
from autoencoder.data.corruption import (
    EraseBlock,
    EraseHalf,
    EraseOneOf,
    ErasePixels,
    GaussianNoise,
)

ERASERS = [
    ErasePixels(0.3),
    ErasePixels(0.3, fill=0.5),
    EraseBlock(10),
    EraseBlock(3, 20, fill=1.0),
    EraseHalf("left"),
    EraseHalf("right"),
    EraseHalf("top"),
    EraseHalf("bottom"),
    EraseOneOf([ErasePixels(0.3)], fill=0.5),
    EraseOneOf([EraseHalf("left"), EraseHalf("top"), EraseBlock(10)]),
]
ALL = [GaussianNoise(0.5), GaussianNoise(0.5, clip=True), *ERASERS]


def images(count=50, channels=1, height=28, width=28, dtype=np.float32):
    return np.random.default_rng(7).random((count, channels, height, width)).astype(dtype)


@pytest.mark.parametrize("corruption", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_keeps_dtype_and_shape_and_leaves_the_input_alone(corruption, dtype):
    x = images(channels=3, height=21, width=25, dtype=dtype)
    before = x.copy()
    x.flags.writeable = False
    corrupted = corruption(x, np.random.default_rng(0))
    assert corrupted.dtype == dtype
    assert corrupted.shape == x.shape
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(corrupted, x)


@pytest.mark.parametrize("corruption", ALL, ids=repr)
def test_same_generator_state_gives_the_same_bits_and_another_seed_does_not(corruption):
    x = images()
    first, second, other = (corruption(x, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.tobytes() == second.tobytes()
    if not isinstance(corruption, EraseHalf):
        assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("corruption", ALL, ids=repr)
def test_an_empty_batch_stays_empty(corruption):
    assert corruption(images(count=0), np.random.default_rng(0)).shape == (0, 1, 28, 28)


@pytest.mark.parametrize("corruption", ERASERS, ids=repr)
def test_mask_names_exactly_the_pixels_a_call_fills(corruption):
    x = images(channels=2)
    mask = corruption.mask(x, np.random.default_rng(3))
    corrupted = corruption(x, np.random.default_rng(3))
    assert mask.dtype == bool
    assert mask.shape == x.shape
    assert mask.any()
    assert not mask.all()
    np.testing.assert_array_equal(corrupted[mask], np.float32(corruption.fill))
    np.testing.assert_array_equal(corrupted[~mask], x[~mask])
    np.testing.assert_array_equal(mask[:, 0], mask[:, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(400, 1, 28, 28), (150_000, 2)])
def test_noise_has_the_moments_of_a_normal_distribution(shape, dtype):
    x = np.full(shape, 0.25, dtype)
    noise = (GaussianNoise(0.5)(x, np.random.default_rng(0)) - x).astype(np.float64) / 0.5
    # Five standard errors of each moment of n normal numbers: sqrt(1, 2, 15, 96) / sqrt(n).
    n = noise.size
    for power, expected, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((noise**power).mean() - expected) < 5 * math.sqrt(variance / n)
    # Neighbours, and the two coordinates of a point, are independent.
    flat = noise.reshape(len(noise), -1)
    assert abs((flat[:, 0] * flat[:, 1]).mean()) < 5 / math.sqrt(len(flat))


def test_noise_leaves_zero_std_exact_and_clips_only_when_told():
    x = images()
    np.testing.assert_array_equal(GaussianNoise(0)(x, np.random.default_rng(0)), x)
    free = GaussianNoise(0.5)(x, np.random.default_rng(0))
    clipped = GaussianNoise(0.5, clip=True)(x, np.random.default_rng(0))
    assert free.min() < 0
    assert free.max() > 1
    np.testing.assert_array_equal(clipped, np.clip(free, 0, 1))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_erase_pixels_loses_the_given_share_everywhere_alike(share):
    mask = ErasePixels(share).mask(images(count=2000), np.random.default_rng(0))
    error = math.sqrt(share * (1 - share))
    assert abs(mask.mean() - share) <= 5 * error / math.sqrt(mask.size)
    assert np.abs(mask.mean(axis=0) - share).max() <= 5.5 * error / math.sqrt(len(mask))


def test_erase_block_is_one_rectangle_inside_with_every_position_alike():
    mask = EraseBlock(26, 25).mask(images(count=6000), np.random.default_rng(0))[:, 0]
    counts = np.zeros((3, 4))
    for one in mask:
        rows, columns = np.nonzero(one.any(axis=1))[0], np.nonzero(one.any(axis=0))[0]
        top, left = rows[0], columns[0]
        assert one[top : top + 26, left : left + 25].all()
        assert one.sum() == 26 * 25
        counts[top, left] += 1
    expected = 6000 / 12
    # 99.9 % quantile of chi squared with 11 degrees of freedom.
    assert ((counts - expected) ** 2 / expected).sum() < 31.26


def test_erase_block_as_large_as_the_image_takes_all():
    assert EraseBlock(28).mask(images(), np.random.default_rng(0)).all()


@pytest.mark.parametrize("size", [28, 27])
def test_opposite_halves_are_complements(size):
    x = images(height=size, width=size)
    for first, second in (("left", "right"), ("top", "bottom")):
        a, b = EraseHalf(first).mask(x), EraseHalf(second).mask(x)
        assert (a ^ b).all()
        assert not (a & b).any()
    assert EraseHalf("left").mask(x)[..., 0].all()
    assert EraseHalf("top").mask(x)[..., 0, :].all()
    assert EraseHalf("right").mask(x)[..., -1].all()
    assert EraseHalf("bottom").mask(x)[..., -1, :].all()


def test_fill_may_be_the_mean_image():
    x = images(channels=2)
    mean = x.mean(axis=0)
    corruption = EraseHalf("top", fill=mean)
    filled = corruption(x)
    expected = np.broadcast_to(mean[:, :14], (50, 2, 14, 28))
    np.testing.assert_array_equal(filled[:, :, :14], expected)
    assert repr(corruption).startswith("EraseHalf(side='top', fill=<array (2, 28, 28) ")
    assert repr(corruption) == repr(EraseHalf("top", fill=mean.copy()))
    assert repr(corruption) != repr(EraseHalf("top", fill=1 - mean))  # a run is known by it


def test_every_image_is_erased_in_one_of_the_ways_about_equally_often():
    x = images(count=600)
    left, top, _ = ways = EraseHalf("left"), EraseHalf("top"), EraseBlock(10)
    mask = EraseOneOf(ways).mask(x, np.random.default_rng(0))
    is_left, is_top = ((mask == way.mask(x[:1])).all(axis=(1, 2, 3)) for way in (left, top))
    is_block = mask.sum(axis=(1, 2, 3)) == 100
    np.testing.assert_array_equal(is_left.astype(int) + is_top + is_block, 1)
    assert all(150 < kind.sum() < 250 for kind in (is_left, is_top, is_block))
    assert EraseOneOf(ways).mask(x[:1], np.random.default_rng(0)).any()  # of one image, one way


def test_a_corruption_of_ones_own_tells_its_arguments():
    class EraseBright(corruptions.MaskedCorruption):
        def __init__(self, least, fill=0.0):
            super().__init__(fill)
            self.least = least

        def mask(self, images, rng):
            return images > self.least

    assert repr(EraseBright(0.5)) == "EraseBright(least=0.5, fill=0)"


def test_repr_can_be_typed_back():
    assert repr(ALL[-2]) == "EraseOneOf(ways=[ErasePixels(share=0.3, fill=0)], fill=0.5)"
    for corruption in ALL:
        assert repr(eval(repr(corruption), vars(corruptions))) == repr(corruption)
