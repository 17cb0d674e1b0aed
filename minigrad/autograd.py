"""The backward pass: walk the graph from the result to the leaves, undoing each operation.

For ``y = h(x)`` and a final scalar L, the chain rule says ``dL/dx = (dh/dx)^T dL/dy``. Each
operation knows how to apply its own ``(dh/dx)^T``; what is left is the order (an operation's turn
comes when all gradients of its output have arrived) and the sum (a tensor used twice receives two
gradients, and they add up, because its change reaches L along both ways).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter

from .anomaly import require_finite
from .backend import HostArray, array_module, use_device
from .basic import Add, Reshape, Sum
from .modes import current_mode, set_grad_enabled, unchecked
from .operation import Operation
from .tensor import Tensor

Node = Operation | Tensor  # a recorded operation, or a leaf


def node_of(tensor: Tensor) -> Node:
    """Where a tensor's gradient is collected: at the operation that made it, or at itself."""
    return tensor if tensor.grad_fn is None else tensor.grad_fn


# One operation undone: the gradient that arrived, and those that leave, one an input.
Step = tuple[Operation, Tensor, list[Tensor | None]]


def walk(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor],
    targets: Sequence[Tensor] | None,
    arrived: dict[Node, Tensor],
    retain_graph: bool,
) -> Iterator[Step]:
    """Undo the operations behind ``outputs`` one by one, latest first.

    This is the loop: set a breakpoint at ``operation.backward`` and step. ``arrived`` is filled
    with the gradients of leaves and targets. Whether the walk is itself recorded is the mode of
    the caller.
    """
    operations = operations_behind(outputs)
    wanted = None if targets is None else _wanted(operations, targets)
    kept = () if targets is None else {node_of(target) for target in targets}
    create_graph, checking = current_mode()
    owned: set[Node] = set()  # nodes whose gradient is a sum made here: safe to add to in place
    for output, gradient in zip(outputs, gradients):
        _add(arrived, owned, node_of(output), gradient, create_graph)
    for operation in reversed(operations):
        gradient = arrived.pop(operation, None)
        if gradient is None:
            continue
        if operation in kept:
            arrived[operation] = gradient
        inputs = operation.inputs
        if wanted is None:
            needs = [tensor.requires_grad for tensor in inputs]
        else:
            needs = [node_of(tensor) in wanted for tensor in inputs]
        operation.needs_input_grad = needs
        if checking:
            found = _backward_checked(operation, gradient)
        else:
            found = operation.backward(gradient)
        if type(found) is not tuple:
            found = (found,)
        if len(found) != len(inputs):
            raise RuntimeError(
                f"{operation.name}: backward gave {len(found)} gradients for {len(inputs)} inputs"
            )
        left = []
        for tensor, need, found_gradient in zip(inputs, needs, found):
            if found_gradient is None or not need:
                left.append(None)
                continue
            found_gradient = _fitted(operation, len(left), tensor, found_gradient)
            left.append(found_gradient)
            node = tensor.grad_fn or tensor
            if node in arrived:
                _add(arrived, owned, node, found_gradient, create_graph)
            else:
                arrived[node] = found_gradient
        yield operation, gradient, left
        if not retain_graph:
            operation.release()


def operations_behind(outputs: Sequence[Tensor]) -> list[Operation]:
    """Every operation the outputs depend on, in the order they were made (no recursion)."""
    found = [output.grad_fn for output in outputs if output.grad_fn is not None]
    seen = set(found)
    found = list(seen)
    for operation in found:  # grows while it is walked
        if operation.inputs is None:
            raise RuntimeError(
                f"backward: the graph was freed by an earlier backward (at {operation.name}); "
                f"pass retain_graph=True to that one to go through it twice"
            )
        for tensor in operation.inputs:
            parent = tensor.grad_fn
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=attrgetter("_number"))  # an operation is made after its inputs
    return found


def _wanted(operations: Sequence[Operation], targets: Sequence[Tensor]) -> set[Node]:
    """The nodes on the way to a target: the others need no gradient."""
    wanted = {node_of(target) for target in targets}
    for operation in operations:
        if any(node_of(tensor) in wanted for tensor in operation.inputs):
            wanted.add(operation)
    return wanted


