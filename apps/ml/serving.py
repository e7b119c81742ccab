"""The champion of each world with its feature state, loaded in this process and replaced atomically.

A process looks for a new promotion when it is notified of a change, and every few seconds. It loads and checks the new
champion while the old one still serves,
then replaces it in one assignment. When loading fails, the latest good version stays, and its forecasts are marked as
degraded. After a new data snapshot the state observes the new results. Only a worker rebuilds a state from scratch,
which takes long; a web process keeps its own state until a worker has stored a new one.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.conf import settings
from django.db import DatabaseError, connection

from apps.matches.models import World
from apps.matches.replicas import from_primary
from apps.matches.selectors import data_snapshot
from apps.ml import metrics, selectors
from apps.ml.forecasting.weaknesses import Weakness, weaknesses
from apps.ml.models import FeatureSnapshot, ModelVersion

if TYPE_CHECKING:
    import pandas as pd

    from apps.ml.forecasting.features import FeatureState
    from apps.ml.forecasting.features.events import EventRows
    from apps.ml.pipeline.bundle import Bundle

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 1.0
"""Shortest time between two looks at the champion and the data snapshot, but for a promotion that was announced."""

LOOK_SECONDS: Final = 5.0
"""Longest time between two looks of `keep_current`: for a change that nobody announced."""

RETRY_SECONDS: Final = 60.0
"""Time after a failed load before the champion is tried again."""

SCHEDULE_BACK: Final = timedelta(days=400)
SCHEDULE_AHEAD: Final = timedelta(days=400)
"""The part of the fixture list that rest, congestion and the progress of a season need."""

KEEP_EVERY: Final = timedelta(minutes=10)
"""Shortest time between two states that a worker stores for a version."""

ASKED_LIMIT: Final = 2
"""Versions besides the champions that a process has loaded at a time, because a client asked for them by name."""

ASKED_SECONDS: Final = 600.0
"""Time after which such a version is dropped when nobody has asked for it."""

INTERVAL_DIGITS: Final = 4
"""Decimals of the ends of an interval, which are known far less well than its forecast."""

LATEST_GOOD: Final = "latest good version"
"""First fallback when the champion cannot be loaded; base rates are the second."""


class NotServedError(Exception):
    """A version cannot make forecasts here; the message says why."""


class StillLoadingError(Exception):
    """A version is being loaded; its forecasts can be had within seconds."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded model with the feature state that it reads.

    `degraded` is empty for the champion itself.
    """

    world: World
    version_id: int
    version_number: int
    version: ModelVersion  # without its bundle
    bundle: Bundle
    state: FeatureState
    data_snapshot: int
    degraded: str = ""
    price_state: FeatureState | None = None  # of a version that uses prices

    @property
    def described(self) -> tuple[str, ...]:
        """Names of the features that its states and the line give; newer code may give more than it was trained on."""
        from apps.ml.forecasting.prices import BEFORE

        priced = () if self.price_state is None else (*self.price_state.names, *BEFORE)
        return (*self.state.names, *priced)


@dataclass(frozen=True, slots=True)
class ServedForecasts:
    """Forecasts of fixtures in the given order: arrays of `n` rows, outcomes in the order home, draw, away."""

    probabilities: np.ndarray
    goals: np.ndarray
    base_rates: np.ndarray
    contributions: dict[str, np.ndarray]
    features_sha256: list[str]
    weaknesses: list[list[Weakness]]
    intervals: list[dict[str, Any] | None]
    """As `Prediction.intervals` stores them."""


_served: dict[World, ServedModel] = {}
_checked: dict[World, float] = {}
_refused: dict[World, tuple[int, float]] = {}
_asked: dict[int, float] = {}
"""Version that was requested by name → when it was last asked for, monotonic clock."""
_by_version: dict[int, ServedModel | NotServedError] = {}
"""Version that was requested by name → what came of loading it."""
_shadows: dict[int, ServedModel | float] = {}
"""Version that forecasts in shadow → its loaded copy, or when to try again to load it, monotonic clock."""
_lock = threading.Lock()
_warm = threading.Event()
_look = threading.Event()
"""Set when `keep_current` must look at once."""
_changed = threading.Event()
"""Set when facts changed, at which `keep_current` looks within `CHECK_SECONDS`."""


@from_primary()
def current(
    world: World, *, now: datetime, may_rebuild: bool = False, clock: Callable[[], float] = time.monotonic
) -> ServedModel | None:
    """Return the up-to-date model of a world in this process; None when no champion can be loaded.

    Only workers may rebuild the state after a correction of a known result, which takes up to a minute.
    """
    if not may_rebuild and clock() - _checked.get(world, -CHECK_SECONDS) < CHECK_SECONDS:
        return _served.get(world)
    with _lock:
        _checked[world] = clock()
        served = _champion_loaded(world, clock)
        is_missing = served.degraded if served else world in _refused
        metrics.CHAMPION_NOT_SERVED.labels(world).set(bool(is_missing))
        if served is None:
            return None
        _served[world] = _up_to_date(served, now=now, may_rebuild=may_rebuild)
        return _served[world]


def keep_current(*, clock: Callable[[], datetime], rounds: int | None = None) -> None:
    """Load, warm up and replace the champions, in a background thread; see `look_again`.

    Existing champions are loaded in the first round, before the process reports that it is ready. Without one,
    libraries and kernels are loaded after that round, so that the first champion serves within seconds. No request
    waits for a library, a kernel or a model.

    Parameters
    ----------
    rounds
        Number of rounds; endless by default.
    """
    warmed: dict[World, int] = {}
    prepare_at = time.monotonic()
    while rounds is None or rounds > 0:
        _changed.clear()
        try:
            for world in World:
                served = current(world, now=clock())
                if served is None or warmed.get(world) == served.version_id:
                    continue
                _answer_one(served, now=clock())
                warmed[world] = served.version_id
            _load_asked(now=clock())
        except (DatabaseError, ValueError) as error:
            logger.warning("the champions cannot be updated: %s; trying again", error)
            connection.close()
        except Exception:
            # The thread must not end: without it the process would never load another champion.
            logger.exception("the champions cannot be updated; trying again")
        _warm.set()
        if time.monotonic() >= prepare_at:
            try:
                # This may wait for another process that compiles. An existing champion has been loaded above, unless
                # that failed.
                prepare()
            except Exception:
                logger.exception("libraries and kernels cannot be loaded; trying again in %.0f s", RETRY_SECONDS)
                prepare_at = time.monotonic() + RETRY_SECONDS
        rounds = None if rounds is None else rounds - 1
        end = time.monotonic() + (LOOK_SECONDS if rounds is None else 0)
        while time.monotonic() < end and not _look.wait(CHECK_SECONDS) and not _changed.is_set():
            pass
        _look.clear()


@from_primary()
def version(wanted: ModelVersion, *, now: datetime) -> ServedModel:
    """Return a version that was requested by name, which `keep_current` loads where it runs.

    Raises
    ------
    StillLoadingError
        When it is being loaded.
    NotServedError
        When it cannot be loaded.
    """
    champion = latest(World(wanted.world), now=now)
    if champion is not None and champion.version_id == wanted.pk:
        return champion
    if wanted.files_deleted_at is not None:
        raise NotServedError(
            f"The files of version {wanted.number} were deleted on {wanted.files_deleted_at:%Y-%m-%d}, because it "
            "never served. Its metrics are kept."
        )
    _asked[wanted.pk] = time.monotonic()
    if not is_warm():
        _load_asked(now=now)
    found = _by_version.get(wanted.pk)
    if found is None:
        _look.set()
        raise StillLoadingError(f"Version {wanted.number} is being loaded. Ask again in a few seconds.")
    if isinstance(found, NotServedError):
        raise found
    return found


def _load_asked(*, now: datetime) -> None:
    """Load the versions that were requested lately, bring their states up to date, and drop the others."""
    lately = sorted(_asked.items(), key=lambda item: -item[1])[:ASKED_LIMIT]
    wanted = {version_id for version_id, at in lately if at > time.monotonic() - ASKED_SECONDS}
    for version_id in set(_asked) - wanted:
        _asked.pop(version_id, None)
        _by_version.pop(version_id, None)
    for version_id in wanted:
        present = _by_version.get(version_id)
        if isinstance(present, NotServedError):
            continue
        try:
            if present is None:
                present = _load(
                    World(ModelVersion.objects.only("world").get(pk=version_id).world), version_id, degraded=""
                )
            _by_version[version_id] = _up_to_date(present, now=now, may_rebuild=False)
        except (ValueError, OSError, ModelVersion.DoesNotExist) as error:
            metrics.ERRORS.labels("load").inc()
            logger.error("version %s cannot be served: %s", version_id, error)
            _by_version[version_id] = NotServedError(f"This version cannot be served: {error}.")


@from_primary()
def shadows(world: World, version_ids: Sequence[int], *, now: datetime) -> list[ServedModel]:
    """Return up-to-date copies of versions beside the champion, for a worker; those that cannot be loaded are left out.

    Other versions of the world are dropped.
    """
    found = []
    with _lock:
        for version_id, present in list(_shadows.items()):
            if isinstance(present, ServedModel) and present.world == world and version_id not in version_ids:
                del _shadows[version_id]
        for version_id in version_ids:
            known = _shadows.get(version_id, 0.0)
            if isinstance(known, float) and time.monotonic() < known:
                continue
            try:
                model = known if isinstance(known, ServedModel) else _load(world, version_id, degraded="")
                model = _shadows[version_id] = _up_to_date(model, now=now, may_rebuild=True)
                found.append(model)
            except (ValueError, OSError, ModelVersion.DoesNotExist) as error:
                _shadows[version_id] = time.monotonic() + RETRY_SECONDS
                metrics.ERRORS.labels("load").inc()
                logger.error("version %s of %s cannot forecast in shadow: %s", version_id, world, error)
    return found


def look_again(*, at_once: bool = True) -> None:
    """Let `keep_current` look for new champions and facts: at once, or within `CHECK_SECONDS`."""
    _checked.clear()
    _changed.set()
    if at_once:
        _look.set()


def _answer_one(served: ServedModel, *, now: datetime) -> None:
    """Forecast one fixture, if there is any, so that lazily loaded parts of the model are loaded."""
    from apps.ml import dataset

    fixtures = dataset.upcoming(served.world, now=now, until=now + SCHEDULE_AHEAD).head(1)
    if len(fixtures):
        forecast(served, fixtures, now=now)


@cache
def prepare() -> None:
    """Import the libraries of a forecast and load its kernels, once in a process."""
    import xgboost  # noqa: F401  most champions contain trees

    from apps.ml import dataset  # noqa: F401
    from apps.ml.pipeline import warm_up

    logger.info("kernels loaded in %.1f s", warm_up.run())


def latest(world: World, *, now: datetime) -> ServedModel | None:
    """Return the model that `keep_current` has loaded; load it now where that does not run."""
    return _served.get(world) if is_warm() else current(world, now=now)


def loaded(world: World, number: int) -> ServedModel | None:
    """Return a loaded version by its number; None for one that this process has not loaded."""
    every = [*_served.values(), *_by_version.values()]
    return next(
        (
            each
            for each in every
            if isinstance(each, ServedModel) and (each.world, each.version_number) == (world, number)
        ),
        None,
    )


def is_warm() -> bool:
    """Return whether the first round of `keep_current` is over."""
    return _warm.is_set()


def forget() -> None:
    """Drop all loaded models, as a restart would."""
    with _lock:
        _served.clear()
        _checked.clear()
        _refused.clear()
        _asked.clear()
        _by_version.clear()
        _shadows.clear()
        _warm.clear()


def features_of(served: ServedModel, fixtures: pd.DataFrame | EventRows, *, now: datetime) -> np.ndarray:
    """Return the features of `fixtures` as of `now`, in the columns that the version was trained on.

    Rows of `dataset.fixtures` come with the line-ups and prices known by then; what `events.fixture_row` made has none.
    """
    from apps.ml.forecasting.estimators.base import places
    from apps.ml.forecasting.features.events import EventRows

    if isinstance(fixtures, EventRows):
        values = _with_prices(served, served.state.describe(fixtures), fixtures)
    else:
        rows = fixtures.assign(as_of=now)
        described = served.state.describe(rows, lineups=_lineups(served.state, rows, now=now))
        values = _with_prices(served, described, rows)
    names, wanted = served.described, served.bundle.manifest.names
    return values if names == wanted else values[:, places(names, wanted)]


def _with_prices(served: ServedModel, described: np.ndarray, fixtures: pd.DataFrame | EventRows) -> np.ndarray:
    """Return the features of fixtures followed by those made of prices, where the version uses any."""
    if served.price_state is None:
        return described
    from apps.ml import dataset
    from apps.ml.forecasting.features.events import EventRows
    from apps.ml.forecasting.prices import BEFORE, before_the_match

    if isinstance(fixtures, EventRows):
        line = np.full((len(described), len(BEFORE)), np.nan)
    else:
        quoted = dataset.prices_of(fixtures["match_id"])
        line = before_the_match(fixtures, quoted, served.bundle.manifest.params["prices"]).to_numpy()
    return np.column_stack((described, served.price_state.describe(fixtures), line))


def forecast(served: ServedModel, fixtures: pd.DataFrame | EventRows, *, now: datetime) -> ServedForecasts:
    """Forecast `fixtures` (rows of `dataset.fixtures`, or what `events.fixture_row` made) as of `now`."""
    began = time.perf_counter()
    features = features_of(served, fixtures, now=now)
    model_began = time.perf_counter()
    forecast = served.bundle.forecast(features)
    ended = time.perf_counter()
    metrics.INFERENCE_SECONDS.labels(served.world).observe(ended - model_began)
    metrics.PREDICTION_SECONDS.labels(served.world).observe(ended - began)
    for confidence in forecast.p.max(axis=1):
        metrics.CONFIDENCE.labels(served.world).observe(confidence)
    names = served.bundle.manifest.names
    base = [names.index(name) for name in ("base_home", "base_draw", "base_away")]
    return ServedForecasts(
        probabilities=forecast.p,
        goals=forecast.goals,
        base_rates=features[:, base] / features[:, base].sum(axis=1, keepdims=True),
        contributions=forecast.contributions,
        features_sha256=[served.bundle.features_sha256(row) for row in features],
        weaknesses=weaknesses(names, features),
        intervals=_intervals(forecast.intervals, served.bundle.interval_level, len(features)),
    )


def _intervals(ends: np.ndarray | None, level: float | None, count: int) -> list[dict[str, Any] | None]:
    """Return the intervals of forecasts in the shape that is stored; None for each where the version has none."""
    if ends is None:
        return [None] * count
    from apps.ml.forecasting.prices import OUTCOMES

    return [
        {"level": level}
        | {
            outcome: {"low": low, "high": high}
            for outcome, (low, high) in zip(OUTCOMES, np.round(match, INTERVAL_DIGITS).tolist(), strict=True)
        }
        for match in ends
    ]


def numbers(served: ServedModel, fixtures: pd.DataFrame, *, now: datetime) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (n, 3) and expected goals (n, 2) of `fixtures`, as `forecast` does, and nothing else."""
    return served.bundle.numbers(features_of(served, fixtures, now=now))


