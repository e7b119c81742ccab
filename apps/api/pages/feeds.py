"""Calendars (iCalendar) and feeds (Atom) of a team, a competition, or the teams that a reader follows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import get_template
from django.utils import timezone
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import gettext

from apps.api import charts, icalendar, selectors
from apps.api.pages.context import cached_for, page_context, team_ids
from apps.api.selectors import MatchCard
from apps.matches.models import Competition, Match, Team

MAX_AGE: Final = timedelta(minutes=15)
"""How long a program or a cache may use a calendar or a feed before it asks again."""
LASTS: Final = timedelta(hours=2)
"""Time that a match takes in a calendar."""
NOT_IN_XML: Final = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
"""Characters that no XML document may have, escaped or not."""
STATUS: Final = {Match.Status.CANCELLED: "CANCELLED", Match.Status.POSTPONED: "TENTATIVE"}
"""Statuses of events; that of all other matches is CONFIRMED."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a calendar or feed is about: its name, the path of its page, and the filter of its matches."""

    name: str
    path: str
    where: Any


def listed(request: HttpRequest, **about: str) -> Listed:
    """Return what an address is about: a ``team`` or ``competition`` by its slug, some ``teams`` by ids, or the world.

    The teams that a reader follows are in the query, because programs that read calendars send no cookie.

    Raises
    ------
    Http404
        When it does not exist.
    """
    if slug := about.get("team"):
        team = Team.objects.filter(slug=slug).first()
        if team is None:
            raise Http404(gettext("There is no such team."))
        return Listed(team.display_name, f"/teams/{slug}/", selectors.of_teams([team.pk]))
    if slug := about.get("competition"):
        competition = Competition.objects.filter(slug=slug).first()
        if competition is None:
            raise Http404(gettext("There is no such competition."))
        return Listed(competition.name, f"/competitions/{slug}/", selectors.of_competition(competition))
    if "teams" in about:
        ids = team_ids(request.GET.get("teams", ""))
        if not ids:
            raise Http404(gettext("The address names no team, as ?teams=1,2 does."))
        return Listed(gettext("Teams you follow"), "/follow/", selectors.of_teams(ids))
    page = page_context(request)
    return Listed(gettext("Football forecasts"), f"/{page.world_query}", selectors.of_world(page.world))


def described(card: MatchCard) -> dict[str, Any]:
    """Return what the texts about a match need; `percents` is its forecast, home, draw and away."""
    percents = charts.whole_percents(card.prediction.probabilities) if card.prediction else []
    return {"card": card, "match": card.match, "percents": percents}


@cached_for(MAX_AGE)
def calendar_feed(request: HttpRequest, **about: str) -> HttpResponse:
    """Return the matches of the last weeks and those to come as a calendar."""
    what, now = listed(request, **about), timezone.now()
    cards = selectors.calendar_cards(what.where, now=now)
    changes = selectors.counted_changes([card.match.pk for card in cards])
    summary, description = get_template("feeds/summary.txt"), get_template("feeds/description.txt")
    events = []
    for card in cards:
        match, context = card.match, described(card)
        is_dated = match.kickoff_precision == Match.KickoffPrecision.DATE
        published = card.prediction.published_at if card.prediction else match.updated_at
        events.append(
            icalendar.CalendarEvent(
                uid=f"match-{match.pk}@{urlsplit(settings.SPAI_WEB_URL).netloc}",
                starts=match.kickoff_at.astimezone(UTC).date() if is_dated else match.kickoff_at,
                ends=None if is_dated else match.kickoff_at + LASTS,
                summary=summary.render(context).strip(),
                description=description.render(context).strip(),
                url=f"{settings.SPAI_WEB_URL}/matches/{match.pk}/",
                category=match.season.competition.name,
                status=STATUS.get(Match.Status(match.status), "CONFIRMED"),
                sequence=changes.get(match.pk, 0),
                changed_at=max(match.updated_at, published),
            )
        )
    return HttpResponse(
        icalendar.calendar(what.name, events),
        content_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'inline; filename="matches.ics"'},
    )


class XmlSafeFeed(Atom1Feed):
    """An Atom feed without the characters that XML does not allow: one of them in a name would make it unreadable."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**_for_xml(about))

    def add_item(self, *args: Any, **about: Any) -> None:
        """Add an entry."""
        super().add_item(*args, **_for_xml(about))


def _for_xml(about: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in about.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return NOT_IN_XML.sub("", value)
    return [_plain(each) for each in value] if isinstance(value, list) else value


class ForecastFeed(Feed):
    """The forecasts of the next matches, and results that had little chance."""

    feed_type = XmlSafeFeed

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> tuple[Listed, datetime, str]:
        """Return what the address is about, the moment, and the address with its query."""
        return listed(request, **kwargs), timezone.now(), request.get_full_path()

    def subtitle(self) -> str:
        """Return what the entries are."""
        return gettext("Chances of the next matches, and results that we gave little chance.")

    def title(self, found: tuple[Listed, datetime, str]) -> str:
        """Return the title of the feed."""
        return found[0].name

    def link(self, found: tuple[Listed, datetime, str]) -> str:
        """Return the page that the feed is about."""
        return found[0].path

    def feed_url(self, found: tuple[Listed, datetime, str]) -> str:
        """Return the address of the feed itself."""
        return found[2]

    def items(self, found: tuple[Listed, datetime, str]) -> list[MatchCard]:
        """Return the matches, those with the latest news first."""
        return sorted(selectors.feed_cards(found[0].where, now=found[1]), key=self.item_updateddate, reverse=True)

    def item_title(self, item: MatchCard) -> str:
        """Return teams and result."""
        return get_template("feeds/summary.txt").render(described(item)).strip()

    def item_description(self, item: MatchCard) -> str:
        """Return the forecast."""
        return get_template("feeds/description.txt").render(described(item)).strip()

    def item_link(self, item: MatchCard) -> str:
        """Return the page of the match."""
        return f"/matches/{item.match.pk}/"

    def item_guid(self, item: MatchCard) -> str:
        """Return an id that stays (RFC 4151): the forecast of a match is one entry, its surprising result another."""
        kind = "forecast" if item.match.outcome is None else "surprise"
        return f"tag:{urlsplit(settings.SPAI_WEB_URL).hostname},2026:{kind}/{item.match.pk}"

    def item_categories(self, item: MatchCard) -> list[str]:
        """Return the competition."""
        return [item.match.season.competition.name]

    def item_updateddate(self, item: MatchCard) -> datetime:
        """Return when the forecast was published, or the result stored."""
        if item.match.outcome is None and item.prediction:
            return item.prediction.published_at
        return item.match.updated_at


feed = cached_for(MAX_AGE)(ForecastFeed())
