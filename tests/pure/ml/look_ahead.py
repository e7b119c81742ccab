"""The machinery that catches a look ahead, run by the tests over invented and over real matches."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from apps.ml.forecasting.features import build_features
from apps.ml.forecasting.features.schema import STATS
from apps.ml.forecasting.prices import EARLIER

HOUR = pd.Timedelta(hours=1)

Build = Callable[..., tuple[np.ndarray, tuple[str, ...]]]


class SeenTooEarlyError(AssertionError):
    """A row changed with results that were not yet known."""


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Equal to the last bit, NaN included."""
    return left.shape == right.shape and left.tobytes() == right.tobytes()


def told(matches: pd.DataFrame) -> list[str]:
    """Columns of what becomes known of a match when it is over."""
    return [name for name in ("home_goals", "away_goals", *STATS, *EARLIER) if name in matches]


def shuffled_after(matches: pd.DataFrame, moment: pd.Timestamp, seed: int = 2) -> pd.DataFrame:
    """The same matches, with the results that become known at `moment` or later dealt out again among them."""
    later = np.flatnonzero(matches["known_at"] >= moment)
    columns = told(matches)
    changed = matches.copy()
    dealt = np.random.default_rng(seed).permutation(later)
    changed.loc[later, columns] = matches.loc[dealt, columns].to_numpy()
    return changed


def futures(matches: pd.DataFrame, moment: pd.Timestamp) -> list[pd.DataFrame]:
    """What may be known of the matches later: other results, no results, no rows."""
    later = matches["known_at"] >= moment
    columns = told(matches)
    random, none = matches.copy(), matches.copy()
    numbers = np.random.default_rng(3).integers(0, 9, size=(int(later.sum()), len(columns)))
    random.loc[later, columns] = numbers.astype(float)
    none.loc[later, columns] = np.nan
    return [shuffled_after(matches, moment), random, none, matches[~later]]


def refuse_look_ahead(
    matches: pd.DataFrame,
    values: np.ndarray,
    moments: Iterable[pd.Timestamp],
    *,
    build: Build = build_features,
    **more,
) -> None:
    """Build the rows up to each moment from other futures, and raise where one of them differs from `values`."""
    for moment in moments:
        past = (matches["as_of"] <= moment).to_numpy()
        for results in futures(matches, moment):
            found, _ = build(results, matches, **more)
            if not same(found[past], values[past]):
                raise SeenTooEarlyError(f"a row as of {moment} or before knows what became known later")


def an_hour_early(results: pd.DataFrame, fixtures: pd.DataFrame, **more) -> tuple[np.ndarray, tuple[str, ...]]:
    """Build features with a leak: every result counts as known an hour before it is."""
    return build_features(results.assign(known_at=results["known_at"] - HOUR), fixtures, **more)


def tempting(matches: pd.DataFrame) -> list[pd.Timestamp]:
    """Moments of forecasts within whose next hour a result becomes known: there a leak of an hour shows."""
    known = matches["known_at"].drop_duplicates().sort_values()
    moments = matches["as_of"].drop_duplicates().sort_values()
    first = known.searchsorted(moments, side="left")
    after = known.searchsorted(moments + HOUR, side="left")
    return moments[after > first].tolist()
