"""What publishing forecasts costs: `python -m benchmarks.fixtures [--fixtures N …] [--json FILE]`.

A separate PostgreSQL is filled with the simulated world, of which the pipeline trains and registers a champion. Then
N fixtures (default: 300, 1,000 and 3,000) are stored in their own leagues, the champion forecasts and publishes them
all, and checks them again when nothing has changed. The processors are those of this process and of PostgreSQL.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from apps.matches.records import CompetitionKey, MatchRecord
from benchmarks.ingest import Time, timed
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import own_servers
from benchmarks.serving_single import champion

SIZES: Final = (300, 1_000, 3_000)

CLUBS: Final = 20
ROUNDS: Final = 10


def records(fixtures: int, label: str, now: datetime) -> Iterator[MatchRecord]:
    """Yield fixtures of the next ten days in leagues of twenty clubs that nobody knows yet."""
    start = now.replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(days=1)
    for number in range(fixtures):
        league, place = divmod(number, ROUNDS * CLUBS // 2)
        day, game = divmod(place, CLUBS // 2)
        home, away = (f"{label} {league} {club}" for club in (game, CLUBS // 2 + (game + day) % (CLUBS // 2)))
        yield MatchRecord(
            competition=CompetitionKey(f"{label} {league}", "League", is_simulated=True),
            season=f"{start.year}",
            home_team=home,
            away_team=away,
            kickoff_at=start + timedelta(days=day),
        )


def measures_of(fixtures: int) -> list[Measure]:
    """Store fixtures and publish their forecasts."""
    from apps.matches.ingest import ingest
    from apps.ml import services

    now = datetime.now(UTC)
    services.predict_due(now=now)
    stored = ingest(records(fixtures, f"Size {fixtures}", now), source="benchmark", now=now)
    assert stored.created == fixtures, stored

    def lines(name: str, took: Time, n: int) -> list[Measure]:
        cpu = took.here + (took.database or 0.0)
        return [
            Measure(f"{fixtures:,} fixtures: {name}", took.clock, "s"),
            Measure("  processors, of 1,000 fixtures", 1000 * cpu / n, "s"),
        ]

    report, first = timed(lambda: services.predict_due(now=datetime.now(UTC)))
    assert report.published["sandbox"] >= fixtures, report
    again, second = timed(lambda: services.predict_due(now=datetime.now(UTC)))
    published, considered = report.published["sandbox"], again.considered["sandbox"]
    return [*lines("forecast and published", first, published), *lines("checked again", second, considered)]


def main() -> int:
    """Measure and print."""
    options = parser(__doc__ or "")
    options.add_argument("--fixtures", type=int, nargs="+", default=SIZES)
    args = options.parse_args()
    with own_servers():
        champion()
        measures = [measure for fixtures in args.fixtures for measure in measures_of(fixtures)]
    print_measures("forecasts of fixtures", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
