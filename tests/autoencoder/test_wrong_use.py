"""Wrong calls to the lecture's package: each gives its documented error and changes nothing."""

from __future__ import annotations

import json
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

import minigrad
from autoencoder import metrics
from autoencoder.data import corruption, curves, datasets, faces
from autoencoder.data.download import Limits, fetch, transfer
from autoencoder.data.idx import IdxError, read_idx
from autoencoder.densities import DiagonalGaussian, FullGaussian, GaussianMixture
from autoencoder.inference import decode, encode, reconstruct
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_section
from autoencoder.models import AutoEncoder, Denoiser, DenseAutoEncoder, MLPAutoEncoder, mlp
from autoencoder.pca import PCA
from autoencoder.storage.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from autoencoder.storage.files import WriteError, atomic_write
from autoencoder.storage.results import Results
from autoencoder.training import TrainingSettings, load_model, random_generator, train, write_rows
from minigrad import Tensor, nn, optim
from minigrad import functional as F
from minigrad.backend import default_generator

SECRET = numpy.array([object()])


@pytest.fixture
def world(tmp_path):
    """Something of each kind, with a past."""
    minigrad.manual_seed(0)
    rng = numpy.random.default_rng(0)
    points = rng.normal(size=(20, 2)).astype("float32")
    save_checkpoint(tmp_path / "good.npz", {"a": points}, {"kind": "test"})
    (tmp_path / "text").write_text("no archive")
    return SimpleNamespace(
        folder=tmp_path,
        rng=rng,
        points=points,
        images=rng.random((3, 1, 8, 8), dtype="float32"),
        model=mlp(2, 4, 2),
        narrow=mlp(2, 3),
        conv=AutoEncoder(2),
        pca=PCA(1).fit(points),
        diagonal=DiagonalGaussian([0.0, 0.0], [1.0, 1.0]),
        full=FullGaussian([0.0, 0.0], numpy.eye(2)),
        mixture=GaussianMixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], 0.1),
    )


def state_of(world):
    """All that a wrong call could have changed: arrays, models, random numbers and files."""
    densities = [world.diagonal, world.full, world.mixture, world.pca]
    return repr(
        (
            world.rng.bit_generator.state,
            default_generator().bit_generator.state,
            world.points.tobytes(),
            world.images.tobytes(),
            [v.tobytes() for m in (world.model, world.conv) for v in m.state_dict().values()],
            [p.grad for m in (world.model, world.conv) for p in m.parameters()],
            [{k: numpy.asarray(v).tobytes() for k, v in vars(d).items()} for d in densities],
            sorted((p.name, p.read_bytes()) for p in world.folder.iterdir() if p.is_file()),
        )
    )


def nan_points(world):
    points = world.points.copy()
    points[3, 1] = numpy.nan
    return points


