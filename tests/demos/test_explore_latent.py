"""The window on the latents, driven by the mouse; and what it leaves without a screen."""

import json
import tracemalloc

import numpy
import pytest
from matplotlib.backend_bases import MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from autoencoder.densities import DiagonalGaussian
from autoencoder.inference import decode, encode
from autoencoder.lecture.explorer import FRAMES, MOST_SLIDERS, Explorer
from autoencoder.lecture.sections import load_demo
from autoencoder.models import AutoEncoder
from autoencoder.storage.checkpoint import save_checkpoint
from autoencoder.training import TrainingSettings, train
from minigrad import manual_seed

main = load_demo("explore_latent").main
SMALL = ["--preset", "smoke", "--train-images", "60", "--test-images", "20", "--headless"]


def window(latent_size):
    manual_seed(0)
    model = AutoEncoder(latent_size)
    images = numpy.random.default_rng(0).random((12, 1, 28, 28)).astype("float32")
    density = DiagonalGaussian().fit(encode(model, images))
    figure = Figure()
    FigureCanvasAgg(figure)
    figure.canvas.draw_idle = lambda: None  # a window draws when it is idle, this canvas at once
    labels = numpy.arange(12) % 10
    explorer = Explorer(figure, model, images, labels, density, numpy.random.default_rng(1))
    return explorer


def mouse(explorer, kind, axes, x, y):
    """A mouse event at a point given in parts of the axes' width and height."""
    place = axes.transAxes.transform((x, y))
    button = 1 if kind != "motion_notify_event" or explorer.pressed else None
    MouseEvent(kind, explorer.figure.canvas, *place, button=button)._process()
    explorer.pressed = kind == "button_press_event" or (
        explorer.pressed and kind == "motion_notify_event"
    )


def click(explorer, axes, x=0.5, y=0.5):
    explorer.pressed = False
    mouse(explorer, "button_press_event", axes, x, y)
    mouse(explorer, "button_release_event", axes, x, y)


def in_data(axes, x, y):
    """A point given in parts of the axes, in the units of its data."""
    return axes.transData.inverted().transform(axes.transAxes.transform((x, y)))


def assert_shows(explorer, z):
    """The latents, the sliders and the picture all say z."""
    numpy.testing.assert_allclose(explorer.z, z, rtol=1e-5, atol=1e-6)
    expected = decode(explorer.model, explorer.z[None])[0, 0]
    numpy.testing.assert_array_equal(explorer.picture.get_array(), expected)
    for slider, i in zip(explorer.sliders, explorer.shown, strict=True):
        assert slider.val == pytest.approx(numpy.clip(z[i], slider.valmin, slider.valmax), abs=1e-6)


def test_slider_moves_its_own_latent_and_decodes():
    explorer = window(3)
    assert_shows(explorer, explorer.mean)
    click(explorer, explorer.sliders[1].ax, 0.75)
    expected = explorer.mean.copy()
    expected[1] += 1.5 * explorer.std[1]  # half way from the middle to 3 standard deviations
    numpy.testing.assert_allclose(explorer.z, expected, rtol=1e-3, atol=1e-4)
    assert_shows(explorer, explorer.z)


def test_random_image_stands_at_its_latents_and_shows_it():
    explorer = window(3)
    assert not explorer.original_axes.get_visible()
    seen = set()
    for _ in range(6):
        click(explorer, explorer.buttons[0].ax)
        assert explorer.index not in seen or len(seen) > 1
        seen.add(explorer.index)
        assert_shows(explorer, explorer.latents[explorer.index])
        shown = explorer.original.get_array()
        numpy.testing.assert_array_equal(shown, explorer.images[explorer.index, 0])
        assert explorer.original_axes.get_visible()
    assert len(seen) > 2


def test_interpolation_goes_from_here_to_another_image_and_stops_there():
    explorer = window(3)
    click(explorer, explorer.buttons[0].ax)
    start, first = explorer.z.copy(), explorer.index
    click(explorer, explorer.buttons[1].ax)
    assert explorer.index != first
    goal = explorer.latents[explorer.index]
    assert_shows(explorer, start)  # it has not moved yet
    (callback, _, _), *rest = explorer.timer.callbacks
    assert rest == []
    frames = 1
    while callback():
        share = frames / FRAMES
        assert_shows(explorer, (1 - share) * start + share * goal)
        frames += 1
    assert frames == FRAMES
    assert_shows(explorer, goal)
    click(explorer, explorer.mix.ax, 0.5)  # and back by hand
    numpy.testing.assert_allclose(explorer.z, (start + goal) / 2, rtol=1e-3, atol=1e-4)


def test_any_other_action_ends_the_journey():
    explorer = window(3)
    click(explorer, explorer.buttons[1].ax)
    callback = explorer.timer.callbacks[0][0]
    callback()
    click(explorer, explorer.buttons[2].ax)
    standing = explorer.z.copy()
    assert callback() is False
    numpy.testing.assert_array_equal(explorer.z, standing)


def test_sample_comes_from_the_density():
    explorer = window(3)
    drawn = []
    for _ in range(100):
        explorer.sample()
        drawn.append(explorer.z)
    assert not explorer.original_axes.get_visible()
    off = (numpy.mean(drawn, axis=0) - explorer.mean) / explorer.std
    assert numpy.abs(off).max() < 4 / 100**0.5
    numpy.testing.assert_allclose(numpy.std(drawn, axis=0), explorer.std, rtol=0.35)


