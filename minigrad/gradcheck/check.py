"""First and second derivatives against central differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy

from minigrad.backend import HostArray
from minigrad.engine import Tensor
from minigrad.gradcheck.differences import Comparison, Evaluate
from minigrad.gradcheck.trial import (
    Function,
    GradcheckError,
    as_inputs,
    as_list,
    gradients_of,
    host,
    moved,
    random_like,
    require_unchanged,
    same,
    verdict,
)


def gradcheck(
    f: Function,
    inputs: Tensor | Sequence[Tensor],
    *,
    step: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-5,
    seed: int = 0,
    max_elements: int = 200,
    directions: int = 4,
    raise_exception: bool = True,
) -> bool:
    """Check the gradients of ``f`` against central differences, in float64.

    Checked are, for every input that requires gradients: each element's gradient, or the slope
    along random directions; its dtype, shape and device; that a second backward gives the same
    bits; and that neither f nor backward changes the inputs or the cotangent.

    Parameters
    ----------
    f : callable
        Takes the inputs, returns a Tensor or several. Must be differentiable at the inputs: see
        :func:`away_from` and :func:`distinct` for how to keep away from kinks.
    inputs : Tensor or sequence of Tensor
        At least one must require gradients, and those that do must be float64. Their memory
        layout is kept for the gradients under test.
    step : float
        The h of the difference, times the size of the input where that is above 1.
    atol, rtol : float
        Passes if ``|gradient - difference| <= atol + rtol * |difference|``.
    seed : int
        Fixes the cotangent and the directions.
    max_elements : int
        Inputs with more elements are checked along ``directions`` random directions instead; if
        one fails, bisection finds the element to name.
    directions : int
    raise_exception : bool
        Raise on failure, or return ``False``.

    Returns
    -------
    bool
        ``True`` if all checks pass.

    Raises
    ------
    GradcheckError
        Naming the input, the index of the worst element, the gradient and the difference.
    TypeError
        If an input is no Tensor, or requires gradients and is not float64.
    ValueError
        If no input requires gradients.

    Examples
    --------
    >>> x = Tensor(numpy.array([0.5, 2.0]), requires_grad=True)
    >>> gradcheck(lambda x: x * x, x)
    True
    """
    inputs = as_inputs("gradcheck", inputs)
    names = [f"input {i}" for i in range(len(inputs))]
    options = Options(step, atol, rtol, seed, max_elements, directions)
    return verdict(raise_exception, _check, f, inputs, names, options)


def gradgradcheck(
    f: Function,
    inputs: Tensor | Sequence[Tensor],
    *,
    step: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-5,
    seed: int = 0,
    max_elements: int = 200,
    directions: int = 4,
    raise_exception: bool = True,
) -> bool:
    """Check second derivatives of ``f``: :func:`gradcheck` of its gradients.

    The function checked is ``(x, v) -> (df/dx)^T v`` with a random cotangent v, with respect to
    x and to v. Parameters, result and errors are those of :func:`gradcheck`. First derivatives
    are taken for granted: check them first.

    Examples
    --------
    >>> x = Tensor(numpy.array([0.5, 2.0]), requires_grad=True)
    >>> gradgradcheck(lambda x: x * x * x, x)
    True
    """
    inputs = as_inputs("gradgradcheck", inputs)
    count = len(inputs)
    generator = numpy.random.default_rng(seed)
    recorded = [output for output in as_list(f(*inputs)) if output.requires_grad]
    cotangents = [random_like(output, generator, requires_grad=True) for output in recorded]

    def gradients(*arguments: Tensor) -> list[Tensor]:
        first = list(arguments[:count])
        outputs = [output for output in as_list(f(*first)) if output.requires_grad]
        found = gradients_of(outputs, first, list(arguments[count:]), create_graph=True)
        return [gradient for gradient in found if gradient is not None]

    names = [f"second derivative: input {i}" for i in range(count)]
    names += [f"second derivative: cotangent {i}" for i in range(len(cotangents))]
    options = Options(step, atol, rtol, seed + 1, max_elements, directions)
    return verdict(raise_exception, _check, gradients, [*inputs, *cotangents], names, options)


class Options(NamedTuple):
    """How to compare; see :func:`gradcheck`."""

    step: float
    atol: float
    rtol: float
    seed: int
    max_elements: int
    directions: int


def _check(f: Function, inputs: list[Tensor], names: list[str], options: Options) -> None:
    """First that backward behaves, then that its values are right."""
    values = [host(tensor) for tensor in inputs]
    outputs = [output for output in as_list(f(*inputs)) if output.dtype.kind == "f"]
    require_unchanged(inputs, values, names, "f")
    for k, output in enumerate(outputs):
        if output.dtype != numpy.float64 or output.device != inputs[0].device:
            raise GradcheckError(
                f"output {k} of shape {output.shape} is {output.dtype} on {output.device}, the "
                f"inputs are float64 on {inputs[0].device}"
            )
    generator = numpy.random.default_rng(options.seed)
    cotangents = [random_like(output, generator) for output in outputs]
    starts = [host(cotangent) for cotangent in cotangents]
    gradients = gradients_of(outputs, inputs, cotangents, retain_graph=True)
    again = gradients_of(outputs, inputs, cotangents, retain_graph=False)
    require_unchanged(inputs, values, names, "backward")
    require_unchanged(
        cotangents, starts, [f"cotangent {k}" for k in range(len(starts))], "backward"
    )
    for name, tensor, gradient, second in zip(names, inputs, gradients, again):
        if gradient is not None:
            _require_kindred(name, tensor, gradient)
            if not same(host(gradient), host(second)):
                raise GradcheckError(f"{name}: backward run twice gave two different gradients")
    for i, (tensor, gradient) in enumerate(zip(inputs, gradients)):
        if tensor.requires_grad:
            comparison = Comparison(
                evaluate=_as_function_of(f, inputs, i),
                values=values[i],
                gradient=numpy.zeros(tensor.shape) if gradient is None else host(gradient),
                cotangents=starts,
                step=options.step,
                atol=options.atol,
                rtol=options.rtol,
            )
            failure = comparison.failure(options.max_elements, options.directions, options.seed + i)
            if failure is not None:
                raise GradcheckError(f"{names[i]} of shape {tensor.shape}: {failure}")


def _require_kindred(name: str, tensor: Tensor, gradient: Tensor) -> None:
    """A gradient has its input's shape, dtype and device."""
    if (gradient.shape, gradient.dtype, gradient.device) != (
        tensor.shape,
        tensor.dtype,
        tensor.device,
    ):
        raise GradcheckError(
            f"{name} is {tensor.dtype} of shape {tensor.shape} on {tensor.device}, its "
            f"gradient {gradient.dtype} of shape {gradient.shape} on {gradient.device}"
        )


def _as_function_of(f: Function, inputs: list[Tensor], i: int) -> Evaluate:
    """The outputs' values as a function of input i alone, the others held."""

    def evaluate(values: HostArray) -> list[HostArray]:
        arguments = [*inputs[:i], moved(values, inputs[i]), *inputs[i + 1 :]]
        return [host(output) for output in as_list(f(*arguments)) if output.dtype.kind == "f"]

    return evaluate
