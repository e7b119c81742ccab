"""The forecast of one match with its scoreline grid, for pages and REST."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy

from apps.api.services.weaknesses import weaknesses_shape
from apps.matches.models import Competition, LiveScore, Match, Team, World
from apps.matches.services import periods_in_force
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services
from apps.ml.forecasting import goals
from apps.ml.forecasting import live as live_model
from apps.ml.forecasting.contributions import label_of
from apps.ml.models import ModelVersion, Prediction

ROLES: Final = ("champion", "challenger")
"""Names of versions by what they are at present."""

NOT_SCHEDULED: Final = {
    Match.Status.LIVE: gettext_lazy("The match is live; it is forecast once it is scheduled again."),
    Match.Status.FINISHED: gettext_lazy("The match is finished; it is forecast once it is scheduled again."),
    Match.Status.POSTPONED: gettext_lazy("The match is postponed; it is forecast once it is scheduled again."),
    Match.Status.CANCELLED: gettext_lazy("The match is cancelled; it is forecast once it is scheduled again."),
    Match.Status.ABANDONED: gettext_lazy("The match is abandoned; it is forecast once it is scheduled again."),
    Match.Status.AWARDED: gettext_lazy("The match is awarded; it is forecast once it is scheduled again."),
    Match.Status.UNKNOWN: gettext_lazy("The match is unknown; it is forecast once it is scheduled again."),
}
"""Why a match that has not kicked off gets no forecast, by its status."""


class UnknownMatchError(ValueError):
    """There is no such match."""


class UnknownModelError(ValueError):
    """There is no such model version; the message names the world."""


@dataclass(frozen=True, slots=True)
class ForecastDetails:
    """A forecast, with the scoreline grid and the markets that follow from it.

    `published_at` is None for a forecast that was made for this request and is not stored, `version` where the base
    rates stand in for a model.
    """

    p: tuple[float, float, float]
    model_goals: tuple[float, float]  # expected by the model; those of the grid agree with `p`
    rho: float
    base_rates: tuple[float, float, float]
    contributions: dict[str, float]
    weaknesses: list[dict[str, Any]]
    intervals: dict[str, Any] | None  # as `Prediction.intervals` stores them
    version: ModelVersion | None
    data_snapshot: int
    as_of: datetime
    published_at: datetime | None
    degraded: str
    live_score: LiveScore | None = None  # of its match, while that is in play

    @property
    def grid(self) -> goals.ScorelineGrid:
        """The probabilities of the scorelines."""
        return _grid(*self.model_goals, self.p, self.rho)[0]

    @property
    def markets(self) -> goals.Markets:
        """What is read off the grid."""
        return _grid(*self.model_goals, self.p, self.rho)[1]


def forecast_details(
    match: Match, prediction: Prediction | None, *, live: LiveScore | None = None, now: datetime
) -> ForecastDetails:
    """Return the published forecast of a match; of a fixture without one, a forecast made now.

    Parameters
    ----------
    live : LiveScore, optional
        The score of the match in play, where there is news of it.

    Raises
    ------
    NoForecastError
        With the reason, when there is none and none can be made.
    """
    if prediction is not None:
        return published_details(prediction, live)
    _check_fixture(match, now)
    return _live(match, ml_services.forecast(match.pk, now=now))


def _check_fixture(match: Match, now: datetime) -> None:
    """Raise `NoForecastError` for a match that no forecast can be made of any more, or not at present."""
    if match.kickoff_at <= now:
        raise ml_services.NoForecastError(gettext("No forecast of this match was published before its kick-off."))
    if match.status != Match.Status.SCHEDULED:
        raise ml_services.NoForecastError(str(NOT_SCHEDULED[Match.Status(match.status)]))


def forecast_of(
    match_id: int, *, model: str = "", at: datetime | None = None, now: datetime
) -> tuple[Match, ForecastDetails]:
    """Return a match and its forecast.

    Parameters
    ----------
    match_id : int
        Id of the match.
    model : str
        One of `ROLES` or the number of a version of the match's world; by default the published forecast, of
        any version. A version that has published none makes one now.
    at : datetime, optional
        The published forecast that stood at this moment; by default the latest one, or one made now.

    Raises
    ------
    UnknownMatchError, UnknownModelError
        When there is no such match or version.
    NoForecastError, NotServedError, StillLoadingError
        With the reason, when there is no forecast and none can be made, or not yet.
    """
    version = None
    if model:
        world = Match.objects.filter(pk=match_id).values_list("world", flat=True).first()
        version = None if world is None else _version(World(world), model)
    found = ml_selectors.match_with_prediction(match_id, at=at, version_id=version.pk if version else None)
    if found is None:
        raise UnknownMatchError("There is no such match.")
    match, prediction, live = found
    if at is not None:
        # What was known of the score at that moment is not kept.
        live = None
        _check_kept(match, at, now)
    if prediction is None and at is not None:
        raise ml_services.NoForecastError("No forecast of this match had been published at that moment.")
    if prediction is not None or version is None:
        return match, forecast_details(match, prediction, live=live, now=now)
    _check_fixture(match, now)
    return match, _live(match, ml_services.forecast_by(version, match, now=now))


def _check_kept(match: Match, at: datetime, now: datetime) -> None:
    """Raise `NoForecastError` where retention may have deleted the forecast that stood at a moment."""
    days = periods_in_force()["forecasts" if match.world == World.REAL else "sandbox-forecasts"].days
    later = Prediction.objects.filter(match=match, published_at__gt=at, published_at__lt=match.kickoff_at)
    if days and match.kickoff_at < now - timedelta(days=days) and later.exists():
        raise ml_services.NoForecastError(
            f"Forecasts that were replaced before kick-off are kept for {days} days after the match; the ledger still "
            "proves them. Leave as_of out for the last one."
        )


def _version(world: World, model: str) -> ModelVersion:
    """Return the version of a world that has a role or a number."""
    is_role = model in ROLES
    version = ml_selectors.aliases(world)[model] if is_role else ml_selectors.model_version(world, int(model))
    if version is None:
        raise UnknownModelError(
            f"The {world} world has no {model}." if is_role else f"The {world} world has no version {model}."
        )
    return version


def what_if_details(match: Match, *, now: datetime) -> ForecastDetails:
    """Return the forecast of a match that is not stored.

    Raises
    ------
    NoForecastError
        With the reason, when none can be made.
    """
    return _live(match, ml_services.what_if(match, now=now))


def expected_goals(prediction: Prediction) -> tuple[float, float]:
    """Return the goals of home and away that a published forecast expects, which agree with its probabilities."""
    return _expected_goals(
        prediction.home_expected_goals, prediction.away_expected_goals, prediction.probabilities, prediction.rho
    )


_expected_goals = lru_cache(maxsize=16384)(goals.expected_goals)


def live_chances(details: ForecastDetails, score: LiveScore) -> tuple[float, float, float]:
    """Return home, draw and away at a score and a minute, from the forecast before the match; never graded."""
    expected = _expected_goals(*details.model_goals, details.p, details.rho)
    home, draw, away = live_model.live_probabilities(
        [details.p], [expected], score.minute, score.home_goals, score.away_goals
    )[0].tolist()
    return home, draw, away


def published_details(prediction: Prediction, live: LiveScore | None = None) -> ForecastDetails:
    """Return a published forecast, with the score of its match in play."""
    return replace(_details(prediction, prediction.version, prediction.published_at), live_score=live)


def _live(match: Match, forecast: ml_services.LiveForecast) -> ForecastDetails:
    number, world = forecast.version_number, match.season.competition.world
    return _details(forecast, None if number is None else ml_services.served_version(world, number), None)


def _details(
    forecast: Prediction | ml_services.LiveForecast, version: ModelVersion | None, published_at: datetime | None
) -> ForecastDetails:
    return ForecastDetails(
        p=(forecast.p_home, forecast.p_draw, forecast.p_away),
        model_goals=(forecast.home_expected_goals, forecast.away_expected_goals),
        rho=forecast.rho,
        base_rates=(forecast.base_home, forecast.base_draw, forecast.base_away),
        contributions=forecast.contributions,
        weaknesses=forecast.weaknesses,
        intervals=forecast.intervals,
        version=version,
        data_snapshot=forecast.data_snapshot,
        as_of=forecast.as_of,
        published_at=published_at,
        degraded=forecast.degraded,
    )


# A cache, because published forecasts never change and their grids take long to compute.
@lru_cache(maxsize=4096)
def _grid(
    mu_home: float, mu_away: float, p: tuple[float, float, float], rho: float
) -> tuple[goals.ScorelineGrid, goals.Markets]:
    grid = goals.grid(mu_home, mu_away, p, rho)
    return grid, grid.markets()


MARKETS: Final = "markets"
SCORELINES: Final = "scorelines"
REASONS: Final = "reasons"
MEMBERS: Final = (MARKETS, SCORELINES, REASONS)
"""Members of a forecast that are large, and part of an answer only when they are requested."""

PROBABILITY_DIGITS: Final = 5
"""Decimals of probabilities: models that are trained again differ in the third one."""

CELL_DIGITS: Final = 7
"""Decimals of the probability of a scoreline: 121 of them sum to those of the outcomes within 1e-5."""

GOAL_DIGITS: Final = 3
ODDS_DIGITS: Final = 3
LOG_ODDS_DIGITS: Final = 4


def forecast_shape(
    match: Match, details: ForecastDetails, *, include: Collection[str] = (), now: datetime
) -> dict[str, object]:
    """Return a forecast in the shape of the API, with the members of `MEMBERS` that `include` names."""
    version, p = details.version, rounded_probabilities(details.p)
    home_goals, away_goals = goals.expected_goals(*details.model_goals, details.p, details.rho)
    shape: dict[str, object] = {
        "match": match.pk,
        "competition": competition_shape(match.season.competition),
        "season": match.season.label,
        "home_team": team_shape(match.home_team),
        "away_team": team_shape(match.away_team),
        "kickoff_at": _moment(match.kickoff_at),
        "is_neutral": match.is_neutral,
        "probabilities": named(p),
        "fair_odds": {
            name: round(1.0 / value, ODDS_DIGITS) if value > 0 else None for name, value in named(details.p).items()
        },
        "expected_goals": {"home": round(home_goals, GOAL_DIGITS), "away": round(away_goals, GOAL_DIGITS)},
        "base_rates": named(rounded_probabilities(details.base_rates)),
        "contributions": {group: round(value, LOG_ODDS_DIGITS) for group, value in details.contributions.items()},
        "weaknesses": weaknesses_shape(match, details.weaknesses),
        "intervals": details.intervals,
        "model": version and model_shape(version),
        "data_snapshot": details.data_snapshot,
        "as_of": _moment(details.as_of),
        "published_at": details.published_at and _moment(details.published_at),
        "is_frozen": match.kickoff_at <= now,
        "degraded": details.degraded or None,
        "live": _live_shape(details, now),
    }
    if MARKETS in include:
        shape[MARKETS] = _markets_shape(details.markets)
    if SCORELINES in include:
        shape[SCORELINES] = [[round(value, CELL_DIGITS) for value in row] for row in details.grid.cells]
    if REASONS in include:
        shape[REASONS] = _reasons(details.contributions)
    return shape


def _live_shape(details: ForecastDetails, now: datetime) -> dict[str, object] | None:
    """Return minute, score and chances of a match in play; None without news of it, and of what was not published."""
    score = details.live_score
    if score is None or details.published_at is None or not score.is_fresh(now):
        return None
    chances = named(rounded_probabilities(live_chances(details, score)))
    return score.as_dict() | {"probabilities": chances, "read_at": _moment(score.read_at)}


def rounded_probabilities(p: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return probabilities of `PROBABILITY_DIGITS` decimals that sum to 1 as decimal numbers.

    Each is less than one unit of the last decimal away from its own value: those with the largest remainders are
    rounded up, the others down.
    """
    unit = 10**PROBABILITY_DIGITS
    scaled = [value * unit for value in p]
    units = [math.floor(value) for value in scaled]
    by_remainder = sorted(range(3), key=lambda place: units[place] - scaled[place])
    for place in by_remainder[: round(math.fsum(scaled)) - sum(units)]:
        units[place] += 1
    home, draw, away = (value / unit for value in units)
    return home, draw, away


