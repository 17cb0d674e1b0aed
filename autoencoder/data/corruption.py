"""What is done to clean data before a network has to undo it: noise, and pixels erased.

A corruption is a callable ``corrupted = corruption(images, rng)``. It never changes its input,
keeps shape and dtype, and takes all its randomness from `rng`, so the same generator state gives
the same result. Those that erase pixels also tell which: `mask` gives True where a pixel is lost.

>>> rng = numpy.random.default_rng(0)
>>> clean = numpy.ones((2, 1, 4, 4), numpy.float32)
>>> EraseHalf("left")(clean, rng)[0, 0]
array([[0., 0., 1., 1.],
       [0., 0., 1., 1.],
       [0., 0., 1., 1.],
       [0., 0., 1., 1.]], dtype=float32)
>>> GaussianNoise(0.5)(clean, rng).dtype
dtype('float32')
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import ArrayLike

from autoencoder.data.arrays import array_of_numbers, known_name, require_generator
from autoencoder.storage.checkpoint import digest_of
from minigrad.backend import require_number, shown, whole_number

_SIDES = ("left", "right", "top", "bottom")


class GaussianNoise:
    """Add independent normal noise to every number: x~ = x + std * epsilon, epsilon ~ N(0, 1).

    Works on arrays of any shape, images (N, C, H, W) and points (N, 2) alike.

    Parameters
    ----------
    std : float
        Standard deviation of the noise, 0 or more, in the units of the data.
    clip : bool
        Cut the result to [0, 1]. Off by default: clipped noise is no longer Gaussian.

    Examples
    --------
    >>> noise = GaussianNoise(0.1)
    >>> noise
    GaussianNoise(std=0.1, clip=False)
    >>> noise(numpy.zeros((3, 2)), numpy.random.default_rng(0)).shape
    (3, 2)
    """

    def __init__(self, std: float, clip: bool = False) -> None:
        require_number("GaussianNoise", "std", std, minimum=0.0, finite=True)
        self.std = float(std)
        self.clip = bool(clip)

    def __call__(self, images: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        """Give a noisy copy of `images` (floating point, any shape)."""
        _check(self, images, rng)
        # The generator draws float32 and float64 only; half precision is drawn wider.
        drawn = numpy.float64 if images.dtype == numpy.float64 else numpy.float32
        noisy = rng.standard_normal(images.shape, dtype=drawn)
        noisy *= drawn(self.std)
        noisy += images
        if self.clip:
            numpy.clip(noisy, 0, 1, out=noisy)
        return noisy.astype(images.dtype, copy=False)

    def __repr__(self) -> str:
        return f"GaussianNoise(std={self.std:g}, clip={self.clip})"


class MaskedCorruption:
    """Base of the corruptions that erase pixels; a subclass says which, in `mask`.

    ``corruption(images, rng)`` equals ``corruption.apply(images, corruption.mask(images, rng))``:
    take the two steps where the mask itself is needed, to measure or to restore.

    Parameters
    ----------
    fill : float or array
        What an erased pixel becomes: one number, or an array broadcast to the images' (C, H, W),
        for example the mean of the training images.

    Examples
    --------
    >>> class EraseBright(MaskedCorruption):
    ...     def mask(self, images, rng):
    ...         return images > 0.5
    >>> EraseBright(fill=0.5)(numpy.array([[[[0.0, 0.2, 0.9]]]]), numpy.random.default_rng(0))
    array([[[[0. , 0.2, 0.5]]]])
    """

    fill: numpy.ndarray = numpy.zeros(())

    def __init__(self, fill: ArrayLike = 0.0) -> None:
        self.fill = array_of_numbers(type(self).__name__, "fill", fill)
        if self.fill.ndim > 3:
            raise ValueError(
                f"{type(self).__name__}: fill must broadcast to (C, H, W), has shape "
                f"{self.fill.shape}"
            )

    def mask(self, images: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        """Draw which pixels of images (N, C, H, W) are lost: bool of their shape, True = erased.

        Only the shape matters. The channels of a pixel go together.
        """
        raise NotImplementedError(f"{type(self).__name__}: mask is not written")

    def apply(self, images: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
        """Give a copy of `images` (N, C, H, W) with `fill` wherever `mask` is True."""
        name = type(self).__name__
        if mask.shape != images.shape or mask.dtype != bool:
            raise ValueError(
                f"{name}: the mask must be bool of shape {images.shape}, not {mask.dtype} "
                f"{mask.shape}"
            )
        return numpy.where(mask, self._filling(images), images)

    def _filling(self, images: numpy.ndarray) -> numpy.ndarray:
        try:
            return numpy.broadcast_to(self.fill.astype(images.dtype), images.shape)
        except ValueError:
            raise ValueError(
                f"{type(self).__name__}: fill of shape {self.fill.shape} does not broadcast to "
                f"images of shape {images.shape}"
            ) from None

    def __call__(self, images: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        """Give a copy of `images` (floating point, (N, C, H, W)) with pixels erased."""
        _check(self, images, rng)
        self._filling(images)  # before anything is drawn
        return self.apply(images, self.mask(images, rng))

    def __repr__(self) -> str:
        others = {name: value for name, value in vars(self).items() if name != "fill"}
        told = [f"{name}={_told(value)}" for name, value in {**others, "fill": self.fill}.items()]
        return f"{type(self).__name__}({', '.join(told)})"


def _told(value: Any) -> str:
    """An argument of a corruption, in words that tell it from others: an array by a digest."""
    if isinstance(value, numpy.ndarray) and value.ndim:
        return f"<array {value.shape} {digest_of(value)[:8]}>"
    is_number = isinstance(value, float | numpy.ndarray)
    return f"{value:g}" if is_number else repr(value)


class ErasePixels(MaskedCorruption):
    """Erase each pixel with the same probability, independently of the others.

    Parameters
    ----------
    share : float
        Probability of losing a pixel, in [0, 1].
    fill : float or array
        See `MaskedCorruption`.

    Examples
    --------
    >>> corruption = ErasePixels(0.25)
    >>> corruption
    ErasePixels(share=0.25, fill=0)
    >>> mask = corruption.mask(numpy.zeros((100, 1, 28, 28)), numpy.random.default_rng(0))
    >>> round(float(mask.mean()), 2)
    0.25
    """

    def __init__(self, share: float, fill: ArrayLike = 0.0) -> None:
        super().__init__(fill)
        require_number("ErasePixels", "share", share, finite=True)
        if not 0 <= share <= 1:
            raise ValueError(f"ErasePixels: share must be between 0 and 1, not {share}")
        self.share = float(share)

    def mask(self, images: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        count, channels, height, width = _image_shape(self, images, rng)
        erased = rng.random((count, 1, height, width), dtype=numpy.float32) < self.share
        return numpy.repeat(erased, channels, axis=1)


class EraseBlock(MaskedCorruption):
    """Erase one rectangle an image, wholly inside it, every position equally likely.

    Parameters
    ----------
    height : int
        Rows of the rectangle, 1 or more.
    width : int, optional
        Its columns; by default a square.
    fill : float or array
        See `MaskedCorruption`.

    Examples
    --------
    >>> corruption = EraseBlock(10, 6)
    >>> corruption
    EraseBlock(height=10, width=6, fill=0)
    >>> int(corruption.mask(numpy.zeros((1, 1, 28, 28)), numpy.random.default_rng(0)).sum())
    60
    """

    def __init__(self, height: int, width: int | None = None, fill: ArrayLike = 0.0) -> None:
        super().__init__(fill)
        self.height = whole_number("EraseBlock", "height", height)
        self.width = self.height if width is None else whole_number("EraseBlock", "width", width)

    def mask(self, images: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        count, channels, height, width = _image_shape(self, images, rng)
        if self.height > height or self.width > width:
            raise ValueError(f"{self!r} does not fit in images of shape {images.shape}")
        top = rng.integers(0, height - self.height + 1, size=(count, 1))
        left = rng.integers(0, width - self.width + 1, size=(count, 1))
        row, column = numpy.arange(height), numpy.arange(width)
        rows = (row >= top) & (row < top + self.height)  # (N, H)
        columns = (column >= left) & (column < left + self.width)  # (N, W)
        erased = (
            rows[:, numpy.newaxis, :, numpy.newaxis] & columns[:, numpy.newaxis, numpy.newaxis, :]
        )
        return numpy.repeat(erased, channels, axis=1)


class EraseHalf(MaskedCorruption):
    """Erase one half of every image. An odd middle row or column belongs to bottom or right.

    Parameters
    ----------
    side : {"left", "right", "top", "bottom"}
        The half that is lost.
    fill : float or array
        See `MaskedCorruption`.

    Examples
    --------
    >>> EraseHalf("top")
    EraseHalf(side='top', fill=0)
    """

    def __init__(self, side: str, fill: ArrayLike = 0.0) -> None:
        super().__init__(fill)
        self.side = known_name("EraseHalf", "side", side, _SIDES)

    def mask(
        self, images: numpy.ndarray, rng: numpy.random.Generator | None = None
    ) -> numpy.ndarray:
        """Tell which pixels are lost; see `MaskedCorruption.mask`. Nothing here is random."""
        _, _, height, width = _image_shape(self, images, rng)
        erased = numpy.zeros(images.shape, bool)
        half = {
            "left": numpy.s_[..., : width // 2],
            "right": numpy.s_[..., width // 2 :],
            "top": numpy.s_[..., : height // 2, :],
            "bottom": numpy.s_[..., height // 2 :, :],
        }[self.side]
        erased[half] = True
        return erased

    def __call__(
        self, images: numpy.ndarray, rng: numpy.random.Generator | None = None
    ) -> numpy.ndarray:
        """Give a copy of `images` (floating point, (N, C, H, W)) with one half erased."""
        _check(self, images, rng)
        return self.apply(images, self.mask(images, rng))


def _check(corruption: object, images: numpy.ndarray, rng: object) -> None:
    name = type(corruption).__name__
    if not isinstance(images, numpy.ndarray) or images.dtype.kind != "f":
        kind = images.dtype if isinstance(images, numpy.ndarray) else type(images).__name__
        raise TypeError(f"{name}: images must be a floating-point NumPy array, not {kind}")
    if rng is not None or not isinstance(corruption, EraseHalf):  # nothing of which is random
        require_generator(name, rng)


def _image_shape(
    corruption: object, images: numpy.ndarray, rng: object
) -> tuple[int, int, int, int]:
    _check(corruption, images, rng)
    if images.ndim != 4:
        name = type(corruption).__name__
        raise ValueError(f"{name}: images must have shape (N, C, H, W), not {images.shape}")
    count, channels, height, width = images.shape
    return count, channels, height, width


class EraseOneOf(MaskedCorruption):
    """Erase pixels of every image in one of several ways: to train one network that restores all.

    Parameters
    ----------
    ways : sequence of MaskedCorruption
        One named twice is twice as likely. Only their masks are used.
    fill : float or array
        See :class:`~autoencoder.data.corruption.MaskedCorruption`.

    Raises
    ------
    TypeError
        If one of them erases nothing.
    ValueError
        If there is none.

    Examples
    --------
    >>> from autoencoder.data.corruption import EraseHalf
    >>> corruption = EraseOneOf([EraseHalf("left"), EraseHalf("right")], fill=0.5)
    >>> images = numpy.zeros((100, 1, 28, 28), "float32")
    >>> mask = corruption.mask(images, numpy.random.default_rng(0))
    >>> bool((mask.sum(axis=(1, 2, 3)) == 14 * 28).all()), 30 < int(mask[:, 0, 0, 0].sum()) < 70
    (True, True)
    """

    def __init__(self, ways: Sequence[MaskedCorruption], fill: ArrayLike = 0.0) -> None:
        super().__init__(fill)
        self.ways = list(ways)
        if not self.ways:
            raise ValueError("EraseOneOf: expected at least one way of erasing")
        for way in self.ways:
            if not isinstance(way, MaskedCorruption):
                raise TypeError(f"EraseOneOf: {shown(way)} has no mask")

    def mask(self, images: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        require_generator("EraseOneOf", rng)
        chosen = rng.integers(0, len(self.ways), size=len(images))
        mask = numpy.empty(images.shape, bool)
        for number, way in enumerate(self.ways):
            members = numpy.flatnonzero(chosen == number)
            mask[members] = way.mask(images[members], rng)
        return mask
