"""Actions on the timetable, users, groups and failed logins."""

from __future__ import annotations

from axes.models import AccessAttempt
from celery import Task
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.db.audited_actions.cases import case


def task(enabled: bool = True) -> PeriodicTask:
    every = IntervalSchedule.objects.create(every=5, period="minutes")
    return PeriodicTask.objects.create(name="mine", task="ml.settle_due", interval=every, enabled=enabled)


@case("django_celery_beat.periodictask.enable_tasks")
def _(room):
    row = task(enabled=False)
    room.choose(row, "enable_tasks")
    return row


@case("django_celery_beat.periodictask.disable_tasks")
def _(room):
    row = task()
    room.choose(row, "disable_tasks")
    return row


@case("django_celery_beat.periodictask.toggle_tasks")
def _(room):
    row = task()
    room.choose(row, "toggle_tasks")
    return row


@case("django_celery_beat.periodictask.run_tasks")
def _(room):
    room.monkeypatch.setattr(Task, "apply_async", lambda *given, **more: "id")
    row = task()
    room.choose(row, "run_tasks")
    return row


@case("django_celery_beat.periodictask.change")
def _(room):
    row = task()
    every = IntervalSchedule.objects.create(every=1, period="hours")
    form = {"name": "mine", "regtask": "", "task": "ml.settle_due", "enabled": "on", "interval": every.pk}
    room.save(row, **form, args="[]", kwargs="{}", headers="{}", start_time_0="", start_time_1="", expires_0="")
    return row


@case("auth.user.remove_second_factor")
def _(room):
    user = User.objects.create_user("bob", is_staff=True)
    TOTPDevice.objects.create(user=user, name="app")
    room.do(User, "remove_second_factor", user)
    return user


@case("auth.user.change")
def _(room):
    user, group = User.objects.create_user("bob"), Group.objects.create(name="watchers")
    form = {"username": "bob", "is_active": "on", "is_staff": "on", "groups": [group.pk]}
    room.save(user, **form, date_joined_0="2026-01-01", date_joined_1="00:00:00")
    return user


@case("auth.user.password")
def _(room):
    user = User.objects.create_user("bob")
    form = {"password1": "a-long-one-7", "password2": "a-long-one-7", "usable_password": "true", "set-password": "1"}
    assert room.browser.post(reverse("admin:auth_user_password_change", args=[user.pk]), form).status_code == 302
    return user


@case("auth.user.own_password")
def _(room):
    form = {"old_password": "password", "new_password1": "a-long-one-7", "new_password2": "a-long-one-7"}
    assert room.browser.post(reverse("admin:password_change"), form).status_code == 302
    return User.objects.get(username="admin")


@case("auth.user.add")
def _(room):
    form = {"username": "bob", "usable_password": "true", "password1": "a-long-one-7", "password2": "a-long-one-7"}
    assert room.browser.post(reverse("admin:auth_user_add"), form).status_code == 302
    return User.objects.get(username="bob")


@case("auth.group.change")
def _(room):
    group = Group.objects.create(name="watchers")
    room.save(group, name="watchers", permissions=[Permission.objects.get(codename="view_match").pk])
    return group


@case("auth.group.delete")
def _(room):
    group = Group.objects.create(name="watchers")
    kept = Group(pk=group.pk, name="watchers")
    assert room.browser.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 302
    return kept


@case("axes.accessattempt.delete_selected")
def _(room):
    row = AccessAttempt.objects.create(username="bob", ip_address="192.0.2.1", user_agent="x", failures_since_start=5)
    kept = AccessAttempt(pk=row.pk)
    room.choose(row, "delete_selected", post="yes")
    return kept
