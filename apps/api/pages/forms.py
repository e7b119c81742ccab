"""Query parameters of pages. A page whose parameters are wrong does not exist: 404, with the reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.forms import BaseUserCreationForm, PasswordResetForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest
from django.utils.dateparse import parse_date
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import format_lazy
from django.utils.translation import get_language, gettext, gettext_lazy, override

from apps.api.services.league import MOST_GIVEN
from apps.matches.models import World

YEARS: Final = range(1850, 2201)
"""Years that matches are stored for."""

LONGEST_SEARCH: Final = 80
MAILER: Final = ThreadPoolExecutor(1, thread_name_prefix="mail")
"""Sends mails about passwords one after the other; starts its thread with the first one."""
LONGEST_ID: Final = 16
LONGEST_ROUND: Final = 4
RECORDS: Final = ("published", "back-tests")
FEATURE_SORTS: Final = ("family", "name", "side", "window")


@cache
def all_zones() -> frozenset[str]:
    """Return the names of all time zones; they are files, which are listed once."""
    return frozenset(available_timezones())


class SearchTextField(forms.CharField):
    """A text to look something up by, with single spaces and without NUL characters, which PostgreSQL refuses."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)

    def to_python(self, value: str | None) -> str:
        return " ".join((value or "").replace("\x00", "").split())[: self.max_length]


class WorldChoiceField(forms.TypedChoiceField):
    """A world, or None for the default."""

    def __init__(self) -> None:
        super().__init__(
            choices=[("", ""), *World.choices],
            coerce=World,
            empty_value=None,
            required=False,
            error_messages={
                "invalid_choice": format_lazy(
                    gettext_lazy("There is no such world; the worlds are {worlds}."), worlds=", ".join(World.values)
                )
            },
        )


class DayField(forms.Field):
    """A date in ISO 8601; in one of `years`, if given."""

    def __init__(self, *, years: range | None = None) -> None:
        super().__init__(required=False)
        self.years = years

    def to_python(self, value: str | None) -> date | None:
        if not value:
            return None
        try:
            day = parse_date(value)
        except ValueError:
            day = None
        if day is None or (self.years is not None and day.year not in self.years):
            raise ValidationError(gettext("A day is written like 2026-11-23."))
        return day


class ZoneField(forms.Field):
    """A time zone by its name; None for a name that does not exist."""

    def to_python(self, value: str | None) -> ZoneInfo | None:
        return ZoneInfo(value) if value and value in all_zones() else None


class ThemeField(forms.Field):
    """Light or dark; empty for anything else."""

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: str | None) -> str:
        return value if value in ("light", "dark") else ""


class LanguageField(forms.Field):
    """The code of a language of the pages; empty for anything else."""

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: str | None) -> str:
        return value if value in dict(settings.LANGUAGES) else ""


class LocalPathField(forms.Field):
    """A path on this site; the start page in place of any other address."""

    def to_python(self, value: str | None) -> str:
        is_local = url_has_allowed_host_and_scheme(value, allowed_hosts=None) and (value or "").startswith("/")
        return value if value and is_local else "/"


