"""What each kind of prediction job computes, in chunks, so that a job shows progress and can be cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from apps.api import selectors
from apps.api.services.weaknesses import weaknesses_shape
from apps.api.services.what_if import seasons_to_meet
from apps.matches.models import Competition, Match, Season, Team, World
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services
from apps.ml import serving
from apps.ml.models import Score

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

CHUNK: Final = 1000
"""Items between two checks whether the job was cancelled."""

SIMULATIONS: Final = 10_000
"""Seasons that a job simulates."""

DIGITS: Final = 6
"""Decimals of probabilities and expected goals."""


class JobRefusedError(Exception):
    """The job cannot succeed however often it is tried; `kind` is a code for the reason, the message states it."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class JobWork:
    """The work of one job: `chunks` yields how many items are done so far, and the next piece of the result."""

    total: int
    media_type: str
    chunks: Iterator[tuple[int, bytes]]


def what_if_set(parameters: dict[str, Any], now: datetime) -> JobWork:
    """Forecast many matches as of now: coming fixtures by their id, and pairings of any two teams.

    Each item has its own line in the result, a forecast or an error.

    Raises
    ------
    JobRefusedError
        When the world has no champion.
    """
    world = World(parameters.get("world") or ml_selectors.served_world())
    served = serving.current(world, now=now, may_rebuild=True)
    if served is None:
        raise JobRefusedError("no-champion", f"No model is champion of the {world} world yet. Try again later.")
    items = parameters["items"]

    def chunks() -> Iterator[tuple[int, bytes]]:
        pairings = _Pairings(world, date.fromisoformat(day) if (day := parameters.get("date")) else None, now)
        done = 0
        for part in _parts(items):
            found = pairings.matches_of(part)
            matches = [match for match in found if isinstance(match, Match)]
            forecasts = iter(_forecasts(served, matches, now=now))
            lines = (
                {"item": number} | (next(forecasts) if isinstance(match, Match) else {"error": match})
                for number, match in enumerate(found, start=done)
            )
            done += len(part)
            yield done, _lines(lines)

    return JobWork(len(items), NDJSON, chunks())


def season_simulation(parameters: dict[str, Any], now: datetime) -> JobWork:
    """Simulate a season in which some of the remaining matches have results given by the client.

    Raises
    ------
    JobRefusedError
        When the competition, season, team or remaining match is unknown, or there is no champion.
    """
    slug, label = parameters["competition"], parameters.get("season", "")
    seasons = Season.objects.filter(competition__slug=slug).select_related("competition__region").order_by("-label")
    season = (seasons.filter(label=label) if label else seasons).first()
    if season is None:
        named = f"no season {label}" if label else "no season"
        raise JobRefusedError("unknown-season", f"There is {named} of a competition with the slug {slug}.")

    def chunks() -> Iterator[tuple[int, bytes]]:
        try:
            forecast = ml_services.simulate_season(
                season, locked=_locked(season, parameters.get("locked", [])), now=now, simulations=SIMULATIONS
            )
        except ml_services.SeasonRefusedError as error:
            raise JobRefusedError("season-refused", str(error)) from error
        teams = Team.objects.in_bulk([row["team"] for row in forecast.table["clubs"]])
        names = ("simulations", "doubt", "played", "remaining", "undated", "is_whole", "data_snapshot", "as_of")
        shape = {
            "competition": slug,
            "season": season.label,
            "locked": parameters.get("locked", []),
            "lines": forecast.table["lines"],
            "clubs": [
                row | {"team": {"slug": teams[row["team"]].slug, "name": teams[row["team"]].display_name}}
                for row in forecast.table["clubs"]
            ],
            "model_version": forecast.version.number,
            **{name: getattr(forecast, name) for name in names},
        }
        yield SIMULATIONS, _json(shape)

    return JobWork(SIMULATIONS, JSON, chunks())


