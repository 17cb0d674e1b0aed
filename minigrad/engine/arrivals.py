"""How gradients start, meet and land: the ends of a backward pass, and its sums."""

from __future__ import annotations

from collections.abc import Mapping

from minigrad.backend import HostArray, array_module, as_host_array, use_device
from minigrad.engine.basic import Add
from minigrad.engine.order import Node
from minigrad.engine.saved import like
from minigrad.engine.tensor import Tensor


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
        return Tensor._wrap(array_module(like(output)).ones_like(like(output)))
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


def add_arrived(
    arrived: dict[Node, Tensor], owned: set[Node], node: Node, gradient: Tensor, create_graph: bool
) -> None:
    """Add a gradient to those that arrived at a node: the first is borrowed, sums are owned."""
    before = arrived.get(node)
    if before is None:
        arrived[node] = gradient
    elif node in owned:
        if type(before.data) is not HostArray:
            with use_device(gradient.device):
                before.data += gradient.data
        elif before.data.ndim > 0:
            before.data += gradient.data
        else:  # NumPy makes a new scalar in half the time it adds to an old one
            before.data = as_host_array(before.data + gradient.data)
    else:
        arrived[node] = Add()(before, gradient)
        if not create_graph:
            owned.add(node)


def land_on_leaves(arrived: Mapping[Node, Tensor], create_graph: bool) -> None:
    """Add what arrived at each leaf to its ``grad``."""
    for leaf, found in arrived.items():
        if leaf.grad is None:
            leaf.grad = landed(found, create_graph)
        elif leaf.grad.shape != leaf.shape:
            raise ValueError(
                f"backward: a leaf of shape {leaf.shape} has a grad of shape {leaf.grad.shape}"
            )
        else:
            leaf.grad = Add()(leaf.grad, found)


def landed(gradient: Tensor, create_graph: bool) -> Tensor:
    """A gradient with an array of its own; part of a graph only if the pass was recorded."""
    if not create_graph and type(gradient.data) is HostArray:  # mostly
        return Tensor._wrap(gradient.data.copy())
    with use_device(gradient.device):  # a graph may span several
        if create_graph and gradient.requires_grad and gradient.grad_fn is None:
            zeros = array_module(gradient.data).zeros_like(gradient.data)
            return Add()(gradient, Tensor._wrap(zeros))  # a copy would cut off the caller's leaf
        copy = Tensor._wrap(gradient.data.copy())
    if create_graph:
        copy.requires_grad, copy.grad_fn = gradient.requires_grad, gradient.grad_fn
    return copy
