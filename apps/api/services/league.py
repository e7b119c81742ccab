"""A league season for its pages: table with chances, rounds, given results, and how the chances moved."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, Literal

from apps.api import selectors
from apps.matches import selectors as matches
from apps.matches.models import AwardedResult, Match, PointsAdjustment, Season, Team
from apps.matches.selectors import TableMatch
from apps.matches.standings import Standing, one_sided_table, points_for_win
from apps.ml import selectors as forecasts
from apps.ml import services as ml_services

MOST_CACHED_SEASONS: Final = 32
"""Seasons whose facts a process keeps; each needs about 200 KB."""

LATEST: Final = 5
"""Matches of a team's form."""

MOST_GIVEN: Final = 20
"""Results that a reader may give at once."""

LINES_DRAWN: Final = 4
"""Clubs whose chances are drawn over time."""

BIG_MOVE: Final = 0.08
NOTES: Final = 3
"""Least change of a chance between two rounds that gets a note, and the most notes."""

RESULTS_NAMED: Final = 3
"""Results that a note names."""

LONGEST_BREAK: Final = timedelta(days=75)
"""A season without fixtures may continue for so long after its latest match, as over a winter."""

NUMBER: Final = re.compile(r"\d+")

View = Literal["all", "home", "away", "form"]


@dataclass(frozen=True, slots=True)
class Line:
    """A column of chances: a line of the table, `places` from the top or, for relegation, from the end."""

    key: str
    name: str
    places: int
    from_end: bool


@dataclass(frozen=True, slots=True)
class Chance:
    """A probability, and by how many points given results change it; None where none are given."""

    line: Line
    share: float
    change: int | None


@dataclass(frozen=True, slots=True)
class LeagueRow:
    """A team in the table of a league: what it has, and what it may expect."""

    standing: Standing[Team]
    form: str
    is_adjusted: bool
    is_cut: bool  # whether a line of the table is above it
    end: Mapping[str, Any] | None
    chances: tuple[Chance, ...]

    @property
    def team(self) -> Team:
        """The team of the row."""
        return self.standing.team


@dataclass(frozen=True, slots=True)
class LeagueRound:
    """The matches of one round ordered by kick-off."""

    number: int
    matches: list[TableMatch]

    @property
    def over(self) -> int:
        """Number of matches that count in the table."""
        return sum(match.counts_in_table for match in self.matches)


@dataclass(frozen=True, slots=True)
class GivenResult:
    """A match with an outcome given by the reader: 0 home win, 1 draw, 2 away win."""

    match: TableMatch
    outcome: int

    @property
    def winner(self) -> Team | None:
        """The winner; None of a draw."""
        return (self.match.home_team, None, self.match.away_team)[self.outcome]


@dataclass(frozen=True, slots=True)
class ChanceMove:
    """A big change of a team's chance from one simulation to the next, and the results between them."""

    team: Team
    round_number: int
    played: int
    before: float
    after: float
    results: list[TableMatch]
    is_new_model: bool


@dataclass(frozen=True, slots=True)
class ChanceHistory:
    """How the chances of some teams at one line moved; `moments` in chronological order, `moves` too."""

    line: Line
    teams: list[Team]
    moments: list[forecasts.SeasonMoment]
    moves: list[ChanceMove]
    per_round: int


@dataclass(frozen=True, slots=True)
class SeasonFacts:
    """What pages read of a season's matches, teams and decisions, which a process keeps until one of them changes."""

    matches: list[TableMatch]
    goals: dict[int, tuple[int, int]]  # match that counts in the table → its goals there
    verdicts: list[AwardedResult]
    table: list[Standing[Team]]
    form: dict[int, str]  # team → letters of the latest results, the latest last
    rounds: list[LeagueRound]
    adjustments: list[PointsAdjustment]


@dataclass(frozen=True, slots=True)
class SeasonState:
    """A season in one of its states, equal to another one where all that its facts are made of is equal."""

    season_id: int
    label: str
    region: str
    state: tuple[int, int]
    season: Season = field(compare=False)


