"""The model card: intended use, training data, evaluation and limitations of a version.

The sections follow Mitchell et al. (2019), "Model Cards for Model Reporting", FAT* '19, 220-229. A card is
made from the stored facts of a version only, so equal facts give equal cards: as sections for a page, and as Markdown
for the registry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from apps.ml.pipeline.files import NO_ODDS

MINUS: Final = "−"

SOURCES: Final = {
    "sandbox": "A simulated football world: its clubs, matches and prices are invented and free of rights. "
    "Its results say nothing about real football.",
    "real": "Results, statistics and prices from the files of football-data.co.uk, under its own terms and not part of "
    "the model; fixtures and results from openfootball, which is in the public domain (CC0).",
}
"""Where the matches of a world come from, and under which terms."""

LABELLED: Final = (
    "It uses {inputs}. It is labelled so wherever it is shown, never becomes champion, and makes forecasts only where "
    "it is requested by name."
)

SMOKE: Final = (
    "It was trained with the smoke profile, which leaves out most of the work and only checks that the pipeline runs."
)


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Stored facts of a version, from which its card is made."""

    world: str
    number: int
    estimator: str
    inputs: str
    profile: str
    as_of: datetime  # facts known before it were used; aware, UTC
    rows: int  # training matches
    trained_from: date  # day of the first of them
    trained_to: date
    columns: int  # number of features that it uses
    metrics: Mapping[str, Any]  # `data/metrics.json` of its evaluation
    gates: Sequence[Mapping[str, Any]]
    lineage: Mapping[str, str]  # name of a hash, number or revision → its value, in the order shown
    # ``champion`` (number), ``verdict``, ``reason``, ``n`` and ``criteria`` of the newest comparison.
    comparison: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CardTable:
    """Rows of text under headings; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class CardSection:
    """A part of the card: paragraphs, then a table where there is one."""

    title: str
    paragraphs: tuple[str, ...]
    table: CardTable | None = None


def sections(facts: CardFacts) -> tuple[CardSection, ...]:
    """Return the card of a version."""
    found = [
        _about(facts),
        _training(facts),
        _evaluation(facts),
        _calibration(facts),
        _gates(facts),
        _against_champion(facts),
        _limits(facts),
        _lineage(facts),
    ]
    return tuple(section for section in found if section is not None)


def markdown(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    parts = [f"# Model {facts.number} ({facts.world})"]
    for section in sections(facts):
        parts.append(f"## {section.title}")
        parts += section.paragraphs
        if section.table is not None:
            head, rule = section.table.head, tuple("---" for _ in section.table.head)
            parts.append("\n".join(_line(row) for row in (head, rule, *section.table.rows)))
    return "\n\n".join(parts) + "\n"


def shortened(text: str, length: int, where: str) -> str:
    """Return Markdown of at most `length` characters: whole paragraphs, then where to find the rest."""
    if len(text) <= length:
        return text
    ending = f"\n\nThe whole card is {where}.\n"
    kept = text[: length - len(ending)]
    return kept[: kept.rfind("\n\n")].rstrip() + ending


def _about(facts: CardFacts) -> CardSection:
    paragraphs = [
        f"{facts.estimator} on {facts.columns} features, {facts.inputs}, trained with the {facts.profile} profile. "
        "It forecasts home win, draw and away win after 90 minutes and stoppage time of matches of the competitions "
        "that it was trained on, and the expected goals of both sides.",
        "For people and programs that need calibrated probabilities of coming matches. Not for deciding stakes: where "
        "forecast and price differ, the forecast is more often wrong.",
    ]
    if facts.inputs != NO_ODDS:
        paragraphs.insert(1, LABELLED.format(inputs=facts.inputs))
    return CardSection("Intended use", tuple(paragraphs))


def _training(facts: CardFacts) -> CardSection:
    competitions = [row["competition"] for row in facts.metrics.get("competitions", ())]
    named = f", {len(competitions)} of them tested" if competitions else ""
    return CardSection(
        "Training data",
        (
            f"{facts.rows:,} finished matches from {facts.trained_from} to {facts.trained_to}; facts known before "
            f"{facts.as_of:%Y-%m-%d %H:%M} UTC and no others. Competitions{named}: "
            f"{', '.join(competitions) or 'those of the world'}.",
            SOURCES[facts.world],
            "Features of a match use only what was known before its forecast. "
            "The label is the result after 90 minutes: 0 home, 1 draw, 2 away.",
        ),
    )


def _evaluation(facts: CardFacts) -> CardSection | None:
    models = facts.metrics.get("models", {})
    if facts.estimator not in models:
        return None
    test = facts.metrics.get("test", {})
    when = f" from {test['from']} to {test['to']}" if test else ""
    own = models[facts.estimator]
    rows = [(name, *_scores(scores), "") for name, scores in models.items() if name in (facts.estimator, "base_rates")]
    for line in facts.metrics.get("benchmarks", ()):
        gap = line["gap"]["log_loss"]
        interval = f"{_signed(gap['mean'])} ({_signed(gap['low'])} to {_signed(gap['high'])})"
        rows.append((line["name"], *_scores(line["scores"]), interval))
    head = ("forecaster", "matches", "log loss", "RPS", "Brier", "accuracy", "ECE", "log loss of the model − it, 95 %")
    return CardSection(
        "Evaluation",
        (
            f"Walk-forward evaluation on {own['n']:,} matches{when} that the model had not seen, refitted once a "
            "season. Log loss in nats, RPS in [0, 1]; intervals by paired bootstrap over match days. A line of prices "
            "is compared on the matches where it is quoted.",
        ),
        CardTable(head, tuple(rows)),
    )


def _calibration(facts: CardFacts) -> CardSection | None:
    own = facts.metrics.get("models", {}).get(facts.estimator)
    if own is None:
        return None
    raw = own.get("raw", {}).get("ece")
    before = f" It was {raw:.4f} before calibration." if raw is not None else ""
    bins = [one for outcome in facts.metrics.get("reliability", ()) for one in outcome["bins"]]
    widest = max(bins, key=lambda one: abs(one["mean_p"] - one["frequency"]) if one["n"] >= 100 else -1.0, default=None)
    widest_gap = ""
    if widest is not None and widest["n"] >= 100:
        widest_gap = (
            f" Of the bins with 100 forecasts or more the widest gap is at {widest['low']:.0%} to {widest['high']:.0%}"
            f": forecast {widest['mean_p']:.1%}, observed {widest['frequency']:.1%} of {widest['n']:,}."
        )
    return CardSection(
        "Calibration",
        (
            f"Expected calibration error {own['ece']:.4f} over ten equal bins, the outcomes pooled."
            f"{before}{widest_gap}",
            *_intervals(facts),
        ),
    )


def _intervals(facts: CardFacts) -> tuple[str, ...]:
    """Return a sentence on the intervals, which are evaluated for the best model; nothing where there are none."""
    found = facts.metrics.get("intervals")
    if not found or facts.estimator != facts.metrics.get("best"):
        return ()
    covered = ", ".join(f"{outcome} {share:.1%}" for outcome, share in found["covered"].items())
    width = ", ".join(f"{outcome} {width:.3f}" for outcome, width in found["width"].items())
    return (
        f"Of {found['n']:,} closing lines this share lay inside the intervals, which should hold {found['level']:.0%}: "
        f"{covered}. Mean width: {width}.",
    )


def _gates(facts: CardFacts) -> CardSection:
    rows = tuple((gate["name"], "passed" if gate["passed"] else "not passed", gate["reason"]) for gate in facts.gates)
    return CardSection("Gates", (), CardTable(("gate", "result", "reason"), rows))


def _against_champion(facts: CardFacts) -> CardSection | None:
    found = facts.comparison
    if found is None:
        return None
    rows = tuple(
        (
            *(line["name"], _number(line["candidate"]), _number(line["champion"])),
            *("met" if line["passed"] else "not met", line["reason"]),
        )
        for line in found["criteria"]
    )
    return CardSection(
        f"Against model {found['champion']}",
        (f"{found['verdict'].capitalize()}: {found['reason']}.",),
        CardTable(("criterion", "this model", f"model {found['champion']}", "result", "reason"), rows),
    )


def _limits(facts: CardFacts) -> CardSection:
    paragraphs = [
        "It uses results, goals and, where a source has them, shots and corners; and line-ups and absences that were "
        "published before the forecast. It uses no weather, transfers or motives; a club without history is "
        "rated like an average new club.",
        "Probabilities are averages over many matches. Leagues differ in how well they can be forecast; the report "
        "of the model shows each.",
    ]
    if facts.profile == "smoke":
        paragraphs.append(SMOKE)
    return CardSection("Limitations", tuple(paragraphs))


def _lineage(facts: CardFacts) -> CardSection:
    return CardSection(
        "Lineage and how to make it again",
        (
            "Check out the code revision, pin the run's day, profile and world (“Run again” in the admin does all "
            "three), and run dvc repro: the same data, parameters and code give the same bytes, and nothing is "
            "registered twice.",
        ),
        CardTable(("what", "value"), tuple((name, value) for name, value in facts.lineage.items())),
    )


def _scores(scores: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"{scores['n']:,}", *(f"{scores[name]:.4f}" for name in ("log_loss", "rps", "brier", "accuracy", "ece")))


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", MINUS)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 2 else f"{value:.4f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
