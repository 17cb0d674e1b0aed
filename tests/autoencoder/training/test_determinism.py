"""The same seed gives the same bits: in other processes, beside other threads, with any workers."""

import dataclasses
import hashlib
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from running import elsewhere
from saved_state import without_times

import minigrad
from autoencoder.data.corruption import GaussianNoise
from autoencoder.densities import FullGaussian, GaussianMixture, LatentDiffusion
from autoencoder.inference import reconstruct
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import SECTIONS, load_section
from autoencoder.metrics import (
    energy_distance,
    frechet_distance,
    nearest_neighbours,
    precision_recall,
    principal_angles,
)
from autoencoder.models import AutoEncoder, mlp
from autoencoder.pca import PCA
from autoencoder.training import TrainingSettings, train
from autoencoder.training.linear_training import second_moments
from minigrad import functional as F
from minigrad.parallel import map_shards, shard_gradients

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


@pytest.mark.parametrize("threads", ["1", "4"])
def test_another_process_gives_the_same_bits_for_any_hash_seed_and_blas_threads(expected, threads):
    environment = {"PYTHONHASHSEED": threads, "OPENBLAS_NUM_THREADS": threads}
    environment["OMP_NUM_THREADS"] = threads
    assert elsewhere(__file__, "trained()", **environment) == expected


def computed():
    """A digest of what each part that uses BLAS or LAPACK gives, by name."""
    rng = numpy.random.default_rng(3)
    rows = rng.normal(size=(700, 400)) * numpy.geomspace(1, 0.01, 400)
    single, few = rows.astype("float32"), rows[:300, :120]
    minigrad.manual_seed(0)
    layer = minigrad.nn.Linear(400, 400)
    shards = {"shard_size": 700, "workers": 1}  # one
    loss, gradients = shard_gradients(
        lambda x: F.mse_loss(layer(x), x), list(layer.parameters()), [single], **shards
    )
    pca = PCA(40).fit(rows)
    mask = numpy.arange(400) % 3 == 0
    full = FullGaussian().fit(rows, jitter=1e-3)
    spread = numpy.einsum("ni,nj->ij", few, few) / 300  # not by BLAS
    covariances = numpy.array([spread + numpy.eye(120), 2 * spread + numpy.eye(120)])
    mixture = GaussianMixture([0.3, 0.7], few[:2], covariances)
    posterior = mixture.posterior(few[:50], 0.5)
    diffusion = LatentDiffusion(hidden=(300,), steps=5)
    diffusion.fit(few[:, :9], TrainingSettings(epochs=2, batch_size=150))
    results = {
        "shard_gradients": [loss.data, *(gradient.data for gradient in gradients)],
        "map_shards": [map_shards(layer, [single], **shards)],
        "reconstruct": [reconstruct(mlp(400, 300, 400), single)],
        "PCA": [pca.components_, pca.transform(rows), pca.inverse_transform(rows[:, :40])],
        "PCA.fill_missing": [pca.fill_missing(rows, mask)],
        "second_moments": [second_moments(rows)],
        "FullGaussian": [full.covariance, full.log_prob(rows), full.sample(500, rng)],
        "GaussianMixture": [mixture.axes, mixture.log_prob(few), mixture.sample(50, rng)],
        "GaussianMixture.fit": [GaussianMixture.fit(few, 3, rng, jitter=1e-3).covariances],
        "LatentDiffusion": [diffusion.sample(50, rng), diffusion.log_prob(few[:20, :9], steps=3)],
        "Posterior": [posterior.covariances, posterior.mean(), posterior.sample(2, rng)],
        "energy_distance": [numpy.array(energy_distance(single, single[::-1] + 1))],
        "frechet_distance": [numpy.array(frechet_distance(single, single[::-1] + 1))],
        "precision_recall": [numpy.array(precision_recall(single[:300], single[300:]))],
        "nearest_neighbours": list(nearest_neighbours(single, single[::-1], 3)),
        "principal_angles": [principal_angles(rows[:, :100], rows[:, 100:250])],
    }
    return {
        name: hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
        for name, arrays in results.items()
    }


def computed_with(folder, names):
    """The digests again, once sections have left their results in a folder."""
    for name in names:
        section = dataclasses.replace(load_section(name), draw=lambda results: {})
        assert main(section, ["--preset", "smoke", "--out", f"{folder}/{name}"]) == 0
    return computed()


@pytest.mark.parametrize(
    "names", [("linear_is_pca",), pytest.param(SECTIONS, marks=pytest.mark.slow)], ids=len
)
def test_whatever_uses_blas_gives_the_same_bits_for_any_number_of_its_threads(names, tmp_path):
    """Entries of the library, and of the results of the lecture's sections."""
    digests, entries = [], []
    for threads in ("1", "2"):
        folder = tmp_path / threads
        variables = {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        expression = f"computed_with({str(folder)!r}, {names!r})"
        digests.append(elsewhere(__file__, expression, **variables))
        entries.append({})
        for name in names:
            with zipfile.ZipFile(folder / name / "results.npz") as archive:
                for entry in archive.namelist():
                    entries[-1][name, entry] = archive.read(entry)
                    if entry == "metadata.json":
                        entries[-1][name, entry] = without_times(archive.read(entry))
    assert digests[0] == digests[1]
    assert len(entries[0]) >= 2 * len(names)
    assert [name for name in entries[0] if entries[0][name] != entries[1][name]] == []


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

    def work(number, model):
        settings = TrainingSettings(epochs=6, batch_size=7, seed=number, workers=2)
        noise = GaussianNoise(0.1 * (number + 1))
        rows = train(model, IMAGES.reshape(24, 784), settings, corruption=noise, quiet=True)
        return digest_of(model), [row["train_loss"] for row in rows]

    alone = [work(number, make(number)) for number in range(2)]
    models = [make(number) for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(work, range(2), models))
    assert together == alone
    assert alone[0] != alone[1]
