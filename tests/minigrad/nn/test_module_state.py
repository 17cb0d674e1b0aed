"""state_dict and load_state_dict: both ways with PyTorch, and what is refused."""

import numpy
import pytest

from minigrad import Tensor, nn


def build(library, **options):
    return library.Sequential(
        library.Conv2d(1, 4, 3, **options),
        library.ReLU(),
        library.Sequential(library.ConvTranspose2d(4, 2, 3, stride=2, **options), library.Tanh()),
        library.Flatten(),
        library.LayerNorm(2 * 13 * 13, **options),
        library.Linear(2 * 13 * 13, 3, **options),
    )


def test_weights_move_to_pytorch_and_back_with_one_line():
    torch = pytest.importorskip("torch")
    ours, theirs, fresh, other = build(nn), build(torch.nn), build(nn), build(torch.nn)
    x = numpy.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype("float32")
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    assert repr(fresh.load_state_dict(other.state_dict())) == "<All keys matched successfully>"
    for mine, torchs in ((ours, theirs), (fresh, other)):
        expected = torchs(torch.from_numpy(x)).detach().numpy()
        numpy.testing.assert_allclose(mine(Tensor(x)).detach().numpy(), expected, atol=1e-5)


def test_pytorchs_parameters_load_though_they_require_gradients():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(3, 2)
    ours = nn.Linear(3, 2)
    ours.load_state_dict(dict(theirs.named_parameters()))
    numpy.testing.assert_array_equal(ours.weight.data, theirs.weight.detach().numpy())


def test_a_precision_numpy_lacks_is_a_type_error_naming_the_key():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(3, 2).to(torch.bfloat16)
    with pytest.raises(TypeError, match=r"Linear\.load_state_dict: weight: "):
        nn.Linear(3, 2).load_state_dict(theirs.state_dict())


def test_the_saved_state_is_a_copy_and_tensors_and_arrays_load_in_place():
    layer = nn.Linear(2, 1)
    weight, array = layer.weight, layer.weight.data
    state, before = layer.state_dict(), array.copy()
    layer.load_state_dict({"weight": Tensor([[1.0, 2.0]]), "bias": numpy.zeros(1, "float32")})
    assert layer.weight is weight
    assert weight.data is array
    numpy.testing.assert_array_equal(array, [[1, 2]])
    numpy.testing.assert_array_equal(state["weight"], before)
    assert all(type(value) is numpy.ndarray for value in state.values())


def test_everything_wrong_is_listed_at_once():
    model = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1))
    state = model.state_dict() | {"1.bias": numpy.zeros(3, "f"), "0.bias": numpy.zeros(1)}
    del state["1.weight"]
    with pytest.raises(ValueError, match=r"missing 1\.weight; 0\.bias: .*; 1\.bias: "):
        model.load_state_dict(state)


def test_not_strict_loads_what_is_there_and_reports_the_rest():
    model = nn.Sequential(nn.Linear(2, 1))
    keys = model.load_state_dict(
        {"0.weight": numpy.ones((1, 2), "f"), "other": numpy.ones(1, "f")}, strict=False
    )
    assert keys == (["0.bias"], ["other"])
    assert "missing_keys=['0.bias']" in repr(keys)
    numpy.testing.assert_array_equal(model[0].weight.data, [[1, 1]])
    with pytest.raises(ValueError, match="expected shape"):
        model.load_state_dict({"0.weight": numpy.ones((2, 2), "f")}, strict=False)
