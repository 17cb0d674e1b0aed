"""Gradients of linear maps by the adjoint identity, which needs no step size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from minigrad.engine import Tensor
from minigrad.gradcheck.trial import (
    Function,
    GradcheckError,
    as_inputs,
    as_list,
    gradients_of,
    host,
    random_like,
    verdict,
)


def adjoint_check(
    f: Function,
    inputs: Tensor | Sequence[Tensor],
    *,
    rtol: float | None = None,
    seed: int = 0,
    raise_exception: bool = True,
) -> bool:
    """Check the gradients of a linear or multilinear map by the adjoint identity.

    Where f is linear in the input x, its gradient ``g = f^T v`` satisfies, for every d,

        <f(d), v> = <d, g>

    exactly: there is no step size, so this holds to rounding, in float32 too. With conv2d this is
    ``<conv2d(x, w), y> = <x, conv_transpose2d(y, w)> = <w, weight_grad(x, y)>``.

    Parameters
    ----------
    f : callable
        Takes the inputs, returns a Tensor; linear in each input that requires gradients while
        the others are held (so no constant term).
    inputs : Tensor or sequence of Tensor
        float32 or float64.
    rtol : float, optional
        Allowed error, in units of the product of the norms; 64 rounding units by default.
    seed : int
        Fixes v and d.
    raise_exception : bool

    Returns
    -------
    bool

    Raises
    ------
    GradcheckError
        Naming the input and both inner products.
    TypeError, ValueError
        If the inputs cannot be checked, or f returns more than one Tensor.

    Examples
    --------
    >>> x = Tensor([[1.0, 2.0]], requires_grad=True)
    >>> adjoint_check(lambda x: 3 * x, x)
    True
    """
    inputs = as_inputs("adjoint_check", inputs, precisions=("float32", "float64"))
    return verdict(raise_exception, _check_adjoint, f, inputs, rtol, seed)


def _check_adjoint(f: Function, inputs: list[Tensor], rtol: float | None, seed: int) -> None:
    generator = numpy.random.default_rng(seed)
    outputs = as_list(f(*inputs))
    if len(outputs) != 1:
        raise ValueError(f"adjoint_check: f must return one Tensor, got {len(outputs)}")
    (output,) = outputs
    cotangent = random_like(output, generator)
    v = host(cotangent)
    gradients = gradients_of([output], inputs, [cotangent])
    unit = 64 * float(numpy.finfo(output.dtype).eps) if rtol is None else rtol
    for i, (tensor, gradient) in enumerate(zip(inputs, gradients)):
        if not tensor.requires_grad:
            continue
        direction = random_like(tensor, generator)
        (image,) = as_list(f(*inputs[:i], direction, *inputs[i + 1 :]))
        # Products of float32 numbers are exact in float64: only f's own rounding is left.
        y, d = host(image).astype("float64"), host(direction).astype("float64")
        g = numpy.zeros(d.shape) if gradient is None else host(gradient).astype("float64")
        forward, backward = float(numpy.vdot(y, v)), float(numpy.vdot(d, g))
        norm = numpy.linalg.norm
        scale = float(max(norm(y) * norm(v), norm(d) * norm(g)))
        if not abs(forward - backward) <= unit * scale:
            raise GradcheckError(
                f"input {i} of shape {tensor.shape}: <f(d), v> = {forward:.9g}, but "
                f"<d, gradient> = {backward:.9g} (rtol={unit:.2g})"
            )
