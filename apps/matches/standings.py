"""League tables: points, places and the rules that break ties.

Pure Python over tuples of any hashable team. A rule is the list of what decides between teams that are level on points,
in order. What a regulation names after that (fair play, lots, a deciding match) is in no result, so that teams still
level share the order of their names.

Points and rules are those of the competitions' own regulations (the sources are named beside them), as they stood in
most of the years since 1993. They differ between seasons in details that a table of one rule per country leaves out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Generic, TypeVar

T = TypeVar("T", bound=Hashable)
U = TypeVar("U", bound=Hashable)


class Decider(StrEnum):
    """What decides between teams that are level; the higher value goes first."""

    GOAL_DIFFERENCE = "goal difference"
    GOALS_FOR = "goals scored"
    WINS = "matches won"
    AWAY_GOALS = "away goals scored"
    MUTUAL_POINTS = "points in the matches between them"
    MUTUAL_GOAL_DIFFERENCE = "goal difference in the matches between them"
    MUTUAL_GOALS_FOR = "goals scored in the matches between them"


MUTUAL: Final = frozenset({Decider.MUTUAL_POINTS, Decider.MUTUAL_GOAL_DIFFERENCE, Decider.MUTUAL_GOALS_FOR})

Rule = tuple[Decider, ...]

GOALS_FIRST: Final[Rule] = (Decider.GOAL_DIFFERENCE, Decider.GOALS_FOR, Decider.MUTUAL_POINTS)
MUTUAL_FIRST: Final[Rule] = (
    Decider.MUTUAL_POINTS,
    Decider.MUTUAL_GOAL_DIFFERENCE,
    Decider.GOAL_DIFFERENCE,
    Decider.GOALS_FOR,
)
WINS_FIRST: Final[Rule] = (Decider.WINS, Decider.GOAL_DIFFERENCE, Decider.GOALS_FOR)

RULES: Final[Mapping[str, Rule]] = {
    # Premier League Handbook, section C; EFL Regulations, section 3: goal difference, goals scored.
    "England": GOALS_FIRST,
    # SPFL Rules, section C: goal difference, goals scored.
    "Scotland": GOALS_FIRST,
    # DFL Spielordnung: goal difference, goals scored, then the matches between them.
    "Germany": GOALS_FIRST,
    # RFEF Reglamento General, clasificación en competiciones por puntos: the matches between them first.
    "Spain": MUTUAL_FIRST,
    # FIGC Norme Organizzative Interne, art. 51: classifica avulsa, the matches between them first.
    "Italy": MUTUAL_FIRST,
    # Liga Portugal, Regulamento das Competições: points, then goals, in the matches between them; then wins.
    "Portugal": (
        Decider.MUTUAL_POINTS,
        Decider.MUTUAL_GOAL_DIFFERENCE,
        Decider.GOAL_DIFFERENCE,
        Decider.WINS,
        Decider.GOALS_FOR,
    ),
    # TFF Süper Lig statüsü: the matches between them first.
    "Turkey": MUTUAL_FIRST,
    # Super League Greece, proclamation: the matches between them first.
    "Greece": (
        Decider.MUTUAL_POINTS,
        Decider.MUTUAL_GOAL_DIFFERENCE,
        Decider.MUTUAL_GOALS_FOR,
        Decider.GOAL_DIFFERENCE,
        Decider.GOALS_FOR,
    ),
    # Royal Belgian Football Association, federal regulations: matches won first.
    "Belgium": WINS_FIRST,
    # CBF Regulamento Específico da Competição: matches won first.
    "Brazil": WINS_FIRST,
}
"""Rule by region; every other region has `GOALS_FIRST`, FIFA's own order for group tables."""

THREE_POINTS_SINCE: Final[Mapping[str, int]] = {
    "Italy": 1994,
    "France": 1994,
    "Scotland": 1994,
    "Germany": 1995,
    "Spain": 1995,
    "Portugal": 1995,
    "Netherlands": 1995,
    "Belgium": 1995,
}
"""Year in which the first season began that gave three points for a win, where earlier seasons are among ours."""


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """One result that counts."""

    home: T
    away: T
    home_goals: int
    away_goals: int


@dataclass(frozen=True, slots=True)
class Standing(Generic[T]):
    """One line of a table; places count from 1, deductions are taken off the points."""

    place: int
    team: T
    played: int
    won: int
    drawn: int
    lost: int
    goals_for: int
    goals_against: int
    points: int

    @property
    def goal_difference(self) -> int:
        """Goals scored less goals conceded."""
        return self.goals_for - self.goals_against

    def of(self, team: U) -> Standing[U]:
        """Return the same line with a team in place of what stood for it."""
        return replace(self, team=team)  # type: ignore[arg-type, return-value]


@dataclass(slots=True)
class TeamTotals:
    """The sums of one team."""

    won: int = 0
    drawn: int = 0
    lost: int = 0
    goals_for: int = 0
    goals_against: int = 0
    away_goals: int = 0

    def add(self, scored: int, conceded: int, *, away: bool) -> None:
        """Count one match."""
        self.won += scored > conceded
        self.drawn += scored == conceded
        self.lost += scored < conceded
        self.goals_for += scored
        self.goals_against += conceded
        self.away_goals += scored if away else 0


def rule_of(region: str) -> Rule:
    """Return what decides between level teams in the leagues of a region."""
    return RULES.get(region, GOALS_FIRST)


