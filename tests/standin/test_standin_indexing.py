"""Indexing against CuPy's documentation.

Differences: https://docs.cupy.dev/en/stable/user_guide/difference.html
Source: github.com/cupy/cupy, cupy/_core/_routines_indexing.pyx
"""

import numpy
import pytest


def test_out_of_range_integer_arrays_wrap(cupy):
    """Differences, "Out-of-bounds indices", its example."""
    x = cupy.array([0, 1, 2])
    assert x[cupy.array([1, 3])].tolist() == [1, 0]
    assert x[[1, 3, -4]].tolist() == [1, 0, 2]
    x[[1, 3]] = 10
    assert x.tolist() == [10, 10, 2]
    assert cupy.take(x, cupy.array([5])).tolist() == [2]
    rows, columns = cupy.array([0, 4]), cupy.array([1, 7])
    a = cupy.arange(12).reshape(3, 4)
    assert a[rows, columns].tolist() == [1, 7]
    along = cupy.take_along_axis(a, cupy.array([[5], [0], [-5]]), axis=1)
    assert along.ravel().tolist() == [1, 4, 11]


def test_out_of_range_integers_raise(cupy):
    """_routines_indexing.pyx, ``_view_getitem``: "Index %s is out of bounds"."""
    with pytest.raises(IndexError):
        cupy.zeros(3)[3]


def test_duplicate_indices_do_not_keep_the_last_value(cupy):
    """Differences, "Duplicate values in indices": the value actually stored is undefined."""
    a = cupy.zeros(2)
    index = cupy.arange(10) % 2
    a[index] = cupy.arange(10.0)
    host = numpy.zeros(2)
    host[numpy.arange(10) % 2] = numpy.arange(10.0)
    assert (a.get() != host).all()
    assert a[0].item() in range(0, 10, 2)
    assert a[1].item() in range(1, 10, 2)


def test_unique_indices_assign_as_in_numpy(cupy):
    rng = numpy.random.default_rng(0)
    host = rng.normal(size=(5, 4, 3))
    values = rng.normal(size=(2, 4, 2))
    index = numpy.array([3, 0]), slice(None), numpy.array([2, 1])
    a = cupy.asarray(host)
    a[cupy.asarray(index[0])[:, None], :, cupy.asarray(index[2])] = cupy.asarray(
        values.transpose(0, 2, 1)
    )
    host[index[0][:, None], :, index[2]] = values.transpose(0, 2, 1)
    assert (a.get() == host).all()


def test_add_at_counts_every_duplicate(cupy):
    """``cupy.ufunc.at`` uses atomics: https://docs.cupy.dev/en/stable/reference/ufunc.html."""
    rng = numpy.random.default_rng(0)
    index = rng.integers(0, 5, size=20)
    values = rng.normal(size=(20, 3)).astype("float32")
    host = numpy.zeros((5, 3), "float32")
    numpy.add.at(host, index, values)
    a = cupy.zeros((5, 3), "float32")
    cupy.add.at(a, cupy.asarray(index), cupy.asarray(values))
    numpy.testing.assert_allclose(a.get(), host, rtol=1e-5)
    turned = cupy.zeros((3, 5), "float32").T
    cupy.add.at(turned, cupy.asarray(index), cupy.asarray(values))
    numpy.testing.assert_allclose(turned.get(), host, rtol=1e-5)


def test_scatter_refuses_types_without_atomics(cupy):
    """_routines_indexing.pyx, ``_scatter_op_single``: "only supports int32, float16, ..."."""
    with pytest.raises(TypeError, match="only supports"):
        cupy.add.at(cupy.zeros(3, "int64"), cupy.array([0]), 1)
    with pytest.raises(NotImplementedError):
        cupy.multiply.at(cupy.zeros(3), cupy.array([0]), 2.0)


@pytest.mark.parametrize("value", [numpy.ones(3), [1.0, 1.0, 1.0]])
@pytest.mark.parametrize("index", [slice(None), Ellipsis, [0, 1, 2]])
def test_host_values_are_not_assigned(cupy, index, value):
    """core.pyx, ``fill``: a NumPy array that is no scalar is refused."""
    with pytest.raises(TypeError):
        cupy.zeros(3)[index] = value


def test_float_arrays_are_no_indices(cupy):
    with pytest.raises(IndexError, match="integer or boolean"):
        cupy.zeros(3)[cupy.zeros(2)]


def test_masks_wait_for_the_device_and_integer_arrays_do_not(cupy, used):
    """_routines_indexing.pyx: ``n_true = int(mask_scanned[-1])`` for reading and for writing."""
    a = cupy.arange(6.0)
    index = cupy.array([1, 2])
    a[index]
    a[index] = a[index] + 1
    assert used.waits == 0
    a[a > 2]
    assert used.waits == 1
    a[a > 2] = 0.0
    assert used.waits == 2
    assert a.tolist() == [0, 2, 0, 0, 0, 0]


def test_host_indices_are_copied_to_the_device(cupy, used):
    """``_prepare_slice_list`` turns lists and NumPy arrays into device arrays."""
    a = cupy.arange(6.0)
    a[[0, 1]]
    a[numpy.array([0, 1])]
    assert used.host_to_device == 2


def test_a_number_written_at_an_index_array_is_copied_to_the_device(cupy, used):
    """``_scatter_op_single``: ``v = core.array(value, dtype=a.dtype)``."""
    a, index = cupy.zeros(4), cupy.arange(2)
    a[1:3] = 1.0
    assert used.host_to_device == 0
    a[index] = 2.0
    assert used.host_to_device == 1
    assert a.tolist() == [2, 2, 1, 0]


def test_an_overlapping_plain_copy_is_undefined_and_raises(cupy):
    """``_scatter_op``: equal shapes and strides, contiguous: ``copy_from_device_async``."""
    a = cupy.arange(6.0)
    with pytest.raises(ValueError, match="overlapping"):
        a[1:] = a[:-1]
    a[::2] = a[1::2]
    assert a.tolist() == [1, 1, 3, 3, 5, 5]
    a[...] = a


def test_indexing_agrees_with_numpy_where_they_do_not_differ(cupy):
    host = numpy.arange(60).reshape(3, 4, 5)
    a = cupy.asarray(host)
    i, j = numpy.array([2, 0]), numpy.array([1, 3])
    for index in (
        1,
        (1, 2, 3),
        (slice(None), 2),
        (Ellipsis, -1),
        (None, 1, Ellipsis, None),
        (slice(2, None, -1), slice(1, 3)),
        i,
        (slice(None), j),
        (i, slice(None), j),
        (Ellipsis, j),
        host > 30,
        (slice(None), host[0] > 7),
        (i, 1, slice(1, 3)),
        (),
    ):
        numpy.testing.assert_array_equal(a[index].get(), host[index])
