"""The benchmark: who takes part, what is written, and that different work is never compared."""

import dataclasses
import json
import mmap
import sys
import threading

import numpy
import pytest
from benchmarking import process, rounds
from benchmarking.cases import (
    CASES,
    MINIGRAD,
    PEERS,
    Case,
    Comparison,
    Entry,
    Measurement,
    Peer,
    measurement,
)
from benchmarking.command import main
from benchmarking.peers import with_minigrad
from benchmarking.problems import Problem, Settings
from benchmarking.process import memory_status, run_side_by_side
from benchmarking.report import summary

import minigrad
from autoencoder.models import AutoEncoder, DenseAutoEncoder, mlp

MLP = ["--case", "mlp", "--peer", "minigrad"]
SHORT = ["--quick", "--rounds", "2", "--seconds", "0.001", "--threads", "1"]
LIBRARIES = {
    "planted": """
# minigrad with a gradient 1 % off
from benchmarking.peers import with_minigrad
def prepare(problem, settings):
    task = with_minigrad.prepare(problem, settings)
    right = task.loss_and_gradients
    def wrong():
        loss, gradients = right()
        gradients[list(problem.weights).index("2.weight")] *= 1.01
        return loss, gradients
    task.loss_and_gradients = wrong
    return task
""",
    "dying": """
# minigrad, whose process ends in the second turn
import os, sys, time
from benchmarking.peers import with_minigrad
def prepare(problem, settings):
    task = with_minigrad.prepare(problem, settings)
    task.train = lambda train=task.train: time.sleep(0.01) or train()  # one call fills a turn
    waits = iter(range(1_000))
    def wait():
        if next(waits) == 4:  # there are two in the warm-up, and two in a turn
            print("out of memory", file=sys.stderr, flush=True)
            os._exit(1)
    task.wait = wait
    return task
""",
    "failing": "raise ImportError('no such engine')",
    "sleeping": "import time\ndef prepare(problem, settings): time.sleep(600)",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """One of the libraries that somebody else could have written, by its name."""

    def library(name):
        (tmp_path / f"{name}_peer.py").write_text(LIBRARIES[name])
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return Peer(name, name, f"{name}_peer", "minigrad")

    return library


def run(tmp_path, *arguments, extra=(), status=0):
    file = tmp_path / "ratios.json"
    out = ["--out", str(tmp_path / "figures"), "--json", str(file)]
    assert main([*SHORT, *arguments, *out], extra=extra) == status
    return json.loads(file.read_text())


def test_minigrad_beside_itself_gives_ratios_by_case_and_peer(tmp_path, capsys):
    found = run(tmp_path, *MLP)
    ((case, by_name),) = found["ratios"].items()
    ((_, ratios),) = by_name.items()
    assert case == "mlp"
    assert list(ratios) == ["minigrad / minigrad again"]
    assert ratios["minigrad / minigrad again"] > 0
    (measurement,) = found["measurements"]
    entries = measurement["entries"]
    assert list(entries) == ["minigrad", "minigrad again", "matmul"]
    assert entries["minigrad again"]["difference"] == 0  # same bits
    assert all(len(entry["values"]) == 2 for entry in entries.values())
    for entry in entries.values():
        expected = entry["items_a_call"] / numpy.median(entry["values"])
        assert entry["items_a_second"] == pytest.approx(expected)
    assert entries["minigrad"]["share_of_matmul"] > 0
    assert found["settings"]["threads"] == 1
    assert "minigrad" in found["machine"]["versions"]
    assert (tmp_path / "figures" / "benchmark.svg").stat().st_size > 1000
    assert "points/s" in capsys.readouterr().out


def test_planted_difference_is_caught_and_not_timed(tmp_path, library, capsys):
    found = run(tmp_path, *MLP, extra=[library("planted")], status=1)
    (measurement,) = found["measurements"]
    assert "the gradient of 2.weight differs by 0.0" in measurement["left_out"]["planted"]
    assert "planted" not in measurement["entries"]
    assert [ratio["under"] for ratio in measurement["ratios"]] == ["minigrad again"]
    assert "planted: the gradient of 2.weight" in capsys.readouterr().err


def test_a_peer_that_fails_is_left_out_with_its_own_words(tmp_path, library):
    found = run(tmp_path, *MLP, extra=[library("failing")])
    (measurement,) = found["measurements"]
    assert measurement["left_out"] == {"failing": "failing: ImportError: no such engine"}


def test_a_library_that_does_not_answer_is_given_up(tmp_path, library, monkeypatch):
    library("sleeping")
    running = process.Process("sleeping", 1, tmp_path / "bytecode")
    monkeypatch.setattr(process, "TIME_LIMIT", 0.1)
    with pytest.raises(process.ProcessError, match=r"sleeping: no answer in 0\.1 seconds"):
        running.call("prepare", "problem", "sleeping_peer", Problem("train", "mlp"), Settings())
    running.close()


def test_a_library_that_dies_between_turns_is_left_out_and_the_others_go_on(tmp_path, library):
    found = run(tmp_path, *MLP, "--rounds", "3", extra=[library("dying")])
    (measured,) = found["measurements"]
    assert measured["left_out"] == {"dying": "dying: out of memory"}
    assert len(measured["entries"]["dying"]["values"]) == 1
    assert len(measured["entries"]["minigrad again"]["values"]) == 3


@pytest.mark.slow
def test_torch_computes_the_same_in_both_layouts(tmp_path):
    pytest.importorskip("torch")
    cases = ["--case", "autoencoder", "--case", "dense", "--case", "mlp", "--case", "ops"]
    found = run(tmp_path, *cases, "--peer", "torch")
    assert not [m["left_out"] for m in found["measurements"] if m["left_out"]]
    step = found["ratios"]["autoencoder"]["train step, batch 128"]
    assert list(step) == ["minigrad / torch", "minigrad / torch channels_last"]


def test_torch_computes_the_same_on_points(tmp_path):
    pytest.importorskip("torch")
    found = run(tmp_path, "--case", "mlp", "--peer", "torch")
    assert found["measurements"][0]["entries"]["torch"]["difference"] < 1e-4


def test_import_is_timed_with_a_bytecode_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = run(tmp_path, "--case", "import", "--peer", "minigrad")
    entries = found["measurements"][0]["entries"]
    assert all(value > 0 for entry in entries.values() for value in entry["values"])
    assert list(found["ratios"]["import"]["with bytecode cached"]) == ["minigrad / numpy"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * 1.01, "differs by 0.0"),
        (lambda x: x * numpy.nan, "differs by nan"),
        (lambda x: x[:1], r"has shape \(2,\) and \(1,\)"),
    ],
)
def test_different_results_are_told_apart(change, message):
    values = {"gradient of w": numpy.array([1.0, -2.0])}
    with pytest.raises(rounds.Disagreement, match=message):
        rounds.largest_difference(values, {"gradient of w": change(values["gradient of w"])})
    with pytest.raises(rounds.Disagreement, match="only one"):
        rounds.largest_difference(values, {})
    assert rounds.largest_difference(values, values) == 0


