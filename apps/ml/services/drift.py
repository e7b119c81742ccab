"""Drift: once a day the recent matches, forecasts and scores of each champion are compared with what it learnt from.

Everything is computed from stored facts: the features of the whole history are folded again, as in a pipeline run, so
that past weeks, which give the thresholds, are described by the same code as the latest one.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.conf import settings
from django.db import DatabaseError, transaction

from apps.matches.locks import Lock, try_lock
from apps.matches.models import World
from apps.matches.selectors import data_snapshot
from apps.ml import metrics, selectors
from apps.ml.forecasting import drift
from apps.ml.models import DriftReport, EvaluationArtifacts, ModelVersion
from apps.ml.services import workspaces

if TYPE_CHECKING:
    import pandas as pd

    from apps.ml.forecasting.arrays import Floats, Integers

logger = logging.getLogger(__name__)

P: Final = ("p_home", "p_draw", "p_away")

AHEAD: Final = timedelta(days=400)
"""The part of the fixture list that rest days and congestion of past matches need."""

PAGE_SECONDS: Final = 300.0
"""Longest time that Evidently may take for its page."""

REFERENCE_FOR_EACH: Final = 10
"""Earlier matches of the same stratum that the page shows for each one of the window."""


@dataclass(frozen=True, slots=True)
class DriftRound:
    """Reports made in one round: world → whether it drifted; `busy` when another round was running."""

    made: dict[str, bool]
    busy: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The matches of a world that its champion was trained on, and those since, in chronological order."""

    matches: pd.DataFrame  # finished, with `as_of`
    values: Any  # features that the champion reads, shape (matches, columns), in 32 bits
    names: tuple[str, ...]
    trained: int  # the first ones, which it was trained on


def drift_due(*, now: datetime) -> DriftRound:
    """Measure the drift of each champion that was not measured today (UTC)."""
    with try_lock(Lock.DRIFT) as ours:
        if not ours:
            return DriftRound({}, busy=True)
        made = {}
        for world in World:
            promotion = selectors.champion(world)
            if promotion is None:
                continue
            today = selectors.drift_reports(world).filter(version=promotion.version_id, day=_day(now))
            if today.exists():
                continue
            try:
                made[world.value] = measure_drift(version=promotion.version, now=now).is_drifted
            except (DatabaseError, ValueError) as error:
                # An error in one world must not stop the other.
                metrics.ERRORS.labels("drift").inc()
                logger.exception("the drift of the %s world is not known: %s", world, error)
        return DriftRound(made)


def measure_drift(*, version: ModelVersion, now: datetime) -> DriftReport:
    """Compare what is known now with what a version was trained and evaluated on, and store the report of the day.

    Raises
    ------
    ValueError
        When the bundle of the version cannot be read.
    """
    section = workspaces.read_params()["drift"]
    level, snapshot = section["level"] / drift.TESTS, data_snapshot(World(version.world))
    history = _history(version, most_rows=section["most_rows"], now=now)
    of = drift.strata(history.matches["competition"], _played(history.matches), section["phases"])
    days = _days(history.matches["known_at"])
    made = drift.plan(days, history.trained, section) if len(of) and history.names else None
    if made is None:
        what = f"{len(of)} matches are too few for windows of past weeks" if history.names else "it reads no features"
        features = drift.DriftTest(n=len(of), note=what)
    else:
        features = drift.compare(history.values, of, history.names, made, level)
    past, live = _forecasts(version, history.matches)
    predictions = _predictions(past, live, section, level)
    concept = drift.concept(_graded(past), _days(past["at"]), _graded(live), section, level)
    tests = (features, predictions, concept)
    page = b"" if made is None else _page(history, of, made, features, section)
    with transaction.atomic():
        report, _ = DriftReport.objects.update_or_create(
            world=version.world,
            day=_day(now),
            version=version,
            defaults={
                "data_snapshot": snapshot,
                "is_drifted": any(test.is_drifted for test in tests),
                "score": max(test.score for test in tests),
                "features": asdict(features),
                "predictions": asdict(predictions),
                "concept": asdict(concept),
                "page": page,
                "computed_at": now,
            },
        )
        old = DriftReport.objects.filter(world=version.world, day__lt=_day(now) - timedelta(section["page_days"]))
        old.exclude(page=b"").update(page=b"")
    return report


def _day(now: datetime) -> Any:
    return now.astimezone(UTC).date()


def _history(version: ModelVersion, *, most_rows: int, now: datetime) -> History:
    """Describe the matches since the first one that a version was trained on, as the pipeline does."""
    import pandas as pd

    from apps.ml import dataset
    from apps.ml.forecasting.features import FAMILIES, FeatureState
    from apps.ml.pipeline import bundle, preprocess

    world = World(version.world)
    content = ModelVersion.objects.values_list("bundle", flat=True).get(pk=version.pk)
    params = bundle.manifest_of(bytes(content)).params
    read = set(version.columns)
    families = [
        name
        for name in FAMILIES
        if name in params["features"] and read & set(FeatureState.new(params["features"], [name]).names)
    ]
    state = FeatureState.new(params["features"], families)
    results = dataset.results_between(world, after=None, before=now)
    matches = preprocess.finished_matches(results, dict(params))
    names = tuple(name for name in state.names if name in read)
    places = [state.names.index(name) for name in names]
    values = np.empty((len(matches), len(names)), dtype=np.float32)
    if names and len(matches):
        state.adjust(dataset.adjustments(world, before=now))
        schedule = dataset.schedule(world, start=matches["kickoff_at"].min(), until=now + AHEAD)
        lineups = dataset.lineups_between(world, after=None, before=now)
        for block in state.stream(results, matches, schedule=schedule, lineups=lineups):
            values[block.rows] = block.values[places].T
    begin = pd.Timestamp(version.trained_from, tz="UTC")
    first = max(int((matches["kickoff_at"] < begin).sum()), len(matches) - most_rows)
    trained = int((matches["known_at"] < version.as_of).sum()) - first
    return History(matches.iloc[first:].reset_index(drop=True), values[first:], names, max(trained, 0))


