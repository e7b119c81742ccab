"""How fast features are: `python -m benchmarks.features [--matches N] [--json FILE]`.

N matches (default: a million) of 40 simulated leagues are described by every family that needs no prices, in float64,
block by block, and stored as float32 in one parquet file. Beside it, the form of the first 50,000 in pandas and,
where it is installed, polars: the same numbers, grouped and rolled without a loop over rows.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import yaml

from apps.ml.forecasting.features import FAMILIES, FeatureState, build_features
from apps.ml.forecasting.features.events import SIGNALS
from apps.ml.forecasting.features.form import STATS
from apps.ml.pipeline import files
from apps.ml.pipeline.columns import KEYS
from apps.ml.pipeline.featurize import MARKET, outcomes, write
from benchmarks.report import Measure, parser, print_measures

LEAGUES: Final = 40
CLUBS: Final = 20
SEASON: Final = CLUBS * (CLUBS - 1)
BLOCK: Final = 50_000


def simulated(matches: int) -> pd.DataFrame:
    """Return so many matches of leagues of twenty clubs, a round a week, ordered by kick-off."""
    generator = np.random.default_rng(1)
    seasons = -(-matches // (LEAGUES * SEASON))
    first = np.array([_round(number) for number in range(CLUBS - 1)])
    pairs = np.concatenate((first, first[:, :, ::-1]))
    rounds, games = pairs.shape[:2]
    shape = (seasons, rounds, LEAGUES, games)
    season, number, league, game = (axis.ravel() for axis in np.indices(shape))
    home, away = (1 + league * CLUBS + pairs[number, game, side] for side in range(2))
    strength = generator.normal(0.0, 0.25, size=LEAGUES * CLUBS + 1)
    edge = strength[home] - strength[away]
    start = np.datetime64("1955-08-06T15:00", "us")
    days = 365 * season + 7 * number
    kickoff = start + days.astype("timedelta64[D]") + (game % 4 * 2).astype("timedelta64[h]")
    frame = pd.DataFrame(
        {
            "match_id": np.arange(season.size) + 1,
            "competition_id": league + 1,
            "competition": np.char.add("league-", league.astype(str)),
            "region": np.char.add("Region ", league.astype(str)),
            "level": 1,
            "season_id": season * LEAGUES + league + 1,
            "season": (1955 + season).astype(str),
            "stage": "",
            "home_team_id": home,
            "away_team_id": away,
            "kickoff_at": pd.to_datetime(kickoff, utc=True),
            "status": "finished",
            "is_neutral": False,
        }
    )
    for name, mean in {"goals": 1.35, **dict(zip(SIGNALS, (12.5, 4.5, 5.0), strict=True))}.items():
        frame[f"home_{name}"] = generator.poisson(1.15 * mean * np.exp(edge)).astype(float)
        frame[f"away_{name}"] = generator.poisson(0.9 * mean * np.exp(-edge)).astype(float)
    frame["known_at"] = frame["kickoff_at"] + pd.Timedelta(hours=3)
    frame["as_of"] = frame["kickoff_at"] - pd.Timedelta(hours=1)
    return frame.sort_values(["kickoff_at", "match_id"], ignore_index=True).head(matches)


def _round(number: int) -> list[tuple[int, int]]:
    """Return the pairs of a round by the circle method; who is at home alternates."""
    circle = [CLUBS - 1, *((number + index) % (CLUBS - 1) for index in range(CLUBS - 1))]
    pairs = [(circle[index], circle[CLUBS - 1 - index]) for index in range(CLUBS // 2)]
    return [pair[:: 1 if (number + index) % 2 else -1] for index, pair in enumerate(pairs)]


def stream(matches: pd.DataFrame, params: dict[str, Any], families: list[str], path: Path | None = None) -> float:
    """Describe the matches as the pipeline's stage does; return seconds of computing, or of all, writing included."""
    began = time.perf_counter()
    state = FeatureState.new(params, families)
    blocks = state.stream(matches, matches, schedule=matches)
    if path is None:
        for _ in blocks:
            pass
    else:
        repeating = [feature.name for feature in state.catalogue if feature.window is not None]
        write(path, matches.assign(outcome=outcomes(matches))[KEYS.names], blocks, state.names, repeating)
    return time.perf_counter() - began


SCOPES: Final = {
    "all": ["team"],
    "season": ["team", "season"],
    "competition": ["team", "competition"],
    "venue": ["team", "side"],
    "head_to_head": ["team", "opponent"],
}
"""What rows of `sides` have in common that count together."""


def sides(matches: pd.DataFrame) -> pd.DataFrame:
    """Return two rows a match, one for each side, in chronological order, with what `STATS` are means of."""
    parts = []
    for own, other in (("home", "away"), ("away", "home")):
        margin = matches[f"{own}_goals"] - matches[f"{other}_goals"]
        part = {"match": np.arange(len(matches)), "side": own}
        part |= {"team": matches[f"{own}_team_id"], "opponent": matches[f"{other}_team_id"]}
        part |= {"season": matches["season_id"], "competition": matches["competition_id"]}
        part |= {"wins": margin > 0, "draws": margin == 0, "losses": margin < 0}
        part["points"] = 3 * (margin > 0) + (margin == 0)
        for name in ("goals", *SIGNALS):
            part |= {f"{name}_for": matches[f"{own}_{name}"], f"{name}_against": matches[f"{other}_{name}"]}
        parts.append(pd.DataFrame(part))
    both = pd.concat(parts).sort_values("match", kind="stable", ignore_index=True)
    return both.astype(dict.fromkeys(STATS, float))


