"""The product of two matrices in pieces, against the whole."""

import itertools

import numpy
import pytest

from minigrad.kernels import arithmetic, product
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
