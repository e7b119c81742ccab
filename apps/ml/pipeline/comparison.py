"""The comparison of a candidate with the champion on the same matches, criterion by criterion.

It uses the out-of-sample forecasts that each version made in its own walk-forward evaluation. A version stores those of
its test steps, so that later versions can be compared with it.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from apps.ml.forecasting import scoring
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.features import StateFormatError
from apps.ml.forecasting.features.schema import TIMESTAMP
from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import evaluate, files
from apps.ml.pipeline.columns import CALIBRATED, RAW

STORED: Final = pa.schema(
    [
        pa.field("match_id", pa.int64(), nullable=False),
        pa.field("as_of", TIMESTAMP, nullable=False),
        pa.field("competition", pa.string(), nullable=False),
        pa.field("outcome", pa.int8(), nullable=False),
        pa.field("fold", pa.int16(), nullable=False),
        *(pa.field(name, pa.float32(), nullable=False) for name in RAW),
    ]
)
"""The calibrated out-of-sample forecasts that a version stores, in chronological order."""

SAME_MATCHES: Final = "same matches"
GOLDEN_ROWS: Final = "golden rows"

LATENCY_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion of a comparison."""

    name: str
    passed: bool
    reason: str  # one sentence for people
    candidate: float | None = None  # its measure, where the criterion has one
    champion: float | None = None
    difference: float | None = None  # candidate − champion
    low: float | None = None  # bootstrap interval of the difference
    high: float | None = None
    bound: float | None = None  # what is allowed


@dataclass(frozen=True, slots=True)
class Contender:
    """A version in a comparison: its number, bundle and stored forecasts."""

    number: int
    bundle: bytes
    forecasts: bytes | None


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """The result of a comparison: all criteria, and the number of common matches."""

    criteria: tuple[Criterion, ...]
    n: int

    @property
    def may_take_over(self) -> bool:
        """Whether all criteria are met."""
        return all(criterion.passed for criterion in self.criteria)

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        failed = [criterion for criterion in self.criteria if not criterion.passed]
        if not failed:
            return f"all {len(self.criteria)} criteria are met on {self.n} matches"
        return "not met: " + "; ".join(f"{criterion.name}: {criterion.reason}" for criterion in failed)


