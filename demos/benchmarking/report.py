"""Results as text, the ratios at a glance, and time against batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from autoencoder.figures import COLOURS, CYCLE, house_style, line_chart, new_figure, save

from .results import Ratio, Result

__all__ = ["ratio_figure", "save_figures", "scaling_figure", "text"]

_MARKERS = "osD^vP"


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


def save_figures(results: Sequence[Result], folder: str | os.PathLike[str]) -> list[Path]:
    """Draw what there is to draw; gives the PNG files."""
    figures = {"benchmark": ratio_figure(results), "scaling": scaling_figure(results)}
    return [save(figure, Path(folder) / name)[0] for name, figure in figures.items() if figure]


def ratio_figure(results: Sequence[Result]) -> Figure | None:
    """For each measurement minigrad's time (or memory) over each peer's, with quartiles."""
    rows: list[tuple[str, list[tuple[str, Ratio]]]] = []
    for result in results:
        by_row: dict[str, list[tuple[str, Ratio]]] = {}
        for ratio in result.ratios():
            # "minigrad / torch, batch 32": the ratios to a peer, and no others
            before, _, label = ratio.comparison.label.partition("minigrad / ")
            if label and not before:
                peer, _, what = label.partition(", ")
                row = f"{result.measurement.case}: {what or result.measurement.name}"
                by_row.setdefault(row, []).append((peer, ratio))
        rows += by_row.items()
    if not rows:
        return None
    peers = list(dict.fromkeys(peer for _, ratios in rows for peer, _ in ratios))
    with house_style():
        figure, axes = new_figure(width=14.0, height=1.6 + 0.55 * len(rows))
        plot = axes[0, 0]
        for i, peer in enumerate(peers, start=1):  # the first colour is minigrad's elsewhere
            offset = 0.5 * ((i - 0.5) / len(peers) - 0.5)
            places, summaries = [], []
            for row, (_, ratios) in enumerate(rows):
                for name, ratio in ratios:
                    if name == peer:
                        places.append(row + offset)
                        summaries.append(ratio.summary)
            middle = [s.median for s in summaries]
            below = [s.median - s.lower_quartile for s in summaries]
            above = [s.upper_quartile - s.median for s in summaries]
            plot.errorbar(
                middle,
                places,
                xerr=[below, above],
                fmt=_MARKERS[i % len(_MARKERS)],
                color=CYCLE[i % len(CYCLE)],
                label=peer,
            )
        plot.axvline(1.0, color=COLOURS["grey"], linewidth=2)
        plot.set_xscale("log")
        plot.set_yticks(range(len(rows)), [row for row, _ in rows])
        plot.set_ylim(len(rows) - 0.5, -0.5)
        plot.set_xlabel("minigrad / peer: left of 1, minigrad takes less")
        plot.xaxis.set_major_formatter("{x:g}")
        plot.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return figure


def scaling_figure(results: Sequence[Result]) -> Figure | None:
    """Time an image against the batch."""
    series: dict[str, tuple[list[int], list[float]]] = {}
    for result in results:
        if (result.measurement.case, result.measurement.name) != ("scaling", "batch"):
            continue
        for label in result.values:
            entry = result.entry(label)
            batches, times = series.setdefault(entry.peer.label, ([], []))
            batches.append(entry.problem.batch)
            times.append(1e3 * result.summary(label).median / entry.problem.items)
    if not series:
        return None
    batches = sorted({batch for xs, _ in series.values() for batch in xs})
    figure = line_chart(series, "batch", "time an image (ms)", log_x=True, x_ticks=batches)
    figure.axes[0].set_ylim(bottom=0)
    return figure
