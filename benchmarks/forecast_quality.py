"""How good forecasts are: `python -m benchmarks.forecast_quality --data DIR [--test-from SEASON --test-to SEASON]`.

DIR holds files in football-data form (itself, or in football-data/); a folder understat/ beside them adds expected
goals. Seasons are written 2014-15. The files are imported into their own PostgreSQL, files and rows that were
refused are named, and the registered stages of the pipeline, export to evaluation, run in a temporary workspace: each
season is forecast by models that were fitted before it. The tables compare all models, base rates and the market on the
same matches; `--json` writes them. Beside them stands Dixon-Coles fitted to each league by itself, which is no model of
ours but the measure of its gain.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.report import Refusal, folder_of, machine, parser, print_refused, refusals_of
from benchmarks.servers import own_servers

TOP_FIVE: Final = ("England", "France", "Germany", "Italy", "Spain")
"""Regions whose highest leagues are reported separately."""

CLOSING: Final = ("PS", "closing")

PER_LEAGUE: Final = "Dixon-Coles per league"
"""Time-weighted, refitted at every match day, each league by itself; rho, scale and lean walk forward as of a model."""

REFERENCES: Final = ("Pinnacle closing", "average closing")
"""Lines that gaps are measured to, the better one first: not every year has it."""

ENOUGH: Final = 0.95
"""Share of the matches with any closing line that the better one quotes, from which it speaks for all of them."""

LINES: Final = {
    "Pinnacle closing": CLOSING,
    "average closing": ("Avg", "closing"),
    "average before the match": ("Avg", "opening"),
    "Bet365 before the match": ("B365", "opening"),
}
"""What the models are compared with: bookmaker and moment."""

FIRST_YEAR: Final = 1863
"""Year of the first rules of football; a smaller number, such as the 1415 of a folder, is no year."""

PROFILES: Final = ("production", "smoke")

TARGETS: Final = {
    "no odds": "gap ≤ 0.0026 RPS and ≤ 0.0085 log loss, aim 0.0024 and 0.0078; distance ≤ 0.0022; ECE ≤ 0.60 %; "
    "at least 0.0020 RPS ahead of Dixon-Coles per league, with an interval without 0",
    "prices of earlier matches": "gap ≤ 0.0017 RPS, aim 0.0015; distance ≤ 0.0015",
    "prices before the match": "below the average before the match, with an interval without 0",
}


def imported(data: Path) -> tuple[list[str], list[Refusal]]:
    """Import the files; return the labels of the seasons that they hold, sorted, and what was refused."""
    from apps.matches.models import Match
    from apps.scraping.services import import_files

    refusals: list[Refusal] = []
    for source, folder in {"football-data": data, "understat": data.with_name("understat")}.items():
        if not folder.is_dir():
            continue
        now = datetime.now(UTC)
        report = import_files([folder], source=source, now=now)
        stored = f"{report.ingest.created} matches imported and {report.ingest.changed} changed"
        print(f"{source}: {stored} in {(datetime.now(UTC) - now).seconds} s", flush=True)
        found = refusals_of(report)
        print_refused(found, len(report.files))
        refusals += found
    return sorted(set(Match.objects.values_list("season__label", flat=True))), refusals


def forecast(first: int, latest: int, profile: str) -> Path:
    """Run the stages to the evaluation, and return the workspace.

    Parameters
    ----------
    first, latest : int
        Years in which the first and the latest tested season began.
    """
    from apps.ml.models import PipelineRun
    from apps.ml.pipeline import files
    from apps.ml.services import workspaces

    now = datetime.now(UTC)
    params = workspaces.read_params()
    # A season may reach into the summer after it; the steps of that summer are described, and not tested.
    params["split"] |= {"test_refits": latest - first + 2, "enough_tested": {}}
    run = PipelineRun(
        pk=0, params=params, world="real", profile=profile, as_of=min(datetime(latest + 1, 9, 1, tzinfo=UTC), now)
    )
    root = workspaces.make(run)
    command = [sys.executable, "-m", "dvc", "repro", "evaluate"]
    done = subprocess.run(command, cwd=root, env=workspaces.environment(), check=False)
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
    return rows.assign(**{name: p[:, index] for index, name in enumerate(columns.CALIBRATED)})


def read(root: Path, seasons: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Return the tested matches, the forecasts of every model and of every line, shape (n, 3), NaN where unquoted."""
    from apps.ml.forecasting import line_agreement, scoring
    from apps.ml.forecasting.prices import line_of
    from apps.ml.pipeline import files
    from apps.ml.pipeline.columns import CALIBRATED

    table, odds = files.read_frame(root / files.CALIBRATED), files.read_frame(root / files.ODDS)
    kickoffs, section = (
        files.read_frame(root / files.MATCHES, ["match_id", "kickoff_at"]),
        files.read_params(root)["prices"],
    )
    left_out = line_agreement.disagreements(odds, kickoffs, section["agreement"])
    print(f"lines left out, because they disagreed with the others: {line_agreement.in_words(left_out) or 'none'}")
    odds = line_agreement.without(odds, kickoffs, left_out)
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
        quoted = line_of(odds, bookmaker, moment)
        lines[name] = scoring.devig(quoted.reindex(matches["match_id"]).to_numpy())
    return matches, models, lines


