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


ONE = numpy.array([1.0])


def test_parameters_become_neighbours_in_one_array_where_steps_write():
    a, b = parameters_of([[1, 2], [3, 4]], [5])
    optimizer = optim.SGD([a, b], lr=1.0)
    assert a.data.base is b.data.base is not None
    assert numbers(a, b) == [[[1, 2], [3, 4]], [5]]
    array = a.data
    optimizer.step([numpy.ones((2, 2)), ONE])
    assert a.data is array
    assert array.tolist() == [[0, 1], [2, 3]]


def test_data_replaced_between_steps_is_taken_over_and_memory_kept():
    a, b = parameters_of([1.0], [10.0])
    optimizer = optim.SGD([a, b], lr=1.0, momentum=1.0)
    optimizer.step([ONE, ONE])
    replacement = numpy.array([100.0])
    a.data = replacement
    optimizer.step([ONE, ONE])
    assert numbers(a, b) == [[98], [7]]
    assert replacement.tolist() == [100.0]


def test_values_written_or_loaded_between_steps_are_built_upon():
    layer = nn.Linear(1, 1, bias=False, dtype="float64")
    a, saved = layer.weight, layer.state_dict()
    optimizer = optim.SGD([a], lr=1.0)
    for write, expected in (
        (lambda: a.copy_([[50.0]]), 49.0),
        (lambda: a.data.__iadd__(1), 49.0),
        (lambda: layer.load_state_dict(saved), saved["weight"].item() - 1),
    ):
        write()
        optimizer.step(ONE)
        assert a.item() == expected


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
    for optimizer in (first, second, first, second):
        optimizer.step([ONE])
    assert a.item() == 4.0


def test_parameters_of_several_precisions_stand_side_by_side():
    four = [parameters_of([1.0], dtype=d)[0] for d in ("float64", "float32") * 2]
    optimizer = optim.SGD(four, lr=1.0)
    optimizer.step([numpy.array([float(i)], p.dtype) for i, p in enumerate(four)])
    assert numbers(*four) == [[1], [0], [-1], [-2]]
    assert [p.dtype for p in four] == ["float64", "float32"] * 2
    with pytest.raises(TypeError, match="the gradient of all parameters is float64"):
        optimizer.step(numpy.zeros(4))


def test_a_shared_parameter_is_stepped_once():
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    second.weight = first.weight
    before = first.weight.data.copy()
    optimizer = optim.SGD(nn.Sequential(first, second).parameters(), lr=1.0)
    optimizer.step([numpy.ones((2, 2), "f")])
    numpy.testing.assert_allclose(second.weight.data, before - 1, rtol=1e-6)


def test_parameters_without_gradients_are_left_alone_and_their_steps_not_counted():
    a, b, c = parameters_of([1.0], [1.0], [1.0])
    optimizer = optim.Adam([a, b, c], lr=0.5, eps=0.0)
    optimizer.step()  # there is none
    assert numbers(a, b, c) == [[1]] * 3
    assert a._version is None  # nothing was noted as written
    optimizer.step([ONE, None, ONE])
    optimizer.step([None, None, ONE])
    assert numbers(b) == [[1]]
    state = optimizer.state_dict()["state"]
    assert {index: entry["step"] for index, entry in state.items()} == {0: 1, 2: 2}
    optimizer.step([ONE, ONE, None])
    # A constant gradient moves Adam by lr each step that counts.
    numpy.testing.assert_allclose(numbers(a, b, c), [[0.0], [0.5], [0.0]], atol=1e-12)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (optim.SGD, dict(momentum=0.9, weight_decay=0.1, nesterov=True)),
        (optim.Adam, dict(weight_decay=0.1)),
        (optim.AdamW, {}),
    ],
)
def test_gradients_are_not_written(make, options):
    optimizer, gradient = make(parameters_of([1.0]), **options), numpy.array([2.0])
    for form in ([gradient], gradient) * 2:
        optimizer.step(form)
    assert gradient.tolist() == [2.0]


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW])
def test_a_step_between_use_and_backward_is_caught_unless_it_is_of_other_parameters(make):
    a, b, c = parameters_of([1.0], [2.0], [3.0])
    optimizer = make([a, b, c])
    loss = (a * b).sum()
    optimizer.step([None, None, ONE])
    loss.backward(retain_graph=True)
    assert numbers(a.grad, b.grad) == [[2], [1]]
    optimizer.step([None, ONE, None])
    with pytest.raises(RuntimeError, match=r"mul: input 1 .* was changed in place"):
        loss.backward()


def test_noncontiguous_gradients_and_values_go_to_their_places():
    values = numpy.arange(6.0).reshape(2, 3).T
    a, (b,) = Tensor(values, requires_grad=True), parameters_of([1.0])
    optim.SGD([a, b], lr=1.0).step([values, ONE])
    assert numbers(a, b) == [[[0, 0], [0, 0], [0, 0]], [0]]


def test_a_group_of_its_own_has_its_own_options():
    a, b, c, d = parameters_of([1.0], [1.0], [1.0], [1.0])
    optimizer = optim.SGD([{"params": [a, b], "lr": 1.0}, {"params": c}], lr=0.5)
    assert optimizer.parameters == [a, b, c]
    optimizer.step(numpy.ones(3))
    assert numbers(a, b, c) == [[0], [0], [0.5]]
    optimizer.add_param_group({"params": [d], "lr": 0.25})
    optimizer.step([None, None, ONE, ONE])
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
    stepped = other_model.state_dict()
    for name, value in model.state_dict().items():
        numpy.testing.assert_array_equal(value, before[name])
        assert (value != stepped[name]).all()
    optimizer.step(gradients)
    for name, value in model.state_dict().items():
        numpy.testing.assert_array_equal(value, stepped[name])


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
