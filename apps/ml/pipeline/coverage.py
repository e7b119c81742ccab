"""How often the closing line lies inside the intervals of forecasts, and how wide these are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.prices import OUTCOMES
from apps.ml.pipeline.columns import ENDS


def coverage(rows: pd.DataFrame, line: Floats) -> dict[str, Any] | None:
    """Return the coverage of the intervals of some forecasts; None where no interval has a closing line.

    Parameters
    ----------
    rows : DataFrame
        Forecasts, with the columns `ENDS`.
    line : ndarray, shape (n, 3)
        Their closing line as probabilities, NaN where none is quoted.

    Returns
    -------
    dict
        ``n``, the forecasts with an interval and a line; ``covered`` by outcome, the share of the lines inside; and
        ``width`` by outcome, the mean width as a difference of probabilities.
    """
    ends = rows[ENDS].to_numpy(dtype=np.float64).reshape(-1, 3, 2)
    judged = np.isfinite(line).all(axis=1) & np.isfinite(ends).all(axis=(1, 2))
    if not judged.any():
        return None
    low, high = ends[judged, :, 0], ends[judged, :, 1]
    covered = ((low <= line[judged]) & (line[judged] <= high)).mean(axis=0)
    width = (high - low).mean(axis=0)
    return {
        "n": int(judged.sum()),
        "covered": dict(zip(OUTCOMES, covered.tolist(), strict=True)),
        "width": dict(zip(OUTCOMES, width.tolist(), strict=True)),
    }


def by_group(rows: pd.DataFrame, line: Floats, groups: pd.Series, name: str) -> list[dict[str, Any]]:
    """Return the same for each group of forecasts, in the order of the groups, under the column `name`."""
    places = pd.Series(np.arange(len(rows))).groupby(groups.reset_index(drop=True), sort=True, observed=True)
    found = []
    for group, part in places:
        here = part.to_numpy()
        if (one := coverage(rows.iloc[here], line[here])) is not None:
            found.append({name: group, **one})
    return found
