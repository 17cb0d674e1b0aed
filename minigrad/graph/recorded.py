"""What was recorded behind a tensor: its operations, their results, and the leaves."""

from __future__ import annotations

from typing import NamedTuple

from minigrad.engine import NotKept, Operation, Tensor, operations_behind


class Recorded(NamedTuple):
    """The graph behind a tensor.

    Attributes
    ----------
    operations : list of Operation
        Each after those whose results it takes.
    results : dict of Operation to Tensor
        What each gave.
    leaves : list of Tensor
        What the operations took and none of them made, in order of first use.
    """

    operations: list[Operation]
    results: dict[Operation, Tensor]
    leaves: list[Tensor]


def recorded_behind(tensor: Tensor) -> Recorded:
    """Collect the graph behind a tensor.

    Raises
    ------
    TypeError
        If it is no tensor.
    RuntimeError
        If the graph was freed by backward.

    Examples
    --------
    >>> x = Tensor([1.0], requires_grad=True)
    >>> graph = recorded_behind((x * x).sum())
    >>> [operation.name for operation in graph.operations], len(graph.leaves)
    (['mul', 'sum'], 1)
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"draw: expected a Tensor, got {type(tensor).__name__}")
    try:
        operations = operations_behind([tensor])
    except RuntimeError:
        raise RuntimeError(
            "draw: the graph was freed by backward; draw it before, or call "
            "backward(retain_graph=True) to draw it with its gradients"
        ) from None
    if not operations:
        return Recorded([], {}, [tensor])
    results = {tensor.grad_fn: tensor}
    leaves: dict[Tensor, None] = {}
    for operation in operations:
        for source in operation.inputs:
            if source.grad_fn is None:
                leaves[source] = None
            else:
                known = results.get(source.grad_fn)
                if known is None or type(known) is NotKept:  # somebody else may have kept it
                    results[source.grad_fn] = source
    for operation, result in results.items():
        if type(result) is NotKept and operation.saves_output:
            results[operation] = Tensor._wrap(operation._output)
    return Recorded(operations, results, list(leaves))