def graded_forecasts(parameters: dict[str, Any], now: datetime) -> JobWork:
    """Return the forecasts that were published before the matches of a period, with results and scores."""
    world = World(parameters.get("world") or ml_selectors.served_world())
    scores = ml_selectors.valid_scores(world).filter(
        match__kickoff_at__gte=parameters["since"], match__kickoff_at__lt=parameters["until"]
    )
    if slug := parameters.get("competition"):
        competition = Competition.objects.filter(slug=slug).first()
        if competition is None:
            raise JobRefusedError("unknown-competition", f"There is no competition with the slug {slug}.")
        scores = scores.filter(match__competition=competition)
    total = scores.count()
    rows = scores.order_by("match__kickoff_at", "match_id").select_related(
        "match__season__competition", "match__home_team", "match__away_team", "prediction"
    )

    def chunks() -> Iterator[tuple[int, bytes]]:
        numbers = dict(ml_selectors.model_versions(world).values_list("pk", "number"))
        done = 0
        for part in _parts(rows.iterator(chunk_size=CHUNK)):
            done += len(part)
            yield done, _lines(_graded(score, numbers) for score in part)

    return JobWork(total, NDJSON, chunks())


KINDS: Final[dict[str, Callable[[dict[str, Any], datetime], JobWork]]] = {
    "what_if_set": what_if_set,
    "season_simulation": season_simulation,
    "graded_forecasts": graded_forecasts,
}
"""Kind of a job → its work, from the parameters and the present moment."""


class _Pairings:
    """The matches of the items of a job; teams and their leagues are looked up once."""

    def __init__(self, world: World, day: date | None, now: datetime) -> None:
        self._world = world
        self._day = day or ml_services.next_saturday(now)
        self._now = now
        self._teams: dict[str, Team | None] = {}
        self._leagues: dict[int, selectors.LatestLeague] = {}

    def matches_of(self, items: Sequence[dict[str, Any]]) -> list[Match | dict[str, str]]:
        """Return the match of each item, or the reason why there is none, as kind and detail."""
        related = ("season__competition__region", "home_team", "away_team")
        stored = Match.objects.select_related(*related).in_bulk([item["match"] for item in items if "match" in item])
        slugs = {item[side] for item in items if "match" not in item for side in ("home", "away")} - self._teams.keys()
        found = selectors.teams_of_slugs(sorted(slugs))
        self._teams |= {slug: found.get(slug) for slug in slugs}
        self._leagues |= selectors.latest_leagues(found.values())
        matches: list[Match | dict[str, str]] = []
        for item in items:
            try:
                matches.append(self._fixture(stored, item["match"]) if "match" in item else self._pairing(item))
            except ml_services.WhatIfRefusedError as error:
                matches.append({"kind": error.kind, "detail": str(error)})
        return matches

    def _fixture(self, stored: dict[int, Match], match_id: int) -> Match:
        match = stored.get(match_id)
        if match is None or match.world != self._world:
            raise ml_services.WhatIfRefusedError(
                "unknown-match", "match", f"The {self._world} world has no such match."
            )
        if match.status != Match.Status.SCHEDULED or match.kickoff_at <= self._now:
            raise ml_services.WhatIfRefusedError("not-a-fixture", "match", "The match is not a coming fixture.")
        return match

    def _pairing(self, item: dict[str, Any]) -> Match:
        home_team, away_team = (self._team(item[side], side) for side in ("home", "away"))
        season = seasons_to_meet(home_team, away_team, self._leagues, item.get("competition") or "")[0]
        if season.competition.world != self._world:
            raise ml_services.WhatIfRefusedError(
                "no-league", "home", f"{home_team} plays in no league of the {self._world} world that SPAI follows."
            )
        return ml_services.hypothetical_match(
            home_team=home_team,
            away_team=away_team,
            season=season,
            day=date.fromisoformat(item["date"]) if item.get("date") else self._day,
            is_neutral=item.get("neutral", False),
            now=self._now,
        )

    def _team(self, slug: str, side: str) -> Team:
        team = self._teams[slug]
        if team is None:
            raise ml_services.WhatIfRefusedError("unknown-team", side, f"There is no team with the slug {slug}.")
        return team


