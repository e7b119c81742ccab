"""Promotion and rollback: who is champion, by whose decision."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, InternalError, connection, transaction
from django.utils import timezone

from apps.matches.models import Event, World
from apps.ml import selectors, services
from apps.ml.models import Promotion
from tests.database import wait_until_blocked
from tests.web.conftest import Builder


@pytest.fixture
def operator(db):
    return get_user_model().objects.create_user("ada")


def test_a_promotion_records_who_when_and_why(make_version, operator, now):
    version = make_version(1)
    services.promote(version=version, user=operator, reason=" better on the late season ", now=now)
    promotion = selectors.champion(World.SANDBOX)
    assert (promotion.version_id, promotion.decided_by, promotion.reason) == (
        version.pk,
        "ada",
        "better on the late season",
    )
    assert promotion.decided_at == now
    assert Event.objects.get(topic="promotion.made").payload == {"version": 1, "kind": "promote", "decided_by": "ada"}


def test_a_second_promotion_of_the_champion_is_refused_and_leaves_one_row(make_version, operator, now):
    version = make_version(1)
    services.promote(version=version, user=operator, reason="first", now=now)
    with pytest.raises(services.PromotionRefusedError, match="has been champion since"):
        services.promote(version=version, user=operator, reason="double click", now=now)
    assert Promotion.objects.count() == 1


def test_a_promotion_without_a_reason_is_refused(make_version, operator, now):
    with pytest.raises(services.PromotionRefusedError, match="Give a reason"):
        services.promote(version=make_version(1), user=operator, reason="  ", now=now)


def test_a_rollback_brings_the_version_before_back(make_version, operator, now):
    first, second = make_version(1), make_version(2)
    services.promote(version=first, user=operator, reason="first", now=now)
    services.promote(version=second, user=operator, reason="newer", despite=True, now=now)
    promotion = services.rollback(world=World.SANDBOX, user=operator, reason="worse on derbies", now=now)
    assert (promotion.kind, promotion.version_id, promotion.previous_id) == ("rollback", first.pk, second.pk)
    assert selectors.champion(World.SANDBOX).version_id == first.pk


def test_two_rollbacks_go_two_back_and_never_forward(make_version, operator, now):
    versions = [make_version(number) for number in (1, 2, 3)]
    for version in versions:
        services.promote(version=version, user=operator, reason="newer", despite=True, now=now)
    for expected in (versions[1], versions[0]):
        services.rollback(world=World.SANDBOX, user=operator, reason="worse", now=now)
        assert selectors.champion(World.SANDBOX).version_id == expected.pk
    with pytest.raises(services.PromotionRefusedError, match="no earlier champion"):
        services.rollback(world=World.SANDBOX, user=operator, reason="worse", now=now)


def test_a_champion_given_up_for_a_version_that_never_served_is_not_the_one_before(make_version, operator, now):
    first, bad, spare = make_version(1), make_version(2), make_version(3)
    for version in (first, bad):
        services.promote(version=version, user=operator, reason="newer", despite=True, now=now)
    services.rollback(world=World.SANDBOX, user=operator, reason="both are worse", now=now, to=spare)
    assert selectors.previous_champion(World.SANDBOX) == first.pk


def test_a_rollback_to_a_version_with_a_failed_gate_that_never_served_is_refused(make_version, operator, now):
    services.promote(version=make_version(1), user=operator, reason="first", now=now)
    failed = make_version(2, passed=False)
    with pytest.raises(services.PromotionRefusedError, match="Promote it instead"):
        services.rollback(world=World.SANDBOX, user=operator, reason="worse", now=now, to=failed)


def test_a_rollback_of_what_is_no_longer_champion_is_refused(make_version, operator, now):
    for number in (1, 2, 3):
        promotion = services.promote(version=make_version(number), user=operator, reason="newer", despite=True, now=now)
    services.rollback(world=World.SANDBOX, user=operator, reason="worse", now=now, seen=promotion.pk)
    with pytest.raises(services.PromotionRefusedError, match="changed meanwhile"):
        services.rollback(world=World.SANDBOX, user=operator, reason="double click", now=now, seen=promotion.pk)


def test_a_rollback_without_an_earlier_champion_is_refused(make_version, operator, now):
    with pytest.raises(services.PromotionRefusedError, match="no earlier champion"):
        services.rollback(world=World.SANDBOX, user=operator, reason="why not", now=now)


def test_the_first_version_that_passes_its_gates_becomes_champion_by_the_system(make_version, now):
    make_version(1, passed=False)
    good = make_version(2)
    promotion = services.promote_first_champion(world=World.SANDBOX, now=now)
    assert (promotion.version_id, promotion.decided_by, promotion.reason) == (good.pk, "system", "first champion")
    make_version(3)
    assert services.promote_first_champion(world=World.SANDBOX, now=now) is None


@pytest.mark.django_db(transaction=True)
def test_the_system_does_not_replace_a_champion_that_was_chosen_in_this_moment():
    now = timezone.now()
    build = Builder(now)
    build.version(1)
    chosen = build.version(2)

    def promote_first() -> Promotion | None:
        try:
            return services.promote_first_champion(world=World.SANDBOX, now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            services.promote(version=chosen, user=None, reason="chosen", now=now)
            system = threads.submit(promote_first)
            wait_until_blocked()
        assert system.result() is None
    assert selectors.champion(World.SANDBOX).version_id == chosen.pk


@pytest.fixture
def smoke(make_version):
    """A version of the real world that was made with the smoke profile and passed its gates."""
    version = make_version(1, profile="smoke")
    version.world = World.REAL
    version.save()
    return version


def test_a_smoke_version_never_becomes_champion_of_the_real_world(smoke, make_version, operator, now):
    with pytest.raises(services.PromotionRefusedError, match=r"smoke profile.*production profile"):
        services.promote(version=smoke, user=operator, reason="it is all there is", now=now)
    assert services.promote_first_champion(world=World.REAL, now=now) is None
    assert selectors.champion(World.REAL) is None
    assert selectors.stages(World.REAL).of(smoke) == selectors.VersionStage.SMOKE
    thorough = make_version(2, profile="production")
    thorough.world = World.REAL
    thorough.save()
    assert services.promote_first_champion(world=World.REAL, now=now).version == thorough
    assert selectors.to_compare(World.REAL) is None
    with pytest.raises(services.NothingToCompareError, match="smoke profile"):
        services.compare(version=smoke, now=now)


def test_no_rollback_brings_a_smoke_version_of_the_real_world_back(smoke, make_version, operator, now):
    # As an earlier release may have left it.
    about = {"world": World.REAL, "kind": "promote", "decided_by": "system", "reason": "first", "decided_at": now}
    thorough = make_version(2, profile="production")
    thorough.world = World.REAL
    thorough.save()
    for version in (smoke, thorough):
        Promotion.objects.create(version=version, **about)
    with pytest.raises(services.PromotionRefusedError, match="smoke profile"):
        services.rollback(world=World.REAL, user=operator, reason="worse", now=now)
    assert selectors.champion(World.REAL).version == thorough


def test_no_version_is_promoted_when_none_passes_its_gates(make_version, now):
    make_version(1, passed=False)
    assert services.promote_first_champion(world=World.SANDBOX, now=now) is None
    assert selectors.champion(World.SANDBOX) is None


def test_the_database_refuses_to_rewrite_a_promotion(make_version, operator, now):
    promotion = services.promote(version=make_version(1), user=operator, reason="first", now=now)
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        Promotion.objects.filter(pk=promotion.pk).update(reason="another")
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        Promotion.objects.filter(pk=promotion.pk).delete()


def test_a_deleted_account_leaves_its_decisions(make_version, operator, now):
    promotion = services.promote(version=make_version(1), user=operator, reason="first", now=now)
    operator.delete()
    promotion.refresh_from_db()
    assert (promotion.user_id, promotion.decided_by) == (None, "ada")


def test_the_served_world_is_the_sandbox_until_the_operator_chooses(db, now):
    assert selectors.served_world() == World.SANDBOX
    services.choose_served_world(world=World.REAL, by="ann", now=now)
    services.choose_served_world(world=World.REAL, by="ann", now=now)
    assert selectors.served_world() == World.REAL
