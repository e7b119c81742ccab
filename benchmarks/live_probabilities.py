"""How good probabilities during a match are: `python -m benchmarks.live_probabilities --data DIR [--json FILE]`.

DIR holds files in football-data form (itself, or in football-data/). Every match with a score at half time is forecast
before its season by a logit on our own ratings that was fitted only to earlier seasons (walk forward, no prices), and
again at half time: by the forecast as it was, by `apps.ml.forecasting.live`, and by a logit on the forecast and the
score. Constants and logit are fitted to the seasons to 2013-14, the table is about the later ones. Takes some minutes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import yaml

from apps.ml.forecasting import estimators, live, scoring
from apps.ml.forecasting.features import FeatureState
from benchmarks.report import Measure, folder_of, parser, print_measures
from benchmarks.season_quality import FAMILIES, LEARNT_FROM, history

FITTED_UNTIL: Final = "2013-14"
"""The last season that constants and logit are fitted to."""

WITHIN: Final = 0.010
"""Log loss by which the model may be worse than the logit."""

LEADS: Final = 3
"""From this lead on all are alike for the logit."""


@dataclass(frozen=True, slots=True)
class HalfTimes:
    """Matches at half time: season, forecast, expected goals, score then and at the end, outcome."""

    season: np.ndarray
    p: np.ndarray  # (n, 3)
    expected: np.ndarray  # (n, 2)
    half: np.ndarray  # (n, 2)
    end: np.ndarray  # (n, 2)

    @property
    def outcome(self) -> np.ndarray:
        """0 home win, 1 draw, 2 away win."""
        return 1 - np.sign(self.end[:, 0] - self.end[:, 1])

    @property
    def lead(self) -> np.ndarray:
        """Goals of home less those of away at half time."""
        found: np.ndarray = self.half[:, 0] - self.half[:, 1]
        return found

    def where(self, rows: np.ndarray) -> HalfTimes:
        """Return some of the matches."""
        return HalfTimes(*(getattr(self, name)[rows] for name in ("season", "p", "expected", "half", "end")))


def half_times(matches: pd.DataFrame, params: dict[str, Any]) -> HalfTimes:
    """Return the matches with a score at half time, each forecast by a model that was fitted before its season."""
    state = FeatureState.new(params["features"], FAMILIES)
    values = state.fold(matches, matches, matches)
    outcome = 1 - np.sign((matches["home_goals"] - matches["away_goals"]).to_numpy(dtype=np.int64))
    scored = matches[["home_goals_half_time", "away_goals_half_time"]].astype(float).notna().all(axis=1).to_numpy()
    found = []
    for season in sorted(matches["season"].unique())[LEARNT_FROM:]:
        own = (matches["season"] == season).to_numpy() & scored
        if not own.any():
            continue
        earlier = (matches["known_at"] < matches.loc[own, "kickoff_at"].min()).to_numpy()
        model = estimators.create("logit", params["train"]["smoke"]["logit"], seed=1)
        model.fit(values[earlier], outcome[earlier], names=state.names)
        scores = matches.loc[own, ["home_goals_half_time", "away_goals_half_time", "home_goals", "away_goals"]]
        goals = scores.to_numpy(dtype=np.int64)
        found.append((np.full(len(goals), season), *model.numbers(values[own]), goals[:, :2], goals[:, 2:]))
    return HalfTimes(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def constants(of: HalfTimes) -> tuple[float, tuple[float, ...]]:
    """Return `live.BEFORE_HALF_TIME` and `live.EFFECT` as these matches give them."""
    share = float(of.half.sum() / of.end.sum())
    # The forecast's level of goals is no effect of the score.
    means = of.expected * (of.end.sum(axis=0) / of.expected.sum(axis=0)) * (1.0 - share)
    standing = np.clip(np.stack((of.lead, -of.lead), axis=1), -2, 2)
    later = of.end - of.half
    return share, tuple(float(later[standing == lead].sum() / means[standing == lead].sum()) for lead in range(-2, 3))


def logit(fitted: HalfTimes, asked: HalfTimes) -> np.ndarray:
    """Return the forecasts of a multinomial logit on the forecast, the lead and the goals at half time."""
    from sklearn.linear_model import LogisticRegression

    def columns(of: HalfTimes) -> np.ndarray:
        strength = np.log(of.p[:, [0, 2]] / of.p[:, [1]])
        lead = np.clip(of.lead, -LEADS, LEADS)[:, None] == np.arange(-LEADS, LEADS + 1)
        goals = np.minimum(of.half.sum(axis=1, keepdims=True), 5)
        return np.hstack((strength, strength**2, lead, goals, lead * strength[:, :1], lead * strength[:, 1:]))

    model = LogisticRegression(max_iter=2000, C=10.0).fit(columns(fitted), fitted.outcome)
    return np.asarray(model.predict_proba(columns(asked)))


def main() -> int:
    """Measure and print; fail where the model misses its targets."""
    options = parser(__doc__ or "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), help="files in football-data form")
    args = options.parse_args()
    params = yaml.safe_load(Path("apps/ml/params.yaml").read_text(encoding="utf-8"))
    matches, refusals = history(folder_of(args.data))
    found = half_times(matches, params)
    fitted, asked = found.where(found.season <= FITTED_UNTIL), found.where(found.season > FITTED_UNTIL)
    share, effect = constants(fitted)
    print(f"fitted to {len(fitted.end):,} matches to {FITTED_UNTIL}, tested on {len(asked.end):,} later ones")
    print(f"share before half time {share:.3f}; effect of the score {', '.join(f'{value:.3f}' for value in effect)}")
    forecasts = {
        "forecast before the match": asked.p,
        "live model at half time": live.live_probabilities(asked.p, asked.expected, live.HALF, *asked.half.T),
        "logit on forecast and score": logit(fitted, asked),
    }
    losses = [scoring.log_loss(p, asked.outcome) for p in forecasts.values()]
    before, model, best = losses
    targets = ["", f"below {before:.4f}, at most {best + WITHIN:.4f}", ""]
    measures = [
        Measure(f"log loss, {name}", loss, "nats", target)
        for name, loss, target in zip(forecasts, losses, targets, strict=True)
    ]
    measures += [Measure(f"ECE, {name}", 100.0 * scoring.ece(p, asked.outcome), "%") for name, p in forecasts.items()]
    print_measures("Probabilities at half time", measures, args.json, refusals)
    return int(model >= before or model > best + WITHIN)


if __name__ == "__main__":
    sys.exit(main())
