"""No reference cycles: a graph is gone the moment nobody holds its end."""

import gc
import itertools
import tracemalloc
import weakref

import numpy as np
import pytest
from operation_case import Functions, naming
from operation_cases import CASES

from minigrad import Operation, Tensor, grad, no_grad
from minigrad import functional as F


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def everything_behind(output):
    """Weak references to the operations and tensors of a graph, with their names."""
    seen, stack, references = set(), [output], []
    while stack:
        tensor = stack.pop()
        operation = tensor.grad_fn
        references.append(("tensor", weakref.ref(tensor)))
        if operation is not None and id(operation) not in seen:
            seen.add(id(operation))
            references.append((operation.name, weakref.ref(operation)))
            stack += operation.inputs
    return references


def alive(references):
    return [name for name, reference in references if reference() is not None]


@pytest.mark.parametrize("step", ["dropped", "grad", "retain", "second"])
def test_the_graph_of_every_operation_dies_with_its_output(step, no_collector, device):
    survivors = {}
    for case in CASES:
        inputs = [Tensor(values, requires_grad=True, device=device) for values in case.inputs]
        output = case.function(Functions(device), *inputs)
        references = everything_behind(output)
        seed = Tensor(np.ones(output.shape), requires_grad=True, device=device)
        if step in ("grad", "retain"):
            grad(output, inputs, seed, retain_graph=step == "retain")
        elif step == "second":
            first = grad(output, inputs, seed, create_graph=True)
            references += [entry for one in first for entry in everything_behind(one)]
            second = grad(first, [*inputs, seed], [one.detach() for one in first], None, True, True)
            references += [e for one in second if one is not None for e in everything_behind(one)]
            del first, second
        del output, inputs, seed
        if alive(references):
            survivors[case.name] = alive(references)
    assert not survivors


def test_backward_lets_go_of_what_was_saved_even_while_the_output_is_held(no_collector):
    x = Tensor(np.ones(3), requires_grad=True)
    y = x * 2.0
    middle = weakref.ref(y)
    total = (y * y).sum()
    del y
    assert middle() is not None
    total.backward()
    assert middle() is None


def test_memory_is_flat_over_training_steps_without_the_collector(no_collector):
    generator = np.random.default_rng(0)
    x = Tensor(generator.standard_normal((4, 1, 8, 8)).astype("float32"))
    weights = [
        Tensor(generator.standard_normal(shape).astype("float32") * 0.1, requires_grad=True)
        for shape in ((4, 1, 3, 3), (10, 4 * 9))
    ]

    def step():
        h = F.max_pool2d(F.conv2d(x, weights[0]).tanh(), 2)
        loss = F.cross_entropy(F.linear(F.flatten(h, 1), weights[1]), np.array([1, 2, 3, 4]))
        for weight in weights:
            weight.grad = None
        (slope,) = grad(loss, weights[0], create_graph=True)
        (loss + (slope * slope).sum()).backward()

    for _ in range(3):
        step()
    tracemalloc.start()
    step()
    before = array_bytes(), live_tensors()
    for _ in range(20):
        step()
    after = array_bytes(), live_tensors()
    tracemalloc.stop()
    assert after == before


def array_bytes():
    """What array data takes (Python keeps small objects for reuse: their sum says little)."""
    arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    traces = tracemalloc.take_snapshot().filter_traces([arrays])
    return sum(trace.size for trace in traces.traces)


def live_tensors():
    return sum(issubclass(type(one), (Tensor, Operation)) for one in gc.get_objects())


def test_losses_kept_for_a_curve_keep_no_arrays_of_their_batches(no_collector):
    weight = Tensor(np.ones(10_000), requires_grad=True)
    target = Tensor(np.zeros(10_000))
    kept = []
    tracemalloc.start()
    for name in ("mse_loss", "l1_loss", "binary_cross_entropy_with_logits"):
        loss = getattr(F, name)(weight * 2.0, target)
        loss.backward()
        kept.append(loss)
    weight.grad = None
    held = array_bytes()
    tracemalloc.stop()
    assert held < target.data.nbytes, kept


def test_a_cycle_through_an_operation_would_be_noticed(no_collector):
    class KeepsItsOutput(Operation):
        def __call__(self, *inputs):
            self.kept = super().__call__(*inputs)
            return self.kept

        def forward(self, x):
            return x * 2

    references = everything_behind(KeepsItsOutput()(Tensor([1.0], requires_grad=True)))
    assert "keeps_its_output" in alive(references)


