"""An MCP server: assistants ask SPAI for fixtures and forecasts. All tools read; none changes anything."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import wraps
from itertools import islice
from statistics import fmean
from typing import Annotated, Any, ParamSpec, TypeVar

import httpx
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from spai_client.client import Client
from spai_client.generated import models
from spai_client.generated.api.scores import scores
from spai_client.generated.models import ListedTeam
from spai_client.problems import NotFoundError, ProblemError

INSTRUCTIONS = """
SPAI knows football matches and forecasts them: calibrated probabilities of home win, draw and away win. Times are in
UTC. Teams may be named as people call them; competitions are named by slugs such as england-premier-league, which
`fixtures` shows. Probabilities are forecasts, not advice to bet: pass them on as they are, with `degraded` and notes.
"""

MOST_MATCHES = 60
"""Matches in one answer; more would crowd out the rest of a conversation."""

MOST_SCORES = 500
"""Played matches whose scores make a track record."""

LONGEST_MATCH = timedelta(hours=3)

CompetitionSlug = Annotated[str, Field(description="Slug of a competition, such as england-premier-league.")]
TeamName = Annotated[str, Field(description="Name of a team as people call it, or its slug.")]


class Team(BaseModel):
    """A team."""

    name: str
    slug: str


class Fixture(BaseModel):
    """A match, played or not."""

    match_id: int
    competition: str = Field(description="Slug; `season` takes it.")
    season: str
    kickoff_at: datetime
    kickoff_is_known: bool = Field(description="False where only the day is known.")
    status: str
    home: Team
    away: Team
    home_goals: int | None = Field(description="After 90 minutes; null before there is a result.")
    away_goals: int | None


class Fixtures(BaseModel):
    """Matches in the order of kick-off."""

    matches: list[Fixture]
    has_more: bool = Field(description="Whether matches were left out; ask for less.")


class Outcomes(BaseModel):
    """One number for each outcome."""

    home: float | None
    draw: float | None
    away: float | None


class Interval(BaseModel):
    """The ends of the interval around a probability."""

    low: float
    high: float


class Intervals(BaseModel):
    """An interval around each probability, in which the market's closing line is expected."""

    level: float = Field(description="Share of matches in which an interval, each by itself, holds the closing line.")
    home: Interval
    draw: Interval
    away: Interval


class Forecast(BaseModel):
    """A forecast of one match."""

    home: Team
    away: Team
    kickoff_at: datetime
    match_id: int | None = Field(description="Null for a match that is not a fixture.")
    probabilities: Outcomes
    fair_odds: Outcomes = Field(description="1 / probability, without a margin.")
    home_expected_goals: float
    away_expected_goals: float
    base_rates: Outcomes = Field(description="How often these outcomes happen in the competition, for comparison.")
    contributions: dict[str, float] = Field(description="Group of inputs → log-odds, home against away.")
    weaknesses: list[str] = Field(description="Why the forecast is less sure than usual; mostly empty.")
    intervals: Intervals | None = Field(description="How sure the forecast is; null where that is not known.")
    model: str | None = Field(description="World, version and estimator; null where base rates stand in for a model.")
    as_of: datetime = Field(description="The forecast uses nothing that became known later.")
    is_frozen: bool = Field(description="True from kick-off on: it was published before and stays.")
    degraded: str | None = Field(description="Why the answer is not from the best model; null if it is.")
    notes: list[str]


class Score(BaseModel):
    """A published forecast of a played match, and how good it was."""

    match_id: int | None
    kickoff_at: datetime
    home: str
    away: str
    result: str = Field(description="H, D or A: home win, draw or away win.")
    probabilities: Outcomes
    log_loss: float = Field(description="-ln of the probability of what happened; lower is better.")
    base_log_loss: float = Field(description="The same of the base rates of the competition.")
    market_log_loss: float | None = Field(description="The same of the closing prices; null without any.")


class TrackRecord(BaseModel):
    """The latest graded forecasts, and their means."""

    matches: int
    mean_log_loss: float | None = Field(description="Null without a match.")
    mean_base_log_loss: float | None
    mean_market_log_loss: float | None = Field(description="Over the matches that have closing prices.")
    latest: list[Score] = Field(description="At most ten, the latest first.")


class Place(BaseModel):
    """One team of a table, with how its season is expected to end."""

    place: int
    team: Team
    played: int
    points: int
    goal_difference: int
    expected_points: float | None = Field(description="At the end of the season; null without a simulation.")
    chances: dict[str, float] = Field(description="title, down and other lines of the table → probability.")


class Season(BaseModel):
    """The table of a season and its forecast."""

    competition: str
    season: str
    places: list[Place]
    simulated_seasons: int = Field(
        description="0 without a simulation: the season is over, a cup, or not yet forecast."
    )
    remaining_matches: int | None


Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


