"""Pages for people: parse → one selector or service → render. A page and its changing part are one view."""

from apps.api.pages.competitions import competition, competitions
from apps.api.pages.context import choose_theme, choose_zone
from apps.api.pages.errors import bad_request, forbidden, not_found, server_error
from apps.api.pages.features import features
from apps.api.pages.fixtures import calendar, fixtures, search
from apps.api.pages.ledger import ledger, ledger_feed
from apps.api.pages.matches import match
from apps.api.pages.models import about, model_version, models
from apps.api.pages.ratings import ratings
from apps.api.pages.record import track_record
from apps.api.pages.reference import asyncapi, redoc, swagger
from apps.api.pages.teams import team
from apps.api.pages.what_if import what_if

__all__ = [
    "about",
    "asyncapi",
    "bad_request",
    "calendar",
    "choose_theme",
    "choose_zone",
    "competition",
    "competitions",
    "features",
    "fixtures",
    "forbidden",
    "ledger",
    "ledger_feed",
    "match",
    "model_version",
    "models",
    "not_found",
    "ratings",
    "redoc",
    "search",
    "server_error",
    "swagger",
    "team",
    "track_record",
    "what_if",
]
