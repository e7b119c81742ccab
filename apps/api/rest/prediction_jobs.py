"""REST of prediction jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from apps.api import services
from apps.api.authentication import HasScope, key_of
from apps.api.models import ApiKey, ApiKeyScope, PredictionJob
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.bodies import JsonParser
from apps.api.rest.job_requests import REQUESTS, parameters_of
from apps.api.rest.parameters import QuerySerializer, WholeNumberField
from apps.api.rest.problems import MEDIA_TYPE, Problem
from apps.api.rest.serializers import ProblemSerializer

JOBS_SCOPE: Final = ApiKeyScope.JOBS
"""What a key needs for jobs and webhooks."""

BODY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of a request: 50,000 pairings."""

RETRY_AFTER: Final = 2
"""Seconds after which a client may request an unfinished job again."""

WAIT_FOR_OTHERS: Final = 30
"""Seconds after which a client with too many jobs may submit another."""

_HOW: Final = """
The response is 202 with the address of the job in `Location`. Ask there after `Retry-After` seconds until `state` is
neither `queued` nor `running`, or let a webhook with the topic `prediction_job.finished` tell you; then
`links.result` has the result, for seven days.

```
curl $SITE/api/v1/prediction-jobs/ -H "Authorization: Bearer $SPAI_KEY" -H "Idempotency-Key: $(uuidgen)" \\
  -H "Content-Type: application/json" -d '{"kind": "season_simulation", "competition": "england-premier-league",
  "locked": [{"home": "arsenal", "away": "chelsea", "home_goals": 2, "away_goals": 0}]}'
```

**Kinds.** `what_if_set`: forecasts of up to 50,000 coming fixtures and pairings; NDJSON, a line for each item with its
number from 0, a forecast or an error. `season_simulation`: 10,000 seasons; JSON. `graded_forecasts`: the forecasts that
were published before the matches of a period, with results and scores; NDJSON. Lines of both have `weaknesses` and
`intervals` as the forecast of one match has them. Nothing is forecast for matches that were played: a forecast that is
made afterwards would not be one.

**Idempotency.** An equal request with the same `Idempotency-Key` within 48 hours gets the same job, marked
`Idempotency-Replayed: true`; another request with that key is refused. A key has at most 1,000 unfinished jobs.
"""


class PlainRenderer(BaseRenderer):
    """Lets a client ask for NDJSON; the content is a result that was stored as it is."""

    media_type = "application/x-ndjson"
    format = "ndjson"


class JobErrorSerializer(serializers.Serializer[dict[str, str]]):
    """Why a job failed."""

    kind = serializers.CharField(help_text="A code.")
    detail = serializers.CharField(help_text="What happened, and what to do next.")


class JobProgressSerializer(serializers.Serializer[dict[str, int]]):
    """How far a job is."""

    done = serializers.IntegerField()
    total = serializers.IntegerField(help_text="0 before the job has begun.")


class JobLinksSerializer(serializers.Serializer[dict[str, str]]):
    """Addresses of a job."""

    self = serializers.URLField()
    result = serializers.URLField(allow_null=True, help_text="Null unless the job succeeded.")
    cancel = serializers.URLField(allow_null=True, help_text="Null once the job is over.")


class PredictionJobSerializer(serializers.ModelSerializer[PredictionJob]):
    """A prediction job."""

    id = serializers.UUIDField(source="uuid")
    progress = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = PredictionJob
        fields = [
            *("id", "kind", "state", "progress", "attempts", "error"),
            *("created_at", "started_at", "finished_at", "expires_at", "links"),
        ]

    @extend_schema_field(JobProgressSerializer)
    def get_progress(self, job: PredictionJob) -> dict[str, int]:
        return {"done": job.done, "total": job.total}

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_error(self, job: PredictionJob) -> dict[str, str] | None:
        return job.error

    @extend_schema_field(JobLinksSerializer)
    def get_links(self, job: PredictionJob) -> dict[str, str | None]:
        def address(name: str) -> str:
            return str(self.context["request"].build_absolute_uri(reverse(name, args=[job.uuid])))

        return {
            "self": address("prediction-job"),
            "result": address("prediction-job-result") if job.state == PredictionJob.JobState.SUCCEEDED else None,
            "cancel": None if job.is_over else address("prediction-job-cancel"),
        }


class PredictionJobPageSerializer(serializers.Serializer[dict[str, Any]]):
    """A page of jobs, the newest first."""

    next = serializers.URLField(allow_null=True)
    results = PredictionJobSerializer(many=True)


