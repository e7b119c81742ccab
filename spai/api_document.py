"""What the OpenAPI document of the REST API says of itself, and how it is made: settings of drf-spectacular."""

from __future__ import annotations

from typing import Any


def spectacular_settings(site_url: str) -> dict[str, Any]:
    """Return SPECTACULAR_SETTINGS for the public address of pages and API."""
    return {
        "TITLE": "SPAI",
        "DESCRIPTION": (
            "Football matches and calibrated 1X2 forecasts. Moments are in UTC and written with Z; probabilities are "
            "in the order home, draw, away; null stands for what is not known; errors are problem details (RFC 9457)."
        ),
        "VERSION": "1",
        "OAS_VERSION": "3.1.0",
        # The name of a member would say too little, or belong to one of two members with these choices.
        "ENUM_NAME_OVERRIDES": {
            "SideEnum": "apps.ml.forecasting.weaknesses.SIDES",
            "WeaknessEnum": "apps.ml.forecasting.weaknesses.CODES",
        },
        "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        "CONTACT": {"name": "The operator of this site", "url": f"{site_url}/about/"},
        "SERVERS": [{"url": site_url, "description": "Matches and forecasts"}],
        # Those without an operation are left out.
        "TAGS": [
            {"name": name, "description": description}
            for name, description in {
                "root": "Where everything is.",
                "matches": "Fixtures and results, each with its forecast.",
                "predictions": "Forecasts that were published, and forecasts of many matches at once.",
                "what-if": "Forecasts of matches that are not fixtures.",
                "prediction-jobs": "Work that takes longer than a request.",
                "competitions": "Leagues and cups, their tables, and forecasts of how their seasons end.",
                "seasons": "Seasons of competitions.",
                "season-forecasts": "Simulated ends of seasons.",
                "teams": "Teams by their slugs and by what people call them.",
                "scores": "Published forecasts, compared with the results.",
                "models": "Model versions and how good they are.",
                "live-comparisons": "Versions in shadow against the champion, on matches that were graded.",
                "features": "The inputs of the champion for a match.",
                "bookmakers": "Whose prices are stored.",
                "sources": "Where matches come from.",
                "events": "What happened, in order.",
                "webhooks": "Addresses that get a request for each event.",
                "ledger": "Proofs that no forecast was changed after its publication.",
                "ingest": "Push-in: a program sends fixtures, results and odds. The admin process answers.",
            }.items()
        ],
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_AUTHENTICATION": [],
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "REDOC_DIST": "SIDECAR",
        "SCHEMA_PATH_PREFIX": "/api/v1",
        "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "apps.api.schema.complete"],
    }
