"""Keys of programs: made once, shown once, found by their owner alone, revoked for good."""

from __future__ import annotations

import hmac
import io
import json
import logging
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.urls import reverse
from django.utils import timezone

from apps.api import services
from apps.api.models import ApiKey
from apps.matches.models import AuditEntry
from tests.db.api.conftest import NOW
from tests.factories import IngestFactory

pytestmark = pytest.mark.django_db

TOKEN = re.compile(r"spai_[0-9a-f]{8}_[0-9a-f]{64}")


def everything_stored() -> str:
    """All that the tables of the test database hold, as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_a_key_is_found_by_its_token(make_key):
    made = make_key()
    assert TOKEN.fullmatch(made.token)
    assert services.find_key(made.token, now=NOW) == made.row


def test_nothing_of_the_secret_is_kept_or_shown(make_key, caplog):
    with caplog.at_level(logging.DEBUG):
        made = make_key()
        services.find_key(made.token, now=NOW)
    secret = made.token.rpartition("_")[2]
    for shown in (repr(made), str(made), repr(made.row), str(made.row), everything_stored(), caplog.text):
        assert secret not in shown
    assert made.row.secret_sha256 not in repr(made.row)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "spai_",
        "spai_00000000_" + "0" * 64,
        "spai_" + "g" * 8 + "_" + "0" * 64,
        "Bearer x",
        "\x00",
        "spai_٠٠٠٠٠٠٠٠_" + "0" * 64,
        "\ud800",
        "x" * 100_000,
    ],
)
def test_what_is_no_key_is_refused_without_a_hint(make_key, wrong):
    make_key()
    with pytest.raises(services.KeyRefusedError, match="unknown"):
        services.find_key(wrong, now=NOW)


def test_a_key_with_another_secret_is_refused_like_an_unknown_one(make_key):
    made = make_key()
    for wrong in (made.token[:-1] + ("0" if made.token[-1] != "0" else "1"), made.token.upper(), made.token + " "):
        with pytest.raises(services.KeyRefusedError, match="unknown"):
            services.find_key(wrong, now=NOW)


@pytest.mark.parametrize("kind", ["right", "wrong secret", "unknown prefix", "no key"])
def test_hashes_are_compared_in_constant_time_whatever_is_sent(make_key, monkeypatch, kind):
    made = make_key()
    sent = {
        "right": made.token,
        "wrong secret": made.token[:-4] + "0000",
        "unknown prefix": "spai_00000000" + made.token[13:],
        "no key": "hello",
    }[kind]
    compared = []

    def compare(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    try:
        services.find_key(sent, now=NOW)
    except services.KeyRefusedError:
        assert kind != "right"
    assert compared == [(64, 64)]


def test_a_revoked_key_says_so_to_its_owner_alone(make_key):
    made = make_key()
    assert services.revoke_key(key=made.row, by="ada", now=NOW)
    assert not services.revoke_key(key=made.row, by="eve", now=NOW + timedelta(days=1))
    with pytest.raises(services.KeyRefusedError, match="revoked"):
        services.find_key(made.token, now=NOW)
    with pytest.raises(services.KeyRefusedError, match="unknown"):
        services.find_key(made.token[:-4] + "0000", now=NOW)
    made.row.refresh_from_db()
    assert (made.row.revoked_at, made.row.revoked_by) == (NOW, "ada")


def test_the_jobs_of_a_revoked_key_are_cancelled_and_no_others(make_key):
    made, other = make_key(), make_key("another")
    jobs = [
        services.submit_job(api_key=each.row, kind="what_if_set", parameters={"items": [number]}, now=NOW).job
        for each in (made, other)
        for number in range(2)
    ]
    services.revoke_key(key=made.row, by="ada", now=NOW)
    for job in jobs:
        job.refresh_from_db()
    assert [job.state for job in jobs] == ["cancelled", "cancelled", "queued", "queued"]


def test_a_key_ends_at_its_moment(make_key):
    end = NOW + timedelta(days=1)
    made = make_key(expires_at=end)
    assert services.find_key(made.token, now=end - timedelta(seconds=1)) == made.row
    with pytest.raises(services.KeyRefusedError, match="expired"):
        services.find_key(made.token, now=end)


def test_a_use_is_written_at_most_once_a_minute(make_key, django_assert_num_queries):
    made = make_key()
    services.record_use(made.row, now=NOW)
    row = services.find_key(made.token, now=NOW)
    assert row.latest_used_at == NOW
    with django_assert_num_queries(0):
        services.record_use(row, now=NOW + timedelta(seconds=59))
    services.record_use(row, now=NOW + timedelta(seconds=60))
    row.refresh_from_db()
    assert row.latest_used_at == NOW + timedelta(seconds=60)


def test_two_keys_do_not_share_a_source_but_a_successor_takes_it_over(make_key):
    first = make_key("live")
    with pytest.raises(services.SourceTakenError, match="Another key"):
        make_key("live")
    services.revoke_key(key=first.row, by="ada", now=NOW)
    assert make_key("live").row.source == "live"


@pytest.mark.parametrize("source", ["football-data", "openfootball", "whoscored", "sandbox", "old-files"])
def test_the_name_of_a_source_that_is_read_is_taken_on_purpose_alone(make_key, source):
    IngestFactory(source="old-files")
    with pytest.raises(services.SourceTakenError, match="confirm that the feed is that source"):
        make_key(source)
    assert make_key(source, shares_source=True).row.source == source


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": []},
        {"worlds": []},
        {"source": ""},
        {"scopes": ["read"]},
        {"scopes": ["read"], "worlds": []},
        {"scopes": ["read"], "source": ""},
        {"expires_at": NOW},
        {"expires_at": NOW - timedelta(days=1)},
    ],
)
def test_the_database_refuses_a_key_for_nothing(make_key, fields):
    with pytest.raises(IntegrityError):
        make_key(**fields)


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────────────────
def command(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("api_key", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_a_key_alone_and_once():
    out, err = command("create", "Ada's feed", "--source", "live", "--world", "real", "--world", "sandbox")
    token = out.strip()
    assert TOKEN.fullmatch(token)
    assert "shown only once" in err
    row = services.find_key(token, now=timezone.now())
    assert (row.name, row.source, row.worlds, row.scopes) == ("Ada's feed", "live", ["real", "sandbox"], ["ingest"])
    assert token[14:] not in err + command("list")[0] + command("list", "--json")[0]


def test_the_command_makes_a_key_that_reads_and_writes_nothing():
    out, err = command("create", "Ada's page", "--limit", "90")
    row = services.find_key(out.strip(), now=timezone.now())
    assert (row.scopes, row.source, row.worlds, row.requests_per_minute) == (["predict", "read"], "", [], 90)
    assert "has the scopes predict, read. Store the key" in err
    assert command("create", "another")[0] != out


def test_the_command_lists_keys_with_their_state():
    token = command("create", "Ada's feed", "--source", "live", "--days", "30")[0].strip()
    prefix = token[5:13]
    (row,) = json.loads(command("list", "--json")[0])
    assert (row["prefix"], row["state"], row["source"]) == (prefix, "in force", "live")
    assert "revoked" in command("revoke", prefix, "--yes")[0]
    assert re.search(rf"{prefix}\s+revoked\s+ingest\s+live\s+real\s+never\s+Ada's feed", command("list")[0])
    assert "before" in command("revoke", f"spai_{prefix}", "--yes")[0]


def test_the_command_asks_before_it_revokes(monkeypatch):
    prefix = command("create", "x", "--source", "live")[0][5:13]
    monkeypatch.setattr("builtins.input", lambda question: "n")
    with pytest.raises(CommandError, match="Nothing was revoked"):
        command("revoke", prefix)
    monkeypatch.setattr("builtins.input", lambda question: "y")
    command("revoke", prefix)
    assert ApiKey.objects.get().revoked_at


@pytest.mark.parametrize("given", [io.StringIO(), None])
def test_without_a_terminal_the_command_revokes_and_asks_nobody(monkeypatch, given):
    prefix = command("create", "x", "--source", "live")[0][5:13]
    # A script's standard input: empty, or closed.
    monkeypatch.setattr("sys.stdin", given)
    assert "is revoked" in command("revoke", prefix)[0]
    assert ApiKey.objects.get().revoked_at


@pytest.mark.parametrize("typed", ["", "\n", "no\n"])
def test_the_command_revokes_nothing_at_a_terminal_that_does_not_say_yes(monkeypatch, typed):
    prefix = command("create", "x", "--source", "live")[0][5:13]
    terminal = StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(CommandError, match="Nothing was revoked"):
        command("revoke", prefix)
    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x", "--source", "football-data"), "--shares-source"),
        (("create", "x", "--source", "my feed"), "must consist of"),
        (("create", "x", "--source", "y" * 41), "at most 40"),
        (("create", " ", "--source", "y"), "1 to 80"),
        (("create", "x", "--source", "y", "--days", "0"), "--days"),
        (("create", "x", "--source", "y", "--world", "mars"), "invalid choice"),
        (("create", "x", "--scope", "ingest"), "--source: A key with the scope ingest needs it"),
        (("create", "x", "--scope", "read", "--source", "y"), "--source: Only a key with the scope ingest writes"),
        (("create", "x", "--world", "real"), "--world: Only a key with the scope ingest writes"),
        (("create", "x", "--limit", "-1"), "--limit"),
        (("revoke", "nothing", "--yes"), "no key"),
        ((), "required"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, said):
    with pytest.raises(CommandError, match=re.escape(said)):
        command(*arguments)
    assert not ApiKey.objects.exists()


# ── The admin ───────────────────────────────────────────────────────────────────────────────────────────────────────
FORM = {
    "name": "Ada's feed",
    "source": "live",
    "worlds": ["real"],
    "scopes": ["ingest"],
    "expires_at_0": "",
    "expires_at_1": "",
}
ADD = "admin:api_apikey_add"


def test_the_admin_shows_a_new_key_once(admin):
    assert "This feed is a source that SPAI reads itself" in admin.get(reverse(ADD)).content.decode()
    response = admin.post(reverse(ADD), FORM)
    assert "no-store" in response["Cache-Control"]
    (token,) = set(TOKEN.findall(response.content.decode()))
    row = services.find_key(token, now=timezone.now())
    assert (row.source, row.worlds, row.created_by, row.scopes) == ("live", ["real"], "admin", ["ingest"])
    secret = token[14:]
    pages = [
        reverse("admin:api_apikey_changelist"),
        reverse("admin:api_apikey_change", args=[row.pk]),
        reverse("admin:api_apikey_history", args=[row.pk]),
        reverse("admin:index"),
    ]
    for page in pages:
        shown = admin.get(page, follow=True)
        assert shown.status_code == 200
        assert secret not in shown.content.decode()
        assert row.secret_sha256 not in shown.content.decode()
    assert secret not in everything_stored()
    assert secret not in str(admin.cookies)
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    assert AuditEntry.objects.get().subjects == [f"api.apikey/{row.pk}"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"source": "football-data"}, "confirm that the feed is that source"),
        ({"source": "my feed"}, "slug"),
        ({"worlds": []}, "A key with the scope ingest needs it."),
        ({"source": ""}, "A key with the scope ingest needs it."),
        ({"scopes": ["read"]}, "Only a key with the scope ingest writes."),
        ({"requests_per_minute": "-1"}, "greater than or equal to 0"),
        ({"worlds": ["mars"]}, "valid choice"),
        ({"scopes": []}, "required"),
        ({"expires_at_0": "2001-01-01", "expires_at_1": "00:00:00"}, "This time is in the past"),
        ({"name": ""}, "required"),
    ],
)
def test_the_admin_says_what_is_wrong_with_a_new_key(admin, fields, said):
    response = admin.post(reverse(ADD), FORM | fields)
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not ApiKey.objects.exists()


def test_the_admin_makes_a_key_that_reads_and_has_a_limit_of_its_own(admin):
    given = {"scopes": ["read", "jobs"], "source": "", "worlds": [], "requests_per_minute": "30"}
    response = admin.post(reverse(ADD), FORM | given)
    row = ApiKey.objects.get()
    assert (row.scopes, row.source, row.worlds, row.requests_per_minute) == (["read", "jobs"], "", [], 30)
    assert "/api/v1/ingest/" not in response.content.decode()
    # Another one has no source either.
    admin.post(reverse(ADD), FORM | given)
    assert ApiKey.objects.count() == 2


def test_the_admin_refuses_a_source_that_another_key_has_and_a_form_sent_twice(admin):
    admin.post(reverse(ADD), FORM)
    assert "Another key stores under live" in admin.post(reverse(ADD), FORM).content.decode()
    assert ApiKey.objects.count() == 1


def test_the_admin_takes_a_scraped_name_that_is_meant(admin):
    admin.post(reverse(ADD), FORM | {"source": "football-data", "shares_source": "on"})
    assert ApiKey.objects.get().source == "football-data"


def test_a_key_is_revoked_after_a_question(admin, key):
    address = reverse("admin:api_apikey_revoke", args=[key.pk])
    assert "cannot be undone" in admin.get(address).content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None
    admin.post(address, {"_form_submitted": "on"})
    key.refresh_from_db()
    assert key.revoked_by == "admin"
    assert "revoked" in admin.get(reverse("admin:api_apikey_changelist")).content.decode()


def test_nothing_of_a_key_is_edited_or_deleted(admin, key):
    address = reverse("admin:api_apikey_change", args=[key.pk])
    page = admin.get(address).content.decode()
    assert 'name="source"' not in page
    assert admin.post(address, FORM | {"source": "stolen"}).status_code == 403
    assert admin.post(reverse("admin:api_apikey_delete", args=[key.pk]), {"post": "yes"}).status_code == 403
    key.refresh_from_db()
    assert key.source == "feed"


def test_whoever_is_not_allowed_makes_and_revokes_no_key(admin_process, client, key):
    client.force_login(get_user_model().objects.create_user("eve", is_staff=True))
    assert client.post(reverse(ADD), FORM).status_code == 403
    assert client.post(reverse("admin:api_apikey_revoke", args=[key.pk]), {"_form_submitted": "on"}).status_code == 403
    assert list(ApiKey.objects.values_list("source", "revoked_at")) == [("feed", None)]