def _days(times: pd.Series) -> Integers:
    """Return the day of each time, counted from 1970-01-01; a time before that of an earlier row has the day of it."""
    days = times.dt.tz_localize(None).to_numpy(dtype="datetime64[D]").astype(np.int64)
    latest: Integers = np.maximum.accumulate(days)
    return latest


def _played(matches: pd.DataFrame) -> Integers:
    ids = (matches[name].to_numpy() for name in ("season_id", "home_team_id", "away_team_id"))
    return drift.matches_played(*ids)


def _forecasts(version: ModelVersion, matches: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a version's forecasts out of sample and its graded ones, in the order of time.

    Their columns: probabilities, outcome, a time of the match, and what makes its stratum.
    """
    import pandas as pd

    columns = ["match_id", "competition", "outcome", *P]
    stored = EvaluationArtifacts.objects.filter(version_id=version.pk).values_list("forecasts", flat=True).first()
    past = pd.DataFrame(columns=[*columns, "as_of"])
    if stored is not None:
        past = pd.read_parquet(io.BytesIO(bytes(stored)))[[*columns, "as_of"]]
    past = past.rename(columns={"as_of": "at"})
    graded = selectors.valid_scores(World(version.world)).filter(prediction__version=version.pk)
    rows = graded.order_by("match__kickoff_at", "match_id").values_list(
        "match_id", "match__competition__slug", "outcome", *(f"prediction__{name}" for name in P), "match__kickoff_at"
    )
    live = pd.DataFrame(list(rows), columns=[*columns, "at"])
    played = pd.Series(_played(matches), index=matches["match_id"])
    return tuple(  # type: ignore[return-value]
        frame.assign(
            played=frame["match_id"].map(played).fillna(0).astype(int), at=pd.to_datetime(frame["at"], utc=True)
        )
        for frame in (past, live)
    )


def _predictions(past: pd.DataFrame, live: pd.DataFrame, section: dict[str, Any], level: float) -> drift.DriftTest:
    """Compare the forecasts of matches that were graded with those of the evaluation."""
    import pandas as pd

    if len(live) < section["least_matches"]:
        return drift.DriftTest(n=len(live), note=drift.too_few("graded forecasts", len(live), section))
    both = pd.concat([past, live], ignore_index=True)
    made = drift.plan(_days(both["at"]), len(past), section, at_most=len(live))
    if made is None:
        return drift.DriftTest(n=len(live), note=f"the evaluation has {len(past)} forecasts, too few for past windows")
    of = drift.strata(both["competition"], both["played"], section["phases"])
    return drift.compare(both[list(P)].to_numpy(dtype=np.float64), of, P, made, level)


def _graded(frame: pd.DataFrame) -> tuple[Floats, Integers]:
    p = frame[list(P)].to_numpy(dtype=np.float64)
    # The evaluation stores 32 bits, which sum to 1 only nearly.
    return p / p.sum(axis=1, keepdims=True), frame["outcome"].to_numpy(dtype=np.int64)


def _page(history: History, of: Integers, made: drift.Plan, test: drift.DriftTest, section: dict[str, Any]) -> bytes:
    """Return the report of Evidently, gzip; empty where it is not installed or fails, which is logged."""
    import pandas as pd

    if find_spec("evidently") is None:
        return b""
    shown = test.measured[: section["page_columns"]]
    places = np.array([history.names.index(each.name) for each in shown])
    current = np.arange(len(of) - made.n, len(of))
    rows = _alike(of, made.reference, current)
    with tempfile.TemporaryDirectory() as folder:
        for name, chosen in (("reference", rows), ("current", current)):
            frame = pd.DataFrame(history.values[np.ix_(chosen, places)], columns=[each.name for each in shown])
            frame.to_parquet(Path(folder) / f"{name}.parquet")
        verdicts = {each.name: [each.statistic, each.threshold] for each in shown}
        (Path(folder) / "verdicts.json").write_text(json.dumps(verdicts))
        command = [sys.executable, "-m", "apps.ml.pipeline.drift_page", folder]
        try:
            # In its own process: its libraries would stay in the memory of the worker.
            subprocess.run(  # noqa: S603  our own interpreter and module
                command,
                cwd=settings.BASE_DIR,
                env=workspaces.environment(),
                timeout=PAGE_SECONDS,
                check=True,
                capture_output=True,
            )
            return gzip.compress((Path(folder) / "page.html").read_bytes(), mtime=0)
        except subprocess.CalledProcessError as error:
            logger.warning("Evidently made no page: %s", error.stderr.decode(errors="replace").strip()[-400:])
        except (subprocess.TimeoutExpired, OSError) as error:
            logger.warning("Evidently made no page: %s", error)
    return b""


def _alike(of: Integers, reference: int, current: Integers) -> Integers:
    """Return rows of the reference in the proportions of the window's strata, at random but always the same."""
    generator = np.random.default_rng(0)
    rows: list[Integers] = []
    for stratum, count in zip(*np.unique(of[current], return_counts=True), strict=True):
        own = np.flatnonzero(of[:reference] == stratum)
        pool = own if own.size else np.arange(reference)
        rows.append(generator.choice(pool, size=min(count * REFERENCE_FOR_EACH, pool.size), replace=False))
    return np.sort(np.concatenate(rows))