def _backward_checked(operation: Operation, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """``operation.backward``, and the gradients it gives must be finite."""
    found = unchecked(operation.backward)(gradient)
    found = found if isinstance(found, tuple) else (found,)
    for i, one in enumerate(found):
        if isinstance(one, Tensor):
            created = getattr(operation, "_created", "unknown")
            require_finite(one.data, f"{operation.name}: the gradient of input {i}", created)
    return found


def _fitted(operation: Operation, index: int, tensor: Tensor, gradient: Tensor) -> Tensor:
    """Undo broadcasting, then make sure the gradient could be the input's."""
    if not isinstance(gradient, Tensor):
        kind = type(gradient).__name__
        raise TypeError(f"{operation.name}: backward gave a {kind} for input {index}, no Tensor")
    ours, theirs = gradient.data, tensor.data
    if ours.shape != theirs.shape:
        gradient = _unbroadcast(operation, index, gradient, theirs.shape)
    if ours.dtype is not theirs.dtype and ours.dtype != theirs.dtype:
        raise TypeError(
            f"{operation.name}: the gradient of input {index} is {gradient.dtype}, "
            f"the input {tensor.dtype}"
        )
    is_same_kind = type(ours) is type(theirs)
    if not is_same_kind or (type(ours) is not HostArray and gradient.device != tensor.device):
        raise TypeError(
            f"{operation.name}: the gradient of input {index} is on {gradient.device}, "
            f"the input on {tensor.device}"
        )
    return gradient


def _unbroadcast(
    operation: Operation, index: int, gradient: Tensor, shape: tuple[int, ...]
) -> Tensor:
    """Sum a gradient over the dimensions along which the input was repeated."""
    extra = gradient.ndim - len(shape)
    if extra < 0 or any(
        n not in (1, length) for n, length in zip(shape, gradient.shape[max(extra, 0) :])
    ):
        raise ValueError(
            f"{operation.name}: the gradient of input {index} has shape {gradient.shape}, "
            f"the input {shape}"
        )
    repeated = tuple(
        axis
        for axis, length in enumerate(gradient.shape)
        if axis < extra or (shape[axis - extra] == 1 and length != 1)
    )
    return Reshape(shape)(Sum(repeated)(gradient))


def _add(
    arrived: dict[Node, Tensor], owned: set[Node], node: Node, gradient: Tensor, create_graph: bool
) -> None:
    """Add a gradient to those that arrived at a node: the first is borrowed, sums are owned."""
    before = arrived.get(node)
    if before is None:
        arrived[node] = gradient
    elif node in owned:
        if type(before.data) is HostArray:
            before.data += gradient.data
        else:
            with use_device(gradient.device):
                before.data += gradient.data
    else:
        arrived[node] = Add()(before, gradient)
        if not create_graph:
            owned.add(node)


def landed(gradient: Tensor, create_graph: bool) -> Tensor:
    """A gradient with an array of its own; part of a graph only if the pass was recorded."""
    with use_device(gradient.device):  # a graph may span several
        if create_graph and gradient.requires_grad and gradient.grad_fn is None:
            zeros = array_module(gradient.data).zeros_like(gradient.data)
            return Add()(gradient, Tensor._wrap(zeros))  # a copy would cut off the caller's leaf
        copy = Tensor._wrap(gradient.data.copy())
    if create_graph:
        copy.requires_grad, copy.grad_fn = gradient.requires_grad, gradient.grad_fn
    return copy


def first_gradient(name: str, output: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient to start from: what the caller gave, or 1 for a single element."""
    if not output.requires_grad:
        raise RuntimeError(f"{name}: the output does not require gradients: nothing was recorded")
    if gradient is None:
        if output.size != 1:
            raise RuntimeError(
                f"{name}: an output of shape {output.shape} needs a gradient of that shape to "
                f"start from; only a single element starts from 1"
            )
        return Tensor._wrap(array_module(output.data).ones_like(output.data))
    if not isinstance(gradient, Tensor):
        gradient = Tensor(gradient, device=output.device, dtype=output.dtype)
    if gradient.shape != output.shape or gradient.dtype != output.dtype:
        raise ValueError(
            f"{name}: the output is {output.dtype} of shape {output.shape}, "
            f"the gradient to start from {gradient.dtype} of shape {gradient.shape}"
        )
    if gradient.device != output.device:
        raise TypeError(f"{name}: the output is on {output.device}, its gradient {gradient.device}")
    return gradient


def backward(
    output: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add the gradients of ``output`` to the ``grad`` of its leaves: see ``Tensor.backward``."""
    arrived: dict[Node, Tensor] = {}
    retain = create_graph if retain_graph is None else retain_graph
    with set_grad_enabled(create_graph), use_device(output.device):
        start = first_gradient("backward", output, gradient)
        for _ in walk([output], [start], None, arrived, retain):
            pass
        land_on_leaves(arrived, create_graph)


def land_on_leaves(arrived: dict[Node, Tensor], create_graph: bool) -> None:
    """Add what arrived at each leaf to its ``grad``."""
    for leaf, found in arrived.items():
        if leaf.grad is None:
            leaf.grad = landed(found, create_graph)
        else:
            leaf.grad = Add()(leaf.grad, found)
