"""Which stored club a new name may mean: similar names, weighed with the matches of both.

A suggestion is a question to an operator, never an answer. Two teams that met, that one source names in one season
of one competition, or whose matches of a season contradict each other are two clubs and are never suggested.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

from django.db import connection
from django.utils.text import slugify
from rapidfuzz import fuzz, process

from apps.matches.models import Team, TeamAlias, World
from apps.matches.records import MatchStatus

LIKE: Final = 62.0
"""Likeness from which a name of the same region is suggested, 0 to 100."""

LIKE_ELSEWHERE: Final = 95.0
"""Likeness from which a name of another region is suggested."""

CONSIDERED: Final = 12
"""Names that are looked at for each new one."""

SAME_RESULTS: Final = 3
"""Matches on the same days with the same results from which chance is ruled out, and names alone count no more."""

BONUS: Final = 15.0
"""What such matches add to the likeness of names."""

_COMMON_WORDS: Final = frozenset(
    {"fc", "cf", "afc", "sc", "ac", "fk", "sk", "bk", "if", "cd", "ud", "sv", "vfb", "vfl", "tsv", "club", "football"}
)
"""Words that clubs add and leave out; they distinguish no two clubs."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A club that a new name may mean, with its likeness (0 to 100) and what speaks for it, the strongest first."""

    team: Team
    score: float
    evidence: tuple[str, ...]


class _Played(NamedTuple):
    """A result as one of its teams saw it."""

    day: int
    is_home: bool
    goals: tuple[int, int]


def suggest(teams: Iterable[Team], *, limit: int = 3) -> dict[int, list[Suggestion]]:
    """Return for each team the clubs that it may be, the likeliest first, at most `limit`.

    Eight queries at most, whatever the number of teams.
    """
    teams_by_id = {team.pk: team for team in teams}
    if not teams_by_id:
        return {}
    alike = _alike(teams_by_id)
    pairs = {(ours, theirs) for ours, found in alike.items() for theirs in found}
    if not pairs:
        return {team_id: [] for team_id in teams_by_id}
    involved = sorted({team_id for pair in pairs for team_id in pair})
    seasons, reported = _seasons(involved)
    pairs -= _strangers(pairs, seasons=seasons, reported=reported)
    common = {pair: seasons[pair[0]].keys() & seasons[pair[1]].keys() for pair in pairs}
    results = _results({pair: found for pair, found in common.items() if found})
    clubs = Team.objects.select_related("region").in_bulk({theirs for _, theirs in pairs})
    answer: dict[int, list[Suggestion]] = {team_id: [] for team_id in teams_by_id}
    compared = {pair: _compare(results.get(pair, [])) for pair in pairs}
    proven = {ours for (ours, _), (agreeing, _) in compared.items() if agreeing >= SAME_RESULTS}
    for (ours, theirs), (agreeing, differing) in compared.items():
        if differing > agreeing // 10 or (ours in proven and agreeing < SAME_RESULTS):
            continue
        score = alike[ours][theirs] + (BONUS if agreeing >= SAME_RESULTS else 0.0)
        competitions = set(seasons[ours].values()) & set(seasons[theirs].values())
        answer[ours].append(
            Suggestion(
                clubs[theirs],
                round(min(score, 100.0), 1),
                _evidence(teams_by_id[ours], clubs[theirs], agreeing=agreeing, competitions=competitions),
            )
        )
    for found in answer.values():
        found.sort(key=lambda suggestion: (-suggestion.score, suggestion.team.name))
        del found[limit:]
    return answer


def likeness(one: str, other: str) -> float:
    """Return how alike two slugified names are, 0 to 100; common words such as ``fc`` do not count.

    Half of it is the likeness of the sets of words, the rest that of the best part and of the whole, so that a name
    that is contained in another is like it, but less than one that equals it.
    """
    one, other = _essence(one), _essence(other)
    return (
        0.5 * fuzz.token_set_ratio(one, other) + 0.25 * fuzz.partial_ratio(one, other) + 0.25 * fuzz.ratio(one, other)
    )


def _essence(slug: str) -> str:
    words = [word for word in slug.split("-") if word not in _COMMON_WORDS]
    return " ".join(words) or slug.replace("-", " ")


def _alike(teams_by_id: dict[int, Team]) -> dict[int, dict[int, float]]:
    """Return for each team the likeness of the clubs whose names are most like its own."""
    names: dict[int | None, dict[tuple[int, str], str]] = defaultdict(dict)
    simulated = set(Team.objects.filter(region__competitions__world=World.SANDBOX).values_list("pk", flat=True))
    rows = [*Team.objects.values_list("pk", "region_id", "name")]
    rows += TeamAlias.objects.values_list("team_id", "team__region_id", "name")
    for team_id, region_id, name in rows:
        slug = slugify(name)
        names[region_id][team_id, slug] = names[None][team_id, slug] = _essence(slug)
    alike: dict[int, dict[int, float]] = {}
    for team in teams_by_id.values():
        slug = slugify(team.name)
        found: dict[int, float] = {}
        for region, least in ((team.region_id, LIKE), (None, LIKE_ELSEWHERE)):
            nearest = [
                process.extract(_essence(slug), names[region], scorer=scorer, limit=CONSIDERED, score_cutoff=least)
                for scorer in (fuzz.token_set_ratio, fuzz.partial_ratio)
            ]
            for _, _, (team_id, other) in chain(*nearest):
                score = likeness(slug, other)
                if team_id != team.pk and score >= least and (team_id in simulated) == (team.pk in simulated):
                    found[team_id] = max(score, found.get(team_id, 0.0))
        alike[team.pk] = found
    return alike


