"""Simulations of running seasons, repeated when facts or the champion change; and of seasons with given results."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.db import DatabaseError, transaction
from django.db.models import OuterRef, Q, Subquery

from apps.matches.locks import Lock, try_lock
from apps.matches.models import Match, Season, Team, World
from apps.matches.selectors import PLAY_OFF_STAGE, awarded_results_of, deductions_of, goals_in_table, league_table
from apps.matches.standings import points_for_win, rule_of
from apps.ml import metrics, serving
from apps.ml.models import SeasonForecast, SeasonInputs, Stakes
from apps.ml.services.stakes import stakes_of, store_stakes, watched

if TYPE_CHECKING:
    from apps.ml.forecasting.season import SeasonOutcome

logger = logging.getLogger(__name__)

AT_MOST_EVERY: Final = timedelta(minutes=10)
"""Shortest time between two simulations of a season by one version."""

PARAMS: Final[Mapping[str, Any]] = {"simulations": 10_000, "doubt": 0.4}
"""Section ``season`` of the parameters, for versions that were trained before it existed."""

TO_PLAY: Final = (Match.Status.SCHEDULED, Match.Status.LIVE, Match.Status.POSTPONED, Match.Status.UNKNOWN)
"""Statuses of a match that is still to be played."""

NEVER_PLAYED: Final = (Match.Status.CANCELLED, Match.Status.AWARDED)
"""Statuses of a match that will not be played."""

UNDATED_AFTER: Final = timedelta(days=14)
"""Assumed time between the latest listed match and those that no source has listed yet."""

DIGITS: Final = 4
"""Decimals of a stored probability: more are noise with 10,000 simulations."""

INPUT_DIGITS: Final = 6
"""Decimals of the probabilities and expected goals that a simulation is repeated with."""


@dataclass(frozen=True, slots=True)
class SeasonsReport:
    """Numbers of running and of simulated seasons, by world; `busy` when another round was running."""

    considered: dict[str, int]
    simulated: dict[str, int]
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """The matches of a season's table."""

    teams: list[Team]  # in the order of their names
    results: list[Match]  # whose goals count in the table, verdicts included
    fixtures: list[Match]  # still to be played
    undated: list[Match]  # have to be played, but no source has listed them; not stored
    is_whole: bool  # whether these are all matches to the end of the season


def simulate_due(*, now: datetime) -> SeasonsReport:
    """Simulate each running league season whose facts or champion changed since its latest simulation."""
    with try_lock(Lock.SEASONS) as ours:
        if not ours:
            return SeasonsReport({}, {}, busy=True)
        considered, simulated = {}, {}
        for world in World:
            try:
                served = serving.current(world, now=now, may_rebuild=True)
                if served is None or served.degraded:
                    continue
                running = _running(world, now)
                considered[str(world)] = len(running)
                due = [season for season in running if _is_due(season, served, now)]
                simulated[str(world)] = sum(_is_simulated(season, served, now) for season in due)
            except (DatabaseError, ValueError) as error:
                # An error in one world must not stop the other.
                metrics.ERRORS.labels("simulate").inc()
                logger.exception("seasons of the %s world: %s", world, error)
        return SeasonsReport(considered, simulated)


def _is_simulated(season: Season, served: serving.ServedModel, now: datetime) -> bool:
    """Simulate a season and store the result; return False where an error, which is logged, prevents it."""
    try:
        _keep(*_simulated(season, served, now=now))
    except (DatabaseError, ValueError) as error:
        # An error in one season must not stop the others of its world.
        metrics.ERRORS.labels("simulate").inc()
        logger.exception("season %s of the %s world: %s", season, season.world, error)
        return False
    return True


class SeasonRefusedError(ValueError):
    """The season cannot be simulated as asked; the message says why."""


