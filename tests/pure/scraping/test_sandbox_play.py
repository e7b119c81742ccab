from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np
import pytest

from apps.scraping.sandbox.play import Play, play_season
from apps.scraping.sandbox.strengths import WorldState, first_state, next_state
from apps.scraping.sandbox.timetable import ROUND_WEEKS, draw_postponements, rounds_of_matches, rounds_played


def chronicle(seed: int, *, is_dense: bool = False) -> Iterator[tuple[WorldState, Play]]:
    rng = np.random.default_rng(seed)
    state = first_state(rng)
    while True:
        play = play_season(state, is_dense=is_dense, rng=rng)
        yield state, play
        state = next_state(state, play.strengths[-1], play.places, rng)


@pytest.fixture(scope="module")
def histories() -> list[list[tuple[WorldState, Play]]]:
    """Ten worlds of eight past seasons: 42,240 matches."""
    return [list(islice(chronicle(seed), 8)) for seed in range(10)]


def outcomes(play: Play) -> np.ndarray:
    return 1 - np.sign(play.home_goals - play.away_goals)


def test_base_rates_lose_about_106_and_the_truth_about_97_hundredths(
    histories: list[list[tuple[WorldState, Play]]],
) -> None:
    truth = np.concatenate([play.truth for history in histories for _, play in history])
    seen = np.concatenate([outcomes(play) for history in histories for _, play in history])
    base = np.bincount(seen) / len(seen)
    truth_loss = -np.log(truth[np.arange(len(seen)), seen]).mean()
    base_loss = -np.log(base[seen]).mean()
    # One match has a loss of standard deviation 0.4, so 42,240 have a mean within 0.004 of these at two sigma.
    assert base_loss == pytest.approx(1.06, abs=0.008)
    assert truth_loss == pytest.approx(0.97, abs=0.012)
    assert base[1] == pytest.approx(0.255, abs=0.01)


def test_goals_per_match_are_those_of_a_real_league(histories: list[list[tuple[WorldState, Play]]]) -> None:
    goals = np.concatenate([play.home_goals + play.away_goals for history in histories for _, play in history])
    assert goals.mean() == pytest.approx(2.65, abs=0.12)


def test_the_spread_of_strengths_neither_dies_nor_explodes_over_many_seasons() -> None:
    entropies = []
    for _, play in islice(chronicle(3, is_dense=True), 120):
        entropies.append(-(play.truth * np.log(play.truth)).sum(axis=1).mean())
    early, late = np.mean(entropies[:40]), np.mean(entropies[-40:])
    assert 0.94 < early < 0.99
    assert 0.94 < late < 0.99


def test_promoted_clubs_are_weaker_than_their_new_rivals(histories: list[list[tuple[WorldState, Play]]]) -> None:
    places = []
    for history in histories:
        for (old, _), (new, play) in pairwise(history):
            places.append(play.places[(old.tier == 1) & (new.tier == 0)])
    assert np.concatenate(places).shape == (10 * 7 * 4,)
    assert np.mean(places) > 5.5 + 1.0


def test_places_persist_from_season_to_season_but_not_for_ever(histories: list[list[tuple[WorldState, Play]]]) -> None:
    def correlation(gap: int) -> float:
        pairs = [
            (before.places[stayed], after.places[stayed])
            for history in histories
            for (first, before), (second, after) in zip(history, history[gap:], strict=False)
            if (stayed := first.tier == second.tier).any()
        ]
        return float(np.corrcoef(*np.concatenate(pairs, axis=1))[0, 1])

    assert 0.3 < correlation(1) < 0.8
    assert correlation(6) < correlation(1) - 0.1


def test_strengths_change_a_little_each_round_and_more_in_summer(
    histories: list[list[tuple[WorldState, Play]]],
) -> None:
    rounds = np.concatenate([np.diff(play.strengths, axis=0).ravel() for _, play in histories[0]])
    summers = np.concatenate(
        [(after.strengths[0] - before.strengths[-1]).ravel() for (_, before), (_, after) in pairwise(histories[0])]
    )
    assert 0.02 < rounds.std() < 0.05
    assert summers.std() > 3 * rounds.std()


def test_about_one_past_match_in_150_is_postponed() -> None:
    rng = np.random.default_rng(11)
    share = np.mean([(draw_postponements(rng) >= 0).mean() for _ in range(400)])
    assert 1 / 165 < share < 1 / 135


def test_a_postponed_match_goes_to_a_free_midweek_later_in_the_season() -> None:
    rng = np.random.default_rng(12)
    rounds = rounds_of_matches()
    for _ in range(200):
        moved = draw_postponements(rng)
        played = rounds_played(moved)
        for match in np.flatnonzero(moved >= 0).tolist():
            week = int(moved[match])
            assert ROUND_WEEKS[rounds[match]] + 2 <= week < ROUND_WEEKS[-1]
            assert ROUND_WEEKS.count(week) < 2
            assert ROUND_WEEKS[played[match]] <= week
            assert played[match] >= rounds[match]
        assert (played[moved < 0] == rounds[moved < 0]).all()
        for league in np.split(moved, 4):
            taken = league[league >= 0].tolist()
            assert len(set(taken)) == len(taken)


def test_a_dense_season_has_no_postponed_match() -> None:
    _, play = next(chronicle(1, is_dense=True))
    assert (play.moved_to_week == -1).all()
