"""Promotion by the policy: the worse, the mis-calibrated and the truncated are refused, the better takes over."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import IntegrityError, InternalError, transaction
from django.urls import reverse

from apps.matches.models import World
from apps.ml import selectors, services
from apps.ml.models import Comparison, EvaluationArtifacts, ModelVersion, PolicyRevision, Promotion
from apps.ml.policy import PolicyError

SANDBOX = World.SANDBOX


def set_policy(now, world: World = SANDBOX, **changes) -> PolicyRevision:
    """Change the policy; ``promote__mode`` stands for promote.mode."""
    values = {name.replace("__", "."): value for name, value in changes.items()}
    return services.change_policy(world=world, changes=values, user=User(username="ada"), reason="a test", now=now)


@pytest.fixture
def champion(make_version, now):
    """Version 1, which calls each home win 0.55; three in five of the matches are home wins."""
    version = make_version(1, home=0.55)
    services.promote(version=version, user=None, reason="first champion", now=now)
    return version


@pytest.fixture
def operator(db):
    return get_user_model().objects.create_user("ada")


@pytest.fixture
def challenger(make_version, champion):
    """A function that makes a version of one of the four kinds."""

    def make(kind: str, number: int = 2) -> ModelVersion:
        version = make_version(number, home={"worse": 0.5}.get(kind, 0.6), broken=kind == "truncated bundle")
        rows = EvaluationArtifacts.objects.filter(version=version)
        table = pd.read_parquet(io.BytesIO(bytes(rows.get().forecasts)))
        if kind == "mis-calibrated":
            # It knows each outcome, and is less sure of it than it could be: the best log loss, and the worst ECE.
            p = np.full((len(table), 3), 0.14)
            p[np.arange(len(table)), table["outcome"]] = 0.72
            table[["p_home", "p_draw", "p_away"]] = p
        if kind == "truncated forecasts":
            table = table.iloc[::8]
        buffer = io.BytesIO()
        table.to_parquet(buffer)
        rows.update(forecasts=buffer.getvalue())
        return version

    return make


KINDS = [
    ("worse", "log loss"),
    ("mis-calibrated", "ECE"),
    ("truncated bundle", "golden rows"),
    ("truncated forecasts", "same matches"),
]


@pytest.mark.parametrize(("kind", "said"), KINDS)
def test_a_bad_challenger_is_refused_by_itself_and_by_hand(challenger, champion, operator, now, kind, said):
    set_policy(now, promote__mode="automatic")
    version = challenger(kind)
    (compared,) = services.compare_due(now=now)
    assert said in {line["name"] for line in compared.failed}
    assert services.promote_due(now=now) == []
    with pytest.raises(services.PromotionRefusedError, match=f"{said}|cannot be served"):
        services.promote(version=version, user=operator, reason="newer is better", now=now)
    assert selectors.champion(SANDBOX).version_id == champion.pk


def test_a_better_challenger_takes_over_by_itself_with_its_reasons(challenger, champion, now):
    set_policy(now, promote__mode="automatic")
    version = challenger("better")
    services.compare_due(now=now)
    (promotion,) = services.promote_due(now=now)
    assert (promotion.version, promotion.previous_id, promotion.decided_by) == (version, champion.pk, "system")
    assert promotion.reason == "by the policy: all 10 criteria are met on 600 matches against model 1 (sandbox)"
    assert services.promote_due(now=now) == [], "a doubled task finds nothing more to do"
    assert Promotion.objects.count() == 2


def test_an_error_in_the_real_world_keeps_no_challenger_of_the_simulated_one(challenger, champion, now, no_real_policy):
    set_policy(now, promote__mode="automatic")
    version = challenger("better")
    services.compare_due(now=now)
    no_real_policy()
    (promotion,) = services.promote_due(now=now)
    assert promotion.version == version


def test_a_better_challenger_is_promoted_by_hand_without_more_questions(challenger, operator, now):
    version = challenger("better")
    services.compare_due(now=now)
    services.promote(version=version, user=operator, reason="better", now=now)
    assert selectors.champion(SANDBOX).version_id == version.pk


def test_by_hand_a_person_may_promote_despite_the_criteria_but_nothing_that_cannot_be_loaded(challenger, operator, now):
    worse, broken = challenger("worse"), challenger("truncated bundle", 3)
    with pytest.raises(services.PromotionRefusedError, match="has not been compared"):
        services.promote(version=worse, user=operator, reason="mine", now=now)
    with pytest.raises(services.PromotionRefusedError, match="cannot be served"):
        services.promote(version=broken, user=operator, reason="mine", despite=True, now=now)
    services.promote(version=worse, user=operator, reason="mine", despite=True, now=now)
    assert selectors.champion(SANDBOX).version_id == worse.pk


@pytest.mark.parametrize(("mode", "waiting"), [("manual", 0), ("propose", 1)])
def test_in_the_other_modes_nothing_is_promoted(challenger, champion, now, mode, waiting):
    set_policy(now, promote__mode=mode)
    version = challenger("better")
    services.compare_due(now=now)
    assert services.promote_due(now=now) == []
    assert [row.candidate for row in selectors.proposals(SANDBOX)] == [version] * waiting
    assert selectors.proposals(World.REAL) == []


@pytest.mark.parametrize("mode", ["propose", "automatic"])
def test_a_declined_version_waits_for_nobody_until_it_is_considered_again(challenger, champion, operator, now, mode):
    set_policy(now, promote__mode=mode)
    version = challenger("better")
    services.compare_due(now=now)
    assert services.decline(version=version, user=operator, reason="not before the cup", now=now)
    assert not services.decline(version=version, user=operator, reason="again", now=now)
    assert (selectors.challengers(SANDBOX), selectors.proposals(SANDBOX)) == ([], [])
    assert version not in selectors.shadow_versions(SANDBOX)
    assert services.promote_due(now=now) == []
    assert services.reconsider(version=version, user=operator, reason="the cup is over", now=now)
    assert not services.reconsider(version=version, user=operator, reason="again", now=now)
    assert selectors.challengers(SANDBOX) == [version]


def test_after_a_rollback_nothing_is_promoted_by_itself_for_a_while(make_version, challenger, champion, now):
    set_policy(now, promote__mode="automatic")
    challenger("better")
    services.compare_due(now=now)
    services.promote_due(now=now)
    services.rollback(world=SANDBOX, user=None, reason="worse on derbies", now=now)
    newer = make_version(3, home=0.6)
    services.compare_due(now=now)
    policy = selectors.policy(SANDBOX)
    assert "nothing is promoted by itself until" in services.why_not_by_itself(newer, policy=policy, now=now)
    assert services.promote_due(now=now + timedelta(hours=23)) == []
    (promotion,) = services.promote_due(now=now + timedelta(hours=24))
    assert promotion.version == newer


def test_what_waits_for_a_decision_is_named_with_its_reasons(admin, challenger, now):
    version = challenger("better")
    services.compare_due(now=now)
    page = admin.get(reverse("admin:index")).content.decode()
    assert reverse("admin:ml_modelversion_change", args=[version.pk]) in page
    text = " ".join(re.sub("<[^>]*>", " ", page).split())
    assert "may take over from model 1 (sandbox) : all 10 criteria are met on 600 matches" in text


def test_a_challenger_waits_for_its_graded_matches_in_shadow_where_the_policy_asks_for_them(admin, challenger, now):
    set_policy(now, promote__mode="automatic", promote__shadow_matches=50)
    version = challenger("better")
    services.compare_due(now=now)
    assert services.promote_due(now=now) == []
    why = services.why_not_by_itself(version, policy=selectors.policy(SANDBOX), now=now)
    assert why == "It has forecast 0 graded matches in shadow; the policy requires 50."
    page = admin.get(reverse("admin:ml_modelversion_change", args=[version.pk])).content.decode()
    assert f"Not promoted by itself: {why}" in page


def test_other_rules_are_applied_before_anything_is_promoted_by_them(challenger, now):
    challenger("better")
    services.compare_due(now=now)
    set_policy(now, promote__mode="automatic", compare__least_matches=601)
    assert services.promote_due(now=now) == [], "its comparison is by the former rules"
    (again,) = services.compare_due(now=now)
    assert "a comparison needs 601" in again.reason
    assert services.promote_due(now=now) == []


def test_a_margin_by_which_a_challenger_must_be_better_can_be_asked_for(challenger, now):
    set_policy(now, promote__mode="automatic", compare__log_loss_allowance=-0.05)
    challenger("better")
    (compared,) = services.compare_due(now=now)
    assert [line["name"] for line in compared.failed] == ["log loss"]
    assert services.promote_due(now=now) == []


def test_any_version_can_be_returned_to_in_one_step(make_version, champion, operator, now):
    never = make_version(2)
    for number in (3, 4):
        services.promote(version=make_version(number), user=None, reason="newer", now=now)
    promotion = services.rollback(world=SANDBOX, to=champion, user=operator, reason="back to the start", now=now)
    assert (promotion.kind, promotion.version_id) == ("rollback", champion.pk)
    assert selectors.previous_champion(SANDBOX) is None
    services.rollback(world=SANDBOX, to=never, user=operator, reason="one that never served", now=now)
    assert selectors.previous_champion(SANDBOX) is None  # nothing but the champion that was given up
    with pytest.raises(services.PromotionRefusedError, match="has been champion since"):
        services.rollback(world=SANDBOX, to=never, user=operator, reason="double click", now=now)
    with pytest.raises(services.PromotionRefusedError, match="cannot be served"):
        services.rollback(world=SANDBOX, to=make_version(5, broken=True), user=operator, reason="try", now=now)


def test_the_page_of_a_version_offers_the_way_back_to_it(admin, make_version, champion, now):
    second = make_version(2)
    services.promote(version=second, user=None, reason="newer", now=now)
    address = reverse("admin:ml_modelversion_roll_back_to", args=[champion.pk])
    assert address in admin.get(reverse("admin:ml_modelversion_change", args=[champion.pk])).content.decode()
    dialog = admin.get(address).content.decode()
    seen = selectors.champion(SANDBOX).pk
    assert f'value="{seen}"' in dialog
    for _ in range(2):
        admin.post(address, {"reason": "worse on derbies", "seen": seen, "_form_submitted": "on"})
    assert selectors.champion(SANDBOX).version_id == champion.pk
    assert Promotion.objects.count() == 3


def test_a_change_of_the_policy_is_a_row_with_its_author_and_reason(db, now):
    made = set_policy(now, promote__mode="automatic", compare__least_matches=600)
    assert (made.decided_by, made.changes) == ("ada", {"promote.mode": "automatic", "compare.least_matches": 600})
    assert selectors.policy(SANDBOX).compare["least_matches"] == 600
    assert selectors.policy(World.REAL) == selectors.default_policy()
    assert set_policy(now, compare__least_matches=600) == made, "nothing changes"
    default = selectors.default_policy().compare["least_matches"]
    assert set_policy(now, compare__least_matches=default).changes == {"promote.mode": "automatic"}
    with pytest.raises(PolicyError, match="Give a reason"):
        services.change_policy(world=SANDBOX, changes={}, user=User(username="ada"), reason=" ", now=now)
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        PolicyRevision.objects.update(reason="another")


def test_the_policy_is_changed_in_the_admin(admin, db, now):
    address = f"{reverse('admin:ml_policyrevision_add')}?world=real"
    page = admin.get(address)
    text = page.content.decode()
    assert "real world" in text
    assert "When a world is trained again" in text
    form = page.context["adminform"].form
    given = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    given = {name: "on" if value is True else value for name, value in given.items() if value is not None}
    given |= {"promote__mode": "automatic", "retrain__new_results": "800", "reason": "the season has begun"}
    refused = admin.post(address, given | {"retrain__new_results": "0"})
    assert "greater than or equal to 1" in refused.content.decode()
    assert not PolicyRevision.objects.exists()
    done = admin.post(address, given)
    assert done.status_code == 302, done.context["adminform"].form.errors
    made = PolicyRevision.objects.get()
    assert (made.world, made.decided_by, made.reason) == ("real", "admin", "the season has begun")
    assert made.changes == {"promote.mode": "automatic", "retrain.new_results": 800}
    listed = admin.get(reverse("admin:ml_policyrevision_changelist")).content.decode()
    assert "promote.mode: automatic" in listed
    assert admin.get(reverse("admin:ml_policyrevision_change", args=[made.pk])).status_code == 200
    too_late = admin.post(address, given | {"promote__mode": "manual"})
    assert "admin changed this policy at" in too_late.content.decode()
    again = admin.post(address, given | {"promote__mode": "manual", "seen": str(made.pk)})
    assert again.status_code == 302
    assert PolicyRevision.objects.latest("pk").changes == {"promote.mode": "manual", "retrain.new_results": 800}


def test_whoever_is_not_allowed_changes_no_policy(admin_process, client, db):
    client.force_login(get_user_model().objects.create_user("eve", is_staff=True))
    assert client.get(reverse("admin:ml_policyrevision_add")).status_code == 403


def test_comparisons_of_two_challengers_promote_the_newest(make_version, champion, now):
    set_policy(now, promote__mode="automatic")
    for number in (2, 3):
        make_version(number, home=0.6)
        services.compare_due(now=now)
    assert Comparison.objects.filter(verdict="challenger").count() == 2
    (promotion,) = services.promote_due(now=now)
    assert promotion.version.number == 3
