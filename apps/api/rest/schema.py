"""What `AccessMiddleware` adds to every operation of the OpenAPI schema."""

from __future__ import annotations

from typing import Any, Final

from apps.api.rest.problems import MEDIA_TYPE

_REFUSALS: Final = {
    "401": "The key is unknown, expired, revoked or malformed; or a key is needed and missing.",
    "403": "The key lacks the scope.",
    "429": "The key or the address has reached its limit; try again after `Retry-After`.",
}
_HEADERS: Final = {
    "RateLimit-Policy": (
        "The limit: `q` requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers-11).",
        '"anonymous";q=600;w=60',
    ),
    "RateLimit": ("`r` requests are left; in `t` seconds there are as many again.", '"anonymous";r=599;t=60'),
    "Retry-After": ("Seconds to wait.", "17"),
}


def add_access(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Add the refusals of wrong keys and too many requests, and the headers of limits; a hook of drf-spectacular."""
    result["components"]["headers"] = {
        name: {"description": description, "schema": {"type": "string"}, "example": example}
        for name, (description, example) in _HEADERS.items()
    }
    limits = {name: {"$ref": f"#/components/headers/{name}"} for name in ("RateLimit-Policy", "RateLimit")}
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for operations in result["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            for status, description in _REFUSALS.items():
                responses.setdefault(status, {"content": {MEDIA_TYPE: problem}, "description": description})
            for status, response in responses.items():
                headers = response.setdefault("headers", {}) | limits
                if status == "429":
                    headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
                response["headers"] = headers
            operation["responses"] = dict(sorted(responses.items()))
    return result