def _explained(tool: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
    """Give the reason of a failure to the assistant, in the words of the server."""

    @wraps(tool)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
        try:
            return tool(*args, **kwargs)
        except ProblemError as error:
            raise ToolError(str(error)) from error
        except httpx.HTTPError as error:
            raise ToolError(
                f"SPAI does not answer ({error}). Check that it runs, and the address in SPAI_URL."
            ) from error

    return run


class Tools:
    """The tools, over one client."""

    def __init__(self, client: Client, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client = client
        self._now = now

    @_explained
    def fixtures(
        self,
        day: Annotated[date | None, Field(description="A day in UTC; today by default.")] = None,
        competition: Annotated[str, Field(description="Only this competition, by its slug.")] = "",
        team: Annotated[str, Field(description="Only matches of this team, by any of its names.")] = "",
    ) -> Fixtures:
        """Matches of one day with kick-off, status and result. With a team or competition and no day: the next ones."""
        filters: dict[str, Any] = {"competition": competition} if competition else {}
        if team:
            filters["team"] = self._team(team).slug
        if day is None and filters:
            filters["from_"] = self._now() - LONGEST_MATCH
        else:
            start = datetime.combine(day or self._now().date(), time(), tzinfo=UTC)
            filters |= {"from_": start, "to": start + timedelta(days=1)}
        try:
            found = list(islice(self._client.matches(**filters, page_size=MOST_MATCHES + 1), MOST_MATCHES + 1))
        except ProblemError as error:
            raise self._with_competitions(error, competition) from error
        matches = [_fixture(match) for match in found[:MOST_MATCHES]]
        return Fixtures(matches=matches, has_more=len(found) > MOST_MATCHES)

    @_explained
    def forecast(
        self,
        match_id: Annotated[int | None, Field(description="Of a match that `fixtures` showed.")] = None,
        home: Annotated[str, Field(description="Or two teams: their next meeting, on either ground.")] = "",
        away: Annotated[str, Field(description="The other team.")] = "",
    ) -> Forecast:
        """The forecast of a fixture, by its id or by its two teams. Of a played match: what was published before it."""
        if match_id is not None:
            match = self._client.match(match_id)
        elif home and away:
            match = self._next_meeting(self._team(home), self._team(away))
        else:
            raise ToolError("Name a match_id, or two teams as home and away.")
        return _forecast(self._client.prediction(match.id), match)

    @_explained
    def what_if(
        self,
        home: TeamName,
        away: TeamName,
        day: Annotated[date | None, Field(description="At most a year ahead; the next Saturday by default.")] = None,
        is_neutral: Annotated[bool, Field(description="Whether neither team is at home.")] = False,
    ) -> Forecast:
        """The forecast of a match of any two teams that is not a fixture, such as of a cup draw."""
        teams = self._team(home).slug, self._team(away).slug
        found = self._client.what_if(*teams, day=day, is_neutral=is_neutral)
        return _forecast(found, found)

    @_explained
    def season(
        self,
        competition: CompetitionSlug,
        season: Annotated[str, Field(description="Such as 2026-27; the newest by default.")] = "",
    ) -> Season:
        """The table of a league, and how its season is expected to end: points, chances of title and relegation."""
        try:
            table = self._client.table(competition, season=season)
        except NotFoundError as error:
            raise self._with_competitions(error, competition) from error
        try:
            end = self._client.season_forecast(competition, season=season)
        except NotFoundError:
            end = None
        clubs = {club.team.slug: club for club in end.clubs} if end else {}
        return Season(
            competition=table.competition.slug,
            season=table.season,
            places=[
                Place(
                    place=row.place,
                    team=_team(row.team),
                    played=row.played,
                    points=row.points,
                    goal_difference=row.goal_difference,
                    expected_points=club.expected if (club := clubs.get(row.team.slug)) else None,
                    chances=dict(club.chances.additional_properties) if club else {},
                )
                for row in table.standings
            ],
            simulated_seasons=end.simulations if end else 0,
            remaining_matches=end.remaining if end else None,
        )

    @_explained
    def track_record(
        self,
        competition: Annotated[str, Field(description="Only this competition, by its slug.")] = "",
        team: Annotated[str, Field(description="Only matches of this team, by any of its names.")] = "",
    ) -> TrackRecord:
        """How good the latest forecasts were: those published before up to 500 played matches, with their scores."""
        filters: dict[str, Any] = {"competition": competition} if competition else {}
        if team:
            filters["team"] = self._team(team).slug
        newest = models.ScoresOrdering("-kickoff_at")
        try:
            found = list(
                islice(self._client.pages(scores.sync, ordering=newest, page_size=MOST_SCORES, **filters), MOST_SCORES)
            )
        except ProblemError as error:
            raise self._with_competitions(error, competition) from error
        return TrackRecord(
            matches=len(found),
            mean_log_loss=_mean(row.log_loss for row in found),
            mean_base_log_loss=_mean(row.base_log_loss for row in found),
            mean_market_log_loss=_mean(row.market_log_loss for row in found),
            latest=[_score(row) for row in found[:10]],
        )

    def _team(self, name: str) -> ListedTeam:
        """Return the team of a name.

        Raises
        ------
        ToolError
            When no team or several have it; the message names those that are like it.
        """
        found = self._client.teams(name)
        plain = name.strip().casefold()
        same = [team for team in found if plain in {each.casefold() for each in _names(team)}]
        if len(same) == 1 or (not same and len(found) == 1):
            return (same or found)[0]
        if not found:
            raise ToolError(f"No team is called “{name}”. Try its full name, or `fixtures` for the teams of a day.")
        like = ", ".join(f"{team.display_name} of {team.region} ({team.slug})" for team in (same or found)[:8])
        if same:
            raise ToolError(f"“{name}” is the name of {len(same)} teams: {like}. Ask again with one of the slugs.")
        raise ToolError(f"No team is called “{name}”; did you mean one of these? {like}. Ask again with its slug.")

    def _next_meeting(self, home: ListedTeam, away: ListedTeam) -> models.Match:
        coming = self._client.matches(team=home.slug, from_=self._now() - LONGEST_MATCH, page_size=100)
        for match in islice(coming, 200):
            if {match.home_team.slug, match.away_team.slug} == {home.slug, away.slug} and match.status in (
                models.StatusEnum.SCHEDULED,
                models.StatusEnum.LIVE,
            ):
                return match
        raise ToolError(
            f"{home.display_name} and {away.display_name} have no coming match that is known. "
            "Use what_if for the forecast of a match of them that is not a fixture."
        )

    def _with_competitions(self, error: ProblemError, competition: str) -> ToolError:
        """Return the refusal of a request, with the competitions that may have been meant."""
        if not competition or error.kind not in ("unknown-competition", "bad-input"):
            return ToolError(str(error))
        week = self._client.matches(from_=self._now(), to=self._now() + timedelta(days=7), page_size=200)
        known = sorted({match.competition.slug for match in islice(week, 200)})
        like = get_close_matches(competition, known, n=5, cutoff=0.4) or known[:20]
        return ToolError(f"{error} Did you mean one of these? {', '.join(like)}." if like else str(error))


def _names(team: ListedTeam) -> Iterator[str]:
    yield from (team.slug, team.name, team.display_name, team.full_name, *team.other_names)


def _team(team: models.Team) -> Team:
    return Team(name=team.display_name, slug=team.slug)


def _fixture(match: models.Match) -> Fixture:
    return Fixture(
        match_id=match.id,
        competition=match.competition.slug,
        season=match.season,
        kickoff_at=match.kickoff_at,
        kickoff_is_known=match.kickoff_precision == models.KickoffPrecisionEnum.MINUTE,
        status=str(match.status),
        home=_team(match.home_team),
        away=_team(match.away_team),
        home_goals=match.home_goals,
        away_goals=match.away_goals,
    )


def _score(row: models.ScoreRow) -> Score:
    return Score(
        match_id=row.match,
        kickoff_at=row.kickoff_at,
        home=row.home_team_name,
        away=row.away_team_name,
        result=str(row.result),
        probabilities=Outcomes(home=row.p_home, draw=row.p_draw, away=row.p_away),
        log_loss=row.log_loss,
        base_log_loss=row.base_log_loss,
        market_log_loss=row.market_log_loss,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _outcomes(given: models.Outcomes | models.FairOdds) -> Outcomes:
    return Outcomes(home=given.home, draw=given.draw, away=given.away)


def _forecast(found: models.Prediction | models.WhatIf, match: models.Match | models.WhatIf) -> Forecast:
    model = found.model
    return Forecast(
        home=_team(match.home_team),
        away=_team(match.away_team),
        kickoff_at=found.kickoff_at,
        match_id=match.id if isinstance(match, models.Match) else None,
        probabilities=_outcomes(found.probabilities),
        fair_odds=_outcomes(found.fair_odds),
        home_expected_goals=found.expected_goals.home,
        away_expected_goals=found.expected_goals.away,
        base_rates=_outcomes(found.base_rates),
        contributions=dict(found.contributions.additional_properties),
        weaknesses=[each.text for each in found.weaknesses],
        intervals=None if found.intervals is None else Intervals.model_validate(found.intervals.to_dict()),
        model=f"{model.world} {model.version} ({model.estimator})" if model else None,
        as_of=found.as_of,
        is_frozen=found.is_frozen if isinstance(found, models.Prediction) else False,
        degraded=found.degraded or None,
        notes=found.notes if isinstance(found, models.WhatIf) else [],
    )


def make_server(tools: Tools) -> MCPServer[Any]:
    """Return the server with its tools."""
    server: MCPServer[Any] = MCPServer("spai", title="SPAI football forecasts", instructions=INSTRUCTIONS.strip())
    for tool in (tools.fixtures, tools.forecast, tools.what_if, tools.season, tools.track_record):
        server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))(tool)
    return server


def main(arguments: Iterable[str] | None = None) -> None:
    """Serve an assistant over standard input and output."""
    parser = argparse.ArgumentParser(prog="spai-mcp", description=main.__doc__)
    parser.add_argument(
        "--url", default=os.environ.get("SPAI_URL", "http://127.0.0.1:8000"), help="address of the site"
    )
    options = parser.parse_args(None if arguments is None else list(arguments))
    # The key has no option: other users of the machine can read the arguments of a process.
    with Client(options.url, os.environ.get("SPAI_KEY")) as client:
        make_server(Tools(client)).run("stdio")
