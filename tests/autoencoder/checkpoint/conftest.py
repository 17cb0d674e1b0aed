"""A small checkpoint to damage, and the check every damaged one has to stand."""

import collections
import hashlib
import struct
import tracemalloc

import numpy as np
import pytest

from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

_SHAPES = {
    "model/encoder.0.weight": ((4, 1, 3, 3), np.float32),
    "model/encoder.0.bias": ((4,), np.float32),
    "model/decoder.0.weight": ((4, 2, 3, 3), np.float32),
    "optimizer/0.first_moment": ((4, 1, 3, 3), np.float32),
    "optimizer/step": ((), np.int64),
    "order": ((60,), np.int32),
    "done": ((7,), np.bool_),
}


@pytest.fixture(scope="session")
def small_arrays():
    """Arrays as training would store them: a model, its optimiser, a position."""
    rng = np.random.default_rng(0)
    return {
        name: (rng.random(shape) * 50 if dtype != np.bool_ else rng.random(shape) < 0.5)
        .astype(dtype)
        .reshape(shape)
        if shape
        else dtype(rng.integers(1000))
        for name, (shape, dtype) in _SHAPES.items()
    }


@pytest.fixture(scope="session")
def small_metadata():
    return {"model": "small", "epoch": 3, "rng": {"state": 2**100 + 1}, "metrics": [0.5, 0.25]}


@pytest.fixture(scope="session")
def good(tmp_path_factory, small_arrays, small_metadata):
    """The bytes of a good checkpoint."""
    path = tmp_path_factory.mktemp("good") / "c.npz"
    save_checkpoint(path, small_arrays, small_metadata)
    return path.read_bytes()


@pytest.fixture(scope="session")
def seal():
    """Seal an archive that has no comment as a checkpoint, with the right digest."""

    def seal(content, version=1):
        comment = f"minigrad checkpoint, format {version}, sha256 ".encode()
        content = content[:-2] + struct.pack("<H", len(comment) + 64) + comment
        return content + hashlib.sha256(content).hexdigest().encode()

    return seal


@pytest.fixture(scope="session")
def load_or_refusal():
    """Give what was loaded and None, or None and the refusal; anything else is a failure."""

    def load_or_refusal(path, **checks):
        try:
            return load_checkpoint(path, **checks), None
        except CheckpointError as error:
            return None, error

    return load_or_refusal


@pytest.fixture
def sweep(tmp_path, load_or_refusal):
    """Load every fault (kind, bytes, field to be named); count the refusals of each kind."""

    def sweep(faults, **checks):
        path = tmp_path / "faulty.npz"
        refused = collections.Counter()
        for kind, content, field in faults:
            path.write_bytes(content)
            tracemalloc.start()
            _, refusal = load_or_refusal(path, **checks)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert refusal is not None, f"accepted: {kind} {field}"
            assert refusal.path == str(path)
            assert field is None or refusal.field == field, (kind, field, str(refusal))
            assert str(refusal).startswith(f"{path}: {refusal.field}: ")
            assert str(refusal).isprintable(), kind
            assert len(str(refusal)) < 1_000 + len(str(path)), kind
            # The archive reader takes some hundred bytes an entry of 46 or more.
            assert peak < 2_000_000 + 12 * len(content), (kind, peak)
            refused[kind] += 1
        return refused

    return sweep
