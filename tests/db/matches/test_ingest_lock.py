"""An operator's decision while matches are being stored: it waits a moment, and is refused in words."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse

from apps.matches.locks import Lock
from apps.matches.models import Contradiction, Correction, Ingest, Match, Team, TeamMerge
from apps.matches.services import (
    CorrectionRefusedError,
    MergeRefusedError,
    accept_contradiction,
    correct_result,
    decisions,
    merge_teams,
    undo_correction,
    undo_merge,
)
from tests.database import locked_elsewhere
from tests.db.matches.conftest import NOW, record

# In transactions of their own: the lock of an ingest goes with its transaction, and a test's would keep it.
pytestmark = pytest.mark.django_db(transaction=True)

WORD = {"by": "ann", "reason": "I was there", "now": NOW}


def import_under_way() -> AbstractContextManager[None]:
    """Hold the lock of ingests in a session of its own, as an import does for its whole transaction."""
    return locked_elsewhere(int(Lock.INGEST))


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(decisions, "TIMEOUT", timedelta(milliseconds=100))


@pytest.fixture
def stored(store):
    """Two sources that disagree on a match, and a match of a team by another name."""
    store(record("2024-03-02", "2-1"))
    store(record("2024-03-02", "2-0"), source="openfootball")
    store(record("2024-03-09", "1-0", home_team="Celtic FC", away_team="Hearts"), source="openfootball")


def merge():
    ids = {name: Team.objects.get(name=name).pk for name in ("Celtic FC", "Celtic")}
    return merge_teams(team_id=ids["Celtic FC"], into_id=ids["Celtic"], **WORD)


def correct():
    match = Match.objects.get(away_team__name="Rangers")
    return correct_result(match_id=match.pk, home_goals=3, away_goals=0, **WORD)


def stand():
    return accept_contradiction(contradiction_id=Contradiction.objects.get().pk, **WORD)


def take_back():
    return undo_correction(correction_id=Correction.objects.get().pk, **WORD)


def part():
    return undo_merge(merge_id=TeamMerge.objects.get().pk, **WORD)


@pytest.mark.parametrize(
    ("first", "decide", "refusal"),
    [
        (None, correct, CorrectionRefusedError),
        (None, stand, CorrectionRefusedError),
        (correct, take_back, CorrectionRefusedError),
        (None, merge, MergeRefusedError),
        (merge, part, MergeRefusedError),
    ],
)
def test_a_decision_does_not_wait_for_an_import_to_end(stored, first, decide, refusal):
    if first:
        first()
    ingests = Ingest.objects.count()
    with import_under_way(), pytest.raises(refusal, match=r"^matches are being stored; try again in a moment$"):
        decide()
    assert Ingest.objects.count() == ingests
    decide()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


def test_the_admin_says_so(admin, stored):
    match = Match.objects.get(away_team__name="Rangers")
    address = reverse("admin:matches_match_correct", args=[match.pk])
    with import_under_way():
        answer = admin.post(
            address, {"home_goals": 3, "away_goals": 0, "status": "finished", "reason": "seen", "_form_submitted": "on"}
        )
    page = admin.get(answer.headers["HX-Redirect"]).content.decode()
    assert "Nothing was changed: matches are being stored; try again in a moment." in page
