"""Days of the ledger are closed once, in order, with every forecast; nothing is added afterwards."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import IntegrityError, InternalError, connection, transaction
from django.utils import timezone

from apps.matches.locks import Lock
from apps.matches.models import Event, Match, Team, World
from apps.ml import ledger, selectors, services
from apps.ml.models import LedgerDay, LedgerLeaf, Prediction
from apps.ml.services import ledger as service
from tests.database import database_url, locked_elsewhere
from tests.web.conftest import Builder

NOON = datetime.combine(timezone.now().date() - timedelta(days=3), datetime.min.time(), UTC) + timedelta(hours=12)
DAY = NOON.date()
CLOSING = datetime.combine(DAY + timedelta(days=1), datetime.min.time(), UTC) + service.MARGIN


@pytest.fixture
def build(db):
    return Builder(NOON)


@pytest.fixture
def publish(build):
    """A function that publishes a forecast of a match that is still to come, at a moment of the past."""
    version = build.version()
    matches = iter(range(1_000))

    def make(at: datetime = NOON, *, match: Match | None = None, **fields) -> Prediction:
        match = match or build.match(f"Home {next(matches)}", "Away", kickoff_at=timezone.now() + timedelta(days=2))
        values = {"p_home": 0.5, "p_draw": 0.3, "p_away": 0.2, "home_expected_goals": 1.5, "away_expected_goals": 1.1}
        return Prediction.objects.create(
            match=match,
            version=version,
            data_snapshot=build.ingest.pk,
            as_of=at,
            published_at=at,
            kickoff_at=match.kickoff_at,
            **{"base_home": 0.4, "base_draw": 0.3, "base_away": 0.3, "features_sha256": "0" * 64, **values, **fields},
        )

    return make


def test_a_day_is_closed_once_and_only_after_the_margin(publish):
    publish()
    assert services.close_due(now=CLOSING - timedelta(seconds=1)).closed == {}
    assert services.close_due(now=CLOSING).closed == {"sandbox": [DAY]}
    assert services.close_due(now=CLOSING).closed == {}
    assert LedgerDay.objects.get().forecasts == 1


def test_every_forecast_of_the_day_is_a_leaf_in_the_order_of_their_ids(publish):
    midnight = datetime.combine(DAY, datetime.min.time(), UTC)
    inside = [publish(midnight), publish(), publish(midnight + timedelta(days=1, microseconds=-1))]
    publish(midnight + timedelta(days=1))
    services.close_due(now=CLOSING)
    entry = LedgerDay.objects.get()
    assert [leaf.prediction_id for leaf in entry.leaves.order_by("position")] == [each.pk for each in inside]
    leaves = selectors.ledger_leaves(entry, after=0, limit=10)
    assert entry.root == ledger.root_of(ledger.tree_of([ledger.leaf_hash(text) for text in leaves])).hex()


def test_a_leaf_has_the_forecast_in_words_that_stay_and_numbers_that_are_exact(publish):
    made = publish(p_home=0.1 + 0.2, p_draw=0.4, p_away=0.3)
    services.close_due(now=CLOSING)
    Team.objects.filter(pk=made.match.home_team_id).update(name="Another name")
    leaf = json.loads(LedgerLeaf.objects.get().content)
    assert (leaf["prediction"], leaf["match"], leaf["world"], leaf["model"]) == (made.pk, made.match_id, "sandbox", 1)
    assert (leaf["home_team"], leaf["away_team"]) == ("Home 0", "Away")
    assert (leaf["p_home"], leaf["p_draw"]) == ("0.30000000000000004", "0.4")
    assert leaf["published_at"] == f"{DAY}T12:00:00.000000Z"


def test_each_day_names_the_hash_of_the_day_before_and_days_without_a_forecast_are_in_the_chain(publish):
    publish()
    publish(NOON + timedelta(days=2))
    services.close_due(now=CLOSING + timedelta(days=2))
    first, empty, third = LedgerDay.objects.order_by("day")
    assert first.previous == ledger.BEFORE_THE_FIRST
    assert (empty.previous, third.previous) == (first.hash, empty.hash)
    assert (empty.forecasts, empty.root) == (0, ledger.root_of([[]]).hex())
    for each in (first, empty, third):
        assert each.hash == ledger.entry_hash(
            world="sandbox", day=each.day.isoformat(), forecasts=each.forecasts, root=each.root, previous=each.previous
        )


def test_the_worlds_have_ledgers_of_their_own(build, publish):
    publish()
    services.close_due(now=CLOSING)
    assert set(LedgerDay.objects.values_list("world", flat=True)) == {World.SANDBOX}


def test_a_closed_day_is_an_event_with_its_hashes(publish):
    publish()
    services.close_due(now=CLOSING)
    event, entry = Event.objects.get(topic="ledger.published"), LedgerDay.objects.get()
    assert (event.key, event.world) == (DAY.isoformat(), "sandbox")
    assert event.payload == {"day": DAY.isoformat(), "forecasts": 1, "root": entry.root, "entry": entry.hash}


@pytest.mark.parametrize("days", [0, -1])
def test_the_database_refuses_a_forecast_of_a_closed_day_and_of_one_before(publish, days):
    publish()
    services.close_due(now=CLOSING)
    with pytest.raises(IntegrityError, match=r"ledger of .* is closed"), transaction.atomic():
        publish(NOON + timedelta(days=days))
    publish(NOON + timedelta(days=1))


def test_a_forecast_that_was_stored_past_the_checks_is_named(build, publish, caplog):
    publish()
    match = build.match("Northgate", "Old Mill", kickoff_at=timezone.now() + timedelta(days=2))
    services.close_due(now=CLOSING)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        publish(match=match)
        cursor.execute("SET session_replication_role = origin")
    with caplog.at_level(logging.ERROR):
        report = services.close_due(now=CLOSING + timedelta(days=1))
    assert report.missing == {"sandbox": 1}
    assert "1 forecasts of the sandbox world are of days whose ledger is closed" in caplog.text


@pytest.mark.parametrize(("model", "column"), [(LedgerDay, "root"), (LedgerLeaf, "content")])
def test_nothing_of_the_ledger_is_changed_or_deleted(publish, model, column):
    publish()
    services.close_due(now=CLOSING)
    table = model._meta.db_table
    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
        with (
            pytest.raises((InternalError, IntegrityError), match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_the_proof_of_a_forecast_holds_and_there_is_none_before_the_day_is_closed(publish):
    made = [publish() for _ in range(5)]
    assert selectors.inclusion_proof(made[3].pk) is None
    services.close_due(now=CLOSING)
    proof = selectors.inclusion_proof(made[3].pk)
    assert proof.position == 3
    tree = ledger.tree_of([bytes(leaf.sha256) for leaf in LedgerLeaf.objects.order_by("position")])
    assert proof.path == [each.hex() for each in ledger.path_of(tree, 3)]


@pytest.mark.django_db(transaction=True)
def test_a_day_is_not_closed_twice_at_once(publish):
    publish()
    with locked_elsewhere(Lock.LEDGER):
        assert services.close_due(now=CLOSING).busy
    assert not LedgerDay.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_day_waits_for_a_forecast_that_is_being_stored(publish, monkeypatch):
    publish()
    monkeypatch.setattr(service, "LOCK_SECONDS", 0.1)
    with psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE ml_prediction IN ROW EXCLUSIVE MODE")
        assert services.close_due(now=CLOSING).closed == {}
    assert services.close_due(now=CLOSING).closed == {"sandbox": [DAY]}


def test_without_a_forecast_there_is_no_ledger(db):
    assert services.close_due(now=timezone.now()).closed == {}
