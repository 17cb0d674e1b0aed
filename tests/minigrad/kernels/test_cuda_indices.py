"""The type of indices is wide enough wherever a launch says so, and the guard is not too wide.

With 16 bits in place of 32 the same is seen on arrays that a test can hold.
"""

from __future__ import annotations

import ctypes
import dataclasses

import emulation
import numpy
import pytest
from emulated import Emulated
from geometries import make, maps

from minigrad.kernels import Geometry, cuda

pytestmark = pytest.mark.skipif(emulation.missing() is not None, reason=str(emulation.missing()))

# A whole number of 16 bits that counts how often a result did not fit. A short itself would not
# do: C++ computes with int, and cuts only what is stored.
COUNTING = """
extern "C" long long overflows = 0;
struct Counting {
    short value;
    Counting() = default;
    Counting(long long number) : value((short)number) { overflows += value != number; }
    operator int() const { return value; }
    Counting &operator+=(Counting other) { return *this = *this + other; }
    Counting operator++(int) { Counting old = *this; *this = *this + 1; return old; }
#define OPERATOR(SIGN)                                                                   \\
    friend Counting operator SIGN(Counting a, Counting b) {                              \\
        return (long long)a.value SIGN b.value;                                          \\
    }                                                                                    \\
    template <class T> friend Counting operator SIGN(Counting a, T b) {                  \\
        return a SIGN Counting(b);                                                       \\
    }                                                                                    \\
    template <class T> friend Counting operator SIGN(T a, Counting b) {                  \\
        return Counting(a) SIGN b;                                                       \\
    }
    OPERATOR(+) OPERATOR(-) OPERATOR(*) OPERATOR(/) OPERATOR(%)
};
"""


def amid_much_memory(array):
    """A copy where every index of 16 bits, a wrong one too, is inside the same memory."""
    room = numpy.full(array.size + 2**16, numpy.nan, array.dtype)
    inside = room[2**15 : 2**15 + array.size].reshape(array.shape[::-1]).T
    if array.flags.c_contiguous:
        inside = inside.reshape(-1, order="F").reshape(array.shape)
    inside[...] = array
    return inside


def bits_from_16(launch):
    """Of the type that a launch would take, if there were one of 16 bits."""
    return dataclasses.replace(launch, least_bits=16).index_bits


class CountingOverflows(Emulated):
    """The kernels with indices of 16 bits, whatever the launch asks for; and what did not fit."""

    def __init__(self):
        super().__init__(least_bits=16)
        self.bits_asked, self.overflows = 16, 0

    def run(self, launch, *arrays, numbers=()):
        if 0 in launch.grid:
            return
        options = [option for option in launch.options("float32") if "INDEX" not in option]
        source = COUNTING + cuda.source(launch.kernel)
        kernel = emulation.Kernel(source, launch.kernel, (*options, "-DINDEX=Counting"))
        kernel.types = ["int16" if "Counting" in kind else kind for kind in kernel.types]
        count = ctypes.c_longlong.in_dll(kernel.library, "overflows")
        count.value = 0
        fitting = [min(size, 2**15 - 1) for size in launch.sizes]
        inside = [None if array is None else amid_much_memory(array) for array in arrays]
        kernel.launch(launch.grid, launch.block, (*inside, *fitting, *numbers))
        for array, changed in zip(arrays, inside):
            if array is not None:
                array[...] = changed
        self.overflows += count.value
        self.bits_asked = max(self.bits_asked, bits_from_16(launch))


def overflows_of(case):
    *arrays, geometry = make(case, "float32")
    card = CountingOverflows()
    maps(card.maps, arrays, geometry)
    return card


