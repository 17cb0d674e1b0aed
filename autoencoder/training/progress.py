"""What a training run shows: a bar while an epoch lasts, a line after it, warnings."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tqdm import tqdm

from autoencoder.storage.streams import Unbreakable
from autoencoder.training.settings import TrainingSettings
from autoencoder.training.state import Row


@dataclass
class Progress:
    """The progress of a run, under a title; none if it is quiet."""

    title: str
    settings: TrainingSettings
    samples: int  # an epoch
    quiet: bool

    def bar(self, epoch: int, done: int) -> tqdm:
        """A bar over the samples of an epoch: loss, samples a second, time left."""
        return tqdm(
            total=self.samples,
            initial=done,
            desc=f"{self.title}: epoch {epoch + 1}/{self.settings.epochs}",
            unit="image",
            disable=True if self.quiet else None,  # None: only on a terminal
            leave=False,
            file=Unbreakable.of(sys.stderr),
        )

    def show_loss(self, bar: tqdm, running_loss: float, steps: int) -> None:
        """Put the mean loss of the samples seen so far behind the bar."""
        seen = min(steps * self.settings.batch_size, self.samples)
        bar.set_postfix(loss=f"{running_loss / seen:.5f}")

    def report(self, row: Row) -> None:
        """Print an epoch's row."""
        if not self.quiet:
            names = [name for name in row if name not in ("epoch", "seconds")]
            values = ", ".join(f"{name} {row[name]:.5g}" for name in names)
            text = f"{self.title}: epoch {row['epoch']}/{self.settings.epochs}: {values}"
            tqdm.write(text, file=Unbreakable.of(sys.stdout))

    def warn(self, text: str) -> None:
        """Print a line on standard error, quiet or not; a bar stays whole."""
        tqdm.write(f"{self.title}: {text}", file=Unbreakable.of(sys.stderr))
