"""Every stage in one process: what it reads, what it writes, and that nothing flows against time."""

from __future__ import annotations

import os
import shutil
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import log_loss

from apps.ml.forecasting.estimators import REGISTRY, Estimator, MarketInputError, logit
from apps.ml.forecasting.estimators.base import MARKET_PREFIXES
from apps.ml.forecasting.estimators.calibration import centred
from apps.ml.forecasting.estimators.pool import fitted_weights
from apps.ml.forecasting.features import FAMILIES, FeatureState, build_features
from apps.ml.forecasting.features.schema import LINEUPS, ODDS
from apps.ml.forecasting.prices import before_the_match, with_prices
from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import (
    calibrate,
    columns,
    comparison,
    evaluate,
    featurize,
    files,
    finished_steps,
    preprocess,
    report,
    split,
    train,
)
from apps.ml.pipeline.columns import KEYS, RAW
from apps.ml.pipeline.featurize import MARKET
from tests.pure.pipeline.small_world import AS_OF, small_params, write_export
from tests.shared import made_once

HOUR = pd.Timedelta(hours=1)


def outs(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_finished_match_is_forecast_an_hour_before_kickoff_and_a_dated_one_at_the_start_of_its_day(built, frame):
    finished = pd.read_parquet(built / files.FINISHED)
    timed = finished[finished["kickoff_precision"] == "minute"]
    dated = finished[finished["kickoff_precision"] == "date"]
    assert (timed["kickoff_at"] - timed["as_of"] == HOUR).all()
    assert (dated["kickoff_at"] == dated["as_of"]).all()
    assert (dated["as_of"].dt.hour == 0).all()
    assert set(finished["match_id"]) == set(frame.loc[frame["status"] == "finished", "match_id"])


def test_fixtures_are_those_after_the_export_and_none_is_forecast_before_it(built, frame):
    upcoming = pd.read_parquet(built / files.UPCOMING)
    assert len(upcoming) == (frame["kickoff_at"] >= AS_OF).sum() > 10
    assert (upcoming["as_of"] >= AS_OF).all()
    assert (upcoming["as_of"] <= upcoming["kickoff_at"]).all()
    assert upcoming[["home_goals", "away_goals", "known_at"]].isna().all().all()


def test_a_match_under_way_at_the_export_is_neither_finished_nor_upcoming(built, frame):
    under_way = set(frame.loc[frame["status"] == "unknown", "match_id"])
    seen = set(pd.read_parquet(built / files.FEATURES)["match_id"])
    assert under_way
    assert not under_way & seen


def test_a_called_off_fixture_is_not_forecast(tmp_path, frame):
    changed = frame.copy()
    off = changed.index[changed["status"] == "scheduled"][:2]
    changed.loc[off[0], "status"], changed.loc[off[1], "status"] = "postponed", "cancelled"
    root = write_export(tmp_path, changed)
    preprocess.main(root)
    assert not set(changed.loc[off, "match_id"]) & set(pd.read_parquet(root / files.UPCOMING)["match_id"])


def test_the_feature_file_holds_what_the_mathematics_gives_in_32_bits(built):
    table = pd.read_parquet(built / files.FEATURES)
    described = pd.concat([pd.read_parquet(built / path) for path in (files.FINISHED, files.UPCOMING)])
    values, names = build_features(
        pd.read_parquet(built / files.MATCHES),
        described,
        params=files.read_params(built)["features"],
        families=[family for family in FAMILIES if family not in MARKET],
        lineups=pd.read_parquet(built / files.LINEUPS),
    )
    assert table["match_id"].tolist() == described["match_id"].tolist()
    np.testing.assert_array_equal(table[list(names)].to_numpy(), values.astype(np.float32))


def test_the_outcome_is_0_for_home_1_for_draw_2_for_away(built):
    table = pd.read_parquet(built / files.FEATURES).set_index("match_id")["outcome"]
    finished = pd.read_parquet(built / files.FINISHED)
    margin = (finished["home_goals"] - finished["away_goals"]).to_numpy()
    expected = np.where(margin > 0, 0, np.where(margin == 0, 1, 2))
    assert (table.loc[finished["match_id"]].to_numpy() == expected).all()
    assert table.loc[pd.read_parquet(built / files.UPCOMING)["match_id"]].isna().all()


def test_the_kept_state_describes_a_fixture_as_the_feature_file_does(built):
    upcoming = pd.read_parquet(built / files.UPCOMING)
    state = FeatureState.from_bytes((built / files.STATE).read_bytes())
    state.schedule(pd.read_parquet(built / files.MATCHES))
    table = pd.read_parquet(built / files.FEATURES).set_index("match_id").loc[upcoming["match_id"]]
    online = state.describe(upcoming, lineups=pd.read_parquet(built / files.LINEUPS)).astype(np.float32)
    np.testing.assert_array_equal(table[list(state.names)].to_numpy(), online)


def test_the_catalogue_has_a_row_for_every_column(built):
    plain, priced = (
        [name for name in pd.read_parquet(built / path) if name not in KEYS.names]
        for path in (files.FEATURES, files.PRICES)
    )
    assert [row["name"] for row in files.read_catalogue(built)] == plain
    assert [row["name"] for row in files.read_catalogue(built, with_prices=True)] == [*plain, *priced]


def test_a_column_that_is_made_of_prices_is_marked_with_the_inputs_of_the_models_that_may_see_it(built):
    marks = {row["name"]: row["inputs"] for row in files.read_catalogue(built, with_prices=True)}
    labelled = {kind.inputs for kind in REGISTRY.values() if kind.uses_market}
    assert {mark for name, mark in marks.items() if name.startswith(MARKET_PREFIXES)} == labelled
    assert {mark for name, mark in marks.items() if not name.startswith(MARKET_PREFIXES)} == {Estimator.inputs}
    assert (marks["odds_home"], marks["price_seen_home"]) == ("prices before the match", "prices of earlier matches")


def test_a_poisoned_future_leaves_the_features_of_the_past_as_they_were(built, frame, tmp_path):
    cut = pd.Timestamp("2023-02-01", tz="UTC")
    poisoned = frame.copy()
    later = (poisoned["known_at"] >= cut) & (poisoned["status"] == "finished")
    poisoned.loc[later, "home_goals"] += 7
    root = write_export(tmp_path, poisoned)
    preprocess.main(root)
    featurize.main(root)
    before, after = (pd.read_parquet(path / files.FEATURES) for path in (built, root))
    past = before["as_of"] < cut
    names = [name for name in before if name not in KEYS.names]
    pd.testing.assert_frame_equal(before.loc[past, names], after.loc[past, names], check_exact=True)
    assert not before.loc[~past, names].equals(after.loc[~past, names])


def test_an_export_without_line_ups_passes_every_stage_and_says_nothing_of_them(frame, tmp_path):
    root = write_export(tmp_path, frame)
    files.write_table(root / files.LINEUPS, LINEUPS.empty_table())
    preprocess.main(root)
    featurize.main(root)
    table = pd.read_parquet(root / files.FEATURES).filter(like="lineup_")
    told = table.filter(like="coverage")
    assert (told == 0.0).all().all()
    assert table.drop(columns=told.columns).isna().all().all()


def test_a_step_trains_on_nothing_that_was_unknown_when_it_began(built):
    keys = train.Matrix.read(built, [], files.FEATURES).keys
    plan = files.read_json(built / files.FOLDS)["folds"]
    assert [step["purpose"] for step in plan] == ["calibrate", "test", "test"]
    seen: set[int] = set()
    for step in plan:
        start = datetime.fromisoformat(step["start"])
        learnt = split.training_rows(keys, datetime.fromisoformat(step["train_from"]), start)
        asked = split.test_rows(keys, step)
        assert (learnt["known_at"] < start).all()
        assert (asked["as_of"] >= start).all()
        assert (len(learnt), len(asked)) == (step["train_rows"], step["test_rows"])
        assert not seen & set(asked["match_id"])
        seen |= set(asked["match_id"])


def test_a_step_that_is_too_short_is_joined_to_the_one_before(frame):
    finished = frame[frame["status"] == "finished"].assign(as_of=lambda rows: rows["kickoff_at"] - HOUR)
    section = {"refit_month": 7, "refit_day": 1, "warm_up_days": 300, "train_days": 5000, "enough_tested": {}}
    params = {"split": section | {"least_rows": 200, "test_refits": 9, "calibrate_refits": 0}}
    # The fifth season has 260 rows before AS_OF; cut off in October it has fewer than a step needs.
    short = finished[finished["kickoff_at"] < "2023-10-15"]
    assert split.folds(finished, params)[-1]["start"].startswith("2023-07-01")
    joined = split.folds(short, params)[-1]
    assert joined["start"].startswith("2022-07-01")
    assert joined["end"] is None
    assert joined["test_rows"] > 270


def test_a_profile_that_tests_little_tests_as_few_steps_as_hold_enough(built):
    finished = pd.read_parquet(built / files.FINISHED)
    section = files.read_params(built)["split"]
    plan = split.folds(finished, {"split": section}, "smoke")
    assert [step["purpose"] for step in plan] == ["calibrate", "test", "test"]
    latest = plan[-1]["test_rows"]
    for enough, steps in ((latest, 1), (latest + 1, 2), (10**9, 2)):
        few = split.folds(finished, {"split": section | {"enough_tested": {"smoke": enough}}}, "smoke")
        assert sum(step["purpose"] == "test" for step in few) == steps
        assert few[-1]["start"] == plan[-1]["start"]


def test_a_history_of_one_season_is_refused_with_what_is_missing(frame):
    season = frame[frame["season_id"] == 1].assign(as_of=lambda rows: rows["kickoff_at"])
    section = {
        "refit_month": 7,
        "refit_day": 1,
        "warm_up_days": 30,
        "train_days": 50,
        "enough_tested": {},
        "least_rows": 200,
        "test_refits": 1,
        "calibrate_refits": 0,
    }
    with pytest.raises(split.TooLittleHistoryError, match="90 finished matches since 2019-08-03 are too few"):
        split.folds(season, {"split": section})


def test_every_model_forecasts_the_same_matches_out_of_sample(built):
    table = pd.read_parquet(built / files.OUT_OF_SAMPLE)
    by_model = {name: rows["match_id"].tolist() for name, rows in table.groupby("model", observed=True)}
    assert set(by_model) == set(REGISTRY)
    assert len({tuple(ids) for ids in by_model.values()}) == 1
    assert np.allclose(table[["p_home", "p_draw", "p_away"]].sum(axis=1), 1.0, atol=1e-9)


@pytest.fixture
def steps(built) -> tuple[pd.DataFrame, dict[int, datetime]]:
    """Out-of-sample forecasts of one model, and when each step began."""
    rows = pd.read_parquet(built / files.OUT_OF_SAMPLE)
    plan = files.read_json(built / files.FOLDS)["folds"]
    starts = {step["number"]: datetime.fromisoformat(step["start"]) for step in plan}
    return rows[rows["model"] == "elo_logit"].reset_index(drop=True), starts


def test_calibration_of_a_step_looks_at_earlier_steps_alone(steps):
    rows, starts = steps
    section = {"methods": ["vector"], "folds": 3, "least_past": 100, "isotonic_from": 20000}
    before = calibrate.calibrated_steps(rows, section, starts)
    poisoned = rows.copy()
    latest = poisoned["fold"] == poisoned["fold"].max()
    poisoned.loc[latest, "outcome"] = 2
    np.testing.assert_array_equal(before, calibrate.calibrated_steps(poisoned, section, starts))
    np.testing.assert_array_equal(before[rows["fold"] == 0], rows.loc[rows["fold"] == 0, RAW])
    assert not np.array_equal(before[rows["fold"] == 1], rows.loc[rows["fold"] == 1, RAW])


def test_calibration_of_a_step_does_not_know_a_match_that_ended_after_it_began(steps):
    rows, starts = steps
    section = {"methods": ["vector"], "folds": 3, "least_past": 100, "isotonic_from": 20000}
    crossing = rows.index[rows["fold"] == 0][-20:]
    late = rows.copy()
    late.loc[crossing, "known_at"] = pd.Timestamp(starts[1]) + HOUR
    before = calibrate.calibrated_steps(late, section, starts)
    late.loc[crossing, "outcome"] = 2
    poisoned = calibrate.calibrated_steps(late, section, starts)
    np.testing.assert_array_equal(before[rows["fold"] == 1], poisoned[rows["fold"] == 1])
    assert not np.array_equal(before[rows["fold"] == 2], poisoned[rows["fold"] == 2])


def test_few_past_forecasts_calibrate_nothing(steps):
    rows, starts = steps
    section = {"methods": ["vector"], "folds": 3, "least_past": 3000, "isotonic_from": 20000}
    found = calibrate.calibrated_steps(rows, section, starts)
    np.testing.assert_array_equal(found, rows[RAW].to_numpy())


@pytest.fixture
def lines(built, steps):
    """What intervals are fitted from: forecasts, their closing lines, and the features of their matches."""
    rows, _ = steps
    return rows[RAW].to_numpy(), calibrate.closing_lines(built, rows), calibrate.known_of(built, rows)


def test_intervals_of_a_step_look_at_earlier_steps_alone(steps, lines):
    rows, starts = steps
    p, line, known = lines
    section = small_params()["calibrate"]["intervals"]
    before = calibrate.intervals_of_steps(rows, p, line, known, section, starts)
    latest = (rows["fold"] == rows["fold"].max()).to_numpy()
    poisoned = np.where(latest[:, None], 1.0 / 3.0, line)
    np.testing.assert_array_equal(before, calibrate.intervals_of_steps(rows, p, poisoned, known, section, starts))
    first = (rows["fold"] == 0).to_numpy()
    assert np.isnan(before[first]).all()
    assert np.isfinite(before[~first]).all()
    assert (before[~first, :, 0] <= p[~first] + 1e-12).all()
    assert (before[~first, :, 1] >= p[~first] - 1e-12).all()


def test_intervals_of_a_step_do_not_know_a_line_of_a_match_that_ended_after_it_began(steps, lines):
    rows, starts = steps
    p, line, known = lines
    section = small_params()["calibrate"]["intervals"]
    late = rows.copy()
    crossing = rows.index[rows["fold"] == 0][-60:]
    late.loc[crossing, "known_at"] = pd.Timestamp(starts[1]) + HOUR
    before = calibrate.intervals_of_steps(late, p, line, known, section, starts)
    poisoned = line.copy()
    poisoned[crossing] = [0.9, 0.06, 0.04]
    after = calibrate.intervals_of_steps(late, p, poisoned, known, section, starts)
    np.testing.assert_array_equal(before[rows["fold"] == 1], after[rows["fold"] == 1])
    assert not np.array_equal(before[rows["fold"] == 2], after[rows["fold"] == 2])


def test_steps_with_few_lines_take_earlier_ones_with_them(steps, lines):
    rows, _ = steps
    fold, everything = rows["fold"].to_numpy(), np.ones(len(rows), dtype=bool)
    p, line, known = lines
    line = line.copy()
    line[np.flatnonzero((fold == fold.max()) & np.isfinite(line[:, 0]))[20:]] = np.nan
    count = np.bincount(fold[np.isfinite(line[:, 0])])
    section = small_params()["calibrate"]["intervals"] | {"limit_steps": 1}
    for least, expected in ((20, count[-1]), (21, count[-2:].sum()), (count.sum(), count.sum())):
        found = calibrate.fit_to_steps(fold, p, line, known, everything, section | {"least_past": int(least)})
        assert found.n == expected
    assert (
        calibrate.fit_to_steps(fold, p, line, known, everything, section | {"least_past": int(count.sum()) + 1}) is None
    )


def test_few_lines_give_no_intervals(steps, lines):
    rows, starts = steps
    section = small_params()["calibrate"]["intervals"] | {"least_past": 10_000}
    assert np.isnan(calibrate.intervals_of_steps(rows, *lines, section, starts)).all()


def test_the_coverage_of_the_intervals_is_that_of_the_stored_ends(built):
    metrics, breakdown = files.read_json(built / files.METRICS), files.read_json(built / files.BREAKDOWN)
    rows = pd.read_parquet(built / files.CALIBRATED)
    tested = [step["number"] for step in files.read_json(built / files.FOLDS)["folds"] if step["purpose"] == "test"]
    rows = rows[(rows["model"] == metrics["best"]) & rows["fold"].isin(tested)]
    line = calibrate.closing_lines(built, rows)
    inside = (rows["low_draw"].to_numpy() <= line[:, 1]) & (line[:, 1] <= rows["high_draw"].to_numpy())
    quoted = np.isfinite(line[:, 1])
    found = metrics["intervals"]
    assert found["n"] == quoted.sum() > 0
    assert found["covered"]["draw"] == pytest.approx(inside[quoted].mean())
    assert found["width"]["draw"] == pytest.approx((rows["high_draw"] - rows["low_draw"])[quoted].mean())
    for groups in breakdown["intervals"].values():
        assert sum(group["n"] for group in groups) == found["n"]


def test_another_process_in_another_folder_gives_the_same_bytes_of_every_file(built, again):
    first, second = outs(built), outs(again / "workspace")
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert any(name.endswith(".ubj") for name in first)


def test_the_served_files_and_the_kept_forecasts_of_both_are_the_same_bytes(built, again):
    best = files.read_json(built / files.METRICS)["best"]
    assert packed(built, best) == packed(again / "workspace", best)
    assert comparison.stored_forecasts(built, best) == comparison.stored_forecasts(again / "workspace", best)


def packed(root: Path, model: str) -> bytes:
    catalogue = files.read_catalogue(root)
    names = tuple(row["name"] for row in catalogue)
    about = files.read_json(root / files.TRAINED / files.ABOUT)
    return bundles.pack(
        manifest=bundles.Manifest(
            world="sandbox",
            estimator=model,
            inputs="no odds",
            profile="smoke",
            as_of=files.RawManifest.read(root).as_of,
            data_snapshot=7,
            rows=about["rows"],
            trained_from=date.fromisoformat(about["from"]),
            trained_to=date.fromisoformat(about["to"]),
            names=names,
            params=files.read_params(root),
            sources_sha256="0" * 64,
            data_sha256=files.sha256(root / files.MATCHES, root / files.ODDS),
            catalogue_sha256=files.json_sha256(files.read_catalogue(root, with_prices=True)),
        ),
        model=root / files.MODEL / model,
        state=(root / files.STATE).read_bytes(),
        catalogue=catalogue,
        golden=pd.read_parquet(root / files.FEATURES)[list(names)].to_numpy(dtype=np.float64)[-5:],
    )


def test_nothing_that_a_run_writes_is_pickled(built):
    assert [name for name, content in outs(built).items() if content[:2] in (b"\x80\x04", b"\x80\x05")] == []
    assert {Path(name).suffix for name in outs(built)} <= {
        ".parquet",
        ".npz",
        ".json",
        ".yaml",
        ".bin",
        ".npy",
        ".ubj",
        ".svg",
        ".html",
    }


@pytest.fixture(scope="session")
def stopped_workspace(built, tmp_path_factory):
    """A workspace whose training was stopped in its last fit; tests do not write into it."""

    def make(root: Path) -> None:
        shutil.copytree(built, root, dirs_exist_ok=True)
        shutil.rmtree(root / files.TRAINED)
        (root / files.OUT_OF_SAMPLE).unlink()
        fit_step, last = train.fit_step, len(files.read_json(root / files.FOLDS)["folds"])

        def interrupted(step, *more):
            if step.number == last:
                raise KeyboardInterrupt
            return fit_step(step, *more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train, "fit_step", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train.main(root)

    return made_once("stopped", tmp_path_factory, make)


@pytest.fixture
def stopped(copy, stopped_workspace, monkeypatch):
    """Leave the stopped training in the folder `copy`; returns the numbers of the steps fitted later."""
    fit_step, fitted_since = train.fit_step, []

    def noted(step, *more):
        fitted_since.append(step.number)
        return fit_step(step, *more)

    shutil.rmtree(copy)
    shutil.copytree(stopped_workspace, copy)
    monkeypatch.setattr(train, "fit_step", noted)
    return fitted_since


def test_a_training_that_was_stopped_fits_no_finished_step_again_and_ends_in_equal_bytes(built, copy, stopped, capsys):
    train.main(copy)
    last = len(files.read_json(copy / files.FOLDS)["folds"])
    assert last > 1
    assert stopped == [last]
    assert "before the stage was interrupted" in capsys.readouterr().out
    for path in (files.TRAINED, files.OUT_OF_SAMPLE):
        places = sorted((built / path).rglob("*")) if (built / path).is_dir() else [built / path]
        for place in places:
            if place.is_file():
                assert (copy / place.relative_to(built)).read_bytes() == place.read_bytes(), place
    assert not any((copy / finished_steps.FOLDER).iterdir()), "nothing is kept of a stage that is done"


@pytest.mark.parametrize("what", ["data", "parameters", "a torn file"])
def test_a_step_of_other_data_or_parameters_is_fitted_anew(copy, stopped, what):
    if what == "data":
        table = pd.read_parquet(copy / files.FEATURES)
        names = tuple(name for name in table if name not in KEYS.names)
        files.write_frame(copy / files.FEATURES, table.assign(elo_diff=table["elo_diff"] + 1), columns.features(names))
    elif what == "parameters":
        params = files.read_params(copy)
        params["train"]["seed"] += 1
        files.write_text(copy / files.PARAMS, yaml.safe_dump(params))
    else:
        for path in (copy / finished_steps.FOLDER).rglob("*.npz"):
            path.write_bytes(path.read_bytes()[:100])
    train.main(copy)
    assert stopped == list(range(len(files.read_json(copy / files.FOLDS)["folds"]) + 1))


def test_steps_of_the_latest_stopped_stages_alone_are_kept(tmp_path):
    for number in range(2 * finished_steps.KEYS_KEPT):
        finished_steps.FinishedSteps(tmp_path, f"key-{number}")
        os.utime(tmp_path / finished_steps.FOLDER / f"key-{number}", (number, number))
    kept = {path.name for path in (tmp_path / finished_steps.FOLDER).iterdir()}
    assert len(kept) == finished_steps.KEYS_KEPT
    assert f"key-{2 * finished_steps.KEYS_KEPT - 1}" in kept


def test_a_pool_of_other_members_than_those_that_are_fitted_is_refused(built, tmp_path):
    root = Path(shutil.copytree(built, tmp_path / "root"))
    params = files.read_params(root)
    params["train"]["smoke"]["logit"] = {**params["train"]["smoke"]["logit"], "l2": 2.0}
    files.write_text(root / files.PARAMS, yaml.safe_dump(params))
    with pytest.raises(ValueError, match=r"pool\.members\.logit differs from train\.logit of the profile"):
        train.main(root)


def test_the_members_of_the_pool_are_the_models_of_the_same_step(built):
    rows = pd.read_parquet(built / files.OUT_OF_SAMPLE)
    weights = files.read_json(built / files.TRAINED / "pool" / "estimator.json")["state"]["weights"]
    members = list(files.read_params(built)["train"]["smoke"]["pool"]["members"])
    by_model = {name: rows[rows["model"] == name] for name in (*members, "pool")}
    past = np.stack([by_model[name][RAW].to_numpy() for name in members])
    y = by_model["pool"]["outcome"].to_numpy(dtype=np.int64)
    # The served pool is weighed by everything that its members forecast without having seen.
    assert weights == pytest.approx(fitted_weights(centred(np.log(past)), y), abs=1e-6)
    first = (by_model["pool"]["fold"] == 0).to_numpy()
    mean = np.exp(np.log(past[:, first]).mean(axis=0))
    alike = mean / mean.sum(axis=1, keepdims=True)
    assert by_model["pool"].loc[first, RAW].to_numpy() == pytest.approx(alike, abs=1e-9)


def test_a_logit_that_several_models_are_made_of_is_fitted_once_a_step(copy, monkeypatch):
    fits, newton = [], logit.newton

    def counted(X, *more, **named):
        fits.append(len(X))
        return newton(X, *more, **named)

    monkeypatch.setattr(logit, "newton", counted)
    train.main(copy)
    # By Elo, without prices, with prices of earlier matches, with few of these columns, with the line before the match.
    assert len(fits) == 5 * (len(files.read_json(copy / files.FOLDS)["folds"]) + 1)


def test_the_metrics_are_those_of_an_independent_implementation(built):
    metrics = files.read_json(built / files.METRICS)
    table = pd.read_parquet(built / files.CALIBRATED)
    tested = [step["number"] for step in files.read_json(built / files.FOLDS)["folds"] if step["purpose"] == "test"]
    rows = table[(table["model"] == "dixon_coles") & table["fold"].isin(tested)]
    p = rows[["calibrated_home", "calibrated_draw", "calibrated_away"]].to_numpy()
    assert metrics["models"]["dixon_coles"]["n"] == len(rows) == metrics["test"]["n"]
    assert metrics["models"]["dixon_coles"]["log_loss"] == pytest.approx(
        log_loss(rows["outcome"].astype(int), p, labels=[0, 1, 2]), abs=1e-12
    )
    plain = [name for name in metrics["models"] if not REGISTRY[name].uses_market]
    assert metrics["best"] == min(plain, key=lambda name: metrics["models"][name]["log_loss"])
    assert metrics["inputs"]["market_aware"] == "prices before the match"
    assert "market_aware · prices before the match" in (built / files.REPORT).read_text()
    assert metrics["models"]["market_aware"]["log_loss"] < metrics["models"][metrics["best"]]["log_loss"]


def test_nothing_made_of_prices_is_in_the_features_or_the_served_state(built):
    columns_of_features = pd.read_parquet(built / files.FEATURES).columns
    state = FeatureState.from_bytes((built / files.STATE).read_bytes())
    priced = [name for name in (*columns_of_features, *state.names) if name.startswith(MARKET_PREFIXES)]
    assert priced == []
    prices = [name for name in pd.read_parquet(built / files.PRICES) if name not in KEYS.names]
    assert all(name.startswith(MARKET_PREFIXES) for name in prices)


def test_a_column_of_odds_among_the_features_stops_the_training(copy):
    table = pd.read_parquet(copy / files.FEATURES)
    prices = pd.read_parquet(copy / files.PRICES)
    names = [name for name in table if name not in KEYS.names]
    shifted = table.assign(odds_home=prices["odds_home"].astype(np.float32))
    files.write_frame(copy / files.FEATURES, shifted, columns.features((*names, "odds_home")))
    with pytest.raises(MarketInputError, match="odds_home"):
        train.main(copy)


def test_a_result_that_leaks_into_a_rating_is_refused_by_the_gate(copy):
    params = files.read_params(copy)
    params["gates"]["least_gap_matches"] = 200
    files.write_text(copy / files.PARAMS, yaml.safe_dump(params))
    table = pd.read_parquet(copy / files.FEATURES)
    names = tuple(name for name in table if name not in KEYS.names)
    told = (1.0 - table["outcome"].astype("float32").fillna(1.0)) * 60.0
    files.write_frame(copy / files.FEATURES, table.assign(elo_diff=table["elo_diff"] + told), columns.features(names))
    for stage in (train, calibrate, evaluate):
        stage.main(copy)
    refused = [gate for gate in files.read_json(copy / files.METRICS)["gates"] if not gate["passed"]]
    assert "no better than possible" in {gate["name"] for gate in refused}


def test_the_gate_takes_the_first_closing_line_that_is_quoted_often_enough(copy):
    params = files.read_params(copy)
    models = evaluate.test_forecasts(copy)
    odds = files.read_frame(copy / files.ODDS)
    ids = models["elo_logit"]["match_id"]
    closing = odds[(odds["bookmaker"] == "PS") & (odds["moment"] == "closing") & odds["match_id"].isin(ids)]
    # Pinnacle quotes three matches, as in a year that it left; the average goes on.
    changed = pd.concat([closing.head(3), closing.assign(bookmaker="Avg")])
    found = evaluate.closing_line([], models, "elo_logit", changed, params["evaluate"], 200)
    assert (found["name"], found["n"]) == ("average closing line", len(closing))
    assert evaluate.closing_line([], models, "elo_logit", closing, params["evaluate"], 200)["bookmaker"] == "PS"
    assert evaluate.closing_line([], models, "elo_logit", closing.head(3), params["evaluate"], 200) is None


def test_a_world_without_prices_is_trained_without_the_models_that_look_at_them(copy, capsys):
    files.write_table(copy / files.ODDS, ODDS.empty_table())
    shutil.rmtree(copy / files.TRAINED)
    shutil.rmtree(copy / files.MODEL)
    for stage in (featurize, train, calibrate, evaluate):
        stage.main(copy)
    labelled = {name for name, kind in REGISTRY.items() if kind.uses_market}
    sections = files.read_params(copy)["train"]["smoke"]
    models = set(files.read_json(copy / files.METRICS)["models"])
    assert models == set(sections) - labelled
    assert {path.name for path in (copy / files.MODEL).iterdir()} == models
    assert "market_aware: no match has a line to learn from" in capsys.readouterr().out


def test_the_line_before_a_match_is_the_mean_of_those_quoted_and_the_one_left_behind_the_first(frame):
    matches = frame[frame["status"] == "finished"].head(3)[["match_id"]]
    first, second, _ = matches["match_id"]
    odds = pd.DataFrame(
        [
            (first, "A", "opening", 2.0, 4.0, 4.0),
            (first, "B", "opening", 4.0, 4.0, 2.0),
            (second, "B", "closing", 2, 4, 4),
        ],
        columns=["match_id", "bookmaker", "moment", "home", "draw", "away"],
    )
    section = {
        "devig": "power",
        "before": [["A", "opening"], ["B", "opening"]],
        "lines": [["A", "closing"], ["B", "closing"]],
    }
    before = before_the_match(matches, odds, section)
    # Log-odds of home against away: ln 2 and -ln 2; of the draw: 0 and -ln 2.
    assert before.iloc[0].tolist() == pytest.approx([0.0, -np.log(2.0) / 2.0])
    assert before.iloc[1:].isna().all().all()
    left = with_prices(matches, odds, section)
    assert left.iloc[1][["price_home", "price_draw", "price_away"]].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert left.iloc[[0, 2]]["price_home"].isna().all()


def test_market_and_models_are_scored_on_the_same_matches(built, frame):
    metrics = files.read_json(built / files.METRICS)
    closing, average = metrics["benchmarks"]
    assert closing["name"] == "closing line of Pinnacle"
    assert average["n"] == metrics["test"]["n"]
    assert {scores["n"] for scores in closing["models"].values()} == {closing["n"]} == {closing["scores"]["n"]}
    gap = closing["models"][metrics["best"]]["log_loss"] - closing["scores"]["log_loss"]
    assert closing["gap"]["log_loss"]["mean"] == pytest.approx(gap, abs=1e-12)


def test_the_distance_to_the_truth_is_measured_where_the_truth_is_known(built, frame):
    metrics = files.read_json(built / files.METRICS)
    truth = metrics["truth"]
    assert truth["n"] == metrics["test"]["n"]
    rows = pd.read_parquet(built / files.CALIBRATED)
    rows = rows[(rows["model"] == metrics["best"]) & (rows["fold"] > 0)].set_index("match_id")
    chance = frame.set_index("match_id").loc[rows.index, "chance"]
    p = rows[["calibrated_home", "calibrated_draw", "calibrated_away"]].to_numpy()
    q = np.stack(chance.to_numpy())
    assert truth["mean_kl"] == pytest.approx(float((q * np.log(q / p)).sum(axis=1).mean()), rel=1e-6)
    assert truth["scores"]["log_loss"] == pytest.approx(
        float(-np.log(q[np.arange(len(q)), rows["outcome"].astype(int)]).mean()), rel=1e-6
    )


def test_a_world_without_prices_is_evaluated_all_the_same(copy):
    odds = pd.read_parquet(copy / files.ODDS)
    odds.iloc[:0].to_parquet(copy / files.ODDS)
    evaluate.main(copy)
    report.main(copy)
    metrics = files.read_json(copy / files.METRICS)
    assert metrics["benchmarks"] == []
    assert metrics["truth"] is None
    assert {row["quoted_line_rps"] for row in metrics["competitions"]} == {None}
    assert files.read_json(copy / files.BREAKDOWN)["together"] is None
    page = (copy / files.REPORT).read_text()
    assert "no comparison with the market" in page
    assert "no bet can be simulated" in page


def test_the_report_reports_the_numbers_and_fetches_nothing(built):
    metrics = files.read_json(built / files.METRICS)
    page = (built / files.REPORT).read_text()
    assert f"{metrics['models'][metrics['best']]['log_loss']:.4f}" in page
    assert f"{metrics['test']['n']} matches" in page
    assert "<script" not in page
    assert "src=" not in page
    assert page.count("<svg") == len(list((built / files.PLOTS).iterdir())) == 5
    assert len(page.encode()) < 2_000_000


def test_another_profile_trains_anew_and_another_day_does_not(built, copy):
    shutil.copy(built / files.FOLDS, copy / "before.json")
    manifest = files.RawManifest.read(copy)
    files.RawManifest(manifest.world, manifest.as_of + HOUR.to_pytimedelta(), manifest.profile, 1, 1).write(
        copy / files.MANIFEST
    )
    split.main(copy)
    assert (copy / files.FOLDS).read_bytes() == (copy / "before.json").read_bytes()
    files.RawManifest(manifest.world, manifest.as_of, "production", 1, 1).write(copy / files.MANIFEST)
    split.main(copy)
    assert (copy / files.FOLDS).read_bytes() != (copy / "before.json").read_bytes()


def test_each_competition_is_compared_with_the_closing_line_where_it_is_quoted(built):
    metrics = files.read_json(built / files.METRICS)
    rows = metrics["competitions"]
    closing = metrics["benchmarks"][0]
    assert [row["competition"] for row in rows] == ["league-0", "league-1", "league-2"]
    assert sum(row["n"] for row in rows) == metrics["test"]["n"]
    assert sum(row["quoted_n"] for row in rows) == closing["n"]
    pooled = sum(row["quoted_n"] * row["quoted_line_rps"] for row in rows) / closing["n"]
    assert pooled == pytest.approx(closing["scores"]["rps"], abs=1e-12)
    own = sum(row["quoted_n"] * row["quoted_rps"] for row in rows) / closing["n"]
    assert own == pytest.approx(closing["models"][metrics["best"]]["rps"], abs=1e-12)