def _forecasts(served: serving.ServedModel, matches: list[Match], *, now: datetime) -> list[dict[str, Any]]:
    """Return the forecast of each match, in the given order."""
    if not matches:
        return []
    answer = serving.forecast(served, _frame(matches), now=now)
    expected = _expected_goals(answer, served.bundle.estimator.rho)
    return [
        {
            "match": match.pk,
            "home": match.home_team.slug,
            "away": match.away_team.slug,
            "competition": match.season.competition.slug,
            "season": match.season.label,
            "kickoff_at": match.kickoff_at,
            "probabilities": dict(zip(("home", "draw", "away"), p, strict=True)),
            "expected_goals": dict(zip(("home", "away"), goals, strict=True)),
            "weaknesses": weaknesses_shape(match, (each._asdict() for each in weaknesses)),
            "intervals": intervals,
            "model_version": served.version_number,
            "data_snapshot": served.data_snapshot,
            "as_of": now,
            "degraded": served.degraded or None,
        }
        for match, p, goals, weaknesses, intervals in zip(
            matches,
            answer.probabilities.round(DIGITS).tolist(),
            expected.round(DIGITS).tolist(),
            answer.weaknesses,
            answer.intervals,
            strict=True,
        )
    ]


def _frame(matches: list[Match]) -> pd.DataFrame:
    """Return stored and hypothetical matches as rows of `dataset.fixtures`, in the given order."""
    import pandas as pd

    from apps.ml import dataset

    stored = [place for place, match in enumerate(matches) if match.pk]
    others = [place for place, match in enumerate(matches) if not match.pk]
    frames = []
    if stored:
        frames.append(dataset.fixtures(matches[place].pk for place in stored).set_axis(stored))
    if others:
        frames.append(dataset.hypothetical_fixtures([matches[place] for place in others]).set_axis(others))
    return pd.concat(frames).sort_index() if len(frames) > 1 else frames[0].reset_index(drop=True)


def _expected_goals(answer: serving.ServedForecasts, rho: float) -> np.ndarray:
    """Return the means of the grids, which agree with the probabilities, shape (n, 2)."""
    import numpy as np

    from apps.ml.forecasting import goals

    cells = goals.scorelines(answer.goals, answer.probabilities, rho)
    counts = np.arange(cells.shape[1])
    return np.stack((cells.sum(axis=2) @ counts, cells.sum(axis=1) @ counts), axis=1)


def _locked(season: Season, given: list[dict[str, Any]]) -> dict[tuple[int, int], tuple[int, int]]:
    """Return given results by the ids of home and away team."""
    ids = [result["match"] for result in given if "match" in result]
    matches = Match.objects.filter(season=season, pk__in=ids).in_bulk()
    slugs = {result[side] for result in given if "match" not in result for side in ("home", "away")}
    teams = dict(Team.objects.filter(slug__in=slugs).values_list("slug", "pk"))
    locked: dict[tuple[int, int], tuple[int, int]] = {}
    for result in given:
        try:
            if "match" in result:
                match = matches[result["match"]]
                pair = (match.home_team_id, match.away_team_id)
            else:
                pair = (teams[result["home"]], teams[result["away"]])
        except KeyError as error:
            raise JobRefusedError("unknown-match", f"{error.args[0]} is no match or team of this season.") from error
        if pair in locked:
            raise JobRefusedError("locked-twice", f"Two results are given for one match: {result}.")
        locked[pair] = (result["home_goals"], result["away_goals"])
    return locked


def _graded(score: Score, numbers: dict[int, int]) -> dict[str, Any]:
    match, prediction = score.match, score.prediction
    return {
        "match": match.pk,
        "home": match.home_team.slug,
        "away": match.away_team.slug,
        "competition": match.season.competition.slug,
        "season": match.season.label,
        "kickoff_at": match.kickoff_at,
        "result": {"home": match.home_goals, "away": match.away_goals},
        "probabilities": dict(zip(("home", "draw", "away"), prediction.probabilities, strict=True)),
        "weaknesses": weaknesses_shape(match, prediction.weaknesses),
        "intervals": prediction.intervals,
        "model_version": numbers[prediction.version_id],
        "data_snapshot": prediction.data_snapshot,
        "as_of": prediction.as_of,
        "published_at": prediction.published_at,
        "degraded": prediction.degraded or None,
        "scores": {name: getattr(score, name) for name in ("log_loss", "rps", "brier", "market_log_loss")},
    }


def _parts(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the items in chunks."""
    rest = iter(items)
    while part := list(islice(rest, CHUNK)):
        yield part


def _json(shape: dict[str, Any]) -> bytes:
    return orjson.dumps(shape, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _lines(shapes: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(_json(shape) + b"\n" for shape in shapes)
