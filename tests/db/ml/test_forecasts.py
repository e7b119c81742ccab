"""Forecasts: published when due, frozen at kick-off, graded afterwards."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, InternalError, connection, transaction
from django.db.models import Q

from apps.matches.ingest import ingest
from apps.matches.models import Event, Match, World
from apps.ml import selectors, services, serving
from apps.ml.forecasting import weaknesses
from apps.ml.models import LedgerDay, Prediction, Score


@pytest.fixture
def champion(make_version, now):
    version = make_version(1)
    services.promote(version=version, user=None, reason="test", now=now)
    return version


@pytest.fixture
def published(champion, now):
    return services.predict_due(now=now)


def test_every_fixture_within_fifteen_days_gets_a_forecast(published, now):
    # A machine that is busy reaches the nearest fixtures after their kick-off, and the database refuses those.
    fixtures = Match.objects.filter(status="scheduled", kickoff_at__gt=now + timedelta(minutes=5))
    assert fixtures.count() > 100
    assert not fixtures.filter(predictions__isnull=True).exists()
    assert published.published == {"sandbox": Prediction.objects.count()}
    row = Prediction.objects.first()
    assert math.isclose(sum(row.probabilities), 1, abs_tol=1e-9)
    assert math.isclose(row.base_home + row.base_draw + row.base_away, 1, abs_tol=1e-9)
    assert Event.objects.filter(topic="prediction.published").count() == Prediction.objects.count()


def test_a_second_round_on_the_same_facts_publishes_nothing(published, now):
    again = services.predict_due(now=now + timedelta(minutes=6))
    assert again.published == {"sandbox": 0}


def test_new_results_move_the_forecasts_that_they_change_and_no_others(published, world, now):
    later = now + timedelta(minutes=8)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    before = {row.match_id: row.probabilities for row in Prediction.objects.all()}
    services.predict_due(now=later)
    moved = {row.match_id: row.probabilities for row in Prediction.objects.filter(published_at=later)}
    assert 0 < len(moved) < len(before)
    for match_id, probabilities in moved.items():
        assert max(abs(new - old) for new, old in zip(probabilities, before[match_id], strict=True)) >= 0.001


def test_a_fixture_gets_at_most_one_forecast_in_five_minutes(published, world, now):
    later = now + timedelta(minutes=3)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    assert services.predict_due(now=later).published == {"sandbox": 0}


def test_without_a_champion_nothing_is_published(stored, now):
    assert services.predict_due(now=now).published == {}
    assert Prediction.objects.count() == 0


def test_a_forecast_after_kickoff_is_refused_by_the_database(published):
    row = Prediction.objects.select_related("match").first()
    match = Match.objects.filter(status="finished").first()
    copy = Prediction(
        **{f.attname: getattr(row, f.attname) for f in Prediction._meta.concrete_fields if f.attname != "id"}
    )
    copy.match_id = match.pk
    with pytest.raises((InternalError, IntegrityError), match="has kicked off"), transaction.atomic():
        copy.save(force_insert=True)


def test_forecasts_that_the_database_refuses_again_and_again_are_an_error_in_the_log(champion, now, caplog):
    entry = {"root": "0" * 64, "previous": "0" * 64, "hash": "0" * 64, "forecasts": 0, "closed_at": now}
    LedgerDay.objects.create(world=World.SANDBOX, day=now.date(), **entry)
    assert services.predict_due(now=now).published == {"sandbox": 0}
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said
    assert all("forecasts of the sandbox world are not published: the ledger of" in each for each in said)


def test_a_published_forecast_cannot_be_changed_or_deleted(published):
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        Prediction.objects.update(p_home=1.0)
    refused = pytest.raises((InternalError, IntegrityError), match="append-only")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ml_prediction")


def test_a_finished_match_is_graded_once_against_its_result(published, world, now):
    later = now + timedelta(minutes=30)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    finished = Match.objects.filter(finished_at__gt=now, finished_at__lte=later, predictions__isnull=False).distinct()
    report = services.settle_due(now=later)
    assert report.settled == finished.count() > 5
    score = Score.objects.select_related("prediction", "match").first()
    p = score.prediction.probabilities[score.match.outcome]
    assert math.isclose(score.log_loss, -math.log(p), rel_tol=1e-9)
    assert score.base_log_loss > 0
    assert score.market_log_loss is not None
    assert services.settle_due(now=later).settled == 0


def test_a_corrected_result_is_graded_anew_and_the_newest_counts(published, world, now):
    later = now + timedelta(minutes=30)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    services.settle_due(now=later)
    match = Match.objects.filter(scores__isnull=False).first()
    Match.objects.filter(pk=match.pk).update(home_goals=9, away_goals=0, revision=match.revision + 1)
    assert services.settle_due(now=later).settled == 1
    assert Score.objects.filter(match=match).count() == 2
    assert selectors.newest_scores([match.pk])[match.pk].outcome == 0


def test_a_forecast_that_came_late_is_void(published, world, now):
    match = Match.objects.filter(predictions__isnull=False).order_by("kickoff_at").first()
    later = now + timedelta(minutes=30)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    Match.objects.filter(pk=match.pk).update(kickoff_at=now - timedelta(minutes=1))
    services.settle_due(now=later)
    assert match.pk not in selectors.newest_scores([match.pk])
    services.summarize_due(now=later)
    assert selectors.record(World.SANDBOX).content["void"] == 1


def test_after_a_rollback_the_champion_publishes_in_place_of_the_version_taken_back(
    published, make_version, world, now
):
    services.promote(version=make_version(2), user=None, reason="newer", now=now)
    services.predict_due(now=now + timedelta(seconds=1))
    match_id = Match.objects.filter(predictions__version__number=2).order_by("-kickoff_at").first().pk
    later = now + timedelta(minutes=2)
    services.rollback(world=World.SANDBOX, user=None, reason="worse", now=later)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    services.predict_due(now=later)
    assert selectors.latest_predictions([match_id])[match_id].version.number == 1


def test_a_live_forecast_equals_the_published_one_on_the_same_facts(published, now):
    row = Prediction.objects.order_by("kickoff_at").last()
    live = services.forecast(row.match_id, now=now)
    assert (live.p_home, live.p_draw, live.p_away) == row.probabilities
    assert (live.version_number, live.degraded, live.published_at) == (1, "", None)
    assert live.weaknesses == row.weaknesses


def test_a_forecast_stores_the_intervals_of_its_model(champion, give_intervals, now):
    give_intervals()
    services.predict_due(now=now)
    row = Prediction.objects.order_by("kickoff_at").last()
    assert row.intervals["level"] == 0.8
    for outcome, p in zip(("home", "draw", "away"), row.probabilities, strict=True):
        ends = row.intervals[outcome]
        log_odds = np.log(p / (1 - p))
        assert ends == pytest.approx(
            {"low": 1 / (1 + np.exp(0.2 - log_odds)), "high": 1 / (1 + np.exp(-0.2 - log_odds))}, abs=1e-4
        )
    assert services.forecast(row.match_id, now=now).intervals == row.intervals
    assert selectors.match_with_prediction(row.match_id).prediction.intervals == row.intervals


def test_a_forecast_of_a_model_without_intervals_has_none(published):
    assert set(Prediction.objects.values_list("intervals", flat=True)) == {None}


def test_a_forecast_says_of_how_many_matches_a_new_club_is_known(champion, now, monkeypatch):
    monkeypatch.setattr(weaknesses, "FEW_MATCHES", 10_000)
    services.predict_due(now=now)
    row = Prediction.objects.select_related("match").order_by("kickoff_at").last()
    finished = Match.objects.filter(status="finished", known_at__lt=now)
    expected = [
        (side, finished.filter(Q(home_team=team) | Q(away_team=team)).count())
        for side, team in (("home", row.match.home_team_id), ("away", row.match.away_team_id))
    ]
    assert [(each["side"], each["number"]) for each in row.weaknesses if each["code"] == "new_club"] == expected
    assert min(number for _, number in expected) > 0


def test_a_forecast_carries_its_models_correction_of_low_scores(champion, now, monkeypatch):
    served = serving.current(World.SANDBOX, now=now)
    monkeypatch.setattr(served.bundle.estimator, "rho", -0.07)
    services.predict_due(now=now)
    assert set(Prediction.objects.values_list("rho", flat=True)) == {-0.07}
    assert services.forecast(Prediction.objects.order_by("kickoff_at").last().match_id, now=now).rho == -0.07


def test_without_any_model_that_loads_the_base_rates_answer_and_say_so(make_version, now):
    services.promote(version=make_version(1, broken=True), user=None, reason="first", now=now)
    coming = Match.objects.filter(kickoff_at__gt=now).order_by("-kickoff_at").first()
    answer = services.forecast(coming.pk, now=now)
    assert (answer.degraded, answer.version_number) == ("base rates", None)
    assert [each["code"] for each in answer.weaknesses] == ["fallback"]
    finished = Match.objects.filter(
        status="finished", season__competition=coming.season.competition_id, known_at__lt=now
    ).values_list("home_goals", "away_goals")
    wins = sum(home > away for home, away in finished)
    assert math.isclose(answer.p_home, (wins + 1) / (len(finished) + 3))
    assert math.isclose(answer.p_home + answer.p_draw + answer.p_away, 1)


def test_a_live_forecast_says_why_there_is_none(stored, now):
    coming = Match.objects.filter(kickoff_at__gt=now).first()
    over = Match.objects.filter(status="finished").first()
    with pytest.raises(services.NoForecastError, match="no such match"):
        services.forecast(999_999_999, now=now)
    with pytest.raises(services.NoForecastError, match="not a coming fixture"):
        services.forecast(over.pk, now=now)
    with pytest.raises(services.NoForecastError, match="No model makes forecasts"):
        services.forecast(coming.pk, now=now)
