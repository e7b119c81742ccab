"""Score every model on forecasts made before the match, beside base rates, the market and, where known, the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting import scoring
from apps.ml.forecasting.estimators import REGISTRY
from apps.ml.forecasting.features.schema import TRUTH
from apps.ml.pipeline import files, gates, report
from apps.ml.pipeline.columns import CALIBRATED, OUTCOMES, RAW

BASE: Final = "base_rates"
"""Estimator that every other must beat."""

LINES: Final = (
    ("closing line of Pinnacle", "PS", "closing"),
    ("average of bookmakers before the match", "Avg", "opening"),
    ("Bet365 before the match", "B365", "opening"),
    ("truth of the simulation", TRUTH, "closing"),
)
"""What the models are compared with on the matches where it is quoted: name, bookmaker, moment."""

Floats = NDArray[np.float64]


def tested(forecasts: pd.DataFrame, steps: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Return the forecasts of each model in the steps that are tested, the same matches in the same order."""
    numbers = [step["number"] for step in steps if step["purpose"] == "test"]
    rows = forecasts[forecasts["fold"].isin(numbers)]
    return {
        str(name): part.sort_values(["as_of", "match_id"], ignore_index=True)
        for name, part in rows.groupby("model", sort=False)
    }


def model_scores(models: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the scores of each model after and before calibration."""
    return {name: _scores(rows, CALIBRATED) | {"raw": _scores(rows, RAW)} for name, rows in models.items()}


def comparisons(
    models: dict[str, pd.DataFrame], best: str, odds: pd.DataFrame, section: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return for each quoted line the scores of all on the same matches, and how far `best` is from it."""
    found = []
    for name, bookmaker, moment in LINES:
        prices = odds[(odds["bookmaker"] == bookmaker) & (odds["moment"] == moment)].set_index("match_id")
        quoted = models[best]["match_id"].isin(prices.index).to_numpy()
        if not quoted.any():
            continue
        rows = {model: part[quoted] for model, part in models.items()}
        p = scoring.devig(prices.loc[rows[best]["match_id"], list(OUTCOMES)].to_numpy(), section["devig"])
        y, own = rows[best]["outcome"].to_numpy(dtype=np.int64), rows[best][CALIBRATED].to_numpy()
        found.append(
            {
                "name": name,
                "bookmaker": bookmaker,
                "n": int(quoted.sum()),
                "scores": scoring.score(p, y).as_dict(),
                "models": {model: _scores(part, CALIBRATED) for model, part in rows.items()},
                "gap": gaps(own, p, y, rows[best]["as_of"], section),
            }
            | ({"mean_kl": float((p * np.log(p / own)).sum(axis=1).mean())} if bookmaker == TRUTH else {})
        )
    return found


def gaps(own: Floats, other: Floats, y: NDArray[np.int64], as_of: pd.Series, section: dict[str, Any]) -> dict[str, Any]:
    """Return the mean differences own − other with their bootstrap intervals over match days."""
    days = as_of.dt.floor("D").to_numpy()
    draws, level = section["bootstrap_draws"], section["bootstrap_level"]
    return {
        name: scoring.paired_bootstrap(each(own, y) - each(other, y), days, draws=draws, level=level).as_dict()
        for name, each in (("log_loss", scoring.log_loss_each), ("rps", scoring.rps_each))
    }


def by_group(
    best: pd.DataFrame, base: pd.DataFrame, groups: pd.Series, name: str, line: Floats
) -> list[dict[str, Any]]:
    """Return the scores of the best model and of base rates for each group of matches, in the order of the names.

    Parameters
    ----------
    line : ndarray, shape (n, 3)
        The closing line as probabilities, NaN where it is not quoted. Columns that begin with ``quoted_`` are means
        over the `quoted_n` matches where it is, and null where that is none.
    """
    y = best["outcome"].to_numpy(dtype=np.int64)
    quoted = ~np.isnan(line[:, 0])
    own, plain = best[CALIBRATED].to_numpy(), base[CALIBRATED].to_numpy()
    table = pd.DataFrame({name: groups.to_numpy(), "n": 1, "quoted_n": quoted.astype(int)})
    for measure, each in (("log_loss", scoring.log_loss_each), ("rps", scoring.rps_each)):
        table[measure], table[f"base_{measure}"] = each(own, y), each(plain, y)
        market = np.full(len(y), np.nan)
        if quoted.any():
            market[quoted] = each(line[quoted], y[quoted])
        table[f"quoted_line_{measure}"] = market
        table[f"quoted_{measure}"] = table[measure].where(quoted)
        table[f"quoted_base_{measure}"] = table[f"base_{measure}"].where(quoted)
    means = table.groupby(name, sort=True).agg(
        {column: "sum" if column in ("n", "quoted_n") else "mean" for column in table.columns if column != name}
    )
    rows = means.reset_index().to_dict(orient="records")
    return [{str(key): None if pd.isna(value) else value for key, value in row.items()} for row in rows]


def closing_line(rows: pd.DataFrame, odds: pd.DataFrame, section: dict[str, Any]) -> Floats:
    """Return the probabilities behind the closing prices that reports compare with, NaN where there are none."""
    market = section["market"]
    prices = odds[(odds["bookmaker"] == market["bookmaker"]) & (odds["moment"] == market["moment"])].set_index(
        "match_id"
    )
    found = np.full((len(rows), 3), np.nan)
    quoted = rows["match_id"].isin(prices.index).to_numpy()
    if quoted.any():
        chosen = prices.loc[rows.loc[quoted, "match_id"], list(OUTCOMES)].to_numpy()
        found[quoted] = scoring.devig(chosen, section["devig"])
    return found


def reliability(rows: pd.DataFrame, bins: int) -> list[dict[str, Any]]:
    """Return for each outcome how often it came against how likely it was called, in equal-width bins."""
    found = []
    for place, outcome in enumerate(OUTCOMES):
        p, hit = rows[CALIBRATED[place]].to_numpy(), (rows["outcome"] == place).to_numpy()
        number = np.minimum((p * bins).astype(int), bins - 1)
        kept = [here for here in range(bins) if (number == here).any()]
        found.append(
            {
                "outcome": outcome,
                "bins": [
                    {
                        "low": here / bins,
                        "high": (here + 1) / bins,
                        "n": int((number == here).sum()),
                        "mean_p": float(p[number == here].mean()),
                        "frequency": float(hit[number == here].mean()),
                    }
                    for here in kept
                ],
            }
        )
    return found


def metrics_of(root: Path) -> dict[str, Any]:
    """Return everything that the evaluation finds, as `data/metrics.json` holds it."""
    params, manifest = files.read_params(root), files.RawManifest.read(root)
    section = params["evaluate"]
    models = tested(files.read_frame(root / files.CALIBRATED), files.read_json(root / files.FOLDS)["folds"])
    scores = model_scores(models)
    # A model that sees prices is shown beside the others; it is never the one that is served without being asked for.
    best = min((name for name in scores if not REGISTRY[name].uses_market), key=lambda name: scores[name]["log_loss"])
    odds = files.read_frame(root / files.ODDS)
    lines = comparisons(models, best, odds, section)
    closing = closing_line(models[best], odds, section)
    finished = files.read_frame(root / files.FINISHED, ["match_id", "competition", "season"]).set_index("match_id")
    about = finished.loc[models[best]["match_id"]]
    asked = models[best]["as_of"]
    return {
        "world": manifest.world,
        "profile": manifest.profile,
        "as_of": manifest.as_of.isoformat(),
        "rows": len(finished),
        "best": best,
        "inputs": {name: REGISTRY[name].inputs for name in scores},
        "test": {"from": f"{asked.min():%Y-%m-%d}", "to": f"{asked.max():%Y-%m-%d}", "n": len(asked)},
        "models": scores,
        "benchmarks": [line for line in lines if line["bookmaker"] != TRUTH],
        "truth": next((line for line in lines if line["bookmaker"] == TRUTH), None),
        "competitions": by_group(models[best], models[BASE], about["competition"], "competition", closing),
        "seasons": by_group(models[best], models[BASE], about["season"], "season", closing),
        "reliability": reliability(models[best], section["ece_bins"]),
        "gates": gates.passed(models[best][CALIBRATED].to_numpy(), best, scores, params["gates"]),
    }


def _scores(rows: pd.DataFrame, columns: list[str]) -> dict[str, float]:
    return scoring.score(rows[columns].to_numpy(), rows["outcome"].to_numpy(dtype=np.int64)).as_dict()


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    found = metrics_of(root)
    files.write_json(root / files.METRICS, found)
    plots = report.plots(found)
    for name, svg in plots.items():
        files.write_text(root / files.PLOTS / f"{name}.svg", svg)
    files.write_text(root / files.REPORT, report.page(found, plots))
    for name, scores in found["models"].items():
        files.say(f"{name}: log loss {scores['log_loss']:.4f}, RPS {scores['rps']:.4f}, ECE {scores['ece']:.4f}")
    files.say(f"best by log loss: {found['best']}; " + gates.sentence(found["gates"]))


if __name__ == "__main__":
    main()
