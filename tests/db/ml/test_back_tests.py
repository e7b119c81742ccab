"""Back-tests of the champion: when a night has one, with which parameters, and where its forecasts go."""

from __future__ import annotations

import io
from datetime import timedelta

import pandas as pd
import pytest
from django.db import IntegrityError, transaction

from apps.matches.ingest import ingest
from apps.matches.models import AuditEntry, Ingest, Match, World
from apps.ml import selectors, services
from apps.ml.models import BackTest, BackTestForecasts, ClosingGap, ModelVersion, PipelineRun, RetrainingDecision
from apps.ml.services import back_tests, retention, runs, workspaces
from apps.ml.services.back_test_results import BackTestResult, store
from apps.ml.services.execution import ATTEMPTS
from tests.db.ml.test_record import back_test as trained_forecasts

SANDBOX = World.SANDBOX
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _enough(monkeypatch):
    """As if there were enough matches for a run."""
    for module in (runs, back_tests):
        monkeypatch.setattr(module, "refuse_impossible", lambda **_: None)


@pytest.fixture
def champion(make_version, now):
    version = make_version(1)
    services.promote(version=version, user=None, reason="test", now=now)
    return version


@pytest.fixture
def queued(champion, now):
    return services.queue_back_test(world=SANDBOX, requested_by="ada", reason="try", now=now)


def forecasts_of(ids: list[int], home: float) -> bytes:
    rows = pd.DataFrame({"match_id": ids, "as_of": pd.Timestamp("2026-01-01", tz="UTC"), "p_home": home})
    rows = rows.assign(p_draw=(1 - home) / 2, p_away=(1 - home) / 2)
    buffer = io.BytesIO()
    rows.to_parquet(buffer)
    return buffer.getvalue()


def ended(run: PipelineRun, ids: list[int], now, *, home: float = 0.7, status: str = "succeeded") -> PipelineRun:
    """End a back-test that forecast some matches."""
    kept = BackTestResult(forecasts_of(ids, home), {"league": "2026"}, back_tests.data_snapshot(SANDBOX))
    store(run, kept, now=now)
    run.status, run.finished_at = status, now
    run.save()
    return run


def test_a_back_test_has_the_parameters_of_the_champions_bundle_whatever_params_yaml_says_now(queued, champion):
    own = back_tests.params_of(champion)
    assert (queued.kind, queued.back_test_of, queued.profile) == ("back-test", champion, "smoke")
    assert queued.params == own
    present = workspaces.read_params()
    # The bundle of this version was made with two families of features.
    assert own["features"]["elo"] == present["features"]["elo"]
    assert own["features"].keys() == present["features"].keys(), "the code of now describes the others too"


def test_what_the_champion_was_made_with_wins_over_params_yaml_and_estimators_get_nothing_new(champion, monkeypatch):
    changed = workspaces.read_params()
    changed["train"]["smoke"]["elo_logit"] = {"columns": ["elo_diff", "level"], "l2": 9.0, "products": {}}
    changed["features"]["elo"] |= {"k0": 99.0, "new": 1}
    changed["calibrate"]["least_past"] = 7
    monkeypatch.setattr(workspaces, "read_params", lambda: changed)
    own = back_tests.params_of(champion)
    assert own["train"]["smoke"]["elo_logit"] == {"columns": ["elo_diff"], "l2": 1.0}
    assert own["features"]["elo"]["k0"] == 5.8
    assert own["features"]["elo"]["new"] == 1, "newer code asks for it"
    assert own["calibrate"]["least_past"] == 3000


def test_a_version_whose_bundle_cannot_be_read_is_not_back_tested(make_version, now):
    version = make_version(1)
    services.promote(version=version, user=None, reason="test", now=now)
    ModelVersion.objects.filter(pk=version.pk).update(bundle=b"no zip")
    with pytest.raises(services.RunRefusedError, match="cannot be back-tested"):
        services.queue_back_test(world=SANDBOX, requested_by="ada", reason="try", now=now)
    assert "cannot be back-tested" in services.back_test_due(now=now).skipped["sandbox"]


def test_a_world_without_a_champion_has_no_back_test(db, now):
    with pytest.raises(services.RunRefusedError, match="no champion to back-test"):
        services.queue_back_test(world=SANDBOX, requested_by="ada", reason="try", now=now)
    found = services.back_test_due(now=now)
    assert (found.queued, found.skipped) == ([], {"real": "no champion yet", "sandbox": "no champion yet"})


