"""The admin shows facts, edits none, and reviews names."""

from __future__ import annotations

import html
import re

import pytest
from django.contrib.admin.sites import site
from django.urls import reverse
from django.utils import timezone

from apps.matches.admin import FactAdmin, facts
from apps.matches.leagues import known_leagues
from apps.matches.models import (
    Absence,
    AwardedResult,
    Competition,
    Contradiction,
    Correction,
    Event,
    Incident,
    Lineup,
    Match,
    MatchChange,
    MatchRef,
    Player,
    PointsAdjustment,
    RetentionRun,
    SquadValue,
    Team,
    TeamAlias,
    TeamMerge,
)
from apps.matches.services import ensure_periods, record_action
from tests.db.matches.conftest import record
from tests.factories import ContradictionFactory, MatchFactory, MatchStatsFactory, OddsFactory, TeamAliasFactory

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
    player = Player.objects.create(source="whoscored", source_player_id="1", name="Joe Hart")
    Lineup.objects.create(match=match, player=player, side="home", is_starter=True, known_at=match.kickoff_at)
    Absence.objects.create(match=match, player=player, side="home", reason="injured", known_at=match.kickoff_at)
    Incident.objects.create(
        match=match, source="whoscored", number=1, kind="goal", side="home", minute=88, player=player
    )
    ContradictionFactory(match=match)
    record_action(by="ann", action="looked at it", about=match, now=timezone.now())
    result = {"result_source": "football-data", "status": "finished", "home_goals": 2, "away_goals": 1}
    Correction.objects.create(
        match=match, ingest=match.ingest, before=result, after=result, decided_by="ann", reason="seen",
        decided_at=timezone.now(),
    )  # fmt: skip
    decision = {"decided_on": match.kickoff_at.date(), "reason": "seen", "source": "x", "recorded_at": match.kickoff_at}
    PointsAdjustment.objects.create(season=match.season, team=match.home_team, points=-3, **decision)
    AwardedResult.objects.create(
        season=match.season, home_team=match.home_team, away_team=match.away_team,
        played_on=match.kickoff_at.date(), home_goals=0, away_goals=3, **decision,
    )  # fmt: skip
    SquadValue.objects.create(team=match.home_team, source="x", known_on=match.kickoff_at.date(), value_eur=1)
    TeamMerge.objects.create(
        name="Arsenal FC", region=match.home_team.region, into=match.home_team, into_name="Arsenal",
        ingest=match.ingest, matches_moved=1, matches_joined=1, merged_by="ann", reason="one club",
        moved={"team": {"id": 0, "slug": "arsenal-fc"}, "joins": [], "after": {}},
        merged_at=timezone.now(),
    )  # fmt: skip
    ensure_periods()
    RetentionRun.objects.create(started_at=timezone.now(), requested_by="ann")
    return match


