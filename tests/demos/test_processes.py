"""Demos as processes: started at the same instant, with output nobody reads, stopped early."""

import errno
import io
import json
import os
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import ENVIRONMENT, start

from autoencoder.lecture.run import in_use, new_folder
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.storage.streams import Unbreakable
from autoencoder.training import TrainingSettings, random_generator, train

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX shells and signals")

# A section of a second: one model of its own, one that is shared. It says when it is ready to
# start, and waits at the end of its computation for a line on standard input.
PROGRAM = """
import sys
import numpy
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import load_demo
from autoencoder.storage.results import Results
from small_section import small_section, train_network

def compute(run):
    train_network(run, "shared")
    model, rows = train_network(run, "own", own=True)
    print("computed", flush=True)
    sys.stdin.readline()
    arrays = {"weight": model.state_dict()["0.weight"], "exact": numpy.arange(80.0)}
    return Results(arrays, {"seed": run.options.seed}, rows)

def section(name):
    return small_section(name, compute=compute)

lecture = load_demo("lecture")
lecture.SECTIONS = ("first", "second")
lecture.load_section = section
print("ready", flush=True)
sys.stdin.readline()
kind, *arguments = sys.argv[1:]
is_lecture = kind == "lecture"
raise SystemExit(lecture.main(arguments) if is_lecture else main(section(kind), arguments))
"""


class Process:
    """A stub demo that is ready to start."""

    def __init__(self, *arguments):
        streams = {"stdin": subprocess.PIPE, "env": ENVIRONMENT}
        self.process = start("-c", PROGRAM, *arguments, **streams)
        self.until("ready")

    def until(self, line):
        while (said := self.process.stdout.readline()) != f"{line}\n":
            assert said, self.process.communicate()

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        output, error = self.process.communicate("\n" * 9, timeout=60)
        return self.process.returncode, output, error

    def is_refused(self, words):
        """It goes, and ends with one line and status 2."""
        self.go()
        status, _, error = self.end()
        assert (status, error.count("\n")) == (2, 1)
        assert words in error


def computing(*arguments):
    """A stub demo in the middle of its computation."""
    live = Process(*arguments)
    live.go()
    live.until("computed")
    return live


def at_once(*command, count=4):
    """What becomes of several processes that start at the same instant."""
    processes = [Process(*command) for _ in range(count)]
    for process in processes:
        process.go()
    if os.name != "nt":  # nobody is let go to its end before all have begun, or were refused
        for process in processes:
            select.select([process.process.stdout], [], [], 60)
    return [process.end() for process in processes]


def assert_whole(folder):
    assert json.loads((folder / "config.json").read_text())["demo"]
    load_checkpoint(folder / "checkpoint.npz", require_finite=True)
    load_checkpoint(folder / "results.npz")
    assert (folder / "summary.txt").is_file()


@pytest.mark.parametrize("kind", ["stub", "lecture"])
def test_demos_started_at_the_same_instant_get_a_folder_each(kind, tmp_path):
    ends = at_once(kind, "--seed", "3")
    assert [status for status, _, _ in ends] == [0] * 4, ends
    folders = sorted((tmp_path / "runs" / kind).iterdir())
    assert [folder.name for folder in folders] == ["001", "002", "003", "004"]
    for folder in folders:
        for part in (folder / "first", folder / "second") if kind == "lecture" else (folder,):
            assert_whole(part)
    # The last lines name different folders: nobody was told of another's.
    assert len({output.splitlines()[-1] for _, output, _ in ends}) == 4
    # The shared model of one seed was trained by one of them, and is there once.
    assert len(list((tmp_path / "runs" / "models").iterdir())) == 1
    assert sum("shared: epoch 1/1" in output for _, output, _ in ends) == 1


@pytest.mark.parametrize("again", [[], ["--resume"], ["--replot"]])
def test_of_several_in_the_same_folder_one_runs_and_the_rest_are_refused_in_a_line(again, tmp_path):
    if again:
        assert [status for status, _, _ in at_once("stub", "--out", "o", count=1)] == [0]
    ends = at_once("stub", *again, "--out", "o")
    refused = [(output, error) for status, output, error in ends if status == 2]
    assert [status for status, _, _ in ends].count(0) + len(refused) == 4
    assert len(refused) == 3 or again == ["--replot"]  # one may end before another begins
    for output, error in refused:
        assert output == ""
        assert error.count("\n") == 1
        assert "is in use by a run" in error or "holds an earlier run" in error
    assert_whole(tmp_path / "o")


@pytest.mark.parametrize("again", [[], ["--seed", "7"], ["--resume"], ["--replot"]])
@pytest.mark.parametrize("kind", ["stub", "lecture"])
def test_the_folder_of_a_live_run_is_refused_and_left_alone(kind, again, tmp_path):
    live = computing(kind, "--out", "o")
    assert in_use("o")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    Process(kind, *again, "--out", "o").is_refused("o is in use by a run that has not ended")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert live.end()[0] == 0
    assert not in_use("o")