MODELS = {
    "AutoEncoder-zero": (lambda w: AutoEncoder(0), ValueError, "AutoEncoder: latent_size .*0"),
    "AutoEncoder-float": (lambda w: AutoEncoder(2.5), TypeError, "AutoEncoder: latent_size .*2.5"),
    "AutoEncoder-text": (lambda w: AutoEncoder("2"), TypeError, "AutoEncoder: latent_size .*'2'"),
    "AutoEncoder-size": (
        lambda w: w.conv(minigrad.Tensor(w.images)), ValueError,
        r"AutoEncoder: expected \(N, 1, 28, 28\), got \(3, 1, 8, 8\)"),
    "AutoEncoder-latents": (
        lambda w: w.conv.decode(minigrad.Tensor(w.images[:, 0])), ValueError,
        r"AutoEncoder.decode: expected \(N, 2\), got \(3, 8, 8\)"),
    "Dense-zero": (lambda w: DenseAutoEncoder(0), ValueError, "latent_size .*0"),
    "Dense-shape": (lambda w: DenseAutoEncoder(2, shape="28"), TypeError, "shape .*'28'"),
    "Dense-shape-zero": (lambda w: DenseAutoEncoder(2, shape=(0, 3)), ValueError, "shape"),
    "Denoiser-zero": (lambda w: Denoiser(0), ValueError, "Denoiser: channels .*0"),
    "Denoiser-text": (lambda w: Denoiser("a"), TypeError, "Denoiser: channels .*'a'"),
    "mlp-one": (lambda w: mlp(2), ValueError, "mlp: expected at least"),
    "mlp-zero": (lambda w: mlp(2, 0, 2), ValueError, "out_features"),
    "MLP-none": (lambda w: MLPAutoEncoder(), ValueError, "mlp: expected at least"),
    "reconstruct-none": (
        lambda w: reconstruct(w.model, w.points[:0]), ValueError, "no samples"),
    "reconstruct-text": (lambda w: reconstruct(w.model, "abc"), TypeError, "samples"),
    "reconstruct-shape": (
        lambda w: reconstruct(w.model, w.images), ValueError, r"linear: input"),
    "reconstruct-workers": (
        lambda w: reconstruct(w.model, w.points, workers=0), ValueError, "workers"),
    "encode-missing": (lambda w: encode(w.model, w.points), TypeError, "Sequential .*encode"),
    "decode-missing": (lambda w: decode(w.model, w.points), TypeError, "Sequential .*decode"),
}  # fmt: skip