@pytest.mark.parametrize(
    ("network", "model"),
    [
        ("autoencoder", AutoEncoder(8)),
        ("dense", DenseAutoEncoder(32)),
        ("mlp", mlp(2, 100, 100, 2)),
    ],
)
def test_networks_are_the_lectures(network, model):
    weights = Problem("train", network).weights
    shapes = {name: value.shape for name, value in weights.items()}
    assert shapes == {name: value.shape for name, value in model.state_dict().items()}


def test_minigrad_computes_every_problem_of_the_table():
    problems = {work.problem for case in CASES for work in case.work.values()}
    problems = {dataclasses.replace(problem, batch=1) for problem in problems}
    for problem in problems - {Problem("import")}:
        task = with_minigrad.prepare(problem, Settings(threads=1))
        assert all(numpy.isfinite(value).all() for value in task.check().values())
        if problem.network:
            assert task.model(minigrad.Tensor(problem.inputs)).shape == problem.inputs.shape
    with_minigrad._held.close()


def test_arithmetic_of_a_training_step_is_146_million_operations_an_image():
    assert Problem("train", "autoencoder").flops == pytest.approx(146e6, rel=0.01)


def test_processes_side_by_side_run_at_the_same_time_and_share_the_seconds():
    both_are_running = threading.Barrier(2, timeout=10)

    class Pretended:
        def __init__(self, seconds):
            self.seconds = seconds

        def call(self, method, key, calls):
            both_are_running.wait()
            return self.seconds

    assert run_side_by_side([Pretended(3.0), Pretended(4.0)], "problem", 5) == 2.0


