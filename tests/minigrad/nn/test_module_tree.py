"""Module: what is found in the tree, switching modes, moving, copying."""

import copy
import pickle

import numpy
import pytest

import minigrad
from minigrad import Tensor, nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.scale = nn.Parameter([1.0, 1.0])
        self.constant = Tensor([1.0])

    def forward(self, x):
        return self.layer(x) * self.scale + self.constant


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block()
        self.body = nn.Sequential(nn.ReLU(), nn.Linear(2, 3, bias=False))
        self.offset = nn.Parameter([0.0, 0.0, 0.0])

    def forward(self, x):
        return self.body(self.first(x)) + self.offset


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (
            lambda: Net().named_parameters(),  # own before children, as assigned; no plain tensor
            ["offset", "first.scale", "first.layer.weight", "first.layer.bias", "body.1.weight"],
        ),
        (lambda: Net().named_parameters(recurse=False), ["offset"]),
        (lambda: Block().named_parameters("prefix", recurse=False), ["prefix.scale"]),
        (lambda: nn.Linear(2, 1, bias=False).named_parameters(), ["weight"]),
        (
            lambda: Net().named_modules(),
            ["", "first", "first.layer", "body", "body.0", "body.1"],
        ),
    ],
)
def test_names_of_parameters_and_modules_and_their_order(found, names):
    assert [name for name, _ in found()] == names


def test_names_and_order_are_pytorchs():
    torch = pytest.importorskip("torch")

    def tied(library, zeros):
        net = library.Module()
        net.body = library.Sequential(library.Linear(2, 3), library.Sequential())
        net.tied = net.body[0]
        net.offset, net.loose = library.Parameter(zeros(3)), library.Parameter(zeros(3))
        return net

    ours, theirs = tied(nn, lambda n: [0.0] * n), tied(torch.nn, torch.zeros)
    for method in ("named_parameters", "named_modules", "named_children"):
        assert [n for n, _ in getattr(ours, method)()] == [n for n, _ in getattr(theirs, method)()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(list(ours.parameters())) == len(list(theirs.parameters()))


def test_what_is_shared_is_yielded_once_saved_under_both_names_and_applied_twice():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    clone = copy.deepcopy(model)
    assert clone[1].weight is clone[0].weight
    assert type(clone[0].weight) is nn.Parameter
    clone[0].weight.zero_()
    assert (first.weight.data != 0).all()
    relu = nn.LeakyReLU(0.5)
    model = nn.Sequential(relu, relu)
    assert (len(list(model.modules())), len(model)) == (2, 2)
    assert model(Tensor([-4.0])).item() == -1.0


def test_train_and_eval_reach_every_module():
    net = Net()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())
    assert list(net.children()) == [net.first, net.body]
    assert next(iter(net.modules())) is net


def test_a_parameter_is_replaced_by_another_or_by_none():
    layer = nn.Linear(2, 1)
    layer.bias, layer.weight = None, nn.Parameter([[1.0, 2.0]])
    assert layer(Tensor([1.0, 1.0])).item() == 3.0


def test_zero_grad_and_requires_grad():
    net = Net()
    net(Tensor([[1.0, 2.0]])).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert net.requires_grad_(False) is net
    assert not net(Tensor([[1.0, 2.0]])).requires_grad


def test_to_another_precision_keeps_the_parameters_identity_and_moves_gradients():
    net = Net()
    before = list(net.parameters())
    net(Tensor([[1.0, 2.0]])).sum().backward()
    assert net.to("float64") is net
    assert all(p is q for p, q in zip(before, net.parameters()))
    assert {p.dtype for p in before} | {p.grad.dtype for p in before} == {numpy.dtype("float64")}
    net.first.constant = net.first.constant.to("float64")
    assert net(Tensor(numpy.ones((1, 2)))).dtype == numpy.float64


def test_to_where_it_is_already_changes_nothing():
    layer = nn.Linear(2, 2)
    array = layer.weight.data
    loss = layer(Tensor([[1.0, 2.0]], requires_grad=True)).sum()
    assert layer.to("cpu", "float32").weight.data is array
    loss.backward()


def test_to_cuda_without_a_gpu_says_so(monkeypatch):
    def missing(number):
        raise RuntimeError("no GPU here")

    monkeypatch.setattr(minigrad.backend.array_switch, "require_device", missing)
    with pytest.raises(RuntimeError, match="no GPU here"):
        nn.Linear(2, 2).to("cuda")


def test_pickling_keeps_values():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    clone = pickle.loads(pickle.dumps(model))
    x = Tensor(numpy.ones((1, 3), "float32"))
    numpy.testing.assert_array_equal(clone(x).data, model(x).data)


def cycles():
    """A module, and one above it or itself."""
    net, inner = Net(), nn.Sequential(nn.ReLU())
    yield net, net
    yield net.first.layer, net
    yield inner, nn.Sequential(nn.Sequential(inner), nn.Tanh())


def test_a_module_that_would_contain_itself_is_refused_when_it_is_assigned():
    for module, ancestor in cycles():
        before = repr(ancestor)
        ways = [lambda m=module, a=ancestor: setattr(m, "child", a)]
        if isinstance(module, nn.Sequential):
            ways.append(lambda m=module, a=ancestor: m.append(a))
            ways.append(lambda m=module, a=ancestor: m.__setitem__(0, a))
        for way in ways:
            with pytest.raises(ValueError, match="would contain itself"):
                way()
        assert repr(ancestor) == before
        ancestor.train()


@pytest.mark.parametrize(
    "use",
    [
        lambda m: list(m.parameters()),
        lambda m: m.state_dict(),
        lambda m: m.load_state_dict({}),
        lambda m: m.eval(),
        lambda m: m.to("cpu"),
        lambda m: m.zero_grad(),
        lambda m: m.requires_grad_(False),
        lambda m: list(m.named_modules()),
    ],
)
def test_a_cycle_made_behind_the_modules_back_is_named_where_it_is_met(use):
    for module, ancestor in cycles():
        vars(module)["child"] = ancestor
        for one in (module, ancestor):
            with pytest.raises(ValueError, match=r"child.* contains itself"):
                use(one)
            assert "contains itself" in repr(one)


def test_a_module_in_two_places_is_no_cycle_and_many_levels_are_no_recursion_error():
    shared = nn.Linear(2, 2)
    net = nn.Sequential(shared, nn.Sequential(shared), shared)
    assert sorted(net.state_dict()) == sorted(
        f"{place}.{name}" for place in ("0", "1.0", "2") for name in ("weight", "bias")
    )
    assert len(list(net.parameters())) == 2
    deep = nn.Sequential(nn.ReLU())
    for _ in range(1_200):  # more than Python recurses
        deep = nn.Sequential(deep)
    assert len(list(deep.modules())) == 1_202
