"""Logins by password and second factor: limits for wrong ones, and the message for those who must wait.

django-axes counts the failures. It locks an account for one address; an address that tries many accounts is locked for
all of them. An account that is tried from many addresses is locked for addresses from which nobody has logged in to it,
so that strangers cannot keep the operator out.
"""

from __future__ import annotations

import math
import zlib
from datetime import timedelta
from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db.models import Max, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.forms import AuthenticationForm

from apps.api.services import address_of
from apps.matches.locks import LockClass, try_lock_of
from spai import second_factor

ADDRESS_LIMIT: Final = 30
"""Wrong passwords from one address, for any accounts, that lock it for all of them."""
ACCOUNT_LIMIT: Final = 30
"""Wrong passwords for one account, from any addresses, that lock it for addresses that are new to it."""
KNOWN: Final = timedelta(days=90)
"""How long an address counts as known to an account after a login."""
TIMEOUT: Final = 10.0
"""Longest wait for the other logins from the same address, in seconds."""


def client_address(request: HttpRequest) -> str | None:
    """Return the address that a request comes from, as django-axes asks for it; see `address_of`."""
    return address_of(request.META)


def _total(failures: QuerySet[AccessAttempt]) -> int:
    return failures.aggregate(sum=Sum("failures_since_start"))["sum"] or 0


def _is_known(username: str | None, address: str | None) -> bool:
    """Whether somebody has logged in to an account from an address in the last days."""
    since = timezone.now() - KNOWN
    return AccessLog.objects.filter(username=username, ip_address=address, attempt_time__gte=since).exists()


def locking_failures(
    request: HttpRequest, credentials: dict[str, Any] | None = None
) -> tuple[str, QuerySet[AccessAttempt]]:
    """Return why this login is refused, and the failures that lock it.

    The reason is empty when it is not refused here: the limit for one account from one address is django-axes' own.
    """
    recent = AccessAttempt.objects.filter(attempt_time__gte=timezone.now() - settings.AXES_COOLOFF_TIME)
    address, username = client_address(request), get_client_username(request, credentials)
    of_address, of_account = recent.filter(ip_address=address), recent.filter(username=username)
    if _total(of_address) >= ADDRESS_LIMIT:
        return "from your address", of_address
    if _total(of_account) >= ACCOUNT_LIMIT and not _is_known(username, address):
        return "for this account", of_account
    return "", of_address.filter(username=username)


class LoginHandler(AxesDatabaseHandler):
    """Adds to django-axes a limit for an address over all accounts, and one for an account over all addresses."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Whether this login is refused without checking the password."""
        return bool(locking_failures(request, credentials)[0]) or super().is_locked(request, credentials)


def too_many(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None = None) -> HttpResponse:
    """Give the login page, which explains the wait, the status and header that programs understand."""
    response.status_code = 429
    response["Retry-After"] = str(math.ceil(request.login_wait.total_seconds()))  # type: ignore[attr-defined]
    return response


class LimitedLogin:
    """For login forms: the logins from one address are checked one after the other, so that each failure is counted."""

    request: Any
    cleaned_data: dict[str, Any]

    timeout = TIMEOUT
    """Longest wait for the others, in seconds."""
    advice = " The operator can end the wait: manage.py axes_reset"

    def clean(self) -> dict[str, Any]:
        """Check name, password and what else is required.

        Raises
        ------
        ValidationError
            When they are wrong, or after too many failures; the message contains when to try again.
        """
        address = str(client_address(self.request))
        with try_lock_of(LockClass.LOGIN, zlib.crc32(address.encode()) - 2**31, timeout=self.timeout) as is_next:
            if not is_next:
                raise self._refusal(timedelta(minutes=1), "Too many logins from your address are waiting.")
            try:
                checked: dict[str, Any] = super().clean()  # type: ignore[misc]  # of the form
                self.check_code()
            except ValidationError as error:
                if not getattr(self.request, "axes_locked_out", False):
                    raise
                reason, failures = locking_failures(self.request, self.cleaned_data)
                latest = failures.aggregate(latest=Max("attempt_time"))["latest"] or timezone.now()
                wait = max(latest + settings.AXES_COOLOFF_TIME - timezone.now(), timedelta())
                what = f"Too many wrong passwords or codes {reason or 'from your address'}."
                raise self._refusal(wait, what) from error
        return checked

    def check_code(self) -> None:
        """Check what is required beside the password: nothing."""

    def _refusal(self, wait: timedelta, what: str) -> ValidationError:
        """Mark the request for `too_many`; return the error with the time to try again."""
        self.request.axes_locked_out, self.request.login_wait = True, wait
        minutes = math.ceil(wait.total_seconds() / 60)
        return ValidationError(
            f"{what} Try again in {minutes} {'minute' if minutes == 1 else 'minutes'},"
            f" at {timezone.now() + wait:%H:%M:%S} UTC."
            f"{self.advice}"
        )


class ReaderLoginForm(LimitedLogin, auth_forms.AuthenticationForm):
    """The login of readers, on the pages. For staff it is as if their accounts did not exist.

    So nobody tries passwords of staff on an address that is open to all, or locks staff out by it.
    """

    # A thread of the pages must not wait.
    timeout = 0.0
    advice = ""

    def clean(self) -> dict[str, Any]:
        """Check name and password; see `LimitedLogin.clean`."""
        name = self.cleaned_data.get("username", "")
        if User.objects.filter(Q(is_staff=True) | Q(is_superuser=True), username=name).exists():
            # No name of a user ends so: the password is compared with none, and the failure counts for the address.
            self.cleaned_data["username"] = f"{name} (staff)"
        return super().clean()


class LoginForm(LimitedLogin, AuthenticationForm):
    """The login form of the admin."""

    code = second_factor.CodeField(
        required=False,
        label="Code",
        help_text="Six digits of your app, or a backup code. Empty if you have no second factor.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not second_factor.is_asked_for():
            del self.fields["code"]

    def check_code(self) -> None:
        """Check the second factor; a wrong code counts as a wrong password does."""
        user: Any = self.get_user()
        if not second_factor.is_set_up(user):
            return
        code = self.cleaned_data.get("code")
        if not code:
            raise ValidationError("Enter a code of your app, or a backup code.")
        user.otp_device = second_factor.matching_device(user, code)
        if user.otp_device is None:
            credentials = {"username": user.get_username()}
            user_login_failed.send(sender=__name__, credentials=credentials, request=self.request)
            raise ValidationError(second_factor.WRONG)
