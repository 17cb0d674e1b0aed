"""What each library's module offers: ``prepare(problem, settings)`` gives a Task."""

from __future__ import annotations

import numpy

__all__ = ["Task", "Training"]


class Task:
    """A problem, ready to be computed again and again."""

    def call(self) -> None:
        """Compute it once; the result may still be on its way."""
        raise NotImplementedError

    def wait(self) -> None:
        """Return when everything called is computed."""

    def check(self) -> dict[str, numpy.ndarray]:
        """Results by name, from the initial weights, to be compared between libraries."""
        raise NotImplementedError


class Training(Task):
    """A task whose ``call`` is a step of training; subclasses write ``loss_and_gradients`` too."""

    def loss_and_gradients(self) -> tuple[float, dict[str, numpy.ndarray]]:
        """At the weights of now; changes nothing."""
        raise NotImplementedError

    def check(self) -> dict[str, numpy.ndarray]:
        """Loss, each gradient, and the loss after three steps: so Adam is compared as well."""
        loss, gradients = self.loss_and_gradients()
        results = {"loss": numpy.asarray(loss)}
        results.update({f"gradient of {name}": value for name, value in gradients.items()})
        for _ in range(3):
            self.call()
        results["loss after 3 steps"] = numpy.asarray(self.loss_and_gradients()[0])
        return results
