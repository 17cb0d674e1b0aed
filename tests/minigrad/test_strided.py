"""Views with strides of their own, against the elements they should show."""

import numpy
import pytest

from minigrad.backend import strided_view, to_device, to_numpy, use_device


def test_contiguous_and_other_arrays_are_seen_alike(device):
    host = numpy.arange(24.0).reshape(4, 6)
    expected = [[host[i + j, ::2] for j in range(2)] for i in range(3)]
    with use_device(device):
        spread = to_device(numpy.repeat(host, 2, axis=1), device)[:, ::2]
        for x in (to_device(host, device), spread):
            row, column = x.strides
            view = strided_view(x, (3, 2, 3), (row, row, 2 * column))
            numpy.testing.assert_array_equal(to_numpy(view), expected)


def test_first_counts_elements_of_a_contiguous_array_and_is_refused_for_others(device):
    with use_device(device):
        x = to_device(numpy.arange(12.0).reshape(3, 4), device)
        view = strided_view(x, (2, 2), (8, 8), first=5)
        numpy.testing.assert_array_equal(to_numpy(view), [[5.0, 6.0], [6.0, 7.0]])
        with pytest.raises(ValueError, match=r"strided_view: first=5 .*contiguous"):
            strided_view(x.T, (2, 2), (8, 8), first=5)


def test_a_view_beyond_a_contiguous_array_is_refused():
    with pytest.raises(ValueError, match="strides"):
        strided_view(numpy.arange(5.0), (2, 3), (24, 8), first=1)
