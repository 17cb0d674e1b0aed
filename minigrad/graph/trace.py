"""Backward, step by step: the operations in the order they are undone, and the gradients between.

:func:`trace_backward` drives the loop of ``Tensor.backward``, ``walk`` in ``engine/backward.py``,
and stops after each operation. To step through the source instead, set a breakpoint there, or in
the ``backward`` of one operation: the last column of the table says in which file and line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from minigrad.backend import use_device
from minigrad.engine import (
    ModeBlock,
    Node,
    Operation,
    Tensor,
    land_on_leaves,
    operations_behind,
    starting_gradient,
    walk,
)
from minigrad.graph.drawing import names_of_leaves, norm
from minigrad.nn import Module

__all__ = ["BackwardStep", "format_trace", "trace_backward"]

_ROOT = Path(__file__).parents[2]  # the folder that holds minigrad/


class BackwardStep(NamedTuple):
    """One operation undone, and the gradients that arrived and left.

    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> steps = list(trace_backward((x * x).sum()))
    >>> steps[1].name, steps[1].norm, steps[1].input_norms, steps[1].destinations
    ('mul', 1.4142135623730951, (5.0, 5.0), ('leaf', 'leaf'))
    """

    number: int  # which operation of the forward pass this was, from 1; backward counts down
    operation: Operation  # unless the graph is retained, the next step has it forget its inputs
    gradient: Tensor  # that arrived, summed over the ways it came
    input_gradients: tuple[Tensor | None, ...]  # that left, one an input, broadcasting undone
    destinations: tuple[str, ...]  # where each went: a leaf by name, an operation also by number

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.operation.name

    @property
    def norm(self) -> float:
        """The Euclidean norm of the gradient that arrived; waits for the device."""
        return norm(self.gradient)

    @property
    def input_norms(self) -> tuple[float | None, ...]:
        """The Euclidean norms of the gradients that left."""
        return tuple(None if g is None else norm(g) for g in self.input_gradients)

    @property
    def breakpoint(self) -> str:
        """File and line of the operation's ``backward``: where to stop to see it undone."""
        code = type(self.operation).backward.__code__
        path = Path(code.co_filename)
        path = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path
        return f"{path.as_posix()}:{code.co_firstlineno}"

    def __str__(self) -> str:
        return format_trace([self])


def trace_backward(
    loss: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    *,
    model: Module | None = None,
    names: Mapping[str, Tensor] | None = None,
) -> Iterator[BackwardStep]:
    """Run backward one operation at a time.

    The arithmetic is that of ``loss.backward()``, bit for bit. The leaves receive their ``grad``
    when the iterator is exhausted; left halfway, they receive nothing, and the operations already
    undone are freed.

    Parameters
    ----------
    loss, gradient, retain_graph, create_graph
        As for ``Tensor.backward``, which also says what is refused.
    model, names
        What to call the leaves, as for :func:`minigrad.graph.draw`.

    Returns
    -------
    iterator of BackwardStep
        :func:`format_trace` prints them as a table.

    Examples
    --------
    >>> x, w = Tensor([1.0, 2.0]), Tensor([3.0, 4.0], requires_grad=True)
    >>> for step in trace_backward((x * w).sum(), names={"w": w}):
    ...     print(step.number, step.name, step.gradient.shape, "->", step.destinations[-1])
    2 sum () -> mul (1)
    1 mul (2,) -> w
    >>> w.grad
    Tensor([1., 2.])
    """
    start = starting_gradient("trace_backward", loss, gradient)
    order = {operation: i for i, operation in enumerate(operations_behind([loss]), start=1)}
    leaves, _ = names_of_leaves("trace_backward", model, names)
    labels = {**leaves, **{made: f"{made.name} ({i})" for made, i in order.items()}}

    def steps() -> Iterator[BackwardStep]:
        arrived: dict[Node, Tensor] = {}
        retain = create_graph if retain_graph is None else retain_graph
        undone = walk([loss], [start], None, arrived, retain)
        while True:
            # The mode of the pass holds inside a step; between steps the caller's own holds.
            with ModeBlock(recording=bool(create_graph)), use_device(loss.device):
                step = next(undone, None)
                if step is None:
                    land_on_leaves(arrived, create_graph)
                    return
            operation, gradient, left = step
            destinations = tuple(labels.get(t.grad_fn or t, "leaf") for t in operation.inputs)
            yield BackwardStep(order[operation], operation, gradient, tuple(left), destinations)

    return steps()


def format_trace(steps: Iterable[BackwardStep]) -> str:
    """Steps of :func:`trace_backward` as a table: one line a gradient that leaves.

    Given that iterator itself, this runs the backward pass.

    >>> x, w = Tensor([1.0, 2.0]), Tensor([3.0, 4.0], requires_grad=True)
    >>> print(format_trace(trace_backward((x * w).sum(), names={"w": w})))
    step  undone  arriving  norm   leaving  norm   to       breakpoint
       2  sum     ()        1      (2,)     1.414  mul (1)  minigrad/engine/operation.py:...
       1  mul     (2,)      1.414  (2,)     2.236  w        minigrad/functional/arithmetic.py:...
    """
    titles = ("step", "undone", "arriving", "norm", "leaving", "norm", "to", "breakpoint")
    rows: list[tuple[str, ...]] = [titles]
    for step in steps:
        first = (str(step.number), step.name, str(step.gradient.shape), f"{step.norm:.4g}")
        place = step.breakpoint
        for left, target in zip(step.input_gradients, step.destinations):
            if left is not None:
                rows.append((*first, str(left.shape), f"{norm(left):.4g}", target, place))
                first, place = ("",) * 4, ""
    first_width, *widths = (max(map(len, column)) for column in zip(*rows))
    line = "  ".join([f"{{:>{first_width}}}", *(f"{{:{width}}}" for width in widths)])
    return "\n".join(line.format(*row).rstrip() for row in rows)
