"""Rows for tests. Everything has a sensible default; a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import factory
from factory.django import DjangoModelFactory

from apps.matches.models import (
    Competition,
    Contradiction,
    Ingest,
    Match,
    MatchStats,
    Odds,
    Region,
    Season,
    Team,
    TeamAlias,
    World,
)
from apps.matches.records import KickoffPrecision, Moment, result_known_at
from apps.matches.trust import DecisionReason

KICKOFF = datetime(2024, 3, 2, 15, 0, tzinfo=UTC)
"""A Saturday afternoon."""


class RegionFactory(DjangoModelFactory):
    class Meta:
        model = Region
        django_get_or_create = ("name",)

    name = "England"


class CompetitionFactory(DjangoModelFactory):
    class Meta:
        model = Competition

    region = factory.SubFactory(RegionFactory)
    name = factory.Sequence(lambda n: f"League {n}")
    slug = factory.Sequence(lambda n: f"league-{n}")
    level = 1
    is_simulated = False


class SeasonFactory(DjangoModelFactory):
    class Meta:
        model = Season

    competition = factory.SubFactory(CompetitionFactory)
    label = "2023-24"


class TeamFactory(DjangoModelFactory):
    class Meta:
        model = Team

    region = factory.SubFactory(RegionFactory)
    name = factory.Sequence(lambda n: f"Team {n}")
    slug = factory.Sequence(lambda n: f"team-{n}")


class TeamAliasFactory(DjangoModelFactory):
    class Meta:
        model = TeamAlias

    source = "football-data"
    region = factory.SelfAttribute("team.region")
    name = factory.SelfAttribute("team.name")
    team = factory.SubFactory(TeamFactory)
    created_at = KICKOFF


class IngestFactory(DjangoModelFactory):
    class Meta:
        model = Ingest

    world = World.REAL
    source = "football-data"
    started_at = KICKOFF
    finished_at = KICKOFF + timedelta(seconds=1)
    changed_facts = True


class MatchFactory(DjangoModelFactory):
    """A fixture; `FinishedMatchFactory` has a result."""

    class Meta:
        model = Match

    season = factory.SubFactory(SeasonFactory)
    home_team = factory.SubFactory(TeamFactory)
    away_team = factory.SubFactory(TeamFactory)
    kickoff_at = KICKOFF
    result_source = "football-data"
    ingest = factory.SubFactory(IngestFactory)
    created_at = KICKOFF
    updated_at = KICKOFF


class FinishedMatchFactory(MatchFactory):
    status = Match.Status.FINISHED
    home_goals = 2
    away_goals = 1
    revision = 1
    known_at = factory.LazyAttribute(
        lambda match: result_known_at(match.kickoff_at, KickoffPrecision.MINUTE, getattr(match, "finished_at", None))
    )


class MatchStatsFactory(DjangoModelFactory):
    class Meta:
        model = MatchStats

    match = factory.SubFactory(FinishedMatchFactory)
    home_shots = 12
    away_shots = 9


class OddsFactory(DjangoModelFactory):
    class Meta:
        model = Odds

    match = factory.SubFactory(MatchFactory)
    bookmaker = "PS"
    moment = Moment.CLOSING
    home = 2.0
    draw = 3.5
    away = 4.0


class ContradictionFactory(DjangoModelFactory):
    """openfootball reports 2–0 for a match that football-data has as 2–1."""

    class Meta:
        model = Contradiction

    match = factory.SubFactory(FinishedMatchFactory)
    source = "openfootball"
    status = Match.Status.FINISHED
    home_goals = 2
    away_goals = 0
    standing_source = "football-data"
    standing_status = Match.Status.FINISHED
    standing_home_goals = 2
    standing_away_goals = 1
    decided_by = DecisionReason.TRUST
    first_seen_at = KICKOFF
    seen_at = KICKOFF
    ingest = factory.SelfAttribute("match.ingest")
