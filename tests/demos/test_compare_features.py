"""The command that compares what libraries can do: it tries, and believes nothing."""

import os

import pytest
from benchmarking.features import command, with_minigrad
from benchmarking.features.command import FEATURES, SAME_BITS, answer
from running import python

from autoencoder.lecture.sections import DEMOS

TWO_CORES = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1


@pytest.mark.parametrize("feature", [name for name in FEATURES if name != SAME_BITS])
def test_minigrad_has_each_feature(feature):
    assert answer("minigrad", feature) is True


def test_a_feature_that_raises_is_reported_with_the_error(monkeypatch):
    def missing(f) -> None:
        raise NotImplementedError

    monkeypatch.setattr(with_minigrad, "check_gradient", missing)
    assert answer("minigrad", "gradient_check") == "no (NotImplementedError)"


def test_a_wrong_gradient_after_a_change_in_place_would_be_seen(monkeypatch):
    monkeypatch.setattr(with_minigrad.Tensor, "copy_", lambda self, other: self.data.fill(5.0))
    assert answer("minigrad", "change_in_place") is False


def test_a_library_without_the_function_has_not_the_feature():
    assert answer("minigrad", "no_such_feature") is False


@pytest.mark.skipif(not TWO_CORES, reason="needs Linux and two cores")
def test_different_bits_on_one_core_and_on_two_are_told_apart(monkeypatch):
    outcomes = iter(["a" * 64, "b" * 64, "c" * 64, "c" * 64, "no (ImportError)", "no"])
    monkeypatch.setattr(command, "_run", lambda *given: next(outcomes))
    cells = [command.tried("minigrad", SAME_BITS, "") for _ in range(3)]
    assert cells == ["no", "yes", "no (ImportError)"]


def test_the_command_prints_a_line_for_each_feature_and_refuses_unknown_libraries():
    demo = DEMOS / "compare_features.py"
    said = python(demo, "--peer", "minigrad").stdout
    for name, meaning in FEATURES.items():
        if name != SAME_BITS or TWO_CORES:
            assert f"| {meaning} | yes |" in said
    result = python(demo, "--peer", "chainer", status=2)
    assert len(result.stderr.strip().splitlines()) == 1
