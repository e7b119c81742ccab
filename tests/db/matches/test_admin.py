"""The office shows facts, edits none, and reviews names."""

from __future__ import annotations

import html

import pytest
from django.contrib.admin.sites import site
from django.urls import reverse
from django.utils import timezone

from apps.matches.admin import FactAdmin
from apps.matches.models import Event, Match, MatchChange, MatchRef, TeamAlias
from tests.factories import MatchStatsFactory, OddsFactory, TeamAliasFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def a_bit_of_everything():
    stats = MatchStatsFactory()
    match = stats.match
    OddsFactory(match=match)
    MatchRef.objects.create(match=match, source="whoscored", source_id="1")
    MatchChange.objects.create(
        match=match, ingest=match.ingest, changed_at=timezone.now(), before={"home_goals": 1}, after={"home_goals": 2}
    )
    Event.objects.create(topic="match.changed", key=str(match.pk), created_at=timezone.now())
    TeamAliasFactory(team=match.home_team)
    return match


MODELS = [model for model in site._registry if model._meta.app_label == "matches"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_and_every_row_opens(office, a_bit_of_everything, model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert office.get(reverse(f"{name}_changelist")).status_code == 200
    row = model._default_manager.order_by("pk").first()
    assert office.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_facts_are_neither_added_nor_deleted_nor_changed(office, a_bit_of_everything, model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.order_by("pk").first()
    assert office.get(reverse(f"{name}_add")).status_code == 403
    assert office.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    if isinstance(site._registry[model], FactAdmin):
        assert office.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403


def test_a_match_shows_its_odds_and_its_history(office, a_bit_of_everything):
    page = office.get(reverse("admin:matches_match_change", args=[a_bit_of_everything.pk])).content.decode()
    assert "PS closing: 2.0 / 3.5 / 4.0" in page
    assert "whoscored" in page
    assert '"home_goals"' in html.unescape(page)


def test_the_list_of_matches_needs_the_same_queries_for_one_as_for_twenty(office, django_assert_max_num_queries):
    MatchStatsFactory.create_batch(20)
    with django_assert_max_num_queries(12):
        office.get(reverse("admin:matches_match_changelist"))
    with django_assert_max_num_queries(12):
        found = office.get(reverse("admin:matches_match_changelist"), {"q": Match.objects.first().home_team.name})
    assert found.status_code == 200


def test_a_name_to_review_is_confirmed_as_a_new_team(office):
    alias, other = TeamAliasFactory(), TeamAliasFactory()
    waiting = reverse("admin:matches_teamalias_changelist") + "?review=waiting"
    assert other.name in office.get(waiting).content.decode()
    answer = office.post(waiting, {"action": "confirm_as_new", "_selected_action": [alias.pk]}, follow=True)
    assert "1 names confirmed" in answer.content.decode()
    assert TeamAlias.objects.get(reviewed_at__isnull=True) == other
