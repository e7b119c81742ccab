"""The sources that the project ships: their rows, their readers, and the permission that one of them needs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from apps.matches.services import record_action
from apps.scraping.models import Source
from apps.scraping.politeness import host_of
from apps.scraping.sources import FootballDataSite, OpenfootballSite, Site, UnderstatSite, WhoScored
from apps.scraping.sources.competitions import DIVISIONS, OPENFOOTBALL_CODES
from apps.scraping.sources.understat.site import BASE_URL as UNDERSTAT_URL

SANDBOX: Final = "sandbox"
SANDBOX_FILES: Final = "sandbox-files"
SANDBOX_SEED: Final = 20_261_123

SANDBOX_AGES: Final[Mapping[str, Any]] = {
    "navigation_age": timedelta(minutes=10),
    "calendar_age": timedelta(minutes=10),
    "preview_age": timedelta(hours=1),
    "preview_before": timedelta(minutes=30),
    "match_is_final": timedelta(minutes=3),
}
"""In the sandbox a match lasts two minutes and a season some hours: its pages expire, and are final, sooner."""

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

NO_DELAY: Final = timedelta(0)
"""The sandbox runs on this machine."""

BIG_LEAGUES: Final = ("252/2", "206/4", "108/5", "81/3", "74/22", "250/12")
"""Regions and tournaments of WhoScored that are followed unless the operator chooses others."""

BASE_URLS: Final[Mapping[str, str]] = {
    Source.Reader.WHOSCORED: "https://www.whoscored.com",
    Source.Reader.FOOTBALL_DATA: "https://www.football-data.co.uk",
    Source.Reader.OPENFOOTBALL: "https://raw.githubusercontent.com/openfootball/football.json/master",
    Source.Reader.UNDERSTAT: UNDERSTAT_URL,
}

WHOSCORED_HOSTS: Final = ".whoscored.com"
"""Ending of WhoScored's host names, with a dot in front."""

SHIPPED: Final[Mapping[str, dict[str, Any]]] = {
    SANDBOX: {"reader": Source.Reader.WHOSCORED, "is_simulated": True, "is_enabled": True, "delay": NO_DELAY},
    SANDBOX_FILES: {"reader": Source.Reader.FOOTBALL_DATA, "is_simulated": True, "is_enabled": True, "delay": NO_DELAY},
    "football-data": {"reader": Source.Reader.FOOTBALL_DATA, "delay": timedelta(seconds=3)},
    "openfootball": {"reader": Source.Reader.OPENFOOTBALL, "delay": timedelta(seconds=3)},
    "understat": {"reader": Source.Reader.UNDERSTAT, "delay": timedelta(seconds=7)},
    "whoscored": {
        "reader": Source.Reader.WHOSCORED,
        "needs_permission": True,
        "delay": timedelta(seconds=7),
        "competitions": list(BIG_LEAGUES),
    },
}
"""Initial values of each row. The simulated sources are on; the operator switches real ones on."""


class UnknownSourceError(Exception):
    """There is no such source, or its competitions are not in the reader's codes."""


class PermissionMissingError(Exception):
    """The source must not be scraped without its owners' permission."""


def ensure_sources(*, now: datetime) -> None:
    """Create the rows that are missing; the first call sets when the sandbox's current season began."""
    existing = set(Source.objects.values_list("name", flat=True))
    for name, values in SHIPPED.items():
        if name in existing:
            continue
        if name == SANDBOX:
            values = values | {"seed": SANDBOX_SEED, "anchor_at": now.replace(second=0, microsecond=0)}
        if name == SANDBOX_FILES:
            values = values | {"anchor_at": Source.objects.values_list("anchor_at", flat=True).get(name=SANDBOX)}
        Source.objects.get_or_create(name=name, defaults=values)


def ensure_sandbox(*, now: datetime) -> Source:
    """Return the source of the simulated world, created when it is missing."""
    ensure_sources(now=now)
    return Source.objects.get(name=SANDBOX)


def source_named(name: str) -> Source:
    """Return the source of a name.

    Raises
    ------
    UnknownSourceError
        When there is none; the text lists those that there are.
    """
    found = Source.objects.filter(name=name).first()
    if found is None:
        names = ", ".join(Source.objects.order_by("name").values_list("name", flat=True))
        raise UnknownSourceError(f"there is no source {name!r}; there are {names}")
    return found


def confirm_permission(*, source: Source, by: str, note: str, now: datetime) -> None:
    """Record that the owners of a source permit scraping, who confirmed it, and where they said so.

    Raises
    ------
    PermissionMissingError
        When the note is empty.
    """
    if not note.strip():
        raise PermissionMissingError("Say who gave the permission, when, and for what; it is kept with the source.")
    source.permission_confirmed_at = now
    source.permission_confirmed_by = by
    source.permission_note = note.strip()
    with transaction.atomic():
        source.save(update_fields=["permission_confirmed_at", "permission_confirmed_by", "permission_note"])
        record_action(
            by=by, action="confirmed a permission", about=source, before="none", after=source.permission_note, now=now
        )


