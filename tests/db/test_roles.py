"""The roles that come with SPAI have the permissions that the code asks for, and no more."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.matches.models import AuditEntry
from spai import roles

pytestmark = pytest.mark.django_db

CODE = Path(roles.__file__).resolve().parent.parent
SUPERUSERS = {"auth.change_user"}
"""Permissions that an action asks for and that no role has: they decide who may do what."""


def user_of(role: str) -> User:
    roles.update_roles()
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def asked_for() -> set[str]:
    """Return the permissions that actions of the admin ask for."""
    found = set()
    for path in [*CODE.glob("apps/*/admin/**/*.py"), CODE / "apps/api/admin.py", *CODE.glob("spai/*.py")]:
        found |= set(re.findall(r'has_perm\("([a-z_.]+)"\)', path.read_text()))
    for model in ("pointsadjustment", "awardedresult"):
        found.add(f"matches.add_{model}")
    return {name for name in found if "view_" not in name}


def test_an_operator_may_do_all_that_an_action_asks_for():
    assert len(asked_for()) > 12
    assert asked_for() - set(roles.OPERATES) == SUPERUSERS
    operator = user_of("operator")
    assert all(operator.has_perm(name) for name in roles.OPERATES)


def test_every_permission_that_a_role_names_is_asked_for():
    of_forms = {name for name in roles.OPERATES if name.startswith(("django_celery_beat.", "axes."))}
    of_forms.add("matches.change_retentionperiod")
    assert set(roles.OPERATES) - of_forms - asked_for() == set()


@pytest.mark.parametrize("role", roles.ROLES)
def test_no_role_decides_who_may_do_what(role):
    names = {f"{each.content_type.app_label}.{each.codename}" for each in roles.permissions_of(role)}
    assert not {name for name in names if name.split(".")[0] in ("auth", "otp_totp", "otp_static", "sessions")}


@pytest.mark.parametrize("role", roles.ROLES)
def test_a_role_sees_every_list_but_those_of_users_and_logins(admin_process, role):
    client = Client()
    client.force_login(user_of(role))
    hidden = set()
    for model in site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        if client.get(address).status_code != 200:
            hidden.add(model._meta.label_lower)
    own = {"axes.accessattempt"} if role == "viewer" else set()
    assert hidden == {"auth.user", "auth.group", "axes.accesslog"} | own
    assert client.get(reverse("admin:index")).status_code == 200


def test_a_viewer_changes_nothing(admin_process):
    request = RequestFactory().get("/")
    request.user = user_of("viewer")
    for registered in site._registry.values():
        assert not registered.has_add_permission(request)
        assert not registered.has_change_permission(request)
        assert not registered.has_delete_permission(request)
        assert registered.get_actions_list(request) == []
        assert registered.get_actions_detail(request, 1) == []
        # What is chosen in a list can be compared.
        assert set(registered.get_actions(request)) <= {"compare_side_by_side"}


def test_a_viewer_switches_no_task_off(admin_process):
    every = IntervalSchedule.objects.create(every=5, period="minutes")
    task = PeriodicTask.objects.create(name="mine", task="ml.settle_due", interval=every)
    client = Client()
    client.force_login(user_of("viewer"))
    form = {"action": "disable_tasks", "_selected_action": [task.pk]}
    client.post(reverse("admin:django_celery_beat_periodictask_changelist"), form)
    task.refresh_from_db()
    assert task.enabled


def test_a_role_gets_the_permissions_of_the_code_whatever_it_had():
    roles.update_roles()
    viewer = Group.objects.get(name="viewer")
    viewer.permissions.set([Permission.objects.get(codename="add_user")])
    call_command("staff", "roles", stdout=io.StringIO())
    assert set(viewer.permissions.all()) == set(roles.permissions_of("viewer"))


def test_a_permission_that_does_not_exist_is_a_fault(monkeypatch):
    monkeypatch.setitem(roles.ROLES, "operator", ("matches.add_nothing",))
    with pytest.raises(LookupError, match=r"matches\.add_nothing"):
        roles.update_roles()


def test_a_user_is_created_with_a_role_and_a_password_that_is_shown_once(admin_process):
    out, err = io.StringIO(), io.StringIO()
    call_command("staff", "create", "ann", "--role", "operator", stdout=out, stderr=err)
    password = out.getvalue().strip()
    user = User.objects.get(username="ann")
    assert user.check_password(password)
    assert (user.is_staff, user.is_superuser, user.has_perm("ml.add_promotion")) == (True, False, True)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.after) == ("created a user", "role operator")
    with pytest.raises(CommandError, match="already exists"):
        call_command("staff", "create", "ann", "--role", "viewer", stdout=out, stderr=err)
    call_command("staff", "list", stdout=out)
    assert re.search(r"ann +operator +none +never", out.getvalue())


def test_a_password_is_read_from_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("my-own-long-one\n"))
    out = io.StringIO()
    call_command("staff", "create", "ann", "--role", "viewer", "--password-stdin", stdout=out, stderr=io.StringIO())
    assert User.objects.get(username="ann").check_password("my-own-long-one")
    assert out.getvalue() == ""