MODELS = [model for model in site._registry if model._meta.app_label == "matches"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_and_every_row_opens(admin, a_bit_of_everything, model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert admin.get(reverse(f"{name}_changelist")).status_code == 200
    row = model._default_manager.order_by("pk").first()
    assert admin.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_facts_are_neither_added_nor_deleted_nor_changed(admin, a_bit_of_everything, model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.order_by("pk").first()
    assert admin.get(reverse(f"{name}_add")).status_code == 403
    assert admin.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    if isinstance(site._registry[model], FactAdmin) and model is not Competition:
        assert admin.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403


def test_of_a_competition_the_position_alone_is_changed_and_may_be_left_out_again(admin, a_bit_of_everything):
    row = a_bit_of_everything.season.competition
    before = Competition.objects.values("name", "slug", "level", "region").get(pk=row.pk)
    address = reverse("admin:matches_competition_change", args=[row.pk])
    given = {"name": "Other", "slug": "other", "level": 5, "region": 999}
    for position, stored, shown in (("3", 3, "3 (changed)"), ("", None, f">{len(known_leagues()) + 1}<")):
        assert admin.post(address, given | {"position": position}).status_code == 302
        assert Competition.objects.values("name", "slug", "level", "region").get(pk=row.pk) == before
        assert Competition.objects.get(pk=row.pk).position == stored
        assert shown in admin.get(reverse("admin:matches_competition_changelist")).content.decode()


@pytest.mark.parametrize("position", ["0", "-1", "first"])
def test_a_position_that_is_none_is_refused(admin, a_bit_of_everything, position):
    row = a_bit_of_everything.season.competition
    address = reverse("admin:matches_competition_change", args=[row.pk])
    assert admin.post(address, {"position": position}).status_code == 200
    assert Competition.objects.get(pk=row.pk).position is None


def test_a_match_shows_its_odds_and_its_history(admin, a_bit_of_everything):
    page = admin.get(reverse("admin:matches_match_change", args=[a_bit_of_everything.pk])).content.decode()
    assert "PS closing: 2.0 / 3.5 / 4.0" in page
    assert "whoscored" in page
    assert '"home_goals"' in html.unescape(page)


def test_a_match_shows_its_people_and_who_contradicts_it(admin, a_bit_of_everything):
    page = admin.get(reverse("admin:matches_match_change", args=[a_bit_of_everything.pk])).content.decode()
    for said in ("Joe Hart", "injured", "88", "2–0", "openfootball", "order of trust"):
        assert said in page


def test_a_contradiction_is_listed_filtered_and_decided(admin):
    row, ended = ContradictionFactory(), ContradictionFactory()
    Contradiction.objects.filter(pk=ended.pk).update(resolved_at=timezone.now(), resolution="agreed")
    listed = reverse("admin:matches_contradiction_changelist")
    page = admin.get(listed + "?state=open").content.decode()
    for said in ("2–0 by openfootball", "2–1 by football-data", row.match.home_team.name, str(row.match.season)):
        assert said in page
    assert ended.match.home_team.name not in page
    assert "the sources agree" in admin.get(listed + "?state=resolved").content.decode()
    address = reverse("admin:matches_contradiction_accept_contradiction", args=[row.pk])
    assert "no source overrules it" in admin.get(address).content.decode()
    admin.post(address, {"reason": "", "_form_submitted": "on"})
    assert not Correction.objects.exists()
    answer = admin.post(address, {"reason": "I was there", "_form_submitted": "on"})
    correction = Correction.objects.get()
    assert answer.headers["HX-Redirect"] == reverse("admin:matches_correction_change", args=[correction.pk])
    assert (correction.decided_by, correction.reason) == ("admin", "I was there")
    row.match.refresh_from_db()
    assert (row.match.away_goals, row.match.result_source) == (0, "operator")
    answer = admin.post(address, {"reason": "again", "_form_submitted": "on"})
    assert "the contradiction has ended" in admin.get(answer.headers["HX-Redirect"]).content.decode()


def test_a_correction_is_made_and_taken_back_in_the_admin(admin):
    match = MatchStatsFactory().match
    form = {"home_goals": 4, "away_goals": 4, "status": "finished", "reason": "seen", "_form_submitted": "on"}
    admin.post(reverse("admin:matches_match_correct", args=[match.pk]), form)
    match.refresh_from_db()
    assert (match.home_goals, match.result_source) == (4, "operator")
    correction = Correction.objects.get()
    assert "4–4 by operator" in admin.get(reverse("admin:matches_correction_changelist")).content.decode()
    address = reverse("admin:matches_correction_undo", args=[correction.pk])
    admin.post(address, {"reason": "not seen", "_form_submitted": "on"})
    match.refresh_from_db()
    assert (match.home_goals, match.result_source) == (2, "football-data")
    answer = admin.post(address, {"reason": "again", "_form_submitted": "on"})
    assert "taken back before" in admin.get(answer.headers["HX-Redirect"]).content.decode()


def test_whoever_may_not_correct_corrects_nothing(admin_process, client, django_user_model):
    row = ContradictionFactory()
    client.force_login(django_user_model.objects.create_user("bob", is_staff=True))
    for name, key in (("contradiction_accept_contradiction", row.pk), ("match_correct", row.match_id)):
        answer = client.post(reverse(f"admin:matches_{name}", args=[key]), {"reason": "x", "_form_submitted": "on"})
        assert answer.status_code == 403
    assert not Correction.objects.exists()


def test_many_contradictions_need_the_queries_of_one(admin, django_assert_max_num_queries):
    for _ in range(15):
        ContradictionFactory()
    with django_assert_max_num_queries(14):
        assert admin.get(reverse("admin:matches_contradiction_changelist")).status_code == 200


def test_the_list_of_matches_needs_the_same_queries_for_one_as_for_twenty(admin, django_assert_max_num_queries):
    MatchStatsFactory.create_batch(20)
    with django_assert_max_num_queries(12):
        admin.get(reverse("admin:matches_match_changelist"))
    with django_assert_max_num_queries(12):
        found = admin.get(reverse("admin:matches_match_changelist"), {"q": Match.objects.first().home_team.name})
    assert found.status_code == 200


def test_a_name_to_review_is_confirmed_as_a_new_team(admin):
    alias, other = TeamAliasFactory(), TeamAliasFactory()
    waiting = reverse("admin:matches_teamalias_changelist") + "?review=waiting"
    assert other.name in admin.get(waiting).content.decode()
    answer = admin.post(waiting, {"action": "confirm_as_new", "_selected_action": [alias.pk]}, follow=True)
    assert "1 names confirmed" in answer.content.decode()
    assert TeamAlias.objects.get(reviewed_at__isnull=True) == other


@pytest.fixture
def two_names(store):
    """Celtic with a season of matches, and Celtic FC, reported by another source, with three of the same."""
    days = ("2024-03-02", "2024-03-09", "2024-03-16")
    teams = ("Rangers", "Hearts", "Dundee")
    store(*[record(day, f"{n}-1", away_team=away) for n, (day, away) in enumerate(zip(days, teams, strict=True))])
    for results in (["", "", ""], ["0-1", "1-1", "2-1"]):  # Fixtures first: with results the name would join at once.
        theirs = zip(days, results, teams, strict=True)
        rows = [record(day, result, home_team="Celtic FC", away_team=away) for day, result, away in theirs]
        store(*rows, source="openfootball")
    return Team.objects.get(name="Celtic FC"), Team.objects.get(name="Celtic")


def test_a_name_that_its_results_found_is_split_off_in_the_admin(admin, store):
    store(record("2024-03-02", "2-1"))
    store(record("2024-03-02", "2-1", home_team="Celtic FC"), source="openfootball")
    alias = TeamAlias.objects.get(name="Celtic FC")
    assert alias.team.name == "Celtic"
    admin.post(reverse("admin:matches_teamalias_split_off", args=[alias.pk]), {"_form_submitted": "on"})
    alias.refresh_from_db()
    assert (alias.team.name, alias.found_by) == ("Celtic FC", "split")
    admin.post(reverse("admin:matches_teamalias_split_off", args=[alias.pk]), {"_form_submitted": "on"})
    assert "Nothing was changed" in admin.get(reverse("admin:matches_teamalias_changelist")).content.decode()


def test_a_name_to_review_comes_with_suggestions_and_matches(admin, two_names):
    gone, into = two_names
    page = admin.get(reverse("admin:matches_teamalias_changelist") + "?review=waiting&source=openfootball")
    text = page.content.decode()
    assert reverse("admin:matches_team_merge", args=[gone.pk, into.pk]) in text
    assert "3 matches on the same days with the same results; both play in Premiership" in text
    row = next(row for row in page.context["cl"].result_list if row.name == "Celtic FC")
    assert row.match_count == 3


def test_a_suggestion_leads_to_what_will_move_and_then_to_the_merge(admin, two_names):
    address = reverse("admin:matches_team_merge", args=[team.pk for team in two_names])
    page = admin.get(address).content.decode()
    for said in ("Celtic FC (Scotland) becomes Celtic (Scotland)", "Names in sources", "2024-03-02:", "0–1 by"):
        assert said in page
    assert "This field is required" in admin.post(address, {"reason": ""}).content.decode()
    assert not TeamMerge.objects.exists()
    answer = admin.post(address, {"reason": "one club"})
    done = TeamMerge.objects.get()
    assert answer.url == reverse("admin:matches_teammerge_change", args=[done.pk])
    assert (done.merged_by, done.matches_joined) == ("admin", 3)
    assert "Celtic FC is Celtic now" in admin.get(answer.url).content.decode()
    assert "no longer stored" in admin.post(address, {"reason": "again"}, follow=True).content.decode()


def test_a_merge_is_undone_in_the_admin(admin, two_names):
    admin.post(reverse("admin:matches_team_merge", args=[team.pk for team in two_names]), {"reason": "one club"})
    done = TeamMerge.objects.get()
    assert "Celtic FC" in admin.get(reverse("admin:matches_teammerge_changelist")).content.decode()
    address = reverse("admin:matches_teammerge_undo", args=[done.pk])
    assert "come back as they were" in admin.get(address).content.decode()
    admin.post(address, {"reason": "two clubs", "_form_submitted": "on"})
    assert Team.objects.filter(name="Celtic FC").exists()
    answer = admin.post(address, {"reason": "again", "_form_submitted": "on"})
    assert "undone before" in admin.get(answer.headers["HX-Redirect"]).content.decode()


def test_a_team_that_no_suggestion_names_is_chosen_by_its_address(admin, two_names):
    gone, into = two_names
    alias = TeamAlias.objects.get(name="Celtic FC")
    address = reverse("admin:matches_teamalias_merge_into", args=[alias.pk])
    assert "No team has this address" in admin.post(address, {"team": "x", "_form_submitted": "on"}).content.decode()
    answer = admin.post(address, {"team": into.slug, "_form_submitted": "on"})
    assert answer.headers["HX-Redirect"] == reverse("admin:matches_team_merge", args=[gone.pk, into.pk])


def test_a_merge_that_cannot_be_says_why(admin, two_names):
    rangers = Team.objects.get(name="Rangers")
    address = reverse("admin:matches_team_merge", args=[two_names[0].pk, rangers.pk])
    page = admin.get(address, follow=True).content.decode()
    assert "Nothing was changed: they met each other on 2024-03-02" in page


@pytest.mark.parametrize("number", ["0", "99999999", str(2**63), "9" * 30, "x", "1;--"])
def test_a_decision_on_a_row_that_is_not_there_is_not_made(admin, number):
    form = {"reason": "r", "home_goals": 1, "away_goals": 0, "status": "finished", "team": "x", "_form_submitted": "on"}
    for model, name in (
        ("contradiction", "accept_contradiction"),
        ("correction", "undo"),
        ("match", "correct"),
        ("teammerge", "undo"),
        ("teamalias", "merge_into"),
        ("teamalias", "split_off"),
    ):
        address = reverse(f"admin:matches_{model}_{name}", args=[number])
        assert admin.post(address, form, follow=True).status_code in (200, 404)
    if number.isdigit():
        address = reverse("admin:matches_team_merge", args=[int(number), 1])
        assert admin.post(address, {"reason": "r"}, follow=True).status_code in (200, 404)
    assert not Correction.objects.exists()
    assert not TeamMerge.objects.exists()


def test_whoever_may_not_merge_merges_nothing(admin_process, client, django_user_model, two_names):
    client.force_login(django_user_model.objects.create_user("bob", is_staff=True))
    address = reverse("admin:matches_team_merge", args=[team.pk for team in two_names])
    assert client.get(address).status_code == 403
    assert client.post(address, {"reason": "mine"}).status_code == 403
    assert not TeamMerge.objects.exists()


def test_the_home_page_leads_to_the_names_that_wait(admin):
    TeamAliasFactory(name="Waiting FC", reviewed_at=None)
    page = admin.get(reverse("admin:index")).content.decode()
    address = re.search(r'href="([^"]*)"\s*>1 team names', page)[1]
    assert address == reverse("admin:matches_teamalias_changelist") + "?review=waiting"


def test_many_names_to_review_need_the_queries_of_one(admin, django_assert_max_num_queries):
    for number in range(30):
        TeamAliasFactory(team__name=f"Northgate {number}")
    with django_assert_max_num_queries(24):
        assert admin.get(reverse("admin:matches_teamalias_changelist")).status_code == 200


def test_a_long_list_ends_after_its_first_pages_and_says_so(admin, monkeypatch):
    monkeypatch.setattr(facts, "PAGES", 2)
    monkeypatch.setattr(site._registry[Match], "list_per_page", 2)
    matches = [MatchFactory() for _ in range(5)]
    address = reverse("admin:matches_match_changelist")
    pages = [" ".join(admin.get(f"{address}?p={number}").content.decode().split()) for number in (1, 2)]
    shown = [re.findall(r"/match/(\d+)/change/", page) for page in pages]
    assert [list(dict.fromkeys(map(int, page))) for page in shown] == [
        [match.pk for match in matches[:2]],
        [match.pk for match in matches[2:4]],
    ]
    assert all("the first 4 matches; search or filter to find others" in page for page in pages)
    found = admin.get(f"{address}?q={matches[0].home_team.name.split()[-1]}&p=1")
    assert f"/match/{matches[0].pk}/change/" in found.content.decode()
