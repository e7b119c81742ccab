"""Reads that combine matches, forecasts, scores and prices for pages and REST."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Case, Count, DateField, F, JSONField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import TruncDate

from apps.api import charts
from apps.api.models import Alert, ServiceLevelCount
from apps.matches import selectors as matches
from apps.matches.connections import Columns, prepared
from apps.matches.leagues import importance, named_leagues
from apps.matches.models import FRESH_FOR, Competition, LiveScore, Match, MatchChange, Odds, Season, Team, World
from apps.ml import selectors as forecasts
from apps.ml.forecasting.scoring import devig
from apps.ml.models import BackTest, Prediction, Score, SeasonForecast

WHOLE_DAY = 12
"""Up to this number all matches of a competition and day are shown; of more, those around now."""
MOST_ROWS = 40
"""Rows of a day before the rest of the leagues is counted only."""
STARTED_SHOWN = 4
COMING_SHOWN = 8

BOOKMAKERS: Final = {
    "PS": "Pinnacle",
    "Avg": "average of bookmakers",
    "B365": "Bet365",
    "Max": "best of bookmakers",
}
"""Names of the bookmakers whose prices stand for the market, by their codes, in the order of `MARKET_PREFERENCE`."""

IN_PLAY_WITHIN: Final = timedelta(minutes=150)
"""Time after kick-off for which a match without a newer report counts as in play."""

RESULT_WITHIN: Final = timedelta(hours=24)
"""Time after kick-off, or after the beginning of the day of a date-only match, in which a result may still come."""

CALENDAR_BACK: Final = timedelta(days=28)
CALENDAR_MATCHES: Final = 250
"""Matches of a calendar: those of so many days back and so many in all."""

FEED_MATCHES: Final = 40
SURPRISES_BACK: Final = timedelta(days=14)
SURPRISES_AMONG: Final = 120
"""Forecasts of an Atom feed; days of surprises, and how many matches they are looked for in."""

SURPRISE: Final = 20
"""A result to which the forecast gave less, in per cent, is a surprise."""

RESULTS: Final[tuple[Literal["H", "D", "A"], ...]] = ("H", "D", "A")
"""Letters of home win, draw and away win, in the order of probabilities."""

BETWEEN: Final = re.compile(r"\s+(?:v|vs|versus|against|[-–—])\.?\s+", re.IGNORECASE)
"""What stands between the names of two teams in a search."""

AWAITED: Final = (Match.Status.SCHEDULED, Match.Status.UNKNOWN)
WITH_RESULT: Final = (Match.Status.FINISHED, Match.Status.AWARDED)
SETTLED: Final = (*WITH_RESULT, Match.Status.CANCELLED)
"""Statuses of matches that will not be played any more."""


@dataclass(frozen=True, slots=True)
class MatchCard:
    """One match, with its competition and teams loaded, and everything that its row shows.

    The prediction is the latest published before kick-off; the market gives de-vigged probabilities (home, draw, away).
    A match that is over and has no prediction may have the champion's back-test.
    """

    match: Match
    now: datetime
    prediction: Prediction | None = None
    score: Score | None = None
    market: tuple[float, float, float] | None = None
    back_test: BackTest | None = None
    live: LiveScore | None = None

    @property
    def phase(self) -> str:
        """The phase of the match: coming, live, started, over, or the status of one that is not played."""
        status = self.match.status
        if self.match.home_goals is not None and status in WITH_RESULT:
            return "over"
        if status == Match.Status.LIVE:
            return "live"
        if status not in AWAITED:
            return str(status)
        if self.match.kickoff_at > self.now:
            return "coming"
        return "coming" if self.match.kickoff_precision == Match.KickoffPrecision.DATE and self._is_today else "started"

    @property
    def _is_today(self) -> bool:
        return self.now < self.match.kickoff_at + timedelta(days=1)

    @property
    def gap(self) -> charts.Gap | None:
        """Where forecast and market differ most; None without both."""
        if self.prediction is None or self.market is None:
            return None
        return charts.gap(self.prediction.probabilities, self.market)

    @property
    def is_told(self) -> bool:
        """Whether words stand in place of the bars: during the match, and where no played result is to come."""
        return self.phase not in ("coming", "over") or self.match.status == Match.Status.AWARDED

    @property
    def outcome(self) -> Literal["H", "D", "A", ""]:
        """The result as played: home win, draw or away win; empty without one."""
        outcome = None if self.is_told else self.match.outcome
        return "" if outcome is None else RESULTS[outcome]

    @property
    def probabilities(self) -> tuple[float, float, float] | None:
        """Home, draw, away of the forecast, or of the back-test where none was published."""
        made = self.prediction or self.back_test
        return made.probabilities if made else None

    @property
    def given(self) -> int | None:
        """The whole per cents that the forecast or back-test gave to what happened."""
        if self.probabilities is None or not self.outcome:
            return None
        return charts.whole_percents(self.probabilities)[RESULTS.index(self.outcome)]

    @property
    def is_in_play(self) -> bool:
        """Whether the match is under way: by its status, or because it kicked off within `IN_PLAY_WITHIN`."""
        if self.phase != "started":
            return self.phase == "live"
        is_timed = self.match.kickoff_precision == Match.KickoffPrecision.MINUTE
        return is_timed and self.now < self.match.kickoff_at + IN_PLAY_WITHIN

    @property
    def changes_at(self) -> datetime | None:
        """When the row changes without new data, at kick-off for instance; None if it does not."""
        if self.live is not None:
            return self.live.read_at + FRESH_FOR
        if self.match.kickoff_precision == Match.KickoffPrecision.MINUTE:
            if self.phase == "coming":
                return self.match.kickoff_at
            if self.phase == "started" and self.is_in_play:
                return self.match.kickoff_at + IN_PLAY_WITHIN
        return None

    @property
    def may_kick_off(self) -> bool:
        """Whether the kick-off may still come."""
        return self.phase == "coming" or (self.match.status not in SETTLED and self.match.kickoff_at > self.now)

    @property
    def favourite_won(self) -> bool | None:
        """Whether the most likely outcome of the graded forecast came true; None without a grade or outcome."""
        outcome = self.match.outcome
        if self.score is None or self.prediction is None or outcome is None:
            return None
        p = self.prediction.probabilities
        return p[outcome] == max(p)


@dataclass(frozen=True, slots=True)
class CompetitionFixtures:
    """The matches of one competition on a day; `earlier` and `later` count those that are not shown."""

    competition: Competition
    cards: list[MatchCard]
    earlier: int
    later: int


@dataclass(frozen=True, slots=True)
class LeagueOfDay:
    """A league whose matches of a day are only counted."""

    region: str
    name: str
    slug: str
    matches: int


@dataclass(frozen=True, slots=True)
class DayFixtures:
    """The matches of a day: those of followed teams, those of each league, and the leagues that are only counted."""

    followed: list[MatchCard]
    leagues: list[CompetitionFixtures]
    others: list[LeagueOfDay]


@dataclass(frozen=True, slots=True)
class Price:
    """The odds that stand for the market of one match, with the probabilities they imply."""

    bookmaker: str
    moment: str
    odds: tuple[float, float, float]
    probabilities: tuple[float, float, float]


def day_span(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first instant of a day in a zone and the first of the next, in UTC."""
    start = datetime.combine(day, clock(), tzinfo=zone)
    end = datetime.combine(day + timedelta(days=1), clock(), tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def on_days(first: date, days: int, zone: ZoneInfo) -> Q:
    """Return the condition that a match is on one of some days in a zone.

    A match of which only the date is known belongs to that date in every zone.
    """
    start, _ = day_span(first, zone)
    _, end = day_span(first + timedelta(days=days - 1), zone)
    date_start, _ = day_span(first, ZoneInfo("UTC"))
    _, date_end = day_span(first + timedelta(days=days - 1), ZoneInfo("UTC"))
    is_on = Q(kickoff_precision=Match.KickoffPrecision.MINUTE, kickoff_at__gte=start, kickoff_at__lt=end) | Q(
        kickoff_precision=Match.KickoffPrecision.DATE, kickoff_at__gte=date_start, kickoff_at__lt=date_end
    )
    # The OR alone uses no index; one range around both parts does.
    return Q(kickoff_at__gte=min(start, date_start), kickoff_at__lt=max(end, date_end)) & is_on


def day_counts(world: World, first: date, days: int, zone: ZoneInfo) -> dict[date, int]:
    """Return the number of matches of a world on each of some days in a zone, without the days that have none."""
    rows = (
        Match.objects.filter(on_days(first, days, zone), world=world)
        .annotate(
            day=Case(
                When(kickoff_precision=Match.KickoffPrecision.DATE, then=TruncDate("kickoff_at", tzinfo=UTC)),
                default=TruncDate("kickoff_at", tzinfo=zone),
                output_field=DateField(),
            )
        )
        .values("day")
        .annotate(n=Count("id"))
        .values_list("day", "n")
    )
    return dict(rows)


def nearest_day(world: World, now: datetime, zone: ZoneInfo) -> date:
    """Return today if it has a match, else the next day with one, else the latest; today in an empty world."""
    today = now.astimezone(zone).date()
    of = Match.objects.filter(world=world)
    if of.filter(on_days(today, 1, zone)).exists():
        return today
    return edge_day(after_day(of, today, zone), zone) or edge_day(of, zone, is_latest=True) or today


def after_day(found: QuerySet[Match], day: date, zone: ZoneInfo) -> QuerySet[Match]:
    """Return the matches on later days than one in a zone."""
    (_, end), (_, date_end) = day_span(day, zone), day_span(day, ZoneInfo("UTC"))
    minute, date_only = (Q(kickoff_precision=precision) for precision in Match.KickoffPrecision)
    # A date-only match is stored at 00:00 UTC, another day in some zones: the two kinds have different bounds.
    is_after = (minute & Q(kickoff_at__gte=end)) | (date_only & Q(kickoff_at__gte=date_end))
    return found.filter(is_after, kickoff_at__gte=min(end, date_end))


def edge_day(found: QuerySet[Match], zone: ZoneInfo, *, is_latest: bool = False) -> date | None:
    """Return the first day that has one of some matches, or the latest; None where there is no match.

    A date-only match has its date in every zone and is stored at 00:00 UTC of it. West of UTC the matches of the
    evening before that date are stored after it, so the order of the instants is not always that of the days.
    """
    edge = found.order_by(*(("-kickoff_at", "-id") if is_latest else ("kickoff_at", "id"))).first()
    if edge is None:
        return None
    day, at = local_day(edge, zone), edge.kickoff_at
    is_dated = edge.kickoff_precision == Match.KickoffPrecision.DATE
    offset = at.astimezone(zone).utcoffset() or timedelta()
    if offset >= timedelta() or is_dated == is_latest:
        return day
    if is_latest:
        midnight = datetime.combine(at.astimezone(UTC), clock(), UTC)
        others = found.filter(kickoff_precision=Match.KickoffPrecision.DATE, kickoff_at=midnight)
    else:
        others = found.filter(kickoff_precision=Match.KickoffPrecision.MINUTE, kickoff_at__range=(at, at - offset))
    other = others.order_by("kickoff_at", "id").first()
    return local_day(other, zone) if other else day


_DAY_OF: Final = """
    (m.kickoff_at AT TIME ZONE CASE m.kickoff_precision WHEN 'date' THEN 'UTC' ELSE a.zone END)::date"""

# Day after day by the index on the world. A date-only match is stored at 00:00 UTC of its day, and west of UTC the
# evening of the day before comes later: the first match in the order of time tells only where to look.
_DAYS: Final = f"""
    SELECT d.day, (
        SELECT COUNT(*) FROM matches_match m
        WHERE m.world = d.world AND {_DAY_OF.replace("a.zone", "d.zone")} = d.day
            AND m.kickoff_at >= least(d.day::timestamp AT TIME ZONE d.zone, d.day::timestamp AT TIME ZONE 'UTC')
            AND m.kickoff_at <
                greatest((d.day + 1)::timestamp AT TIME ZONE d.zone, (d.day + 1)::timestamp AT TIME ZONE 'UTC')
    ) FROM (
        WITH RECURSIVE asked (world, zone, day) AS (SELECT %s::text, %s::text, %s::date),
        later (day, n) AS (
            SELECT day, 0 FROM asked
            UNION ALL
            SELECT (
                SELECT min({_DAY_OF}) FROM (
                    SELECT m.kickoff_at FROM matches_match m
                    WHERE m.world = a.world AND {_DAY_OF} > d.day AND m.kickoff_at >=
                        least((d.day + 1)::timestamp AT TIME ZONE a.zone, (d.day + 1)::timestamp AT TIME ZONE 'UTC')
                    ORDER BY m.kickoff_at LIMIT 1
                ) AS first JOIN matches_match m ON m.world = a.world AND {_DAY_OF} > d.day
                    AND m.kickoff_at BETWEEN first.kickoff_at AND first.kickoff_at + interval '14 hours'
            ), n + 1 FROM later d CROSS JOIN asked a WHERE n < %s AND d.day IS NOT NULL
        ),
        earlier (day, n) AS (
            SELECT day, 0 FROM asked
            UNION ALL
            SELECT (
                SELECT max({_DAY_OF}) FROM (
                    SELECT m.kickoff_at FROM matches_match m
                    WHERE m.world = a.world AND {_DAY_OF} < d.day AND m.kickoff_at <
                        greatest(d.day::timestamp AT TIME ZONE a.zone, d.day::timestamp AT TIME ZONE 'UTC')
                    ORDER BY m.kickoff_at DESC LIMIT 1
                ) AS last JOIN matches_match m ON m.world = a.world AND {_DAY_OF} < d.day
                    AND m.kickoff_at BETWEEN last.kickoff_at - interval '14 hours' AND last.kickoff_at
            ), n + 1 FROM earlier d CROSS JOIN asked a WHERE n < %s AND d.day IS NOT NULL
        )
        SELECT days.day, world, zone FROM (SELECT day FROM later UNION SELECT day FROM earlier) AS days, asked
        WHERE days.day IS NOT NULL
    ) AS d ORDER BY d.day"""


def days_around(world: World, day: date, zone: ZoneInfo, *, before: int, after: int) -> dict[date, int]:
    """Return a day and the nearest days before and after it that have a match of a world, with their matches."""
    return dict(prepared(_DAYS, [world.value, zone.key, day, after, before]))


def local_day(match: Match, zone: ZoneInfo) -> date:
    """Return the day of a match in a zone; for a date-only match, its date."""
    if match.kickoff_precision == Match.KickoffPrecision.DATE:
        return match.kickoff_at.astimezone(UTC).date()
    return match.kickoff_at.astimezone(zone).date()


_OF_DAY: Final = f"""
    SELECT d.id, has_started, is_followed, on_day, of_its_kind, started_rank, coming_rank,
        r.name, c.name, c.level, c.slug
    FROM (
        SELECT id, competition_id, has_started, is_followed, COUNT(*) OVER (PARTITION BY competition_id) AS on_day,
            COUNT(*) OVER (PARTITION BY competition_id, has_started) AS of_its_kind,
            row_number() OVER (PARTITION BY competition_id, has_started ORDER BY kickoff_at DESC) AS started_rank,
            row_number() OVER (PARTITION BY competition_id, has_started ORDER BY kickoff_at) AS coming_rank
        FROM (
            SELECT *, kickoff_at <= now AS has_started,
                home_team_id = ANY(followed) OR away_team_id = ANY(followed) AS is_followed
            FROM matches_match, (SELECT %s::timestamptz AS now, %s::bigint[] AS followed) AS asked
            WHERE world = %s AND kickoff_at >= %s AND kickoff_at < %s AND (
                kickoff_precision = 'minute' AND kickoff_at >= %s AND kickoff_at < %s
                OR kickoff_precision = 'date' AND kickoff_at >= %s AND kickoff_at < %s
            )
        ) AS all_of_day
    ) AS d JOIN matches_competition c ON c.id = d.competition_id JOIN matches_region r ON r.id = c.region_id
    WHERE c.slug = %s OR %s = '' AND (
        is_followed OR on_day <= {WHOLE_DAY}
        OR CASE WHEN has_started THEN started_rank <= {STARTED_SHOWN} ELSE coming_rank <= {COMING_SHOWN} END
    )"""


def fixtures_of_day(
    world: World, day: date, zone: ZoneInfo, *, now: datetime, whole: str = "", followed: Sequence[int] = ()
) -> DayFixtures:
    """Return the matches of a day, those of followed teams first, then the leagues by their importance.

    Of a long list of one league those around now are there, and leagues that would make the page longer than
    `MOST_ROWS` are counted only.

    Parameters
    ----------
    whole : str
        Slug of a competition: all of its matches are returned, and no others.
    followed : sequence of int
        Ids of the teams that the reader follows.
    """
    (start, end), (date_start, date_end) = day_span(day, zone), day_span(day, ZoneInfo("UTC"))
    bounds = [min(start, date_start), max(end, date_end), start, end, date_start, date_end]
    listed = [_Listed(*row) for row in prepared(_OF_DAY, [now, list(followed), world.value, *bounds, whole, whole])]
    by_league: dict[str, list[_Listed]] = {}
    for row in sorted(listed, key=lambda row: importance(row.region, row.league, row.level)):
        if whole or row.is_around_now:
            by_league.setdefault(row.slug, []).append(row)
    shown, others, count = list[list[_Listed]](), list[LeagueOfDay](), 0
    for group in by_league.values():
        count += len(group)
        if shown and count > MOST_ROWS:
            others.append(LeagueOfDay(group[0].region, group[0].league, group[0].slug, group[0].on_day))
        else:
            shown.append(group)
    first = [row.pk for row in listed if row.is_followed]
    # The joins are read for the matches that are shown, not for all matches of the day.
    found = cards_of([row.pk for group in shown for row in group] + first, now=now)
    return DayFixtures(
        followed=[card for pk, card in found.items() if pk in first],
        leagues=[_league_of_day(group, found) for group in shown],
        others=others,
    )


def _league_of_day(rows: list[_Listed], found: dict[int, MatchCard]) -> CompetitionFixtures:
    of = {row.pk: row for row in rows}
    shown = [card for pk, card in found.items() if pk in of]
    started = [row for row in rows if row.has_started]
    coming = [row for row in rows if not row.has_started]
    return CompetitionFixtures(
        competition=shown[0].match.season.competition,
        cards=shown,
        earlier=started[0].of_its_kind - len(started) if started else 0,
        later=coming[0].of_its_kind - len(coming) if coming else 0,
    )


class _Listed(NamedTuple):
    """A match of a day before its joins are read."""

    pk: int
    has_started: bool
    is_followed: bool
    on_day: int
    of_its_kind: int
    started_rank: int
    coming_rank: int
    region: str
    league: str
    level: int
    slug: str

    @property
    def is_around_now(self) -> bool:
        rank, limit = (self.started_rank, STARTED_SHOWN) if self.has_started else (self.coming_rank, COMING_SHOWN)
        return self.on_day <= WHOLE_DAY or rank <= limit


_MATCH: Final = Columns(
    Match,
    "id season_id competition_id world home_team_id away_team_id kickoff_at kickoff_precision status is_neutral "
    "home_goals away_goals revision",
)
_PREDICTION: Final = Columns(
    Prediction,
    "id match_id version_id published_at p_home p_draw p_away home_expected_goals away_expected_goals rho",
)
_CARDS: Final = f"""
    SELECT {_MATCH.sql("m")}, {matches.SEASON.sql("s")}, {matches.COMPETITION.sql("c")}, {matches.REGION.sql("r")},
        {matches.TEAM.sql("h")}, {matches.TEAM.sql("a")}, {_PREDICTION.sql("p")}, o.home, o.draw, o.away
    FROM matches_match m
    JOIN matches_season s ON s.id = m.season_id
    JOIN matches_competition c ON c.id = m.competition_id
    JOIN matches_region r ON r.id = c.region_id
    JOIN matches_team h ON h.id = m.home_team_id
    JOIN matches_team a ON a.id = m.away_team_id
    LEFT JOIN LATERAL (
        SELECT * FROM ml_prediction WHERE match_id = m.id AND published_at < m.kickoff_at
        ORDER BY published_at DESC, id DESC LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT home, draw, away FROM matches_odds WHERE match_id = m.id AND {matches.MARKET_CONDITION}
        ORDER BY {matches.MARKET_ORDER} LIMIT 1
    ) o ON true
    WHERE m.id = ANY(%s::bigint[]) ORDER BY m.kickoff_at, m.id"""


def cards_of(match_ids: Iterable[int], *, now: datetime) -> dict[int, MatchCard]:
    """Return some matches by kick-off with all that their rows show, by one statement, as `cards` but without scores.

    As there, back-tests and the scores of matches in play are looked for where they may be.
    """
    found = []
    for row in prepared(_CARDS, [list(match_ids)]):
        values = iter(row)
        match, season, competition = _MATCH.take(values), matches.SEASON.take(values), matches.COMPETITION.take(values)
        competition.region, season.competition, match.season = matches.REGION.take(values), competition, season
        match.home_team, match.away_team = matches.TEAM.take(values), matches.TEAM.take(values)
        prediction = _PREDICTION.take(values)
        found.append((match, prediction if prediction.pk else None, tuple(values)))
    priced = [odds for *_, odds in found if odds[0] is not None]
    fair = iter(devig(np.array(priced, dtype=np.float64), method="power").tolist() if priced else ())
    past = [match.pk for match, made, _ in found if match.status == Match.Status.FINISHED and made is None]
    back_tests = forecasts.back_tested(past) if past else {}
    live = live_scores((match for match, *_ in found), now)
    return {
        match.pk: MatchCard(
            match=match,
            now=now,
            prediction=prediction,
            market=None if odds[0] is None else tuple(next(fair)),
            back_test=back_tests.get(match.pk),
            live=live.get(match.pk),
        )
        for match, prediction, odds in found
    }


def cards(found: Sequence[Match], *, now: datetime) -> list[MatchCard]:
    """Return the matches with their forecasts, scores and market prices, by three queries for any number.

    Where finished matches have no forecast, a fourth one looks for back-tests.
    One more brings the scores of those in play, where there are any.
    """
    ids = [match.pk for match in found]
    if not ids:
        return []
    predictions = forecasts.latest_predictions(ids)
    past = [match.pk for match in found if match.status == Match.Status.FINISHED and match.pk not in predictions]
    back_tests = forecasts.back_tested(past) if past else {}
    scores = forecasts.newest_scores(ids)
    prices = market_prices(ids)
    live = live_scores(found, now)
    return [
        MatchCard(
            match=match,
            now=now,
            prediction=predictions.get(match.pk),
            score=scores.get(match.pk),
            market=prices[match.pk].probabilities if match.pk in prices else None,
            back_test=back_tests.get(match.pk),
            live=live.get(match.pk),
        )
        for match in found
    ]


@dataclass(frozen=True, slots=True)
class GradedRow:
    """A match that is over with its forecast, and the closing prices' probabilities if there are any."""

    match: Match
    p: tuple[float, float, float]
    market: tuple[float, float, float] | None

    @property
    def gave(self) -> float:
        """The probability that the forecast gave to what happened."""
        return self.p[self._outcome]

    @property
    def market_gave(self) -> float | None:
        """The same of the market."""
        return None if self.market is None else self.market[self._outcome]

    @property
    def _outcome(self) -> int:
        outcome = self.match.outcome
        assert outcome is not None
        return outcome


def graded_rows(found: Iterable[Match], *, is_back_tested: bool) -> list[GradedRow]:
    """Return matches of a record with the forecasts that count in it, by two queries for any number."""
    shown = list(found)
    ids = [match.pk for match in shown]
    made: Mapping[int, Prediction | BackTest] = (
        forecasts.back_tested(ids) if is_back_tested else forecasts.latest_predictions(ids)
    )
    prices = market_prices(ids)
    closing = {pk: price.probabilities for pk, price in prices.items() if price.moment == Odds.Moment.CLOSING}
    return [
        GradedRow(match, made[match.pk].probabilities, closing.get(match.pk)) for match in shown if match.pk in made
    ]


def live_scores(found: Iterable[Match], now: datetime) -> dict[int, LiveScore]:
    """Return the scores of those matches that are in play and of which there is news, without a query for none."""
    in_play = [match.pk for match in found if match.status == Match.Status.LIVE]
    return matches.live_scores(in_play, now) if in_play else {}


def market_prices(match_ids: Iterable[int]) -> dict[int, Price]:
    """Return the market price of each match that has one, with the margin removed."""
    quoted = matches.odds_of(match_ids)
    if not quoted:
        return {}
    odds = np.array([[price.home, price.draw, price.away] for price in quoted.values()], dtype=np.float64)
    fair = devig(odds, method="power").tolist()
    return {
        match_id: Price(
            bookmaker=price.bookmaker,
            moment=price.moment,
            odds=(price.home, price.draw, price.away),
            probabilities=(home, draw, away),
        )
        for (match_id, price), (home, draw, away) in zip(quoted.items(), fair, strict=True)
    }


def seasons_of_team(team: Team) -> list[Season]:
    """Return the latest season of a team in each of its competitions, the most recent first."""
    newest = RawSQL(
        """
        SELECT f.id FROM matches_competition c CROSS JOIN LATERAL (
            (SELECT id, kickoff_at FROM matches_match WHERE home_team_id = %s AND competition_id = c.id
                ORDER BY kickoff_at DESC LIMIT 1)
            UNION ALL
            (SELECT id, kickoff_at FROM matches_match WHERE away_team_id = %s AND competition_id = c.id
                ORDER BY kickoff_at DESC LIMIT 1)
            ORDER BY kickoff_at DESC LIMIT 1
        ) AS f
        """,
        [team.pk, team.pk],
    )
    rows = Match.objects.filter(pk__in=newest).select_related("season__competition__region")
    return [match.season for match in rows.order_by("-kickoff_at", "-id")]


def world_of(team: Team) -> World | None:
    """Return the world of a team, by the competitions of its region; None when there are none."""
    competition = Competition.objects.filter(region=team.region_id).first()
    return competition.world if competition else None


@dataclass(frozen=True, slots=True)
class LatestLeague:
    """When a team last played in a league, or will, and the newest season of that league."""

    kickoff_at: datetime
    season: Season


# A home match before one away, because each of the two can use an index; a team without a home match is rare.
_LATEST_LEAGUES: Final = f"""
    SELECT t.id, l.kickoff_at, {matches.SEASON.sql("s")}, {matches.COMPETITION.sql("c")}, {matches.REGION.sql("r")}
    FROM unnest(%s::bigint[]) AS t (id)
    CROSS JOIN LATERAL (
        (SELECT m.competition_id, m.kickoff_at, 1 AS place
            FROM matches_match m JOIN matches_competition k ON k.id = m.competition_id AND k.level >= 1
            WHERE m.home_team_id = t.id ORDER BY m.kickoff_at DESC LIMIT 1)
        UNION ALL
        (SELECT m.competition_id, m.kickoff_at, 2
            FROM matches_match m JOIN matches_competition k ON k.id = m.competition_id AND k.level >= 1
            WHERE m.away_team_id = t.id ORDER BY m.kickoff_at DESC LIMIT 1)
        ORDER BY place LIMIT 1
    ) l
    CROSS JOIN LATERAL (
        SELECT * FROM matches_season WHERE competition_id = l.competition_id ORDER BY label DESC LIMIT 1
    ) s
    JOIN matches_competition c ON c.id = s.competition_id
    JOIN matches_region r ON r.id = c.region_id"""

_TEAMS: Final = f"""
    SELECT {matches.TEAM.sql("t")}, {matches.REGION.sql("r")}
    FROM matches_team t JOIN matches_region r ON r.id = t.region_id WHERE t.slug = ANY(%s::text[])"""


def teams_of_slugs(slugs: Sequence[str]) -> dict[str, Team]:
    """Return the teams that have one of some slugs, with their regions."""
    found = {}
    for row in prepared(_TEAMS, [list(slugs)]):
        values = iter(row)
        team = matches.TEAM.take(values)
        team.region = matches.REGION.take(values)
        found[team.slug] = team
    return found


def latest_leagues(teams: Iterable[Team]) -> dict[int, LatestLeague]:
    """Return the latest league of each team that has played in one, or will, by the team's id."""
    found = {}
    for team_id, kickoff_at, *columns in prepared(_LATEST_LEAGUES, [[team.pk for team in teams]]):
        values = iter(columns)
        season, competition = matches.SEASON.take(values), matches.COMPETITION.take(values)
        competition.region, season.competition = matches.REGION.take(values), competition
        found[team_id] = LatestLeague(kickoff_at, season)
    return found


@dataclass(frozen=True, slots=True)
class SeasonEnd:
    """The latest simulation of a season, with its version loaded.

    `lines` are those of the table: ``name``, ``places`` and whether they count ``from_end``. `clubs` come with their
    simulated results, the one with the most expected points first.
    """

    forecast: SeasonForecast
    lines: list[dict[str, Any]]
    clubs: list[tuple[Team, dict[str, Any]]]


def season_end(season: Season, teams: Mapping[int, Team] | None = None) -> SeasonEnd | None:
    """Return the latest simulation of a season, or None; `teams` are its teams by id, where they are known."""
    forecast = forecasts.season_forecast(season)
    if forecast is None:
        return None
    forecast.season = season
    rows = forecast.table["clubs"]
    teams = Team.objects.in_bulk([row["team"] for row in rows]) if teams is None else teams
    # A team that was merged into another since then does not exist any more.
    clubs = [(teams[row["team"]], row) for row in rows if row["team"] in teams]
    return SeasonEnd(forecast, forecast.table["lines"], clubs)


def to_come(found: QuerySet[Match], now: datetime) -> list[QuerySet[Match]]:
    """Return the matches that are to come or under way, as branches for `matches.merged`.

    Files have no status between fixture and result: a match counts until `RESULT_WITHIN` after its kick-off, or after
    the beginning of its day where only the date is known.
    """
    since = now - RESULT_WITHIN
    awaited = Q(status__in=AWAITED)
    ahead = Q(kickoff_at__gt=now) & ~Q(status__in=SETTLED)
    return [found.filter(status=Match.Status.LIVE), found.filter(awaited | ahead, kickoff_at__gt=since)]


def coming_of_team(team: Team, now: datetime, *, limit: int) -> list[Match]:
    """Return the next matches of a team, those under way first."""
    branches = [each for side in matches.of_team(Match.objects.all(), team) for each in to_come(side, now)]
    return list(matches.merged(branches, "kickoff_at", "id", limit=limit))


def coming_of_season(season: Season, now: datetime, *, limit: int) -> list[Match]:
    """Return the next matches of a season, those under way first."""
    branches = to_come(Match.objects.filter(season=season), now)
    return list(matches.merged(branches, "kickoff_at", "id", limit=limit))


def latest_of_season(season: Season, now: datetime, *, limit: int) -> list[Match]:
    """Return the latest results of a season, newest first, without matches under way."""
    is_over = Q(status__in=WITH_RESULT, home_goals__isnull=False)
    rows = Match.objects.filter(is_over, season=season, kickoff_at__lte=now)
    return list(matches.merged([rows], "-kickoff_at", "-id", limit=limit))


def of_teams(team_ids: Sequence[int]) -> Q:
    """Return the condition that one of some teams plays."""
    return Q(home_team__in=team_ids) | Q(away_team__in=team_ids)


def of_competition(competition: Competition) -> Q:
    """Return the condition that a match is of a competition."""
    return Q(competition=competition)


def of_world(world: World) -> Q:
    """Return the condition that a match is of a world."""
    return Q(world=world)


def calendar_cards(where: Q, *, now: datetime) -> list[MatchCard]:
    """Return the matches of a calendar with their forecasts: those of the last weeks, and the next ones."""
    rows = Match.objects.filter(where, kickoff_at__gt=now - CALENDAR_BACK).order_by("kickoff_at", "id")
    return _forecast_cards(rows[:CALENDAR_MATCHES], now=now)


def feed_cards(where: Q, *, now: datetime) -> list[MatchCard]:
    """Return the next matches that are forecast, and those lately played that ended as few forecasts said."""
    coming = Match.objects.filter(where, status__in=AWAITED, kickoff_at__gt=now).order_by("kickoff_at", "id")
    since = now - SURPRISES_BACK
    played = Match.objects.filter(where, status=Match.Status.FINISHED, kickoff_at__range=(since, now))
    cards = _forecast_cards(coming[:FEED_MATCHES], now=now)
    cards += _forecast_cards(played.order_by("-kickoff_at", "-id")[:SURPRISES_AMONG], now=now)
    return [card for card in cards if card.prediction and (card.given is None or card.given < SURPRISE)]


def _forecast_cards(rows: QuerySet[Match], *, now: datetime) -> list[MatchCard]:
    # Teams and competitions are looked up for these rows alone.
    found = list(matches.matches().filter(pk__in=rows.values("pk")).order_by("kickoff_at", "id"))
    predictions = forecasts.latest_predictions([match.pk for match in found])
    return [MatchCard(match=match, now=now, prediction=predictions.get(match.pk)) for match in found]


def counted_changes(match_ids: Sequence[int]) -> dict[int, int]:
    """Return how often the result, kick-off or status of each match changed, without those that never did."""
    rows = MatchChange.objects.filter(match__in=match_ids).values("match_id")
    return dict(rows.annotate(n=Count("id")).values_list("match_id", "n"))


def other_world(world: World) -> World | None:
    """Return the other world if it has competitions."""
    other = World.REAL if world == World.SANDBOX else World.SANDBOX
    return other if Competition.objects.filter(world=other).exists() else None


@dataclass(frozen=True, slots=True)
class ListedCompetition:
    """A competition with its newest season, its next match, and the leader of the table as it was last simulated."""

    competition: Competition
    season_label: str
    next_match: Match | None
    leader: Team | None
    leader_points: int | None


def listed_competitions(world: World, now: datetime) -> list[ListedCompetition]:
    """Return the competitions of a world by three queries for any number.

    First come the regions of the leagues that most readers look for, and in each region these leagues.
    """
    next_match = Match.objects.filter(
        competition=OuterRef("pk"), status=Match.Status.SCHEDULED, kickoff_at__gt=now
    ).order_by("kickoff_at", "id")
    newest = SeasonForecast.objects.filter(
        season__competition=OuterRef("pk"), season__label=OuterRef("latest_season")
    ).order_by("-as_of", "-id")
    found: list[Any] = list(
        matches.competitions(world).annotate(
            next_match=Subquery(next_match.values("pk")[:1]),
            leader=Subquery(newest.values("table__leader")[:1], output_field=JSONField()),
        )
    )
    coming = Match.objects.only("kickoff_at", "kickoff_precision").in_bulk(
        [each.next_match for each in found if each.next_match]
    )
    leaders = {each.pk: each.leader for each in found if each.leader and each.next_match}
    teams = Team.objects.in_bulk([leader["team"] for leader in leaders.values()])
    orders = {each.pk: importance(each.region.name, each.name, each.level) for each in found}
    regions: dict[int, tuple[int, int, str, str]] = {}
    for each in found:
        regions[each.region_id] = min(orders[each.pk], regions.get(each.region_id, orders[each.pk]))
    found.sort(key=lambda each: (regions[each.region_id], orders[each.pk]))
    return [
        ListedCompetition(
            competition=each,
            season_label=each.latest_season or "",
            next_match=coming.get(each.next_match),
            leader=teams.get(leaders[each.pk]["team"]) if each.pk in leaders else None,
            leader_points=leaders[each.pk]["points"] if each.pk in leaders else None,
        )
        for each in found
    ]


def search_competitions(text: str, *, world: World, limit: int = 20) -> list[Competition]:
    """Return the competitions of a world that a text names, the most important first; none for an empty text."""
    return named_leagues(text, matches.competitions(world))[:limit]


def search_matches(text: str, *, world: World, now: datetime, limit: int = 4) -> list[Match]:
    """Return the matches that a text names: of two teams, "arsenal v chelsea"; or the next ones of the first team."""
    sides = [matches.search_teams(part, world, 1) for part in BETWEEN.split(text, maxsplit=1)]
    if not all(sides):
        return []
    if len(sides) == 1:
        return coming_of_team(sides[0][0], now, limit=limit)
    one, other = sides[0][0], sides[1][0]
    pairings = [Match.objects.filter(home_team=a, away_team=b) for a, b in ((one, other), (other, one))]
    return list(matches.merged(pairings, "-kickoff_at", "-id", limit=limit))


def firing_alerts() -> QuerySet[Alert]:
    """Return the alerts that fire: those first that nobody has acknowledged, then the critical ones."""
    firing = Alert.objects.filter(state=Alert.AlertState.FIRING)
    return firing.order_by(F("acknowledged_at").asc(nulls_first=True), "severity", "began_at")


def alerts_evaluated_at() -> datetime | None:
    """Return when the alerts were last evaluated, to the minute; None before the first time."""
    counts = ServiceLevelCount.objects.filter(slo="freshness").order_by("-at")
    return counts.values_list("at", flat=True).first()
