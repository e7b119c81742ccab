"""The way to the forecasts: which stage a version stands at, and how a candidate is compared with the champion."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, InternalError, transaction

from apps.matches.models import Event, World
from apps.ml import selectors, services
from apps.ml.forecasting.estimators import Estimator
from apps.ml.models import Comparison, EvaluationArtifacts, ModelVersion
from apps.ml.pipeline.files import NO_ODDS
from apps.ml.selectors import VersionStage
from apps.ml.services import workspaces


def promote(version: ModelVersion, now) -> None:
    services.promote(version=version, user=None, reason="better", now=now)


def stage(version: ModelVersion) -> VersionStage:
    return selectors.stages(World(version.world)).of(version)


def numbers() -> dict[str, int | None]:
    return {alias: found.number if found else None for alias, found in selectors.aliases(World.SANDBOX).items()}


@pytest.fixture
def champion(make_version, now):
    """Version 1 of a sandbox that is served with the smoke profile; it calls a home win 0.55."""
    version = make_version(1, home=0.55)
    promote(version, now)
    return version


def test_a_better_candidate_becomes_challenger_and_nothing_is_promoted(make_version, champion, now):
    # Three in five are home wins: 0.6 is what a perfect forecaster says.
    candidate = make_version(2, home=0.6)
    assert stage(candidate) == VersionStage.CANDIDATE
    (made,) = services.compare_due(now=now)
    assert (made.candidate, made.champion_id, made.verdict, made.n) == (candidate, champion.pk, "challenger", 600)
    assert made.reason == "all 10 criteria are met on 600 matches"
    assert made.rules == workspaces.read_params()["compare"]
    assert stage(candidate) == VersionStage.CHALLENGER
    assert numbers() == {"smoke": 2, "candidate": 2, "challenger": 2, "champion": 1, "labelled": None}
    assert selectors.champion(World.SANDBOX).version_id == champion.pk
    assert Event.objects.get(topic="comparison.made").payload == {
        "version": 2, "champion": 1, "verdict": "challenger",
    }  # fmt: skip


def test_a_worse_candidate_stays_one_and_the_row_says_why(make_version, champion, now):
    candidate = make_version(2, home=0.4)
    (made,) = services.compare_due(now=now)
    assert (made.verdict, stage(candidate)) == ("candidate", VersionStage.CANDIDATE)
    assert "log loss" in {line["name"] for line in made.failed}
    assert made.reason.startswith("not met: log loss")
    assert numbers()["challenger"] is None


def test_the_same_files_under_the_same_rules_leave_one_row(make_version, champion, now):
    candidate = make_version(2, home=0.6)
    first = services.compare(version=candidate, now=now)
    assert services.compare(version=candidate, now=now) == first
    assert services.compare_due(now=now) == []
    assert Comparison.objects.count() == 1


def test_other_rules_give_a_row_of_their_own_and_the_newest_counts(make_version, champion, now):
    def need(matches: int) -> None:
        services.change_policy(
            world=World.SANDBOX,
            changes={"compare.least_matches": matches},
            user=User(username="ada"),
            reason="a test",
            now=now,
        )

    candidate = make_version(2, home=0.6)
    services.compare(version=candidate, now=now)
    need(601)
    (again,) = services.compare_due(now=now)
    assert (again.verdict, stage(candidate)) == ("candidate", VersionStage.CANDIDATE)
    assert "a comparison needs 601" in again.reason
    need(500)
    assert services.compare(version=candidate, now=now).verdict == "challenger"
    assert Comparison.objects.count() == 3


def test_a_promotion_makes_every_later_candidate_due_again(make_version, champion, now):
    second, third = make_version(2, home=0.6), make_version(3, home=0.58)
    services.compare(version=second, now=now)
    services.compare(version=third, now=now)
    promote(second, now)
    assert stage(third) == VersionStage.CANDIDATE
    (made,) = services.compare_due(now=now)
    assert (made.candidate, made.champion) == (third, second)
    assert numbers() == {
        "smoke": 3, "candidate": 3, "challenger": 3 if made.verdict == "challenger" else None, "champion": 2,
        "labelled": None,
    }  # fmt: skip


def test_less_work_than_the_champions_checks_the_pipeline_and_takes_over_nothing(make_version, now):
    promote(make_version(1, profile="production", home=0.55), now)
    quick = make_version(2, home=0.6)
    assert stage(quick) == VersionStage.SMOKE
    assert services.compare_due(now=now) == []
    assert numbers() == {"smoke": 2, "candidate": None, "challenger": None, "champion": 1, "labelled": None}
    thorough = make_version(3, profile="production", home=0.6)
    assert stage(thorough) == VersionStage.CANDIDATE


def test_a_version_that_was_champion_is_no_candidate_after_a_rollback(make_version, champion, now):
    second = make_version(2, home=0.6)
    services.compare_due(now=now)
    promote(second, now)
    services.rollback(world=World.SANDBOX, user=None, reason="worse on derbies", now=now)
    assert (stage(champion), stage(second)) == (VersionStage.CHAMPION, VersionStage.FORMER)
    assert numbers() == {"smoke": 2, "candidate": None, "challenger": None, "champion": 1, "labelled": None}


def test_what_did_not_pass_its_gates_or_is_older_than_the_champion_waits_for_nothing(make_version, now):
    older = make_version(1, home=0.6)
    promote(make_version(2, home=0.55), now)
    refused = make_version(3, passed=False, home=0.6)
    assert (stage(older), stage(refused)) == (VersionStage.PASSED_OVER, VersionStage.REFUSED)
    assert services.compare_due(now=now) == []


def test_a_champion_from_before_dossiers_leaves_the_candidate_where_it_is(make_version, now):
    promote(make_version(1), now)
    make_version(2, home=0.6)
    (made,) = services.compare_due(now=now)
    assert made.verdict == "candidate"
    assert "model 1 was made before forecasts were stored" in made.reason


def test_files_of_a_candidate_that_cannot_be_loaded_are_a_reason_and_no_crash(make_version, champion, now):
    made = services.compare(version=make_version(2, home=0.6, broken=True), now=now)
    assert made.verdict == "candidate"
    assert {"schema", "golden rows"} <= {line["name"] for line in made.failed}


def test_what_cannot_be_compared_is_reported_and_troubles_neither_other_worlds_nor_the_run(
    make_version, champion, now, monkeypatch, caplog
):
    candidate = make_version(2, home=0.6)
    asked = []
    due = {World.REAL: champion, World.SANDBOX: candidate}
    monkeypatch.setattr(selectors, "to_compare", lambda world: asked.append(world) or due[world])
    EvaluationArtifacts.objects.filter(version=candidate).update(forecasts=b"no parquet", forecasts_sha256="0" * 64)
    # The other world's candidate was promoted meanwhile, and this one's file is damaged.
    assert services.compare_due(now=now) == []
    assert set(asked) == set(World)
    assert f"{candidate} is not compared" in caplog.text
    assert Comparison.objects.count() == 0


def test_there_is_nothing_to_compare_without_a_champion_or_with_oneself(make_version, now):
    version = make_version(1, home=0.6)
    with pytest.raises(services.NothingToCompareError, match="no champion"):
        services.compare(version=version, now=now)
    promote(version, now)
    with pytest.raises(services.NothingToCompareError, match="champion itself"):
        services.compare(version=version, now=now)


def test_manual_promotion_stays_possible_against_every_line_and_those_are_named(make_version, champion, now):
    candidate = make_version(2, home=0.4, passed=False)
    assert "has not been compared" in selectors.promotion_warnings(candidate)[-1]
    services.compare(version=candidate, now=now)
    against = selectors.promotion_warnings(candidate)
    assert against[0].startswith("gate “log loss” did not pass")
    assert any(line.startswith("log loss: candidate − champion is +") for line in against)
    promote(candidate, now)
    assert stage(candidate) == VersionStage.CHAMPION
    assert selectors.promotion_warnings(candidate) == against[:1]


def test_a_labelled_version_is_compared_with_but_never_promoted(make_version, now):
    labelled = make_version(1, inputs="prices before the match", home=0.6)
    assert services.promote_first_champion(world=World.SANDBOX, now=now) is None
    with pytest.raises(services.PromotionRefusedError, match="uses prices before the match"):
        promote(labelled, now)
    assert stage(labelled) == VersionStage.LABELLED
    assert numbers() == {"smoke": None, "candidate": None, "challenger": None, "champion": None, "labelled": 1}


def test_what_a_plain_model_looks_at_has_one_name():
    assert Estimator.inputs == NO_ODDS


def test_the_database_refuses_to_rewrite_a_comparison(make_version, champion, now):
    made = services.compare(version=make_version(2, home=0.4), now=now)
    rows = Comparison.objects.filter(pk=made.pk)
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        rows.update(verdict="challenger")
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        rows.delete()
