"""How an action of the admin is declared and carried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone

from tests.web.conftest import Builder

CASES: dict[str, Callable[[Any], Model]] = {}
"""How each action is carried out, by model and name; the function returns the row whose history must show it."""

NO_ACTION = {
    "matches.teamalias.merge_into": "leads to the page that confirms the merge; see merge",
    "ml.policyrevision.change_sandbox": "leads to the form; see change",
    "ml.policyrevision.change_real": "leads to the form; see change",
    "ml.modelversion.compare_side_by_side": "shows",
    "ml.pipelinerun.compare_side_by_side": "shows",
}


def case(name: str) -> Callable[[Callable[[Any], Model]], Callable[[Any], Model]]:
    """Declare how an action is carried out."""

    def declared(carry_out: Callable[[Any], Model]) -> Callable[[Any], Model]:
        CASES[name] = carry_out
        return carry_out

    return declared


class Room:
    """What the cases need: rows, and the operator's browser."""

    def __init__(self, browser: Any, monkeypatch: Any, settings: Any) -> None:
        self.browser, self.monkeypatch, self.settings = browser, monkeypatch, settings
        self.now = timezone.now().replace(microsecond=0)
        self.build = Builder(self.now)

    def do(self, model: type[Model], action: str, *row: Model, **form: Any) -> None:
        """Carry out an action of a row, or of a list where no row is given."""
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}", args=[r.pk for r in row])
        response = self.browser.post(address, {**form, "_form_submitted": "on"})
        assert "HX-Redirect" in response.headers, response.content.decode()[-3000:]

    def choose(self, row: Model, action: str, **form: Any) -> None:
        """Carry out an action on a chosen row of a list."""
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
        form = {"action": action, "_selected_action": [row.pk], **form}
        assert self.browser.post(address, form).status_code == 302

    def save(self, row: Model, **form: Any) -> None:
        """Save the form of a row."""
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        assert self.browser.post(address, form).status_code == 302
