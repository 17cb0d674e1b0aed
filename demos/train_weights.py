"""Train again what ships with the package, and say how far the new weights are from the old."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autoencoder import TrainingSettings, load
from autoencoder.classifier import WEIGHTS, classify, shipped_classifier, train_classifier
from autoencoder.storage.weights import save_weights

SETTINGS = TrainingSettings(epochs=6, learning_rate=2e-3, schedule="cosine")


def main(argv: list[str] | None = None) -> int:
    """Train the classifier and compare it with the one that ships; ``--write`` takes its place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, nargs="?", const=WEIGHTS, help="where to write it")
    options = parser.parse_args(argv)
    digits = load("mnist")
    images, labels = digits.images("test"), digits.labels("test")
    trained = train_classifier(digits.images("train"), digits.labels("train"), SETTINGS)
    accuracy = float((classify(trained, images) == labels).mean())
    print(f"accuracy on {len(labels):,} test images: {accuracy:.4f}")
    if WEIGHTS.exists():
        same = float((classify(trained, images) == classify(shipped_classifier(), images)).mean())
        print(f"names the same class as the shipped one for {same:.4f} of them")
    if options.write:
        facts = {"command": "python demos/train_weights.py --write", "test_accuracy": accuracy}
        save_weights(options.write, trained, facts)
        print(f"wrote {options.write}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
