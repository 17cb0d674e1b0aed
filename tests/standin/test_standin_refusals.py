"""What the stand-in refuses: because CuPy does, or because it is a race or undefined on a GPU.

Differences: https://docs.cupy.dev/en/stable/user_guide/difference.html
Sources: github.com/cupy/cupy, cupy/_core/core.pyx, _kernel.pyx, _routines_indexing.pyx and others
"""

import operator

import numpy
import pytest

HOST = numpy.ones(3)
KINDS = ("add", "mul", "sub", "truediv", "lt", "eq", "matmul")


def assign(target, index, value):
    target[index] = value


def overlapping(c):
    return c.lib.stride_tricks.as_strided(c.zeros(5), (3, 3), (8, 8))


def repeated(c):
    return c.lib.stride_tricks.as_strided(c.zeros((1, 3)), (2, 3), (0, 8))


def overlap_in_a_copy(a):
    a[1:] = a[:-1]


def far(c):
    """An array of the GPU that is not the current one."""
    with c.cuda.Device(1):
        return c.ones(3)


# core.pyx, ``__array__``: decided in https://github.com/cupy/cupy/pull/3421
CONVERSION = "Implicit conversion to a NumPy array is not allowed"
REFUSED = [
    (TypeError, CONVERSION, lambda c: numpy.asarray(c.zeros(2))),
    (TypeError, CONVERSION, lambda c: numpy.array(c.zeros(2))),
    (TypeError, CONVERSION, lambda c: numpy.zeros(2) @ [c.zeros(2), c.zeros(2)]),
    (TypeError, CONVERSION, lambda c: assign(HOST.copy(), ..., c.zeros(3))),
    # https://github.com/cupy/cupy/issues/8389: a list of numbers and device arrays
    (TypeError, CONVERSION, lambda c: c.array([0.0, c.cos(c.asarray(0.0))])),
    # ``ndarray`` has ``__int__`` and no ``__index__``
    (TypeError, None, lambda c: range(c.asarray(3))),
    (TypeError, None, lambda c: [0, 1, 2][c.asarray(1)]),
    # CuPy would call its own function, and a stray call be seen only where it has none
    (TypeError, r"numpy\.tanh was called", lambda c: numpy.tanh(c.ones(3))),
    (TypeError, r"numpy\.add was called", lambda c: numpy.add(c.ones(3), 1.0)),
    (TypeError, r"numpy\.add was called", lambda c: numpy.add.reduce(c.ones(3))),
    (TypeError, r"numpy\.sum was called", lambda c: numpy.sum(c.ones(3))),
    (TypeError, r"numpy\.concatenate was", lambda c: numpy.concatenate([c.ones(3)])),
    (TypeError, r"numpy\.zeros_like was", lambda c: numpy.zeros_like(c.ones(3))),
    # Differences, "Data types": "cannot be non-numeric like strings or objects"
    *(
        (ValueError, "Unsupported dtype", lambda c, value=value: c.asarray(value))
        for value in (["a", "b"], [None], numpy.array(["a"]))
    ),
    (ValueError, "Unsupported dtype", lambda c: c.zeros(2, dtype=object)),
    # ``ndarray.flags``: "only c_contiguous, f_contiguous, and owndata"
    (AttributeError, None, lambda c: c.ones(2).flags.writeable),
    (AttributeError, None, lambda c: c.ones(2).flags.aligned),
    (KeyError, "WRITEABLE", lambda c: c.ones(2).flags["WRITEABLE"]),
    # several threads would write one address
    *(
        (ValueError, "race", lambda c, make=make, write=write: write(c, make(c)))
        for make in (overlapping, repeated, lambda c: c.broadcast_to(c.zeros((1, 3)), (4, 3)))
        for write in (
            lambda c, view: operator.iadd(view, 1),
            lambda c, view: assign(view, ..., 1.0),
            lambda c, view: c.add(view, 1, out=view),
        )
    ),
    # https://docs.cupy.dev/en/stable/reference/generated/cupy.lib.stride_tricks.as_strided.html
    *(
        (
            TypeError,
            "unexpected keyword",
            lambda c, name=name: c.lib.stride_tricks.as_strided(
                c.ones(6), (4, 3), (8, 8), **{name: True}
            ),
        )
        for name in ("writeable", "subok", "check_bounds")
    ),
    (
        ValueError,
        "outside the memory",
        lambda c: c.lib.stride_tricks.as_strided(c.ones(6), (5, 3), (8, 8)),
    ),
    # what the stand-in alone lacks
    (NotImplementedError, r"CuPy has cupy\.fft", lambda c: c.fft),
    (NotImplementedError, r"CuPy has cupy\.random\.rand,", lambda c: c.random.rand(3)),
    (NotImplementedError, r"ndarray\.flat", lambda c: c.ones(2).flat),
    # cupy_names.json has the signature of every function of the real CuPy 14
    *(
        (TypeError, name, lambda c, n=name, o=options: getattr(c, n)(c.ones((3, 4)), **o))
        for name, options in (
            ("sum", {"initial": 0.0}),
            ("sum", {"where": True}),
            ("max", {"initial": 0.0}),
            ("mean", {"where": True}),
            ("var", {"mean": 0.0}),
            ("var", {"correction": 1}),
            ("broadcast_to", {"shape": (2, 3, 4), "subok": True}),
            ("zeros_like", {"device": "cpu"}),
            ("transpose", {"axis": 0}),
        )
    ),
    # _kernel.pyx, ``ufunc.__call__``; its outputs have exactly the broadcast shape
    *(
        (TypeError, "Wrong arguments", lambda c, o=option: c.add(c.ones(3), 1.0, **o))
        for option in ({"where": True}, {"order": "C"}, {"subok": True}, {"like": None})
    ),
    (ValueError, "Out shape is mism", lambda c: c.add(c.ones(3), 1.0, out=c.zeros((2, 3)))),
    (TypeError, "Output arguments type", lambda c: c.add(c.ones(3), 1.0, out=HOST)),
    (TypeError, None, lambda c: c.add(c.ones(3), 0.5, out=c.zeros(3, dtype="int32"))),
    (TypeError, None, lambda c: operator.iadd(c.zeros(3, dtype="int32"), 0.5)),
    (NotImplementedError, "multiply.at", lambda c: c.multiply.at(c.zeros(3), c.array([0]), 2.0)),
    (TypeError, "argument x", lambda c: c.where(c.ones(2) > 0, [1.0, 2.0], c.ones(2))),
    # Differences: "They do not accept other objects (e.g., lists or numpy.ndarray)"
    *(
        (TypeError, None, lambda c, name=name, given=given: getattr(c, name)(*given))
        for value in (HOST, [1.0, 2.0])
        for name, given in (
            *((name, (value,)) for name in ("sum", "mean", "exp")),
            *((name, (value, value)) for name in ("dot", "maximum")),
            *((name, ([value, value],)) for name in ("stack", "concatenate")),
        )
    ),
    *(
        (
            TypeError,
            None,
            lambda c, kind=kind, other=other: getattr(operator, kind)(c.ones(3), other),
        )
        for kind in (*KINDS, "iadd")
        for other in (HOST, [1.0, 1.0, 1.0], (1.0,), None, "1")
    ),
    *(
        (
            TypeError,
            None,
            lambda c, kind=kind, other=other: getattr(operator, kind)(other, c.ones(3)),
        )
        for kind in KINDS
        for other in (HOST, [1.0, 1.0, 1.0], (1.0,), None, "1")
    ),
    # _routines_linalg.pyx, ``matmul``
    (ValueError, "Scalar operands", lambda c: c.matmul(c.eye(3), c.asarray(2.0))),
    (numpy.exceptions.AxisError, None, lambda c: c.eye(3).sum(axis=2)),
    # _routines_indexing.pyx: ``_view_getitem``, ``_scatter_op_single``; core.pyx, ``fill``
    (IndexError, None, lambda c: c.zeros(3)[3]),
    (IndexError, "integer or boolean", lambda c: c.zeros(3)[c.zeros(2)]),
    (TypeError, "only supports", lambda c: c.add.at(c.zeros(3, "int64"), c.array([0]), 1)),
    *(
        (TypeError, None, lambda c, index=index, value=value: assign(c.zeros(3), index, value))
        for index in (slice(None), Ellipsis, [0, 1, 2])
        for value in (HOST, [1.0, 1.0, 1.0])
    ),
    # ``_scatter_op``: equal shapes and strides, contiguous: ``copy_from_device_async``
    (ValueError, "overlapping", lambda c: overlap_in_a_copy(c.arange(6.0))),
    # _kernel.pyx, ``_check_peer_access``
    *(
        (ValueError, "Peer access is unavailable", call)
        for call in (
            lambda c: far(c) + c.ones(3),
            lambda c: far(c) + 1,
            lambda c: far(c).sum(),
            lambda c: c.exp(far(c)),
            lambda c: far(c).astype("float32"),
            lambda c: c.concatenate([c.ones(3), far(c)]),
            lambda c: far(c)[[0]],
            lambda c: assign(c.ones(3), ..., far(c)),
            lambda c: c.where(c.ones(3) > 0, c.ones(3), far(c)),
        )
    ),
    # stream.pyx, ``begin_capture``; graph.pyx
    (RuntimeError, r"default \(legacy\)", lambda c: c.cuda.get_current_stream().begin_capture()),
    (NotImplementedError, "must be created via stream capture", lambda c: c.cuda.Graph()),
    (RuntimeError, "cudaErrorInvalidDevice", lambda c: c.cuda.Device(2).use()),
    (RuntimeError, "invalid device ordinal", lambda c: c.cuda.runtime.getDeviceProperties(2)),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: f"line {row[2].__code__.co_firstlineno}")
def test_what_cupy_refuses_or_leaves_undefined_is_refused(cupy, row):
    error, words, call = row
    with pytest.raises(error, match=words):
        call(cupy)
    assert cupy.cuda.runtime.getDevice() == 0


def test_names_that_cupy_lacks_do_not_exist(cupy):
    """``dir`` of the real CuPy 14 has none of these."""
    for name in ("errstate", "seterr", "block", "geomspace", "unstack", "vecdot", "spacing"):
        assert not hasattr(cupy, name)
    assert not hasattr(cupy.linalg, "vector_norm")
    assert not hasattr(cupy.random, "Philox")
    for name in ("setflags", "resize", "newbyteorder", "to_device", "ctypes"):
        assert not hasattr(cupy.ones(2), name)
