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
    model, resumed = model_of(), model_of(seed=1)
    optimizer = MAKERS[case](model.parameters())
    for seed in range(3):
        step(optimizer, seed)
    other = type(optimizer)(resumed.parameters())
    resumed.load_state_dict(model.state_dict())
    other.load_state_dict(way(optimizer.state_dict()))
    for seed in range(3, 6):
        step(optimizer, seed)
        step(other, seed)
    for name, value in model.state_dict().items():
        numpy.testing.assert_array_equal(resumed.state_dict()[name], value)
    own, others = (dict(each.param_groups[0], params=None) for each in (optimizer, other))
    assert own == others


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


def test_repr_is_pytorchs_for_the_options_both_have():
    first, second = (Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.Adam([{"params": first}, {"params": second, "lr": 0.1}])
    groups = [
        f"Parameter Group {i}\n    betas: (0.9, 0.999)\n    eps: 1e-08\n    lr: {lr}\n"
        "    weight_decay: 0.0\n"
        for i, lr in enumerate((0.001, 0.1))
    ]
    assert repr(optimizer) == f"Adam (\n{''.join(groups)})"
