"""Clubs are rated by the champion's feature state, and for each new champion by a walk over earlier results."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.matches.ingest import ingest
from apps.matches.locks import Lock
from apps.matches.models import Season, World
from apps.ml import selectors, services
from apps.ml.forecasting.goals import outcome_probabilities
from apps.ml.models import TeamRating
from apps.ml.services import ratings
from tests.database import locked_elsewhere
from tests.db.ml.conftest import ALL_FEATURES, PARAMS

SANDBOX = World.SANDBOX


@pytest.fixture(autouse=True)
def _with_ratings(monkeypatch):
    monkeypatch.setitem(PARAMS["features"], "poisson_filter", ALL_FEATURES["poisson_filter"])


@pytest.fixture
def champion(make_version, now):
    version = make_version(1)
    services.promote(version=version, user=None, reason="test", now=now)
    return version


def test_every_club_is_rated_once_in_each_step_and_placed_by_its_chance(champion, now):
    report = services.rate_due(now=now)
    assert report.stored == {"sandbox": TeamRating.objects.count()}
    newest = selectors.newest_rating(SANDBOX)
    rows = list(selectors.ratings(newest))
    assert [row.place for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > 20
    chances = [row.p_win for row in rows]
    assert chances == sorted(chances, reverse=True)
    (p,) = outcome_probabilities([rows[0].attack], [rows[0].defence])
    assert (rows[0].p_win, rows[0].p_draw) == pytest.approx((p[0], p[1]))
    leagues = dict(Season.objects.filter(world=SANDBOX).values_list("competition_id", "competition__level"))
    of_level = {level: [row.p_win for row in rows if leagues[row.competition_id] == level] for level in (1, 2)}
    assert sum(of_level[1]) / len(of_level[1]) > sum(of_level[2]) / len(of_level[2])


def test_a_history_ends_where_the_state_of_the_champion_is(champion, now):
    services.rate_due(now=now)
    walked = {row.team_id: row.p_win for row in selectors.ratings(selectors.newest_rating(SANDBOX))}
    TeamRating.objects.filter(step_at=selectors.newest_rating(SANDBOX).step_at).update(as_of=now - timedelta(days=9))
    services.rate_due(now=now)
    served = {row.team_id: row.p_win for row in selectors.ratings(selectors.newest_rating(SANDBOX))}
    assert served == pytest.approx(walked)


def test_without_new_results_nothing_is_stored_and_new_ones_replace_the_step(champion, world, now):
    services.rate_due(now=now)
    assert services.rate_due(now=now + timedelta(minutes=1)).stored == {}
    later = now + timedelta(minutes=30)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    before = selectors.newest_rating(SANDBOX)
    assert services.rate_due(now=later).stored == {"sandbox": selectors.ratings(before).count()}
    assert selectors.newest_rating(SANDBOX).as_of > before.as_of
    history = selectors.rating_history(before.team_id)
    assert len({row.step_at for row in history}) == len(history)


def test_a_new_champion_replaces_the_history(champion, make_version, now):
    services.rate_due(now=now)
    newer = make_version(2)
    services.promote(version=newer, user=None, reason="newer", now=now)
    services.rate_due(now=now)
    assert set(TeamRating.objects.values_list("version", flat=True)) == {newer.pk}


def test_a_history_has_the_newest_steps_with_a_result_and_no_more(champion, world, now, monkeypatch):
    monkeypatch.setattr(ratings, "STEPS_KEPT", 3)
    services.rate_due(now=now)
    team_id = selectors.newest_rating(SANDBOX).team_id
    before = [row.step_at for row in selectors.rating_history(team_id)]
    assert len(before) == 3
    later = now + timedelta(hours=2)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    services.rate_due(now=later)
    assert [row.step_at for row in selectors.rating_history(team_id)][:2] == before[1:]


def test_a_champion_without_these_ratings_rates_nobody(make_version, now, monkeypatch):
    monkeypatch.delitem(PARAMS["features"], "poisson_filter")
    services.promote(version=make_version(1), user=None, reason="test", now=now)
    assert services.rate_due(now=now).stored == {}
    assert selectors.newest_rating(SANDBOX) is None


def test_only_one_process_rates(champion, now):
    with locked_elsewhere(Lock.RATINGS):
        assert services.rate_due(now=now).busy
