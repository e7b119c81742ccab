"""Runs are asked for in a dialog, with parameters of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.models import PipelineRun
from apps.ml.services import workspaces
from tests.factories import CompetitionFactory, FinishedMatchFactory, SeasonFactory


@pytest.fixture
def history(db, monkeypatch):
    """Results of the sandbox around 1 July 2024, of which a walk forward asks for no more than one on both sides."""
    params = workspaces.read_params()
    split = params["split"] | {"least_rows": 1, "warm_up_days": 30}
    for place in (workspaces, services):
        monkeypatch.setattr(place, "read_params", lambda: params | {"split": split})
    season = SeasonFactory(competition=CompetitionFactory(is_simulated=True))
    for month in (3, 6, 8):
        FinishedMatchFactory(season=season, kickoff_at=datetime(2024, month, 9, 15, tzinfo=UTC))


def test_a_run_is_queued_from_its_dialog(admin, history):
    address = reverse("admin:ml_pipelinerun_run_pipeline")
    dialog = admin.get(address).content.decode()
    assert "Exports the matches" in dialog
    answer = admin.post(address, {"world": "sandbox", "profile": "smoke", "as_of_date": "", "_form_submitted": "on"})
    run = PipelineRun.objects.get()
    assert (run.world, run.profile, run.requested_by, run.status) == ("sandbox", "smoke", "admin", "queued")
    assert answer.headers["HX-Redirect"] == reverse("admin:ml_pipelinerun_change", args=[run.pk])


def test_a_double_click_queues_one_run(admin, history):
    address = reverse("admin:ml_pipelinerun_run_pipeline")
    for _ in range(2):
        admin.post(address, {"world": "sandbox", "profile": "smoke", "as_of_date": "", "_form_submitted": "on"})
    assert PipelineRun.objects.count() == 1


def test_a_day_that_has_not_begun_is_refused(admin):
    address = reverse("admin:ml_pipelinerun_run_pipeline")
    form = {"world": "sandbox", "profile": "smoke", "as_of_date": "2999-01-01", "_form_submitted": "on"}
    assert "has not begun" in admin.post(address, form).content.decode()
    assert not PipelineRun.objects.exists()


@pytest.mark.parametrize(
    ("world", "day", "said"),
    [
        ("sandbox", "2010-01-01", "no match known before 2010-01-01 00:00 UTC: the first result of the sandbox world"),
        ("sandbox", "2024-03-09", "no match known before 2024-03-09"),
        ("sandbox", "2024-07-15", "is too short: 2 matches with a result since 2024-03-09"),
        ("real", "2024-12-01", "The real world has no match with a result yet"),
        ("real", "", "The real world has no match with a result yet"),
    ],
)
def test_a_run_that_has_nothing_to_learn_from_is_refused_in_its_dialog(admin, history, world, day, said):
    address = reverse("admin:ml_pipelinerun_run_pipeline")
    form = {"world": world, "profile": "smoke", "as_of_date": day, "_form_submitted": "on"}
    assert said in admin.post(address, form).content.decode()
    assert not PipelineRun.objects.exists()


def test_a_run_as_of_a_day_with_history_enough_is_queued(admin, history):
    address = reverse("admin:ml_pipelinerun_run_pipeline")
    admin.post(address, {"world": "sandbox", "profile": "smoke", "as_of_date": "2024-08-11", "_form_submitted": "on"})
    assert PipelineRun.objects.get().as_of == datetime(2024, 8, 11, tzinfo=UTC)


def test_a_run_that_cannot_be_repeated_says_why(admin, run):
    form = {"world": "sandbox", "profile": "smoke", "as_of_date": "", "_form_submitted": "on"}
    answer = admin.post(reverse("admin:ml_pipelinerun_run_again", args=[run.pk]), form)
    assert "The sandbox world has no match with a result yet" in answer.content.decode()
    assert PipelineRun.objects.get() == run


CHOSEN = {
    "world": "sandbox",
    "profile": "smoke",
    "as_of_date": "2024-08-11",
    "split_test_refits": "3",
    "train_{profile}_xgboost_rounds": "25",
    "other_parameters": "features.form.windows: [1, 5]",
    "notes": "fewer rounds",
    "tags": "night, quick",
    "_form_submitted": "on",
}


def test_parameters_are_chosen_in_the_form_and_kept_with_the_run(admin, history):
    admin.post(reverse("admin:ml_pipelinerun_run_pipeline"), CHOSEN)
    run = PipelineRun.objects.get()
    assert run.overrides == {
        "split.test_refits": 3,
        "train.smoke.xgboost.rounds": 25,
        "features.form.windows": [1, 5],
    }
    assert run.params["train"]["smoke"]["xgboost"]["rounds"] == 25
    assert (run.notes, run.tags) == ("fewer rounds", ["night", "quick"])
    page = admin.get(reverse("admin:ml_pipelinerun_change", args=[run.pk])).content.decode()
    for said in ("train.smoke.xgboost.rounds: 25", "fewer rounds", "night, quick"):
        assert said in page


def test_the_form_of_a_repeated_run_has_what_the_run_had(admin, history):
    admin.post(reverse("admin:ml_pipelinerun_run_pipeline"), CHOSEN)
    run = PipelineRun.objects.get()
    dialog = admin.get(reverse("admin:ml_pipelinerun_run_again", args=[run.pk])).content.decode()
    for said in ('value="25"', 'value="11/08/2024"', "features.form.windows:", "fewer rounds"):
        assert said in dialog
    assert "empty for 40 (smoke) or 150 (production)" in dialog
    admin.post(reverse("admin:ml_pipelinerun_run_again", args=[run.pk]), CHOSEN | {"split_test_refits": "4"})
    again = PipelineRun.objects.latest("pk")
    assert (again.overrides["split.test_refits"], again.reason) == (4, f"run {run.pk} again")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("split_test_refits", "0", "greater than or equal to 1"),
        ("other_parameters", "split.refit_month: 13", "a whole number from 1 to 12"),
        ("other_parameters", "split: {refits: 1}", "Allowed in split: refit_month, refit_day"),
        ("other_parameters", "gates.ece_draws: 1", "cannot be changed for one run"),
        ("other_parameters", "<script>alert(1)</script>: 1", "&lt;script&gt;"),
        ("tags", "a/b", "is no tag"),
    ],
)
def test_a_parameter_that_does_not_fit_is_answered_with_what_is_allowed(admin, history, field, value, said):
    answer = admin.post(reverse("admin:ml_pipelinerun_run_pipeline"), CHOSEN | {field: value}).content.decode()
    assert said in answer
    assert "<script>alert" not in answer
    assert not PipelineRun.objects.exists()


def test_whoever_is_not_allowed_queues_no_run_and_chooses_no_world(admin_process, client, db):
    client.force_login(get_user_model().objects.create_user("eve", is_staff=True))
    form = {"world": "sandbox", "profile": "smoke", "as_of_date": "", "_form_submitted": "on"}
    assert client.post(reverse("admin:ml_pipelinerun_run_pipeline"), form).status_code == 403
    assert (
        client.post(reverse("admin:ml_servedworld_choose"), {"world": "real", "_form_submitted": "on"}).status_code
        == 403
    )
    assert not PipelineRun.objects.exists()
    assert selectors.served_world() == World.SANDBOX
