"""The order of a backward pass: which operations an output depends on, and where to go."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from minigrad.engine.operation import Operation
from minigrad.engine.tensor import Tensor

Node = Operation | Tensor  # a recorded operation, or a leaf


def node_of(tensor: Tensor) -> Node:
    """Where a tensor's gradient is collected: at the operation that made it, or at itself."""
    return tensor if tensor.grad_fn is None else tensor.grad_fn


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


def gradients_wanted(
    operations: Sequence[Operation], targets: Sequence[Tensor] | None
) -> dict[Operation, list[bool]]:
    """Which inputs' gradients each operation is asked for: those on the way to a target.

    An operation that leads to none is left out. Without targets all that require gradients count.
    """
    if targets is None:
        return {each: [tensor.requires_grad for tensor in each.inputs] for each in operations}
    on_the_way = {node_of(target) for target in targets}
    wanted = {}
    for operation in operations:
        needs = []
        for tensor in operation.inputs:
            needs.append((tensor.grad_fn or tensor) in on_the_way)
        if True in needs:
            wanted[operation] = needs
            on_the_way.add(operation)
    return wanted
