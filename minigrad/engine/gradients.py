"""grad: gradients as a function's result, without touching any ``.grad``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from minigrad.backend import use_device
from minigrad.engine.arrivals import first_gradient, landed
from minigrad.engine.autograd import walk
from minigrad.engine.modes import ModeBlock
from minigrad.engine.order import Node, node_of
from minigrad.engine.tensor import Tensor


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of outputs with respect to inputs; touches no ``.grad``.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensor
        Inputs may be leaves or tensors computed on the way.
    grad_outputs : Tensor or sequence, optional
        The gradient each output starts from, of its shape; 1 for a single element.
    retain_graph : bool, optional
        Keep what was saved for another pass; by default only with ``create_graph``.
    create_graph : bool
        Record this pass, so that its results can be differentiated again.
    allow_unused : bool
        Give ``None`` for an input the outputs do not depend on, instead of raising.

    Returns
    -------
    tuple of Tensor
        One gradient an input, of its shape and dtype. No two share memory.

    Raises
    ------
    TypeError, ValueError
        If something is no Tensor, there is no output, or a ``grad_outputs`` does not fit.
    RuntimeError
        If an output was not recorded, the graph was freed, or an input is unused.

    Examples
    --------
    >>> x = Tensor(2.0, requires_grad=True)
    >>> (slope,) = grad(x * x * x, x, create_graph=True)
    >>> slope.item(), grad(slope, x)[0].item()
    (12.0, 12.0)
    """
    found = borrowed_gradients(
        outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused
    )
    with ModeBlock(recording=bool(create_graph)):
        return tuple(None if one is None else landed(one, create_graph) for one in found)


def borrowed_gradients(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> list[Tensor | None]:
    """What :func:`grad` gives, not copied: to be read, since the memory may be another tensor's."""
    outputs, inputs = _tensors("output", outputs), _tensors("input", inputs)
    if grad_outputs is None or isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs] * len(outputs)
    if len(grad_outputs) != len(outputs):
        raise ValueError(f"grad: {len(outputs)} outputs but {len(grad_outputs)} grad_outputs")
    for i, tensor in enumerate(inputs):
        if not tensor.requires_grad:
            raise RuntimeError(f"grad: input {i} of shape {tensor.shape} requires no gradients")
    if not outputs:
        raise ValueError("grad: there are no outputs")
    arrived: dict[Node, Tensor] = {}
    retain = create_graph if retain_graph is None else retain_graph
    with ModeBlock(recording=bool(create_graph)), use_device(outputs[0].device):
        starts = [first_gradient("grad", *pair) for pair in zip(outputs, grad_outputs)]
        deque(walk(outputs, starts, inputs, arrived, retain), maxlen=0)  # runs it, keeps nothing
    found = [arrived.get(node_of(tensor)) for tensor in inputs]
    for i, gradient in enumerate(found):
        if gradient is None and not allow_unused:
            raise RuntimeError(
                f"grad: the outputs do not depend on input {i} of shape {inputs[i].shape}; "
                f"pass allow_unused=True to get None for it"
            )
    return found


def _tensors(what: str, tensors: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """One tensor or several as a list, and nothing else."""
    if isinstance(tensors, Tensor):
        return [tensors]
    if not isinstance(tensors, Iterable) or isinstance(tensors, str):
        raise TypeError(f"grad: expected Tensors as {what}s, got {type(tensors).__name__}")
    found = list(tensors)
    for i, tensor in enumerate(found):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"grad: {what} {i} is a {type(tensor).__name__}, no Tensor")
    return found
