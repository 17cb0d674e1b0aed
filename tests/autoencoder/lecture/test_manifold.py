"""The first section: the loss on few points and on new ones, and the trap of as many latents."""

import numpy
import pytest

from autoencoder.data.curves import s_curve
from autoencoder.inference import reconstruct
from autoencoder.lecture.run import Run
from autoencoder.lecture.sections import load_demo
from autoencoder.training import load_model, random_generator

manifold = load_demo("manifold")


def trained(folder, name):
    (found,) = folder.glob(f"models/manifold-{name}-????????????")
    model = manifold.network(2 if name.endswith("d2") else 1)
    load_model(found, model)
    return model


def test_both_losses_are_those_of_the_points_trained_on_and_of_new_ones(smoke):
    folder, results = smoke("manifold")
    train = s_curve(2_000, random_generator(0, "data", 0), 0.08)
    for row in results.numbers["gap"]:
        count = row["points"]
        name = "s_curve" if count == 2_000 else f"s_curve-{count}-points"
        model = trained(folder, name)
        for key, points in (("train", train[:count]), ("test", results.arrays["s_curve/points"])):
            expected = float(((reconstruct(model, points) - points) ** 2).mean())
            assert row[key] == pytest.approx(expected, rel=1e-5)
    assert [row["points"] for row in results.numbers["gap"]] == [30, 100, 300, 1_000, 2_000]


def test_pca_with_as_many_components_as_coordinates_loses_nothing(smoke):
    _, results = smoke("manifold")
    one, two = results.numbers["trap"]
    assert one["pca_loss"] > 0.01
    assert two["pca_loss"] < 1e-12


def test_points_from_anywhere_are_measured_against_themselves_and_the_curve(smoke):
    folder, results = smoke("manifold")
    points = results.arrays["anywhere"]
    line = numpy.concatenate(s_curve.lines())
    for row in results.numbers["trap"]:
        taken = results.arrays[f"anywhere/{row['latent_size']}"]
        name = "s_curve" if row["latent_size"] == 1 else "s_curve-d2"
        numpy.testing.assert_allclose(reconstruct(trained(folder, name), points), taken, atol=1e-6)
        assert row["anywhere"] == pytest.approx(float(((taken - points) ** 2).mean()), rel=1e-5)
        squares = ((taken[:, None] - line) ** 2).sum(axis=2).min(axis=1)
        assert row["from_curve"] == pytest.approx(squares.mean() / 2, rel=1e-4)


@pytest.mark.slow
def test_with_training_few_points_deceive_and_two_latents_copy_anything(tmp_path):
    options = manifold.Options(preset="default")
    run = Run("manifold", options, tmp_path, tmp_path, quiet=True)
    numbers = manifold.compute(run).numbers
    ratios = [row["test"] / row["train"] for row in numbers["gap"]]
    assert ratios[0] > 5
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] == pytest.approx(1, abs=0.05)
    one, two = numbers["trap"]
    assert one["loss"] == pytest.approx(0.08**2 / 2, rel=0.1)  # the noise across the curve
    assert two["loss"] < 0.01 * one["loss"]
    assert two["anywhere"] < 0.05 * one["anywhere"]
    assert one["from_curve"] < 0.1 * one["anywhere"]
