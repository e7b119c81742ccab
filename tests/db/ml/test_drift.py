"""Drift of a champion: looked at once a day, kept with its reasons, shown in words."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from importlib.util import find_spec

import numpy as np
import pytest
from django.db import connection
from django.urls import reverse
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry

from apps.matches.locks import Lock
from apps.matches.models import Match, World
from apps.ml import selectors, services
from apps.ml.metrics import ModelCollector
from apps.ml.models import DriftReport, ModelVersion, Prediction, Score
from apps.ml.services import drift, workspaces
from tests.database import locked_elsewhere

SMALL = {"level": 0.6, "matches": 30, "least_matches": 20, "least_windows": 4, "least_reference": 100}
"""A section for the hundreds of matches of these tests."""


@pytest.fixture
def section(monkeypatch):
    params = workspaces.read_params()
    params["drift"] |= SMALL
    monkeypatch.setattr(workspaces, "read_params", lambda: params)
    return params["drift"]


@pytest.fixture
def no_page(monkeypatch):
    """No Evidently, which takes seconds to import."""
    monkeypatch.setattr(drift, "find_spec", lambda name: None)


@pytest.fixture
def champion(make_version, now, section, no_page) -> ModelVersion:
    version = make_version(1, home=0.5)
    version.columns = ["elo_diff", "base_home"]
    version.save(update_fields=["columns"])
    services.promote(version=version, user=None, reason="first", now=now)
    return version


def graded(version: ModelVersion, n: int, now: datetime, *, p: tuple[float, float, float]) -> None:
    """Store forecasts of finished matches, as if they had been published in time, and their scores."""
    matches = list(Match.objects.filter(status="finished").order_by("-kickoff_at")[:n])
    forecasts = dict(zip(("p_home", "p_draw", "p_away"), p, strict=True))
    base = dict(zip(("base_home", "base_draw", "base_away"), p, strict=True))
    rows = [
        Prediction(
            match=match,
            version=version,
            data_snapshot=1,
            as_of=match.kickoff_at - timedelta(hours=1),
            published_at=match.kickoff_at - timedelta(hours=1),
            kickoff_at=match.kickoff_at,
            home_expected_goals=1.5,
            away_expected_goals=1.0,
            features_sha256="0" * 64,
            **forecasts,
            **base,
        )
        for match in matches
    ]
    with connection.cursor() as cursor:
        # The database refuses a forecast of a match that has kicked off.
        cursor.execute("SET LOCAL session_replication_role = replica")
        Prediction.objects.bulk_create(rows)
        cursor.execute("SET LOCAL session_replication_role = origin")
    losses = {"rps": 0.2, "brier": 0.5, "base_log_loss": 1.0, "base_rps": 0.2}
    outcomes = [int(1 - np.sign(match.home_goals - match.away_goals)) for match in matches]
    Score.objects.bulk_create(
        Score(
            prediction=row,
            match=row.match,
            world=row.match.world,
            revision=row.match.revision,
            outcome=outcome,
            log_loss=-np.log(p[outcome]),
            settled_at=now,
            **losses,
        )
        for row, outcome in zip(rows, outcomes, strict=True)
    )


def test_a_champion_is_looked_at_once_a_day(champion, now):
    assert services.drift_due(now=now).made == {"sandbox": DriftReport.objects.get().is_drifted}
    assert services.drift_due(now=now).made == {}
    services.drift_due(now=now + timedelta(days=1))
    assert DriftReport.objects.count() == 2


def test_another_champion_is_looked_at_on_the_same_day(champion, make_version, now):
    services.drift_due(now=now)
    services.promote(version=make_version(2, home=0.5), user=None, reason="better", now=now)
    services.drift_due(now=now)
    assert selectors.latest_drift(World.SANDBOX).version_number == 2
    assert DriftReport.objects.count() == 2


def test_a_second_worker_does_not_look_at_the_same_time(champion, now):
    with locked_elsewhere(Lock.DRIFT):
        assert services.drift_due(now=now).busy
    assert not DriftReport.objects.exists()


def test_without_a_champion_there_is_nothing_to_look_at(db, now):
    assert services.drift_due(now=now).made == {}
    assert selectors.latest_drift(World.SANDBOX) is None


def test_a_report_names_features_statistics_and_thresholds(champion, now):
    services.drift_due(now=now)
    latest = selectors.latest_drift(World.SANDBOX)
    assert {each.name for each in latest.features.measured} == {"elo_diff", "base_home"}
    assert all(0.0 <= each.statistic <= 1.0 and each.threshold > 0.0 for each in latest.features.measured)
    assert (latest.features.n, latest.computed_at) == (30, now)
    assert latest.features.weeks >= SMALL["least_windows"]
    assert latest.predictions.note == latest.concept.note == "0 graded forecasts, fewer than 20"


def test_a_report_of_a_newer_release_can_be_read(champion, now):
    services.drift_due(now=now)
    row, read = DriftReport.objects.get(), selectors.latest_drift(World.SANDBOX)
    row.features |= {"later": 1, "measured": [each | {"later": 1} for each in row.features["measured"]]}
    row.save()
    assert selectors.latest_drift(World.SANDBOX) == read


def test_too_few_matches_are_no_drift_and_said(champion, now, section):
    section["least_reference"] = 100_000
    services.drift_due(now=now)
    latest = selectors.latest_drift(World.SANDBOX)
    assert (latest.is_drifted, latest.score) == (False, 0.0)
    assert "too few for windows of past weeks" in latest.features.note


def test_forecasts_unlike_those_of_the_evaluation_have_drifted(champion, now):
    # The evaluation called every home win 0.5.
    graded(champion, 30, now, p=(0.1, 0.1, 0.8))
    services.drift_due(now=now)
    latest = selectors.latest_drift(World.SANDBOX)
    directions = {each.name: each.direction for each in latest.predictions.measured}
    assert latest.predictions.is_drifted
    assert (directions["p_home"], directions["p_away"]) == ("lower", "higher")


def test_forecasts_that_lose_far_more_than_they_expect_have_drifted(champion, now):
    graded(champion, 30, now, p=(0.98, 0.01, 0.01))
    services.drift_due(now=now)
    latest = selectors.latest_drift(World.SANDBOX)
    assert latest.is_drifted
    assert latest.concept.is_drifted
    assert latest.concept.measured[0].direction.startswith("worse: ")


def test_a_bundle_that_cannot_be_read_stops_no_other_world(champion, now):
    ModelVersion.objects.filter(pk=champion.pk).update(bundle=b"nothing")
    assert services.drift_due(now=now).made == {}


def test_old_pages_go_and_their_findings_stay(champion, now, section):
    services.drift_due(now=now)
    DriftReport.objects.update(page=gzip.compress(b"<p>page</p>"))
    services.drift_due(now=now + timedelta(days=section["page_days"]))
    assert len(DriftReport.objects.exclude(page=b"")) == 1
    services.drift_due(now=now + timedelta(days=section["page_days"] + 1))
    assert not DriftReport.objects.exclude(page=b"").exists()
    assert DriftReport.objects.count() == 3


def test_the_score_is_a_metric_by_world_and_kind(champion, now):
    services.drift_due(now=now)
    registry = CollectorRegistry()
    registry.register(ModelCollector())
    said = generate_latest(registry).decode()
    score = DriftReport.objects.get().score
    assert f'spai_drift_score{{kind="features",world="sandbox"}} {score}' in said
    assert 'spai_drift_score{kind="concept"' not in said, "there was nothing to test"


def test_the_admin_says_in_words_what_was_found(champion, now, admin):
    services.drift_due(now=now)
    report = DriftReport.objects.get()
    page = admin.get(reverse("admin:ml_driftreport_change", args=[report.pk])).content.decode()
    assert "The latest 30 matches, against" in page
    assert f"Thresholds come from {report.features['weeks']} past weeks, with windows of 30 matches." in page
    assert "elo_diff" in page
    assert "Not tested: 0 graded forecasts, fewer than 20." in page
    assert "There is no report by Evidently" in page
    assert admin.get(reverse("admin:ml_driftreport_changelist")).status_code == 200
    assert admin.get(reverse("admin:ml_driftreport_page", args=[report.pk])).status_code == 404


@pytest.mark.skipif(find_spec("evidently") is None, reason="the extra drift is not installed")
def test_the_report_of_evidently_is_rendered_and_kept_from_everything_else(champion, now, admin, monkeypatch):
    monkeypatch.setattr(drift, "find_spec", find_spec)
    services.drift_due(now=now)
    report = DriftReport.objects.get()
    answer = admin.get(reverse("admin:ml_driftreport_page", args=[report.pk]))
    page = answer.content.decode()
    assert "elo_diff" in page
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    shown = admin.get(reverse("admin:ml_driftreport_change", args=[report.pk])).content.decode()
    assert "Report by Evidently" in shown
