"""The text blocks of the page of a match: who is favoured and why, how the forecast moved, what is at stake.

Nothing here reads the database. The sentences are in the templates, which choose them by the values of these blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from apps.api import charts, services, written
from apps.api.charts import LineChart, Series, Why
from apps.api.selectors import MatchCard
from apps.api.services.forecasts import ForecastDetails
from apps.matches.models import Match, MatchStats, Team
from apps.matches.records import Side
from apps.matches.selectors import EarlierMatch, MissingPlayer, SquadMember
from apps.ml.forecasting.contributions import BASELINE
from apps.ml.forecasting.goals import LIMIT, ScorelineGrid
from apps.ml.forecasting.weaknesses import FALLBACK
from apps.ml.models import Prediction, Stakes

EVEN_WITHIN: Final = 4
"""Points between the chances of both teams up to which neither is called the favourite."""
SLIGHT_WITHIN: Final = 12
CLEAR_FROM: Final = 35

SURPRISES: Final = ((0.55, "expected"), (0.40, "likely"), (0.25, "open"), (0.12, "surprise"))
"""From which chance on a result is called what; below all of them it is a shock."""

BETTER_BY: Final = 0.3
"""Expected goals by which chances are called better."""

MOVED: Final = 0.005
"""By how much a forecast differs from the one before on the chart."""
NOTED: Final = 0.02
"""By how much a forecast moves for a note."""
MOST_NOTES: Final = 5

LONGEST_LABEL: Final = 11
"""Letters that fit beside a line; of a longer name its code stands there."""

MATTERS: Final = 0.02
"""Least difference between two outcomes for a chance to be in the table of the stakes."""
MOST_ROWS: Final = 4
IMPORTANCE: Final = ((0.15, gettext_lazy("High")), (0.05, gettext_lazy("Medium")), (0.0, gettext_lazy("Low")))


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of a match that is not over.

    `favourite` is None where the teams are as good as level. `reason` is the group of inputs that helps the favourite
    most and `second` the next one of weight, each empty without one; `is_mostly` says whether the first gives at least
    half of what helps. `hangs_on_ground` says whether the other team would be favoured without home advantage. `market`
    says how it sees the favourite: ``agrees``, ``more``, ``less`` or ``other``; empty without a price.
    """

    favourite: Team | None
    other: Team
    strength: str
    reason: str
    second: str
    is_mostly: bool
    hangs_on_ground: bool
    market: str


def expectation(match: Match, p: Sequence[float], why: Why | None, market: Sequence[float] | None) -> Expectation:
    """Return who is favoured, by what, and whether the market agrees."""
    ours = charts.whole_percents(p)
    side = 0 if ours[0] >= ours[2] else 2
    lead = ours[side] - ours[2 - side]
    teams = (match.home_team, match.home_team, match.away_team)
    sign = 1 if side == 0 else -1
    reasons = why.reasons if why else []
    helping = {each.group: sign * each.points for each in reasons if sign * each.points > 0.5}
    reason, second, *_ = [*sorted(helping, key=lambda group: -helping[group]), "", ""]
    ground = math.fsum(each.log_odds for each in reasons if each.group == BASELINE)
    market_view = ""
    if market:
        theirs = charts.whole_percents(market)
        gap = ours[side] - theirs[side]
        is_other = theirs[side] + EVEN_WITHIN < theirs[2 - side]
        market_view = "other" if is_other else "agrees" if abs(gap) <= EVEN_WITHIN else "less" if gap > 0 else "more"
    return Expectation(
        favourite=teams[side] if lead > EVEN_WITHIN else None,
        other=match.away_team if side == 0 else match.home_team,
        strength="slight" if lead <= SLIGHT_WITHIN else "clear" if lead >= CLEAR_FROM else "",
        reason=reason,
        second=second if second and 2.0 * helping[second] >= helping[reason] else "",
        is_mostly=bool(reason) and 2.0 * helping[reason] >= math.fsum(helping.values()),
        hangs_on_ground=side == 0 and not match.is_neutral and math.log(max(p[0], 1e-9) / max(p[2], 1e-9)) < ground,
        market=market_view,
    )


