"""What the skill comes from, and the exhibit on betting."""

from __future__ import annotations

from html import escape
from typing import Any

from apps.ml.pipeline.report.data import ReportData
from apps.ml.pipeline.report.tables import NONE, Row, bullets, interval, note, number, paragraph, picture, table


def learning(found: ReportData, pictures: dict[str, str]) -> str:
    """Return what models lose that learn from fewer matches."""
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
        return paragraph("The profile fits no model anew: section explain of the parameters names none that it trains.")
    head = ["model", "share of matches", "matches", "log loss", "RPS", "log loss less that with all"]
    return (
        paragraph(
            f"Fitted to the latest matches before {explained['test']['from']}, scored on the {explained['test']['n']} "
            f"matches from then to {explained['test']['to']}, not calibrated.{_changes(explained)}"
        )
        + picture(pictures["learning"], "Log loss against the number of matches learnt from.")
        + table(head, rows, "Learning curve")
    )


def families(found: ReportData) -> str:
    """Return what is lost without each family of features, and what each says by itself."""
    explained = found.explained
    names = [row["model"] for row in explained["families"][0]["models"]]
    head = [
        "family",
        "columns",
        *(title for name in names for title in (f"used by {name}", f"log loss of {name} without, less with")),
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
            f"Fitted anew to the latest {explained['refit_rows']} matches before {explained['test']['from']} without "
            "one family at a time, scored on the matches from then on; alone is a logit on that family's columns, on "
            f"those that tell most where it has many.{_changes(explained)}"
        )
        + table(head, rows, "Families of features")
        + note(
            "Above 0: the model needs the family. Below 0: it does better without, at this number of matches. "
            "Near 0: others say the same, or it says nothing; alone tells which. "
            "A dash: the model does not look at the family."
        )
    )


def importance(found: ReportData, pictures: dict[str, str]) -> str:
    """Return what shuffling costs the best model and the mean sizes of its Shapley values."""
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
            f"asked about the latest {explained['asked']} of those after it: it has seen none of them."
        )
        + "<h3>Shuffling</h3>"
        + paragraph(
            "What the log loss grows by when the columns are shuffled among the matches, the mean of "
            f"{explained['repeats']} shuffles. Ratings stand in for each other, so that one column may cost little."
        )
        + picture(pictures["families"], "Log loss that shuffling a family adds; the dark lines are intervals.")
        + costs(shuffled["families"], "family")
        + costs(shuffled["columns"], "column")
        + "<h3>Shapley values</h3>"
        + paragraph("Mean absolute parts of the forecasts in log-odds; the parts of a forecast sum to it exactly.")
        + sizes(shapley["groups"], "group")
        + sizes(shapley["columns"], "column")
    )


def betting(found: ReportData) -> str:
    """Return what betting by the forecasts would have returned, and in words what that shows."""
    exhibit = found.betting
    settings = exhibit["settings"]
    said = bullets(exhibit["says"])
    if not exhibit["strategies"]:
        return said
    head = [
        "who picks",
        "stakes",
        "bets",
        "return in % of stakes",
        "end, or profit in stakes",
        "deepest fall",
        "closing-line value",
        "above 0",
    ]
    parts = [said]
    for line in dict.fromkeys(row["line"] for row in exhibit["strategies"]):
        own = [row for row in exhibit["strategies"] if row["line"] == line]
        rows = [_strategy(row, settings["kelly"], row["model"] == exhibit["model"]) for row in own]
        parts += [
            f"<h3>At the {escape(line)}, quoted on {own[0]['matches']} matches</h3>",
            table(head, rows, f"Betting at the {line}"),
        ]
    return "".join(parts) + note(
        f"One bet at most on a match: the outcome with the largest probability × price, where that is above "
        f"{1.0 + settings['edge']:.2f}. Flat is one unit; Kelly stakes {settings['kelly']:g} of what Kelly (1956) "
        f"asks, at most {settings['day_limit']:.0%} of the bankroll on one day; its return is that of shares of an "
        "even bankroll. Closing-line value is the logarithm of the price taken over the fair closing price. "
        "“Every outcome” asks no forecast: it loses the margin of the line."
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
    """Return in words what the fits change of the models, to take less time."""
    changes = [
        f"{name} with " + ", ".join(f"{key} {value}" for key, value in changed.items())
        for name, changed in explained["refits"].items()
        if changed
    ]
    return f" To take less time: {'; '.join(changes)}." if changes else ""
