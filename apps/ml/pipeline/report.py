"""The evaluation for people: one HTML page that carries its pictures, and the pictures by themselves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Any, Final

MEASURES: Final = (
    ("n", "n", "d"),
    ("log loss", "log_loss", ".4f"),
    ("RPS", "rps", ".4f"),
    ("Brier", "brier", ".4f"),
    ("accuracy", "accuracy", ".3f"),
    ("ECE", "ece", ".4f"),
)
"""Heading, key and format of the columns of scores."""

STYLE: Final = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid #dde3ea;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}.best td{background:#eaf3ff;font-weight:600}.no{color:#a4161a}
svg{max-width:100%;height:auto}p.note{color:#57636f}"""

COLOURS: Final = {"home": "#1f6feb", "draw": "#8a6d00", "away": "#b02a5b"}


def plots(metrics: dict[str, Any]) -> dict[str, str]:
    """Return the pictures of an evaluation by name, as SVG that depends on nothing but the numbers."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    with plt.rc_context(
        {"svg.hashsalt": "spai", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure, axes = plt.subplots(figsize=(5.2, 5.0))
        axes.plot([0, 1], [0, 1], color="#9aa5b1", linewidth=1)
        for row in metrics["reliability"]:
            points = [(place["mean_p"], place["frequency"]) for place in row["bins"]]
            axes.plot(*zip(*points, strict=True), marker="o", label=row["outcome"], color=COLOURS[row["outcome"]])
        axes.set(xlabel="forecast probability", ylabel="how often it came", xlim=(0, 1), ylim=(0, 1))
        axes.legend(frameon=False)
        calibration = _svg(figure)
        figure, axes = plt.subplots(figsize=(7.0, 3.4))
        names = [row["season"] for row in metrics["seasons"]]
        axes.plot(
            names, [row["base_log_loss"] for row in metrics["seasons"]], marker="o", label="base rates", color="#9aa5b1"
        )
        axes.plot(
            names, [row["log_loss"] for row in metrics["seasons"]], marker="o", label=metrics["best"], color="#1f6feb"
        )
        axes.set(ylabel="log loss in nats")
        axes.tick_params(axis="x", labelrotation=60)
        axes.legend(frameon=False)
        seasons = _svg(figure)
    return {"reliability": calibration, "seasons": seasons}


def page(metrics: dict[str, Any], pictures: dict[str, str]) -> str:
    """Return the report as one HTML page without anything from outside."""
    test = metrics["test"]
    parts = [
        f"<h1>Evaluation of {escape(metrics['best'])} · {escape(metrics['world'])} world</h1>",
        f"<p>Walk forward from {test['from']} to {test['to']}: {test['n']} matches, each forecast by a model that knew "
        "only what was known before. "
        f"Profile {escape(metrics['profile'])}, facts as of {escape(metrics['as_of'])}.</p>",
        "<p class=note>Log loss in nats; RPS halved, in [0, 1]; Brier summed over the outcomes; ECE over ten bins.</p>",
        "<h2>Models</h2>",
        _table(
            ["model", *(title for title, _, _ in MEASURES)],
            [
                (
                    f"{name} · {metrics['inputs'][name]}",
                    [format(row[key], form) for _, key, form in MEASURES],
                    name == metrics["best"],
                )
                for name, row in metrics["models"].items()
            ],
        ),
        "<h2>Gates</h2>",
        _gates(metrics["gates"]),
    ]
    lines = [*metrics["benchmarks"], *([metrics["truth"]] if metrics["truth"] else [])]
    for line in lines:
        parts += [f"<h2>Against the {escape(line['name'])}</h2>", _line(line, metrics["best"])]
    parts += [
        "<h2>Reliability</h2>",
        pictures["reliability"],
        "<h2>Seasons</h2>",
        pictures["seasons"],
        "<h2>Competitions</h2>",
    ]
    parts.append(_competitions(metrics["competitions"]))
    body = "\n".join(parts)
    head = f"<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Evaluation</title>\n<style>{STYLE}</style>"
    return f"{head}\n{body}\n</html>\n"


def _line(line: dict[str, Any], best: str) -> str:
    rows = [(line["name"], [format(line["scores"][key], form) for _, key, form in MEASURES], False)]
    rows += [
        (name, [format(row[key], form) for _, key, form in MEASURES], name == best)
        for name, row in line["models"].items()
    ]
    gap = line["gap"]
    note = "; ".join(
        f"{title} {gap[key]['mean']:+.4f} [{gap[key]['low']:+.4f}, {gap[key]['high']:+.4f}]"
        for key, title in (("log_loss", "log loss"), ("rps", "RPS"))
    )
    if "mean_kl" in line:
        note += f"; mean Kullback–Leibler divergence from the truth {line['mean_kl']:.4f} nats"
    return _table(["on the same matches", *(title for title, _, _ in MEASURES)], rows) + (
        f"<p class=note>{escape(best)} minus this line: {escape(note)}, with 95 % intervals over match days.</p>"
    )


def _competitions(rows: list[dict[str, Any]]) -> str:
    head = ["competition", "n", "log loss", "base rates", "RPS", "base rates", "quoted", "RPS", "closing line"]
    keys = ("log_loss", "base_log_loss", "rps", "base_rps")
    lines = []
    for row in rows:
        quoted = ["–" if row[key] is None else f"{row[key]:.4f}" for key in ("quoted_rps", "quoted_line_rps")]
        cells = [str(row["n"]), *(f"{row[key]:.4f}" for key in keys), str(row["quoted_n"]), *quoted]
        lines.append((row["competition"], cells, False))
    return _table(head, lines)


def _gates(gates: list[dict[str, Any]]) -> str:
    items = []
    for gate in gates:
        verdict = "passed" if gate["passed"] else "<strong class=no>refused</strong>"
        items.append(f"<li>{verdict}: {escape(gate['name'])}. {escape(gate['reason'])}.</li>")
    return f"<ul>{''.join(items)}</ul>"


def _table(head: Sequence[str], rows: Sequence[tuple[str, list[str], bool]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = []
    for name, cells, is_best in rows:
        numbers = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f"<tr{' class=best' if is_best else ''}><td>{escape(name)}</td>{numbers}</tr>")
    return f"<table><tr>{titles}</tr>{''.join(lines)}</table>"


def _svg(figure: Any) -> str:
    from matplotlib import pyplot as plt

    content = io.StringIO()
    figure.savefig(content, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    text = content.getvalue()
    return text[text.index("<svg") :]
