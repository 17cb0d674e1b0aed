"""Gradients never share memory: with each other, with the seed, with what they come from."""

import itertools

import numpy as np
import pytest

from minigrad import grad
from minigrad.backend import to_numpy, use_device


def arrays_apart(*tensors):
    """Whether writing into each array leaves the others as they were, on any device."""
    return not any(writes_reach(a, b) for a, b in itertools.combinations(tensors, 2))


def writes_reach(a, b):
    with use_device(a.device):
        before, kept = to_numpy(b.data).copy(), a.data.copy()
        a.data[...] = -77.0
        reached = not np.array_equal(to_numpy(b.data), before)
        a.data[...] = kept
    return reached


@pytest.fixture
def pair(tensor):
    return tensor([1.0, 2.0], requires_grad=True), tensor([3.0, 4.0], requires_grad=True)


def test_the_check_sees_shared_memory(tensor):
    a = tensor([1.0, 2.0])
    assert not arrays_apart(a, a.detach())
    assert not arrays_apart(a, a[1:])
    assert arrays_apart(a, a + 0.0)


def test_the_gradients_of_a_sum_do_not_alias(pair):
    a, b = pair
    (a + b).sum().backward()
    assert a.grad is not b.grad
    assert arrays_apart(a.grad, b.grad)
    a.grad.zero_()
    np.testing.assert_array_equal(b.grad.to("cpu").numpy(), [1, 1])


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("seed_needs_grad", [False, True])
def test_grad_results_alias_neither_each_other_nor_the_seed(
    tensor, pair, create_graph, seed_needs_grad
):
    a, b = pair
    seed = tensor([5.0, 6.0], requires_grad=seed_needs_grad)
    results = grad(a + b, [a, b, a], seed, create_graph=create_graph)
    assert arrays_apart(seed, *results)
    for result in results:
        np.testing.assert_array_equal(result.detach().to("cpu").numpy(), [5, 6])


@pytest.mark.parametrize("seed_needs_grad", [False, True])
def test_backward_leaves_the_seed_gradient_alone(tensor, seed_needs_grad):
    a = tensor([1.0, 2.0], requires_grad=True)
    seed = tensor([5.0, 6.0], requires_grad=seed_needs_grad)
    a.backward(seed)
    (a + a).backward(seed)
    assert arrays_apart(a.grad, seed)
    np.testing.assert_array_equal(a.grad.detach().to("cpu").numpy(), [15, 18])
    np.testing.assert_array_equal(seed.detach().to("cpu").numpy(), [5, 6])


def test_only_with_create_graph_can_results_be_differentiated_by_the_seed(tensor, pair):
    a, b = pair
    seed = tensor([5.0, 6.0], requires_grad=True)
    by_a, by_b = grad(a + b, [a, b], seed, create_graph=True)
    (found,) = grad((by_a + by_b * 2.0).sum(), seed)
    np.testing.assert_array_equal(found.to("cpu").numpy(), [3, 3])
    for start in (seed, seed * 2.0):
        (found,) = grad(a + a.detach(), a, start)
        assert (found.requires_grad, found.grad_fn) == (False, None)


def test_grads_of_views_do_not_share_memory(tensor):
    a = tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    b = tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    results = grad(a.reshape(4) + b, [a, b], tensor([1.0, 2.0, 3.0, 4.0]))
    assert arrays_apart(*results)
