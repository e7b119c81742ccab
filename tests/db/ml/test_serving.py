"""Serving: load, check, swap whole, keep the latest good one."""

from __future__ import annotations

import hashlib
import threading
import time
import traceback
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from apps.matches import selectors as match_selectors
from apps.matches.ingest import ingest
from apps.matches.models import Match, Odds, World
from apps.ml import dataset, selectors, services, serving
from apps.ml.models import FeatureSnapshot, ModelVersion, Promotion
from apps.ml.serving import feature_states, loaded_models, loading, requested_versions


class Clock:
    """Seconds that pass when they are moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def fixture_ids(n: int = 5) -> list[int]:
    return list(Match.objects.filter(status="scheduled").order_by("-kickoff_at", "id").values_list("id", flat=True)[:n])


def test_a_promotion_is_served_within_a_second_without_a_restart(make_version, now):
    clock = Clock()
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    assert serving.current(World.SANDBOX, now=now, clock=clock).version_number == 1
    services.promote(version=make_version(2), user=None, reason="newer", now=now)
    assert serving.current(World.SANDBOX, now=now, clock=clock).version_number == 1
    clock.seconds += 1.0
    assert serving.current(World.SANDBOX, now=now, clock=clock).version_number == 2


def test_a_broken_bundle_leaves_the_latest_good_version_and_says_so(make_version, now):
    clock = Clock()
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    serving.current(World.SANDBOX, now=now, clock=clock)
    services.promote(version=make_version(2, broken=True), user=None, reason="newer", now=now)
    clock.seconds += 1.0
    served = serving.current(World.SANDBOX, now=now, clock=clock)
    assert (served.version_number, served.degraded) == (1, "latest good version")


def test_a_fresh_process_falls_back_to_the_latest_good_version(make_version, now):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    services.promote(version=make_version(2, broken=True), user=None, reason="newer", now=now)
    served = serving.current(World.SANDBOX, now=now)
    assert (served.version_number, served.degraded) == (1, "latest good version")


def test_a_degraded_process_publishes_nothing_until_a_rollback_to_the_good_version(make_version, now):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    services.promote(version=make_version(2, broken=True), user=None, reason="newer", now=now)
    assert services.predict_due(now=now).published == {}
    assert serving.current(World.SANDBOX, now=now, may_rebuild=True).degraded
    services.rollback(world=World.SANDBOX, user=None, reason="cannot be loaded", now=now)
    assert serving.current(World.SANDBOX, now=now, may_rebuild=True).degraded == ""
    assert services.predict_due(now=now).published["sandbox"] > 100


def test_a_damaged_folder_of_a_bundle_is_unpacked_again(make_version, now, settings):
    version = make_version(1)
    services.promote(version=version, user=None, reason="first", now=now)
    serving.current(World.SANDBOX, now=now)
    serving.forget()
    (settings.SPAI_VAR_DIR / "bundles" / version.bundle_sha256 / "state.bin").write_bytes(b"broken")
    assert serving.current(World.SANDBOX, now=now).version_number == 1


def test_a_state_that_stops_before_its_own_snapshot_observes_what_was_known(make_version, now):
    version = make_version(1, until=now - timedelta(days=20))
    services.promote(version=version, user=None, reason="an old day", now=now)
    served = serving.current(World.SANDBOX, now=now)
    assert served.data_snapshot == version.data_snapshot
    assert served.state.observed_until > now - timedelta(hours=1)


def test_the_state_moves_on_by_observing_and_equals_one_built_again(make_version, world, now):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    before = serving.current(World.SANDBOX, now=now, clock=Clock())
    later = now + timedelta(minutes=20)
    report = ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    clock = Clock()
    clock.seconds += 10
    moved = serving.current(World.SANDBOX, now=later, clock=clock)
    assert (before.data_snapshot, moved.data_snapshot) == (dataset_before(before), report.ingest_id)
    fixtures = dataset.fixtures(fixture_ids())
    serving.forget()
    again, _ = feature_states._rebuilt(moved, now=later)
    again.schedule(
        dataset.schedule(
            World.SANDBOX, start=later - feature_states.SCHEDULE_BACK, until=later + feature_states.SCHEDULE_AHEAD
        )
    )
    asked = fixtures.assign(as_of=later)
    assert moved.state.describe(asked).tobytes() == again.describe(asked).tobytes()


def dataset_before(served):
    return served.bundle.manifest.data_snapshot


def test_a_correction_is_left_to_a_worker_that_builds_the_state_again(make_version, world, now):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    first = serving.current(World.SANDBOX, now=now, clock=Clock())
    wrong = next(
        record
        for record in world.records(now)
        if record.status == "finished" and record.kickoff_at > now - timedelta(hours=1)
    )
    later = now + timedelta(minutes=1)
    report = ingest([replace(wrong, home_goals=8, away_goals=0)], source="sandbox", now=later)
    assert report.changed == 1
    clock = Clock()
    clock.seconds += 10
    web = serving.current(World.SANDBOX, now=later, clock=clock)
    assert web.data_snapshot == first.data_snapshot
    worker = serving.current(World.SANDBOX, now=later, may_rebuild=True)
    assert worker.data_snapshot == report.ingest_id
    assert FeatureSnapshot.objects.get().data_snapshot == report.ingest_id


def test_a_web_process_takes_the_state_that_a_worker_kept(make_version, world, now):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    later = now + timedelta(minutes=20)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    worker = serving.current(World.SANDBOX, now=later, may_rebuild=True)
    serving.forget()
    web = serving.current(World.SANDBOX, now=later)
    assert web.data_snapshot == worker.data_snapshot
    asked = dataset.fixtures(fixture_ids()).assign(as_of=later)
    assert web.state.describe(asked).tobytes() == worker.state.describe(asked).tobytes()


@pytest.mark.parametrize("damage", [{"state": b"broken"}, {"state_sha256": "0" * 64}])
def test_a_damaged_stored_state_is_refused_and_a_worker_stores_a_sound_one(make_version, world, now, damage, caplog):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    later = now + timedelta(minutes=20)
    ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
    worker = serving.current(World.SANDBOX, now=later, may_rebuild=True)
    sound = FeatureSnapshot.objects.get().state_sha256
    FeatureSnapshot.objects.update(**damage)
    asked = dataset.fixtures(fixture_ids()).assign(as_of=later)
    for may_rebuild in (False, True):
        serving.forget()
        served = serving.current(World.SANDBOX, now=later, may_rebuild=may_rebuild)
        assert "is refused: its bytes do not have the sha256" in caplog.text
        assert served.data_snapshot == worker.data_snapshot
        assert served.state.describe(asked).tobytes() == worker.state.describe(asked).tobytes()
    stored = FeatureSnapshot.objects.get()
    assert stored.state_sha256 == hashlib.sha256(bytes(stored.state)).hexdigest() == sound


def test_the_keeper_loads_and_warms_what_is_champion_and_then_requests_only_read(make_version, now):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    assert not serving.is_warm()
    serving.refresh_models(clock=lambda: now, rounds=1)
    assert serving.is_warm()
    assert serving.latest(World.SANDBOX, now=now).version_number == 1
    services.promote(version=make_version(2), user=None, reason="newer", now=now)
    assert serving.latest(World.SANDBOX, now=now).version_number == 1


def test_libraries_and_kernels_are_there_before_the_first_champion_and_no_page_waits_for_them(db, now, monkeypatch):
    ready_before = []
    monkeypatch.setattr(loading, "prepare", lambda: ready_before.append(serving.is_warm()))
    serving.refresh_models(clock=lambda: now, rounds=1)
    assert ready_before == [True]


def test_a_champion_loads_after_its_libraries_and_kernels(make_version, now, monkeypatch):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    ready_before = []
    monkeypatch.setattr(loading, "prepare", lambda: ready_before.append(serving.is_warm()))
    serving.refresh_models(clock=lambda: now, rounds=1)
    assert ready_before[0] is False


def test_a_failed_preparation_loses_neither_the_champion_nor_the_next_one(make_version, now, monkeypatch, caplog):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    serving.current(World.SANDBOX, now=now)
    failures = []

    def fail() -> None:
        failures.append("once")
        if len(failures) == 1:
            services.promote(version=make_version(2), user=None, reason="newer", now=now)
            loaded_models.checked_at.clear()
            raise ImportError("no xgboost")

    monkeypatch.setattr(loading, "prepare", fail)
    serving.refresh_models(clock=lambda: now, rounds=2)
    assert "libraries and kernels cannot be loaded" in caplog.text
    assert "no xgboost" in caplog.text
    assert serving.latest(World.SANDBOX, now=now).version_number == 2


def test_a_champion_whose_libraries_fail_does_not_end_the_keeper(make_version, now, monkeypatch, caplog):
    services.promote(version=make_version(1), user=None, reason="first", now=now)

    def fail() -> None:
        raise ImportError("no xgboost")

    monkeypatch.setattr(loading, "prepare", fail)
    serving.refresh_models(clock=lambda: now, rounds=2)
    assert serving.is_warm()
    assert "the champion of the sandbox world cannot be updated" in caplog.text


@pytest.mark.parametrize("error", [ValueError("no number"), KeyError("no column")])
def test_a_world_whose_champion_cannot_be_updated_stops_no_other(make_version, now, monkeypatch, caplog, error):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    champion_of = selectors.champion

    def champion(world):
        if world == World.REAL:
            raise error
        return champion_of(world)

    monkeypatch.setattr(selectors, "champion", champion)
    serving.refresh_models(clock=lambda: now, rounds=1)
    assert serving.latest(World.SANDBOX, now=now).version_number == 1
    assert "the champion of the real world cannot be updated" in caplog.text


@pytest.mark.parametrize("n", [1, 40])
def test_an_answer_has_a_row_for_each_fixture_asked(make_version, now, n):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    served = serving.current(World.SANDBOX, now=now)
    answer = serving.forecast(served, dataset.fixtures(fixture_ids(n)), now=now)
    assert answer.probabilities.shape == (n, 3)
    assert answer.goals.shape == (n, 2)
    assert len(answer.features_sha256) == n


def test_a_bundle_that_was_trained_on_another_world_is_never_served(make_version, now, caplog):
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    foreign = make_version(2)
    ModelVersion.objects.filter(pk=foreign.pk).update(world=World.REAL)
    Promotion.objects.create(
        world=World.REAL, version=foreign, kind="promote", decided_by="system", reason="by mistake", decided_at=now
    )
    assert serving.current(World.REAL, now=now) is None
    assert "champion 2 of real cannot be served: the bundle was trained on the sandbox world" in caplog.text


def test_a_promotion_that_was_announced_is_looked_at_before_the_second_is_over(make_version, now):
    clock = Clock()
    services.promote(version=make_version(1), user=None, reason="first", now=now)
    serving.current(World.SANDBOX, now=now, clock=clock)
    services.promote(version=make_version(2), user=None, reason="newer", now=now)
    serving.request_refresh()
    assert serving.current(World.SANDBOX, now=now, clock=clock).version_number == 2
    services.rollback(world=World.SANDBOX, user=None, reason="was better", now=now)
    serving.request_refresh()
    assert serving.current(World.SANDBOX, now=now, clock=clock).version_number == 1


def test_no_answer_mixes_two_versions_while_the_champion_changes(make_version, now):
    versions = [make_version(1), make_version(2, estimator="base_rates")]
    row = dataset.hypothetical_row(match_selectors.matches().get(pk=fixture_ids(1)[0]), as_of=now)
    expected = {}
    for version in versions:
        services.promote(version=version, user=None, reason="next", now=now)
        serving.request_refresh()
        served = serving.current(World.SANDBOX, now=now)
        expected[served.version_number] = serving.forecast(served, row, now=now).probabilities.tolist()
    assert expected[1] != expected[2]
    serving.refresh_models(clock=lambda: now, rounds=1)
    wrong, asked, over = [], Counter(), threading.Event()

    def ask() -> None:
        while not over.is_set():
            served = serving.latest(World.SANDBOX, now=now)
            found = serving.forecast(served, row, now=now).probabilities.tolist()
            asked[served.version_number] += 1
            if found != expected[served.version.number]:
                wrong.append((served.version_number, found))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(100):
        services.promote(version=versions[number % 2], user=None, reason="next", now=now)
        serving.request_refresh()
        assert serving.current(World.SANDBOX, now=now).version_number == 1 + number % 2
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert set(asked) == {1, 2}


class TestVersionsByName:
    def test_another_version_than_the_champion_forecasts_when_asked_for_by_name(self, make_version, now):
        services.promote(version=make_version(1), user=None, reason="first", now=now)
        other = make_version(2, estimator="base_rates")
        match = match_selectors.matches().get(pk=fixture_ids(1)[0])
        assert services.forecast_by(other, match, now=now).version_number == 2
        assert services.forecast(match.pk, now=now).version_number == 1

    def test_while_it_is_loaded_in_the_background_the_answer_says_so(self, make_version, now):
        services.promote(version=make_version(1), user=None, reason="first", now=now)
        other = make_version(2)
        serving.refresh_models(clock=lambda: now, rounds=1)
        with pytest.raises(services.StillLoadingError):
            serving.version(other, now=now)
        serving.refresh_models(clock=lambda: now, rounds=1)
        assert serving.version(other, now=now).version_number == 2

    def test_few_are_loaded_at_a_time(self, make_version, now):
        services.promote(version=make_version(1), user=None, reason="first", now=now)
        others = [make_version(number) for number in range(2, 3 + requested_versions.REQUESTED_LIMIT)]
        for other in others:
            serving.version(other, now=now)
        assert len(loaded_models.requested_versions) == requested_versions.REQUESTED_LIMIT

    def test_one_that_cannot_be_loaded_says_why_each_time(self, make_version, now):
        services.promote(version=make_version(1), user=None, reason="first", now=now)
        broken = make_version(2, broken=True)
        for _ in range(2):
            with pytest.raises(services.NotServedError, match="does not have the registered sha256"):
                serving.version(broken, now=now)

    def test_a_refusal_keeps_nothing_of_the_requests_that_it_ended(self, make_version, now):
        services.promote(version=make_version(1), user=None, reason="first", now=now)
        broken, lengths = make_version(2, broken=True), []
        for _ in range(3):
            with pytest.raises(services.NotServedError) as refused:
                serving.version(broken, now=now)
            lengths.append(len(traceback.extract_tb(refused.value.__traceback__)))
        assert len(set(lengths)) == 1

    def test_one_that_could_not_be_loaded_is_tried_again_a_minute_later(self, make_version, now, settings):
        services.promote(version=make_version(1), user=None, reason="first", now=now)
        other, folder = make_version(2), settings.SPAI_VAR_DIR
        (folder / "no-folder").write_text("")
        settings.SPAI_VAR_DIR = folder / "no-folder"
        with pytest.raises(services.NotServedError):
            serving.version(other, now=now)
        settings.SPAI_VAR_DIR = folder
        with pytest.raises(services.NotServedError):
            serving.version(other, now=now)
        requested_versions.load_requested(now=now, clock=lambda: time.monotonic() + loading.RETRY_SECONDS)
        assert serving.version(other, now=now).version_number == 2

    def test_after_a_correction_one_takes_the_equal_state_that_a_worker_kept_for_the_champion(
        self, make_version, world, now
    ):
        services.promote(version=make_version(1), user=None, reason="first", now=now)
        other = make_version(2)
        serving.version(other, now=now)
        finished = (record for record in world.records(now) if record.status == "finished")
        wrong = next(record for record in finished if record.kickoff_at > now - timedelta(hours=1))
        at = now + timedelta(minutes=1)
        ingest([replace(wrong, home_goals=8, away_goals=0)], source="sandbox", now=at)
        worker = serving.current(World.SANDBOX, now=at, may_rebuild=True)
        requested_versions.load_requested(now=at)
        found = serving.version(other, now=at)
        assert (found.version_number, found.data_snapshot) == (2, worker.data_snapshot)
        asked = dataset.fixtures(fixture_ids()).assign(as_of=at)
        assert found.state.describe(asked).tobytes() == worker.state.describe(asked).tobytes()


class TestVersionsOfOtherCode:
    def forecasts(self, version, now):
        served = serving.version(version, now=now)
        return serving.forecast(served, dataset.fixtures(fixture_ids()), now=now)

    def test_a_version_from_before_a_feature_was_added_forecasts_as_it_did(self, make_version, stored, now):
        found = self.forecasts(make_version(1), now)
        older = self.forecasts(make_version(2, without=("elo_matches_home", "base_shift")), now)
        assert older.probabilities == pytest.approx(found.probabilities, abs=1e-12)
        assert older.goals == pytest.approx(found.goals, abs=1e-12)
        assert older.base_rates.tobytes() == found.base_rates.tobytes()
        assert older.features_sha256 == found.features_sha256

    def test_a_labelled_version_from_before_a_feature_was_added_forecasts_as_it_did(self, make_version, stored, now):
        about = {"estimator": "market_aware", "inputs": "prices before the match"}
        found = self.forecasts(make_version(1, **about), now)
        older = self.forecasts(make_version(2, without=("elo_matches_home", "price_doubt"), **about), now)
        assert older.probabilities == pytest.approx(found.probabilities, abs=1e-12)

    def test_a_version_of_a_feature_that_is_no_longer_made_is_refused_by_its_name(self, make_version, stored, now):
        with pytest.raises(serving.NotServedError, match="no longer makes the features elo_of_tomorrow"):
            serving.version(make_version(1, more=("elo_of_tomorrow",)), now=now)


class TestLabelledVersions:
    """Versions that use prices: served by name, with what is quoted by then."""

    def served(self, make_version, now, **version):
        return serving.version(make_version(2, **version), now=now)

    @pytest.fixture
    def match_id(self, stored):
        match_id = fixture_ids(1)[0]
        Odds.objects.filter(match_id=match_id).delete()
        return match_id

    def forecast(self, served, match_id, now):
        return serving.forecast(served, dataset.fixtures([match_id]), now=now).probabilities[0]

    def test_the_line_of_a_fixture_changes_its_forecast_and_without_one_ratings_make_it(
        self, make_version, match_id, now
    ):
        served = self.served(make_version, now, estimator="market_aware", inputs="prices before the match")
        without = self.forecast(served, match_id, now)
        line = Odds.objects.create(match_id=match_id, bookmaker="Avg", moment="opening", home=1.25, draw=6.5, away=12.0)
        favourite = self.forecast(served, match_id, now)
        assert favourite[0] > 0.7 > without[0]
        line.delete()
        assert (self.forecast(served, match_id, now) == without).all()

    def test_ratings_of_earlier_prices_move_on_with_each_result_as_if_built_again(
        self, make_version, match_id, world, now
    ):
        served = self.served(make_version, now, estimator="market_aware", inputs="prices before the match")
        later = now + timedelta(minutes=20)
        ingest(world.records(later, since=now - timedelta(minutes=5)), source="sandbox", now=later)
        requested_versions.load_requested(now=later)
        moved = serving.version(served.version, now=later)
        assert moved.price_state.observed_until > served.price_state.observed_until
        _, again = feature_states._rebuilt(moved, now=later)
        asked = dataset.fixtures(fixture_ids()).assign(as_of=later)
        described = moved.price_state.describe(asked)
        assert described.tobytes() == again.describe(asked).tobytes()
        assert described[:, moved.price_state.names.index("price_seen_home")].min() > 0

    def test_a_hypothetical_match_has_no_line(self, make_version, match_id, now):
        served = self.served(make_version, now, estimator="market_aware", inputs="prices before the match")
        match = Match.objects.select_related("season__competition__region").get(pk=match_id)
        one = serving.features_of(served, dataset.hypothetical_row(match, as_of=now), now=now)
        frame = serving.features_of(served, dataset.fixtures([match_id]), now=now)
        assert one.tobytes() == frame.tobytes()
        assert np.isnan(one[0, -2:]).all()

    def test_a_bundle_without_the_ratings_is_refused_with_its_reason(self, make_version, match_id, now):
        with pytest.raises(serving.NotServedError, match="the next run makes one"):
            self.served(make_version, now, inputs="prices before the match")
