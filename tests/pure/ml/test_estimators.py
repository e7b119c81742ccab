"""Every estimator: fits, forecasts, explains itself exactly, and survives its folder."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from apps.ml.forecasting import scoring
from apps.ml.forecasting.estimators import (
    REGISTRY,
    Calibrated,
    Calibration,
    Intervals,
    MarketInputError,
    ModelFormatError,
    Pool,
    create,
    fit_calibration,
    load,
)
from apps.ml.forecasting.estimators.base import chosen
from apps.ml.forecasting.estimators.calibration import centred
from apps.ml.forecasting.estimators.hist_boosting import bin_edges, binned
from apps.ml.forecasting.estimators.logit import ConvergenceError, newton
from apps.ml.forecasting.estimators.market import PricedLogit
from apps.ml.forecasting.estimators.pool import fitted_weights
from apps.ml.forecasting.features import build_features
from apps.ml.forecasting.goals import outcome_probabilities

each_kind = pytest.mark.parametrize("kind", list(REGISTRY))


@pytest.fixture(scope="module")
def priced(world, params) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """All features, the line before the match among them: a noisy one, missing for every ninth match."""
    values, names = build_features(world, world, params=params["features"])
    goals = world[["home_goals", "away_goals"]].to_numpy()
    line = np.random.default_rng(8).normal(0.2, 0.5, size=(len(world), 2))
    line[::9] = np.nan
    return (
        np.column_stack((values, line)),
        1 - np.sign(goals[:, 0] - goals[:, 1]).astype(int),
        (*names, "odds_home", "odds_draw"),
    )


@pytest.fixture(scope="module")
def plain(priced) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    values, y, names = priced
    kept = [place for place, name in enumerate(names) if not name.startswith(("price_", "odds_"))]
    return values[:, kept], y, tuple(names[place] for place in kept)


@pytest.fixture
def data(request, plain, priced):
    """What an estimator of the kind may see; without a kind what every estimator may."""
    kind = request.node.callspec.params.get("kind", "logit") if hasattr(request.node, "callspec") else "logit"
    return priced if REGISTRY[kind].uses_market else plain


@pytest.fixture(scope="module")
def fitted(plain, priced, params) -> dict:
    section = params["train"]["smoke"]
    trees = section["xgboost"] | {"rounds": 6, "booster": {"eta": 0.1, "max_depth": 3, "nthread": 1}}
    settings = {"max_iter": 8, "max_leaf_nodes": 5, "min_samples_leaf": 8, "max_features": 0.5}
    boosting = section["hist_boosting"] | {"trees": settings}
    pool = section["pool"] | {
        "later": 0.3,
        "members": section["pool"]["members"] | {"xgboost": trees, "hist_boosting": boosting},
    }
    few = {"rounds": trees["rounds"], "booster": trees["booster"], "least_seen": 3}
    small = section | {"xgboost": trees, "hist_boosting": boosting, "pool": pool}
    small["price_rating"] = section["price_rating"] | few
    found = {}
    for kind, estimator in REGISTRY.items():
        x, y, names = priced if estimator.uses_market else plain
        found[kind] = create(kind, small[kind], seed=4).fit(x, y, names=names)
    return found


@each_kind
def test_forecasts_are_probabilities_and_goals_are_goals(fitted, data, kind):
    p, goals = fitted[kind].predict_proba(data[0]), fitted[kind].expected_goals(data[0])
    assert p.shape == (len(data[0]), 3)
    assert p.dtype == np.float64
    assert p.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert (p > 0.0).all()
    assert goals.shape == (len(p), 2)
    assert ((goals > 0.05) & (goals < 8.0)).all()
    leaning = (p[:, 0] - p[:, 2]) * (goals[:, 0] - goals[:, 1])
    assert (leaning[np.abs(p[:, 0] - p[:, 2]) > 0.15] > 0.0).all()


@each_kind
def test_contributions_sum_to_the_raw_score(fitted, data, kind):
    estimator = fitted[kind]
    parts = estimator.contributions(data[0])
    assert sum(parts.values()) == pytest.approx(estimator.raw_score(data[0]), abs=1e-9)
    p = estimator.predict_proba(data[0])
    assert estimator.raw_score(data[0]) == pytest.approx(np.log(p[:, 0] / p[:, 2]), abs=1e-9)
    assert "baseline" in parts


@each_kind
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_folder_brings_the_same_forecasts_back_without_pickle(fitted, data, kind, calibrated, tmp_path, monkeypatch):
    model = fitted[kind]
    if calibrated:
        around = Intervals(0.8, ((0.1,) * 7,) * 3, ((-0.2, 0.3),) * 3, 100)
        model = Calibrated(model, Calibration("vector", (0.9, 0.8, 1.1), (0.1, 0.0, -0.05), 10, {"none": 1.0}), around)
    model.save(tmp_path)
    methods = ("predict_proba", "expected_goals", "raw_score")
    expected = [getattr(model, method)(data[0]).tobytes() for method in methods]
    for refused in ("loads", "load", "Unpickler"):  # from here on: the forecasts above let numba read its own cache
        monkeypatch.setattr(pickle, refused, None)
    again = load(tmp_path)
    assert type(again) is type(model)
    assert [getattr(again, method)(data[0]).tobytes() for method in methods] == expected
    assert again.names == model.names == data[2]
    if calibrated:
        assert again.intervals == model.intervals
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} <= {".json", ".npy", ".npz", ".ubj"}


@each_kind
def test_a_row_alone_is_forecast_as_among_others(fitted, data, kind):
    together = fitted[kind].predict_proba(data[0][:50])
    alone = np.concatenate([fitted[kind].predict_proba(data[0][row : row + 1]) for row in range(50)])
    assert alone == pytest.approx(together, abs=1e-12)


@each_kind
def test_two_fits_give_the_same_files(fitted, data, params, kind, tmp_path):
    x, y, names = data
    again = create(kind, fitted[kind].params, seed=4).fit(x, y, names=names)
    fitted[kind].save(tmp_path / "one")
    again.save(tmp_path / "two")
    for file in (tmp_path / "one").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.parametrize("kind", [kind for kind, estimator in REGISTRY.items() if not estimator.uses_market])
def test_an_estimator_without_prices_refuses_them(params, data, kind):
    x, y, names = data
    with pytest.raises(MarketInputError, match="odds_home"):
        create(kind, params["train"]["smoke"][kind], seed=0).fit(
            np.column_stack((x, x[:, 0])), y, names=(*names, "odds_home")
        )


@each_kind
def test_columns_that_do_not_fit_are_refused(fitted, data, kind):
    with pytest.raises(ValueError, match="columns"):
        fitted[kind].predict_proba(data[0][:, :-1])


def test_models_that_learn_beat_base_rates_where_there_is_something_to_learn(fitted, plain):
    x, y, _ = plain
    models = {kind: model for kind, model in fitted.items() if not model.uses_market}
    losses = {kind: scoring.log_loss(model.predict_proba(x), y) for kind, model in models.items()}
    assert max(losses, key=losses.__getitem__) == "base_rates"


@each_kind
def test_a_calibrated_model_explains_itself_exactly(fitted, data, kind):
    model = Calibrated(fitted[kind], Calibration("vector", (0.9, 0.8, 1.1), (0.1, 0.0, -0.05), 10, {}))
    p = model.predict_proba(data[0])
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert model.raw_score(data[0]) == pytest.approx(np.log(p[:, 0] / p[:, 2]), abs=1e-9)
    assert sum(model.contributions(data[0]).values()) == pytest.approx(model.raw_score(data[0]), abs=1e-9)


def test_a_model_that_knows_the_line_is_blind_only_where_there_is_none(fitted, priced):
    x, _, names = priced
    model, line = fitted["market_aware"], [names.index("odds_home"), names.index("odds_draw")]
    quoted = np.isfinite(x[:, line]).all(axis=1)
    other = x.copy()
    other[:, line] += 0.5
    moved = np.abs(model.predict_proba(other) - model.predict_proba(x)).max(axis=1)
    assert 0 < quoted.sum() < len(x)
    assert (moved[~quoted] == 0.0).all()
    assert (moved[quoted] > 0.0).all()
    # Without a line the prices of earlier matches count, where both sides had enough of them.
    seen = x[:, [names.index("price_seen_home"), names.index("price_seen_away")]].min(axis=1) >= 10
    prices = model.contributions(x)["prices"]
    assert (~quoted & ~seen).any()
    assert (prices[~quoted & ~seen] == 0.0).all()
    assert (np.abs(prices[~quoted & seen]) > 0.0).mean() > 0.9
    other = x.copy()
    other[:, names.index("price_diff")] += 0.5
    moved = np.abs(model.predict_proba(other) - model.predict_proba(x)).max(axis=1)
    assert (moved > 0.0).tolist() == (~quoted & seen).tolist()


def test_an_estimator_that_was_trained_before_it_had_a_part_is_refused_in_words(fitted, tmp_path):
    for kind, part in (("market_aware", "earlier"), ("price_rating", "linear")):
        fitted[kind].save(tmp_path / kind)
        path = tmp_path / kind / "estimator.json"
        content = json.loads(path.read_text())
        del content["state"][part]
        path.write_text(json.dumps(content))
        with pytest.raises(ModelFormatError, match=r"was trained before it .*; train it again"):
            load(tmp_path / kind)


def test_a_rating_of_prices_is_the_mean_of_trees_and_of_a_logit(fitted, priced):
    x, _, names = priced
    model = fitted["price_rating"]
    linear = model._linear.for_columns(model.columns)
    own = x[:, [names.index(name) for name in model.columns]]
    trees = 2.0 * model.scores(x) - linear.scores(own)
    assert np.abs(trees - linear.scores(own)).max() > 0.05
    assert "price_diff" in linear.columns
    assert trees == pytest.approx(model._boosted(own))


def test_a_model_of_the_line_needs_one_to_learn_from(priced, params):
    x, y, names = priced
    blind = x.copy()
    blind[:, -2:] = np.nan
    with pytest.raises(ValueError, match="line"):
        create("market_aware", params["train"]["smoke"]["market_aware"], seed=0).fit(blind, y, names=names)


def test_ratings_of_prices_learn_from_matches_of_which_enough_is_known(fitted, priced, params):
    x, y, names = priced
    changed = x.copy()
    seen = x[:, [names.index("price_seen_home"), names.index("price_seen_away")]].min(axis=1)
    section = fitted["price_rating"].params
    changed[seen < section["least_seen"], names.index("price_diff")] = 99.0
    again = create("price_rating", section, seed=4).fit(changed, y, names=names)
    assert again.predict_proba(x).tobytes() == fitted["price_rating"].predict_proba(x).tobytes()


def drawn(p: np.ndarray, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((len(p), 1)) >= np.cumsum(p, axis=1)[:, :2]).sum(axis=1)


def test_calibration_finds_the_temperature_that_was_used():
    truth = np.random.default_rng(1).dirichlet([4.0, 2.5, 3.0], size=8000)
    sharp = truth**1.5 / (truth**1.5).sum(axis=1, keepdims=True)
    found = fit_calibration(sharp, drawn(truth, 2))
    assert found.method in ("temperature", "vector")
    assert found.scale[0] == pytest.approx(1 / 1.5, abs=0.06)
    assert found.tried["temperature"] < found.tried["none"]
    assert found.apply(sharp) == pytest.approx(truth, abs=0.03)
    assert Calibration.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_calibration_leaves_good_forecasts_alone():
    truth = np.random.default_rng(1).dirichlet([9.0, 6.0, 7.0], size=8000)
    found = fit_calibration(truth, drawn(truth, 8))
    assert found.apply(truth) == pytest.approx(truth, abs=0.03)
    none = fit_calibration(truth, drawn(truth, 8), methods=("none",))
    assert none.apply(truth) is truth


def test_isotonic_maps_mend_what_no_scale_can():
    truth = np.random.default_rng(1).dirichlet([4.0, 2.5, 3.0], size=30000)
    # Home wins are called too likely below one quarter and above one half, not likely enough elsewhere.
    bent = truth.copy()
    bent[:, 0] += 0.07 * np.sin(4.0 * np.pi * truth[:, 0])
    bent[:, 1:] *= ((1.0 - bent[:, 0]) / truth[:, 1:].sum(axis=1))[:, None]
    y = drawn(truth, 2)
    found = fit_calibration(bent, y)
    assert found.method == "isotonic"
    assert found.tried["isotonic"] < found.tried["vector"]
    assert np.abs(found.apply(bent) - truth).mean() < 0.5 * np.abs(bent - truth).mean()
    assert found.apply(bent).min() > 0.001
    assert Calibration.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert "isotonic" not in fit_calibration(bent[:3000], y[:3000]).tried


def test_isotonic_maps_keep_the_order_of_each_outcome():
    generator = np.random.default_rng(3)
    p = generator.dirichlet([4.0, 2.5, 3.0], size=2000)
    found = fit_calibration(p, generator.integers(3, size=2000), methods=("isotonic",), isotonic_from=0)
    for values, mapped in found.knots:
        assert (np.diff(values) > 0).all()
        assert (np.diff(mapped) >= 0).all()


def test_a_penalty_is_chosen_by_the_latest_rows():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(600, 40))
    y = drawn(np.tile([0.45, 0.27, 0.28], (600, 1)), 4)
    names = [f"elo_{place}" for place in range(40)]
    section = {"columns": ["elo_*"], "l2": [1.0, 10000.0]}
    # Forty columns of noise: whoever believes them loses.
    noise = create("logit", section, seed=0).fit(x, y, names=names)
    alone = create("logit", section | {"l2": 10000.0}, seed=0).fit(x, y, names=names)
    assert noise.predict_proba(x).tobytes() == alone.predict_proba(x).tobytes()
    scores = np.column_stack((1.5 * x[:, 0], np.zeros(600), -1.5 * x[:, 0]))
    told = drawn(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), 5)
    signal = create("logit", section, seed=0).fit(x[:, :1], told, names=names[:1])
    assert signal._l2 == 1.0


def test_a_fit_that_starts_elsewhere_ends_at_the_same_coefficients():
    generator = np.random.default_rng(3)
    x, weights = generator.normal(size=(900, 6)), generator.uniform(0.5, 1.5, size=900)
    y = drawn(np.tile([0.45, 0.27, 0.28], (900, 1)), 4)
    start = newton(x, y, weights, 3000.0)
    kept = start.copy()
    assert newton(x, y, weights, 50.0, start=start) == pytest.approx(newton(x, y, weights, 50.0), abs=1e-12)
    assert start.tolist() == kept.tolist()


@pytest.mark.parametrize("kind", ["logit", "xgboost", "hist_boosting", "price_rating", "market_aware"])
def test_logits_that_were_fitted_before_are_taken_and_the_forecasts_stay_the_same(fitted, data, kind):
    x, y, names = data
    model = fitted[kind]
    parts = {
        part.key: part.fitted(PricedLogit, x, y, np.ones(len(x)), names, {}).part_state()
        | {"counting": part.counting(names)}
        for part in model.logit_parts()
    }
    again = create(kind, model.params, seed=4).fit(x, y, names=names, fitted_parts=parts)
    assert again.predict_proba(x).tobytes() == model.predict_proba(x).tobytes()
    for key, state in parts.items():
        moved = parts | {key: state | {"intercept": [3.0, 0.0, 0.0]}}
        other = create(kind, model.params, seed=4).fit(x, y, names=names, fitted_parts=moved)
        assert other.predict_proba(x).tobytes() != model.predict_proba(x).tobytes()
        narrow = parts | {key: state | {"columns": state["columns"][1:], "intercept": [3.0, 0.0, 0.0]}}
        own = create(kind, model.params, seed=4).fit(x, y, names=names, fitted_parts=narrow)
        assert own.predict_proba(x).tobytes() == model.predict_proba(x).tobytes(), "a logit on other columns is not it"
        if kind != "logit":
            others = parts | {key: state | {"counting": ["price_seen_both"], "intercept": [3.0, 0.0, 0.0]}}
            own = create(kind, model.params, seed=4).fit(x, y, names=names, fitted_parts=others)
            assert own.predict_proba(x).tobytes() == model.predict_proba(x).tobytes(), "nor one on other matches"


def test_the_logit_finds_the_coefficients_that_made_the_outcomes():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(40000, 1))
    scores = np.column_stack((0.4 + 0.8 * x[:, 0], np.zeros(40000), 0.1 - 0.6 * x[:, 0]))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    found = newton(x, drawn(p, 4), np.ones(40000), 0.0)
    assert found[:, 0] == pytest.approx([0.4, 0.8], abs=0.05)
    assert found[:, 1].tolist() == [0.0, 0.0]
    assert found[:, 2] == pytest.approx([0.1, -0.6], abs=0.05)


def test_a_column_that_separates_the_outcomes_does_not_pass_for_a_fit():
    x = np.linspace(-1, 1, 30)[:, None]
    with pytest.raises((ConvergenceError, np.linalg.LinAlgError)):
        newton(x, np.repeat([0, 1, 2], 10), np.ones(30), 0.0)


def test_dixon_coles_finds_rho_and_scale():
    generator = np.random.default_rng(9)
    names = (
        "dc_base_home",
        "dc_base_away",
        "dc_attack_home",
        "dc_concession_away",
        "dc_attack_away",
        "dc_concession_home",
    )
    teams = generator.normal(0.0, 0.3, size=(12000, 4))
    base = np.tile(np.log([1.5, 1.15]), (12000, 1))
    mu_home = np.exp(base[:, 0] + 0.8 * (teams[:, 0] + teams[:, 1]))
    mu_away = np.exp(base[:, 1] + 0.8 * (teams[:, 2] + teams[:, 3]))
    y = drawn(outcome_probabilities(mu_home, mu_away, -0.12), 10)
    found = create("dixon_coles", {"fit_rows": 12000}, seed=0).fit(np.column_stack((base, teams)), y, names=names)
    assert found.rho == pytest.approx(-0.12, abs=0.08)
    assert found.expected_goals(np.column_stack((base, teams))) == pytest.approx(
        np.column_stack((mu_home, mu_away)), rel=0.1
    )


def test_trees_begin_at_the_logit(data, params):
    x, y, names = data
    section = params["train"]["smoke"]["xgboost"]
    none = create("xgboost", section | {"rounds": 0}, seed=1).fit(x, y, names=names)
    logit = create("logit", section["logit"], seed=1).fit(x, y, names=names)
    assert none.predict_proba(x) == pytest.approx(logit.predict_proba(x), abs=1e-6)
    assert set(logit.columns) < set(none.columns)


@pytest.fixture(scope="module")
def network():
    """A small network on three columns, one of them sometimes missing; what it was fitted to."""
    generator = np.random.default_rng(4)
    x = generator.normal(size=(600, 3))
    y = np.where(x[:, 0] + x[:, 1] ** 2 > 0.5, 0, np.where(x[:, 2] > 0.3, 1, 2))
    x[::7, 2] = np.nan
    section = {
        "columns": ["elo_*"],
        "hidden": 16,
        "networks": 2,
        "decay": 0.01,
        "rate": 0.001,
        "batch": 200,
        "epochs": 40,
    }
    names = ("elo_diff", "elo_home", "elo_away")
    return create("network", section, seed=5).fit(x, y, names=names), x, y, names, section


def test_a_network_gives_the_probabilities_of_scikit_learn(network):
    from scipy.special import log_softmax
    from sklearn.neural_network import MLPClassifier

    found, x, y, _, section = network
    standard = found._standard(x)
    logs = []
    for number in range(section["networks"]):
        theirs = MLPClassifier(
            (section["hidden"],),
            alpha=section["decay"] * section["batch"],
            learning_rate_init=section["rate"],
            batch_size=section["batch"],
            random_state=np.random.RandomState(5 + number),
        )
        for _ in range(section["epochs"]):
            theirs.partial_fit(standard, y, classes=[0, 1, 2])
        logs.append(np.log(theirs.predict_proba(standard)))
    expected = np.exp(log_softmax(np.mean(logs, axis=0), axis=1))
    assert found.predict_proba(x) == pytest.approx(expected, abs=1e-9)
    assert scoring.log_loss(found.predict_proba(x), y) < 0.8, "it has learnt a square, which no logit could"


def test_the_parts_of_a_network_are_its_gradients_along_the_way_from_a_match_of_means(network):
    found, x, _, _, _ = network
    rows = x[:5]
    standard = found._standard(rows)

    def scores(at):
        return found.scores(found._mean + at * found._scale)

    steps, step = 4000, 1e-6
    shares = (np.arange(steps) + 0.5) / steps
    parts = found.parts(rows, str)
    for column, name in enumerate(found.columns):
        nudge = np.zeros(3)
        nudge[column] = step
        slope = np.mean([(scores(s * standard + nudge) - scores(s * standard - nudge)) / (2 * step) for s in shares], 0)
        assert parts[name] == pytest.approx(slope * standard[:, [column]], abs=2e-3)
    assert parts["baseline"][0] == pytest.approx(scores(np.zeros((1, 3)))[0], abs=1e-9)


def test_a_network_takes_a_missing_value_for_the_mean_and_a_wild_one_for_a_large_one(network):
    found, x, _, _, _ = network
    missing, mean, wild, large = (x[[1]].copy() for _ in range(4))
    missing[0, 2], mean[0, 2] = np.nan, found._mean[2]
    wild[0, 0], large[0, 0] = 1e9, found._mean[0] + 4.0 * found._scale[0]
    assert found.predict_proba(missing) == pytest.approx(found.predict_proba(mean), abs=1e-12)
    assert found.predict_proba(wild) == pytest.approx(found.predict_proba(large), abs=1e-12)


def test_our_walk_through_the_trees_of_scikit_learn_is_its_own(plain, params):
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, y, names = plain
    x = np.where([name.startswith("rest_") for name in names] & (np.arange(len(x)) % 5 == 0)[:, None], np.nan, x)
    section = params["train"]["smoke"]["hist_boosting"]
    section = section | {"trees": {"max_iter": 8, "max_leaf_nodes": 5, "min_samples_leaf": 8, "max_bins": 63}}
    found = create("hist_boosting", section, seed=3).fit(x, y, names=names)
    logit = create("logit", section["logit"], seed=3).fit(x, y, names=names)
    p, added = logit.predict_proba(x), found.scores(x) - logit.scores(x)
    own = x[:, [names.index(name) for name in chosen(found.columns, found.params)]]
    own = own[:, ~np.isnan(own).all(axis=0)]
    assert np.isnan(own).any()
    own = np.stack([binned(column, bin_edges(column, 63)) for column in own.T], axis=1)
    for place in range(3):
        curve = p[:, place] * (1.0 - p[:, place])
        theirs = HistGradientBoostingRegressor(**section["trees"], early_stopping=False, random_state=3 + place)
        theirs.fit(own, ((y == place) - p[:, place]) / curve, sample_weight=curve)
        assert added[:, place] == pytest.approx(0.5 * theirs.predict(own), abs=1e-9)


def test_a_value_lies_in_the_bin_that_its_edge_ends():
    column = np.array([3.0, 1.0, np.nan, 2.0, 2.0, 5.0])
    edges = bin_edges(column, 4)
    # Quarters of 1, 2, 2, 3, 5 end with 2, 2 and 3.
    assert edges.tolist() == [2.0, 3.0]
    np.testing.assert_array_equal(binned(column, edges), [1.0, 0.0, np.nan, 0.0, 0.0, 2.0])


def test_trees_take_a_column_that_nobody_has_filled_yet(plain, params):
    x, y, names = plain
    section = params["train"]["smoke"]["hist_boosting"]
    section = section | {"trees": {"max_iter": 3, "max_leaf_nodes": 3, "min_samples_leaf": 8, "max_bins": 63}}
    empty = np.where([name.startswith("rest_") for name in names], np.nan, x)
    found = create("hist_boosting", section, seed=3).fit(empty, y, names=names)
    assert np.isfinite(found.predict_proba(empty)).all()
    assert found.predict_proba(x).tobytes() == found.predict_proba(empty).tobytes()


def test_the_trees_give_a_column_that_they_never_split_no_part(plain, params):
    x, y, names = plain
    section = params["train"]["smoke"]["hist_boosting"]
    section = section | {"trees": {"max_iter": 5, "max_leaf_nodes": 3, "min_samples_leaf": 8, "max_bins": 63}}
    flat = x.copy()
    flat[:, [name.startswith("rest_") for name in names]] = 1.0
    found = create("hist_boosting", section, seed=3).fit(flat, y, names=names)
    logit = create("logit", section["logit"], seed=3).fit(flat, y, names=names)
    assert "context" not in logit.contributions(flat)
    assert (found.contributions(flat)["context"] == 0.0).all()


def test_a_pool_of_fitted_members_is_weighed_by_what_they_said_before(fitted, plain, params):
    x, y, names = plain
    smoke = params["train"]["smoke"]
    section = {"members": {"logit": smoke["logit"], "elo_logit": smoke["elo_logit"]}, "least_past": 100, "later": 0.2}
    members = {name: fitted[name] for name in section["members"]}
    past = np.stack([fitted["logit"].predict_proba(x), np.random.default_rng(1).dirichlet([4, 3, 3], size=len(x))])
    pool = Pool.joined(section, members, past, y, names=names, seed=0)
    assert pool._weights[0] > 0.5 > pool._weights[1]
    forecasts = np.stack([member.predict_proba(x) for member in members.values()])
    assert pool.pooled(forecasts) == pytest.approx(pool.predict_proba(x), abs=1e-12)
    few = Pool.joined(section, members, past[:, :99], y[:99], names=names, seed=0)
    assert few._weights.tolist() == [0.5, 0.5]
    assert fitted["logit"].names == names
    with pytest.raises(ValueError, match="is made of"):
        Pool.joined(section, dict(reversed(members.items())), past, y, names=names, seed=0)


def test_an_estimator_takes_rows_of_other_columns_that_hold_its_own(fitted, plain):
    x, _, names = plain
    wider = fitted["logit"].for_columns((*names[::-1], "more"))
    moved = np.column_stack((x[:, ::-1], np.full(len(x), np.nan)))
    assert wider.predict_proba(moved).tobytes() == fitted["logit"].predict_proba(x).tobytes()
    with pytest.raises(ValueError, match="needs the columns"):
        fitted["logit"].for_columns(names[:3])


def test_a_pool_gives_weight_to_the_member_that_knows_and_none_to_noise():
    generator = np.random.default_rng(5)
    truth = generator.normal(0.0, 0.7, size=(20000, 3))
    p = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    y = drawn(p, 6)
    noise = generator.normal(0.0, 0.7, size=truth.shape)
    found = fitted_weights(np.stack([centred(2.0 * truth), centred(noise)]), y)
    # The first shouts twice too loud: its weight is one half.
    assert found == pytest.approx([0.5, 0.0], abs=0.03)
    assert (found >= 0.0).all()


def test_a_pool_multiplies_what_its_members_say(fitted, plain):
    x, pool = plain[0], fitted["pool"]
    own = pool._own(x)
    powers = [member.predict_proba(own) ** w for w, member in zip(pool._weights, pool._members, strict=True)]
    product = np.prod(powers, axis=0)
    assert pool.predict_proba(x) == pytest.approx(product / product.sum(axis=1, keepdims=True), abs=1e-9)


@pytest.mark.parametrize("members", [{}, {"market_aware": {}}, {"pool": {}}])
def test_a_pool_of_nothing_or_of_what_it_may_not_hold_is_refused(plain, members):
    x, y, names = plain
    with pytest.raises(ValueError, match="a pool is made of"):
        create("pool", {"later": 0.2, "members": members}, seed=0).fit(x, y, names=names)


def test_patterns_name_columns_and_one_that_names_none_is_refused():
    names = ("elo_home", "elo_away", "form_all_3_points_home")
    assert chosen(names, {"columns": ["elo_*", "form_*"], "leave_out": ["*_away"]}) == [
        "elo_home",
        "form_all_3_points_home",
    ]
    with pytest.raises(ValueError, match="stars"):
        chosen(names, {"columns": ["elo_*", "stars_*"]})


def test_an_unknown_estimator_is_refused():
    with pytest.raises(ValueError, match="oracle"):
        create("oracle", {}, seed=0)


@pytest.mark.parametrize("content", ["", "{}", '{"format": 99}', '{"format": 2, "kind": "stars"}'])
def test_a_folder_that_holds_no_estimator_is_refused(tmp_path, content):
    with pytest.raises(ModelFormatError):
        load(tmp_path)
    (tmp_path / "estimator.json").write_text(content)
    with pytest.raises(ModelFormatError):
        load(tmp_path)


def test_a_coefficient_varies_with_another_column(plain):
    x, _, names = plain
    columns = ("elo_diff", "level")
    league = x[:, [names.index(name) for name in columns]]
    league = league[league[:, 1] > 0]
    # Where the level is 2 the rating says three times as much as where it is 1.
    slope = np.where(league[:, 1] == 2, 3.0, 1.0) * (league[:, 0] - league[:, 0].mean()) / league[:, 0].std()
    p = np.exp(np.column_stack((slope, np.zeros_like(slope), -slope)))
    p /= p.sum(axis=1, keepdims=True)
    y = drawn(np.repeat(p, 60, axis=0), 3)
    section = {"columns": list(columns), "l2": 1e-6, "products": {"columns": ["elo_diff"], "with": ["level"]}}
    found = create("logit", section, seed=0).fit(np.repeat(league, 60, axis=0), y, names=columns)
    assert np.abs(found.predict_proba(league) - p).max() < 0.05
    plainly = create("logit", section | {"products": None}, seed=0).fit(np.repeat(league, 60, axis=0), y, names=columns)
    assert np.abs(plainly.predict_proba(league) - p).max() > 0.1
    parts = found.parts(league, str)
    assert set(parts) == {"elo_diff", "level", "baseline"}
    assert sum(parts.values()) == pytest.approx(found.scores(league), abs=1e-9)


def test_a_product_of_a_column_that_the_logit_does_not_use_is_refused(plain, params):
    x, y, names = plain
    section = params["train"]["smoke"]["logit"] | {"products": {"columns": ["elo_dif"], "with": ["level"]}}
    with pytest.raises(ValueError, match="no column is called"):
        create("logit", section, seed=0).fit(x, y, names=names)
