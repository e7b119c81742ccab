"""Versions and runs side by side, and lists as CSV."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse


def test_versions_are_compared_side_by_side_labelled_ones_too(admin, two_versions):
    address = reverse("admin:ml_modelversion_side_by_side")
    page = admin.get(address, {"id": [each.pk for each in two_versions]}).content.decode()
    for said in ("price_home", "split.test_refits", "0.98000", "prices before the match", "+0.0800 [+0.0500, +0.1100]"):
        assert said in page
    assert "ECE of home" in page
    assert "split.least_rows" not in page, "equal parameters are only counted"
    given = [each.pk for each in two_versions]
    file = admin.get(address, {"id": given, "format": "csv"})
    assert file["Content-Disposition"].startswith("attachment")
    assert "Parameters,split.test_refits,3,4" in file.content.decode()


def test_runs_are_compared_side_by_side(admin, two_versions):
    given = [each.pipeline_run_id for each in two_versions]
    page = admin.get(reverse("admin:ml_pipelinerun_side_by_side"), {"id": given}).content.decode()
    for said in ("model 1 (sandbox)", "split.test_refits", "price_home"):
        assert said in page


@pytest.mark.parametrize("given", [[], [999], ["", "x"], ["-1"], ["9" * 30]])
def test_a_comparison_of_nothing_says_what_to_choose_or_is_not_found(admin, db, given):
    answer = admin.get(reverse("admin:ml_modelversion_side_by_side"), {"id": given})
    assert answer.status_code == 404 or "Choose two or more" in answer.content.decode()


def test_rows_of_a_list_are_chosen_to_be_compared(admin, two_versions):
    listed = reverse("admin:ml_modelversion_changelist")
    given = {"action": "compare_side_by_side", "_selected_action": [each.pk for each in two_versions]}
    assert admin.post(listed, given).url.startswith(reverse("admin:ml_modelversion_side_by_side"))
    one = admin.post(listed, given | {"_selected_action": [two_versions[0].pk]}, follow=True)
    assert "Choose two to 6 rows" in one.content.decode()


def test_lists_are_exported_as_csv_with_their_filters(admin, two_versions):
    listed = reverse("admin:ml_pipelinerun_changelist")
    assert (
        f"{reverse('admin:ml_pipelinerun_csv')}?status__exact=succeeded"
        in admin.get(listed, {"status__exact": "succeeded"}).content.decode()
    )
    header, *rows = (
        admin.get(reverse("admin:ml_pipelinerun_csv"), {"status__exact": "succeeded"}).content.decode().splitlines()
    )
    assert header.startswith("id,world,profile,as_of,status")
    assert len(rows) == 1
    assert "'=1+1" in rows[0], "no spreadsheet computes a note"
    versions = admin.get(reverse("admin:ml_modelversion_csv")).content.decode()
    assert "champion" in versions
    assert "labelled" in versions
    assert ",0.98," in versions
    assert admin.get(reverse("admin:ml_comparison_csv")).content.decode().startswith("decided_at,world")
    scores = admin.get(reverse("admin:ml_modelversion_scores", args=[two_versions[1].pk])).content.decode()
    assert scores.splitlines()[0] == "model,inputs,log loss,RPS,Brier score,ECE,accuracy,matches"
    assert "closing line,prices,0.9" in scores


@pytest.mark.parametrize(
    "name", ["pipelinerun_csv", "pipelinerun_side_by_side", "modelversion_charts", "modelversion_csv"]
)
def test_whoever_may_not_view_exports_and_compares_nothing(admin_process, client, db, name):
    client.force_login(get_user_model().objects.create_user("eve", is_staff=True))
    assert client.get(reverse(f"admin:ml_{name}")).status_code == 403
