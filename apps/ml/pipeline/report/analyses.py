"""Sections about the origin of the skill, and the betting simulation."""

from __future__ import annotations

from html import escape
from typing import Any

from apps.ml.pipeline.report.data import ReportData
from apps.ml.pipeline.report.tables import NONE, Row, bullets, interval, note, number, paragraph, picture, table


def learning(found: ReportData, pictures: dict[str, str]) -> str:
    """Return the learning curve."""
    explained = found.explained
    rows = [
        Row(
            row["model"],
            [
                f"{row['share']:.4g}",
                str(row["rows"]),
                number(row["log_loss"]),
                number(row["rps"]),
                interval(row["gap"]),
            ],
        )
        for row in explained["learning"]
    ]
    if not rows:
        return paragraph("The profile refits no model: section explain of the parameters lists none that it trains.")
    head = ["model", "share of matches", "matches", "log loss", "RPS", "log loss − with all"]
    return (
        paragraph(
            f"Fitted to the latest matches before {explained['test']['from']}, scored on the {explained['test']['n']} "
            f"matches from then to {explained['test']['to']}, not calibrated.{_changes(explained)}"
        )
        + picture(pictures["learning"], "Log loss by number of training matches.")
        + table(head, rows, "Learning curve")
    )


def families(found: ReportData) -> str:
    """Return the loss without each family of features, and the scores with each family as the only one."""
    explained = found.explained
    names = [row["model"] for row in explained["families"][0]["models"]]
    head = [
        "family",
        "columns",
        *(title for name in names for title in (f"used by {name}", f"log loss of {name} without − with")),
        "columns alone",
        "log loss alone",
        "RPS alone",
    ]
    rows = []
    for row in explained["families"]:
        cells = [str(row["columns"])]
        for model in row["models"]:
            cells += [str(model["columns"]) if model["columns"] else NONE, interval(model["gap"])]
        alone = row["alone"]
        cells += [str(alone["columns"]), number(alone["log_loss"]), number(alone["rps"])]
        rows.append(Row(row["family"].replace("_", " "), cells))
    return (
        paragraph(
            f"Refitted to the latest {explained['refit_rows']} matches before {explained['test']['from']} without "
            "one family at a time, scored on the matches from then on. Alone: a logit on the columns of the family, "
            f"on the most informative ones if it has many.{_changes(explained)}"
        )
        + table(head, rows, "Families of features")
        + note(
            "Above 0: the model needs the family. Below 0: it is better without, at this number of matches. "
            "Near 0: the family is redundant or uninformative; its scores alone show which. "
            "A dash: the model does not use the family."
        )
    )


def importance(found: ReportData, pictures: dict[str, str]) -> str:
    """Return the cost of shuffling features and the mean absolute Shapley values of the best model."""
    explained = found.explained
    shuffled, shapley = explained["shuffled"], explained["shapley"]

    def costs(rows: list[dict[str, Any]], first: str) -> str:
        lines = [
            Row(row["name"], [str(row["columns"]), interval(row["loss"] if row["columns"] else None)]) for row in rows
        ]
        return table([first, "columns used", "log loss added"], lines, f"Shuffling each {first}")

    def sizes(rows: list[dict[str, Any]], first: str) -> str:
        lines = [Row(row["name"], [number(row["home_away"]), number(row["draw"])]) for row in rows]
        return table([first, "home against away", "draw against both"], lines, f"Shapley values by {first}")

    return (
        paragraph(
            f"{explained['model']}, fitted to {explained['train']['n']} matches before {explained['test']['from']} and "
            f"tested on the latest {explained['asked']} matches after it."
        )
        + "<h3>Shuffling</h3>"
        + paragraph(
            "Increase of the log loss when the columns are shuffled among the matches, the mean of "
            f"{explained['repeats']} shuffles. Ratings replace each other, so a single column may cost little."
        )
        + picture(pictures["families"], "Log loss that shuffling a family adds; the dark lines are intervals.")
        + costs(shuffled["families"], "family")
        + costs(shuffled["columns"], "column")
        + "<h3>Shapley values</h3>"
        + paragraph("Mean absolute contributions in log-odds; the contributions of a forecast sum to it exactly.")
        + sizes(shapley["groups"], "group")
        + sizes(shapley["columns"], "column")
    )


def betting(found: ReportData) -> str:
    """Return the results of the betting simulation, with a summary."""
    simulation = found.betting
    settings = simulation["settings"]
    summary = bullets(simulation["summary"])
    if not simulation["strategies"]:
        return summary
    head = [
        "strategy",
        "stakes",
        "bets",
        "return in % of stakes",
        "end, or profit in stakes",
        "maximum drawdown",
        "closing-line value",
        "above 0",
    ]
    parts = [summary]
    for line in dict.fromkeys(row["line"] for row in simulation["strategies"]):
        own = [row for row in simulation["strategies"] if row["line"] == line]
        rows = [_strategy(row, settings["kelly"], row["model"] == simulation["model"]) for row in own]
        parts += [
            f"<h3>At the {escape(line)}, quoted on {own[0]['matches']} matches</h3>",
            table(head, rows, f"Betting at the {line}"),
        ]
    return "".join(parts) + note(
        f"One bet at most on a match: the outcome with the largest probability × price, where that is above "
        f"{1.0 + settings['edge']:.2f}. Flat is one unit; Kelly stakes {settings['kelly']:g} of the stake of "
        f"Kelly (1956), at most {settings['day_limit']:.0%} of the bankroll on one day; its return is that of shares "
        "of an even bankroll. Closing-line value is the logarithm of the price taken over the fair closing price. "
        "“Every outcome” uses no forecast: it loses the margin of the line."
    )


def _strategy(row: dict[str, Any], kelly: float, is_marked: bool) -> Row:
    is_kelly, clv, end = row["stakes"] == "kelly", row["clv"], row["end"]
    left = NONE if end is None else f"{end:.2f} × the bankroll" if end >= 0.01 else "under 0.01 × the bankroll"
    cells = [
        f"{kelly:g} Kelly" if is_kelly else "flat",
        str(row["bets"]),
        interval(row["roi"] and _percent(row["roi"]), "+.1f"),
        left if is_kelly else number(row["profit"], "+.1f"),
        f"{row['fall']:.0%} of the bankroll" if is_kelly else number(row["fall"], ".1f"),
        interval(clv, "+.4f"),
        f"{clv['positive']:.0%} of {clv['n']}" if clv else NONE,
    ]
    return Row(f"{row['model']} · {row['inputs']}", cells, is_marked)


def _percent(roi: dict[str, Any]) -> dict[str, Any]:
    return {key: 100.0 * roi[key] for key in ("mean", "low", "high")}


def _changes(explained: dict[str, Any]) -> str:
    """Return a sentence about the parameters that are changed to save time."""
    changes = [
        f"{name} with " + ", ".join(f"{key} {value}" for key, value in changed.items())
        for name, changed in explained["refits"].items()
        if changed
    ]
    return f" To save time: {'; '.join(changes)}." if changes else ""
