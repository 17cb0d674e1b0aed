"""What the engine says about operations that misbehave, and what tensors do as Python objects."""

import contextlib
import copy
import pickle
from traceback import walk_tb

import numpy as np
import pytest

from minigrad import Operation, Tensor, detect_anomaly, grad, nn, no_grad, optim
from minigrad import functional as F
from minigrad.graph.trace import trace_backward


class MisbehavedDouble(Operation):
    """y = 2 x, with a backward to be got wrong."""

    def forward(self, x):
        return x * 2

    def backward(self, gradient):
        return gradient * 2


class ForeignArray(np.ndarray):
    """Stands for an array of another library."""


NO_ARRAYS = {
    "list": lambda x: [1.0, 2.0],
    "tuple": lambda x: (x, x),
    "NoneType": lambda x: None,
    "float": lambda x: 1.5,
    "str": lambda x: "x",
    "Tensor": lambda x: Tensor(x),
}


@pytest.mark.parametrize("kind", NO_ARRAYS)
@pytest.mark.parametrize("mode", [contextlib.nullcontext, no_grad, detect_anomaly])
def test_a_forward_that_gives_no_array_is_refused_and_the_operation_named(kind, mode, tensor):
    class MisbehavedForward(MisbehavedDouble):
        def forward(self, *arrays):
            return NO_ARRAYS[kind](*arrays[:1])

    x = tensor(np.ones(2), requires_grad=True)
    for inputs in ((x,), (x, x), (x.detach(),)):
        with mode(), pytest.raises(TypeError, match=f"misbehaved_forward: forward gave a {kind}"):
            MisbehavedForward()(*inputs)


def test_a_forward_may_give_a_numpy_scalar():
    class Total(Operation):
        def forward(self, x):
            return x.sum()

        def backward(self, gradient):
            return gradient.expand(self.inputs[0].shape)

    x = Tensor([1.0, 2.0], requires_grad=True)
    total = Total()(x)
    total.backward()
    assert (total.shape, total.item(), x.grad.data.tolist()) == ((), 3, [1, 1])


WRONG_BACKWARDS = {  # what it does, the error, the words that follow the operation's name
    "shape": (lambda self, g: F.cat([g, g]), ValueError, r".*input 0 has shape \(4,\).*\(2,\)"),
    "too-small": (lambda self, g: g.sum(), ValueError, r".*input 0 has shape \(\).*\(2,\)"),
    "dtype": (lambda self, g: g.to("float64"), TypeError, "input 0 is float64, the input float32"),
    "device": (
        lambda self, g: Tensor._wrap(g.data.view(ForeignArray)),
        TypeError,
        "the gradient of input 0 is on",
    ),
    "ufunc": (lambda self, g: np.cos(self.saved[0]) * g, TypeError, "in its backward: .*ufuncs"),
    "ufunc-gradient": (lambda self, g: np.negative(g), TypeError, "in its backward: .*ufuncs"),
    "function": (lambda self, g: np.where(g.data > 0, g, 0), TypeError, "gave a ndarray"),
    "values": (lambda self, g: np.sum(self.saved[0]), RuntimeError, "in its backward: numpy: "),
    "input": (lambda self, g: MisbehavedDouble()(g.data), TypeError, "in its backward: .*ndarray"),
    "shapes": (lambda self, g: g * np.ones(3), ValueError, r"in its backward: mul: .*\(3,\)"),
    "attribute": (lambda self, g: g.astype("int8"), AttributeError, "in its backward: .*astype"),
    "precision": (lambda self, g: g * np.ones(2), TypeError, "input 0 is float64"),
    "array": (lambda self, g: g.data * 2, TypeError, "gave a ndarray for input 0"),
    "tuple": (lambda self, g: (g.data * 2,), TypeError, "gave a ndarray for input 0"),
    "float": (lambda self, g: 2.0, TypeError, "gave a float for input 0"),
    "list": (lambda self, g: [g], TypeError, "gave a list, no Tensor"),
    "generator": (lambda self, g: (one for one in [g]), TypeError, "gave a generator, no Tensor"),
    "too-many": (lambda self, g: (g, g), RuntimeError, "gave 2 gradients for 1 inputs"),
    "none": (lambda self, g: (), RuntimeError, "gave 0 gradients for 1 inputs"),
}


@pytest.mark.parametrize("mode", [contextlib.nullcontext, detect_anomaly])
@pytest.mark.parametrize("name", WRONG_BACKWARDS)
def test_whatever_goes_wrong_in_a_backward_names_the_operation(name, mode):
    body, error, words = WRONG_BACKWARDS[name]

    class MisbehavedBackward(MisbehavedDouble):
        def backward(self, gradient):
            return body(self, gradient)

    with mode():
        x = Tensor([1.0, 2.0], requires_grad=True)
        y = MisbehavedBackward()(x).sum()
        for call in (lambda: grad(y, x, retain_graph=True), y.backward):
            with pytest.raises(error, match=f"^misbehaved_backward: .*{words}") as caught:
                call()
    if "in its backward" in words:  # the line at fault is still in the traceback
        assert body.__code__ in [frame.f_code for frame, _ in walk_tb(caught.value.__traceback__)]


