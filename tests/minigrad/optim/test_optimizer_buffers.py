"""One array for all parameters: it must never show, whatever is done to the parameters."""

import copy
import pickle

import numpy
import pytest

from minigrad import Tensor, grad, nn, optim
from minigrad.backend import device_of, to_numpy
from minigrad.optim.flat import FlatParameters


def parameters_of(*values, dtype="float64"):
    return [Tensor(numpy.array(value, dtype=dtype), requires_grad=True) for value in values]


def numbers(*tensors):
    return [to_numpy(tensor.data).tolist() for tensor in tensors]


def test_parameters_become_neighbours_in_one_array_and_keep_their_values():
    a, b = parameters_of([[1, 2], [3, 4]], [5])
    optim.SGD([a, b])
    assert a.data.base is b.data.base is not None
    assert numbers(a, b) == [[[1, 2], [3, 4]], [5]]
    assert a.shape == (2, 2)


def test_a_step_writes_where_the_parameter_already_lies():
    (a,) = parameters_of([1, 2])
    optimizer = optim.SGD([a], lr=1.0)
    array = a.data
    optimizer.step([numpy.array([1.0, 1.0])])
    assert a.data is array
    assert array.tolist() == [0, 1]


def test_data_replaced_between_steps_is_taken_over_and_memory_kept():
    a, b = parameters_of([1.0], [10.0])
    optimizer = optim.SGD([a, b], lr=1.0, momentum=1.0)
    one = numpy.array([1.0])
    optimizer.step([one, one])
    replacement = numpy.array([100.0])
    a.data = replacement
    optimizer.step([one, one])
    assert numbers(a, b) == [[98], [7]]
    assert replacement.tolist() == [100.0]


def test_values_written_in_place_are_built_upon():
    (a,) = parameters_of([1.0])
    optimizer = optim.SGD([a], lr=1.0)
    a.copy_([50.0])
    optimizer.step([numpy.array([1.0])])
    a.data += 1
    optimizer.step([numpy.array([1.0])])
    assert a.item() == 49.0


def test_weights_loaded_between_steps_are_built_upon():
    layer = nn.Linear(2, 1)
    optimizer = optim.SGD(layer.parameters(), lr=1.0)
    saved = layer.state_dict()
    zeros = [numpy.zeros((1, 2), "f"), numpy.zeros(1, "f")]
    ones = [numpy.ones((1, 2), "f"), numpy.ones(1, "f")]
    optimizer.step(ones)
    layer.load_state_dict(saved)
    optimizer.step(zeros)
    numpy.testing.assert_array_equal(layer.weight.data, saved["weight"])


def test_a_model_moved_to_another_precision_keeps_its_memory():
    layer = nn.Linear(2, 1)
    optimizer = optim.Adam(layer.parameters(), lr=0.5)
    ones = [numpy.ones((1, 2), "f"), numpy.ones(1, "f")]
    optimizer.step(ones)
    layer.to("float64")
    optimizer.step([one.astype("float64") for one in ones])
    state = optimizer.state_dict()["state"][0]
    assert state["step"] == 2
    assert state["exp_avg"].dtype == layer.weight.dtype == numpy.float64
    numpy.testing.assert_allclose(state["exp_avg"], 1 - 0.9**2, rtol=1e-6)


def test_another_shape_asks_for_another_optimiser():
    (a,) = parameters_of([1.0])
    optimizer = optim.SGD([a])
    a.data = numpy.zeros(2)
    with pytest.raises(ValueError, match=r"shape \(1,\) has become \(2,\)"):
        optimizer.step([numpy.zeros(2)])


def test_two_optimisers_may_take_turns_on_the_same_parameters():
    (a,) = parameters_of([10.0])
    first, second = optim.SGD([a], lr=1.0), optim.SGD([a], lr=2.0)
    one = [numpy.array([1.0])]
    for optimizer in (first, second, first, second):
        optimizer.step(one)
    assert a.item() == 4.0


def test_parameters_of_several_precisions_stand_side_by_side():
    a, b = parameters_of([1.0])[0], parameters_of([1.0], dtype="float32")[0]
    c, d = parameters_of([1.0])[0], parameters_of([1.0], dtype="float32")[0]
    optimizer = optim.SGD([a, b, c, d], lr=1.0)
    gradients = [numpy.array([float(i)], p.dtype) for i, p in enumerate((a, b, c, d))]
    optimizer.step(gradients)
    assert numbers(a, b, c, d) == [[1], [0], [-1], [-2]]
    assert (a.dtype, b.dtype) == (numpy.float64, numpy.float32)
    with pytest.raises(TypeError, match="the gradient of all parameters is float64"):
        optimizer.step(numpy.zeros(4))


def test_a_shared_parameter_is_stepped_once():
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    second.weight = first.weight
    before = first.weight.data.copy()
    model = nn.Sequential(first, second)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    optimizer.step([numpy.ones((2, 2), "f")])
    numpy.testing.assert_allclose(second.weight.data, before - 1, rtol=1e-6)


