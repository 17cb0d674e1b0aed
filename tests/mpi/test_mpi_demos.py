"""The demos under ``mpiexec``: one run, one voice, one process's bits."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy
import pytest
from mpi_programs import command, run, start
from saved_state import state_in, without_times

from autoencoder.lecture.sections import SECTIONS
from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.training import CHECKPOINT

ROOT = Path(__file__).parents[2]
DEMOS = ROOT / "demos"
DENOISER = DEMOS / "train_denoiser.py"
SHORT = ("--preset", "smoke", "--train-images", "300", "--test-images", "20")


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("batch_size", "options"),
    [
        (129, SHORT),
        pytest.param(100, ("--preset", "smoke"), marks=pytest.mark.slow),
        pytest.param(129, ("--preset", "smoke"), marks=pytest.mark.slow),
    ],
)
def test_checkpoints_of_any_number_of_ranks_and_workers_are_the_same(tmp_path, batch_size, options):
    states, files = {}, {}
    for size, workers in [(1, None), (2, None), (3, None), (4, None), (0, 1), (0, 2)]:
        folder = tmp_path / f"{size} ranks, {workers} workers"
        threads = ("--workers", workers) if workers else ()
        found = run(size, DENOISER, *options, "--batch-size", batch_size, *threads, "--out", folder)
        assert found.returncode == 0, found.stderr
        assert found.stdout.count("Figures and metrics are in") == 1
        assert found.stdout.count("epoch 1/1") == 1
        states[folder.name], files[folder.name] = state_in(folder), files_in(folder)
    first = states["1 ranks, None workers"]
    assert [name for name, state in states.items() if state != first] == []
    assert len({str(names) for names in files.values()}) == 1, files


def ranks_of(folder):
    """The numbers of the processes that compute into a folder, by rank; for Linux."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            variables = (entry / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if str(folder).encode() in words and b"mpi4py" in words:
            rank = [int(each[9:]) for each in variables if each.startswith(b"PMI_RANK=")]
            found.update({number: int(entry.name) for number in rank})
    return found


LONG = ("--preset", "smoke", "--train-images", "300", "--test-images", "20", "--epochs", "400")


def in_training(size, folder):
    """A run of the denoiser that has written its first checkpoint, and its ranks' processes."""
    process = start(size, DENOISER, *LONG, "--save-seconds", "0", "--out", folder)
    end = time.monotonic() + 60
    while not (folder / CHECKPOINT).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    return process, ranks_of(folder)


linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds ranks in /proc")


