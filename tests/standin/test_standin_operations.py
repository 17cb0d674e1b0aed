"""Every operation on the stand-in's second GPU: the CPU's values and gradients, both orders."""

import numpy as np
import pytest
from operation_case import Functions
from operation_cases import CASES

import minigrad
from minigrad import Tensor, grad
from minigrad.gradcheck import GradcheckError, adjoint_check, gradcheck, gradgradcheck


def derivatives(case, device):
    """The output, the gradients, and the gradients of the gradients, on the host."""
    inputs = [Tensor(values, requires_grad=True, device=device) for values in case.inputs]
    output = case.function(Functions(device), *inputs)
    seed = np.random.default_rng(0).standard_normal(output.shape)
    seed = Tensor(seed, requires_grad=True, device=device)
    first = grad(output, inputs, seed, create_graph=True)
    cotangents = [one.detach() for one in first]
    second = grad(first, [*inputs, seed], cotangents, allow_unused=True)
    everything = [output, *first, *(one for one in second if one is not None)]
    assert {one.device for one in everything} == {minigrad.device(device)}
    return [one.detach().to("cpu").numpy() for one in everything]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_and_both_orders_of_gradients_are_the_cpus(case, gpu):
    for found, expected in zip(derivatives(case, gpu), derivatives(case, "cpu"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_the_gradient_check_works_on_the_device_and_fails_there(cupy):
    x = Tensor(np.array([[0.5, 1.5], [2.0, -1.0]]), requires_grad=True, device="cuda:1")
    w = Tensor(np.array([[0.5, 1.0], [1.0, -1.0]]), requires_grad=True, device="cuda:1")
    assert gradcheck(lambda x, w: (x @ w).tanh(), [x, w])
    assert gradgradcheck(lambda x, w: (x @ w).tanh(), [x, w])
    assert adjoint_check(lambda x, w: x @ w, [x, w])

    def wrong(x):
        return x * x.detach()

    for options in ({}, {"max_elements": 1}):
        with pytest.raises(GradcheckError, match="input 0"):
            gradcheck(wrong, x, **options)


def test_counting_indexing_and_seeds_stay_on_the_second_gpu(cupy):
    x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True, device="cuda:1")
    place = minigrad.device("cuda:1")
    assert (x > 1.5).sum().device == place
    assert (x > 1.5).sum().item() == 2
    chosen = x[Tensor(np.array([2, 0]), device="cuda:1")]
    assert chosen.device == place
    assert x[x > 1.5].shape == (2,)
    seed = Tensor(np.ones(2), requires_grad=True, device="cuda:1")
    for create_graph in (False, True):
        (found,) = grad(chosen, x, seed, retain_graph=True, create_graph=create_graph)
        assert found.device == place
        (same,) = grad(chosen, chosen, seed, retain_graph=True, create_graph=create_graph)
        assert same.device == place
    x.backward(Tensor(np.ones(3), device="cuda:1"))
    assert x.grad.device == place


@pytest.mark.parametrize("pair", [("cuda:0", "cuda:1"), ("cuda:1", "cuda:0"), ("cpu", "cuda:1")])
def test_gradients_land_where_their_leaf_is_when_a_graph_spans_devices(pair, cupy):
    here, there = pair
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True, device=here)
    y = (x * x + x + x * 3.0).to(there)
    loss = (y * y).sum()
    (found,) = grad(loss, x, create_graph=True)
    assert str(found.device) == here
    expected = 2 * np.array([5.0, 12.0]) * np.array([6.0, 8.0])
    np.testing.assert_array_equal(found.detach().to("cpu").numpy(), expected)
    for times in (1, 2):
        loss.backward(retain_graph=True)
        assert str(x.grad.device) == here
        np.testing.assert_array_equal(x.grad.to("cpu").numpy(), times * expected)
