"""What squads were worth, from tables that an operator imports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from django.db import transaction

from apps.matches.aliases import aliases_for
from apps.matches.ingest import tables
from apps.matches.models import SquadValue, Team, TeamAlias
from apps.matches.records import SquadValueRecord
from apps.matches.trust import OPERATOR

BATCH: Final = 2_000


@dataclass(slots=True)
class SquadValueReport:
    """What became of the values.

    Parameters
    ----------
    refused : list of (int, str)
        Lines whose values were not stored, with the reason.
    unknown : dict of str to int
        Names that mean no stored team, each with its number of lines.
    """

    created: int = 0
    changed: int = 0
    same: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)


def store_squad_values(
    records: Sequence[SquadValueRecord], *, source: str, names_of: str, now: datetime
) -> SquadValueReport:
    """Store squad values of one source, in one transaction; a value that is stored differently is corrected.

    No team is created. A second call with the same values writes nothing.

    Parameters
    ----------
    source : str
        Whose estimates they are.
    names_of : str
        The source whose names of teams are used.
    now : datetime
        Aware; a later day is refused.
    """
    report = SquadValueReport()
    with transaction.atomic():
        # Meanwhile no team is merged into another.
        tables.lock()
        wanted = _by_team_and_day(records, _teams_by_name(names_of), now.date(), report)
        team_ids = {team_id for team_id, _ in wanted}
        stored = {
            (value.team_id, value.known_on): value
            for value in SquadValue.objects.filter(source=source, team_id__in=team_ids)
        }
        new, changed = [], []
        for (team_id, day), record in wanted.items():
            value = stored.get((team_id, day))
            if value is None:
                value = SquadValue(team_id=team_id, source=source, known_on=day)
                new.append(value)
            elif (value.value_eur, value.squad_size) == (record.value_eur, record.squad_size or value.squad_size):
                report.same += 1
                continue
            else:
                changed.append(value)
            value.value_eur, value.squad_size = record.value_eur, record.squad_size or value.squad_size
        SquadValue.objects.bulk_create(new, batch_size=BATCH)
        SquadValue.objects.bulk_update(changed, ["value_eur", "squad_size"], batch_size=BATCH)
        report.created, report.changed = len(new), len(changed)
    return report


def _by_team_and_day(
    records: Sequence[SquadValueRecord], teams: dict[str, dict[str, int]], today: date, report: SquadValueReport
) -> dict[tuple[int, date], SquadValueRecord]:
    """Return the values that can be stored; the others are added to the report."""
    found: dict[tuple[int, date], SquadValueRecord] = {}
    for record in records:
        meant = teams.get(record.team, {})
        if record.region:
            meant = {region: team_id for region, team_id in meant.items() if region == record.region}
        if not meant:
            name = f"{record.team} ({record.region})" if record.region else record.team
            report.unknown[name] = report.unknown.get(name, 0) + 1
        elif len(meant) > 1:
            places = ", ".join(sorted(meant))
            report.refused.append((record.line, f"{record.team} is a team in {places}; add a column region"))
        elif record.known_on > today:
            report.refused.append((record.line, f"{record.known_on} is still to come"))
        else:
            (team_id,) = meant.values()
            earlier = found.setdefault((team_id, record.known_on), record)
            if earlier.value_eur != record.value_eur:
                report.refused.append((record.line, f"line {earlier.line} has another value of this team and day"))
    return found


def _teams_by_name(source: str) -> dict[str, dict[str, int]]:
    """Return name → region → team, for every name that means a team as `ingest.names` finds it."""
    stored: dict[str, dict[str, int]] = defaultdict(dict)
    for alias in TeamAlias.objects.filter(source=OPERATOR).select_related("region"):
        stored[alias.region.name][alias.name] = alias.team_id
    for team in Team.objects.select_related("region"):
        stored[team.region.name][team.name] = team.pk
    known = {
        region: names | {name: names[club] for name, club in aliases_for(region).items() if club in names}
        for region, names in stored.items()
    }
    for alias in TeamAlias.objects.filter(source=source).select_related("region"):
        known.setdefault(alias.region.name, {})[alias.name] = alias.team_id
    by_name: dict[str, dict[str, int]] = defaultdict(dict)
    for region, names in known.items():
        for name, team_id in names.items():
            by_name[name][region] = team_id
    return by_name
