"""Ratings of clubs by the champion's feature state; for each new champion also those after earlier results."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import DatabaseError, connection, transaction

from apps.matches.locks import Lock, try_lock
from apps.matches.models import Season, World
from apps.ml import metrics, selectors, serving
from apps.ml.forecasting.goals import outcome_probabilities
from apps.ml.models import TeamRating

if TYPE_CHECKING:
    from apps.ml.forecasting.features import FeatureState

logger = logging.getLogger(__name__)

STEP: Final = {World.REAL: timedelta(days=7), World.SANDBOX: timedelta(hours=2)}
"""Time between two ratings of a club that are kept; the newest season of the simulated world is over within days."""

STEPS_KEPT: Final = 260
"""Newest steps with a result that are kept: five years of weeks."""

FIRST_STEP: Final = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday."""

RATED_FOR: Final = timedelta(days=400)
"""Time after its latest match for which a club is rated: over the summer, and a season without results."""

LEAST_MATCHES: Final = 10
"""Fewest observed matches of a club that is rated."""

FAMILY: Final = "poisson_filter"
"""Family of features that ratings are made of."""


@dataclass(frozen=True, slots=True)
class RatingsReport:
    """World → number of ratings stored, where any were due; `busy` when another round was running."""

    stored: dict[str, int]
    busy: bool = False


def rate_due(*, now: datetime) -> RatingsReport:
    """Rate the clubs of each world whose champion or results changed since they were rated."""
    stored: dict[str, int] = {}
    with try_lock(Lock.RATINGS) as ours:
        if not ours:
            return RatingsReport(stored, busy=True)
        for world in World:
            try:
                served = serving.current(world, now=now, may_rebuild=True)
                if served is None or served.degraded or FAMILY not in served.state.families:
                    continue
                newest = selectors.newest_rating(world)
                if newest is None or newest.version_id != served.version_id:
                    stored[world.value] = _rate_history(served, now=now)
                elif served.state.observed_until != newest.as_of:
                    stored[world.value] = _rate_now(served, now=now)
            except (DatabaseError, ValueError) as error:
                # An error in one world must not stop the other.
                metrics.ERRORS.labels("rate").inc()
                logger.exception("ratings of the %s world: %s", world, error)
    return RatingsReport(stored)


def _rate_now(served: serving.ServedModel, *, now: datetime) -> int:
    """Replace the ratings of the present step, and delete those of the oldest ones."""
    rows = _ratings(served, served.state, _step(served.world, now), _leagues(served.world))
    with transaction.atomic():
        ratings = TeamRating.objects.filter(world=served.world)
        ratings.filter(step_at=_step(served.world, now)).delete()
        _copy(rows)
        steps = ratings.order_by("-step_at").values_list("step_at", flat=True).distinct()
        if oldest := steps[STEPS_KEPT - 1 : STEPS_KEPT].first():
            ratings.filter(step_at__lt=oldest).delete()
    return len(rows)


def _rate_history(served: serving.ServedModel, *, now: datetime) -> int:
    """Replace all ratings of a world: each step's use the results until its end, by the parameters of the version."""
    # Load pandas, which web processes do in their warm-up.
    from apps.ml import dataset
    from apps.ml.forecasting.features import FeatureState

    # The family reads no xG, whose events would have their own order.
    results = dataset.results_between(served.world, after=None, before=now).drop(columns="xg_known_at")
    if results.empty:
        return 0
    places = ((results["known_at"] - FIRST_STEP) // STEP[served.world]).to_numpy()
    kept = np.unique(places)[-STEPS_KEPT:]
    state, leagues = FeatureState.new({FAMILY: served.state.params[FAMILY]}), _leagues(served.world)
    state.observe(results[places < kept[0]])
    rows: list[TeamRating] = []
    for place in kept:
        state.observe(results[places == place])
        rows += _ratings(served, state, FIRST_STEP + int(place) * STEP[served.world], leagues)
    with transaction.atomic():
        TeamRating.objects.filter(world=served.world).delete()
        _copy(rows)
    return len(rows)


def _step(world: World, at: datetime) -> datetime:
    """Return the beginning of the step that a moment is in."""
    return FIRST_STEP + (at - FIRST_STEP) // STEP[world] * STEP[world]


def _leagues(world: World) -> dict[int, tuple[int, int]]:
    """Return season → its competition and the top league of its country, for the leagues of a world."""
    seasons = list(
        Season.objects.filter(world=world, competition__level__gte=1)
        .order_by("competition_id")
        .values_list("pk", "competition_id", "competition__region_id", "competition__level")
    )
    tops: dict[int, int] = {}
    for _, competition_id, region_id, level in seasons:
        if level == 1:
            tops.setdefault(region_id, competition_id)
    return {
        pk: (competition_id, competition_id if level == 1 else tops.get(region_id, competition_id))
        for pk, competition_id, region_id, level in seasons
    }


def _ratings(
    served: serving.ServedModel, state: FeatureState, step: datetime, leagues: dict[int, tuple[int, int]]
) -> list[TeamRating]:
    """Return the ratings of all clubs after what a state has observed."""
    as_of = state.observed_until
    if as_of is None:
        return []
    tops = {season_id: top for season_id, (_, top) in leagues.items()}
    found = state.team_strengths(tops, since=as_of - RATED_FOR, least=LEAST_MATCHES)
    if not found:
        return []
    p = outcome_probabilities([each.scored for each in found], [each.conceded for each in found])
    places = np.empty(len(found), dtype=np.int64)
    places[np.lexsort((np.array([each.team_id for each in found]), -p[:, 0]))] = np.arange(len(found)) + 1
    return [
        TeamRating(
            world=served.world,
            team_id=each.team_id,
            competition_id=leagues[each.season_id][0],
            version_id=served.version_id,
            step_at=step,
            as_of=as_of,
            place=int(places[i]),
            attack=each.scored,
            defence=each.conceded,
            p_win=float(p[i, 0]),
            p_draw=float(p[i, 1]),
        )
        for i, each in enumerate(found)
    ]


def _copy(rows: Iterable[TeamRating]) -> None:
    names = [field.attname for field in TeamRating._meta.concrete_fields if not field.primary_key]
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {TeamRating._meta.db_table} ({', '.join(names)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row([getattr(row, name) for name in names])
