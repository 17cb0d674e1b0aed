"""The lecture that the sections accompany, topic by topic."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LECTURE", "TOPICS", "topics_in_words"]

LECTURE = (
    "Deep Learning for Computer Vision, Dr. Konda Reddy Mopuri, IIT Guwahati, 2022: autoencoders"
)

TOPICS = {
    1: "Beyond classification and regression",
    2: "Example: synthesizing human faces",
    3: "Autoencoder",
    4: "Autoencoder: the manifold (figure: François Fleuret)",
    5: "Autoencoder: the loss",
    6: "Autoencoder: linear and deep",
    7: "Deep autoencoders",
    8: "Deep autoencoders: reconstructions (figure: blog.keras.io)",
    9: "Latent representations (figures: François Fleuret)",
    10: "Generative modeling by autoencoder (figures: François Fleuret)",
    11: "Generative modeling: its limit",
    12: "Besides dimensionality reduction",
    13: "Denoising autoencoder",
    14: "Denoising autoencoder in 2-D (figure: Ali Abdelal, stackabuse.com)",
    15: "Weakness (figures: Patrick Langechuan Liu)",
}
"""The lecture's topics by number, in its order, with the credits of its figures."""


def topics_in_words(numbers: Sequence[int]) -> str:
    """Some topics, each with its number.

    >>> topics_in_words([3, 5])
    '3 Autoencoder; 5 Autoencoder: the loss'
    """
    return "; ".join(f"{number} {TOPICS[number]}" for number in numbers)
