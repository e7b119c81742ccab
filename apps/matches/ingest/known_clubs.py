"""Which known club a new name means, where the results of both prove it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from apps.matches.club_names import one_in_other, same_but_for_form
from apps.matches.evidence import Played, compare, load_results
from apps.matches.models import Team
from apps.matches.trust import rank


class Candidate(NamedTuple):
    """A club that a new name may mean, with those of its names that are like the new one."""

    team: Team
    names: tuple[str, ...]


def candidates(name: str, teams: Mapping[str, Team], table: Mapping[str, str]) -> list[Candidate]:
    """Return the clubs of a region, given by name, whose names resemble a new one, those of the alias table included.

    Two names of the table stand for two clubs.
    """
    listed = set(table.values())
    names: dict[str, list[str]] = {}
    for other, club in chain(zip(teams, teams, strict=True), table.items()):
        if same_but_for_form(name, other) or one_in_other(name, other):
            names.setdefault(club, []).append(other)
    return [
        Candidate(teams[club], tuple(alike))
        for club, alike in names.items()
        if club in teams and not (name in listed and club in listed)
    ]


def find_proven(
    unknown: Mapping[tuple[str, str], Sequence[Candidate]],
    played: Mapping[tuple[str, str], Mapping[int, Sequence[Played]]],
    *,
    source_of_ids: str,
) -> dict[tuple[str, str], Team]:
    """Return the clubs that new names mean, by region and name: where the results of one club prove it.

    Parameters
    ----------
    played : mapping
        The results of each name by season, of the stored seasons.
    source_of_ids : str
        The source, where it gives matches ids: two ids are two matches, so that it proves nothing with its own results.
    """
    season_ids = {season_id for seasons in played.values() for season_id in seasons}
    team_ids = {candidate.team.pk for where in played for candidate in unknown[where]}
    stored, sources = load_results(team_ids, season_ids)
    found = {}
    for where, seasons in played.items():
        _, name = where
        proven = []
        for team, names in unknown[where]:
            evidence = compare(
                (ours, stored.get((team.pk, season_id), []))
                for season_id, ours in seasons.items()
                if source_of_ids not in sources.get((team.pk, season_id), ())
            )
            has_met = any(team.pk in result.opponent for ours in seasons.values() for result in ours)
            if not has_met and any(evidence.proves(name, other) for other in names):
                proven.append(team)
        if len(proven) == 1:
            found[where] = proven[0]
    return found


def preferred(names: Iterable[str], table: Mapping[str, str], sources: Mapping[str, Iterable[str]]) -> str:
    """Return which of several names a club goes by, whatever came first.

    That of the alias table, else that of the most trusted source, else the shortest.
    """
    listed = set(table.values())
    return min(
        names,
        key=lambda name: (name not in listed, min(map(rank, sources.get(name, [""])), default=0), len(name), name),
    )
