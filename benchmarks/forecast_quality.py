"""How good forecasts are: `python -m benchmarks.forecast_quality --data DIR [--test-from SEASON --test-to SEASON]`.

DIR holds files in football-data form (itself, or in football-data/); seasons are written 2014-15. The files are
imported into a database of their own in the server of DATABASE_URL, which is dropped at the end, and the registered
stages of the pipeline, export to evaluation, run in a temporary workspace: each season is forecast by models that were
fitted before it. The tables compare all models, base rates and the market on the same matches; `--json` writes them.
Beside them stands Dixon-Coles fitted to each league by itself, which is no model of ours but the measure of its gain.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pandas as pd

from benchmarks.ingest import own_database
from benchmarks.report import machine, parser

TOP_FIVE: Final = ("England", "France", "Germany", "Italy", "Spain")
"""Regions whose highest leagues are looked at by themselves."""

CLOSING: Final = ("PS", "closing")

PER_LEAGUE: Final = "Dixon-Coles per league"
"""Time-weighted, refitted at every match day, each league by itself; rho, scale and lean walk forward as of a model."""

LINES: Final = {
    "Pinnacle closing": CLOSING,
    "average before the match": ("Avg", "opening"),
    "Bet365 before the match": ("B365", "opening"),
}
"""What the models are compared with: bookmaker and moment."""

TARGETS: Final = {
    "no odds": "gap ≤ 0.0034 RPS and ≤ 0.0115 log loss, aim 0.0028 and 0.0090; ECE ≤ 0.60 %; "
    "at least 0.0020 RPS ahead of Dixon-Coles per league, with an interval without 0",
    "prices of earlier matches": "gap ≤ 0.0024 RPS, aim 0.0018",
    "prices before the match": "at most 0.0001 RPS above the average before the match",
}


def forecast(data: Path, first: int, latest: int, profile: str, folder: Path) -> Path:
    """Import the files, run the stages to the evaluation, and return the workspace.

    Parameters
    ----------
    first, latest : int
        Years in which the first and the latest tested season began.
    """
    from django.conf import settings
    from django.core.management import call_command

    from apps.ml.pipeline import files
    from apps.ml.services import workspaces
    from apps.scraping.services import import_files

    now = datetime.now(UTC)
    call_command("migrate", verbosity=0, skip_checks=True)
    report = import_files([data], source="football-data", now=now)
    print(f"{report.ingest.created} matches imported in {(datetime.now(UTC) - now).seconds} s", flush=True)
    params = workspaces.read_params()
    # A season may reach into the summer after it; the steps of that summer are described, and not looked at.
    params["split"] |= {"test_refits": latest - first + 2, "enough_tested": {}}
    run = SimpleNamespace(
        pk=0, params=params, world="real", profile=profile, as_of=min(datetime(latest + 1, 9, 1, tzinfo=UTC), now)
    )
    root = workspaces.make(run)
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{settings.DATABASES['default']['NAME']}")
    environment = workspaces.environment() | {"DATABASE_URL": urlunsplit(address)}
    command = [sys.executable, "-m", "dvc", "repro", "evaluate"]
    done = subprocess.run(command, cwd=root, env=environment, check=False)
    if done.returncode:
        raise SystemExit("a stage of the pipeline failed; the lines above say which and why")
    print(f"forecasts written to {root / files.CALIBRATED}", flush=True)
    return root


def per_league(root: Path) -> pd.DataFrame:
    """Return the forecasts of `PER_LEAGUE` by match, calibrated like those of a model: the same steps, the same stages.

    The ratings are those of the family, which keeps regions apart; here every competition is a region.
    """
    from apps.ml.forecasting.estimators import create
    from apps.ml.forecasting.features import build_features
    from apps.ml.pipeline import calibrate, columns, files, split, train

    params, plan = files.read_params(root), files.read_json(root / files.FOLDS)
    finished = files.read_frame(root / files.FINISHED)
    finished = finished.sort_values(["as_of", "match_id"], kind="stable", ignore_index=True)
    alone = finished.assign(region=finished["competition"])
    values, names = build_features(alone, alone, params=params["features"], families=["dixon_coles"])
    keys = finished.assign(outcome=1 - np.sign(finished["home_goals"] - finished["away_goals"]).astype(int))
    section, steps = params["train"][plan["profile"]]["dixon_coles"], []
    for step in plan["folds"]:
        start, begin = (datetime.fromisoformat(step[name]) for name in ("start", "train_from"))
        learnt, asked = split.training_rows(keys, begin, start), split.test_rows(keys, step)
        found = create("dixon_coles", section, seed=0).fit(values[learnt.index], learnt["outcome"], names=names)
        steps.append(train.forecasts(PER_LEAGUE, step["number"], asked, found.predict_proba(values[asked.index])))
    rows = pd.concat(steps, ignore_index=True)
    starts = {step["number"]: datetime.fromisoformat(step["start"]) for step in plan["folds"]}
    p = calibrate.calibrated_steps(rows, params["calibrate"], starts)
    return rows.assign(**{name: p[:, place] for place, name in enumerate(columns.CALIBRATED)})


def read(root: Path, seasons: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Return the tested matches, the forecasts of every model and of every line, shape (n, 3), NaN where unquoted."""
    from apps.ml.forecasting import scoring
    from apps.ml.pipeline import files
    from apps.ml.pipeline.columns import CALIBRATED, OUTCOMES

    table, odds = files.read_frame(root / files.CALIBRATED), files.read_frame(root / files.ODDS)
    table = pd.concat([table, per_league(root)], ignore_index=True)
    about = files.read_frame(root / files.FINISHED, ["match_id", "competition", "region", "level", "season", "as_of"])
    steps = files.read_json(root / files.FOLDS)["folds"]
    table = table[table["fold"].isin([step["number"] for step in steps if step["purpose"] == "test"])]
    by_model = {str(name): rows.set_index("match_id") for name, rows in table.groupby("model", sort=False)}
    any_model = next(iter(by_model.values()))
    matches = about[about["season"].isin(seasons) & about["match_id"].isin(any_model.index)].reset_index(drop=True)
    matches["outcome"] = any_model.loc[matches["match_id"], "outcome"].to_numpy(dtype=np.int64)
    models = {name: rows.loc[matches["match_id"], CALIBRATED].to_numpy() for name, rows in by_model.items()}
    lines = {}
    for name, (bookmaker, moment) in LINES.items():
        quoted = odds[(odds["bookmaker"] == bookmaker) & (odds["moment"] == moment)].set_index("match_id")
        lines[name] = scoring.devig(quoted[list(OUTCOMES)].reindex(matches["match_id"]).to_numpy())
    return matches, models, lines


