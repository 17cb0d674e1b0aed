"""What a drawing of the graph says: every tensor, operation, parameter and gradient, once."""

from __future__ import annotations

import re
from collections import Counter

import numpy
import pytest
from running import python

from autoencoder.models import AutoEncoder
from minigrad import Tensor, nn
from minigrad import functional as F
from minigrad.graph import draw
from minigrad.graph.drawing import fold_operations


@pytest.fixture
def autoencoder():
    model = AutoEncoder(8)
    images = Tensor(numpy.random.default_rng(0).random((4, 1, 28, 28)).astype("float32"))
    return model, images, F.mse_loss(model(images), images)


def by_title(output, **options):
    return {box.title: box for box in draw(output, **options).boxes}


def operations_by_recursion(tensor, found=None):
    found = {} if found is None else found
    if tensor.grad_fn is not None and tensor.grad_fn not in found:
        found[tensor.grad_fn] = None
        for source in tensor.grad_fn.inputs:
            operations_by_recursion(source, found)
    return list(found)


def test_unfolded_graph_has_a_box_for_every_operation_and_leaf_and_a_line_for_every_input(
    autoencoder,
):
    model, images, loss = autoencoder
    drawing = draw(loss, model=model, names={"images": images}, fold=None)
    operations = operations_by_recursion(loss)
    shown = Counter(box.title for box in drawing.boxes if box.kind == "operation")
    assert shown == Counter(operation.name for operation in operations)
    leaves = {box.title for box in drawing.boxes if box.kind != "operation"}
    assert leaves == {"images", *model.state_dict()}
    lines = sum(len(box.inputs) for box in drawing.boxes)
    assert lines == sum(len(operation.inputs) for operation in operations)
    assert drawing.dot.count("->") == lines
    for box in drawing.boxes:
        if box.title in model.state_dict():
            shape = model.state_dict()[box.title].shape
            assert (box.lines[0], box.lines[-1]) == (f"{shape} float32", "no gradient yet")


def test_boxes_say_shape_dtype_value_options_and_gradients():
    x = Tensor(numpy.array([3.0, 4.0]), requires_grad=True)
    fixed = Tensor(2.0)
    y = ((x * 5).sum() - fixed) ** 2
    boxes = by_title(y, names={"x": x})
    assert boxes["x"].lines == ("(2,) float64", "no gradient yet")
    assert boxes["constant"].lines[:2] == ("() float64", "= 2")
    assert boxes["scale"].lines == ("factor = 5", "(2,) float64")
    assert boxes["power"].lines == ("exponent = 2", "() float64", "= 1089")
    y.backward(retain_graph=True)
    norm = numpy.linalg.norm(x.grad.data)
    assert by_title(y, names={"x": x})["x"].lines[1] == f"gradient norm {norm:.4g}"


def test_boxes_of_what_an_operation_forgot_say_so_and_others_know_the_value():
    x = Tensor(3.0, requires_grad=True)
    y = ((x * 2).exp().log() - 1).tanh()  # exp keeps its result, tanh forgets what `sub` gave
    boxes = by_title(y)
    assert boxes["scale"].lines == ("factor = 2", "() float32", "value not kept")
    last = {title: box.lines[-1] for title, box in boxes.items()}
    assert last | {"exp": "= 403.429", "log": "= 6", "shift": "value not kept"} == last
    z = x * 2
    assert by_title(z.exp() * z)["scale"].lines[-1] == "= 6"  # the product has kept it
    # by itself, though tanh has not
    assert by_title((x * x).exp().tanh())["exp"].lines[-1] == "= 8103.08"


def test_a_tensor_taken_twice_has_two_lines_from_one_box():
    x = Tensor(3.0, requires_grad=True)
    x.grad = Tensor(6.0)
    leaf, square = draw(x * x).boxes
    assert square.inputs == (0, 0)
    assert leaf.lines[-1] == "gradient = 6"


def test_folded_boxes_count_parameters_and_gradients(autoencoder):
    model, _, loss = autoencoder
    loss.backward(retain_graph=True)
    boxes = by_title(loss, model=model, fold=1)
    encoder, decoder = boxes["encoder"], boxes["decoder"]
    own = [p for name, p in model.named_parameters() if name.startswith("encoder.")]
    norm = sum(float((p.grad.data.astype("float64") ** 2).sum()) for p in own) ** 0.5
    assert encoder.lines == (
        "5 conv2d, 4 relu",
        "(4, 8, 1, 1) float32",
        f"10 parameters, {sum(p.size for p in own):,} numbers",
        f"gradient norm {norm:.4g}",
    )
    assert decoder.lines[0] == "5 conv_transpose2d, 4 relu"
    model.encoder[0].weight.grad = None
    assert by_title(loss, model=model, fold=1)["encoder"].lines[-1] == "gradients of 9 of 10"
    model.encoder.requires_grad_(False)
    assert by_title(loss, model=model, fold=1)["encoder"].lines[-1] == "held fixed"


