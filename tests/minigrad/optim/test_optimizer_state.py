"""Saving and loading an optimiser; refusing what does not fit; wrong arguments."""

import json

import numpy
import pytest

from minigrad import Tensor, nn, optim

MAKERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: optim.Adam(p, lr=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=0.1, betas=(0.5, 0.9)),
}


def model_of(seed=0):
    generator = numpy.random.default_rng(seed)
    return nn.Sequential(nn.Linear(3, 2, generator=generator), nn.Linear(2, 1, generator=generator))


def step(optimizer, seed):
    generator = numpy.random.default_rng(seed)
    optimizer.step([generator.normal(size=p.shape).astype("f") for p in optimizer.parameters])


def through_json(state):
    """As a checkpoint does: arrays apart, the rest as text."""
    arrays = {}

    def keep(value):
        arrays[str(len(arrays))] = value
        return {"array": str(len(arrays) - 1)}

    text = json.dumps(state, default=keep)
    return json.loads(text, object_hook=lambda d: arrays[d["array"]] if "array" in d else d)


@pytest.mark.parametrize("way", [lambda state: state, through_json], ids=["as it is", "JSON"])
@pytest.mark.parametrize("case", MAKERS)
def test_a_resumed_run_has_the_same_bits(case, way):
    model = model_of()
    optimizer = MAKERS[case](model.parameters())
    for seed in range(3):
        step(optimizer, seed)
    weights, state = model.state_dict(), way(optimizer.state_dict())
    for seed in range(3, 6):
        step(optimizer, seed)

    resumed = model_of(seed=1)
    resumed.load_state_dict(weights)
    other = type(optimizer)(resumed.parameters())
    other.load_state_dict(state)
    for seed in range(3, 6):
        step(other, seed)
    for name, value in model.state_dict().items():
        numpy.testing.assert_array_equal(resumed.state_dict()[name], value)
    assert {k: v for k, v in other.param_groups[0].items() if k != "params"} == {
        k: v for k, v in optimizer.param_groups[0].items() if k != "params"
    }


def test_the_structure_is_pytorchs():
    torch = pytest.importorskip("torch")
    model, other = model_of(), torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    other.load_state_dict({k: torch.from_numpy(v) for k, v in model.state_dict().items()})
    ours, theirs = optim.Adam(model.parameters()), torch.optim.Adam(other.parameters())
    gradients = [numpy.ones(p.shape, "f") for p in model.parameters()]
    for parameter, gradient in zip(other.parameters(), gradients):
        parameter.grad = torch.from_numpy(gradient)
    for _ in range(2):
        ours.step(gradients)
        theirs.step()
    mine, expected = ours.state_dict(), theirs.state_dict()
    assert mine["state"].keys() == expected["state"].keys()
    for index, state in expected["state"].items():
        assert mine["state"][index].keys() == state.keys()
        for name, value in state.items():
            numpy.testing.assert_allclose(mine["state"][index][name], value.numpy(), rtol=1e-5)
    (group,), (expected_group,) = mine["param_groups"], expected["param_groups"]
    assert {k: expected_group[k] for k in group} == group


def test_the_saved_state_is_a_copy_without_parameters_that_took_no_step():
    a = Tensor([1.0], requires_grad=True)
    b = Tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([a, b])
    assert optimizer.state_dict()["state"] == {}
    optimizer.step([None, Tensor([1.0])])
    state = optimizer.state_dict()
    assert list(state["state"]) == [1]
    before = state["state"][1]["exp_avg"].copy()
    optimizer.step([None, Tensor([5.0])])
    numpy.testing.assert_array_equal(state["state"][1]["exp_avg"], before)


def test_loading_forgets_steps_the_saved_run_had_not_taken():
    a = Tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([a], lr=0.5, eps=0.0)
    fresh = optimizer.state_dict()
    optimizer.step([Tensor([100.0])])
    optimizer.load_state_dict(fresh)
    assert optimizer.state_dict()["state"] == {}
    a.copy_([1.0])
    optimizer.step([Tensor([1.0])])
    assert a.item() == pytest.approx(0.5)


def edited(edit):
    optimizer = MAKERS["adam"](model_of().parameters())
    step(optimizer, 0)
    state = optimizer.state_dict()
    return edit(state) or state


def without(key):
    return lambda state: state["state"][1].pop(key) and None


