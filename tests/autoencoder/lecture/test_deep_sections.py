"""The sections of the deep autoencoder: what they compute, and that each runs and draws again."""

import re

import numpy
import pytest

from autoencoder.classifier import Judge
from autoencoder.densities import DiagonalGaussian
from autoencoder.inference import decode, encode, reconstruct
from autoencoder.lecture.run import Run
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_demo, load_section
from autoencoder.lecture.shared import (
    latent_sizes,
    layer_table,
    one_of_each,
    trained_autoencoder,
    trained_variational,
)
from autoencoder.models import (
    AutoEncoder,
    DenseAutoEncoder,
    MLPAutoEncoder,
    count_parameters,
)
from autoencoder.training import load_model, random_generator
from minigrad import Tensor

SECTIONS = (
    *("train_autoencoder", "linear_bottleneck", "interpolate", "sample_latent"),
    *("latent_density", "density_ladder", "variational"),
)

interpolate = load_demo("interpolate")
latent_density = load_demo("latent_density")
bottleneck = load_demo("linear_bottleneck")


@pytest.fixture(scope="module")
def deep(smoke):
    """The folder of each section's smoke run, and its results; all share their models."""
    return {name: smoke(name) for name in SECTIONS}


@pytest.fixture(scope="module")
def run(deep):
    """A run with the smoke preset's options, its models trained."""
    section = load_section("sample_latent")
    options = section.options(preset="smoke", **section.presets["smoke"])
    folder = deep["sample_latent"][0]
    return Run("sample_latent", options, folder, folder / "models", quiet=True)


def test_sections_share_their_models(deep):
    kept = (deep["latent_density"][0] / "models").glob("autoencoder-*")
    names = [re.fullmatch(r"autoencoder-d(\d+)-\w+", path.name)[1] for path in kept]
    assert sorted(names, key=int) == ["2", "8", "16"]


def test_runs_that_share_a_dataset_encode_its_images_once(run, monkeypatch):
    model, _ = trained_autoencoder(run, 8)
    latents = run.encoded(model, "train")
    numpy.testing.assert_array_equal(latents, encode(model, run.images("train")))
    other = Run("latent_density", run.options, run.folder, run.models, quiet=True)
    other.share_dataset(run)
    model, _ = trained_autoencoder(other, 8)
    monkeypatch.setattr("autoencoder.lecture.run.encode", None)
    assert other.encoded(model, "train") is latents
    for which in ((model, "test"), (AutoEncoder(8), "train")):  # not yet encoded
        with pytest.raises(TypeError):
            other.encoded(*which)


def test_every_section_trains_the_autoencoder_equally_long_at_every_latent_size():
    expected = {"smoke": 1, "default": 5, "lecture": 5, "full": 25}
    for name in {*SECTIONS, "cures"} - {"linear_bottleneck"}:
        presets = load_section(name).presets
        assert {preset: values["epochs"] for preset, values in presets.items()} == expected, name
        default = presets["default"]
        assert (default["train_images"], default["batch_size"]) == (60_000, 100), name
        assert "epochs_d8" not in default


def test_the_table_of_layers_is_the_lectures():
    layers = layer_table(AutoEncoder(8))
    assert [row["shape"][1] for row in layers] == [28, 24, 20, 9, 4, 1, 4, 9, 20, 24, 28]
    assert [row["shape"][0] for row in layers] == [1, 32, 32, 32, 32, 8, 32, 32, 32, 32, 1]
    # out * in * height * width of each kernel, and a bias for each output channel
    expected = [0, 832, 25_632, 16_416, 9_248, 4_104, 4_128, 9_248, 16_416, 25_632, 801]
    assert [row["parameters"] for row in layers] == expected
    assert sum(expected) == count_parameters(AutoEncoder(8)) == 112_457
    assert count_parameters(DenseAutoEncoder(32)) == 784 * 32 + 32 + 32 * 784 + 784
    other = layer_table(AutoEncoder(2))
    changed = [i for i, (a, b) in enumerate(zip(layers, other)) if a != b]
    assert changed == [5, 6]


