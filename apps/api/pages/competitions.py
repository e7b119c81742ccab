"""The list of competitions, and the page of one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from apps.api import charts, selectors, services
from apps.api.methods import read_only
from apps.api.pages.context import PageContext, cached_part, followed_teams, page_context, render_page
from apps.api.pages.errors import too_many
from apps.api.pages.forms import SeasonForm
from apps.api.pages.sharing import share_of_competition
from apps.api.services import league as leagues
from apps.matches import selectors as matches
from apps.matches.models import Region, Season

MATCHES_SHOWN = 8
GIVEN_LETTERS: Final = "HDA"

TICKS: Final = 5
"""Most marks on an axis."""


@dataclass(frozen=True, slots=True)
class ResultChoice:
    """A result that a reader may give: its chance in whole per cents, and the address that gives it or takes it back.

    The outcome is home, draw or away.
    """

    outcome: str
    percent: int
    is_given: bool
    address: str


@dataclass(frozen=True, slots=True)
class Question:
    """A match that is to come or under way, and the three results that a reader may give it."""

    card: selectors.MatchCard
    answers: list[ResultChoice]


@dataclass(frozen=True, slots=True)
class SeasonAddress:
    """The address of what is shown of a season, and of the same with something else."""

    path: str
    season: str
    given: dict[int, int]
    rest: dict[str, str]

    def __str__(self) -> str:
        return self.with_()

    def with_(self, given: dict[int, int] | None = None, **rest: str) -> str:
        """Return the address with other given results, or with other parameters; an empty one is left out."""
        given = self.given if given is None else given
        lock = ",".join(f"{match}:{GIVEN_LETTERS[outcome]}" for match, outcome in given.items())
        query = {"season": self.season, "lock": lock, **self.rest, **rest}
        shown = urlencode({name: value for name, value in query.items() if value}, safe=":,")
        return f"{self.path}?{shown}" if shown else self.path


@read_only
def competitions(request: HttpRequest) -> HttpResponse:
    """List the competitions of a world, region by region."""
    page = page_context(request)
    found = selectors.listed_competitions(page.world, page.now)
    regions = [
        _region(page, region, list(group)) for region, group in groupby(found, key=lambda each: each.competition.region)
    ]
    return render_page(request, page, "pages/competitions.html", {"regions": regions})


def _region(page: PageContext, region: Region, found: list[selectors.ListedCompetition]) -> SafeString:
    """Return the competitions of a region as a part of the page."""
    return cached_part(
        page,
        "partials/competition/region.html",
        lambda: {"region": region, "found": found},
        *(region.pk, region.name, *(each.shown for each in found)),
    )


@read_only
def competition(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a season: the table with chances, how they moved, the matches of a round, and what given results change."""
    page = page_context(request)
    found = matches.competition_of_slug.first(slug)
    if found is None:
        raise Http404(gettext("There is no such competition."))
    page = page.in_world(found.world)
    query = SeasonForm.parse(request)
    seasons = matches.seasons_listed(found)
    label = query["season"]
    season = next((each for each in seasons if each.label == label), None)
    if label and season is None:
        raise Http404(
            gettext("{competition} has no season {season}.").format(competition=found.name, season=label[:24])
        )
    season = season or (seasons[0] if seasons else None)
    labels = [each.label for each in seasons]
    if query["lock"].outcomes and season:
        # A season with given results is ranked again, which costs as much as a forecast that is made for a request.
        address = services.address_of(request.META) or "unknown"
        admission = services.admit(address, cost=settings.SPAI_COMPUTED_COST, now=page.now)
        if not admission.allowed:
            return too_many(request, admission)
    context: dict[str, Any] = {
        "competition": found,
        "season": season,
        "season_list": cached_part(
            page,
            "partials/competition/seasons.html",
            lambda: {"seasons": seasons, "season": season},
            *labels,
            season and season.label,
        ),
    }
    if season and found.level >= 1:
        context |= _league(request, page, season, query)
    elif season:
        context |= _cup(season, page)
    context["share"] = share_of_competition(found, context["league"].end if "league" in context else None)
    return render_page(request, page, "pages/competition.html", context, partial="partials/competition.html")


