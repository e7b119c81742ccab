"""`manage.py spai`: the services of the admin, one JSON document or a readable text, one sentence for an error."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from apps.matches.models import Match, World
from apps.ml import selectors, services
from apps.ml.models import DriftReport, PipelineRun, Prediction, Promotion
from apps.scraping.models import ScrapeRun
from spai.commands import models as of_models
from spai.commands.answers import table


def said(*arguments: object) -> str:
    out = StringIO()
    call_command("spai", *map(str, arguments), stdout=out)
    return out.getvalue()


def told(*arguments: object) -> dict:
    return json.loads(said(*arguments, "--json"))


@pytest.fixture
def ada(db):
    user = get_user_model().objects.create_user("ada", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="add_promotion"))
    return user


@pytest.fixture
def champion(make_version, now):
    version = make_version(1, home=0.55)
    services.promote(version=version, user=None, reason="test", now=now)
    return version


@pytest.fixture
def fixture_to_come(champion, now):
    rows = Match.objects.filter(status="scheduled", kickoff_at__gt=now + timedelta(hours=1))
    return rows.select_related("home_team", "away_team", "season__competition").order_by("kickoff_at", "id")[0]


# ── Decisions ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_promotion_names_who_decided_and_why(make_version, champion, ada):
    make_version(2, home=0.6)
    services.compare_due(now=timezone.now())
    found = told("promote", 2, "--world", "sandbox", "--reason", "better in spring")
    assert (found["version"], found["previous"], found["decided_by"]) == (2, 1, "ada")
    promotion = selectors.champion(World.SANDBOX)
    assert (promotion.user, promotion.reason) == (ada, "better in spring")


def test_a_promotion_in_spite_of_warnings_needs_a_yes(make_version, champion, ada):
    make_version(2, passed=False)
    with pytest.raises(CommandError, match=r"because of warnings; --yes does it anyway") as refused:
        said("promote", 2, "--reason", "so I wish")
    assert "log loss" in str(refused.value)
    assert selectors.champion(World.SANDBOX).version_id == champion.pk
    assert told("promote", 2, "--reason", "so I wish", "--yes")["warnings"]
    assert selectors.champion(World.SANDBOX).version.number == 2


def test_at_a_terminal_a_decision_is_asked_for(make_version, champion, ada, monkeypatch):
    make_version(2)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    with pytest.raises(CommandError, match="Nothing was changed"):
        said("promote", 2, "--reason", "newer")
    assert Promotion.objects.count() == 1


def test_a_rollback_brings_the_version_before_back(make_version, champion, ada, now):
    services.promote(version=make_version(2), user=ada, reason="newer", now=now, despite=True)
    found = told("rollback", "--reason", "worse on derbies")
    assert (found["version"], found["previous"], found["kind"]) == (1, 2, "rollback")
    found = told("rollback", "--to", 2, "--reason", "it was better after all")
    assert (found["version"], found["previous"], found["kind"]) == (2, 1, "rollback")


@pytest.mark.parametrize(("names", "by", "expected"), [((), "", "no user who may"), (("ada", "bob"), "", "ada, bob")])
def test_who_decides_must_be_clear(make_version, champion, names, by, expected):
    for name in names:
        get_user_model().objects.create_superuser(name)
    with pytest.raises(CommandError, match=f"Say who decides, with --by: .*{expected}"):
        said("rollback", "--reason", "worse")


def test_who_may_not_promote_in_the_admin_may_not_here(make_version, champion, ada):
    get_user_model().objects.create_user("eve", is_staff=True)
    with pytest.raises(CommandError, match=r"'eve' may not promote versions\. Those who may: ada"):
        said("rollback", "--reason", "worse", "--by", "eve")


# ── Versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_comparison_has_its_criteria(make_version, champion):
    make_version(2, home=0.6)
    found = told("compare", 2)
    assert (found["version"], found["champion"], found["verdict"], found["n"]) == (2, 1, "challenger", 600)
    assert all(line["passed"] for line in found["criteria"])
    assert "model 2 (sandbox) may take over" in said("compare", 2)


def test_without_a_number_all_versions_are_listed_with_their_stages(make_version, champion):
    make_version(2, home=0.6)
    assert [(row["version"], row["stage"]) for row in told("compare")["versions"]] == [
        (2, "candidate"),
        (1, "champion"),
    ]
    assert "champion" in said("compare")


def test_an_evaluation_scores_what_was_stored_out_of_sample(champion):
    found = told("evaluate")
    # Three in five are home wins, one in five a draw: forecasts are 0.55, 0.225 and 0.225.
    assert found["out_of_sample"]["log_loss"] == pytest.approx(0.6 * 0.597837 + 0.4 * 1.491655, abs=1e-5)
    assert found["out_of_sample"]["n"] == found["by_competition"]["league"]["n"] == 600
    assert found["published"]["n"] == 0
    assert "all competitions" in said("evaluate", 1)


def test_a_version_whose_forecasts_were_not_stored_is_not_evaluated(make_version):
    make_version(1)
    with pytest.raises(CommandError, match=r"No forecasts of model 1 \(sandbox\) are stored"):
        said("evaluate", 1)


@pytest.mark.parametrize("number", [7, 2**40])
def test_an_unknown_version_is_named(champion, ada, number):
    with pytest.raises(CommandError, match=f"The sandbox world has no version {number}"):
        said("compare", number)


# ── Forecasts ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_fixture_is_forecast_and_explained(fixture_to_come):
    found = told("predict", fixture_to_come.pk)
    assert sum(found["probabilities"].values()) == pytest.approx(1.0)
    assert (found["match"], found["model"]["version"], found["published_at"]) == (fixture_to_come.pk, 1, None)
    explained = told("explain", fixture_to_come.pk)
    assert explained["probabilities"] == found["probabilities"]
    assert explained["reasons"]
    text = said("explain", fixture_to_come.pk)
    assert "base rates: home" in text
    assert fixture_to_come.home_team.display_name in text


def test_two_teams_are_forecast_by_their_slugs_or_names(fixture_to_come):
    home, away = fixture_to_come.home_team, fixture_to_come.away_team
    found = told("predict", home.slug, away.name, "--world", "sandbox")
    assert (found["match"], found["home_team"]["slug"], found["away_team"]["slug"]) == (None, home.slug, away.slug)
    with pytest.raises(CommandError, match="cannot meet itself"):
        said("predict", home.slug, home.slug)
    with pytest.raises(CommandError, match="No team of the sandbox world has the name or slug 'nobody'"):
        said("predict", home.slug, "nobody")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "Give the id of a match, or two teams"),
        (("1", "2", "3"), "Give the id of a match, or two teams"),
        (("1x",), "no id of a match"),
        (("9" * 12,), "There is no such match"),
        (("9" * 40,), "no id of a match"),
        (("1", "--model", "best"), "'best' is no version"),
        (("a", "b", "--model", "1"), "goes with the id of a match"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_one_sentence(champion, arguments, expected):
    with pytest.raises(CommandError, match=expected):
        said("predict", *arguments)


def test_forecasts_that_are_due_are_published(champion):
    found = told("predict", "--due")
    assert found["published"]["sandbox"] == Prediction.objects.count() > 0


def test_a_season_is_simulated_with_results_that_are_given(fixture_to_come):
    slug = fixture_to_come.season.competition.slug
    result = f"{fixture_to_come.home_team.slug}:{fixture_to_come.away_team.slug}=9-0"
    found = told("simulate", slug, "--result", result)
    assert (found["competition"], len(found["clubs"])) == (slug, 12)
    assert found["locked"][0]["home_goals"] == 9
    assert "10,000 simulations by version 1" in said("simulate", slug)
    with pytest.raises(CommandError, match="no season"):
        said("simulate", "nowhere")
    with pytest.raises(CommandError, match="is no result; write it as"):
        said("simulate", slug, "--result", "2-1")


# ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def possible(monkeypatch):
    """Any run has history enough."""
    monkeypatch.setattr("apps.ml.services.runs.refuse_impossible", lambda **_: None)


def test_a_run_is_queued_with_who_asked_for_it(db, possible):
    found = told("run", "--no-wait", "--profile", "smoke", "--reason", "new features")
    run = PipelineRun.objects.get()
    assert (found["id"], run.profile, run.requested_by, run.reason) == (
        run.pk,
        "smoke",
        "manage.py spai run",
        "new features",
    )


def test_a_back_test_of_the_champion_is_queued_and_its_result_told(champion, possible, monkeypatch):
    monkeypatch.setattr("apps.ml.services.back_tests.refuse_impossible", lambda **_: None)
    found = told("back-test", "--world", "sandbox", "--no-wait", "--reason", "before the season")
    run = PipelineRun.objects.get()
    assert (found["id"], found["kind"], run.back_test_of, run.requested_by, run.reason) == (
        run.pk,
        "back-test",
        champion,
        "manage.py spai back-test",
        "before the season",
    )
    gap = {"log_loss": {"mean": 0.0123, "low": -0.01, "high": 0.03}}
    metrics = {"best": "elo_logit", "test": {"n": 528}, "benchmarks": [{"name": "closing line", "n": 500, "gap": gap}]}
    metrics["models"] = {"elo_logit": {"log_loss": 0.98}, "base_rates": {"log_loss": 1.04}}
    PipelineRun.objects.update(status="succeeded", metrics=metrics, finished_at=timezone.now())
    text = said("run", "--follow", run.pk)
    assert "528 matches, log loss of elo_logit 0.9800, log loss of base_rates 1.0400" in text
    assert "+0.0123 [-0.0100, +0.0300] from the closing line on 500 of them" in text


def test_a_world_without_a_champion_is_not_back_tested(db):
    with pytest.raises(CommandError, match="no champion to back-test yet"):
        said("back-test", "--world", "sandbox")


def test_a_run_that_failed_is_followed_to_its_reason(db, possible):
    number = told("run", "--no-wait")["id"]
    error = {"stage": "train", "message": "No memory is left.", "next_step": "Close other programs.", "rows": []}
    stages = [{"name": "train", "status": "failed", "started_at": None, "seconds": 2.5}]
    PipelineRun.objects.update(status="failed", error=error, stages=stages, finished_at=timezone.now())
    with pytest.raises(CommandError, match=r"in the stage train: No memory is left\. Close other programs\.") as ended:
        said("run", "--follow", number)
    assert ended.value.returncode == 1


def test_a_run_that_no_worker_takes_up_is_left_queued(db, possible, monkeypatch):
    monkeypatch.setattr(of_models, "TIMEOUT", -1.0)
    monkeypatch.setattr(of_models.time, "sleep", lambda seconds: None)
    with pytest.raises(CommandError, match=r"No worker has started run \d+ .* it stays queued"):
        said("run")
    assert PipelineRun.objects.get().status == "queued"


def test_a_run_can_be_executed_without_a_worker(db, possible, monkeypatch):
    def run_due(*, now, is_stopping):
        assert is_stopping() is False
        PipelineRun.objects.update(status="succeeded", started_at=now, finished_at=now)
        return PipelineRun.objects.get()

    monkeypatch.setattr(services, "run_due", run_due)
    assert told("run", "--here")["status"] == "succeeded"


def test_an_error_of_the_execution_is_not_waited_out(db, possible, monkeypatch):
    def run_due(*, now, is_stopping):
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(services, "run_due", run_due)
    with pytest.raises(CommandError, match="PostgreSQL does not answer"):
        said("run", "--here")


# ── Data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_files_are_imported_and_counted(db, tmp_path):
    file = tmp_path / "E0.csv"
    file.write_text("Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR\nE0,11/08/2023,Burnley,Man City,0,3,A\n")
    assert told("import", file, "--source", "football-data")["totals"]["created"] == 1
    assert "1 same" in said("import", file, "--source", "football-data")
    file.write_text("a,b\n1,2\n")
    out = StringIO()
    with pytest.raises(CommandError, match="could not be read"):
        call_command("spai", "import", str(file), "--source", "football-data", "--json", stdout=out)
    assert "could not be read" in json.loads(out.getvalue())["error"]


def test_facts_are_exported_into_a_folder(stored, tmp_path, now):
    found = told("export", tmp_path / "facts", "--world", "sandbox", "--as-of", now.isoformat())
    assert found["rows"] > 500
    assert found["data_snapshot"] == stored.ingest_id
    assert (tmp_path / "facts" / "data" / "raw" / "matches.parquet").is_file()
    with pytest.raises(CommandError, match="has no matches yet"):
        said("export", tmp_path / "none", "--world", "real")


def test_sources_are_listed_and_a_scrape_is_followed(db, monkeypatch):
    assert "sandbox" in {row["source"] for row in told("scrape")["sources"]}

    def scrape_due(*, now):
        ScrapeRun.objects.update(outcome="unchanged", finished_at=now, pages_done=3)
        return []

    monkeypatch.setattr("apps.scraping.services.scrape_due", scrape_due)
    (run,) = told("scrape", "sandbox")["runs"]
    assert (run["source"], run["outcome"], run["pages"]) == ("sandbox", "unchanged", 3)
    with pytest.raises(CommandError, match="--from and --to go together"):
        said("scrape", "sandbox", "--from", "2024-08")
    with pytest.raises(CommandError, match="whoscored"):
        said("scrape", "whoscored")


# ── All of them ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_program_gets_one_document_with_the_error(db):
    out = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("spai", "evaluate", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"error": str(refused.value)}
    assert refused.value.returncode == 1


def test_a_database_that_is_away_is_one_sentence(db, monkeypatch):
    def lost():
        raise OperationalError("connection refused\n\tIs the server running?")

    with monkeypatch.context() as patched:
        patched.setattr("django.db.connection.ensure_connection", lost)
        with pytest.raises(CommandError) as refused:
            said("compare")
    assert str(refused.value).startswith("PostgreSQL does not answer (connection refused). `make up` starts it")


def test_columns_of_numbers_are_aligned_to_the_right():
    assert table(("club", "points"), [("Leeds", 7), ("Hull", 12)]).splitlines() == [
        "club   points",
        "Leeds       7",
        "Hull       12",
    ]
    assert table(("club", "points"), []) == "club  points"


def test_the_latest_report_on_drift_is_shown(db, make_version, now):
    with pytest.raises(CommandError, match="not been measured yet"):
        said("drift", "--world", "sandbox")
    nothing = {"measured": [], "n": 0, "reference": 0, "weeks": 0, "note": "too few matches"}
    DriftReport.objects.create(
        world="sandbox",
        day=now.date(),
        version=make_version(1),
        data_snapshot=1,
        is_drifted=False,
        score=0.0,
        features=nothing,
        predictions=nothing,
        concept=nothing,
        page=b"",
        computed_at=now,
    )
    assert "too few matches" in said("drift", "--world", "sandbox")


def test_what_retention_would_delete_is_counted_and_stays(db):
    assert "would go" in said("retention", "--dry-run")
