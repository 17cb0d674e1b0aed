"""What is compared: the libraries, the table of cases, and who is measured in each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .problems import Problem


@dataclass(frozen=True)
class Peer:
    """A library, in one of its variants."""

    label: str  # in tables
    name: str  # for --peer
    module: str  # that speaks its language
    package: str  # that must be installed
    variant: str = ""  # see Settings
    lacks: str = ""  # of what a problem needs, or "cuda"


WITH = f"{__package__}.peers.with_"
MINIGRAD = Peer("minigrad", "minigrad", WITH + "minigrad", "minigrad")
MATMUL = Peer("matmul", "numpy", MINIGRAD.module, "numpy")  # what arithmetic could run at
PEERS = (  # what a library lacks it cannot do, or not in reasonable time
    Peer("torch", "torch", WITH + "torch", "torch"),
    Peer("torch channels_last", "torch", WITH + "torch", "torch", "channels_last", "dense chain"),
    Peer("torch.compile", "torch compiled", WITH + "torch", "torch", "compiled", "chain"),
    Peer("jax", "jax", WITH + "jax", "jax", lacks="large cuda"),
    Peer("autograd", "autograd", WITH + "autograd", "autograd", lacks="dense convolution cuda"),
    Peer("tinygrad", "tinygrad", WITH + "tinygrad", "tinygrad", lacks="chain large cuda"),
    # Against itself: what the method calls a difference where there is none.
    replace(MINIGRAD, label="minigrad again"),
)


class Comparison(NamedTuple):
    """A ratio of two values, and what it is to reach: at most ``limit``, or at least."""

    label: str
    over: str
    under: str
    limit: float | None = None
    at_least: bool = False


class Work(NamedTuple):
    """A problem, on so many threads (0: as asked for), in each of so many processes at once."""

    problem: Problem
    threads: int = 0
    processes: int = 1


@dataclass(frozen=True)
class Case:
    """A row of the table: what every library does, and what the ratios are to reach.

    ``work`` is named by what tells it apart: ``""`` where there is only one. ``limits`` are what
    minigrad's value over a library's is to be at most, by the library's name, and what tells the
    work apart: ``"torch, batch 128"``. ``within`` are ratios of two works of the same library; what
    is to be reached is minigrad's.
    """

    name: str  # for --case
    title: str
    work: dict[str, Work]
    limits: dict[str, float] = field(default_factory=dict)
    within: Sequence[Comparison] = ()
    is_beside: bool = True  # whether minigrad is compared with the others at all
    quantity: str = "time"  # or "memory", or "import"
    unit: str = "image"  # what an item is called


def _train(batch: int, size: int = 28) -> Work:
    return Work(Problem("train", "autoencoder", batch, size))


def _by_batch(*batches: int) -> dict[str, Work]:
    return {f"batch {batch}": _train(batch) for batch in batches}


FAST, SLOW = {"torch": 1.0}, {"jax": 0.125, "tinygrad": 0.125}
STEP = Problem("train", "autoencoder", 128)
DENSE, MLP = Problem("train", "dense", 256), Problem("train", "mlp", 64)
SCALARS = Problem("chain", operations=1000)
ELEMENTS = Problem("chain", operations=1000, shape=(1000,))
WORKERS = {
    "1 worker": Work(STEP, threads=1),
    "2 workers": Work(STEP, threads=2),
    "2 processes": Work(STEP, threads=1, processes=2),  # all that the machine has to give
}
GAINS = (
    Comparison("gain of a second worker", "1 worker", "2 workers", 1.8, at_least=True),
    Comparison("gain of a second process", "1 worker", "2 processes"),
)
SIZES = {f"{size} x {size}": _train(32, size) for size in (28, 56, 112)}
LARGEST = ("batch 4096 / batch 128", "batch 4096", "batch 128")
BATCHES = _by_batch(32, 128, 512, 1024, 4096)
CASES = (
    Case("autoencoder", "train step, batch 32", {"": _train(32)}, SLOW),
    Case("autoencoder", "train step, batch 128", {"": _train(128)}, {**FAST, **SLOW}),
    Case("autoencoder", "train step, batch 1024", {"": _train(1024)}, {**FAST, **SLOW}),
    Case("autoencoder", "forward, batch 128", {"": Work(replace(STEP, task="forward"))}, FAST),
    Case("dense", "784-32-784, train step, batch 256", {"": Work(DENSE)}, FAST),
    # Work so small that what is timed is the engine.
    Case("mlp", "2-100-100-2, train step, batch 64", {"": Work(MLP)}, FAST, unit="point"),
    Case("ops", "1,000 operations on scalars", {"": Work(SCALARS)}, FAST, unit="operation"),
    Case("ops", "1,000 operations on 1,000 elements", {"": Work(ELEMENTS)}, FAST, unit="operation"),
    Case(
        "memory",
        "peak of the train step",
        _by_batch(128, 4096),
        {"torch, batch 128": 0.6, "torch, batch 4096": 0.1},
        [Comparison(*LARGEST, limit=1.3)],
        quantity="memory",
    ),
    # The first of its name: the process with one worker takes no part in the others.
    Case("scaling", "workers, batch 128", WORKERS, within=GAINS, is_beside=False),
    Case("scaling", "batch", BATCHES, within=[Comparison(*LARGEST, limit=1.05)]),
    Case("scaling", "image size, batch 32", SIZES),
    Case("import", "with bytecode cached", {"": Work(Problem("import"))}, quantity="import"),
)
NAMES = tuple(dict.fromkeys(case.name for case in CASES))
ON_CPU_ONLY = ("memory", "scaling", "import")
QUICK = 256 * 28**2  # pixels in a batch: quick cases have no more


@dataclass
class Entry:
    """One participant of a measurement: a library, its work, and what came of it.

    ``values`` are those of each round: seconds a call, or bytes. ``difference`` is that of its
    results from those of the first entry with the same problem.
    """

    label: str
    peer: Peer
    problem: Problem
    threads: int
    processes: int = 1
    values: list[float] = field(default_factory=list)
    difference: float | None = None
    left_out: str = ""  # and why
    disagrees: bool = False  # left out because its results differ too much


class Measurement(NamedTuple):
    """A case for the libraries at hand: entries that take turns, and ratios by their labels."""

    case: Case
    entries: Sequence[Entry]
    comparisons: Sequence[Comparison]


def measurement(
    case: Case, peers: Sequence[Peer], threads: int, device: str, quick: bool
) -> Measurement | None:
    """Who is measured in a case; None where it says nothing about the device, or cannot be."""
    if device != "cpu" and case.name in ON_CPU_ONLY:
        return None
    if case.quantity == "memory" and sys.platform != "linux":  # read from /proc
        return None
    peers = [MINIGRAD, *peers]
    if case.quantity == "import":  # of packages, which have no variants
        packages = {peer.package: peer for peer in [*peers[::-1], MATMUL, MINIGRAD]}
        peers = [replace(peer, label=name) for name, peer in packages.items()][::-1]
    entries: list[Entry] = []
    comparisons = []
    for what, (problem, its_threads, processes) in case.work.items():
        if quick and problem.batch * problem.size**2 > QUICK:
            continue
        which = f", {what}" if what else ""
        needs = problem.needs | ({"cuda"} if device != "cpu" else set())
        for peer in peers:
            if needs.isdisjoint(peer.lacks.split()):
                label = peer.label + which
                entries.append(Entry(label, peer, problem, its_threads or threads, processes))
                if case.is_beside and peer != MINIGRAD:
                    limit = case.limits.get(peer.name + which)
                    pair = f"{MINIGRAD.label}{which}", label
                    comparisons.append(Comparison(f"minigrad / {label}", *pair, limit))
        if case.quantity == "time" and not what and problem.flops:
            product = Problem("matmul", size=1024)
            entries.append(Entry(MATMUL.label, MATMUL, product, threads))
    labels = {entry.label for entry in entries}
    for peer in peers:
        for label, over, under, limit, at_least in case.within:
            pair = f"{peer.label}, {over}", f"{peer.label}, {under}"
            if labels.issuperset(pair):
                limit = limit if peer == MINIGRAD else None
                label = f"{peer.label}: {label}"
                comparisons.append(Comparison(label, *pair, limit, at_least))
    return Measurement(case, entries, comparisons) if entries else None