@transaction.atomic
def withdraw_permission(*, source: Source, by: str, now: datetime) -> None:
    """Withdraw a permission and switch the source off."""
    record_action(
        by=by, action="withdrew a permission", about=source, before=source.permission_note, after="none; off", now=now
    )
    source.is_enabled = False
    source.permission_confirmed_at, source.permission_confirmed_by, source.permission_note = None, "", ""
    source.save(update_fields=["is_enabled", "permission_confirmed_at", "permission_confirmed_by", "permission_note"])


def switch(*, source: Source, is_on: bool, by: str, now: datetime) -> None:
    """Switch a source on or off; one that is so already is left as it is.

    Raises
    ------
    PermissionMissingError
        When it needs its owners' permission and nobody has confirmed it.
    """
    if is_on and source.needs_permission and source.permission_confirmed_at is None:
        raise PermissionMissingError(why_off(source))
    with transaction.atomic():
        if not Source.objects.filter(pk=source.pk).exclude(is_enabled=is_on).update(is_enabled=is_on):
            return
        source.is_enabled = is_on
        before, after = ("off", "on") if is_on else ("on", "off")
        record_action(by=by, action=f"switched {after}", about=source, before=before, after=after, now=now)


def why_off(source: Source) -> str:
    """Return why no request is sent to a source, empty when requests may be sent."""
    if source.is_simulated and not settings.SPAI_SANDBOX:
        return "The sandbox is switched off by SPAI_SANDBOX."
    try:
        host_of(base_url_of(source))
    except ValueError as error:
        return f"Its address is invalid: {error}. Correct it in the admin under Sources."
    host = (urlsplit(base_url_of(source)).hostname or "").rstrip(".")
    if source.is_simulated and host != urlsplit(settings.SPAI_SANDBOX_URL).hostname and host not in LOOPBACK:
        return f"It is a simulated source, and {host} is not on this machine. Correct its address."
    if not source.needs_permission and f".{host}".endswith(WHOSCORED_HOSTS):
        return "Its address is WhoScored's, which only the source whoscored may scrape. Correct its address."
    if source.needs_permission and source.permission_confirmed_at is None:
        return f"It needs its owners' permission. Confirm it in the admin (Sources, {source.name}), then switch it on."
    if not source.is_enabled:
        return "It is switched off. Switch it on in the admin under Sources."
    if not source.is_simulated and not settings.SPAI_CONTACT:
        return "SPAI_CONTACT is not set. Set it to a web page or mail address, so that the site's owner can reach you."
    return ""


def hosts_inside(source: Source) -> list[str]:
    """Return the hosts that a source may be fetched from although they are inside the network."""
    own = [urlsplit(settings.SPAI_SANDBOX_URL).netloc.rpartition("@")[2].lower()] if source.is_simulated else []
    return [*settings.SPAI_SOURCE_HOSTS, *own]


def site_of(source: Source) -> Site:
    """Return the reader of a source's pages.

    Raises
    ------
    UnknownSourceError
        When its competitions are not in the reader's codes.
    """
    base_url, chosen = base_url_of(source), [str(code) for code in source.competitions]
    try:
        if source.reader == Source.Reader.WHOSCORED:
            ages: Mapping[str, Any] = SANDBOX_AGES if source.is_simulated else {}
            return WhoScored(
                name=source.name,
                base_url=base_url,
                tournaments=[_pair(code) for code in chosen],
                is_simulated=source.is_simulated,
                **ages,
            )
        if source.reader == Source.Reader.OPENFOOTBALL:
            return OpenfootballSite(base_url=base_url, name=source.name, codes=chosen or tuple(OPENFOOTBALL_CODES))
        if source.reader == Source.Reader.UNDERSTAT:
            return UnderstatSite(base_url=base_url, name=source.name, leagues=chosen)
        if source.is_simulated:
            # Imported here: the web process imports this module, but never needs the simulator.
            from apps.scraping.sandbox.clubs import COMPETITIONS as SANDBOX_LEAGUES
            from apps.scraping.sandbox.site.addresses import DIVISIONS as SANDBOX_CODES

            return FootballDataSite(
                name=source.name,
                base_url=base_url,
                divisions=dict(zip(SANDBOX_CODES, SANDBOX_LEAGUES, strict=True)),
                countries=(),
            )
        if not chosen:
            return FootballDataSite(name=source.name, base_url=base_url)
        return FootballDataSite(
            name=source.name,
            base_url=base_url,
            divisions={code: DIVISIONS[code] for code in chosen if code in DIVISIONS},
            countries=[code for code in chosen if code not in DIVISIONS],
        )
    except ValueError as error:
        raise UnknownSourceError(f"{source.name}: {error}; correct its competitions in the admin") from error


def base_url_of(source: Source) -> str:
    """Return the address of a source's site, without a slash at its end."""
    if source.base_url:
        return source.base_url.rstrip("/")
    return settings.SPAI_SANDBOX_URL if source.is_simulated else BASE_URLS[source.reader]


def _pair(code: str) -> tuple[int, int]:
    """Return region and tournament of a code such as ``252/2``."""
    region, _, tournament = code.partition("/")
    if not (region.isdecimal() and tournament.isdecimal()):
        raise ValueError(f"{code!r} is not a region and a tournament, such as 252/2")
    return int(region), int(tournament)
