"""The second factor of staff: codes of an authenticator app (TOTP, RFC 6238), and backup codes for a lost phone.

A user sets it up on a page of the admin; from then on a login needs a code, and sessions that began without one end.
`SPAI_SECOND_FACTOR=required` leaves staff without a second factor nothing but that page.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import django_otp
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.qr import write_qrcode_image
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.matches.services import record_action

BACKUP_CODES: Final = 10
DIGITS: Final = 6
"""Length of a code of an app; backup codes have eight characters."""

OPEN: Final = frozenset({"second_factor", "login", "logout", "jsi18n"})
"""Pages of the admin that need no second factor where it is required."""

WRONG: Final = (
    "The code is wrong, was used before, or came too soon after a wrong one. Wait for the next code of your app, and "
    "check that the clock of your phone is right."
)


class CodeField(forms.CharField):
    """A code of the app, or a backup code; spaces and case do not matter."""

    def __init__(self, **more: Any) -> None:
        widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "autocapitalize": "none"})
        super().__init__(**{"max_length": 32, "widget": widget, **more})

    def clean(self, value: Any) -> str:
        """Return the code without spaces and in lower case."""
        return "".join(super().clean(value).split()).lower()


class CodeForm(forms.Form):
    """A code that confirms a change of the second factor."""

    code = CodeField(label="Code")


def is_set_up(user: AbstractBaseUser) -> bool:
    """Return whether a user has a second factor."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def lacks_second_factor(user: AbstractBaseUser) -> bool:
    """Return whether the setting requires a second factor that a user has not set up."""
    return settings.SPAI_SECOND_FACTOR == "required" and not is_set_up(user)


def is_asked_for() -> bool:
    """Return whether any user has a second factor, so that the login page asks for a code."""
    return TOTPDevice.objects.filter(confirmed=True).exists()


def matching_device(user: AbstractBaseUser, code: str) -> Device | None:
    """Return the device of a user that a code is of, None for a wrong one; a code is accepted once."""
    kind = TOTPDevice if len(code) == DIGITS else StaticDevice
    for device in kind.objects.filter(user=user, confirmed=True):
        if found := django_otp.verify_token(user, device.persistent_id, code):
            return found
    return None


@transaction.atomic
def remove(*, user: User, by: str | AbstractBaseUser | AnonymousUser, now: datetime) -> bool:
    """Remove the second factor of a user with its backup codes; return whether there was one."""
    was_set_up = is_set_up(user)
    for kind in (TOTPDevice, StaticDevice):
        kind.objects.filter(user=user).delete()
    if was_set_up:
        record_action(by=by, action="removed the second factor", about=user, before="set up", after="none", now=now)
    return was_set_up


@transaction.atomic
def set_up(*, user: User, code: str, now: datetime) -> tuple[TOTPDevice, list[str]] | None:
    """Finish setting up with a first code; return the device and the backup codes, None for a wrong code."""
    device = pending_device(user)
    if is_set_up(user) or django_otp.verify_token(user, device.persistent_id, code) is None:
        return None
    TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
    TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
    device.refresh_from_db()
    codes = new_backup_codes(user)
    record_action(by=user, action="set up a second factor", about=user, before="none", after="set up", now=now)
    return device, codes


@transaction.atomic
def pending_device(user: User) -> TOTPDevice:
    """Return the device that a user is setting up; two pages that are open at once show the same."""
    User.objects.select_for_update().get(pk=user.pk)
    found = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    return found or TOTPDevice.objects.create(user=user, name="app", confirmed=False)


@transaction.atomic
def new_backup_codes(user: User) -> list[str]:
    """Replace the backup codes of a user."""
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="backup codes")
    codes = [StaticToken.random_token() for _ in range(BACKUP_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def page(request: HttpRequest) -> HttpResponse:
    """Show the second factor of the user, and set it up, renew its backup codes or remove it."""
    user: Any = request.user
    form = CodeForm(request.POST if request.method == "POST" else None)
    codes: list[str] = []
    if form.is_valid():
        code, now = form.cleaned_data["code"], timezone.now()
        if not is_set_up(user):
            made = set_up(user=user, code=code, now=now)
            if made is not None:
                django_otp.login(request, made[0])
                codes = made[1]
        elif matching_device(user, code) is not None:
            if "remove" in request.POST:
                remove(user=user, by=user, now=now)
                messages.success(request, "Your second factor is removed; a login needs only the password.")
                return redirect("admin:second_factor")
            with transaction.atomic():
                codes = new_backup_codes(user)
                record_action(by=user, action="renewed their backup codes", about=user, now=now)
        if not codes:
            form.add_error("code", WRONG)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Second factor",
        "form": form,
        "codes": codes,
        "is_required": settings.SPAI_SECOND_FACTOR == "required",
        "device": TOTPDevice.objects.filter(user=user, confirmed=True).first(),
    }
    if context["device"] is None:
        pending = pending_device(user)
        context |= {"picture": _qr_code(pending), "key": base64.b32encode(pending.bin_key).decode()}
    else:
        context["codes_left"] = StaticToken.objects.filter(device__user=user).count()
    return TemplateResponse(request, "admin/second_factor.html", context)


def _qr_code(device: TOTPDevice) -> str:
    """Return the picture that an app scans, as the address of an image."""
    picture = io.BytesIO()
    write_qrcode_image(device.config_url, picture)
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}"


class SecondFactorMiddleware:
    """Treats a session that lacks the second factor of its user as that of a stranger."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request; the user is looked up only where a view asks for it."""
        user = request.user
        request.user = SimpleLazyObject(lambda: _known(user))  # type: ignore[assignment]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        """Lead staff without a second factor to its page, where one is required."""
        address = request.resolver_match
        if settings.SPAI_SECOND_FACTOR != "required" or address is None or address.namespace != "admin":
            return None
        if address.url_name in OPEN or not request.user.is_staff or is_set_up(request.user):
            return None
        return redirect("admin:second_factor")


def _known(user: Any) -> Any:
    """Return the user of a session, or an anonymous one where the session began without the user's code."""
    if user.is_authenticated and not user.is_verified() and is_set_up(user):
        return AnonymousUser()
    return user
