"""Training again by itself: each reason once, never twice, one at a time, and a row for every decision."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.urls import reverse

from apps.matches.models import Match, World
from apps.ml import selectors, services
from apps.ml.models import DriftReport, ModelVersion, PipelineRun, RetrainingDecision, Score
from apps.ml.pipeline import revision
from apps.ml.services import retraining, workspaces
from tests.factories import CompetitionFactory, FinishedMatchFactory, IngestFactory, SeasonFactory
from tests.web.conftest import Builder

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=2)
"""After the quiet period, before a training is due by time."""

SANDBOX = World.SANDBOX


@pytest.fixture(autouse=True)
def _no_messages(monkeypatch, settings):
    settings.SPAI_PROFILE = "smoke"
    monkeypatch.setattr("apps.matches.events.start_tasks_after_commit", lambda topic: None)


@pytest.fixture
def build(db):
    return Builder(NOW)


@pytest.fixture
def champion(build):
    """A champion that was made now, with the present code and parameters."""
    version = build.version(
        sources_sha256=revision.sources_sha256(),
        params_sha256=revision.params_sha256(workspaces.read_params(), "smoke"),
    )
    build.promote(version)
    return version


def store_results(n: int, *, at: datetime) -> None:
    """Store the results of so many matches of the sandbox."""
    season = SeasonFactory(competition=CompetitionFactory(is_simulated=True))
    about = {"season": season, "kickoff_at": at - timedelta(hours=4), "known_at": at - timedelta(hours=1)}
    ingest = IngestFactory(world=SANDBOX, started_at=at, finished_at=at)
    first = FinishedMatchFactory(**about, ingest=ingest)
    columns = {field.attname for field in Match._meta.concrete_fields} - {"id", "occurrence"}
    copied = {name: getattr(first, name) for name in columns}
    Match.objects.bulk_create(Match(**copied, occurrence=number) for number in range(2, n + 1))


def end(run: PipelineRun, status: str = "succeeded", *, at: datetime, **error) -> None:
    code = revision.code_revision()
    PipelineRun.objects.filter(pk=run.pk).update(
        status=status, started_at=at, finished_at=at, error=error, code_revision=code
    )


def decided(world: World = SANDBOX) -> RetrainingDecision:
    return RetrainingDecision.objects.filter(world=world).latest("id")


def set_policy(**changes) -> None:
    values = {name.replace("__", "."): value for name, value in changes.items()}
    services.change_policy(world=SANDBOX, changes=values, user=User(username="ada"), reason="a test", now=NOW)


def test_five_hundred_results_train_once(champion):
    store_results(499, at=LATER - timedelta(hours=1))
    assert services.retrain_due(now=LATER) == []
    assert (decided().answer, decided().cause) == ("no", "no reason")
    assert "499 results were stored or changed since 2026-11-23 09:00 UTC" in decided().reason
    store_results(1, at=LATER - timedelta(hours=1))
    (run,) = services.retrain_due(now=LATER)
    assert (run.world, run.profile, run.requested_by) == ("sandbox", "smoke", "system")
    assert run.as_of == LATER
    assert run.reason.startswith("500 or more results were stored or changed")
    assert (decided().answer, decided().cause, decided().run) == ("run", "new results", run)
    assert services.retrain_due(now=LATER) == [], "a doubled task"
    assert (decided().cause, decided().reason) == ("one at a time", f"{run} is queued")
    end(run, at=LATER + timedelta(hours=1))
    assert services.retrain_due(now=LATER + timedelta(days=2)) == [], "the same results ask for nothing more"
    assert decided().cause == "no reason"
    assert PipelineRun.objects.count() == 1


def test_a_run_that_leaves_nothing_new_is_not_repeated_for_the_same_results(champion):
    store_results(500, at=LATER - timedelta(hours=1))
    (run,) = services.retrain_due(now=LATER)
    end(run, "unchanged", at=LATER)
    assert services.retrain_due(now=LATER + timedelta(days=2)) == []
    store_results(500, at=LATER + timedelta(days=2))
    assert len(services.retrain_due(now=LATER + timedelta(days=2))) == 1


def test_time_trains_once(champion):
    week = NOW + timedelta(days=7)
    assert services.retrain_due(now=week - timedelta(seconds=1)) == []
    (run,) = services.retrain_due(now=week)
    assert run.reason == "the newest training began 7.0 days ago (7 days require another)"
    end(run, at=week + timedelta(hours=1))
    assert services.retrain_due(now=week + timedelta(days=6)) == []
    assert len(services.retrain_due(now=week + timedelta(days=7))) == 1


@dataclass
class MeasuredDrift:
    computed_at: datetime
    is_drifted: bool = True
    score: float = 1.4


def test_drift_trains_once(champion):
    found = MeasuredDrift(LATER)
    assert services.retrain_due(now=LATER) == [], "without a measurement there is no drift"
    assert services.retrain_due(now=LATER, drift=lambda _: MeasuredDrift(LATER, is_drifted=False)) == []
    (run,) = services.retrain_due(now=LATER + timedelta(minutes=1), drift=lambda _: found)
    assert run.reason.startswith("the largest drift was 1.40 times its threshold on 2026-11-25 09:00 UTC, after")
    assert decided().cause == "drift"
    end(run, at=LATER + timedelta(hours=1))
    assert services.retrain_due(now=LATER + timedelta(days=2), drift=lambda _: found) == []
    assert "before the newest training" in decided().reason


def test_live_quality_trains_once(build, champion):
    set_policy(retrain__live_matches=30)
    metrics = champion.metrics
    metrics["models"]["base_rates"]["log_loss"] = 1.05
    ModelVersion.objects.filter(pk=champion.pk).update(metrics=metrics)
    for n in range(30):
        match = build.match(kickoff_at=NOW + timedelta(hours=1 + n), goals=(1, 0))
        build.now = match.kickoff_at
        score = build.score(build.prediction(match, champion))
        # The evaluation says 0.98 against 1.05; live the lead is gone.
        assert score.base_log_loss == 1.05
    with_lead = services.retrain_due(now=LATER)
    assert with_lead == [], "0.69 against 1.05"
    assert "leads the base rates by 0.3600 nats" in decided().reason
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        Score.objects.update(log_loss=1.06)
        cursor.execute("SET LOCAL session_replication_role = origin")
    (run,) = services.retrain_due(now=LATER)
    assert decided().cause == "live quality"
    end(run, at=LATER)
    assert services.retrain_due(now=LATER + timedelta(days=2)) == []


def test_new_code_and_new_parameters_train_once_each(build, champion):
    assert services.retrain_due(now=LATER) == []
    ModelVersion.objects.update(sources_sha256="0" * 64)
    (run,) = services.retrain_due(now=LATER)
    assert (decided().cause, run.reason) == ("new code", "the code of the models is new")
    end(run, at=LATER)
    current = {"sources_sha256": revision.sources_sha256()}
    build.version(2, created_at=LATER, as_of=LATER, **current)
    assert services.retrain_due(now=LATER + timedelta(days=2)) == []
    ModelVersion.objects.update(params_sha256="0" * 64)
    assert len(services.retrain_due(now=LATER + timedelta(days=2))) == 1
    assert decided().cause == "new parameters"


def test_all_reasons_of_one_moment_are_one_run(champion):
    week = NOW + timedelta(days=7)
    store_results(500, at=week - timedelta(hours=1))
    (run,) = services.retrain_due(now=week)
    assert decided().cause == "time, new results"
    assert [each["name"] for each in decided().triggers if each["is_due"]] == ["time", "new results"]
    assert PipelineRun.objects.get() == run


def test_a_quiet_period_follows_each_training_whoever_asked_for_it(champion):
    store_results(500, at=NOW + timedelta(hours=1))
    assert services.retrain_due(now=NOW + timedelta(hours=23)) == []
    assert (decided().cause, "quiet until 2026-11-24 09:00 UTC" in decided().reason) == ("quiet period", True)
    assert len(services.retrain_due(now=NOW + timedelta(hours=24))) == 1


def test_the_operator_may_switch_it_off(champion):
    set_policy(retrain__is_on=False)
    store_results(500, at=LATER - timedelta(hours=1))
    assert services.retrain_due(now=LATER) == []
    assert decided().cause == "switched off"


def test_a_failed_gate_holds_training_back_until_facts_have_changed(champion):
    store_results(500, at=LATER - timedelta(hours=1))
    (run,) = services.retrain_due(now=LATER)
    end(run, "failed", at=LATER, stage="validate_raw")
    assert services.retrain_due(now=LATER + timedelta(minutes=4)) == []
    assert decided().cause == "after a failure"
    for wait in (timedelta(minutes=5), timedelta(days=3)):
        assert services.retrain_due(now=LATER + wait) == []
        assert (decided().cause, decided().reason) == (
            "failed gate",
            f"{run} failed the gate validate_raw; facts, code and parameters are the same since",
        )
    store_results(1, at=LATER + timedelta(days=3))
    (again,) = services.retrain_due(now=LATER + timedelta(days=3))
    end(again, "failed", at=LATER + timedelta(days=3), stage="train")
    assert services.retrain_due(now=LATER + timedelta(days=3, minutes=9)) == [], "the wait doubles"
    assert len(services.retrain_due(now=LATER + timedelta(days=3, minutes=10))) == 1, "no gate: it may be tried again"


def test_a_failed_gate_is_tried_again_with_other_code(champion):
    store_results(500, at=LATER - timedelta(hours=1))
    (run,) = services.retrain_due(now=LATER)
    end(run, "failed", at=LATER, stage="validate_raw")
    PipelineRun.objects.update(code_revision="of the release before")
    assert len(services.retrain_due(now=LATER + timedelta(minutes=5))) == 1


def test_a_cancelled_run_leaves_its_reason(champion):
    store_results(500, at=LATER - timedelta(hours=1))
    (run,) = services.retrain_due(now=LATER)
    services.cancel_run(run_id=run.pk, by="ada", now=LATER)
    assert services.retrain_due(now=LATER + timedelta(hours=23)) == []
    assert decided().cause == "quiet period"
    assert len(services.retrain_due(now=LATER + timedelta(hours=25))) == 1


@pytest.mark.parametrize("fields", [{"overrides": {"seed": 2}}, {"first_stage": "train"}])
def test_an_experiment_answers_no_reason_and_its_failure_holds_nothing_back(build, champion, fields):
    store_results(500, at=LATER - timedelta(hours=1))
    for status in ("succeeded", "failed"):
        build.run(status=status, as_of=LATER, created_at=LATER, finished_at=LATER, profile=champion.profile, **fields)
    assert len(services.retrain_due(now=LATER + timedelta(minutes=1))) == 1


def test_a_run_of_less_work_answers_no_reason(build, champion, settings):
    settings.SPAI_PROFILE = "production"
    build.run(status="succeeded", as_of=LATER, created_at=LATER, finished_at=LATER, profile="smoke")
    store_results(500, at=LATER - timedelta(hours=1))
    (run,) = services.retrain_due(now=LATER + timedelta(hours=25))
    assert run.profile == "production"
    assert "new results" in decided().cause


def test_a_drift_that_a_training_left_is_no_reason_again(champion):
    nothing = {"measured": [], "n": 0, "note": ""}
    for day, is_drifted, trains in ((0, True, True), (2, True, False), (3, False, False), (4, True, True)):
        at = LATER + timedelta(days=day)
        DriftReport.objects.create(
            world=SANDBOX,
            day=at.date(),
            version=champion,
            data_snapshot=1,
            is_drifted=is_drifted,
            score=1.4,
            features=nothing,
            predictions=nothing,
            concept=nothing,
            page=b"",
            computed_at=at,
        )
        found = MeasuredDrift(at, is_drifted=is_drifted)
        made = services.retrain_due(now=at + timedelta(minutes=1), drift=lambda _, found=found: found)
        assert len(made) == trains, day
        for run in made:
            end(run, at=at + timedelta(hours=1))


def test_the_same_no_is_counted_on_its_row(champion):
    for minutes in range(3):
        services.retrain_due(now=LATER + timedelta(minutes=minutes))
    decision = decided()
    assert RetrainingDecision.objects.filter(world=SANDBOX).count() == 1
    assert (decision.times, decision.decided_at, decision.latest_at) == (3, LATER, LATER + timedelta(minutes=2))


def test_each_world_decides_by_itself(champion):
    services.retrain_due(now=LATER)
    assert decided(World.REAL).cause == "no reason"
    assert "there is no champion, and 0 matches with a result" in decided(World.REAL).reason


def test_a_run_keeps_the_more_thorough_profile_of_its_champion(build):
    build.promote(build.version(profile="production"))
    (run,) = services.retrain_due(now=LATER)
    assert run.profile == "production"


def test_a_worker_that_is_killed_in_between_leaves_neither_a_run_nor_a_decision(champion, monkeypatch):
    class KilledError(Exception):
        pass

    def killed(*_, **__):
        raise KilledError

    week = NOW + timedelta(days=7)
    with monkeypatch.context() as patch:
        patch.setattr(retraining, "asdict", killed)
        with pytest.raises(KilledError):
            services.retrain_due(now=week)
    assert not PipelineRun.objects.exists()
    assert len(services.retrain_due(now=week)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_queue_one_run(champion):
    week, start, errors = NOW + timedelta(days=7), threading.Barrier(2), []

    def beat() -> None:
        try:
            start.wait()
            services.retrain_due(now=week)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    beats = [threading.Thread(target=beat) for _ in range(2)]
    for each in beats:
        each.start()
    for each in beats:
        each.join()
    assert errors == []
    assert PipelineRun.objects.filter(world=SANDBOX).count() == 1
    assert list(RetrainingDecision.objects.filter(world=SANDBOX).order_by("id").values_list("cause", flat=True)) == [
        "time",
        "one at a time",
    ]


def test_an_error_in_the_real_world_stops_no_training_of_the_simulated_one(champion, no_real_policy, caplog):
    no_real_policy()
    (run,) = services.retrain_due(now=NOW + timedelta(days=7))
    assert run.world == SANDBOX
    assert "no such policy" in caplog.text


def test_the_decisions_are_read_in_the_admin(admin, champion):
    services.retrain_due(now=NOW + timedelta(days=7))
    listed = admin.get(reverse("admin:ml_retrainingdecision_changelist")).content.decode()
    assert "the newest training began 7.0 days ago" in listed
    page = admin.get(reverse("admin:ml_retrainingdecision_change", args=[decided().pk])).content.decode()
    assert "time: yes – the newest training began" in page
    assert "drift: no – no drift was measured" in page
    assert selectors.runs(SANDBOX).get().retraining_decision == decided()
