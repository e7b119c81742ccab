"""Forms of pipeline runs: what to run, from which stage to repeat it, notes and tags."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from typing import Any

import yaml
from django import forms
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.matches.admin import number_of
from apps.matches.models import World
from apps.ml import params_schema, selectors, services
from apps.ml.models import PipelineRun
from apps.ml.params_schema import FormParameter, ParametersRefusedError

EXAMPLE = "split.calibrate_refits: 3\ntrain:\n  production:\n    logit:\n      l2: [200.0, 800.0]"


class DescriptionForm(BaseDialogForm):
    """Notes and tags of a run."""

    notes = forms.CharField(
        max_length=4000, required=False, widget=UnfoldAdminTextareaWidget({"rows": 3}), help_text="What it is for."
    )
    tags = forms.CharField(
        max_length=400,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Words by which the list of runs can be filtered.",
    )

    def __init__(self, *args: Any, object_id: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, object_id=object_id, **kwargs)
        self.run = _run_of(object_id)
        if self.run is not None:
            self.initial |= {"notes": self.run.notes, "tags": " ".join(self.run.tags)}

    def clean_tags(self) -> list[str]:
        """Return the tags as a list."""
        try:
            return services.tags_of(self.cleaned_data["tags"])
        except services.RunRefusedError as refusal:
            raise forms.ValidationError(str(refusal)) from refusal


class RunForm(DescriptionForm):
    """World, profile, day and parameters of a run, with those of the run that it repeats filled in."""

    world = forms.ChoiceField(choices=World.choices, initial=selectors.served_world, widget=UnfoldAdminSelectWidget)
    profile = forms.ChoiceField(
        choices=[("production", "production"), ("smoke", "smoke: quicker, only checks the pipeline")],
        widget=UnfoldAdminSelectWidget,
    )
    as_of_date = forms.DateField(
        required=False,
        label="As of",
        help_text="Facts before 00:00 UTC of this day. Empty for today.",
        widget=UnfoldAdminDateWidget,
    )
    other_parameters = forms.CharField(
        required=False,
        max_length=params_schema.LONGEST_TEXT,
        help_text="YAML or JSON: any other value of params.yaml. What does not fit is answered with what is allowed.",
        widget=UnfoldAdminTextareaWidget({"rows": 5, "placeholder": EXAMPLE, "spellcheck": "false"}),
    )
    field_order = ("_form_submitted", "world", "profile", "as_of_date")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = services.read_params()
        self.parameters = {
            parameter.name.replace(".", "_"): parameter for parameter in params_schema.form_parameters(self.params)
        }
        self.fields |= {key: field_of(parameter) for key, parameter in self.parameters.items()}
        self.order_fields([*self.field_order, *self.parameters, "other_parameters", "notes", "tags"])
        if self.run is not None:
            self._fill_in(self.run)

    def _fill_in(self, run: PipelineRun) -> None:
        others = dict(run.overrides)
        fields = {key: others.pop(parameter.name_for(run.profile), None) for key, parameter in self.parameters.items()}
        text = yaml.safe_dump(others, sort_keys=False) if others else ""
        self.initial |= {"world": run.world, "profile": run.profile, "as_of_date": run.as_of.date()}
        self.initial |= fields | {"other_parameters": text}

    def clean_as_of_date(self) -> date | None:
        """Refuse a day in the future."""
        day: date | None = self.cleaned_data["as_of_date"]
        if day is not None and day > timezone.now().date():
            raise forms.ValidationError("That day has not begun in UTC; choose today or an earlier day.")
        return day

    @property
    def as_of(self) -> datetime | None:
        """The chosen instant; None for the latest midnight."""
        day = self.cleaned_data.get("as_of_date")
        return datetime.combine(day, time(), tzinfo=UTC) if day else None

    @property
    def overrides(self) -> dict[str, Any]:
        """What was chosen in place of params.yaml, by dotted name.

        Raises
        ------
        ParametersRefusedError
            When the text of the other parameters cannot be read.
        """
        profile = self.cleaned_data["profile"]
        chosen = {
            parameter.name_for(profile): self.cleaned_data[key]
            for key, parameter in self.parameters.items()
            if self.cleaned_data.get(key) is not None
        }
        return chosen | params_schema.parsed(self.cleaned_data.get("other_parameters", ""))

    def clean(self) -> dict[str, Any]:
        """Refuse parameters that do not fit, and a run with too little history."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if not {"world", "profile", "as_of_date"} <= given.keys():
            return given
        now = timezone.now()
        try:
            params = params_schema.overridden(self.params, self.overrides)
        except ParametersRefusedError as refused:
            self.add_error("other_parameters", [forms.ValidationError(each) for each in refused.messages])
            return given
        try:
            services.refuse_impossible(
                world=World(given["world"]),
                as_of=self.as_of or services.latest_midnight(now),
                params=params,
                now=now,
            )
        except services.RunRefusedError as refusal:
            self.add_error("as_of_date" if self.as_of else "world", str(refusal))
        return given


class BackTestForm(BaseDialogForm):
    """The world whose champion is back-tested."""

    world = forms.ChoiceField(choices=World.choices, initial=selectors.served_world, widget=UnfoldAdminSelectWidget)

    def clean_world(self) -> str:
        """Refuse a world without a champion."""
        world = World(self.cleaned_data["world"])
        if selectors.champion(world) is None:
            raise forms.ValidationError(f"The {world.label} world has no champion to back-test yet.")
        return world.value


class RetryForm(BaseDialogForm):
    """The stage that a run is repeated from."""

    stage = forms.ChoiceField(
        widget=UnfoldAdminSelectWidget,
        help_text="This stage and those after it are made again; what earlier stages made is kept, as are the "
        "parameters. An earlier stage is repeated only when its code has changed.",
    )

    def __init__(self, *args: Any, object_id: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, object_id=object_id, **kwargs)
        run = _run_of(object_id)
        stages = services.stages_to_retry(run) if run else []
        self.fields["stage"].choices = [(each, each) for each in stages]
        failed = run.error.get("stage") if run else None
        self.initial["stage"] = failed if failed in stages else stages[-1] if stages else ""


def _run_of(object_id: int | str | None) -> PipelineRun | None:
    """Return the run whose page a dialog was opened on."""
    return None if object_id is None else get_object_or_404(PipelineRun, pk=number_of(object_id))


def field_of(parameter: FormParameter) -> forms.Field:
    """Return the field of a parameter."""
    shown = " or ".join(
        f"{json.dumps(value)} ({profile})" if profile else json.dumps(value)
        for profile, value in parameter.defaults.items()
    )
    about: dict[str, Any] = {
        "required": False,
        "min_value": parameter.schema.get("minimum"),
        "max_value": parameter.schema.get("maximum"),
        "label": parameter.title,
        "help_text": f"{parameter.help} {params_schema.allowed(parameter.schema).capitalize()}; empty for {shown}.",
    }
    if parameter.schema["type"] == "integer":
        return forms.IntegerField(**about, widget=UnfoldAdminIntegerFieldWidget)
    return forms.FloatField(**about, widget=UnfoldAdminDecimalFieldWidget)
