"""What is known of BLAS, with libraries in its place that are not at hand."""

import contextlib
import warnings
from types import SimpleNamespace

import pytest

from minigrad.backend import blas


def pretend(monkeypatch, *architectures):
    """A BLAS library for each architecture; None for one that does not tell."""
    libraries = [
        SimpleNamespace() if name is None else SimpleNamespace(architecture=name)
        for name in architectures
    ]
    monkeypatch.setattr(blas, "_libraries", lambda: libraries)
    monkeypatch.setattr(blas, "_holders", set())
    monkeypatch.setattr(blas, "_limited", [])
    monkeypatch.setattr(blas, "_warned", False)


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        (["SkylakeX"], True),
        (["SapphireRapids", "SapphireRapids"], True),
        (["Haswell"], False),
        ([None], False),
        ([], False),
    ],
)
def test_small_products_are_in_place_on_processors_with_avx512(
    architectures, expected, monkeypatch
):
    pretend(monkeypatch, *architectures)
    assert blas.multiplies_small_in_place.__wrapped__() is expected


def test_a_blas_that_cannot_be_limited_is_told_of_once(monkeypatch):
    pretend(monkeypatch)

    def hold():
        with blas.one_blas_thread():
            pass

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        hold()
        hold()
    assert len(told) == 1
    assert "cannot be limited" in str(told[0].message)
    assert told[0].filename == __file__  # the line that holds, not one inside


def test_a_warning_made_an_error_leaves_no_holder_behind(monkeypatch):
    pretend(monkeypatch)
    with warnings.catch_warnings(), contextlib.suppress(RuntimeWarning):
        warnings.simplefilter("error")
        with blas.one_blas_thread():
            pytest.fail("the warning was to be raised")
    assert not blas._holders