def simulate_season(
    season: Season, *, locked: Mapping[tuple[int, int], tuple[int, int]], now: datetime, simulations: int
) -> SeasonForecast:
    """Return a simulation of a season in which some of the remaining matches end as given; nothing is stored.

    Parameters
    ----------
    locked : mapping
        Ids of the home and away team of a match that is left → its home and away goals.
    simulations : int
        Seasons to simulate.

    Raises
    ------
    SeasonRefusedError
        When the world has no champion, no match is left, or a given result is of no match that is left.
    """
    served = serving.current(World(season.world), now=now, may_rebuild=True)
    if served is None:
        raise SeasonRefusedError("No model is champion of this world yet. Try again once the first one is trained.")
    forecast, _, _ = _simulated(season, served, now=now, locked=locked, simulations=simulations)
    return forecast


def _running(world: World, now: datetime) -> list[Season]:
    """Return the league seasons of a world that have a match to come."""
    coming = Match.objects.filter(season=OuterRef("pk"), status=Match.Status.SCHEDULED, kickoff_at__gt=now)
    # The first fixture of each season, found by index. PostgreSQL turns EXISTS into a join that reads all fixtures.
    first = coming.exclude(stage__name=PLAY_OFF_STAGE).order_by("kickoff_at", "id").values("kickoff_at")[:1]
    return list(
        Season.objects.annotate(next_at=Subquery(first))
        .filter(
            next_at__isnull=False,
            world=world,
            competition__level__gte=1,
        )
        .select_related("competition__region")
        .order_by("pk")
    )


def _is_due(season: Season, served: serving.ServedModel, now: datetime) -> bool:
    latest = (
        season.forecasts.select_related("inputs")
        .only("version_id", "data_snapshot", "as_of", "inputs__forecast_id")
        .order_by("-as_of", "-id")
        .first()
    )
    # After a rollback the latest forecast is by the former champion. One of an older release has no inputs.
    if latest is None or latest.version_id != served.version_id or not hasattr(latest, "inputs"):
        return True
    return latest.data_snapshot != served.data_snapshot and latest.as_of <= now - AT_MOST_EVERY


