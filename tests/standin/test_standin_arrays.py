"""Arrays of the stand-in against CuPy's documentation: values, layouts, memory, indexing.

Differences: https://docs.cupy.dev/en/stable/user_guide/difference.html
Functions: https://docs.cupy.dev/en/stable/reference/comparison.html
Sources: github.com/cupy/cupy, cupy/_core
"""

import copy
import pickle

import numpy
import pytest

RNG = numpy.random.default_rng(0)
A = RNG.normal(size=(3, 4)).astype("float32")
SQUARE = RNG.normal(size=(4, 4))


class Foreign:
    """Not an array, but wants to answer an operator: what ``minigrad.Tensor`` declares."""

    __array_ufunc__ = None

    def __radd__(self, other):
        return "mine"

    __rmatmul__ = __radd__


def test_an_array_of_the_device_is_no_numpy_array(cupy):
    assert not isinstance(cupy.zeros(2), numpy.ndarray)


def test_numbers_are_operands_and_promote_as_in_numpy_2(cupy):
    """CuPy 14 promotes as NumPy 2 does (NEP 50): https://docs.cupy.dev/en/stable/upgrade.html."""
    single = cupy.ones(3, dtype="float32")
    assert (single * 2.0).dtype == (2.0 * single).dtype == numpy.float32
    assert (single * numpy.float64(2)).dtype == numpy.float64
    assert (numpy.float64(2) * single).dtype == numpy.float64
    assert (single * cupy.asarray(2.0)).dtype == numpy.float64  # a 0-d array is no weak number
    assert cupy.add(single, 1.0, dtype="float64", casting="unsafe").dtype == numpy.float64


def test_an_object_that_opts_out_of_ufuncs_answers_the_operator(cupy):
    """core.pyx, ``_should_use_rop``: ``__array_ufunc__ = None`` lets the other side answer."""
    assert cupy.ones(3) + Foreign() == cupy.ones(3) @ Foreign() == "mine"


CALLS = {
    "sum": lambda xp, a: xp.sum(a, axis=0, keepdims=True),
    "mean": lambda xp, a: a.mean(axis=(0, 1)),
    "var": lambda xp, a: a.var(axis=1, ddof=1),
    "max": lambda xp, a: xp.max(a, axis=-1),
    "argmax": lambda xp, a: a.argmax(axis=1),
    "any": lambda xp, a: xp.any(a > 1, axis=0),
    "where": lambda xp, a: xp.where(a > 0, a, 0.0),
    "clip": lambda xp, a: xp.clip(a, 0, 1),
    "pad": lambda xp, a: xp.pad(a, ((1, 2), (0, 1)), constant_values=2.0),
    "concatenate": lambda xp, a: xp.concatenate((a, a), axis=1),
    "stack": lambda xp, a: xp.stack([a, a], axis=-1),
    "transpose": lambda xp, a: a.transpose(1, 0),
    "reshape": lambda xp, a: xp.reshape(a.T, (2, -1)),
    "method reshape": lambda xp, a: a.reshape((2, 6)).reshape(-1),
    "broadcast_to": lambda xp, a: xp.broadcast_to(a, (2, 3, 4)),
    "repeat": lambda xp, a: a.repeat(2, axis=0),
    "einsum": lambda xp, a: xp.einsum("ij,kj->ik", a, a),
    "matmul": lambda xp, a: xp.matmul(a, a.T),
    "batched matmul": lambda xp, a: a[None] @ a.T,
    "dot": lambda xp, a: a.dot(a[0]),
    "norm": lambda xp, a: xp.linalg.norm(a, axis=1),
    "eye": lambda xp, a: xp.eye(3, dtype="float32"),
    "arange": lambda xp, a: xp.arange(2, 8, 2),
    "full_like": lambda xp, a: xp.full_like(a, 3.0),
    "power": lambda xp, a: 2.0**a,
}


@pytest.mark.parametrize("name", CALLS)
def test_values_types_and_shapes_are_those_of_numpy(cupy, name):
    expected = numpy.asarray(CALLS[name](numpy, A))
    result = CALLS[name](cupy, cupy.asarray(A))
    assert type(result) is cupy.ndarray
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    numpy.testing.assert_allclose(result.get(), expected, rtol=1e-5)


def test_reductions_and_scalar_indexing_give_arrays_without_dimensions(cupy):
    """Differences, "Reduction methods": CuPy returns zero-dimensional arrays."""
    a = cupy.arange(6.0).reshape(2, 3)
    for result in (a.sum(), cupy.max(a), a.mean(), a[1, 2], cupy.sqrt(a[0, 0]), a.argmax()):
        assert (type(result), result.shape) == (cupy.ndarray, ())
    assert type(cupy.count_nonzero(a)) is type(cupy.all(a)) is cupy.ndarray


