"""What people decide about a version: it is promoted, declined, considered again, rolled back to, compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldBooleanSwitchWidget

from apps.matches.admin import ReasonForm, number_in
from apps.matches.models import World
from apps.matches.services import record_action
from apps.ml import selectors, services
from apps.ml.admin.side_by_side import SideBySideAdmin


class PromoteForm(ReasonForm):
    """A reason, with the warnings about the version, and whether it is promoted despite them."""

    despite = forms.BooleanField(
        required=False,
        label="Promote it despite the warnings",
        help_text="Nothing else is asked. Versions that cannot be loaded are refused all the same.",
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, *args: Any, object_id: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, object_id=object_id, **kwargs)
        version = selectors.versions().filter(pk=number_in(object_id)).first()
        against = selectors.promotion_warnings(version) if version else []
        if not against:
            del self.fields["despite"]
        else:
            self.fields["reason"].help_text = format_html(
                "<b>Warnings:</b><ul>{}</ul>{}",
                format_html_join("", "<li>{}</li>", ((line,) for line in against)),
                self.fields["reason"].help_text,
            )


class RollBackToForm(ReasonForm):
    """A reason, and the newest promotion at the time when the form was opened."""

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, object_id: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, object_id=object_id, **kwargs)
        version = selectors.versions().filter(pk=number_in(object_id)).first()
        present = selectors.champion(World(version.world)) if version else None
        self.initial["seen"] = present.pk if present else None


class VersionDecisionsAdmin(SideBySideAdmin):
    """The buttons on the page of a version."""

    actions_detail = ("promote_version", "decline_version", "reconsider_version", "roll_back_to", "compare_again")

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ml.add_promotion"))

    def has_compare_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ml.add_comparison"))

    def offers_promote_version(self, row_id: int) -> bool:
        """Return whether the version can become champion."""
        version = selectors.versions().filter(pk=row_id).first()
        return version is not None and not services.why_not_champion(version)

    def offers_decline_version(self, row_id: int) -> bool:
        """Return whether the version is a challenger."""
        return self._stage_of(row_id) == selectors.VersionStage.CHALLENGER

    def offers_reconsider_version(self, row_id: int) -> bool:
        """Return whether the version was declined."""
        return self._stage_of(row_id) == selectors.VersionStage.DECLINED

    def _stage_of(self, row_id: int) -> selectors.VersionStage | None:
        version = selectors.versions().filter(pk=row_id).first()
        return selectors.stages(World(version.world)).of(version) if version else None

    def offers_roll_back_to(self, row_id: int) -> bool:
        """Return whether the version can replace a champion."""
        version = selectors.versions().filter(pk=row_id).first()
        if version is None or services.why_not_champion(version):
            return False
        return selectors.champion(World(version.world)) is not None

    def offers_compare_again(self, row_id: int) -> bool:
        """Return whether the version can be compared with a champion."""
        version = selectors.versions().filter(pk=row_id).first()
        return version is not None and not services.why_not_compared(version)

    @action(
        description="Promote to champion",
        icon="workspace_premium",
        variant=ActionVariant.PRIMARY,
        permissions=["promote"],
        dialog={
            "title": "Promote to champion",
            "description": "Every process serves this version within seconds and publishes new forecasts with it. "
            "Published forecasts stay as they are. A rollback undoes the promotion.",
            "form_class": PromoteForm,
            "form_submit_text": "Promote",
        },
    )
    def promote_version(self, request: HttpRequest, form: PromoteForm, object_id: int) -> HttpResponse:
        version = selectors.versions().get(pk=object_id)
        against = selectors.promotion_warnings(version)
        try:
            services.promote(
                version=version,
                user=request.user,
                reason=form.cleaned_data["reason"],
                despite=form.cleaned_data.get("despite", False),
                now=timezone.now(),
            )
        except services.PromotionRefusedError as refusal:
            messages.error(request, str(refusal))
        else:
            note = f" Warnings: {'; '.join(against)}." if against else ""
            messages.success(request, capfirst(f"{version} is champion.{note}"))
        return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))

    @action(
        description="Decline",
        icon="block",
        permissions=["promote"],
        dialog={
            "title": "Decline this version",
            "description": "It is not proposed or promoted by itself and stops forecasting in shadow. “Consider again” "
            "undoes this, and you can still promote it.",
            "form_class": ReasonForm,
            "form_submit_text": "Decline",
        },
    )
    def decline_version(self, request: HttpRequest, form: ReasonForm, object_id: int) -> HttpResponse:
        return _decide(request, form, object_id, services.decline, "is declined", "had been declined before")

    @action(
        description="Consider again",
        icon="undo",
        permissions=["promote"],
        dialog={
            "title": "Consider this version again",
            "description": "It may take over as before, by its newest comparison with the champion.",
            "form_class": ReasonForm,
            "form_submit_text": "Consider again",
        },
    )
    def reconsider_version(self, request: HttpRequest, form: ReasonForm, object_id: int) -> HttpResponse:
        return _decide(request, form, object_id, services.reconsider, "may take over again", "is not declined")

    @action(
        description="Roll back to this version",
        icon="undo",
        permissions=["promote"],
        dialog={
            "title": "Roll back to this version",
            "description": "It becomes champion at once, whatever comparisons say; nothing is promoted by itself for a "
            "while. Published forecasts stay as they are.",
            "form_class": RollBackToForm,
            "form_submit_text": "Roll back",
        },
    )
    def roll_back_to(self, request: HttpRequest, form: RollBackToForm, object_id: int) -> HttpResponse:
        version = selectors.versions().get(pk=object_id)
        try:
            services.rollback(
                world=World(version.world),
                to=version,
                user=request.user,
                reason=form.cleaned_data["reason"],
                seen=form.cleaned_data["seen"],
                now=timezone.now(),
            )
        except services.PromotionRefusedError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, capfirst(f"{version} is champion."))
        return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))

    @action(
        description="Compare with the champion again",
        icon="balance",
        permissions=["compare"],
        dialog={
            "title": "Compare with the champion",
            "description": "Both are compared by their out-of-sample forecasts of the same matches, "
            "by the policy of their world. Nothing is promoted. An earlier comparison of the same files is reused.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Compare",
        },
    )
    def compare_again(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        version = selectors.versions().get(pk=object_id)
        now = timezone.now()
        try:
            with transaction.atomic():
                found = services.compare(version=version, now=now)
                record_action(
                    by=request.user,
                    action="compared with the champion",
                    about=version,
                    also=[found],
                    after=f"{found.get_verdict_display()}: {found.reason}",
                    now=now,
                )
        except services.NothingToCompareError as nothing:
            messages.warning(request, str(nothing))
        else:
            messages.success(request, capfirst(f"{version} {found.get_verdict_display()}: {found.reason}."))
        return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))


def _decide(
    request: HttpRequest, form: ReasonForm, version_id: int, decide: Callable[..., bool], done: str, not_done: str
) -> HttpResponse:
    """Decline a version or consider it again, and say what came of it."""
    version = selectors.versions().get(pk=version_id)
    if decide(version=version, user=request.user, reason=form.cleaned_data["reason"], now=timezone.now()):
        messages.success(request, f"{capfirst(str(version))} {done}.")
    else:
        messages.warning(request, f"{capfirst(str(version))} {not_done}.")
    return HttpResponseClientRedirect(reverse("admin:ml_modelversion_change", args=[version.pk]))
