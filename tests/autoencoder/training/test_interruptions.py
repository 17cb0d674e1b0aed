"""Killed processes, signals, full disks and vanished folders: nothing trained is lost."""

import contextlib
import csv
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import pytest

import minigrad
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.storage.files import WriteError
from autoencoder.training import CHECKPOINT, METRICS, TrainingSettings, train

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and forks")
POINTS = numpy.random.default_rng(0).normal(size=(60, 2)).astype("float32")
SETTINGS = TrainingSettings(epochs=3, batch_size=20, save_seconds=0.0, seed=5)


def trained(folder, settings=SETTINGS, **options):
    minigrad.manual_seed(1)
    model = mlp(2, 16, 2)
    train(model, POINTS, settings, folder=folder, quiet=True, **options)
    return model


def arrays_in(folder):
    arrays, _ = load_checkpoint(folder / CHECKPOINT)
    return {name: array.tobytes() for name, array in arrays.items()}


def epochs_in(folder):
    with open(folder / METRICS, newline="") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


@pytest.fixture
def expected(tmp_path):
    """The arrays of the run left alone."""
    (tmp_path / "alone").mkdir()
    trained(tmp_path / "alone")
    return arrays_in(tmp_path / "alone")


@posix
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_resumed_it_ends_with_the_bytes_of_the_run_left_alone(
    tmp_path, kills
):
    program = Path(__file__).with_name("killed_training.py")
    result = subprocess.run(
        [sys.executable, str(program), str(tmp_path), str(kills), "1"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{kills} kills in ")


STOPPABLE = """
import signal, sys, time
import numpy, minigrad
from autoencoder.models import mlp
from autoencoder.training import Interrupted, TrainingSettings, train

def slow_evaluation(model):
    print("evaluating", flush=True)
    while signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:  # until it is asked to stop
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep(float(sys.argv[2]))
    return {}

minigrad.manual_seed(1)
points = numpy.random.default_rng(0).normal(size=(60, 2)).astype("float32")
settings = TrainingSettings(epochs=3, batch_size=20, save_seconds=0.0, seed=5)
try:
    train(mlp(2, 16, 2), points, settings, evaluate=slow_evaluation, folder=sys.argv[1], quiet=True)
except Interrupted as stop:
    print(stop)
    sys.exit(128 + stop.signal_number)
"""


def asked_to_stop(folder, number, seconds):
    """A process that trains, once a signal has come in the evaluation after its first epoch.

    It goes on with the evaluation for so many seconds.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPABLE, str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "evaluating\n"
    process.send_signal(number)
    assert process.stdout.readline() == "asked\n", "the first signal only asks"
    return process


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_a_signal_saves_and_the_run_can_go_on(tmp_path, expected, number):
    process = asked_to_stop(tmp_path, number, 0)
    output, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert (output, error) == ("stopped at the end of epoch 1\n", "")
    assert load_checkpoint(tmp_path / CHECKPOINT)[1]["epoch"] == 1
    trained(tmp_path, resume=True)
    assert arrays_in(tmp_path) == expected


@posix
def test_a_hang_up_that_is_ignored_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trained(tmp_path, evaluate=lambda model: os.kill(os.getpid(), signal.SIGHUP) or {})
    finally:
        signal.signal(signal.SIGHUP, before)
    assert load_checkpoint(tmp_path / CHECKPOINT)[1]["epoch"] == 3


@posix
def test_a_second_ctrl_c_quits_at_once(tmp_path):
    process = asked_to_stop(tmp_path, signal.SIGINT, 600)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    load_checkpoint(tmp_path / CHECKPOINT, require_finite=True)


class Trouble:
    """An evaluation that makes writing fail after one epoch, and perhaps work again later."""

    def __init__(self, begin, after, end=None, until=None):
        self.begin, self.after, self.end, self.until = begin, after, end, until
        self.epoch = 0

    def __call__(self, model):
        self.epoch += 1
        if self.epoch == self.after:
            self.begin()
        if self.epoch == self.until:
            self.end()
        return {}


@pytest.fixture
def disk(monkeypatch, tmp_path):
    """A disk that can be full: flushing a file in the run's folder fails then."""

    class Disk:
        is_full = False
        everywhere = False

    real = os.fsync

    def fsync(descriptor):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if Disk.is_full and (Disk.everywhere or name.startswith(f"{tmp_path / 'run'}/")):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    monkeypatch.setattr(os, "fsync", fsync)
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    return Disk


def test_a_disk_that_is_full_for_a_while_costs_a_report_and_nothing_else(
    disk, tmp_path, expected, capsys
):
    folder, seen = tmp_path / "run", []

    def fill():
        seen.append((folder / CHECKPOINT).read_bytes())
        disk.is_full = True

    def make_room():
        assert (folder / CHECKPOINT).read_bytes() == seen[0], "the earlier one must be intact"
        disk.is_full = False

    trained(folder, evaluate=Trouble(fill, 1, make_room, 3))
    reports = capsys.readouterr().err.splitlines()
    assert len(reports) == 2, "the failure once, however often it comes, and its end"
    assert "No space left on device; training goes on" in reports[0]
    assert "could be written again" in reports[1]
    assert arrays_in(folder) == expected
    assert epochs_in(folder) == ["1", "2", "3"]
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_disk_full_to_the_end_is_one_error_and_the_state_is_elsewhere(disk, tmp_path, expected):
    folder, seen = tmp_path / "run", []

    def fill():
        seen.append((folder / CHECKPOINT).read_bytes())
        disk.is_full = True

    with pytest.raises(WriteError) as caught:
        trained(folder, evaluate=Trouble(fill, 2))
    message = str(caught.value)
    assert "No space left on device" in message
    assert str(folder) in message
    assert "\n" not in message
    assert (folder / CHECKPOINT).read_bytes() == seen[0], "the earlier one must be intact"
    (elsewhere,) = (tmp_path / "elsewhere").iterdir()
    assert str(elsewhere) in message
    assert arrays_in(elsewhere) == expected
    assert epochs_in(elsewhere) == ["1", "2", "3"]
    # What the message says to do: move it back, and go on.
    disk.is_full = False
    shutil.move(elsewhere / CHECKPOINT, folder / CHECKPOINT)
    trained(folder, resume=True)
    assert arrays_in(folder) == expected


def test_a_disk_full_everywhere_says_what_is_lost_and_keeps_the_earlier_checkpoint(disk, tmp_path):
    disk.everywhere = True
    seen = []

    def fill():
        seen.append((tmp_path / "run" / CHECKPOINT).read_bytes())
        disk.is_full = True

    with pytest.raises(WriteError, match="since the last checkpoint is lost"):
        trained(tmp_path / "run", evaluate=Trouble(fill, 2))
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == seen[0]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_that_vanishes_while_training_is_one_error_and_the_state_is_elsewhere(
    disk, tmp_path, expected, capsys
):
    folder = tmp_path / "run"
    with pytest.raises(WriteError, match=r"the folder .*run' does not exist; the state of"):
        trained(folder, evaluate=Trouble(lambda: shutil.rmtree(folder), 1))
    assert capsys.readouterr().err.count("\n") == 1
    (elsewhere,) = (tmp_path / "elsewhere").iterdir()
    assert arrays_in(elsewhere) == expected


def test_a_folder_that_becomes_read_only_is_one_error_and_the_state_is_elsewhere(
    disk, tmp_path, expected, monkeypatch
):
    folder, real = tmp_path / "run", os.open

    def read_only(path, flags, *options):
        if flags & os.O_CREAT and str(path).startswith(str(folder)):
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, *options)

    seen = []

    def remount():
        seen.append((folder / CHECKPOINT).read_bytes())
        monkeypatch.setattr(os, "open", read_only)

    with pytest.raises(WriteError, match="Read-only file system; the state of training is in"):
        trained(folder, evaluate=Trouble(remount, 2))
    assert (folder / CHECKPOINT).read_bytes() == seen[0]
    (elsewhere,) = (tmp_path / "elsewhere").iterdir()
    assert arrays_in(elsewhere) == expected


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_really_full_disk_keeps_the_earlier_checkpoint(
    small_disk, tmp_path, monkeypatch, expected
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    def fill():
        seen.append((small_disk / CHECKPOINT).read_bytes())
        with open(small_disk / "big", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)

    with pytest.raises(WriteError, match="No space left on device; the state of training is in"):
        trained(small_disk, evaluate=Trouble(fill, 1))
    assert (small_disk / CHECKPOINT).read_bytes() == seen[0]
    assert sorted(os.listdir(small_disk)) == ["big", CHECKPOINT, METRICS]
    (elsewhere,) = tmp_path.glob("minigrad-*")
    assert arrays_in(elsewhere) == expected