def _champion_loaded(world: World, clock: Callable[[], float]) -> ServedModel | None:
    """Return the loaded champion, or the latest good version when it cannot be loaded."""
    promotion = selectors.champion(world)
    if promotion is None:
        return None
    present = _served.get(world)
    if present is not None and present.version_id == promotion.version_id:
        return replace(present, degraded="") if present.degraded else present
    version_id, again_at = _refused.get(world, (None, 0.0))
    if version_id == promotion.version_id and clock() < again_at:
        return present
    try:
        return _load(world, promotion.version_id, degraded="")
    except (ValueError, OSError, ModelVersion.DoesNotExist) as error:
        _refused[world] = (promotion.version_id, clock() + RETRY_SECONDS)
        metrics.ERRORS.labels("load").inc()
        logger.error("champion %s of %s cannot be served: %s", promotion.version.number, world, error)
    if present is not None:
        return replace(present, degraded=LATEST_GOOD)
    return _latest_good(world, but=promotion.version_id)


def _latest_good(world: World, *, but: int) -> ServedModel | None:
    """Return the newest earlier champion that can be loaded."""
    tried = {but}
    for earlier in selectors.promotions(world):
        if earlier.version_id in tried:
            continue
        tried.add(earlier.version_id)
        try:
            return _load(world, earlier.version_id, degraded=LATEST_GOOD)
        except (ValueError, OSError) as error:
            metrics.ERRORS.labels("load").inc()
            logger.error("version %s of %s cannot be served either: %s", earlier.version.number, world, error)
    return None


