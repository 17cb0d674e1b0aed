"""Tables, bars and panels: what is drawn is what was given."""

import numpy

from autoencoder import figures


def test_a_table_shows_every_entry_and_rules_where_asked():
    figure = figures.table(["layer", "size"], [["a", "1"], ["b", "20"]], title="t", rules=[1])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["layer", "size", "a", "1", "b", "20"]
    assert [line.get_ydata()[0] for line in axes.lines] == [0.5, 1.5]
    assert [text.get_ha() for text in axes.texts[2:4]] == ["left", "right"]


def test_bars_run_from_top_to_bottom_with_their_values():
    figure = figures.bar_chart(
        {"first": 3.0, "second": 1.25}, "distance", emphasised=["second"], value_format="{:.1f}"
    )
    (axes,) = figure.axes
    assert [patch.get_width() for patch in axes.patches] == [3.0, 1.25]
    assert axes.yaxis_inverted()
    assert [text.get_text() for text in axes.texts] == ["3.0", "1.2"]
    colours = [patch.get_facecolor() for patch in axes.patches]
    assert colours[0] != colours[1]


def test_panels_hold_the_images_row_by_row():
    images = numpy.random.default_rng(0).random((3, 28, 28))
    figure = figures.image_panels({"one": images, "two": 1 - images}, columns=2)
    assert [axes.get_title() for axes in figure.axes] == ["one", "two"]
    mosaic = numpy.asarray(figure.axes[0].images[0].get_array())
    numpy.testing.assert_array_equal(
        mosaic[30:, :28, 0], numpy.rint(255 * images[2]).astype("uint8")
    )
    assert (mosaic[30:, 30:, 3] == 0).all()


def test_groups_of_rows_stand_apart_and_keep_their_titles():
    rows = [numpy.full((2, 28, 28), level) for level in (0.0, 0.2, 0.4)]
    figure = figures.rows_of_images(rows, ["a", "b", "c"], groups=[0, 2])
    mosaic = numpy.asarray(figure.axes[0].images[0].get_array())
    assert figure.axes[0].get_yticks().tolist() == [13.5, 45.5, 85.5]  # gaps of 4, then of 12
    assert mosaic[[45, 85], 0, 0].tolist() == [51, 102]
    assert (mosaic[60:72, :, 3] == 0).all()
    assert len(mosaic) == 100
