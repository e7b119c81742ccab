"""What becomes of the lines that a program pushes in."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from prometheus_client import REGISTRY

from apps.api import intake, services
from apps.api.intake import line_ingest
from apps.api.models import IdempotencyKey, Upload
from apps.matches.ingest import WorldConflictError, ingestion
from apps.matches.models import Contradiction, Event, Ingest, Match, MatchStats, Odds, Team, TeamAlias
from tests.db.api.conftest import NOW, body_of, fixture, quotes

pytestmark = pytest.mark.django_db

SANDBOX = {"region": "Aldermark", "name": "Crown League", "is_simulated": True}


def push(key, *lines, **options):
    return intake.push(body_of(*lines), key=key, **({"now": NOW} | options))


def counts(answer) -> tuple[int, int, int, int]:
    return tuple(answer.content[name] for name in ("created", "changed", "same", "refused"))


def test_a_fixture_its_odds_and_its_result_enter_as_one_match(key):
    assert counts(push(key, fixture(source_id="m1"))) == (1, 0, 0, 0)
    assert counts(push(key, quotes("m1"))) == (0, 1, 0, 0)
    over = fixture(
        source_id="m1",
        status="finished",
        home_goals=2,
        away_goals=1,
        finished_at="2026-11-24T16:54:00Z",
        stats={"home_shots": 11},
    )
    assert counts(push(key, over, now=NOW + timedelta(days=2))) == (0, 1, 0, 0)
    match = Match.objects.get()
    assert (match.status, match.home_goals, match.away_goals, match.result_source) == ("finished", 2, 1, "feed")
    assert match.known_at == datetime(2026, 11, 24, 16, 54, tzinfo=UTC)
    assert MatchStats.objects.get(match=match).home_shots == 11
    assert Odds.objects.get(match_id=match.pk).home == 2.0
    assert Event.objects.filter(topic="match.changed").count() == 2


def test_good_lines_are_stored_in_one_ingest_and_the_others_named(key):
    answer = push(
        key,
        fixture(),
        "{",
        fixture(home_team="Derby", hom=1),
        "",
        fixture(home_team="Wigan", kickoff_at="x"),
        fixture(home_team="Bury"),
    )
    assert answer.status == 200
    assert counts(answer) == (2, 0, 0, 3)
    assert [(each["line"], each["pointer"]) for each in answer.content["errors"]] == [
        (2, ""),
        (3, "/hom"),
        (5, "/kickoff_at"),
    ]
    assert (answer.content["lines"], answer.content["next_line"], answer.content["errors_left_out"]) == (6, 7, 0)
    ingest = Ingest.objects.get()
    assert answer.content["ingest"] == ingest.pk
    assert (ingest.source, ingest.world, ingest.created, ingest.refused) == ("feed", "real", 2, 3)
    assert [refusal["record"] for refusal in ingest.refusals] == ["line 2", "line 3", "line 5"]


def test_the_same_body_again_writes_nothing(key):
    lines = [
        fixture(source_id="m1", odds=quotes("m1")["odds"]),
        fixture(home_team="Derby"),
        quotes("m1", "PS"),
    ]
    push(key, *lines)
    before = list(Match.objects.order_by("id").values()), list(Odds.objects.values()), Event.objects.count()
    answer = push(key, *lines, now=NOW + timedelta(minutes=1))
    assert counts(answer) == (0, 0, 3, 0)
    assert (list(Match.objects.order_by("id").values()), list(Odds.objects.values()), Event.objects.count()) == before
    assert not Ingest.objects.get(pk=answer.content["ingest"]).changed_facts


def test_a_line_that_comes_twice_is_the_same(key):
    assert counts(push(key, fixture(), fixture(), fixture(source_id=None))) == (1, 0, 2, 0)
    assert Match.objects.count() == 1


def test_a_match_that_is_reported_again_in_one_body_ends_as_reported_last(key):
    now = datetime(2026, 11, 24, 18, tzinfo=UTC)
    live = fixture(source_id="m1", status="live", home_goals=1, away_goals=0)
    over = fixture(source_id="m1", status="finished", home_goals=1, away_goals=1)
    answer = push(key, fixture(source_id="m1"), live, over, now=now)
    assert counts(answer) == (1, 2, 0, 0)
    match = Match.objects.get()
    assert (match.status, match.home_goals, match.away_goals) == ("finished", 1, 1)


def test_two_results_of_one_id_are_not_both_stored(key):
    now = datetime(2026, 11, 25, tzinfo=UTC)
    lines = [fixture(source_id="m1", status="finished", home_goals=goals, away_goals=0) for goals in (1, 2)]
    answer = push(key, *lines, now=now)
    assert counts(answer) == (1, 0, 0, 1)
    assert answer.content["errors"][0]["line"] == 1
    assert Match.objects.get().home_goals == 2


def test_what_ingest_refuses_is_reported_by_its_line(key):
    answer = push(
        key,
        fixture(),
        fixture(home_team="Derby", kickoff_at="1700-01-01T00:00:00Z"),
        fixture(home_team="x" * 200),
        fixture(home_team="Wigan", away_team="Wigan", home_team_id="1", away_team_id="2"),
        fixture(home_team="Bury", status="finished", home_goals=1, away_goals=0, kickoff_at="2026-12-24T15:00:00Z"),
    )
    assert counts(answer) == (1, 0, 0, 4)
    reasons = [each["reason"] for each in answer.content["errors"]]
    for said, reason in zip(("1700", "200 characters", "both", "before it has begun"), reasons, strict=True):
        assert said in reason


def test_nothing_usable_is_422_and_leaves_no_ingest(key):
    answer = push(key, "{", "[]")
    assert answer.status == 422
    assert answer.content["ingest"] is None
    assert not Ingest.objects.exists()


def test_the_first_thousand_errors_are_reported_in_order(key, monkeypatch):
    monkeypatch.setattr(line_ingest, "ERRORS_LISTED", 10)
    lines = [fixture(), fixture(home_team="x" * 200), *["{"] * 95]
    answer = push(key, *lines)
    assert [each["line"] for each in answer.content["errors"]] == list(range(2, 12))
    assert (answer.content["refused"], answer.content["errors_left_out"]) == (96, 86)


# ── Odds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_odds_find_their_match_in_the_same_body_before_and_after_it(key):
    answer = push(key, quotes("m1"), fixture(source_id="m1"), quotes("m1", "PS"), quotes("m1", "PS", home=2.2))
    assert counts(answer) == (1, 0, 3, 0)
    prices = Odds.objects.order_by("bookmaker").values_list("bookmaker", "home")
    assert list(prices) == [("B365", 2.0), ("PS", 2.2)]


def test_odds_of_an_unknown_match_are_refused(key, make_key):
    push(make_key("other").row, fixture(source_id="m1"))
    answer = push(key, quotes("m1"), quotes("m1", "PS"), fixture(home_team="Derby"))
    assert counts(answer) == (1, 0, 0, 2)
    assert answer.content["errors"][0] == {
        "line": 1,
        "pointer": "/source_id",
        "reason": "no match of feed has this id",
    }


@pytest.mark.parametrize("status", ["scheduled", "postponed", "cancelled", "live", "finished", "awarded", "unknown"])
def test_odds_change_nothing_but_odds(key, status):
    goals = {"home_goals": 1, "away_goals": 0} if status in ("live", "finished", "awarded") else {}
    now = datetime(2026, 11, 25, tzinfo=UTC)
    push(key, fixture(source_id="m1", home_team_id="t1", away_region="Wales", status=status, **goals), now=now)
    left_out = ("ingest_id", "updated_at")
    before = Match.objects.defer(*left_out).values().get()
    names = TeamAlias.objects.count()
    assert counts(push(key, quotes("m1"), now=now + timedelta(hours=1))) == (0, 1, 0, 0)
    after = Match.objects.values().get()
    assert {k: v for k, v in after.items() if k not in left_out} == {
        k: v for k, v in before.items() if k not in left_out
    }
    assert (Odds.objects.count(), TeamAlias.objects.count(), Team.objects.count()) == (1, names, 2)


def test_odds_of_a_match_whose_result_another_source_told(key, make_key):
    now = datetime(2026, 11, 25, tzinfo=UTC)
    push(key, fixture(source_id="m1"))
    push(make_key("other").row, fixture(status="finished", home_goals=3, away_goals=0), now=now)
    assert counts(push(key, quotes("m1"), now=now)) == (0, 1, 0, 0)
    match = Match.objects.get()
    assert (match.result_source, match.home_goals) == ("other", 3)


def test_odds_do_not_end_a_contradiction_of_their_feed(key, make_key):
    now = datetime(2026, 11, 25, tzinfo=UTC)
    over = {"source_id": "m1", "status": "finished", "away_goals": 0}
    push(make_key("other").row, fixture(**over, home_goals=3), now=now)
    push(key, fixture(source_id="m1"), now=now)
    assert counts(push(key, fixture(**over, home_goals=2), now=now)) == (0, 0, 0, 1)
    assert counts(push(key, quotes("m1"), now=now)) == (0, 1, 0, 0)
    contradiction = Contradiction.objects.get()
    assert (contradiction.source, contradiction.home_goals, contradiction.resolved_at) == ("feed", 2, None)
    match = Match.objects.get()
    assert (match.status, match.home_goals, match.result_source) == ("finished", 3, "other")


# ── Worlds and names ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_key_writes_to_its_worlds_alone(key, make_key):
    with pytest.raises(intake.WorldForbiddenError, match="Line 2 belongs to the sandbox"):
        push(key, fixture(), fixture(competition=SANDBOX))
    with pytest.raises(intake.WorldForbiddenError, match="Line 1 belongs to the real"):
        push(make_key("play", worlds=["sandbox"]).row, fixture())
    assert not Match.objects.exists()


def test_worlds_are_not_mixed_in_one_body(make_key):
    both = make_key(worlds=["real", "sandbox"]).row
    with pytest.raises(WorldConflictError, match="different worlds"):
        push(both, fixture(), fixture(competition=SANDBOX))
    assert not Match.objects.exists()
    assert not Ingest.objects.exists()
    assert counts(push(both, fixture())) == (1, 0, 0, 0)
    assert counts(push(both, fixture(competition=SANDBOX, source_id="s1"))) == (1, 0, 0, 0)


def test_odds_of_the_other_world_are_refused_too(make_key):
    first = make_key(worlds=["sandbox"]).row
    push(first, fixture(competition=SANDBOX, source_id="s1"))
    services.revoke_key(key=first, by="ada", now=NOW)
    with pytest.raises(intake.WorldForbiddenError, match="Line 1"):
        push(make_key(worlds=["real"]).row, quotes("s1"))


def test_a_competition_of_the_other_world_is_not_taken_over(make_key):
    both = make_key(worlds=["real", "sandbox"]).row
    push(both, fixture())
    with pytest.raises(WorldConflictError, match="stored as a competition of the real world"):
        push(both, fixture(competition={"region": "England", "name": "Premier League", "is_simulated": True}))


def test_clubs_are_known_by_their_other_names(key):
    push(key, fixture(home_team="Manchester United FC"))
    assert Team.objects.filter(name="Man United").exists()
    assert TeamAlias.objects.get(name="Manchester United FC").reviewed_at == NOW
    assert TeamAlias.objects.get(name="Hull").reviewed_at is None


def test_a_body_of_too_many_names_stores_nothing(key, monkeypatch):
    monkeypatch.setattr(line_ingest, "NAMES_LIMIT", 20)
    with pytest.raises(intake.TooManyNamesError, match="more than 20"):
        push(key, *[fixture(home_team=f"Club {n}") for n in range(30)])
    assert not Team.objects.exists()


def test_the_same_match_again_and_again_is_refused_before_it_costs(key):
    lines = [fixture(source_id="m1", round=f"Round {n}") for n in range(2_000)]
    began = time.process_time()
    answer = push(key, *lines)
    assert counts(answer) == (1, line_ingest.VERSIONS_LIMIT - 1, 0, 2_000 - line_ingest.VERSIONS_LIMIT)
    assert "more than 20 versions" in answer.content["errors"][0]["reason"]
    assert time.process_time() - began < 20
    # Odds come as often as they change.
    answer = push(key, *[quotes("m1", home=2.0 + n / 1000) for n in range(2_000)])
    assert counts(answer) == (0, 1, 1_999, 0)
    assert Odds.objects.get().home == pytest.approx(3.999)


def test_batches_lose_no_line(key, monkeypatch):
    monkeypatch.setattr(ingestion, "BATCH", 4)
    monkeypatch.setattr(ingestion, "LARGEST_BATCH", 6)
    lines = [
        fixture(home_team=f"Club {n}", season="2025-26" if n < 15 else "2026-27", source_id=f"m{n}") for n in range(23)
    ]
    lines[7] = "{"
    answer = push(key, quotes("m1"), *lines, quotes("m0", "PS"))
    # Odds wait for their match within one batch; m1's came before it, m0 was stored by then.
    assert counts(answer) == (22, 1, 1, 1)
    assert Match.objects.count() == 22
    assert Odds.objects.count() == 2
    assert answer.content["errors"][0]["line"] == 9
    assert Ingest.objects.count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"home_team": "Zażółć gęślą jaźń"},
        {"home_team": "نادي الأهلي"},
        {"home_team": "'; DROP TABLE matches_match; --"},
        {"home_team": "<script>alert(1)</script>"},
        {"home_team": "e\u0301" * 60},
        {"home_team": "\u202eDerby"},
        {"season": "0000"},
        {"competition": {"region": "x" * 80, "name": "y" * 120, "level": 32_767}},
        {"source_id": "i" * 80, "home_team_id": "h" * 40, "stage": "s" * 80, "round": "r" * 60},
        {"stats": {"attendance": 2**31 - 1, "referee": "r" * 80, "home_shots": 32_767}},
        {"stats": {"home_xg": 0, "away_xg": 20.0}},
        {"odds": [{"bookmaker": "B" * 12, "moment": "opening", "home": 9_999.9, "handicap": -1e308}]},
        {"home_penalties": 32_767, "home_goals_extra_time": 0},
    ],
)
def test_the_database_holds_whatever_a_line_may_tell(key, fields):
    assert counts(push(key, fixture(**fields))) == (1, 0, 0, 0)
    assert counts(push(key, fixture(**fields))) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"competition": {"region": "x" * 81, "name": "y"}},
        {"competition": {"region": "x", "name": "y" * 121}},
        {"source_id": "i" * 81},
        {"home_team_id": "h" * 41},
        {"stage": "s" * 81},
        {"round": "r" * 61},
        {"stats": {"referee": "r" * 81}},
        {"stats": {"home_xg": 20.5}},
        {"home_region": "x" * 81},
        {"kickoff_at": "1849-12-31T00:00:00Z"},
        {"kickoff_at": "9999-12-31T23:59:59Z"},
    ],
)
def test_what_the_database_cannot_hold_is_a_refused_line(key, fields):
    assert counts(push(key, fixture(**fields), fixture(home_team="Derby"))) == (1, 0, 0, 1)


# ── The same request, and the next ───────────────────────────────────────────────────────────────────────────────────
def test_the_same_request_under_its_key_gets_the_same_answer_without_work(key, django_assert_num_queries):
    lines = [fixture(), "{"]
    first = push(key, *lines, idempotency_key="a")
    with django_assert_num_queries(3):  # a savepoint around one look-up
        again = push(key, *lines, idempotency_key="a", now=NOW + timedelta(hours=47))
    assert (again.status, again.content, again.is_replayed) == (first.status, first.content, True)
    assert json.loads(json.dumps(first.content)) == first.content
    assert not first.is_replayed
    assert Ingest.objects.count() == 1


def test_an_answer_that_says_nothing_was_usable_is_kept_too(key):
    first = push(key, "{", idempotency_key="a")
    again = push(key, "{", idempotency_key="a")
    assert (again.status, again.is_replayed, again.content) == (422, True, first.content)


def test_another_request_under_the_same_key_is_refused(key, make_key):
    upload = uuid4()
    push(key, fixture(), idempotency_key="a")
    for line, options in ((fixture(home_team="Derby"), {}), (fixture(), {"upload": upload})):
        with pytest.raises(intake.OtherRequestError):
            push(key, line, idempotency_key="a", **options)
    assert not push(make_key("other").row, fixture(home_team="Bury"), idempotency_key="a").is_replayed


def test_a_request_that_failed_may_be_sent_again_under_its_key(make_key):
    both = make_key(worlds=["real", "sandbox"]).row
    with pytest.raises(WorldConflictError):
        push(both, fixture(), fixture(competition=SANDBOX), idempotency_key="a")
    assert not IdempotencyKey.objects.exists()
    assert counts(push(both, fixture(), idempotency_key="a")) == (1, 0, 0, 0)


def test_answers_are_forgotten_after_two_days_and_uploads_after_a_month(key):
    push(key, fixture(), idempotency_key="a", upload=uuid4())
    later = NOW + timedelta(hours=48)
    assert not push(key, fixture(), idempotency_key="a", upload=uuid4(), now=later).is_replayed
    assert (IdempotencyKey.objects.get().created_at, Upload.objects.count()) == (later, 2)
    push(key, fixture(), now=NOW + timedelta(days=40))
    assert (IdempotencyKey.objects.count(), Upload.objects.count()) == (0, 0)


def test_an_upload_goes_on_where_it_stopped(key):
    upload = uuid4()
    first = push(key, fixture(), "{", fixture(home_team="Derby"), upload=upload)
    assert (first.content["upload"], first.content["next_line"]) == (str(upload), 4)
    second = push(key, "{", fixture(home_team="Bury"), upload=upload, from_line=4, now=NOW + timedelta(minutes=1))
    assert [each["line"] for each in second.content["errors"]] == [4]
    row = Upload.objects.get()
    assert (row.next_line, row.stored, row.refused, row.created_at) == (6, 3, 2, NOW)
    assert row.updated_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("from_line", [1, 2, 4, 100])
def test_lines_that_do_not_follow_are_refused_with_the_line_that_does(key, from_line):
    upload = uuid4()
    push(key, fixture(), fixture(home_team="Derby"), upload=upload)
    with pytest.raises(intake.OutOfStepError) as error:
        push(key, fixture(home_team="Bury"), upload=upload, from_line=from_line)
    assert error.value.next_line == 3
    assert Match.objects.count() == 2


def test_an_upload_begins_with_its_first_line(key):
    with pytest.raises(intake.OutOfStepError) as error:
        push(key, fixture(), upload=uuid4(), from_line=5)
    assert error.value.next_line == 1


def test_uploads_of_two_keys_have_nothing_to_do_with_each_other(key, make_key):
    upload = uuid4()
    push(key, fixture(), upload=upload)
    push(make_key("other").row, fixture(), upload=upload)
    assert sorted(Upload.objects.values_list("api_key__source", "next_line")) == [("feed", 2), ("other", 2)]


def test_a_failure_in_the_middle_stores_nothing(key, monkeypatch):
    monkeypatch.setattr(ingestion, "BATCH", 2)
    monkeypatch.setattr(ingestion, "LARGEST_BATCH", 2)
    upload = uuid4()
    push(key, fixture(), upload=upload)
    real, calls = line_ingest._stored, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise ZeroDivisionError
        return real(*arguments)

    monkeypatch.setattr(line_ingest, "_stored", failing)
    with pytest.raises(ZeroDivisionError):
        push(key, *[fixture(home_team=f"Club {n}") for n in range(9)], upload=upload, from_line=2, idempotency_key="a")
    assert (Match.objects.count(), Ingest.objects.count(), IdempotencyKey.objects.count()) == (1, 1, 0)
    assert Upload.objects.get().next_line == 2


def test_records_are_counted_under_the_name_of_the_source(key):
    def counted(outcome: str) -> float:
        labels = {"source": "feed", "outcome": outcome}
        return REGISTRY.get_sample_value("spai_ingested_records_total", labels) or 0.0

    before = counted("created"), counted("refused")
    push(key, fixture(), "{")
    assert (counted("created"), counted("refused")) == (before[0] + 1, before[1] + 1)


def test_the_lock_timeout_ends_with_the_wait(key):
    push(key, fixture())
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone()[0] == "0"