def compared(
    matches: pd.DataFrame, models: dict[str, Any], lines: dict[str, Any], rows: np.ndarray[Any, Any]
) -> list[dict[str, Any]]:
    """Return the scores of all on the chosen matches that Pinnacle quoted, and their gaps to its closing line."""
    from apps.ml.forecasting import scoring
    from apps.ml.forecasting.estimators import REGISTRY

    closing = lines["Pinnacle closing"]
    rows = rows & np.isfinite(closing[:, 0])
    found = []
    for name, p in {**lines, **models}.items():
        here = rows & np.isfinite(p[:, 0])
        if not here.any():
            continue
        y, days = matches.loc[here, "outcome"].to_numpy(), matches.loc[here, "as_of"].dt.floor("D").to_numpy()
        row = {"name": name, "inputs": REGISTRY[name].inputs if name in REGISTRY else "–"}
        row |= scoring.score(p[here], y).as_dict()
        row["ece_of_a_perfect_forecaster"] = scoring.ece_limit(p[here])
        for measure, each in (("rps", scoring.rps_each), ("log_loss", scoring.log_loss_each)):
            row[f"gap_{measure}"] = scoring.paired_bootstrap(each(p[here], y) - each(closing[here], y), days).as_dict()
            other = each(models[PER_LEAGUE][here], y)
            row[f"ahead_{measure}"] = scoring.paired_bootstrap(other - each(p[here], y), days).as_dict()
        found.append(row)
    return found


