"""The admin: runs are asked for and followed, promotions are decided with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.models import Comparison, PipelineRun, Promotion, StageLog
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


def test_the_progress_is_a_bar_with_a_text_for_those_who_hear_it(admin, run):
    page = admin.get(reverse("admin:ml_pipelinerun_progress", args=[run.pk])).content.decode()
    assert 'role="progressbar"' in page
    assert 'aria-valuenow="50"' in page
    assert 'aria-valuetext="50 %, 1 of 2 stages"' in page
    assert "no earlier run of this world and profile" in page


def test_a_failed_run_says_which_stage_why_which_rows_and_what_to_do(admin, run):
    PipelineRun.objects.filter(pk=run.pk).update(
        status="failed",
        error={
            "stage": "split",
            "message": "too short",
            "rows": ["data/finished.parquet: a goal: match_id=17, home=<b>"],
            "next_step": "Import older seasons.",
        },
    )
    page = admin.get(reverse("admin:ml_pipelinerun_change", args=[run.pk])).content.decode()
    for said in (
        "It stopped in split.",
        "Makes the steps of the walk forward",
        "Why: too short",
        "match_id=17, home=&lt;b&gt;",
        reverse("admin:matches_match_change", args=[17]),
        "Import older seasons.",
        "Parameters that this stage reads: split.",
        reverse("admin:ml_pipelinerun_run_again", args=[run.pk]),
    ):
        assert said in page


def test_the_log_of_a_stage_is_plain_text(admin, run):
    StageLog.objects.create(run=run, stage="export", text="<script>1</script>")
    address = reverse("admin:ml_pipelinerun_stage_log", args=[run.pk, "export"])
    assert address in admin.get(reverse("admin:ml_pipelinerun_progress", args=[run.pk])).content.decode()
    answer = admin.get(address)
    assert (answer.content, answer["Content-Type"]) == (b"<script>1</script>", "text/plain; charset=utf-8")
    assert admin.get(reverse("admin:ml_pipelinerun_stage_log", args=[run.pk, "train"])).status_code == 404


@pytest.fixture
def two_versions(run, now):
    """A champion, and a labelled version that a run made."""
    build = Builder(now)
    champion = build.version(1, columns=["elo_diff"], pipeline_run=run)
    run.params = {"split": {"test_refits": 3, "least_rows": 200}}
    run.save()
    build.promote(champion)
    other = PipelineRun.objects.create(
        world="sandbox", as_of=now, profile="smoke", requested_by="ada", created_at=now, status="succeeded",
        params={"split": {"test_refits": 4, "least_rows": 200}}, notes="=1+1",
    )  # fmt: skip
    metrics = champion.metrics | {
        "benchmarks": [
            {
                "name": "closing line",
                "scores": {"log_loss": 0.9},
                "gap": {"log_loss": {"mean": 0.08, "low": 0.05, "high": 0.11}},
            }
        ],
        "reliability": [{"outcome": "home", "ece": 0.02, "ece_limit": 0.03, "before": {"ece": 0.05}}],
    }
    labelled = build.version(
        2, inputs="prices before the match", columns=["elo_diff", "price_home"], pipeline_run=other, metrics=metrics
    )
    return champion, labelled


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


def test_a_run_that_made_a_version_leads_to_its_comparison_and_promotion(admin, two_versions):
    champion, labelled = two_versions
    candidate = Builder(champion.created_at).version(3, pipeline_run=labelled.pipeline_run)
    page = admin.get(reverse("admin:ml_pipelinerun_change", args=[labelled.pipeline_run_id])).content.decode()
    assert f"?id={candidate.pk}&amp;id={champion.pk}" in page
    assert reverse("admin:ml_modelversion_promote_version", args=[candidate.pk]) in page
    assert reverse("admin:ml_modelversion_promote_version", args=[labelled.pk]) not in page


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
    assert admin.get(progress).headers["HX-Refresh"] == "true"
    over = admin.get(reverse("admin:ml_pipelinerun_change", args=[run.pk])).content.decode()
    for said in ("validate_raw", "2 rows break it", "match 7", "mend them"):
        assert said in over
    assert "every 1s" not in over


def test_before_its_stages_are_known_a_run_takes_as_long_as_earlier_ones(run):
    earlier = {
        "export": selectors.StageDuration("export", 2, 4.0, 5.0, 3.0, 6.0),
        "train": selectors.StageDuration("train", 2, *[60.0] * 4),
    }
    run.stages = []
    progress = selectors.run_progress(run, earlier, now=run.started_at)
    assert (str(progress), progress.percent, progress.seconds_left) == ("the stages are being listed", 0, 65.0)


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
