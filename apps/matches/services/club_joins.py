"""Joins teams that are one club, and splits off names that were joined by mistake."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from apps.matches.aliases import aliases_for
from apps.matches.club_names import FOREIGN_LEAGUES, bare, letters, one_in_other, same_but_for_form
from apps.matches.evidence import Pair, load_common_results, load_seasons, pairs_that_met
from apps.matches.ingest import known_clubs, tables
from apps.matches.ingest.changes import publish_matches
from apps.matches.ingest.names import free_slug
from apps.matches.models import Ingest, Match, Team, TeamAlias, TeamMerge, World
from apps.matches.services.audit import record_action
from apps.matches.services.decisions import SYSTEM, operator_ingest
from apps.matches.services.merges import MergeRefusedError, merge_teams, moved


@dataclass(slots=True)
class _Club:
    """A team as it is compared with others.

    Parameters
    ----------
    names : set of str
        Its names in all sources and in the alias table.
    sources : dict
        The sources that use a name.
    own_sources : set of str
        The sources that use a name of it which the alias table does not hold as another spelling.
    waits : bool
        Whether one of its names waits for review.
    has_league : bool
        Whether it plays in a league of its region.
    """

    pk: int
    region: str
    name: str
    names: set[str]
    is_listed: bool
    sources: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    own_sources: set[str] = field(default_factory=set)
    waits: bool = False
    is_split_off: bool = False
    has_league: bool = False


class _Verdict(NamedTuple):
    """Two teams that are one club, and why."""

    pair: Pair
    reason: str


def join_clubs(*, ingest_id: int | None, now: datetime) -> list[TeamMerge]:
    """Merge the teams of an ingest with the teams that are the same clubs; return the merges, which can be undone.

    Two teams of a region are one club where their results of a season prove it (`Evidence.proves`). They also are where
    their names differ only by legal form, year, punctuation and accents, they share no season, no third club has such
    a name, and no source uses both forms in leagues. A club that is known only from cups may play in a league of a
    neighbouring region. Teams that met, that an operator has separated or confirmed, or that both have a place in the
    alias table are never joined.
    """
    if ingest_id is None or Ingest.objects.get(pk=ingest_id).world != World.REAL:
        return []
    of_ingest = Match.objects.filter(ingest_id=ingest_id)
    touched = {
        team_id
        for side in ("home_team_id", "away_team_id")
        for team_id in of_ingest.values_list(side, flat=True).distinct()
    }
    done: list[TeamMerge] = []
    while touched:
        known = _load_clubs(touched)
        proven, others = _decide(known, touched)
        # A merge may leave only one candidate for a name, or add results: the remaining pairs are decided again.
        merged = _merge(proven, known, now=now) or _merge(others, known, now=now)
        done += merged
        touched = set(Team.objects.filter(pk__in=[merge.into_id for merge in merged]).values_list("pk", flat=True))
    return done


def _merge(verdicts: Iterable[_Verdict], known: Mapping[int, _Club], *, now: datetime) -> list[TeamMerge]:
    done: list[TeamMerge] = []
    gone: dict[int, int] = {}
    for verdict in verdicts:
        one, other = (_now(team_id, gone) for team_id in verdict.pair)
        if one == other:
            continue
        into = _preferred(known[one], known[other])
        team = other if into == one else one
        try:
            done.append(merge_teams(team_id=team, into_id=into, by=SYSTEM, reason=verdict.reason, now=now))
        except MergeRefusedError:
            continue  # The operator who tries the suggestion sees the reason.
        gone[team] = into
    return done


def _now(team_id: int, gone: Mapping[int, int]) -> int:
    """Return the team into which a team was merged; the team itself if it was not."""
    while team_id in gone:
        team_id = gone[team_id]
    return team_id


def _preferred(one: _Club, other: _Club) -> int:
    """Return the team to merge into: the one whose league is in its region, else the one with the preferred name."""
    if one.region != other.region:
        return one.pk if one.has_league else other.pk
    sources = {club.name: club.sources.get(club.name, set()) for club in (one, other)}
    return one.pk if known_clubs.preferred(sources, aliases_for(one.region), sources) == one.name else other.pk


def _load_clubs(touched: Iterable[int]) -> dict[int, _Club]:
    """Return the teams of the regions of some teams, and of their neighbours."""
    regions = set(Team.objects.filter(pk__in=list(touched)).values_list("region__name", flat=True))
    regions |= {neighbour for region in regions for neighbour in _neighbours(region)}
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for region in regions:
        for name, listed in aliases_for(region).items():
            spellings[region, listed].add(name)
    rows = Team.objects.filter(region__name__in=regions).values_list("pk", "region__name", "name")
    known = {
        pk: _Club(pk, region, name, {name, *spellings.get((region, name), ())}, (region, name) in spellings)
        for pk, region, name in rows
    }
    for alias in TeamAlias.objects.filter(team__in=known):
        club = known[alias.team_id]
        club.names.add(alias.name)
        club.sources[alias.name].add(alias.source)
        if aliases_for(club.region).get(alias.name, alias.name) == alias.name:
            club.own_sources.add(alias.source)
        club.waits |= alias.reviewed_at is None
        club.is_split_off |= alias.found_by == TeamAlias.FoundBy.SPLIT
    return known


def _neighbours(region: str) -> list[str]:
    """Return the regions whose leagues have clubs of a region, or the other way round."""
    abroad = [other for other, leagues in FOREIGN_LEAGUES.items() if region in leagues]
    return [*FOREIGN_LEAGUES.get(region, ()), *abroad]


def _alike(known: Mapping[int, _Club], touched: Iterable[int]) -> dict[Pair, bool]:
    """Return the pairs of teams with similar names, and whether the names are the same but for their form."""
    by_word: dict[tuple[str, str], set[int]] = defaultdict(set)
    for club in known.values():
        for word in _words(club):
            by_word[club.region, word].add(club.pk)
    alike: dict[Pair, bool] = {}
    for club in (known[pk] for pk in sorted(touched)):
        for region in {club.region, *_neighbours(club.region)}:
            for pk in {pk for word in _words(club) for pk in by_word[region, word]} - {club.pk}:
                pairs = [(ours, theirs) for ours in club.names for theirs in known[pk].names]
                is_same = any(same_but_for_form(*names) for names in pairs)
                if is_same or (region == club.region and any(one_in_other(*names) for names in pairs)):
                    alike[min(pk, club.pk), max(pk, club.pk)] = is_same
    return alike


def _words(club: _Club) -> set[str]:
    """Return the words of all names of a club, and its names as letters only."""
    return {word for name in club.names for word in (*bare(name).words, letters(name))}


def _decide(known: Mapping[int, _Club], touched: Iterable[int]) -> tuple[list[_Verdict], list[_Verdict]]:
    """Return the pairs of teams that are one club: those that results prove, and those for which names suffice."""
    alike = _alike(known, touched)
    seasons = load_seasons({team_id for pair in alike for team_id in pair})
    for team_id in seasons:
        club = known[team_id]
        club.has_league = any(season.level and season.region == club.region for season in seasons[team_id].values())
    results = load_common_results(alike, seasons)
    met = pairs_that_met(alike)
    separated = set(TeamMerge.objects.exclude(undone_at=None).values_list("name", "into_name"))
    named_alike = Counter(team_id for pair, is_same in alike.items() if is_same for team_id in pair)
    proven, unproven = [], []
    for pair, is_same in alike.items():
        one, other = (known[team_id] for team_id in pair)
        if (
            pair in met
            or not _may_be_joined(one, other)
            or {(one.name, other.name), (other.name, one.name)} & separated
        ):
            continue
        evidence = results.compare(*pair)
        if any(evidence.proves(ours, theirs) for ours in one.names for theirs in other.names):
            proven.append(_Verdict(pair, f"{evidence.agreeing} matches on the same days with the same results"))
        elif is_same and not results.common[pair] and named_alike[one.pk] == named_alike[other.pk] == 1:
            labels = [{season.label for season in seasons[pk].values() if season.level} for pk in pair]
            # A source may change accents and spell a club differently in cups, but has one form of its name in leagues.
            is_distinguished = (
                one.has_league == other.has_league
                and one.own_sources & other.own_sources
                and not {letters(name) for name in one.names} & {letters(name) for name in other.names}
            )
            if one.region != other.region or not (labels[0] & labels[1] or is_distinguished):
                unproven.append(_Verdict(pair, "the same name but for its form, and no season in which both play"))
    return proven, unproven


def _may_be_joined(one: _Club, other: _Club) -> bool:
    """Whether no decision or fact speaks against joining two teams."""
    return (
        (one.waits or other.waits)
        and not (one.is_listed and other.is_listed and one.region == other.region)
        and not (one.is_split_off or other.is_split_off)
        and (one.region == other.region or one.has_league != other.has_league)
    )


def split_off(*, alias_id: int, by: str, now: datetime) -> Team:
    """Create a team for a name that the system had joined to a club; the two are never joined again.

    Matches whose stored result is from the source of the name move to the new team, unless that source has more names
    for the club. The next import of the source stores the others for the new team.

    Raises
    ------
    MergeRefusedError
        When the name was not found by results, or a team of the region has it.
    """
    with operator_ingest(world=World.REAL, now=now, error=MergeRefusedError) as ingest:
        alias = TeamAlias.objects.select_related("region", "team").filter(pk=alias_id).first()
        if alias is None or alias.found_by != TeamAlias.FoundBy.RESULTS:
            raise MergeRefusedError("only a name that the system found by its results can be split off")
        if Team.objects.filter(region=alias.region, name=alias.name).exists():
            raise MergeRefusedError(f"a team of {alias.region} has the name {alias.name}; merge or rename it first")
        club = alias.team
        taken = set(Team.objects.values_list("slug", flat=True))
        slug = free_slug(alias.name, taken, wider=f"{alias.name} {alias.region}")
        team = Team.objects.create(region=alias.region, name=alias.name, slug=slug)
        is_only_name = not club.aliases.filter(source=alias.source).exclude(pk=alias.pk).exists()
        rows = [
            moved(row, club.pk, team.pk)
            for row in tables.load_matches_of_team(club.pk)
            if is_only_name and row.result_source == alias.source
        ]
        alias.team, alias.found_by, alias.reviewed_at = team, TeamAlias.FoundBy.SPLIT, now
        alias.save(update_fields=["team", "found_by", "reviewed_at"])
        tables.update_matches(rows, ingest_id=ingest.pk, now=now)
        publish_matches(rows, now=now)
        record_action(
            by=by,
            action="split off as a team of its own",
            about=alias,
            also=[club, team],
            before=f"a name of {club}",
            after=f"{team}, with {len(rows)} matches",
            now=now,
        )
        ingest.changed = len(rows)
    return team
