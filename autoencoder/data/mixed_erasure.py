"""Several ways of erasing pixels, mixed: what one network that restores them all is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import numpy.typing as npt

from autoencoder.data.corruption import MaskedCorruption
from minigrad.backend import shown

__all__ = ["EraseOneOf"]


class EraseOneOf(MaskedCorruption):
    """Erase pixels of every image in one of several ways, each equally likely.

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

    def __init__(self, ways: Sequence[MaskedCorruption], fill: npt.ArrayLike = 0.0) -> None:
        super().__init__(fill)
        self.ways = tuple(ways)
        if not self.ways:
            raise ValueError("EraseOneOf: expected at least one way of erasing")
        for way in self.ways:
            if not isinstance(way, MaskedCorruption):
                raise TypeError(f"EraseOneOf: {shown(way)} has no mask")

    def mask(self, images: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        """Draw which pixels are lost; see `MaskedCorruption.mask`."""
        if not isinstance(rng, numpy.random.Generator):
            raise TypeError(f"EraseOneOf: rng must be a numpy.random.Generator, got {shown(rng)}")
        chosen = rng.integers(0, len(self.ways), size=len(images))
        mask = numpy.empty(images.shape, bool)
        for number, way in enumerate(self.ways):
            members = numpy.flatnonzero(chosen == number)
            mask[members] = way.mask(images[members], rng)
        return mask

    def __repr__(self) -> str:
        return f"EraseOneOf(ways={list(self.ways)!r}, fill={self._fill_repr()})"