@dataclass(frozen=True, slots=True)
class Judgement:
    """How probable a result was: `given` by the forecast and `market` by the prices, in whole per cent.

    `surprise` is one of `SURPRISES` or ``shock``. `winner` is None for a draw. `chances` names the side with
    more expected goals: ``winner``, ``loser`` or ``neither``; it is empty for a draw and without expected goals.
    """

    winner: Team | None
    loser: Team | None
    surprise: str
    given: int
    market: int | None
    chances: str


def judgement(
    match: Match, p: Sequence[float], market: Sequence[float] | None, stats: MatchStats | None
) -> Judgement | None:
    """Return how probable the result was; None without a result."""
    outcome = match.outcome
    if outcome is None:
        return None
    teams = (match.home_team, match.away_team)
    winner, loser = (None, None) if outcome == 1 else teams if outcome == 0 else teams[::-1]
    chances = ""
    if winner and stats is not None and stats.home_xg is not None and stats.away_xg is not None:
        lead = (stats.home_xg - stats.away_xg) * (1 if outcome == 0 else -1)
        chances = "neither" if abs(lead) < BETTER_BY else "winner" if lead > 0 else "loser"
    return Judgement(
        winner=winner,
        loser=loser,
        surprise=next((name for least, name in SURPRISES if p[outcome] >= least), "shock"),
        given=charts.whole_percents(p)[outcome],
        market=charts.whole_percents(market)[outcome] if market else None,
        chances=chances,
    )


@dataclass(frozen=True, slots=True)
class ScoreChance:
    """The probability of one scoreline, and its place among all of them, 1 for the most likely."""

    p: float
    place: int


def score_chance(grid: ScorelineGrid, home_goals: int, away_goals: int) -> ScoreChance:
    """Return how likely a result was; 10 goals of a side stand for 10 and more."""
    p = grid.cells[min(home_goals, LIMIT)][min(away_goals, LIMIT)]
    return ScoreChance(p, 1 + sum(cell > p for row in grid.cells for cell in row))


@dataclass(frozen=True, slots=True)
class Market:
    """A probability that follows from the grid, by the name under which the template writes it."""

    name: str
    p: float
    line: float = 0.0


