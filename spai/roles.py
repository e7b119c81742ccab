"""The roles that come with SPAI, groups of Django whose permissions follow the code, and users who have one."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.db.models import Q, QuerySet

from apps.matches.services import record_action

SHOWN: Final = ("matches", "scraping", "ml", "api", "django_celery_beat")
"""Apps whose rows both roles see. Users, groups and logins are shown to superusers."""

OPERATES: Final = (
    *("matches.add_correction", "matches.add_pointsadjustment", "matches.add_awardedresult"),
    *("matches.change_teamalias", "matches.add_teammerge", "matches.change_retentionperiod"),
    "matches.change_competition",
    *("ml.add_pipelinerun", "ml.add_comparison", "ml.add_promotion", "ml.add_policyrevision", "ml.change_servedworld"),
    *("scraping.add_scraperun", "scraping.change_source"),
    *("api.add_apikey", "api.change_apikey", "api.change_predictionjob", "api.change_alert"),
    *("api.change_webhook", "api.change_webhookdelivery"),
    *(
        f"django_celery_beat.{verb}_{model}"
        for verb in ("add", "change", "delete")
        for model in ("periodictask", "intervalschedule", "crontabschedule", "clockedschedule", "solarschedule")
    ),
    # To see users who are locked after wrong passwords, and to unlock them.
    *("axes.view_accessattempt", "axes.delete_accessattempt"),
)
"""The permissions of an operator besides viewing: everything except to change who may do what."""

ROLES: Final = {"viewer": (), "operator": OPERATES}
"""The permissions of each role besides those to view."""


def permissions_of(role: str) -> QuerySet[Permission]:
    """Return the permissions that a role has by the code.

    Raises
    ------
    LookupError
        When the code names a permission that does not exist.
    """
    wanted = Q(content_type__app_label__in=SHOWN, codename__startswith="view_")
    for name in ROLES[role]:
        app, _, codename = name.partition(".")
        one = Q(content_type__app_label=app, codename=codename)
        if not Permission.objects.filter(one).exists():
            raise LookupError(f"there is no permission {name}")
        wanted |= one
    return Permission.objects.filter(wanted)


@transaction.atomic
def update_roles() -> None:
    """Give the groups of the roles the permissions of the code, whatever they had; other groups are left unchanged."""
    for role in ROLES:
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(permissions_of(role))


@transaction.atomic
def create_user(*, name: str, role: str, password: str, by: str, now: datetime) -> User:
    """Create a user of the admin who has a role.

    Raises
    ------
    ValidationError
        When the name is taken or cannot be one, or the password is too weak.
    """
    user = User(username=name, is_staff=True)
    validate_password(password, user)
    user.set_password(password)
    user.full_clean()
    user.save()
    update_roles()
    user.groups.add(Group.objects.get(name=role))
    record_action(by=by, action="created a user", about=user, after=f"role {role}", now=now)
    return user
