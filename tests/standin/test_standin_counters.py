"""What is counted: launches, waits of the host, copies.

"What makes CuPy wait": https://docs.cupy.dev/en/stable/user_guide/performance.html
"""

import numpy
import pytest
from cupy_standin import counters

WAITS = {
    "item": lambda a: a.sum().item(),
    "float": lambda a: float(a.sum()),
    "int": lambda a: int(a.sum()),
    "bool": lambda a: bool(a.sum() > 0),
    "if": lambda a: 1 if a.sum() > 0 else 0,
    "in": lambda a: 3.0 in a[:1],
    "get": lambda a: a.get(),
    "tolist": lambda a: a.tolist(),
    "repr": repr,
    "str": str,
    "format": lambda a: f"{a.sum():.3f}",
}


@pytest.mark.parametrize("name", WAITS)
def test_every_look_at_a_value_waits_and_copies(cupy, name):
    a = cupy.ones(3)
    with counters.measure() as used:
        WAITS[name](a)
    assert used.waits == used.device_to_host == 1


def test_asnumpy_waits_and_counts_bytes(cupy, used):
    cupy.asnumpy(cupy.ones((4, 5), "float32"))
    assert (used.waits, used.device_to_host_bytes) == (1, 80)


def test_synchronising_waits(cupy, used):
    cupy.cuda.Device(0).synchronize()
    cupy.cuda.Stream.null.synchronize()
    assert used.waits == 2


def test_copies_to_the_device_are_counted_with_their_size(cupy, used):
    a = cupy.asarray(numpy.zeros((2, 3), "float32"))
    cupy.array([1.0, 2.0])
    assert (used.host_to_device, used.host_to_device_bytes) == (2, 24 + 16)
    a[[0, 1]]  # ``_prepare_slice_list`` turns lists and NumPy arrays into device arrays
    a[numpy.array([0, 1])]
    assert used.host_to_device == 4
    a[1:] = 1.0
    index = cupy.arange(2)
    assert used.host_to_device == 4
    a[index] = 2.0  # ``_scatter_op_single``: ``v = core.array(value, dtype=a.dtype)``
    assert used.host_to_device == 5


def test_masks_wait_for_the_device_and_integer_arrays_do_not(cupy, used):
    """_routines_indexing.pyx: ``n_true = int(mask_scanned[-1])`` for reading and for writing."""
    a, index = cupy.arange(6.0), cupy.array([1, 2])
    a[index]
    a[index] = a[index] + 1
    assert used.waits == 0
    a[a > 2]
    assert used.waits == 1
    a[a > 2] = 0.0
    assert used.waits == 2
    assert a.tolist() == [0, 2, 0, 0, 0, 0]


def test_one_array_call_that_writes_is_one_launch(cupy):
    a = cupy.ones((3, 4))
    for call in (
        lambda: a + 1,
        lambda: a.sum(),
        lambda: cupy.zeros(3),
        lambda: a.T.copy(),
        lambda: a.T.reshape(12),
        lambda: a.__setitem__(0, 1.0),
        lambda: a.__iadd__(1),
        lambda: cupy.add(a, 1, out=a),
        lambda: cupy.concatenate([a, a]),
        lambda: cupy.pad(a, 1),
        lambda: a @ a.T,
        lambda: cupy.einsum("ij->i", a),
        lambda: a[[0, 1]],
    ):
        with counters.measure() as used:
            call()
        assert used.launches == 1


def test_views_shapes_and_allocations_neither_launch_nor_wait(cupy):
    a = cupy.ones((3, 4))
    with counters.measure() as used:
        a.T, a[1:], a.reshape(-1), a.ravel(), a[None], cupy.broadcast_to(a, (2, 3, 4))
        cupy.transpose(a), cupy.squeeze(a[None]), cupy.asarray(a)
        a.astype(a.dtype, copy=False), cupy.ascontiguousarray(a)
        cupy.empty((3, 4)), cupy.empty_like(a)
        cupy.lib.stride_tricks.as_strided(a, (2, 2), (8, 8))
        a.shape, len(a), a.dtype, a.device, list(a)
    assert used.launches == used.waits == 0
    assert used.allocations == 2


def test_an_input_overlapping_the_output_is_copied_first(cupy, used):
    """_kernel.pyx, ``_copy_in_args_if_needed``."""
    a = cupy.arange(6.0)
    cupy.add(a[:-1], 1.0, out=a[1:])
    assert used.hidden_copies == 1
    cupy.add(a, 1.0, out=a)
    assert used.hidden_copies == 1


def test_batched_products_copy_operands_of_other_layouts(cupy, used):
    """_routines_linalg.pyx, ``matmul``: ``a = ascontiguousarray(a, dtype)`` above two axes."""
    a = cupy.ones((2, 3, 4))
    a @ a.transpose(0, 2, 1)
    assert used.hidden_copies == 1
    a[0] @ a[0].T
    assert used.hidden_copies == 1


JOINED = {  # what is joined, and how many tables are copied
    "8 of any length": (lambda c: [c.ones(n) for n in range(1, 9)], 0),
    "9 of any length": (lambda c: [c.ones(n) for n in range(1, 10)], 3),
    "9 of one length": (lambda c: [c.ones(2)] * 9, 1),
    "9 of one length, transposed": (lambda c: [c.ones((2, 3)).T] * 9, 3),
    "9 of two types": (lambda c: [c.ones(2, dtype="fd"[n % 2]) for n in range(9)], 0),
    "9 of 2 MiB": (lambda c: [c.ones(2**18)] * 9, 0),
}


@pytest.mark.parametrize("name", JOINED)
def test_a_concatenation_of_many_arrays_copies_tables_to_the_device(cupy, name):
    """_routines_manipulation.pyx, ``_concatenate`` and ``_concatenate_single_kernel``."""
    parts, tables = JOINED[name][0](cupy), JOINED[name][1]
    for join in (cupy.concatenate, cupy.stack) if name == "9 of one length" else [cupy.concatenate]:
        with counters.measure() as used:
            joined = join(parts)
        assert joined.size == sum(part.size for part in parts)
        assert (used.host_to_device, used.waits, used.launches) == (tables, 0, 1)
        if name == "9 of any length":
            assert used.host_to_device_bytes == 3 * 9 * 8  # addresses, sizes, strides


def test_measurements_nest_and_reset_clears(cupy):
    with counters.measure() as outer:
        cupy.zeros(1)
        with counters.measure() as inner:
            cupy.zeros(1).item()
    cupy.zeros(1)
    assert (outer.launches, inner.launches) == (2, 1)
    assert outer.calls == {"zeros": 2}
    assert [place.split(":")[0] for place in inner.wait_places] == ["test_standin_counters.py"]
    counters.reset()
    assert counters.launches == counters.waits == 0


def test_waits_can_be_forbidden(cupy):
    a = cupy.ones(2)
    with counters.no_waits():
        a += 1
        with pytest.raises(AssertionError, match="host waits for the device at test_standin"):
            a.sum().item()
    assert a.sum().item() == 4
