"""Runs are cancelled, retried and described."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from apps.ml.models import PipelineRun
from apps.ml.services import workspaces


def test_a_run_is_cancelled_in_its_dialog_and_a_double_click_does_no_harm(admin, run):
    address = reverse("admin:ml_pipelinerun_cancel_run", args=[run.pk])
    assert "stopped within seconds" in admin.get(address).content.decode()
    for _ in range(2):
        admin.post(address, {"_form_submitted": "on"})
    run.refresh_from_db()
    assert (run.status, run.cancelled_by) == ("cancelled", "admin")
    page = admin.get(reverse("admin:ml_pipelinerun_change", args=[run.pk])).content.decode()
    assert "was cancelled by admin before" in page
    assert address not in page, "there is nothing left to cancel"


def test_a_run_is_retried_from_a_stage_that_its_dialog_offers(admin, run):
    lock = "{schema: '2.0', stages: {export: {cmd: x}, validate_raw: {cmd: x}}}"
    PipelineRun.objects.filter(pk=run.pk).update(status="failed", dvc_lock=lock, error={"stage": "preprocess"})
    workspaces.folder_of(run).mkdir(parents=True, exist_ok=True)
    address = reverse("admin:ml_pipelinerun_retry_run", args=[run.pk])
    assert '<option value="preprocess" selected>' in admin.get(address).content.decode()
    assert "train is not one of" in admin.post(address, {"stage": "train", "_form_submitted": "on"}).content.decode()
    admin.post(address, {"stage": "preprocess", "_form_submitted": "on"})
    retry = PipelineRun.objects.latest("pk")
    assert (retry.first_stage, retry.retry_of, retry.requested_by) == ("preprocess", run, "admin")
    assert "Repeated by" in admin.get(reverse("admin:ml_pipelinerun_change", args=[run.pk])).content.decode()


def test_notes_and_tags_are_edited_and_runs_are_found_by_them(admin, run):
    address = reverse("admin:ml_pipelinerun_describe_run", args=[run.pk])
    admin.post(address, {"notes": "<i>odd</i>", "tags": "night", "_form_submitted": "on"})
    page = admin.get(reverse("admin:ml_pipelinerun_change", args=[run.pk])).content.decode()
    assert "&lt;i&gt;odd&lt;/i&gt;" in page
    listed = reverse("admin:ml_pipelinerun_changelist")
    row = reverse("admin:ml_pipelinerun_change", args=[run.pk])
    assert row in admin.get(listed, {"tag": "night"}).content.decode()
    assert row not in admin.get(listed, {"tag": "day"}).content.decode()
    assert row in admin.get(listed, {"q": "odd"}).content.decode()


@pytest.mark.parametrize("action", ["cancel_run", "retry_run", "describe_run", "run_again"])
def test_whoever_may_only_view_runs_decides_nothing_about_them(admin_process, client, run, action):
    viewer = get_user_model().objects.create_user("vic", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
    client.force_login(viewer)
    address = reverse(f"admin:ml_pipelinerun_{action}", args=[run.pk])
    assert client.post(address, {"notes": "mine", "stage": "train", "_form_submitted": "on"}).status_code == 403
    page = client.get(reverse("admin:ml_pipelinerun_change", args=[run.pk])).content.decode()
    assert "validate_raw" in page
    assert address not in page
    before = run.notes, run.status
    run.refresh_from_db()
    assert (run.notes, run.status) == before
    assert PipelineRun.objects.count() == 1
