"""Convolution, fast: a window of the input is a row of a matrix, and matmul does the work.

Letters, here and in the files beside this one, are those of ``reference.py``, and so is the number
T(x, w, y), linear in each of x, w and y, of which all three maps are derivatives:

    x  (N, C, H, W)    w  (O, C / G, kh, kw)    y  (N, O, P, Q)    s, d  stride, dilation

Let a matrix A hold the window of x behind each output pixel as a row, its columns
ordered (i, j, c), and let w and y be matrices with the columns o. Then T = sum of (A w) * y, so

    conv2d               dT/dy = A w
    conv2d_weight_grad   dT/dw = A^T y
    conv_transpose2d     dT/dx = y w^T, each entry added to the pixel of x that A copied it from

What is left is how to make A, and how to add, cheaply. On a CPU there are three ways.

- As a rule (``unfold.py``): A repeats x only kw times, its rows overlap in memory, and the
  additions are of long runs.
- At stride 1 with channels enough (``winograd.py``): the sum over i is a product of polynomials,
  which takes fewer multiplications.
- With dilation (the end of ``unfold.py``): A is written out. The third map is then the first, of a
  spread y and a flipped w. If the kernel is as large as the image, A is x itself.

On a GPU kernels in CUDA C compute the three maps without any A (``gpu.py``). Where none fits, A is
written out, which takes few launches.

The three public functions check their arguments. The operations of ``minigrad.functional`` call
``correlate``, ``spread`` and ``weight_gradient`` below them: their arguments were checked when the
geometry was made.

Activations may have any memory layout. Results are laid out H, N, W, C (on a GPU N, H, W, C), seen
through a transposed view as (N, C, H, W): the next kernel reads that fastest, and elementwise
operations keep it.
A geometry's ``input_size`` is (H, W), its ``output_size`` (P, Q).
"""

from __future__ import annotations

from minigrad.backend import Array, HostArray
from minigrad.kernels import gpu, unfold, winograd
from minigrad.kernels.geometry import Geometry, check_arrays


def conv2d(x: Array, weight: Array, geometry: Geometry, bias: Array | None = None) -> Array:
    """Correlate images x with kernels: dT/dy, (N, O, P, Q). A bias (O,) is added to every pixel.

    A ValueError says which shape does not fit, a TypeError which dtypes differ.

    >>> import numpy
    >>> x, weight = numpy.arange(4.0).reshape(1, 1, 1, 4), numpy.array([[[[1.0, 10.0]]]])
    >>> conv2d(x, weight, Geometry((1, 4), (1, 2), (1, 3)))
    array([[[[10., 21., 32.]]]])
    """
    check_arrays("conv2d", geometry, x=x, weight=weight, bias=bias)
    return correlate(x, weight, geometry, bias)


def conv_transpose2d(
    y: Array, weight: Array, geometry: Geometry, bias: Array | None = None
) -> Array:
    """Spread images y through kernels, the adjoint of :func:`conv2d`: dT/dx, (N, C, H, W).

    A bias (C,) is added to every pixel, also to those that no window reaches. Errors are those of
    :func:`conv2d`.

    >>> import numpy
    >>> y, weight = numpy.array([[[[1.0, 2.0]]]]), numpy.array([[[[1.0, 10.0]]]])
    >>> conv_transpose2d(y, weight, Geometry((1, 3), (1, 2), (1, 2)))
    array([[[[ 1., 12., 20.]]]])
    """
    check_arrays("conv_transpose2d", geometry, weight=weight, y=y, bias=bias)
    return spread(y, weight, geometry, bias)


def conv2d_weight_grad(x: Array, y: Array, geometry: Geometry) -> Array:
    """Correlate images x with images y, the gradient of conv2d's output: dT/dw, (O, C / G, kh, kw).

    Errors are those of :func:`conv2d`.

    >>> import numpy
    >>> x, y = numpy.arange(4.0).reshape(1, 1, 1, 4), numpy.array([[[[1.0, 0.0, 10.0]]]])
    >>> conv2d_weight_grad(x, y, Geometry((1, 4), (1, 2), (1, 3)))
    array([[[[20., 31.]]]])
    """
    check_arrays("conv2d_weight_grad", geometry, x=x, y=y)
    return weight_gradient(x, y, geometry)


def correlate(x: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array:
    """:func:`conv2d` of arguments known to fit."""
    on_cpu = type(x) is HostArray
    if not on_cpu and (y := gpu.correlate(x, weight, geometry, bias)) is not None:
        return y
    if geometry.is_covered:
        return unfold.multiply_image(x, weight, bias)
    if not on_cpu or geometry.dilation != (1, 1):  # which keeps a window's rows apart
        return unfold.correlate_windows(x, weight, geometry, bias)
    if winograd.pays(geometry, x.shape[1], weight.shape[0]):
        return winograd.correlate_at_points(x, weight, geometry, bias)
    return unfold.correlate_unfolded(x, weight, geometry, bias)


def spread(y: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array:
    """:func:`conv_transpose2d` of arguments known to fit."""
    on_cpu = type(y) is HostArray
    if not on_cpu and (x := gpu.spread(y, weight, geometry, bias)) is not None:
        return x
    if geometry.is_covered:
        return unfold.spread_image(y, weight, bias)
    if not on_cpu or geometry.dilation != (1, 1):
        return unfold.spread_windows(y, weight, geometry, bias)
    if winograd.pays(geometry, weight.shape[1], y.shape[1]):
        return winograd.spread_at_points(y, weight, geometry, bias)
    return unfold.spread_columns(y, weight, geometry, bias)


def weight_gradient(x: Array, y: Array, geometry: Geometry) -> Array:
    """:func:`conv2d_weight_grad` of arguments known to fit."""
    on_cpu = type(x) is HostArray
    if not on_cpu and (weight := gpu.weight_gradient(x, y, geometry)) is not None:
        return weight
    if geometry.is_covered:
        return unfold.weight_gradient_of_image(x, y)
    if not on_cpu or geometry.dilation != (1, 1):  # which keeps a window's rows apart
        return unfold.weight_gradient_of_windows(x, y, geometry)
    if winograd.pays(geometry, x.shape[1], y.shape[1]):
        return winograd.weight_gradient_at_points(x, y, geometry)
    return unfold.weight_gradient_unfolded(x, y, geometry)