@linux
@pytest.mark.parametrize(("number", "rank"), [(signal.SIGINT, 2), (signal.SIGTERM, 0)])
def test_a_signal_at_any_rank_saves_once_and_stops_all_together(tmp_path, number, rank):
    process, ranks = in_training(3, tmp_path / "run")
    assert sorted(ranks) == [0, 1, 2]
    os.kill(ranks[rank], number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    first, way_on = errors.strip().splitlines()
    assert first.startswith("stopped at epoch ")
    assert first.endswith("; everything is saved.")
    expected = f"--resume --out {tmp_path / 'run'}"
    assert way_on == f"Go on with: mpiexec -n 3 python -m mpi4py demos/train_denoiser.py {expected}"
    assert ranks_of(tmp_path / "run") == {}


@linux
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_killed_ends_all_within_seconds_and_another_number_goes_on(tmp_path, rank):
    folder = tmp_path / "run"
    process, ranks = in_training(3, folder)
    os.kill(ranks[rank], signal.SIGKILL)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    ours = [line for line in errors.splitlines() if line.startswith("train_denoiser.py:")]
    assert len(ours) == 1
    assert "a rank has died; what was saved last stands. Go on with: mpiexec -n 3" in ours[0]
    assert ranks_of(folder) == {}
    _, stopped = load_checkpoint(folder / CHECKPOINT, require_finite=True)
    # To the end of some epoch: by two ranks here, without MPI there, from copies of what is left.
    _end_after(folder, stopped["epoch"] + 1)
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("config.json", CHECKPOINT, "metrics.csv"):
        (alone / name).write_bytes((folder / name).read_bytes())
    for size, place in ((2, folder), (0, alone)):
        found = run(size, DENOISER, "--resume", "--out", place)
        assert found.returncode == 0, found.stderr
    assert state_in(folder) == state_in(alone)


def _end_after(folder, epochs):
    """Make a run one of fewer epochs, whose number a constant learning rate does not feel."""
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"epochs": 400', f'"epochs": {epochs}'))


def test_a_wrong_command_line_is_told_once(tmp_path):
    found = run(3, DENOISER, "--epochz", "3")
    assert found.returncode == 2
    line = "train_denoiser.py: unrecognized arguments: --epochz 3; did you mean --epochs?\n"
    assert (found.stdout, found.stderr) == ("", line)
    (tmp_path / "config.json").write_text("{}")
    found = run(2, DENOISER, "--out", tmp_path)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert "holds an earlier run" in found.stderr


def test_without_the_module_mpi4py_the_program_says_how_to_start_it():
    words = [word for word in command(2, DENOISER, "--preset", "smoke") if word != "mpi4py"]
    words.remove("-m")
    found = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert found.returncode == 2
    assert "mpiexec -n R python -m mpi4py PROGRAM" in found.stderr.splitlines()[0]


def test_a_run_is_drawn_again_by_rank_0_alone(tmp_path):
    assert run(0, DENOISER, *SHORT, "--out", tmp_path).returncode == 0
    found = run(2, DENOISER, "--replot", "--out", tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("Figures and metrics are in") == 1


BUG = """
import sys, time
from minigrad.parallel import find_ranks
ranks = find_ranks()
if ranks.rank == 1:
    raise ZeroDivisionError("planted")
ranks.barrier()
"""


def test_a_bug_at_one_rank_keeps_its_traceback_and_ends_all(tmp_path):
    program = tmp_path / "bug.py"
    program.write_text(BUG)
    started = time.monotonic()
    found = run(3, program)
    assert found.returncode != 0
    assert time.monotonic() - started < 30
    assert found.stderr.count("ZeroDivisionError: planted") == 1


MEASURED = """
import json, resource
import numpy
import minigrad
from autoencoder.models import AutoEncoder
from minigrad import functional as F, nn
from minigrad.parallel import find_ranks, shard_gradients
ranks = find_ranks()
minigrad.manual_seed(0)
model = AutoEncoder(8)
parameters = list(model.parameters())
x = numpy.random.default_rng(0).random((64, 1, 28, 28)).astype("float32")
for _ in range(3):
    sent, received = ranks.sent, ranks.received
    shard_gradients(lambda x, y: F.mse_loss(model(x), y), parameters, [x, x], ranks=ranks)
share = [ranks.sent - sent, ranks.received - received]
# 16 MB of parameters, beside which it is little what MPI itself takes; a shard a rank.
wide = nn.Linear(2000, 2000)
x = numpy.ones((60, 2000), "float32")
for _ in range(2):
    shard_gradients(
        lambda x: F.mse_loss(wide(x), x),
        list(wide.parameters()),
        [x],
        shard_size=60 // ranks.size,
        ranks=ranks,
    )
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
nbytes = sum(parameter.data.nbytes for parameter in parameters)
found = ranks.gather([memory, share, nbytes, ranks.cores])
if ranks.rank == 0:
    print(json.dumps(found))
"""


def test_traffic_and_memory_of_a_rank_do_not_grow_with_the_ranks(tmp_path):
    """Of the lecture's network at most 2.1 times the parameters' bytes go each way in a step.

    The memory is that of a network of 16 MB. A rank between two others holds more than the first or
    the last, and by the moment one more sum, so three ranks are compared with six: if each kept
    what every rank gave, it would be 48 MB more, which is 30 %.
    """
    program = tmp_path / "measured.py"
    program.write_text(MEASURED)
    memory = {}
    for size in (2, 3, 6):
        found = json.loads(run(size, program).stdout)
        for used, share, nbytes, cores in found:
            assert max(share) <= 2.1 * nbytes
            memory[size] = max(used, memory.get(size, 0))
            assert cores >= 1
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        assert usable is None or sum(each[3] for each in found) <= max(usable, size)
    assert memory[6] < 1.2 * memory[3]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_section_of_the_lecture_computes_on_two_ranks_what_it_computes_on_none(tmp_path):
    """Arrays, numbers and rows to the bit, times left out."""
    for size, name in ((0, "alone"), (2, "ranks")):
        options = ("--preset", "smoke", "--out", tmp_path / name)
        found = run(size, DEMOS / "lecture.py", *options, timeout=1_800)
        assert found.returncode == 0, found.stderr
    for section in SECTIONS:
        found = []
        for name in ("alone", "ranks"):
            with numpy.load(tmp_path / name / section / "results.npz") as file:
                metadata = without_times(file["metadata.json"])
                arrays = [key for key in file.files if key != "metadata.json"]
                found.append([metadata, {key: file[key].tobytes() for key in arrays}])
        assert found[0] == found[1], section
