"""Our numbers beside those of penaltyblog, an independent implementation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting import goals, scoring
from apps.ml.forecasting.estimators import create
from apps.ml.forecasting.features import FeatureState, build_features

pytestmark = pytest.mark.slow

ODDS = [(1.55, 4.07, 7.69), (2.5, 3.3, 2.9), (1.08, 12.0, 29.0), (6.8, 4.6, 1.49)]


@pytest.fixture(scope="module")
def oracle():
    return pytest.importorskip("penaltyblog")


@pytest.mark.parametrize("method", ["power", "multiplicative", "shin"])
def test_prices_become_the_same_probabilities(oracle, method):
    ours = scoring.devig(ODDS, method)
    for odds, row in zip(ODDS, ours, strict=True):
        theirs = oracle.implied.calculate_implied(list(odds), method=method).probabilities
        assert row.tolist() == pytest.approx(theirs, abs=1e-6)


def test_the_rank_probability_score_is_the_same(oracle):
    p = np.random.default_rng(1).dirichlet([4.0, 2.5, 3.0], size=50)
    y = np.random.default_rng(2).integers(3, size=50)
    assert scoring.rps_each(p, y) == pytest.approx(oracle.metrics.rps_array(p, y.astype(np.int32)), abs=1e-12)


@pytest.mark.parametrize(("mu_home", "mu_away"), [(1.6, 1.1), (0.7, 2.3), (2.9, 0.4)])
def test_goals_become_the_same_outcomes_and_markets(oracle, mu_home, mu_away):
    theirs = oracle.models.create_dixon_coles_grid(mu_home, mu_away, max_goals=25)
    p = goals.outcome_probabilities([mu_home], [mu_away])[0]
    # Ours folds 10 goals and more into one cell, which moves a level score of ten or more between the outcomes.
    assert p.tolist() == pytest.approx([theirs.home_win, theirs.draw, theirs.away_win], abs=2e-5)
    markets = goals.grid(mu_home, mu_away, p).markets()
    assert markets.over[2.5] == pytest.approx(theirs.total_goals("over", 2.5), abs=2e-5)
    assert markets.both_score == pytest.approx(theirs.btts_yes, abs=2e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # penaltyblog 1.13.1 calls scipy and numpy in old ways
@pytest.mark.parametrize(("mu_home", "mu_away", "rho"), [(1.6, 1.1, -0.08), (0.7, 2.3, 0.05), (1.2, 1.2, -0.15)])
def test_goals_behind_corrected_outcomes_are_found_again(oracle, mu_home, mu_away, rho):
    # `create_dixon_coles_grid` of penaltyblog 1.13.1 takes the two means of the correction the other way round than
    # Dixon and Coles (1997), section 4.1, which its `goal_expectancy` follows.
    p = goals.outcome_probabilities([mu_home], [mu_away], rho)[0]
    found = oracle.models.goal_expectancy(*p, dc_adj=True, rho=rho, max_goals=20, remove_overround=False)
    assert [found["home_exp"], found["away_exp"]] == pytest.approx([mu_home, mu_away], abs=2e-3)


@pytest.fixture(scope="module")
def league() -> pd.DataFrame:
    """Four seasons of eight clubs, a match every eight hours: 224 results."""
    generator = np.random.default_rng(4)
    pairs = [(home, away) for home in range(1, 9) for away in range(1, 9) if home != away] * 4
    strength = np.exp(generator.normal(0.0, 0.3, size=9))
    frame = pd.DataFrame(pairs, columns=["home_team_id", "away_team_id"])
    frame["home_goals"] = generator.poisson(1.5 * strength[frame["home_team_id"]]).astype(float)
    frame["away_goals"] = generator.poisson(1.1 * strength[frame["away_team_id"]]).astype(float)
    hours = pd.to_timedelta(8 * np.arange(len(frame)), "h")
    frame["kickoff_at"] = pd.Timestamp("2024-01-01", tz="UTC").as_unit("us") + hours
    return frame.assign(
        match_id=range(len(frame)),
        competition_id=1,
        region="X",
        level=1,
        season_id=1,
        is_neutral=False,
        stage="",
        status="finished",
        known_at=frame["kickoff_at"] + pd.Timedelta(hours=3),
    )


@pytest.mark.parametrize("half_life_days", [1e9, 40.0])
def test_attack_and_defence_without_a_prior_are_the_weighted_maximum_likelihood(oracle, params, league, half_life_days):
    section = params["features"]["dixon_coles"] | {
        "half_life_days": half_life_days,
        "window_days": 10000,
        "prior_matches": 1e-9,
        "level_prior_teams": 1e-9,
        "refit_days": 100,
        "refit_matches": 10**9,
        "first_sweeps": 500,
    }
    state = FeatureState.new({"dixon_coles": section})
    state.observe(league)
    fixtures = league.head(56).assign(as_of=pd.Timestamp("2025-01-01", tz="UTC"))
    mu = state.describe(fixtures)[:, :2]
    ago = (league["kickoff_at"].max() - league["kickoff_at"]) / pd.Timedelta(days=1)
    theirs = oracle.models.PoissonGoalsModel(
        league["home_goals"].astype(int),
        league["away_goals"].astype(int),
        league["home_team_id"].astype(str),
        league["away_team_id"].astype(str),
        weights=0.5 ** (ago / half_life_days),
    )
    theirs.fit()
    for row, home, away in zip(mu, fixtures["home_team_id"], fixtures["away_team_id"], strict=True):
        grid = theirs.predict(str(home), str(away))
        assert row.tolist() == pytest.approx([grid.home_goal_expectation, grid.away_goal_expectation], rel=2e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # as above
@pytest.mark.parametrize("kind", ["dixon_coles", "score_driven"])
def test_the_goal_models_forecast_what_their_goals_and_rho_say(oracle, params, world, kind):
    values, names = build_features(world, world, params=params["features"], families=["dixon_coles", "poisson_filter"])
    margin = world["home_goals"] - world["away_goals"]
    model = create(kind, params["train"]["smoke"][kind], seed=0).fit(
        values, 1 - np.sign(margin).astype(int), names=names
    )
    rows = values[::40]
    for p, (home, away) in zip(model.predict_proba(rows), model.expected_goals(rows), strict=True):
        found = oracle.models.goal_expectancy(*p, dc_adj=True, rho=model.rho, max_goals=20, remove_overround=False)
        assert [found["home_exp"], found["away_exp"]] == pytest.approx([home, away], abs=5e-3)