def points_for_win(region: str, season: str) -> int:
    """Return the points for a win in a season such as ``"1993-94"``; three unless it is known to be two."""
    year = season[:4]
    return 2 if year.isdigit() and int(year) < THREE_POINTS_SINCE.get(region, 0) else 3


def table(
    results: Iterable[Result[T]],
    *,
    rule: Sequence[Decider] = GOALS_FIRST,
    win: int = 3,
    teams: Iterable[T] = (),
    deductions: Mapping[T, int] | None = None,
    name: Callable[[T], str] = str,
) -> list[Standing[T]]:
    """Return the table that results make.

    Parameters
    ----------
    results : iterable of Result
        Of one league and season.
    win : int, optional
        Points for a win; a draw gives one.
    teams : iterable, optional
        Teams that are in the table even before they have played.
    deductions : mapping, optional
        Points that were taken from teams; results do not contain them.
    name : callable, optional
        The name that orders teams between which nothing else decides.
    """
    played = list(results)
    lines: dict[T, TeamTotals] = {team: TeamTotals() for team in teams}
    for result in played:
        for team in (result.home, result.away):
            lines.setdefault(team, TeamTotals())
    _add_up(played, lines)
    taken = deductions or {}
    points = {team: win * line.won + line.drawn - taken.get(team, 0) for team, line in lines.items()}
    ordered: list[T] = []
    for level in _split(sorted(lines, key=name), lambda team: points[team]):
        ordered += _decide(level, rule, played, lines, win)
    return [_standing(team, lines[team], points[team], place) for place, team in enumerate(ordered, start=1)]


def one_sided_table(
    seen: Iterable[tuple[T, int, int]], *, win: int = 3, teams: Iterable[T] = (), name: Callable[[T], str] = str
) -> list[Standing[T]]:
    """Return a table of matches that count for only one of their teams, such as those at home.

    Goal difference and goals scored decide between level teams. Points that were taken are not counted.

    Parameters
    ----------
    seen : iterable of (team, int, int)
        A team, its goals and those of the other side.
    """
    lines: dict[T, TeamTotals] = {team: TeamTotals() for team in teams}
    for team, scored, conceded in seen:
        lines.setdefault(team, TeamTotals()).add(scored, conceded, away=False)
    found = [_standing(team, line, win * line.won + line.drawn) for team, line in lines.items()]
    found.sort(key=lambda line: (-line.points, -line.goal_difference, -line.goals_for, name(line.team)))
    return [replace(line, place=place) for place, line in enumerate(found, start=1)]


def _standing(team: T, line: TeamTotals, points: int, place: int = 0) -> Standing[T]:
    return Standing(
        place=place,
        team=team,
        played=line.won + line.drawn + line.lost,
        won=line.won,
        drawn=line.drawn,
        lost=line.lost,
        goals_for=line.goals_for,
        goals_against=line.goals_against,
        points=points,
    )


def _add_up(results: Iterable[Result[T]], lines: dict[T, TeamTotals]) -> None:
    for result in results:
        lines[result.home].add(result.home_goals, result.away_goals, away=False)
        lines[result.away].add(result.away_goals, result.home_goals, away=True)


def _split(teams: Sequence[T], value: Callable[[T], int]) -> list[list[T]]:
    """Return groups of equal value, the highest first; the order within a group stays."""
    groups: dict[int, list[T]] = defaultdict(list)
    for team in teams:
        groups[value(team)].append(team)
    return [groups[key] for key in sorted(groups, reverse=True)]


def _decide(
    level: Sequence[T], rule: Sequence[Decider], results: Sequence[Result[T]], lines: Mapping[T, TeamTotals], win: int
) -> list[T]:
    """Return level teams in order. Where a decider parts them, the matches between those still level count again."""
    if len(level) == 1 or not rule:
        return list(level)
    mutual: dict[T, TeamTotals] = {team: TeamTotals() for team in level}
    if any(decider in MUTUAL for decider in rule):
        between = [result for result in results if result.home in mutual and result.away in mutual]
        if _all_have_met(level, between):
            _add_up(between, mutual)
    for position, decider in enumerate(rule):
        groups = _split(level, lambda team, decider=decider: _value(decider, lines[team], mutual[team], win))  # type: ignore[misc]
        if len(groups) > 1:
            rest = rule if decider in MUTUAL else rule[position + 1 :]
            return [team for group in groups for team in _decide(group, rest, results, lines, win)]
    return list(level)


def _all_have_met(level: Sequence[T], between: Sequence[Result[T]]) -> bool:
    """Whether every pair has met, and each as often at home: until then the matches between them decide nothing."""
    meetings: dict[tuple[T, T], int] = defaultdict(int)
    for result in between:
        meetings[result.home, result.away] += 1
    counts = {meetings[home, away] for home in level for away in level if home != away}
    return len(counts) == 1 and 0 not in counts


def _value(decider: Decider, line: TeamTotals, mutual: TeamTotals, win: int) -> int:
    match decider:
        case Decider.GOAL_DIFFERENCE:
            return line.goals_for - line.goals_against
        case Decider.GOALS_FOR:
            return line.goals_for
        case Decider.WINS:
            return line.won
        case Decider.AWAY_GOALS:
            return line.away_goals
        case Decider.MUTUAL_POINTS:
            return win * mutual.won + mutual.drawn
        case Decider.MUTUAL_GOAL_DIFFERENCE:
            return mutual.goals_for - mutual.goals_against
        case Decider.MUTUAL_GOALS_FOR:
            return mutual.goals_for
