"""Plots of the report, as SVG whose bytes depend only on the numbers.

Lines and letters have the colour of the surrounding text, so that plots are readable on light and dark pages.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, Final

from apps.ml.pipeline.report.data import ReportData

COLOURS: Final = {"home": "#2f81f7", "draw": "#b58900", "away": "#d6336c"}
OWN: Final = "#2f81f7"
OTHER: Final = "#8b98a5"
LINE: Final = "#b58900"
"""Colours of outcomes, model, base rates and market, distinguishable on white and on near black."""

COMPETITIONS: Final = 12
"""Maximum number of competitions in their reliability plot: those with the most matches."""

FEWEST: Final = 20
"""Fewest matches of a bin in that plot."""

SETTINGS: Final[dict[Any, Any]] = {
    "svg.hashsalt": "spai",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}

IDS: Final = re.compile(r' id="(?!m|p[0-9a-f]|C)[A-Za-z0-9]+_[0-9_]+"')
"""Unreferenced ids in the SVG."""


def plots(found: ReportData) -> dict[str, str]:
    """Return the plots by name, without those that have no data."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    with plt.rc_context(SETTINGS):
        drawn = {
            "reliability": _reliability(found.metrics["reliability"]),
            "reliability_by_competition": _competitions(found.breakdown["reliability"]),
            "seasons": _seasons(found.metrics),
            "months": _months(found.breakdown["over_time"]),
            "learning": _learning(found.explained["learning"]),
            "families": _families([row for row in found.explained["shuffled"]["families"] if row["columns"]]),
        }
    return {name: svg for name, svg in drawn.items() if svg is not None}


def _reliability(rows: Sequence[dict[str, Any]]) -> str:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8.0, 4.2), sharey=True)
    for index, (title, which) in enumerate((("before calibration", "before"), ("after calibration", None))):
        axes[index].plot([0, 1], [0, 1], color=OTHER, linewidth=1)
        for row in rows:
            bins = row[which]["bins"] if which else row["bins"]
            x, y = [one["mean_p"] for one in bins], [one["frequency"] for one in bins]
            axes[index].plot(x, y, marker="o", markersize=4, label=row["outcome"], color=COLOURS[row["outcome"]])
        axes[index].set(title=title, xlabel="forecast probability", xlim=(0, 1), ylim=(0, 1))
    axes[0].set_ylabel("observed frequency")
    axes[0].legend()
    return _svg(figure)


def _competitions(rows: Sequence[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    from matplotlib import pyplot as plt

    largest = sorted(rows, key=lambda row: (-row["n"], row["competition"]))[:COMPETITIONS]
    wide = min(4, len(largest))
    high = -(-len(largest) // wide)
    figure, grid = plt.subplots(high, wide, figsize=(2.2 * wide, 2.3 * high), sharex=True, sharey=True, squeeze=False)
    for index, axes in enumerate(grid.ravel()):
        if index >= len(largest):
            axes.set_axis_off()
            continue
        row = largest[index]
        axes.plot([0, 1], [0, 1], color=OTHER, linewidth=1)
        for outcome in row["outcomes"]:
            points = [(p, frequency) for n, p, frequency in outcome["points"] if n >= FEWEST]
            x, y = [p for p, _ in points], [frequency for _, frequency in points]
            axes.plot(x, y, marker="o", markersize=2.5, linewidth=1, color=COLOURS[outcome["outcome"]])
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_title(row["competition"], fontsize=8)
    return _svg(figure)


def _seasons(metrics: dict[str, Any]) -> str:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 3.4))
    names = [row["season"] for row in metrics["seasons"]]
    for key, label, colour in (("base_log_loss", "base rates", OTHER), ("log_loss", metrics["best"], OWN)):
        axes.plot(names, [row[key] for row in metrics["seasons"]], marker="o", label=label, color=colour)
    axes.set_ylabel("log loss in nats")
    axes.tick_params(axis="x", labelrotation=60)
    axes.legend()
    return _svg(figure)


def _months(rows: Sequence[dict[str, Any]]) -> str:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 3.0))
    axes.axhline(0.0, color=OTHER, linewidth=1)
    places = list(range(len(rows)))
    axes.plot(places, [row["less_base"] for row in rows], color=OWN, label="minus base rates, log loss")
    quoted = [
        (place, row["less_line"]) for place, row in zip(places, rows, strict=True) if row["less_line"] is not None
    ]
    if quoted:
        axes.plot(*zip(*quoted, strict=True), color=LINE, label="minus closing line, RPS")
    every = max(1, len(rows) // 12)
    axes.set_xticks(places[::every], [row["month"] for row in rows[::every]], rotation=60)
    axes.set_ylabel("model − other")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return _svg(figure)


def _learning(rows: Sequence[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.4))
    names = list(dict.fromkeys(row["model"] for row in rows))
    for name, colour in zip(names, (OWN, LINE, COLOURS["away"], OTHER), strict=False):
        own = [row for row in rows if row["model"] == name]
        axes.plot([row["rows"] for row in own], [row["log_loss"] for row in own], marker="o", label=name, color=colour)
    axes.set(xlabel="latest training matches", ylabel="log loss in nats", xscale="log")
    axes.legend()
    return _svg(figure)


def _families(rows: Sequence[dict[str, Any]]) -> str:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 0.6 + 0.34 * len(rows)))
    for index, row in enumerate(rows):
        loss = row["loss"]
        axes.barh(index, loss["mean"], color=OWN, height=0.6)
        axes.plot([loss["low"], loss["high"]], [index, index], color="#000000", linewidth=1)
    axes.set_yticks(range(len(rows)), [row["name"].replace("_", " ") for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("log loss added by shuffling, in nats")
    return _svg(figure)


def _svg(figure: Any) -> str:
    from matplotlib import pyplot as plt

    figure.tight_layout()
    content = io.StringIO()
    figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    text = content.getvalue()
    return IDS.sub("", text[text.index("<svg") :]).replace("#000000", "currentColor")
