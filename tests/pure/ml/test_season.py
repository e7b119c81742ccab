"""The rest of a season: places by the competition's own rules, probabilities as calibrated, doubt that is shared."""

from __future__ import annotations

import math

import numpy as np
import pytest

from apps.matches.standings import GOALS_FIRST, MUTUAL_FIRST, RULES, Decider, Result, table
from apps.ml.forecasting import goals, season

ODD_RULES = {
    "away goals before all": (Decider.AWAY_GOALS, Decider.MUTUAL_GOALS_FOR, Decider.WINS),
    "matches between them between other deciders": (
        Decider.WINS,
        Decider.MUTUAL_GOAL_DIFFERENCE,
        Decider.GOALS_FOR,
        Decider.MUTUAL_POINTS,
    ),
    "points alone": (),
}
EVERY_RULE = {**RULES, "other": GOALS_FIRST, **ODD_RULES}


def round_robin(clubs: int, times: int = 1) -> np.ndarray:
    """Every club at home to every other, so many times."""
    pairs = [(home, away) for home in range(clubs) for away in range(clubs) if home != away]
    return np.array(pairs * times)


def by_standings(clubs, matches, scores, rule, win, deductions) -> list[int]:
    """The place of each club by the table that the site shows."""
    results = [Result(*map(int, (*pair, *score))) for pair, score in zip(matches, scores, strict=True)]
    lines = table(
        results,
        rule=rule,
        win=win,
        teams=range(clubs),
        deductions=dict(enumerate(deductions.tolist())),
        name=lambda club: f"{club:02}",
    )
    place = {line.team: line.place for line in lines}
    return [place[club] for club in range(clubs)]


@pytest.mark.parametrize("rule", EVERY_RULE.values(), ids=EVERY_RULE)
def test_every_simulated_table_is_the_table_of_standings(rule):
    generator = np.random.default_rng(7)
    level = 0
    for _ in range(60):
        clubs = int(generator.integers(2, 8))
        matches = round_robin(clubs, int(generator.integers(1, 3)))
        # Some seasons end before every pair has met: then the matches between level clubs decide nothing.
        if generator.random() < 0.3:
            matches = matches[generator.permutation(len(matches))[: max(1, len(matches) - 2)]]
        cut = int(generator.integers(0, len(matches)))
        past = np.concatenate((matches[:cut], generator.integers(0, 2, size=(cut, 2))), axis=1)
        scores = generator.integers(0, 3 if generator.random() < 0.5 else 2, size=(12, len(matches) - cut, 2))
        deductions = generator.integers(0, 2, size=clubs) * generator.integers(0, 4, size=clubs)
        win = int(generator.integers(2, 4))
        places, points = season.rank(
            clubs=clubs,
            played=past,
            fixtures=matches[cut:],
            scores=scores.astype(np.int8),
            rule=rule,
            win=win,
            deductions=deductions,
        )
        for found, end, total in zip(places, scores, points, strict=True):
            whole = np.concatenate((past[:, 2:], end))
            assert found.tolist() == by_standings(clubs, matches, whole, rule, win, deductions)
            level += clubs - len(set(total.tolist()))
    assert level > 400  # clubs that were level on points with another


def test_a_drawn_season_is_ranked_as_it_is_told():
    matches = round_robin(6)
    p, expected = np.full((30, 3), (0.4, 0.35, 0.25)), np.full((30, 2), (1.1, 0.9))
    asked = {"clubs": 6, "fixtures": matches, "p": p, "expected": expected, "doubt": 0.3, "simulations": 300, "seed": 4}
    scores = season.draw(**asked).scores
    outcome = season.simulate(**asked, played=np.empty((0, 4), dtype=int), rule=MUTUAL_FIRST)
    places = np.array([by_standings(6, matches, each, MUTUAL_FIRST, 3, np.zeros(6, dtype=int)) for each in scores])
    for club in range(6):
        assert outcome.places[club].tolist() == [(places[:, club] == place).mean() for place in range(1, 7)]


def test_a_season_with_one_match_left_is_decided_by_its_three_probabilities():
    # 0 has 4 points and 1 has 3, with goal differences 2 and -2: 1 is champion if it wins at home to 0, and 2, with
    # 4 points and goal difference 0, passes 0 never, but 1 unless that wins.
    played = np.array([(0, 2, 2, 0), (2, 1, 4, 0), (1, 2, 4, 2), (2, 0, 0, 0), (0, 1, 0, 0)])
    p = np.array([[0.25, 0.35, 0.4]])
    outcome = season.simulate(
        clubs=3,
        played=played,
        fixtures=np.array([(1, 0)]),
        p=p,
        expected=np.array([[1.0, 1.3]]),
        simulations=40_000,
        doubt=0.5,
    )
    # Points before: 0 has 5, 1 has 4, 2 has 4.
    assert outcome.points == pytest.approx([5 + 0.35 + 3 * 0.4, 4 + 3 * 0.25 + 0.35, 4], abs=0.03)
    assert outcome.within(1) == pytest.approx([0.75, 0.25, 0.0], abs=0.01)
    # If 1 loses, it is level with 2 on 4 points: 2 has 6 to 6 goals, 1 has lost more than it won.
    assert outcome.below(1) == pytest.approx([0.0, 0.4, 0.6], abs=0.01)
    assert (outcome.low[2], outcome.high[2]) == (4, 4)