def _load(world: World, version_id: int, *, degraded: str) -> ServedModel:
    """Load a version with its feature state, and check its bundle."""
    # Heavy libraries are loaded here, after the start of the process and before its first request.
    prepare()
    from apps.ml.pipeline import bundle as bundles

    began = time.perf_counter()
    version = ModelVersion.objects.defer("bundle", "metrics", "gates").get(pk=version_id)
    folder = settings.SPAI_VAR_DIR / "bundles" / version.bundle_sha256
    content = ModelVersion.objects.values_list("bundle", flat=True).get(pk=version_id)
    bundle = bundles.unpack(bytes(content), folder, sha256=version.bundle_sha256)
    if bundle.manifest.world != world:
        raise bundles.BundleError(
            f"the bundle was trained on the {bundle.manifest.world} world, not on the {world} one"
        )
    if version.is_labelled and not bundle.price_state_bytes:
        raise bundles.BundleError(
            "it was registered before bundles held the ratings made of prices; the next run makes one that has them"
        )
    served = ServedModel(
        world=world,
        version_id=version.pk,
        version_number=version.number,
        version=version,
        bundle=bundle,
        state=bundle.state(),
        data_snapshot=bundle.manifest.data_snapshot,
        degraded=degraded,
        price_state=bundle.price_state(),
    )
    if missing := sorted(set(bundle.manifest.names).difference(served.described)):
        raise bundles.BundleError(
            f"this code no longer makes the features {', '.join(missing[:3])}; the next run makes a version for it"
        )
    logger.info("model %s of %s loaded in %.2f s", version.number, world, time.perf_counter() - began)
    return served


