"""What other sites show of a page that somebody links: title, sentence and picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language, gettext

from apps.api import selectors, services, share_images, written
from apps.api.pages.context import cached_for
from apps.api.pages.feeds import described
from apps.api.pages.languages import DEFAULT, language_query
from apps.api.selectors import MatchCard
from apps.api.share_images import Label, Picture
from apps.matches import selectors as matches
from apps.matches.models import Competition, Match, Team

MAX_AGE: Final = timedelta(hours=1)
ROWS: Final = 4
"""Clubs in the picture of a competition."""


@dataclass(frozen=True, slots=True)
class Share:
    """What `partials/head_links.html` says of a page.

    `image` is the path of its picture, which changes with what the picture shows, so that sites fetch it again. `feeds`
    is the path below which its calendar and its feed are; empty without any.
    """

    title: str
    description: str
    image: str
    feeds: str = ""


def share_of_match(card: MatchCard) -> Share:
    """Return what is shown of a match."""
    match, published = card.match, card.prediction.pk if card.prediction else 0
    return Share(
        title=_text("summary", card),
        description=_text("description", card),
        image=f"/share/match/{match.pk}.png?state={match.status}-{match.revision}-{published}{_language('&')}",
    )


def share_of_team(team: Team, card: MatchCard | None) -> Share:
    """Return what is shown of a team and its next match."""
    state = f"?state={card.match.pk}-{card.prediction.pk if card.prediction else 0}" if card else ""
    state += _language("&" if state else "?")
    return Share(
        title=team.display_name,
        description=_text("next", card) if card else team.region.name,
        image=f"/share/team/{team.slug}.png{state}",
        feeds=f"/teams/{team.slug}/",
    )


def share_of_competition(competition: Competition, end: selectors.SeasonEnd | None) -> Share:
    """Return what is shown of a competition and the chances of its season."""
    state = f"?state={end.forecast.pk}" if end else ""
    state += _language("&" if state else "?")
    return Share(
        title=competition.name,
        description=_note(end) or competition.region.name,
        image=f"/share/competition/{competition.slug}.png{state}",
        feeds=f"/competitions/{competition.slug}/",
    )


def _language(sign: str) -> str:
    return language_query(get_language() or DEFAULT, sign=sign)


def _text(name: str, card: MatchCard) -> str:
    return render_to_string(f"feeds/{name}.txt", described(card)).strip()


def _note(end: selectors.SeasonEnd | None) -> str:
    return render_to_string("feeds/season.txt", {"end": end}).strip() if end else ""


def _label(team: Team) -> Label:
    # A slug has only plain letters.
    return Label(team.display_name, team.slug.replace("-", " ").title())


def picture_of_match(card: MatchCard, about: Label) -> Picture:
    """Return what the picture of a match says."""
    match = card.match
    at = match.kickoff_at.astimezone(UTC)
    is_timed = match.kickoff_precision == Match.KickoffPrecision.MINUTE and card.phase == "coming"
    return Picture(
        about=about,
        when=written.day(at, "l j F Y, H:i \\U\\T\\C" if is_timed else "l j F Y"),
        names=(_label(match.home_team), _label(match.away_team)),
        scores=(str(match.home_goals), str(match.away_goals)) if match.home_goals is not None else (),
        forecast=card.prediction.probabilities if card.prediction else None,
        note=render_to_string("feeds/note.txt", {"card": card}).strip(),
    )


def _image(request: HttpRequest, picture: Picture) -> HttpResponse:
    """Return a picture as PNG; a drawing counts as a computed forecast does against the limit of an address."""
    address = services.address_of(request.META) or "unknown"
    admission = services.admit(address, cost=settings.SPAI_COMPUTED_COST, now=timezone.now())
    if not admission.allowed:
        return HttpResponse(status=429, headers=admission.headers)
    return HttpResponse(share_images.png(picture), content_type="image/png")


@cached_for(MAX_AGE)
def match_image(request: HttpRequest, match_id: int) -> HttpResponse:
    """Draw a match: teams, forecast, and the result once there is one."""
    found = matches.matches().filter(pk=match_id).first()
    if found is None:
        raise Http404(gettext("There is no such match."))
    (card,) = selectors.cards([found], now=timezone.now())
    return _image(request, picture_of_match(card, Label(found.season.competition.name)))


@cached_for(MAX_AGE)
def team_image(request: HttpRequest, slug: str) -> HttpResponse:
    """Draw a team: its next match with the forecast, or only its name."""
    team = Team.objects.select_related("region").filter(slug=slug).first()
    if team is None:
        raise Http404(gettext("There is no such team."))
    now = timezone.now()
    cards = selectors.cards(selectors.coming_of_team(team, now, limit=1), now=now)
    if cards:
        return _image(request, picture_of_match(cards[0], _label(team)))
    return _image(request, Picture(Label(team.region.name), "", (_label(team),)))


@cached_for(MAX_AGE)
def competition_image(request: HttpRequest, slug: str) -> HttpResponse:
    """Draw a competition: the clubs with the best chances of its title, or only its name."""
    competition = Competition.objects.select_related("region").filter(slug=slug).first()
    if competition is None:
        raise Http404(gettext("There is no such competition."))
    season = matches.seasons(competition).first()
    end = selectors.season_end(season) if season else None
    best = sorted(end.clubs, key=lambda club: -club[1]["chances"].get("title", 0.0))[:ROWS] if end else []
    rows = tuple((_label(team), written.per_cent(round(100 * row["chances"].get("title", 0.0)))) for team, row in best)
    name = Label(competition.name, competition.slug.replace("-", " ").title())
    when = ""
    if rows and season:
        when = gettext("Chance of the title, {season}").format(season=written.season(season.label))
    return _image(request, Picture(Label(competition.region.name), when, (name,), rows=rows))
