"""A small network that names digits, by whose features generated digits are judged.

`frechet_distance` and `precision_recall` compare sets of images by what a classifier sees in them
(Heusel et al., 2017, take an Inception network; a digit does with less).
"""

from __future__ import annotations

from pathlib import Path

import numpy

from autoencoder.data.arrays import require_generator, require_shape
from autoencoder.inference import apply_model
from autoencoder.metrics import frechet_distance, precision_recall
from autoencoder.storage.weights import load_weights
from autoencoder.training import TrainingSettings, train
from minigrad import Tensor, manual_seed, nn
from minigrad import functional as F
from minigrad.backend import whole_number
from minigrad.parallel import Communicator

WEIGHTS = Path(__file__).with_name("data") / "weights" / "classifier.npz"


class Classifier(nn.Module):
    """Two convolutions with stride 2, a layer of 64 features, and a score for each class, from 2.

    >>> x = Tensor(numpy.zeros((5, 1, 28, 28), "float32"))
    >>> model = Classifier()
    >>> model.features(x).shape, model(x).shape
    ((5, 64), (5, 10))
    """

    sample_shape: tuple[int, ...] = (1, 28, 28)

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        whole_number("Classifier", "classes", classes, minimum=2)
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2),  # 28 to 14 pixels a side
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=5, stride=2, padding=2),  # to 7
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, classes)

    def features(self, x: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) to what the last layer sees of them (N, 64)."""
        require_shape("Classifier", x, self.sample_shape)
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) to the classes' scores before softmax (N, classes)."""
        return self.head(self.features(x))


class Shift:
    """Move each image by a few pixels, up to so many along each axis; what moves in is 0.

    >>> image = numpy.zeros((1, 1, 3, 3))
    >>> image[0, 0, 1, 1] = 1
    >>> Shift(1)(image, numpy.random.default_rng(0)).nonzero()[2:]
    (array([0]), array([1]))
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = whole_number("Shift", "pixels", pixels, minimum=0)

    def __call__(self, images: numpy.ndarray, rng: numpy.random.Generator) -> numpy.ndarray:
        """Give a moved copy of images (N, C, H, W)."""
        require_generator("Shift", rng)
        most = self.pixels
        height, width = images.shape[2:]
        border = ((0, 0), (0, 0), (most, most), (most, most))
        windows = numpy.lib.stride_tricks.sliding_window_view(
            numpy.pad(images, border), (height, width), axis=(2, 3)
        )  # (N, C, 2 most + 1, 2 most + 1, H, W)
        down, right = rng.integers(2 * most + 1, size=(2, len(images)))
        return windows[numpy.arange(len(images)), :, down, right].copy()

    def __repr__(self) -> str:
        return f"Shift({self.pixels})"


def cross_entropy(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy of a model's scores."""
    return F.cross_entropy(model(images), labels)


def train_classifier(
    images: numpy.ndarray, labels: numpy.ndarray, settings: TrainingSettings, *, quiet: bool = False
) -> Classifier:
    """A classifier trained on images (N, 1, 28, 28) in [0, 1], each moved by up to 2 pixels.

    Labels (N,) are whole numbers from 0 to 9.

    >>> from autoencoder import load
    >>> digits = load("mnist")
    >>> x, labels = digits.images("train", 400), digits.labels("train")[:400]
    >>> settings = TrainingSettings(epochs=5, batch_size=20)
    >>> model = train_classifier(x, labels, settings, quiet=True)
    >>> bool((classify(model, x) == labels).mean() > 0.7)
    True
    """
    manual_seed(settings.seed)
    model = Classifier()
    wanted = {"targets": labels.astype("int64"), "loss": cross_entropy}
    train(model, images, settings, corruption=Shift(2), title="classifier", quiet=quiet, **wanted)
    return model


def classify(
    model: Classifier,
    images: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """The likeliest class of each image, (N,).

    >>> from autoencoder import load
    >>> digits = load("mnist")
    >>> classify(shipped_classifier(), digits.images("test", 5)), digits.labels("test")[:5]
    (array([7, 2, 1, 0, 4]), array([7, 2, 1, 0, 4], dtype=uint8))
    """
    return apply_model("classify", model, model, images, workers, ranks).argmax(axis=1)


def features(
    model: Classifier,
    images: numpy.ndarray,
    workers: int | None = None,
    ranks: Communicator | None = None,
) -> numpy.ndarray:
    """What the classifier's last layer sees of images, (N, 64) float32.

    >>> features(Classifier(), numpy.zeros((3, 1, 28, 28))).shape
    (3, 64)
    """
    return apply_model("features", model, model.features, images, workers, ranks)


class Judge:
    """Scores sets of images (N, 1, 28, 28) by how far their features are from those of real ones.

    There are more than 3 real images. The features are by default those of the classifier that
    ships; scores of two classifiers have two scales. ``workers`` and ``ranks`` are as for
    :func:`autoencoder.reconstruct`.

    >>> from autoencoder import load
    >>> digits = load("mnist").images("test", 400)
    >>> judge = Judge(digits[:200])
    >>> blank = numpy.zeros((50, 1, 28, 28), "float32")
    >>> judge.score(digits[200:])["frechet"] < judge.score(blank)["frechet"]
    True
    """

    def __init__(
        self,
        real: numpy.ndarray,
        model: Classifier | None = None,
        workers: int | None = None,
        ranks: Communicator | None = None,
    ) -> None:
        self.model = model or shipped_classifier()
        self.workers = workers
        self.ranks = ranks
        self.real = features(self.model, real, workers, ranks)

    def score(self, images: numpy.ndarray) -> dict[str, float]:
        """The Fréchet distance, precision and recall (k = 3) of images."""
        seen = features(self.model, images, self.workers, self.ranks)
        precision, recall = precision_recall(seen, self.real)
        distance = frechet_distance(seen, self.real)
        return {"frechet": distance, "precision": precision, "recall": recall}

    def distance(self, images: numpy.ndarray) -> float:
        """The Fréchet distance of images alone."""
        seen = features(self.model, images, self.workers, self.ranks)
        return frechet_distance(seen, self.real)


def shipped_classifier() -> Classifier:
    """The classifier that ships with the package, as `demos/train_weights.py` made it."""
    model = Classifier()
    load_weights(WEIGHTS, model)
    return model
