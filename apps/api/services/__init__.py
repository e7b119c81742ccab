"""Services for pages and REST: forecasts, one with its details or many as rows, what-if matches, and API keys."""

from apps.api.services.batch import Answer, Item, ItemError, Pairing, forecast_batch
from apps.api.services.forecast_rows import Row, forecast_rows, score_rows
from apps.api.services.forecasts import forecast_details, forecast_shape, likely_score, model_shape, what_if_details
from apps.api.services.keys import (
    KeyRefusedError,
    NewKey,
    SourceTakenError,
    check_source,
    create_key,
    find_key,
    record_use,
    revoke_key,
    state_of,
    worlds_of,
)
from apps.api.services.what_if import find_team, what_if_match

__all__ = [
    "Answer",
    "Item",
    "ItemError",
    "KeyRefusedError",
    "NewKey",
    "Pairing",
    "Row",
    "SourceTakenError",
    "check_source",
    "create_key",
    "find_key",
    "find_team",
    "forecast_batch",
    "forecast_details",
    "forecast_rows",
    "forecast_shape",
    "likely_score",
    "model_shape",
    "record_use",
    "revoke_key",
    "score_rows",
    "state_of",
    "what_if_details",
    "what_if_match",
    "worlds_of",
]
