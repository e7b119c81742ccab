"""The audit: an entry for each action of a person, written in the transaction of what the action changes."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model

from apps.matches.models import ActionOrigin, AuditEntry, subject_of

WORDS_LIMIT: Final = 4_000
"""Longest text of a state; a list of permissions or competitions may be long."""

NO_REQUEST: Final = ""

_address: ContextVar[str | None] = ContextVar("address", default=NO_REQUEST)


def record_action(
    *,
    by: str | AbstractBaseUser | AnonymousUser,
    action: str,
    about: Model | None,
    before: str = "",
    after: str = "",
    reason: str = "",
    also: Sequence[Model] = (),
    now: datetime,
) -> AuditEntry:
    """Write an entry of the audit; call it in the transaction of the change.

    Parameters
    ----------
    by : str or user
        Who acted: a user, a user name, or the command.
    action : str
        What was done, in the past tense, such as ``"promoted"``.
    about : Model or None
        The row that it was done to, stored and not yet deleted.
    before, after : str
        The states in words; never a secret.
    reason : str
        Why, where the person gave a reason.
    also : sequence of Model
        Other rows whose history shows the entry.
    now : datetime
        Aware.
    """
    rows = [row for row in (about, *also) if row is not None]
    return AuditEntry.objects.create(
        at=now,
        by=_cut(by if isinstance(by, str) else by.get_username(), 150),
        origin=_kind_of(_address.get()),
        action=_cut(action, 60),
        about=_cut("" if about is None else str(about), 250),
        subjects=[_cut(subject_of(row), 120) for row in rows],
        before=_cut(before, WORDS_LIMIT),
        after=_cut(after, WORDS_LIMIT),
        reason=_cut(reason, 400),
    )


def command_user() -> str:
    """Return who runs a command, as `by` of its entries."""
    try:
        return f"{getpass.getuser()} (command)"
    except (KeyError, OSError):
        return "command"


@contextmanager
def acting_from(address: str | None) -> Iterator[None]:
    """Note in the entries of this thread the kind of address of the request; the address itself is not stored."""
    token = _address.set(address)
    try:
        yield
    finally:
        _address.reset(token)


def _kind_of(address: str | None) -> ActionOrigin:
    """Return the kind of an address; one that is not known counts as a stranger's."""
    if address == NO_REQUEST:
        return ActionOrigin.COMMAND
    try:
        found = ip_address(address or "")
    except ValueError:
        return ActionOrigin.PUBLIC
    # `address_of` gives the network of an IPv6 address: that of ::1 is ::.
    if found.is_loopback or found.is_unspecified:
        return ActionOrigin.MACHINE
    return ActionOrigin.PRIVATE if found.is_private else ActionOrigin.PUBLIC


def _cut(text: str, limit: int) -> str:
    """Return a text as PostgreSQL can store it, at most `limit` characters long."""
    text = text.replace("\x00", "").strip()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
