"""What every check needs: its inputs, a random cotangent, one backward pass, and its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minigrad.backend import HostArray, to_numpy
from minigrad.engine import Tensor, grad

Function = Callable[..., Tensor | Sequence[Tensor]]


class GradcheckError(AssertionError):
    """A gradient is wrong, or backward misbehaves. The message names the input and the values.

    Examples
    --------
    >>> raise GradcheckError("input 0 of shape (3,): index (2,): gradient 4, difference 12")
    Traceback (most recent call last):
        ...
    minigrad.gradcheck.trial.GradcheckError: input 0 of shape (3,): ...
    """


def verdict(raise_exception: bool, check: Callable[..., None], *arguments: Any) -> bool:
    """Run a check; raise what it raises, or say so with ``False``."""
    try:
        check(*arguments)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradients_of(
    outputs: list[Tensor],
    inputs: list[Tensor],
    cotangents: list[Tensor],
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> list[Tensor | None]:
    """One gradient an input, ``None`` where it has none; what backward raises becomes our error."""
    recorded = [k for k, output in enumerate(outputs) if output.requires_grad]
    wanted = [i for i, tensor in enumerate(inputs) if tensor.requires_grad]
    gradients: list[Tensor | None] = [None] * len(inputs)
    if not recorded:
        return gradients
    try:
        found = grad(
            [outputs[k] for k in recorded],
            [inputs[i] for i in wanted],
            [cotangents[k] for k in recorded],
            retain_graph=retain_graph,
            create_graph=create_graph,
            allow_unused=True,
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise GradcheckError(f"backward raised {type(error).__name__}: {error}") from error
    for i, gradient in zip(wanted, found):
        gradients[i] = gradient
    return gradients


def as_inputs(
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


def as_list(returned: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """What the function under test returned, as a list."""
    found = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    for one in found:
        if not isinstance(one, Tensor):
            raise TypeError(f"f must return a Tensor or several, got {type(one).__name__}")
    return found


def host(tensor: Tensor) -> HostArray:
    """A copy of the values on the host."""
    return numpy.array(to_numpy(tensor.data))


def moved(values: HostArray, like: Tensor) -> Tensor:
    """Host values as a tensor of another's dtype and device."""
    return Tensor(values, like.requires_grad, dtype=like.dtype, device=like.device)


def random_like(
    tensor: Tensor, generator: numpy.random.Generator, requires_grad: bool = False
) -> Tensor:
    """Values of either sign, none near 0: every element of the cotangent matters."""
    sizes = generator.uniform(0.5, 1.5, tensor.shape)
    signs = generator.choice([-1.0, 1.0], tensor.shape)
    return Tensor(sizes * signs, requires_grad, dtype=tensor.dtype, device=tensor.device)


def same(a: HostArray, b: HostArray) -> bool:
    """Equal in every bit that matters: NaN equals NaN."""
    return a.shape == b.shape and numpy.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def require_unchanged(
    tensors: Sequence[Tensor], before: Sequence[HostArray], names: Sequence[str], who: str
) -> None:
    """Make sure that tensors still hold the values they had before."""
    for tensor, values, name in zip(tensors, before, names):
        if not same(host(tensor), values):
            raise GradcheckError(f"{name} of shape {tensor.shape} was changed by {who}")
