"""What the faces say of a match, keys of programs, and lines that programs push in."""

from apps.api.services.intake import TooManyNamesError, WorldForbiddenError
from apps.api.services.keys import (
    KeyRefusedError,
    NewKey,
    SourceTakenError,
    check_source,
    create_key,
    find_key,
    note_use,
    revoke_key,
    state_of,
)
from apps.api.services.outlooks import Outlook, forecast_shape, likely_score, outlook_of
from apps.api.services.pushes import (
    REFUSALS,
    RETRY_AFTER,
    Answer,
    BusyError,
    OtherRequestError,
    OutOfStepError,
    push,
    turn_of,
)

__all__ = [
    "REFUSALS",
    "RETRY_AFTER",
    "Answer",
    "BusyError",
    "KeyRefusedError",
    "NewKey",
    "OtherRequestError",
    "OutOfStepError",
    "Outlook",
    "SourceTakenError",
    "TooManyNamesError",
    "WorldForbiddenError",
    "check_source",
    "create_key",
    "find_key",
    "forecast_shape",
    "likely_score",
    "note_use",
    "outlook_of",
    "push",
    "revoke_key",
    "state_of",
    "turn_of",
]
