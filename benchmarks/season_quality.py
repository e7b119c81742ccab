"""How honest simulated seasons are: `python -m benchmarks.season_quality --data DIR [--json FILE]`.

DIR holds files in football-data form (itself, or in football-data/). Past league seasons in which everybody met
everybody at home and away are simulated as they stood at their start, at half and at three quarters, from forecasts by
a logit that was fitted only to earlier seasons, and compared with how they ended. The plain alternative is how often
clubs ended above a line from the same place of the table, in all the other seasons. Takes some minutes.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import yaml

from apps.matches.records import MatchRecord
from apps.matches.standings import Rule, points_for_win, rule_of
from apps.ml.forecasting import estimators, season
from apps.ml.forecasting.features import FeatureState, offline_as_of
from apps.ml.forecasting.features.schema import STATS
from apps.scraping.sources import SOURCES
from apps.scraping.sources.base import ParseError
from benchmarks.report import Measure, Refusal, folder_of, parser, print_measures, print_refused

FAMILIES: Final = ("base_rates", "elo", "poisson_filter", "gap", "pi")
SCORES: Final = ("away_goals", "home_goals_half_time", "away_goals_half_time")
STAGES: Final = {"start": 0.0, "half": 0.5, "three quarters": 0.75}
LINES: Final = {"title": 1, "best four": 4, "worst three": -3}
SIMULATIONS: Final = 2000
LEARNT_FROM: Final = 8
"""Seasons before the first one that is simulated."""


@dataclass(frozen=True, slots=True)
class Case:
    """One season as it stood at one stage: clubs by number, results, matches left with forecasts and how they ended."""

    stage: str
    rule: Rule
    win: int
    clubs: int
    played: np.ndarray
    fixtures: np.ndarray
    p: np.ndarray
    expected: np.ndarray
    ended: np.ndarray

    @property
    def common(self) -> dict[str, Any]:
        """The common arguments of simulating and ranking."""
        return {"clubs": self.clubs, "played": self.played, "rule": self.rule, "win": self.win}


def history(root: Path) -> tuple[pd.DataFrame, list[Refusal]]:
    """Return every finished match of a folder, ordered by kick-off; and what was refused, which is printed too."""
    records, refusals = [], []
    paths = sorted(root.glob("*/*.csv"))
    for path in paths:
        name = f"{path.parent.name}/{path.name}"
        try:
            parsed = SOURCES["football-data"].parse_file(name, path.read_bytes())
        except ParseError as error:
            refusals.append(Refusal(name, 0, str(error)))
            continue
        refusals += [Refusal(name, row.line, row.reason, row.row) for row in parsed.refused]
        records += parsed.records
    print_refused(refusals, len(paths))
    return finished(records), refusals


def finished(records: Iterable[MatchRecord]) -> pd.DataFrame:
    """Return the matches with a result, ordered by kick-off, with numbers in place of names."""
    rows = []
    for record in records:
        if record.home_goals is None:
            continue
        names = ("season", "home_team", "away_team", "kickoff_at", "known_at", "is_neutral", "home_goals")
        rows.append(
            {name: getattr(record, name) for name in (*names, *SCORES)}
            | {name: getattr(record.stats, name, None) for name in STATS}
            | {name: getattr(record.competition, name) for name in ("region", "name", "level")}
            | {"kickoff_precision": str(record.kickoff_precision), "status": str(record.status)}
            | {"stage": record.stage or ""}
        )
    if not rows:
        raise SystemExit("there is no finished match that could be read")
    frame = pd.DataFrame(rows)
    for name in ("kickoff_at", "known_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("us")
    goals = ["home_goals", "away_goals", *STATS]
    frame[goals] = frame[goals].astype(float)
    frame = frame.sort_values("kickoff_at", kind="stable", ignore_index=True)
    frame["match_id"] = np.arange(len(frame)) + 1
    frame["competition_id"] = pd.factorize(frame["region"] + frame["name"])[0] + 1
    frame["season_id"] = pd.factorize(frame["region"] + frame["name"] + frame["season"])[0] + 1
    sides = pd.concat((frame["region"] + frame["home_team"], frame["region"] + frame["away_team"]))
    codes = pd.factorize(sides)[0] + 1
    frame["home_team_id"], frame["away_team_id"] = codes[: len(frame)], codes[len(frame) :]
    return frame.assign(as_of=offline_as_of(frame, pd.Timedelta(hours=1)))


def cases(matches: pd.DataFrame, params: dict[str, Any]) -> list[Case]:
    """Return every whole season at every stage, forecast by what was known then."""
    asked = [matches]
    about: list[tuple[str, pd.DataFrame, pd.DataFrame]] = []
    for whole in _whole_seasons(matches):
        for stage, share in STAGES.items():
            as_of = whole["kickoff_at"].iloc[int(share * len(whole))] - pd.Timedelta(hours=1)
            is_known = whole["known_at"] < as_of
            about.append((stage, whole[is_known], whole[~is_known]))
            asked.append(whole[~is_known].assign(as_of=as_of))
    state = FeatureState.new(params["features"], FAMILIES)
    values = state.fold(matches, pd.concat(asked, ignore_index=True), matches)
    print(f"{len(values):,} rows of features", flush=True)
    ends = np.cumsum([len(frame) for frame in asked])
    rows = np.split(values, ends[:-1])
    models: dict[str, estimators.Estimator] = {}
    found = []
    for (stage, past, left), own in zip(about, rows[1:], strict=True):
        year = str(left["season"].iloc[0])
        if year not in models:
            begins = matches.loc[matches["season"] == year, "kickoff_at"].min()
            earlier = (matches["known_at"] < begins).to_numpy()
            outcome = 1 - np.sign(matches["home_goals"] - matches["away_goals"]).to_numpy(dtype=np.int64)
            models[year] = estimators.create("logit", params["train"]["smoke"]["logit"], seed=1).fit(
                rows[0][earlier], outcome[earlier], names=state.names
            )
        number = {name: index for index, name in enumerate(sorted({*left["home_team"], *past["home_team"]}))}
        both = [_numbered(part, number) for part in (past, left)]
        found.append(
            Case(
                stage=stage,
                rule=rule_of(str(left["region"].iloc[0])),
                win=points_for_win(str(left["region"].iloc[0]), year),
                clubs=len(number),
                played=both[0],
                fixtures=both[1][:, :2],
                p=models[year].predict_proba(own),
                expected=models[year].expected_goals(own),
                ended=both[1][:, 2:],
            )
        )
    return found


def _whole_seasons(matches: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the seasons in which everybody met everybody at home and away, those to learn from left out."""
    seasons = sorted(matches["season"].unique())[LEARNT_FROM:]
    for _, rows in matches[matches["season"].isin(seasons)].groupby("season_id", sort=True):
        teams, is_named_alike = rows["home_team"].nunique(), set(rows["home_team"]) == set(rows["away_team"])
        whole = teams * (teams - 1)
        if is_named_alike and len(rows) == whole == len(rows.drop_duplicates(["home_team", "away_team"])):
            yield rows


