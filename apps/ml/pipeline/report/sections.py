"""Sections about scores: of all models, against the market, calibration, and groups of matches."""

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

NO_LINE = "No prices were quoted for the tested matches, so there is no comparison with the market."


def models(data: ReportData) -> str:
    """Return the scores of all models, and their differences with intervals."""
    metrics = data.metrics
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
        for row in data.breakdown["paired"]
    ]
    head = ["model", "log loss − base rates", "RPS − base rates", f"log loss − {best}", f"RPS − {best}"]
    return (
        table(["model", *(title for title, _, _ in MEASURES)], scores, "Scores of the models")
        + note("Marked: the best model without prices, which is the one that is served.")
        + "<h3>Differences on the same matches</h3>"
        + table(head, gaps, "Differences between the models")
    )


def steps(data: ReportData) -> str:
    """Return the table of walk-forward steps."""
    rows = [
        Row(step["start"][:10], [step["train_from"][:10], str(step["train_rows"]), str(step["test_rows"])])
        for step in data.breakdown["steps"]
    ]
    return paragraph(
        "Each model is trained on what was known before its step, and forecasts until the next step."
    ) + table(["fitted on", "trained on matches since", "training matches", "test matches"], rows, "Steps")


def gates(data: ReportData) -> str:
    """Return the list of gates with result and reason."""
    items = []
    for gate in data.metrics["gates"]:
        result = "passed" if gate["passed"] else "<strong class=no>refused</strong>"
        items.append(f"<li>{result}: {escape(gate['name'])}. {escape(gate['reason'])}.</li>")
    return f"<ul>{''.join(items)}</ul>"


def market(data: ReportData) -> str:
    """Return the comparison with the market: on matches that all lines quote, and with each line separately."""
    best, lines = data.metrics["best"], data.metrics["benchmarks"]
    truth = data.metrics["truth"]
    parts = []
    together = data.breakdown["together"]
    if together:
        rows = [
            Row(
                row["name"],
                [
                    *measures(row),
                    *(interval(row["gap"] and row["gap"][key]) for key in ("log_loss", "rps")),
                    interval(row["distance"], ".4f"),
                ],
                row["name"] == best,
            )
            for row in together["rows"]
        ]
        head = [
            "forecast",
            *(title for title, _, _ in MEASURES),
            f"log loss − {together['reference']}",
            f"RPS − {together['reference']}",
            f"distance to {together['reference']}",
        ]
        parts += [
            paragraph(f"All on the same {together['n']} matches, which all lines of this table quote."),
            table(head, rows, "Models and lines on the same matches"),
        ]
    elif lines:
        parts.append(paragraph("No tested match is quoted by all lines; each line is compared below."))
    if not lines:
        parts.append(paragraph(NO_LINE))
    if lines or truth:
        rows = [_line(line, best) for line in [*lines, *([truth] if truth else [])]]
        head = [
            "line",
            "n",
            "log loss",
            f"{best}",
            f"log loss of {best} − line",
            "RPS",
            f"{best}",
            f"RPS of {best} − line",
            f"distance of {best} to the line",
        ]
        parts += [
            f"<h3>{escape(best)} against each line, on all matches that it quotes</h3>",
            table(head, rows, "The served model against each line"),
            note(
                "The distance is half the squared difference of the cumulative probabilities: by how much the RPS "
                "would exceed that of the line if the line were the truth. Results do not enter it, so it is less "
                "noisy than the difference of scores."
            ),
        ]
    left_out = data.metrics["lines_left_out"]
    if left_out:
        rows = [
            Row(
                f"{row['bookmaker']} {row['moment']}",
                [row["month"], str(row["matches"]), number(row["distance"], ".5f"), number(row["above"], ".1%")],
            )
            for row in left_out
        ]
        head = ["line", "month", "matches", "distance to the other lines", "matches with a price above the maximum"]
        parts += [
            "<h3>Lines that were left out</h3>",
            paragraph("In these months a line disagreed with the others by more than it ever had before."),
            table(head, rows, "Lines that were left out"),
        ]
    if truth:
        parts.append(
            note(
                f"In the simulated world the true probabilities are known; the mean Kullback–Leibler divergence of "
                f"{best} is {truth['mean_kl']:.4f} nats."
            )
        )
    return "".join(parts)