def team_shape(team: Team) -> dict[str, object]:
    """Return a team in the shape of `TeamSerializer`."""
    return {
        "id": team.pk,
        "slug": team.slug,
        "name": team.name,
        "display_name": team.display_name,
        "code": team.display_code,
        "colours": team.colours,
    }


def competition_shape(competition: Competition) -> dict[str, object]:
    """Return a competition in the shape of `CompetitionSerializer`."""
    return {
        "id": competition.pk,
        "slug": competition.slug,
        "region": competition.region.name,
        "name": competition.name,
        "level": competition.level,
        "is_simulated": competition.is_simulated,
        "world": competition.world,
    }


def _markets_shape(markets: goals.Markets) -> dict[str, object]:
    home_goals, away_goals = markets.most_likely

    def probability(value: float) -> float:
        return round(value, PROBABILITY_DIGITS)

    return {
        "goal_lines": [
            {"line": line, "over": probability(over), "under": probability(markets.under[line])}
            for line, over in markets.over.items()
        ],
        "both_score": probability(markets.both_score),
        "most_likely": {
            "home_goals": home_goals,
            "away_goals": away_goals,
            "probability": round(markets.p_most_likely, CELL_DIGITS),
        },
    }


def _reasons(contributions: Mapping[str, float]) -> list[dict[str, object]]:
    """Return the contributions in words, the strongest first."""
    strongest = sorted(contributions.items(), key=lambda item: -abs(item[1]))
    return [
        {
            "group": group,
            "label": label_of(group),
            "favours": "home" if value > 0 else "away" if value < 0 else None,
            "log_odds": round(value, LOG_ODDS_DIGITS),
        }
        for group, value in strongest
    ]


def _moment(at: datetime) -> str:
    """Return a moment as the API writes it: ISO 8601 in UTC, with Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def model_shape(version: ModelVersion) -> dict[str, object]:
    """Return a model version in the shape of the API."""
    return {
        "world": version.world,
        "version": version.number,
        "estimator": version.estimator,
        "inputs": version.inputs,
    }


def named(triple: tuple[float, float, float]) -> dict[str, float]:
    """Return home, draw and away by their names."""
    return dict(zip(("home", "draw", "away"), triple, strict=True))
