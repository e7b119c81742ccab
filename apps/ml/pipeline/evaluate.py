"""Score every model on its out-of-sample forecasts, and compare it with base rates, the market and the known truth.

`data/metrics.json` is stored with the version, `data/breakdown.json` is for the report only, and `data/betting.json`
is the betting simulation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from apps.ml.forecasting import scoring
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.estimators import REGISTRY
from apps.ml.forecasting.features.schema import TRUTH
from apps.ml.forecasting.line_agreement import disagreements, in_words, without
from apps.ml.forecasting.prices import line_of, probabilities
from apps.ml.pipeline import back_test, betting, breakdown, coverage, files, gates, reliability
from apps.ml.pipeline.columns import CALIBRATED, RAW

BASE: Final = "base_rates"
"""Estimator that every other must beat."""

LINES: Final = (
    ("closing line of Pinnacle", "PS", "closing"),
    ("opening line of Pinnacle", "PS", "opening"),
    ("average of bookmakers before the match", "Avg", "opening"),
    ("Bet365 before the match", "B365", "opening"),
    ("truth of the simulation", TRUTH, "closing"),
)
"""Lines of prices that the models are compared with: name, bookmaker, moment."""

CLOSING: Final = (LINES[0], ("average closing line", "Avg", "closing"), ("closing line of Bet365", "B365", "closing"))
"""Lines that no model without odds can match, the best first; not every year has each."""


COVERED: Final = ("competitions", "season_parts", "weaknesses")
"""Tables of groups by which the coverage of the intervals is shown."""


def test_forecasts(root: Path) -> dict[str, pd.DataFrame]:
    """Return the forecasts of each model that are evaluated, with the same matches in the same order."""
    forecasts, plan = files.read_frame(root / files.CALIBRATED), files.read_json(root / files.FOLDS)
    about = files.read_frame(root / files.FINISHED, ["match_id", "competition", "season"])
    numbers = [step["number"] for step in plan["folds"] if step["purpose"] == "test"]
    tested = about.loc[back_test.is_tested(about, plan), "match_id"]
    rows = forecasts[forecasts["fold"].isin(numbers) & forecasts["match_id"].isin(tested)]
    return {
        str(name): part.sort_values(["as_of", "match_id"], ignore_index=True)
        for name, part in rows.groupby("model", sort=False)
    }


def comparisons(
    models: dict[str, pd.DataFrame], best: str, odds: pd.DataFrame, section: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return, for each quoted line, its scores and those of all models on the same matches, and the gap to `best`."""
    found = (comparison(models, best, odds, section, line) for line in LINES)
    return [one for one in found if one is not None]


def comparison(
    models: dict[str, pd.DataFrame], best: str, odds: pd.DataFrame, section: dict[str, Any], line: tuple[str, str, str]
) -> dict[str, Any] | None:
    """Return the same for one line (name, bookmaker, moment); None when it quotes no tested match."""
    name, bookmaker, moment = line
    prices = line_of(odds, bookmaker, moment)
    quoted = models[best]["match_id"].isin(prices.index).to_numpy()
    if not quoted.any():
        return None
    rows = {model: part[quoted] for model, part in models.items()}
    p = scoring.devig(prices.loc[rows[best]["match_id"]].to_numpy(), section["devig"])
    y, own = rows[best]["outcome"].to_numpy(dtype=np.int64), rows[best][CALIBRATED].to_numpy()
    return {
        "name": name,
        "bookmaker": bookmaker,
        "n": int(quoted.sum()),
        "scores": scoring.score(p, y).as_dict(),
        "models": {model: _scores(part, CALIBRATED) for model, part in rows.items()},
        "gap": gaps(own, p, y, rows[best]["as_of"], section),
        "distance": distance(own, p, rows[best]["as_of"], section),
    } | ({"mean_kl": float((p * np.log(p / own)).sum(axis=1).mean())} if bookmaker == TRUTH else {})


