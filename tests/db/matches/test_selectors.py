"""Reads of matches."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.matches import selectors
from apps.matches.models import Match, World
from apps.matches.records import Moment
from tests.factories import (
    KICKOFF,
    CompetitionFactory,
    FinishedMatchFactory,
    IngestFactory,
    MatchFactory,
    OddsFactory,
    RegionFactory,
    SeasonFactory,
    TeamAliasFactory,
    TeamFactory,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def simulated_season():
    region = RegionFactory(name="Norland")
    return SeasonFactory(competition=CompetitionFactory(region=region, is_simulated=True))


def test_matches_come_with_all_that_a_row_shows(django_assert_num_queries):
    season = SeasonFactory()
    first, second = (MatchFactory(season=season, kickoff_at=KICKOFF + n * DAY) for n in (0, 1))
    MatchFactory(season=simulated_season())
    with django_assert_num_queries(1):
        found = list(selectors.matches(World.REAL).order_by("kickoff_at"))
        assert found == [first, second]
        for match in found:
            assert match.season.competition.region.name
            assert match.home_team.name
            assert match.away_team.name
            assert match.stage is None


def test_form_is_seen_from_each_team_and_knows_no_later_result(django_assert_num_queries):
    team, other = TeamFactory(name="Arsenal"), TeamFactory(name="Chelsea")
    season = SeasonFactory()
    won = FinishedMatchFactory(season=season, home_team=team, kickoff_at=KICKOFF - 9 * DAY)
    lost = FinishedMatchFactory(season=season, home_team=other, away_team=team, kickoff_at=KICKOFF - 5 * DAY)
    drawn = FinishedMatchFactory(season=season, home_team=team, kickoff_at=KICKOFF - 2 * DAY, away_goals=2)
    FinishedMatchFactory(season=season, away_team=team, kickoff_at=KICKOFF)
    # Kicked off before, but the result came after.
    FinishedMatchFactory(season=season, away_team=team, kickoff_at=KICKOFF - timedelta(hours=1))
    MatchFactory(season=season, home_team=team, kickoff_at=KICKOFF - 3 * DAY, status="postponed")
    with django_assert_num_queries(1):
        found = selectors.recent_results([team.pk, other.pk], KICKOFF, 5)
    assert found == {team.pk: [drawn.pk, lost.pk, won.pk], other.pk: [lost.pk]}
    assert selectors.recent_results([team.pk], KICKOFF, 1) == {team.pk: [drawn.pk]}
    assert selectors.recent_results([], KICKOFF, 5) == {}
    form = [selectors.form_entry(match, team.pk) for match in (drawn, lost, won)]
    assert [(entry.outcome, entry.goals_for) for entry in form] == [("D", 2), ("L", 1), ("W", 2)]
    assert selectors.form_entry(lost, other.pk).opponent == team


def test_earlier_matches_are_those_that_were_known_newest_first():
    a, b = TeamFactory(short_name="A"), TeamFactory(name="Bees")
    early = FinishedMatchFactory(home_team=a, away_team=b, kickoff_at=KICKOFF - 200 * DAY, home_goals=1, away_goals=0)
    late = FinishedMatchFactory(home_team=b, away_team=a, kickoff_at=KICKOFF - 20 * DAY, home_goals=2, away_goals=2)
    other = FinishedMatchFactory(home_team=a, kickoff_at=KICKOFF - 10 * DAY, home_goals=0, away_goals=3)
    # Still played when the match begins.
    FinishedMatchFactory(away_team=a, kickoff_at=KICKOFF - DAY / 24)
    match = MatchFactory(home_team=a, away_team=b, kickoff_at=KICKOFF)
    found = selectors.earlier_matches(match, form=2, meetings=8)
    assert [(each.pk, each.outcome) for each in found.form[a.pk]] == [(other.pk, "L"), (late.pk, "D")]
    assert [(each.pk, each.outcome) for each in found.form[b.pk]] == [(late.pk, "D"), (early.pk, "L")]
    assert [(each.pk, each.outcome) for each in found.meetings] == [(late.pk, ""), (early.pk, "")]
    first = found.meetings[1]
    assert (first.home_team.display_name, first.home_goals, first.away_goals) == ("A", 1, 0)
    assert (first.away_team.display_name, first.kickoff_at) == ("Bees", early.kickoff_at)
    assert len(selectors.earlier_matches(match, form=2, meetings=1).meetings) == 1


def test_competitions_name_their_newest_season():
    competition = CompetitionFactory()
    for label in ("2022-23", "2023-24"):
        SeasonFactory(competition=competition, label=label)
    simulated_season()
    assert [(found, found.latest_season) for found in selectors.competitions(World.REAL)] == [(competition, "2023-24")]
    assert [season.label for season in selectors.seasons(competition)] == ["2023-24", "2022-23"]


def test_the_league_table_follows_the_rules_of_its_region_and_forgets_the_future():
    season = SeasonFactory(competition__region__name="Spain")
    madrid, barcelona = (TeamFactory(region=season.competition.region, name=name) for name in ("Madrid", "Barcelona"))
    third = TeamFactory(region=season.competition.region, name="Sevilla")
    for home, away, day, goals in (
        (madrid, barcelona, 1, (2, 0)),
        (barcelona, madrid, 2, (3, 3)),
        (barcelona, third, 3, (9, 0)),
        (third, madrid, 4, (1, 0)),
    ):
        FinishedMatchFactory(
            season=season, home_team=home, away_team=away, kickoff_at=KICKOFF + day * DAY,
            home_goals=goals[0], away_goals=goals[1],
        )  # fmt: skip
    MatchFactory(season=season, home_team=madrid, away_team=third, kickoff_at=KICKOFF + 5 * DAY)
    table = selectors.league_table(season)
    assert [(row.team.name, row.points, row.goal_difference) for row in table] == [
        ("Madrid", 4, 1),
        ("Barcelona", 4, 7),
        ("Sevilla", 3, -8),
    ]
    earlier = selectors.league_table(season, at=KICKOFF + 2 * DAY)
    assert [(row.team.name, row.played) for row in earlier] == [("Madrid", 1), ("Sevilla", 0), ("Barcelona", 1)]


def test_play_offs_are_not_in_the_league_table():
    season = SeasonFactory()
    league = FinishedMatchFactory(season=season)
    FinishedMatchFactory(
        season=season, home_team=league.home_team, stage=season.stages.create(name=selectors.PLAY_OFF_STAGE)
    )
    table = selectors.league_table(season)
    assert [(row.team, row.played) for row in table] == [(league.home_team, 1), (league.away_team, 1)]


def test_teams_are_found_by_parts_of_names_without_accents_and_by_names_in_sources():
    malaga = TeamFactory(name="Málaga", slug="malaga")
    athletic = TeamFactory(name="Ath Bilbao", slug="ath-bilbao")
    TeamAliasFactory(team=athletic, name="Athletic Club", source="openfootball")
    assert selectors.search_teams("malaga") == [malaga]
    assert selectors.search_teams("MÁLAGA") == [malaga]
    assert selectors.search_teams("athletic cl") == [athletic]
    assert selectors.search_teams("ath") == [athletic]
    assert selectors.search_teams("  ") == []
    assert selectors.search_teams("%") == []
    assert selectors.search_teams("\x00") == []


def test_names_that_begin_with_the_text_come_first():
    names = ["Real Avila", "Avila", "Deportivo Avila"]
    for name in names:
        TeamFactory(name=name, slug=name.lower().replace(" ", "-"))
    assert [team.name for team in selectors.search_teams("avi")] == ["Avila", "Deportivo Avila", "Real Avila"]


def test_a_name_that_begins_with_the_text_comes_first_however_many_hold_it():
    for n in range(21):
        TeamFactory(name=f"Atletico Avila {n:02}", slug=f"atletico-avila-{n:02}")
    TeamFactory(name="Avila", slug="club-avila")
    assert [team.name for team in selectors.search_teams("avila", limit=2)] == ["Avila", "Atletico Avila 00"]


def test_teams_of_the_other_world_are_not_found():
    season = simulated_season()
    TeamFactory(name="Avila Norland", region=season.competition.region)
    CompetitionFactory()
    real = TeamFactory(name="Avila")
    assert selectors.search_teams("avila", World.REAL) == [real]


def test_the_market_is_the_best_closing_price_and_never_the_truth():
    a, b, c, d = (MatchFactory() for _ in range(4))
    OddsFactory(match=a, bookmaker="B365", moment=Moment.CLOSING)
    OddsFactory(match=a, bookmaker="PS", moment=Moment.OPENING)
    OddsFactory(match=a, bookmaker="Avg", moment=Moment.CLOSING, home=2.2)
    OddsFactory(match=b, bookmaker="TRUE", moment=Moment.CLOSING)
    OddsFactory(match=b, bookmaker="WH", moment=Moment.OPENING)
    OddsFactory(match=c, bookmaker="PS", moment=Moment.CLOSING, draw=None)
    OddsFactory(match=c, bookmaker="PS", moment=Moment.OPENING, draw=3.1)
    OddsFactory(match=d, bookmaker="TRUE", moment=Moment.CLOSING)
    prices = selectors.odds_of([a.pk, b.pk, c.pk, d.pk])
    assert {match: (price.bookmaker, price.moment) for match, price in prices.items()} == {
        a.pk: ("Avg", "closing"),
        b.pk: ("WH", "opening"),
        c.pk: ("PS", "opening"),
    }
    assert (prices[a.pk].home, prices[c.pk].draw) == (2.2, 3.1)
    assert selectors.odds_of([]) == {}


def test_the_data_snapshot_is_the_newest_finished_ingest_that_changed_a_fact():
    counted = IngestFactory()
    IngestFactory(changed_facts=False)
    IngestFactory(finished_at=None)
    IngestFactory(world=World.SANDBOX)
    assert selectors.data_snapshot(World.REAL) == counted.pk


def test_matches_of_a_season():
    match = MatchFactory()
    away = MatchFactory(away_team=match.home_team, kickoff_at=KICKOFF + DAY, season=match.season)
    Match.objects.exclude(pk__in=[match.pk, away.pk]).delete()
    assert list(selectors.season_matches(match.season)) == [match, away]


def test_few_rows_are_counted_and_many_are_estimated(monkeypatch):
    for _ in range(3):
        MatchFactory()
    assert str(selectors.amount(Match.objects.all())) == "3"
    assert not selectors.amount(Match.objects.none())
    monkeypatch.setattr("apps.matches.selectors.counts.COUNTED", 2)
    many = selectors.amount(Match.objects.all())
    assert many.n >= 3
    assert str(many).startswith("about ")
