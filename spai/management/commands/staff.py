"""`manage.py staff create | list | roles | reset-second-factor`: who may use the admin, on the command line."""

from __future__ import annotations

import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.matches.services import command_user
from spai import roles, second_factor


class Command(BaseCommand):
    """Create users with a role, list them, update the roles, and let users in who lost their second factor."""

    help = "Create a user of the admin with a role, list them, or remove the second factor of one who lost it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="create|list|roles|reset-second-factor")
        create = what.add_parser("create", help="create a user and print the password, once, on standard output")
        create.add_argument("name", help="the user name")
        create.add_argument("--role", choices=roles.ROLES, required=True, help="operator acts, viewer looks")
        create.add_argument(
            "--password-stdin", action="store_true", help="read the password from the first line of standard input"
        )
        what.add_parser("list", help="list the users of the admin with their roles")
        what.add_parser("roles", help="give the roles the permissions of this version; make up does it")
        reset = what.add_parser("reset-second-factor", help="remove the second factor of a user")
        reset.add_argument("name", help="the user name")

    def handle(self, *args: Any, **options: Any) -> None:
        {
            "create": self._create,
            "list": self._list,
            "roles": self._roles,
            "reset-second-factor": self._reset,
        }[options["what"]](options)

    def _create(self, options: dict[str, Any]) -> None:
        given = sys.stdin.readline().rstrip("\n") if options["password_stdin"] else ""
        password = given or secrets.token_urlsafe(12)
        try:
            user = roles.create_user(
                name=options["name"], role=options["role"], password=password, by=command_user(), now=timezone.now()
            )
        except ValidationError as error:
            raise CommandError(f"No user was created: {' '.join(error.messages)}") from error
        self.stderr.write(f"{user} is created with the role {options['role']}.")
        if not given:
            self.stderr.write("The password, which is shown only once; it can be changed in the admin:")
            self.stdout.write(password)

    def _list(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{'user':<24}  {'role':<24}  {'second factor':<13}  latest login")
        for user in User.objects.filter(is_staff=True).prefetch_related("groups").order_by("username"):
            names = ["superuser"] if user.is_superuser else sorted(group.name for group in user.groups.all())
            latest = f"{user.last_login:%Y-%m-%d %H:%M} UTC" if user.last_login else "never"
            factor = "set up" if second_factor.is_set_up(user) else "none"
            self.stdout.write(f"{user.username:<24}  {', '.join(names) or 'none':<24}  {factor:<13}  {latest}")

    def _roles(self, options: dict[str, Any]) -> None:
        roles.update_roles()
        self.stdout.write(f"The roles {', '.join(roles.ROLES)} have the permissions of this version.")

    def _reset(self, options: dict[str, Any]) -> None:
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['name']!r}; `manage.py staff list` shows all.")
        if second_factor.remove(user=user, by=command_user(), now=timezone.now()):
            self.stdout.write(f"The second factor of {user} is removed; a login needs only the password.")
        else:
            self.stdout.write(f"{user} has no second factor.")