def _up_to_date(served: ServedModel, *, now: datetime, may_rebuild: bool) -> ServedModel:
    """Return the model with its state at the newest data snapshot: stored, updated or (in a worker) rebuilt."""
    # Loads pandas: like the model's libraries, only when it is needed.
    from apps.ml import dataset

    newest = data_snapshot(served.world)
    if newest == served.data_snapshot and not dataset.unobserved(served.world, served.state.observed_until, now):
        return served
    served = _with_stored_state(served, newest, may_delete=may_rebuild)
    until = served.state.observed_until
    behind = until is not None and dataset.changed_behind(
        served.world, snapshot=served.data_snapshot, observed_until=until
    )
    if behind and not may_rebuild:
        return served
    if behind:
        state, prices = _rebuilt(served, now=now)
    else:
        # Update copies, because another thread may be reading the states.
        state, prices = served.state.copy(), served.price_state and served.price_state.copy()
        _observe(served, state, prices, after=until, before=now)
    state.adjust(dataset.adjustments(served.world, before=now))
    state.schedule(dataset.schedule(served.world, start=now - SCHEDULE_BACK, until=now + SCHEDULE_AHEAD))
    moved = replace(served, state=state, price_state=prices, data_snapshot=newest)
    lately = FeatureSnapshot.objects.filter(version_id=served.version_id, created_at__gt=now - KEEP_EVERY)
    if may_rebuild and (behind or not lately.exists()):
        _store(moved, now=now)
    return moved


