"""The picture of the graph: nothing overlaps, everything fits."""

from __future__ import annotations

import itertools

import numpy
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from autoencoder.models import AutoEncoder
from minigrad import Tensor, nn
from minigrad import functional as F
from minigrad.graph import draw
from minigrad.graph.picture import arrange


def random_graph(seed):
    """Inputs and sizes of up to 40 boxes, some taking from far back."""
    generator = numpy.random.default_rng(seed)
    inputs = [()]
    for i in range(1, int(generator.integers(2, 40))):
        count = generator.integers(0, 4)
        near = generator.integers(max(i - 4, 0), i, count)
        far = generator.integers(0, i, int(generator.random() < 0.2))
        inputs.append(tuple(int(source) for source in (*near, *far)))
    sizes = [tuple(generator.uniform((2, 1), (12, 6))) for _ in inputs]
    return inputs, sizes


def pieces(line):
    return itertools.pairwise(line)


@pytest.mark.parametrize("seed", range(12))
def test_boxes_do_not_overlap_and_lines_run_round_them(seed):
    inputs, sizes = random_graph(seed)
    layout = arrange(inputs, sizes, (16.0, 9.0))
    edges = numpy.array(
        [
            (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            for (x, y), (w, h) in zip(layout.centres, sizes)
        ]
    )
    tiny = 1e-6
    assert edges[:, :2].min() >= -tiny
    assert edges[:, 2].max() <= layout.width + tiny
    assert edges[:, 3].max() <= layout.height + tiny
    for i, (left, top, right, bottom) in enumerate(edges):
        apart = (edges[:, 0] > right - tiny) | (edges[:, 2] < left + tiny)
        apart |= (edges[:, 1] > bottom - tiny) | (edges[:, 3] < top + tiny)
        assert apart.sum() == len(edges) - 1, f"box {i}"
    lines = iter(layout.lines)
    for box, sources in enumerate(inputs):
        for source in sources:
            line = next(lines)
            assert line[0] == pytest.approx((edges[source][2], layout.centres[source][1]))
            assert line[-1][0] == pytest.approx(edges[box][0])
            assert numpy.min(line) >= -tiny
            assert (numpy.max(line, axis=0) <= (layout.width + tiny, layout.height + tiny)).all()
            for start, end in pieces(line):
                assert max(abs(numpy.subtract(start, end))) > 1e-6  # or its arrow has no head
                points = numpy.linspace(start, end, 50)
                if start[1] != end[1] and start[0] != end[0]:  # drawn as a swing in a gap
                    points = numpy.array([(x, y) for x in points[:, 0] for y in points[[0, -1], 1]])
                inside = (points[:, None] > edges[None, :, :2] + tiny).all(2)
                inside &= (points[:, None] < edges[None, :, 2:] - tiny).all(2)
                assert not inside.any(), f"the line from {source} to {box}"
    assert next(lines, None) is None


def test_arrangement_uses_the_shape_of_the_page():
    inputs = [()] + [(i,) for i in range(23)]
    sizes = [(10.0, 5.0)] * 24
    for shape in ((16, 9), (4, 3), (1, 2)):
        layout = arrange(inputs, sizes, shape)
        assert 0.5 < (layout.width / layout.height) / (shape[0] / shape[1]) < 2


def test_operations_of_a_row_stand_level_and_are_read_from_left_to_right():
    inputs = [(), (), ()]  # an input, and a weight and a bias for each of ten operations
    operations = []
    for i in range(10):
        operations.append(len(inputs))
        inputs.append((operations[-2] if i else 0, len(inputs) - 2, len(inputs) - 1))
        inputs += [(), ()]
    inputs = inputs[:-2]
    sizes = [(4.0 + box % 3, 2.0 + box % 4) for box in range(len(inputs))]
    layout = arrange(inputs, sizes, (16.0, 9.0))
    rows = itertools.groupby(operations, key=lambda box: round(layout.centres[box][1], 6))
    rows = [[layout.centres[box] for box in row] for _, row in rows]
    assert 1 < len(rows) < 5
    assert rows == sorted(rows, key=lambda row: row[0][1])
    for row in rows:
        assert row == sorted(row)


@pytest.fixture(scope="module")
def slide():
    model = AutoEncoder(8)
    images = Tensor(numpy.random.default_rng(0).random((4, 1, 28, 28)).astype("float32"))
    loss = F.mse_loss(model(images), images)
    loss.backward(retain_graph=True)
    drawing = draw(loss, model=model, names={"images": images})
    return drawing, drawing.figure()


def test_lectures_autoencoder_fits_a_slide_with_letters_that_can_be_read(slide):
    drawing, figure = slide
    width, height = figure.get_size_inches()
    assert (width, height) <= (12.001, 6.751)
    (axes,) = figure.axes
    assert min(text.get_fontsize() for text in axes.texts) >= 8
    shown = [text.get_text() for text in axes.texts]
    assert shown == [text for box in drawing.boxes for text in (box.title, *box.lines)]


def test_every_text_lies_inside_its_box(slide):
    drawing, figure = slide
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    patches = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    texts = iter(axes.texts)
    for box, patch in zip(drawing.boxes, patches, strict=True):
        outline = patch.get_window_extent()
        for _ in (box.title, *box.lines):
            extent = next(texts).get_window_extent()
            assert outline.x0 < extent.x0
            assert extent.x1 < outline.x1
            assert outline.y0 < extent.y0
            assert extent.y1 < outline.y1
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == sum(len(box.inputs) for box in drawing.boxes)


def test_notebook_shows_a_png_and_the_text_is_dot(slide):
    drawing, _ = slide
    assert drawing._repr_png_().startswith(b"\x89PNG")
    assert str(drawing) == drawing.dot
    assert repr(drawing) == "Drawing of 21 boxes"


@pytest.mark.parametrize("name", ["$\\alpha_1$ costs 5$", "$\\nothing$", "two\nlines", " "])
def test_unusual_names_are_drawn_as_they_are_on_one_line(name):
    x = Tensor(1.0, requires_grad=True)
    figure = draw(x.exp(), names={name: x}).figure()
    FigureCanvasAgg(figure).draw()  # would raise on broken formulas
    shown, *_ = figure.axes[0].texts
    assert shown.get_text().replace("\\$", "$") == name.replace("\n", " ")


def test_key_is_not_cut_where_the_graph_is_narrower():
    x = Tensor(1.0)
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    y = model(x.reshape(1, 1)) * Tensor(1.0, requires_grad=True)
    for width in (3.0, 6.0, 12.0):
        figure = draw(y, model=model, fold=1).figure(width, height=30.0)
        FigureCanvasAgg(figure).draw()
        key = figure.axes[0].get_legend().get_window_extent()
        assert len(figure.axes[0].get_legend().get_texts()) == 4
        assert figure.bbox.x0 <= key.x0
        assert key.x1 <= figure.bbox.x1
