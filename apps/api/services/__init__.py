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
from apps.api.services.outlooks import (
    Outlook,
    forecast_shape,
    likely_score,
    model_shape,
    outlook_of,
    outlook_of_imagined,
)
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
from apps.api.services.questions import Question, ask, team_called

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
    "Question",
    "SourceTakenError",
    "TooManyNamesError",
    "WorldForbiddenError",
    "ask",
    "check_source",
    "create_key",
    "find_key",
    "forecast_shape",
    "likely_score",
    "model_shape",
    "note_use",
    "outlook_of",
    "outlook_of_imagined",
    "push",
    "revoke_key",
    "state_of",
    "team_called",
    "turn_of",
]