STATISTICS = {
    "PCA-zero": (lambda w: PCA(0), ValueError, "PCA: n_components"),
    "PCA-float": (lambda w: PCA(1.5), TypeError, "PCA: n_components .*1.5"),
    "PCA-many": (lambda w: PCA(3).fit(w.points), ValueError, "PCA.fit: 3 components"),
    "PCA-one-sample": (lambda w: PCA(1).fit(w.points[:1]), ValueError, "PCA.fit: expected at l"),
    "PCA-flat": (lambda w: PCA(1).fit(w.points[:, 0]), ValueError, r"PCA.fit: .*\(20,\)"),
    "PCA-nan": (lambda w: w.pca.fit(nan_points(w)), ValueError, "PCA.fit: .*not finite"),
    "PCA-list": (lambda w: PCA(1).fit([[1.0, 2.0], [3.0, 4.0]]), TypeError, "array, got list"),
    "PCA-unfitted": (lambda w: PCA(1).transform(w.points), RuntimeError, "call fit first"),
    "PCA-transform": (
        lambda w: w.pca.transform(w.images), ValueError, r"PCA.transform: fitted on samples"),
    "PCA-inverse": (
        lambda w: w.pca.inverse_transform(w.points), ValueError, r"expected latents \(N, 1\)"),
    "PCA-truncate": (lambda w: w.pca.truncate(5), ValueError, r"n_components must be in \[1, 2\]"),
    "PCA-mask": (
        lambda w: w.pca.fill_missing(w.points, w.points), TypeError, "mask must be boolean"),
    "PCA-mask-shape": (
        lambda w: w.pca.fill_missing(w.points, numpy.zeros((3, 3), bool)), ValueError,
        r"a mask \(3, 3\)"),
    "PCA-noise": (
        lambda w: w.pca.fill_missing(w.points, numpy.zeros((20, 2), bool), noise_variance=-1),
        ValueError, "noise variance must not be negative"),
    "diagonal-half": (lambda w: DiagonalGaussian([0.0]), ValueError, "give mean and std"),
    "diagonal-shapes": (lambda w: DiagonalGaussian([0.0], [1.0, 1.0]), ValueError, r"\(2,\)"),
    "diagonal-zero": (lambda w: DiagonalGaussian([0.0], [0.0]), ValueError, "positive"),
    "diagonal-text": (lambda w: DiagonalGaussian("a", "b"), TypeError, "DiagonalGaussian: mean"),
    "diagonal-unfitted": (
        lambda w: DiagonalGaussian().sample(3, w.rng), RuntimeError, "call fit first"),
    "diagonal-nan": (lambda w: w.diagonal.fit(nan_points(w)), ValueError, "not all finite"),
    "diagonal-none": (lambda w: w.diagonal.fit(w.points[:0]), ValueError, "no points"),
    "diagonal-constant": (lambda w: w.diagonal.fit(w.points * 0), ValueError, "positive"),
    "diagonal-negative": (lambda w: w.diagonal.sample(-1, w.rng), ValueError, "n must not be neg"),
    "diagonal-float": (lambda w: w.diagonal.sample(1.5, w.rng), TypeError, "n must be .*1.5"),
    "diagonal-seed": (lambda w: w.diagonal.sample(3, 0), TypeError, "rng must be .*int"),
    "diagonal-points": (
        lambda w: w.diagonal.log_prob(w.images), ValueError, r"expected points \(N, 2\)"),
    "diagonal-list": (lambda w: w.diagonal.log_prob([[0.0, 0.0]]), TypeError, "got list"),
    "diagonal-marginal": (lambda w: w.diagonal.marginal([2]), ValueError, "distinct coordinates"),
    "full-asymmetric": (
        lambda w: FullGaussian([0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]]), ValueError, "symmetric"),
    "full-indefinite": (
        lambda w: FullGaussian([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]), ValueError, "definite"),
    "full-singular": (lambda w: w.full.fit(w.points[:1]), ValueError, "not positive definite"),
    "full-shapes": (lambda w: FullGaussian([0.0], numpy.eye(2)), ValueError, r"\(2, 2\)"),
    "full-twice": (lambda w: w.full.marginal([0, 0]), ValueError, "distinct coordinates"),
    "mixture-weights": (
        lambda w: GaussianMixture([0.5, 0.6], [[0.0], [1.0]], 1.0), ValueError, "sum to 1"),
    "mixture-shapes": (
        lambda w: GaussianMixture([1.0], [[0.0], [1.0]], 1.0), ValueError, r"expected weights"),
    "mixture-covariance": (
        lambda w: GaussianMixture([1.0], [[0.0]], -1.0), ValueError, "negative eigenvalue"),
    "mixture-singular": (
        lambda w: GaussianMixture([1.0], [[0.0]], 0.0).log_prob(numpy.zeros((1, 1))), ValueError,
        "singular"),
    "mixture-noise": (lambda w: w.mixture.noised(0.0), ValueError, "std must be positive"),
    "mixture-posterior": (
        lambda w: w.mixture.posterior_mean(w.points, float("nan")), ValueError, "positive.* nan"),
    "mixture-score": (lambda w: w.mixture.score(w.images), ValueError, r"expected points"),
    "mixture-draws": (
        lambda w: w.mixture.sample_posterior(w.points, 0.1, -1, w.rng), ValueError, "negative"),
    "mse-shapes": (
        lambda w: metrics.mse_per_pixel(w.points, w.points[:3]), ValueError, r"\(3, 2\)"),
    "mse-none": (lambda w: metrics.mse_per_pixel(w.points[:0], w.points[:0]), ValueError, "nothi"),
    "mse-list": (lambda w: metrics.mse_per_pixel([1.0], [1.0]), TypeError, "got list"),
    "psnr-mask": (
        lambda w: metrics.psnr(w.points, w.points, mask=w.points), TypeError, "mask must be bool"),
    "psnr-peak": (lambda w: metrics.psnr(w.points, w.points, peak=0.0), ValueError, "psnr: peak"),
    "angles": (
        lambda w: metrics.principal_angles(w.points, w.points[:5]), ValueError, "principal_angle"),
    "energy-few": (
        lambda w: metrics.energy_distance(w.points[:1], w.points), ValueError, "two points"),
    "energy-shapes": (
        lambda w: metrics.energy_distance(w.points, w.images), ValueError, "energy_distance: "),
    "neighbours-k": (
        lambda w: metrics.nearest_neighbours(w.points, w.points, k=21), ValueError, r"k must be"),
    "neighbours-float": (
        lambda w: metrics.nearest_neighbours(w.points, w.points, k=1.5), TypeError, "k must be"),
}  # fmt: skip

