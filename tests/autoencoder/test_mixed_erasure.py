"""A mixture of erasures draws each way equally often, by image, and only from its generator."""

import numpy

from autoencoder.data.corruption import (
    EraseBlock,
    EraseHalf,
    EraseOneOf,
    ErasePixels,
)

WAYS = [EraseHalf("left"), EraseHalf("top"), EraseBlock(10)]
IMAGES = numpy.linspace(0, 1, 600 * 784, dtype="float32").reshape(600, 1, 28, 28)


def test_every_image_is_erased_in_one_of_the_ways_about_equally_often():
    mask = EraseOneOf(WAYS).mask(IMAGES, numpy.random.default_rng(0))
    left, top = (WAYS[i].mask(IMAGES[:1], None)[0] for i in (0, 1))
    is_left = (mask == left).all(axis=(1, 2, 3))
    is_top = (mask == top).all(axis=(1, 2, 3))
    is_block = mask.sum(axis=(1, 2, 3)) == 100
    numpy.testing.assert_array_equal(is_left.astype(int) + is_top + is_block, 1)
    assert all(150 < kind.sum() < 250 for kind in (is_left, is_top, is_block))


def test_erased_pixels_become_the_fill_and_the_others_stay():
    corruption = EraseOneOf([ErasePixels(0.3)], fill=0.5)
    mask = corruption.mask(IMAGES, numpy.random.default_rng(1))
    erased = corruption(IMAGES, numpy.random.default_rng(1))
    numpy.testing.assert_array_equal(erased, numpy.where(mask, numpy.float32(0.5), IMAGES))
    assert erased.dtype == IMAGES.dtype
    assert abs(mask.mean() - 0.3) < 0.01


def test_an_empty_batch_and_a_way_that_is_not_drawn_are_no_trouble():
    corruption = EraseOneOf(WAYS)
    assert corruption.mask(IMAGES[:0], numpy.random.default_rng(0)).shape == (0, 1, 28, 28)
    assert corruption.mask(IMAGES[:1], numpy.random.default_rng(0)).any()


def test_what_it_is_can_be_read_from_its_name():
    text = repr(EraseOneOf(WAYS[:1], fill=0.5))
    assert text == "EraseOneOf(ways=[EraseHalf(side='left', fill=0)], fill=0.5)"
