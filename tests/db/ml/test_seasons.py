"""How seasons may end: simulated when facts changed; and matches that nobody plays, forecast all the same."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import numpy as np
import pytest
from django.urls import reverse

from apps.matches import selectors as match_selectors
from apps.matches.ingest import ingest
from apps.matches.models import Match, Season, World
from apps.matches.services import record_adjustment
from apps.ml import dataset, selectors, services, serving
from apps.ml.forecasting import season as season_simulation
from apps.ml.forecasting.features import events
from apps.ml.models import SeasonForecast, SeasonInputs, Stakes
from apps.ml.services.stakes import AHEAD, AT_MOST


@pytest.fixture
def champion(make_version, now):
    version = make_version(1)
    services.promote(version=version, user=None, reason="test", now=now)
    return version


@pytest.fixture
def simulated(champion, now):
    return services.simulate_due(now=now)


def test_every_running_league_season_is_simulated_once_for_a_data_snapshot(simulated, champion, now):
    assert simulated.simulated == simulated.considered == {"sandbox": 4}
    assert services.simulate_due(now=now + timedelta(hours=1)).simulated == {"sandbox": 0}
    for row in SeasonForecast.objects.select_related("season"):
        # Twelve clubs meet at home and away: 132 matches.
        assert (row.played + row.remaining, row.undated, row.is_whole) == (132, 0, True)
        assert (row.version_id, row.as_of, row.simulations) == (champion.pk, now, 10_000)
        coming = Match.objects.filter(season=row.season, home_goals=None)
        assert row.remaining == coming.count()


def test_the_forecast_of_a_season_agrees_with_its_table_and_with_itself(simulated):
    for row in SeasonForecast.objects.select_related("season__competition__region"):
        table = {line.team.pk: line.points for line in match_selectors.league_table(row.season)}
        clubs = row.table["clubs"]
        assert {club["team"]: club["points"] for club in clubs} == table
        assert [club["expected"] for club in clubs] == sorted((club["expected"] for club in clubs), reverse=True)
        places = np.array([club["places"] for club in clubs])
        assert places.sum(axis=0) == pytest.approx(np.ones(12), abs=1e-3)
        assert places.sum(axis=1) == pytest.approx(np.ones(12), abs=1e-3)
        for club in clubs:
            assert club["points"] <= club["low"] <= club["expected"] <= club["high"]
            for line in row.table["lines"]:
                own = club["places"][-line["places"] :] if line["from_end"] else club["places"][: line["places"]]
                assert club["chances"][line["name"]] == pytest.approx(sum(own), abs=1e-3)


def test_the_next_matches_have_stakes_that_agree_with_the_season(simulated, now):
    coming = Match.objects.filter(status="scheduled", kickoff_at__gt=now, kickoff_at__lte=now + AHEAD)
    coming = coming.filter(season__forecasts__isnull=False).order_by("kickoff_at", "id")
    by_season = groupby(sorted(coming, key=lambda match: match.season_id), key=lambda match: match.season_id)
    rows = list(Stakes.objects.select_related("match"))
    assert rows
    next_ones = (match.pk for _, matches in by_season for match in list(matches)[:AT_MOST])
    assert {row.match_id for row in rows} == set(next_ones)
    tables = {
        row.season_id: {club["team"]: club for club in row.table["clubs"]} for row in SeasonForecast.objects.all()
    }
    for row in rows:
        assert (row.as_of, row.simulations) == (now, 10_000)
        teams = {"home": row.match.home_team_id, "away": row.match.away_team_id}
        for each in row.chances:
            known = [chance for chance in each["given"] if chance is not None]
            assert min(known) - 0.001 <= each["before"] <= max(known) + 0.001
            club = tables[row.match.season_id][teams[each["side"]]]
            assert each["before"] == pytest.approx(club["chances"][each["name"]], abs=1e-3)


def test_new_results_are_simulated_at_most_every_ten_minutes_and_a_round_keeps_its_latest(simulated, world, now):
    soon, later = now + timedelta(minutes=8), now + timedelta(minutes=11)
    for moment in (soon, later):
        ingest(world.records(moment, since=now - timedelta(minutes=5)), source="sandbox", now=moment)
    assert services.simulate_due(now=soon).simulated == {"sandbox": 0}
    assert services.simulate_due(now=later).simulated == {"sandbox": 4}
    # Six matches are a round; the one that ends it belongs to it.
    rounds = Counter((row.season_id, -(-row.played // 6)) for row in SeasonForecast.objects.all())
    assert set(rounds.values()) == {1}
    season = Season.objects.filter(forecasts__isnull=False).first()
    assert selectors.season_forecast(season).as_of == later


def test_a_simulation_of_an_earlier_round_stays_without_its_inputs(simulated, world, now):
    season = Season.objects.filter(forecasts__isnull=False).order_by("pk").first()
    first = season.forecasts.get()
    # A round later.
    SeasonForecast.objects.filter(pk=first.pk).update(
        played=first.played - 6, data_snapshot=0, as_of=now - timedelta(hours=1)
    )
    services.simulate_due(now=now)
    assert season.forecasts.count() == 2
    assert SeasonInputs.objects.get(forecast__season=season).forecast == selectors.season_forecast(season)


def test_a_simulation_of_an_older_release_without_inputs_is_repeated(simulated, now):
    SeasonInputs.objects.all().delete()
    assert services.simulate_due(now=now + timedelta(minutes=1)).simulated == {"sandbox": 4}


class TestGivenResults:
    @pytest.fixture
    def forecast(self, simulated):
        return selectors.season_forecast(Season.objects.filter(forecasts__isnull=False).order_by("pk").first())

    def test_matches_left_are_those_without_a_result_with_their_probabilities(self, forecast):
        left = services.matches_left(forecast)
        open_matches = Match.objects.filter(season=forecast.season, home_goals=None)
        assert set(left) == set(open_matches.values_list("pk", flat=True))
        assert all(sum(p) == pytest.approx(1.0, abs=1e-5) for p in left.values())

    def test_no_given_result_changes_nothing(self, forecast):
        for club, before in zip(services.season_given(forecast, {}), forecast.table["clubs"], strict=True):
            assert club["expected"] == before["expected"]
            assert club["places"] == before["places"]
            assert club["chances"] == pytest.approx(before["chances"], abs=1e-3)

    def test_a_win_that_is_given_raises_its_winner_and_nobody_leaves_the_table(self, forecast):
        match, (home_wins, _, _) = next(iter(services.matches_left(forecast).items()))
        winner = Match.objects.get(pk=match).home_team_id
        before = {club["team"]: club for club in forecast.table["clubs"]}
        after = {club["team"]: club for club in services.season_given(forecast, {match: 0})}
        assert list(after) == list(before)
        gained = after[winner]["expected"] - before[winner]["expected"]
        assert 3 * (1 - home_wins) - 1 < gained < 3
        assert after[winner]["chances"]["title"] >= before[winner]["chances"]["title"] - 1e-3
        titles = sum(club["chances"]["title"] for club in after.values())
        assert titles == pytest.approx(1.0, abs=0.01)

    def test_equal_results_give_equal_ends_and_a_process_simulates_them_once(self, forecast, django_assert_num_queries):
        left = list(services.matches_left(forecast))
        first = services.season_given(forecast, {left[0]: 2, left[1]: 1})
        with django_assert_num_queries(0):
            assert services.season_given(forecast, {left[1]: 1, left[0]: 2}) == first

    def test_a_simulation_that_was_replaced_has_no_matches_left(self, forecast):
        SeasonInputs.objects.all().delete()
        assert services.matches_left(forecast) == {}


def test_a_new_champion_simulates_at_once(simulated, make_version, now):
    services.promote(version=make_version(2), user=None, reason="newer", now=now)
    assert services.simulate_due(now=now + timedelta(minutes=1)).simulated == {"sandbox": 4}


def test_a_champion_that_comes_back_simulates_again_though_no_fact_changed(simulated, champion, make_version, now):
    SeasonForecast.objects.update(as_of=now - timedelta(days=1))
    services.promote(version=make_version(2), user=None, reason="newer", now=now)
    services.simulate_due(now=now)
    services.rollback(world=World.SANDBOX, user=None, reason="worse", now=now)
    later = now + timedelta(minutes=1)
    assert services.simulate_due(now=later).simulated == {"sandbox": 4}
    for season in Season.objects.filter(forecasts__isnull=False).distinct():
        shown = selectors.season_forecast(season)
        assert (shown.version_id, shown.as_of) == (champion.pk, later)
        assert season.forecasts.filter(version=champion).count() == 1


def test_points_that_were_taken_and_verdicts_count_in_the_end_of_a_season(simulated, now):
    row = SeasonForecast.objects.select_related("season").first()
    first, second = row.table["clubs"][0], row.table["clubs"][-1]
    record_adjustment(
        season_id=row.season_id, team_id=first["team"], points=-12, decided_on=now.date(), reason="r", source="s",
        by="ann", now=now,
    )  # fmt: skip
    played = Match.objects.filter(season=row.season, home_goals__isnull=False).exclude(home_team=first["team"])
    won = played.filter(away_team=second["team"]).first()
    Match.objects.filter(pk=won.pk).update(status="awarded", home_goals=0, away_goals=3)
    services.simulate_due(now=now + timedelta(hours=1))
    after = selectors.season_forecast(row.season)
    clubs = {club["team"]: club for club in after.table["clubs"]}
    assert clubs[first["team"]]["points"] == first["points"] - 12
    assert clubs[first["team"]]["expected"] == pytest.approx(first["expected"] - 12, abs=2)
    assert after.played + after.remaining == 132
    table = {line.team.pk: line.points for line in match_selectors.league_table(row.season)}
    assert {team: club["points"] for team, club in clubs.items()} == table


def test_without_a_champion_or_with_a_broken_one_nothing_is_simulated(stored, make_version, now):
    assert services.simulate_due(now=now).simulated == {}
    services.promote(version=make_version(1, broken=True), user=None, reason="first", now=now)
    assert services.simulate_due(now=now).simulated == {}
    assert not SeasonForecast.objects.exists()


def test_a_season_that_cannot_be_simulated_stops_no_other(champion, now, monkeypatch, caplog):
    simulate, faults = season_simulation.simulate, [ValueError("no such table")]

    def failing_once(**given):
        if faults:
            raise faults.pop()
        return simulate(**given)

    monkeypatch.setattr(season_simulation, "simulate", failing_once)
    report = services.simulate_due(now=now)
    assert report.simulated["sandbox"] == SeasonForecast.objects.count() == report.considered["sandbox"] - 1 > 0
    assert "no such table" in caplog.text
    services.simulate_due(now=now)
    assert SeasonForecast.objects.count() == report.considered["sandbox"]


def running_season(now) -> Season:
    return Season.objects.filter(matches__status="scheduled", matches__kickoff_at__gt=now).order_by("pk").first()


def test_matches_that_no_source_has_listed_are_made_up_where_everybody_meets_once_at_home(champion, now):
    season = running_season(now)
    # The sources list no more than the next ten matches.
    coming = Match.objects.filter(season=season, status="scheduled").order_by("kickoff_at", "id")
    Match.objects.filter(pk__in=list(coming.values_list("pk", flat=True)[10:])).delete()
    services.simulate_due(now=now)
    row = selectors.season_forecast(season)
    assert row.played + row.remaining == 132
    assert row.remaining - row.undated == Match.objects.filter(season=season, home_goals=None).count()
    assert row.undated > 50
    assert row.is_whole


def test_a_season_whose_end_is_unknown_says_so(champion, now):
    season = running_season(now)
    Match.objects.filter(season__competition=season.competition).exclude(season=season).delete()
    coming = Match.objects.filter(season=season, status="scheduled").order_by("kickoff_at", "id")
    Match.objects.filter(pk__in=list(coming.values_list("pk", flat=True)[10:])).delete()
    services.simulate_due(now=now)
    row = selectors.season_forecast(season)
    assert (row.undated, row.is_whole) == (0, False)


def test_a_postponed_match_is_still_to_be_played_and_a_cancelled_one_is_not(champion, now):
    season = running_season(now)
    first, second = Match.objects.filter(season=season, status="scheduled").order_by("-kickoff_at")[:2]
    Match.objects.filter(pk=first.pk).update(status="postponed")
    Match.objects.filter(pk=second.pk).update(status="cancelled")
    Match.objects.filter(season__competition=season.competition).exclude(season=season).delete()
    services.simulate_due(now=now)
    row = selectors.season_forecast(season)
    assert (row.played + row.remaining, row.is_whole) == (131, False)


def test_a_match_that_was_called_off_or_awarded_is_not_made_up_as_one_that_nobody_has_listed(champion, now):
    season = running_season(now)
    first, second = Match.objects.filter(season=season, status="scheduled").order_by("-kickoff_at")[:2]
    Match.objects.filter(pk=first.pk).update(status="cancelled")
    Match.objects.filter(pk=second.pk).update(status="awarded")
    services.simulate_due(now=now)
    row = selectors.season_forecast(season)
    assert (row.played + row.remaining, row.undated, row.is_whole) == (130, 0, True)


def test_a_season_as_long_as_the_one_before_is_whole_however_often_pairs_meet(champion, now):
    season = running_season(now)
    first = Match.objects.filter(season=season, status="scheduled").order_by("-kickoff_at").first()
    # As after a split in spring: one pair meets once more, another once less.
    other = Match.objects.filter(season=season).exclude(home_team=first.home_team).order_by("kickoff_at").first()
    Match.objects.filter(pk=first.pk).update(home_team=other.home_team, away_team=other.away_team, occurrence=2)
    services.simulate_due(now=now)
    row = selectors.season_forecast(season)
    assert (row.played + row.remaining, row.undated, row.is_whole) == (132, 0, True)


class TestWhatIf:
    def test_an_imagined_match_is_forecast_as_the_stored_one_of_the_same_moment(self, champion, now):
        stored = Match.objects.filter(status="scheduled").select_related(
            "season__competition__region", "home_team", "away_team"
        )
        match = stored.order_by("-kickoff_at", "id").first()
        imagined = services.hypothetical_match(
            home_team=match.home_team,
            away_team=match.away_team,
            season=match.season,
            day=(now + timedelta(days=3)).date(),
            now=now,
        )
        Match.objects.filter(pk=match.pk).update(kickoff_at=imagined.kickoff_at)
        asked, alike = services.what_if(imagined, now=now), services.forecast(match.pk, now=now)
        assert (asked.p_home, asked.p_draw, asked.p_away) == (alike.p_home, alike.p_draw, alike.p_away)
        assert asked.contributions == alike.contributions
        assert (asked.match_id, asked.published_at) == (None, None)

    def test_its_row_has_the_columns_and_types_of_a_stored_fixture(self, champion, now):
        match = match_selectors.matches().filter(status="scheduled").order_by("pk").first()
        frame, stored = dataset.hypothetical_fixtures([match]), dataset.fixtures([match.pk])
        assert frame.dtypes.to_dict() == stored.dtypes.to_dict()
        for name in set(stored.columns) - {"match_id"}:
            assert frame[name].equals(stored[name]), name

    def test_its_row_is_the_one_that_a_frame_gives_to_the_last_bit(self, champion, now):
        match = match_selectors.matches().filter(status="scheduled").order_by("pk").first()
        frame = dataset.hypothetical_fixtures([match]).assign(as_of=now)
        row, of_frame = dataset.hypothetical_row(match, as_of=now), events.fixture_rows(frame)
        assert (row.region.tolist(), row.competition.tolist()) == (
            of_frame.region.tolist(),
            of_frame.competition.tolist(),
        )
        for name in row.events.dtype.names:
            assert np.array_equal(row.events[name], of_frame.events[name], equal_nan=True), name
        served = serving.current(World.SANDBOX, now=now)
        assert served.state.describe(row).tobytes() == served.state.describe(frame).tobytes()

    def test_nothing_is_kept_and_the_state_stays_as_it_was(self, champion, now):
        match = match_selectors.matches().filter(status="scheduled").order_by("pk").first()
        before = serving.current(World.SANDBOX, now=now).state.to_bytes()
        count = Match.objects.count()
        imagined = services.hypothetical_match(
            home_team=match.away_team,
            away_team=match.home_team,
            season=match.season,
            day=(now + timedelta(days=200)).date(),
            is_neutral=True,
            now=now,
        )
        services.what_if(imagined, now=now)
        assert serving.current(World.SANDBOX, now=now).state.to_bytes() == before
        assert Match.objects.count() == count

    @pytest.mark.parametrize(("days", "kind"), [(-1, "past"), (366, "too-far")])
    def test_a_day_that_is_over_or_far_away_is_refused(self, stored, now, days, kind):
        match = match_selectors.matches().order_by("pk").first()
        with pytest.raises(services.WhatIfRefusedError) as refused:
            services.hypothetical_match(
                home_team=match.home_team,
                away_team=match.away_team,
                season=match.season,
                day=(now + timedelta(days=days)).date(),
                now=now,
            )
        assert refused.value.kind == kind

    def test_a_team_cannot_meet_itself(self, stored, now):
        match = match_selectors.matches().order_by("pk").first()
        with pytest.raises(services.WhatIfRefusedError, match="cannot meet itself"):
            services.hypothetical_match(
                home_team=match.home_team, away_team=match.home_team, season=match.season, day=now.date(), now=now
            )

    def test_a_match_of_today_begins_in_the_future(self, stored):
        match = match_selectors.matches().order_by("pk").first()
        evening = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)
        imagined = services.hypothetical_match(
            home_team=match.home_team,
            away_team=match.away_team,
            season=match.season,
            day=evening.date(),
            now=evening,
        )
        assert imagined.kickoff_at == evening + timedelta(hours=1)

    @pytest.mark.parametrize(
        ("now", "day"),
        [
            (datetime(2026, 11, 24, 19, tzinfo=UTC), date(2026, 11, 28)),  # a Tuesday
            (datetime(2026, 11, 28, 14, tzinfo=UTC), date(2026, 11, 28)),
            (datetime(2026, 11, 28, 15, tzinfo=UTC), date(2026, 12, 5)),
            (datetime(2026, 11, 29, 9, tzinfo=UTC), date(2026, 12, 5)),
        ],
    )
    def test_the_usual_day_is_the_next_saturday(self, now, day):
        assert services.next_saturday(now) == day

    def test_without_a_champion_there_is_no_answer(self, stored, now):
        match = match_selectors.matches().order_by("pk").first()
        imagined = services.hypothetical_match(
            home_team=match.home_team, away_team=match.away_team, season=match.season, day=now.date(), now=now
        )
        with pytest.raises(services.NoForecastError, match="No model makes forecasts"):
            services.what_if(imagined, now=now)


def test_the_admin_lists_what_was_simulated(admin, simulated):
    row = SeasonForecast.objects.order_by("pk").first()
    assert str(row.season) in admin.get(reverse("admin:ml_seasonforecast_changelist")).content.decode()
    assert "10000" in admin.get(reverse("admin:ml_seasonforecast_change", args=[row.pk])).content.decode()