DATA = {
    "noise-negative": (lambda w: corruption.GaussianNoise(-1.0), ValueError, "GaussianNoise: std"),
    "noise-text": (lambda w: corruption.GaussianNoise("1"), TypeError, "GaussianNoise: std"),
    "noise-whole": (
        lambda w: corruption.GaussianNoise(1.0)(numpy.ones((2, 2), int), w.rng), TypeError,
        "floating-point"),
    "noise-seed": (lambda w: corruption.GaussianNoise(1.0)(w.images, 0), TypeError, "rng must"),
    "pixels-share": (lambda w: corruption.ErasePixels(1.5), ValueError, "between 0 and 1"),
    "pixels-shape": (
        lambda w: corruption.ErasePixels(0.5)(w.points, w.rng), ValueError, r"\(N, C, H, W\)"),
    "pixels-fill": (
        lambda w: corruption.ErasePixels(0.5, numpy.ones(3))(w.images, w.rng), ValueError,
        "does not broadcast"),
    "pixels-fill-text": (lambda w: corruption.ErasePixels(0.5, "x"), TypeError, "fill .*'x'"),
    "block-float": (lambda w: corruption.EraseBlock(2.5), TypeError, "height must be a whole"),
    "block-zero": (lambda w: corruption.EraseBlock(0), ValueError, "at least 1"),
    "block-large": (
        lambda w: corruption.EraseBlock(9)(w.images, w.rng), ValueError, "does not fit"),
    "half-side": (
        lambda w: corruption.EraseHalf("rihgt"), ValueError, "did you mean 'right'"),
    "mask-apply": (
        lambda w: corruption.EraseHalf("top").apply(w.images, w.images), ValueError, "be bool"),
    "curve-seed": (lambda w: curves.spiral(5, 0), TypeError, "spiral: rng"),
    "curve-negative": (lambda w: curves.spiral(-5, w.rng), ValueError, "spiral: negative"),
    "curve-noise": (lambda w: curves.circle(5, w.rng, -1.0), ValueError, "circle: negative"),
    "curve-float": (lambda w: curves.circle(5.5, w.rng), TypeError, "circle: n must be"),
    "ring": (lambda w: curves.mixture_ring(0), ValueError, "components"),
    "faces-many": (lambda w: faces.sample_faces(3, w.rng, 9), ValueError, "between 1 and 8"),
    "faces-name": (
        lambda w: faces.sample_faces(3, w.rng, ["skin_tune"]), ValueError, "skin_tune"),
    "faces-twice": (
        lambda w: faces.sample_faces(3, w.rng, ["skin_tone"] * 2), ValueError, "distinct"),
    "faces-seed": (lambda w: faces.sample_faces(3, None), TypeError, "sample_faces: rng"),
    "faces-count": (lambda w: faces.sample_faces(-3, w.rng), ValueError, "sample_faces: n "),
    "faces-range": (lambda w: faces.render_faces(w.points), ValueError, r"lie in \[0, 1\]"),
    "faces-size": (lambda w: faces.render_faces([[0.5]], size=4), ValueError, "at least 8"),
    "faces-flat": (lambda w: faces.render_faces([0.5]), ValueError, r"\(N, K\)"),
    "set-name": (lambda w: datasets.load("fasion-mnist"), ValueError, "did you mean 'fashion-mn"),
    "set-number": (lambda w: datasets.load(3), TypeError, "name of a data set"),
    "set-split": (lambda w: datasets.load().images("tset"), ValueError, "'train' or 'test'"),
    "set-folder": (
        lambda w: datasets.load_folder(w.folder / "none"), FileNotFoundError, "does not exist"),
    "set-empty": (lambda w: datasets.load_folder(w.folder), FileNotFoundError, "holds no train-im"),
    "idx-missing": (lambda w: read_idx(w.folder / "none"), FileNotFoundError, "none"),
    "idx-text": (lambda w: read_idx(w.folder / "text"), IdxError, "text"),
    "idx-folder": (lambda w: read_idx(w.folder), (IdxError, OSError), "folder|directory|regular"),
    "fetch-name": (lambda w: fetch("mnits", w.folder), ValueError, "did you mean 'mnist'"),
    "fetch-offline": (
        lambda w: fetch("kmnist", w.folder, offline=True), OSError, "by hand|offline"),
}  # fmt: skip

