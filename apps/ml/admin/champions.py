"""Admin of champions and of the world that pages show first."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from apps.matches.admin import FactAdmin, ReasonForm
from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.models import Promotion, ServedWorld


class RollBackForm(ReasonForm):
    """A reason, and the newest promotion at the time when the form was opened."""

    world = World.REAL
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present = selectors.champion(self.world)
        self.initial["seen"] = present.pk if present else None


class RollBackSandboxForm(RollBackForm):
    """The form for the sandbox."""

    world = World.SANDBOX


@admin.register(Promotion)
class PromotionAdmin(FactAdmin):
    """Promotions and rollbacks."""

    list_display = ("decided_at", "world", "kind", "shown_version", "shown_previous", "decided_by", "reason")
    list_filter = ("world", "kind")
    not_listed = (
        *("version__metrics", "version__gates", "version__columns"),
        *("previous__metrics", "previous__gates", "previous__columns"),
    )
    ordering = ("-id",)
    actions_list = ("roll_back_sandbox", "roll_back_real")

    def has_promote_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ml.add_promotion"))

    def offers_roll_back_sandbox(self) -> bool:
        """Return whether the sandbox has an earlier champion."""
        return selectors.previous_champion(World.SANDBOX) is not None

    def offers_roll_back_real(self) -> bool:
        """Return whether the real world has an earlier champion."""
        return selectors.previous_champion(World.REAL) is not None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Promotion]:
        rows = super().get_queryset(request).select_related("version", "previous")
        return rows.defer("version__bundle", "previous__bundle")

    @display(description="champion")
    def shown_version(self, promotion: Promotion) -> str:
        address = reverse("admin:ml_modelversion_change", args=[promotion.version_id])
        return format_html('<a href="{}">{}</a>', address, promotion.version)

    @display(description="before")
    def shown_previous(self, promotion: Promotion) -> str:
        return str(promotion.previous) if promotion.previous else "–"

    def _roll_back(self, request: HttpRequest, form: RollBackForm) -> HttpResponse:
        try:
            promotion = services.rollback(
                world=form.world,
                user=request.user,
                reason=form.cleaned_data["reason"],
                seen=form.cleaned_data["seen"],
                now=timezone.now(),
            )
        except services.PromotionRefusedError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, capfirst(f"{promotion.version} is champion again."))
        return HttpResponseClientRedirect(reverse("admin:ml_promotion_changelist"))

    @action(
        description="Roll back the sandbox",
        icon="undo",
        permissions=["promote"],
        dialog={
            "title": "Roll back the sandbox",
            "description": "The previous champion becomes champion again.",
            "form_class": RollBackSandboxForm,
            "form_submit_text": "Roll back",
        },
    )
    def roll_back_sandbox(self, request: HttpRequest, form: RollBackSandboxForm) -> HttpResponse:
        return self._roll_back(request, form)

    @action(
        description="Roll back the real world",
        icon="undo",
        permissions=["promote"],
        dialog={
            "title": "Roll back the real world",
            "description": "The previous champion becomes champion again.",
            "form_class": RollBackForm,
            "form_submit_text": "Roll back",
        },
    )
    def roll_back_real(self, request: HttpRequest, form: RollBackForm) -> HttpResponse:
        return self._roll_back(request, form)


class ServedWorldForm(BaseDialogForm):
    """The world that the pages show first."""

    world = forms.ChoiceField(choices=World.choices, widget=UnfoldAdminSelectWidget)


@admin.register(ServedWorld)
class ServedWorldAdmin(FactAdmin):
    """The operator's choice of the world that pages show first."""

    list_display = ("world", "chosen_at")
    actions_list = ("choose",)

    def has_choose_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("ml.change_servedworld"))

    @action(
        description="Choose the world that pages show first",
        icon="public",
        permissions=["choose"],
        dialog={
            "title": "Choose a world",
            "description": "Both worlds stay reachable; pages show this one unless the visitor chooses the other.",
            "form_class": ServedWorldForm,
            "form_submit_text": "Choose",
        },
    )
    def choose(self, request: HttpRequest, form: ServedWorldForm) -> HttpResponse:
        world = World(form.cleaned_data["world"])
        services.choose_served_world(world=world, by=request.user.get_username(), now=timezone.now())
        messages.success(request, f"Pages show the {world.label} world first.")
        return HttpResponseClientRedirect(reverse("admin:ml_servedworld_changelist"))