def more_markets(grid: ScorelineGrid) -> list[Market]:
    """Return what follows from a grid: totals, both teams to score, clean sheets, double chances, handicaps."""
    found = grid.markets()
    goals = range(LIMIT + 1)

    def ahead_by_two(sign: int) -> float:
        return math.fsum(grid.cells[home][away] for home in goals for away in goals if sign * (home - away) >= 2)

    return [
        *(Market("over", over, line) for line, over in found.over.items()),
        Market("both_score", found.both_score),
        Market("clean_sheet_home", found.clean_sheet_home),
        Market("clean_sheet_away", found.clean_sheet_away),
        Market("home_or_draw", found.home_or_draw),
        Market("draw_or_away", found.draw_or_away),
        Market("home_by_two", ahead_by_two(1)),
        Market("away_by_two", ahead_by_two(-1)),
    ]


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a forecast: of the outcome that moved most, in points, and what is known to have caused it.

    `team` is None for the draw. `cause` is ``model``, ``kickoff``, ``line-ups``, ``results`` or ``inputs``, empty where
    nothing is known; `group` the group of inputs that moved most.
    """

    at: datetime
    team: Team | None
    points: int
    cause: str
    prediction: Prediction
    results: list[EarlierMatch]
    group: str


def movement(
    match: Match,
    history: Sequence[Prediction],
    results: Iterable[EarlierMatch],
    lineups_known_at: datetime | None,
    end: datetime,
) -> LineChart | None:
    """Return the chart of a forecast up to `end`, with notes at its largest moves; None while it has not moved.

    Parameters
    ----------
    history : sequence of Prediction
        Published before kick-off, in chronological order.
    results : iterable of EarlierMatch
        Earlier matches of both teams, which may have caused a move.
    """
    steps: list[Prediction] = []
    for each in history:
        if not steps or _distance(steps[-1], each) >= MOVED:
            steps.append(each)
    if len(steps) < 2:
        return None
    if steps[-1] is not history[-1]:
        # The lines end where the bar stands, after a move too small for a step of its own too.
        steps.append(history[-1])
    known = list({each.pk: each for each in results}.values())
    pairs = [(before, after) for before, after in pairwise(steps) if _distance(before, after) >= NOTED]
    largest = sorted(pairs, key=lambda pair: -_distance(*pair))[:MOST_NOTES]
    notes = []
    for before, after in sorted(largest, key=lambda pair: pair[1].published_at):
        outcome, move = _move(match, before, after, known, lineups_known_at)
        text = render_to_string("partials/match/move.html", {"move": move, "match": match})
        notes.append((outcome, after.published_at.timestamp(), text))
    # Whole numbers, so that lines, table and bars agree.
    wholes = [charts.whole_percents(each.probabilities) for each in steps]
    draw = gettext("Draw")
    names = (match.home_team.display_name, draw, match.away_team.display_name)
    codes = (match.home_team.display_code, draw, match.away_team.display_code)
    moved = [
        gettext("{team} {before} to {after}").format(
            team=team, before=written.per_cent(was), after=written.per_cent(now)
        )
        for team, was, now in zip(names, wholes[0], wholes[-1], strict=True)
    ]
    moments = [each.published_at.timestamp() for each in steps]
    start, top = steps[0].published_at, math.ceil(max(map(max, wholes)) / 20.0)
    return charts.line_chart(
        [
            Series(
                label=names[i] if len(names[i]) <= LONGEST_LABEL else codes[i],
                short=codes[i],
                points=[(at, whole[i] / 100.0) for at, whole in zip(moments, wholes, strict=True)],
                style=f"s-{outcome}",
            )
            for i, outcome in enumerate(charts.OUTCOMES)
        ],
        label=gettext("The forecast from {start} to {end}: {chances}").format(
            start=_written(start), end=_written(end), chances=", ".join(moved)
        ),
        y_ticks=[step / 5.0 for step in range(top + 1)],
        x_ticks=_ticks(start, end),
        notes=notes,
        write=lambda share: written.per_cent(round(100.0 * share)),
        names=[_written(each.published_at) for each in steps],
        is_stepped=True,
    )


def _distance(one: Prediction, other: Prediction) -> float:
    return max(abs(a - b) for a, b in zip(one.probabilities, other.probabilities, strict=True))


def _move(
    match: Match,
    before: Prediction,
    after: Prediction,
    known: Sequence[EarlierMatch],
    lineups_known_at: datetime | None,
) -> tuple[int, Move]:
    """Return the outcome that moved most, and the move."""
    points = [100.0 * (b - a) for a, b in zip(before.probabilities, after.probabilities, strict=True)]
    outcome = max(range(3), key=lambda i: abs(points[i]))
    results = [each for each in known if before.as_of < each.known_at <= after.as_of]
    groups = {*before.contributions, *after.contributions}
    moved = {group: after.contributions.get(group, 0.0) - before.contributions.get(group, 0.0) for group in groups}
    if after.version_id != before.version_id:
        cause = "model"
    elif after.kickoff_at != before.kickoff_at:
        cause = "kickoff"
    elif lineups_known_at is not None and before.as_of < lineups_known_at <= after.as_of:
        cause = "line-ups"
    elif results:
        cause = "results"
    else:
        cause = "inputs" if moved else ""
    return outcome, Move(
        at=after.published_at,
        team=(match.home_team, None, match.away_team)[outcome],
        points=round(points[outcome]),
        cause=cause,
        prediction=after,
        results=results,
        group=max(moved, key=lambda group: abs(moved[group]), default=""),
    )


def _written(at: datetime) -> str:
    return written.day(timezone.localtime(at), "D j M H:i")


def _ticks(start: datetime, end: datetime) -> list[tuple[float, str]]:
    """Return at most seven moments with their days; with the time of day where all lies within two days."""
    days = (end - start).days
    count, shape = (min(days, 6), "D j") if days >= 2 else (3, "H:i")
    moments = [start + (end - start) * step / count for step in range(count + 1)]
    return [(at.timestamp(), written.day(timezone.localtime(at), shape)) for at in moments]


@dataclass(frozen=True, slots=True)
class StakesRow:
    """The chance of a team to end above or below one line: before the match and by its outcome."""

    team: Team
    line: dict[str, object]
    before: float
    given: tuple[float | None, float | None, float | None]

    @property
    def shown(self) -> list[float]:
        """The chances by outcome; 0 for an outcome that no simulated season had."""
        return [chance or 0.0 for chance in self.given]

    @property
    def swing(self) -> float:
        """Difference between the best and the worst outcome."""
        known = [chance for chance in self.given if chance is not None]
        return max(known) - min(known) if known else 0.0


@dataclass(frozen=True, slots=True)
class StakesTable:
    """What a match can change in its season, or could: `most` is the row that depends on it most."""

    rows: list[StakesRow]
    most: StakesRow
    importance: str
    simulations: int

    @property
    def own(self) -> tuple[float | None, float | None]:
        """The chance of `most` when its team wins, and when it loses."""
        home, _, away = self.most.given
        return (home, away) if self.most.line["side"] == Side.HOME else (away, home)


def stakes_table(match: Match, stakes: Stakes | None) -> StakesTable | None:
    """Return the rows that depend on the match; None where it was not simulated."""
    if stakes is None or not stakes.chances:
        return None
    teams = {Side.HOME: match.home_team, Side.AWAY: match.away_team}
    rows = [StakesRow(teams[Side(each["side"])], each, each["before"], tuple(each["given"])) for each in stakes.chances]
    most = max(rows, key=lambda row: row.swing)
    by_swing = sorted(rows, key=lambda row: -row.swing)[:MOST_ROWS]
    shown = [row for row in rows if row in by_swing and row.swing >= MATTERS]
    importance = str(next(name for least, name in IMPORTANCE if most.swing >= least))
    return StakesTable(shown, most, importance, stakes.simulations)


@dataclass(frozen=True, slots=True)
class Squad:
    """Who begins for a team, who is on the bench, and who is missing, as far as it is known."""

    team: Team
    starters: list[SquadMember]
    bench: list[SquadMember]
    absences: list[MissingPlayer]


def squads(match: Match, lineups: Sequence[SquadMember], absences: Sequence[MissingPlayer]) -> list[Squad]:
    """Return the squads of both teams; none where nothing is known of either."""
    if not lineups and not absences:
        return []
    return [
        Squad(
            team=team,
            starters=[each for each in lineups if each.side == side and each.is_starter],
            bench=[each for each in lineups if each.side == side and not each.is_starter],
            absences=[each for each in absences if each.side == side],
        )
        for side, team in ((Side.HOME, match.home_team), (Side.AWAY, match.away_team))
    ]


def of_forecast(card: MatchCard, forecast: ForecastDetails, stats: MatchStats | None = None) -> dict[str, Any]:
    """Return what a page shows about a forecast, by the names under which its templates read it."""
    match, market, result = card.match, card.market, _result(card.match)
    why = charts.why(forecast.p, forecast.contributions)
    return {
        "happened": "" if match.outcome is None else charts.OUTCOMES[match.outcome],
        "ours": charts.bar(forecast.p),
        "theirs": charts.bar(market) if market else None,
        "live": charts.bar(services.live_chances(forecast, card.live)) if card.live and card.prediction else None,
        "expectation": expectation(match, forecast.p, why, market),
        "judgement": judgement(match, forecast.p, market, stats),
        "why": why,
        # A separate warning of the page names the replacement of the model.
        "weaknesses": [
            services.weakness_in_words(match, each) for each in forecast.weaknesses if each["code"] != FALLBACK
        ],
        "limits": _limits(forecast.intervals),
        "score_chance": result and score_chance(forecast.grid, *result),
    }


def _limits(intervals: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the level of the intervals of a forecast and their ends, in whole per cents such as 41–52."""
    if intervals is None:
        return None
    ends = {
        outcome: "–".join(f"{100 * intervals[outcome][end]:.0f}" for end in ("low", "high"))
        for outcome in charts.OUTCOMES
    }
    return {"level": round(100 * intervals["level"]), **ends}


def of_grid(card: MatchCard, forecast: ForecastDetails) -> dict[str, Any]:
    """Return what a page shows about the scorelines of a forecast, by the names under which its templates read it."""
    result = _result(card.match)
    return {
        "heat": charts.heat(forecast.grid, result),
        "score_chance": result and score_chance(forecast.grid, *result),
        "more_markets": more_markets(forecast.grid),
    }


def _result(match: Match) -> tuple[int, int] | None:
    """Return the goals of both sides after 90 minutes; None without an outcome."""
    if match.outcome is None or match.home_goals is None or match.away_goals is None:
        return None
    return match.home_goals, match.away_goals