TRAINING = {
    "settings-epochs": (lambda w: TrainingSettings(epochs=0), ValueError, "epochs .*0"),
    "settings-bool": (lambda w: TrainingSettings(epochs=True), ValueError, "epochs .*True"),
    "settings-rate": (lambda w: TrainingSettings(learning_rate="x"), ValueError, "learning_rate"),
    "settings-save": (lambda w: TrainingSettings(save_seconds=None), ValueError, "save_seconds"),
    "settings-schedule": (
        lambda w: TrainingSettings(schedule="cosin"), ValueError, "did you mean 'cosine'"),
    "settings-loss": (lambda w: TrainingSettings(loss="mes"), ValueError, "did you mean 'mse'"),
    "settings-loss-number": (lambda w: TrainingSettings(loss=2), ValueError, "loss .*2"),
    "settings-name": (lambda w: TrainingSettings(batchsize=3), TypeError, "batchsize"),
    "settings-device": (
        lambda w: train(w.model, w.points, TrainingSettings(device="gpu"), quiet=True), ValueError,
        "device: .*'gpu'"),
    "generator-purpose": (
        lambda w: random_generator(0, "odrer"), ValueError, "did you mean 'order'"),
    "generator-seed": (lambda w: random_generator(-1, "order"), ValueError, "seed .*-1"),
    "train-none": (
        lambda w: train(w.model, w.points[:0], TrainingSettings()), ValueError, "no samples"),
    "train-list": (
        lambda w: train(w.model, [[0.0, 1.0]], TrainingSettings()), TypeError, "samples .*list"),
    "train-whole": (
        lambda w: train(w.model, numpy.ones((3, 2), int), TrainingSettings()), TypeError,
        "samples .*int64"),
    "train-double": (
        lambda w: train(w.model, numpy.ones((3, 2)), TrainingSettings()), TypeError,
        "samples .*float64"),
    "train-shape": (
        lambda w: train(w.model, w.images, TrainingSettings(), quiet=True), ValueError, "linear: "),
    "train-nan": (
        lambda w: train(w.model, nan_points(w), TrainingSettings()), ValueError, "not all finite"),
    "train-output": (
        lambda w: train(w.narrow, w.points, TrainingSettings(), quiet=True), ValueError,
        "mse_loss: "),
    "train-model": (
        lambda w: train(len, w.points, TrainingSettings()), TypeError, "train: the model .*Module"),
    "train-settings": (
        lambda w: train(w.model, w.points, {"epochs": 3}), TypeError, "TrainingSettings"),
    "train-folder": (
        lambda w: train(w.model, w.points, TrainingSettings(), folder=w.folder / "none"),
        WriteError, "does not exist"),
    "train-folder-file": (
        lambda w: train(w.model, w.points, TrainingSettings(), folder=w.folder / "text"),
        WriteError, "does not exist or is no folder"),
    "checkpoint-name": (
        lambda w: save_checkpoint(w.folder / "x", {"../a": w.points}, {}), ValueError, r"\.\./a"),
    "checkpoint-list": (
        lambda w: save_checkpoint(w.folder / "x", {"a": [1.0]}, {}), TypeError, "'a' must be"),
    "checkpoint-objects": (
        lambda w: save_checkpoint(w.folder / "x", {"a": SECRET}, {}), TypeError, "'a': "),
    "checkpoint-metadata": (
        lambda w: save_checkpoint(w.folder / "x", {}, {"a": object()}), TypeError, "metadata"),
    "checkpoint-folder": (
        lambda w: save_checkpoint(w.folder / "none" / "x", {}, {}), WriteError, "does not exist"),
    "checkpoint-over-folder": (
        lambda w: save_checkpoint(w.folder, {}, {}), WriteError, "a folder has that name"),
    "load-missing": (
        lambda w: load_checkpoint(w.folder / "none"), FileNotFoundError, "none"),
    "load-text": (lambda w: load_checkpoint(w.folder / "text"), CheckpointError, "text.*seal"),
    "load-folder": (lambda w: load_checkpoint(w.folder), CheckpointError, "regular file"),
    "load-other": (
        lambda w: load_checkpoint(w.folder / "good.npz", expected_metadata={"kind": "x"}),
        CheckpointError, "good.npz.*kind"),
    "load-small": (
        lambda w: load_checkpoint(w.folder / "good.npz", max_bytes=10), CheckpointError, "more"),
    "load-model": (
        lambda w: load_model(w.folder / "good.npz", w.model), CheckpointError, "kind"),
    "results-load": (lambda w: Results.load(w.folder / "good.npz"), CheckpointError, "kind"),
    "write-number": (lambda w: atomic_write(w.folder / "x", 5), TypeError, "bytes or str"),
    "write-rows": (
        lambda w: write_rows(w.folder / "none" / "x.csv", []), WriteError, "does not exist"),
}  # fmt: skip