@dataclass(frozen=True, slots=True)
class Table:
    """Scores of all on one set of matches: a name for programs, a title for people, a row for each forecast."""

    name: str
    title: str
    rows: list[dict[str, Any]]


def tables(
    matches: pd.DataFrame, models: dict[str, Any], lines: dict[str, Any], groups: dict[str, np.ndarray[Any, Any]]
) -> list[Table]:
    """Return the tables of each group of matches: with gaps to the first of `REFERENCES` that quotes any.

    Where that one leaves many matches out that the next quotes, a second table has the gaps to the next.
    """
    found = []
    for group, rows in groups.items():
        quoted = {name: rows & np.isfinite(lines[name][:, 0]) for name in REFERENCES}
        either = np.logical_or.reduce(list(quoted.values())).sum()
        name = group
        for reference in REFERENCES:
            if quoted[reference].any():
                own = matches.loc[quoted[reference], "season"]
                title = f"{group}, {own.min()} to {own.max()}, matches with the line {reference}"
                found.append(Table(name, title, compared(matches, models, lines, quoted[reference], reference)))
                name = f"{group}, beside the next line"
            if quoted[reference].sum() >= ENOUGH * either:
                break
        if not either:
            found.append(Table(group, f"{group}: no tested match has one of the lines {', '.join(REFERENCES)}", []))
    return found


def compared(
    matches: pd.DataFrame,
    models: dict[str, Any],
    lines: dict[str, Any],
    rows: np.ndarray[Any, Any],
    reference: str,
) -> list[dict[str, Any]]:
    """Return the scores of all on the chosen matches, which the reference quotes, their gaps and distances to it."""
    from apps.ml.forecasting import scoring
    from apps.ml.forecasting.estimators import REGISTRY

    closing = lines[reference]
    found = []
    for name, p in {**lines, **models}.items():
        here = rows & np.isfinite(p[:, 0])
        if not here.any():
            continue
        y, days = matches.loc[here, "outcome"].to_numpy(), matches.loc[here, "as_of"].dt.floor("D").to_numpy()
        row = {"name": name, "inputs": REGISTRY[name].inputs if name in REGISTRY else "–", "gap_to": reference}
        row |= scoring.score(p[here], y).as_dict()
        row["ece_of_a_perfect_forecaster"] = scoring.ece_limit(p[here])
        for measure, each in (("rps", scoring.rps_each), ("log_loss", scoring.log_loss_each)):
            row[f"gap_{measure}"] = scoring.paired_bootstrap(each(p[here], y) - each(closing[here], y), days).as_dict()
            other = each(models[PER_LEAGUE][here], y)
            row[f"ahead_{measure}"] = scoring.paired_bootstrap(other - each(p[here], y), days).as_dict()
        row["distance"] = scoring.paired_bootstrap(scoring.distance_each(p[here], closing[here]), days).as_dict()
        found.append(row)
    return found


