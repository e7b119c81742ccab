"""Columns of the frames that enter the mathematics: the contract between the export, the pipeline and serving.

`kickoff_at`, `known_at` and `as_of` are aware and in UTC. Results are facts; a match without goals is a fixture or
was never played. Ids are those of the database, and never change.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

STATS: Final = (
    "home_shots",
    "away_shots",
    "home_shots_on_target",
    "away_shots_on_target",
    "home_corners",
    "away_corners",
    "home_fouls",
    "away_fouls",
    "home_yellow_cards",
    "away_yellow_cards",
    "home_red_cards",
    "away_red_cards",
)
"""Counts of a match that some sources have; null where they do not."""

XG: Final = ("home_xg", "away_xg")
"""Expected goals of a match, which become known at `xg_known_at`, later than its result."""

MATCHES: Final = pa.schema(
    [
        pa.field("match_id", pa.int64(), nullable=False),
        pa.field("competition_id", pa.int32(), nullable=False),
        pa.field("competition", pa.string(), nullable=False),  # slug, such as "england-premier-league"
        pa.field("region", pa.string(), nullable=False),
        pa.field("level", pa.int16(), nullable=False),  # tier of the pyramid, 1 at the top, 0 for cups
        pa.field("season_id", pa.int32(), nullable=False),
        pa.field("season", pa.string(), nullable=False),  # "2023-24" or "2023"
        pa.field("stage", pa.string(), nullable=False),  # "" for the regular season
        pa.field("home_team_id", pa.int32(), nullable=False),
        pa.field("away_team_id", pa.int32(), nullable=False),
        pa.field("home_team", pa.string(), nullable=False),
        pa.field("away_team", pa.string(), nullable=False),
        pa.field("kickoff_at", TIMESTAMP, nullable=False),
        pa.field("kickoff_precision", pa.string(), nullable=False),  # "minute" or "date"
        pa.field("known_at", TIMESTAMP),  # null while there is no result
        pa.field("status", pa.string(), nullable=False),
        pa.field("is_neutral", pa.bool_(), nullable=False),
        pa.field("home_goals", pa.float64()),
        pa.field("away_goals", pa.float64()),
        *(pa.field(name, pa.float64()) for name in STATS),
        *(pa.field(name, pa.float64()) for name in XG),
        pa.field("xg_known_at", TIMESTAMP),  # null without xG
    ]
)
"""`data/raw/matches.parquet`: one row a match, sorted by (kickoff_at, match_id)."""

ODDS: Final = pa.schema(
    [
        pa.field("match_id", pa.int64(), nullable=False),
        pa.field("bookmaker", pa.string(), nullable=False),  # "PS" Pinnacle, "B365", "Avg" over bookmakers, …
        pa.field("moment", pa.string(), nullable=False),  # "opening" or "closing"
        pa.field("home", pa.float64(), nullable=False),
        pa.field("draw", pa.float64(), nullable=False),
        pa.field("away", pa.float64(), nullable=False),
    ]
)
"""`data/raw/odds.parquet`: complete 1X2 prices, decimal, sorted by (match_id, bookmaker, moment)."""

LINEUPS: Final = pa.schema(
    [
        pa.field("match_id", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # whose ids the players have; a match may have several
        pa.field("side", pa.string(), nullable=False),  # "home" or "away"
        pa.field("player_id", pa.int64(), nullable=False),
        pa.field("role", pa.string(), nullable=False),  # one of ROLES
        pa.field("known_at", TIMESTAMP, nullable=False),
    ]
)
"""`data/raw/lineups.parquet`: the squads of matches and who was missing, sorted by its columns; often empty."""

ADJUSTMENTS: Final = pa.schema(
    [
        pa.field("season_id", pa.int32(), nullable=False),
        pa.field("team_id", pa.int32(), nullable=False),
        pa.field("known_at", TIMESTAMP, nullable=False),
        pa.field("points", pa.int16(), nullable=False),  # negative for a deduction
        pa.field("played", pa.int16(), nullable=False),  # 1 for a result by verdict, 0 for a decision on points
        pa.field("difference", pa.int16(), nullable=False),  # of goals
        pa.field("scored", pa.int16(), nullable=False),  # goals
    ]
)
"""`data/raw/adjustments.parquet`: what changes league tables besides the results that models learn from, sorted by its
columns; often empty."""

ROLES: Final = ("starter", "substitute", "absent", "doubtful")
"""What a player is in a match: two of the line-up, two of the reports before it."""

TRUTH: Final = "TRUE"
"""Bookmaker code of the true probabilities of the sandbox, quoted without a margin."""
