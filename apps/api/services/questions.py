"""What if two teams met: who they are, where they could meet, and the match that is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from apps.api import selectors
from apps.matches import selectors as matches
from apps.matches.models import Match, Season, Team, World
from apps.ml import services as ml_services

SUGGESTIONS: Final = 8

LONG_AGO: Final = timedelta(days=400)
"""A club whose latest league match is older than this has left the leagues that are followed."""


@dataclass(frozen=True, slots=True)
class Question:
    """A match that is asked about.

    Parameters
    ----------
    match : Match
        Stored nowhere.
    seasons : list of Season
        Where the two could meet: the newest season of the league of each.
    notes : list of str
        What makes the answer less sure than that of a fixture, for people.
    """

    match: Match
    seasons: list[Season]
    notes: list[str]


def team_called(text: str, world: World) -> tuple[Team | None, list[Team]]:
    """Return the team that a slug or a name means, and the teams that it may mean where that is not sure."""
    found = Team.objects.select_related("region").filter(slug=text).first()
    if found is not None:
        return found, []
    candidates = matches.search_teams(text, world, limit=SUGGESTIONS)
    exact = [team for team in candidates if team.name.casefold() == text.casefold()]
    return (exact[0], []) if len(exact) == 1 else (None, exact or candidates)


def ask(
    *, home_team: Team, away_team: Team, day: date, competition: str = "", is_neutral: bool = False, now: datetime
) -> Question:
    """Return the match of two teams on a day.

    Parameters
    ----------
    competition : str
        Slug of the competition that they would meet in; the home team's league by default.

    Raises
    ------
    WhatIfRefusedError
        When they cannot meet, or nothing can be said of that day.
    """
    leagues = []
    for about, team in (("home", home_team), ("away", away_team)):
        newest = selectors.newest_league(team)
        if newest is None:
            raise ml_services.WhatIfRefusedError(
                "no-league", about, f"{team.name} plays in no league that is followed here."
            )
        leagues.append(newest)
    worlds = {match.season.competition.world for match in leagues}
    if len(worlds) > 1:
        raise ml_services.WhatIfRefusedError(
            "two-worlds", "away", f"{home_team.name} and {away_team.name} are of two worlds: one of them is simulated."
        )
    seasons = selectors.newest_seasons(match.season.competition_id for match in leagues)
    season = next((each for each in seasons if each.competition.slug == competition), None)
    if season is None and competition:
        names = " or ".join(each.competition.slug for each in seasons)
        raise ml_services.WhatIfRefusedError(
            "other-competition", "competition", f"They could meet in {names}, not in {competition[:160]}."
        )
    match = ml_services.hypothetical_match(
        home_team=home_team,
        away_team=away_team,
        season=season or seasons[0],
        day=day,
        is_neutral=is_neutral,
        now=now,
    )
    return Question(match, seasons, _notes(home_team, away_team, leagues, now))


def _notes(home_team: Team, away_team: Team, leagues: list[Match], now: datetime) -> list[str]:
    notes = [
        f"{team.name} has played no league match since {match.kickoff_at:%B %Y}: its strength is that of then."
        for team, match in zip((home_team, away_team), leagues, strict=True)
        if match.kickoff_at < now - LONG_AGO
    ]
    if home_team.region_id != away_team.region_id:
        notes.append(
            "The two play in different countries, whose leagues hardly ever meet in matches that are stored here: how "
            "they compare is assumed rather than measured."
        )
    return notes