def weights(
    matches: pd.DataFrame, models: dict[str, Any], line: Any, groups: dict[str, np.ndarray[Any, Any]]
) -> list[dict[str, Any]]:
    """Return how much weight each model deserves beside a line that was quoted before the match, shape (n, 3).

    The weight w of ``p ∝ line ** (1 - w) * model ** w`` that outcomes ask for, by one step of Newton's method from 0; a
    weight whose interval holds 0 is one that nothing is to be had from.
    """
    from apps.ml.forecasting import scoring
    from apps.ml.forecasting.estimators import REGISTRY

    found = []
    for group, rows in groups.items():
        here = rows & np.isfinite(line[:, 0])
        if not here.any():
            continue
        y, days = matches.loc[here, "outcome"].to_numpy(), matches.loc[here, "as_of"].dt.floor("D").to_numpy()
        quoted = line[here]
        for name, p in models.items():
            if name not in REGISTRY or REGISTRY[name].inputs == REGISTRY["market_aware"].inputs:
                continue
            differences = np.log(p[here]) - np.log(quoted)
            mean = (quoted * differences).sum(axis=1)
            slope = differences[np.arange(len(y)), y] - mean
            curvature = (quoted * differences**2).sum(axis=1) - mean**2
            weight = scoring.ratio_bootstrap(slope, curvature, days)
            found.append({"group": group, "name": name, "n": len(y), "weight": weight.as_dict()})
    return found


def coverages(root: Path, matches: pd.DataFrame, groups: dict[str, NDArray[np.bool_]]) -> list[dict[str, Any]]:
    """Return how often the closing line lies inside the intervals of each model, by group of matches."""
    from apps.ml.pipeline import calibrate, files
    from apps.ml.pipeline.columns import ENDS
    from apps.ml.pipeline.coverage import coverage

    table = files.read_frame(root / files.CALIBRATED, ["model", "match_id", *ENDS])
    line = calibrate.closing_lines(root, matches)
    level = files.read_params(root)["calibrate"]["intervals"]["level"]
    found = []
    for name, rows in table.groupby("model", sort=False):
        own = rows.set_index("match_id").loc[matches["match_id"]]
        for group, chosen in groups.items():
            covered = coverage(own[chosen], line[chosen])
            found.append({"group": group, "name": str(name), "level": level, "coverage": covered})
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


def print_table(table: Table) -> None:
    """Print the scores of all on one set of matches."""
    print(f"\n{table.title}")
    if not table.rows:
        return
    print(
        f"  {'forecast':<26} {'n':>6} {'RPS':>7} {'log loss':>8} {'Brier':>7} {'acc %':>6} {'ECE %':>6} "
        f"{'gap RPS [95 %]':>26} {'gap log loss [95 %]':>28} {'distance [95 %]':>26} "
        f"{'RPS ahead of DC per league':>28}"
    )
    for row in table.rows:
        gaps = [row["gap_rps"], row["gap_log_loss"], row["distance"], row["ahead_rps"]]
        texts = [f"{gap['mean']:+.5f} [{gap['low']:+.4f}, {gap['high']:+.4f}]" for gap in gaps]
        print(
            f"  {row['name']:<26} {row['n']:>6} {row['rps']:>7.5f} {row['log_loss']:>8.5f} {row['brier']:>7.4f} "
            f"{100 * row['accuracy']:>6.2f} {100 * row['ece']:>6.2f} {texts[0]:>26} {texts[1]:>28} {texts[2]:>26} "
            f"{texts[3]:>28}"
        )
    if len({row["n"] for row in table.rows}) > 1:
        print("  where n is smaller, only the gaps can be compared: they are over the matches that both forecast")


def print_weights(rows: list[dict[str, Any]], line: str) -> None:
    """Print the weight of each model beside a line."""
    print(f"\nweight that a forecast deserves beside the line “{line}”; none where the interval holds 0")
    for row in rows:
        found = row["weight"]
        span = f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
        print(f"  {row['group']:<18} {row['name']:<14} {row['n']:>6} {span:>26}")