def stored_forecasts(root: Path, model: str) -> bytes:
    """Return the test forecasts of a model as parquet; equal forecasts give equal bytes."""
    import pyarrow.parquet as pq

    rows = evaluate.test_forecasts(root)[model]
    about = files.read_frame(root / files.FINISHED, ["match_id", "competition"])
    rows = rows.merge(about, on="match_id", validate="one_to_one").sort_values(["as_of", "match_id"])
    calibrated = rows.assign(**dict(zip(RAW, (rows[name] for name in CALIBRATED), strict=True)))
    buffer = io.BytesIO()
    table = pa.Table.from_pandas(calibrated[STORED.names], schema=STORED, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


def forecasts_in(content: bytes) -> pd.DataFrame:
    """Return the rows that `stored_forecasts` wrote."""
    return pd.read_parquet(io.BytesIO(content))


def compare(candidate: Contender, champion: Contender, section: Mapping[str, Any]) -> ComparisonResult:
    """Compare a candidate with the champion, by the section ``compare`` of the parameters."""
    own, other = _read(candidate), _read(champion)
    common = own.merge(other[["match_id", *RAW]], on="match_id", suffixes=("", "_other"), validate="one_to_one")
    n = len(common)
    found = [
        Criterion(
            SAME_MATCHES,
            n >= section["least_matches"],
            _words_of_matches(candidate, champion, len(own), len(other), n, section["least_matches"]),
            candidate=len(own),
            champion=len(other),
            bound=section["least_matches"],
        )
    ]
    if found[0].passed:
        found.append(_covered(n, int((other["as_of"] >= own["as_of"].min()).sum()), section["covered_share"]))
        found += forecast_criteria(common, section)
    found += files_criteria(candidate, champion, section)
    return ComparisonResult(tuple(found), n)


def forecast_criteria(common: pd.DataFrame, section: Mapping[str, Any]) -> list[Criterion]:
    """Return the criteria about the forecasts of the same matches.

    `common` has ``as_of``, ``competition``, ``outcome``, the candidate's `RAW` columns, and the champion's with
    ``_other``.
    """
    own = normal(common[RAW].to_numpy(dtype=np.float64))
    other = normal(common[[f"{name}_other" for name in RAW]].to_numpy(dtype=np.float64))
    y = common["outcome"].to_numpy(dtype=np.int64)
    days = common["as_of"].dt.floor("D").to_numpy()
    own_loss, other_loss = scoring.log_loss_each(own, y), scoring.log_loss_each(other, y)
    return [
        _paired("log loss", "nats", own_loss, other_loss, days, section["log_loss_allowance"], section),
        _paired(
            "RPS", "", scoring.rps_each(own, y), scoring.rps_each(other, y), days, section["rps_allowance"], section
        ),
        _calibrated(own, other, y, section),
        _worst_competition(common["competition"], own_loss, other_loss, section),
    ]


def files_criteria(candidate: Contender, champion: Contender, section: Mapping[str, Any]) -> list[Criterion]:
    """Return the criteria about the candidate's bundle: training data, columns, golden rows and latency."""
    before = bundles.header_of(champion.bundle)
    with tempfile.TemporaryDirectory() as folder:
        try:
            own = bundles.unpack(candidate.bundle, Path(folder) / "candidate")
            described = own.state().names
        except (bundles.BundleError, StateFormatError) as error:
            reason = f"the bundle cannot be loaded: {error}"
            return [Criterion(name, False, reason) for name in ("schema", GOLDEN_ROWS)]
        rows = len(own.golden["features"])
        tolerance = float(own.golden["tolerance"])
        schema = schema_criterion(
            read=own.estimator.columns, described=described, before=None if before is None else before["names"]
        )
        latency = _latency(own, section["latency_ms"])
    golden = Criterion(
        GOLDEN_ROWS, True, f"a loaded copy gives the same forecast for {rows} kept matches", bound=tolerance
    )
    trained = _trained(own.manifest.rows, None if before is None else before["rows"], section["trained_share"])
    return [trained, schema, golden, latency]


def schema_criterion(*, read: Sequence[str], described: Sequence[str], before: Sequence[str] | None) -> Criterion:
    """Return the criterion that the feature state provides all columns that the candidate uses.

    `before` are the columns of the champion's state; None when its bundle cannot be read.
    """
    missing = [name for name in read if name not in set(described)]
    if missing:
        reason = f"the feature state lacks {', '.join(missing[:5])}"
    elif before is None:
        reason = f"all {len(read)} columns that it uses are provided; the champion's cannot be read"
    else:
        added, gone = len(set(described) - set(before)), len(set(before) - set(described))
        than = f"{added} new and {gone} gone against the champion" if added or gone else "the same as the champion's"
        reason = f"all {len(read)} columns that it uses are among the {len(described)} provided ones, {than}"
    return Criterion(
        "schema",
        not missing,
        reason,
        candidate=len(described),
        champion=None if before is None else len(before),
        bound=len(read),
    )


def _covered(common: int, expected: int, share: float) -> Criterion:
    """Return the criterion that the candidate forecast the champion's matches from its own first one on."""
    reason = (
        f"the candidate forecast {common} of the champion's {expected} matches since its own first one; "
        f"{100 * share:g} % are required"
    )
    return Criterion("coverage", common >= share * expected, reason, candidate=common, champion=expected, bound=share)


def _trained(rows: int, before: int | None, share: float) -> Criterion:
    if before is None:
        return Criterion("training data", True, f"{rows} matches; the champion's cannot be read", candidate=rows)
    reason = (
        f"it was trained on {rows} matches, the champion on {before}; at least {100 * share:g} % of these are required"
    )
    return Criterion("training data", rows >= share * before, reason, candidate=rows, champion=before, bound=share)


def _latency(bundle: bundles.Bundle, most: float) -> Criterion:
    """Return the criterion about the time of one forecast: the shortest of some, which other processes delay least."""
    row = np.array(bundle.golden["features"][:1], dtype=np.float64).reshape(-1, len(bundle.manifest.names))
    times = []
    for _ in range(LATENCY_TRIES):
        began = time.perf_counter()
        bundle.forecast(row)
        times.append(1000.0 * (time.perf_counter() - began))
    found = min(times)
    reason = f"the model takes {found:.1f} ms for one forecast; {most:g} ms are allowed"
    return Criterion("latency", found <= most, reason, candidate=found, bound=most)


def normal(p: Floats) -> Floats:
    """Normalize forecasts that were stored in 32 bits, so that they sum to 1."""
    found: Floats = p / p.sum(axis=1, keepdims=True)
    return found


def _signed(value: float) -> str:
    # Round first, so that a difference of 0 has no sign.
    rounded = round(value, 5)
    return f"{rounded:+.5f}".replace("-", "−") if rounded else "0.00000"


def _read(contender: Contender) -> pd.DataFrame:
    return STORED.empty_table().to_pandas() if contender.forecasts is None else forecasts_in(contender.forecasts)


def _words_of_matches(candidate: Contender, champion: Contender, own: int, other: int, n: int, least: int) -> str:
    unkept = [contender.number for contender in (candidate, champion) if contender.forecasts is None]
    if unkept:
        return f"model {unkept[0]} was made before forecasts were stored for comparisons"
    if n < least:
        return f"both forecast {n} matches out of sample ({own} and {other}); a comparison needs {least}"
    return f"both forecast the same {n} matches out of sample"


def _paired(
    name: str,
    unit: str,
    own: Floats,
    other: Floats,
    days: NDArray[np.datetime64],
    allowance: float,
    section: Mapping[str, Any],
) -> Criterion:
    interval = scoring.paired_bootstrap(
        own - other, days, draws=section["bootstrap_draws"], level=section["bootstrap_level"]
    )
    share = f"{100 * section['bootstrap_level']:.0f} %"
    unit = f" {unit}" if unit else ""
    reason = (
        f"candidate − champion is {_signed(interval.mean)}{unit}, {share} interval {_signed(interval.low)} to "
        f"{_signed(interval.high)} over {interval.days} days; its upper end may be at most {_signed(allowance)}"
    )
    return Criterion(
        name,
        interval.high <= allowance,
        reason,
        candidate=float(own.mean()),
        champion=float(other.mean()),
        difference=interval.mean,
        low=interval.low,
        high=interval.high,
        bound=allowance,
    )


def _calibrated(own: Floats, other: Floats, y: Integers, section: Mapping[str, Any]) -> Criterion:
    perfect = scoring.ece_limit(own, section["ece_quantile"], section["ece_draws"])
    error, before = scoring.ece(own, y), scoring.ece(other, y)
    bound = max(perfect + section["ece_allowance"], before)
    reason = (
        f"ECE {error:.4f} against the champion's {before:.4f}; a perfect forecaster stays below {perfect:.4f} on "
        f"{len(y)} matches, and {bound:.4f} is allowed"
    )
    return Criterion(
        "ECE", error <= bound, reason, candidate=error, champion=before, difference=error - before, bound=bound
    )


def _worst_competition(competition: pd.Series, own: Floats, other: Floats, section: Mapping[str, Any]) -> Criterion:
    name, least, allowance = "worst competition", section["competition_matches"], section["competition_allowance"]
    table = pd.DataFrame({"competition": competition.to_numpy(), "own": own, "other": other, "n": 1})
    means = table.groupby("competition", sort=True).agg({"own": "mean", "other": "mean", "n": "sum"})
    means = means[means["n"] >= least]
    if means.empty:
        return Criterion(name, True, f"no competition has {least} of the matches", bound=allowance)
    difference = means["own"] - means["other"]
    worst = str(difference.idxmax())
    found = float(difference[worst])
    reason = (
        f"of {len(means)} competitions with {least} matches or more {worst} does worst: {_signed(found)} nats on "
        f"{int(means.loc[worst, 'n'])} matches; {_signed(allowance)} is allowed"
    )
    return Criterion(
        name,
        found <= allowance,
        reason,
        candidate=float(means.loc[worst, "own"]),
        champion=float(means.loc[worst, "other"]),
        difference=found,
        bound=allowance,
    )
