"""The record is computed after grades; back-tests of a new champion are stored once, in place of the last ones."""

from __future__ import annotations

import hashlib
import io
import math
from datetime import timedelta

import pandas as pd
import pytest
from django.db import IntegrityError, connection, transaction

from apps.matches.ingest import ingest
from apps.matches.locks import Lock
from apps.matches.models import Match, World
from apps.matches.services import joins
from apps.ml import selectors, services
from apps.ml.models import BackTest, EvaluationArtifacts, Score
from tests.database import locked_elsewhere

SANDBOX = World.SANDBOX


def back_test(version, now, *, home: float = 0.5, n: int = 40) -> list[int]:
    """Give a version forecasts of past matches, and of one that is gone; return the ids of the matches."""
    ids = list(Match.objects.filter(status="finished").order_by("kickoff_at", "id").values_list("pk", flat=True)[:n])
    rows = pd.DataFrame({"match_id": [*ids, 10**9], "as_of": pd.Timestamp(now), "competition": "league", "outcome": 0})
    rows = rows.assign(p_home=home, p_draw=(1 - home) / 2, p_away=(1 - home) / 2).astype({"p_home": "float32"})
    buffer = io.BytesIO()
    rows.to_parquet(buffer)
    EvaluationArtifacts.objects.create(
        version=version,
        forecasts=buffer.getvalue(),
        forecasts_sha256=hashlib.sha256(buffer.getvalue()).hexdigest(),
        report=b"",
        created_at=now,
    )
    return ids


@pytest.fixture
def champion(make_version, now):
    version = make_version(1)
    services.promote(version=version, user=None, reason="test", now=now)
    return version


@pytest.fixture
def graded(champion, world, now):
    """Two hours of matches, forecast and graded; the moment after."""
    services.predict_due(now=now)
    later = now + timedelta(hours=2)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    services.settle_due(now=later)
    return later


def test_the_record_has_every_graded_match_and_the_means_of_their_scores(graded):
    assert services.summarize_due(now=graded).computed == ["sandbox"]
    found = selectors.record(SANDBOX).content
    scores = Score.objects.all()
    assert found["n"] == scores.count() > 30
    mean = sum(score.log_loss for score in scores) / found["n"]
    assert math.isclose(found["scores"]["log_loss"], mean, rel_tol=1e-9)
    to_market = found["compared"]["to_market"]
    assert to_market["low"] <= to_market["difference"] <= to_market["high"]
    shown = selectors.graded_matches(SANDBOX, summary=selectors.record(SANDBOX))
    assert set(shown) == {score.match for score in scores}


def test_without_new_grades_nothing_is_computed_until_hours_later(graded):
    services.summarize_due(now=graded)
    assert services.summarize_due(now=graded + timedelta(minutes=1)).computed == []
    assert services.summarize_due(now=graded + timedelta(hours=7)).computed == ["sandbox"]


def test_a_record_that_takes_long_is_computed_less_often(graded):
    services.summarize_due(now=graded)
    summary = selectors.record(SANDBOX)
    summary.seconds, summary.content["newest_grade"] = 60.0, 0
    summary.save()
    assert services.summarize_due(now=graded + timedelta(minutes=19)).computed == []
    assert services.summarize_due(now=graded + timedelta(minutes=20)).computed == ["sandbox"]


def test_only_one_process_computes_the_record(graded):
    with locked_elsewhere(Lock.RECORD):
        assert services.summarize_due(now=graded).busy


def test_pages_of_the_record_follow_one_another_without_gap(graded):
    services.summarize_due(now=graded)
    summary, seen, after = selectors.record(SANDBOX), [], None
    while page := list(selectors.graded_matches(SANDBOX, summary=summary, after=after)[:7]):
        seen += page
        after = page[-1]
    assert seen == sorted(seen, key=lambda match: (match.kickoff_at, match.pk), reverse=True)
    assert len(seen) == summary.content["n"]


def test_the_back_tests_of_a_champion_are_stored_once_without_matches_that_are_gone(champion, now):
    ids = back_test(champion, now)
    assert services.summarize_due(now=now).back_tested == {"sandbox": 40}
    assert services.summarize_due(now=now).back_tested == {}
    found = selectors.back_tested([*ids, 10**9 + 1])
    assert set(found) == set(ids)
    assert found[ids[0]].probabilities == pytest.approx((0.5, 0.25, 0.25))
    content = selectors.record(SANDBOX, is_back_tested=True).content
    assert content["n"] == 40
    assert content["compared"]["base"]["log_loss"] > 0
    assert selectors.record(SANDBOX) is None


def test_a_new_champion_takes_the_place_of_the_last_ones_back_tests(champion, make_version, now):
    ids = back_test(champion, now)
    services.summarize_due(now=now)
    newer = make_version(2)
    services.promote(version=newer, user=None, reason="newer", now=now)
    back_test(newer, now, home=0.6, n=10)
    services.summarize_due(now=now)
    assert set(selectors.back_tested(ids)) == set(ids[:10])
    assert set(BackTest.objects.values_list("version", flat=True)) == {newer.pk}


def test_a_champion_without_stored_forecasts_has_an_empty_record(champion, now):
    services.summarize_due(now=now)
    assert selectors.record(SANDBOX, is_back_tested=True).content == {"n": 0}
    assert services.summarize_due(now=now).back_tested == {}


def test_a_back_test_is_never_changed(champion, now):
    back_test(champion, now)
    services.summarize_due(now=now)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE ml_backtest SET p_home = 1, p_draw = 0, p_away = 0")


def test_a_back_test_keeps_no_match_from_being_joined_with_its_double(champion, now):
    ids = back_test(champion, now)
    services.summarize_due(now=now)
    assert joins.protected(ids) == {}