SHAPES = [  # channels in and out, options; the number of images varies
    (3, 5, dict(input_size=(9, 8), kernel_size=(3, 2), output_size=(7, 7))),
    (2, 9, dict(input_size=(8, 8), kernel_size=(2, 2), output_size=(5, 5), padding=(1, 1))),
    (9, 2, dict(input_size=(7, 9), kernel_size=(4, 3), output_size=(3, 4), stride=(2, 2))),
    (2, 2, dict(input_size=(6, 6), kernel_size=(3, 3), output_size=(9, 9), padding=(4, 4))),
    (4, 3, dict(input_size=(9, 9), kernel_size=(2, 2), output_size=(4, 8), stride=(2, 1))),
    (2, 3, dict(input_size=(9, 9), kernel_size=(2, 2), output_size=(6, 6), dilation=(3, 3))),
]


def most_images(channels, options):
    """For how many images 16 bits are said to do."""
    geometry = Geometry(**options)
    launches = (cuda.conv2d_launch, cuda.conv_transpose2d_launch)

    def asked(images):
        sizes = geometry, images, *channels
        made = [launch(*sizes) for launch in launches]
        return max(map(bits_from_16, [*made, cuda.conv2d_weight_grad_launch(*sizes)[0]]))

    return next(images for images in range(1, 1000) if asked(images + 1) > 16)


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_no_index_of_a_convolution_overflows_where_the_launch_says_that_it_fits(number):
    *channels, options = SHAPES[number]
    most = most_images(channels, options)
    for images in (1, most // 2, most - 1, most):
        card = overflows_of((images, *channels, options))
        assert card.bits_asked == 16
        assert card.overflows == 0, images
    card = overflows_of((most + most // 10, *channels, options))
    assert card.overflows > 0  # the guard is no wider than it has to be


def test_the_first_array_that_is_too_large_gives_wrong_numbers_and_the_guard_widens():
    """The narrower type computes something else without an error: only the guard can know."""
    geometry = Geometry((8, 8), (1, 1), (8, 8))
    rng = numpy.random.default_rng(0)
    weight = rng.standard_normal((3, 3, 1, 1)).astype("float32")
    for images, bits in ((150, 16), (172, 32)):
        x = rng.standard_normal((images, 3, 8, 8)).astype("float32")
        assert bits_from_16(cuda.conv2d_launch(geometry, images, 3, 3)) == bits
        right = Emulated().conv2d(x, weight, geometry)
        card = CountingOverflows()
        with numpy.errstate(all="ignore"):
            narrow = card.conv2d(x, weight, geometry)
        assert numpy.array_equal(narrow, right) == (bits == 16)
        assert (card.overflows == 0) == (bits == 16)


def test_other_kernels_widen_before_an_index_overflows():
    for count in (10, 5_000, 32_000, 32_600):
        card = CountingOverflows()
        x = numpy.ones(count, "float32")
        card.relu(x)
        card.relu_grad(x, x)
        assert card.bits_asked == (32 if count > 32_500 else 16)
        assert card.bits_asked == 32 or card.overflows == 0
    for shape in ((100, 30), (300, 100), (30, 1), (30_000, 1), (3, 900)):
        card = CountingOverflows()
        card.channel_sum(numpy.ones(shape, "float32"))
        assert card.bits_asked == 32 or card.overflows == 0
    for rows, depth, columns in ((30, 20, 10), (150, 100, 9), (10, 300, 100), (1, 1, 1)):
        card = CountingOverflows()
        a = numpy.ones((rows, depth), "float32")
        card.product(a, numpy.ones((columns, depth), "float32").T)
        assert card.bits_asked == 32 or card.overflows == 0


def test_a_gpu_counts_in_32_bits_up_to_two_thousand_million_elements_and_in_64_beyond():
    layer = Geometry((1024, 1024), (3, 3), (1024, 1024), padding=(1, 1))
    assert cuda.conv2d_launch(layer, 30, 64, 64).index_bits == 32
    assert cuda.conv2d_launch(layer, 33, 64, 64).index_bits == 64
    assert cuda.conv_transpose2d_launch(layer, 33, 64, 64).index_bits == 64
    assert cuda.conv2d_weight_grad_launch(layer, 33, 64, 64)[0].index_bits == 64
    assert cuda.relu_launch(2**31 - 1000).index_bits == 32
    assert cuda.relu_launch(2**31).index_bits == 64