def test_plane_is_clicked_and_dragged_in():
    explorer = window(2)
    plane = explorer.plane
    assert explorer.sliders == []
    (left, right), (bottom, top) = plane.get_xlim(), plane.get_ylim()
    assert ((explorer.latents > (left, bottom)) & (explorer.latents < (right, top))).all()
    assert right - left < 1.2 * numpy.ptp(explorer.latents[:, 0])
    click(explorer, plane, 0.25, 0.75)
    where = in_data(plane, 0.25, 0.75)
    assert_shows(explorer, where)
    assert (explorer.cross.get_xdata()[0], explorer.cross.get_ydata()[0]) == pytest.approx(where)
    explorer.pressed = False
    mouse(explorer, "motion_notify_event", plane, 0.5, 0.5)  # no button is down
    assert_shows(explorer, where)
    mouse(explorer, "button_press_event", plane, 0.3, 0.3)
    mouse(explorer, "motion_notify_event", plane, 0.6, 0.4)
    assert_shows(explorer, in_data(plane, 0.6, 0.4))
    explorer.pressed = False
    click(explorer, explorer.picture_axes)  # elsewhere
    assert_shows(explorer, in_data(plane, 0.6, 0.4))


def test_many_latents_get_sliders_for_the_widest_inside_the_window():
    explorer = window(40)
    assert len(explorer.sliders) == MOST_SLIDERS
    hidden = [i for i in range(40) if i not in explorer.shown]
    assert explorer.std[hidden].max() <= explorer.std[explorer.shown].min()
    for slider in explorer.sliders:
        x0, y0, x1, y1 = slider.ax.get_position().extents
        assert 0 < x0 < x1 < 1
        assert 0 < y0 < y1 < 1


def assert_sheet(path):
    picture = imread(path)
    assert min(picture.shape[:2]) > 400
    assert picture[..., :3].std() > 0.05


def test_headless_trains_writes_sheets_and_draws_the_same_again(tmp_path, capsys):
    out = tmp_path / "run"
    assert main([*SMALL, "--latent-size", "2", "--out", str(out)]) == 0
    assert_sheet(out / "contact_sheet.png")
    assert_sheet(out / "plane.png")
    before = (out / "contact_sheet.png").read_bytes()
    assert main([*SMALL, "--latent-size", "2", "--resume", "--out", str(out)]) == 0
    assert (out / "contact_sheet.png").read_bytes() == before
    assert json.loads((out / "config.json").read_text())["latent_size"] == 2


def test_checkpoint_says_its_own_size_and_is_not_trained(tmp_path, capsys):
    images = numpy.random.default_rng(0).random((8, 1, 28, 28)).astype("float32")
    settings = TrainingSettings(epochs=1, batch_size=8)
    (tmp_path / "model").mkdir()
    train(AutoEncoder(3), images, settings, folder=tmp_path / "model", quiet=True)
    checkpoint = tmp_path / "model" / "checkpoint.npz"
    out = tmp_path / "run"
    assert main([*SMALL, "--checkpoint", str(checkpoint), "--out", str(out)]) == 0
    assert_sheet(out / "contact_sheet.png")
    assert not (out / "plane.png").exists()
    assert not (out / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--checkpoint", "/no/such/file.npz"], "No such file"),
        (["--checkpoint", __file__], "not a checkpoint"),
        (["--checkpoint", "x.npz", "--latent-size", "3"], "not allowed with --checkpoint"),
        (["--latent-size", "0"], "whole number from 1"),
        (["--headles"], "did you mean --headless?"),
    ],
)
def test_mistakes_are_one_line_and_status_2(arguments, message, refused):
    assert message in refused(main, arguments)


LARGE = 1_000_000


@pytest.mark.parametrize(
    ("changes", "field"),  # arrays replaced by zeros of a shape or, by None, left out
    [
        ({"encoder.8.bias": (LARGE,)}, "encoder.8.bias"),
        ({"encoder.8.bias": (LARGE,), "encoder.8.weight": (LARGE, 0, 4, 4)}, "encoder.8."),
        ({"encoder.8.bias": (100_000,), "decoder.0.weight": (100_000, 32, 4, 0)}, "encoder.8."),
        ({"encoder.8.bias": (4,)}, "encoder.8.bias"),
        ({"encoder.8.bias": ()}, "encoder.8.bias"),
        ({"encoder.0.weight": (LARGE, 1)}, "encoder.0.weight"),
        ({"decoder.8.bias": None}, "decoder.8.bias"),
        ({"decoder.9.bias": (LARGE,)}, "decoder.9.bias"),
    ],
)
def test_a_forged_checkpoint_is_refused_by_its_shapes_in_no_memory(
    changes, field, tmp_path, refused
):
    path, model = tmp_path / "forged.npz", AutoEncoder(3)
    zeros = {n: shape if shape is None else numpy.zeros(shape, "f") for n, shape in changes.items()}
    arrays = {f"model/{n}": a for n, a in {**model.state_dict(), **zeros}.items() if a is not None}
    metadata = {"kind": "minigrad training", "model": repr(model), "arguments": [3]}
    metadata |= {"epoch": 0, "step": 0, "running_loss": 0.0, "seconds": 0.0, "rows": []}
    save_checkpoint(path, arrays, metadata)
    tracemalloc.start()
    error = refused(main, ["--checkpoint", str(path), "--out", str(tmp_path / "run")])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"{path}: {field}" in error
    assert peak < 10_000_000 + 4 * path.stat().st_size


def test_without_a_screen_it_says_so_and_writes_the_sheets(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    without_flag = [argument for argument in SMALL if argument != "--headless"]
    assert main([*without_flag, "--out", str(tmp_path / "run")]) == 0
    assert "there is no screen" in capsys.readouterr().out
    assert_sheet(tmp_path / "run" / "contact_sheet.png")
