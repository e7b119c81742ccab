"""The admin offers an action only where it would not be refused, and says whoever asks all the same why not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.api import services as keys
from apps.matches import services as matches
from apps.matches.models import Correction
from apps.matches.records import MatchStatus
from apps.ml import services as models
from apps.ml.models import Promotion
from apps.scraping.models import HostState, Snapshot, Source
from apps.scraping.politeness import BreakerState
from tests.factories import ContradictionFactory, MatchFactory
from tests.web.conftest import Builder

pytestmark = pytest.mark.django_db


@pytest.fixture
def build(db):
    return Builder(timezone.now().replace(microsecond=0))


@pytest.fixture
def offers(admin):
    """A function that says whether an action is on the page of a row, or of a list where no row is given."""

    def found(model: str, action: str, *row: int) -> bool:
        page = reverse(f"admin:{model}_{'change' if row else 'changelist'}", args=row)
        response = admin.get(page)
        assert response.status_code == 200
        return reverse(f"admin:{model}_{action}", args=row) in response.content.decode()

    return found


def test_a_version_is_promoted_and_compared_where_it_may_be(offers, admin, build):
    first, second = build.version(1), build.version(2)
    labelled = build.version(3, inputs="prices before the match")
    assert offers("ml_modelversion", "promote_version", first.pk)
    assert not offers("ml_modelversion", "compare_again", first.pk)
    assert not offers("ml_modelversion", "promote_version", labelled.pk)
    models.promote(version=first, user=None, reason="first", now=build.now)
    assert not offers("ml_modelversion", "promote_version", first.pk)
    assert not offers("ml_modelversion", "compare_again", first.pk)
    assert offers("ml_modelversion", "promote_version", second.pk)
    assert offers("ml_modelversion", "compare_again", second.pk)
    for version, said in ((labelled, "the champion must need none"), (first, "has been champion since")):
        page = reverse("admin:ml_modelversion_change", args=[version.pk])
        assert f"Not to be promoted: {version}" in admin.get(page).content.decode()
        assert said in admin.get(page).content.decode()


def test_a_champion_is_rolled_back_where_there_was_one_before(offers, build):
    first, second = build.version(1), build.version(2)
    assert not offers("ml_promotion", "roll_back_sandbox")
    models.promote(version=first, user=None, reason="first", now=build.now)
    assert not offers("ml_promotion", "roll_back_sandbox")
    models.promote(version=second, user=None, reason="second", now=build.now)
    assert offers("ml_promotion", "roll_back_sandbox")
    assert not offers("ml_promotion", "roll_back_real")
    # The bundles here cannot be loaded, which a rollback asks for.
    models.promote(version=first, user=None, reason="worse", now=build.now, kind=Promotion.Action.ROLLBACK)
    assert not offers("ml_promotion", "roll_back_sandbox")


def test_a_result_is_corrected_from_the_kickoff_on(offers, build):
    coming = build.match(kickoff_at=build.now + timedelta(hours=1))
    begun = build.match("Redfield", "Lakeside", kickoff_at=build.now - timedelta(hours=1))
    assert not offers("matches_match", "correct", coming.pk)
    assert offers("matches_match", "correct", begun.pk)


def test_a_contradiction_is_decided_while_it_lasts(offers, build):
    row = ContradictionFactory()
    assert offers("matches_contradiction", "accept_contradiction", row.pk)
    row.resolved_at, row.resolution = build.now, "agreed"
    row.save()
    assert not offers("matches_contradiction", "accept_contradiction", row.pk)


def test_the_latest_correction_is_taken_back_and_each_once(offers, build):
    match = MatchFactory(kickoff_at=build.now - timedelta(days=1))
    for goals in (1, 2):
        matches.correct_result(
            match_id=match.pk,
            home_goals=goals,
            away_goals=0,
            status=MatchStatus.FINISHED,
            by="ann",
            reason="seen",
            now=build.now,
        )
    earlier, later = Correction.objects.order_by("pk")
    assert not offers("matches_correction", "undo", earlier.pk)
    assert offers("matches_correction", "undo", later.pk)
    matches.undo_correction(correction_id=later.pk, by="ann", reason="wrong", now=build.now)
    assert offers("matches_correction", "undo", earlier.pk)
    assert not offers("matches_correction", "undo", later.pk)


def test_a_key_is_revoked_once(offers, build):
    made = keys.create_key(
        name="feed",
        source="feed",
        worlds=["sandbox"],
        scopes=["ingest"],
        expires_at=None,
        shares_source=False,
        created_by="ann",
        now=build.now,
    )
    assert offers("api_apikey", "revoke", made.row.pk)
    keys.revoke_key(key=made.row, by="ann", now=build.now)
    assert not offers("api_apikey", "revoke", made.row.pk)


def test_a_source_is_scraped_where_requests_may_leave(offers, admin, build, settings):
    settings.SPAI_CONTACT = "mail@example.org"
    admin.get(reverse("admin:scraping_source_changelist"))
    asks = Source.objects.get(name="whoscored")
    levers = ("scrape_now", "back_fill", "switch_on", "reparse", "resume_host")
    assert [each for each in levers if offers("scraping_source", each, asks.pk)] == []
    page = reverse("admin:scraping_source_change", args=[asks.pk])
    assert "Confirm it in the admin" in admin.get(page).content.decode()
    asks.permission_confirmed_at = build.now
    asks.save()
    assert [each for each in levers if offers("scraping_source", each, asks.pk)] == ["switch_on"]
    asks.is_enabled = True
    asks.save()
    assert [each for each in levers if offers("scraping_source", each, asks.pk)] == ["scrape_now", "back_fill"]
    HostState.objects.create(
        host="www.whoscored.com", state=BreakerState.OPEN, open_until=build.now + timedelta(hours=1)
    )
    Snapshot.objects.create(
        source=asks, run_id=1, url="https://www.whoscored.com/", fetched_at=build.now, status=200, size=1
    )
    assert [each for each in levers if offers("scraping_source", each, asks.pk)] == [
        "scrape_now",
        "back_fill",
        "reparse",
        "resume_host",
    ]


@pytest.mark.parametrize("model", ["ml_modelversion", "matches_match", "scraping_source", "api_apikey"])
@pytest.mark.parametrize("row", ["0", "x", "9" * 30])
def test_a_row_that_is_not_there_is_no_fault(admin, model, row):
    response = admin.get(reverse(f"admin:{model}_change", args=[row]), follow=True)
    assert response.status_code in (200, 404)
