"""The array class against CuPy's documentation.

Differences: https://docs.cupy.dev/en/stable/user_guide/difference.html
Protocols: https://docs.cupy.dev/en/stable/user_guide/interoperability.html#numpy
Sources: github.com/cupy/cupy, cupy/_core/core.pyx
"""

import copy
import operator
import pickle

import numpy
import pytest
from cupy_standin import installed


class Foreign:
    """Not an array, but wants to answer an operator: what ``minigrad.Tensor`` declares."""

    __array_ufunc__ = None

    def __radd__(self, other):
        return "mine"

    def __rmatmul__(self, other):
        return "mine"


def test_an_array_of_the_device_is_no_numpy_array(cupy):
    assert not isinstance(cupy.zeros(2), numpy.ndarray)


@pytest.mark.parametrize("convert", [numpy.asarray, numpy.array, lambda a: numpy.zeros(2) @ [a, a]])
def test_implicit_conversion_to_numpy_raises(cupy, convert):
    """core.pyx, ``__array__``: "Implicit conversion to a NumPy array is not allowed."

    Decided in https://github.com/cupy/cupy/pull/3421.
    """
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array is not allowed"):
        convert(cupy.zeros(2))


def test_assigning_a_device_array_into_a_numpy_array_raises(cupy):
    host = numpy.zeros(3)
    with pytest.raises(TypeError, match="Implicit conversion"):
        host[:] = cupy.zeros(3)


@pytest.mark.parametrize("other", [numpy.ones(3), [1.0, 1.0, 1.0], (1.0,), None, "1"])
@pytest.mark.parametrize("symbol", ["add", "mul", "sub", "truediv", "lt", "eq", "matmul", "iadd"])
def test_numpy_arrays_and_lists_are_no_operands(cupy, symbol, other):
    """Differences, "Universal Functions only work with CuPy array or scalar"."""
    function = getattr(operator, symbol)
    with pytest.raises(TypeError):
        function(cupy.ones(3), other)
    if symbol != "iadd":
        with pytest.raises(TypeError):
            function(other, cupy.ones(3))


def test_numbers_are_operands_and_promote_as_in_numpy_2(cupy):
    """CuPy 14 promotes as NumPy 2 does (NEP 50): https://docs.cupy.dev/en/stable/upgrade.html."""
    single = cupy.ones(3, dtype="float32")
    assert (single * 2.0).dtype == (2.0 * single).dtype == numpy.float32
    assert (single * numpy.float64(2)).dtype == numpy.float64
    assert (numpy.float64(2) * single).dtype == numpy.float64
    assert (single * cupy.asarray(2.0)).dtype == numpy.float64  # a 0-d array is no weak number


def test_an_object_that_opts_out_of_ufuncs_answers_the_operator(cupy):
    """core.pyx, ``_should_use_rop``: ``__array_ufunc__ = None`` lets the other side answer."""
    assert cupy.ones(3) + Foreign() == "mine"
    assert cupy.ones(3) @ Foreign() == "mine"


def test_reductions_and_scalar_indexing_give_arrays_without_dimensions(cupy):
    """Differences, "Reduction methods": CuPy returns zero-dimensional arrays."""
    a = cupy.arange(6.0).reshape(2, 3)
    for result in (a.sum(), cupy.max(a), a.mean(), a[1, 2], cupy.sqrt(a[0, 0]), a.argmax()):
        assert type(result) is cupy.ndarray
        assert result.shape == ()
    assert type(cupy.count_nonzero(a)) is cupy.ndarray
    assert type(cupy.allclose(a, a)) is cupy.ndarray


def test_a_device_number_is_no_python_index(cupy):
    """``cupy.ndarray`` has ``__int__`` and no ``__index__``."""
    with pytest.raises(TypeError):
        range(cupy.asarray(3))
    with pytest.raises(TypeError):
        [0, 1, 2][cupy.asarray(1)]


def test_elementwise_results_of_other_layouts_are_c_contiguous(cupy):
    """Differences, "Contiguity / Strides"."""
    a = cupy.ones((2, 3, 4)).transpose(2, 0, 1)
    for result in (a + a, a * 2, cupy.exp(a), -a, cupy.where(a > 0, a, 0.0), cupy.maximum(a, 0)):
        assert result.flags.c_contiguous
    fortran = cupy.asfortranarray(cupy.ones((2, 3)))
    assert not (fortran + fortran).flags.f_contiguous