def test_an_entry_of_two_processes_runs_in_both(tmp_path, monkeypatch):
    ran = []

    class Watched(rounds.Process):
        def call(self, method, *arguments):
            if method == "run":
                ran.append((arguments[0], self))
            return super().call(method, *arguments)

    monkeypatch.setattr(rounds, "Process", Watched)
    problem = Problem("train", "mlp", 64)
    entries = (
        Entry("one", MINIGRAD, problem, threads=1),
        Entry("two", MINIGRAD, problem, threads=1, processes=2),
    )
    workers = Measurement(Case("scaling", "workers", {}), entries, ())
    with rounds.Rounds(tmp_path, rounds=2, seconds=0.001, device="cpu") as taking_turns:
        taking_turns.measure(workers)
    assert len(entries[1].values) == 2
    one, two = ({process for key, process in ran if key == name} for name in ("one", "two"))
    assert len(one) == 1
    assert len(two) == 2
    assert one < two  # the first one takes part in both


def test_ratios_are_medians_of_pairs_an_item():
    small, large = Problem("train", "mlp", 10), Problem("train", "mlp", 40)
    entries = (
        Entry("a", MINIGRAD, large, 1, values=[4.0, 8.0, 4.0]),
        Entry("b", MINIGRAD, small, 1, values=[1.0, 1.0, 4.0]),
    )
    comparison = Comparison("a / b", "a", "b", limit=1.0)
    batches = Measurement(Case("scaling", "batch", {}), entries, (comparison,))
    (ratio,) = summary(batches)["ratios"]
    assert ratio["median"] == 1.0  # of 1, 2 and 0.25; the ratio of medians is 1 too by item
    assert ratio["is_reached"]


def test_every_target_of_the_table_has_its_comparison():
    limits = {
        (case.name, comparison.label): comparison.limit
        for case in CASES
        for comparison in measurement(case, PEERS, 2, "cpu", quick=False).comparisons
        if comparison.limit is not None
    }
    assert limits["memory", "minigrad / torch channels_last, batch 4096"] == 0.1
    assert limits["memory", "minigrad: batch 4096 / batch 128"] == 1.3
    assert limits["scaling", "minigrad: gain of a second worker"] == 1.8
    assert limits["scaling", "minigrad: batch 4096 / batch 128"] == 1.05
    assert limits["autoencoder", "minigrad / tinygrad"] == 0.125


def test_memory_is_left_out_where_it_cannot_be_read(monkeypatch):
    (memory,) = (case for case in CASES if case.name == "memory")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert measurement(memory, PEERS, 2, "cpu", quick=False) is None
    monkeypatch.setattr(sys, "platform", "linux")
    assert measurement(memory, PEERS, 2, "cpu", quick=False).entries


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")


@LINUX
def test_peak_memory_sees_what_was_freed_again():
    before = memory_status("VmRSS")
    with mmap.mmap(-1, 80_000_000) as fresh:  # not from memory that malloc keeps
        fresh.write(bytes(len(fresh)))
    assert memory_status("VmHWM") - before > 70e6
    assert memory_status("VmRSS") - before < 70e6


@LINUX
def test_memory_is_what_a_few_calls_take_and_the_peak_before_them_is_forgotten(tmp_path):
    problem = Problem("train", "dense", 256)
    with rounds.Rounds(tmp_path, rounds=1, seconds=0.001, device="cpu") as taking_turns:
        entry = Entry("minigrad", MINIGRAD, problem, threads=1)
        case = Case("memory", "peak", {}, quantity="memory")
        taking_turns.measure(Measurement(case, [entry], ()))
    assert 0.1e6 < entry.values[0] < 70e6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--case", "autoencodr"], "did you mean autoencoder?"),
        (["--case", "memory", "--device", "cuda"], "nothing to measure on cuda"),
    ],
)
def test_wrong_command_lines_are_refused_in_a_line(arguments, message, refused):
    assert message in refused(main, arguments)
