"""Classifying images: a small convolutional network, trained on images moved by two pixels."""

from __future__ import annotations

if __name__ == "__main__":  # first, so that Ctrl-C is quiet while the rest is imported
    from autoencoder.lecture.terminal import start

    raise SystemExit(start(__file__))

from dataclasses import dataclass

import numpy

from autoencoder import figures
from autoencoder.classifier import Classifier, Shift, classify, cross_entropy
from autoencoder.lecture.caption import Caption
from autoencoder.lecture.command_line import OptionError, option
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import Figures, Section
from autoencoder.lecture.shared import DataOptions, spelled_epochs
from autoencoder.storage.checkpoint import ANYTHING, FINITE, TEXT
from autoencoder.storage.results import Needs, Results, epoch_rows

SHIFT = 2  # pixels
LEARNING_RATE = 2e-3
SHOWN = 12


@dataclass
class Options(DataOptions):
    epochs: int = option("passes through the images", smoke=1, default=12, full=25)


def check(run: Run[Options]) -> None:
    """Classes need labels; the network takes what MNIST's images are."""
    run.require_images()
    if not run.dataset.has_labels:
        raise OptionError(f"--data: {run.options.data} has no labels to learn")
    run.require_shape(Classifier.sample_shape, "the classifier")


def compute(run: Run[Options]) -> Results:
    """Train, classify the test images, and keep those that were mistaken."""
    train, test = run.images("train"), run.images("test")
    everything = numpy.concatenate([run.labels("train"), run.labels("test")])
    classes, numbers = numpy.unique(everything, return_inverse=True)
    learnt, labels = numbers[: len(train)].astype("int64"), numbers[len(train) :]

    def evaluate(model: Classifier) -> dict[str, float]:
        right = classify(model, test, **run.how) == labels
        return {"test_accuracy": float(right.mean())}

    model, rows = run.trained(
        "classifier",
        lambda: Classifier(max(2, len(classes))),
        train,
        run.settings(learning_rate=LEARNING_RATE, schedule="cosine"),
        corruption=Shift(SHIFT),
        targets=learnt,
        loss=cross_entropy,
        evaluate=evaluate,
        own=True,
    )
    said = classify(model, test, **run.how)
    wrong = numpy.flatnonzero(said != labels)[:SHOWN]
    names = run.dataset.classes or [str(each) for each in classes]
    confusion = numpy.zeros((len(classes), len(classes)))
    numpy.add.at(confusion, (labels, said), 1)
    return Results(
        {"mistaken": test[wrong] if len(wrong) else test[:1], "confusion": confusion},
        {
            "classes": list(names),
            "mistakes": [[names[labels[i]], names[said[i]]] for i in wrong],
            **run.options.by_name("train_images", "test_images"),
            "test_accuracy": rows[-1]["test_accuracy"],
        },
        rows,
    )


def needs(options: Options, found: Results) -> Needs:
    said = found.numbers.get("classes")
    count = len(said) if isinstance(said, list) else 1
    return Needs(
        {"mistaken": "N C H W", "confusion": f"{count} {count}"},
        {
            "classes": [TEXT, ...],
            "mistakes": ANYTHING,
            **options.by_name("train_images", "test_images"),
            "test_accuracy": FINITE,
        },
        epoch_rows(options.epochs, test_accuracy=FINITE),
    )


def draw(results: Results) -> Figures:
    """Images that were mistaken, and for what; accuracy after each epoch; the confusion table."""
    arrays, numbers = results.arrays, results.numbers
    said = [f"{true}\nnot {wrong}" for true, wrong in numbers["mistakes"]]
    mistakes = figures.rows_of_images(
        [arrays["mistaken"]], ["mistaken"], column_titles=said or ["none"]
    )
    accuracy = figures.epoch_chart(
        {"classifier": results.rows},
        "test_accuracy",
        f"share right of {numbers['test_images']:,} test images",
    )
    rows = [
        [name, *(f"{int(count)}" if count else "" for count in row)]
        for name, row in zip(numbers["classes"], arrays["confusion"], strict=True)
    ]
    confusion = figures.table(["is \\ named", *numbers["classes"]], rows)
    return {"accuracy": accuracy, "mistakes": mistakes, "confusion": confusion}


def captions(results: Results) -> dict[str, Caption]:
    numbers = results.numbers
    right = numbers["test_accuracy"]
    return {
        "accuracy": Caption(
            f"{100 * right:.2f} % of {numbers['test_images']:,} test images are named rightly, "
            f"after {spelled_epochs(len(results.rows))} on {numbers['train_images']:,} images, "
            f"each moved by up to {SHIFT} pixels."
        ),
        "mistakes": Caption("Test images that are named wrongly: what they are, and what not."),
        "confusion": Caption("How often each class (row) was named as each (column)."),
    }


section = Section.of(
    __name__,
    title="Classifying images",
    equation=r"\min_{\phi}\ -\frac{1}{N}\sum_{n=1}^{N}\ln\ \mathrm{softmax}(\phi(x_n))_{t_n}",
    description="Trains a small convolutional network to name the class of an image.",
)