def test_parameters_without_gradients_are_left_alone_and_their_steps_not_counted():
    a, b, c = parameters_of([1.0], [1.0], [1.0])
    optimizer = optim.Adam([a, b, c], lr=0.5, eps=0.0)
    one = numpy.array([1.0])
    optimizer.step([one, None, one])
    optimizer.step([None, None, one])
    assert numbers(b) == [[1]]
    state = optimizer.state_dict()["state"]
    assert {index: entry["step"] for index, entry in state.items()} == {0: 1, 2: 2}
    optimizer.step([one, one, None])
    # A constant gradient moves Adam by lr each step that counts.
    numpy.testing.assert_allclose(numbers(a, b, c), [[0.0], [0.5], [0.0]], atol=1e-12)


def test_without_any_gradient_nothing_changes():
    (a,) = parameters_of([1.0])
    optimizer = optim.Adam([a], weight_decay=1.0)
    optimizer.step()
    assert a.item() == 1.0
    assert a._version is None  # nothing was noted as written


def test_gradients_are_not_written():
    (a,) = parameters_of([1.0])
    for optimizer in (
        optim.SGD([a], momentum=0.9, weight_decay=0.1, nesterov=True),
        optim.Adam([a], weight_decay=0.1),
        optim.AdamW([a]),
    ):
        gradient = numpy.array([2.0])
        for form in ([gradient], gradient):
            optimizer.step(form)
            optimizer.step(form)
        assert gradient.tolist() == [2.0]


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW])
def test_a_step_between_use_and_backward_is_caught(make):
    a, b = parameters_of([1.0], [2.0])
    optimizer = make([a, b])
    loss = (a * b).sum()
    optimizer.step([None, numpy.array([1.0])])
    with pytest.raises(RuntimeError, match=r"mul: input 1 .* was changed in place"):
        loss.backward()


def test_a_step_of_other_parameters_is_none_of_its_business():
    a, b, c = parameters_of([1.0], [2.0], [3.0])
    optimizer = optim.SGD([a, b, c])
    loss = (a * b).sum()
    optimizer.step([None, None, numpy.array([1.0])])
    loss.backward()
    assert numbers(a.grad, b.grad) == [[2], [1]]


def test_noncontiguous_gradients_and_values_go_to_their_places():
    values = numpy.arange(6.0).reshape(2, 3).T
    a = Tensor(values, requires_grad=True)
    (b,) = parameters_of([1.0])
    optimizer = optim.SGD([a, b], lr=1.0)
    optimizer.step([values, numpy.array([1.0])])
    assert numbers(a, b) == [[[0, 0], [0, 0], [0, 0]], [0]]


def test_a_group_of_its_own_has_its_own_options():
    a, b, c = parameters_of([1.0], [1.0], [1.0])
    optimizer = optim.SGD([{"params": [a, b], "lr": 1.0}, {"params": c}], lr=0.5)
    assert optimizer.parameters == [a, b, c]
    optimizer.step(numpy.ones(3))
    assert numbers(a, b, c) == [[0], [0], [0.5]]
    (d,) = parameters_of([1.0])
    optimizer.add_param_group({"params": [d], "lr": 0.25})
    one = numpy.array([1.0])
    optimizer.step([None, None, one, one])
    assert numbers(a, b, c, d) == [[0], [0], [0], [0.75]]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_model_copied_with_its_optimiser_goes_on_by_itself(clone):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    gradients = [numpy.ones(p.shape, "f") for p in model.parameters()]
    optimizer.step(gradients)
    other_model, other = clone((model, optimizer))
    before = model.state_dict()
    other.step(gradients)
    for name, value in model.state_dict().items():
        numpy.testing.assert_array_equal(value, before[name])
    optimizer.step(gradients)
    for name, value in model.state_dict().items():
        numpy.testing.assert_array_equal(value, other_model.state_dict()[name])
        assert (value != before[name]).all()


def test_gradients_from_grad_train_a_model_without_touching_grad(device):
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).to(str(device))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    generator = numpy.random.default_rng(0)
    x = Tensor(generator.normal(size=(64, 2)).astype("float32"), device=device)
    y = (x * x).sum(1, keepdim=True).detach()
    losses = []
    for _ in range(200):
        difference = model(x) - y
        loss = (difference * difference).mean()
        optimizer.step(grad(loss, optimizer.parameters))
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(device_of(parameter.data) == device for parameter in model.parameters())


def test_what_is_updated_together():
    flat = FlatParameters(parameters_of([1.0], [2.0, 3.0], [4.0], [5.0]))
    places = lambda present: [(w.start, w.stop, n) for w, n in flat.advance(present)]  # noqa: E731
    assert places([True] * 4) == [(0, 5, 1)]
    assert places([True, True, False, True]) == [(0, 3, 2), (4, 5, 2)]
    assert places([True] * 4) == [(0, 3, 3), (3, 4, 2), (4, 5, 3)]
    assert places([False] * 4) == []
