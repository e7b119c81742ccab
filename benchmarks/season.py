"""How fast a season is simulated: `python -m benchmarks.season [--seasons N] [--json FILE]`.

N seasons (default: 10,000) of 20 clubs are drawn from their first match day on, 380 matches each, and ranked by the
rules of two kinds of competition, the second of which counts the matches between level clubs again. One core.
"""

from __future__ import annotations

import sys
import time
from typing import Final

import numpy as np

from apps.matches.standings import GOALS_FIRST, MUTUAL_FIRST, Rule
from apps.ml.forecasting import season
from apps.ml.forecasting.goals import outcome_probabilities
from benchmarks.report import Measure, parser, print_measures

CLUBS: Final = 20
DOUBT: Final = 0.4
REPEATS: Final = 5
TARGET: Final = "≤ 1"


def league() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the fixtures of a league, the probabilities and the expected goals of each."""
    strength = np.random.default_rng(1).normal(0.0, 0.25, size=CLUBS)
    pairs = np.array([(home, away) for home in range(CLUBS) for away in range(CLUBS) if home != away])
    edge = strength[pairs[:, 0]] - strength[pairs[:, 1]]
    expected = np.stack((1.55 * np.exp(edge), 1.2 * np.exp(-edge)), axis=1)
    return pairs, outcome_probabilities(expected[:, 0], expected[:, 1], -0.05), expected


def seconds(rule: Rule, simulations: int, *, played: int = 0) -> float:
    """Return the least time of some repeats for so many seasons, of which so many matches are played."""
    pairs, p, expected = league()
    order = np.random.default_rng(2).permutation(len(pairs))
    past, left = order[:played], order[played:]
    results = np.concatenate((pairs[past], np.random.default_rng(3).poisson(1.35, size=(played, 2))), axis=1)
    best = np.inf
    for repeat in range(REPEATS):
        began = time.perf_counter()
        season.simulate(
            clubs=CLUBS,
            played=results,
            fixtures=pairs[left],
            p=p[left],
            expected=expected[left],
            rho=-0.05,
            doubt=DOUBT,
            rule=rule,
            simulations=simulations,
            seed=repeat,
        )
        best = min(best, time.perf_counter() - began)
    return best


def main() -> int:
    """Measure and print."""
    options = parser(__doc__ or "")
    options.add_argument("--seasons", type=int, default=season.SIMULATIONS, help="seasons to simulate")
    args = options.parse_args()
    began = time.perf_counter()
    seconds(GOALS_FIRST, 10)
    compiled = time.perf_counter() - began
    measures = [
        Measure("goal difference first, whole season", seconds(GOALS_FIRST, args.seasons), "s", TARGET),
        Measure("matches between them first, whole season", seconds(MUTUAL_FIRST, args.seasons), "s", TARGET),
        Measure("matches between them first, half a season", seconds(MUTUAL_FIRST, args.seasons, played=190), "s"),
        Measure("kernels loaded or compiled", compiled, "s"),
    ]
    print_measures(f"{args.seasons:,} seasons of {CLUBS} clubs", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
