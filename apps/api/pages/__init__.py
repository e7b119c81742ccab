"""Pages for people: parse → one selector or service → render. A page and its changing part are one view."""

from apps.api.pages.accounts import account, new_password, reset_password, sign_in, sign_out, sign_up
from apps.api.pages.competitions import competition, competitions
from apps.api.pages.context import choose_language, choose_theme, choose_zone
from apps.api.pages.crawling import manifest, robots, sitemap, sitemap_index
from apps.api.pages.embed import embedded_match, embedded_table
from apps.api.pages.errors import bad_request, forbidden, not_found, server_error
from apps.api.pages.features import features
from apps.api.pages.feeds import calendar_feed, feed
from apps.api.pages.fixtures import calendar, fixtures, search
from apps.api.pages.following import follow
from apps.api.pages.ledger import ledger, ledger_feed
from apps.api.pages.matches import match
from apps.api.pages.models import about, model_version, models
from apps.api.pages.ratings import ratings
from apps.api.pages.record import track_record
from apps.api.pages.reference import asyncapi, redoc, swagger
from apps.api.pages.sharing import competition_image, match_image, team_image
from apps.api.pages.teams import team
from apps.api.pages.what_if import what_if

__all__ = [
    "about",
    "account",
    "asyncapi",
    "bad_request",
    "calendar",
    "calendar_feed",
    "choose_language",
    "choose_theme",
    "choose_zone",
    "competition",
    "competition_image",
    "competitions",
    "embedded_match",
    "embedded_table",
    "features",
    "feed",
    "fixtures",
    "follow",
    "forbidden",
    "ledger",
    "ledger_feed",
    "manifest",
    "match",
    "match_image",
    "model_version",
    "models",
    "new_password",
    "not_found",
    "ratings",
    "redoc",
    "reset_password",
    "robots",
    "search",
    "server_error",
    "sign_in",
    "sign_out",
    "sign_up",
    "sitemap",
    "sitemap_index",
    "swagger",
    "team",
    "team_image",
    "track_record",
    "what_if",
]
