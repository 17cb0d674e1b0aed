"""What runs leave, but for what a clock says: for tests of runs that must end alike."""

import csv
import json

from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.training import CHECKPOINT, METRICS

CLOCK = ("seconds", "images_per_second")


def without_times(text):
    """Metadata in JSON, without times."""
    return json.loads(
        text, object_hook=lambda names: {n: v for n, v in names.items() if n not in CLOCK}
    )


def state_in(folder):
    """Arrays (bytes), metadata and metrics of a run; its checkpoint must be whole and finite."""
    arrays, metadata = load_checkpoint(folder / CHECKPOINT, require_finite=True)
    with open(folder / METRICS, newline="") as file:
        rows = list(csv.DictReader(file))
    found = {name: array.tobytes() for name, array in arrays.items()}
    return found, *(without_times(json.dumps(each)) for each in (metadata, rows))