def _with_stored_state(served: ServedModel, newest: int, *, may_delete: bool) -> ServedModel:
    """Return the model with the newest feature state that a worker stored, or as it is where there is none.

    A stored state whose bytes have changed, or that this code cannot read, is refused: the state is then brought up to
    date from what this process has, and a worker deletes the row, so that it stores a sound one.
    """
    from apps.ml.forecasting.features import StateFormatError

    stored = (
        FeatureSnapshot.objects.filter(
            version_id=served.version_id, data_snapshot__gt=served.data_snapshot, data_snapshot__lte=newest
        )
        .order_by("-data_snapshot")
        .first()
    )
    if stored is None:
        return served
    content = bytes(stored.state)
    try:
        if hashlib.sha256(content).hexdigest() != stored.state_sha256:
            raise StateFormatError("its bytes do not have the sha256 that was stored with them")
        return replace(served, state=_restored(content), data_snapshot=stored.data_snapshot)
    except StateFormatError as error:
        metrics.ERRORS.labels("state").inc()
        logger.error(
            "the feature state of model %s (%s) at data snapshot %s is refused: %s",
            *(served.version_number, served.world, stored.data_snapshot, error),
        )
    if may_delete:
        stored.delete()
    return served


def _restored(state: bytes) -> FeatureState:
    from apps.ml.forecasting.features import FeatureState

    return FeatureState.from_bytes(state)