def _keep(forecast: SeasonForecast, inputs: SeasonInputs, stakes: list[Stakes]) -> None:
    """Store a forecast with its inputs and the stakes; delete the inputs of the others, and forecasts that it replaces.

    It replaces those of the same round, which is over when each club has played as often as there were rounds, and
    those by the same version on the same facts.
    """
    per_round = max(len(forecast.table["clubs"]) // 2, 1)
    over = -(-forecast.played // per_round) * per_round
    same = Q(played__gt=over - per_round, played__lte=over) | Q(
        version=forecast.version_id, data_snapshot=forecast.data_snapshot
    )
    with transaction.atomic():
        SeasonInputs.objects.filter(forecast__season=forecast.season).delete()
        SeasonForecast.objects.filter(same, season=forecast.season).delete()
        forecast.save(force_insert=True)
        inputs.save(force_insert=True)
        store_stakes(stakes)


def _simulated(
    season: Season,
    served: serving.ServedModel,
    *,
    now: datetime,
    locked: Mapping[tuple[int, int], tuple[int, int]] | None = None,
    simulations: int | None = None,
) -> tuple[SeasonForecast, SeasonInputs, list[Stakes]]:
    """Return the forecast of a season, its inputs and the stakes of its next matches, not yet stored.

    See `simulate_season`.
    """
    # Loads numba: only where it is used.
    from apps.ml.forecasting import season as season_simulation

    calendar, given = _locked(_calendar(season), locked or {})
    params = {**PARAMS, **served.bundle.manifest.params.get("season", {})}
    to_play = [*calendar.fixtures, *calendar.undated]
    p, expected = _forecast(calendar, served, now=now)
    number = {team.pk: club for club, team in enumerate(calendar.teams)}
    region = season.competition.region.name
    verdicts = list(awarded_results_of(season))
    played = [
        (number[match.home_team_id], number[match.away_team_id], *(goals_in_table(match, verdicts) or ()))
        for match in calendar.results
    ]
    played += [(number[home], number[away], *goals) for (home, away), goals in given]
    taken = deductions_of(season)
    fixtures = [(number[match.home_team_id], number[match.away_team_id]) for match in to_play]
    rho, win = served.bundle.estimator.rho, points_for_win(region, season.label)
    deductions = [taken[team.pk] for team in calendar.teams]
    seed = season.pk * 1_000_003 + served.data_snapshot
    next_matches = watched(calendar.fixtures, now)
    outcome = season_simulation.simulate(
        clubs=len(calendar.teams),
        played=np.array(played, dtype=np.int64).reshape(-1, 4),
        fixtures=np.array(fixtures, dtype=np.int64).reshape(-1, 2),
        p=p,
        expected=expected,
        rho=rho,
        doubt=params["doubt"],
        rule=rule_of(region),
        win=win,
        deductions=np.array(deductions),
        watched=np.array(next_matches, dtype=np.int64),
        simulations=simulations or params["simulations"],
        seed=seed,
    )
    table = _table(season, calendar, outcome)
    stakes = [
        stakes_of(calendar.fixtures[place], number, outcome, outcome.given[row], table["lines"], as_of=now)
        for row, place in enumerate(next_matches)
    ]
    forecast = SeasonForecast(
        season=season,
        version_id=served.version_id,
        data_snapshot=served.data_snapshot,
        as_of=now,
        simulations=outcome.simulations,
        doubt=params["doubt"],
        played=len(calendar.results),
        remaining=len(to_play),
        undated=len(calendar.undated),
        is_whole=calendar.is_whole,
        table=table,
    )
    content = {
        "teams": [team.pk for team in calendar.teams],
        "played": played,
        "fixtures": [
            [match.pk, *clubs, *numbers]
            for match, clubs, numbers in zip(
                to_play, fixtures, np.column_stack([p, expected]).round(INPUT_DIGITS).tolist(), strict=True
            )
        ],
        "deductions": deductions,
        "rho": rho,
        "win": win,
        "seed": seed,
    }
    return forecast, SeasonInputs(forecast=forecast, content=content), stakes


def _locked(
    calendar: Calendar, locked: Mapping[tuple[int, int], tuple[int, int]]
) -> tuple[Calendar, list[tuple[tuple[int, int], tuple[int, int]]]]:
    """Return the calendar without the matches whose result is given, and these results.

    Of several matches of a pair at one ground, the result is that of the first one left.
    """
    if not calendar.fixtures and not calendar.undated:
        raise SeasonRefusedError("No match of this season is left to be played.")
    given = dict(locked)
    fixtures, undated = (
        [match for match in matches if given.pop((match.home_team_id, match.away_team_id), None) is None]
        for matches in (calendar.fixtures, calendar.undated)
    )
    if given:
        raise SeasonRefusedError(f"{len(given)} given results are of no match that is left in this season.")
    return replace(calendar, fixtures=fixtures, undated=undated), list(locked.items())


def _calendar(season: Season) -> Calendar:
    matches = list(
        Match.objects.filter(season=season)
        .exclude(stage__name=PLAY_OFF_STAGE)
        .select_related("home_team", "away_team")
        .order_by("kickoff_at", "id")
    )
    verdicts = list(awarded_results_of(season))
    results = [match for match in matches if goals_in_table(match, verdicts) is not None]
    fixtures = [match for match in matches if match.status in TO_PLAY and match not in results]
    counted = [*results, *fixtures]
    teams = {team.pk: team for match in counted for team in (match.home_team, match.away_team)}
    ordered = sorted(teams.values(), key=lambda team: team.display_name)
    met = Counter((match.home_team_id, match.away_team_id) for match in counted)
    missing = [(home, away) for home in ordered for away in ordered if home != away and (home.pk, away.pk) not in met]
    before = _met_before(season)
    teams_before = {team for pair in before for team in pair}
    is_double = max(met.values(), default=0) == 1 and _is_double_round(before)
    over = {(match.home_team_id, match.away_team_id) for match in matches if match.status in NEVER_PLAYED}
    undated: list[Match] = []
    if is_double:
        at = counted[-1].kickoff_at + UNDATED_AFTER
        undated = [
            Match(season=season, home_team=home, away_team=away, kickoff_at=at, status=Match.Status.SCHEDULED)
            for home, away in missing
            if (home.pk, away.pk) not in over
        ]
    # Leagues that split in spring are complete when each club has as many matches as a year ago.
    is_as_long = bool(before) and met.total() * len(teams_before) >= before.total() * len(ordered)
    is_even = not missing and len(set(met.values())) == 1
    return Calendar(ordered, results, fixtures, undated, is_whole=is_double or is_even or is_as_long)


def _met_before(season: Season) -> Counter[tuple[int, int]]:
    """Return how often each pair (home team, away team) met in the season before."""
    before = season.competition.seasons.filter(label__lt=season.label).order_by("-label").first()
    if before is None:
        return Counter()
    return Counter(
        Match.objects.filter(season=before, home_goals__isnull=False)
        .exclude(stage__name=PLAY_OFF_STAGE)
        .values_list("home_team_id", "away_team_id")
    )


def _is_double_round(met: Counter[tuple[int, int]]) -> bool:
    """Return whether each team met each other team exactly once at home."""
    teams = len({team for pair in met for team in pair})
    return len(met) == met.total() == teams * (teams - 1) > 0


def _forecast(calendar: Calendar, served: serving.ServedModel, *, now: datetime) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities, shape (n, 3), and expected goals, shape (n, 2), of the remaining matches as of now."""
    import pandas as pd

    from apps.ml import dataset
    from apps.ml.pipeline.bundle import as_trained

    if not calendar.fixtures and not calendar.undated:
        return np.empty((0, 3)), np.empty((0, 2))
    frame = pd.concat(
        [
            frame
            for frame in (
                dataset.fixtures(match.pk for match in calendar.fixtures),
                dataset.hypothetical_fixtures(calendar.undated),
            )
            if len(frame)
        ],
        ignore_index=True,
    )
    # A match that should have begun already is described as if it began now.
    kickoff = frame["kickoff_at"].where(frame["kickoff_at"] >= now, pd.Timestamp(now).as_unit("us"))
    features = as_trained(serving.features_of(served, frame.assign(kickoff_at=kickoff), now=now))
    return served.bundle.estimator.numbers(features)


def lines_of(season: Season) -> list[dict[str, Any]]:
    """Return the lines of the table, such as promotion; lines at the same place are merged."""
    from apps.ml.forecasting.features.places import places_of

    places = places_of(season.competition.region.name, season.competition.level)
    above = {places.second: "second", places.first: "first", places.title: "title"}
    below = {places.play_off: "play_off", places.down: "down"}
    return [
        {"name": name, "places": number, "from_end": from_end}
        for from_end, names in ((False, above), (True, below))
        for number, name in sorted(names.items(), reverse=from_end)
        if number
    ]


def _table(season: Season, calendar: Calendar, outcome: SeasonOutcome) -> dict[str, Any]:
    """Return the forecast as JSON, the club with the most expected points first."""
    lines = [line for line in lines_of(season) if line["places"] < len(calendar.teams)]
    chances = {line["name"]: (outcome.below if line["from_end"] else outcome.within)(line["places"]) for line in lines}
    standings = league_table(season)
    won = {line.team.pk: line.points for line in standings}
    first = standings[0] if standings and standings[0].played else None
    order = np.lexsort((np.arange(len(calendar.teams)), -outcome.points))
    return {
        "lines": lines,
        "leader": {"team": first.team.pk, "points": first.points} if first else None,
        "clubs": [
            {
                "team": calendar.teams[club].pk,
                "points": won[calendar.teams[club].pk],
                "expected": round(float(outcome.points[club]), 2),
                "low": int(outcome.low[club]),
                "high": int(outcome.high[club]),
                "chances": {name: round(float(values[club]), DIGITS) for name, values in chances.items()},
                "places": [round(float(share), DIGITS) for share in outcome.places[club]],
            }
            for club in order.tolist()
        ],
    }
