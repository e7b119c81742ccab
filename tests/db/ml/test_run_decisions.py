"""What people decide about runs: parameters, cancelling, retries, notes; and what they see of the progress."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from django.db import connection

from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.models import PipelineRun
from apps.ml.params_schema import ParametersRefusedError
from apps.ml.services import runs, workspaces

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _enough_history(monkeypatch, settings, tmp_path):
    settings.SPAI_VAR_DIR = tmp_path
    monkeypatch.setattr(runs, "refuse_impossible", lambda **_: None)


@pytest.fixture
def wakes(monkeypatch) -> list[str]:
    topics: list[str] = []
    monkeypatch.setattr("apps.matches.events.start_tasks_after_commit", topics.append)
    return topics


def queued(**more) -> PipelineRun:
    wanted = {"world": "sandbox", "profile": "smoke", "requested_by": "ann", "reason": "try", "now": NOW}
    return services.queue_run(**wanted | more)


def ended(*seconds: float | None, **more) -> PipelineRun:
    """A run whose stages `export` and `train` took so long."""
    names = ("export", "train")
    stages = [
        {"name": name, "status": "done" if took is not None else "waiting", "started_at": None, "seconds": took}
        for name, took in zip(names, seconds, strict=True)
    ]
    about = {"world": "sandbox", "profile": "smoke", "as_of": NOW, "requested_by": "ann", "created_at": NOW}
    return PipelineRun.objects.create(**about | {"status": "succeeded", "stages": stages} | more)


@pytest.mark.django_db
def test_a_run_has_the_parameters_that_were_chosen_and_says_which(wakes):
    run = queued(overrides={"split.test_refits": 3}, notes="less to test", tags=["quick"])
    assert run.params["split"]["test_refits"] == 3
    assert (run.overrides, run.notes, run.tags) == ({"split.test_refits": 3}, "less to test", ["quick"])
    assert queued(overrides={"split.test_refits": 3}) == run, "a double click"
    assert queued() != run


@pytest.mark.django_db
def test_a_run_with_a_parameter_that_does_not_fit_is_refused(wakes):
    with pytest.raises(ParametersRefusedError, match="a whole number from 1 to 50"):
        queued(overrides={"split.test_refits": 0})
    assert not PipelineRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_queue_one_run(wakes):
    def ask(_: int) -> int:
        try:
            return queued().pk
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert len(set(threads.map(ask, range(4)))) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["queued", "interrupted", "running"])
def test_a_run_that_nobody_works_on_is_cancelled_at_once_and_only_once(wakes, status):
    run = queued()
    PipelineRun.objects.filter(pk=run.pk).update(status=status, heartbeat_at=NOW - timedelta(days=1), executor="dead")
    first = services.cancel_run(run_id=run.pk, by="ann", now=NOW)
    second = services.cancel_run(run_id=run.pk, by="bob", now=NOW + timedelta(seconds=1))
    run.refresh_from_db()
    assert (first.is_new, second.is_new) == (True, False)
    assert (run.status, run.cancelled_by, run.finished_at) == ("cancelled", "ann", NOW)
    assert run.is_over
    assert runs.run_due(now=NOW) is None
    assert wakes[-1] == "run_requested", "the next run need not wait for the timetable"


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["succeeded", "unchanged", "failed"])
def test_a_run_that_has_ended_is_not_cancelled(wakes, status):
    run = ended(1.0, 2.0, status=status)
    with pytest.raises(services.RunRefusedError, match=f"has ended already: {status}"):
        services.cancel_run(run_id=run.pk, by="ann", now=NOW)
    run.refresh_from_db()
    assert (run.status, run.cancelled_by) == (status, "")


@pytest.mark.django_db
def test_what_is_decided_about_no_run_is_refused():
    for decide in (
        lambda: services.cancel_run(run_id=999, by="ann", now=NOW),
        lambda: services.retry_run(run_id=999, stage="train", by="ann", now=NOW),
        lambda: services.describe_run(run_id=999, notes="", tags=[], by="ada", now=NOW),
    ):
        with pytest.raises(services.RunRefusedError, match="There is no run 999"):
            decide()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kept", "status", "first"),
    [
        (["export", "validate_raw"], "failed", ["validate_raw", "preprocess"]),
        ([], "failed", []),
        (["export", "validate_raw"], "running", []),
        (None, "failed", []),
    ],
)
def test_a_retry_may_begin_with_a_stage_whose_earlier_ones_have_ended(kept, status, first):
    lock = "\ufffd\ufffd" if kept is None else yaml.safe_dump({"schema": "2.0", "stages": {name: {} for name in kept}})
    run = ended(1.0, None, status=status, dvc_lock=lock)
    workspaces.folder_of(run).mkdir(parents=True)
    assert services.stages_to_retry(run) == first
    with pytest.raises(services.RunRefusedError, match="cannot be retried from train"):
        services.retry_run(run_id=run.pk, stage="train", by="ann", now=NOW)


@pytest.mark.django_db
def test_a_retry_has_the_parameters_of_its_run_and_the_results_before_its_stage(wakes):
    stages = {name: {"cmd": name} for name in services.read_stages()}
    lock = yaml.safe_dump({"schema": "2.0", "stages": stages})
    run = ended(1.0, 2.0, dvc_lock=lock, params={"split": {"test_refits": 3}}, overrides={"split.test_refits": 3})
    with pytest.raises(services.RunRefusedError, match="Run it again from the start"):
        services.retry_run(run_id=run.pk, stage="validate_raw", by="bob", now=NOW)  # retention deleted its results
    workspaces.folder_of(run).mkdir(parents=True)
    retry = services.retry_run(run_id=run.pk, stage="validate_raw", by="bob", now=NOW)
    assert (retry.params, retry.overrides, retry.requested_by) == (run.params, run.overrides, "bob")
    assert retry.reason == f"run {run.pk} again from validate_raw"
    assert list(yaml.safe_load(retry.dvc_lock)["stages"]) == ["export"]


@pytest.mark.django_db
def test_notes_and_tags_are_set_and_tags_are_found():
    run = ended(1.0, 2.0)
    services.describe_run(run_id=run.pk, notes="<b>odd</b>", tags=["Night", "night", "v1.2"], by="ada", now=NOW)
    run.refresh_from_db()
    assert (run.notes, run.tags) == ("<b>odd</b>", ["night", "v1.2"])
    assert selectors.run_tags() == ["night", "v1.2"]


@pytest.mark.parametrize(
    ("text", "tags"), [("", []), (" , ", []), ("a, b  c", ["a", "b", "c"]), ("A a", ["a"]), ("übung", ["übung"])]
)
def test_tags_are_separated_by_spaces_or_commas(text, tags):
    assert services.tags_of(text) == tags


@pytest.mark.parametrize("text", ["<b>", "x" * 31, " ".join(map(str, range(11))), "a/b", "a\0b"])
def test_what_is_no_tag_is_refused(text):
    with pytest.raises(services.RunRefusedError):
        services.tags_of(text)


@pytest.mark.django_db
def test_durations_are_those_of_earlier_runs_of_the_same_world_and_profile():
    ended(10.0, 100.0)
    ended(20.0, None, status="failed")
    ended(1.0, 1.0, profile="production")
    ended(1.0, 1.0, world="real")
    run = ended(999.0, 999.0)
    found = selectors.stage_durations(World.SANDBOX, "smoke", before=run.pk)
    export = found["export"]
    assert (export.runs, export.latest, export.median, export.shortest, export.longest) == (2, 20.0, 15.0, 10.0, 20.0)
    assert found["train"].runs == 1


@pytest.mark.django_db
def test_the_progress_weighs_stages_by_how_long_they_usually_take():
    ended(10.0, 90.0)
    durations = selectors.stage_durations(World.SANDBOX, "smoke")
    run = ended(8.0, None, status="running")
    run.stages[1] |= {"status": "running", "started_at": NOW.isoformat()}
    progress = selectors.run_progress(run, durations, now=NOW + timedelta(seconds=45))
    # 10 of 100 s are done, and half of the other 90.
    assert (progress.percent, progress.seconds_left, str(progress)) == (55, 45.0, "1 of 2 stages")
    late = selectors.run_progress(run, durations, now=NOW + timedelta(hours=9))
    assert (late.percent, late.seconds_left) == (95, 0.0)


@pytest.mark.django_db
def test_the_progress_counts_stages_while_no_duration_is_known():
    run = ended(8.0, None, status="running")
    progress = selectors.run_progress(run, {}, now=NOW)
    assert (progress.percent, progress.seconds_left) == (50, None)
    assert selectors.run_progress(ended(8.0, None, stages=[]), {}, now=NOW).percent == 0