def test_an_operation_is_shown_by_its_name_and_the_shapes_it_was_given():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    product, joined = (x * x).grad_fn, F.cat([x] * 9).grad_fn
    assert repr(MisbehavedDouble()) == "<misbehaved_double>"
    assert repr(product) == "<mul of (2, 3), (2, 3)>"
    assert repr(joined) == f"<cat of {', '.join(['(2, 3)'] * 4)}, ...>"


def test_asking_whether_something_has_an_attribute_raises_nothing():
    x = Tensor([1.0, 2.0], requires_grad=True)
    fresh, recorded, freed = MisbehavedDouble(), (x * x).grad_fn, (x * x).sum()
    freed.backward()
    steps = list(trace_backward((x * x).sum()))
    things = [Tensor(np.ones(shape)) for shape in ((), (2,), (2, 3), (2, 3, 4))]
    things += [x, nn.Parameter([1.0]), fresh, recorded, freed.grad_fn, steps[0], nn.Linear(2, 1)]
    for thing in (*things, optim.Adam([x])):
        for name in dir(type(thing)):
            hasattr(thing, name)
    assert [hasattr(thing, "T") for thing in things[:4]] == [False, False, True, False]
    assert (hasattr(recorded, "saved"), hasattr(freed.grad_fn, "saved")) == (True, False)
    with pytest.raises(AttributeError, match="sum: saved: not recorded, or freed by backward"):
        freed.grad_fn.saved  # noqa: B018


def test_the_engine_undoes_broadcasting_for_custom_operations():
    class BroadcastingProduct(Operation):
        def forward(self, a, b):
            return a * b

        def backward(self, gradient):
            a, b = self.saved
            return gradient * b, gradient * a

    generator = np.random.default_rng(0)
    a = Tensor(generator.standard_normal((2, 1, 4)), requires_grad=True)
    b = Tensor(generator.standard_normal((3, 1)), requires_grad=True)
    BroadcastingProduct()(a, b).sum().backward()
    ones = np.ones((2, 3, 4))
    np.testing.assert_allclose(a.grad.data, (ones * b.data).sum(1, keepdims=True))
    np.testing.assert_allclose(b.grad.data, (ones * a.data).sum((0, 2))[:, None])


def test_none_gradients_and_inputs_without_gradients_are_skipped():
    class FirstOnly(MisbehavedDouble):
        def forward(self, a, b):
            return a * b

        def backward(self, gradient):
            return gradient * self.saved[1], None

    a, b = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    FirstOnly()(a, b).backward()
    assert (a.grad.item(), b.grad) == (2, None)


def test_an_operation_that_was_recorded_cannot_be_called_again():
    operation = MisbehavedDouble()
    x = Tensor([1.0], requires_grad=True)
    operation(x)
    with pytest.raises(RuntimeError, match="misbehaved_double"):
        operation(x)


def test_names_are_snake_case_and_can_be_overridden():
    assert type("Conv3dLike", (Operation,), {}).name == "conv3d_like"
    other = type("Other", (Operation,), {"name": "my_name"})
    assert Operation.registry["my_name"] is other


def test_a_tensor_behaves_as_a_python_object():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2
    assert [row.numpy().tolist() for row in x] == [[1, 2], [3, 4]]
    assert (x.shape, x.ndim, x.size, str(x.device)) == ((2, 2), 2, 4, "cpu")
    assert not Tensor(0.0)
    assert x in {x: 1}
    _, b = x
    assert b.numpy().tolist() == [3, 4]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_leaf_can_be_copied_and_pickled(copied):
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    y = copied(x)
    assert y.requires_grad
    assert y.is_leaf
    np.testing.assert_array_equal(y.grad.numpy(), [2, 4])
    with no_grad():
        y.copy_([5.0, 5.0])
    np.testing.assert_array_equal(x.detach().numpy(), [1, 2])
    (y * 3.0).sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [5, 7])


def test_to_moves_precision_and_gradients_flow_back_but_not_through_detach():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert x.to("float32") is x.to("cpu") is x
    y = x.to("float64")
    assert y.dtype == x.double().dtype == np.float64
    (y * 2.0).sum().backward()
    assert x.grad.dtype == F.sum(y).float().dtype == np.float32
    alone = (x * 2.0).detach()
    assert (alone.is_leaf, alone.requires_grad) == (True, False)
    assert np.shares_memory(x.detach().data, x.data)
