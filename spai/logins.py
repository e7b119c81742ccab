"""Logins by password: limits for wrong ones, and the message for those who must wait.

django-axes counts the failures. It locks an account for one address only, so that nobody can lock the operator out from
another address; an address that tries many accounts is locked for all of them.
"""

from __future__ import annotations

import math
import zlib
from datetime import timedelta
from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.forms import AuthenticationForm

from apps.api.services import address_of
from apps.matches.locks import LockClass, try_lock_of

ADDRESS_LIMIT: Final = 30
"""Wrong passwords from one address, for any accounts, that lock it for all of them."""
PATIENCE: Final = 10.0
"""Longest wait for the other logins from the same address, in seconds."""


def client_address(request: HttpRequest) -> str | None:
    """Return the address that a request comes from, as django-axes asks for it; see `address_of`."""
    return address_of(request.META)


def _recent(request: HttpRequest) -> QuerySet[AccessAttempt]:
    """Return the failures from the address of a request that still count."""
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    return AccessAttempt.objects.filter(ip_address=client_address(request), attempt_time__gte=since)


class LoginHandler(AxesDatabaseHandler):
    """Adds to django-axes a limit for an address over all accounts."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Whether this login is refused without checking the password."""
        failures = _recent(request).aggregate(sum=Sum("failures_since_start"))["sum"] or 0
        return failures >= ADDRESS_LIMIT or super().is_locked(request, credentials)


def wait_of(request: HttpRequest, credentials: dict[str, Any]) -> timedelta:
    """Return how long the client of a locked request has to wait."""
    failures = _recent(request)
    if (failures.aggregate(sum=Sum("failures_since_start"))["sum"] or 0) < ADDRESS_LIMIT:
        failures = failures.filter(username=get_client_username(request, credentials))
    latest = failures.aggregate(latest=Max("attempt_time"))["latest"] or timezone.now()
    return max(latest + settings.AXES_COOLOFF_TIME - timezone.now(), timedelta())


def too_many(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None = None) -> HttpResponse:
    """Give the login page, which explains the wait, the status and header that programs understand."""
    response.status_code = 429
    response["Retry-After"] = str(math.ceil(request.login_wait.total_seconds()))  # type: ignore[attr-defined]
    return response


class LoginForm(AuthenticationForm):
    """The login form; it checks the passwords from one address one after the other, so that each failure is counted."""

    def clean(self) -> dict[str, Any]:
        """Check name and password.

        Raises
        ------
        ValidationError
            When they are wrong, or after too many failures; the message contains when to try again.
        """
        address = str(client_address(self.request))
        with try_lock_of(LockClass.LOGIN, zlib.crc32(address.encode()) - 2**31, patience=PATIENCE) as is_next:
            if not is_next:
                raise self._refusal(timedelta(minutes=1), "Too many logins from your address are waiting.")
            try:
                checked: dict[str, Any] = super().clean()
            except ValidationError as error:
                if not getattr(self.request, "axes_locked_out", False):
                    raise
                wait = wait_of(self.request, self.cleaned_data)
                raise self._refusal(wait, "Too many wrong passwords from your address.") from error
        return checked

    def _refusal(self, wait: timedelta, what: str) -> ValidationError:
        """Mark the request for `too_many`; return the error with the time to try again."""
        self.request.axes_locked_out, self.request.login_wait = True, wait
        minutes = math.ceil(wait.total_seconds() / 60)
        return ValidationError(
            f"{what} Try again in {minutes} {'minute' if minutes == 1 else 'minutes'},"
            f" at {timezone.now() + wait:%H:%M:%S} UTC."
            " The operator can end the wait: manage.py axes_reset"
        )