@pytest.mark.parametrize("doubt", [0.0, 0.15, 0.8])
def test_each_match_keeps_its_calibrated_probabilities_whatever_the_doubt(doubt):
    n = 60_000
    p = np.array([[0.82, 0.12, 0.06], [0.36, 0.31, 0.33], [0.05, 0.15, 0.8]])
    scores = season.draw(
        clubs=4,
        fixtures=np.array([(0, 1), (2, 3), (1, 2)]),
        p=p,
        expected=np.array([[2.4, 0.6], [1.2, 1.15], [0.6, 2.2]]),
        doubt=doubt,
        simulations=n,
        seed=3,
    ).scores
    sign = np.sign(scores[:, :, 0].astype(int) - scores[:, :, 1])
    found = np.stack([(sign == outcome).mean(axis=0) for outcome in (1, 0, -1)], axis=1)
    assert np.abs(found - p).max() < 4.5 * math.sqrt(0.25 / n)


def test_scorelines_come_as_often_as_their_grid_says():
    n, p, mu, rho = 200_000, (0.5, 0.27, 0.23), (1.7, 1.05), -0.08
    scores = season.draw(
        clubs=2,
        fixtures=np.array([(0, 1)]),
        p=np.array([p]),
        expected=np.array([mu]),
        rho=rho,
        doubt=0.4,
        simulations=n,
        seed=8,
    ).scores[:, 0]
    cells = np.array(goals.grid(*mu, p, rho).cells)
    found = np.zeros_like(cells)
    np.add.at(found, (scores[:, 0], scores[:, 1]), 1.0 / n)
    assert (np.abs(found - cells) <= 5.0 * np.sqrt(cells * (1.0 - cells) / n) + 1.0 / n).all()


def test_the_cells_to_draw_from_are_those_of_the_grid():
    mu, p = np.array([[1.9, 0.7], [0.3, 3.1]]), np.array([[0.6, 0.25, 0.15], [0.1, 0.2, 0.7]])
    for cells, expected, chances in zip(goals.scorelines(mu, p, -0.1), mu, p, strict=True):
        assert cells == pytest.approx(np.array(goals.grid(*expected, chances, -0.1).cells), abs=1e-15)


def test_doubt_is_shared_by_the_matches_of_a_club_and_moves_no_mean():
    clubs, matches = 10, round_robin(10)
    asked = {
        "clubs": clubs,
        "played": np.empty((0, 4), dtype=int),
        "fixtures": matches,
        "p": np.full((90, 3), (0.42, 0.28, 0.3)),
        "expected": np.full((90, 2), (1.4, 1.1)),
        "simulations": 20_000,
    }
    sure, unsure = season.simulate(**asked), season.simulate(**asked, doubt=0.4)
    # Equal clubs: 18 matches of 0.42 · 3 + 0.28 at home and 0.3 · 3 + 0.28 away.
    assert sure.points == pytest.approx([9 * 1.54 + 9 * 1.18] * clubs, abs=0.15)
    assert unsure.points == pytest.approx(sure.points, abs=0.2)
    # Variance of a club's points without doubt: 9 · (4.06 − 1.54²) + 9 · (2.98 − 1.18²) = 29.1, so that eight in ten
    # seasons lie within 1.282 · 5.4 of the mean.
    assert (sure.high - sure.low).mean() == pytest.approx(2 * 1.282 * math.sqrt(29.1), abs=1.0)
    assert (unsure.high - unsure.low).min() > (sure.high - sure.low).max() + 1


def test_shares_of_places_sum_to_one_by_club_and_by_place():
    matches = round_robin(5)
    outcome = season.simulate(
        clubs=5,
        played=np.empty((0, 4), dtype=int),
        fixtures=matches,
        p=np.full((20, 3), 1 / 3),
        expected=np.full((20, 2), 1.2),
        simulations=500,
    )
    assert outcome.places.sum(axis=0) == pytest.approx(np.ones(5))
    assert outcome.places.sum(axis=1) == pytest.approx(np.ones(5))
    assert outcome.within(2).sum() == pytest.approx(2.0)
    assert outcome.below(3).sum() == pytest.approx(3.0)


def test_a_season_without_fixtures_is_its_table():
    played = np.array([(0, 1, 1, 0), (1, 2, 3, 0), (2, 0, 1, 1)])
    nothing = np.empty((0, 2), dtype=int)
    outcome = season.simulate(
        clubs=3, played=played, fixtures=nothing, p=np.empty((0, 3)), expected=np.empty((0, 2)), simulations=10
    )
    assert outcome.places.argmax(axis=1).tolist() == [0, 1, 2]
    assert outcome.points.tolist() == [4.0, 3.0, 1.0]