def divisions(matches: pd.DataFrame, models: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the log loss of every model in every competition."""
    from apps.ml.forecasting import scoring

    y = matches["outcome"].to_numpy()
    losses = pd.DataFrame({name: scoring.log_loss_each(p, y) for name, p in models.items()})
    losses["competition"] = matches["competition"]
    means = losses.groupby("competition").mean()
    counts = losses.groupby("competition").size()
    return [
        {"competition": str(name), "n": int(counts[name]), "log_loss": {str(k): float(v) for k, v in row.items()}}
        for name, row in means.iterrows()
    ]


def tell(title: str, rows: list[dict[str, Any]]) -> None:
    """Print the scores of all on one set of matches."""
    print(f"\n{title}")
    print(
        f"  {'forecast':<26} {'n':>6} {'RPS':>7} {'log loss':>8} {'Brier':>7} {'acc %':>6} {'ECE %':>6} "
        f"{'gap RPS [95 %]':>26} {'gap log loss [95 %]':>28} {'RPS ahead of DC per league':>28}"
    )
    for row in rows:
        gaps = [row["gap_rps"], row["gap_log_loss"], row["ahead_rps"]]
        texts = [f"{gap['mean']:+.5f} [{gap['low']:+.4f}, {gap['high']:+.4f}]" for gap in gaps]
        print(
            f"  {row['name']:<26} {row['n']:>6} {row['rps']:>7.5f} {row['log_loss']:>8.5f} {row['brier']:>7.4f} "
            f"{100 * row['accuracy']:>6.2f} {100 * row['ece']:>6.2f} {texts[0]:>26} {texts[1]:>28} {texts[2]:>28}"
        )


def tell_divisions(rows: list[dict[str, Any]]) -> None:
    """Print how far every model lies below the base rates in every competition."""
    models = [name for name in rows[0]["log_loss"] if name != "base_rates"]
    print("\nlog loss below that of base rates, by competition")
    print(f"  {'competition':<34} {'n':>6} " + " ".join(f"{name:>13}" for name in models))
    for row in rows:
        gains = [row["log_loss"]["base_rates"] - row["log_loss"][name] for name in models]
        print(f"  {row['competition']:<34} {row['n']:>6} " + " ".join(f"{gain:>13.4f}" for gain in gains))
    for name in models:
        ahead = sum(row["log_loss"][name] < row["log_loss"]["base_rates"] for row in rows)
        print(f"  {name} is ahead of base rates in {ahead} of {len(rows)} competitions")


def season_year(text: str) -> int:
    """Return the year in which a season such as ``2014-15`` begins."""
    year, _, end = text.partition("-")
    if not (year.isdigit() and len(year) == 4 and (not end or int(end) == (int(year) + 1) % 100)):
        raise SystemExit(f"{text!r} is no season; write it as 2014-15")
    return int(year)


def seasons_between(first: int, latest: int) -> list[str]:
    """Return the names of all seasons that begin in these years, of one year and of two."""
    years = range(first, latest + 1)
    return [name for year in years for name in (f"{year}", f"{year}-{(year + 1) % 100:02d}")]


def folder_of(given: str | None) -> Path:
    """Return the folder that holds the files, or end with what is missing."""
    if not given:
        raise SystemExit("there is nothing to measure with: give --data DIR, or set SPAI_REAL_DATA")
    data = Path(given)
    data = data / "football-data" if (data / "football-data").is_dir() else data
    if not any(data.rglob("*.csv")):
        raise SystemExit(f"{data} holds no csv files")
    return data


def main() -> int:
    """Measure, and print the tables."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), help="folder of files")
    options.add_argument("--test-from", default=None, metavar="SEASON", help="default: nine seasons before --test-to")
    options.add_argument("--test-to", default=None, metavar="SEASON", help="default: the latest season of the files")
    options.add_argument("--profile", default="production")
    given = options.parse_args()
    data, began = folder_of(given.data), time.perf_counter()
    named = [path.name for path in data.iterdir() if path.is_dir() and path.name[:4].isdigit()]
    if not given.test_to and not named:
        raise SystemExit(f"{data} has no folders of seasons: say which to test by --test-from and --test-to")
    latest = season_year(given.test_to or max(named))
    first = season_year(given.test_from) if given.test_from else latest - 9
    if first > latest:
        raise SystemExit(f"--test-from {given.test_from} lies after --test-to {given.test_to or max(named)}")
    with tempfile.TemporaryDirectory(prefix="spai-benchmark-") as folder:
        os.environ |= {
            "SPAI_VAR_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "spai.settings",
            "CELERY_BROKER_URL": "memory://",
        }
        import django

        django.setup()
        with own_database():
            root = forecast(data, first, latest, given.profile, Path(folder))
        matches, models, lines = read(root, seasons_between(first, latest))
    top = (matches["region"].isin(TOP_FIVE) & (matches["level"] == 1)).to_numpy()
    found = {
        "top five leagues": compared(matches, models, lines, top),
        "all competitions": compared(matches, models, lines, np.ones(len(matches), dtype=bool)),
    }
    by_division = divisions(matches, models)
    for title, rows in found.items():
        tell(f"{title}, {min(matches['season'])} to {max(matches['season'])}, matches with Pinnacle's close", rows)
    tell_divisions(by_division)
    for name, target in TARGETS.items():
        print(f"{name}: {target}")
    seconds = time.perf_counter() - began
    print(f"{seconds / 60:.1f} minutes; no more than 40 are allowed")
    if given.json:
        document = {"benchmark": "forecast quality", "machine": machine(), "seconds": seconds, "targets": TARGETS}
        document |= {"tables": found, "competitions": by_division}
        given.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
