"""Which stored club a new name may mean: similar names, weighed with the matches of both.

An operator decides about each suggestion. Two teams that met are two clubs and are never suggested.
Nor are two whose matches one source reports in one season of one competition, unless only the form of their names
differs. Results that differ lower a suggestion: one source may be wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from django.utils.text import slugify
from rapidfuzz import fuzz, process

from apps.matches.club_names import is_no_name, same_but_for_form
from apps.matches.evidence import SAME_RESULTS, Evidence, load_common_results, load_seasons, pairs_that_met
from apps.matches.models import Team, TeamAlias, World

LIKE: Final = 62.0
"""Likeness from which a name of the same region is suggested, 0 to 100."""

LIKE_ELSEWHERE: Final = 95.0
"""Likeness from which a name of another region is suggested."""

CONSIDERED: Final = 12
"""Stored names that are compared with each new one."""

BONUS: Final = 15.0
"""Added to the likeness of names where enough results of the same days agree."""

PENALTY: Final = 30.0
"""Subtracted from the likeness where all results of the same days differ."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A club that a new name may mean, with its likeness (0 to 100) and the evidence for it, the strongest first."""

    team: Team
    score: float
    evidence: tuple[str, ...]


def suggest(teams: Iterable[Team], *, limit: int = 3) -> dict[int, list[Suggestion]]:
    """Return for each team the clubs that it may be, the most similar first, at most `limit` of each.

    It makes at most eight queries for any number of teams.
    """
    teams_by_id = {team.pk: team for team in teams}
    if not teams_by_id:
        return {}
    alike = _alike(teams_by_id)
    pairs = {(ours, theirs) for ours, found in alike.items() for theirs in found}
    if not pairs:
        return {team_id: [] for team_id in teams_by_id}
    involved = sorted({team_id for pair in pairs for team_id in pair})
    seasons = load_seasons(involved)
    results = load_common_results(pairs, seasons)
    clubs = Team.objects.select_related("region").in_bulk({theirs for _, theirs in pairs})
    pairs -= pairs_that_met(pairs) | {
        (ours, theirs)
        for ours, theirs in pairs
        if results.share_source(ours, theirs) and not same_but_for_form(teams_by_id[ours].name, clubs[theirs].name)
    }
    suggestions: dict[int, list[Suggestion]] = {team_id: [] for team_id in teams_by_id}
    compared = {pair: results.compare(*pair) for pair in pairs}
    proven = {ours for (ours, _), evidence in compared.items() if evidence.agreeing >= SAME_RESULTS}
    for (ours, theirs), evidence in compared.items():
        if ours in proven and evidence.agreeing < SAME_RESULTS:
            continue
        score = alike[ours][theirs] + (BONUS if evidence.agreeing >= SAME_RESULTS else 0.0)
        score -= PENALTY * evidence.differing / max(evidence.agreeing + evidence.differing, 1)
        competitions = {season.competition for season in seasons[ours].values()} & {
            season.competition for season in seasons[theirs].values()
        }
        suggestions[ours].append(
            Suggestion(
                clubs[theirs],
                round(min(max(score, 0.0), 100.0), 1),
                _in_words(teams_by_id[ours], clubs[theirs], evidence, competitions),
            )
        )
    for found in suggestions.values():
        found.sort(key=lambda suggestion: (-suggestion.score, suggestion.team.name))
        del found[limit:]
    return suggestions


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
    words = [word for word in slug.split("-") if not is_no_name(word)]
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


def _in_words(team: Team, club: Team, evidence: Evidence, competitions: set[str]) -> tuple[str, ...]:
    found = []
    for count, which in ((evidence.agreeing, "the same"), (evidence.differing, "other")):
        if count:
            matches = "match" if count == 1 else "matches"
            found.append(f"{count} {matches} on the same days with {which} results")
    if competitions:
        shown = sorted(competitions)
        found.append(f"both play in {shown[0]}" + (f" and {len(shown) - 1} more" if len(shown) > 1 else ""))
    if team.region_id != club.region_id:
        found.append(f"from {club.region.name}")
    return tuple(found)
