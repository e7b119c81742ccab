"""What-if matches: finding the teams, the competition they could meet in, and the unsaved match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.utils.translation import gettext

from apps.api import selectors, written
from apps.matches import selectors as matches
from apps.matches.clubs import plain
from apps.matches.models import Match, Season, Team, World
from apps.ml import services as ml_services

SUGGESTIONS: Final = 8

INACTIVE_AFTER: Final = timedelta(days=400)
"""A club without a league match for so long has left the leagues that SPAI follows."""


@dataclass(frozen=True, slots=True)
class WhatIfMatch:
    """A match that is not a fixture, and not saved.

    `seasons` are those that the two could meet in: the newest of the league of each. `notes` are reasons why the
    forecast is less certain than that of a fixture.
    """

    match: Match
    seasons: list[Season]
    notes: list[str]


def find_team(text: str, world: World) -> tuple[Team | None, list[Team]]:
    """Return the team of a slug or a name; where none or several fit, return None and the candidates."""
    found = Team.objects.select_related("region").filter(slug=text).first()
    if found is not None:
        return found, []
    candidates = matches.search_teams(text, world, limit=SUGGESTIONS)
    exact = [team for team in candidates if f"| {plain(text)} |" in team.search_text]
    return (exact[0], []) if len(exact) == 1 else (None, exact or candidates)


def what_if_match(
    *, home_team: Team, away_team: Team, day: date, competition: str = "", is_neutral: bool = False, now: datetime
) -> WhatIfMatch:
    """Return a match of two teams on a day.

    Parameters
    ----------
    competition : str
        Slug of the competition; the home team's league by default.

    Raises
    ------
    WhatIfRefusedError
        When they cannot meet, or the day cannot be forecast.
    """
    leagues = selectors.latest_leagues((home_team, away_team))
    seasons = seasons_to_meet(home_team, away_team, leagues, competition)
    match = ml_services.hypothetical_match(
        home_team=home_team, away_team=away_team, season=seasons[0], day=day, is_neutral=is_neutral, now=now
    )
    return WhatIfMatch(match, seasons, _notes(home_team, away_team, leagues, now))


def seasons_to_meet(
    home_team: Team, away_team: Team, leagues: Mapping[int, selectors.LatestLeague], competition: str = ""
) -> list[Season]:
    """Return the seasons that two teams could meet in, first that of a competition or of the home team's league.

    Parameters
    ----------
    leagues : mapping of int to LatestLeague
        The latest league of each team, by its id.
    competition : str
        Slug of the competition; the home team's league by default.

    Raises
    ------
    WhatIfRefusedError
        When they cannot meet.
    """
    for about, team in (("home", home_team), ("away", away_team)):
        if team.pk not in leagues:
            raise ml_services.WhatIfRefusedError(
                "no-league", about, gettext("{team} plays in no league that SPAI follows.").format(team=team)
            )
    seasons = list({season.pk: season for season in (leagues[t.pk].season for t in (home_team, away_team))}.values())
    if len({season.competition.world for season in seasons}) > 1:
        raise ml_services.WhatIfRefusedError(
            "two-worlds",
            "away",
            gettext("{home} and {away} belong to different worlds: one of them is simulated.").format(
                home=home_team, away=away_team
            ),
        )
    if competition and not any(each.competition.slug == competition for each in seasons):
        names = gettext(" or ").join(each.competition.slug for each in seasons)
        raise ml_services.WhatIfRefusedError(
            "other-competition",
            "competition",
            gettext("They could meet in {names}, not in {other}.").format(names=names, other=competition[:160]),
        )
    return sorted(seasons, key=lambda each: each.competition.slug != competition) if competition else seasons


def _notes(home_team: Team, away_team: Team, leagues: Mapping[int, selectors.LatestLeague], now: datetime) -> list[str]:
    notes = [
        gettext("{team} has played no league match since {month}: its rating dates from then.").format(
            team=team, month=written.day(leagues[team.pk].kickoff_at, "F Y")
        )
        for team in (home_team, away_team)
        if leagues[team.pk].kickoff_at < now - INACTIVE_AFTER
    ]
    if home_team.region_id != away_team.region_id:
        notes.append(
            gettext(
                "The two play in different countries, and matches between their leagues are rare in the data: how they "
                "compare is assumed rather than measured."
            )
        )
    return notes
