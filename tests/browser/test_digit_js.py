"""Drawn digits as MNIST has them: the page's JavaScript, run by Node, against scipy and MNIST."""

import numpy
import pytest
from scipy import ndimage


def line(*corners, steps=30):
    """A stroke along corners, as a pointer leaves it: many points."""
    places = numpy.linspace(0, len(corners) - 1, steps * (len(corners) - 1) + 1)
    x, y = numpy.transpose(corners)
    which = numpy.arange(len(corners))
    return numpy.column_stack([numpy.interp(places, which, x), numpy.interp(places, which, y)])


SEVEN = [line((60, 50), (200, 50), (110, 240))]
FOUR = [line((120, 40), (60, 150), (210, 150)), line((160, 90), (160, 250))]
ONE = [line((100, 40), (100, 250))]
WIDE = [line((20, 100), (260, 130))]
DIGITS = {"seven": SEVEN, "four": FOUR, "one": ONE, "wide": WIDE}


@pytest.fixture
def digit_of(run_node):
    def digit(strokes, scale=1.0, shift=(0.0, 0.0)):
        moved = [(scale * (numpy.array(stroke) + shift)).tolist() for stroke in strokes]
        return numpy.array(run_node("return digitOf(given);", moved)).reshape(28, 28)

    return digit


@pytest.mark.parametrize("name", DIGITS)
def test_the_longer_side_takes_20_pixels_and_the_mass_is_in_the_middle(name, digit_of):
    pixels = digit_of(DIGITS[name])
    rows, columns = (numpy.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    assert max(numpy.ptp(rows), numpy.ptp(columns)) + 1 == 20
    # MNIST's images were moved by whole pixels, so the centre is within half a pixel of (14, 14).
    assert numpy.abs(numpy.subtract(ndimage.center_of_mass(pixels), 14)).max() < 0.5 + 1e-9
    assert pixels.min() == 0.0
    assert pixels.max() == 1.0


def test_mnist_itself_is_centred_so(mnist):
    images = mnist[0][:500, 0]
    centres = numpy.array([ndimage.center_of_mass(image) for image in images])
    assert numpy.abs(centres - 14).max() <= 0.52


@pytest.mark.parametrize("name", DIGITS)
def test_where_and_how_large_it_was_drawn_does_not_matter(name, digit_of):
    wanted = digit_of(DIGITS[name])
    numpy.testing.assert_allclose(digit_of(DIGITS[name], 0.4, (10, 60)), wanted, atol=0.121)


def test_a_drawn_one_has_as_much_ink_as_those_of_mnist(digit_of, mnist):
    images, labels = mnist
    ones = images[labels == 1]
    upright = ones[ones.any(axis=(1, 2)).sum(axis=1) < 6]
    assert len(upright) > 20
    drawn = digit_of(ONE)
    low, high = numpy.quantile(upright.sum(axis=(1, 2, 3)), [0.1, 0.9])
    assert low < drawn.sum() < high


def test_a_centre_of_mass_is_scipys(run_node, mnist):
    images = mnist[0][:5, 0]
    body = "return given.map((x) => centreOfMass(Float64Array.from(x)));"
    found = run_node(body, images.reshape(5, -1).tolist())
    wanted = [ndimage.center_of_mass(image)[::-1] for image in images.astype("float64")]
    numpy.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_test_image_moved_aside_comes_back(run_node, mnist):
    image = mnist[0][0, 0].astype("float64")
    moved = numpy.roll(image, (1, -3), axis=(0, 1))
    found = run_node("return centred(Float64Array.from(given));", moved.ravel().tolist())
    numpy.testing.assert_array_equal(numpy.reshape(found, (28, 28)), image)


def test_ink_at_the_border_is_not_lost(run_node):
    """A long foot pulls the mass down; the head stays in the image."""
    image = numpy.zeros((28, 28))
    image[0, :3] = 1.0
    image[27, :] = 1.0
    found = run_node("return centred(Float64Array.from(given));", image.ravel().tolist())
    numpy.testing.assert_array_equal(numpy.reshape(found, (28, 28)), image)


@pytest.mark.parametrize("strokes", [[], [[[140, 140]]], [[[10, 10], [11, 10]]]])
def test_nothing_and_a_dot_are_digits_too(strokes, run_node):
    pixels = numpy.reshape(run_node("return digitOf(given);", strokes), (28, 28))
    assert numpy.isfinite(pixels).all()
    assert (pixels.sum() > 3) == bool(strokes)
    assert pixels.sum() < 10  # no larger than a pen
