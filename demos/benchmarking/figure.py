"""The ratios at a glance, and time against batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from autoencoder.figures import COLOURS, CYCLE, house_style, line_chart, new_figure, save

from .cases import Comparison
from .results import Ratio, Result

__all__ = ["ratio_figure", "save_figures", "scaling_figure"]

_MARKERS = "osD^vP"


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
            peer, what = _peer_and_rest(ratio.comparison)
            if peer is not None:
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


def _peer_and_rest(comparison: Comparison) -> tuple[str | None, str]:
    """``torch`` and ``batch 32`` of "minigrad / torch, batch 32"; None of other ratios."""
    first, _, peer = comparison.label.partition("minigrad / ")
    if first or not peer:
        return None, ""
    peer, _, rest = peer.partition(", ")
    return peer, rest
