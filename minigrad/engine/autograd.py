"""The backward pass: walk the graph from the result to the leaves, undoing each operation.

For ``y = h(x)`` and a final scalar L, the chain rule says ``dL/dx = (dh/dx)^T dL/dy``. Each
operation knows how to apply its own ``(dh/dx)^T``; what is left is the order (an operation's turn
comes when all gradients of its output have arrived) and the sum (a tensor used twice receives two
gradients, and they add up, because its change reaches L along both ways).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from minigrad.backend import HostArray, use_device
from minigrad.engine.arrivals import add_arrived, first_gradient, land_on_leaves
from minigrad.engine.modes import ModeBlock, current_mode
from minigrad.engine.operation import Operation
from minigrad.engine.order import Node, gradients_wanted, node_of, operations_behind
from minigrad.engine.saved import NotKept
from minigrad.engine.tensor import Tensor
from minigrad.engine.unbroadcast import backward_checked, fitted, name_whose_backward, one_each

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
    with the gradients of leaves and targets. Whether the walk is recorded is the caller's mode.
    """
    operations = operations_behind(outputs)
    wanted = gradients_wanted(operations, targets)
    kept = () if targets is None else {node_of(target) for target in targets}
    create_graph, checking, _ = current_mode()
    owned: set[Node] = set()  # nodes whose gradient is a sum made here: safe to add to in place
    for output, gradient in zip(outputs, gradients):
        add_arrived(arrived, owned, node_of(output), gradient, create_graph)
    while operations:  # none is held longer than needed: memory is freed on the way
        operation = operations.pop()
        gradient = arrived.get(operation) if operation in kept else arrived.pop(operation, None)
        needs = wanted.pop(operation, None)
        if gradient is None or needs is None:
            continue
        operation.needs_input_grad = needs
        try:
            if checking:
                found = backward_checked(operation, gradient)
            else:
                found = operation.backward(gradient)
        except Exception as error:
            name_whose_backward(operation, error)
            raise
        if type(found) is not tuple or len(found) != len(needs):
            found = one_each(operation, found)
        left = []
        for tensor, need, part in zip(operation.inputs, needs, found):
            if part is None or not need:
                left.append(None)
                continue
            theirs = tensor._like if type(tensor) is NotKept else tensor.data
            if not (
                type(part) is Tensor
                and type(part.data) is type(theirs) is HostArray
                and part.data.shape == theirs.shape
                and part.data.dtype is theirs.dtype
            ):
                part = fitted(operation, len(left), theirs, part)  # broadcasting undone
            left.append(part)
            node = tensor.grad_fn or tensor
            if node in arrived:
                add_arrived(arrived, owned, node, part, create_graph)
            else:
                arrived[node] = part
        yield operation, gradient, left
        if not retain_graph:
            operation.inputs = None


def backward(
    output: Tensor, gradient: Tensor | None, retain_graph: bool | None, create_graph: bool
) -> None:
    """Add the gradients of ``output`` to the ``grad`` of its leaves: see ``Tensor.backward``."""
    arrived: dict[Node, Tensor] = {}
    retain = create_graph if retain_graph is None else retain_graph
    with ModeBlock(recording=bool(create_graph)), use_device(output.device):
        start = first_gradient("backward", output, gradient)
        deque(walk([output], [start], None, arrived, retain), maxlen=0)  # runs it, keeps nothing
        land_on_leaves(arrived, create_graph)
