"""Training on several ranks, killed, stopped or delayed, loses nothing and keeps its bits."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from mpi_programs import command, run, start
from saved_state import state_in

from autoencoder.storage.checkpoint import load_checkpoint
from autoencoder.training import CHECKPOINT

PROGRAM = Path(__file__).with_name("ranked_training.py")
KINDS = {"killed": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "ended": signal.SIGTERM}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The state of the run without MPI, left alone, and how long three ranks train."""
    folder = tmp_path_factory.mktemp("alone")
    assert run(0, PROGRAM, folder).returncode == 0
    with_ranks = tmp_path_factory.mktemp("ranks")
    process = start(3, PROGRAM, with_ranks)
    process.stdout.readline()
    started = time.monotonic()
    assert process.wait(timeout=120) == 0
    assert state_in(with_ranks) == state_in(folder)
    return state_in(folder), time.monotonic() - started


def test_two_addresses_are_two_machines_with_the_same_bits(tmp_path, alone):
    """MPICH takes them for two: messages go through the network's code, not shared memory."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.2:1\n127.0.0.3:2\n")
    words = command(3, PROGRAM, tmp_path)
    version = subprocess.run([words[0], "-version"], capture_output=True, text=True).stdout
    if "HYDRA" not in version:
        pytest.skip("only MPICH's mpiexec starts the processes of other addresses without ssh")
    words[1:1] = ["-launcher", "fork", "-f", str(hosts)]
    found = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert state_in(tmp_path) == alone[0]


def steps_done(folder):
    if not (folder / CHECKPOINT).exists():
        return 0
    _, metadata = load_checkpoint(folder / CHECKPOINT, require_finite=True)
    return 4 * metadata["epoch"] + metadata["step"]


def suffer(folder, seed, longest):
    """One run with one fault at a random moment, then resumed on another number of ranks."""
    moments = random.Random(seed)
    size = moments.choice((2, 3, 4))
    kind = moments.choice((*KINDS, "delayed"))
    process = start(size, PROGRAM, folder)
    numbers = json.loads(process.stdout.readline())
    victim = numbers[moments.randrange(size)]
    time.sleep(moments.uniform(0, longest))
    before = steps_done(folder)
    started = time.monotonic()
    try:
        os.kill(victim, KINDS.get(kind, signal.SIGSTOP))
        if kind == "delayed":
            time.sleep(0.2)
            os.kill(victim, signal.SIGCONT)
    except ProcessLookupError:
        kind = "late"
    output, errors = process.communicate(timeout=60)
    seconds = time.monotonic() - started
    case = f"seed {seed}: {kind}, {size} ranks, {seconds:.1f} s, status {process.returncode}: "
    case += output + errors
    assert seconds < 20, case
    assert steps_done(folder) >= before, case
    if output.strip().endswith("done") and process.returncode == 0:
        return kind
    if output.startswith("stopped at "):
        assert process.returncode == 128 + KINDS[kind], case
    others = moments.choice([other for other in (0, 1, 2, 3, 4) if other != size])
    again = run(others, PROGRAM, folder)
    assert again.returncode == 0, f"{case}; on {others} ranks: {again.stderr}"
    return kind


@pytest.mark.parametrize("count", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_faults_at_random_moments_lose_nothing_and_change_no_bit(tmp_path, alone, count):
    """A rank killed, a signal at one rank, a rank that is late; then another number of ranks."""
    expected, longest = alone
    suffered = []
    for seed in range(count):
        folder = tmp_path / str(seed)
        folder.mkdir()
        suffered.append(suffer(folder, seed, longest))
        assert state_in(folder) == expected, f"seed {seed}: {suffered[-1]}"
    print(sorted(suffered))
    assert len(set(suffered)) >= (4 if count > 10 else 2)