def print_coverages(rows: list[dict[str, Any]]) -> None:
    """Print how often the closing line lies inside the intervals, and how wide they are."""
    print("\nclosing lines inside the intervals, and mean width: home, draw, away")
    for row in rows:
        found = row["coverage"]
        if found is None:
            continue
        inside = " ".join(f"{share:.3f}" for share in found["covered"].values())
        width = " ".join(f"{width:.3f}" for width in found["width"].values())
        print(f"  {row['group']:<18} {row['name']:<14} {found['n']:>6}  {inside}   {width}  of {row['level']:.0%}")


def print_divisions(rows: list[dict[str, Any]]) -> None:
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
    is_year = year.isdigit() and len(year) == 4 and int(year) >= FIRST_YEAR
    if not is_year or (end and (not end.isdigit() or int(end) != (int(year) + 1) % 100)):
        raise SystemExit(f"{text!r} is no season; write it as 2014-15")
    return int(year)


def seasons_between(first: int, latest: int) -> list[str]:
    """Return the names of all seasons that begin in these years, of one year and of two."""
    years = range(first, latest + 1)
    return [name for year in years for name in (f"{year}", f"{year}-{(year + 1) % 100:02d}")]


def asked_seasons(held: Sequence[str], first: str | None, latest: str | None) -> tuple[int, int]:
    """Return the years in which the first and the latest tested season begin, or end with what is wrong.

    Parameters
    ----------
    held : sequence of str
        Labels of the seasons that the files hold.
    first, latest : str, optional
        What was requested; by default ten seasons, to the latest that there is.
    """
    if not held:
        raise SystemExit("the files hold no match that could be read")
    last = season_year(latest or max(held))
    begin = season_year(first) if first else last - 9
    if begin > last:
        raise SystemExit(f"--test-from {first} is after --test-to {latest or max(held)}")
    if not set(seasons_between(begin, last)) & set(held):
        raise SystemExit(f"no match of the seasons {begin} to {last}: the files hold {min(held)} to {max(held)}")
    return begin, last


def main() -> int:
    """Measure, and print the tables."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), help="folder of files")
    options.add_argument("--test-from", default=None, metavar="SEASON", help="default: nine seasons before --test-to")
    options.add_argument("--test-to", default=None, metavar="SEASON", help="default: the latest season of the files")
    options.add_argument("--profile", choices=PROFILES, default="production")
    args = options.parse_args()
    data, began = folder_of(args.data), time.perf_counter()
    for season in filter(None, (args.test_from, args.test_to)):
        season_year(season)
    with own_servers():
        held, refusals = imported(data)
        first, latest = asked_seasons(held, args.test_from, args.test_to)
        root = forecast(first, latest, args.profile)
        matches, models, lines = read(root, seasons_between(first, latest))
        top = (matches["region"].isin(TOP_FIVE) & (matches["level"] == 1)).to_numpy()
        groups = {"top five leagues": top, "all competitions": np.ones(len(matches), dtype=bool)}
        covered = coverages(root, matches, groups)
    found = tables(matches, models, lines, groups)
    by_division = divisions(matches, models)
    for table in found:
        print_table(table)
    beside = "average before the match"
    deserved = weights(matches, models, lines[beside], groups | {"all but top five": ~top})
    print_weights(deserved, beside)
    print_coverages(covered)
    print_divisions(by_division)
    for name, target in TARGETS.items():
        print(f"{name}: {target}")
    seconds = time.perf_counter() - began
    print(f"{seconds / 60:.1f} minutes")
    if args.json:
        document = {"benchmark": "forecast quality", "machine": machine(), "seconds": seconds, "targets": TARGETS}
        document["refused"] = [asdict(refusal) for refusal in refusals]
        document |= {
            "tables": {table.name: table.rows for table in found},
            "competitions": by_division,
            "weights": deserved,
            "intervals": covered,
        }
        args.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
