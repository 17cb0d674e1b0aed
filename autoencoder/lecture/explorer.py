"""A window on the latents: move them, and watch what the decoder makes of them."""

from __future__ import annotations

from typing import Any

import numpy
from matplotlib.backend_bases import Event, MouseEvent
from matplotlib.figure import Figure
from matplotlib.widgets import Button, Slider

from autoencoder.densities import DiagonalGaussian
from autoencoder.figures import COLOURS, house_style
from autoencoder.inference import decode, encode
from minigrad import nn

MOST_SLIDERS = 32
PER_COLUMN = 16
REACH = 3.0  # standard deviations a slider reaches on each side
FRAMES = 24
FRAME_MILLISECONDS = 60


class Explorer:
    """Draws the window into an empty figure, and answers its events.

    A slider for each latent (the 32 of largest spread, if there are more), or at d = 2 a plane to
    click and drag in, over the latents of the test images (N, 1, H, W). Three buttons: a random
    test image; on to another, along the line between their latents; a sample of the density that
    was fitted to the training latents. ``z`` (d,) is where the window stands, ``decoded`` (H, W)
    what it shows.

    >>> from autoencoder.models import AutoEncoder
    >>> images, rng = numpy.zeros((4, 1, 28, 28), "float32"), numpy.random.default_rng(0)
    >>> density = DiagonalGaussian([0.0] * 3, [1.0] * 3)
    >>> explorer = Explorer(Figure(), AutoEncoder(3), images, numpy.arange(4), density, rng)
    >>> explorer.sliders[0].set_val(2.0)
    >>> explorer.z.tolist(), explorer.decoded.shape
    ([2.0, 0.0, 0.0], (28, 28))
    """

    def __init__(
        self,
        figure: Figure,
        model: nn.Module,
        images: numpy.ndarray,
        labels: numpy.ndarray,
        density: DiagonalGaussian,
        rng: numpy.random.Generator,
    ) -> None:
        self.figure, self.model, self.images, self.labels = figure, model, images, labels
        self.density, self.rng = density, rng
        self.latents = encode(model, images)
        self.mean, self.std = numpy.array(density.mean), numpy.array(density.std)
        self.z = self.mean.astype("float32")
        self.decoded = pixels_of(decode(model, self.z[None])[0])
        self.ends: tuple[numpy.ndarray, numpy.ndarray] | None = None  # of an interpolation
        self.index: int | None = None  # the test image last chosen
        self.timer: Any = None
        self.frame = 0
        with house_style():
            self._lay_out()

    def _lay_out(self) -> None:
        self.figure.set_size_inches(12.0, 6.75)
        self.picture_axes = self.figure.add_axes((0.03, 0.30, 0.30, 0.58))
        self.picture = self._image(self.picture_axes, self.decoded)
        self.picture_axes.set_title("decoded")
        self.original_axes = self.figure.add_axes((0.34, 0.30, 0.13, 0.25))
        self.original = self._image(self.original_axes, numpy.zeros_like(self.decoded))
        self.original_axes.set_visible(False)
        names = ("random test image", "on to another", "sample the density")
        actions = (self.random_image, self.interpolate, self.sample)
        self.buttons = []
        for i, (name, action) in enumerate(zip(names, actions, strict=True)):
            axes = self.figure.add_axes((0.03 + 0.155 * i, 0.04, 0.145, 0.08))
            self.buttons.append(Button(axes, name))
            self.buttons[-1].label.set_fontsize(12)
            self.buttons[-1].on_clicked(lambda event, action=action: action())
        axes = self.figure.add_axes((0.09, 0.17, 0.33, 0.05))
        self.mix = Slider(axes, "way", 0.0, 1.0, valinit=0.0, color=COLOURS["vermilion"])
        self.mix.label.set_fontsize(13)
        self.mix.on_changed(self._go_along)
        self.sliders: list[Slider] = []
        self.shown: list[int] = []
        if len(self.mean) == 2:
            self._lay_out_plane()
        else:
            self._lay_out_sliders()

    def _image(self, axes: Any, pixels: numpy.ndarray) -> Any:
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        return axes.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0)

    def _lay_out_sliders(self) -> None:
        widest = numpy.argsort(-self.std, kind="stable")[:MOST_SLIDERS]
        self.shown = sorted(int(i) for i in widest)
        columns = -(-len(self.shown) // PER_COLUMN)
        rows = -(-len(self.shown) // columns)
        width, height = 0.48 / columns, min(0.86 / rows, 0.09)
        for k, i in enumerate(self.shown):
            left = 0.54 + width * (k // rows)
            place = (left, 0.90 - height * (k % rows), width - 0.11, height * 0.6)
            low, high = self.mean[i] - REACH * self.std[i], self.mean[i] + REACH * self.std[i]
            slider = Slider(
                self.figure.add_axes(place), f"$z_{{{i + 1}}}$", low, high, valinit=self.z[i]
            )
            slider.label.set_fontsize(13)
            slider.valtext.set_fontsize(11)
            slider.on_changed(lambda value, i=i: self._slide(i, value))
            self.sliders.append(slider)

    def _lay_out_plane(self) -> None:
        self.plane = self.figure.add_axes((0.56, 0.12, 0.40, 0.76))
        points = self.plane.scatter(
            *self.latents.T, c=self.labels, cmap="tab10", vmin=-0.5, vmax=9.5, s=8, alpha=0.5
        )
        self.plane.set(xlabel="$z_1$", ylabel="$z_2$", title="click or drag")
        self.figure.colorbar(points, ax=self.plane, label="class", ticks=range(10))
        for axis, values in zip("xy", self.latents.T, strict=True):
            margin = 0.05 * (values.max() - values.min()) + 1e-6
            self.plane.set(**{f"{axis}lim": (values.min() - margin, values.max() + margin)})
        (self.cross,) = self.plane.plot(*self.z, "k+", markersize=18, markeredgewidth=3)
        for event in ("button_press_event", "motion_notify_event"):
            self.figure.canvas.mpl_connect(event, self._point)

    def move_to(self, z: numpy.ndarray) -> None:
        """Stand at latents z (d,): decode them, and let the window show it."""
        self.z = numpy.array(z, dtype="float32")
        self.decoded = pixels_of(decode(self.model, self.z[None])[0])
        self.picture.set_data(self.decoded)
        for slider, i in zip(self.sliders, self.shown, strict=True):
            _set_quietly(slider, self.z[i])
        if not self.sliders:
            self.cross.set_data([self.z[0]], [self.z[1]])
        self.figure.canvas.draw_idle()

    def random_image(self) -> None:
        """Stand at the latents of a random test image, and show it beside what is decoded."""
        self._choose()
        self.move_to(self.latents[self.index])

    def interpolate(self) -> None:
        """Set out from here towards the latents of another test image."""
        self._choose()
        self.ends = (self.z, self.latents[self.index])
        self.timer = self.figure.canvas.new_timer(interval=FRAME_MILLISECONDS)
        self.timer.add_callback(self.advance)
        self.frame = 0
        self.timer.start()

    def advance(self) -> bool:
        """One frame on the way of :meth:`interpolate`; whether there is more to go."""
        if self.ends is None:
            return False
        self.frame += 1
        _set_quietly(self.mix, self.frame / FRAMES)
        self._go_along(self.mix.val)
        return self.frame < FRAMES

    def sample(self) -> None:
        """Stand at latents drawn from the density."""
        self._leave()
        self.original_axes.set_visible(False)
        self.move_to(self.density.sample(1, self.rng)[0])

    def _choose(self) -> None:
        """Show a random test image, not the one chosen last."""
        self._leave()
        others = [i for i in range(len(self.images)) if i != self.index]
        self.index = int(self.rng.choice(others))
        self.original.set_data(pixels_of(self.images[self.index]))
        self.original_axes.set_title(f"test image: {self.labels[self.index]}", fontsize=13)
        self.original_axes.set_visible(True)

    def _leave(self) -> None:
        """End a journey that is under way."""
        if self.timer is not None:
            self.timer.stop()
        self.timer = self.ends = None
        _set_quietly(self.mix, 0.0)

    def _go_along(self, share: float) -> None:
        """Stand at a share of the way of an interpolation."""
        if self.ends is not None:
            self.move_to((1 - share) * self.ends[0] + share * self.ends[1])

    def _slide(self, i: int, value: float) -> None:
        self._leave()
        z = self.z.copy()
        z[i] = value
        self.move_to(z)

    def _point(self, event: Event) -> None:
        """The mouse was pressed, or moved while pressed, in the plane."""
        if not isinstance(event, MouseEvent) or event.button != 1:
            return
        if event.inaxes is self.plane and event.xdata is not None:
            self._leave()
            self.move_to(numpy.array([event.xdata, event.ydata]))


def _set_quietly(slider: Slider, value: float) -> None:
    """Move a slider without being called back, and without a drawing for itself."""
    slider.eventson = slider.drawon = False
    slider.set_val(value)
    slider.eventson = slider.drawon = True


def pixels_of(image: numpy.ndarray) -> numpy.ndarray:
    """An image (C, H, W) as matplotlib draws it: (H, W) if it is grey, else (H, W, 3)."""
    return image[0] if len(image) == 1 else numpy.clip(image.transpose(1, 2, 0), 0, 1)