def _numbered(rows: pd.DataFrame, number: dict[str, int]) -> np.ndarray:
    columns = [rows["home_team"].map(number), rows["away_team"].map(number), rows["home_goals"], rows["away_goals"]]
    return np.column_stack(columns).astype(np.int64)


def judged(found: Sequence[Case], doubt: float) -> dict[str, float]:
    """Return the share of final points within their interval of nine in ten, and the Brier score of each line."""
    within, squares = [], defaultdict(list)
    for case in found:
        common = case.common
        outcome = season.simulate(
            **common, fixtures=case.fixtures, p=case.p, expected=case.expected, doubt=doubt, simulations=SIMULATIONS
        )
        places, points = season.rank(**common, fixtures=case.fixtures, scores=case.ended[None].astype(np.int8))
        within.append((points[0] >= outcome.low) & (points[0] <= outcome.high))
        for line, count in LINES.items():
            chance = outcome.within(count) if count > 0 else outcome.below(-count)
            squares[line].append((chance - _hit(places[0], count, case.clubs)) ** 2)
    means = {line: float(np.concatenate(values).mean()) for line, values in squares.items()}
    return {"within": float(np.concatenate(within).mean())} | means


def by_place(found: Sequence[Case]) -> dict[str, float]:
    """Return the Brier scores of the plain alternative: what became of the clubs at that place in the other seasons."""
    hits: dict[tuple[str, int], list[bool]] = defaultdict(list)
    nothing = np.empty((0, 2), dtype=np.int64)
    for case in found:
        common = case.common
        now, _ = season.rank(**common, fixtures=nothing, scores=np.empty((1, 0, 2), dtype=np.int8))
        end, _ = season.rank(**common, fixtures=case.fixtures, scores=case.ended[None].astype(np.int8))
        for line, count in LINES.items():
            place = now[0] if count > 0 else case.clubs + 1 - now[0]
            for own, hit in zip(place.tolist(), _hit(end[0], count, case.clubs).tolist(), strict=True):
                hits[line, own].append(hit)
    squares: dict[str, list[np.ndarray]] = defaultdict(list)
    for (line, _), values in hits.items():
        own = np.array(values, dtype=float)
        if own.size > 1:
            squares[line].append(((own.sum() - own) / (own.size - 1) - own) ** 2)
    return {line: float(np.concatenate(values).mean()) for line, values in squares.items()}


def _hit(places: np.ndarray, count: int, clubs: int) -> np.ndarray:
    return places <= count if count > 0 else places > clubs + count


def main() -> int:
    """Measure and print."""
    options = parser(__doc__ or "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), help="files in football-data form")
    args = options.parse_args()
    params = yaml.safe_load(Path("apps/ml/params.yaml").read_text(encoding="utf-8"))
    doubt = params["season"]["doubt"]
    matches, refusals = history(folder_of(args.data))
    found = cases(matches, params)
    measures = []
    for stage in STAGES:
        own = [case for case in found if case.stage == stage]
        with_doubt, without, plain = judged(own, doubt), judged(own, 0.0), by_place(own)
        measures.append(Measure(f"{stage}: seasons", len(own), ""))
        measures.append(Measure(f"{stage}: final points within 9 in 10", with_doubt["within"], "", "0.9"))
        measures.append(Measure(f"{stage}: the same without doubt about strengths", without["within"], ""))
        for line in LINES:
            target = f"below {plain[line]:.4f}, by place" if STAGES[stage] else ""
            measures.append(Measure(f"{stage}: Brier score, {line}", with_doubt[line], "", target))
    print_measures(f"Simulated seasons, doubt {doubt}", measures, args.json, refusals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
