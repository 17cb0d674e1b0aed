"""The lecture: its topics, and its sections, which are demos: their order, and loading one."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoencoder.lecture.section import Section

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

DEMOS = Path(__file__).resolve().parents[2] / "demos"
SECTIONS = (
    "manifold",
    "linear_is_pca",
    "train_autoencoder",
    "linear_bottleneck",
    "interpolate",
    "sample_latent",
    "latent_density",
    "density_ladder",
    "restore",
    "denoise_2d",
    "compare_denoisers",
    "multimodal",
    "cures",
    "denoiser_to_diffusion",
    "variational",
    "degrees_of_freedom",
)
"""The names of the demos that are sections, in the lecture's order."""


def load_demo(name: str, folder: str | os.PathLike[str] = DEMOS) -> ModuleType:
    """Import the demo ``<name>.py`` from its folder; a second time, the same module is returned.

    >>> load_demo("train_denoiser").NOISE_LEVELS[0]
    0.1
    """
    path = Path(folder).resolve() / f"{name}.py"
    known = f"demos.{name}"
    module = sys.modules.get(known)
    if module is not None and Path(module.__file__ or "") == path:
        return module
    specification = importlib.util.spec_from_file_location(known, path)
    if specification is None or specification.loader is None or not path.is_file():
        raise ModuleNotFoundError(f"there is no demo {path}", name=known)
    module = importlib.util.module_from_spec(specification)
    sys.modules[known] = module  # before it runs: a dataclass looks its own module up there
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[known]
        raise
    return module


def load_section(name: str) -> Section:
    """The section that a demo is."""
    return load_demo(name).section


def topics_in_words(numbers: Sequence[int]) -> str:
    """Some topics, each with its number.

    >>> topics_in_words([3, 5])
    '3 Autoencoder; 5 Autoencoder: the loss'
    """
    return "; ".join(f"{number} {TOPICS[number]}" for number in numbers)
