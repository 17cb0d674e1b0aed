"""Backward step by step: the same loop, the same numbers, and nothing leaks out of it."""

import inspect

import numpy
import pytest

import minigrad
from minigrad import Tensor, nn, trace_backward
from minigrad import functional as F
from minigrad.engine import Operation
from minigrad.graph.trace import format_trace


def network_loss(seed=0):
    """A loss in which tensors are used twice and shapes broadcast; and its leaves."""
    generator = numpy.random.default_rng(seed)
    model = nn.Sequential(
        nn.Linear(3, 5, generator=generator), nn.Tanh(), nn.Linear(5, 2, generator=generator)
    )
    x = Tensor(generator.normal(size=(4, 3)), dtype="float32", requires_grad=True)
    y = model(x)
    return (y * y + y.sum(dim=0) + x.mean()).sum(), model, x


def test_leaves_receive_the_bits_that_backward_gives_and_only_at_the_end():
    expected, model, x = network_loss()
    expected.backward()
    leaves = [x, *model.parameters()]
    again, same_model, same_x = network_loss()
    same_leaves = [same_x, *same_model.parameters()]
    for _ in trace_backward(again):
        assert all(leaf.grad is None for leaf in same_leaves)
    for leaf, same in zip(leaves, same_leaves):
        assert leaf.grad.data.tobytes() == same.grad.data.tobytes()


def test_operations_are_undone_in_the_order_of_backward(monkeypatch):
    undone = []
    walked = minigrad.engine.backward.walk

    def spy(*arguments):
        for step in walked(*arguments):
            undone.append(step[0].name)
            yield step

    monkeypatch.setattr(minigrad.engine.backward, "walk", spy)
    monkeypatch.setattr(minigrad.graph.trace, "walk", spy)
    network_loss()[0].backward()
    by_backward, undone[:] = list(undone), []
    traced = [step.name for step in trace_backward(network_loss()[0])]
    assert traced == undone == by_backward  # both went through walk, and nowhere else
    assert len(traced) > 8


def test_gradients_of_a_step_are_those_of_the_definition_and_stay_as_they_were():
    x = Tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    steps = list(trace_backward((x * x + x).sum(), names={"x": x}))
    assert [(step.name, step.number) for step in steps] == [("sum", 3), ("add", 2), ("mul", 1)]
    _, add, mul = steps
    assert [g.data.tolist() for g in add.input_gradients] == [[1, 1], [1, 1]]
    assert add.destinations == ("mul (1)", "x")
    assert [g.data.tolist() for g in mul.input_gradients] == [[1, 2], [1, 2]]
    assert add.norm == pytest.approx(2**0.5)
    assert mul.input_norms == pytest.approx((5**0.5, 5**0.5))
    assert x.grad.data.tolist() == [3, 5]  # the sum of the three that went to x
    x, bias = (Tensor(numpy.ones(shape), requires_grad=True) for shape in ((4, 3), (3,)))
    (_, add) = trace_backward((x + bias).sum())  # broadcasting is undone in what leaves
    assert [g.shape for g in add.input_gradients] == [(4, 3), (3,)]
    assert add.input_gradients[1].data.tolist() == [4, 4, 4]


def test_the_callers_mode_holds_between_steps_and_backwards_inside():
    seen = []

    class Spy(Operation):
        def forward(self, x):
            return x * 1

        def backward(self, gradient):
            seen.append(minigrad.is_grad_enabled())
            return gradient

    try:
        x = Tensor([1.0], requires_grad=True)
        for create_graph in (False, True):
            with minigrad.set_grad_enabled(True):
                steps = trace_backward(Spy()(Spy()(x)), create_graph=create_graph)
            for wanted in (True, False):
                with minigrad.set_grad_enabled(wanted):
                    next(steps)
                    assert minigrad.is_grad_enabled() is wanted
            assert minigrad.is_grad_enabled()
        assert seen == [False, False, True, True]
    finally:
        del Operation.registry["spy"]


def test_left_halfway_leaves_receive_nothing_and_a_second_pass_says_why_not():
    loss, model, _ = network_loss()
    steps = trace_backward(loss)
    next(steps), next(steps)
    steps.close()
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        loss.backward()
    for untraced, words in (
        (Tensor(1.0), "trace_backward: .* nothing was recorded"),
        (Tensor([1.0, 2.0], requires_grad=True) * 2, r"shape \(2,\) needs a grad"),
    ):
        with pytest.raises(RuntimeError, match=words):  # at once, not at the first step
            trace_backward(untraced)


def test_a_retained_graph_is_traced_again_and_a_created_one_gives_second_derivatives():
    x = Tensor(3.0, requires_grad=True)
    loss = x * x
    list(trace_backward(loss, retain_graph=True))
    list(trace_backward(loss))
    assert x.grad.item() == 12.0
    x = Tensor(2.0, requires_grad=True)
    list(trace_backward(x * x * x, create_graph=True))
    (second,) = minigrad.grad(x.grad, x)
    assert (x.grad.item(), second.item()) == (12.0, 12.0)


def test_deep_chain_needs_no_recursion():
    x = y = Tensor(1.0, requires_grad=True)
    for _ in range(20_000):
        y = y + 1
    assert sum(1 for _ in trace_backward(y)) == 20_000
    assert x.grad.item() == 1


def test_table_names_parameters_and_the_line_to_stop_at():
    loss, model, x = network_loss()
    table = format_trace(trace_backward(loss, model=model, names={"x": x}))
    lines = table.splitlines()
    column = lines[0].index("to ")
    assert lines[1][column:].startswith("add (")  # the sum sends its gradient to an addition
    for name in ("0.weight", "0.bias", "2.weight", "2.bias", " x "):
        assert name in table
    last = next(trace_backward(F.relu(Tensor([1.0], requires_grad=True)).sum()))
    file, line = last.breakpoint.rsplit(":", 1)
    source, first = inspect.getsourcelines(type(last.operation).backward)
    assert file == "minigrad/engine/operation.py"
    assert int(line) == first
    assert source[0].strip().startswith("def backward(")
    assert last.breakpoint in str(last)