FORGETFUL = sorted(
    name
    for name, operation in Operation.registry.items()
    if operation.forgets_inputs and operation.__module__.startswith("minigrad.")
)
READINGS = {
    "data": lambda x: x.data,
    "numpy": lambda x: x.numpy(),
    "asarray": np.asarray,
    "item": lambda x: x.item(),
    "float": float,
    "detach": lambda x: x.detach(),
    "Tensor": Tensor,
    "operation": lambda x: x + 1,
    "comparison": lambda x: x == 0,
    "index": lambda x: x[...],
    "zero_": lambda x: no_grad(x.zero_)(),
}


def forgetful(name, x):
    """The operation of that name; softmax and log_softmax go along the last dimension."""
    return Operation.registry[name](*([(x.ndim - 1,)] if "softmax" in name else []))(x)


@pytest.mark.parametrize("name", FORGETFUL)
def test_a_forgotten_input_says_so_and_answers_for_its_shape_only(name):
    for dtype, shape in itertools.product(("float32", "float64"), [(), (1,), (2, 1, 3), (0, 2)]):
        if shape or "softmax" not in name:  # which goes along a dimension
            with naming((dtype, shape)):
                check_forgotten(name, dtype, shape)


def check_forgotten(name, dtype, shape):
    leaf = Tensor(np.ones(shape, dtype), requires_grad=True)
    x = leaf * 2
    memory = weakref.ref(x.data)
    y = forgetful(name, x)
    (forgotten,) = y.grad_fn.inputs
    assert y.grad_fn.saved == (forgotten,)
    assert isinstance(forgotten, Tensor)
    assert repr(forgotten) == (
        f"Tensor(values not kept by {name}, shape={shape}, dtype={dtype}, grad_fn=scale)"
    )
    for attribute in ("shape", "ndim", "size", "dtype", "device", "requires_grad", "grad_fn"):
        assert getattr(forgotten, attribute) == getattr(x, attribute)
    assert (forgotten.grad, forgotten.is_leaf) == (None, False)
    size = x.size
    del x
    assert memory() is None
    for reading in READINGS:
        if size == 1 or reading not in ("item", "float"):
            with pytest.raises(RuntimeError, match=f"{name}: the values .* were not kept"):
                READINGS[reading](forgotten)
    ones = Tensor(np.ones(shape, dtype))
    (through,) = grad(y, leaf, ones, retain_graph=True)
    (onward,) = grad(y, forgotten, ones, retain_graph=True)
    (before,) = grad(forgotten, leaf, onward)
    np.testing.assert_array_equal(before.numpy(), through.numpy())


def test_an_input_that_is_a_leaf_is_kept_and_backward_from_a_forgotten_number_starts_from_1():
    assert {*("exp", "log_softmax", "relu", "sigmoid", "softmax", "sqrt", "tanh")} <= {*FORGETFUL}
    for name in FORGETFUL:
        x = Tensor([[1.0, 2.0]], requires_grad=True)
        assert forgetful(name, x).grad_fn.inputs[0] is x, name
    w = Tensor(3.0, requires_grad=True)
    (w * 2).tanh().grad_fn.inputs[0].backward()
    assert w.grad.item() == 2


def test_a_backward_that_reads_what_its_operation_forgot_is_told_so():
    class Careless(Operation):
        saves_output = forgets_inputs = True

        def forward(self, x):
            return x * x

        def backward(self, gradient):
            return 2 * gradient * self.saved[0]

    del Operation.registry["careless"]
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"careless: the values .* were not kept"):
        Careless()(x * 2).backward()


def test_relu_without_its_input_has_both_gradients_right():
    x = Tensor([[-1.0, 2.0], [3.0, -4.0]], requires_grad=True)
    (slope,) = grad(F.relu(x * x * x).sum(), x, create_graph=True)
    np.testing.assert_array_equal(slope.data, [[0.0, 12.0], [27.0, 0.0]])
    (curvature,) = grad(slope.sum(), x)
    np.testing.assert_array_equal(curvature.data, [[0.0, 12.0], [18.0, 0.0]])


@pytest.mark.parametrize("way", ["grad", "backward"])
def test_backward_lets_go_of_each_result_once_it_is_undone(way, no_collector):
    found = []

    class LooksAhead(Operation):
        def forward(self, x):
            return x * 1

        def backward(self, gradient):
            found.append([memory() is None for memory in memories])
            return gradient

    try:
        x = Tensor(np.ones(4), requires_grad=True)
        y = F.exp(LooksAhead()(x))
        z = F.relu(y)
        loss = F.exp(z).sum()
        memories = [weakref.ref(tensor.data) for tensor in (y, z)]
        del y, z
        _ = grad(loss, x) if way == "grad" else loss.backward()
    finally:
        del Operation.registry["looks_ahead"]
    assert found == [[True, True]]
