"""API keys, and the state of push-in between requests.

No secret is stored: a key is found by its prefix, which is public, and checked by its hash.
"""

from __future__ import annotations

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


class IdempotencyKey(models.Model):
    """The stored response to a request, for a client that repeats the request.

    It is written in the transaction of the ingest, so that a row never stands for an ingest that was rolled back. While
    the request is in progress, an advisory lock of the API key is held, which ends with the process.
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
    next_line = models.PositiveBigIntegerField(default=1, help_text="Number of the line to go on with, from 1.")
    stored = models.PositiveBigIntegerField(default=0, help_text="Lines that were stored, or were stored already.")
    refused = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "uuid"], name="upload_uuid_unique")]

    def __str__(self) -> str:
        return f"upload {self.uuid} up to line {self.next_line}"