def in_pandas(matches: pd.DataFrame, section: dict[str, Any]) -> pd.DataFrame:
    """Return the columns of the form family, grouped and rolled in pandas."""
    rows, found = sides(matches), {}
    for scope, stats in section["scopes"].items():
        keys = SCOPES[scope]
        groups = rows.groupby(keys, sort=False)
        seen, earlier = groups.cumcount(), groups[stats].shift(1)
        by = [rows[key] for key in keys]
        for window in section["windows"]:
            rolled = earlier.groupby(by, sort=False).rolling(window, min_periods=1).mean()
            means = rolled.droplevel(list(range(len(keys)))).sort_index()
            _columns(found, scope, window, rows, means, seen.clip(upper=window) / window)
    return pd.DataFrame(found)


def in_polars(matches: pd.DataFrame, section: dict[str, Any]) -> pd.DataFrame:
    """Return the columns of the form family, rolled over groups in polars."""
    import polars

    rows, found = sides(matches), {}
    texts = polars.Series("side", rows["side"].tolist())
    numbers = [polars.Series(name, rows[name].to_numpy(), nan_to_null=True) for name in rows if name != "side"]
    table = polars.DataFrame([texts, *numbers])
    for scope, stats in section["scopes"].items():
        keys = SCOPES[scope]
        seen = table.select(polars.int_range(polars.len()).over(keys)).to_series().to_numpy()
        for window in section["windows"]:
            means = table.select(
                polars.col(name).shift(1).rolling_mean(window, min_samples=1).over(keys).alias(name) for name in stats
            )
            as_frame = pd.DataFrame({name: means[name].to_numpy() for name in stats})
            _columns(found, scope, window, rows, as_frame, pd.Series(np.minimum(seen, window) / window))
    return pd.DataFrame(found)


def _columns(
    found: dict[str, Any], scope: str, window: int, rows: pd.DataFrame, means: pd.DataFrame, coverage: pd.Series
) -> None:
    home, away = (rows["side"] == "home").to_numpy(), (rows["side"] == "away").to_numpy()
    for stat in means:
        values = means[stat].to_numpy()
        name = f"form_{scope}_{window}_{stat}"
        found[f"{name}_home"], found[f"{name}_away"] = values[home], values[away]
        found[f"{name}_diff"] = values[home] - values[away]
    name = f"form_{scope}_{window}_coverage"
    if scope == "head_to_head":
        found[name] = coverage.to_numpy()[home]
        return
    for side, chosen in (("home", home), ("away", away)):
        found[f"{name}_{side}"] = coverage.to_numpy()[chosen]


def seconds(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a piece of work gives, and how long it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def peers(matches: pd.DataFrame, params: dict[str, Any]) -> list[Measure]:
    """Compare the form family with pandas and polars on one block."""
    block, section = matches.head(BLOCK), params["form"]
    times = []
    for _ in range(3):
        (values, names), took = seconds(lambda: build_features(block, block, params=params, families=["form"]))
        times.append(took)
    own = min(times)
    measures = [Measure(f"form of {len(block):,} matches, our kernels, best of 3", own, "s")]
    for label, work in (("pandas", in_pandas), ("polars", in_polars)):
        if find_spec(label) is None:
            continue
        other, took = seconds(lambda work=work: work(block, section))
        difference = np.nanmax(np.abs(other[list(names)].to_numpy() - values))
        same_gaps = np.array_equal(np.isnan(other[list(names)].to_numpy()), np.isnan(values))
        measures += [
            Measure(f"  {label}", took, "s"),
            Measure(f"  {label} over ours", took / own, "times", "≥ 20" if label == "pandas" else ""),
            Measure(f"  {label}, largest difference", difference if same_gaps else np.inf, "", "≤ 1e-9"),
        ]
    return measures


def what_if(matches: pd.DataFrame, params: dict[str, Any], families: list[str]) -> list[Measure]:
    """Measure one fixture, and 500, described by a state that has observed 50,000 results."""
    state = FeatureState.new(params, families)
    state.schedule(matches.head(BLOCK))
    state.observe(matches.head(BLOCK))
    fixtures = matches.iloc[BLOCK - 500 : BLOCK].assign(as_of=pd.Timestamp("2100-01-01", tz="UTC"))
    measures = []
    for count, target in ((1, "≤ 1"), (500, "≤ 50")):
        asked = fixtures.head(count)
        times = [seconds(lambda asked=asked: state.describe(asked))[1] for _ in range(100)]
        measures.append(
            Measure(f"what-if: {count} described, median of 100", 1000 * float(np.median(times)), "ms", target)
        )
    return measures


def main() -> int:
    """Measure, and print the table."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--matches", type=int, default=1_000_000)
    args = options.parse_args()
    if args.matches < 2 * BLOCK:
        raise SystemExit(f"--matches {args.matches}: there must be at least {2 * BLOCK}")
    params = yaml.safe_load(files.PARAMS.read_text(encoding="utf-8"))["features"]
    families = [name for name in FAMILIES if name not in MARKET]
    matches = simulated(args.matches)
    stream(matches.head(2 * BLOCK), params, families)  # kernels are compiled here
    measures = [Measure("features of a match", len(FeatureState.new(params, families).names), "columns")]
    measures.append(Measure("all families together, computing", stream(matches, params, families), "s", "≤ 10"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.parquet"
        measures += [
            Measure("all families together, with parquet", stream(matches, params, families, path), "s", "≤ 30"),
            Measure("size of the parquet file", path.stat().st_size / 2**20, "MiB"),
        ]
    measures.append(Measure("largest memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "GiB", "≤ 4"))
    for family in families:
        measures.append(Measure(f"  {family} alone", stream(matches, params, [family]), "s"))
    measures += peers(matches, params) + what_if(matches, params, families)
    print_measures(f"features of {len(matches):,} simulated matches", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