def test_einsum_does_not_promise_a_layout(cupy):
    """CuPy's einsum hands out transposed views; cupy/linalg/_einsum.py ends in a transpose."""
    a = cupy.ones((3, 3))
    assert not cupy.einsum("ij,jk->ik", a, a).flags.c_contiguous


def test_copies_that_keep_a_layout(cupy):
    """``ndarray.copy`` has order 'C' by default; ``cupy.copy``, ``astype`` and ``*_like`` 'K'."""
    a = cupy.ones((2, 3)).T
    assert a.copy().flags.c_contiguous
    for kept in (cupy.copy(a), a.astype("float32"), cupy.zeros_like(a), cupy.empty_like(a)):
        assert kept.flags.f_contiguous


def test_flags_know_nothing_of_writing(cupy):
    """``cupy.ndarray.flags``: "only c_contiguous, f_contiguous, and owndata"."""
    flags = cupy.ones(2).flags
    assert flags["C_CONTIGUOUS"]
    assert flags.owndata
    for name in ("writeable", "aligned"):
        with pytest.raises(AttributeError):
            getattr(flags, name)
    with pytest.raises(KeyError):
        flags["WRITEABLE"]


@pytest.mark.parametrize("name", ["setflags", "resize", "newbyteorder", "to_device", "ctypes"])
def test_methods_that_cupy_lacks_do_not_exist(cupy, name):
    assert not hasattr(cupy.ones(2), name)


def test_views_share_memory_and_copies_do_not(cupy):
    """Basic indexing, transposing and reshaping of contiguous memory make views."""
    a = cupy.zeros((3, 4))
    for view in (a[1], a[:, ::2], a.T, a.reshape(2, 6), a.ravel(), a[None], a[0, 0], a.view()):
        assert view.base is a
        view[...] = 1
        assert a.sum().item() > 0
        a.fill(0)
    for fresh in (a.copy(), a.T.reshape(12), a[[0, 1]], a.flatten(), a.astype("float32")):
        assert fresh.base is None
        fresh[...] = 1
        assert a.sum().item() == 0
    assert a.astype(a.dtype, copy=False) is a


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int32", "uint8", "bool"])
def test_fresh_memory_holds_garbage(cupy, dtype):
    """CuPy's memory pool hands out blocks as they were left; NaN spoils every sum."""
    for fresh in (
        cupy.empty(4, dtype),
        cupy.empty_like(cupy.zeros(4, dtype)),
        cupy.ndarray(4, dtype),
    ):
        host = fresh.get()
        if host.dtype.kind in "fc":
            assert numpy.isnan(host).all()
        else:
            assert host.any()


def test_writing_through_a_broadcast_or_overlapping_view_raises(cupy):
    """On a GPU several threads would write one address; the outcome is a race."""
    row = cupy.zeros((1, 3))
    for view in (
        cupy.broadcast_to(row, (4, 3)),
        cupy.lib.stride_tricks.as_strided(cupy.zeros(5), (3, 3), (8, 8)),
        cupy.lib.stride_tricks.as_strided(row, (2, 3), (0, 8)),
    ):
        with pytest.raises(ValueError, match="race"):
            view += 1
        with pytest.raises(ValueError, match="race"):
            view[...] = 1.0
        with pytest.raises(ValueError, match="race"):
            cupy.add(view, 1, out=view)
    disjoint = cupy.lib.stride_tricks.as_strided(cupy.zeros(6), (2, 3), (24, 8))
    disjoint += 1
    assert disjoint.sum().item() == 6


def test_as_strided_takes_shape_and_strides_and_stays_inside(cupy):
    """https://docs.cupy.dev/en/stable/reference/generated/cupy.lib.stride_tricks.as_strided.html"""
    as_strided = cupy.lib.stride_tricks.as_strided
    a = cupy.arange(6.0)
    assert as_strided(a, (4, 3), (8, 8))[3].tolist() == [3, 4, 5]
    for option in ({"writeable": False}, {"subok": True}, {"check_bounds": True}):
        with pytest.raises(TypeError, match="unexpected keyword"):
            as_strided(a, (4, 3), (8, 8), **option)
    with pytest.raises(ValueError, match="outside the memory"):
        as_strided(a, (5, 3), (8, 8))