def test_layers_are_named_in_brief_from_the_modules_themselves():
    layers = layer_table(AutoEncoder(3, image_size=(20, 33), channels=3))
    encoder = ["Conv2d\n5 × 5\nReLU"] * 2
    encoder += [f"Conv2d\n{side} × {side}, stride 2\nReLU" for side in (4, 3)]
    assert [row["brief"] for row in layers[:5]] == ["", *encoder]
    assert layers[5]["brief"] == "Conv2d\n2 × 5"  # what is left of 20 x 33 pixels
    assert layers[10]["brief"] == "ConvTranspose2d\n5 × 5"
    dense = layer_table(MLPAutoEncoder(2, 7, 1))
    assert [row["shape"] for row in dense] == [[2], [7], [1], [7], [2]]
    assert [row["brief"] for row in dense] == ["", *["Linear\nReLU", "Linear"] * 2]


def test_cross_entropy_is_that_of_its_definition_and_the_answers_are_chances():
    rng = numpy.random.default_rng(0)
    model = bottleneck.BlogAutoEncoder(3, (1, 4, 5))
    x = rng.random((6, 1, 4, 5), dtype="float32")
    weights = {name: array.astype("float64") for name, array in model.state_dict().items()}
    z = x.reshape(6, 20) @ weights["encoder.weight"].T + weights["encoder.bias"]
    z = numpy.where(z > 0, z, 0.0)
    p = 1 / (1 + numpy.exp(-(z @ weights["decoder.weight"].T + weights["decoder.bias"])))
    t = rng.random((6, 1, 4, 5), dtype="float32")
    expected = -(t.reshape(6, 20) * numpy.log(p) + (1 - t.reshape(6, 20)) * numpy.log(1 - p)).mean()
    loss = bottleneck.cross_entropy(model, Tensor(x), Tensor(t))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    numpy.testing.assert_allclose(reconstruct(model, x).reshape(6, 20), p, rtol=1e-4)
    numpy.testing.assert_allclose(encode(model, x), z, atol=1e-5)


def test_the_blogs_layers_begin_at_glorots_bounds():
    weights = bottleneck.BlogAutoEncoder(32).state_dict()
    bound = (6 / (784 + 32)) ** 0.5
    for name in ("encoder", "decoder"):
        largest = float(numpy.abs(weights[f"{name}.weight"]).max())
        assert 0.999 * bound < largest <= bound * (1 + 1e-6)
        assert not weights[f"{name}.bias"].any()


def test_errors_of_the_bottleneck_are_those_of_the_test_images(deep, run):
    folder, results = deep["linear_bottleneck"]
    test = run.images("test")
    linear = load_model(folder)
    (kept,) = (folder / "models").glob("blog-bottleneck-*")
    blog = bottleneck.BlogAutoEncoder(32)
    load_model(kept, blog)
    for name, model in (("linear", linear), ("blog", blog)):
        expected = float(((reconstruct(model, test) - test) ** 2).mean())
        assert results.numbers[f"{name}_mse"] == pytest.approx(expected, rel=1e-5)


def test_the_listing_is_what_pytorch_prints(deep):
    text = (deep["train_autoencoder"][0] / "model.txt").read_text()
    listing, table = text.split("\n\n")
    assert listing == repr(AutoEncoder(8))
    assert table.split()[-2:] == ["all", "112,457"]


def test_errors_of_pca_and_autoencoder_are_those_of_the_test_images(deep, run):
    numbers = deep["train_autoencoder"][1].numbers
    train, test = run.images("train"), run.images("test")
    mean = train.reshape(300, -1).mean(axis=0)
    _, _, directions = numpy.linalg.svd(train.reshape(300, -1) - mean, full_matrices=False)
    for error in numbers["errors"]:
        basis, centred = directions[: error["latent_size"]], test.reshape(100, -1) - mean
        expected = float(((centred - centred @ basis.T @ basis) ** 2).mean())
        assert error["pca_mse"] == pytest.approx(expected, rel=1e-4)
        model, _ = trained_autoencoder(run, error["latent_size"])
        expected = float(((reconstruct(model, test) - test) ** 2).mean())
        assert error["autoencoder_mse"] == pytest.approx(expected, rel=1e-5)


