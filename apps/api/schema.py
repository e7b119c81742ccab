"""The OpenAPI document: what all operations have in common, so that no view repeats it.

A view declares its parameters, its answer and the problems that need their own words. This module adds the rest:
the problems and headers that every route has, bounds of path parameters, scopes of keys, and an example, which is a
recorded answer (`examples.json`, renewed by `make client`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from http import HTTPMethod
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from django.db.models import BigIntegerField
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import is_list_serializer
from rest_framework.permissions import AllowAny

from apps.matches.status_titles import title_of

EXAMPLES: Final = Path(__file__).with_name("examples.json")
"""Operation id → address, body and answer of one request."""

PROBLEM_TYPE: Final = "application/problem+json"
"""Media type of errors (RFC 9457)."""

SHARED: Final = {
    "304": ("NotModified", "The client has the content: its ETag is that of `If-None-Match`."),
    "400": ("BadRequest", "A parameter or header is wrong or unknown; `errors` names each."),
    "401": ("Unauthorized", "The key is malformed, unknown, expired or revoked; or a key is needed and missing."),
    "403": ("Forbidden", "The key lacks the scope that the route needs."),
    "404": ("NotFound", "What the address names does not exist."),
    "406": ("NotAcceptable", "The route has none of the media types in `Accept`."),
    "408": ("RequestTimeout", "The body did not arrive in time; nothing was stored."),
    "409": (
        "Conflict",
        "Another request is in the way; after `Retry-After`, if it is given, this one may be repeated.",
    ),
    "410": ("Gone", "It existed, and is kept no longer."),
    "411": ("LengthRequired", "`Content-Length` is missing."),
    "413": ("ContentTooLarge", "The body exceeds a limit; nothing was stored."),
    "415": ("UnsupportedMediaType", "The route does not read bodies of this `Content-Type` or `Content-Encoding`."),
    "421": ("MisdirectedRequest", "Another process answers this route; `address` names it."),
    "422": ("UnprocessableContent", "Each value is valid, but together they cannot be worked on."),
    "429": ("TooManyRequests", "The limit of the key or address is reached; try again after `Retry-After`."),
    "503": ("ServiceUnavailable", "A part of the server does not answer; try again after `Retry-After`."),
}
"""Status → name of the shared response and what it means."""

HEADERS: Final = {
    "Cache-Control": ("Whether a cache may keep the answer, and whether it must ask each time.", "no-cache"),
    "ETag": ("Names the content. Send it as `If-None-Match`; while it is the same, the answer is 304.", '"5f0c"'),
    "Location": ("Address of what was created.", "/api/v1/"),
    "RateLimit": ("`r` requests are left; in `t` seconds there are as many again.", '"anonymous";r=599;t=60'),
    "RateLimit-Policy": (
        "The limit: `q` requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers-11).",
        '"anonymous";q=600;w=60',
    ),
    "Retry-After": ("Seconds after which to ask again.", 2),
    "WWW-Authenticate": ("How to send the key.", 'Bearer realm="spai"'),
    "X-Request-ID": ("Quote it when you report a problem.", "0123456789abcdef0123456789abcdef"),
}
"""Header of an answer → what it means, and an example."""

REQUEST_HEADERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "If-None-Match": ("The ETag of an earlier answer; while the content is the same, the answer is 304.", {}),
    "Idempotency-Key": (
        "Visible ASCII characters, such as a UUID: an equal request with the same key is carried out once.",
        {"minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    ),
}
"""Header of a request → what it does, and its bounds; views only name it."""

_ALWAYS_SENT: Final = ("RateLimit", "RateLimit-Policy", "X-Request-ID")
_SENT_WITH: Final = {
    "201": ("Location",),
    "304": ("Cache-Control", "ETag"),
    "401": ("WWW-Authenticate",),
    "409": ("Retry-After",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
_SLUG: Final = {"type": "string", "maxLength": 160, "pattern": "^[-a-zA-Z0-9_]+$"}
_ID: Final = {"type": "integer", "format": "int64", "minimum": 0, "maximum": BigIntegerField.MAX_BIGINT}


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Return the recorded answers by the id of their operation."""
    found: dict[str, dict[str, Any]] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found


