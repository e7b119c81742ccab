"""Facts that come with SPAI rather than from a source: decisions on points, and the names and colours of clubs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from apps.matches.adjustments import KnownAdjustment, known_adjustments
from apps.matches.clubs import Club, club_of
from apps.matches.models import PointsAdjustment, Season, Team, TeamAlias, World

Key = tuple[int, int, date]
"""Season, team and day of a decision."""

SHIPPED: Final = ("points", "reason", "source")


def store_known_adjustments(*, now: datetime) -> int:
    """Store the listed decisions on stored clubs and seasons; return the number of rows written.

    A row that an operator has taken back stays so, and a decision that an operator has recorded is not stored twice.
    """
    wanted = _wanted()
    recorded = PointsAdjustment.objects.exclude(recorded_by="").filter(undone_at__isnull=True)
    stored = {_key(row): row for row in PointsAdjustment.objects.filter(recorded_by="")}
    taken = {_key(row) for row in recorded} | stored.keys()
    new = [
        PointsAdjustment(
            season_id=key[0],
            team_id=key[1],
            decided_on=key[2],
            recorded_at=now,
            **{name: getattr(each, name) for name in SHIPPED},
        )
        for key, each in wanted.items()
        if key not in taken
    ]
    changed = []
    for key, row in stored.items():
        listed = wanted.get(key)
        if listed is None or row.undone_at is not None:
            continue
        values = {name: getattr(listed, name) for name in SHIPPED}
        if values != {name: getattr(row, name) for name in SHIPPED}:
            for name, value in values.items():
                setattr(row, name, value)
            changed.append(row)
    gone = [row.pk for key, row in stored.items() if key not in wanted and row.undone_at is None]
    PointsAdjustment.objects.filter(pk__in=gone).delete()
    PointsAdjustment.objects.bulk_update(changed, SHIPPED)
    PointsAdjustment.objects.bulk_create(new)
    return len(new) + len(changed) + len(gone)


def store_club_names() -> int:
    """Store what ``clubs.csv`` holds about the stored clubs; return the number of rows written."""
    changed = []
    for team in Team.objects.select_related("region"):
        club = club_of(team.region.name, team.name)
        if club != Club(*(getattr(team, name) for name in Club._fields)):
            for name, value in club._asdict().items():
                setattr(team, name, value)
            changed.append(team)
    Team.objects.bulk_update(changed, Club._fields, batch_size=500)
    return len(changed)


def _wanted() -> dict[Key, KnownAdjustment]:
    """Return the listed decisions whose season and club are stored."""
    listed = known_adjustments()
    names = {each.team for each in listed}
    teams = dict[tuple[str, str], int]()
    # The club's own name counts more than another club's alias.
    for model in (TeamAlias, Team):
        owner = "team_id" if model is TeamAlias else "pk"
        for region, name, team_id in model.objects.filter(name__in=names).values_list("region__name", "name", owner):
            teams[region, name] = team_id
    seasons = {
        (region, competition, label): season_id
        for region, competition, label, season_id in Season.objects.filter(
            world=World.REAL, label__in={each.season for each in listed}
        ).values_list("competition__region__name", "competition__name", "label", "pk")
    }
    return {
        (season_id, team_id, each.decided_on): each
        for each in listed
        if (season_id := seasons.get((each.region, each.competition, each.season)))
        and (team_id := teams.get((each.region, each.team)))
    }


def _key(row: PointsAdjustment) -> Key:
    return row.season_id, row.team_id, row.decided_on
