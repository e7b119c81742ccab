"""Services for pages and REST: forecasts with their details, what-if matches, API keys, and limits of requests."""

from apps.api.services.admission import address_of, admit, shared_counter
from apps.api.services.forecasts import forecast_details, forecast_shape, likely_score, model_shape, what_if_details
from apps.api.services.keys import (
    KeyFieldError,
    KeyRefusedError,
    NewKey,
    SourceTakenError,
    check_source,
    check_writes,
    create_key,
    find_key,
    record_use,
    revoke_key,
    state_of,
    worlds_of,
)
from apps.api.services.known_keys import forget_key, known_key, read_key, watch_keys
from apps.api.services.what_if import find_team, what_if_match

__all__ = [
    "KeyFieldError",
    "KeyRefusedError",
    "NewKey",
    "SourceTakenError",
    "address_of",
    "admit",
    "check_source",
    "check_writes",
    "create_key",
    "find_key",
    "find_team",
    "forecast_details",
    "forecast_shape",
    "forget_key",
    "known_key",
    "likely_score",
    "model_shape",
    "read_key",
    "record_use",
    "revoke_key",
    "shared_counter",
    "state_of",
    "watch_keys",
    "what_if_details",
    "what_if_match",
    "worlds_of",
]
