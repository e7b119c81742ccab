"""Earlier results: the form of teams, and their meetings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from apps.matches.models import Match, Team
from apps.matches.replicas import reading


@dataclass(frozen=True, slots=True)
class FormEntry:
    """A finished match as one of its teams saw it."""

    match: Match
    is_home: bool
    goals_for: int
    goals_against: int

    @property
    def outcome(self) -> str:
        """W, D or L."""
        if self.goals_for == self.goals_against:
            return "D"
        return "W" if self.goals_for > self.goals_against else "L"

    @property
    def opponent(self) -> Team:
        """The team on the other side."""
        return self.match.away_team if self.is_home else self.match.home_team


def form_entry(match: Match, team_id: int) -> FormEntry:
    """Return a finished match as one of its teams saw it."""
    is_home = match.home_team_id == team_id
    goals: Sequence[int | None] = (match.home_goals, match.away_goals)
    ours, theirs = goals if is_home else (goals[1], goals[0])
    assert ours is not None
    assert theirs is not None
    return FormEntry(match, is_home, ours, theirs)


def recent_results(team_ids: Iterable[int], before: datetime, limit: int) -> dict[int, list[int]]:
    """Return the ids of the latest finished matches of each team whose results were known before an instant.

    The newest come first. One query, whatever the number of teams.
    """
    wanted = list(dict.fromkeys(team_ids))
    with reading().cursor() as cursor:
        cursor.execute(
            """
            SELECT t.team_id, f.id FROM unnest(%s::bigint[]) AS t (team_id) CROSS JOIN LATERAL (
                (SELECT id, kickoff_at FROM matches_match WHERE home_team_id = t.team_id AND kickoff_at < %s
                    AND known_at < %s AND status = 'finished' ORDER BY kickoff_at DESC LIMIT %s)
                UNION ALL
                (SELECT id, kickoff_at FROM matches_match WHERE away_team_id = t.team_id AND kickoff_at < %s
                    AND known_at < %s AND status = 'finished' ORDER BY kickoff_at DESC LIMIT %s)
                ORDER BY kickoff_at DESC, id DESC LIMIT %s
            ) AS f ORDER BY f.kickoff_at DESC, f.id DESC
            """,
            [wanted, before, before, limit, before, before, limit, limit],
        )
        pairs = cursor.fetchall()
    found: dict[int, list[int]] = {team_id: [] for team_id in wanted}
    for team_id, match_id in pairs:
        found[team_id].append(match_id)
    return found


class TeamName(NamedTuple):
    """A team in a list that shows no more of it."""

    display_name: str


class EarlierMatch(NamedTuple):
    """A finished match in the columns that the page of a later one shows.

    `outcome` is W, D or L as the team of a list of its form saw it, empty in a list of meetings.
    """

    pk: int
    kickoff_at: datetime
    kickoff_precision: str
    known_at: datetime
    home_goals: int
    away_goals: int
    home_team: TeamName
    away_team: TeamName
    outcome: str


@dataclass(frozen=True, slots=True)
class EarlierMatches:
    """What was known of two teams before a match: their latest matches, by team, and those against each other."""

    form: dict[int, list[EarlierMatch]]
    meetings: list[EarlierMatch]


def earlier_matches(match: Match, *, form: int, meetings: int) -> EarlierMatches:
    """Return the latest results of both teams of a match and of their meetings, newest first.

    One statement written by hand: no page is requested more often than that of a match, and it reads few columns.
    """
    home, away = match.home_team_id, match.away_team_id
    lists = [
        *((team, f"{side}_team_id = {team}", form) for team in (home, away) for side in ("home", "away")),
        *((0, f"home_team_id = {one} AND away_team_id = {two}", meetings) for one, two in ((home, away), (away, home))),
    ]
    found = " UNION ALL ".join(
        f"""
        SELECT {team} AS team_id, id FROM (
            SELECT id FROM matches_match WHERE {condition} AND kickoff_at < %(before)s AND known_at < %(before)s
                AND status = 'finished' ORDER BY kickoff_at DESC, id DESC LIMIT {limit}
        ) AS latest
        """
        for team, condition, limit in lists
    )
    with reading().cursor() as cursor:
        cursor.execute(
            f"""
            SELECT f.team_id, m.home_team_id, m.id, m.kickoff_at, m.kickoff_precision, m.known_at, m.home_goals,
                m.away_goals, coalesce(nullif(h.short_name, ''), h.name), coalesce(nullif(a.short_name, ''), a.name)
            FROM ({found}) AS f JOIN matches_match m ON m.id = f.id
            JOIN matches_team h ON h.id = m.home_team_id JOIN matches_team a ON a.id = m.away_team_id
            ORDER BY m.kickoff_at DESC, m.id DESC
            """,
            {"before": match.kickoff_at},
        )
        rows = cursor.fetchall()
    by_team: dict[int, list[EarlierMatch]] = {home: [], away: [], 0: []}
    for team_id, home_id, pk, kickoff_at, precision, known_at, home_goals, away_goals, home_name, away_name in rows:
        margin = (home_goals - away_goals) * (1 if team_id == home_id else -1)
        outcome = "" if team_id == 0 else "W" if margin > 0 else "L" if margin < 0 else "D"
        teams = TeamName(home_name), TeamName(away_name)
        earlier = EarlierMatch(pk, kickoff_at, precision, known_at, home_goals, away_goals, *teams, outcome)
        by_team[team_id].append(earlier)
    met = by_team.pop(0)
    return EarlierMatches({team_id: played[:form] for team_id, played in by_team.items()}, met[:meetings])