def _cup(season: Season, page: PageContext) -> dict[str, Any]:
    """Return what is shown of a competition without a table: its next matches and its latest results."""
    coming = selectors.coming_of_season(season, page.now, limit=MATCHES_SHOWN)
    latest = selectors.latest_of_season(season, page.now, limit=MATCHES_SHOWN)
    cards = selectors.cards([*coming, *latest], now=page.now)
    return {"coming": cards[: len(coming)], "latest": cards[len(coming) :]}


def _league(request: HttpRequest, page: PageContext, season: Season, query: dict[str, Any]) -> dict[str, Any]:
    league, followed = leagues.league_of(season, page.now), followed_teams(request)
    given = leagues.given_of(league, query["lock"].outcomes)
    rest = {"round": request.GET.get("round", ""), "chances": query["chances"], "table": query["table"]}
    address = SeasonAddress(request.path, query["season"], {each.match.pk: each.outcome for each in given}, rest)
    lines, refused = league.columns, query["lock"].refused + len(query["lock"].outcomes) - len(given)
    in_league = [pk for pk in followed if any(line.team.pk == pk for line in league.table)]
    competition = season.competition
    common: dict[str, Any] = {
        "competition": competition,
        "season": season,
        "league": league,
        "lines": lines,
        "given": [
            (each, address.with_({k: v for k, v in address.given.items() if k != each.match.pk})) for each in given
        ],
        "refused": refused,
        "address": address,
        "clear": address.with_({}),
    }
    # All that the parts of the page are made of, the state of the matches and the latest simulation above all.
    key = (
        *(season.pk, league.state, league.end.forecast.pk if league.end else 0, len(league.left)),
        *(str(address), refused, *in_league, competition.name, competition.slug, competition.level, season.label),
    )

    def table() -> dict[str, Any]:
        return common | {"rows": leagues.rows_of(league, given), "followed": followed}

    def standings() -> dict[str, Any]:
        view: leagues.View = query["table"] or "all"
        views = [(each, address.with_(table=each)) for each in ("all", "home", "away", "form")]
        return common | {"view": view, "views": views, "standings": leagues.view_of(league, view)}

    def chances() -> dict[str, Any]:
        line = next((each for each in lines if each.key == query["chances"]), lines[0])
        history = leagues.history_of(league, line, followed)
        chart = chances_chart(history, followed) if len(history.moments) > 1 else None
        choices = [(each, address.with_(chances=each.key)) for each in lines]
        return common | {"history": history, "line": line, "chart": chart, "line_choices": choices}

    shown = _round(league, query["round"], address)
    match_ids = [each.pk for each in shown["round"].matches] if "round" in shown else []
    cards = list(selectors.cards_of(match_ids, now=page.now).values()) if match_ids else []

    def matches_of_round() -> dict[str, Any]:
        return shown | _questions(league, cards, address)

    part = "partials/competition/{}.html".format
    return {
        "league": league,
        "table": cached_part(page, part("table"), table, *key),
        "standings": cached_part(page, part("standings"), standings, *key) if league.is_begun else "",
        "chances": cached_part(page, part("chances"), chances, *key) if lines else "",
        "round": cached_part(page, part("round"), matches_of_round, *key, *match_ids, *(card.shown for card in cards)),
    }


