"""Keys in memory: no query when they are warm, and none that outlives its revocation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.api import services
from apps.api.models import ApiKey
from apps.api.services import keys, known_keys
from tests.db.api.conftest import NOW


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch):
    monkeypatch.setattr(known_keys, "_watched_until", 0.0)
    services.forget_key()


@pytest.fixture
def later(monkeypatch):
    """Moves the monotonic clock of this module on."""
    real, moved = known_keys.time.monotonic, [0.0]

    class Clock:
        monotonic = staticmethod(lambda: real() + moved[0])
        sleep = staticmethod(lambda seconds: None)

    monkeypatch.setattr(known_keys, "time", Clock)
    return lambda seconds: moved.__setitem__(0, moved[0] + seconds)


def test_a_key_that_was_read_costs_no_query(make_key, django_assert_num_queries):
    made = make_key()
    assert services.known_key(made.token, now=NOW) is None
    services.read_key(made.token, now=NOW)
    with django_assert_num_queries(0):
        assert services.known_key(made.token, now=NOW) == made.row


def test_a_key_in_memory_is_checked_as_one_in_the_database(make_key):
    end = NOW + timedelta(hours=1)
    made = make_key(expires_at=end)
    services.read_key(made.token, now=NOW)
    with pytest.raises(services.KeyRefusedError, match="unknown"):
        services.known_key(made.token[:-4] + "0000", now=NOW)
    with pytest.raises(services.KeyRefusedError, match="expired"):
        services.known_key(made.token, now=end)


def test_while_nobody_listens_a_key_is_kept_for_a_moment_alone(make_key, later):
    made = make_key()
    services.read_key(made.token, now=NOW)
    later(known_keys.UNWATCHED_SECONDS - 0.5)
    assert services.known_key(made.token, now=NOW)
    later(1.0)
    assert services.known_key(made.token, now=NOW) is None


def test_a_key_that_is_revoked_while_it_is_read_is_not_kept(make_key, monkeypatch):
    made = make_key()

    def find_key(token, *, now):
        row = keys.find_key(token, now=now)
        services.forget_key(row.prefix)
        return row

    monkeypatch.setattr(known_keys, "find_key", find_key)
    services.read_key(made.token, now=NOW)
    assert services.known_key(made.token, now=NOW) is None


def test_a_key_that_is_revoked_while_it_is_stored_is_not_kept(make_key, monkeypatch):
    class Revoking(dict):
        def __setitem__(self, prefix, kept):
            services.forget_key(prefix)
            super().__setitem__(prefix, kept)

    monkeypatch.setattr(known_keys, "_known", Revoking())
    made = make_key()
    services.read_key(made.token, now=NOW)
    assert services.known_key(made.token, now=NOW) is None


def test_not_more_keys_are_kept_than_memory_is_for(make_key, monkeypatch):
    monkeypatch.setattr(known_keys, "MOST_CACHED", 2)
    made = [make_key(f"feed-{n}") for n in range(5)]
    for each in made:
        services.read_key(each.token, now=NOW)
    assert len(known_keys._known) <= 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["revoke", "sql", "delete"])
def test_a_change_of_a_key_is_heard_at_once_however_it_is_made(make_key, change, monkeypatch):
    made, other = make_key(), make_key("other")

    def change_it(*arguments) -> None:
        # The second round listens already: both keys are read, then one is changed.
        for each in (made, other):
            services.read_key(each.token, now=NOW)
        if change == "revoke":
            services.revoke_key(key=made.row, by="ada", now=NOW)
        elif change == "sql":
            with connection.cursor() as cursor:
                cursor.execute("UPDATE api_apikey SET scopes = '{ingest,read}' WHERE prefix = %s", [made.row.prefix])
        else:
            ApiKey.objects.filter(pk=made.row.pk).delete()

    real = services.forget_key
    calls = []

    def forget(prefix: str = "") -> None:
        real(prefix)
        calls.append(prefix)
        if not prefix:
            change_it()

    monkeypatch.setattr(known_keys, "forget_key", forget)
    known_keys.watch_keys(rounds=1)
    assert calls == ["", made.row.prefix]
    assert services.known_key(made.token, now=NOW) is None
    assert services.known_key(other.token, now=NOW) == other.row


@pytest.mark.django_db(transaction=True)
def test_the_time_of_use_is_no_change(make_key, monkeypatch):
    made = make_key()
    heard = []

    def forget(prefix: str = "") -> None:
        heard.append(prefix)
        services.record_use(made.row, now=NOW)

    monkeypatch.setattr(known_keys, "forget_key", forget)
    monkeypatch.setattr(known_keys, "CHECK_SECONDS", 0.01)
    known_keys.watch_keys(rounds=1)
    assert heard == [""]


def test_the_thread_survives_a_database_that_is_gone(make_key, monkeypatch, caplog, later):
    made = make_key()
    services.read_key(made.token, now=NOW)
    real = connection.get_connection_params()
    tries = []

    def params() -> dict:
        tries.append(1)
        return real | ({"port": 1} if len(tries) <= 3 else {})

    monkeypatch.setattr(connection, "get_connection_params", params)
    monkeypatch.setattr(known_keys, "CHECK_SECONDS", 0.01)
    known_keys.watch_keys(rounds=2)
    assert caplog.text.count("changes of API keys are not heard") == 1
    # What was missed meanwhile is unknown.
    assert services.known_key(made.token, now=NOW) is None


@pytest.mark.django_db
def test_keys_of_the_version_before_keep_what_they_could(make_key):
    def migrate_to(name: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        MigrationExecutor(connection).migrate([("api", name)])

    made = make_key()
    migrate_to("0002_plain_words")
    migrate_to("0003_key_scopes")
    row = services.find_key(made.token, now=NOW)
    assert (row.scopes, row.source, row.worlds) == (["ingest", "read", "predict"], "feed", ["real"])
    assert row.requests_per_minute is None
