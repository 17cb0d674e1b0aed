"""What fixes a training run: its settings, and the random numbers that follow from its seed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy

from autoencoder.data.arrays import known_name
from minigrad.backend import shown, whole_number

# "data" are samples that are drawn, "model" is what a model draws itself.
_PURPOSES = {"order": 1, "corruption": 2, "evaluation": 3, "data": 4, "model": 5}


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides the result of a training run, and how it is run.

    Parameters
    ----------
    epochs : int
        Passes through the training samples.
    batch_size : int
        Samples in a step.
    learning_rate : float
        Adam's, at the start.
    schedule : str
        ``"constant"``, or ``"cosine"``: falling to 0 along half a cosine over the run.
    loss : str
        ``"mse"`` (mean squared error) or ``"l1"`` (mean absolute error), a component.
    seed : int
        Fixes initial weights, order of samples and corruption.
    device : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    workers : int or None
        Threads on the CPU; ``None`` for as many as the process may use cores. Does not change the
        result.
    save_seconds : float
        Time between checkpoints; one is also written after each epoch.
    log_steps : int
        Steps between looks at the loss. Each waits for the device.

    Raises
    ------
    ValueError
        If a number is out of range or a name unknown; the message names the field.

    Examples
    --------
    >>> TrainingSettings(epochs=2).batch_size
    100
    """

    epochs: int = 5
    batch_size: int = 100
    learning_rate: float = 1e-3
    schedule: str = "constant"
    loss: str = "mse"
    seed: int = 0
    device: str = "cpu"
    workers: int | None = None
    save_seconds: float = 30.0
    log_steps: int = 25

    def __post_init__(self) -> None:
        least = {"epochs": 1, "batch_size": 1, "seed": 0, "log_steps": 1, "workers": 1}
        for field, bound in least.items():
            value = getattr(self, field)
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            if not (is_whole and value >= bound) and not (field == "workers" and value is None):
                raise ValueError(f"{field} must be a whole number from {bound}, got {shown(value)}")
        for field in ("learning_rate", "save_seconds"):
            if not isinstance(getattr(self, field), (int, float)):
                raise ValueError(f"{field} must be a number, got {shown(getattr(self, field))}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be positive, got {shown(self.learning_rate)}")
        if not self.save_seconds >= 0:
            raise ValueError(f"save_seconds must be at least 0, got {shown(self.save_seconds)}")
        known_name("TrainingSettings", "schedule", self.schedule, ("constant", "cosine"))
        known_name("TrainingSettings", "loss", self.loss, ("mse", "l1"))

    @property
    def decisive(self) -> dict[str, object]:
        """The settings that decide the result: not the device, the workers or the intervals."""
        fields = dataclasses.asdict(self)
        for how in ("device", "workers", "save_seconds", "log_steps"):
            del fields[how]
        return fields


def random_generator(seed: int, purpose: str, *position: int) -> numpy.random.Generator:
    """The random numbers of one place in a run, such as ``"order"``, epoch and batch.

    Nothing is drawn from a stream that has to be saved and restored: the generator of batch b in
    epoch e follows from the seed, e and b alone, so a resumed run draws what it would have drawn.

    >>> random_generator(0, "order", 3).random() == random_generator(0, "order", 3).random()
    True
    """
    known_name("random_generator", "purpose", purpose, _PURPOSES)
    for number in (seed, *position):
        whole_number("random_generator", "seed and position", number, minimum=0)
    return numpy.random.default_rng([seed, _PURPOSES[purpose], *position])