def calibration(data: ReportData, pictures: dict[str, str]) -> str:
    """Return scores before and after calibration, and reliability by outcome and by competition."""
    metrics, rows = data.metrics, data.breakdown["reliability"]
    by_model = [
        Row(
            name,
            [*(number(each[key]) for key in ("log_loss", "rps", "ece") for each in (row["raw"], row))],
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
        paragraph("Each walk-forward step is calibrated on the forecasts of earlier steps."),
        table(head, by_model, "Scores before and after calibration"),
        f"<h3>Each outcome, {escape(metrics['best'])}</h3>",
        picture(pictures["reliability"], "Observed frequency against forecast probability, in ten bins."),
        table(["outcome", *errors], by_outcome, "Calibration error by outcome"),
        note("A perfectly calibrated forecaster stays below the limit 39 times in 40."),
        "<h3>Each competition</h3>",
    ]
    if not rows:
        least = data.breakdown["least_matches"]
        return "".join(
            [
                *parts,
                paragraph(f"No competition has {least} tested matches, and with fewer the error is mostly chance."),
            ]
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
                f"{within} of {len(rows)} competitions are below their limit; a perfect forecaster exceeds it in "
                "about one of 40."
            ),
            picture(
                pictures["reliability_by_competition"],
                f"The competitions with the most matches, bins of at least {FEWEST}: blue home, yellow draw, red away.",
            ),
        ]
    )


def intervals(data: ReportData) -> str:
    """Return how often the closing line lay inside the intervals of the forecasts."""
    whole, groups = data.metrics["intervals"], data.breakdown["intervals"]
    if whole is None:
        return paragraph("Too few earlier forecasts have a closing line to fit intervals.")
    level = f"{whole['level']:.0%}"
    names = (("competitions", "competition"), ("season_parts", "part"), ("weaknesses", "weakness"))
    return "".join(
        [
            paragraph(
                f"An interval around each probability should contain the closing line in {level} of the matches. "
                "Those of each step are fitted on earlier steps."
            ),
            _covered([{"all": "all matches", **whole}], "all", level),
            *(_covered(groups[table], name, level) for table, name in names),
        ]
    )


def _covered(rows: Sequence[dict[str, Any]], name: str, level: str) -> str:
    outcomes = list(rows[0]["covered"]) if rows else []
    head = [name, "n", *(f"{outcome} inside" for outcome in outcomes), *(f"{outcome} width" for outcome in outcomes)]
    lines = [
        Row(
            str(row[name]),
            [
                str(row["n"]),
                *(number(row["covered"][outcome], ".1%") for outcome in outcomes),
                *(number(row["width"][outcome], ".3f") for outcome in outcomes),
            ],
        )
        for row in rows
    ]
    return table(head, lines, f"Closing lines inside intervals of {level}, by {name}")


def seasons(data: ReportData, pictures: dict[str, str]) -> str:
    """Return the scores by season, by month of the calendar and over time."""
    rows = data.metrics["seasons"]
    return (
        picture(pictures["seasons"], "Log loss by season: the served model and base rates.")
        + _groups(rows, "season", "Scores by season")
        + "<h3>Month of the calendar, years pooled</h3>"
        + _groups(data.breakdown["groups"]["months"], "month", "Scores by month")
        + picture(
            pictures["months"],
            "Month by month: log loss of the model − base rates, and RPS of the model − closing line.",
        )
    )


def competitions(data: ReportData) -> str:
    """Return the scores by competition."""
    return _groups(data.metrics["competitions"], "competition", "Scores by competition")


def kinds(data: ReportData) -> str:
    """Return the scores by promotion and relegation, by rating gap, by part of the season and by weakness."""
    groups = data.breakdown["groups"]
    return (
        "<h3>Promoted and relegated clubs</h3>"
        + _groups(groups["promotions"], "sides", "Scores by promotion and relegation")
        + note("Whether a side was promoted or relegated before the season, by the known matches.")
        + "<h3>Gap in ratings</h3>"
        + _groups(groups["rating_gaps"], "gap", "Scores by gap in ratings")
        + note("Elo points between the sides, home advantage included.")
        + "<h3>Part of the season</h3>"
        + _groups(groups["season_parts"], "part", "Scores by part of the season")
        + note("By the share of the season that the sides have played.")
        + "<h3>Less sure than usual</h3>"
        + _groups(groups["weaknesses"], "weakness", "Scores by the first reason why a forecast is weak")
        + note("The weaknesses that the page of a match names; of several the first counts.")
    )


def _line(line: dict[str, Any], best: str) -> Row:
    own, gap = line["models"][best], line["gap"]
    cells = [str(line["n"])]
    for key in ("log_loss", "rps"):
        cells += [number(line["scores"][key]), number(own[key]), interval(gap[key])]
    cells.append(interval(line["distance"], ".4f"))
    return Row(line["name"], cells)


def _groups(rows: Sequence[dict[str, Any]], name: str, label: str) -> str:
    head = [
        name,
        "n",
        "log loss",
        "base rates",
        "log loss − base rates",
        "RPS",
        "quoted",
        "RPS there",
        "closing line",
        "RPS − closing line",
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
