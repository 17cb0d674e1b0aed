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
    """The ratio of two entries, item for item.

    Parameters
    ----------
    label : str
    over, under : str
        Labels of the entries: the ratio is ``over / under``.
    limit : float, optional
        What the ratio is to reach.
    at_least : bool
        Whether the ratio is to be at least the limit rather than at most.
    """

    label: str
    over: str
    under: str
    limit: float | None = None
    at_least: bool = False


@dataclass(frozen=True)
class Measurement:
    """Entries measured in turn, and the ratios wanted of them.

    Parameters
    ----------
    case, name : str
    quantity : str
        ``"time"``, ``"memory"`` or ``"import"``.
    unit : str
        What an item is called.
    """

    case: str
    name: str
    quantity: str
    unit: str
    entries: tuple[Entry, ...]
    comparisons: tuple[Comparison, ...]


class _Builder:
    """Measurements for the peers, threads and extent asked for."""

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
        quantity: str,
        problems: dict[str, Problem],
        limits: dict[str, float],
        unit: str = "image",
        last_over: tuple[str, float] | None = None,
    ) -> Measurement:
        """Several problems, every peer; and, if asked, minigrad's last against an earlier one."""
        entries, comparisons = [], []
        for what, problem in problems.items():
            for peer in (MINIGRAD, *self.taking_part(problem)):
                label = f"{peer.label}, {what}"
                entries.append(Entry(label, peer, problem, self.threads))
                if peer is not MINIGRAD:
                    limit = limits.get(what) if peer.name == "torch" else None
                    over = f"minigrad, {what}"
                    comparison = f"minigrad / {peer.label}, {what}"
                    comparisons.append(Comparison(comparison, over, label, limit))
        last = list(problems)[-1]
        if last_over is not None and last_over[0] in problems and last_over[0] != last:
            first, limit = last_over
            for peer in (MINIGRAD, *self.peers):
                pair = (f"{peer.label}, {last}", f"{peer.label}, {first}")
                if set(pair) <= {entry.label for entry in entries}:
                    label = f"{peer.label}: {last} / {first}"
                    own = limit if peer is MINIGRAD else None
                    comparisons.append(Comparison(label, *pair, own))
        return Measurement(case, name, quantity, unit, tuple(entries), tuple(comparisons))

    def autoencoder(self) -> list[Measurement]:
        """The lecture's network: training steps, and forward alone."""
        slow = {"jax": 0.125, "tinygrad": 0.125}
        found = []
        for batch in (32, 128) if self.quick else (32, 128, 1024):
            limits = slow if batch == 32 else {"torch": 1.0, **slow}
            problem = Problem("train", "autoencoder", batch)
            name = f"train step, batch {batch}"
            found.append(self.beside_peers("autoencoder", name, problem, "image", limits))
        problem = Problem("forward", "autoencoder", 128)
        name = "forward, batch 128"
        found.append(self.beside_peers("autoencoder", name, problem, "image", {"torch": 1.0}))
        return found

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
        problems = {f"batch {n}": Problem("train", "autoencoder", n) for n in batches}
        limits = {"batch 128": 0.6, "batch 4096": 0.1}
        name, last_over = "peak of the train step", ("batch 128", 1.3)
        return [
            self.over_range(
                "memory", name, "memory", problems, limits, unit="", last_over=last_over
            )
        ]

    def scaling(self) -> list[Measurement]:
        """Time against batch, workers and image size."""
        batches = (32, 128) if self.quick else (32, 128, 512, 1024, 4096)
        by_batch = {f"batch {n}": Problem("train", "autoencoder", n) for n in batches}
        sizes = (28, 56) if self.quick else (28, 56, 112)
        by_size = {f"{n} x {n}": Problem("train", "autoencoder", 32, n) for n in sizes}
        return [
            self.by_workers(),  # first: the process with one worker takes no part in the others
            self.over_range(
                "scaling", "batch", "time", by_batch, {}, last_over=("batch 128", 1.05)
            ),
            self.over_range("scaling", "image size, batch 32", "time", by_size, {}),
        ]

    def by_workers(self) -> Measurement:
        """One thread against two; and, what the machine has to give, one process against two."""
        problem = Problem("train", "autoencoder", 128)
        entries, comparisons = [], []
        for peer in (MINIGRAD, *self.taking_part(problem)):
            labels = [f"{peer.label}, {n} worker{'s' * (n > 1)}" for n in (1, 2)]
            entries += [Entry(label, peer, problem, n) for n, label in zip((1, 2), labels)]
            limit = 1.8 if peer is MINIGRAD else None
            comparison = f"{peer.label}: gain of a second worker"
            comparisons.append(Comparison(comparison, *labels, limit, at_least=True))
            apart = f"{peer.label}, 2 processes"
            entries.append(Entry(apart, peer, problem, threads=1, processes=2))
            comparison = f"{peer.label}: gain of a second process"
            comparisons.append(Comparison(comparison, labels[0], apart))
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
