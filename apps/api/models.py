"""API keys, the state of push-in between requests, prediction jobs, and webhooks.

The secret of a key is not stored: a key is found by its prefix, which is public, and checked by its hash. The secret of
a webhook is stored, because it signs.
"""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.matches.models import World


class ApiKeyScope(models.TextChoices):
    """A right that a key gives; none contains another. `docs/api-access.md` lists which route needs which."""

    READ = "read", "read what is stored, forecasts included"
    PREDICT = "predict", "have forecasts computed: what-if matches and batches"
    JOBS = "jobs", "start long jobs, and receive their results"
    INGEST = "ingest", "push matches in"
    ADMIN = "admin", "do what operators do"


class ApiKey(models.Model):
    """A key with which one program calls the API. Its secret is shown once, at creation, and not stored."""

    name = models.CharField(max_length=80, help_text="The program that uses the key.")
    prefix = models.CharField(max_length=8, unique=True, help_text="The public part of the key.")
    secret_sha256 = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=12, choices=ApiKeyScope))
    worlds = ArrayField(
        models.CharField(max_length=7, choices=World),
        default=list,
        blank=True,
        help_text="The worlds it may write to; only for the scope ingest.",
    )
    source = models.SlugField(
        max_length=40, blank=True, help_text="Name under which its records are stored; only for the scope ingest."
    )
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Its own limit; empty for the limit of all keys, 0 for none."
    )
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty for a key that does not expire.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=150, blank=True)
    latest_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")

    class Meta:
        verbose_name = "API key"
        constraints = [
            # A new key may reuse the source of a revoked one: it is the same feed.
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(revoked_at__isnull=True) & ~Q(source=""),
                name="apikey_source_unique",
            ),
            models.CheckConstraint(condition=~Q(scopes=[]), name="apikey_has_scope"),
            models.CheckConstraint(
                condition=Q(scopes__contains=[ApiKeyScope.INGEST]) & ~Q(source="") & ~Q(worlds=[])
                | ~Q(scopes__contains=[ApiKeyScope.INGEST]) & Q(source="", worlds=[]),
                name="apikey_writes_by_ingest",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")), name="apikey_expires_later"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class ReaderProfile(models.Model):
    """What the account of a reader keeps: a user without any rights in the admin."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reader")
    zone = models.CharField(max_length=64, blank=True, help_text="Name of a time zone; empty for that of the device.")
    language = models.CharField(
        max_length=10,
        blank=True,
        default="",
        db_default="",
        help_text="Code of a language of the pages; empty for that of the device.",
    )
    followed_teams = ArrayField(models.BigIntegerField(), default=list, blank=True, help_text="Ids, at most 50.")
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"reader {self.user_id}"


class ReaderKey(models.Model):
    """A key that a reader made; one without this row was given by an operator."""

    reader = models.ForeignKey(ReaderProfile, on_delete=models.CASCADE, related_name="keys")
    api_key = models.OneToOneField(ApiKey, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"API key {self.api_key_id} of reader {self.reader_id}"


class IdempotencyKey(models.Model):
    """The stored response to a request, for a client that repeats the request.

    It is written in the transaction of what the request changed, so that a row never stands for a change that was
    rolled back.
    """

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200, help_text="As the client chose it.")
    request_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "key"], name="idempotencykey_key_unique")]

    def __str__(self) -> str:
        return f"response {self.pk} of API key {self.api_key_id}"


class Upload(models.Model):
    """The progress of a feed that sends its lines in several requests."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    uuid = models.UUIDField(help_text="As the client chose it.")
    next_line = models.PositiveBigIntegerField(default=1, help_text="Number of the line to continue with, from 1.")
    stored = models.PositiveBigIntegerField(default=0, help_text="Lines that were stored, or were stored already.")
    refused = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "uuid"], name="upload_uuid_unique")]

    def __str__(self) -> str:
        return f"upload {self.uuid} up to line {self.next_line}"


class PredictionJob(models.Model):
    """Forecasts that take longer than a request may. The row is the queue: a message only wakes a worker."""

    class JobKind(models.TextChoices):
        WHAT_IF_SET = "what_if_set", "forecasts of many matches or pairings"
        SEASON_SIMULATION = "season_simulation", "a season with given results, simulated"
        GRADED_FORECASTS = "graded_forecasts", "the published forecasts of a period, with their scores"

    class JobState(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        EXPIRED = "expired", "Expired"

    uuid = models.UUIDField(unique=True, default=uuid4, editable=False)
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=JobKind)
    parameters = models.JSONField(help_text="As the client sent them, checked.")
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    done = models.PositiveIntegerField(default=0, help_text="Items that have been worked on.")
    total = models.PositiveIntegerField(default=0, help_text="Items of the job; 0 before they were counted.")
    attempts = models.PositiveSmallIntegerField(
        default=0,
        help_text="Starts. A start that the death of its worker ended counts, one that was put back does not.",
    )
    is_cancelled = models.BooleanField(default=False, help_text="Whether it is to end before its next chunk.")
    error = models.JSONField(null=True, help_text="Why it failed: kind and detail of a problem.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="When the result is deleted; empty before the job ended.")
    trace = models.CharField(
        max_length=55,
        blank=True,
        db_default="",
        editable=False,
        help_text="traceparent of the request that submitted it.",
    )

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="predictionjob_unfinished"),
            models.Index(fields=["api_key", "-id"], name="predictionjob_of_key"),
            models.Index(fields=["api_key", "-started_at"], name="predictionjob_started"),
            models.Index(fields=["expires_at"], name="predictionjob_expires"),
        ]

    def __str__(self) -> str:
        return f"prediction job {self.uuid}"

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state not in (self.JobState.QUEUED, self.JobState.RUNNING)


