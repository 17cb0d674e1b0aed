"""A result as text."""

from __future__ import annotations

from .results import Ratio, Result

__all__ = ["text"]


def text(result: Result) -> str:
    """A table of the entries, then a line for each ratio and for each entry left out."""
    measurement = result.measurement
    lines = [f"{measurement.case}: {measurement.name}"]
    rows = [_row(result, label) for label in result.values]
    width = max([len(label) for label in result.values], default=0)
    for row in rows:
        name, *cells = row
        lines.append("  " + "  ".join([f"{name:{width}}", *cells]).rstrip())
    lines += [f"  {_ratio(ratio)}" for ratio in result.ratios()]
    lines += [f"  {label} left out: {reason}" for label, reason in result.left_out.items()]
    return "\n".join(lines)


def _row(result: Result, label: str) -> list[str]:
    summary, quantity = result.summary(label), result.measurement.quantity
    show = _bytes if quantity == "memory" else _seconds
    spread = f"({show(summary.lower_quartile)} to {show(summary.upper_quartile)})"
    cells = [label, f"{show(summary.median):>10}", f"{spread:<26}"]
    if label == "matmul":
        return [*cells, " " * 24, f"{result.gflops(label):6.0f} GFLOP/s"]
    if quantity == "time":
        rate = result.items(label) / summary.median
        cells.append(f"{f'{rate:,.0f} {result.measurement.unit}s/s':>24}")
        gflops, share = result.gflops(label), result.share_of_matmul(label)
        if gflops is not None:
            cells.append(f"{gflops:6.0f} GFLOP/s")
        if share is not None:
            cells.append(f"{share:4.0%} of matmul")
    if label in result.differences:
        cells.append(f"differs by {result.differences[label]:.0e}")
    return cells


def _ratio(ratio: Ratio) -> str:
    comparison, summary = ratio.comparison, ratio.summary
    line = (
        f"{comparison.label}: {summary.median:.3g} "
        f"({summary.lower_quartile:.3g} to {summary.upper_quartile:.3g}, {summary.count} pairs)"
    )
    if comparison.limit is not None:
        bound = "at least" if comparison.at_least else "at most"
        reached = "reached" if ratio.is_reached else "missed"
        line += f"; target {bound} {comparison.limit:g}: {reached}"
    return line


def _seconds(value: float) -> str:
    unit, scale = next((u, s) for u, s in (("s", 1), ("ms", 1e-3), ("us", 1e-6)) if value >= s)
    return f"{value / scale:#.3g}".rstrip(".") + f" {unit}"


def _bytes(value: float) -> str:
    return f"{value / 2**20:.1f} MiB"