class JobPageQuery(QuerySerializer):
    """Which jobs."""

    state = serializers.ChoiceField(
        choices=PredictionJob.JobState.choices,
        required=False,
        error_messages={"invalid_choice": f"It must be one of {', '.join(PredictionJob.JobState.values)}."},
    )
    kind = serializers.ChoiceField(
        choices=PredictionJob.JobKind.choices,
        required=False,
        error_messages={"invalid_choice": f"It must be one of {', '.join(PredictionJob.JobKind.values)}."},
    )
    cursor = serializers.UUIDField(
        required=False, help_text="From `next` of a page.", error_messages={"invalid": "It must come from `next`."}
    )
    page_size = WholeNumberField(
        default=50, min_value=1, max_value=200, reason="It must be a whole number from 1 to 200.", help_text="1 to 200."
    )


def refusal(description: str) -> OpenApiResponse:
    """Return the description of a problem in the OpenAPI schema."""
    return OpenApiResponse(ProblemSerializer, description=description)


KEY_REFUSALS: Final = {
    (401, MEDIA_TYPE): refusal("The key is missing, unknown, expired or revoked."),
    (403, MEDIA_TYPE): refusal("The key lacks the scope."),
}
_NO_JOB: Final = {(404, MEDIA_TYPE): refusal("The key has no such job.")}
_JOB_ID: Final = OpenApiParameter("job_id", UUID, OpenApiParameter.PATH)
_AFTER: Final = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, response=[200, 202], description="Seconds, while it is unfinished."
)


