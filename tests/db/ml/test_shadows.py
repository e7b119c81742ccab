"""Forecasts in shadow: made from the same facts, never published, graded on the same matches; and the fall-back."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, InternalError, transaction
from django.db.models import F

from apps.matches.ingest import ingest
from apps.matches.locks import Lock
from apps.matches.models import Event, Match, World
from apps.ml import selectors, services
from apps.ml.models import Comparison, ModelVersion, Prediction, Promotion, Score, ShadowForecast
from tests.database import locked_elsewhere

SANDBOX = World.SANDBOX
HOME, AWAY = (0.5, 0.3, 0.2), (0.2, 0.3, 0.5)


def promote(version: ModelVersion, now) -> Promotion:
    return services.promote(version=version, user=None, reason="a test", now=now)


def favour(candidate: ModelVersion, champion: ModelVersion, now) -> None:
    """Make a candidate a challenger."""
    Comparison.objects.create(
        world=SANDBOX, candidate=candidate, champion=champion, verdict="challenger", reason="good", criteria=[], n=600,
        rules=dict(selectors.policy(SANDBOX).compare), key="k", decided_at=now,
    )  # fmt: skip


@pytest.fixture
def champion(make_version, now):
    version = make_version(1)
    promote(version, now)
    return version


@pytest.fixture
def challenger(make_version, champion, now):
    version = make_version(2, estimator="base_rates")
    favour(version, champion, now)
    return version


@pytest.fixture
def published(challenger, now):
    """The forecasts of the champion, and those of the challenger in shadow."""
    services.predict_due(now=now)
    return services.shadow_due(now=now)


def test_a_challenger_forecasts_in_shadow_all_that_the_champion_published(published, challenger, now):
    # A match of the first seconds may have kicked off by the clock of the database.
    later = Prediction.objects.filter(kickoff_at__gt=now + timedelta(minutes=5))
    assert later.count() > 100
    assert set(ShadowForecast.objects.values_list("version", flat=True)) == {challenger.pk}
    assert not later.filter(shadows__isnull=True).exists()
    shadow = ShadowForecast.objects.order_by("prediction__kickoff_at").last()
    match = Match.objects.select_related("season__competition").get(pk=shadow.prediction.match_id)
    alone = services.forecast_by(challenger, match, now=shadow.prediction.as_of)
    assert (shadow.p_home, shadow.p_draw, shadow.p_away) == (alone.p_home, alone.p_draw, alone.p_away)
    assert services.shadow_due(now=now).made == {"real": 0, "sandbox": 0}, "once"


def test_nothing_public_comes_from_a_shadow(published, champion, world, now):
    assert set(Prediction.objects.values_list("version", flat=True)) == {champion.pk}
    assert Event.objects.filter(topic="prediction.published").count() == Prediction.objects.count()
    later = now + timedelta(minutes=30)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    services.settle_due(now=later)
    assert Score.objects.count() == Score.objects.values("match").distinct().count() > 5
    assert set(Score.objects.values_list("prediction__version", flat=True)) == {champion.pk}
    assert len(selectors.graded_forecasts(SANDBOX)) == Score.objects.count()


def test_a_shadow_is_graded_with_its_prediction_on_the_same_matches(published, challenger, world, now):
    later = now + timedelta(minutes=30)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    services.settle_due(now=later)
    (live,) = selectors.live_comparison(SANDBOX, selectors.stages(SANDBOX))
    assert (live.version, live.was_champion) == (challenger, False)
    scores = Score.objects.filter(prediction__shadows__isnull=False)
    assert live.scores.model.n == live.scores.other.n == scores.count() > 5
    losses = [
        -np.log(getattr(ShadowForecast.objects.get(prediction=score.prediction_id), name))
        for score in scores
        for name in [("p_home", "p_draw", "p_away")[score.outcome]]
    ]
    assert live.scores.model.log_loss == pytest.approx(np.mean(losses))
    assert live.scores.other.log_loss == pytest.approx(np.mean([score.log_loss for score in scores]))


def test_facts_that_came_after_the_forecast_are_not_used_for_its_shadow(challenger, champion, world, now):
    services.predict_due(now=now)
    later = now + timedelta(minutes=8)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    assert services.shadow_due(now=later).made["sandbox"] == 0
    services.predict_due(now=later)
    services.shadow_due(now=later)
    assert set(ShadowForecast.objects.values_list("prediction__published_at", flat=True)) == {later}


def test_two_rounds_at_once_make_nothing_twice(published, now):
    with locked_elsewhere(Lock.SHADOW):
        assert services.shadow_due(now=now).busy


def test_the_database_leaves_out_a_shadow_after_kick_off_and_refuses_to_rewrite_one(published, now):
    kept = ShadowForecast.objects.order_by("prediction__kickoff_at").last()
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        ShadowForecast.objects.filter(pk=kept.pk).update(p_home=1.0)
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        kept.delete()
    Match.objects.filter(pk=kept.prediction.match_id).update(kickoff_at=now - timedelta(minutes=1))
    late = ShadowForecast(
        prediction=kept.prediction,
        version_id=kept.prediction.version_id,
        p_home=0.5,
        p_draw=0.3,
        p_away=0.2,
        made_at=now,
    )
    ShadowForecast.objects.bulk_create([late], ignore_conflicts=True)
    assert not ShadowForecast.objects.filter(version=kept.prediction.version_id).exists()


def test_after_a_promotion_the_champion_before_goes_on_in_shadow(published, challenger, champion, now):
    promote(challenger, now)
    later = now + timedelta(seconds=1)
    services.predict_due(now=later)
    services.shadow_due(now=later)
    made = ShadowForecast.objects.filter(prediction__version=challenger)
    assert set(made.values_list("version", flat=True)) == {champion.pk}
    assert made.count() > 100


def test_the_three_newest_challengers_forecast_and_one_that_cannot_be_loaded_is_left_out(
    make_version, champion, now, caplog
):
    for number in (2, 3, 4, 5):
        favour(make_version(number, broken=number == 4), champion, now)
    assert [version.number for version in selectors.shadow_versions(SANDBOX)] == [5, 4, 3]
    services.predict_due(now=now)
    services.shadow_due(now=now)
    numbers = ShadowForecast.objects.values_list("version__number", flat=True)
    assert set(numbers) == {3, 5}
    assert "cannot forecast in shadow" in caplog.text


def test_without_a_champion_or_a_challenger_there_are_no_shadows(make_version, now):
    assert services.shadow_due(now=now).made == {"real": 0, "sandbox": 0}
    promote(make_version(1), now)
    services.predict_due(now=now)
    assert services.shadow_due(now=now).made == {"real": 0, "sandbox": 0}
    assert selectors.live_comparison(SANDBOX, selectors.stages(SANDBOX)) == []
    assert selectors.live_comparison(World.REAL, selectors.stages(World.REAL)) == []


@pytest.fixture
def graded(make_version, now):
    """A function that grades matches of a new champion and of the one before; returns both.

    The champion calls each home win 0.2; `right` of the matches are away wins, which it then calls as well as the one
    before calls home wins.
    """

    def make(n: int = 240, right: float = 0.0) -> tuple[ModelVersion, ModelVersion]:
        before, champion = make_version(1), make_version(2)
        promote(before, now - timedelta(days=2))
        promote(champion, now - timedelta(days=1))
        matches = list(Match.objects.filter(world=SANDBOX, kickoff_at__gt=now + timedelta(hours=1)).order_by("id")[:n])
        assert len(matches) == n
        about = {
            "data_snapshot": 1, "as_of": now, "published_at": now, "home_expected_goals": 1, "away_expected_goals": 1,
            "base_home": 0.4, "base_draw": 0.3, "base_away": 0.3, "features_sha256": "4" * 64,
        }  # fmt: skip
        made = Prediction.objects.bulk_create(
            Prediction(
                match=match, version=champion, kickoff_at=match.kickoff_at, p_home=AWAY[0], p_draw=AWAY[1],
                p_away=AWAY[2], **about,
            )
            for match in matches
        )  # fmt: skip
        ShadowForecast.objects.bulk_create(
            ShadowForecast(prediction=row, version=before, p_home=HOME[0], p_draw=HOME[1], p_away=HOME[2], made_at=now)
            for row in made
        )
        outcomes = [2 if place < right * n else 0 for place in np.random.default_rng(1).permutation(n)]
        Match.objects.filter(pk__in=[match.pk for match in matches]).update(
            status="finished", home_goals=1, away_goals=0, revision=1, known_at=F("kickoff_at") + timedelta(hours=3)
        )
        Score.objects.bulk_create(
            Score(
                prediction=row, match_id=row.match_id, world=SANDBOX, revision=1, outcome=outcome,
                log_loss=-np.log(AWAY[outcome]), rps=0.2, brier=0.5, base_log_loss=1.0, base_rps=0.2, settled_at=now,
            )
            for row, outcome in zip(made, outcomes, strict=True)
        )  # fmt: skip
        return before, champion

    return make


def test_a_champion_that_turns_bad_falls_back_by_itself_with_the_reasons(graded, now):
    before, champion = graded()
    (promotion,) = services.fall_back_due(now=now)
    assert (promotion.kind, promotion.version_id, promotion.previous_id) == ("rollback", before.pk, champion.pk)
    assert promotion.decided_by == "system"
    # ln(0.5 / 0.2) = 0.9163, in each match.
    assert promotion.reason.startswith(
        "by the policy: on 240 graded matches the log loss of model 2 (sandbox) is +0.9163 nats from that of model 1"
    )
    assert services.fall_back_due(now=now) == [], "once, and never back and forth"
    assert selectors.champion(SANDBOX).version_id == before.pk
    assert selectors.stages(SANDBOX).of(champion) == selectors.VersionStage.FORMER


def test_an_error_in_the_real_world_stops_no_fall_back_of_the_simulated_one(graded, now, no_real_policy):
    before, _ = graded()
    no_real_policy()
    (promotion,) = services.fall_back_due(now=now)
    assert promotion.version_id == before.pk


def test_a_champion_within_its_limits_stays(graded, now):
    graded(right=0.5)
    assert services.fall_back_due(now=now) == []


def test_a_difference_that_chance_explains_is_no_reason(graded, now):
    # 115 of 240 are away wins: the mean lies above the allowance, the lower end of its interval does not.
    before, _ = graded(right=0.48)
    found = selectors.graded_pairs(selectors.champion(SANDBOX), [before.pk])[before.pk]
    assert (found.champion - found.shadow)[:, 0].mean() > 0.03
    assert services.fall_back_due(now=now) == []


def test_too_few_graded_matches_are_no_reason(graded, now):
    graded(n=199)
    assert services.fall_back_due(now=now) == []


def test_the_operator_may_switch_the_fall_back_off(graded, now):
    graded()
    services.change_policy(
        world=SANDBOX, changes={"fall_back.is_on": False}, user=User(username="ada"), reason="a test", now=now
    )
    assert services.fall_back_due(now=now) == []


def test_a_champion_before_that_cannot_be_loaded_does_not_return(graded, now, caplog):
    before, champion = graded()
    ModelVersion.objects.filter(pk=before.pk).update(bundle=b"no zip")
    assert services.fall_back_due(now=now) == []
    assert selectors.champion(SANDBOX).version_id == champion.pk
    assert "does not fall back, although" in caplog.text


def test_what_was_graded_before_the_promotion_does_not_count(graded, now):
    _, champion = graded()
    services.rollback(world=SANDBOX, user=None, reason="a test", now=now)
    promote(champion, now + timedelta(hours=1))
    assert services.fall_back_due(now=now + timedelta(hours=1)) == []
