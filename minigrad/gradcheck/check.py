"""The three checks: first and second derivatives against differences, linear maps by adjoints.

Each check evaluates the function and its backward, makes sure that both behave, and compares the
numbers. :class:`Comparison` computes the slopes that :func:`gradcheck` compares with. It does so on
host arrays in float64; only evaluating the function may run elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy

from minigrad.backend import HostArray, to_numpy
from minigrad.engine import Tensor, grad

Function = Callable[..., Tensor | Sequence[Tensor]]


class GradcheckError(AssertionError):
    """A gradient is wrong, or backward misbehaves. The message names the input and the values.

    >>> raise GradcheckError("input 0 of shape (3,): index (2,): gradient 4, difference 12")
    Traceback (most recent call last):
        ...
    minigrad.gradcheck.check.GradcheckError: input 0 of shape (3,): ...
    """


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
    """Check the gradients of ``f`` against central differences, in float64; True if all is well.

    Checked are, for every input that requires gradients: each element's gradient, or the slope
    along random directions; its dtype, shape and device; that a second backward gives the same
    bits; and that neither f nor backward changes the inputs or the cotangent.

    ``f`` takes the ``inputs`` and returns a Tensor or several. It must be differentiable there: see
    :func:`away_from` and :func:`distinct` for how to keep away from kinks. Inputs that require
    gradients are float64; their memory layout is kept for the gradients under test. The difference
    has the ``step`` h, times the size of the input where that is above 1, and passes if
    ``|gradient - difference| <= atol + rtol * |difference|``. Inputs of more than ``max_elements``
    are checked along so many random ``directions``; if one fails, bisection finds the element to
    name. ``seed`` fixes these and the cotangent.

    A :class:`GradcheckError` names the input, the index of the worst element, the gradient and the
    difference; without ``raise_exception`` the result is False. A TypeError or ValueError says that
    an input is no Tensor or not float64, or that none requires gradients.

    >>> x = Tensor(numpy.array([0.5, 2.0]), requires_grad=True)
    >>> gradcheck(lambda x: x * x, x)
    True
    """
    inputs = _as_inputs("gradcheck", inputs)
    names = [f"input {i}" for i in range(len(inputs))]
    options = Options(step, atol, rtol, seed, max_elements, directions)
    return _verdict(raise_exception, _check, f, inputs, names, options)


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
    x and to v. Parameters and errors are those of :func:`gradcheck`. First derivatives are taken
    for granted: check them first.

    >>> x = Tensor(numpy.array([0.5, 2.0]), requires_grad=True)
    >>> gradgradcheck(lambda x: x * x * x, x)
    True
    """
    inputs = _as_inputs("gradgradcheck", inputs)
    count = len(inputs)
    generator = numpy.random.default_rng(seed)
    recorded = [output for output in _as_list(f(*inputs)) if output.requires_grad]
    cotangents = [_random_like(output, generator, requires_grad=True) for output in recorded]

    def gradients(*arguments: Tensor) -> list[Tensor]:
        first = list(arguments[:count])
        outputs = [output for output in _as_list(f(*first)) if output.requires_grad]
        found = _gradients_of(outputs, first, list(arguments[count:]), create_graph=True)
        return [gradient for gradient in found if gradient is not None]

    names = [f"second derivative: input {i}" for i in range(count)]
    names += [f"second derivative: cotangent {i}" for i in range(len(cotangents))]
    options = Options(step, atol, rtol, seed + 1, max_elements, directions)
    return _verdict(raise_exception, _check, gradients, [*inputs, *cotangents], names, options)


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

    ``f`` takes the ``inputs``, of float32 or float64, and returns a Tensor. It is linear in each
    input that requires gradients while the others are held (so no constant term). ``rtol`` is the
    allowed error, in units of the product of the norms; 64 rounding units by default. ``seed``
    fixes v and d. ``raise_exception`` and errors are as for :func:`gradcheck`; a GradcheckError
    gives both inner products.

    >>> x = Tensor([[1.0, 2.0]], requires_grad=True)
    >>> adjoint_check(lambda x: 3 * x, x)
    True
    """
    inputs = _as_inputs("adjoint_check", inputs, precisions=("float32", "float64"))
    return _verdict(raise_exception, _check_adjoint, f, inputs, rtol, seed)


def _check_adjoint(f: Function, inputs: list[Tensor], rtol: float | None, seed: int) -> None:
    generator = numpy.random.default_rng(seed)
    outputs = _as_list(f(*inputs))
    if len(outputs) != 1:
        raise ValueError(f"adjoint_check: f must return one Tensor, got {len(outputs)}")
    (output,) = outputs
    cotangent = _random_like(output, generator)
    v = _host(cotangent)
    gradients = _gradients_of([output], inputs, [cotangent])
    unit = 64 * float(numpy.finfo(output.dtype).eps) if rtol is None else rtol
    for i, (tensor, gradient) in enumerate(zip(inputs, gradients)):
        if not tensor.requires_grad:
            continue
        direction = _random_like(tensor, generator)
        (image,) = _as_list(f(*inputs[:i], direction, *inputs[i + 1 :]))
        # Products of float32 numbers are exact in float64: only f's own rounding is left.
        y, d = _host(image).astype("float64"), _host(direction).astype("float64")
        g = numpy.zeros(d.shape) if gradient is None else _host(gradient).astype("float64")
        forward, backward = float(numpy.vdot(y, v)), float(numpy.vdot(d, g))
        norm = numpy.linalg.norm
        scale = float(max(norm(y) * norm(v), norm(d) * norm(g)))
        if not abs(forward - backward) <= unit * scale:
            raise GradcheckError(
                f"input {i} of shape {tensor.shape}: <f(d), v> = {forward:.9g}, but "
                f"<d, gradient> = {backward:.9g} (rtol={unit:.2g})"
            )


def _check(f: Function, inputs: list[Tensor], names: list[str], options: Options) -> None:
    """First that backward behaves, then that its values are right."""
    values = [_host(tensor) for tensor in inputs]
    outputs = [output for output in _as_list(f(*inputs)) if output.dtype.kind == "f"]
    _require_unchanged(inputs, values, names, "f")
    for k, output in enumerate(outputs):
        if output.dtype != numpy.float64 or output.device != inputs[0].device:
            raise GradcheckError(
                f"output {k} of shape {output.shape} is {output.dtype} on {output.device}, the "
                f"inputs are float64 on {inputs[0].device}"
            )
    generator = numpy.random.default_rng(options.seed)
    cotangents = [_random_like(output, generator) for output in outputs]
    starts = [_host(cotangent) for cotangent in cotangents]
    gradients = _gradients_of(outputs, inputs, cotangents, retain_graph=True)
    again = _gradients_of(outputs, inputs, cotangents, retain_graph=False)
    _require_unchanged(inputs, values, names, "backward")
    cotangent_names = [f"cotangent {k}" for k in range(len(starts))]
    _require_unchanged(cotangents, starts, cotangent_names, "backward")
    for name, tensor, gradient, second in zip(names, inputs, gradients, again):
        if gradient is not None:
            expected = (tensor.shape, tensor.dtype, tensor.device)
            if (gradient.shape, gradient.dtype, gradient.device) != expected:
                raise GradcheckError(
                    f"{name} is {tensor.dtype} of shape {tensor.shape} on {tensor.device}, its "
                    f"gradient {gradient.dtype} of shape {gradient.shape} on {gradient.device}"
                )
            if second is None or not _same(_host(gradient), _host(second)):
                raise GradcheckError(f"{name}: backward run twice gave two different gradients")
    for i, (tensor, gradient) in enumerate(zip(inputs, gradients)):
        if tensor.requires_grad:
            claimed = numpy.zeros(tensor.shape) if gradient is None else _host(gradient)
            comparison = Comparison(f, inputs, i, values[i], claimed, starts, options)
            failure = comparison.failure(options.seed + i)
            if failure is not None:
                raise GradcheckError(f"{names[i]} of shape {tensor.shape}: {failure}")


def _verdict(raise_exception: bool, check: Callable[..., None], *arguments: Any) -> bool:
    """Run a check; raise what it raises, or say so with ``False``."""
    try:
        check(*arguments)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _gradients_of(
    outputs: list[Tensor],
    inputs: list[Tensor],
    cotangents: list[Tensor],
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> list[Tensor | None]:
    """One gradient an input, ``None`` where it has none; what backward raises becomes our error."""
    recorded = [pair for pair in zip(outputs, cotangents) if pair[0].requires_grad]
    if not recorded:
        return [None] * len(inputs)
    of, starts = zip(*recorded)
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    try:
        found = iter(grad(of, wanted, starts, retain_graph, create_graph, allow_unused=True))
    except (TypeError, ValueError, RuntimeError) as error:
        raise GradcheckError(f"backward raised {type(error).__name__}: {error}") from error
    return [next(found) if tensor.requires_grad else None for tensor in inputs]


def _as_inputs(
    name: str, inputs: Tensor | Sequence[Tensor], precisions: Sequence[str] = ("float64",)
) -> list[Tensor]:
    """The inputs as a list, after making sure they can be checked."""
    if not isinstance(inputs, (Tensor, list, tuple)):
        raise TypeError(f"{name}: expected Tensors as inputs, got {type(inputs).__name__}")
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for i, tensor in enumerate(inputs):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: input {i} is a {type(tensor).__name__}, no Tensor")
        if tensor.requires_grad and str(tensor.dtype) not in precisions:
            raise TypeError(
                f"{name}: input {i} of shape {tensor.shape} is {tensor.dtype}, "
                f"expected {' or '.join(precisions)}"
            )
    if not any(tensor.requires_grad for tensor in inputs):
        raise ValueError(f"{name}: none of the {len(inputs)} inputs requires gradients")
    return inputs


def _as_list(returned: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """What the function under test returned, as a list."""
    found: list[Any] = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    for one in found:
        if not isinstance(one, Tensor):
            raise TypeError(f"f must return a Tensor or several, got {type(one).__name__}")
    return found


def _host(tensor: Tensor) -> HostArray:
    """A copy of the values on the host."""
    return numpy.array(to_numpy(tensor.data))


def _random_like(
    tensor: Tensor, generator: numpy.random.Generator, requires_grad: bool = False
) -> Tensor:
    """Values of either sign, none near 0: every element of the cotangent matters."""
    sizes = generator.uniform(0.5, 1.5, tensor.shape)
    signs = generator.choice([-1.0, 1.0], tensor.shape)
    return Tensor(sizes * signs, requires_grad, dtype=tensor.dtype, device=tensor.device)


def _same(a: HostArray, b: HostArray) -> bool:
    """Equal in every bit that matters: NaN equals NaN."""
    return numpy.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _require_unchanged(
    tensors: Sequence[Tensor], before: Sequence[HostArray], names: Sequence[str], who: str
) -> None:
    """Make sure that tensors still hold the values they had before."""
    for tensor, values, name in zip(tensors, before, names):
        if not _same(_host(tensor), values):
            raise GradcheckError(f"{name} of shape {tensor.shape} was changed by {who}")


class Options(NamedTuple):
    """How to compare; see :func:`minigrad.gradcheck.gradcheck`."""

    step: float
    atol: float
    rtol: float
    seed: int
    max_elements: int
    directions: int


class Comparison(NamedTuple):
    """A gradient beside the function it should belong to."""

    f: Function
    inputs: list[Tensor]
    number: int  # of the input under test
    values: HostArray  # of that input: where to check
    gradient: HostArray  # what to check, of the same shape
    cotangents: Sequence[HostArray]  # one an output
    options: Options

    def failure(self, seed: int) -> str | None:
        """Describe the worst disagreement, or ``None`` if there is none."""
        if self.values.size <= self.options.max_elements:
            excesses = [self._excess(self._unit(index)) for index in range(self.values.size)]
            if all(excess <= 1 for excess in excesses):
                return None
            return self._describe(int(numpy.argmax(excesses)))
        generator = numpy.random.default_rng(seed)
        for _ in range(self.options.directions):
            direction = generator.standard_normal(self.values.shape)
            if self._excess(direction) > 1:
                return self._describe(self._culprit(direction))
        return None

    def _evaluate(self, values: HostArray) -> list[HostArray]:
        """The outputs where the input under test has other values."""
        before, (like, *after) = self.inputs[: self.number], self.inputs[self.number :]
        moved = Tensor(values, like.requires_grad, dtype=like.dtype, device=like.device)
        outputs = _as_list(self.f(*before, moved, *after))
        return [_host(output) for output in outputs if output.dtype.kind == "f"]

    def _slopes(self, direction: HostArray) -> tuple[float, float]:
        """``<g, d>`` and ``<v, f(x + hd) - f(x - hd)> / 2h``, along a direction d."""
        ahead, behind, width = self._around(direction)
        change = self._change(behind, ahead)
        return float(numpy.vdot(self.gradient, ahead - behind)) / width, change / width

    def _change(self, start: HostArray, end: HostArray) -> float:
        """``<v, f(end) - f(start)>``."""
        # Subtract before summing over the outputs: less is lost to rounding.
        ways = zip(self.cotangents, self._evaluate(end), self._evaluate(start))
        return sum(float(numpy.vdot(v, b - a)) for v, b, a in ways)

    def _excess(self, direction: HostArray) -> float:
        """The disagreement in units of what is allowed: above 1 it is too much."""
        gradient, difference = self._slopes(direction)
        allowed = self.options.atol + self.options.rtol * abs(difference)
        ratio = abs(gradient - difference) / allowed
        return ratio if numpy.isfinite(ratio) else numpy.inf

    def _around(self, direction: HostArray) -> tuple[HostArray, HostArray, float]:
        size = numpy.abs(self.values[direction != 0]).max(initial=1.0)
        h = self.options.step * float(size)
        return self.values + h * direction, self.values - h * direction, 2 * h

    def _unit(self, index: int) -> HostArray:
        unit = numpy.zeros(self.values.shape)
        unit.flat[index] = 1
        return unit

    def _culprit(self, direction: HostArray) -> int:
        """Bisect: the half of the direction that disagrees more holds the worst element."""
        indices = numpy.arange(self.values.size)

        def excess_of(half: HostArray) -> float:
            part = numpy.zeros(self.values.shape)
            part.flat[half] = direction.flat[half]
            return self._excess(part)

        while len(indices) > 1:
            indices = max(numpy.array_split(indices, 2), key=excess_of)
        return int(indices[0])

    def _describe(self, flat: int) -> str:
        index = tuple(int(i) for i in numpy.unravel_index(flat, self.values.shape))
        gradient, difference = self._slopes(self._unit(flat))
        text = (
            f"index {index}: gradient {gradient:.9g}, central difference {difference:.9g} "
            f"(atol={self.options.atol}, rtol={self.options.rtol})"
        )
        ahead, behind, width = self._around(self._unit(flat))
        left = 2 * self._change(behind, self.values) / width
        right = 2 * self._change(self.values, ahead) / width
        if abs(right - left) > 0.01 * max(abs(right), abs(left)) + 100 * self.options.atol:
            text += (
                f"; the one-sided differences {left:.4g} and {right:.4g} disagree: is there a "
                f"kink? See away_from and distinct"
            )
        return text


def away_from(
    values: HostArray, points: Sequence[float] = (0.0,), margin: float = 0.1
) -> HostArray:
    """Move values that are close to a kink out to ``margin`` from it; returns a new array.

    The kinks are at ``points``: 0 for relu and abs, both ends for clamp. They are at least twice
    ``margin`` apart, which is far above the step of the difference.

    >>> away_from(numpy.array([-2.0, -0.01, 0.0, 0.5]))
    array([-2. , -0.1,  0.1,  0.5])
    """
    values = numpy.array(values)
    for point in points:
        side = numpy.where(values < point, -1.0, 1.0)
        values = numpy.where(numpy.abs(values - point) < margin, point + side * margin, values)
    return values


def distinct(shape: int | tuple[int, ...], seed: int = 0) -> HostArray:
    """Values in [-1, 1] in an order that ``seed`` fixes, evenly apart: no two are near a tie.

    >>> sorted(distinct(3).tolist())
    [-1.0, 0.0, 1.0]
    """
    evenly = numpy.linspace(-1, 1, int(numpy.prod(shape)))
    return numpy.random.default_rng(seed).permutation(evenly).reshape(shape)
