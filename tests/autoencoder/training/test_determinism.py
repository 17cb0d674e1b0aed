"""The same seed gives the same bits: in other processes, beside other threads, with any workers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading

import numpy
import pytest

import minigrad
from autoencoder.corruption import GaussianNoise
from autoencoder.models import AutoEncoder, mlp
from autoencoder.training import TrainingSettings, train

IMAGES = numpy.random.default_rng(0).random((24, 1, 28, 28), dtype="float32")


def digest_of(model):
    digest = hashlib.sha256()
    for name, array in model.state_dict().items():
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def trained(workers=None, seed=0, model=None):
    minigrad.manual_seed(seed)
    model = AutoEncoder(2) if model is None else model
    settings = TrainingSettings(epochs=2, batch_size=20, seed=seed, workers=workers)
    rows = train(model, IMAGES, settings, corruption=GaussianNoise(0.2), quiet=True)
    return digest_of(model), [row["train_loss"] for row in rows]


@pytest.fixture(scope="module")
def expected():
    return trained(workers=1)


@pytest.mark.parametrize("workers", [2, 3, 16])
def test_any_number_of_workers_gives_the_same_bits(expected, workers):
    assert trained(workers=workers) == expected


def test_another_seed_gives_others(expected):
    assert trained(seed=1) != expected


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        {"PYTHONHASHSEED": "2", "OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "4"},
    ],
    ids=["one BLAS thread", "four BLAS threads"],
)
def test_another_process_gives_the_same_bits_whatever_its_hash_seed_and_blas_threads(
    expected, environment
):
    program = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('other', sys.argv[1])\n"
        "other = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(other)\n"
        "print(other.trained())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, __file__],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == str(expected)


def test_other_threads_at_work_change_nothing(expected):
    is_over = threading.Event()
    turns = [0, 0]

    def disturb(number):
        """Products, random numbers and graphs, as somebody else's code would make them."""
        while not is_over.is_set():
            a = numpy.random.rand(120, 120)  # noqa: NPY002 (NumPy's global generator)
            x = minigrad.Tensor(a @ a, requires_grad=True)
            with minigrad.no_grad():
                _ = x * 2.0
            (x * x).sum().backward()
            turns[number] += 1

    threads = [threading.Thread(target=disturb, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        found = trained()
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert found == expected
    assert min(turns) > 0


def test_two_models_trained_in_two_threads_end_as_each_alone():
    def make(number):
        minigrad.manual_seed(number)
        return mlp(784, 16, 784)

    def work(number, model, results):
        settings = TrainingSettings(epochs=6, batch_size=7, seed=number, workers=2)
        noise = GaussianNoise(0.1 * (number + 1))
        rows = train(model, IMAGES.reshape(24, 784), settings, corruption=noise, quiet=True)
        results[number] = digest_of(model), [row["train_loss"] for row in rows]

    alone, together = {}, {}
    for number in range(2):
        work(number, make(number), alone)
    threads = [
        threading.Thread(target=work, args=(number, make(number), together)) for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone
    assert alone[0] != alone[1]