def test_a_live_lecture_holds_its_sections_also_those_to_come(tmp_path):
    live = computing("lecture", "--out", "o")
    for name in ("first", "second"):
        other = Process(name, "--seed", "1", "--out", f"o/{name}")
        other.is_refused(f"o/{name} is in use")
    assert live.end()[0] == 0
    assert_whole(tmp_path / "o" / "second")


@posix
def test_a_killed_run_leaves_no_lock_behind(tmp_path):
    live = computing("stub", "--out", "o")
    live.process.kill()
    live.process.communicate(timeout=60)
    assert not in_use("o")
    assert [status for status, _, _ in at_once("stub", "--resume", "--out", "o", count=1)] == [0]
    assert_whole(tmp_path / "o")


def test_a_new_folder_is_made_and_is_nobody_elses(tmp_path):
    (tmp_path / "runs" / "demo" / "007").mkdir(parents=True)
    assert new_folder("demo").name == "008"
    assert new_folder("demo").name == "009"
    assert (tmp_path / "runs" / "demo" / "009").is_dir()


FILES = {
    *("checkpoint.npz", "config.json", "metrics.csv", "results.npz", "summary.txt"),
    *(f"{name}.{end}" for name in ("digits", "error_by_epoch") for end in ("png", "svg")),
}
SMOKE = ("--preset", "smoke", "--out", "o")
CLOSED = {
    "no standard error": "{demo} 2>&-",
    "no standard output": "{demo} >&-",
    "no stream at all": "{demo} <&- >&- 2>&-",
    "a full disk": "{demo} >/dev/full 2>/dev/full",
    "a reader of one line": "{demo} 2>&1 | head -1",
    "a reader gone before the first": "{demo} 2>&1 | true",
    "output that is not kept back": "{python} -u {script} 2>&1 | head -1",
    "an encoding without a dash": "PYTHONIOENCODING=ascii {demo}",
}


@posix
@pytest.mark.parametrize("how", CLOSED)
def test_a_demo_runs_to_its_end_whatever_becomes_of_its_output(how, tmp_path):
    if "/dev/full" in CLOSED[how] and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    script = shlex.join([str(ROOT / "demos" / "linear_bottleneck.py"), *SMOKE])
    python = shlex.quote(sys.executable)
    line = CLOSED[how].format(demo=f"{python} {script}", python=python, script=script)
    shell = ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"]
    result = subprocess.run(shell, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "o").iterdir()} - {".run.lock", "models"} == FILES


@posix
@pytest.mark.parametrize("streams", ["2>&-", ">&-", ">/dev/full", "2>/dev/full"])
@pytest.mark.parametrize(("option", "status"), [("--help", 0), ("--nonsense", 2)])
def test_closed_streams_do_not_change_a_status(streams, option, status):
    script = ROOT / "demos" / "train_denoiser.py"
    command = f"{shlex.join([sys.executable, str(script), option])} {streams}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60)
    assert result.returncode == status


class Broken(io.StringIO):
    """A stream whose reader is gone, on a terminal, so that a bar is drawn."""

    def write(self, text=""):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    flush = write

    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [None, Broken()])
def test_training_itself_goes_on_without_its_streams(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    points = random_generator(0, "data").normal(size=(40, 2)).astype("float32")
    assert len(train(mlp(2, 4, 2), points, TrainingSettings(epochs=2))) == 2


def test_what_a_stream_cannot_encode_is_escaped_and_a_closed_stream_is_let_be():
    inner = io.BytesIO()
    stream = Unbreakable(io.TextIOWrapper(inner, encoding="ascii", write_through=True))
    print("784–32 \udcff", file=stream)
    assert inner.getvalue() == b"784\\u201332 \\udcff\n"
    stream.stream.close()
    print("more", file=stream)
    stream.settle()
    assert not stream.isatty()


@posix
@pytest.mark.parametrize("demo", ["train_denoiser.py", "lecture.py", "explore_latent.py"])
def test_ctrl_c_while_a_demo_imports_is_status_130_without_a_traceback(demo, tmp_path):
    process = start("-X", "importtime", str(ROOT / "demos" / demo), "--out", "o")
    lines = iter(process.stderr.readline, "")
    assert any("numpy" in line for line in lines)  # imported for the demo, not by Python itself
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert "Traceback" not in error
    assert process.returncode == 128 + signal.SIGINT


@posix
def test_ctrl_c_inside_an_import_ends_the_process_with_status_130(tmp_path):
    (tmp_path / "slow_import.py").write_text(
        "import time\nprint('importing', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept BaseException as error:\n"
        "    raise ImportError('made another error, as C code does') from error\n"
    )
    program = "from autoencoder.lecture.terminal import start; start('slow_import')"
    process = start("-c", program, cwd=tmp_path)
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 128 + signal.SIGINT