def test_sums_are_rounded_in_another_order_than_numpys(cupy):
    """Differences, "NaN handling": "the reduction is performed in a strided fashion"."""
    host = RNG.normal(size=(1000, 5)).astype("float32")
    a = cupy.asarray(host)
    for ours, theirs in (
        (a.sum(axis=0), host.sum(axis=0)),
        (cupy.sum(a), host.sum()),
        (a.mean(axis=(0, 1)), host.mean()),
    ):
        assert (ours.get() != theirs).any()
        numpy.testing.assert_allclose(ours.get(), theirs, rtol=1e-4)
    assert (a.sum() == a.sum()).item()


def test_nan_makes_no_warning(cupy):
    """CuPy has no floating-point error state."""
    with numpy.errstate(all="raise"):
        a = cupy.asarray([-1.0, 0.0])
        assert cupy.isnan(cupy.log(a) / cupy.zeros(2)).any()


def test_casts_to_integers_saturate(cupy):
    """Differences, "Cast behavior from float to integer", its first example."""
    assert cupy.array([-1], "float32").astype("uint32").tolist() == [0]
    assert cupy.array([3e9, -3e9]).astype("int32").tolist() == [2**31 - 1, -(2**31)]
    assert cupy.array([300.0, 2.9, -2.9, numpy.nan]).astype("uint8").tolist() == [255, 2, 0, 0]
    assert cupy.array([-2.9]).astype("int8").tolist() == [-2]


def test_decompositions_agree_with_numpy_and_wait(cupy, used):
    """cupy/linalg/_util.py checks cuSOLVER's status on the host."""
    symmetric = SQUARE @ SQUARE.T + numpy.eye(4)
    device = cupy.asarray(symmetric)
    values, vectors = cupy.linalg.eigh(device)
    numpy.testing.assert_allclose(values.get(), numpy.linalg.eigh(symmetric)[0])
    assert vectors.shape == (4, 4)
    waits = used.waits
    factor = cupy.linalg.cholesky(device)
    inverse = cupy.linalg.solve(device, cupy.eye(4))
    assert used.waits == waits + 2
    numpy.testing.assert_allclose(factor.get(), numpy.linalg.cholesky(symmetric))
    numpy.testing.assert_allclose(inverse.get(), numpy.linalg.inv(symmetric))


