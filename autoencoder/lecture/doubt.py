"""Digits with a half erased, and how open to doubt it is what the half was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from autoencoder.metrics import nearest_neighbours

__all__ = ["NEIGHBOURS", "SHOWN", "Doubtful", "find_doubtful", "gradient_energy", "hidden_part"]

NEIGHBOURS = 30  # training images that match the visible half of a digit
SHOWN = 8


@dataclass(frozen=True)
class Doubtful:
    """Test images with a half erased, by how open to doubt it is what the half was.

    ``near`` are the places (N, NEIGHBOURS) of the training images that match the visible half best,
    ``entropy`` that of their classes in bits, ``order`` the test images, most doubtful first.
    """

    near: numpy.ndarray
    entropy: numpy.ndarray
    order: numpy.ndarray

    @property
    def shown(self) -> numpy.ndarray:
        """The images that figures show."""
        return self.order[:SHOWN]


def find_doubtful(
    train: numpy.ndarray, labels: numpy.ndarray, test: numpy.ndarray, mask: numpy.ndarray
) -> Doubtful:
    """Order test images by how much the matches of their visible half disagree."""
    near, distances = nearest_neighbours(test[:, ~mask], train[:, ~mask], NEIGHBOURS)
    hidden = train[:, mask]
    spread = hidden[near].var(axis=1).mean(axis=1)
    entropy = numpy.array([_entropy(labels[row]) for row in near])
    # Doubt is what classes and pixels of the matches disagree about; a bad match proves none.
    is_matched = distances[:, -1] <= numpy.median(distances[:, -1])
    order = numpy.argsort(numpy.where(is_matched, entropy * spread, -1.0))[::-1]
    return Doubtful(near, entropy, order)


def hidden_part(images: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
    """The erased rows of images (..., H, W), of which a mask (C, H, W) erases whole rows."""
    return images[..., mask[0].any(axis=1), :]


def _entropy(labels: numpy.ndarray) -> float:
    """Of the classes among some labels, in bits."""
    _, counts = numpy.unique(labels, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * numpy.log2(share)).sum())


def gradient_energy(images: numpy.ndarray) -> float:
    """The mean squared difference of neighbouring pixels of images (..., H, W): low for a blur.

    >>> gradient_energy(numpy.array([[0.0, 1.0], [0.0, 1.0]]))
    0.5
    """
    images = images.astype("float64")
    across = (numpy.diff(images, axis=-1) ** 2).mean()
    down = (numpy.diff(images, axis=-2) ** 2).mean()
    return float((across + down) / 2)