def test_automatic_folding_keeps_the_layers_apart_and_fits_a_slide(autoencoder):
    model, images, loss = autoencoder
    drawing = draw(loss, model=model, names={"images": images})
    layers = [box.lines[0] for box in drawing.boxes if box.kind == "folded"]
    assert layers == [f"{half}.{i}" for half in ("encoder", "decoder") for i in range(0, 10, 2)]
    assert len(drawing.boxes) <= 24
    assert [box.title for box in drawing.boxes].count("relu") == 8


def test_folding_never_makes_two_boxes_depend_on_each_other():
    """A block whose results leave and come back is cut, instead of closing a circle."""

    class Interleaved(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
            self.b = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))

        def forward(self, x):
            return self.b[1](self.a[1](self.b[0](self.a[0](x)))) + x

    model = Interleaved()
    boxes = draw(model(Tensor([[1.0, 2.0]])), model=model, fold=1).boxes
    assert [box.lines[0] for box in boxes if box.kind == "folded"] == ["a.0", "b.0", "a.1", "b.1"]
    assert all(source < i for i, box in enumerate(boxes) for source in box.inputs)


def test_folding_random_graphs_keeps_every_operation_once_and_no_circles():
    folded = 0
    for seed in range(20):
        generator = numpy.random.default_rng(seed)
        parameters = {
            Tensor(1.0, requires_grad=True): f"{generator.choice(list('ab'))}.{i}.weight"
            for i in range(6)
        }
        tensors = [Tensor(1.0, requires_grad=True)]
        for _ in range(30):
            one = tensors[generator.integers(len(tensors))]
            pool = [*tensors, *parameters]
            tensors.append(one * pool[generator.integers(len(pool))])
        total = tensors[0]
        for tensor in tensors[1:]:
            total = total + tensor
        operations = sorted(operations_by_recursion(total), key=lambda made: made._number)
        for parts in (1, 2):
            groups = fold_operations(operations, parameters, parts)
            assert sorted((o for g in groups for o in g), key=lambda o: o._number) == operations
            group_of = {o: i for i, g in enumerate(groups) for o in g}
            for i, group in enumerate(groups):
                assert all(group_of[t.grad_fn] <= i for o in group for t in o.inputs if t.grad_fn)
            folded += sum(len(group) > 1 for group in groups)
    assert folded > 20


def test_dot_text_is_one_statement_a_line_with_quoted_labels():
    x = Tensor(1.0, requires_grad=True)
    lines = draw(x.exp(), names={'say "x\\y"': x}).dot.splitlines()
    assert (lines[0], lines[-1]) == ("digraph {", "}")
    node = re.compile(r'  n\d+ \[label="(?:[^"\\]|\\.)*", fillcolor="#\w{6}", color="#\w{6}"\];')
    assert all(node.fullmatch(line) for line in lines[3:5])
    assert r"say \"x\\y\"\n() float32" in lines[3]
    assert lines[5:-1] == ["  n0 -> n1;"]


def test_deep_graph_needs_no_recursion_and_no_patience():
    y = Tensor(1.0, requires_grad=True)
    for _ in range(20_000):
        y = y + 1
    drawing = draw(y)
    assert len(drawing.boxes) == 20_001
    with pytest.raises(ValueError, match="20001 boxes are too many for a picture"):
        drawing.figure()


def test_what_cannot_be_drawn_is_refused_in_words():
    x = Tensor(2.0, requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match="draw it before, or call"):
        draw(y)
    with pytest.raises(TypeError, match="expected a Tensor, got ndarray"):
        draw(numpy.zeros(3))
    with pytest.raises(TypeError, match=r"names\['x'\] is a ndarray"):
        draw(x * x, names={"x": numpy.zeros(3)})
    for wrong in (0, True, "all", 1.5):
        with pytest.raises(ValueError, match="fold must be"):
            draw(x * x, fold=wrong)
    (alone,) = draw(Tensor(1.0)).boxes
    assert alone.kind == "constant"


def test_dot_needs_no_matplotlib():
    code = (
        "import sys; from minigrad import Tensor, graph;"
        "graph.draw(Tensor(1.0, requires_grad=True).exp()).dot;"
        "print('matplotlib' in sys.modules)"
    )
    assert python("-c", code).stdout.strip() == "False"
