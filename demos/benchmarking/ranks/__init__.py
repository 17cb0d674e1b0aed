"""What several ranks on one machine gain, beside as many processes that know nothing of each other.

All take turns. The chain is also timed alone, and compared with the model of `chain_model.py`.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from minigrad.parallel.threads import usable_cores

from ..process import ProcessError
from ..rounds import in_turn
from .chain_model import NETWORKS, Network, chain_seconds, exchange_seconds

BATCH, QUICK_BATCH = 256, 32
NBYTES = 4 * 112_457  # of the lecture's network
OVERSUBSCRIBED = (4, 8)


class Ranks:
    """A program on several ranks of MPI, or with ``size`` 0 a process without, that takes turns."""

    def __init__(self, size: int, batch: int) -> None:
        self.size = size
        python = [sys.executable, *(["-m", "mpi4py"] if size else [])]
        module = [*python, "-m", f"{__package__}.process"]
        self._process = subprocess.Popen(
            [*([mpiexec(), "-n", str(size)] if size else []), *module, str(batch)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, steps: int) -> None:
        """Have it do some steps."""
        self._process.stdin.write(f"{steps}\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]

    def end(self) -> dict[str, float]:
        """What it measured."""
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise ProcessError(f"{self.size} ranks: ended with status {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()


def mpiexec() -> str:
    """Where ``mpiexec`` is: beside this Python, or on the path."""
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("mpiexec")
    if found is None:
        raise ProcessError("the case ranks needs MPI: pip install -e '.[mpi]'")
    return found


def measure(rounds: int, seconds: float, quick: bool) -> dict[str, Any]:
    """Turns of one process, two processes, and two ranks; then more ranks than there are cores."""
    batch = QUICK_BATCH if quick else BATCH
    groups = {
        "1 process": [Ranks(0, batch)],
        "2 processes": [Ranks(0, batch), Ranks(0, batch)],
        "1 rank": [Ranks(1, batch)],
        "2 ranks": [Ranks(2, batch)],
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in groups}
    try:
        steps = max(1, round(seconds / _turn(groups["1 process"], 1)["seconds"]))
        for _, name in in_turn(list(groups), rounds):
            found[name].append(_turn(groups[name], steps))
    finally:
        for group in groups.values():
            for process in group:
                process.close()
    for size in OVERSUBSCRIBED:
        process = Ranks(size, batch)
        try:
            found[f"{size} ranks"] = [_turn([process], steps) for _ in range(min(rounds, 3))]
        finally:
            process.close()
    return {"batch": batch, "cores": usable_cores(), "steps_a_turn": steps, "turns": found}


def _turn(group: list[Ranks], steps: int) -> dict[str, float]:
    for process in group:
        process.begin(steps)
    answers = [process.end() for process in group]
    return {key: max(answer[key] for answer in answers) for key in answers[0]}


def text(measured: dict[str, Any]) -> str:
    """The tables of what was measured, and what the model says of more ranks."""
    turns = measured["turns"]
    ones = [turn["seconds"] for turn in turns["1 process"]]
    lines = [
        f"train step, batch {measured['batch']}, one thread a process; {measured['cores']} cores",
        f"{'':14}{'ms a step':>10}{'gain':>7}{'waits':>9}{'chain, ms':>11}{'of step':>9}{'MB':>7}",
    ]
    gains = {}
    for name, rows in turns.items():
        step = statistics.median(row["seconds"] for row in rows)
        work = 2 if name == "2 processes" else 1
        gains[name] = statistics.median(work * one / row["seconds"] for one, row in zip(ones, rows))
        waited, alone = (statistics.median(row[key] for row in rows) for key in ("waited", "chain"))
        lines.append(
            f"{name:14}{step * 1e3:10.1f}{gains[name]:7.2f}{waited / step:9.1%}"
            f"{alone * 1e3:11.2f}{alone / step:9.1%}{rows[0]['bytes'] / 1e6:7.2f}"
        )
    share = statistics.median(
        both["seconds"] / (2 * ranks["seconds"])
        for both, ranks in zip(turns["2 processes"], turns["2 ranks"])
    )
    lines.append(f"two ranks gain {share:.3f} of what two processes gain (to reach: 0.95)")
    own = fitted(statistics.median(row["chain"] for row in turns["2 ranks"]))
    lines += [
        "",
        f"the model, fitted to the chain of 2 ranks here: {own.bandwidth / 1e9:.2f} GB/s; it "
        "gives, with a core for each rank, for 4 and 8 "
        + " and ".join(f"{1e3 * chain_seconds(size, NBYTES, own):.2f}" for size in OVERSUBSCRIBED)
        + " ms",
        f"{'one shard a rank, ms':28}" + "".join(f"{size:>9}" for size in SIZES) + "  ranks",
    ]
    for name, network in {"this machine": own, **NETWORKS}.items():
        for what, function in (("chain", chain_seconds), ("exchange", exchange_seconds)):
            values = "".join(f"{1e3 * function(size, NBYTES, network):9.2f}" for size in SIZES)
            lines.append(f"{name + ', ' + what:38}"[:38] + values)
    return "\n".join(lines)


SIZES = (2, 8, 64, 256, 1024)


def fitted(wanted: float) -> Network:
    """The link that explains how long the chain of two ranks takes, without latency."""
    least, most = 1e6, 1e12
    for _ in range(60):
        middle = (least * most) ** 0.5
        is_faster = chain_seconds(2, NBYTES, Network(0.0, middle), shards=2) < wanted
        least, most = (least, middle) if is_faster else (middle, most)
    return Network(0.0, least)
