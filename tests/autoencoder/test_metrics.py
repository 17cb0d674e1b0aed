"""Errors, distances, angles and scores: loops from the definitions, closed forms, scipy."""

import itertools
import math

import numpy
import pytest
from scipy.linalg import sqrtm
from scipy.stats import energy_distance as scipy_energy_distance

from autoencoder import metrics as distances
from autoencoder.metrics import (
    energy_distance,
    frechet_distance,
    mse_per_pixel,
    nearest_neighbours,
    precision_recall,
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


def test_bytes_do_not_wrap_and_float32_sums_do_not_drift():
    dark, bright = numpy.zeros((1, 4), dtype="uint8"), numpy.full((1, 4), 200, dtype="uint8")
    assert mse_per_pixel(dark, bright) == 40000.0
    many = numpy.full((1, 20_000_000), 0.1, dtype="float32")
    assert mse_per_pixel(many, numpy.zeros_like(many)) == pytest.approx(float(many[0, 0]) ** 2)


def test_energy_distance_agrees_with_loops(rng):
    x, y = rng.normal(size=(9, 2, 2)), 1 + rng.normal(size=(7, 2, 2))

    def mean_distance(pairs):
        distances = [math.dist(p.ravel(), q.ravel()) for p, q in pairs]
        return sum(distances) / len(distances)

    within = [mean_distance(itertools.permutations(points, 2)) for points in (x, y)]
    expected = 2 * mean_distance(itertools.product(x, y)) - sum(within)
    assert energy_distance(x, y) == pytest.approx(expected, rel=1e-12)


def test_energy_distance_agrees_with_scipy_once_self_pairs_are_counted(rng):
    x, y = rng.normal(size=30), 0.5 + 2 * rng.normal(size=40)
    within_x = numpy.abs(x[:, None] - x).sum()
    within_y = numpy.abs(y[:, None] - y).sum()
    biased = energy_distance(x[:, None], y[:, None])
    biased += within_x * (1 / (30 * 29) - 1 / 30**2) + within_y * (1 / (40 * 39) - 1 / 40**2)
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


@pytest.mark.parametrize("k", [3, 33])
def test_nearest_neighbours_agree_with_loops_and_break_ties_by_order(k, rng, monkeypatch):
    queries, references = rng.normal(size=(20, 2, 2)), rng.normal(size=(33, 2, 2))
    references[30] = references[4]
    queries[3] = references[4]
    monkeypatch.setattr(distances, "_CHUNK_VALUES", 200)
    indices, found = nearest_neighbours(queries, references, k)
    for q, query in enumerate(queries):
        far = [math.dist(query.ravel(), r.ravel()) for r in references]
        order = sorted(range(33), key=lambda i, far=far: (far[i], i))[:k]
        assert indices[q].tolist() == order
        numpy.testing.assert_allclose(found[q], [far[i] for i in order], atol=1e-12)
    assert indices[3, :2].tolist() == [4, 30]
    assert found[3, 0] == 0.0


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


def with_moments(mean, covariance, n, rng):
    """Points whose sample mean and covariance are exactly these."""
    points = rng.normal(size=(n, len(mean)))
    points -= points.mean(axis=0)
    points = numpy.linalg.qr(points)[0] * numpy.sqrt(n - 1)
    return points @ numpy.linalg.cholesky(covariance).T + mean


def random_covariance(d, rng):
    root = rng.normal(size=(d, d))
    return root @ root.T + 0.1 * numpy.eye(d)


def test_the_frechet_distance_of_axis_aligned_gaussians_is_their_closed_form(rng):
    a, b = numpy.array([1.0, 2.0, 0.5]), numpy.array([3.0, 0.1, 0.5])  # standard deviations
    x = with_moments(numpy.zeros(3), numpy.diag(a**2), 50, rng)
    y = with_moments(numpy.array([1.0, -2.0, 0.0]), numpy.diag(b**2), 80, rng)
    assert frechet_distance(x, y) == pytest.approx(5 + ((a - b) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_the_frechet_distance_agrees_with_scipys_matrix_root(d, rng):
    c, e = random_covariance(d, rng), random_covariance(d, rng)
    mean = rng.normal(size=d)
    x, y = with_moments(mean, c, 100, rng), with_moments(numpy.zeros(d), e, 90, rng)
    expected = mean @ mean + numpy.trace(c + e - 2 * numpy.real(sqrtm(c @ e)))
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_a_sample_from_itself_is_nothing(rng):
    x = rng.normal(size=(30, 4)) * [1e3, 1.0, 1e-3, 0.0]  # one coordinate is constant
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(x, x + [0, 2, 0, 0]) == pytest.approx(4.0)


def test_fewer_points_than_dimensions_still_have_a_frechet_distance(rng):
    x, y = rng.normal(size=(5, 8)), rng.normal(size=(6, 8))
    c, e = numpy.cov(x.T), numpy.cov(y.T)
    # sqrtm is of no use for singular matrices; the eigenvalues of the product are.
    common = numpy.sqrt(numpy.linalg.eigvals(c @ e).real.clip(0)).sum()
    apart = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    expected = apart + numpy.trace(c) + numpy.trace(e) - 2 * common
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-5)


def share_by_loops(points, others, k):
    widths = [
        sorted(numpy.linalg.norm(a - b) for j, b in enumerate(others) if j != i)[k - 1]
        for i, a in enumerate(others)
    ]
    within = [
        any(numpy.linalg.norm(p - o) <= w for o, w in zip(others, widths, strict=True))
        for p in points
    ]
    return sum(within) / len(points)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("chunk_values", [None, 60])
def test_precision_and_recall_are_those_of_the_definition(k, chunk_values, rng, monkeypatch):
    if chunk_values:  # several blocks
        monkeypatch.setattr(distances, "_CHUNK_VALUES", chunk_values)
    samples, data = rng.normal(size=(25, 2)) + 1.5, rng.normal(size=(30, 2))
    found = precision_recall(samples, data, k)
    assert found == (share_by_loops(samples, data, k), share_by_loops(data, samples, k))
    assert 0 < found[0] < 1
    assert 0 < found[1] < 1


def test_a_collapsed_sample_has_precision_without_recall(rng):
    data = rng.normal(size=(200, 3))
    collapsed = numpy.zeros((50, 3)) + 1e-3 * rng.normal(size=(50, 3))
    precision, recall = precision_recall(collapsed, data)
    assert precision == 1.0
    assert recall == 0.0


def test_a_point_is_not_its_own_neighbour_even_where_it_occurs_twice():
    data = numpy.array([[0.0], [0.0], [5.0], [9.0]])
    # Balls of one neighbour: 0 wide at both zeros, 4 at 5 and at 9.
    assert precision_recall(numpy.array([[0.5], [2.0], [13.0]]), data, k=1)[0] == 2 / 3
