"""Matches with their forecasts, scores and prices, as rows and pages show them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np
from django.utils.translation import gettext_noop

from apps.api import charts
from apps.matches import selectors as matches
from apps.matches.connections import Columns, SharedColumns, prepared
from apps.matches.models import FRESH_FOR, LiveScore, Match, Odds
from apps.ml import selectors as forecasts
from apps.ml.forecasting.scoring import devig
from apps.ml.models import BackTest, Prediction, Score

BOOKMAKERS: Final = {
    "PS": "Pinnacle",
    "Avg": gettext_noop("average of bookmakers"),
    "B365": "Bet365",
    "Max": gettext_noop("best of bookmakers"),
}
"""Names of the bookmakers whose prices represent the market, by their codes, in the order of `MARKET_PREFERENCE`."""

IN_PLAY_WITHIN: Final = timedelta(minutes=150)
"""Time after kick-off for which a match without a newer report counts as in play."""

RESULT_WITHIN: Final = timedelta(hours=24)
"""Time after kick-off, or after the beginning of the day of a date-only match, in which a result may still come."""

RESULTS: Final[tuple[Literal["H", "D", "A"], ...]] = ("H", "D", "A")
"""Letters of home win, draw and away win, in the order of probabilities."""

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
    def shown(self) -> tuple[Hashable, ...]:
        """All that the row of the match shows, so that equal ones have equal rows."""
        match = self.match
        live = self.live
        return (
            *(match.pk, match.kickoff_at, match.kickoff_precision, match.status, match.home_goals, match.away_goals),
            *(self.phase, self.is_in_play, self.changes_at, self.market),
            # A forecast never changes; a back-test gives way to that of another champion.
            *(self.prediction and self.prediction.pk, self.back_test and self.back_test.probabilities),
            live and (live.minute, live.home_goals, live.away_goals),
            *(
                (team.slug, team.name, team.short_name, team.code, team.first_colour, team.second_colour)
                for team in (match.home_team, match.away_team)
            ),
        )

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
class Price:
    """The odds that represent the market of one match, with the probabilities they imply."""

    bookmaker: str
    moment: str
    odds: tuple[float, float, float]
    probabilities: tuple[float, float, float]


_MATCH: Final = Columns(
    Match,
    "id season_id competition_id world home_team_id away_team_id kickoff_at kickoff_precision status is_neutral "
    "home_goals away_goals revision",
)
_PREDICTION: Final = Columns(
    Prediction,
    "id match_id version_id published_at p_home p_draw p_away home_expected_goals away_expected_goals rho",
)
_SEASON: Final = SharedColumns(matches.SEASON)
_COMPETITION: Final = SharedColumns(matches.COMPETITION)
_REGION: Final = SharedColumns(matches.REGION)
_TEAM: Final = SharedColumns(matches.TEAM)
_CARDS: Final = f"""
    SELECT {_MATCH.sql("m")}, {_SEASON.sql("s")}, {_COMPETITION.sql("c")}, {_REGION.sql("r")},
        {_TEAM.sql("h")}, {_TEAM.sql("a")}, {_PREDICTION.sql("p")}, o.home, o.draw, o.away
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
        match, season, competition = _MATCH.take(values), _SEASON.take(values), _COMPETITION.take(values)
        competition.region, season.competition, match.season = _REGION.take(values), competition, season
        match.home_team, match.away_team = _TEAM.take(values), _TEAM.take(values)
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
    def gave(self) -> int:
        """The whole per cents that the forecast gave to what happened, as the bars show them."""
        return charts.whole_percents(self.p)[self._outcome]

    @property
    def market_gave(self) -> int | None:
        """The same of the market."""
        return None if self.market is None else charts.whole_percents(self.market)[self._outcome]

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