def test_the_ends_of_a_walk_are_the_reconstructions_and_the_images(deep, run):
    results = deep["interpolate"][1]
    model, _ = trained_autoencoder(run, 8)
    by_latents, by_pixels = results.arrays["by_latents"], results.arrays["by_pixels"]
    assert by_latents.shape == by_pixels.shape == (3, 11, 1, 28, 28)
    for end in (0, -1):
        expected = reconstruct(model, by_pixels[:, end])
        numpy.testing.assert_allclose(by_latents[:, end], expected, atol=1e-5)
    test = run.images("test")
    start = by_pixels[0, 0]
    assert (test == start).all(axis=(1, 2, 3)).any()
    middle = (by_pixels[:, 0] + by_pixels[:, -1]) / 2
    numpy.testing.assert_allclose(by_pixels[:, 5], middle, atol=1e-6)
    z = [encode(model, by_pixels[:, end]) for end in (0, -1)]
    expected = decode(model, 0.7 * z[0] + 0.3 * z[1])
    numpy.testing.assert_allclose(by_latents[:, 3], expected, atol=1e-5)


def test_pairs_are_of_different_classes_and_follow_from_the_generator():
    labels = numpy.array([1] * 50 + [2, 3])
    pairs = interpolate.choose_pairs(labels, 40, numpy.random.default_rng(3))
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    again = interpolate.choose_pairs(labels, 40, numpy.random.default_rng(3))
    numpy.testing.assert_array_equal(pairs, again)
    with pytest.raises(ValueError, match="one class"):
        interpolate.choose_pairs(labels[:50], 1, numpy.random.default_rng(3))


@pytest.mark.parametrize("size", [8, 16])
def test_the_gaussian_has_the_mean_and_variance_of_the_training_latents(size, deep, run):
    arrays = deep["sample_latent"][1].arrays
    model, _ = trained_autoencoder(run, size)
    latents = encode(model, run.images("train")).astype("float64")
    numpy.testing.assert_allclose(arrays[f"mean/{size}"], numpy.mean(latents, axis=0), rtol=1e-5)
    numpy.testing.assert_allclose(arrays[f"std/{size}"] ** 2, numpy.var(latents, axis=0), rtol=1e-4)
    decoded = decode(model, arrays[f"latents/{size}"])
    numpy.testing.assert_allclose(arrays[f"samples/{size}"], decoded, atol=1e-5)


def test_held_out_log_likelihoods_are_scipys(deep, run):
    from scipy.stats import multivariate_normal

    for size in deep["latent_density"][1].numbers["sizes"]:
        model, _ = trained_autoencoder(run, size["latent_size"])
        images = (run.images(split) for split in ("train", "test"))
        z, held_out = (encode(model, each).astype("float64") for each in images)
        covariance = numpy.cov(z.T, bias=True)
        full = multivariate_normal(z.mean(axis=0), covariance)
        diagonal = multivariate_normal(z.mean(axis=0), numpy.diag(numpy.diag(covariance)))
        expected = [float(density.logpdf(held_out).mean()) for density in (full, diagonal)]
        measured = [size["log_likelihood_full"], size["log_likelihood_diagonal"]]
        numpy.testing.assert_allclose(measured, expected, rtol=1e-3)


def test_the_ladder_measures_its_densities_on_the_same_latents(deep, run):
    """The Gaussians' nats are those of the section before, the mixture's are fitted anew."""
    before = deep["latent_density"][1].numbers["sizes"]
    numbers = deep["density_ladder"][1].numbers
    for size, measured in zip(numbers["sizes"], before, strict=True):
        ladder = {row["name"]: row for row in size["ladder"]}
        for name in ("diagonal", "full"):
            nats = ladder[f"{name} Gaussian"]["nats"]
            assert nats == pytest.approx(measured[f"log_likelihood_{name}"])
    judge = Judge(run.images("test"))
    drawn = random_generator(0, "evaluation", 0).permutation(300)[:60]
    few = run.images("train")[drawn]
    model, _ = trained_autoencoder(run, 16)
    decoded = decode(model, encode(model, few))
    for name, images in (("training images", few), ("reconstructions", decoded)):
        score = judge.score(images)
        row = dict(ladder[name])
        assert row.pop("distances") == pytest.approx([score["frechet"]])
        assert row == pytest.approx({"name": name, **score})