class ApiSchema(AutoSchema):
    """Describes the operations of a view.

    A view may set `server_url`, the address of the process that answers it where that is not the web process, and
    `has_etag`, whether its successful answers to GET have an ETag.
    """

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Return the operation with what all operations have in common."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        has_etag = self.method == HTTPMethod.GET and getattr(self.view, "has_etag", False)
        parameters = operation.get("parameters", []) + ([{"name": "If-None-Match"}] if has_etag else [])
        operation["parameters"] = [
            {"$ref": f"#/components/parameters/{each['name']}"} if each["name"] in REQUEST_HEADERS else each
            for each in parameters
        ]
        if "requestBody" in operation:
            # Without a body a request has no media type that a parser reads.
            operation["requestBody"]["required"] = True
        if address := getattr(self.view, "server_url", ""):
            operation["servers"] = [{"url": address}]
        responses = operation["responses"]
        for status in self._statuses(operation, has_etag=has_etag):
            responses.setdefault(status, {})
        for status, response in responses.items():
            if status in SHARED:
                responses[status] = _shared(status, response)
            elif status.startswith("2"):
                response["description"] = response["description"] or "It worked."
                sent = [*_ALWAYS_SENT, *_SENT_WITH.get(status, ())]
                if self.method == HTTPMethod.GET:
                    sent += ["Cache-Control", *(["ETag"] if has_etag else [])]
                response["headers"] = _headers(sent) | response.get("headers", {})
        operation["responses"] = dict(sorted(responses.items()))
        self._bound_path(operation)
        _give_example(operation, self.path)
        return operation

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Name the scope that a key needs, and say whether the route answers without a key."""
        permissions = self.view.get_permissions()
        scopes = [each.scope.value for each in permissions if hasattr(each, "scope")]
        found = [dict.fromkeys(each, scopes) for each in super().get_auth() if each]
        if all(getattr(each, "allows_anonymous", isinstance(each, AllowAny)) for each in permissions):
            found.append({})
        return found

    def get_tags(self) -> list[str]:
        """Return the first part of the path."""
        return super().get_tags() or ["root"]

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Whether the answer is a list: where the view passes `many=True`, not where it is named list."""
        found = self.get_response_serializers() if serializer is None else serializer
        if isinstance(found, dict):
            # Keys are statuses, or pairs of a status and a media type.
            found = found[min(found, key=lambda key: int(key[0] if isinstance(key, tuple) else key))]
        return is_list_serializer(found)

    def _statuses(self, operation: dict[str, Any], *, has_etag: bool) -> Iterator[str]:
        """Yield the statuses that a request of this kind can have besides those that the view declares."""
        yield from ("400", "406", "429", "503")
        if has_etag:
            yield "304"
        if "{" in self.path:
            yield "404"
        if any(operation.get("security", ())):
            yield from ("401", "403")
        if "requestBody" in operation:
            yield from ("413", "415", "422")

    def _bound_path(self, operation: dict[str, Any]) -> None:
        """State which ids and slugs a path takes."""
        for parameter in operation.get("parameters", ()):
            if parameter.get("in") != "path":
                continue
            schema = parameter["schema"]
            if f"<slug:{parameter['name']}>" in self.path_regex:
                parameter["schema"] = _SLUG | schema
            elif schema.get("type") == "integer":
                parameter["schema"] = _ID | schema

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        """State that an answer always has the fields of a model, with or without a default in the database."""
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        if direction == "response":
            declared = getattr(serializer, "_declared_fields", {})
            optional = {name for name, field in declared.items() if not (field.required or field.read_only)}
            schema["required"] = sorted(schema.get("properties", {}).keys() - optional)
        return schema


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add what operations refer to, and keep the descriptions of the tags that they have; a hook of drf-spectacular."""
    components = result["components"]
    components["responses"] = {
        name: {
            "description": description,
            "headers": _headers([*_ALWAYS_SENT, *_SENT_WITH.get(status, ())]),
        }
        | ({} if status == "304" else {"content": _problem(status, description)})
        for status, (name, description) in SHARED.items()
    }
    components["headers"] = {
        name: {
            "description": description,
            "schema": {"type": "integer", "minimum": 0} if isinstance(example, int) else {"type": "string"},
            "example": example,
        }
        for name, (description, example) in HEADERS.items()
    }
    components["parameters"] = {
        name: {"name": name, "in": "header", "description": description, "schema": {"type": "string"} | bounds}
        for name, (description, bounds) in REQUEST_HEADERS.items()
    }
    # The process of push has no routes here.
    for name, schema in components.get("schemas", {}).items():
        if name.startswith("Paginated"):
            # Django REST framework describes its pages as OpenAPI 3.0 has it, with addresses of another site.
            schema["required"] = sorted(schema["properties"])
            for member in schema["properties"].values():
                if member.pop("nullable", False):
                    member["type"] = [member["type"], "null"]
                member.pop("example", None)
    used = {tag for path in result["paths"].values() for operation in path.values() for tag in operation["tags"]}
    result["tags"] = [tag for tag in result.get("tags", ()) if tag["name"] in used]
    return result


def _problem(status: str, detail: str) -> dict[str, Any]:
    """Return the content of a problem, with an example."""
    example = {
        "type": "about:blank",
        "title": title_of(int(status)),
        "status": int(status),
        "detail": detail,
        "instance": "/api/v1/matches/",
        "request_id": HEADERS["X-Request-ID"][1],
    }
    return {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}


def _headers(names: list[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)}


def _shared(status: str, declared: dict[str, Any]) -> dict[str, Any]:
    """Return a reference to a shared response, with the words of the view; a response of another shape stays."""
    content = declared.get("content", {}).values()
    if any(media["schema"] != {"$ref": "#/components/schemas/Problem"} for media in content):
        return {"headers": _headers([*_ALWAYS_SENT, *_SENT_WITH.get(status, ())])} | declared
    described = {"description": declared["description"]} if declared.get("description") else {}
    return {"$ref": f"#/components/responses/{SHARED[status][0]}"} | described


def _give_example(operation: dict[str, Any], path: str) -> None:
    """Write the recorded request and answer into an operation."""
    example = examples().get(operation["operationId"])
    if example is None:
        return
    address = urlsplit(example["address"])
    found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path), address.path)
    values = dict(parse_qsl(address.query)) | (found.groupdict() if found else {})
    for parameter in operation.get("parameters", ()):
        if parameter.get("name") in values:
            value: Any = values[parameter["name"]]
            parameter["example"] = int(value) if parameter["schema"].get("type") == "integer" else value
    if "body" in example:
        for media in operation["requestBody"]["content"].values():
            media["example"] = example["body"]
    answer = operation["responses"].get(str(example["status"]), {}).get("content", {})
    for media_type, media in answer.items():
        if media_type == example["type"]:
            media["example"] = example["answer"]