ELEMENTWISE = {
    "a ufunc of one array": lambda c, x: c.exp(x),
    "of two alike": lambda c, x: x + x,
    "of an array and a number": lambda c, x: x * 2.0,
    "a comparison": lambda c, x: x > 0,
    "where": lambda c, x: c.where(x > 0, x, 0.0),
    "maximum": lambda c, x: c.maximum(x, 0),
    "clip": lambda c, x: c.clip(x, 0, 1),
    "isfinite": lambda c, x: c.isfinite(x),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_results_are_in_c_order_whatever_the_arguments(cupy, name):
    """_kernel.pyx, ``ufunc.__call__``: outputs are made with the default order, C."""
    for x in (cupy.ones((2, 3, 4, 5)).transpose(1, 3, 0, 2), cupy.ones((5, 4)).T):
        assert not x.flags.c_contiguous
        assert ELEMENTWISE[name](cupy, x).flags.c_contiguous


def test_copies_that_keep_a_layout_and_einsum_which_promises_none(cupy):
    """``ndarray.copy`` has order 'C' by default; ``astype`` and ``*_like`` have 'K'."""
    a = cupy.ones((2, 3)).T
    assert a.copy().flags.c_contiguous
    for kept in (a.astype("float32"), cupy.zeros_like(a), cupy.empty_like(a)):
        assert kept.flags.f_contiguous
    square = cupy.ones((3, 3))  # cupy/linalg/_einsum.py ends in a transpose
    assert not cupy.einsum("ij,jk->ik", square, square).flags.c_contiguous
    flags = square.flags
    assert flags["C_CONTIGUOUS"]
    assert flags.owndata


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like", "full_like"])
@pytest.mark.parametrize("empty", [(), [], 0, None])
def test_an_empty_shape_asked_for_is_that_of_the_array(cupy, name, empty):
    """_creation/basic.py: ``shape = shape if shape else a.shape``; NumPy gives shape ``()``."""
    value = (7,) if name == "full_like" else ()
    assert getattr(cupy, name)(cupy.ones((2, 3)), *value, shape=empty).shape == (2, 3)
    assert getattr(cupy, name)(cupy.ones((2, 3)), *value, shape=(4,)).shape == (4,)


def test_views_share_memory_and_copies_do_not(cupy):
    """Basic indexing, transposing and reshaping of contiguous memory make views."""
    a = cupy.zeros((3, 4))
    for view in (a[1], a[:, ::2], a.T, a.reshape(2, 6), a.ravel(), a[None], a[0, 0]):
        assert view.base is a
        view[...] = 1
        assert a.sum().item() > 0
        a[...] = 0
    for fresh in (a.copy(), a.T.reshape(12), a[[0, 1]], a.astype("float32")):
        assert fresh.base is None
        fresh[...] = 1
        assert a.sum().item() == 0
    assert a.astype(a.dtype, copy=False) is a
    for other in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert other.tolist() == a.tolist()
        assert other.data.ptr != a.data.ptr


def test_views_by_strides_may_be_written_where_no_two_elements_share_memory(cupy):
    as_strided = cupy.lib.stride_tricks.as_strided
    assert as_strided(cupy.arange(6.0), (4, 3), (8, 8))[3].tolist() == [3, 4, 5]
    disjoint = as_strided(cupy.zeros(6), (2, 3), (24, 8))
    disjoint += 1
    assert disjoint.sum().item() == 6


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int32", "uint8", "bool"])
def test_fresh_memory_holds_garbage(cupy, dtype):
    """CuPy's memory pool hands out blocks as they were left; NaN spoils every sum."""
    like = cupy.zeros(4, dtype)
    for fresh in (cupy.empty(4, dtype), cupy.empty_like(like), cupy.ndarray(4, dtype)):
        host = fresh.get()
        assert numpy.isnan(host).all() if host.dtype.kind in "fc" else host.any()


def test_outputs_are_written_and_given_back(cupy):
    out = cupy.zeros(3)
    assert cupy.add(cupy.ones(3), 1.0, out) is out
    assert out.tolist() == [2, 2, 2]


def test_a_list_of_arrays_becomes_one(cupy):
    assert cupy.array([cupy.ones(2), cupy.zeros(2)]).tolist() == [[1, 1], [0, 0]]


def test_out_of_range_integer_arrays_wrap(cupy):
    """Differences, "Out-of-bounds indices", its example."""
    x = cupy.array([0, 1, 2])
    assert x[cupy.array([1, 3])].tolist() == [1, 0]
    assert x[[1, 3, -4]].tolist() == [1, 0, 2]
    x[[1, 3]] = 10
    assert x.tolist() == [10, 10, 2]
    rows, columns = cupy.array([0, 4]), cupy.array([1, 7])
    a = cupy.arange(12).reshape(3, 4)
    assert a[rows, columns].tolist() == [1, 7]
    along = cupy.take_along_axis(a, cupy.array([[5], [0], [-5]]), axis=1)
    assert along.ravel().tolist() == [1, 4, 11]


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
    host, values = RNG.normal(size=(5, 4, 3)), RNG.normal(size=(2, 2, 4))
    rows, columns = numpy.array([[3], [0]]), numpy.array([2, 1])
    a = cupy.asarray(host)
    a[cupy.asarray(rows), :, cupy.asarray(columns)] = cupy.asarray(values)
    host[rows, :, columns] = values
    assert (a.get() == host).all()


def test_add_at_counts_every_duplicate(cupy):
    """``cupy.ufunc.at`` uses atomics: https://docs.cupy.dev/en/stable/reference/ufunc.html."""
    index = RNG.integers(0, 5, size=20)
    values = RNG.normal(size=(20, 3)).astype("float32")
    host = numpy.zeros((5, 3), "float32")
    numpy.add.at(host, index, values)
    for a in (cupy.zeros((5, 3), "float32"), cupy.zeros((3, 5), "float32").T):
        cupy.add.at(a, cupy.asarray(index), cupy.asarray(values))
        numpy.testing.assert_allclose(a.get(), host, rtol=1e-5)


def test_overlapping_copies_are_copied_first_where_cupy_does_so(cupy):
    a = cupy.arange(6.0)
    a[::2] = a[1::2]
    assert a.tolist() == [1, 1, 3, 3, 5, 5]
    a[...] = a


def test_indexing_agrees_with_numpy_where_they_do_not_differ(cupy):
    host = numpy.arange(60).reshape(3, 4, 5)
    a = cupy.asarray(host)
    i, j = numpy.array([2, 0]), numpy.array([1, 3])
    for index in (
        *(1, (1, 2, 3), (slice(None), 2), (Ellipsis, -1), (None, 1, Ellipsis, None)),
        *((slice(2, None, -1), slice(1, 3)), i, (slice(None), j), (i, slice(None), j)),
        *((Ellipsis, j), host > 30, (slice(None), host[0] > 7), (i, 1, slice(1, 3)), ()),
    ):
        numpy.testing.assert_array_equal(a[index].get(), host[index])
