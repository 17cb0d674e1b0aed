"""Every operation's first and second derivatives, and a guard that none is forgotten."""

import sys

import numpy as np
import pytest
from operation_case import Functions, naming
from operation_cases import CASES, each_group

import minigrad
from minigrad import Operation, Tensor, grad
from minigrad import functional as F
from minigrad.backend import array_module, to_device, use_device
from minigrad.engine import Add
from minigrad.gradcheck import adjoint_check, gradcheck, gradgradcheck


def contiguous(array):
    return array


def strided(array):
    """The same values, neither C- nor Fortran-contiguous where there is a choice."""
    if array.ndim == 0:
        return array
    order = tuple(reversed(range(array.ndim)))
    doubled = array_module(array).repeat(array.transpose(order), 2, axis=-1)
    return doubled[..., ::2].transpose(order)


@pytest.mark.parametrize(
    ("device", "layout"),
    [
        ("cpu", contiguous),
        ("cpu", strided),
        ("standin", strided),
        pytest.param("cuda", strided, marks=pytest.mark.cuda),
    ],
    indirect=["device"],
)
@each_group
def test_first_and_second_derivatives(group, layout, device):
    functions = Functions(device)
    elements = 40 if device.type == "cpu" else 6  # an element costs launches; the rest: directions
    for case in group():
        with use_device(device):
            arrays = [layout(to_device(values, device)) for values in case.inputs]
        inputs = [Tensor(array, requires_grad=True) for array in arrays]

        def f(*tensors, case=case):
            return case.function(functions, *tensors)

        options = {"step": case.step, "directions": 2}
        with naming(case.name):
            assert gradcheck(f, inputs, max_elements=elements, **options)
            assert gradgradcheck(f, inputs, max_elements=elements // 2, **options)


def is_linear(case):
    return (
        case.name.startswith(("conv", "matmul", "sum", "index", "permute", "avg_pool", "unindex"))
        and not case.name.endswith(("-bias", "-single", "-empty-batch"))
        and "output_padding" not in case.name
    )


@each_group
def test_linear_maps_and_their_gradients_are_adjoint_in_float32(group, device, tensor):
    functions = Functions(device)
    for case in filter(is_linear, group()):
        inputs = [tensor(values, requires_grad=True, dtype="float32") for values in case.inputs]
        with naming(case.name):
            assert adjoint_check(lambda *x, case=case: case.function(functions, *x), inputs)


def operations_behind(*outputs):
    """The names of all operations in the graph of some tensors."""
    found, stack = {}, [output.grad_fn for output in outputs]
    while stack:
        operation = stack.pop()
        if operation is not None and id(operation) not in found:
            found[id(operation)] = operation
            stack += [tensor.grad_fn for tensor in operation.inputs]
    return {operation.name for operation in found.values()}


def shipped_operations():
    """Every operation of the package that can be applied (not test classes, nor base classes)."""
    return {
        name
        for name, cls in Operation.registry.items()
        if cls.__module__.startswith("minigrad.")
        and getattr(sys.modules[cls.__module__], cls.__name__, None) is cls
        and cls.forward is not Operation.forward
    }


def cases_by_operation():
    """For each operation, the cases whose graph it is part of."""
    found = {}
    functions = Functions(minigrad.device("cpu"))
    for case in CASES:
        inputs = [minigrad.Tensor(values, requires_grad=True) for values in case.inputs]
        for name in operations_behind(case.function(functions, *inputs)):
            found.setdefault(name, []).append(case)
    return found


def test_every_registered_operation_has_a_first_and_second_order_check(monkeypatch):
    shipped, checked = shipped_operations(), cases_by_operation()
    assert len(shipped) > 30
    missing = shipped - checked.keys()
    assert not missing, f"operations in no case of operation_cases: {sorted(missing)}"
    module = minigrad.engine.operation.__name__  # one without a case would be noticed
    forgotten = type(
        "Forgotten", (Operation,), {"forward": lambda self, x: x, "__module__": module}
    )
    monkeypatch.setattr(minigrad.engine.operation, "Forgotten", forgotten, raising=False)
    try:
        assert shipped_operations() - checked.keys() == {"forgotten"}
    finally:
        del Operation.registry["forgotten"]


def off_by_little(gradient):
    return Add()(gradient, Tensor(gradient.data * 1e-3, device=gradient.device))


def cut_off(gradient):
    return gradient.detach()


@pytest.mark.parametrize(("check", "plant"), [(gradcheck, off_by_little), (gradgradcheck, cut_off)])
def test_the_cases_of_each_operation_notice_a_planted_mistake(check, plant, monkeypatch):
    functions = Functions(minigrad.device("cpu"))
    by_operation = cases_by_operation()

    def planted(backward):
        def wrong(operation, gradient):
            found = backward(operation, gradient)
            found = found if isinstance(found, tuple) else (found,)
            return tuple(None if one is None else plant(one) for one in found)

        return wrong

    def passes(case):
        inputs = [Tensor(values, requires_grad=True) for values in case.inputs]
        options = {"max_elements": 0, "directions": 1, "raise_exception": False}
        return check(lambda *x: case.function(functions, *x), inputs, step=case.step, **options)

    unnoticed = []
    for name in sorted(shipped_operations()):
        cls = Operation.registry[name]
        with monkeypatch.context() as patch:
            patch.setattr(cls, "backward", planted(cls.backward))
            if all(map(passes, by_operation[name])):
                unnoticed.append(name)
    assert not unnoticed


def test_every_public_function_is_in_some_case_and_names_of_cases_are_unique():
    used = set()

    class Watching(Functions):
        def __getattr__(self, name):
            used.add(name)
            return super().__getattr__(name)

    functions = Watching(minigrad.device("cpu"))
    for case in CASES:
        case.function(functions, *map(Tensor, case.inputs))
    without_gradient = {"eq", "ne", "lt", "le", "gt", "ge", "argmax", "argmin"}
    by_operator = {"add", "sub", "mul", "div"}
    drawn = {"dropout"}  # each call has another result: nn/test_further.py
    missing = set(minigrad.functional.__all__) - used - by_operator - without_gradient - drawn
    assert not missing, f"functions in no case of operation_cases: {sorted(missing)}"
    assert len({case.name for case in CASES}) == len(CASES)


# A function, its input, and which elements the result does not depend on.
MASKING = {
    "relu": (F.relu, [-1.0, 4.0], [1, 0]),
    "leaky_relu-0": (lambda x: F.leaky_relu(x, 0.0), [-1.0, 4.0], [1, 0]),
    "abs-0": (F.abs, [0.0, 4.0], [1, 0]),
    "clamp-min": (lambda x: F.clamp(x, min=0.0), [-1.0, 4.0], [1, 0]),
    "clamp-max": (lambda x: F.clamp(x, max=0.0), [-1.0, 4.0], [0, 1]),
    "clamp": (lambda x: F.clamp(x, 0, 1), [-1.0, 0.5, 4.0], [1, 0, 1]),
    "maximum": (lambda x: F.maximum(x, 0.0), [-1.0, 4.0], [1, 0]),
    "maximum-right": (lambda x: F.maximum(Tensor([0.0], device=x.device), x), [-1.0, 4.0], [1, 0]),
    "minimum": (lambda x: F.minimum(x, 0.0), [-1.0, 4.0], [0, 1]),
    "minimum-right": (lambda x: F.minimum(Tensor([0.0], device=x.device), x), [-1.0, 4.0], [0, 1]),
    "where": (lambda x: F.where(x > 0, x, 0.0), [-1.0, 4.0], [1, 0]),
    "where-right": (lambda x: F.where(x > 0, 0.0, x), [-1.0, 4.0], [0, 1]),
    "pow-number-0": (lambda x: x**0, [0.0, 4.0], [1, 1]),
    "pow-0": (lambda x: x ** Tensor([0.0], device=x.device), [0.0, 4.0, np.inf], [1, 1, 1]),
    "0-pow": (lambda x: Tensor([0.0], device=x.device) ** x, [0.0, 4.0], [1, 1]),
    "amax": (lambda x: F.amax(x, 1), [[1.0, 3.0], [4.0, 2.0]], [[1, 0], [0, 1]]),
    "amin": (lambda x: F.amin(x), [[1.0, 3.0], [4.0, 2.0]], [[0, 1], [1, 1]]),
    "std-constant": (lambda x: F.std(x, 1), [[2.0, 2.0], [3.0, 3.0]], [[1, 1], [1, 1]]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), [[[1.0, 3.0], [4.0, 2.0]]], [[[1, 1], [0, 1]]]),
    "cross_entropy-ignored": (
        lambda x: F.cross_entropy(x, Tensor([-100, -100], device=x.device), reduction="none"),
        [[1.0, 3.0], [4.0, 2.0]],
        [[1, 1], [1, 1]],
    ),
    "l1_loss-equal": (
        lambda x: F.l1_loss(x, Tensor([1.0, 2.0], device=x.device), reduction="none"),
        [1.0, 3.0],
        [1, 0],
    ),
    "pad-negative": (lambda x: F.pad(x, (-1, 0)), [1.0, 3.0], [1, 0]),
    "interpolate-dropped": (lambda x: F.interpolate(x, (1, 1)), [[[1.0, 3.0]]], [[[0, 1]]]),
}


