"""The main job as a command: what it writes, how it resumes, how it says no."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoencoder.checkpoint import load_checkpoint
from autoencoder.lecture.train_denoiser import section
from autoencoder.section import main

DEMO = Path(__file__).parents[2] / "demos" / "train_denoiser.py"
SMALL = ["--preset", "smoke", "--train-images", "300", "--test-images", "50"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("denoiser") / "run"
    assert main(section, [*SMALL, "--out", str(folder)]) == 0
    return folder


def test_run_leaves_figures_metrics_configuration_and_summary(finished, capsys):
    for figure in ("digits", "psnr_by_epoch", "psnr_by_noise"):
        assert (finished / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (finished / f"{figure}.svg").read_bytes()[:2000]
    with open(finished / "metrics.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    configuration = json.loads((finished / "config.json").read_text())
    assert (configuration["train_images"], configuration["seed"]) == (300, 0)
    assert f"{float(row['test_psnr_db']):.2f} dB denoised" in (finished / "summary.txt").read_text()


def test_replot_draws_the_same_figures_without_training(finished):
    before = (finished / "digits.png").read_bytes()
    (finished / "digits.png").unlink()
    checkpoint = (finished / "checkpoint.npz").stat().st_mtime_ns
    assert main(section, ["--replot", "--out", str(finished)]) == 0
    assert (finished / "digits.png").read_bytes() == before
    assert (finished / "checkpoint.npz").stat().st_mtime_ns == checkpoint


def test_seed_fixes_the_weights_to_the_bit(finished, tmp_path):
    folder = tmp_path / "again"
    assert main(section, [*SMALL, "--out", str(folder), "--workers", "1"]) == 0
    first, again = (load_checkpoint(path / "checkpoint.npz")[0] for path in (finished, folder))
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in again.items()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epoch", "3"], "did you mean --epochs?"),
        (["--preset", "smoek"], "did you mean smoke?"),
        (["--epochs", "0"], "whole number from 1"),
        (["--epochs", "two"], "whole number from 1"),
        (["--noise-std", "-1"], "positive number"),
        (["--batch-size", "1.5"], "whole number from 1"),
        (["--seed", "-1"], "whole number from 0"),
        (["--device", "gpu"], "expected 'cpu', 'cuda' or 'cuda:N'"),
        (["--data", "/no/such/folder"], "does not exist"),
        (["--resume", "--replot"], "not allowed with"),
        (["--resume", "--out", "/no/such/run"], "no earlier run"),
        (["extra"], "unrecognized arguments"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(section, arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_folder_of_an_earlier_run_is_not_overwritten(finished, capsys):
    before = {path: path.read_bytes() for path in finished.iterdir() if path.is_file()}
    with pytest.raises(SystemExit) as caught:
        main(section, [*SMALL, "--out", str(finished)])
    assert caught.value.code == 2
    assert "holds an earlier run" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in finished.iterdir() if path.is_file()}


def test_resume_refuses_options_that_contradict_the_run(finished, capsys):
    with pytest.raises(SystemExit) as caught:
        main(section, ["--resume", "--out", str(finished), "--latent-size", "8"])
    assert caught.value.code == 2
    assert "--latent-size was 32" in capsys.readouterr().err


def test_cuda_without_a_gpu_is_one_clear_line_and_status_2(capsys):
    pytest.importorskip("minigrad")
    if "cupy" in sys.modules:
        pytest.skip("CuPy is here: the message depends on the machine")
    with pytest.raises(SystemExit) as caught:
        main(section, ["--device", "cuda"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "device 'cuda'" in error
    assert error.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_says_how_to_go_on_and_the_resumed_run_ends_with_the_same_bits(
    finished, tmp_path, number
):
    folder = tmp_path / "run"
    command = [sys.executable, str(DEMO), *SMALL, "--out", str(folder)]
    # A test of the signal, not of time: the signal is sent once the run has its folder.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while process.poll() is None and not (folder / "config.json").exists():
        pass
    if process.poll() is None:
        process.send_signal(number)
    _, error = process.communicate(timeout=120)
    if process.returncode != 0 and "Go on with" in error:
        assert process.returncode == 128 + number
        assert f"--resume --out {folder}" in error
        assert "Traceback" not in error
    assert main(section, ["--resume", "--out", str(folder)]) == 0
    first, again = (load_checkpoint(path / "checkpoint.npz")[0] for path in (finished, folder))
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in again.items()}
