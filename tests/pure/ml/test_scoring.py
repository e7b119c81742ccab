"""Scores against published examples and hand calculation; prices, splits and intervals."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting import scoring

PUBLISHED = [
    # Constantinou and Fenton (2012), "Solving the problem of inadequate scoring rules for assessing probabilistic
    # football forecast models", J. Quantitative Analysis in Sports 8(1), table 1.
    ((1.00, 0.00, 0.00), 0, 0.0000),
    ((0.90, 0.10, 0.00), 0, 0.0050),
    ((0.80, 0.10, 0.10), 0, 0.0250),
    ((0.50, 0.25, 0.25), 0, 0.1562),
    ((0.35, 0.30, 0.35), 1, 0.1225),
    ((0.60, 0.30, 0.10), 1, 0.1850),
    ((0.60, 0.25, 0.15), 0, 0.0913),
    ((0.60, 0.15, 0.25), 0, 0.1113),
    ((0.57, 0.33, 0.10), 0, 0.0975),
    ((0.60, 0.20, 0.20), 0, 0.1000),
]


@pytest.mark.parametrize(("p", "outcome", "value"), PUBLISHED)
def test_rps_is_that_of_the_published_examples(p, outcome, value):
    assert scoring.rps([p], [outcome]) == pytest.approx(value, abs=5.1e-5)


def test_log_loss_is_in_nats_and_brier_is_summed():
    p, y = [(0.5, 0.3, 0.2), (0.2, 0.3, 0.5)], [0, 1]
    assert scoring.log_loss(p, y) == pytest.approx((np.log(2.0) - np.log(0.3)) / 2.0)
    assert scoring.brier(p, y) == pytest.approx(((0.25 + 0.09 + 0.04) + (0.04 + 0.49 + 0.25)) / 2.0)
    assert scoring.accuracy(p, y) == 0.5


def test_ece_pools_the_outcomes_over_ten_bins():
    # Bin [0.6, 0.7): two forecasts of 0.6, hit once: gap 0.2. Bin [0.2, 0.3): four of 0.2, hit once: gap 0.2.
    p, y = [(0.6, 0.2, 0.2), (0.6, 0.2, 0.2)], [0, 1]
    assert scoring.ece(p, y) == pytest.approx((2 * abs(0.6 - 0.5) + 4 * abs(0.2 - 0.25)) / 6)


def test_the_limit_of_ece_knows_how_many_matches_there_are():
    p = np.random.default_rng(5).dirichlet([4.0, 2.5, 3.0], size=4000)
    few, many = scoring.ece_limit(p[:200]), scoring.ece_limit(p)
    assert few > 3 * many
    y = (np.random.default_rng(6).random((4000, 1)) >= np.cumsum(p, axis=1)[:, :2]).sum(axis=1)
    assert scoring.ece(p, y) < many
    assert many == scoring.ece_limit(p)


def test_forecasts_that_are_none_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        scoring.log_loss([(0.5, 0.5, np.nan)], [0])
    with pytest.raises(ValueError, match="do not match"):
        scoring.rps(np.zeros((2, 3)), [0])


def test_all_scores_come_together():
    scores = scoring.score([(0.5, 0.3, 0.2)], [0])
    assert scores.as_dict() == {
        "n": 1,
        "log_loss": pytest.approx(np.log(2.0)),
        "rps": pytest.approx((0.25 + 0.04) / 2),
        "brier": pytest.approx(0.38),
        "accuracy": 1.0,
        "ece": pytest.approx((0.5 + 0.3 + 0.2) / 3),
    }


@pytest.mark.parametrize("method", ["power", "multiplicative", "shin"])
def test_fair_prices_are_their_own_probabilities(method):
    assert scoring.devig([(2.0, 4.0, 4.0)], method)[0].tolist() == pytest.approx([0.5, 0.25, 0.25], abs=1e-9)


def test_a_margin_is_taken_off_in_three_ways():
    odds = np.array([(1.55, 4.07, 7.69), (2.5, 3.3, 2.9)])
    power, plain, shin = (scoring.devig(odds, method) for method in ("power", "multiplicative", "shin"))
    for p in (power, plain, shin):
        assert p.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert plain[0] == pytest.approx(1 / odds[0] / (1 / odds[0]).sum())
    assert np.log(power[0]) / np.log(1 / odds[0]) == pytest.approx(np.log(power[0, 0]) / np.log(1 / odds[0, 0]))
    assert power[0, 0] > shin[0, 0] > plain[0, 0]


def test_a_row_without_a_price_stays_without():
    p = scoring.devig([(2.0, np.nan, 4.0), (2.0, 4.0, 4.0)])
    assert np.isnan(p[0]).all()
    assert p[1].sum() == pytest.approx(1.0)


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="magic"):
        scoring.devig([(2.0, 4.0, 4.0)], "magic")


def test_a_walk_forward_trains_on_what_was_known_and_tests_what_follows():
    as_of = pd.to_datetime(["2020-01-01", "2021-06-30 23:00", "2021-07-01", "2022-08-01"], utc=True, format="ISO8601")
    known_at = pd.to_datetime(["2020-01-02", "2021-07-01 02:00", "2021-07-02", None], utc=True, format="ISO8601")
    starts = scoring.season_starts(datetime(2020, 9, 1, tzinfo=UTC), datetime(2022, 9, 1, tzinfo=UTC))
    assert starts == [datetime(2021, 7, 1, tzinfo=UTC), datetime(2022, 7, 1, tzinfo=UTC)]
    first, second = scoring.walk_forward(pd.Series(as_of), pd.Series(known_at), starts)
    assert (first.train.tolist(), first.test.tolist()) == ([0], [2])
    assert (second.train.tolist(), second.test.tolist()) == ([0, 1, 2], [3])
    assert (first.end, second.end) == (starts[1], None)


def test_a_bootstrap_over_days_finds_a_difference_and_doubts_none():
    generator = np.random.default_rng(1)
    days = np.repeat(np.arange(200), 10)
    shared = np.repeat(generator.normal(0.0, 1.0, 200), 10)
    none = scoring.paired_bootstrap(shared - shared.mean(), days)
    assert none.low < 0.0 < none.high
    assert none.high - none.low == pytest.approx(2 * 1.96 / np.sqrt(200), rel=0.25)
    some = scoring.paired_bootstrap(np.full(2000, 0.01) + generator.normal(0, 0.01, 2000), days, seed=3)
    assert 0.0 < some.low < some.mean < some.high
    assert (some.n, some.days) == (2000, 200)


def test_the_distance_to_a_line_is_the_expected_gap_if_the_line_were_the_truth():
    generator = np.random.default_rng(3)
    p, line = generator.dirichlet((3.0, 2.0, 2.0), (2, 50))
    expected = sum(
        line[:, y] * (scoring.rps_each(p, np.full(50, y)) - scoring.rps_each(line, np.full(50, y))) for y in range(3)
    )
    assert scoring.distance_each(p, line) == pytest.approx(expected, abs=1e-15)
    assert (scoring.distance_each(line, line) == 0.0).all()