def _seasons(team_ids: Sequence[int]) -> tuple[dict[int, dict[int, str]], dict[int, set[tuple[int, str]]]]:
    """Return for each team its seasons with their competitions, and which source named it in which season."""
    seasons: dict[int, dict[int, str]] = defaultdict(dict)
    reported: dict[int, set[tuple[int, str]]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT t.team_id, m.season_id, c.name, m.result_source
            FROM unnest(%s::bigint[]) AS t (team_id)
            JOIN matches_match m ON m.home_team_id = t.team_id
            JOIN matches_season s ON s.id = m.season_id JOIN matches_competition c ON c.id = s.competition_id
            UNION
            SELECT DISTINCT t.team_id, m.season_id, c.name, m.result_source
            FROM unnest(%s::bigint[]) AS t (team_id)
            JOIN matches_match m ON m.away_team_id = t.team_id
            JOIN matches_season s ON s.id = m.season_id JOIN matches_competition c ON c.id = s.competition_id
            """,
            [list(team_ids), list(team_ids)],
        )
        for team_id, season_id, competition, source in cursor.fetchall():
            seasons[team_id][season_id] = competition
            reported[team_id].add((season_id, source))
    return seasons, reported


def _strangers(
    pairs: set[tuple[int, int]], *, seasons: dict[int, dict[int, str]], reported: dict[int, set[tuple[int, str]]]
) -> set[tuple[int, int]]:
    """Return the pairs that met, or that one source names in one season."""
    involved = sorted({team_id for pair in pairs for team_id in pair})
    sources: dict[int, set[str]] = defaultdict(set)
    for team_id, source in TeamAlias.objects.filter(team_id__in=involved).values_list("team_id", "source"):
        sources[team_id].add(source)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH p AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS t (one, other)) "
            "SELECT p.one, p.other FROM p JOIN matches_match m ON m.home_team_id = p.one AND m.away_team_id = p.other "
            "UNION "
            "SELECT p.one, p.other FROM p JOIN matches_match m ON m.home_team_id = p.other AND m.away_team_id = p.one",
            [[one for one, _ in pairs], [other for _, other in pairs]],
        )
        strangers = set(cursor.fetchall())
    for one, other in pairs:
        shared = seasons[one].keys() & seasons[other].keys()
        if reported[one] & reported[other] or (shared and sources[one] & sources[other]):
            strangers.add((one, other))
    return strangers


def _results(
    common: dict[tuple[int, int], Iterable[int]],
) -> dict[tuple[int, int], list[tuple[list[_Played], list[_Played]]]]:
    """Return for each pair the results of both, season by season, of the seasons that both played in."""
    if not common:
        return {}
    team_ids = sorted({team_id for pair in common for team_id in pair})
    season_ids = sorted({season_id for found in common.values() for season_id in found})
    played: dict[tuple[int, int], list[_Played]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT season_id, home_team_id, away_team_id, kickoff_at, home_goals, away_goals FROM matches_match "
            "WHERE season_id = ANY(%s) AND status = %s AND (home_team_id = ANY(%s) OR away_team_id = ANY(%s))",
            [season_ids, MatchStatus.FINISHED, team_ids, team_ids],
        )
        for season_id, home_id, away_id, kickoff_at, home_goals, away_goals in cursor.fetchall():
            day = kickoff_at.toordinal()
            played[home_id, season_id].append(_Played(day, True, (home_goals, away_goals)))
            played[away_id, season_id].append(_Played(day, False, (away_goals, home_goals)))
    return {
        (one, other): [(played[one, season_id], played[other, season_id]) for season_id in found]
        for (one, other), found in common.items()
    }


def _compare(seasons: Iterable[tuple[list[_Played], list[_Played]]]) -> tuple[int, int]:
    """Return how many matches of both fall on the same days with the same results, and with others."""
    agreeing = differing = 0
    for ours, theirs in seasons:
        by_day = {played.day: played for played in theirs}
        for played in ours:
            near = [by_day[day] for day in (played.day, played.day - 1, played.day + 1) if day in by_day]
            if any((other.is_home, other.goals) == (played.is_home, played.goals) for other in near):
                agreeing += 1
            elif near and near[0].day == played.day:
                differing += 1
    return agreeing, differing


def _evidence(team: Team, club: Team, *, agreeing: int, competitions: set[str]) -> tuple[str, ...]:
    found = []
    if agreeing:
        matches = "match" if agreeing == 1 else "matches"
        found.append(f"{agreeing} {matches} on the same days with the same results")
    if competitions:
        shown = sorted(competitions)
        found.append(f"both play in {shown[0]}" + (f" and {len(shown) - 1} more" if len(shown) > 1 else ""))
    if team.region_id != club.region_id:
        found.append(f"from {club.region.name}")
    return tuple(found)
