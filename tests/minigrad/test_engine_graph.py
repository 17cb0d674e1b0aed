"""The backward pass: order, accumulation, freeing, any order of derivative."""

import math

import numpy as np
import pytest
from running import python

import minigrad
from minigrad import Tensor, grad


def test_a_chain_of_100_000_operations_differentiates_and_is_deallocated():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward(Tensor(np.array([1.0, 3.0])))
    np.testing.assert_array_equal(y.data, [100_001, 100_002])
    np.testing.assert_array_equal(x.grad.data, [1, 3])


def test_a_long_chain_never_differentiated_is_deallocated_without_a_crash():
    code = (
        "from minigrad import Tensor\n"
        "x = y = Tensor([1.0], requires_grad=True)\n"
        "for _ in range(100_000): y = y * 1.0\n"
        "del y\n"
        "z = x\n"
        "for _ in range(100_000): z = z.exp() * 0.0\n"
        "z.backward(retain_graph=True)\n"
        "del z\n"
        "print('alive', x.grad.item())\n"
    )
    assert python("-c", code, timeout=120).stdout.split() == ["alive", "0.0"]


def test_a_long_chain_is_differentiated_twice():
    x = Tensor(1.1, requires_grad=True, dtype="float64")
    y = x
    for _ in range(3_000):
        y = y * 1.0
    (slope,) = grad(y * y, x, create_graph=True)
    (curvature,) = grad(slope, x)
    assert slope.item() == pytest.approx(2.2)
    assert curvature.item() == pytest.approx(2.0)


def test_a_diamond_adds_what_arrives_along_both_sides_made_early_or_late(tensor):
    x = tensor([3.0], requires_grad=True)
    early, y = x * 2.0, x * x
    for _ in range(10):
        y = y * 1.0
    (early * y).sum().backward()  # 2 x^3
    assert x.grad.item() == 54


def test_a_deep_ladder_of_diamonds_visits_each_operation_once(tensor):
    class CountingDouble(minigrad.Operation):
        calls = 0

        def forward(self, a, b):
            return a + b

        def backward(self, gradient):
            CountingDouble.calls += 1
            return gradient, gradient

    x = tensor([1.0], requires_grad=True)
    y = x
    for _ in range(40):  # 2^40 paths
        y = CountingDouble()(y, y)
    y.backward()
    assert CountingDouble.calls == 40
    assert x.grad.item() == 2.0**40


def test_a_tensor_used_several_times_receives_the_sum_and_inner_results_are_not_spoilt(tensor):
    x = tensor([2.0], requires_grad=True)
    y = x * x
    total = y + y + y * y + x
    by_y, by_x = grad(total.sum(), [y, x])
    assert by_y.item() == 2 + 2 * 4
    assert by_x.item() == (2 + 2 * 4) * 4 + 1


def test_leaves_alone_collect_gradients_in_new_arrays_and_grad_gives_any_afresh(tensor):
    x = tensor([1.0, 2.0], requires_grad=True)
    y = x * 3.0
    loss = (y * y).sum()
    for _ in range(3):
        (by_y,) = grad(loss, y, retain_graph=True)
        np.testing.assert_array_equal(by_y.to("cpu").numpy(), [6, 12])
    loss.backward(retain_graph=True)
    first = x.grad
    loss.backward()
    assert (y.grad, loss.grad) == (None, None)
    np.testing.assert_array_equal(first.to("cpu").numpy(), [18, 36])
    np.testing.assert_array_equal(x.grad.to("cpu").numpy(), [36, 72])


def test_several_outputs_with_a_common_part_add_up_and_one_by_itself_is_the_seed(tensor):
    x = tensor([2.0], requires_grad=True)
    y = x * x
    z = y * 3.0
    seeds = [tensor([1.0]), tensor([10.0])]
    by_z, by_y, by_x = grad([y, z], [z, y, x], seeds)
    assert (by_z.item(), by_y.item(), by_x.item()) == (10, 31, 4 * 31)


@pytest.mark.parametrize("first", [lambda y, x: y.backward(), grad])
def test_a_second_backward_over_a_freed_graph_or_a_part_says_so_in_words(tensor, first):
    x = tensor([2.0], requires_grad=True)
    shared = x * x
    y = shared.sum()
    first(y, x)
    with pytest.raises(RuntimeError, match=r"freed by an earlier backward.*retain_graph=True"):
        y.backward()
    for output in (y, (shared * 3.0).sum()):
        with pytest.raises(RuntimeError, match="freed"):
            grad(output, x)


def test_retain_graph_allows_it_and_create_graph_implies_it(tensor):
    x = tensor([2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    grad(y, x, create_graph=True)
    y.backward()
    assert x.grad.item() == 8


def test_the_first_four_derivatives_of_sin_times_exp(tensor):
    at = 0.7
    x = tensor(np.array(at), requires_grad=True)
    y = x.sin() * x.exp()
    for order in range(1, 5):
        (y,) = grad(y, x, create_graph=order < 4)
        # (d/dx)^n e^x sin x = sqrt(2)^n e^x sin(x + n pi / 4)
        expected = 2 ** (order / 2) * math.exp(at) * math.sin(at + order * math.pi / 4)
        assert y.item() == pytest.approx(expected, rel=1e-12)
    assert not y.requires_grad


def test_a_hessian_vector_product_matches_the_closed_form(tensor):
    generator = np.random.default_rng(0)
    values, direction = generator.standard_normal((2, 5))
    x, v = tensor(values, requires_grad=True), tensor(direction)
    (slope,) = grad((x * x * x).sum() * x.sum(), x, create_graph=True)
    (product,) = grad((slope * v).sum(), x)
    ones = np.ones(5)
    hessian = np.diag(6 * values * values.sum())
    hessian += np.outer(3 * values**2, ones) + np.outer(ones, 3 * values**2)
    np.testing.assert_allclose(product.to("cpu").numpy(), hessian @ direction, rtol=1e-12)


def test_with_create_graph_only_a_grad_can_be_differentiated(tensor):
    for create_graph in (True, False):
        x = tensor([3.0], requires_grad=True)
        (x * x * x).sum().backward(create_graph=create_graph)
        assert x.grad.requires_grad == (x.grad.grad_fn is not None) == create_graph
        if create_graph:
            assert grad(x.grad.sum(), x)[0].item() == 18


def test_unused_inputs_raise_or_give_none(tensor):
    x, unused = tensor([1.0], requires_grad=True), tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"do not depend on input 1 of shape \(2,\)"):
        grad(x * 2.0, [x, unused])
    assert grad(x * 2.0, [x, unused], allow_unused=True)[1] is None


def test_grad_touches_no_grad_attribute_and_asks_only_for_what_is_needed(tensor):
    asked = []

    class AskedProduct(minigrad.Operation):
        def forward(self, a, b):
            return a * b

        def backward(self, gradient):
            asked.append(self.needs_input_grad)
            a, b = self.saved
            return gradient * b, gradient * a

    a, b = tensor([2.0], requires_grad=True), tensor([3.0], requires_grad=True)
    grad(AskedProduct()(a, b), a)
    AskedProduct()(a, b.detach()).backward()
    assert asked == [[True, False], [True, False]]
    assert b.grad is None
    assert a.grad.item() == 3


def test_a_grad_of_another_shape_is_refused_not_broadcast(tensor):
    x = tensor([1.0], requires_grad=True)
    x.grad = tensor([0.0, 0.0])
    with pytest.raises(ValueError, match=r"leaf of shape \(1,\) has a grad of shape \(2,\)"):
        (x * x).sum().backward()
