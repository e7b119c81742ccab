"""League tables against tables made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.matches.standings import (
    GOALS_FIRST,
    MUTUAL_FIRST,
    WINS_FIRST,
    Decider,
    Result,
    points_for_win,
    rule_of,
    table,
)


def results(text: str) -> list[Result[str]]:
    """Return the results of lines such as ``"A B 2-1"``."""
    found = []
    for line in text.strip().splitlines():
        home, away, score = line.split()
        goals = score.split("-")
        found.append(Result(home, away, int(goals[0]), int(goals[1])))
    return found


def order(rows) -> str:
    return " ".join(row.team for row in rows)


def test_a_small_table_by_hand():
    rows = table(results("A B 3-0\nB C 1-1\nC A 0-2\nB A 1-1"))
    lines = [
        (row.place, row.team, row.played, row.won, row.drawn, row.lost, row.goals_for, row.goals_against, row.points)
        for row in rows
    ]
    assert lines == [
        (1, "A", 3, 2, 1, 0, 6, 1, 7),
        (2, "B", 3, 0, 2, 1, 2, 5, 2),
        (3, "C", 2, 0, 1, 1, 1, 3, 1),
    ]
    assert [row.goal_difference for row in rows] == [5, -3, -2]


def test_group_c_of_the_world_cup_2022():
    # FIFA's final table: Argentina 6, Poland 4 (0), Mexico 4 (-1), Saudi Arabia 3.
    played = """
    Argentina Saudi 1-2
    Mexico Poland 0-0
    Poland Saudi 2-0
    Argentina Mexico 2-0
    Poland Argentina 0-2
    Saudi Mexico 1-2
    """
    rows = table(results(played))
    assert [(row.team, row.points, row.goal_difference) for row in rows] == [
        ("Argentina", 6, 3),
        ("Poland", 4, 0),
        ("Mexico", 4, -1),
        ("Saudi", 3, -2),
    ]


# A and B end level on 9 points: A won the matches between them, B has the better goal difference.
LEVEL = """
A B 1-0
B A 1-1
A C 1-0
C A 2-0
B C 5-0
C B 0-1
A D 1-1
D A 0-0
B D 1-1
D B 0-0
"""


def test_goal_difference_first_puts_the_other_team_ahead():
    rows = table(results(LEVEL), rule=GOALS_FIRST)
    assert [(row.team, row.points, row.goal_difference) for row in rows[:2]] == [("A", 9, 0), ("B", 9, 5)][::-1]


def test_matches_between_them_first():
    assert order(table(results(LEVEL), rule=MUTUAL_FIRST)[:2]) == "A B"


def test_matches_between_them_count_only_once_all_are_played():
    unfinished = "\n".join(line for line in LEVEL.strip().splitlines() if line != "B A 1-1") + "\nA E 0-0\nE B 1-1"
    rows = table(results(unfinished), rule=MUTUAL_FIRST)
    assert [row.points for row in rows if row.team in "AB"] == [9, 9]
    assert order(row for row in rows if row.team in "AB") == "B A"


def test_three_level_teams_are_parted_by_a_table_of_their_own_and_the_last_two_by_another():
    # All three have 8 points. Among them A has 8, B and C 4 each; between B and C alone B has +2 goals.
    played = """
    A B 1-0
    B A 0-0
    A C 1-0
    C A 1-1
    B C 3-0
    C B 1-0
    B D 1-0
    D B 0-0
    C D 9-0
    D C 0-0
    """
    rows = table(results(played), rule=MUTUAL_FIRST)
    assert [(row.team, row.points) for row in rows] == [("A", 8), ("B", 8), ("C", 8), ("D", 2)]
    assert order(table(results(played), rule=GOALS_FIRST)) == "C B A D"


def test_wins_first():
    # A: two wins and two defeats; B: one win and three draws; both 6 points, B with the better goal difference.
    played = """
    A X 1-0
    A Y 1-0
    X A 3-0
    Y A 1-0
    B X 2-0
    B Y 0-0
    X B 1-1
    Y B 2-2
    """
    assert order(row for row in table(results(played), rule=WINS_FIRST) if row.team in "AB") == "A B"
    assert order(row for row in table(results(played), rule=GOALS_FIRST) if row.team in "AB") == "B A"


def test_two_points_for_a_win():
    rows = table(results("A B 1-0\nB A 0-0\nA C 0-1"), win=2)
    assert [(row.team, row.points) for row in rows] == [("A", 3), ("C", 2), ("B", 1)]


def test_deducted_points_are_taken_off():
    rows = table(results("A B 1-0"), deductions={"A": 4})
    assert [(row.team, row.points) for row in rows] == [("B", 0), ("A", -1)]


def test_teams_that_have_not_played_stand_by_name():
    assert order(table([], teams=["Zwolle", "Ajax"])) == "Ajax Zwolle"


def test_rules_of_regions():
    assert rule_of("Spain")[0] == Decider.MUTUAL_POINTS
    assert rule_of("Belgium")[0] == Decider.WINS
    assert rule_of("England") == rule_of("Atlantis") == GOALS_FIRST


@pytest.mark.parametrize(
    ("region", "season", "points"),
    [
        ("Germany", "1994-95", 2),
        ("Germany", "1995-96", 3),
        ("Italy", "1993-94", 2),
        ("Italy", "1994-95", 3),
        ("England", "1993-94", 3),
        ("Brazil", "2012", 3),
        ("Norland", "First", 3),
    ],
)
def test_points_for_a_win_in_the_nineties(region, season, points):
    assert points_for_win(region, season) == points


goals = st.integers(0, 5)
some_results = st.lists(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE"), goals, goals)
    .filter(lambda result: result[0] != result[1])
    .map(lambda result: Result(*result)),
    max_size=30,
)


@given(some_results, st.sampled_from([GOALS_FIRST, MUTUAL_FIRST, WINS_FIRST]))
def test_sums_of_every_table_agree(played, rule):
    rows = table(played, rule=rule)
    assert [row.place for row in rows] == list(range(1, len(rows) + 1))
    assert sum(row.played for row in rows) == 2 * len(played)
    assert sum(row.goals_for for row in rows) == sum(row.goals_against for row in rows)
    assert sum(row.won for row in rows) == sum(row.lost for row in rows)
    assert [row.points for row in rows] == sorted((row.points for row in rows), reverse=True)


@given(some_results, st.randoms())
def test_the_order_of_the_results_does_not_matter(played, random):
    shuffled = list(played)
    random.shuffle(shuffled)
    assert table(shuffled, rule=MUTUAL_FIRST) == table(played, rule=MUTUAL_FIRST)
