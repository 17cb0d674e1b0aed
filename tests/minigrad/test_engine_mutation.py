"""A tensor changed in place after it was used is caught where its old value is needed."""

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, grad, no_grad


@no_grad()
def zero(tensor):
    tensor.zero_()


@no_grad()
def overwrite(tensor):
    tensor.copy_(np.zeros(tensor.shape, "float32"))


@pytest.mark.parametrize("change", [overwrite, zero])
def test_an_input_changed_after_use_raises_and_names_the_operation(change):
    x = Tensor([1.0, 2.0], requires_grad=True)
    w = Tensor([3.0, 4.0], requires_grad=True)
    y = (x * w).sum()
    change(w)
    with pytest.raises(RuntimeError, match=r"mul: input 1 of shape \(2,\) was changed in place"):
        y.backward()


def test_a_change_before_use_or_to_what_is_not_needed_is_fine():
    x, w = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
    overwrite(w)
    total = x + w  # needs no values
    zero(w)
    total.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [1, 1])


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "sqrt"])
def test_an_output_changed_in_place_raises_where_backward_reads_the_output(name):
    y = getattr(Tensor([1.0, 2.0], requires_grad=True), name)()
    z = y.sum()
    zero(y.detach())
    with pytest.raises(RuntimeError, match=rf"{name}: its output of shape \(2,\) was changed"):
        z.backward()


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.reshape(2, 2),
        lambda x: x.reshape(2, 2).permute(1, 0),
        lambda x: x.detach(),
        lambda x: x[1:],
        lambda x: x[2],
        lambda x: x.unsqueeze(0),
        lambda x: x.reshape(1, 4).squeeze(0),
        lambda x: x.expand(3, 4),
        lambda x: x.reshape(2, 2).transpose(0, 1),
        lambda x: x.reshape(2, 2).flatten(),
    ],
)
def test_views_share_the_counter_both_ways(view):
    x = Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = (x * x).sum()
    with no_grad():
        seen = view(x)
    if seen.data.flags.writeable:
        zero(seen)
        assert x.data.min() == 0
        with pytest.raises(RuntimeError, match=r"mul: input 0 .* was changed in place"):
            y.backward()
    w = Tensor(np.ones(seen.shape, "float32"), requires_grad=True)
    z = (w * view(x)).sum()
    zero(x)
    with pytest.raises(RuntimeError, match=r"mul: input 1 .* was changed in place"):
        z.backward()


def test_a_change_between_two_backwards_over_one_graph_and_before_the_second_derivative_is_caught():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    (slope,) = grad((x * x * x).sum(), x, create_graph=True)
    zero(x)
    for output in (y, slope.sum()):
        with pytest.raises(RuntimeError, match="mul"):
            output.backward()


def test_a_condition_or_an_index_changed_in_place_afterwards_does_no_harm():
    x = Tensor([1.0, 2.0], requires_grad=True)
    condition = Tensor(np.array([True, False]))
    y = minigrad.functional.where(condition, x, 0.0)
    condition.copy_(np.array([False, True]))
    np.testing.assert_array_equal(grad(y.sum(), x)[0].numpy(), [1, 0])
    for wrap in (Tensor, np.asarray):
        values = np.array([0, 0])
        y = x[wrap(values)]
        values[:] = 1
        np.testing.assert_array_equal(grad(y.sum(), x)[0].numpy(), [2, 0])


def test_writing_over_a_recorded_result_is_refused_while_recording():
    y = Tensor([1.0, 2.0], requires_grad=True) * 2.0
    for name, values in (("copy_", [[0.0, 0.0]]), ("zero_", [])):
        with pytest.raises(RuntimeError, match=name):
            getattr(y, name)(*values)


@pytest.mark.parametrize("symbol", ["+=", "-=", "*=", "/=", "**="])
def test_augmented_assignment_rebinds(symbol):
    a = Tensor([1.0, 2.0], requires_grad=True)
    names = {"a": a, "b": Tensor([3.0, 4.0])}
    exec(f"a {symbol} b", names)
    assert names["a"] is not a
    np.testing.assert_array_equal(a.detach().numpy(), [1, 2])
    names["a"].sum().backward()
    assert a.grad is not None


def test_a_write_keeps_the_array_and_its_dtype_and_reaches_the_base_through_a_view():
    x = Tensor([1.0, 2.0])
    array = x.data
    x.copy_(Tensor(np.array([5.0, 6.0])))
    x[1].zero_()
    assert x.data is array
    assert x.dtype == np.float32
    np.testing.assert_array_equal(array, [5, 0])


@pytest.mark.parametrize("wrap", [minigrad.Tensor, minigrad.nn.Parameter])
def test_a_tensor_made_of_another_shares_its_counter_as_it_shares_its_array(wrap):
    x = minigrad.Tensor([2.0], requires_grad=True)
    same = wrap(x)
    product = (x * x).sum()
    same.copy_([5.0])
    with pytest.raises(RuntimeError, match=r"mul: input 0 .* changed in place"):
        product.backward()


@pytest.mark.parametrize(
    "change", [lambda one: one.load_state_dict(one.state_dict()), lambda one: one.to("float64")]
)
def test_a_layer_loaded_or_moved_after_use_is_changed(change):
    layer = minigrad.nn.Linear(2, 1)
    loss = layer(Tensor([[1.0, 2.0]], requires_grad=True)).sum()
    change(layer)
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()
