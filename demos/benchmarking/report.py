"""What came out: summed up, as text, and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
from matplotlib.figure import Figure

from autoencoder.figures import COLOURS, CYCLE, house_style, new_figure

from .cases import MATMUL, Measurement

_MARKERS = "osD^vP"


def quartiles(values: Sequence[float]) -> dict[str, Any]:
    """The middle and the spread of at least one value."""
    low, middle, high = (float(q) for q in numpy.quantile(values, [0.25, 0.5, 0.75]))
    spread = {"lower_quartile": low, "upper_quartile": high}
    return {"median": middle, **spread, "minimum": min(values), "count": len(values)}


def summary(measurement: Measurement) -> dict[str, Any]:
    """All that a measurement gave: its entries and ratios, each with its quartiles.

    A ratio is made of each round's pair, item for item.
    """
    case = measurement.case
    is_timed = case.quantity == "time"
    entries: dict[str, dict[str, Any]] = {}
    for entry in measurement.entries:
        if entry.values:
            found = entries[entry.label] = {
                "peer": entry.peer.name,
                "variant": entry.peer.variant,
                "threads": entry.threads,
                "processes": entry.processes,
                "items_a_call": entry.problem.items if is_timed else 1,
                **quartiles(entry.values),
                "difference": entry.difference,
                "values": entry.values,
            }
            if is_timed:
                flops = entry.problem.flops
                found["items_a_second"] = found["items_a_call"] / found["median"]
                found["gflops"] = flops and flops / found["median"] / 1e9
    for found in entries.values():
        if MATMUL.label in entries and found["gflops"]:
            found["share_of_matmul"] = found["gflops"] / entries[MATMUL.label]["gflops"]
    ratios = []
    for comparison in measurement.comparisons:
        over, under = entries.get(comparison.over), entries.get(comparison.under)
        if over and under:
            per_item = under["items_a_call"] / over["items_a_call"]
            pairs = zip(over["values"], under["values"])
            found = {**comparison._asdict(), **quartiles([per_item * a / b for a, b in pairs])}
            median, limit = found["median"], comparison.limit
            is_reached = limit and (median >= limit if comparison.at_least else median <= limit)
            ratios.append({**found, "is_reached": is_reached})  # None without a limit
    return {
        "case": case.name,
        "name": case.title,
        "quantity": case.quantity,
        "unit": case.unit,
        "entries": entries,
        "ratios": ratios,
        "left_out": {e.label: e.left_out for e in measurement.entries if e.left_out},
        "disagreements": [f"{e.label}: {e.left_out}" for e in measurement.entries if e.disagrees],
    }


def text(measured: dict[str, Any]) -> str:
    """A table of the entries, then a line for each ratio and for each entry left out."""
    lines = [f"{measured['case']}: {measured['name']}"]
    show = _bytes if measured["quantity"] == "memory" else _seconds
    width = max(map(len, measured["entries"]), default=0)
    for label, entry in measured["entries"].items():
        spread = f"({show(entry['lower_quartile'])} to {show(entry['upper_quartile'])})"
        cells = [f"{label:{width}}", f"{show(entry['median']):>10}", f"{spread:<26}"]
        is_product = label == MATMUL.label
        if "items_a_second" in entry:
            rate = f"{entry['items_a_second']:,.0f} {measured['unit']}s/s"
            cells.append(f"{'' if is_product else rate:>24}")
        if entry.get("gflops"):
            cells.append(f"{entry['gflops']:6.0f} GFLOP/s")
        if "share_of_matmul" in entry and not is_product:
            cells.append(f"{entry['share_of_matmul']:4.0%} of matmul")
        if entry["difference"] is not None:
            cells.append(f"differs by {entry['difference']:.0e}")
        lines.append("  " + "  ".join(cells).rstrip())
    for ratio in measured["ratios"]:
        spread = f"{ratio['lower_quartile']:.3g} to {ratio['upper_quartile']:.3g}"
        line = f"  {ratio['label']}: {ratio['median']:.3g} ({spread}, {ratio['count']} pairs)"
        if ratio["limit"] is not None:
            bound = "at least" if ratio["at_least"] else "at most"
            reached = "reached" if ratio["is_reached"] else "missed"
            line += f"; target {bound} {ratio['limit']:g}: {reached}"
        lines.append(line)
    lines += [f"  {label} left out: {reason}" for label, reason in measured["left_out"].items()]
    return "\n".join(lines)


def _seconds(value: float) -> str:
    unit, scale = next((u, s) for u, s in (("s", 1), ("ms", 1e-3), ("us", 1e-6)) if value >= s)
    return f"{value / scale:#.3g}".rstrip(".") + f" {unit}"


def _bytes(value: float) -> str:
    return f"{value / 2**20:.1f} MiB"


def ratio_figure(summaries: Sequence[dict[str, Any]]) -> Figure | None:
    """For each measurement minigrad's time (or memory) over each peer's, with quartiles."""
    rows: dict[str, int] = {}
    points: dict[str, list[tuple[float, ...]]] = {}  # of a peer: row, median and quartiles
    for measured in summaries:
        for ratio in measured["ratios"]:
            if ratio["label"].startswith("minigrad / "):  # the ratios to a peer, and no others
                peer, _, what = ratio["under"].partition(", ")
                name = f"{measured['case']}: {what or measured['name']}"
                row = rows.setdefault(name, len(rows))
                values = (ratio[key] for key in ("median", "lower_quartile", "upper_quartile"))
                points.setdefault(peer, []).append((row, *values))
    if not rows:
        return None
    with house_style():
        figure, axes = new_figure(width=14.0, height=1.6 + 0.55 * len(rows))
        plot = axes[0, 0]
        for i, (peer, found) in enumerate(points.items(), start=1):  # colour 0 is minigrad's
            row, median, low, high = numpy.transpose(found)
            plot.errorbar(
                median,
                row + 0.5 * ((i - 0.5) / len(points) - 0.5),
                xerr=[median - low, high - median],
                fmt=_MARKERS[i % len(_MARKERS)],
                color=CYCLE[i % len(CYCLE)],
                label=peer,
            )
        plot.axvline(1.0, color=COLOURS["grey"], linewidth=2)
        plot.set_xscale("log")
        plot.set_yticks(range(len(rows)), rows)
        plot.set_ylim(len(rows) - 0.5, -0.5)
        plot.set_xlabel("minigrad / peer: left of 1, minigrad takes less")
        plot.xaxis.set_major_formatter("{x:g}")
        plot.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return figure
