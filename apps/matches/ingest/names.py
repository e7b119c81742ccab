"""The second step of an ingest: finds the rows that the names of a source mean, or creates them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.text import slugify

from apps.matches.club_names import FOREIGN_LEAGUES, INTERNATIONAL, BareName, same_but_for_form
from apps.matches.clubs import club_of
from apps.matches.evidence import Played, known_by
from apps.matches.ingest import known_clubs
from apps.matches.ingest.items import Rejected, Resolved, Validated
from apps.matches.models import Competition, Region, Season, Stage, Team, TeamAlias, World
from apps.matches.records import CompetitionKey, MatchRecord, MatchStatus
from apps.matches.trust import rank

Aliases = Callable[[str], Mapping[str, str]]
"""Region → (a source's name of a team → the name under which the team is stored)."""


class NameConflictError(Exception):
    """A name or id of a team means two teams, so that a record must not be stored under either."""


class WorldConflictError(Exception):
    """An input holds simulated and real competitions, or a competition whose name belongs to the other world."""


class ReportedTeam(NamedTuple):
    """One team of a record: its region, name and id are as the source gives them, or empty."""

    competition: CompetitionKey
    region: str
    name: str
    source_id: str


class Names:
    """Finds the rows that names mean, during one ingest, and creates missing ones.

    A team is found by the source's id of it, else by the source's name of it in its region, else by the name in the
    alias table, else by its own name, else by the name that an operator or another source has for it (the most trusted
    one first), else by its results (`clubs`). A name without any of these becomes a new team whose alias waits for
    review. Simulated teams need no review, because the sandbox spells their names correctly.
    """

    def __init__(self, *, source: str, aliases: Aliases, now: datetime) -> None:
        self.source = source
        self.aliases = aliases
        self.now = now
        self._regions: dict[str, int] = {}
        self._competitions: dict[tuple[str, str], Competition] = {}
        self._seasons: dict[tuple[int, str], int] = {}
        self._stages: dict[tuple[int, str], int] = {}
        self._teams: dict[str, dict[str, Team]] = defaultdict(dict)
        self._named_elsewhere: dict[tuple[str, str], Team] = {}
        self._proven: dict[tuple[str, str], Team] = {}
        self._alias_by_name: dict[tuple[str, str], TeamAlias] = {}
        self._alias_by_id: dict[str, TeamAlias] = {}
        self._found: dict[ReportedTeam, int] = {}
        self._slugs: set[str] | None = None
        self._known_regions: set[str] = set()
        self._admitted: dict[CompetitionKey, int] = {}
        self._chosen_regions: dict[tuple[str, str, str], str] = {}
        self._load_ids()

    @property
    def world(self) -> World | None:
        """The world of all competitions so far; None before the first."""
        for key in self._admitted:
            return World.SANDBOX if key.is_simulated else World.REAL
        return None

    def resolve(self, items: Iterable[Validated]) -> tuple[list[Resolved], list[Rejected]]:
        """Return the records with the rows of their names, and those whose teams cannot be distinguished.

        Raises
        ------
        WorldConflictError
            When a record belongs to another world than those before it.
        """
        accepted: list[Resolved] = []
        rejected: list[Rejected] = []
        items = list(items)
        self._prove([record for _, record in items])
        for position, record in items:
            competition_id = self._admit(record.competition)
            try:
                home_id, away_id = (self._team(team) for team in reported_teams(record))
            except NameConflictError as error:
                rejected.append(Rejected(position, record, str(error)))
                continue
            if home_id == away_id:
                rejected.append(Rejected(position, record, "both names mean one team"))
                continue
            season_id = self.season(competition_id, record.season)
            accepted.append(Resolved(position, record, competition_id, season_id, home_id, away_id))
        return accepted, rejected

    def _admit(self, key: CompetitionKey) -> int:
        """Return the id of a competition; refuse one of another world."""
        admitted = self._admitted.get(key)
        if admitted is not None:
            return admitted
        if self.world not in (None, World.SANDBOX if key.is_simulated else World.REAL):
            raise WorldConflictError(
                f"{key.region}: {key.name} and what came before it belong to different worlds; "
                "simulated and real competitions enter by separate inputs"
            )
        found = self._admitted[key] = self.competition(key).pk
        return found

    def _region_of(self, team: ReportedTeam) -> str:
        """Return the region that a team belongs to, whose record may name another one than the competition's.

        A league is one of its own region's clubs, wherever their grounds are. In cups, a club that plays in the league
        of a neighbouring region is found there; every other one belongs to the region given.
        """
        key, given, name, _ = team
        if not given or given == key.region or (key.level and key.region not in INTERNATIONAL):
            return key.region
        choice = (key.region, given, name)
        if choice not in self._chosen_regions:
            abroad = FOREIGN_LEAGUES.get(given, ())
            domestic = () if key.region in INTERNATIONAL else (key.region,)
            found = (region for region in (given, *domestic, *abroad) if self._knows(region, name))
            self._chosen_regions[choice] = next(found, given)
        return self._chosen_regions[choice]

    def _knows(self, region: str, name: str) -> bool:
        """Whether a region has one club of a name, legal forms aside."""
        if self._club(region, name) is not None or name in self.aliases(region):
            return True
        table = self.aliases(region)
        names = [*table, *table.values(), *self._teams[region]]
        return len({table.get(other, other) for other in names if same_but_for_form(other, name)}) == 1

    def _club(self, region: str, name: str) -> int | None:
        """Return the id of the club that a region is known to have under a name."""
        self._load_region(region)
        alias = self._alias_by_name.get((region, name))
        if alias is not None:
            return alias.team_id
        kept_name = self.aliases(region).get(name, name)
        team = self._teams[region].get(kept_name) or self._named_elsewhere.get((region, kept_name))
        return team.pk if team is not None else None

    def _prove(self, records: Sequence[MatchRecord]) -> None:
        """Find the clubs that new names of a batch mean by their results (`known_clubs.find_proven`)."""
        unknown: dict[tuple[str, str], list[known_clubs.Candidate]] = {}
        for team in {team: None for record in records for team in reported_teams(record)}:
            if team.competition.is_simulated or team in self._found or team.source_id in self._alias_by_id:
                continue
            region, name = where = self._region_of(team), team.name
            if where not in unknown and self._club(region, name) is None:
                unknown[where] = known_clubs.candidates(name, self._teams[region], self.aliases(region))
        unknown = {where: found for where, found in unknown.items() if found}
        if not unknown:
            return
        played: dict[tuple[str, str], dict[int, list[Played]]] = defaultdict(lambda: defaultdict(list))
        for record in records:
            season_id = self._seasons.get((self._admit(record.competition), record.season))
            if season_id is None or record.status != MatchStatus.FINISHED:
                continue
            assert record.home_goals is not None
            assert record.away_goals is not None
            home, away = ((self._region_of(team), team.name) for team in reported_teams(record))
            goals = record.home_goals, record.away_goals
            day = record.kickoff_at.toordinal()
            if home in unknown:
                played[home][season_id].append(Played(day, True, self._known_by(away), goals))
            if away in unknown:
                played[away][season_id].append(Played(day, False, self._known_by(home), goals[::-1]))
        has_ids = any(record.source_id for record in records)
        self._proven |= known_clubs.find_proven(unknown, played, source_of_ids=self.source if has_ids else "")

    def _known_by(self, where: tuple[str, str]) -> frozenset[int | BareName]:
        region, name = where
        return known_by(self._club(region, name), name, self.aliases(region).get(name, name))

    def competition(self, key: CompetitionKey) -> Competition:
        """Return the competition of a key.

        Raises
        ------
        WorldConflictError
            When a competition of this name is stored as one of the other world.
        """
        found = self._competitions.get((key.region, key.name))
        if found is None:
            region_id = self._region(key.region)
            found = Competition.objects.filter(region_id=region_id, name=key.name).first()
            if found is None:
                taken = set(Competition.objects.values_list("slug", flat=True))
                found = Competition.objects.create(
                    region_id=region_id,
                    name=key.name,
                    slug=free_slug(f"{key.region} {key.name}", taken),
                    level=key.level,
                    is_simulated=key.is_simulated,
                )
            self._competitions[key.region, key.name] = found
            for season_id, label in Season.objects.filter(competition=found).values_list("id", "label"):
                self._seasons[found.pk, label] = season_id
        if found.is_simulated != key.is_simulated:
            raise WorldConflictError(f"{key.region}: {key.name} is stored as a competition of the {found.world} world")
        return found

    def season(self, competition_id: int, label: str) -> int:
        """Return the id of a season of a competition that `competition` has returned."""
        found = self._seasons.get((competition_id, label))
        if found is None:
            found = Season.objects.create(competition_id=competition_id, label=label).pk
            self._seasons[competition_id, label] = found
        return found

    def stage(self, season_id: int, name: str) -> int:
        """Return the id of a stage."""
        found = self._stages.get((season_id, name))
        if found is None:
            found = Stage.objects.get_or_create(season_id=season_id, name=name)[0].pk
            self._stages[season_id, name] = found
        return found

    def _region(self, name: str) -> int:
        found = self._regions.get(name)
        if found is None:
            found = Region.objects.get_or_create(name=name)[0].pk
            self._regions[name] = found
        return found

    def _team(self, team: ReportedTeam) -> int:
        """Return the id of a team.

        Raises
        ------
        NameConflictError
            When the source gives one name to two of its own ids.
        """
        found = self._found.get(team)
        if found is None:
            found = self._found[team] = self._find_team(
                self._region_of(team), team.name, team.source_id, is_simulated=team.competition.is_simulated
            )
        return found

    def _find_team(self, region: str, name: str, source_team_id: str, *, is_simulated: bool) -> int:
        self._load_region(region)
        if source_team_id and source_team_id in self._alias_by_id:
            return self._alias_by_id[source_team_id].team_id
        alias = self._alias_by_name.get((region, name))
        if alias is not None:
            self._add_id(alias, source_team_id)
            return alias.team_id
        table = self.aliases(region)
        kept_name = table.get(name, name)
        team = self._teams[region].get(kept_name) or self._named_elsewhere.get((region, kept_name))
        proven = self._proven.get((region, name)) if team is None else None
        is_known = team is not None or proven is not None or name in table or is_simulated
        if team is None:
            team = proven or self._new_team(region, kept_name)
        self._remember(
            TeamAlias.objects.create(
                source=self.source,
                region_id=self._region(region),
                name=name,
                source_team_id=source_team_id,
                team=team,
                created_at=self.now,
                reviewed_at=self.now if is_known else None,
                found_by=TeamAlias.FoundBy.RESULTS if proven else "",
            ),
            region,
        )
        if proven is not None and known_clubs.preferred([name, team.name], table, self._sources_of(team)) == name:
            self._rename(team, region, name)
        return team.pk

    def _rename(self, team: Team, region: str, name: str) -> None:
        """Rename a team to the name that its most trusted source uses."""
        names = {field: value for field, value in club_of(region, name)._asdict().items() if value}
        Team.objects.filter(pk=team.pk).update(name=name, slug=self._free_slug(name, region), **names)
        team.name = name
        self._teams[region][name] = team

    def _sources_of(self, team: Team) -> dict[str, set[str]]:
        """Return the names of a team with the sources that use them."""
        names: dict[str, set[str]] = defaultdict(set)
        for name, source in team.aliases.values_list("name", "source"):
            names[name].add(source)
        return names

    def _add_id(self, alias: TeamAlias, source_team_id: str) -> None:
        if not source_team_id:
            return
        if alias.source_team_id:
            raise NameConflictError(
                f"{self.source} names its teams {alias.source_team_id} and {source_team_id} both {alias.name}"
            )
        alias.source_team_id = source_team_id
        alias.save(update_fields=["source_team_id"])
        self._alias_by_id[source_team_id] = alias

    def _new_team(self, region: str, name: str) -> Team:
        slug = self._free_slug(name, region)
        team = Team.objects.create(
            region_id=self._region(region), name=name, slug=slug, **club_of(region, name)._asdict()
        )
        self._teams[region][name] = team
        return team

    def _free_slug(self, name: str, region: str) -> str:
        if self._slugs is None:
            self._slugs = set(Team.objects.values_list("slug", flat=True))
        slug = free_slug(name, self._slugs, wider=f"{name} {region}")
        self._slugs.add(slug)
        return slug

    def _remember(self, alias: TeamAlias, region: str) -> None:
        self._alias_by_name[region, alias.name] = alias
        if alias.source_team_id:
            self._alias_by_id[alias.source_team_id] = alias

    def _load_ids(self) -> None:
        for alias in TeamAlias.objects.filter(source=self.source).exclude(source_team_id=""):
            self._alias_by_id[alias.source_team_id] = alias

    def _load_region(self, region: str) -> None:
        if region in self._known_regions:
            return
        self._known_regions.add(region)
        for team in Team.objects.filter(region__name=region):
            self._teams[region][team.name] = team
        aliases = TeamAlias.objects.filter(region__name=region).select_related("team")
        for alias in sorted(aliases, key=lambda alias: rank(alias.source), reverse=True):
            if alias.source == self.source:
                self._remember(alias, region)
            else:
                self._named_elsewhere[region, alias.name] = alias.team


def reported_teams(record: MatchRecord) -> tuple[ReportedTeam, ReportedTeam]:
    """Return the names and ids that a record has for its home and away team."""
    return (
        ReportedTeam(record.competition, record.home_region, record.home_team, record.home_team_id),
        ReportedTeam(record.competition, record.away_region, record.away_team, record.away_team_id),
    )


def free_slug(text: str, taken: set[str], *, wider: str = "") -> str:
    """Return a slug of a text, of a wider one where it is taken, with a number where that is taken too."""
    plain = slugify(text)[:150] or "x"
    if plain not in taken:
        return plain
    base = slugify(wider)[:150] or plain
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug
