"""Scores of generated samples: closed forms, scipy, and loops from the definition."""

import numpy
import pytest
from scipy.linalg import sqrtm

from autoencoder.metrics import frechet_distance, precision_recall


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


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
        monkeypatch.setattr("autoencoder.metrics._CHUNK_VALUES", chunk_values)
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


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda x: frechet_distance(x, x[:1]), "frechet_distance: two points at least"),
        (lambda x: frechet_distance(x, x[:, :1]), "frechet_distance: expected"),
        (lambda x: precision_recall(x[:3], x), "more than k = 3 points in each set"),
        (lambda x: precision_recall(x, x, k=0), "precision_recall: k"),
        (lambda x: precision_recall(x, x[:, :1]), "precision_recall: expected"),
    ],
)
def test_wrong_arguments_are_named(score, message, rng):
    with pytest.raises(ValueError, match=message):
        score(rng.normal(size=(6, 2)))
