"""Errors, distances and angles against loops written from the definitions."""

import math

import numpy
import pytest
from scipy.stats import energy_distance as scipy_energy_distance

from autoencoder import metrics as distances
from autoencoder.metrics import (
    energy_distance,
    mse_per_pixel,
    nearest_neighbours,
    principal_angles,
    psnr,
    sum_per_sample,
)


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


def test_the_two_scales_of_the_loss_agree_with_loops(rng):
    a, b = rng.random((5, 1, 3, 4)), rng.random((5, 1, 3, 4))
    total = sum((p - q) ** 2 for p, q in zip(a.ravel(), b.ravel(), strict=True))
    assert mse_per_pixel(a, b) == pytest.approx(total / 60)
    assert sum_per_sample(a, b) == pytest.approx(total / 5)


def test_masked_error_counts_only_where_the_mask_is_true(rng):
    a, b = rng.random((6, 3, 4)), rng.random((6, 3, 4))
    mask = rng.random((6, 3, 4)) < 0.3
    chosen = [(p - q) ** 2 for p, q, m in zip(a.ravel(), b.ravel(), mask.ravel(), strict=True) if m]
    assert mse_per_pixel(a, b, mask=mask) == pytest.approx(sum(chosen) / len(chosen))
    assert psnr(a, b, mask=mask) == pytest.approx(-10 * math.log10(sum(chosen) / len(chosen)))
    row = numpy.array([True, False, False, True])
    assert mse_per_pixel(a, b, mask=row) == pytest.approx(((a - b)[..., [0, 3]] ** 2).mean())
    holed = numpy.where(mask, a, numpy.nan)
    assert mse_per_pixel(holed, b, mask=mask) == pytest.approx(sum(chosen) / len(chosen))


def test_psnr_of_noise_of_std_one_half_is_six_decibels_and_is_not_clipped(rng):
    clean = rng.random((200, 28, 28))
    noisy = clean + 0.5 * rng.standard_normal(clean.shape)
    assert psnr(noisy, clean) == pytest.approx(20 * math.log10(2), abs=0.05)
    assert psnr(255 * noisy, 255 * clean, peak=255) == pytest.approx(psnr(noisy, clean))
    assert psnr(clean, clean) == math.inf


def test_psnr_averages_before_the_logarithm():
    target = numpy.zeros((2, 1))
    estimate = numpy.array([[0.1], [0.5]])
    assert psnr(estimate, target) == pytest.approx(-10 * math.log10((0.01 + 0.25) / 2))


def test_bytes_do_not_wrap_and_float32_sums_do_not_drift():
    dark, bright = numpy.zeros((1, 4), dtype="uint8"), numpy.full((1, 4), 200, dtype="uint8")
    assert mse_per_pixel(dark, bright) == 40000.0
    many = numpy.full((1, 20_000_000), 0.1, dtype="float32")
    assert mse_per_pixel(many, numpy.zeros_like(many)) == pytest.approx(float(many[0, 0]) ** 2)


def test_energy_distance_agrees_with_loops(rng):
    x, y = rng.normal(size=(9, 2, 2)), 1 + rng.normal(size=(7, 2, 2))

    def mean_distance(a, b, same):
        pairs = [
            math.dist(p.ravel(), q.ravel())
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if not (same and i == j)
        ]
        return sum(pairs) / len(pairs)

    expected = (
        2 * mean_distance(x, y, False) - mean_distance(x, x, True) - mean_distance(y, y, True)
    )
    assert energy_distance(x, y) == pytest.approx(expected, rel=1e-12)


def test_energy_distance_agrees_with_scipy_once_self_pairs_are_counted(rng):
    x, y = rng.normal(size=30), 0.5 + 2 * rng.normal(size=40)
    within_x = numpy.abs(x[:, None] - x).sum()
    within_y = numpy.abs(y[:, None] - y).sum()
    biased = (
        energy_distance(x[:, None], y[:, None])
        + within_x * (1 / (30 * 29) - 1 / 30**2)
        + within_y * (1 / (40 * 39) - 1 / 40**2)
    )
    assert biased == pytest.approx(scipy_energy_distance(x, y) ** 2, rel=1e-10)


def test_energy_distance_is_unbiased(rng):
    values = [energy_distance(*rng.normal(size=(2, 8, 2))) for _ in range(2000)]
    error = numpy.std(values) / math.sqrt(len(values))
    assert abs(numpy.mean(values)) < 4 * error
    assert min(values) < 0


def test_energy_distance_does_not_depend_on_chunks_or_on_a_far_origin(rng, monkeypatch):
    x, y = rng.normal(size=(50, 3)), 1 + rng.normal(size=(31, 3))
    whole = energy_distance(x, y)
    assert energy_distance(x + 1e6, y + 1e6) == pytest.approx(whole, rel=1e-6)
    monkeypatch.setattr(distances, "_CHUNK_VALUES", 100)
    assert energy_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_nearest_neighbours_agree_with_loops_and_break_ties_by_order(rng, monkeypatch):
    queries, references = rng.normal(size=(20, 2, 2)), rng.normal(size=(33, 2, 2))
    references[30] = references[4]
    queries[3] = references[4]
    monkeypatch.setattr(distances, "_CHUNK_VALUES", 200)
    indices, found = nearest_neighbours(queries, references, k=3)
    for q, query in enumerate(queries):
        far = [math.dist(query.ravel(), r.ravel()) for r in references]
        order = sorted(range(33), key=lambda i, far=far: (far[i], i))[:3]
        assert indices[q].tolist() == order
        numpy.testing.assert_allclose(found[q], [far[i] for i in order], atol=1e-12)
    assert indices[3, :2].tolist() == [4, 30]
    assert found[3, 0] == 0.0


def test_nearest_neighbours_may_list_all_references(rng):
    indices, _ = nearest_neighbours(rng.normal(size=(2, 3)), rng.normal(size=(4, 3)), k=4)
    assert sorted(indices[0].tolist()) == [0, 1, 2, 3]


def test_principal_angles_of_known_planes():
    turn = 0.3
    plane = numpy.array([[1.0, 0], [0, 1], [0, 0]])
    turned = numpy.array([[1.0, 0], [0, math.cos(turn)], [0, math.sin(turn)]])
    numpy.testing.assert_allclose(principal_angles(plane, turned), [turn, 0.0], atol=1e-12)
    other_basis = turned @ numpy.array([[2.0, 1.0], [0.5, -3.0]])
    numpy.testing.assert_allclose(principal_angles(plane, other_basis), [turn, 0.0], atol=1e-12)


def test_small_angles_in_float32_are_not_rounded_away():
    a = numpy.array([[1.0], [0.0]], dtype="float32")
    b = numpy.array([[1.0], [1e-5]], dtype="float32")
    assert principal_angles(a, b)[0] == pytest.approx(1e-5, rel=1e-5)
