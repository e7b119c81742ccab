"""What the models score: beside each other, beside the market, by calibration and by group of matches."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from apps.ml.pipeline.report.data import ReportData
from apps.ml.pipeline.report.plots import FEWEST
from apps.ml.pipeline.report.tables import (
    MEASURES,
    NONE,
    Row,
    interval,
    measures,
    note,
    number,
    paragraph,
    picture,
    table,
)

NO_LINE = "No line was quoted on the tested matches: there is no market to compare with."


def models(found: ReportData) -> str:
    """Return the scores of all models, what calibration changed of them, and how sure their differences are."""
    metrics = found.metrics
    best = metrics["best"]
    scores = [
        Row(f"{name} · {metrics['inputs'][name]}", measures(row), name == best)
        for name, row in metrics["models"].items()
    ]
    gaps = [
        Row(
            row["model"],
            [interval(row[to] and row[to][measure]) for to in ("base", "best") for measure in ("log_loss", "rps")],
            row["model"] == best,
        )
        for row in found.breakdown["paired"]
    ]
    head = ["model", "log loss less base rates", "RPS less base rates", f"log loss less {best}", f"RPS less {best}"]
    return (
        table(["model", *(title for title, _, _ in MEASURES)], scores, "Scores of the models")
        + note("Marked: the best that sees no price, which is the one that is served.")
        + "<h3>Differences on the same matches</h3>"
        + table(head, gaps, "Differences between the models")
    )


def steps(found: ReportData) -> str:
    """Return when the models were fitted anew, to how much, and what they forecast until the next time."""
    rows = [
        Row(step["start"][:10], [step["train_from"][:10], str(step["train_rows"]), str(step["test_rows"])])
        for step in found.breakdown["steps"]
    ]
    return paragraph(
        "Every model learns from what was known before its step, and forecasts until the next one."
    ) + table(["fitted on", "learnt from matches since", "matches learnt from", "matches forecast"], rows, "Steps")


def gates(found: ReportData) -> str:
    """Return each gate with its verdict and its reason."""
    items = []
    for gate in found.metrics["gates"]:
        verdict = "passed" if gate["passed"] else "<strong class=no>refused</strong>"
        items.append(f"<li>{verdict}: {escape(gate['name'])}. {escape(gate['reason'])}.</li>")
    return f"<ul>{''.join(items)}</ul>"


def market(found: ReportData) -> str:
    """Return lines and models on the matches that every line quotes, and each line on all that it quotes."""
    best, lines = found.metrics["best"], found.metrics["benchmarks"]
    truth = found.metrics["truth"]
    parts = []
    together = found.breakdown["together"]
    if together:
        rows = [
            Row(
                row["name"],
                [*measures(row), *(interval(row["gap"] and row["gap"][key]) for key in ("log_loss", "rps"))],
                row["name"] == best,
            )
            for row in together["rows"]
        ]
        head = [
            "forecast",
            *(title for title, _, _ in MEASURES),
            f"log loss less {together['reference']}",
            f"RPS less {together['reference']}",
        ]
        parts += [
            paragraph(f"All on the same {together['n']} matches, those that every line of this table quotes."),
            table(head, rows, "Models and lines on the same matches"),
        ]
    elif lines:
        parts.append(paragraph("The lines share no tested match; each stands by itself below."))
    if not lines:
        parts.append(paragraph(NO_LINE))
    if lines or truth:
        rows = [_line(line, best) for line in [*lines, *([truth] if truth else [])]]
        head = [
            "line",
            "n",
            "log loss",
            f"{best}",
            f"log loss of {best} less the line",
            "RPS",
            f"{best}",
            f"RPS of {best} less the line",
        ]
        parts += [
            f"<h3>{escape(best)} against each line, on all matches that it quotes</h3>",
            table(head, rows, "The served model against each line"),
        ]
    if truth:
        parts.append(
            note(
                f"The simulation knows the true probabilities; the mean Kullback–Leibler divergence of {best} is "
                f"{truth['mean_kl']:.4f} nats."
            )
        )
    return "".join(parts)


def calibration(found: ReportData, pictures: dict[str, str]) -> str:
    """Return what calibration changed, how reliable each outcome is called, and the same by competition."""
    metrics, rows = found.metrics, found.breakdown["reliability"]
    by_model = [
        Row(
            name,
            [
                *(number(each[key]) for key in ("log_loss", "rps", "ece") for each in (row["raw"], row)),
            ],
            name == metrics["best"],
        )
        for name, row in metrics["models"].items()
    ]
    head = ["model", "log loss before", "after", "RPS before", "after", "ECE before", "after"]
    by_outcome = [
        Row(row["outcome"], [number(row["before"]["ece"]), number(row["ece"]), number(row["ece_limit"])])
        for row in metrics["reliability"]
    ]
    errors = ["ECE before", "ECE after", "limit of a perfect forecaster"]
    parts = [
        paragraph("Each step of the walk forward is calibrated by forecasts of the steps before it, never by its own."),
        table(head, by_model, "Scores before and after calibration"),
        f"<h3>Each outcome, {escape(metrics['best'])}</h3>",
        picture(pictures["reliability"], "How often outcomes came against how likely they were called, in ten bins."),
        table(["outcome", *errors], by_outcome, "Calibration error by outcome"),
        note("A forecaster whose probabilities are true stays below the limit 39 times in 40: chance errs too."),
        "<h3>Each competition</h3>",
    ]
    if not rows:
        least = found.breakdown["least_matches"]
        return "".join(
            [*parts, paragraph(f"No competition has {least} tested matches, and fewer would show chance alone.")]
        )
    by_competition = [
        Row(
            row["competition"],
            [
                str(row["n"]),
                *(number(each["ece"]) for each in (row["before"], row)),
                number(row["ece_limit"]),
                "yes" if row["ece"] <= row["ece_limit"] else "no",
                *(f"{number(one['ece'])} ({number(one['ece_limit'])})" for one in row["outcomes"]),
            ],
        )
        for row in rows
    ]
    outcomes = [f"{one['outcome']} ECE (limit)" for one in rows[0]["outcomes"]]
    head = ["competition", "n", *errors, "below it", *outcomes]
    within = sum(row["ece"] <= row["ece_limit"] for row in rows)
    return "".join(
        [
            *parts,
            table(head, by_competition, "Calibration error by competition"),
            note(
                f"{within} of {len(rows)} competitions lie below their limit; a perfect forecaster would miss about "
                "one in 40."
            ),
            picture(
                pictures["reliability_by_competition"],
                f"The competitions with the most matches, bins of at least {FEWEST}: blue home, yellow draw, red away.",
            ),
        ]
    )


def seasons(found: ReportData, pictures: dict[str, str]) -> str:
    """Return the scores by season, by month of the calendar and over time."""
    rows = found.metrics["seasons"]
    return (
        picture(pictures["seasons"], "Log loss by season: the served model and base rates.")
        + _groups(rows, "season", "Scores by season")
        + "<h3>Month of the calendar, years pooled</h3>"
        + _groups(found.breakdown["groups"]["months"], "month", "Scores by month")
        + picture(pictures["months"], "Month by month: the model less base rates in log loss, less the line in RPS.")
    )


def competitions(found: ReportData) -> str:
    """Return the scores by competition."""
    return _groups(found.metrics["competitions"], "competition", "Scores by competition")


def kinds(found: ReportData) -> str:
    """Return the scores by promotion and relegation, by rating gap and by part of the season."""
    groups = found.breakdown["groups"]
    return (
        "<h3>Promoted and relegated clubs</h3>"
        + _groups(groups["promotions"], "sides", "Scores by promotion and relegation")
        + note("Whether a side came up or went down before the season, by the matches that are known.")
        + "<h3>Gap in ratings</h3>"
        + _groups(groups["rating_gaps"], "gap", "Scores by gap in ratings")
        + note("Elo points between the sides, home advantage included: how uneven the match looked.")
        + "<h3>Part of the season</h3>"
        + _groups(groups["season_parts"], "part", "Scores by part of the season")
        + note("By the share of the season that the sides have behind them.")
    )


def _line(line: dict[str, Any], best: str) -> Row:
    own, gap = line["models"][best], line["gap"]
    cells = [str(line["n"])]
    for key in ("log_loss", "rps"):
        cells += [number(line["scores"][key]), number(own[key]), interval(gap[key])]
    return Row(line["name"], cells)


def _groups(rows: Sequence[dict[str, Any]], name: str, label: str) -> str:
    head = [
        name,
        "n",
        "log loss",
        "base rates",
        "log loss less base rates",
        "RPS",
        "quoted",
        "RPS there",
        "closing line",
        "RPS less closing line",
    ]
    lines = [
        Row(
            str(row[name]),
            [
                str(row["n"]),
                number(row["log_loss"]),
                number(row["base_log_loss"]),
                interval(row["base_gap"]),
                number(row["rps"]),
                str(row["quoted_n"]) if row["quoted_n"] else NONE,
                number(row["quoted_rps"]),
                number(row["quoted_line_rps"]),
                interval(row["line_gap"]),
            ],
        )
        for row in rows
    ]
    return table(head, lines, label)
