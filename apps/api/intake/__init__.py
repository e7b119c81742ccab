"""Push-in: programs send matches and odds as lines of JSON, which are stored in one ingest per request."""

from apps.api.intake.bodies import BodyError, PushBody, read_body
from apps.api.intake.line_ingest import TooManyNamesError, WorldForbiddenError
from apps.api.intake.lines import LineError, OddsLine, read_line
from apps.api.intake.pushes import OtherRequestError, OutOfStepError, exclusive_use, push
from apps.api.intake.views import IngestViewSet, body_limit

__all__ = [
    "BodyError",
    "IngestViewSet",
    "LineError",
    "OddsLine",
    "OtherRequestError",
    "OutOfStepError",
    "PushBody",
    "TooManyNamesError",
    "WorldForbiddenError",
    "body_limit",
    "exclusive_use",
    "push",
    "read_body",
    "read_line",
]
