"""Facts that come with SPAI rather than from a source: decisions of leagues, and the names and colours of clubs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apps.matches.clubs import ClubNames, club_of
from apps.matches.league_decisions import KnownAdjustment, KnownAwardedResult, known_adjustments, known_awarded_results
from apps.matches.models import AwardedResult, PointsAdjustment, Season, Team, TeamAlias, World


def store_known_decisions(*, now: datetime) -> int:
    """Store the listed decisions on stored clubs and seasons; return the number of rows written.

    A row that an operator has taken back stays so, and a decision that an operator has recorded is not stored twice.
    """
    return sum(
        _store(model, listed, key, now=now)
        for model, listed, key in (
            (PointsAdjustment, known_adjustments(), ("season", "team", "decided_on")),
            (AwardedResult, known_awarded_results(), ("season", "home_team", "away_team", "played_on")),
        )
    )


def store_club_names() -> int:
    """Store what ``clubs.csv`` holds about the stored clubs; return the number of rows written."""
    changed = []
    for team in Team.objects.select_related("region"):
        club = club_of(team.region.name, team.name)
        if club != ClubNames(*(getattr(team, name) for name in ClubNames._fields)):
            for name, value in club._asdict().items():
                setattr(team, name, value)
            changed.append(team)
    Team.objects.bulk_update(changed, ClubNames._fields, batch_size=500)
    return len(changed)


def _store(
    model: type[PointsAdjustment] | type[AwardedResult],
    listed: Sequence[KnownAdjustment] | Sequence[KnownAwardedResult],
    key: tuple[str, ...],
    *,
    now: datetime,
) -> int:
    rows: Any = model._default_manager
    wanted = {tuple(values[name] for name in key): values for values in _resolved(listed)}
    attnames = {field.name: field.attname for field in model._meta.concrete_fields}
    columns = [attnames[name] for name in key]
    stored = {tuple(getattr(row, name) for name in columns): row for row in rows.filter(recorded_by="")}
    recorded = set(rows.exclude(recorded_by="").filter(undone_at__isnull=True).values_list(*columns))
    new, changed = [], []
    for number, values in wanted.items():
        fields = {f"{name}_id" if f"{name}_id" in columns else name: value for name, value in values.items()}
        row = stored.get(number)
        if row is None and number not in recorded:
            new.append(model(**fields, recorded_at=now))
        elif row and row.undone_at is None and any(getattr(row, name) != value for name, value in fields.items()):
            for name, value in fields.items():
                setattr(row, name, value)
            changed.append(row)
    gone = [row.pk for number, row in stored.items() if number not in wanted and row.undone_at is None]
    rows.filter(pk__in=gone).delete()
    rows.bulk_create(new)
    for row in changed:
        row.save()
    return len(new) + len(changed) + len(gone)


def _resolved(listed: Sequence[KnownAdjustment] | Sequence[KnownAwardedResult]) -> list[dict[str, Any]]:
    """Return the listed decisions whose season and clubs are stored, with ids in the place of names."""
    sides = [name for name in listed[0]._fields if name.endswith("team")]
    names = {getattr(each, side) for each in listed for side in sides}
    teams = dict[tuple[str, str], int]()
    # The club's own name counts more than another club's alias.
    for model, owner in ((TeamAlias, "team_id"), (Team, "pk")):
        found = model._default_manager.filter(name__in=names).values_list("region__name", "name", owner)
        teams |= {(region, name): team_id for region, name, team_id in found}
    seasons = {
        (region, competition, label): season_id
        for region, competition, label, season_id in Season.objects.filter(
            world=World.REAL, label__in={each.season for each in listed}
        ).values_list("competition__region__name", "competition__name", "label", "pk")
    }
    resolved = []
    for each in listed:
        values = each._asdict()
        region, competition = values.pop("region"), values.pop("competition")
        ids = {side: teams.get((region, values[side])) for side in sides}
        ids["season"] = seasons.get((region, competition, each.season))
        if all(ids.values()):
            resolved.append(values | ids)
    return resolved