def test_equal_seeds_give_equal_seasons_and_others_do_not():
    asked = {
        "clubs": 4,
        "fixtures": round_robin(4),
        "p": np.full((12, 3), 1 / 3),
        "expected": np.full((12, 2), 1.3),
        "doubt": 0.2,
        "simulations": 700,
    }
    first, again, other = (season.draw(**asked, seed=seed).scores for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


class TestGivenResults:
    """Some of the remaining matches end as a reader says."""

    P = np.array([[0.5, 0.3, 0.2], [0.6, 0.25, 0.15], [0.3, 0.3, 0.4], [0.45, 0.3, 0.25]])
    FIXTURES = np.array([(0, 1), (0, 2), (2, 1), (1, 0)])

    def drawn(self, simulations: int = 40_000) -> season.DrawnSeasons:
        return season.draw(
            clubs=3,
            fixtures=self.FIXTURES,
            p=self.P,
            expected=np.full((4, 2), (1.4, 1.1)),
            doubt=0.5,
            simulations=simulations,
            seed=11,
        )

    def tabulate(self, given: dict[int, int]) -> season.SeasonOutcome:
        return season.tabulate(self.drawn(), clubs=3, played=np.empty((0, 4), dtype=int), given=given)

    def test_every_season_has_the_given_outcomes_and_keeps_its_other_matches(self):
        drawn = self.drawn(2_000)
        scores, weights = drawn.given({0: 2, 3: 1})
        sign = np.sign(scores[:, :, 0].astype(int) - scores[:, :, 1])
        assert (sign[:, 0] == -1).all()
        assert (sign[:, 3] == 0).all()
        assert scores[:, 1:3].tobytes() == drawn.scores[:, 1:3].tobytes()
        assert weights.mean() == pytest.approx(1.0)
        assert drawn.given({0: 2, 3: 1})[0].tobytes() == scores.tobytes()

    def test_chances_given_each_outcome_make_the_chances_without_any(self):
        whole, parts = self.tabulate({}), [self.tabulate({1: outcome}) for outcome in range(3)]
        for name in ("places", "points"):
            mean = sum(p * getattr(part, name) for p, part in zip(self.P[1], parts, strict=True))
            assert mean == pytest.approx(getattr(whole, name), abs=0.02), name

    def test_they_are_the_chances_in_the_seasons_that_ended_so_by_themselves(self):
        drawn = self.drawn()
        won = drawn.scores[:, 0, 0] > drawn.scores[:, 0, 1]
        places, points = season.rank(
            clubs=3, played=np.empty((0, 4), dtype=int), fixtures=self.FIXTURES, scores=drawn.scores[won]
        )
        outcome = self.tabulate({0: 0})
        assert outcome.points == pytest.approx(points.mean(axis=0), abs=0.05)
        assert outcome.within(1) == pytest.approx((places == 1).mean(axis=0), abs=0.015)

    def test_a_given_win_makes_its_winner_more_likely_to_win_again(self):
        scores, weights = self.drawn().given({0: 0})
        again = scores[:, 1, 0] > scores[:, 1, 1]
        assert np.average(again, weights=weights) > again.mean() + 0.01

    def test_however_unlikely_they_are_a_fifth_of_the_seasons_counts(self):
        fixtures = np.array([(0, club) for club in range(1, 12)])
        drawn = season.draw(
            clubs=12,
            fixtures=fixtures,
            p=np.full((11, 3), (0.1, 0.2, 0.7)),
            expected=np.full((11, 2), (0.7, 2.0)),
            doubt=0.5,
            simulations=2_000,
            seed=2,
        )
        _, weights = drawn.given(dict.fromkeys(range(11), 0))
        assert weights.mean() == pytest.approx(1.0)
        assert 1.0 / np.square(weights).mean() == pytest.approx(0.2, abs=0.02)


def test_seasons_are_told_apart_by_how_a_watched_match_ended():
    # Two clubs, level before the one match that is left: who wins it is first.
    outcome = season.simulate(
        clubs=2,
        played=np.array([[1, 0, 1, 1]]),
        fixtures=np.array([[0, 1]]),
        p=np.array([[0.5, 0.3, 0.2]]),
        expected=np.array([[1.5, 1.0]]),
        watched=np.array([0]),
    )
    (given,) = outcome.given
    assert given.shape == (3, 2, 2)
    assert given[0].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert given[2].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    # A draw leaves them level, and the order of their numbers decides.
    assert given[1].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    weighted = sum(share * given[i, 0, 0] for i, share in enumerate((0.5, 0.3, 0.2)))
    assert weighted == pytest.approx(outcome.within(1)[0], abs=0.015)


def test_an_outcome_that_no_season_had_says_nothing():
    outcome = season.simulate(
        clubs=2,
        played=np.empty((0, 4), dtype=np.int64),
        fixtures=np.array([[0, 1]]),
        p=np.array([[1.0, 0.0, 0.0]]),
        expected=np.array([[1.5, 1.0]]),
        watched=np.array([0]),
        simulations=100,
    )
    assert np.isnan(outcome.given[0, 1:]).all()
    assert not np.isnan(outcome.given[0, 0]).any()
