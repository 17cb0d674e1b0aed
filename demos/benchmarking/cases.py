"""What is compared: every case, its measurements, and what minigrad is to reach in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .peers import MATMUL, MINIGRAD, Peer
from .problems import Problem

__all__ = ["CASES", "Comparison", "Entry", "Measurement", "measurements"]

MATMUL_SIZE = 1024


@dataclass(frozen=True)
class Entry:
    """One participant of a measurement: a library, a problem, a number of threads.

    With several ``processes`` each computes the problem, all at the same time.
    """

    label: str
    peer: Peer
    problem: Problem
    threads: int
    processes: int = 1


@dataclass(frozen=True)
class Comparison:
    """The ratio ``over / under`` of two entries (their labels), item for item.

    ``limit`` is what it is to reach: at most, or, with ``at_least``, at least.
    """

    label: str
    over: str
    under: str
    limit: float | None = None
    at_least: bool = False


@dataclass(frozen=True)
class Measurement:
    """Entries measured in turn, and the ratios wanted of them.

    ``quantity`` is ``"time"``, ``"memory"`` or ``"import"``; ``unit`` is what an item is called.
    """

    case: str
    name: str
    quantity: str
    unit: str
    entries: tuple[Entry, ...]
    comparisons: tuple[Comparison, ...]


class _Builder:
    """Measurements for the peers, threads and extent asked for: a method for each case."""

    def __init__(self, peers: Sequence[Peer], threads: int, device: str, quick: bool) -> None:
        self.peers = peers
        self.threads = threads
        self.device = device
        self.quick = quick

    def taking_part(self, problem: Problem) -> list[Peer]:
        """The peers that can do a problem."""
        return [peer for peer in self.peers if peer.takes_part(problem, self.device)]

    def beside_peers(
        self, case: str, name: str, problem: Problem, unit: str, limits: dict[str, float]
    ) -> Measurement:
        """One problem, every peer."""
        peers = self.taking_part(problem)
        entries = [Entry(peer.label, peer, problem, self.threads) for peer in (MINIGRAD, *peers)]
        if problem.flops is not None:
            product = Problem("matmul", size=MATMUL_SIZE)
            entries.append(Entry(MATMUL.label, MATMUL, product, self.threads))
        comparisons = [
            Comparison(f"minigrad / {peer.label}", "minigrad", peer.label, limits.get(peer.name))
            for peer in peers
        ]
        return Measurement(case, name, "time", unit, tuple(entries), tuple(comparisons))

    def over_range(
        self,
        case: str,
        name: str,
        problems: dict[str, Problem],
        limits: dict[str, float],
        growth: float | None = None,
    ) -> Measurement:
        """Several problems, every peer.

        ``limits`` are those beside PyTorch; ``growth`` is minigrad's own, of the last problem over
        the one with 128 images.
        """
        entries, comparisons = [], []
        for what, problem in problems.items():
            for peer in (MINIGRAD, *self.taking_part(problem)):
                label = f"{peer.label}, {what}"
                entries.append(Entry(label, peer, problem, self.threads))
                if peer is not MINIGRAD:
                    limit = limits.get(what) if peer.name == "torch" else None
                    comparison = f"minigrad / {peer.label}, {what}"
                    comparisons.append(Comparison(comparison, f"minigrad, {what}", label, limit))
        first, last = "batch 128", list(problems)[-1]
        if growth is not None and first in problems and first != last:
            for peer in (MINIGRAD, *self.taking_part(problems[last])):
                pair = (f"{peer.label}, {last}", f"{peer.label}, {first}")
                own = growth if peer is MINIGRAD else None
                comparisons.append(Comparison(f"{peer.label}: {last} / {first}", *pair, own))
        quantity, unit = ("memory", "") if case == "memory" else ("time", "image")
        return Measurement(case, name, quantity, unit, tuple(entries), tuple(comparisons))

    def autoencoder(self) -> list[Measurement]:
        """The lecture's network: training steps, and forward alone."""
        slow = {"jax": 0.125, "tinygrad": 0.125}
        work = {}
        for batch in (32, 128) if self.quick else (32, 128, 1024):
            limits = slow if batch == 32 else {"torch": 1.0, **slow}
            work[f"train step, batch {batch}"] = Problem("train", "autoencoder", batch), limits
        work["forward, batch 128"] = Problem("forward", "autoencoder", 128), {"torch": 1.0}
        return [
            self.beside_peers("autoencoder", name, problem, "image", limits)
            for name, (problem, limits) in work.items()
        ]

    def dense(self) -> list[Measurement]:
        """One matrix product down, one up."""
        problem, name = Problem("train", "dense", 256), "784-32-784, train step, batch 256"
        return [self.beside_peers("dense", name, problem, "image", {"torch": 1.0})]

    def mlp(self) -> list[Measurement]:
        """Work so small that what is timed is the engine."""
        problem, name = Problem("train", "mlp", 64), "2-100-100-2, train step, batch 64"
        return [self.beside_peers("mlp", name, problem, "point", {"torch": 1.0})]

    def ops(self) -> list[Measurement]:
        """Chains of the smallest operations, forward and backward."""
        found = []
        length = 100 if self.quick else 1000
        for what, elements in (("scalars", 0), ("1,000 elements", 1000)):
            problem = Problem("chain", operations=length, elements=elements)
            name = f"{length:,} operations on {what}"
            found.append(self.beside_peers("ops", name, problem, "operation", {"torch": 1.0}))
        return found

    def memory(self) -> list[Measurement]:
        """Peak resident memory of training steps."""
        batches = (32, 128) if self.quick else (128, 4096)
        limits = {"batch 128": 0.6, "batch 4096": 0.1}
        name = "peak of the train step"
        return [self.over_range("memory", name, _by_batch(batches), limits, growth=1.3)]

    def scaling(self) -> list[Measurement]:
        """Time against batch, workers and image size."""
        batches = (32, 128) if self.quick else (32, 128, 512, 1024, 4096)
        sizes = (28, 56) if self.quick else (28, 56, 112)
        by_size = {f"{n} x {n}": Problem("train", "autoencoder", 32, n) for n in sizes}
        return [
            self.by_workers(),  # first: the process with one worker takes no part in the others
            self.over_range("scaling", "batch", _by_batch(batches), {}, growth=1.05),
            self.over_range("scaling", "image size, batch 32", by_size, {}),
        ]

    def by_workers(self) -> Measurement:
        """One thread against two; and, what the machine has to give, one process against two."""
        problem = Problem("train", "autoencoder", 128)
        entries, comparisons = [], []
        for peer in (MINIGRAD, *self.taking_part(problem)):
            one, two, apart = (
                f"{peer.label}, {n}" for n in ("1 worker", "2 workers", "2 processes")
            )
            entries.append(Entry(one, peer, problem, threads=1))
            entries.append(Entry(two, peer, problem, threads=2))
            entries.append(Entry(apart, peer, problem, threads=1, processes=2))
            gain, limit = f"{peer.label}: gain of a second", 1.8 if peer is MINIGRAD else None
            comparisons.append(Comparison(f"{gain} worker", one, two, limit, at_least=True))
            comparisons.append(Comparison(f"{gain} process", one, apart))
        name = "workers, batch 128"
        return Measurement("scaling", name, "time", "image", tuple(entries), tuple(comparisons))

    def imports(self) -> list[Measurement]:
        """Import of each package into a fresh interpreter."""
        numpy = Peer("numpy", "numpy", "", "numpy")
        packages = {peer.package: peer for peer in (MINIGRAD, numpy, *self.peers)}
        nothing = Problem("import")
        entries = [Entry(name, peer, nothing, self.threads) for name, peer in packages.items()]
        comparisons = [
            Comparison(f"minigrad / {name}", "minigrad", name)
            for name in packages
            if name != "minigrad"
        ]
        name = "with bytecode cached"
        return [Measurement("import", name, "import", "", tuple(entries), tuple(comparisons))]


def _by_batch(batches: Sequence[int]) -> dict[str, Problem]:
    return {f"batch {n}": Problem("train", "autoencoder", n) for n in batches}


_BUILDERS: dict[str, Callable[[_Builder], list[Measurement]]] = {
    "autoencoder": _Builder.autoencoder,
    "dense": _Builder.dense,
    "mlp": _Builder.mlp,
    "ops": _Builder.ops,
    "memory": _Builder.memory,
    "scaling": _Builder.scaling,
    "import": _Builder.imports,
}
CASES = tuple(_BUILDERS)
_ON_CPU_ONLY = ("memory", "scaling", "import")


def measurements(
    case: str, peers: Sequence[Peer], threads: int, device: str, quick: bool
) -> list[Measurement]:
    """The measurements of a case; none, where the case says nothing about the device."""
    if device != "cpu" and case in _ON_CPU_ONLY:
        return []
    return _BUILDERS[case](_Builder(peers, threads, device, quick))