def test_stray_numpy_functions_are_refused_by_default(cupy):
    a = cupy.ones(3)
    strays = [
        lambda: numpy.tanh(a),
        lambda: numpy.add(a, 1.0),
        lambda: numpy.concatenate([a, a]),
        lambda: numpy.sum(a),
        lambda: numpy.add.reduce(a),
        lambda: numpy.zeros_like(a),
    ]
    for stray in strays:
        with pytest.raises(TypeError, match="numpy"):
            stray()


def test_numpy_functions_dispatch_as_in_cupy_when_not_strict():
    """Interoperability, "NumPy": CuPy implements ``__array_ufunc__`` and ``__array_function__``."""
    with installed(strict_numpy=False) as cupy:
        a = cupy.ones(3)
        for result in (numpy.tanh(a), numpy.concatenate([a, a]), numpy.sum(a), numpy.add(a, 1.0)):
            assert type(result) is cupy.ndarray
        with pytest.raises(TypeError, match="Unsupported type"):
            numpy.add(a, numpy.ones(3))
        with pytest.raises(TypeError):
            numpy.add.reduce(a)


def test_arrays_can_be_copied_and_pickled_through_the_host(cupy):
    """core.pyx, ``__reduce__``: ``array, (self.get(),)``."""
    a = cupy.arange(4.0)
    for other in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert other.tolist() == a.tolist()
        assert other.data.ptr != a.data.ptr


def test_casts_to_integers_saturate(cupy):
    """Differences, "Cast behavior from float to integer", its first example."""
    assert cupy.array([-1], "float32").astype("uint32").tolist() == [0]
    assert cupy.array([3e9, -3e9]).astype("int32").tolist() == [2**31 - 1, -(2**31)]
    assert cupy.array([300.0, 2.9, -2.9, numpy.nan]).astype("uint8").tolist() == [255, 2, 0, 0]
    assert cupy.array([-2.9]).astype("int8").tolist() == [-2]


def test_types_that_are_no_numbers_are_refused(cupy):
    """Differences, "Data types": "cannot be non-numeric like strings or objects"."""
    for value in (["a", "b"], [None], numpy.array(["a"])):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            cupy.asarray(value)
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cupy.zeros(2, dtype=object)


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like", "full_like"])
@pytest.mark.parametrize("empty", [(), [], 0, None])
def test_an_empty_shape_asked_for_is_that_of_the_array(cupy, name, empty):
    """_creation/basic.py: ``shape = shape if shape else a.shape``; NumPy gives shape ``()``."""
    value = (7,) if name == "full_like" else ()
    assert getattr(cupy, name)(cupy.ones((2, 3)), *value, shape=empty).shape == (2, 3)
    assert getattr(cupy, name)(cupy.ones((2, 3)), *value, shape=(4,)).shape == (4,)


UFUNCS = {
    "a ufunc of one array": lambda cupy, x: cupy.exp(x),
    "of two alike": lambda cupy, x: x + x,
    "of an array and a number": lambda cupy, x: x * 2.0,
    "a comparison": lambda cupy, x: x > 0,
    "where": lambda cupy, x: cupy.where(x > 0, x, 0.0),
    "maximum": lambda cupy, x: cupy.maximum(x, 0),
    "clip": lambda cupy, x: cupy.clip(x, 0, 1),
    "isfinite": lambda cupy, x: cupy.isfinite(x),
}


@pytest.mark.parametrize("name", UFUNCS)
def test_elementwise_results_are_in_c_order_whatever_the_arguments(cupy, name):
    """_kernel.pyx, ``ufunc.__call__``: outputs are made with the default order, C."""
    for x in (cupy.ones((2, 3, 4, 5)).transpose(1, 3, 0, 2), cupy.ones((5, 4)).T):
        assert not x.flags.c_contiguous
        assert UFUNCS[name](cupy, x).flags.c_contiguous