def test_a_request_of_a_person_is_in_the_audit_and_a_doubled_one_queues_nothing(queued, now):
    again = services.queue_back_test(world=SANDBOX, requested_by="ada", reason="try", now=now)
    assert again == queued
    assert AuditEntry.objects.filter(action="requested a back-test").count() == 1


def test_a_night_has_one_back_test_of_each_champion(champion, now):
    (run,) = services.back_test_due(now=now).queued
    assert (run.kind, run.requested_by, run.as_of) == ("back-test", "system", runs.latest_midnight(now))
    assert services.back_test_due(now=now).skipped["sandbox"] == f"{run} is queued"
    run.status = "cancelled"
    run.save()
    assert services.back_test_due(now=now).skipped["sandbox"] == f"{run} of this night is cancelled"
    assert len(services.back_test_due(now=now + DAY).queued) == 1


def test_after_a_back_test_that_failed_a_week_of_nights_has_none(champion, now):
    (run,) = services.back_test_due(now=now).queued
    run.status = "failed"
    run.save()
    later = runs.latest_midnight(now + 7 * DAY)
    assert services.back_test_due(now=now + 6 * DAY).skipped["sandbox"] == (
        f"{run} failed; the next night with a back-test is {later:%Y-%m-%d}"
    )
    assert len(services.back_test_due(now=now + 7 * DAY).queued) == 1


def test_a_back_test_that_signals_ended_is_made_again_the_next_night(champion, now):
    (run,) = services.back_test_due(now=now).queued
    run.status, run.attempts = "failed", ATTEMPTS
    run.save()
    assert services.back_test_due(now=now).skipped["sandbox"] == f"{run} of this night is failed"
    assert len(services.back_test_due(now=now + DAY).queued) == 1


def test_a_night_without_new_facts_or_a_new_champion_has_none(queued, champion, make_version, now):
    ended(queued, [], now)
    reason = services.back_test_due(now=now + DAY).skipped["sandbox"]
    assert reason == f"champion and facts are those of run {queued.pk}"
    Ingest.objects.create(world=SANDBOX, source="test", started_at=now, finished_at=now, changed_facts=True)
    (run,) = services.back_test_due(now=now + DAY).queued
    ended(run, [], now)
    assert services.back_test_due(now=now + 2 * DAY).queued == []
    services.promote(version=make_version(2), user=None, reason="newer", now=now)
    assert len(services.back_test_due(now=now + 2 * DAY).queued) == 1


def test_a_run_that_is_under_way_holds_the_back_test_back_until_it_has_ended(champion, now):
    training = services.queue_run(world=SANDBOX, requested_by="ada", reason="try", now=now)
    assert services.back_test_due(now=now).skipped["sandbox"] == f"{training} is queued"
    training.status = "succeeded"
    training.save()
    assert len(services.back_test_due(now=now + timedelta(hours=1)).queued) == 1


def test_a_back_test_is_no_training(queued, champion, now):
    queued.status, queued.finished_at = "failed", now
    queued.save()
    services.retrain_due(now=now + timedelta(minutes=1))
    decision = RetrainingDecision.objects.get(world=SANDBOX)
    assert decision.cause != "after a failure"
    assert list(selectors.newest_runs(SANDBOX, 5)) == []
    assert selectors.stage_durations(SANDBOX, "smoke") == {}


def test_a_training_cannot_name_a_version_and_a_back_test_must(champion, now):
    about = {"world": "sandbox", "as_of": now, "profile": "smoke", "requested_by": "ada", "created_at": now}
    with pytest.raises(IntegrityError, match="pipelinerun_back_test_has_version"), transaction.atomic():
        PipelineRun.objects.create(kind="back-test", **about)
    with pytest.raises(IntegrityError, match="pipelinerun_back_test_has_version"):
        PipelineRun.objects.create(kind="training", back_test_of=champion, **about)


def test_the_newest_trainings_are_kept_beside_the_back_tests_of_many_nights(champion, now):
    about = {"world": "sandbox", "as_of": now, "profile": "smoke", "requested_by": "system", "status": "succeeded"}
    about |= {"created_at": now - 90 * DAY, "finished_at": now - 90 * DAY}
    training = PipelineRun.objects.create(**about)
    for _ in range(3):
        PipelineRun.objects.create(**about, kind="back-test", back_test_of=champion)
    old = set(retention._old_runs(now, 1))
    assert training not in old
    assert len(old) == 2