def test_shares_are_means_over_seeds_by_every_classifier(deep):
    """Of numbers whose shares are known: the second seed's distances are three times as large."""
    results = deep["density_ladder"][1]
    first = {"name": "diagonal Gaussian", "distances": [10.0, 8.0], "nats": -4.0}
    full = {"name": "full Gaussian", "distances": [5.0, 2.0], "nats": -3.0}
    apart = {"name": "variational autoencoder", "distances": [6.0, 4.0]}

    def larger(row, factor):
        return {**row, "distances": [factor * each for each in row["distances"]], "nats": -1.0}

    numbers = {
        "sizes": [
            {"latent_size": 16, "ladder": [first, full]},
            {"latent_size": 16, "ladder": [larger(first, 3), larger(full, 6)]},
        ],
        "apart": [apart],
    }
    table = load_demo("density_ladder")._table_of_shares(numbers)
    names = ("diagonal Gaussian", "full Gaussian", "variational autoencoder")
    assert table["density"] == [f"{name}, d = 16" for name in names]
    assert table["share, classifier 1"] == ["1.000 ± 0.000", "0.750 ± 0.354", "0.600"]
    assert table["share, classifier 2"] == ["1.000 ± 0.000", "0.375 ± 0.177", "0.500"]
    assert table["nats"] == ["-2.50 ± 2.12", "-2.00 ± 1.41", ""]
    assert load_demo("density_ladder")._table_of_shares(results.numbers) == {}


def test_the_variational_autoencoders_numbers_are_its_models(deep, run):
    results = deep["variational"][1]
    numbers, arrays = results.numbers, results.arrays
    model, rows = trained_variational(run, 16)
    test = run.images("test")
    assert rows[-1]["test_bound"] == pytest.approx(results.rows[-1]["test_bound"])
    error = float(((reconstruct(model, test) - test) ** 2).mean())
    assert numbers["mse"] == pytest.approx(error, rel=1e-5)
    mean, log_variance = (each.detach().numpy() for each in model.posterior(Tensor(test)))
    told = 0.5 * (mean**2 + numpy.exp(log_variance) - 1 - log_variance)
    numpy.testing.assert_allclose(arrays["told"], told.mean(axis=0), rtol=1e-4, atol=1e-7)
    judge = Judge(test)
    reconstructed = reconstruct(model, run.images("train"))
    drawn = random_generator(0, "evaluation", 0).permutation(300)[:60]
    assert numbers["scores"][2]["frechet"] == pytest.approx(judge.distance(reconstructed[drawn]))


def test_the_image_under_each_sample_is_its_nearest(deep, run):
    arrays = deep["latent_density"][1].arrays
    train = run.images("train").reshape(300, -1)
    for size in (8, 16):
        names = (f"samples/{size}", f"nearest/{size}")
        samples, nearest = (arrays[name].reshape(12, -1) for name in names)
        every = numpy.linalg.norm(samples[:, None] - train, axis=2)
        found = numpy.linalg.norm(samples - nearest, axis=1)
        numpy.testing.assert_allclose(found, every.min(axis=1), rtol=1e-5)


def test_pair_divergence_is_near_zero_for_the_density_itself_and_known_for_a_shifted_one():
    rng = numpy.random.default_rng(0)
    z = rng.normal(size=(200_000, 2))
    own = latent_density.pair_divergences(z, DiagonalGaussian([0, 0], [1, 1]))
    assert 0 < own[0, 1] < 0.002
    shifted = latent_density.pair_divergences(z + [0.5, 0], DiagonalGaussian([0, 0], [1, 1]))
    assert shifted[0, 1] == pytest.approx(0.5**2 / 2, rel=0.05)  # between Gaussians: shift^2 / 2


@pytest.mark.parametrize("text", ["", "0", "8,8", "8;16", "2,x"])
def test_mistyped_latent_sizes_end_in_one_line(text, refused):
    refused(main, load_section("train_autoencoder"), ["--latent-size", text])


def test_latent_sizes_are_sorted_and_one_of_each_takes_the_first():
    assert latent_sizes(" 32,2") == "2,32"
    labels = numpy.array([4, 4, 0, 9, 0])
    assert one_of_each(labels, 4).tolist() == [2, 0, 3, 1]
