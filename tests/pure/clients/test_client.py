"""The Python client: what it repeats, keeps, raises and yields; without a server."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from spai_client import AccessError, BusyError, Client, InvalidError, NotFoundError, ProblemError, transport
from spai_client.generated.models import MatchesListStatus, StatusEnum
from tests.pure.clients.replay import EXAMPLES, ROOT, SITE, Replay, refusal

GENERATED = ROOT / "clients" / "python" / "spai_client" / "generated"
MATCH = EXAMPLES["matches_retrieve"]["answer"]


@pytest.fixture
def waits() -> list[float]:
    """The seconds that a client would have waited, as whole numbers: up to a quarter more is by chance."""
    return []


def client_of(replay: Replay, waits: list[float], **options) -> Client:
    return Client(SITE, transport=replay, sleep=lambda seconds: waits.append(int(seconds)), **options)


def in_turn(*answers: httpx.Response):
    """Answer each request with the next of these."""
    left = list(answers)
    return lambda request: left.pop(0)


# ── Repeated ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_busy_server_is_asked_again_after_the_time_that_it_names(waits):
    calls = in_turn(refusal(429, "Too many.", Retry_After="7"), refusal(503, "Down."), httpx.Response(200, json=MATCH))
    assert client_of(Replay(matches_retrieve=calls), waits).match(1001).id == 1001
    assert waits == [7, 1]


def test_a_date_in_retry_after_is_waited_for(waits):
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    calls = in_turn(refusal(503, "Down.", Retry_After=moment), httpx.Response(200, json=MATCH))
    client_of(Replay(matches_retrieve=calls), waits).match(1001)
    assert 0 < waits[0] <= 30


@pytest.mark.parametrize("text", ["", "soon", "-5", "1e5", "٣", "Wed, 99 Nov 2026 10:00:00 GMT", "9" * 400])
def test_a_time_that_cannot_be_read_or_waited_for_breaks_nothing(waits, text):
    calls = in_turn(httpx.Response(503, headers=[(b"Retry-After", text.encode())]), httpx.Response(200, json=MATCH))
    client = client_of(Replay(matches_retrieve=calls), waits, retries=1)
    if text.startswith("9"):
        with pytest.raises(BusyError):
            client.match(1001)
    else:
        assert client.match(1001).id == 1001
        assert waits == [0]


def test_a_server_that_stays_busy_is_given_up(waits):
    replay = Replay(matches_retrieve=lambda request: refusal(503, "The database does not answer.", Retry_After="1"))
    with pytest.raises(BusyError, match="database") as caught:
        client_of(replay, waits, retries=2).match(1001)
    assert (len(replay.requests), waits, caught.value.retry_after) == (3, [1, 1], 1.0)


def test_nobody_waits_for_an_hour(waits):
    replay = Replay(matches_retrieve=lambda request: refusal(429, "Too many.", Retry_After="3600"))
    with pytest.raises(BusyError) as caught:
        client_of(replay, waits).match(1001)
    assert (len(replay.requests), waits, caught.value.retry_after) == (1, [], 3600.0)


@pytest.mark.parametrize(("status", "key", "requests"), [(503, "", 1), (503, "k1", 2), (429, "", 2)])
def test_what_writes_is_repeated_only_where_it_cannot_be_stored_twice(waits, status, key, requests):
    calls = in_turn(refusal(status, "Busy."), httpx.Response(200, json=EXAMPLES["ingest"]["answer"]))
    replay = Replay(ingest=calls)
    client = client_of(replay, waits, key="a.key")
    if requests == 1:
        with pytest.raises(BusyError):
            client.push([{"type": "match"}], idempotency_key=key)
    else:
        assert client.push([{"type": "match"}], idempotency_key=key).created == 1
    assert [each.read() for each in replay.requests] == [b'{"type": "match"}\n'] * requests


# ── Kept ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_answer_with_an_etag_is_asked_for_by_it_and_not_sent_again():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("If-None-Match") == '"a"':
            return httpx.Response(304, headers={"ETag": '"a"'})
        return httpx.Response(200, json=MATCH, headers={"ETag": '"a"', "Cache-Control": "no-cache"})

    replay = Replay(matches_retrieve=answer)
    client = Client(SITE, transport=replay)
    assert client.match(1001) == client.match(1001) == client.match(1001)
    assert [each.headers.get("If-None-Match") for each in replay.requests] == [None, '"a"', '"a"']


def test_a_new_answer_replaces_the_kept_one():
    changed = MATCH | {"home_goals": 3}
    calls = in_turn(
        httpx.Response(200, json=MATCH, headers={"ETag": '"a"'}),
        httpx.Response(200, json=changed, headers={"ETag": '"b"'}),
        httpx.Response(304, headers={"ETag": '"b"'}),
    )
    client = Client(SITE, transport=Replay(matches_retrieve=calls))
    assert [client.match(1001).home_goals for _ in range(3)] == [MATCH["home_goals"], 3, 3]


def test_what_must_not_be_stored_is_not_kept():
    headers = {"ETag": '"a"', "Cache-Control": "no-store"}
    replay = Replay(matches_retrieve=lambda request: httpx.Response(200, json=MATCH, headers=headers))
    client = Client(SITE, transport=replay)
    client.match(1001), client.match(1001)
    assert "If-None-Match" not in replay.requests[1].headers


def test_the_answers_used_longest_ago_go_first(monkeypatch):
    monkeypatch.setattr(transport, "KEPT_ANSWERS", 2)
    replay = Replay()
    for number in (1, 2, 3):
        replay.answers[f"/api/v1/matches/{number}/"] = httpx.Response(200, json=MATCH, headers={"ETag": f'"{number}"'})
    client = Client(SITE, transport=replay)
    for number in (1, 2, 1, 3, 2, 1):
        client.match(number)
    assert ["If-None-Match" in each.headers for each in replay.requests] == [False, False, True, False, False, False]


# ── Raised ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidError), (422, InvalidError), (401, AccessError), (403, AccessError), (404, NotFoundError)],
)
def test_a_refusal_is_an_exception_with_the_words_of_the_server(status, kind):
    replay = Replay(what_if=lambda request: refusal(status, "Do this instead.", "same-team"))
    with pytest.raises(kind, match="Do this instead") as caught:
        Client(SITE, transport=replay).what_if("a", "a")
    assert (caught.value.status, caught.value.kind) == (status, "same-team")
    assert caught.value.request_id == "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("content", [b"<html>Bad gateway</html>", b"[1]", b""])
def test_the_answer_of_a_proxy_is_an_exception_too(content):
    replay = Replay(matches_retrieve=lambda request: httpx.Response(502, content=content))
    with pytest.raises(ProblemError, match="502"):
        Client(SITE, transport=replay).match(1001)


# ── Typed ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_pages_are_followed_to_the_end():
    first = EXAMPLES["matches_list"]["answer"]
    last = first | {"next": None}
    replay = Replay(matches_list=lambda request: last if "cursor" in request.url.params else first)
    found = list(Client(SITE, transport=replay).matches(status=MatchesListStatus.SCHEDULED, page_size=1))
    assert [match.id for match in found] == [1000, 1000]
    assert [each.url.params["status"] for each in replay.requests] == ["scheduled"] * 2


def test_each_method_reads_the_answer_of_the_real_view():
    client = Client(SITE, "a.key", transport=Replay())
    assert client.match(1001).kickoff_at == datetime(2026, 11, 23, 13, tzinfo=UTC)
    assert client.prediction(1001).probabilities.home == 0.5
    assert client.what_if("northgate", "old-mill", day=date(2026, 12, 5)).home_team.slug == "northgate"
    assert client.teams("northgate")[0].region == "Aldermark"
    assert client.table("aldermark-crown-league").standings[0].place == 1
    assert client.season_forecast("aldermark-crown-league").clubs[0].chances["title"] == 0.5


def test_the_key_is_sent_and_nothing_where_there_is_none():
    replay = Replay()
    Client(SITE, "a.key", transport=replay).match(1001)
    Client(SITE, transport=replay).match(1001)
    assert [each.headers.get("Authorization") for each in replay.requests] == ["Bearer a.key", None]


def test_a_value_that_a_newer_server_has_is_read():
    assert StatusEnum("finished") is StatusEnum.FINISHED
    assert StatusEnum("moved") == "moved"


# ── Generated and installed ──────────────────────────────────────────────────────────────────────────────────────────
def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}


def test_the_generated_code_is_that_of_the_recorded_schema(tmp_path):
    """`make client` writes it again."""
    makefile = (ROOT / "Makefile").read_text()
    options = re.search(r"^GENERATE = \S+ (.*)$", makefile, re.M)[1]
    paths = re.search(r"\$\(GENERATE\) (.*) --output-path \S+$", makefile, re.M)[1]
    words = [*options.split(), *paths.split(), "--output-path", str(tmp_path / "generated")]
    command = [sys.executable, "-m", "openapi_python_client", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree(tmp_path / "generated") == tree(GENERATED)


def test_importing_the_client_takes_no_time_and_no_framework():
    code = "import sys, spai_client; print([n for n in ('django', 'mcp', 'pydantic', 'pandas') if n in sys.modules])"
    path = str(ROOT / "clients" / "python")
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