@pytest.mark.parametrize("arriving", [np.inf, -np.inf, np.nan])
def test_a_masked_element_has_gradient_0_even_of_what_is_not_finite(arriving, device, tensor):
    for name, (function, values, masked) in MASKING.items():
        with naming(name):
            x = tensor(np.array(values), requires_grad=True)
            with np.errstate(divide="ignore"):
                y = function(x)
            seed = tensor(np.full(y.shape, arriving), requires_grad=True)
            with np.errstate(invalid="raise"):
                (first,) = grad(y, x, seed, create_graph=True)
            found = first.detach().to("cpu").numpy()
            np.testing.assert_array_equal(found == 0, np.array(masked, bool))
            # linear in the seed, which masked ones ignore
            (second,) = grad(first, seed, tensor(np.array(masked, float)))
            np.testing.assert_array_equal(second.to("cpu").numpy(), np.zeros(y.shape))


@pytest.mark.parametrize(
    "masking",
    [
        lambda x: F.clamp(x, min=0.0),
        lambda x: F.maximum(x, 0.0),
        lambda x: F.where(x > 0, x, 0.0),
        F.relu,
        lambda x: -F.minimum(-x, 0.0),
        lambda x: F.leaky_relu(x, 0.0),
    ],
)
def test_infinite_slopes_after_a_mask_do_not_come_through_it_in_either_order(masking, tensor):
    x = tensor(np.array([-1.0, 4.0]), requires_grad=True)
    cases = [
        (F.sqrt, 1 / 4, -1 / 32),
        (F.log, 1 / 4, -1 / 16),
        (lambda y: 1 / y, -1 / 16, 1 / 32),
        (lambda y: y**-0.5, -1 / 16, 3 / 128),
    ]
    for function, slope, curvature in cases:
        with np.errstate(all="ignore"):
            (first,) = grad(function(masking(x)).sum(), x, create_graph=True)
            (second,) = grad(first.sum(), x)
        np.testing.assert_allclose(first.detach().to("cpu").numpy(), [0, slope], rtol=1e-12)
        np.testing.assert_allclose(second.to("cpu").numpy(), [0, curvature], rtol=1e-12)