class PageField(forms.IntegerField):
    """The number of a page; 1 by default."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            min_value=1,
            max_value=9_999,
            error_messages=dict.fromkeys(
                ("invalid", "min_value", "max_value"), gettext_lazy("A page is a whole number from 1.")
            ),
        )

    def clean(self, value: Any) -> int:
        return super().clean(value) or 1


class QueryForm(forms.Form):
    """The parameters of a page."""

    @classmethod
    def parse(cls, request: HttpRequest) -> dict[str, Any]:
        """Return the validated parameters of a request.

        Raises
        ------
        Http404
            With the reason, when a parameter is wrong.
        """
        form = cls(request.GET)
        if not form.is_valid():
            raise Http404(next(iter(form.errors.values()))[0])
        return form.cleaned_data


class WorldForm(QueryForm):
    """Which world a page shows."""

    world = WorldChoiceField()


class ZoneForm(QueryForm):
    """The zone that the reader chose, and the page to return to."""

    zone = ZoneField(required=False)
    next = LocalPathField(required=False)


class FollowForm(forms.Form):
    """A team that the reader follows from now on, or no longer, and the page to return to."""

    team = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    on = forms.BooleanField(required=False)
    next = LocalPathField(required=False)


class LeftForm(QueryForm):
    """The team that the reader has just ceased to follow, to offer it again."""

    left = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**63 - 1,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), gettext_lazy("There is no such team.")),
    )


class OwnChoicesForm(forms.Form):
    """The zone and the language that the account of a reader keeps."""

    zone = ZoneField(required=False)
    language = LanguageField()


class OwnKeyForm(forms.Form):
    """The program for which a reader makes a key."""

    name = forms.CharField(max_length=80, label=gettext_lazy("Program that will use it"))


class SignUpForm(BaseUserCreationForm):
    """The account of a reader; the mail address is requested where this site can send mail."""

    class Meta:
        model = User
        fields = ("username", "email")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = gettext("Letters, digits and @ . + - _")
        self.fields["email"].label = gettext("Mail address, for a new password if you forget yours")
        if not sends_mail():
            del self.fields["email"]

    def created(self) -> User | None:
        """Create the account; None, with an error in the form, where an equal form has just created it."""
        try:
            with transaction.atomic():
                user: User = self.save()
        except IntegrityError:
            self.add_error("username", User._meta.get_field("username").error_messages["unique"])
            return None
        return user


class ResetForm(PasswordResetForm):
    """The mail address to which the way to a new password is sent; only to readers."""

    def get_users(self, email: str) -> Any:
        """Return the readers with a mail address; staff get a new password in the admin."""
        return (user for user in super().get_users(email) if not user.is_staff and not user.is_superuser)

    def send_mail(self, *mail: Any, **more: Any) -> None:
        """Send the mail by a thread, so that the answer takes no longer for an address that is known."""
        MAILER.submit(self._send_in, get_language(), *mail, **more)

    def _send_in(self, language: str | None, *mail: Any, **more: Any) -> None:
        """Write a mail in the language of the request, which another thread answers."""
        with override(language):
            super().send_mail(*mail, **more)


def sends_mail() -> bool:
    """Return whether a mail server is configured."""
    return not settings.EMAIL_BACKEND.endswith("dummy.EmailBackend")


class ThemeForm(QueryForm):
    """Light, dark or neither, and the page to return to."""

    theme = ThemeField()
    next = LocalPathField(required=False)


class LanguageForm(QueryForm):
    """The language that the reader chose, and the page to return to."""

    language = LanguageField()
    next = LocalPathField(required=False)


class EmbeddedLanguageForm(QueryForm):
    """The language that an address names, for programs that send no cookie."""

    lang = LanguageField()


class FixturesForm(QueryForm):
    """The day of the fixtures, and the competition whose matches are all shown."""

    day = DayField(years=YEARS)
    competition = SearchTextField()


class MonthField(forms.Field):
    """The first day of a month such as 2026-11."""

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: str | None) -> date | None:
        return DayField(years=YEARS).to_python(f"{value}-01") if value else None


class CalendarForm(QueryForm):
    """The month of the calendar."""

    month = MonthField()


class RecordForm(QueryForm):
    """Which record, and which part of its matches."""

    of = forms.TypedChoiceField(
        choices=[(name, name) for name in RECORDS],
        required=False,
        empty_value=None,
        error_messages={
            "invalid_choice": format_lazy(gettext_lazy("The record is of one of {names}."), names=", ".join(RECORDS))
        },
    )
    competition = SearchTextField()
    until = DayField(years=YEARS)
    after = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**62,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), gettext_lazy("There is no such match.")),
    )


class RatingsForm(QueryForm):
    """Filters and page of the ratings."""

    country = SearchTextField()
    competition = SearchTextField()
    q = SearchTextField(max_length=LONGEST_SEARCH)
    page = PageField()


class SearchForm(QueryForm):
    """What to search for."""

    q = SearchTextField(max_length=LONGEST_SEARCH)


@dataclass(frozen=True, slots=True)
class GivenResults:
    """Results that a reader gives: match → 0 home win, 1 draw, 2 away win; and how many parts of the text were none."""

    outcomes: dict[int, int]
    refused: int


class GivenResultsField(forms.Field):
    """Results such as ``812:H,815:D``; a later one of a match replaces the one before."""

    def to_python(self, value: str | None) -> GivenResults:
        outcomes: dict[int, int] = {}
        parts = [part for part in (value or "").split(",") if part][: 2 * MOST_GIVEN]
        refused = 0
        for part in parts:
            match, _, outcome = part.partition(":")
            is_one = match.isascii() and match.isdigit() and len(match) < LONGEST_ID and outcome in tuple("HDA")
            if is_one and (int(match) in outcomes or len(outcomes) < MOST_GIVEN):
                outcomes[int(match)] = "HDA".index(outcome)
            else:
                refused += 1
        return GivenResults(outcomes, refused)


class RoundField(forms.Field):
    """The number of a round, or 0 for all; None for the current one."""

    def to_python(self, value: str | None) -> int | None:
        if not value:
            return None
        if value == "all":
            return 0
        if not (value.isascii() and value.isdigit() and len(value) < LONGEST_ROUND):
            raise ValidationError(gettext("A round is a number, or all."))
        return int(value)


class SeasonForm(QueryForm):
    """A season of a competition, and what its page shows of it."""

    season = SearchTextField()
    lock = GivenResultsField(required=False)
    round = RoundField(required=False)
    chances = forms.ChoiceField(choices=[(key, key) for key in ("title", "top", "down")], required=False)
    table = forms.ChoiceField(choices=[(key, key) for key in ("all", "home", "away", "form")], required=False)


class FeaturesForm(QueryForm):
    """Filters, order and page of the feature list."""

    family = SearchTextField()
    side = SearchTextField()
    scope = SearchTextField()
    inputs = SearchTextField()
    q = SearchTextField(max_length=LONGEST_SEARCH)
    read = forms.BooleanField(required=False)
    sort = forms.TypedChoiceField(
        choices=[(name, name) for name in FEATURE_SORTS],
        required=False,
        empty_value=FEATURE_SORTS[0],
        error_messages={
            "invalid_choice": format_lazy(
                gettext_lazy("Features are sorted by one of {names}."), names=", ".join(FEATURE_SORTS)
            )
        },
    )
    page = PageField()


class WhatIfForm(QueryForm):
    """Two teams, by slug or name, and the day of their match."""

    home = SearchTextField(max_length=LONGEST_SEARCH)
    away = SearchTextField(max_length=LONGEST_SEARCH)
    date = DayField()
    competition = SearchTextField()
    neutral = forms.BooleanField(required=False)