@dataclass(frozen=True, slots=True)
class League:
    """A season of a league with everything that its pages read from its matches and its latest simulation."""

    season: Season
    state: tuple[int, int]  # see `matches.state_of_season`
    matches: list[TableMatch]
    goals: dict[int, tuple[int, int]]
    verdicts: list[AwardedResult]
    table: list[Standing[Team]]
    form: dict[int, str]
    rounds: list[LeagueRound]
    adjustments: list[PointsAdjustment]
    end: selectors.SeasonEnd | None
    left: dict[int, tuple[float, float, float]]  # match that was simulated → its probabilities
    to_come: list[TableMatch]  # and under way
    is_over: bool
    lines: list[Line]

    @property
    def columns(self) -> list[Line]:
        """The lines whose chances are shown: all with a simulation, else none."""
        return self.lines if self.end else []

    @property
    def is_behind(self) -> bool:
        """Whether results have come since the latest simulation."""
        return self.end is not None and len(self.goals) > self.end.forecast.played

    @property
    def current(self) -> LeagueRound | None:
        """The first round after the complete ones that has a match to come; after the last match, the last round."""
        complete = max((each.number for each in self.rounds if each.over == len(each.matches)), default=0)
        ids = {match.pk for match in self.to_come}
        open_rounds = [each for each in self.rounds if any(match.pk in ids for match in each.matches)]
        if open_rounds:
            return next((each for each in open_rounds if each.number > complete), open_rounds[0])
        return self.rounds[-1] if self.rounds else None

    @property
    def per_round(self) -> int:
        """Matches of a round."""
        return max(len(self.table) // 2, 1)

    @property
    def awarded(self) -> list[TableMatch]:
        """The matches that a source reports as awarded and that no verdict names."""
        return [
            match
            for match in self.matches
            if match.status == Match.Status.AWARDED
            and match.pk in self.goals
            and not any(matches.is_on(verdict, match) for verdict in self.verdicts)
        ]

    @property
    def is_begun(self) -> bool:
        """Whether a result counts."""
        return any(line.played for line in self.table)


def league_of(season: Season, now: datetime) -> League:
    """Return a season with its table, and with its latest simulation while a match is to come."""
    # Read before the facts: what changes between the two is found by the next request, which reads another state.
    state = matches.state_of_season(season)
    facts = facts_of(SeasonState(season.pk, season.label, season.competition.region.name, state, season))
    table = facts.table
    to_come = [match for match in facts.matches if _is_to_come(match, now)]
    end = selectors.season_end(season, {line.team.pk: line.team for line in table}) if to_come else None
    return League(
        season=season,
        state=state,
        matches=facts.matches,
        goals=facts.goals,
        verdicts=facts.verdicts,
        table=table,
        form=facts.form,
        rounds=facts.rounds,
        adjustments=facts.adjustments,
        end=end,
        left=ml_services.matches_left(end.forecast) if end else {},
        to_come=to_come,
        is_over=not to_come and _is_over(facts.matches, facts.goals, len(table), now),
        lines=_lines(season, end, len(table)),
    )


@lru_cache(maxsize=MOST_CACHED_SEASONS)
def facts_of(state: SeasonState) -> SeasonFacts:
    """Return the facts of a season in a state."""
    season = state.season
    found = matches.table_matches(season)
    verdicts, adjustments = list(matches.awarded_results_of(season)), list(matches.adjustments_of(season))
    goals = {match.pk: counted for match in found if (counted := matches.goals_in_table(match, verdicts))}
    seen = _seen(found, goals)
    return SeasonFacts(
        matches=found,
        goals=goals,
        verdicts=verdicts,
        table=matches.table_of(season, found, goals, matches.points_taken(adjustments)),
        form={team: "".join(_letter(*each) for each in entries[-LATEST:]) for team, entries in seen.items()},
        rounds=rounds_of(found),
        adjustments=adjustments,
    )


def _is_over(found: Sequence[TableMatch], goals: Mapping[int, object], teams: int, now: datetime) -> bool:
    """Whether a season without fixtures is over; some sources list fixtures only days before."""
    is_complete = len(goals) >= teams * (teams - 1) > 0
    return is_complete or (bool(goals) and found[-1].kickoff_at < now - LONGEST_BREAK)


def _lines(season: Season, end: selectors.SeasonEnd | None, teams: int) -> list[Line]:
    """Return the lines that matter most: title, Europe or promotion, relegation."""
    every = end.lines if end else ml_services.lines_of(season)
    found = {line["name"]: line for line in every if line["places"] < teams}
    columns = (
        found.get("title"),
        found.get("first") or found.get("second"),
        found.get("down") or found.get("play_off"),
    )
    return [Line(key, **line) for key, line in zip(("title", "top", "down"), columns, strict=True) if line]


def _is_to_come(match: TableMatch, now: datetime) -> bool:
    """Whether a match is to come or under way, as `selectors.to_come` finds them."""
    if match.status in selectors.AWAITED:
        return match.kickoff_at > now - selectors.RESULT_WITHIN
    is_ahead = match.kickoff_at > now and match.status not in selectors.SETTLED
    return match.status == Match.Status.LIVE or is_ahead


def _seen(
    found: Sequence[TableMatch], goals: Mapping[int, tuple[int, int]], view: View = "all"
) -> dict[int, list[tuple[int, int]]]:
    """Return the goals for and against of each team's matches that count, at home, away or both, the latest last."""
    seen: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for match in found:
        if match.pk not in goals:
            continue
        home, away = goals[match.pk]
        if view != "away":
            seen[match.home_team_id].append((home, away))
        if view != "home":
            seen[match.away_team_id].append((away, home))
    return seen


def _letter(scored: int, conceded: int) -> str:
    return "D" if scored == conceded else "W" if scored > conceded else "L"


def rounds_of(found: Sequence[TableMatch]) -> list[LeagueRound]:
    """Return the rounds of a season: as the source numbers them, else as the teams have played.

    Without numbers a match belongs to round 7 where it is the seventh of one of its teams, and no later one of the
    other. Around a postponed match rounds then differ in size, but follow each other in time.

    Parameters
    ----------
    found : sequence of TableMatch
        In the order of kick-off.
    """
    numbers = [NUMBER.search(match.round) for match in found]
    is_numbered = all(numbers)
    rounds: dict[int, list[TableMatch]] = defaultdict(list)
    played = Counter[int]()
    for match, number in zip(found, numbers, strict=True):
        played.update((match.home_team_id, match.away_team_id))
        nth = max(played[match.home_team_id], played[match.away_team_id])
        rounds[int(number.group()) if number and is_numbered else nth].append(match)
    return [LeagueRound(number, rounds[number]) for number in sorted(rounds)]


def view_of(league: League, view: View) -> list[Standing[Team]]:
    """Return the table of all matches, of those at home or away, or of the latest of each team."""
    if view == "all":
        return league.table
    seen = _seen(league.matches, league.goals, view)
    latest = -LATEST if view == "form" else 0
    teams = {line.team.pk: line.team for line in league.table}
    lines = one_sided_table(
        ((team, *goals) for team, entries in seen.items() for goals in entries[latest:]),
        win=points_for_win(league.season.competition.region.name, league.season.label),
        teams=teams,
        name=lambda pk: teams[pk].display_name,
    )
    return [line.of(teams[line.team]) for line in lines]


def given_of(league: League, outcomes: Mapping[int, int]) -> list[GivenResult]:
    """Return those of some given results that are of matches left, ordered by kick-off."""
    return [
        GivenResult(match, outcomes[match.pk])
        for match in league.matches
        if match.pk in outcomes and can_end(league, match)
    ]


def can_end(league: League, match: Match | TableMatch) -> bool:
    """Whether a reader may give the outcome of a match: it was simulated, and has no result since then."""
    return match.pk in league.left and match.pk not in league.goals


def rows_of(league: League, given: Sequence[GivenResult]) -> list[LeagueRow]:
    """Return the rows of the table, with chances where the season was simulated; those with given results are changed.

    Before the first result the teams are in the order of their expected points.
    """
    before = {row["team"]: row for _, row in league.end.clubs} if league.end else {}
    after = before
    if league.end and given:
        outcomes = {each.match.pk: each.outcome for each in given}
        after = {row["team"]: row for row in ml_services.season_given(league.end.forecast, outcomes)}
    lines, adjusted = league.columns, {each.team_id for each in league.adjustments}
    table = league.table
    if before and not league.is_begun:
        ordered = sorted(table, key=lambda line: -before.get(line.team.pk, {"expected": 0.0})["expected"])
        table = [replace(line, place=place) for place, line in enumerate(ordered, start=1)]
    cuts = {
        len(table) - line.places + 1 if line.from_end else line.places + 1
        for line in league.lines
        if line.key != "title"
    }
    return [
        LeagueRow(
            standing=line,
            form=league.form.get(line.team.pk, ""),
            is_adjusted=line.team.pk in adjusted,
            is_cut=line.place in cuts,
            end=after.get(line.team.pk),
            chances=tuple(_chances(lines, before.get(line.team.pk), after.get(line.team.pk), bool(given))),
        )
        for line in table
    ]


def _chances(
    lines: Sequence[Line], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, is_given: bool
) -> list[Chance]:
    if before is None or after is None:
        return []
    found = []
    for line in lines:
        was, share = before["chances"][line.name], after["chances"][line.name]
        found.append(Chance(line, share, round(100 * share) - round(100 * was) if is_given else None))
    return found


@dataclass(frozen=True, slots=True)
class TeamInLeague:
    """A team in the table of its league; ranks count from 1, the best attack and the best defence first."""

    league: League
    row: LeagueRow
    attack_rank: int | None
    defence_rank: int | None
    scored: float | None  # goals of a match
    conceded: float | None


def team_in_league(team: Team, season: Season, now: datetime) -> TeamInLeague | None:
    """Return a team in the table of a season, with its chances while matches are to come."""
    league = league_of(season, now)
    row = next((row for row in rows_of(league, ()) if row.team.pk == team.pk), None)
    if row is None:
        return None
    if not row.standing.played:
        return TeamInLeague(league, row, None, None, None, None)
    scored, conceded = _per_match(row.standing)
    others = [_per_match(line) for line in league.table if line.played]
    return TeamInLeague(
        league=league,
        row=row,
        attack_rank=1 + sum(each > scored for each, _ in others),
        defence_rank=1 + sum(each < conceded for _, each in others),
        scored=scored,
        conceded=conceded,
    )


def _per_match(line: Standing[Team]) -> tuple[float, float]:
    return line.goals_for / line.played, line.goals_against / line.played


def history_of(league: League, line: Line, followed: Sequence[int] = ()) -> ChanceHistory:
    """Return how the chances at a line moved: of the followed teams of the league, then of those with the best."""
    assert league.end is not None
    moments = forecasts.season_history(league.season, line.name, per_round=league.per_round)
    clubs = sorted(league.end.clubs, key=lambda club: (club[0].pk not in followed, -club[1]["chances"][line.name]))[
        :LINES_DRAWN
    ]
    teams = [team for team, _ in sorted(clubs, key=lambda club: -club[1]["chances"][line.name])]
    moments = [moment for moment in moments if all(team.pk in moment.chances for team in teams)]
    return ChanceHistory(line, teams, moments, _moves(league, teams, moments), league.per_round)


def _moves(league: League, teams: Sequence[Team], moments: Sequence[forecasts.SeasonMoment]) -> list[ChanceMove]:
    """Return the biggest moves, at most one of each round, in chronological order."""
    found = []
    for first, then in pairwise(moments):
        team = max(teams, key=lambda team: abs(then.chances[team.pk] - first.chances[team.pk]))
        before, after = first.chances[team.pk], then.chances[team.pk]
        if abs(after - before) < BIG_MOVE:
            continue
        between = [
            match
            for match in league.matches
            if match.pk in league.goals and match.known_at and first.as_of < match.known_at <= then.as_of
        ]
        own = [match for match in between if team.pk in (match.home_team_id, match.away_team_id)]
        rivals = {each.pk for each in teams}
        others = [match for match in between if match not in own and rivals & {match.home_team_id, match.away_team_id}]
        found.append(
            ChanceMove(
                team=team,
                round_number=-(-then.played // league.per_round),
                played=then.played,
                before=before,
                after=after,
                results=[*own, *others][:RESULTS_NAMED],
                is_new_model=first.version_number != then.version_number,
            )
        )
    found.sort(key=lambda move: -abs(move.after - move.before))
    return sorted(found[:NOTES], key=lambda move: move.played)
