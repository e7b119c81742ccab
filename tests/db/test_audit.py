"""Every action of a person is an entry of the audit, shown where it belongs, and nobody changes it."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Task
from django.contrib.admin.sites import site
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import OperationalError

from apps.matches import services as matches
from apps.matches.admin import AuditedAdmin
from apps.matches.models import AuditEntry, subject_of
from apps.ml import services as ml
from apps.scraping import services as scraping
from tests.db.audited_actions import CASES, NO_ACTION, Room
from tests.db.audited_actions.site import task
from tests.factories import CompetitionFactory, TeamFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def room(admin, monkeypatch, settings):
    return Room(admin, monkeypatch, settings)


def actions_of_the_admin() -> set[str]:
    """Return every action that an admin offers."""
    found = set()
    for model, registered in site._registry.items():
        names: list[Any] = [*registered.actions_list, *registered.actions_detail, *registered.actions_row]
        names += [*registered.actions_submit_line, *(registered.actions or ())]
        for name in names:
            each = name["items"] if isinstance(name, dict) else [name]
            found |= {f"{model._meta.label_lower}.{one}" for one in each}
    return found


def test_tasks_that_could_not_be_sent_leave_no_entry(room):
    def refuse(*given, **more):
        raise OperationalError

    room.monkeypatch.setattr(Task, "apply_async", refuse)
    row = task()
    room.choose(row, "run_tasks")
    assert "the broker does not answer" in room.browser.get(reverse("admin:index")).content.decode()
    PeriodicTask.objects.update(task="nobody.knows_it")
    room.choose(row, "run_tasks")
    assert not AuditEntry.objects.exists()


# ── What must hold ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", sorted(CASES))
def test_an_action_of_a_person_leaves_one_entry(room, name):
    row = CASES[name](room)
    entry = AuditEntry.objects.filter(by="admin").latest("pk")
    assert subject_of(row) in entry.subjects
    assert entry.origin == "machine"
    assert entry.before or entry.after or "password" in entry.action or "sent a task" in entry.action
    assert "a-long-one-7" not in f"{entry.before}{entry.after}"
    earlier = AuditEntry.objects.filter(by="admin", subjects__contains=[subject_of(row)]).count()
    assert earlier == (2 if name in ("matches.pointsadjustment.undo", "matches.teammerge.undo") else 1)
    if site.is_registered(type(row)) and type(row)._default_manager.filter(pk=row.pk).exists():
        page = room.browser.get(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]))
        assert "spai-history" in page.content.decode()
        assert entry.action in page.content.decode()


def test_every_action_of_the_admin_is_among_the_cases():
    assert actions_of_the_admin() - set(CASES) - set(NO_ACTION) == set()


def test_every_admin_writes_entries_and_edits_no_row_of_another():
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True)
    for model, registered in site._registry.items():
        assert isinstance(registered, AuditedAdmin), model
        for inline in registered.get_inline_instances(request):
            edits = inline.has_add_permission(request, None) or inline.can_delete
            if inline.has_change_permission(request):
                edits = edits or not set(inline.fields) <= set(inline.readonly_fields)
            assert not edits, f"{model._meta.label}: an edit of {inline.model._meta.label} would leave no entry"


def record(**more: Any) -> AuditEntry:
    values = {"by": "ann", "action": "did it", "about": None, "now": timezone.now()}
    return matches.record_action(**(values | more))


@pytest.mark.parametrize("statement", ["UPDATE matches_auditentry SET by = 'bob'", "DELETE FROM matches_auditentry"])
def test_nobody_changes_or_deletes_an_entry(statement):
    record()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_entry_outlives_its_user_and_its_row(admin):
    user = User.objects.create_user("bob")
    entry = record(by=user, about=user, before="a", after="b")
    user.delete()
    page = admin.get(reverse("admin:matches_auditentry_changelist")).content.decode()
    assert "bob" in page
    assert admin.get(reverse("admin:matches_auditentry_change", args=[entry.pk])).status_code == 200


def test_an_action_that_is_rolled_back_leaves_no_entry():
    with transaction.atomic():
        record()
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def test_hostile_text_is_kept_as_text(admin):
    evil = "<script>alert(1)</script>\x00" + "x" * 10_000
    team = TeamFactory(name="<b>Evil</b>")
    entry = record(about=team, action=evil, before=evil, after=evil, reason=evil, by=evil[:500])
    assert (len(entry.before), len(entry.action), len(entry.reason)) == (4_000, 60, 400)
    for address in (
        reverse("admin:matches_auditentry_changelist"),
        reverse("admin:matches_auditentry_change", args=[entry.pk]),
        reverse("admin:matches_team_change", args=[team.pk]),
        reverse("admin:index"),
    ):
        page = admin.get(address).content.decode()
        assert "<script>alert(1)" not in page
        assert "<b>Evil" not in page


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("127.0.0.1", "machine"),
        ("::", "machine"),
        ("10.1.2.3", "private"),
        ("fd00::", "private"),
        ("198.41.0.4", "public"),
        ("2a00:1450::", "public"),
        (None, "public"),
    ],
)
def test_an_entry_says_from_which_kind_of_address_it_came(address, origin):
    with matches.acting_from(address):
        assert record().origin == origin
    assert record().origin == "command"


def test_the_list_is_filtered_by_user_kind_and_row(admin, django_user_model):
    django_user_model.objects.create_user("bob", is_staff=True)
    team, other = TeamFactory(), TeamFactory()
    record(by="bob", about=team, action="did one thing")
    record(by="admin", about=other, action="did another thing")
    record(by="admin", about=CompetitionFactory(), action="did a third thing", also=[team])
    listed = reverse("admin:matches_auditentry_changelist")
    for query, shown in (
        ("?user=bob", {"one"}),
        ("?kind=matches.team", {"one", "another"}),
        (f"?object=matches.team/{team.pk}", {"one", "third"}),
        ("?object=%00<x>", set()),
        ("?q=third", {"third"}),
        ("?origin__exact=command", {"one", "another", "third"}),
    ):
        page = admin.get(listed + query).content.decode()
        assert {word for word in ("one", "another", "third") if f"{word} thing" in page} == shown, query
    history = admin.get(reverse("admin:matches_team_history", args=[team.pk]))
    assert history["Location"] == f"{listed}?object=matches.team%2F{team.pk}"


def test_a_change_is_told_field_by_field_before_and_after(room):
    user = CASES["auth.user.change"](room)
    entry = AuditEntry.objects.get(subjects__contains=[subject_of(user)])
    assert "Staff status: no" in entry.before
    assert "Groups: none" in entry.before
    assert "Staff status: yes" in entry.after
    assert "Groups: watchers" in entry.after


def test_of_a_long_list_only_the_difference_is_told(room):
    group = Group.objects.create(name="watchers")
    many = list(Permission.objects.all()[:30])
    group.permissions.set(many)
    room.save(group, name="watchers", permissions=[permission.pk for permission in many[1:]])
    entry = AuditEntry.objects.get()
    assert entry.before == f"Permissions: {many[0]} and 29 more"
    assert entry.after == "Permissions: none and 29 more"


def test_saving_a_form_without_a_change_leaves_no_entry(room):
    group = Group.objects.create(name="watchers")
    room.save(group, name="watchers")
    assert not AuditEntry.objects.exists()


def test_a_command_leaves_an_entry_too():
    scraping.ensure_sources(now=timezone.now())
    for _time in range(2):
        call_command("scrape", "on", "openfootball", verbosity=0)
    entry = AuditEntry.objects.get()
    assert (entry.by, entry.origin, entry.action, entry.before, entry.after) == (
        "manage.py scrape",
        "command",
        "switched on",
        "off",
        "on",
    )


def test_what_the_system_does_by_itself_is_no_action_of_a_person(room):
    ml.promote(version=room.build.version(), user=None, reason="first champion", now=room.now)
    assert not AuditEntry.objects.exists()
