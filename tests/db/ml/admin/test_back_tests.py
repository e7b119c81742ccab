"""Back-tests of the champion in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from apps.ml.models import PipelineRun
from tests.web.conftest import Builder


@pytest.fixture
def back_test(db, now):
    """A finished back-test of the champion, with its result and the gap beside the live one."""
    build = Builder(now)
    version = build.version(1)
    build.promote(version)
    interval = {"mean": 0.0123, "low": -0.001, "high": 0.0256, "n": 500, "days": 90}
    line = {"name": "closing line of Pinnacle", "bookmaker": "PS", "n": 500, "scores": {"log_loss": 0.96}}
    line |= {"gap": {"log_loss": interval, "rps": interval}, "distance": interval}
    metrics = {"best": "elo_logit", "inputs": {}, "models": {"elo_logit": {"log_loss": 0.98}}, "benchmarks": [line]}
    metrics["test"] = {"from": "2025-08-08", "to": "2026-05-24", "n": 528}
    made = build.run(kind="back-test", back_test_of=version, status="succeeded", metrics=metrics, finished_at=now)
    build.gap(version, made)
    return made


def test_the_page_of_a_back_test_has_its_result_and_no_form_for_other_parameters(admin, back_test):
    page = admin.get(reverse("admin:ml_pipelinerun_change", args=[back_test.pk])).content.decode()
    for said in ("Back-test of", "model 1 (sandbox)", "Result: 528 matches", "closing line of Pinnacle", "+0.0123"):
        assert said in page
    assert "Change parameters and run again" not in page
    listed = admin.get(reverse("admin:ml_pipelinerun_changelist"), {"kind__exact": "back-test"}).content.decode()
    assert reverse("admin:ml_pipelinerun_change", args=[back_test.pk]) in listed
    none = admin.get(reverse("admin:ml_pipelinerun_changelist"), {"kind__exact": "training"}).content.decode()
    assert reverse("admin:ml_pipelinerun_change", args=[back_test.pk]) not in none


def test_the_page_of_the_champion_has_the_gap_live_beside_back_tested(admin, back_test):
    page = admin.get(reverse("admin:ml_modelversion_change", args=[back_test.back_test_of_id])).content.decode()
    for said in ("live beside back-tested", "+0.0150", "2,345 more graded matches", f"run {back_test.pk}"):
        assert said in page


def test_a_champion_without_a_back_test_says_that_nights_have_one(admin, now):
    build = Builder(now)
    version = build.version(1)
    build.promote(version)
    page = admin.get(reverse("admin:ml_modelversion_change", args=[version.pk])).content.decode()
    assert "It was not back-tested yet" in page


def test_a_back_test_of_a_world_without_a_champion_is_refused_in_its_dialog(admin, db):
    answer = admin.post(reverse("admin:ml_pipelinerun_back_test_champion"), {"world": "real", "_form_submitted": "on"})
    assert "no champion to back-test yet" in answer.content.decode()
    assert not PipelineRun.objects.exists()


def test_whoever_may_only_view_runs_starts_no_back_test(admin_process, client, back_test):
    viewer = get_user_model().objects.create_user("vic", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
    client.force_login(viewer)
    address = reverse("admin:ml_pipelinerun_back_test_champion")
    assert client.post(address, {"world": "sandbox", "_form_submitted": "on"}).status_code == 403
    assert address not in client.get(reverse("admin:ml_pipelinerun_changelist")).content.decode()
    assert PipelineRun.objects.count() == 1
