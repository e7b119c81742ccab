"""What the faces say of a match, and keys of programs."""

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
    worlds_of,
)
from apps.api.services.outlooks import (
    Outlook,
    forecast_shape,
    likely_score,
    model_shape,
    outlook_of,
    outlook_of_imagined,
)
from apps.api.services.questions import Question, ask, team_called

__all__ = [
    "KeyRefusedError",
    "NewKey",
    "Outlook",
    "Question",
    "SourceTakenError",
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
    "revoke_key",
    "state_of",
    "team_called",
    "worlds_of",
]
