"""Line-ups from the records of a source to the features of a fixture, offline and online."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from apps.matches.ingest import ingest
from apps.matches.models import Absence, Lineup, Match
from apps.matches.models import World as WorldName
from apps.matches.records import MatchDetails, MatchRecord
from apps.ml import dataset, services, serving
from apps.ml.forecasting.features import FeatureState
from apps.scraping.sandbox.timetable import MATCHES_PER_SEASON
from apps.scraping.sandbox.world import FIRST_SOURCE_ID, SimulatedWorld
from tests.db.ml import conftest

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def with_people(world: SimulatedWorld, record: MatchRecord, *, now: datetime) -> MatchRecord:
    """The record with what a match centre says of a finished match, and a preview of one to come."""
    number, match = divmod(int(record.source_id) - FIRST_SOURCE_ID, MATCHES_PER_SEASON)
    details = world.season_records(number).details(match)
    known_at = min(now - MINUTE, record.kickoff_at - HOUR)
    if record.status == "finished":
        return replace(record, details=MatchDetails(known_at, lineups=details.lineups))
    return replace(record, details=MatchDetails(known_at, absences=details.absences))


@pytest.fixture
def told(stored, world, now):
    """The people of the stored matches that ended a day ago or earlier, and of those that are not about to begin."""
    wanted = [
        record
        for record in world.records(now)
        if now - timedelta(days=230) < record.kickoff_at < now - timedelta(days=1)
        or record.kickoff_at > now + timedelta(minutes=15)
    ]
    return ingest([with_people(world, record, now=now) for record in wanted], source="sandbox", now=now)


def families() -> dict:
    return {name: conftest.ALL_FEATURES[name] for name in ("elo", "lineups")}


def test_a_row_of_serving_equals_the_row_of_the_export(told, now):
    exported = dataset.export(WorldName.SANDBOX, as_of=now)
    matches = exported.matches.to_pandas()
    fixtures = dataset.upcoming(WorldName.SANDBOX, now=now, until=now + timedelta(days=15)).assign(as_of=now)
    offline = FeatureState.new(families())
    expected = offline.fold(matches, fixtures, matches, lineups=exported.lineups.to_pandas())
    online = FeatureState.new(families())
    # Half of the history first, then what came after it, as serving does between two data snapshots.
    middle = now - timedelta(days=120)
    for after, before in ((None, middle), (middle, now)):
        results = dataset.results_between(WorldName.SANDBOX, after=after, before=before)
        online.observe(results, lineups=dataset.lineups_between(WorldName.SANDBOX, after=after, before=before))
    found = online.describe(fixtures, lineups=dataset.lineups_of(fixtures["match_id"], before=now))
    assert found.tobytes() == expected.tobytes()
    rows = pd.DataFrame(found, columns=online.names)
    assert rows["lineup_usual_home"].notna().all()
    # The sandbox reports one to three of each side's missing; not each is a regular.
    assert rows["lineup_missing_home"].between(0, 3).mean() > 0.9
    assert rows["lineup_missing_home"].max() > 0
    assert (rows["lineup_named_home"] == 0.0).all()


def test_a_line_up_and_a_report_are_kept_with_the_moment_at_which_they_were_known(told, now):
    played = Lineup.objects.select_related("match").filter(match__status="finished")
    assert played.exists()
    assert all(row.known_at == row.match.kickoff_at - HOUR for row in played[:200])
    assert set(Absence.objects.values_list("known_at", flat=True)) <= {now - MINUTE} | {
        kickoff_at - HOUR for kickoff_at in Match.objects.values_list("kickoff_at", flat=True)
    }


def test_line_ups_that_come_after_a_result_was_observed_build_the_state_anew(
    make_version, stored, world, now, monkeypatch
):
    monkeypatch.setitem(conftest.PARAMS["features"], "lineups", families()["lineups"])
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    first = serving.current(WorldName.SANDBOX, now=now, may_rebuild=True)
    assert not first.state.reads_lineups
    fixtures = dataset.upcoming(WorldName.SANDBOX, now=now, until=now + timedelta(days=15)).head(3)
    asked: list[list[int]] = []
    ask = dataset.lineups_of
    monkeypatch.setattr(dataset, "lineups_of", lambda ids, **more: asked.append(list(ids)) or ask(ids, **more))
    serving.forecast(first, fixtures, now=now)
    assert asked == []
    late = [record for record in world.records(now) if record.status == "finished"][-40:]
    later = now + timedelta(seconds=5)
    report = ingest([with_people(world, record, now=later) for record in late], source="sandbox", now=later)
    assert report.changed == len(late)
    until = first.state.observed_until
    assert dataset.changed_behind(WorldName.SANDBOX, snapshot=first.data_snapshot, observed_until=until)
    worker = serving.current(WorldName.SANDBOX, now=later, may_rebuild=True)
    assert worker.data_snapshot == report.ingest_id
    assert worker.state.reads_lineups
    answer = serving.forecast(worker, fixtures, now=later)
    assert asked == [fixtures["match_id"].tolist()]
    assert np.isfinite(answer.probabilities).all()


def test_an_incident_that_comes_late_is_nothing_that_features_read(stored, world, now):
    record = [record for record in world.records(now) if record.status == "finished"][-1]
    until = now
    number, match = divmod(int(record.source_id) - FIRST_SOURCE_ID, MATCHES_PER_SEASON)
    incidents = world.season_records(number).details(match).incidents
    assert incidents
    told = replace(record, details=MatchDetails(record.kickoff_at - HOUR, incidents=incidents))
    assert ingest([told], source="sandbox", now=now).changed == 1
    assert not dataset.changed_behind(WorldName.SANDBOX, snapshot=stored.ingest_id, observed_until=until)