def figure_call(name):
    def call(world):
        from autoencoder import figures

        calls = {
            "grid-flat": lambda: figures.image_grid(world.points),
            "grid-none": lambda: figures.image_grid(world.images[:0]),
            "grid-columns": lambda: figures.image_grid(world.images, columns=0),
            "rows-names": lambda: figures.rows_of_images([world.images], ["a", "b"]),
            "rows-shapes": lambda: figures.rows_of_images([world.images, world.images[:1]], "ab"),
            "rows-none": lambda: figures.rows_of_images([], []),
            "panels-none": lambda: figures.image_panels({}, columns=2),
            "chart-none": lambda: figures.line_chart({}, "x", "y"),
            "chart-lengths": lambda: figures.line_chart({"a": ([1, 2], [1])}, "x", "y"),
            "arrows": lambda: figures.draw_arrows(None, world.points, world.points[:3]),
            "save-folder": lambda: figures.save(
                figures.new_figure()[0], world.folder / "text" / "figure"
            ),
        }
        calls[name]()

    return call


FIGURES = {
    name: (figure_call(name), error, words)
    for name, error, words in (
        ("grid-flat", ValueError, r"\(20, 2\)"),
        ("grid-none", ValueError, r"\(0, 1, 8, 8\)"),
        ("grid-columns", ValueError, "columns"),
        ("rows-names", ValueError, "rows_of_images"),
        ("rows-shapes", ValueError, "rows_of_images"),
        ("rows-none", ValueError, "nothing to draw"),
        ("panels-none", ValueError, "nothing to draw"),
        ("chart-none", ValueError, "nothing to draw"),
        ("chart-lengths", ValueError, r"'a' has x \(2,\) and y \(1,\)"),
        ("arrows", ValueError, r"draw_arrows: .*\(3, 2\)"),
        ("save-folder", OSError, "text"),
    )
}

CALLS = {**MODELS, **STATISTICS, **DATA, **TRAINING, **FIGURES}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_explained_and_changes_nothing(name, world):
    call, error, words = CALLS[name]
    before = state_of(world)
    with pytest.raises(error, match=words) as caught:
        call(world)
    # The system may say that a file is not there, and Python that an argument is unknown.
    last = Path(traceback.extract_tb(caught.value.__traceback__)[-1].filename)
    assert not {"numpy", "scipy", "matplotlib"} & set(last.parts)
    assert state_of(world) == before


def test_the_state_compared_would_show_a_change(world):
    before = state_of(world)
    (world.folder / "new").write_text("")
    assert state_of(world) != before
    before = state_of(world)
    world.rng.random()
    assert state_of(world) != before
    before = state_of(world)
    world.diagonal.fit(world.points)
    assert state_of(world) != before


