"""A section of the lecture that takes no time, for tests of what becomes of sections."""

import dataclasses

import numpy
from matplotlib.figure import Figure

from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import CommonOptions, option
from autoencoder.lecture.section import Section
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import FINITE
from autoencoder.storage.results import Needs, Results
from autoencoder.training import random_generator


@dataclasses.dataclass
class Short(CommonOptions):
    """Options of a training of a second."""

    epochs: int = option("passes", default=1)
    batch_size: int = option("points in a step", default=50)


def draw_points(seed=0):
    return random_generator(seed, "data").normal(size=(100, 2)).astype("float32")


def train_network(run, name, **how):
    """Train a small network on points that follow from the run's seed; it and its rows."""
    points = draw_points(run.options.seed)
    return run.trained(name, lambda: mlp(2, 4, 2), points, **how)


def small_section(name, **changes):
    """A section that trains a network of its name: a number, a figure, and a claim that holds."""

    def compute(run):
        model, _ = train_network(run, name)
        arrays = {"weight": model.state_dict()["0.weight"], "exact": numpy.arange(80.0)}
        return Results(arrays, {"seed": run.options.seed}, [{"epoch": 1}])

    def draw(results):
        figure = Figure(figsize=(1, 1))
        figure.text(0.1, 0.5, f"{results.arrays['weight'][0, 0]:.4f}")
        return {"weights": figure}

    def captions(results):
        claims = {"The first is 0.": results.arrays["exact"][0] == 0}
        return {"weights": Caption(f"Seed {results.numbers.get('seed')}.", claims)}

    section = Section(
        name=name,
        title=f"About {name}",
        equation="x^2",
        description="Short.",
        options=Short,
        compute=compute,
        draw=draw,
        captions=captions,
        needs=lambda options, found: Needs(
            {"weight": "4 2", "exact": numpy.arange(80.0)}, {"seed": FINITE}
        ),
    )
    return dataclasses.replace(section, **changes)
