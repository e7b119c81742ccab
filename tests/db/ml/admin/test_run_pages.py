"""The page of a run: its progress, its failure, its log."""

from __future__ import annotations

from datetime import timedelta

from django.urls import reverse

from apps.ml import selectors
from apps.ml.models import PipelineRun, StageLog
from tests.web.conftest import Builder


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
