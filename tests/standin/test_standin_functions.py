"""Functions and ufuncs against CuPy's documentation.

Functions: https://docs.cupy.dev/en/stable/reference/comparison.html
Ufuncs: https://docs.cupy.dev/en/stable/reference/ufunc.html
Differences: https://docs.cupy.dev/en/stable/user_guide/difference.html
Source: github.com/cupy/cupy, cupy/_core/_kernel.pyx, cupy/_core/_routines_linalg.pyx
"""

import numpy
import pytest

RNG = numpy.random.default_rng(0)
A = RNG.normal(size=(3, 4)).astype("float32")
SQUARE = RNG.normal(size=(4, 4))


def test_names_that_cupy_lacks_raise_attribute_error(cupy):
    """``dir(cupy)`` of the real CuPy 14 has none of these."""
    for name in ("errstate", "seterr", "block", "geomspace", "unstack", "vecdot", "spacing"):
        assert not hasattr(cupy, name)
    assert not hasattr(cupy.linalg, "vector_norm")
    assert not hasattr(cupy.random, "Philox")


def test_names_that_only_the_stand_in_lacks_say_so(cupy):
    with pytest.raises(NotImplementedError, match=r"CuPy has cupy\.fft"):
        cupy.fft  # noqa: B018
    with pytest.raises(NotImplementedError, match=r"ndarray\.flat"):
        cupy.ones(2).flat  # noqa: B018


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sum", {"initial": 0.0}),
        ("sum", {"where": True}),
        ("max", {"initial": 0.0}),
        ("mean", {"where": True}),
        ("var", {"mean": 0.0}),
        ("var", {"correction": 1}),
        ("round", {"dtype": float}),
        ("sort", {"stable": True}),
        ("sort", {"order": None}),
        ("broadcast_to", {"shape": (2, 3, 4), "subok": True}),
        ("take", {"indices": 0, "mode": "wrap"}),
        ("zeros_like", {"device": "cpu"}),
        ("transpose", {"axis": 0}),
    ],
)
def test_arguments_that_cupy_lacks_raise(cupy, name, options):
    """cupy_names.json has the signature of every function of the real CuPy 14."""
    with pytest.raises(TypeError):
        getattr(cupy, name)(cupy.ones((3, 4)), **options)


def test_ufuncs_take_out_dtype_and_casting_only(cupy):
    """_kernel.pyx, ``ufunc.__call__``: anything else is "Wrong arguments"."""
    a = cupy.ones(3)
    for option in ({"where": a > 0}, {"order": "C"}, {"subok": True}, {"like": a}):
        with pytest.raises(TypeError, match="Wrong arguments"):
            cupy.add(a, a, **option)
    assert cupy.add(a, a, dtype="float32", casting="unsafe").dtype == numpy.float32


def test_an_output_has_exactly_the_broadcast_shape(cupy):
    """_kernel.pyx: "Out shape is mismatched"; NumPy would broadcast into a larger output."""
    with pytest.raises(ValueError, match="Out shape is mismatched"):
        cupy.add(cupy.ones(3), 1.0, out=cupy.zeros((2, 3)))
    with pytest.raises(TypeError, match="Output arguments type"):
        cupy.add(cupy.ones(3), 1.0, out=numpy.zeros(3))
    out = cupy.zeros(3)
    assert cupy.add(cupy.ones(3), 1.0, out) is out
    assert out.tolist() == [2, 2, 2]


def test_an_output_of_another_kind_raises(cupy):
    """Default casting is 'same_kind'."""
    with pytest.raises(TypeError):
        cupy.add(cupy.ones(3), 0.5, out=cupy.zeros(3, dtype="int32"))
    integers = cupy.zeros(3, dtype="int32")
    with pytest.raises(TypeError):
        integers += 0.5


def test_ufunc_methods_are_those_cupy_has(cupy):
    """_kernel.pyx: ``reduce`` and ``accumulate`` of add and multiply only."""
    a = cupy.arange(1.0, 5.0)
    assert cupy.add.reduce(a).item() == 10
    assert cupy.multiply.accumulate(a).tolist() == [1, 2, 6, 24]
    assert cupy.subtract.outer(a, a).shape == (4, 4)
    for name in ("reduce", "accumulate"):
        with pytest.raises(NotImplementedError):
            getattr(cupy.maximum, name)(a)


@pytest.mark.parametrize("name", ["sum", "mean", "exp", "stack", "concatenate", "dot", "maximum"])
def test_host_arrays_are_no_arguments(cupy, name):
    """Differences: "They do not accept other objects (e.g., lists or numpy.ndarray)"."""
    function = getattr(cupy, name)
    two = (A, A) if name in ("dot", "maximum") else ([A, A],) if name[-2:] in ("ck", "te") else (A,)
    with pytest.raises(TypeError):
        function(*two)
    with pytest.raises(TypeError):
        function(*(value.tolist() if isinstance(value, numpy.ndarray) else [1.0] for value in two))


def test_a_mixture_of_host_and_device_in_a_list_raises(cupy):
    """https://github.com/cupy/cupy/issues/8389: a list of numbers and device arrays."""
    with pytest.raises(TypeError, match="Implicit conversion"):
        cupy.array([0.0, cupy.cos(cupy.asarray(0.0))])
    assert cupy.array([cupy.ones(2), cupy.zeros(2)]).tolist() == [[1, 1], [0, 0]]