def _round(league: leagues.League, number: int | None, address: SeasonAddress) -> dict[str, Any]:
    """Return the round that is shown, its neighbours and the addresses of all."""
    rounds = league.rounds
    numbers = [each.number for each in rounds]
    if number and number not in numbers:
        raise Http404(gettext("This season has no round {number}.").format(number=number))
    shown = rounds[numbers.index(number)] if number else league.current
    context: dict[str, Any] = {"rounds": [(each, address.with_(round=str(each.number))) for each in rounds]}
    if shown is None or number == 0:
        return context
    place = rounds.index(shown)
    return context | {
        "round": shown,
        "earlier": context["rounds"][place - 1] if place else None,
        "later": context["rounds"][place + 1] if place + 1 < len(rounds) else None,
        "all_rounds": address.with_(round="all"),
    }


def _questions(league: leagues.League, cards: list[selectors.MatchCard], address: SeasonAddress) -> dict[str, Any]:
    """Return the matches of a round that may be given a result, and the others."""
    questions = [_question(league, card, address) for card in cards if leagues.can_end(league, card.match)]
    in_questions = {question.card.match.pk for question in questions}
    return {"questions": questions, "cards": [card for card in cards if card.match.pk not in in_questions]}


def _question(league: leagues.League, card: selectors.MatchCard, address: SeasonAddress) -> Question:
    p = card.prediction.probabilities if card.prediction else league.left[card.match.pk]
    total = sum(p)
    percents = charts.whole_percents([share / total for share in p])
    answers = []
    for outcome, (name, percent) in enumerate(zip(charts.OUTCOMES, percents, strict=True)):
        is_given = address.given.get(card.match.pk) == outcome
        others = {match: other for match, other in address.given.items() if match != card.match.pk}
        new = others if is_given else {**others, card.match.pk: outcome}
        answers.append(ResultChoice(name, percent, is_given, address.with_(new)))
    return Question(card, answers)


def chances_chart(history: leagues.ChanceHistory, followed: tuple[int, ...] = ()) -> charts.LineChart:
    """Return the chart of how the chances of some teams moved from round to round."""
    dashes = iter(("", "d1", "d2", "d3"))
    styles = ["me" if team.pk in followed else next(dashes) for team in history.teams]
    at = [moment.played / history.per_round for moment in history.moments]
    series = [
        charts.Series(
            team.display_name,
            team.display_code,
            [(x, moment.chances[team.pk]) for x, moment in zip(at, history.moments, strict=True)],
            style,
        )
        for team, style in zip(history.teams, styles, strict=True)
    ]
    names = [_round_name(moment.played, history.per_round) for moment in history.moments]
    teams = [team.pk for team in history.teams]
    return charts.line_chart(
        series,
        label=_text("label", history=history, latest=[(each.label, each.points[-1][1]) for each in series]),
        y_ticks=_marks(max(y for each in series for _, y in each.points)),
        x_ticks=_round_marks(at),
        notes=[
            (teams.index(move.team.pk), move.played / history.per_round, _text("move", move=move))
            for move in history.moves
        ],
        names=[*names[:-1], gettext("Today")],
    )


def _marks(most: float) -> list[float]:
    """Return the marks of an axis of chances from 0 to above the largest one."""
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if step * (TICKS - 1) >= most or step == 0.25)
    count = max(1, -int(-most // step))
    return [round(step * n, 2) for n in range(count + 1)]


def _round_marks(at: list[float]) -> list[tuple[float, str]]:
    """Return the marks of an axis of rounds, the first and the latest among them."""
    first, latest = at[0], at[-1]
    step = max(1, round((latest - first) / (TICKS - 1)))
    inner = [n for n in range(int(first) + step, int(latest) + 1, step) if first < n < latest - step / 3]
    return [(first, _round_name(first)), *((float(n), _round_name(n)) for n in inner), (latest, gettext("Today"))]


def _round_name(played: float, per_round: int = 1) -> str:
    """Name the moment after so many matches."""
    if not played:
        return gettext("Start")
    return gettext("Round {number}").format(number=-int(-played // per_round))


def _text(name: str, **context: object) -> str:
    """Render a sentence of the chart."""
    return " ".join(render_to_string(f"partials/competition/chart_{name}.html", context).split())
