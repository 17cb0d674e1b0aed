"""The main job as a command: what it writes, how it resumes, how it says no."""

import json
import os
import signal
import sys

import pytest
from running import start
from saved_state import state_in

from autoencoder.data.idx import read_idx, write_idx
from autoencoder.data.published import FILES
from autoencoder.lecture.section import main
from autoencoder.lecture.sections import DEMOS, load_demo, load_section
from autoencoder.storage.results import Results

section = load_section("train_denoiser")
interpolate = load_section("interpolate")
SMALL = ["--preset", "smoke", "--train-images", "300", "--test-images", "50"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("denoiser") / "run"
    assert main(section, [*SMALL, "--out", str(folder)]) == 0
    return folder


def test_cuda_without_a_gpu_is_one_clear_line_and_status_2(refused):
    if "cupy" in sys.modules:
        pytest.skip("CuPy is here: the message depends on the machine")
    assert "device 'cuda'" in refused(main, section, ["--device", "cuda"])


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_a_signal_a_run_says_how_to_go_on_and_ends_with_the_same_bits(
    finished, tmp_path, number
):
    folder = tmp_path / "run"
    # A test of the signal, not of time: the signal is sent once the run has its folder.
    process = start(DEMOS / "train_denoiser.py", *SMALL, "--out", folder)
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
    assert state_in(folder) == state_in(finished)


ASKED = "1000000"


def said_and_saved(folder, output):
    """All that a reader can come across: what was printed, and every file that is text."""
    texts = [output]
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".csv", ".txt", ".svg"):
            texts.append(path.read_text())
        if path.name == "results.npz":
            results = Results.load(path)
            texts.append(json.dumps([results.numbers, results.rows]))
    return "\n".join(texts)


@pytest.mark.parametrize("which", [section, interpolate], ids=lambda s: s.name)
def test_more_images_than_there_are_become_all_wherever_said(which, tmp_path, capsys, write_set):
    data, out = write_set(tmp_path / "set", 20, 13), tmp_path / "o"
    command = ["--preset", "smoke", "--data", str(data), "--out", str(out)]
    command += ["--train-images", ASKED, "--test-images", ASKED, "--batch-size", ASKED]
    assert main(which, command) == 0
    text = said_and_saved(out, capsys.readouterr().out)
    for number in (ASKED, f"{int(ASKED):,}"):
        assert number not in text
    configuration = json.loads((out / "config.json").read_text())
    assert (configuration["train_images"], configuration["test_images"]) == (20, 13)
    assert configuration["batch_size"] == 20
    assert Results.load(out / "results.npz").numbers["train_images"] == 20
    assert "20" in (out / "summary.txt").read_text()
    assert "--train-images is 20: there are no more" in text
    assert main(which, [*command, "--resume"]) == 0  # the same words mean the same run


@pytest.mark.parametrize("name", ["restore", "latent_density", "multimodal"])
def test_options_that_follow_from_the_images_are_lowered_too(name, tmp_path, capsys, write_set):
    which = load_demo(name)
    data, out = write_set(tmp_path / "set", 40, 13), tmp_path / "o"
    assert main(which.section, ["--preset", "smoke", "--data", str(data), "--out", str(out)]) == 0
    configuration = json.loads((out / "config.json").read_text())
    expected = {"train_images": 40, "test_images": 13, "batch_size": 40}
    if name == "restore":
        expected["components"] = 39  # no more directions than images less one
    if name == "latent_density":
        expected |= {"compared": 13, "nearest": 13}
    assert {key: configuration[key] for key in expected} == expected
    numbers = Results.load(out / "results.npz").numbers
    assert (numbers["train_images"], numbers["test_images"]) == (40, 13)


def replace(file):
    """Other content of the same shape in one file of a set."""
    array = read_idx(file)
    write_idx(file, (array + 1).astype(array.dtype))


@pytest.mark.parametrize("changed", FILES)
def test_a_run_is_not_resumed_on_other_data_of_its_count(changed, tmp_path, refused, write_set):
    data, out = write_set(tmp_path / "set", 20, 10), tmp_path / "o"
    command = ["--preset", "smoke", "--data", str(data), "--out", str(out)]
    assert main(section, command) == 0
    replace(data / changed)
    error = refused(main, section, ["--resume", "--out", str(out)])
    assert "holds other data than when" in error


def test_models_and_metrics_are_not_shared_between_sets(tmp_path, write_set):
    """Other training images: other weights. Other test images: other metrics, to the digit."""
    train_images, _, test_images, _ = FILES
    data = write_set(tmp_path / "set", 20, 10)
    command = ["--preset", "smoke", "--data", "set"]
    errors = []
    for changed in (None, test_images, train_images):
        if changed is not None:
            replace(data / changed)
        assert main(interpolate, command) == 0
        number = len(errors) + 1
        shared = Results.load(f"runs/interpolate/{number:03d}/results.npz").numbers["test_mse"]
        assert main(interpolate, [*command, "--out", f"alone{number}"]) == 0
        alone = Results.load(f"alone{number}/results.npz").numbers["test_mse"]
        assert shared == alone
        errors.append(shared)
    assert len(set(errors)) == 3
    assert len(list((tmp_path / "runs" / "models").iterdir())) == 3
