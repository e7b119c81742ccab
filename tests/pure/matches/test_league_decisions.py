"""The lists of decisions of leagues."""

from __future__ import annotations

from collections import Counter
from datetime import date

from apps.matches.aliases import aliases_for
from apps.matches.league_decisions import known_adjustments, known_awarded_results


def test_a_decision_is_in_the_list_once_and_changes_points():
    keys = Counter((*each[:4], each.decided_on) for each in known_adjustments())
    assert max(keys.values()) == 1
    assert all(each.points and each.reason and each.source for each in known_adjustments())


def test_decisions_fall_near_their_season():
    for each in known_adjustments():
        year = int(each.season[:4])
        # Sanctions may be decided in the spring before, and lawsuits may end in the summer after.
        assert date(year, 3, 1) <= each.decided_on <= date(year + 1, 8, 31), each


def test_clubs_go_by_the_name_under_which_they_are_stored():
    assert [each for each in known_adjustments() if each.team in aliases_for(each.region)] == []


def test_verdicts_are_in_the_list_once_and_follow_their_match():
    keys = Counter(each[:6] for each in known_awarded_results())
    assert max(keys.values()) == 1
    for each in known_awarded_results():
        assert each.played_on <= each.decided_on
        assert each.season[:4] in (str(each.played_on.year), str(each.played_on.year - 1))
        assert not {each.home_team, each.away_team} & set(aliases_for(each.region))


def test_the_published_totals_are_reached():
    """Totals of the final tables as the leagues published them."""
    totals = Counter()
    for each in known_adjustments():
        totals[each.season, each.team] += each.points
    assert totals["2023-24", "Everton"] == -8
    assert totals["2023-24", "Nott'm Forest"] == -4
    assert totals["2022-23", "Wigan"] == -6
    assert totals["2023-24", "Wigan"] == -8
    assert totals["2021-22", "Derby"] == -21
    assert totals["2008-09", "Luton"] == -30
    assert totals["2006-07", "Juventus"] == -9
    assert totals["2006-07", "Fiorentina"] == -15
    assert totals["2022-23", "Juventus"] == -10
    assert totals["2020-21", "Napoli"] == 0
