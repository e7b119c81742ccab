"""Versions are read about, promoted with a reason, and rolled back to; the served world is chosen."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.urls import reverse

from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.models import Comparison, Promotion
from tests.web.conftest import Builder


def test_charts_show_the_scores_of_all_versions_without_prices(admin, run, now):
    build = Builder(now)
    address = reverse("admin:ml_modelversion_charts")
    assert "A chart needs two versions" in admin.get(address).content.decode()
    build.promote(build.version(1))
    build.version(2, metrics={})
    build.version(3)
    page = admin.get(address, {"world": "sandbox", "profile": "smoke"}).content.decode()
    assert page.count("<circle") == 8, "four scores of two versions that have any"
    assert "spai-champion" in page
    assert "Log loss by version" in page


def test_a_version_links_to_its_run_in_mlflow_without_the_login(admin, settings, two_versions):
    settings.MLFLOW_TRACKING_URI = "http://ann:secret@127.0.0.1:5000/"
    page = admin.get(reverse("admin:ml_modelversion_change", args=[two_versions[0].pk])).content.decode()
    assert f"http://127.0.0.1:5000/#/runs/{'0' * 32}" in page
    assert "secret" not in page


def test_a_promotion_asks_for_a_reason_and_records_it(admin, make_version):
    version = make_version(1)
    address = reverse("admin:ml_modelversion_promote_version", args=[version.pk])
    assert "A rollback undoes the promotion" in admin.get(address).content.decode()
    admin.post(address, {"reason": "", "_form_submitted": "on"})
    assert not Promotion.objects.exists()
    admin.post(address, {"reason": "sharper", "_form_submitted": "on"})
    admin.post(address, {"reason": "double click", "_form_submitted": "on"})
    promotion = Promotion.objects.get()
    assert (promotion.decided_by, promotion.reason) == ("admin", "sharper")


def test_the_page_of_a_version_shows_its_stage_and_the_comparison_line_by_line(admin, make_version, now):
    services.promote(version=make_version(1, home=0.55), user=None, reason="first", now=now)
    candidate = make_version(2, home=0.4)
    page = reverse("admin:ml_modelversion_change", args=[candidate.pk])
    assert "It was not compared with a champion yet" in admin.get(page).content.decode()
    address = reverse("admin:ml_modelversion_compare_again", args=[candidate.pk])
    assert "Nothing is promoted" in admin.get(address).content.decode()
    for _ in range(2):
        admin.post(address, {"_form_submitted": "on"})
    row = Comparison.objects.get()
    text = admin.get(page).content.decode()
    for said in (
        "stays a candidate",
        "worst competition",
        "golden rows",
        "candidate − champion is",
        "not met",
        "Limitations",
    ):
        assert said in text
    assert "stays a candidate" in admin.get(reverse("admin:ml_comparison_change", args=[row.pk])).content.decode()
    listed = admin.get(reverse("admin:ml_modelversion_changelist")).content.decode()
    assert "champion" in listed
    assert "candidate" in listed


def test_a_promotion_names_what_speaks_against_it(admin, make_version, now):
    services.promote(version=make_version(1, home=0.55), user=None, reason="first", now=now)
    candidate = make_version(2, home=0.4, passed=False)
    address = reverse("admin:ml_modelversion_promote_version", args=[candidate.pk])
    assert "it has not been compared with the champion" in admin.get(address).content.decode()
    services.compare(version=candidate, now=now)
    dialog = admin.get(address).content.decode()
    assert "Warnings:" in dialog
    assert "gate “log loss” did not pass" in dialog
    assert "log loss: candidate − champion is +" in dialog
    admin.post(address, {"reason": "I know better", "_form_submitted": "on"})
    assert selectors.champion(World.SANDBOX).version_id != candidate.pk, "not without saying so"
    refused = admin.get(reverse("admin:ml_modelversion_change", args=[candidate.pk])).content.decode()
    assert "is not promoted: gate “log loss” did not pass" in refused
    admin.post(address, {"reason": "I know better", "despite": "on", "_form_submitted": "on"})
    assert selectors.champion(World.SANDBOX).version_id == candidate.pk
    # The names of measures keep their capitals: RPS, ECE.
    said = admin.get(reverse("admin:ml_modelversion_change", args=[candidate.pk])).content.decode()
    assert "Model 2 (sandbox) is champion. Warnings:" in said


def test_a_labelled_version_is_refused_with_the_reason(admin, make_version):
    version = make_version(1, inputs="prices before the match")
    admin.post(
        reverse("admin:ml_modelversion_promote_version", args=[version.pk]),
        {"reason": "sharp", "_form_submitted": "on"},
    )
    assert not Promotion.objects.exists()
    page = admin.get(reverse("admin:ml_modelversion_change", args=[version.pk])).content.decode()
    assert "the champion must need none" in page


def test_the_report_is_shown_and_may_run_nothing(admin, make_version):
    version = make_version(1, home=0.6)
    response = admin.get(reverse("admin:ml_modelversion_report", args=[version.pk]))
    assert response.content == b"<h1>Report</h1>"
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script" not in policy
    assert admin.get(reverse("admin:ml_modelversion_report", args=[make_version(2).pk])).status_code == 404


def test_a_rollback_is_one_dialog_away(admin, make_version, now):
    first, second = make_version(1), make_version(2)
    services.promote(version=first, user=None, reason="first", now=now)
    services.promote(version=second, user=None, reason="second", now=now)
    address = reverse("admin:ml_promotion_roll_back_sandbox")
    admin.post(address, {"reason": "worse on derbies", "_form_submitted": "on"})
    promotion = selectors.champion(World.SANDBOX)
    assert (promotion.version_id, promotion.kind, promotion.decided_by) == (first.pk, "rollback", "admin")


def test_whoever_is_not_allowed_promotes_nothing(admin_process, client, make_version):
    version = make_version(1)
    client.force_login(get_user_model().objects.create_user("eve", is_staff=True))
    address = reverse("admin:ml_modelversion_promote_version", args=[version.pk])
    assert client.post(address, {"reason": "mine", "_form_submitted": "on"}).status_code == 403
    assert not Promotion.objects.exists()


def test_the_served_world_is_chosen_in_its_dialog(admin):
    admin.post(reverse("admin:ml_servedworld_choose"), {"world": "real", "_form_submitted": "on"})
    assert selectors.served_world() == World.REAL
