"""The backward pass: from the result back to the leaves, one derivative after the other.

For ``y = h(x)`` and a final scalar L, the chain rule says ``dL/dx_j = sum_i dL/dy_i dy_i/dx_j``.
Each operation knows what its sum comes to: of ``a * b``, to ``gradient * b`` and ``gradient * a``.
What is left is the order (an operation's turn comes when all gradients of its output have arrived)
and the sum (a tensor used twice receives two gradients, and they add up).

Broadcasting is undone here, for all operations alike. In ``y = a + b`` with a of shape (4, 3) and b
of shape (3,), each element of b takes part in four sums. Its gradient is the sum of the four that
arrive: over the rows, which b was repeated along.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from minigrad.backend import Array, HostArray, array_module, as_host_array, device_of, use_device
from minigrad.engine.modes import ModeBlock, current_mode
from minigrad.engine.operation import Add, NotKept, Operation, Reshape, Sum, require_finite
from minigrad.engine.tensor import MaybeNone, Tensor

Node = Operation | Tensor  # a recorded operation, or a leaf
run_to_end = deque(maxlen=0).extend  # of an iterator; nothing that it gives is held


def node_of(tensor: Tensor) -> Node:
    """Where a tensor's gradient is collected: at the operation that made it, or at itself."""
    return tensor if tensor.grad_fn is None else tensor.grad_fn


def operations_behind(outputs: Sequence[Tensor]) -> list[Operation]:
    """Every operation the outputs depend on, in the order they were made."""
    seen = {output.grad_fn for output in outputs if output.grad_fn is not None}
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
    """Which inputs' gradients are wanted, for each operation that leads to a target (None: all)."""
    if targets is None:
        return {each: [tensor.requires_grad for tensor in each.inputs] for each in operations}
    on_the_way = {node_of(target) for target in targets}
    wanted = {}
    for operation in operations:
        needs = [(tensor.grad_fn or tensor) in on_the_way for tensor in operation.inputs]
        if True in needs:
            wanted[operation] = needs
            on_the_way.add(operation)
    return wanted


def fitted(operation: Operation, index: int, theirs: Array, gradient: Tensor) -> Tensor:
    """Undo broadcasting, then make sure the gradient could be that of an input like ``theirs``."""
    if not isinstance(gradient, Tensor):
        kind = type(gradient).__name__
        raise TypeError(f"{operation.name}: backward gave a {kind} for input {index}, no Tensor")
    if gradient.shape != theirs.shape:
        gradient = unbroadcast(operation, index, gradient, theirs.shape)
    what = f"{operation.name}: the gradient of input {index} is"
    if gradient.dtype != theirs.dtype:
        raise TypeError(f"{what} {gradient.dtype}, the input {theirs.dtype}")
    if type(gradient.data) is not type(theirs) or gradient.device != device_of(theirs):
        raise TypeError(f"{what} on {gradient.device}, the input on {device_of(theirs)}")
    return gradient


def unbroadcast(operation: Operation, index: int, gradient: Tensor, shape: tuple) -> Tensor:
    """Sum a gradient over the dimensions along which the input was repeated."""
    extra = gradient.ndim - len(shape)
    pairs = list(zip((1,) * extra + shape, gradient.shape))
    if extra < 0 or any(n not in (1, length) for n, length in pairs):
        raise ValueError(
            f"{operation.name}: the gradient of input {index} has shape {gradient.shape}, "
            f"the input {shape}"
        )
    repeated = tuple(axis for axis, (n, length) in enumerate(pairs) if n != length)
    return Reshape(shape)(Sum(repeated)(gradient))