def _observe(
    served: ServedModel, state: FeatureState, prices: FeatureState | None, *, after: datetime | None, before: datetime
) -> None:
    """Let states of a version observe the results of a period, with their line-ups and their prices."""
    from apps.ml import dataset
    from apps.ml.forecasting.prices import with_prices

    results = dataset.results_between(served.world, after=after, before=before)
    state.observe(results, lineups=dataset.lineups_between(served.world, after=after, before=before))
    if prices is not None:
        left = dataset.prices_of(results["match_id"])
        prices.observe(with_prices(results, left, served.bundle.manifest.params["prices"]))


def _lineups(state: FeatureState, fixtures: pd.DataFrame, *, now: datetime) -> pd.DataFrame | None:
    """Return the known line-ups of fixtures; None, without a query, for a state that does not use them."""
    from apps.ml import dataset

    return dataset.lineups_of(fixtures["match_id"], before=now) if state.reads_lineups else None


def _rebuilt(served: ServedModel, *, now: datetime) -> tuple[FeatureState, FeatureState | None]:
    """Return the states of a version made again from all results."""
    from apps.ml.forecasting.features import FeatureState

    began = time.perf_counter()
    state, prices = FeatureState.new(served.state.params, served.state.families), None
    if served.price_state is not None:
        prices = FeatureState.new(served.price_state.params, served.price_state.families)
    _observe(served, state, prices, after=None, before=now)
    logger.info("state of %s rebuilt in %.1f s", served.world, time.perf_counter() - began)
    return state, prices


def _store(served: ServedModel, *, now: datetime) -> None:
    """Store the state for the other processes, and delete older states of the version."""
    state = served.state.to_bytes()
    kept, _ = FeatureSnapshot.objects.update_or_create(
        version_id=served.version_id,
        data_snapshot=served.data_snapshot,
        defaults={
            "world": served.world,
            "state": state,
            "state_sha256": hashlib.sha256(state).hexdigest(),
            "created_at": now,
        },
    )
    FeatureSnapshot.objects.filter(version_id=served.version_id).exclude(pk=kept.pk).delete()