WRONG = {
    "no dict": (lambda state: [1], "expected a dict with 'state'"),
    "no groups": (lambda state: {"state": {}}, "expected a dict with 'state'"),
    "more groups": (lambda state: state["param_groups"].append({}), "2 groups saved, 1 here"),
    "another optimiser": (
        lambda state: state["param_groups"][0].update(momentum=0.9),
        "group 0 has .*'momentum'",
    ),
    "fewer parameters": (
        lambda state: state["param_groups"][0]["params"].pop() and None,
        "group 0 has 3 parameters saved, 4 here",
    ),
    "bad option": (lambda state: state["param_groups"][0].update(lr=-1.0), "lr must be at least"),
    "bad betas": (lambda state: state["param_groups"][0].update(betas=[0.9]), "betas must be"),
    "no such parameter": (lambda state: state["state"].update({4: {}}), "state of parameter 4"),
    "missing memory": (
        lambda state: state["state"][1].pop("exp_avg") is None or None,
        r"parameter 1 has \['exp_avg_sq', 'step'\] saved",
    ),
    "shape": (
        lambda state: state["state"][1].update(exp_avg=numpy.zeros(5, "f")),
        r"parameter 1: exp_avg has shape \(5,\), expected \(2,\)",
    ),
    "dtype": (
        lambda state: state["state"][1].update(exp_avg=numpy.zeros(2)),
        "parameter 1: exp_avg is float64, expected float32",
    ),
    "no array": (
        lambda state: state["state"][1].update(exp_avg=[0.0, 0.0]),
        "parameter 1: exp_avg must be an array, got list",
    ),
    "negative steps": (lambda state: state["state"][3].update(step=-1), "step must be at least 0"),
    "half a step": (lambda state: state["state"][3].update(step=0.5), "step must be a whole"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_state_that_does_not_fit_is_refused_whole(case):
    edit, message = WRONG[case]
    optimizer = MAKERS["adam"](model_of().parameters())
    step(optimizer, 1)
    before = optimizer.state_dict()
    with pytest.raises((TypeError, ValueError), match=r"Adam(\.load_state_dict)?: .*" + message):
        optimizer.load_state_dict(edited(edit))
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for index, state in before["state"].items():
        for name, value in state.items():
            numpy.testing.assert_array_equal(after["state"][index][name], value)


def leaf():
    return Tensor([1.0, 2.0], requires_grad=True)


def twice():
    x = leaf()
    return optim.Adam([x, x])


def twice_in_groups():
    x = leaf()
    return optim.Adam([{"params": [x]}, {"params": [x]}])


ARGUMENTS = {
    "SGD: there are no parameters": lambda: optim.SGD([]),
    "Adam: there are no parameters": lambda: optim.Adam(nn.ReLU().parameters()),
    "Adam: a parameter group has no parameters": lambda: optim.Adam([{"params": []}]),
    "Adam: expected an iterable .* got Tensor": lambda: optim.Adam(leaf()),
    "Adam: expected an iterable .* got int": lambda: optim.Adam(3),
    "Adam: parameter 0 is a ndarray": lambda: optim.Adam([numpy.zeros(3)]),
    "Adam: parameter 0 of shape .* must be a floating point leaf": lambda: optim.Adam([leaf() * 2]),
    "Adam: parameter 1 of shape .* must be a floating": lambda: optim.Adam([leaf(), Tensor([1])]),
    "Adam: parameter 1 of shape .* comes twice": twice,
    "Adam: parameter 0 of shape .* comes twice": twice_in_groups,
    "Adam: expected parameters or groups, not both": lambda: optim.Adam(
        [leaf(), {"params": [leaf()]}]
    ),
    "Adam: a parameter group is a dict": lambda: optim.Adam([{"lr": 1.0}]),
    "Adam: 'params' must be tensors, got int": lambda: optim.Adam([{"params": 3}]),
    "Adam: unknown option 'momentum'": lambda: optim.Adam([{"params": leaf(), "momentum": 1.0}]),
    "SGD: lr must be at least 0": lambda: optim.SGD([leaf()], lr=-1.0),
    "SGD: lr must be at least 0.0, got nan": lambda: optim.SGD([leaf()], lr=float("nan")),
    "SGD: lr must be a number": lambda: optim.SGD([leaf()], lr="fast"),
    "SGD: momentum must be at least": lambda: optim.SGD([leaf()], momentum=-0.1),
    "SGD: nesterov needs momentum": lambda: optim.SGD([leaf()], nesterov=True),
    "Adam: beta2 must lie in": lambda: optim.Adam([leaf()], betas=(0.9, 1.0)),
    "AdamW: betas must be a pair": lambda: optim.AdamW([leaf()], betas=0.9),
    "AdamW: eps must be at least": lambda: optim.AdamW([leaf()], eps=-1.0),
    "AdamW: weight_decay must be at least": lambda: optim.AdamW([leaf()], weight_decay=-1.0),
    "SGD: 2 gradients for 1 parameters": lambda: optim.SGD([leaf()]).step([None, None]),
    "SGD: expected a sequence of gradients": lambda: optim.SGD([leaf()]).step(lambda: 0),
    r"SGD: gradient 0 has shape \(1,\), expected \(2,\)": lambda: optim.SGD([leaf()]).step(
        [Tensor([1.0])]
    ),
    "SGD: gradient 0 is float64, the parameter float32": lambda: optim.SGD([leaf()]).step(
        [numpy.zeros(2)]
    ),
    "SGD: gradient 0 must be an array or Tensor, got float": lambda: optim.SGD([leaf()]).step(
        [1.0]
    ),
    r"SGD: the gradient of all parameters has shape \(3,\), expected \(2,\)": lambda: optim.SGD(
        [leaf()]
    ).step(numpy.zeros(3, "f")),
}


@pytest.mark.parametrize("message", ARGUMENTS)
def test_wrong_arguments_are_named(message):
    with pytest.raises((TypeError, ValueError), match=message):
        ARGUMENTS[message]()


def test_a_gradient_that_does_not_fit_changes_no_parameter():
    a, b = leaf(), leaf()
    optimizer = optim.SGD([a, b], lr=1.0)
    with pytest.raises(ValueError, match="gradient 1"):
        optimizer.step([Tensor([1.0, 1.0]), Tensor([1.0])])
    assert a.data.tolist() == [1, 2]
    assert a._version is None  # nothing was noted as written


def test_repr_is_pytorchs_for_the_options_both_have():
    optimizer = optim.Adam([{"params": leaf()}, {"params": leaf(), "lr": 0.1}])
    assert repr(optimizer) == (
        "Adam (\n"
        "Parameter Group 0\n    betas: (0.9, 0.999)\n    eps: 1e-08\n    lr: 0.001\n"
        "    weight_decay: 0.0\n"
        "Parameter Group 1\n    betas: (0.9, 0.999)\n    eps: 1e-08\n    lr: 0.1\n"
        "    weight_decay: 0.0\n"
        ")"
    )
