"""Demos from the command line to the figures, on a GPU."""

import csv

import numpy
import pytest
from cupy_standin import counters, installed

from autoencoder.lecture.section import main
from autoencoder.lecture.sections import SECTIONS, load_demo, load_section
from autoencoder.storage.checkpoint import load_checkpoint

section = load_section("train_denoiser")
SMALL = ["--preset", "smoke", "--train-images", "100", "--test-images", "20", "--batch-size", "50"]


def psnr_of(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return [float(row["test_psnr_db"]) for row in csv.DictReader(file)]


def run(folder, *arguments):
    assert main(section, [*arguments, "--out", str(folder)]) == 0


def test_the_denoiser_runs_from_start_to_end_with_the_preset_smoke(tmp_path, capsys):
    with installed():
        run(tmp_path / "run", "--preset", "smoke", "--device", "cuda")
        assert counters.launches > 1_000
    printed = capsys.readouterr().out
    assert "cuda:0: Stand-in GPU, 16.0 of 16.0 GiB free\n" in printed
    assert f"Figures and metrics are in {tmp_path / 'run'}" in printed
    for name in ("digits.png", "psnr_by_noise.svg", "summary.txt", "checkpoint.npz"):
        assert (tmp_path / "run" / name).stat().st_size > 100
    (row,) = psnr_of(tmp_path / "run")
    assert row > 8


def test_a_run_on_a_gpu_ends_where_the_cpus_does_and_is_resumed_there(gpu, tmp_path):
    run(tmp_path / "gpu", *SMALL, "--device", str(gpu))
    run(tmp_path / "cpu", *SMALL)
    assert psnr_of(tmp_path / "gpu") == pytest.approx(psnr_of(tmp_path / "cpu"), rel=1e-3)
    on_gpu, on_cpu = (
        load_checkpoint(tmp_path / name / "checkpoint.npz")[0] for name in ("gpu", "cpu")
    )
    for name, value in on_cpu.items():
        if name.startswith("model/"):
            numpy.testing.assert_allclose(on_gpu[name], value, rtol=0.01, atol=1e-3)
    run(tmp_path / "gpu", "--resume")  # on the CPU, from the GPU's checkpoint: nothing is left
    assert psnr_of(tmp_path / "gpu") == pytest.approx(psnr_of(tmp_path / "cpu"), rel=1e-3)
    run(tmp_path / "gpu", "--replot")


# In these array code computes what the CUDA sources would, which is quicker. Launches are checked.
# In all other tests small launches run the sources.


@pytest.mark.slow
@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_of_the_lecture_runs_on_a_gpu(name, tmp_path):
    with installed(emulated_work=0):
        status = main(
            load_section(name),
            ["--preset", "smoke", "--device", "cuda", "--out", str(tmp_path / "run")],
        )
    assert status == 0


@pytest.mark.slow
def test_the_lecture_runs_from_start_to_end_with_the_preset_smoke(tmp_path):
    with installed(emulated_work=0):
        arguments = ["--preset", "smoke", "--device", "cuda", "--out", str(tmp_path / "run")]
        assert load_demo("lecture").main(arguments) == 0
    assert (tmp_path / "run" / "index.html").stat().st_size > 100_000
