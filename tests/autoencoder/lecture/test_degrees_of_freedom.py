"""The elbow of the deep autoencoder stands at the true number of factors, that of PCA does not."""

import argparse

import numpy
import pytest

from autoencoder.data.faces import FACTORS, render_faces
from autoencoder.inference import reconstruct
from autoencoder.lecture.run import Run
from autoencoder.lecture.sections import load_demo
from autoencoder.pca import PCA
from autoencoder.storage.results import Results

freedom = load_demo("degrees_of_freedom")


def faces_of_smoke(count, seed=0):
    options = argparse.Namespace(**freedom.section.presets["smoke"], seed=seed, workers=None)
    return freedom.draw_faces(Run("", options, "unused", "unused"), count)


def test_the_errors_of_pca_are_those_of_its_definition(smoke):
    _, results = smoke("degrees_of_freedom")
    train, test, _, _ = faces_of_smoke(3)
    flat, mean = test.reshape(len(test), -1), train.reshape(len(train), -1).mean(axis=0)
    _, _, directions = numpy.linalg.svd(train.reshape(len(train), -1) - mean, full_matrices=False)
    for row in results.rows:
        if row["factors"] == 3 and row["model"] == "PCA":
            v = directions[: row["d"]]
            rest = (flat - mean) - (flat - mean) @ v.T @ v
            assert row["test_mse"] == pytest.approx((rest**2).mean(), rel=1e-3)


def test_training_and_test_faces_differ_and_follow_from_the_seed():
    train, test, factors, _ = faces_of_smoke(3, seed=3)
    numpy.testing.assert_array_equal(train, faces_of_smoke(3, seed=3).train)
    assert not (train[: len(test)] == test).all()
    assert factors.shape == (len(test), 3)
    assert not (train == faces_of_smoke(3).train).all()


def test_drops_are_differences_of_log_errors():
    errors = {2: 8.0, 3: 2.0, 4: 1.0}
    rows = [{"factors": 3, "model": "deep", "d": d, "test_mse": e} for d, e in errors.items()]
    numpy.testing.assert_allclose(freedom.drops(rows, 3, "deep"), numpy.log([4.0, 2.0]))


def test_a_traversal_moves_along_one_axis_at_a_time():
    rng = numpy.random.default_rng(0)
    z = (rng.normal(size=(500, 2)) @ [[3.0, 1.0], [0.0, 0.5]] + [5.0, -2.0]).astype("float32")
    path = freedom._traversal(z).reshape(2, -1, 2)
    first, second = numpy.diff(path, axis=1)
    for steps in (first, second):
        assert numpy.linalg.matrix_rank(steps, tol=1e-4) == 1
    assert abs(first[0] @ second[0]) < 1e-4
    assert numpy.linalg.norm(first[0]) > numpy.linalg.norm(second[0])
    assert numpy.abs(path.mean(axis=(0, 1)) - z.mean(axis=0)).max() < 0.5


def test_a_linear_map_explains_all_of_a_linear_factor_and_nothing_of_another():
    rng = numpy.random.default_rng(1)
    z = rng.normal(size=(2000, 2))
    factors = numpy.column_stack([z @ [1.0, -2.0] + 3.0, rng.normal(size=2000)])
    explained = list(freedom._explained(z, factors).values())
    assert explained[0] == pytest.approx(1.0)
    assert 0 <= explained[1] < 0.01


def test_directions_of_factors_are_those_of_a_linear_map():
    rng = numpy.random.default_rng(2)
    factors, mixing = rng.random((50, 3)), rng.normal(size=(3, 5))
    z = factors @ mixing + rng.normal(size=5)
    numpy.testing.assert_allclose(freedom.factor_directions(z, factors), mixing, atol=1e-10)


def test_turned_faces_are_compared_with_faces_drawn_from_the_same_factors_but_one(smoke):
    _, results = smoke("degrees_of_freedom")
    factors = faces_of_smoke(freedom.MOST).factors
    drawn = results.arrays["drawn"].reshape(6, 9, 3, 16, 16)
    start = min(range(len(factors)), key=lambda i: max(abs(float(u) - 0.5) for u in factors[i]))
    for k, name in enumerate(FACTORS[:6]):
        for step in (0, 4, 8):
            values = factors[start].copy()
            values[k] = 0.05 + 0.9 * step / 8
            (expected,) = render_faces(values[None], size=16)
            numpy.testing.assert_allclose(drawn[k, step], expected, atol=1e-5)
        turned = results.arrays["turned"].reshape(drawn.shape)[k]
        error = results.numbers["turned"][name]["error"]
        assert error == pytest.approx(float(((turned - drawn[k]) ** 2).mean()), rel=1e-4)


def test_faces_are_measured_by_the_training_face_nearest_to_each():
    rng = numpy.random.default_rng(3)
    images, others = rng.random((4, 3, 2, 2)), rng.random((9, 3, 2, 2))
    nearest = [min(float(((x - y) ** 2).mean()) for y in others) for x in images]
    assert freedom._from_nearest(images, others) == pytest.approx(sum(nearest) / 4)


def test_grey_is_luminance_and_leaves_grey_pictures_as_they_are():
    colours = numpy.eye(3).reshape(3, 3, 1, 1)
    assert freedom.grey(colours).ravel().tolist() == [0.299, 0.587, 0.114]
    level = numpy.full((1, 3, 2, 2), 0.4)
    numpy.testing.assert_allclose(freedom.grey(level), 0.4)


@pytest.mark.slow
@pytest.mark.parametrize("count", freedom.COUNTS)
def test_the_elbow_of_the_deep_one_stands_at_the_number_of_factors(count, tmp_path):
    """Colour faces of 16 x 16; 768-128-128-d-128-128-768 with tanh; 20,000 faces, 20 epochs."""
    options = freedom.section.options(retrain=True)
    assert (options.image_size, options.hidden) == (16, 128)
    run = Run("degrees_of_freedom", options, tmp_path, tmp_path, quiet=True)
    faces = freedom.draw_faces(run, count)
    train, test, _, mean = faces
    pca, rows = PCA(count + 1).fit(train), []
    for d in (count - 1, count, count + 1):
        linear = pca.truncate(d)
        model = freedom.train_on_faces(run, faces, d)
        guesses = {"PCA": linear.inverse_transform(linear.transform(test))}
        guesses["deep"] = reconstruct(model, test - mean) + mean
        for name, guess in guesses.items():
            error = float(((guess - test) ** 2).mean())
            rows.append({"factors": count, "model": name, "d": d, "test_mse": error})
    before, after = freedom.drops(rows, count, "deep")
    assert before > 1
    assert before >= 3 * after
    before, after = freedom.drops(rows, count, "PCA")
    assert before < 3 * after


@pytest.mark.slow
def test_with_training_a_mixture_makes_faces_and_each_factor_turns_alone(tmp_path):
    options = freedom.Options(preset="default")
    run = Run("degrees_of_freedom", options, tmp_path, tmp_path, quiet=True)
    faces = freedom.draw_faces(run, freedom.MOST)
    model = freedom.train_on_faces(run, faces, freedom.MOST)
    results = Results()
    freedom._generate(run, model, faces, results)
    freedom._turn(run, model, faces, results)
    freedom._colour(run, faces, results)
    nearest = results.numbers["nearest"]
    assert nearest["mixture"] < 2 * nearest["reconstructions"] < 0.5 * nearest["diagonal"]
    assert all(each["error"] < 0.3 * each["change"] for each in results.numbers["turned"].values())
    assert results.numbers["colour_mse"] < 0.1 * results.numbers["grey_mse"]
