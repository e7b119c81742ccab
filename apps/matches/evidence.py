"""Whether the results of two teams are those of one club."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.db import connection

from apps.matches.club_names import BareName, bare, one_in_other, same_but_for_form
from apps.matches.records import MatchStatus

Pair = tuple[int, int]
"""Two teams."""

SAME_RESULTS: Final = 3
"""Matches on the same days with the same results from which on chance is ruled out."""


class Played(NamedTuple):
    """A result as one of its teams saw it; the opponent by all that it is known by, such as number and name."""

    day: int
    is_home: bool
    opponent: frozenset[int | BareName]
    goals: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the results of two teams in the seasons of both tell of them.

    Parameters
    ----------
    agreeing : int
        Matches at the same ground with the same result, at most one day apart.
    proving : int
        Of the agreeing, those against the same opponent, who plays once a day.
    differing : int
        Matches of one day with different results or grounds.
    """

    agreeing: int = 0
    proving: int = 0
    differing: int = 0

    def proves(self, one: str, other: str) -> bool:
        """Whether two names, of which the results are, mean one club.

        Names that are the same but for legal form, year, punctuation and accents need little proof. Where one is only
        contained in the other, the same opponents are needed too.
        """
        if same_but_for_form(one, other):
            is_enough = self.proving > 0 or self.agreeing >= SAME_RESULTS
            return is_enough and self.differing <= self.agreeing // 4
        return one_in_other(one, other) and self.proving >= SAME_RESULTS and self.differing <= self.agreeing // 10


def compare(seasons: Iterable[tuple[Iterable[Played], Iterable[Played]]]) -> Evidence:
    """Return what the results of two teams tell, given season by season."""
    agreeing = proving = differing = 0
    for ours, theirs in seasons:
        by_day = {played.day: played for played in theirs}
        for played in ours:
            near = [by_day[day] for day in (played.day, played.day - 1, played.day + 1) if day in by_day]
            same = [other for other in near if (other.is_home, other.goals) == (played.is_home, played.goals)]
            if same:
                agreeing += 1
                proving += any(other.opponent & played.opponent for other in same)
            elif near and near[0].day == played.day:
                differing += 1
    return Evidence(agreeing, proving, differing)


class TeamSeason(NamedTuple):
    """A season that a team plays in."""

    region: str
    competition: str
    level: int
    label: str


@dataclass(frozen=True, slots=True)
class Results:
    """Results of teams, and the sources that reported them, by team and season."""

    played: Mapping[tuple[int, int], list[Played]]
    sources: Mapping[tuple[int, int], set[str]]
    common: Mapping[tuple[int, int], Collection[int]]

    def compare(self, one: int, other: int) -> Evidence:
        """Return what the results of two teams in their common seasons tell."""
        seasons = self.common[one, other]
        return compare((self.played[one, season_id], self.played[other, season_id]) for season_id in seasons)

    def share_source(self, one: int, other: int) -> bool:
        """Whether one source reported results of both in one season."""
        seasons = self.common[one, other]
        return any(self.sources[one, season_id] & self.sources[other, season_id] for season_id in seasons)


def load_common_results(pairs: Iterable[Pair], seasons: Mapping[int, Mapping[int, TeamSeason]]) -> Results:
    """Return the results of pairs of teams in the seasons that both play in."""
    common = {(one, other): seasons[one].keys() & seasons[other].keys() for one, other in pairs}
    team_ids = {team_id for pair, found in common.items() if found for team_id in pair}
    played, sources = load_results(team_ids, {season_id for found in common.values() for season_id in found})
    return Results(played, sources, common)


def load_seasons(team_ids: Iterable[int]) -> Mapping[int, Mapping[int, TeamSeason]]:
    """Return for each team its seasons, by number."""
    seasons: dict[int, dict[int, TeamSeason]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.team_id, s.id, r.name, c.name, c.level, s.label FROM (
                SELECT u.team_id, m.season_id FROM unnest(%s::bigint[]) AS u (team_id)
                JOIN matches_match m ON m.home_team_id = u.team_id
                UNION
                SELECT u.team_id, m.season_id FROM unnest(%s::bigint[]) AS u (team_id)
                JOIN matches_match m ON m.away_team_id = u.team_id
            ) t JOIN matches_season s ON s.id = t.season_id JOIN matches_competition c ON c.id = s.competition_id
            JOIN matches_region r ON r.id = c.region_id
            """,
            [list(team_ids)] * 2,
        )
        for team_id, season_id, *season in cursor.fetchall():
            seasons[team_id][season_id] = TeamSeason(*season)
    return seasons


def pairs_that_met(pairs: Collection[Pair]) -> set[Pair]:
    """Return the pairs of teams that played each other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH p AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS t (one, other)) "
            "SELECT p.one, p.other FROM p JOIN matches_match m ON m.home_team_id = p.one AND m.away_team_id = p.other "
            "UNION "
            "SELECT p.one, p.other FROM p JOIN matches_match m ON m.home_team_id = p.other AND m.away_team_id = p.one",
            [[one for one, _ in pairs], [other for _, other in pairs]],
        )
        return set(cursor.fetchall())


def load_results(
    team_ids: Iterable[int], season_ids: Iterable[int]
) -> tuple[dict[tuple[int, int], list[Played]], dict[tuple[int, int], set[str]]]:
    """Return the stored results of some teams in some seasons, and their sources, by team and season."""
    wanted, seasons = set(team_ids), list(season_ids)
    played: dict[tuple[int, int], list[Played]] = defaultdict(list)
    sources: dict[tuple[int, int], set[str]] = defaultdict(set)
    if not wanted or not seasons:
        return played, sources
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.season_id, m.home_team_id, m.away_team_id, h.name, a.name, m.kickoff_at, m.home_goals, "
            "m.away_goals, m.result_source FROM matches_match m JOIN matches_team h ON h.id = m.home_team_id "
            "JOIN matches_team a ON a.id = m.away_team_id WHERE m.season_id = ANY(%s) AND m.status = %s "
            "AND (m.home_team_id = ANY(%s) OR m.away_team_id = ANY(%s))",
            [seasons, MatchStatus.FINISHED, list(wanted), list(wanted)],
        )
        for season_id, home_id, away_id, home, away, kickoff_at, home_goals, away_goals, source in cursor.fetchall():
            day = kickoff_at.toordinal()
            for team_id, is_home, opponent, goals in (
                (home_id, True, known_by(away_id, away), (home_goals, away_goals)),
                (away_id, False, known_by(home_id, home), (away_goals, home_goals)),
            ):
                if team_id in wanted:
                    played[team_id, season_id].append(Played(day, is_home, opponent, goals))
                    sources[team_id, season_id].add(source)
    return played, sources


def known_by(team_id: int | None, *names: str) -> frozenset[int | BareName]:
    """Return what an opponent is known by: its number, if it has one, and its names."""
    return frozenset(map(bare, names)) | ({team_id} if team_id is not None else frozenset())