def test_its_forecasts_take_the_place_of_those_of_the_training_for_the_same_matches_alone(queued, champion, now):
    ids = trained_forecasts(champion, now, n=40)
    services.summarize_due(now=now)
    ended(queued, ids[:10], now)
    assert services.summarize_due(now=now).back_tested == {"sandbox": 40}
    found = selectors.back_tested(ids)
    assert len(found) == BackTest.objects.filter(match__in=ids).count() == 40, "no match twice"
    assert [row.p_home for row in found.values() if row.run_id == queued.pk] == pytest.approx([0.7] * 10)
    assert sorted(match for match, row in found.items() if row.run_id == queued.pk) == sorted(ids[:10])
    assert selectors.record(SANDBOX, is_back_tested=True).content["n"] == 40
    assert services.summarize_due(now=now).back_tested == {}, "nothing is done twice"


def test_a_newer_back_test_takes_the_place_of_the_one_before(queued, champion, now):
    ids = trained_forecasts(champion, now, n=40)
    ended(queued, ids[:10], now)
    services.summarize_due(now=now)
    newer = services.queue_back_test(world=SANDBOX, requested_by="ada", reason="again", now=now + DAY)
    ended(newer, ids[5:20], now, home=0.8, status="unchanged")
    services.summarize_due(now=now)
    found = selectors.back_tested(ids)
    assert sorted(match for match, row in found.items() if row.run_id == newer.pk) == sorted(ids[5:20])
    assert not BackTest.objects.filter(run=queued.pk).exists()
    assert found[ids[0]].p_home == pytest.approx(0.5)


def test_a_back_test_that_was_cancelled_or_failed_counts_for_nothing(queued, champion, now):
    ids = trained_forecasts(champion, now, n=40)
    ended(queued, ids[:10], now, status="cancelled")
    services.summarize_due(now=now)
    assert not BackTest.objects.filter(run=queued.pk).exists()
    assert selectors.newest_back_test(champion.pk) is None


def test_another_champion_has_none_of_the_back_tests_of_the_one_before(queued, champion, make_version, now):
    ids = trained_forecasts(champion, now, n=40)
    ended(queued, ids[:10], now)
    services.summarize_due(now=now)
    newer = make_version(2)
    services.promote(version=newer, user=None, reason="newer", now=now)
    services.summarize_due(now=now)
    assert not BackTest.objects.exists()
    assert selectors.closing_gap(SANDBOX) is None
    services.rollback(world=SANDBOX, user=None, reason="back", seen=None, now=now)
    services.summarize_due(now=now)
    assert BackTest.objects.filter(run=queued.pk).count() == 10


def test_the_gap_stands_live_beside_back_tested_with_the_power_to_tell_them_apart(queued, champion, world, now):
    ids = list(Match.objects.filter(status="finished").order_by("kickoff_at", "id").values_list("pk", flat=True)[:200])
    ended(queued, ids, now)
    services.summarize_due(now=now)
    before = selectors.closing_gap(SANDBOX).content
    assert (before["live"], before["difference"]) == (None, None)
    assert before["back_test"]["n"] == before["back_test"]["of"] == 200
    assert before["back_test"]["log_loss"]["low"] < before["back_test"]["log_loss"]["mean"]
    services.predict_due(now=now)
    later = now + timedelta(hours=2)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    services.settle_due(now=later)
    services.summarize_due(now=later)
    gap = selectors.closing_gap(SANDBOX)
    assert (gap.version, gap.run_id, gap.computed_at) == (champion, queued.pk, later)
    live, other = gap.content["live"], gap.content["back_test"]
    assert live["n"] > 30
    expected = live["log_loss"]["mean"] - other["log_loss"]["mean"]
    assert gap.content["difference"]["log_loss"]["mean"] == pytest.approx(expected)
    assert gap.content["power"]["difference"] == 0.01
    assert ClosingGap.objects.count() == 1


def test_its_forecasts_go_with_the_row_of_the_run(queued, champion, now):
    ended(queued, [], now)
    queued.delete()
    assert not BackTestForecasts.objects.exists()