def test_no_name_stands_for_two_calls():
    tables = (MODELS, STATISTICS, DATA, TRAINING, FIGURES)
    assert len(CALLS) == sum(map(len, tables)) == 154


LONG = "x" * 15_000_000
LINEAR = nn.Linear(2, 1)


def state_of_an_optimiser(**changes):
    optimizer = optim.Adam(LINEAR.parameters())
    return lambda: optimizer.load_state_dict({**optimizer.state_dict(), **changes})


OUTSIDE = {
    "names of a state dict": lambda: LINEAR.load_state_dict({LONG: numpy.ones(1)}),
    "many names of a state dict": lambda: LINEAR.load_state_dict(dict.fromkeys(range(100_000))),
    "an optimiser's options": state_of_an_optimiser(param_groups=[{LONG: 1}]),
    "an optimiser's positions": state_of_an_optimiser(state={LONG: {}}),
    "an optimiser's memories": state_of_an_optimiser(state={"0": {LONG: {}}}),
    "an option of a group": lambda: optim.SGD([{"params": LINEAR.weight, LONG: 1}], lr=0.1),
    "a learning rate": lambda: optim.SGD(LINEAR.parameters(), lr=LONG),
    "a schedule": lambda: optim.StepLR(optim.SGD(LINEAR.parameters(), lr=1.0), 1).load_state_dict(
        {"last_epoch": LONG}
    ),
    "a module's name": lambda: nn.Sequential({f"{LONG}.": LINEAR}),
    "a size": lambda: nn.Linear(LONG, 1),
    "a size of 5,000 digits": lambda: nn.Unflatten(1, 10**5_000),
    "a device": lambda: minigrad.device(LONG),
    "a target": lambda: LINEAR.to(LONG),
    "a padding": lambda: F.conv2d(*map(Tensor, [numpy.ones((1, 1, 3, 3))] * 2), padding=LONG),
    "a reduction": lambda: F.mse_loss(Tensor([1.0]), Tensor([1.0]), reduction=LONG),
    "a mode": lambda: F.pad(Tensor([1.0]), (1, 1), mode=LONG),
    "an operand": lambda: Tensor([1.0]) + [LONG],
    "a seed": lambda: minigrad.manual_seed(LONG),
    "a setting": lambda: TrainingSettings(loss=LONG),
    "a number of settings": lambda: TrainingSettings(epochs=LONG),
    "a split": lambda: datasets.load().images(LONG),
    "a data set": lambda: datasets.load(LONG),
    "an array's name": lambda: save_checkpoint("c", {LONG + "!": numpy.ones(1)}, {}),
    "a side": lambda: corruption.EraseHalf(LONG),
    "an address": lambda: transfer(LONG, "part", Limits()),
}


@pytest.mark.parametrize("what", OUTSIDE)
def test_what_comes_from_outside_is_not_printed_whole(what):
    started = time.monotonic()
    with pytest.raises((TypeError, ValueError, RuntimeError, OSError)) as caught:
        OUTSIDE[what]()
    assert len(str(caught.value)) < 5_000
    assert "Exceeds the limit" not in str(caught.value)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "option", ["--preset", "--seed", "--latent-size", "--data", "--out", "--nothing", "--device"]
)
def test_a_long_option_is_not_printed_whole(option, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(load_section("interpolate"), ["--out", str(tmp_path / "o"), option, LONG[:100_000]])
    error = capsys.readouterr().err
    assert len(error) < 2_000
    assert error.count("\n") == 1


def test_config_json_with_a_long_name_or_value_is_not_printed_whole(tmp_path, capsys):
    for key, value in ((LONG, 1), ("preset", LONG), ("latent_size", LONG), ("demo", LONG)):
        configuration = {"demo": "interpolate", "device": "cpu", "preset": "smoke", key: value}
        (tmp_path / "config.json").write_text(json.dumps(configuration))
        with pytest.raises(SystemExit):
            main(load_section("interpolate"), ["--replot", "--out", str(tmp_path)])
        error = capsys.readouterr().err
        assert len(error) < 2_000
        assert error.count("\n") == 1
