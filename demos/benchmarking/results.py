"""Numbers from measured values: medians, spread, ratios pair by pair; and all of them as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy

from .cases import Comparison, Entry, Measurement

__all__ = ["Ratio", "Result", "Summary", "as_json"]


@dataclass(frozen=True)
class Summary:
    """The middle and the spread of some values."""

    median: float
    lower_quartile: float
    upper_quartile: float
    minimum: float
    count: int

    @classmethod
    def of(cls, values: Any) -> Summary:
        """Of at least one value."""
        low, middle, high = (float(q) for q in numpy.quantile(values, [0.25, 0.5, 0.75]))
        return cls(middle, low, high, float(min(values)), len(values))


@dataclass(frozen=True)
class Ratio:
    """A comparison made: the ratio of each round's pair, summed up."""

    comparison: Comparison
    summary: Summary

    @property
    def is_reached(self) -> bool | None:
        """Whether the median reaches the limit; None where there is none."""
        limit = self.comparison.limit
        if limit is None:
            return None
        at_least = self.comparison.at_least
        return self.summary.median >= limit if at_least else self.summary.median <= limit


@dataclass
class Result:
    """What a measurement gave.

    Attributes
    ----------
    values : dict of str to list of float
        For each entry its value in each round: seconds a call, or bytes.
    differences : dict of str to float
        For each entry but the first of a problem, how far its results are from that one's.
    left_out : dict of str to str
        Entries that were not measured, and why.
    disagreements : list of str
        Entries whose results differ too much: also left out.
    """

    measurement: Measurement
    values: dict[str, list[float]] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    disagreements: list[str] = field(default_factory=list)

    def entry(self, label: str) -> Entry:
        """The entry of that label."""
        return next(entry for entry in self.measurement.entries if entry.label == label)

    def items(self, label: str) -> int:
        """Items in a call; memory is not counted by the item."""
        timed = self.measurement.quantity == "time"
        return self.entry(label).problem.items if timed else 1

    def summary(self, label: str) -> Summary:
        """Of an entry's values."""
        return Summary.of(self.values[label])

    def gflops(self, label: str) -> float | None:
        """Thousand million operations a second, at the median."""
        flops = self.entry(label).problem.flops
        is_timed = self.measurement.quantity == "time"
        return flops / self.summary(label).median / 1e9 if flops and is_timed else None

    def share_of_matmul(self, label: str) -> float | None:
        """GFLOP/s as a share of what one large matrix product ran at in the same rounds."""
        gflops = self.gflops(label)
        if gflops is None or "matmul" not in self.values:
            return None
        return gflops / self.gflops("matmul")  # type: ignore[operator]

    def ratios(self) -> list[Ratio]:
        """Every comparison whose two entries were measured."""
        found = []
        for comparison in self.measurement.comparisons:
            if comparison.over in self.values and comparison.under in self.values:
                over, under = self.values[comparison.over], self.values[comparison.under]
                per_item = self.items(comparison.under) / self.items(comparison.over)
                pairs = [per_item * a / b for a, b in zip(over, under)]
                found.append(Ratio(comparison, Summary.of(pairs)))
        return found


def as_json(results: list[Result], about: dict[str, Any]) -> dict[str, Any]:
    """Everything: ``ratios`` by case, measurement and comparison; ``measurements`` in full."""
    ratios: dict[str, dict[str, dict[str, float]]] = {}
    full = []
    for result in results:
        measurement = result.measurement
        made = result.ratios()
        by_name = ratios.setdefault(measurement.case, {})
        by_name[measurement.name] = {r.comparison.label: r.summary.median for r in made}
        full.append(
            {
                "case": measurement.case,
                "name": measurement.name,
                "quantity": measurement.quantity,
                "entries": {label: _entry(result, label) for label in result.values},
                "ratios": [_ratio(ratio) for ratio in made],
                "left_out": result.left_out,
                "disagreements": result.disagreements,
            }
        )
    return {**about, "ratios": ratios, "measurements": full}


def _entry(result: Result, label: str) -> dict[str, Any]:
    entry, summary = result.entry(label), result.summary(label)
    items = result.items(label)
    is_timed = result.measurement.quantity == "time"
    return {
        "peer": entry.peer.name,
        "variant": entry.peer.variant,
        "threads": entry.threads,
        "processes": entry.processes,
        "items_a_call": items,
        **vars(summary),
        "items_a_second": items / summary.median if is_timed else None,
        "gflops": result.gflops(label),
        "share_of_matmul": result.share_of_matmul(label),
        "difference": result.differences.get(label),
        "values": result.values[label],
    }


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return {**vars(ratio.comparison), **vars(ratio.summary), "is_reached": ratio.is_reached}
