"""What the lecture does without: against PyTorch, scipy and the definition."""

from __future__ import annotations

import itertools

import numpy
import pytest
from scipy import special

import minigrad
from minigrad import Tensor, nn
from minigrad import functional as F
from minigrad.parallel import shard_gradients


def test_erf_is_scipys_to_the_last_digits_and_keeps_single_precision():
    x = numpy.concatenate([numpy.linspace(-7, 7, 20_001), [1e-300, 0.0, -0.0, 30.0, -30.0]])
    numpy.testing.assert_allclose(F.erf(Tensor(x)).data, special.erf(x), rtol=3e-14)
    single = F.erf(Tensor(x.astype("float32")))
    assert single.dtype == numpy.float32
    numpy.testing.assert_allclose(single.data, special.erf(x.astype("float32")), rtol=1e-6)


def test_dropout_keeps_the_mean_and_follows_the_seed():
    ones = Tensor(numpy.ones((200, 500), "float32"))
    minigrad.manual_seed(3)
    first = F.dropout(ones, 0.3).data
    assert numpy.unique(first.round(5)).tolist() == [0.0, numpy.float32(1 / 0.7).round(5)]
    assert abs((first == 0).mean() - 0.3) < 0.005
    minigrad.manual_seed(3)
    assert F.dropout(ones, 0.3).data.tobytes() == first.tobytes()
    assert (F.dropout(ones, 1.0).data == 0).all()
    x = Tensor(numpy.ones(50), requires_grad=True)
    y = F.dropout(x, 0.5)
    y.sum().backward()
    assert x.grad is not None
    numpy.testing.assert_array_equal(x.grad.data, y.data)


def test_dropout_in_shards_draws_the_same_bits_for_any_number_of_workers():
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 20), nn.GELU(), nn.Dropout(0.5), nn.Linear(20, 1))
    x = numpy.random.default_rng(0).normal(size=(40, 6)).astype("float32")

    def gradients(workers):
        minigrad.manual_seed(7)
        loss, found = shard_gradients(
            lambda inputs: (model(inputs) ** 2).mean(),
            list(model.parameters()),
            [x],
            shard_size=8,
            workers=workers,
        )
        return loss.data.tobytes(), *(each.data.tobytes() for each in found)

    assert len({gradients(workers) for workers in (1, 2, 3, 5)}) == 1


def test_places_of_extrema_are_numpys():
    x = numpy.random.default_rng(0).integers(0, 4, (3, 4, 5)).astype("float32")
    for name, dim, keepdim in itertools.product(
        ("argmax", "argmin"), (None, 0, 1, -1), (False, True)
    ):
        found = getattr(Tensor(x), name)(dim, keepdim=keepdim)
        expected = getattr(x, name)(axis=dim, keepdims=keepdim)
        numpy.testing.assert_array_equal(found.data, expected)
        assert found.shape == numpy.shape(expected)
    largest = Tensor(x, requires_grad=True)
    values, indices = largest.max(1)
    numpy.testing.assert_array_equal(indices.data, x.argmax(axis=1))
    values.sum().backward()
    assert largest.grad is not None
    assert (largest.grad.data.sum(axis=1) == 1).all()  # one of equals gets it all
    for name, dim in itertools.product(("max", "min"), (0, -1)):  # without dimensions: itself
        values, indices = getattr(Tensor(1.5), name)(dim)
        assert (values.item(), values.shape, indices.item(), indices.shape) == (1.5, (), 0, ())
        with pytest.raises(IndexError, match=f"{name}: dim 1 is out of range"):
            getattr(Tensor(1.5), name)(1)


def test_losses_as_modules_are_the_functions():
    x, y = Tensor(numpy.random.default_rng(0).normal(size=(4, 3))), Tensor([0, 2, 1, -100])
    loss = nn.CrossEntropyLoss(label_smoothing=0.1, reduction="sum")
    assert loss(x, y).item() == F.cross_entropy(x, y, "sum", label_smoothing=0.1).item()
    assert nn.MSELoss("none")(x, x * 2).data.tolist() == ((x * x).data).tolist()


def test_embedding_and_module_list_are_pytorchs():
    torch = pytest.importorskip("torch")
    minigrad.manual_seed(0)
    ours = nn.ModuleList([nn.Embedding(7, 3), nn.Linear(3, 2)])
    theirs = torch.nn.ModuleList([torch.nn.Embedding(7, 3), torch.nn.Linear(3, 2)])
    assert [str(each) for each in ours] == [str(each) for each in theirs]
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    indices = numpy.array([[1, 6, 1], [0, 0, 3]])
    found = ours[1](ours[0](Tensor(indices))).detach().numpy()
    expected = theirs[1](theirs[0](torch.from_numpy(indices))).detach().numpy()
    numpy.testing.assert_allclose(found, expected, atol=1e-6)
    assert abs(nn.Embedding(1000, 100).weight.data.std() - 1) < 0.02
    with pytest.raises(NotImplementedError, match="ModuleList"):
        ours(indices)


def test_batches_hold_every_sample_once_in_an_order_of_the_seed():
    x, y = numpy.arange(100), numpy.arange(100) * 2
    found = list(minigrad.batches([x, y], 32, seed=1))
    assert [len(a) for a, _ in found] == [32, 32, 32, 4]
    assert all((b == 2 * a).all() for a, b in found)
    order = numpy.concatenate([a for a, _ in found])
    assert sorted(order) == list(range(100))
    again = numpy.concatenate([a for (a,) in minigrad.batches(x, 32, seed=1)])
    other = numpy.concatenate([a for (a,) in minigrad.batches(x, 32, seed=2)])
    assert (again == order).all()
    assert (other != order).any()


def test_an_unknown_name_says_what_there_is_and_where_to_read_on():
    for module, name, words in (
        (nn, "Liner", "did you mean Linear"),
        (nn, "BatchNorm2d", "there is GroupNorm: the statistics of a batch would depend"),
        (F, "softmx", "did you mean"),
        (minigrad, "tensor", "did you mean Tensor"),
    ):
        with pytest.raises(AttributeError, match=words) as caught:
            getattr(module, name)
        assert "docs/add_an_operation.md" in str(caught.value)
    assert dir(minigrad) == sorted(minigrad.__all__)