CALLS = {
    "sum": lambda xp, a: xp.sum(a, axis=0, keepdims=True),
    "mean": lambda xp, a: a.mean(axis=(0, 1)),
    "var": lambda xp, a: a.var(axis=1, ddof=1),
    "max": lambda xp, a: xp.max(a, axis=-1),
    "argmax": lambda xp, a: a.argmax(axis=1),
    "any": lambda xp, a: xp.any(a > 1, axis=0),
    "cumsum": lambda xp, a: xp.cumsum(a, axis=1),
    "where": lambda xp, a: xp.where(a > 0, a, 0.0),
    "clip": lambda xp, a: xp.clip(a, 0, 1),
    "pad": lambda xp, a: xp.pad(a, ((1, 2), (0, 1)), constant_values=2.0),
    "concatenate": lambda xp, a: xp.concatenate((a, a), axis=1),
    "stack": lambda xp, a: xp.stack([a, a], axis=-1),
    "split": lambda xp, a: xp.concatenate(xp.split(a, 2, axis=1)[::-1], axis=1),
    "transpose": lambda xp, a: a.transpose(1, 0),
    "moveaxis": lambda xp, a: xp.moveaxis(a[None], 0, -1),
    "reshape": lambda xp, a: xp.reshape(a.T, (2, -1)),
    "method reshape": lambda xp, a: a.reshape((2, 6)).reshape(-1),
    "broadcast_to": lambda xp, a: xp.broadcast_to(a, (2, 3, 4)),
    "flip": lambda xp, a: xp.flip(a, axis=0),
    "roll": lambda xp, a: xp.roll(a, 1, axis=1),
    "tile": lambda xp, a: xp.tile(a, (2, 1)),
    "repeat": lambda xp, a: a.repeat(2, axis=0),
    "tensordot": lambda xp, a: xp.tensordot(a, a, axes=([1], [1])),
    "einsum": lambda xp, a: xp.einsum("ij,kj->ik", a, a),
    "matmul": lambda xp, a: xp.matmul(a, a.T),
    "batched matmul": lambda xp, a: a[None] @ a.T,
    "dot": lambda xp, a: a.dot(a[0]),
    "outer": lambda xp, a: xp.outer(a[0], a[1]),
    "norm": lambda xp, a: xp.linalg.norm(a, axis=1),
    "sort": lambda xp, a: xp.sort(a, axis=0),
    "argsort": lambda xp, a: a.argsort(axis=1),
    "diag": lambda xp, a: xp.diag(a[0]),
    "tril": lambda xp, a: xp.tril(a),
    "eye": lambda xp, a: xp.eye(3, dtype="float32"),
    "arange": lambda xp, a: xp.arange(2, 8, 2),
    "linspace": lambda xp, a: xp.linspace(0, 1, 5, dtype="float32"),
    "full_like": lambda xp, a: xp.full_like(a, 3.0),
    "unique": lambda xp, a: xp.unique((a > 0).astype("int32")),
    "searchsorted": lambda xp, a: xp.searchsorted(xp.sort(a[0]), a[1]),
    "isclose": lambda xp, a: xp.isclose(a, 0.0, atol=1.0),
    "divmod": lambda xp, a: xp.divmod(a, 0.5)[1],
    "power": lambda xp, a: 2.0**a,
    "sliding_window_view": lambda xp, a: xp.lib.stride_tricks.sliding_window_view(a, (2, 2)),
    "average": lambda xp, a: xp.average(a, axis=0),
    "quantile": lambda xp, a: xp.quantile(a, 0.3, axis=0),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_types_and_shapes_are_those_of_numpy(cupy, name):
    expected = numpy.asarray(CALLS[name](numpy, A))
    result = CALLS[name](cupy, cupy.asarray(A))
    assert type(result) is cupy.ndarray
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    numpy.testing.assert_allclose(result.get(), expected, rtol=1e-5)


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


def test_matmul_writes_into_an_output(cupy, used):
    """_routines_linalg.pyx, ``matmul``: a non-contiguous output costs a copy."""
    a, b = cupy.asarray(A), cupy.asarray(SQUARE.astype("float32"))
    out = cupy.zeros((3, 4), "float32")
    assert cupy.matmul(a, b, out=out) is out
    numpy.testing.assert_allclose(out.get(), A @ SQUARE.astype("float32"), rtol=1e-5)
    assert used.hidden_copies == 0
    cupy.matmul(a, b, out=cupy.zeros((4, 3), "float32").T)
    assert used.hidden_copies == 1
    with pytest.raises(ValueError, match="invalid size"):
        cupy.matmul(a, b, out=cupy.zeros((2, 4), "float32"))
    with pytest.raises(ValueError, match="Scalar operands are not allowed"):
        cupy.matmul(a, cupy.asarray(2.0))


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
    assert a[0, 0].sum().shape == ()
    with pytest.raises(numpy.exceptions.AxisError):
        a.sum(axis=2)


def test_nan_makes_no_warning(cupy):
    """CuPy has no floating-point error state."""
    with numpy.errstate(all="raise"):
        a = cupy.asarray([-1.0, 0.0])
        assert cupy.isnan(cupy.log(a) / cupy.zeros(2)).any()


def test_random_streams_differ_from_numpy_and_repeat(cupy):
    """Design point: draw on the host and move, for the same seed gives other numbers here."""
    first = cupy.random.default_rng(5).standard_normal(4)
    again = cupy.random.default_rng(5).standard_normal(4)
    assert (first == again).all()
    assert not numpy.allclose(first.get(), numpy.random.default_rng(5).standard_normal(4))
    cupy.random.seed(5)
    assert not numpy.allclose(
        cupy.random.rand(4).get(), numpy.random.RandomState(5).random_sample(4)
    )
    assert cupy.random.randn(2, dtype="float32").dtype == numpy.float32


def test_the_generator_lacks_what_cupys_generator_lacks(cupy):
    """https://docs.cupy.dev/en/stable/reference/random.html, ``cupy.random.Generator``."""
    generator = cupy.random.default_rng(0)
    for name in ("normal", "permutation", "shuffle", "choice", "spawn"):
        assert not hasattr(generator, name)
