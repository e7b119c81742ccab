"""Forecasts of hypothetical matches between any two teams; nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from apps.matches.models import Match, Season, Team
from apps.ml.services.forecasts import LiveForecast, live_forecast

if TYPE_CHECKING:
    from apps.ml.forecasting.features.events import EventRows

AHEAD: Final = timedelta(days=365)
"""Longest time ahead of a hypothetical match: ratings say little about clubs in more than a year."""

USUAL_KICKOFF: Final = time(15)
"""Kick-off of a hypothetical match, UTC."""

LEAST_NOTICE: Final = timedelta(hours=1)
"""Shortest time until the kick-off of a hypothetical match of today."""


class WhatIfRefusedError(ValueError):
    """The match cannot be forecast; the message says why, `kind` is a code for it, `about` the parameter."""

    def __init__(self, kind: str, about: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.about = about


@dataclass(slots=True)
class Meeting:
    """A match that is not stored, with the attributes of a `Match` that forecasts read.

    Thousands are made at a time, and making one `Match` takes longer than its forecast.
    """

    season: Season
    home_team: Team
    away_team: Team
    kickoff_at: datetime
    is_neutral: bool
    season_id: int
    home_team_id: int
    away_team_id: int
    kickoff_precision: str = Match.KickoffPrecision.MINUTE
    status: str = Match.Status.SCHEDULED
    pk: None = None
    home_goals: None = None
    away_goals: None = None


def meeting(
    *, home_team: Team, away_team: Team, season: Season, day: date, is_neutral: bool = False, now: datetime
) -> Meeting:
    """Return a match of two teams on a day.

    Raises
    ------
    WhatIfRefusedError
        When a team would meet itself, or the day is over or too far away.
    """
    kickoff_at = _kickoff(home_team, away_team, day, now)
    return Meeting(season, home_team, away_team, kickoff_at, is_neutral, season.pk, home_team.pk, away_team.pk)


def hypothetical_match(
    *, home_team: Team, away_team: Team, season: Season, day: date, is_neutral: bool = False, now: datetime
) -> Match:
    """Return a match that is not stored.

    Raises
    ------
    WhatIfRefusedError
        When a team would meet itself, or the day is over or too far away.
    """
    return Match(
        season=season,
        home_team=home_team,
        away_team=away_team,
        kickoff_at=_kickoff(home_team, away_team, day, now),
        kickoff_precision=Match.KickoffPrecision.MINUTE,
        status=Match.Status.SCHEDULED,
        is_neutral=is_neutral,
    )


def _kickoff(home_team: Team, away_team: Team, day: date, now: datetime) -> datetime:
    """Return the kick-off of a hypothetical match; raise `WhatIfRefusedError` when there can be none."""
    if home_team.pk == away_team.pk:
        raise WhatIfRefusedError(
            "same-team", "away", gettext("{team} cannot meet itself. Choose two teams.").format(team=home_team)
        )
    if day < now.astimezone(UTC).date():
        raise WhatIfRefusedError(
            "past", "date", gettext("This day is over. Forecasts of past matches are on their pages.")
        )
    kickoff_at = max(datetime.combine(day, USUAL_KICKOFF, tzinfo=UTC), now + LEAST_NOTICE)
    if kickoff_at > now + AHEAD:
        latest = (now + AHEAD - timedelta(days=1)).date()
        raise WhatIfRefusedError(
            "too-far", "date", gettext("The latest day that can be forecast is {day}.").format(day=latest.isoformat())
        )
    return kickoff_at


def next_saturday(now: datetime) -> date:
    """Return the next Saturday; today, on a Saturday before the usual kick-off."""
    today = now.astimezone(UTC)
    ahead = (5 - today.weekday()) % 7
    if ahead == 0 and today.time() >= USUAL_KICKOFF:
        ahead = 7
    return today.date() + timedelta(days=ahead)


def what_if(match: Match, *, now: datetime) -> LiveForecast:
    """Forecast a match that `hypothetical_match` returned.

    Ratings are those of today; results between now and then are not simulated. Rest and congestion use the known
    fixtures.

    Raises
    ------
    NoForecastError
        When the world of the teams has no champion yet.
    """

    def fixture() -> EventRows:
        # Loads pandas, which a web process does in its warm-up and not at its start.
        from apps.ml import dataset

        return dataset.hypothetical_row(match, as_of=now)

    return live_forecast(match, fixture, now=now)
