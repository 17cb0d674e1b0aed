"""Digits whose upper half is lost, so that several would fit: answers, and the candidates."""

from __future__ import annotations

import numpy

from autoencoder.data.corruption import EraseHalf
from autoencoder.inference import reconstruct
from autoencoder.lecture.run import Run
from autoencoder.metrics import mse_per_pixel, nearest_neighbours
from autoencoder.models import AutoEncoder
from autoencoder.storage.results import Results

__all__ = ["compute_digits", "gradient_energy", "mid_grey"]

CORRUPTION = EraseHalf("top")
NEIGHBOURS = 30
SHOWN = 8
CANDIDATES = 3  # real images shown for each
LOSSES = {"mse": "squared", "l1": "absolute"}


def mid_grey(hidden: numpy.ndarray) -> float:
    """The share of pixels between 0.2 and 0.8: ink has few, a blur many.

    Examples
    --------
    >>> mid_grey(numpy.array([0.0, 0.5, 1.0, 0.9]))
    0.25
    """
    return float(((hidden > 0.2) & (hidden < 0.8)).mean())


def gradient_energy(images: numpy.ndarray) -> float:
    """The mean squared difference of neighbouring pixels of images (..., H, W): low for a blur.

    Examples
    --------
    >>> gradient_energy(numpy.array([[0.0, 1.0], [0.0, 1.0]]))
    0.5
    """
    images = images.astype("float64")
    across = (numpy.diff(images, axis=-1) ** 2).mean()
    down = (numpy.diff(images, axis=-2) ** 2).mean()
    return float((across + down) / 2)


def compute_digits(run: Run, results: Results) -> None:
    """Train with both losses; find, by their neighbours, the images most open to doubt."""
    options = run.options
    train = run.images("train", options.train_images)
    labels = run.dataset.labels("train")[: len(train)]
    test = run.images("test", options.test_images)
    results.numbers |= {"train_images": len(train), "test_images": len(test)}
    mask = CORRUPTION.mask(test[:1])[0]  # (1, H, W), the same for every image
    masked = CORRUPTION(test)
    answers = {}
    for loss, name in LOSSES.items():
        model, rows = run.trained(
            f"multimodal-digits-{name}",
            lambda: AutoEncoder(options.latent_size),
            train,
            run.settings(loss=loss),
            corruption=CORRUPTION,
        )
        answers[name] = reconstruct(model, masked, options.workers)
        results.rows += [{"run": f"digits, {name} loss", **row} for row in rows]

    near, distances = nearest_neighbours(test[:, ~mask], train[:, ~mask], NEIGHBOURS)
    hidden = train[:, mask]
    average = hidden[near].mean(axis=1)  # (N, hidden pixels)
    spread = hidden[near].var(axis=1).mean(axis=1)
    entropy = numpy.array([_entropy(labels[row]) for row in near])
    # Doubt is what classes and pixels of the matches disagree about; a bad match proves none.
    is_matched = distances[:, -1] <= numpy.median(distances[:, -1])
    order = numpy.argsort(numpy.where(is_matched, entropy * spread, -1.0))[::-1]
    doubtful, shown = order[: max(SHOWN, len(test) // 10)], order[:SHOWN]
    candidates = numpy.stack([_candidates(near[i], labels) for i in shown])  # (SHOWN, CANDIDATES)
    pasted = masked.copy()
    pasted[:, mask] = average
    results.arrays |= {
        "digits/mask": mask,
        "digits/masked": masked[shown],
        "digits/average": pasted[shown],
        "digits/candidates": train[candidates],
        **{f"digits/{name}": answer[shown] for name, answer in answers.items()},
    }
    results.numbers["digits"] = {
        "doubtful": len(doubtful),
        "shown_classes": [numpy.unique(labels[near[i]]).tolist() for i in shown],
        "shown_entropy": entropy[shown].tolist(),
        "neighbours": NEIGHBOURS,
        "mid_grey": mid_grey(hidden),
        "gradient_energy": gradient_energy(_hidden_part(train, mask)),
        "average_gradient_energy": gradient_energy(_hidden_part(pasted[doubtful], mask)),
    }
    matches = hidden[near[doubtful]].astype("float64")  # (n, NEIGHBOURS, hidden pixels)
    for name, answer in answers.items():
        guess = answer[doubtful][:, mask]
        results.numbers["digits"][name] = {
            "error_to_average": mse_per_pixel(guess, average[doubtful]),
            "error_to_truth": mse_per_pixel(guess, test[doubtful][:, mask]),
            "error_to_match": float(
                ((guess[:, None] - matches) ** 2).mean(axis=2).min(axis=1).mean()
            ),
            "mid_grey": mid_grey(guess),
            "gradient_energy": gradient_energy(_hidden_part(answer[doubtful], mask)),
        }


def _squares(a: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray:
    """The mean squared difference over the last axis."""
    return ((a - b) ** 2).mean(axis=-1)


def _hidden_part(images: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
    """The erased rows of images (N, 1, H, W)."""
    return images[:, :, mask[0].any(axis=1)]


def _entropy(labels: numpy.ndarray) -> float:
    """Of the classes among some labels, in bits."""
    _, counts = numpy.unique(labels, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * numpy.log2(share)).sum())


def _candidates(near: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    """The best match of each of the most frequent classes, then whatever matches best."""
    _, first, counts = numpy.unique(labels[near], return_index=True, return_counts=True)
    frequent = first[numpy.argsort(-counts, kind="stable")][:CANDIDATES]
    rest = [i for i in range(len(near)) if i not in frequent]
    return near[numpy.concatenate([frequent, rest])[:CANDIDATES].astype(int)]
