"""Admin of the policy for promotion and retraining, and of the decisions that the system made by it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.matches.admin import FactAdmin
from apps.matches.models import World
from apps.ml import policy, selectors, services
from apps.ml.models import PolicyRevision, RetrainingDecision, ShadowForecast

TITLES = {
    "compare": "When a version may take over",
    "promote": "What happens then",
    "fall_back": "When the previous champion returns",
    "retrain": "When a world is trained again",
}
"""Headings of the sections of the policy."""


def _field_of(name: str) -> str:
    return name.replace(".", "__")


class PolicyForm(forms.ModelForm):
    """All values of the policy of one world, the reason of the change, and the revision that the form started from."""

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = PolicyRevision
        fields = ("world", "reason")
        widgets = {"world": forms.HiddenInput, "reason": UnfoldAdminTextareaWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        defaults = selectors.default_policy().flat()
        self.fields[_field_of(policy.MODE)] = forms.ChoiceField(
            label="Mode", choices=list(policy.MODES.items()), widget=UnfoldAdminSelectWidget
        )
        for rule in policy.RULES:
            self.fields[_field_of(rule.name)] = self._field(rule, defaults[rule.name])

    @staticmethod
    def _field(rule: policy.Rule, default: Any) -> forms.Field:
        words = rule.name.partition(".")[2].split("_")
        label = capfirst(" ".join(word.upper() if word in ("rps", "ece") else word for word in words))
        help_text = f"{rule.meaning}. By default {default}."
        if isinstance(default, bool):
            return forms.BooleanField(
                label=label, help_text=help_text, required=False, widget=UnfoldBooleanSwitchWidget
            )
        kind, widget = (
            (forms.IntegerField, UnfoldAdminIntegerFieldWidget)
            if isinstance(default, int)
            else (forms.FloatField, UnfoldAdminDecimalFieldWidget)
        )
        bounds = {"min_value": type(default)(rule.low), "max_value": type(default)(rule.high)}
        return kind(label=label, help_text=help_text, widget=widget, **bounds)

    def clean(self) -> dict[str, Any]:
        """Refuse a form that was opened before the newest change, which it would undo."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        newest = selectors.policy_revision(World(given["world"])) if "world" in given else None
        if newest is not None and given.get("seen") != newest.pk:
            raise forms.ValidationError(
                f"{newest.decided_by} changed this policy at {newest.decided_at:%Y-%m-%d %H:%M} UTC, after you "
                "opened the form. Open it again, so that the change is not undone."
            )
        return given

    @property
    def values(self) -> dict[str, Any]:
        """The values by their dotted names."""
        return {
            name: self.cleaned_data[_field_of(name)] for name in (policy.MODE, *(rule.name for rule in policy.RULES))
        }


@admin.register(PolicyRevision)
class PolicyRevisionAdmin(FactAdmin):
    """Changes of the policy; the newest of each world is in force."""

    list_display = ("decided_at", "world", "shown_changes", "decided_by", "reason")
    list_filter = ("world",)
    ordering = ("-id",)
    actions_list = ("change_sandbox", "change_real")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow a new policy, which `FactAdmin` forbids."""
        return bool(request.user.has_perm("ml.add_policyrevision"))

    def get_fieldsets(self, request: HttpRequest, obj: PolicyRevision | None = None) -> Any:
        """Return the sections of the policy for a new one."""
        if obj is not None:
            return super().get_fieldsets(request, obj)
        names = [policy.MODE, *(rule.name for rule in policy.RULES)]
        world = self._world_of(request)
        sections = [
            (
                f"{title} · {world} world",
                {"fields": [_field_of(name) for name in names if name.startswith(f"{section}.")]},
            )
            for section, title in TITLES.items()
        ]
        return [*sections, ("Why", {"fields": ["world", "seen", "reason"]})]

    def get_form(
        self, request: HttpRequest, obj: PolicyRevision | None = None, change: bool = False, **more: Any
    ) -> Any:
        """Return `PolicyForm` for a new policy."""
        return PolicyForm if obj is None else super().get_form(request, obj, change, **more)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the policy that is in force for the world in the address."""
        world = self._world_of(request)
        newest = selectors.policy_revision(world)
        return {"world": world.value, "seen": newest.pk if newest else None} | {
            _field_of(name): value for name, value in selectors.policy(world).flat().items()
        }

    @staticmethod
    def _world_of(request: HttpRequest) -> World:
        requested = request.POST.get("world") or request.GET.get("world")
        return World(requested) if requested in World.values else selectors.served_world()

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Write no entry: the service writes it."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Change the policy; the object takes the values of the new row."""
        made = services.change_policy(
            world=World(form.cleaned_data["world"]),
            changes=form.values,
            user=request.user,
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
        for field in made._meta.concrete_fields:
            setattr(obj, field.attname, getattr(made, field.attname))

    @display(description="differs from the defaults in")
    def shown_changes(self, row: PolicyRevision) -> str:
        return ", ".join(f"{name}: {value}" for name, value in row.changes.items()) or "nothing"

    def has_change_policy_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_add_permission(request)

    def _form_of(self, world: World) -> HttpResponse:
        return redirect(f"{reverse('admin:ml_policyrevision_add')}?world={world}")

    @action(description="Change the policy of the sandbox", icon="tune", permissions=["change_policy"])
    def change_sandbox(self, request: HttpRequest) -> HttpResponse:
        return self._form_of(World.SANDBOX)

    @action(description="Change the policy of the real world", icon="tune", permissions=["change_policy"])
    def change_real(self, request: HttpRequest) -> HttpResponse:
        return self._form_of(World.REAL)


@admin.register(RetrainingDecision)
class RetrainingDecisionAdmin(FactAdmin):
    """Decisions whether a world is trained again."""

    list_display = ("latest_at", "world", "shown_answer", "cause", "reason", "shown_run", "times")
    list_filter = ("world", "answer")
    ordering = ("-id",)
    fields = (
        "world",
        "shown_answer",
        "cause",
        "reason",
        "shown_triggers",
        "shown_run",
        "times",
        "decided_at",
        "latest_at",
    )
    readonly_fields = ("shown_answer", "shown_triggers", "shown_run")

    @display(description="answer", label={"a run was queued": "success", "no": "info"})
    def shown_answer(self, decision: RetrainingDecision) -> str:
        return decision.get_answer_display()

    @display(description="run")
    def shown_run(self, decision: RetrainingDecision) -> str:
        if decision.run_id is None:
            return "–"
        address = reverse("admin:ml_pipelinerun_change", args=[decision.run_id])
        return format_html('<a class="spai-link" href="{}">run {}</a>', address, decision.run_id)

    @display(description="reasons")
    def shown_triggers(self, decision: RetrainingDecision) -> SafeString:
        lines = ((each["name"], "yes" if each["is_due"] else "no", each["reason"]) for each in decision.triggers)
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {} – {}</li>", lines))


@admin.register(ShadowForecast)
class ShadowForecastAdmin(FactAdmin):
    """Forecasts in shadow, which are never published."""

    list_display = ("made_at", "prediction", "version", "p_home", "p_draw", "p_away")
    list_select_related = ("prediction", "version")
    not_listed = ("version__bundle", "version__metrics", "version__gates", "version__columns")
    ordering = ("-id",)
