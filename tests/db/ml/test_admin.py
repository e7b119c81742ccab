"""The admin: runs are asked for and followed, promotions are decided with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.matches.models import World
from apps.ml import selectors
from apps.ml.models import Comparison, PipelineRun, Promotion
from apps.ml.services import workspaces
from tests.factories import CompetitionFactory, FinishedMatchFactory, SeasonFactory
from tests.web.conftest import Builder


@pytest.fixture
def run(db, now):
    return PipelineRun.objects.create(
        world=World.SANDBOX,
        status=PipelineRun.RunStatus.RUNNING,
        as_of=now,
        profile="smoke",
        requested_by="ada",
        created_at=now,
        started_at=now,
        stages=[
            {"name": "export", "status": "done", "seconds": 1.5},
            {"name": "validate_raw", "status": "running", "seconds": None},
        ],
    )


def test_the_home_panel_shows_both_worlds(admin, stored):
    page = admin.get(reverse("admin:index")).content.decode()
    assert "Sandbox world · shown first" in page
    assert "Real world" in page
    assert "No real match is stored" in page


@pytest.fixture
def history(db, monkeypatch):
    """Results of the sandbox around 1 July 2024, of which a walk forward asks for no more than one on both sides."""
    split = workspaces.read_params()["split"] | {"least_rows": 1, "warm_up_days": 30}
    monkeypatch.setattr(workspaces, "read_params", lambda: {"split": split})
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
    answer = admin.post(reverse("admin:ml_pipelinerun_run_again", args=[run.pk]), {"_form_submitted": "on"})
    page = admin.get(answer.headers["HX-Redirect"]).content.decode()
    assert "The sandbox world has no match with a result yet" in page
    assert PipelineRun.objects.get() == run


def test_an_interrupted_run_is_shown_so_with_its_cause(admin, run, now):
    run.status = PipelineRun.RunStatus.INTERRUPTED
    run.stages[1]["status"] = "interrupted"
    run.interruptions = [{"at": now.isoformat(), "stage": "validate_raw", "kind": "stopped", "cause": "a storm"}]
    run.save()
    for address in (
        reverse("admin:ml_pipelinerun_changelist"),
        reverse("admin:ml_pipelinerun_change", args=[run.pk]),
        reverse("admin:ml_pipelinerun_progress", args=[run.pk]),
    ):
        assert "Interrupted, resumes" in admin.get(address).content.decode(), address
    assert "Interrupted in validate_raw" in admin.get(address).content.decode()
    assert "a storm" in admin.get(address).content.decode()
    assert admin.get(address).status_code == 200, "its page goes on following it"


def test_a_run_whose_worker_is_dead_is_shown_as_interrupted(admin, run, now):
    run.heartbeat_at = now - timedelta(seconds=10)
    run.save()
    for address in (
        reverse("admin:ml_pipelinerun_changelist"),
        reverse("admin:ml_pipelinerun_change", args=[run.pk]),
        reverse("admin:ml_pipelinerun_progress", args=[run.pk]),
    ):
        page = admin.get(address).content.decode()
        assert "Interrupted, resumes" in page, address
    assert "interrupted, resumes" in admin.get(reverse("admin:index")).content.decode()


def test_the_page_of_a_run_follows_it_until_it_is_over(admin, run):
    page = admin.get(reverse("admin:ml_pipelinerun_change", args=[run.pk])).content.decode()
    assert "validate_raw" in page
    assert 'hx-trigger="every 1s [!document.hidden]"' in page
    progress = reverse("admin:ml_pipelinerun_progress", args=[run.pk])
    assert admin.get(progress).status_code == 200
    PipelineRun.objects.filter(pk=run.pk).update(
        status="failed",
        finished_at=run.started_at,
        error={"stage": "validate_raw", "message": "2 rows break it", "rows": ["match 7"], "next_step": "mend them"},
    )
    over = admin.get(progress)
    assert over.status_code == 286
    for said in ("validate_raw", "2 rows break it", "match 7", "mend them"):
        assert said in over.content.decode()
    assert "hx-trigger" not in over.content.decode()


def test_an_unknown_run_is_not_found(admin):
    assert admin.get(reverse("admin:ml_pipelinerun_progress", args=[999])).status_code == 404


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
    from apps.ml import services

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
    from apps.ml import services

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
    assert "not available for coming matches" in page


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
    from apps.ml import services

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


def test_the_served_world_is_chosen_in_its_dialog(admin):
    admin.post(reverse("admin:ml_servedworld_choose"), {"world": "real", "_form_submitted": "on"})
    assert selectors.served_world() == World.REAL


def test_every_list_of_models_opens(admin, make_version, now):
    make_version(1)
    models = apps.get_app_config("ml").get_models()
    listed = [model._meta.model_name for model in models if site.is_registered(model)]
    assert len(listed) >= 10
    assert {name: admin.get(reverse(f"admin:ml_{name}_changelist")).status_code for name in listed} == dict.fromkeys(
        listed, 200
    )


@pytest.mark.parametrize(
    ("model", "left"),
    [
        ("pipelinerun", ["log", "params", "dvc_lock", "metrics"]),
        ("promotion", ["bundle", "metrics", "gates", "columns"]),
        ("prediction", ["bundle", "metrics", "gates", "columns"]),
        ("seasonforecast", ["table"]),
    ],
)
def test_a_list_leaves_in_the_database_what_it_does_not_show(admin, run, now, model, left):
    build = Builder(now)
    version = build.version()
    decision = {"kind": "promote", "decided_by": "ada", "reason": "lower log loss", "decided_at": now}
    Promotion.objects.create(world=World.SANDBOX, version=version, previous=build.version(2), **decision)
    season = build.season()
    build.prediction(build.match(season=season), version)
    build.season_end(season, version, ["Northgate", "Old Mill"])
    with CaptureQueriesContext(connection) as queries:
        page = admin.get(reverse(f"admin:ml_{model}_changelist")).content.decode()
    assert f"/admin/ml/{model}/" in page
    read = " ".join(query["sql"] for query in queries)
    assert [name for name in left if f'."{name}"' in read] == []


def test_who_promoted_what_comes_without_what_is_large_in_a_version(db, now):
    build = Builder(now)
    build.promote(build.version())
    with CaptureQueriesContext(connection) as queries:
        (promotion,) = selectors.promotions(World.SANDBOX)
        assert promotion.version.number == 1
    assert len(queries) == 1
    for name in ("bundle", "metrics", "gates", "columns"):
        assert f'."{name}"' not in queries[0]["sql"]