def closing_line(
    lines: list[dict[str, Any]],
    models: dict[str, pd.DataFrame],
    best: str,
    odds: pd.DataFrame,
    section: dict[str, Any],
    least: int,
) -> dict[str, Any] | None:
    """Return the comparison of `best` with the first line of `CLOSING` that quotes at least `least` tested matches."""
    compared = {line["name"]: line for line in lines}
    found = (compared.get(line[0]) or comparison(models, best, odds, section, line) for line in CLOSING)
    return next((one for one in found if one is not None and one["n"] >= least), None)


def on_common_matches(
    models: dict[str, pd.DataFrame], odds: pd.DataFrame, section: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the scores of all lines and models on the matches that all lines quote, and their gaps to the first line.

    Lines that quote no tested match are left out. None when no line is left, or the lines share no match.
    """
    ids = next(iter(models.values()))["match_id"]
    prices = {name: line_of(odds, bookmaker, moment) for name, bookmaker, moment in LINES if bookmaker != TRUTH}
    prices = {name: quoted for name, quoted in prices.items() if ids.isin(quoted.index).any()}
    shared = np.ones(len(ids), dtype=bool)
    for quoted in prices.values():
        shared &= ids.isin(quoted.index).to_numpy()
    if not prices or not shared.any():
        return None
    lines = {
        name: scoring.devig(quoted.loc[ids[shared]].to_numpy(dtype=np.float64), section["devig"])
        for name, quoted in prices.items()
    }
    first = next(iter(lines))
    rows = next(iter(models.values()))[shared]
    y = rows["outcome"].to_numpy(dtype=np.int64)
    forecasts = lines | {name: part.loc[shared, CALIBRATED].to_numpy() for name, part in models.items()}
    found = [
        {"name": name, "is_line": name in lines}
        | scoring.score(p, y).as_dict()
        | {
            "gap": None if name == first else gaps(p, lines[first], y, rows["as_of"], section),
            "distance": None if name == first else distance(p, lines[first], rows["as_of"], section),
        }
        for name, p in forecasts.items()
    ]
    return {"reference": first, "n": int(shared.sum()), "rows": found}


def gaps_by_model(models: dict[str, pd.DataFrame], best: str, section: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the gap of each model to base rates and to the best model on the same matches."""
    found = []
    for name, rows in models.items():
        own, y = rows[CALIBRATED].to_numpy(), rows["outcome"].to_numpy(dtype=np.int64)
        to = {
            key: None if name == other else gaps(own, models[other][CALIBRATED].to_numpy(), y, rows["as_of"], section)
            for key, other in (("base", BASE), ("best", best))
        }
        found.append({"model": name, **to})
    return found


def gaps(own: Floats, other: Floats, y: Integers, as_of: pd.Series, section: dict[str, Any]) -> dict[str, Any]:
    """Return the mean differences own − other with their bootstrap intervals over match days."""
    return {
        name: _mean_by_days(each(own, y) - each(other, y), as_of, section)
        for name, each in (("log_loss", scoring.log_loss_each), ("rps", scoring.rps_each))
    }


def distance(own: Floats, line: Floats, as_of: pd.Series, section: dict[str, Any]) -> dict[str, float]:
    """Return the mean of `scoring.distance_each` with its bootstrap interval over match days."""
    return _mean_by_days(scoring.distance_each(own, line), as_of, section)


def _mean_by_days(values: Floats, as_of: pd.Series, section: dict[str, Any]) -> dict[str, float]:
    days = as_of.dt.floor("D").to_numpy(dtype="datetime64[us]")
    draws, level = section["bootstrap_draws"], section["bootstrap_level"]
    return scoring.paired_bootstrap(values, days, draws=draws, level=level).as_dict()


def evaluated(root: Path) -> dict[Path, Any]:
    """Return all results of the evaluation, by the file that they are written to."""
    params, manifest = files.read_params(root), files.RawManifest.read(root)
    section = params["evaluate"]
    plan, models = files.read_json(root / files.FOLDS), test_forecasts(root)
    scores: dict[str, Any] = {
        name: _scores(rows, CALIBRATED) | {"raw": _scores(rows, RAW)} for name, rows in models.items()
    }
    # Models that use prices are evaluated too, but are never served.
    blind = (name for name in scores if not REGISTRY[name].uses_market)
    # A back-test is about one model, whatever base rates score.
    best = plan.get("back_test") or min(blind, key=lambda name: scores[name]["log_loss"])
    odds, kickoffs = (
        files.read_frame(root / files.ODDS),
        files.read_frame(root / files.MATCHES, ["match_id", "kickoff_at"]),
    )
    left_out = disagreements(odds, kickoffs, params["prices"]["agreement"])
    odds = without(odds, kickoffs, left_out)
    lines = comparisons(models, best, odds, section)
    closing = breakdown.closing_line(models[best], odds, section)
    groups = breakdown.groups_of(root, models[best]["match_id"], section)
    tables = {
        table: breakdown.by_group(models[best], models[BASE], group, name, closing, section)
        for table, (name, group) in groups.items()
    }
    intervals = params["calibrate"]["intervals"]
    quoted = probabilities(models[best], odds, intervals["lines"], params["prices"]["devig"])
    covered = coverage.coverage(models[best], quoted)
    forecast_at = models[best]["as_of"]
    metrics = {
        "world": manifest.world,
        "profile": manifest.profile,
        "as_of": manifest.as_of.isoformat(),
        "rows": len(files.read_frame(root / files.FINISHED, ["match_id"])),
        "best": best,
        "inputs": {name: REGISTRY[name].inputs for name in scores},
        "test": {"from": f"{forecast_at.min():%Y-%m-%d}", "to": f"{forecast_at.max():%Y-%m-%d}", "n": len(forecast_at)},
        "models": scores,
        "benchmarks": [line for line in lines if line["bookmaker"] != TRUTH],
        "lines_left_out": [each.as_dict() for each in left_out],
        "truth": next((line for line in lines if line["bookmaker"] == TRUTH), None),
        "competitions": tables.pop("competitions"),
        "seasons": tables.pop("seasons"),
        "reliability": reliability.by_outcome(models[best], section),
        "intervals": covered and {"level": intervals["level"], **covered},
        "gates": [
            gates.no_better_than_possible(
                closing_line(lines, models, best, odds, section, params["gates"]["least_gap_matches"]),
                params["gates"],
                in_words([each for each in left_out if each.month >= f"{forecast_at.min():%Y-%m}"]),
            ),
            *gates.passed(models[best][CALIBRATED].to_numpy(), best, scores, params["gates"]),
        ],
    }
    apart = {
        "steps": [step for step in plan["folds"] if step["purpose"] == "test"],
        "together": on_common_matches(models, odds, section),
        "paired": gaps_by_model(models, best, section),
        "groups": tables,
        "over_time": breakdown.over_time(models[best], models[BASE], closing),
        "reliability": reliability.by_competition(models[best], groups["competitions"][1], section),
        "intervals": {
            table: coverage.by_group(models[best], quoted, group, name)
            for table, (name, group) in groups.items()
            if table in COVERED
        },
        "least_matches": section["least_matches"],
        "level": section["bootstrap_level"],
    }
    bets = betting.simulation(models, best, odds, closing, params["betting"], section)
    return {files.METRICS: metrics, files.BREAKDOWN: apart, files.BETTING: bets}


def _scores(rows: pd.DataFrame, columns: list[str]) -> dict[str, float]:
    return scoring.score(rows[columns].to_numpy(), rows["outcome"].to_numpy(dtype=np.int64)).as_dict()


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    found = evaluated(root)
    for path, content in found.items():
        files.write_json(root / path, content)
    metrics = found[files.METRICS]
    for name, scores in metrics["models"].items():
        files.log_line(f"{name}: log loss {scores['log_loss']:.4f}, RPS {scores['rps']:.4f}, ECE {scores['ece']:.4f}")
    files.log_line(f"best by log loss: {metrics['best']}; " + gates.sentence(metrics["gates"]))


if __name__ == "__main__":
    main()