class PredictionJobResult(models.Model):
    """What a job that succeeded found, compressed by gzip; kept apart so that lists of jobs do not load it."""

    job = models.OneToOneField(PredictionJob, on_delete=models.CASCADE, primary_key=True, related_name="result")
    content = models.BinaryField()
    media_type = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"result of {self.job_id}"


class Webhook(models.Model):
    """An address that gets a signed request for each event that its owner selected."""

    uuid = models.UUIDField(unique=True, default=uuid4, editable=False)
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    url = models.CharField(max_length=1000)
    secret = models.CharField(max_length=60, help_text="Signs the requests; shown once.")
    topics = ArrayField(models.CharField(max_length=40), help_text="Topics of events, such as prediction.published.")
    world = models.CharField(max_length=7, choices=World, blank=True, help_text="Empty for both.")
    competition = models.CharField(max_length=160, blank=True, help_text="Slug; empty for all.")
    team = models.CharField(max_length=160, blank=True, help_text="Slug; empty for all.")
    match_id = models.BigIntegerField(null=True, blank=True, help_text="Empty for all.")
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=200, blank=True, help_text="Why SPAI switched it off.")
    failing_since = models.DateTimeField(null=True, help_text="First failure after the latest success.")
    latest_number = models.BigIntegerField(help_text="Number of the latest event that was considered.")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["api_key", "-id"], name="webhook_of_key")]

    def __str__(self) -> str:
        return f"webhook {self.uuid}"


class WebhookDelivery(models.Model):
    """One message to one webhook: sent until it is accepted, or given up."""

    class DeliveryState(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        DEAD = "dead", "Dead"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event_number = models.BigIntegerField(null=True, help_text="Of the push feed; empty for pings and jobs.")
    message = models.JSONField(help_text="The body that is sent: type, timestamp and data.")
    state = models.CharField(max_length=9, choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    latest_status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status; empty without an answer.")
    latest_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, help_text="When it was accepted or given up.")

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event_number"], name="webhookdelivery_event_unique"),
            models.CheckConstraint(
                condition=Q(state="pending", next_attempt_at__isnull=False) | ~Q(state="pending"),
                name="webhookdelivery_pending_has_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["webhook", "next_attempt_at"], condition=Q(state="pending"), name="webhookdelivery_due"
            ),
            models.Index(fields=["webhook", "-id"], name="webhookdelivery_of_webhook"),
            models.Index(fields=["finished_at"], name="webhookdelivery_finished"),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk} to {self.webhook_id}"


class Alert(models.Model):
    """One time that an alert holds, from when it was first seen until it is resolved; `labels` say for what."""

    class AlertState(models.TextChoices):
        PENDING = "pending", "Not for long enough yet"
        FIRING = "firing", "Firing"
        RESOLVED = "resolved", "Resolved"

    name = models.CharField(max_length=80)
    labels = models.JSONField(default=dict)
    severity = models.CharField(max_length=10)
    state = models.CharField(max_length=8, choices=AlertState, default=AlertState.PENDING)
    summary = models.TextField(help_text="What is wrong, with the latest value.")
    value = models.FloatField()
    began_at = models.DateTimeField(help_text="When its condition was first seen.")
    seen_at = models.DateTimeField(help_text="When its condition was last seen.")
    fired_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True, help_text="When the latest message about it was written.")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    note = models.CharField(max_length=400, blank=True, help_text="The note of the person who acknowledged it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "labels"], condition=~Q(state="resolved"), name="alert_one_open_of_a_kind"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-began_at"], name="alert_by_state"),
        ]

    def __str__(self) -> str:
        about = ", ".join(str(value) for value in self.labels.values())
        return f"{self.name} ({about})" if about else self.name


class AlertMessage(models.Model):
    """A message about alerts, by e-mail or to the webhook of the operator: a row first, then sent."""

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    class MessageState(models.TextChoices):
        PENDING = "pending", "Pending"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    channel = models.CharField(max_length=7, choices=Channel)
    subject = models.CharField(max_length=200)
    content = models.JSONField(help_text="The text of the mail, or the body for the webhook.")
    state = models.CharField(max_length=7, choices=MessageState, default=MessageState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    latest_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="alertmessage_due"),
            models.Index(fields=["-created_at"], name="alertmessage_by_time"),
        ]

    def __str__(self) -> str:
        return self.subject


class ServiceLevelCount(models.Model):
    """The events of a service level up to a minute, and how many of them were bad; kept for a day."""

    slo = models.CharField(max_length=40)
    at = models.DateTimeField()
    bad = models.FloatField()
    total = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["slo", "at"], name="servicelevelcount_minute_unique")]

    def __str__(self) -> str:
        return f"{self.slo} at {self.at:%Y-%m-%d %H:%M}"
