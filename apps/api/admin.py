"""The admin of API keys, uploads, prediction jobs and webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.api import services
from apps.api.alerting import RULES
from apps.api.models import (
    Alert,
    AlertMessage,
    ApiKey,
    ApiKeyScope,
    PredictionJob,
    Upload,
    Webhook,
    WebhookDelivery,
)
from apps.matches.admin import FactAdmin
from apps.matches.models import World
from apps.matches.services import record_action


class ApiKeyForm(forms.ModelForm):
    """The form of a new key."""

    scopes = forms.MultipleChoiceField(
        choices=ApiKeyScope.choices,
        initial=[ApiKeyScope.READ, ApiKeyScope.PREDICT],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    worlds = forms.MultipleChoiceField(
        choices=World.choices,
        required=False,
        help_text="The worlds it may write to; only for the scope ingest.",
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    shares_source = forms.BooleanField(
        required=False,
        label="This feed is a source that SPAI reads itself",
        help_text="Its matches are stored under the name of that source, and have the trust of that source.",
        widget=UnfoldBooleanSwitchWidget,
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at", "requests_per_minute", "source", "worlds")

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError("This time is in the past. Choose a later one, or leave the field empty.")
        return expires_at

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if {"scopes", "source", "worlds"} <= given.keys():
            try:
                services.check_writes(scopes=given["scopes"], source=given["source"], worlds=given["worlds"])
            except services.KeyFieldError as error:
                self.add_error(error.field, str(error))
        if given.get("source"):
            try:
                services.check_source(given["source"], shares_source=given["shares_source"])
            except services.SourceTakenError as error:
                self.add_error("source", str(error))
        return given


@admin.register(ApiKey)
class ApiKeyAdmin(FactAdmin):
    """API keys: create and revoke them; the secret is shown once."""

    list_display = ("name", "prefix", "shown_scopes", "source", "shown_worlds", "shown_state", "latest_used_at")
    list_filter = ("source",)
    search_fields = ("name", "=prefix", "source")
    ordering = ("-id",)
    actions_detail = ("revoke",)
    form = ApiKeyForm

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow creation, which `FactAdmin` forbids."""
        return bool(request.user.has_perm("api.add_apikey"))

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("api.change_apikey"))

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Return the fields of the form, or everything but the hash of an existing key."""
        if obj is None:
            return (*ApiKeyForm.Meta.fields, "shares_source")
        fields = ("name", "prefix", "shown_scopes", "shown_state", "requests_per_minute", "source", "shown_worlds")
        return (*fields, "created_at", "created_by", "expires_at", "latest_used_at", "revoked_at", "revoked_by")

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **more: Any) -> Any:
        """Use `ApiKeyForm` for new keys only."""
        if obj is not None:
            more["form"] = forms.ModelForm
        return super().get_form(request, obj, change, **more)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(request, obj)

    @display(description="worlds")
    def shown_worlds(self, key: ApiKey) -> str:
        return ", ".join(key.worlds)

    @display(description="scopes")
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="state", label={"in force": "success", "expired": "warning", "revoked": "danger"})
    def shown_state(self, key: ApiKey) -> str:
        return services.state_of(key, now=timezone.now())

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Create the key; the object carries the secret to `response_add`, which shows it."""
        made = services.create_key(
            name=obj.name,
            scopes=form.cleaned_data["scopes"],
            source=obj.source,
            worlds=form.cleaned_data["worlds"],
            expires_at=obj.expires_at,
            requests_per_minute=obj.requests_per_minute,
            shares_source=form.cleaned_data["shares_source"],
            created_by=request.user.get_username(),
            now=timezone.now(),
        )
        obj.pk, obj.prefix, obj.token = made.row.pk, made.row.prefix, made.token

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Write no entry: the service writes it, for the command too."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret in this response only: no message, session or row stores it."""
        context = self.admin_site.each_context(request) | {
            "title": "The new API key",
            "key": obj,
            "token": obj.token,
            "opts": self.opts,
            "address": settings.SPAI_WEB_URL,
            "push_address": request.build_absolute_uri("/api/v1/ingest/") if obj.source else "",
        }
        return render(request, "admin/api/apikey/created.html", context)

    def offers_revoke(self, row_id: int) -> bool:
        return ApiKey.objects.filter(pk=row_id, revoked_at__isnull=True).exists()

    @action(
        description="Revoke",
        icon="key_off",
        permissions=["revoke"],
        dialog={
            "title": "Revoke this key",
            "description": "Requests with this key are refused from now on. Matches that it stored stay. "
            "This cannot be undone; create a new key instead.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        key = ApiKey.objects.get(pk=object_id)
        if services.revoke_key(key=key, by=request.user.get_username(), now=timezone.now()):
            messages.success(request, f"{key} is revoked.")
        else:
            messages.warning(request, f"{key} had already been revoked.")
        return HttpResponseClientRedirect(reverse("admin:api_apikey_change", args=[key.pk]))


class AcknowledgeForm(BaseDialogForm):
    """The note of the person who acknowledges an alert."""

    note = forms.CharField(
        max_length=400,
        required=False,
        help_text="What you found or do about it, for others who look here.",
        widget=UnfoldAdminTextareaWidget,
    )


@admin.register(Alert)
class AlertAdmin(FactAdmin):
    """Alerts, with the runbook of each."""

    list_display = ("__str__", "shown_state", "severity", "summary", "began_at", "resolved_at", "acknowledged_by")
    list_filter = ("state", "severity", "name")
    search_fields = ("name", "summary")
    ordering = ("-began_at",)
    exclude = ("labels",)
    actions_detail = ("acknowledge",)

    def get_fields(self, request: HttpRequest, obj: Alert | None = None) -> list[str]:
        first = ["summary", "severity", "state", "runbook"]
        return first + [each.name for each in Alert._meta.fields if each.name not in ("id", "name", "labels", *first)]

    def get_readonly_fields(self, request: HttpRequest, obj: Alert | None = None) -> list[str]:
        return self.get_fields(request, obj)

    @display(description="state", label={"Firing": "danger", "Resolved": "success"})
    def shown_state(self, alert: Alert) -> str:
        return alert.get_state_display()

    @display(description="what to do")
    def runbook(self, alert: Alert) -> str:
        page = next((rule.runbook for rule in RULES if rule.name == alert.name), "")
        file = settings.BASE_DIR / page
        text = file.read_text(encoding="utf-8") if page and file.is_file() else page
        return format_html('<div class="spai-runbook">{}</div>', text)

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("api.change_alert"))

    def offers_acknowledge(self, row_id: int) -> bool:
        return Alert.objects.filter(pk=row_id, state="firing", acknowledged_at__isnull=True).exists()

    @action(
        description="Acknowledge",
        icon="visibility",
        permissions=["decide"],
        dialog={
            "title": "Acknowledge the alert",
            "description": "You take care of it: its message is not repeated while it fires. One is sent when it ends.",
            "form_class": AcknowledgeForm,
            "form_submit_text": "Acknowledge",
        },
    )
    def acknowledge(self, request: HttpRequest, form: AcknowledgeForm, object_id: int) -> HttpResponse:
        alert = Alert.objects.get(pk=object_id)
        note, by = form.cleaned_data["note"], request.user.get_username()
        if services.acknowledge_alert(alert=alert, by=by, note=note, now=timezone.now()):
            messages.success(request, "The alert is acknowledged.")
        else:
            messages.info(request, "The alert no longer fires, or somebody has already acknowledged it.")
        return HttpResponseClientRedirect(reverse("admin:api_alert_change", args=[alert.pk]))


@admin.register(AlertMessage)
class AlertMessageAdmin(FactAdmin):
    """Messages about alerts, with the reason of each failure."""

    list_display = ("subject", "channel", "shown_state", "attempts", "latest_error", "created_at", "finished_at")
    list_filter = ("state", "channel")
    ordering = ("-created_at",)
    not_listed = ("content",)

    @display(description="state", label={"Sent": "success", "Failed": "danger", "Pending": "info"})
    def shown_state(self, message: AlertMessage) -> str:
        return message.get_state_display()


@admin.register(Upload)
class UploadAdmin(FactAdmin):
    """The progress of uploads in several requests."""

    list_display = ("uuid", "api_key", "next_line", "stored", "refused", "created_at", "updated_at")
    list_filter = ("api_key",)
    list_select_related = ("api_key",)
    search_fields = ("=uuid",)
    ordering = ("-updated_at",)


@admin.register(PredictionJob)
class PredictionJobAdmin(FactAdmin):
    """Prediction jobs, with their progress and the reason of each failure."""

    list_display = ("uuid", "kind", "api_key", "shown_state", "shown_progress", "attempts", "created_at", "finished_at")
    list_filter = ("state", "kind", "api_key")
    list_select_related = ("api_key",)
    search_fields = ("=uuid",)
    ordering = ("-id",)
    not_listed = ("parameters",)
    exclude = ("parameters",)
    actions_detail = ("cancel", "retry")

    @display(
        description="state",
        label={
            "Queued": "info",
            "Running": "info",
            "Succeeded": "success",
            "Failed": "danger",
            "Cancelled": "warning",
            "Expired": "warning",
        },
    )
    def shown_state(self, job: PredictionJob) -> str:
        return job.get_state_display()

    @display(description="progress")
    def shown_progress(self, job: PredictionJob) -> str:
        return f"{job.done:,} of {job.total:,}" if job.total else ""

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("api.change_predictionjob"))

    def offers_cancel(self, row_id: int) -> bool:
        return PredictionJob.objects.filter(pk=row_id, state__in=("queued", "running"), is_cancelled=False).exists()

    def offers_retry(self, row_id: int) -> bool:
        return PredictionJob.objects.filter(pk=row_id, state__in=("failed", "cancelled")).exists()

    @action(
        description="Cancel",
        icon="cancel",
        permissions=["decide"],
        dialog={
            "title": "Cancel the job",
            "description": "A job that waits ends at once, a running one before its next chunk. It has no result then.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Cancel the job",
        },
    )
    @transaction.atomic
    def cancel(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        job = PredictionJob.objects.get(pk=object_id)
        before = job.get_state_display()
        if services.cancel_job(job=job, now=timezone.now()):
            record_action(
                by=request.user,
                action="cancelled a job",
                about=job,
                before=before,
                after="cancelled",
                now=timezone.now(),
            )
            messages.success(request, "The job is cancelled.")
        else:
            messages.info(request, "The job had already ended.")
        return HttpResponseClientRedirect(reverse("admin:api_predictionjob_change", args=[job.pk]))

    @action(
        description="Retry",
        icon="replay",
        permissions=["decide"],
        dialog={
            "title": "Retry the job",
            "description": "It is queued again, with the same parameters.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Retry",
        },
    )
    @transaction.atomic
    def retry(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        job = PredictionJob.objects.get(pk=object_id)
        before = job.get_state_display()
        if services.retry_job(job=job):
            record_action(
                by=request.user, action="retried a job", about=job, before=before, after="queued", now=timezone.now()
            )
            messages.success(request, "The job is queued again.")
        else:
            messages.info(request, "Only a job that failed or was cancelled can be retried.")
        return HttpResponseClientRedirect(reverse("admin:api_predictionjob_change", args=[job.pk]))


@admin.register(Webhook)
class WebhookAdmin(FactAdmin):
    """Webhooks, with the reason why one was switched off; their secrets are not shown."""

    list_display = ("uuid", "api_key", "url", "shown_state", "failing_since", "disabled_reason", "created_at")
    list_filter = ("is_active", "api_key")
    list_select_related = ("api_key",)
    search_fields = ("=uuid", "url")
    ordering = ("-id",)
    not_listed = ("secret",)
    exclude = ("secret",)
    actions_detail = ("switch_on", "switch_off")

    @display(description="state", label={"active": "success", "failing": "warning", "off": "danger"})
    def shown_state(self, webhook: Webhook) -> str:
        if not webhook.is_active:
            return "off"
        return "failing" if webhook.failing_since else "active"

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("api.change_webhook"))

    def offers_switch_on(self, row_id: int) -> bool:
        return Webhook.objects.filter(pk=row_id, is_active=False).exists()

    def offers_switch_off(self, row_id: int) -> bool:
        return Webhook.objects.filter(pk=row_id, is_active=True).exists()

    @action(
        description="Switch on",
        icon="toggle_on",
        permissions=["decide"],
        dialog={
            "title": "Switch on",
            "description": "It gets the events from now on, and the messages that are still pending.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Switch on",
        },
    )
    def switch_on(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        return self._switch(request, object_id, is_active=True)

    @action(
        description="Switch off",
        icon="toggle_off",
        permissions=["decide"],
        dialog={
            "title": "Switch off",
            "description": "Nothing more is sent, and events that happen while it is off are never sent.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Switch off",
        },
    )
    def switch_off(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        return self._switch(request, object_id, is_active=False)

    @transaction.atomic
    def _switch(self, request: HttpRequest, webhook_id: int, *, is_active: bool) -> HttpResponse:
        webhook = Webhook.objects.get(pk=webhook_id)
        before = self.shown_state(webhook)
        services.change_webhook(webhook=webhook, is_active=is_active)
        after = self.shown_state(webhook)
        record_action(
            by=request.user,
            action=f"switched a webhook {'on' if is_active else 'off'}",
            about=webhook,
            before=before,
            after=after,
            now=timezone.now(),
        )
        messages.success(request, f"The webhook is {'on' if is_active else 'off'}.")
        return HttpResponseClientRedirect(reverse("admin:api_webhook_change", args=[webhook.pk]))


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(FactAdmin):
    """Messages to webhooks; one can be sent again."""

    list_display = ("id", "webhook", "event_number", "shown_state", "attempts", "latest_status", "latest_error")
    list_filter = ("state", "latest_status")
    list_select_related = ("webhook",)
    ordering = ("-id",)
    not_listed = ("message", "webhook__secret")
    actions_detail = ("replay",)

    @display(description="state", label={"Pending": "info", "Delivered": "success", "Dead": "danger"})
    def shown_state(self, delivery: WebhookDelivery) -> str:
        return delivery.get_state_display()

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("api.change_webhookdelivery"))

    @action(
        description="Send again",
        icon="replay",
        permissions=["decide"],
        dialog={
            "title": "Send the message again",
            "description": "It is sent as it was, with the same webhook-id, and again later when it is not accepted.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Send again",
        },
    )
    @transaction.atomic
    def replay(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        delivery = WebhookDelivery.objects.get(pk=object_id)
        before = self.shown_state(delivery)
        services.replay(delivery=delivery, now=timezone.now())
        record_action(
            by=request.user,
            action="sent a message again",
            about=delivery,
            also=[delivery.webhook],
            before=before,
            after="pending",
            now=timezone.now(),
        )
        messages.success(request, "The message is sent again within seconds, if its webhook is on.")
        return HttpResponseClientRedirect(reverse("admin:api_webhookdelivery_change", args=[delivery.pk]))