def backward_checked(operation: Operation, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """``operation.backward``, and the gradients it gives must be finite."""
    with ModeBlock(checking=False):  # else an operation inside its backward would be blamed
        found = as_tuple(operation, operation.backward(gradient))
    for i, one in enumerate(found):
        if isinstance(one, Tensor):
            require_finite(operation, one.data, f"the gradient of input {i}")
    return found


def as_tuple(operation: Operation, found: Any) -> tuple[Tensor | None, ...]:
    """What backward gave as a tuple; there must be one gradient an input."""
    if isinstance(found, (list, dict, Iterator)):
        kind = type(found).__name__
        raise TypeError(f"{operation.name}: backward gave a {kind}, no Tensor or tuple of them")
    found = found if isinstance(found, tuple) else (found,)
    wanted = len(operation.inputs)
    if len(found) != wanted:
        raise RuntimeError(
            f"{operation.name}: backward gave {len(found)} gradients for {wanted} inputs"
        )
    return found


def starting_gradient(name: str, output: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient to start from: what the caller gave, or 1 for a single element."""
    if not output.requires_grad:
        raise RuntimeError(f"{name}: the output does not require gradients: nothing was recorded")
    if gradient is None:
        if output.size != 1:
            raise RuntimeError(
                f"{name}: an output of shape {output.shape} needs a gradient of that shape to "
                f"start from; only a single element starts from 1"
            )
        like = output._like if type(output) is NotKept else output.data
        return Tensor._wrap(array_module(like).ones_like(like))
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
    elif node not in owned:
        arrived[node] = Add()(before, gradient)
        if not create_graph:
            owned.add(node)
    elif type(before.data) is not HostArray:
        with use_device(gradient.device):
            before.data += gradient.data
    elif before.data.ndim == 0:  # NumPy makes a new number in half the time it adds to an old one
        before.data = as_host_array(before.data + gradient.data)
    else:
        before.data += gradient.data


def land_on_leaves(arrived: Mapping[Any, Tensor], create_graph: bool) -> None:
    """Add what arrived at each leaf to its ``grad``."""
    for leaf, found in arrived.items():
        if leaf.grad is None:
            leaf.grad = own_copy(found, create_graph)
        elif leaf.grad.shape != leaf.shape:
            raise ValueError(
                f"backward: a leaf of shape {leaf.shape} has a grad of shape {leaf.grad.shape}"
            )
        else:
            leaf.grad = Add()(leaf.grad, found)


def own_copy(gradient: Tensor, create_graph: bool) -> Tensor:
    """A gradient with an array of its own. It is part of a graph only if the pass was recorded."""
    with use_device(gradient.device):  # a graph may span several
        if create_graph and gradient.requires_grad and gradient.grad_fn is None:
            zeros = array_module(gradient.data).zeros_like(gradient.data)
            return Add()(gradient, Tensor._wrap(zeros))  # a copy would cut off the caller's leaf
        copy = Tensor._wrap(gradient.data.copy())
    if create_graph:
        copy.requires_grad = gradient.requires_grad
        copy.grad_fn = gradient.grad_fn
    return copy


def walk(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor],
    targets: Sequence[Tensor] | None,
    arrived: dict[Node, Tensor],
    retain_graph: bool,
) -> Iterator[tuple[Operation, Tensor, list[Tensor | None]]]:
    """Go back through the operations behind ``outputs`` one by one, latest first.

    This is the loop: set a breakpoint at ``operation.backward`` and step. It yields each operation,
    what arrived there and what left it; ``arrived`` ends with the gradients of leaves and targets.
    """
    operations = operations_behind(outputs)
    wanted = gradients_wanted(operations, targets)
    kept = () if targets is None else set(map(node_of, targets))  # these stay in ``arrived``
    recording, checking, _ = current_mode()  # recording: the caller said create_graph=True
    owned: set[Node] = set()  # nodes whose gradient is a sum made here: safe to add to in place
    for output, gradient in zip(outputs, gradients):
        add_arrived(arrived, owned, node_of(output), gradient, recording)
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
            words = str(error)
            if error.args == (words,) and not words.startswith(f"{operation.name}:"):
                error.args = (f"{operation.name}: in its backward: {words}",)
            raise
        if type(found) is not tuple or len(found) != len(needs):
            found = as_tuple(operation, found)
        input_gradients = []
        for tensor, need, part in zip(operation.inputs, needs, found):
            if part is None or not need:
                input_gradients.append(None)
                continue
            array = tensor._like if type(tensor) is NotKept else tensor.data
            if not (  # as a rule it has its input's shape and dtype, and both are on the CPU
                type(part) is Tensor
                and type(part.data) is type(array) is HostArray
                and part.data.shape == array.shape
                and part.data.dtype is array.dtype
            ):
                part = fitted(operation, len(input_gradients), array, part)
            input_gradients.append(part)
            node = tensor.grad_fn or tensor  # node_of, without the call
            if node in arrived:
                add_arrived(arrived, owned, node, part, recording)
            else:
                arrived[node] = part
        yield operation, gradient, input_gradients
        if not retain_graph:
            operation.inputs = None


def backward(
    output: Tensor, gradient: Tensor | None, retain_graph: bool | None, create_graph: bool
) -> None:
    """Add the gradients of ``output`` to the ``grad`` of its leaves: see ``Tensor.backward``."""
    arrived: dict[Node, Tensor] = {}
    retain = create_graph if retain_graph is None else retain_graph
    with ModeBlock(recording=bool(create_graph)), use_device(output.device):
        start = starting_gradient("backward", output, gradient)
        run_to_end(walk([output], [start], None, arrived, retain))
        land_on_leaves(arrived, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of outputs with respect to inputs, as a result: no ``.grad`` is touched.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensor
        Inputs may be leaves or computed on the way.
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
    TypeError, ValueError, RuntimeError
        If something is no Tensor or does not fit; if an output was not recorded, the graph was
        freed, or an input is unused.

    Examples
    --------
    >>> x = Tensor(2.0, requires_grad=True)
    >>> (slope,) = grad(x * x * x, x, create_graph=True)
    >>> slope.item(), grad(slope, x)[0].item()
    (12.0, 12.0)
    """
    options = retain_graph, create_graph, allow_unused
    found = borrowed_gradients(outputs, inputs, grad_outputs, *options)
    with ModeBlock(recording=bool(create_graph)):
        own: Any = [one if one is None else own_copy(one, create_graph) for one in found]
    return tuple(own)


def borrowed_gradients(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> list[Tensor | MaybeNone]:
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
        starts = [starting_gradient("grad", *pair) for pair in zip(outputs, grad_outputs)]
        run_to_end(walk(outputs, starts, inputs, arrived, retain))
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
