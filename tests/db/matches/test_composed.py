"""Queries whose SQL is composed once find what the querysets find that they were composed of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext

from apps.matches.composed import composed_once
from apps.matches.models import Match, Season, Team, World
from tests.factories import KICKOFF, MatchFactory, SeasonFactory, TeamFactory

pytestmark = pytest.mark.django_db


@composed_once
def latest_of(team_ids: list[int], world: World, limit: int) -> QuerySet[Match]:
    found = Match.objects.filter(home_team__in=team_ids, world=world).select_related("home_team")
    return found.order_by("-kickoff_at", "-id")[:limit]


@composed_once
def named(name: str) -> QuerySet[Team, tuple[int, str]]:
    return Team.objects.exclude(name="100 % other").filter(name=name).values_list("pk", "name")


@pytest.fixture
def found() -> list[Match]:
    season = SeasonFactory()
    clubs = [TeamFactory(name=f"Club {n}") for n in range(4)]
    return [
        MatchFactory(
            season=season, home_team=clubs[n], away_team=clubs[(n + 1) % 4], kickoff_at=KICKOFF + timedelta(days=n)
        )
        for n in range(4)
    ]


def test_the_rows_are_those_of_the_queryset(found):
    clubs = [match.home_team_id for match in found]
    for asked in ((clubs, World.REAL, 2), (clubs[:1], World.REAL, 9), (clubs, World.SANDBOX, 9), ([], World.REAL, 9)):
        assert latest_of(*asked) == list(latest_of.uncomposed(*asked))
    assert len(latest_of(clubs, World.REAL, 3)) == 3


def test_objects_come_with_what_they_were_selected_with(found):
    with CaptureQueriesContext(connection) as queries:
        rows = latest_of([match.home_team_id for match in found], World.REAL, 9)
        assert [row.home_team.name for row in rows] == ["Club 3", "Club 2", "Club 1", "Club 0"]
    assert len(queries) == 1


def test_what_changes_is_found_by_the_next_call(found):
    club = found[0].home_team
    assert latest_of([club.pk], World.REAL, 9) == [found[0]]
    found[1].home_team = club
    found[1].save(update_fields=["home_team"])
    assert latest_of([club.pk], World.REAL, 9) == [found[1], found[0]]


def test_texts_are_values_whatever_is_in_them(found):
    Team.objects.filter(pk=found[0].home_team_id).update(name="100 % 'Club'")
    assert named("100 % 'Club'") == [(found[0].home_team_id, "100 % 'Club'")]
    assert named("100 % other") == []
    assert named.first("Club 1") == (found[1].home_team_id, "Club 1")
    assert named.first("nobody") is None


def test_an_argument_that_the_statement_does_not_compare_with_is_refused():
    @composed_once
    def all_seasons(label: str) -> QuerySet[Season]:
        return Season.objects.filter(label="2024-25" if label else "")

    with pytest.raises(TypeError, match="does not compare with label"):
        all_seasons("2024-25")


def test_an_argument_that_is_computed_with_is_refused():
    @composed_once
    def later(number: int) -> QuerySet[Season]:
        return Season.objects.filter(pk__in=[number, number + 1])

    with pytest.raises(TypeError, match="computed from an argument"):
        later(1)


def test_a_list_is_refused_where_it_is_not_searched_in():
    @composed_once
    def raw(numbers: list[int]) -> QuerySet[Season]:
        return Season.objects.filter(pk__in=RawSQL("SELECT id FROM matches_season WHERE id = %s", [numbers[0]]))

    with pytest.raises(TypeError, match="a list is no argument"):
        raw([1])


def test_none_is_refused(found):
    with pytest.raises(TypeError, match="None"):
        named(None)


def test_rows_that_need_a_second_statement_are_refused():
    @composed_once
    def prefetched(label: str) -> QuerySet[Season]:
        return Season.objects.filter(label=label).prefetch_related("matches")

    with pytest.raises(TypeError, match="more than one statement"):
        prefetched("2024-25")


def test_a_kind_that_has_no_mark_is_refused():
    @composed_once
    def flagged(is_neutral: bool) -> QuerySet[Match]:
        return Match.objects.filter(is_neutral=is_neutral, home_goals=F("away_goals"))

    with pytest.raises(TypeError, match="cannot be marked"):
        flagged(True)
