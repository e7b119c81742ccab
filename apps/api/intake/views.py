"""REST of push-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.intake.bodies import BYTES_LIMIT, BodyError, read_body
from apps.api.intake.line_ingest import TooManyNamesError, WorldForbiddenError
from apps.api.intake.pushes import (
    REFUSALS,
    RETRY_AFTER,
    BusyError,
    OtherRequestError,
    OutOfStepError,
    PushResult,
    exclusive_use,
    push,
)
from apps.api.intake.serializers import (
    MatchLineSerializer,
    OddsLineSerializer,
    PushProblemSerializer,
    PushReportSerializer,
    UploadSerializer,
)
from apps.api.models import ApiKey, ApiKeyScope, Upload
from apps.api.rest import (
    MEDIA_TYPE,
    HasScope,
    Problem,
    ProblemSerializer,
    QuerySerializer,
    WholeNumberField,
    idempotency_key_of,
    key_of,
    problem,
)
from apps.api.services import KeyRefusedError
from apps.matches.ingest import WorldConflictError

NDJSON = "application/x-ndjson"
_LINES = frozenset({NDJSON, "application/ndjson", "application/jsonl"})

_HOW_TO_PUSH = """
Send fixtures, results and odds, one JSON object per line, to the address of the admin, with an API key of the scope
`ingest`:

```
curl http://127.0.0.1:8001/api/v1/ingest/ \\
  -H "Authorization: Bearer $SPAI_KEY" -H "Content-Type: application/x-ndjson" \\
  -H "Idempotency-Key: $(uuidgen)" --data-binary @matches.ndjson
```

**Lines.** All valid lines of a body are stored in one ingest; each refused line is listed with its number, the field
that is wrong and the reason. A field that a line leaves out keeps its stored value, and a line that equals what is
stored changes nothing. A body belongs to one world. It may be compressed (`Content-Encoding: gzip`) and needs a
`Content-Length`.

**Limits.** 64 MiB uncompressed, 200,000 lines, 64 KiB per line, 5,000 different names, 2,000 members of a gzip body.
A body beyond one of them is refused whole.

**Idempotency.** An equal request with the same `Idempotency-Key` within 48 hours gets the first response again, marked
`Idempotency-Replayed: true`, and stores nothing; another request with the same key is refused. An API key has one
request in progress at a time: the next gets 409 with `Retry-After`.

**Uploads.** A request stores all of its valid lines or, when the connection breaks, none. To send more lines than fit
into one, choose a UUID and send several requests with `?upload=UUID&from_line=N`, N being the number of the first line
of the body, from 1. After a broken connection `GET /api/v1/ingest/UUID/` returns the `next_line`; continue from there:

```
UPLOAD=$(uuidgen)
curl "$ADMIN/api/v1/ingest/?upload=$UPLOAD&from_line=1" ... --data-binary @<(head -n 5000 all.ndjson)
curl "$ADMIN/api/v1/ingest/$UPLOAD/" -H "Authorization: Bearer $SPAI_KEY"        # next_line: 5001
curl "$ADMIN/api/v1/ingest/?upload=$UPLOAD&from_line=5001" ... --data-binary @<(tail -n +5001 all.ndjson)
```
"""


def _refusal(description: str) -> OpenApiResponse:
    return OpenApiResponse(ProblemSerializer, description=description)


class UploadQuery(QuerySerializer):
    """The place of a body in an upload."""

    upload = serializers.UUIDField(
        required=False,
        help_text="The upload that the lines belong to; a UUID of your choice.",
        error_messages={"invalid": "It must be a UUID."},
    )
    from_line = WholeNumberField(
        required=False,
        min_value=1,
        max_value=10**15 - 1,
        reason="It must be a whole number, from 1.",
        help_text="Number of the first line within the upload, from 1.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "from_line" in attrs and "upload" not in attrs:
            raise ValidationError({"from_line": "It needs `upload`, too."})
        if "upload" in attrs and "from_line" not in attrs:
            raise ValidationError({"from_line": "It must say which line of the upload the body begins with, from 1."})
        return attrs


class IngestViewSet(viewsets.ViewSet):
    """Lines that a live feed pushes in."""

    permission_classes = [HasScope(ApiKeyScope.INGEST)]  # type: ignore[list-item]  # one that makes itself
    server_url = settings.SPAI_ADMIN_URL

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse requests to another process than the admin, and name its address, before the key is read.

        A redirect would not work: clients drop the key when they follow one to another port.
        """
        if settings.SPAI_ROLE != "admin":
            address = f"{settings.SPAI_ADMIN_URL}{request.path}"
            raise Problem(
                421,
                "other-address",
                f"This process does not take lines. Send the same request to {address}.",
                members={"address": address},
            )
        super().initial(request, *args, **kwargs)

    @extend_schema(
        operation_id="ingest",
        summary="Push matches in",
        description=_HOW_TO_PUSH,
        request={
            NDJSON: PolymorphicProxySerializer(
                component_name="Line",
                serializers=[MatchLineSerializer, OddsLineSerializer],
                resource_type_field_name=None,
            )
        },
        parameters=[
            UploadQuery,
            OpenApiParameter(
                "Idempotency-Key", str, OpenApiParameter.HEADER, description="At most 200 visible ASCII characters."
            ),
        ],
        responses={
            200: PushReportSerializer,
            (400, MEDIA_TYPE): _refusal("A parameter or header is wrong, or the body broke off; nothing was stored."),
            (401, MEDIA_TYPE): _refusal("The key is missing, unknown, expired or revoked."),
            (403, MEDIA_TYPE): _refusal("The key lacks the scope, or may not write to the world of a line."),
            (408, MEDIA_TYPE): _refusal("The body did not arrive in time; nothing was stored."),
            (409, MEDIA_TYPE): OpenApiResponse(
                PushProblemSerializer,
                description="A request of the key is in progress, or the body does not begin with `next_line`.",
            ),
            (411, MEDIA_TYPE): _refusal("Content-Length is missing."),
            (413, MEDIA_TYPE): _refusal("The body exceeds a limit; nothing was stored."),
            (415, MEDIA_TYPE): _refusal("The body is not NDJSON, or its encoding is not supported."),
            (421, MEDIA_TYPE): _refusal("This process does not take lines; `address` is the one that does."),
            (422, MEDIA_TYPE): OpenApiResponse(
                PushProblemSerializer, description="No line could be used, or the body as a whole."
            ),
            (503, MEDIA_TYPE): _refusal("Another ingest is in progress; try again after `Retry-After`."),
        },
    )
    def create(self, request: Request) -> Response:
        """Store the lines of the body."""
        assert isinstance(request.auth, ApiKey)
        place = UploadQuery.parse(request)
        idempotency_key = idempotency_key_of(request)
        if not _is_lines(request.META):
            raise Problem(415, "not-ndjson", f"Send one JSON object per line, with the header Content-Type: {NDJSON}.")
        try:
            with exclusive_use(request.auth):
                body = read_body(
                    request._request,
                    length=_length_of(request),
                    encoding=request.headers.get("Content-Encoding", "").strip().lower(),
                )
                result = push(body, key=request.auth, now=timezone.now(), idempotency_key=idempotency_key, **place)
        except (BodyError, WorldConflictError, *REFUSALS) as error:
            raise _problem_of(error) from error
        return _response(request, result)

    @extend_schema(
        operation_id="upload",
        summary="The progress of an upload",
        parameters=[OpenApiParameter("upload", UUID, OpenApiParameter.PATH, description="As you chose it.")],
        responses={
            200: UploadSerializer,
            (401, MEDIA_TYPE): _refusal("The key is missing, unknown, expired or revoked."),
            (403, MEDIA_TYPE): _refusal("The key lacks the scope."),
            (404, MEDIA_TYPE): _refusal("Nothing of this upload is stored; begin with line 1."),
            (421, MEDIA_TYPE): _refusal("This process does not take lines; `address` is the one that does."),
        },
    )
    def retrieve(self, request: Request, upload: UUID) -> Response:
        """Return the progress of an upload of the key."""
        assert isinstance(request.auth, ApiKey)
        found = Upload.objects.filter(api_key=request.auth, uuid=upload).first()
        if found is None:
            raise NotFound("Nothing of this upload is stored; begin with line 1.")
        return Response(UploadSerializer(found).data, headers={"Cache-Control": "no-store"})


def body_limit(environ: Mapping[str, Any]) -> int | None:
    """Return how many bytes the body of a request may have, by its WSGI environ; called before the body is read.

    Returns
    -------
    int or None
        `BYTES_LIMIT` for lines with a valid key; 0 for a request that this view refuses because of its headers; None
        for requests of other views.

    Raises
    ------
    DatabaseError
        When the key cannot be looked up.
    """
    if environ["PATH_INFO"] != reverse("ingest"):
        return None
    if settings.SPAI_ROLE != "admin" or not _is_lines(environ):
        return 0
    try:
        key = key_of(environ, now=timezone.now())
    except KeyRefusedError:
        return 0
    return BYTES_LIMIT if key is not None and ApiKeyScope.INGEST in key.scopes else 0


def _is_lines(meta: Mapping[str, Any]) -> bool:
    return str(meta.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower() in _LINES


def _length_of(request: Request) -> int | None:
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else None


def _problem_of(error: Exception) -> Problem:
    """Return the problem details of the reason why nothing was stored."""
    detail = str(error)
    if isinstance(error, BodyError):
        return Problem(error.status, error.kind, detail)
    if isinstance(error, BusyError):
        status, kind = (409, "request-under-way") if error.is_own else (503, "busy")
        return Problem(status, kind, detail, wait=RETRY_AFTER)
    if isinstance(error, OutOfStepError):
        return Problem(409, "out-of-step", detail, members={"next_line": error.next_line})
    if isinstance(error, OtherRequestError):
        return Problem(422, "other-request", detail)
    if isinstance(error, WorldForbiddenError):
        return Problem(403, "world-forbidden", detail)
    if isinstance(error, TooManyNamesError):
        return Problem(422, "too-many-names", detail)
    return Problem(422, "mixed-worlds", f"{detail}. Nothing was stored.")


def _response(request: Request, result: PushResult) -> Response:
    content, headers = result.content, {"Cache-Control": "no-store"}
    if result.is_replayed:
        headers["Idempotency-Replayed"] = "true"
    if result.status == 200:
        return Response(content, headers=headers)
    body = problem(
        result.status,
        f"None of the {content['refused']:,} lines could be used; each is listed with its reason.",
        instance=request.path,
        kind="no-usable-line",
    )
    return Response(body | content, status=result.status, headers=headers, content_type=MEDIA_TYPE)
