"""Services for pages and REST: forecasts with their details, what-if matches, and API keys."""

from apps.api.services.forecasts import (
    MEMBERS,
    ROLES,
    UnknownMatchError,
    UnknownModelError,
    forecast_details,
    forecast_of,
    forecast_shape,
    likely_score,
    model_shape,
    rounded_probabilities,
    what_if_details,
)
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
    "MEMBERS",
    "ROLES",
    "KeyRefusedError",
    "NewKey",
    "SourceTakenError",
    "UnknownMatchError",
    "UnknownModelError",
    "check_source",
    "create_key",
    "find_key",
    "find_team",
    "forecast_details",
    "forecast_of",
    "forecast_shape",
    "likely_score",
    "model_shape",
    "record_use",
    "revoke_key",
    "rounded_probabilities",
    "state_of",
    "what_if_details",
    "what_if_match",
    "worlds_of",
]
