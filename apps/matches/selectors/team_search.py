"""Teams by what a person types of their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from operator import and_
from typing import Final

from django.db.models import Exists, OuterRef, Q

from apps.matches.clubs import plain, respelled
from apps.matches.connections import Columns, prepared
from apps.matches.models import Team, TeamAlias, World
from apps.matches.records import readable
from apps.matches.selectors.columns import REGION

LONGEST_NAME: Final = 120
"""Letters of a text that are compared with names."""

UMLAUT: Final = re.compile("([aou])e")
"""How umlauts are typed without their keys."""


def named(text: str) -> Q:
    """Return the condition that all words of a text are in the names of a team, or in one of its names in sources."""
    words = _compared(text).split()
    return _holding(words) if words else Q(pk__in=())


def _compared(text: str) -> str:
    return plain(readable(text)[:LONGEST_NAME])


def _holding(parts: Sequence[str]) -> Q:
    every = reduce(and_, (Q(search_text__contains=part) for part in parts), Q())
    return every | Q(Exists(TeamAlias.objects.filter(every, team=OuterRef("pk"))))


def search_teams(text: str, world: World | None = None, limit: int = 20, *, region: str = "") -> list[Team]:
    """Return the teams that a text names, all or those of a region: by any of their names, or by parts of one.

    Names are compared as `clubs.plain` writes them. First come teams of which a name equals the text, then those of
    which one begins with it, then those whose names have words that begin as its words do, then all that hold them.
    Among equals those with a row in ``clubs.csv`` go first. Where nothing is found, "koeln" means "koln", and
    "machester" what is spelled most like it.
    """
    wanted = _compared(text)
    for spelling in dict.fromkeys((wanted, UMLAUT.sub(r"\1", wanted), respelled(wanted))) if wanted else ():
        if teams := _named_teams(spelling, world, region, limit):
            return teams
    return []


_FOUND_TEAM: Final = Columns(Team, " ".join(each.attname for each in Team._meta.concrete_fields))

# Ranked before the cut: of many names that hold the text the one that is meant may be the last of the alphabet.
_NAMED_TEAMS: Final = f"""
    SELECT {_FOUND_TEAM.sql("t")}, {REGION.sql("r")}
    FROM (
        SELECT team_id, min(CASE WHEN search_text LIKE %s THEN 0 WHEN search_text LIKE %s THEN 1
            WHEN search_text LIKE ALL (%s::text[]) THEN 2 ELSE 3 END) AS rank
        FROM (
            SELECT id AS team_id, search_text FROM matches_team
            UNION ALL SELECT team_id, search_text FROM matches_teamalias
        ) AS names
        WHERE search_text LIKE ALL (%s::text[]) GROUP BY team_id
    ) AS named
    JOIN matches_team t ON t.id = named.team_id JOIN matches_region r ON r.id = t.region_id,
        (SELECT %s::text AS world, %s::text AS region) AS asked
    WHERE asked.region IN ('', r.name) AND (asked.world = ''
        OR EXISTS (SELECT FROM matches_competition c WHERE c.region_id = t.region_id AND c.world = asked.world))
    ORDER BY rank, t.code = '', coalesce(nullif(t.short_name, ''), t.name) LIMIT %s"""


def _named_teams(wanted: str, world: World | None, region: str, limit: int) -> list[Team]:
    words = wanted.split()
    begun, held = [_pattern(f" {word}") for word in words], [_pattern(word) for word in words]
    values = [_pattern(f"| {wanted} |"), _pattern(f"| {wanted}"), begun, held, world.value if world else "", region]
    found = []
    for row in prepared(_NAMED_TEAMS, [*values, limit]):
        columns = iter(row)
        team = _FOUND_TEAM.take(columns)
        team.region = REGION.take(columns)
        found.append(team)
    return found


def _pattern(text: str) -> str:
    """Return the pattern of LIKE for texts that hold another."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
