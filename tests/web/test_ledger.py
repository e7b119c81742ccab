"""The ledger as others see it: page, Atom feed, REST, and a proof that the verifier of strangers accepts."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.utils import timezone

from apps.matches.services import Retention
from apps.ml import ledger, services
from apps.ml.models import LedgerDay
from apps.ml.services.retention import delete_sandbox_leaves
from tests.web.test_api import problem_of

LEDGER = "/api/v1/ledger/"


@pytest.fixture
def closed(build, champion):
    """A day with three forecasts that is closed; the forecasts."""
    match = build.match(kickoff_at=timezone.now() + timedelta(days=1))
    made = [
        build.prediction(match, champion, (0.4, 0.3, 0.3), before_kickoff=timedelta(days=4), data_snapshot=number)
        for number in range(3)
    ]
    services.close_due(now=made[0].published_at + timedelta(days=2))
    return made


def verifier():
    place = Path(__file__).parents[2] / "clients/python/spai_client/verify.py"
    spec = importlib.util.spec_from_file_location("verify_alone", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_stranger_proves_a_forecast_with_the_hash_of_its_day(client, closed):
    proof = client.get(f"/api/v1/predictions/{closed[1].pk}/proof/").json()
    day = closed[1].published_at.date()
    entry = client.get(f"{LEDGER}{day}/?world=sandbox").json()
    assert proof["entry"] == entry
    forecast = verifier().verify(proof, entry["hash"])
    assert (forecast["prediction"], forecast["p_home"]) == (closed[1].pk, "0.4")


def test_the_root_of_a_day_is_computed_from_its_leaves(client, closed, monkeypatch):
    from apps.api.rest import ledger as rest

    monkeypatch.setattr(rest, "LEAVES_ON_PAGE", 2)
    address, leaves = f"{LEDGER}{closed[0].published_at.date()}/leaves/?world=sandbox", []
    while address:
        body = client.get(address).json()
        leaves += body["results"]
        address = body["next"]
    assert len(leaves) == 3
    entry = LedgerDay.objects.earliest("day")
    assert ledger.root_of(ledger.tree_of([ledger.leaf_hash(leaf) for leaf in leaves])).hex() == entry.root


def test_days_are_listed_newest_first_in_pages(client, closed, monkeypatch):
    from apps.api.rest import ledger as rest

    services.close_due(now=closed[0].published_at + timedelta(days=4))
    monkeypatch.setattr(rest, "DAYS_ON_PAGE", 2)
    first = client.get(f"{LEDGER}?world=sandbox").json()
    second = client.get(first["next"]).json()
    days = [each["day"] for each in first["results"] + second["results"]]
    assert days == [each.isoformat() for each in LedgerDay.objects.order_by("-day").values_list("day", flat=True)]
    assert (len(days), second["next"]) == (4, None)


def test_an_answer_says_that_the_leaves_of_a_simulated_day_were_deleted(client, closed):
    delete_sandbox_leaves(Retention(timezone.now() + timedelta(days=30)))
    for address in (
        f"/api/v1/predictions/{closed[0].pk}/proof/",
        f"{LEDGER}{closed[0].published_at.date()}/leaves/?world=sandbox",
    ):
        assert problem_of(client.get(address), 404)["type"].endswith("ledger-leaves-deleted")


def test_what_is_closed_may_be_cached_and_the_list_may_not(client, closed):
    assert "max-age=86400" in client.get(f"/api/v1/predictions/{closed[0].pk}/proof/")["Cache-Control"]
    day = f"{LEDGER}{closed[0].published_at.date()}/"
    for address in (day, f"{day}leaves/"):
        assert client.get(f"{address}?world=sandbox")["Cache-Control"] == "max-age=86400"
        # The operator may choose another world for requests that name none.
        assert client.get(address)["Cache-Control"] == "no-cache"
    assert "max-age" not in client.get(f"{LEDGER}?world=sandbox").headers.get("Cache-Control", "")


def test_a_forecast_of_today_has_no_proof_yet_and_the_answer_says_when(client, build, champion):
    match = build.match(kickoff_at=timezone.now() + timedelta(days=1))
    made = build.prediction(match, champion, (0.4, 0.3, 0.3), before_kickoff=timedelta(days=1, minutes=-0.001))
    body = problem_of(client.get(f"/api/v1/predictions/{made.pk}/proof/"), 404)
    assert body["type"] in ("urn:spai:problem:ledger-not-closed", "urn:spai:problem:no-ledger-day")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/v1/predictions/999999/proof/", 404),
        (f"/api/v1/predictions/{'9' * 30}/proof/", 404),
        ("/api/v1/predictions/1/proof/?x=1", 400),
        (f"{LEDGER}2026-02-30/", 404),
        (f"{LEDGER}2026-02-28/", 404),
        (f"{LEDGER}9999-12-31/leaves/", 404),
        (f"{LEDGER}0000-00-00/", 404),
        (f"{LEDGER}?world=mars", 400),
        (f"{LEDGER}?before=yesterday", 400),
        (f"{LEDGER}?before=", 400),
        (f"{LEDGER}2026-02-28/leaves/?position=-1", 400),
    ],
)
def test_what_there_is_not_is_a_problem(client, db, address, status):
    problem_of(client.get(address), status)


def test_the_page_and_the_feed_have_the_hashes(client, closed):
    entry = LedgerDay.objects.earliest("day")
    page = client.get("/ledger/?world=sandbox").content.decode()
    assert entry.hash in page
    feed = client.get("/ledger/feed/?world=sandbox")
    assert feed["Content-Type"].startswith("application/atom+xml")
    root = ElementTree.fromstring(feed.content)
    titles = [each.text for each in root.iter("{http://www.w3.org/2005/Atom}title")]
    assert f"{entry.day}: 3 forecasts" in titles
    assert entry.hash in feed.content.decode()


def test_before_the_first_day_the_page_says_when_there_will_be_one(client, db):
    assert "No day is closed yet" in client.get("/ledger/").content.decode()
    assert client.get("/ledger/feed/").status_code == 200