class PredictionJobViewSet(viewsets.ViewSet):
    """Forecasts that take longer than a request; a key sees its own jobs."""

    permission_classes = [HasScope(JOBS_SCOPE)]  # type: ignore[list-item]  # one that makes itself
    parser_classes = [JsonParser]
    no_store: ClassVar = {"Cache-Control": "no-store"}

    @extend_schema(
        operation_id="prediction_job_create",
        summary="Submit a prediction job",
        description=_HOW,
        request=PolymorphicProxySerializer(
            component_name="PredictionJobRequest", serializers={**REQUESTS}, resource_type_field_name="kind"
        ),
        parameters=[
            OpenApiParameter(
                "Idempotency-Key", str, OpenApiParameter.HEADER, description="At most 200 visible ASCII characters."
            ),
            OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[202], description="Of the job."),
            OpenApiParameter(
                "Idempotency-Replayed", str, OpenApiParameter.HEADER, response=[202], description="true, or absent."
            ),
            _AFTER,
        ],
        responses={
            202: PredictionJobSerializer,
            **BAD_INPUT,
            **KEY_REFUSALS,
            (413, MEDIA_TYPE): refusal("The body exceeds 8 MiB."),
            (415, MEDIA_TYPE): refusal("The body is not JSON."),
            (422, MEDIA_TYPE): refusal("The Idempotency-Key belongs to another request."),
            (429, MEDIA_TYPE): refusal("The key has too many unfinished jobs."),
        },
    )
    def create(self, request: Request) -> Response:
        """Queue a job."""
        QuerySerializer.parse(request)
        idempotency_key = idempotency_key_of(request)
        kind, parameters = parameters_of(request.data)
        try:
            submitted = services.submit_job(
                api_key=key_of_request(request),
                kind=kind,
                parameters=parameters,
                idempotency_key=idempotency_key,
                now=timezone.now(),
            )
        except services.OtherRequestError as error:
            raise Problem(422, "other-request", str(error)) from error
        except services.TooManyJobsError as error:
            raise Problem(429, "too-many-jobs", str(error), wait=WAIT_FOR_OTHERS) from error
        response = self._answer(request, submitted.job, status=202)
        response["Location"] = response.data["links"]["self"]
        response["Retry-After"] = str(RETRY_AFTER)
        if submitted.is_replayed:
            response["Idempotency-Replayed"] = "true"
        return response

    @extend_schema(
        operation_id="prediction_job_list",
        summary="The jobs of the key",
        parameters=[JobPageQuery],
        responses={200: PredictionJobPageSerializer, **BAD_INPUT, **KEY_REFUSALS},
    )
    def list(self, request: Request) -> Response:
        """Return a page of jobs, the newest first."""
        query = JobPageQuery.parse(request)
        jobs = self._jobs(request).filter(**{name: query[name] for name in ("state", "kind") if name in query})
        if "cursor" in query:
            last = self._jobs(request).filter(uuid=query["cursor"]).values_list("pk", flat=True).first()
            if last is None:
                raise ValidationError({"cursor": "It must come from `next`; the job that it names exists no longer."})
            jobs = jobs.filter(pk__lt=last)
        size = query["page_size"]
        found = list(jobs.order_by("-pk")[: size + 1])
        following = None
        if len(found) > size:
            address = request.build_absolute_uri()
            following = replace_query_param(address, "cursor", str(found[size - 1].uuid))
        shape = {"next": following, "results": found[:size]}
        return Response(PredictionJobPageSerializer(shape, context={"request": request}).data, headers=self.no_store)

    @extend_schema(
        operation_id="prediction_job",
        summary="One job",
        parameters=[_JOB_ID, _AFTER],
        responses={200: PredictionJobSerializer, **BAD_INPUT, **KEY_REFUSALS, **_NO_JOB},
    )
    def retrieve(self, request: Request, job_id: UUID) -> Response:
        """Return a job with its progress."""
        QuerySerializer.parse(request)
        job = self._job(request, job_id)
        response = self._answer(request, job)
        if not job.is_over:
            response["Retry-After"] = str(RETRY_AFTER)
        return response

    @extend_schema(
        operation_id="prediction_job_result",
        summary="The result of a job",
        parameters=[_JOB_ID],
        responses={
            (200, "application/json"): OpenApiResponse(dict, description="Of a season simulation."),
            (200, "application/x-ndjson"): OpenApiResponse(str, description="Of the other kinds, a line for each."),
            **BAD_INPUT,
            **KEY_REFUSALS,
            **_NO_JOB,
            (409, MEDIA_TYPE): refusal("The job is unfinished, or ended without a result."),
            (410, MEDIA_TYPE): refusal("The result was deleted; submit the job again."),
        },
    )
    def result(self, request: Request, job_id: UUID) -> HttpResponse:
        """Return the result as it was stored."""
        QuerySerializer.parse(request)
        job = self._job(request, job_id)
        if not job.is_over:
            raise Problem(409, "unfinished", "The job is unfinished; ask again in a moment.", wait=RETRY_AFTER)
        if job.state == PredictionJob.JobState.EXPIRED:
            raise Problem(410, "expired", "The result was deleted after its time. Submit the job again.")
        found = services.result_of(job)
        if found is None:
            raise Problem(409, "no-result", f"The job has no result: its state is {job.state}.")
        content, media_type = found
        return HttpResponse(content, content_type=media_type, headers=self.no_store)

    @extend_schema(
        operation_id="prediction_job_cancel",
        summary="Cancel a job",
        description="A job that waits is cancelled at once, a running one before its next chunk.",
        request=None,
        parameters=[_JOB_ID],
        responses={200: PredictionJobSerializer, **BAD_INPUT, **KEY_REFUSALS, **_NO_JOB},
    )
    def cancel(self, request: Request, job_id: UUID) -> Response:
        """Cancel a job and return it."""
        QuerySerializer.parse(request)
        services.cancel_job(job=self._job(request, job_id), now=timezone.now())
        return self._answer(request, self._job(request, job_id))

    def _jobs(self, request: Request) -> Any:
        return PredictionJob.objects.filter(api_key=key_of_request(request)).defer("parameters")

    def _job(self, request: Request, job_id: UUID) -> PredictionJob:
        found: PredictionJob | None = self._jobs(request).filter(uuid=job_id).first()
        if found is None:
            raise NotFound("This API key has no such job.")
        return found

    def _answer(self, request: Request, job: PredictionJob, *, status: int = 200) -> Response:
        shape = PredictionJobSerializer(job, context={"request": request}).data
        return Response(shape, status=status, headers=self.no_store)


def key_of_request(request: Request) -> ApiKey:
    """Return the key of a request that the permission has let through."""
    assert isinstance(request.auth, ApiKey)
    return request.auth


def idempotency_key_of(request: Request) -> str:
    """Return the `Idempotency-Key` of a request; empty when it has none.

    Raises
    ------
    ValidationError
        When it is malformed.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not services.VALID_KEY.fullmatch(key):
        raise ValidationError(
            {"Idempotency-Key": f"It must have 1 to {services.LONGEST_KEY} visible ASCII characters."}
        )
    return key


def job_body_limit(environ: Mapping[str, Any]) -> int | None:
    """Return how many bytes the body of a submitted job may have, by its WSGI environ; called before it is read.

    Returns
    -------
    int or None
        `BODY_LIMIT` with a valid key; 0 without one; None for requests of other views.

    Raises
    ------
    DatabaseError
        When the key cannot be looked up.
    """
    if settings.SPAI_ROLE != "web" or environ["PATH_INFO"] != reverse("prediction-jobs"):
        return None
    try:
        key = key_of(environ, now=timezone.now())
    except services.KeyRefusedError:
        return 0
    return BODY_LIMIT if key is not None and JOBS_SCOPE in key.scopes else 0


RESULT_RENDERERS: Final = [JSONRenderer, PlainRenderer]
