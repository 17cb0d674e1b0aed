"""The product of two matrices in pieces, against the whole."""

import itertools

import numpy
import pytest

from minigrad.backend import blas, one_blas_thread
from minigrad.kernels import arithmetic, channel_sum, product, products
from minigrad.kernels.arithmetic import product_rows

SHAPES = {  # rows, inner, columns
    "small": (5, 7, 3),
    "rows": (256, 784, 32),
    "rows, right side in order": (256, 32, 784),
    "columns": (32, 128, 784),
    "many rows on a short side": (1024, 100, 100),
    "no divisor": (257, 784, 32),
    "no short side": (160, 300, 200),
    "too large to cut": (704, 784, 32),
    "nothing inside": (20, 0, 10),
    "nothing": (0, 784, 32),
}
LAYOUTS = {
    "as given": lambda matrix: matrix,
    "transposed": lambda matrix: numpy.ascontiguousarray(matrix.T).T,
    "every second": lambda matrix: numpy.repeat(numpy.repeat(matrix, 2, 0), 2, 1)[::2, ::2],
    "backwards": lambda matrix: numpy.ascontiguousarray(matrix[::-1, ::-1])[::-1, ::-1],
}


def matrices(shape, dtype="float64"):
    rows, inner, columns = SHAPES[shape]
    random = numpy.random.default_rng(0)
    a, b = random.normal(size=(rows, inner)), random.normal(size=(inner, columns))
    return a.astype(dtype), b.astype(dtype)


@pytest.fixture(params=[True, False], ids=["in pieces", "whole"], autouse=True)
def multiplies_small_in_place(request, monkeypatch):
    """What the processor at hand decides, both ways."""
    monkeypatch.setattr(arithmetic, "multiplies_small_in_place", lambda: request.param)


@pytest.mark.parametrize("shape", SHAPES)
def test_product_is_the_matrix_product_in_every_memory_layout(shape):
    a, b = matrices(shape)
    expected = numpy.einsum("ik,kj->ij", a, b)
    for left, right in itertools.product(LAYOUTS, LAYOUTS):
        result = product(LAYOUTS[left](a), LAYOUTS[right](b))
        assert result.flags.c_contiguous, (left, right)
        numpy.testing.assert_allclose(result, expected, atol=1e-11, err_msg=f"{left}, {right}")


def test_product_keeps_single_precision():
    a, b = matrices("rows", "float32")
    b = LAYOUTS["transposed"](b)
    assert product(a, b).dtype == "float32"
    exact = a.astype("float64") @ b.astype("float64")
    assert abs(product(a, b) - exact).max() < 2e-6 * abs(exact).max()


def test_pieces_are_small_products_of_at_least_16_rows_if_the_rows_divide():
    assert product_rows(256, 784 * 32) == 32
    assert product_rows(10, 784 * 32) == 10
    assert product_rows(257, 784 * 32) == 257  # a prime stays whole
    assert product_rows(4096, 1000 * 100) == 4096  # pieces of ten rows would be too thin


SMALL = {
    "a layer": lambda: product(numpy.ones((100, 784), "f"), numpy.ones((784, 128), "f")),
    "a transposed matrix": lambda: product(
        numpy.ones((64, 100), "f").T, numpy.ones((64, 100), "f")
    ),
    "a stack": lambda: products(numpy.ones((8, 128, 128), "f"), numpy.ones((8, 128, 128), "f")),
    "a vector": lambda: products(numpy.ones((100, 128), "f"), numpy.ones(128, "f")),
    "sums": lambda: channel_sum(numpy.ones((100, 128), "f")),
}
OTHERS = {
    "a large layer": lambda: product(numpy.ones((100, 784), "f"), numpy.ones((784, 512), "f")),
    "a large stack": lambda: products(numpy.ones((2, 300, 300), "f"), numpy.ones((300, 300), "f")),
    "a tiny layer": lambda: product(numpy.ones((8, 4), "f"), numpy.ones((4, 2), "f")),
}


@pytest.mark.parametrize("case", [*SMALL, *OTHERS])
def test_a_small_product_is_computed_with_one_blas_thread_and_a_large_one_with_all(
    case, monkeypatch
):
    """What is too small to be shared is left alone: to hold BLAS takes longer."""
    held = []
    real = arithmetic._held
    monkeypatch.setattr(arithmetic, "_held", lambda *given: held.append(case) or real(*given))
    found = (SMALL | OTHERS)[case]()
    assert bool(held) == (case in SMALL)
    held.clear()
    with one_blas_thread():
        assert ((SMALL | OTHERS)[case]() == found).all()
    assert not held  # somebody holds it already


def test_a_blas_whose_threads_cannot_be_limited_is_left_alone_without_a_warning(monkeypatch):
    monkeypatch.setattr(blas, "_can_be_limited", lambda: False)
    monkeypatch.setattr(arithmetic, "_held", lambda *given: pytest.fail("held"))
    for case in SMALL.values():
        case()
