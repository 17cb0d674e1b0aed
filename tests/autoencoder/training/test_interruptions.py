"""Killed processes, signals, full disks and vanished folders: nothing trained is lost."""

import contextlib
import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from running import elsewhere, start_elsewhere
from saved_state import state_in

import minigrad
from autoencoder.models import mlp
from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.storage.files import WriteError
from autoencoder.training import CHECKPOINT, METRICS, Interrupted, TrainingSettings, train

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and forks")
POINTS = numpy.random.default_rng(0).normal(size=(60, 2)).astype("float32")
SETTINGS = TrainingSettings(epochs=3, batch_size=20, save_seconds=0.0, seed=5)


def trained(folder, settings=SETTINGS, **options):
    minigrad.manual_seed(1)
    model = mlp(2, 16, 2)
    train(model, POINTS, settings, folder=folder, quiet=True, **options)
    return model


@pytest.fixture
def expected(tmp_path):
    """The state of the run left alone."""
    (tmp_path / "alone").mkdir()
    trained(tmp_path / "alone")
    return state_in(tmp_path / "alone")


@posix
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_and_resumed_it_ends_with_the_bytes_of_the_run_left_alone(tmp_path, kills):
    program = Path(__file__).with_name("killed_training.py")
    expression = f"compare(Path({str(tmp_path)!r}), {kills}, 1)"
    assert elsewhere(program, expression) == kills


def train_and_stop(folder, seconds):
    """Train until a signal comes in the evaluation of the first epoch, then evaluate on."""

    def evaluate(model):
        print("evaluating", flush=True)
        while signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:  # until it is asked to stop
            time.sleep(0.01)
        print("asked", flush=True)
        time.sleep(seconds)
        return {}

    try:
        trained(Path(folder), evaluate=evaluate)
    except Interrupted as stop:
        print(stop)
        sys.exit(128 + stop.signal_number)


def asked_to_stop(folder, number, seconds):
    """A process that trains, once it was asked to stop."""
    process = start_elsewhere(__file__, f"train_and_stop({str(folder)!r}, {seconds})")
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
    assert state_in(tmp_path) == expected


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


def during(actions):
    """An evaluation during which something happens: what, by the epoch."""
    epochs = itertools.count(1)

    def evaluate(model):
        actions.get(next(epochs), dict)()
        return {}

    return evaluate


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run's folder, and one beside it for the system's temporary files."""
    for name in ("run", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    return tmp_path / "run"


@pytest.fixture
def disk(monkeypatch):
    """Folders that are full, and that are read-only: what is put there cannot be written in."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    disk = SimpleNamespace(full=[], read_only=[])
    real_fsync, real_open = os.fsync, os.open

    def fsync(descriptor):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if any(name.startswith(f"{folder}/") for folder in disk.full):
            raise OSError(errno.ENOSPC, "No space left on device")
        real_fsync(descriptor)

    def open_file(path, flags, *mode, **options):
        if flags & os.O_CREAT and any(str(path).startswith(f"{f}/") for f in disk.read_only):
            raise OSError(errno.EROFS, "Read-only file system")
        return real_open(path, flags, *mode, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "open", open_file)
    return disk


def test_a_disk_full_for_a_while_costs_a_report_and_nothing_else(disk, folder, expected, capsys):
    seen = []

    def fill():
        seen.append((folder / CHECKPOINT).read_bytes())
        disk.full.append(folder)

    def make_room():
        assert (folder / CHECKPOINT).read_bytes() == seen[0], "the earlier one must be intact"
        disk.full.clear()

    trained(folder, evaluate=during({1: fill, 3: make_room}))
    reports = capsys.readouterr().err.splitlines()
    assert len(reports) == 2, "the failure once, however often it comes, and its end"
    assert "No space left on device; training goes on" in reports[0]
    assert "could be written again" in reports[1]
    assert state_in(folder) == expected
    assert os.listdir(tempfile.gettempdir()) == []


@pytest.fixture
def small_disk(folder):
    """The run's folder on a real file system of 64 KiB."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(disk, folder):
    with open(folder / "big", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


TROUBLES = {
    "full": (lambda disk, folder: disk.full.append(folder), "No space left on device"),
    "really full": (fill_up, "No space left on device"),
    "read-only": (lambda disk, folder: disk.read_only.append(folder), "Read-only file system"),
    "gone": (lambda disk, folder: shutil.rmtree(folder), "the folder .*run' does not exist"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_folder_that_stays_in_trouble_is_one_error_and_the_state_is_elsewhere(
    trouble, disk, folder, expected, capsys, request
):
    if trouble == "really full":
        request.getfixturevalue("small_disk")
    begin, words = TROUBLES[trouble]
    seen = []

    def happen():
        seen.append((folder / CHECKPOINT).read_bytes())
        begin(disk, folder)

    with pytest.raises(WriteError, match=f"{words}; the state of training is in") as caught:
        trained(folder, evaluate=during({1: happen}))
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    assert capsys.readouterr().err.count("\n") == 1
    if trouble != "gone":
        assert (folder / CHECKPOINT).read_bytes() == seen[0], "the earlier one must be intact"
        assert set(os.listdir(folder)) - {"big"} == {CHECKPOINT, METRICS}
    (saved,) = Path(tempfile.gettempdir()).iterdir()
    assert str(saved) in message
    assert state_in(saved) == expected
    # What the message says to do, once the trouble is over: move it back, and go on.
    disk.full.clear()
    disk.read_only.clear()
    (folder / "big").unlink(missing_ok=True)
    shutil.copytree(saved, folder, dirs_exist_ok=True)
    trained(folder, resume=True)
    assert state_in(folder) == expected


def test_a_disk_full_everywhere_says_what_is_lost_and_keeps_what_was_saved(disk, folder, tmp_path):
    seen = []

    def fill():
        seen.append((folder / CHECKPOINT).read_bytes())
        disk.full.append(tmp_path)

    with pytest.raises(WriteError, match="since the last checkpoint is lost"):
        trained(folder, evaluate=during({2: fill}))
    assert (folder / CHECKPOINT).read_bytes() == seen[0]
    assert os.listdir(tempfile.gettempdir()) == []
