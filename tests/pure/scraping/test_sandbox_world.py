from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from apps.matches.records import MatchRecord, MatchStatus, Moment
from apps.scraping.sandbox.clubs import CLUB_NAMES, CLUBS, COMPETITIONS
from apps.scraping.sandbox.world import FIRST_SOURCE_ID, SimulatedWorld

ANCHOR = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
SEED = 7
MINUTE = timedelta(minutes=1)
DENSE_PLAY = timedelta(minutes=131 * 4 + 3 + 2)
DENSE_PERIOD = DENSE_PLAY + timedelta(minutes=20)
AFTER_ONE_DENSE_SEASON = ANCHOR + DENSE_PLAY


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    return SimulatedWorld(SEED, ANCHOR)


@pytest.fixture(scope="module")
def past(world: SimulatedWorld) -> list[MatchRecord]:
    """The eight past seasons."""
    return [record for record in world.records(ANCHOR) if record.status is MatchStatus.FINISHED]


@pytest.fixture(scope="module")
def dense(world: SimulatedWorld) -> list[MatchRecord]:
    """The first dense season, all played."""
    return [record for record in world.records(AFTER_ONE_DENSE_SEASON, ANCHOR) if record.status is MatchStatus.FINISHED]


def truth_of(world: SimulatedWorld, source_id: str) -> tuple[float, ...]:
    """True probabilities of home, draw and away."""
    number, match = divmod(int(source_id) - FIRST_SOURCE_ID, 528)
    return tuple(world.season_records(number).play.truth[match].tolist())


def by_season(records: list[MatchRecord]) -> dict[str, list[MatchRecord]]:
    seasons = defaultdict(list)
    for record in records:
        seasons[record.season].append(record)
    return dict(seasons)


def by_league(records: list[MatchRecord]) -> dict[tuple[str, int], list[MatchRecord]]:
    leagues = defaultdict(list)
    for record in records:
        leagues[record.competition.region, record.competition.level].append(record)
    return dict(leagues)


def ranked(matches: list[MatchRecord]) -> list[str]:
    """Names from first to last; points, goal difference, goals scored, then the lower team id."""
    rows: dict[str, list[int]] = {}
    for match in matches:
        assert match.home_goals is not None
        assert match.away_goals is not None
        margin = match.home_goals - match.away_goals
        for name, team_id, own, gap in (
            (match.home_team, match.home_team_id, match.home_goals, margin),
            (match.away_team, match.away_team_id, match.away_goals, -margin),
        ):
            row = rows.setdefault(name, [0, 0, 0, -int(team_id)])
            row[0] += 3 if gap > 0 else 1 if gap == 0 else 0
            row[1] += gap
            row[2] += own
    return sorted(rows, key=lambda name: rows[name], reverse=True)


def outcome(record: MatchRecord) -> int:
    assert record.home_goals is not None
    assert record.away_goals is not None
    return 0 if record.home_goals > record.away_goals else 1 if record.home_goals == record.away_goals else 2


def digest(world: SimulatedWorld, now: datetime) -> str:
    """Of what changed in the 400 days before now: the latest past season and the dense ones."""
    return hashlib.sha256(repr(list(world.records(now, now - timedelta(days=400)))).encode()).hexdigest()


# The same world, whoever asks and whenever


def test_equal_seeds_and_anchors_give_equal_records(past: list[MatchRecord], dense: list[MatchRecord]) -> None:
    assert list(SimulatedWorld(SEED, ANCHOR).records(AFTER_ONE_DENSE_SEASON))[: 9 * 528] == past + dense


def test_another_process_sees_the_same_world(world: SimulatedWorld) -> None:
    now = ANCHOR + timedelta(minutes=50)
    program = (
        "import hashlib\nfrom datetime import UTC, datetime, timedelta\n"
        "from apps.scraping.sandbox.world import SimulatedWorld\n"
        f"world = SimulatedWorld({SEED}, datetime.fromisoformat('{ANCHOR.isoformat()}').astimezone(UTC))\n"
        f"now = datetime.fromisoformat('{now.isoformat()}')\n"
        "records = list(world.records(now, now - timedelta(days=400)))\n"
        "print(hashlib.sha256(repr(records).encode()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        env={"PYTHONHASHSEED": "99"},
    )
    assert other.stdout.strip() == digest(world, now)


def test_the_order_of_questions_changes_no_answer(past: list[MatchRecord]) -> None:
    late = ANCHOR + 6 * DENSE_PERIOD
    backwards = SimulatedWorld(SEED, ANCHOR)
    last = list(backwards.records(late, late - MINUTE))
    first = [record for record in backwards.records(ANCHOR) if record.status is MatchStatus.FINISHED]
    assert first == past
    assert last == list(SimulatedWorld(SEED, ANCHOR).records(late, late - MINUTE))


def test_another_seed_gives_another_world(past: list[MatchRecord]) -> None:
    others = SimulatedWorld(SEED + 1, ANCHOR).records(ANCHOR, ANCHOR - timedelta(days=365))
    same = [one.home_goals == other.home_goals for one, other in zip(past[-528:], others, strict=False)]
    assert len(same) == 528
    assert sum(same) < 264


def test_the_anchor_moves_dates_and_nothing_else(past: list[MatchRecord]) -> None:
    later = SimulatedWorld(SEED, ANCHOR + timedelta(days=365, hours=5))
    moved = {record.source_id: record for record in later.records(later.anchor_at, ANCHOR)}
    shifts = {moved[record.source_id].kickoff_at - record.kickoff_at for record in past[-528:]}
    assert len(shifts) == 1
    assert all(
        (moved[r.source_id].home_team, moved[r.source_id].home_goals, moved[r.source_id].stats, moved[r.source_id].odds)
        == (r.home_team, r.home_goals, r.stats, r.odds)
        for r in past[-528:]
    )


def test_the_anchor_may_be_given_in_any_zone(world: SimulatedWorld) -> None:
    elsewhere = SimulatedWorld(SEED, ANCHOR.astimezone(timezone(timedelta(hours=9))))
    assert digest(elsewhere, ANCHOR) == digest(world, ANCHOR)


def test_a_time_without_a_zone_and_a_negative_seed_are_refused(world: SimulatedWorld) -> None:
    with pytest.raises(ValueError, match=r"anchor_at .* has no time zone"):
        SimulatedWorld(SEED, ANCHOR.replace(tzinfo=None))
    with pytest.raises(ValueError, match="seed -1 is negative"):
        SimulatedWorld(-1, ANCHOR)
    with pytest.raises(ValueError, match=r"now .* has no time zone"):
        next(world.records(ANCHOR.replace(tzinfo=None)))


# Clubs, leagues, seasons


def test_forty_eight_clubs_have_names_and_ids_of_their_own() -> None:
    assert len(set(CLUB_NAMES)) == len({club.id for club in CLUBS}) == 48


def test_every_competition_says_that_it_is_simulated() -> None:
    assert all(competition.is_simulated for competition in COMPETITIONS)


def test_a_team_id_always_goes_with_one_name(past: list[MatchRecord], dense: list[MatchRecord]) -> None:
    pairs = {(r.home_team_id, r.home_team) for r in past + dense} | {
        (r.away_team_id, r.away_team) for r in past + dense
    }
    assert len(pairs) == len({team_id for team_id, _ in pairs}) == len({name for _, name in pairs}) == 48


def test_source_ids_are_unique(past: list[MatchRecord], dense: list[MatchRecord]) -> None:
    assert len({record.source_id for record in past + dense}) == 9 * 528


def test_eight_past_seasons_are_labelled_back_from_the_anchor(past: list[MatchRecord]) -> None:
    assert list(by_season(past)) == [
        "2018-19",
        "2019-20",
        "2020-21",
        "2021-22",
        "2022-23",
        "2023-24",
        "2024-25",
        "2025-26",
    ]


def test_every_season_is_a_full_double_round_robin(past: list[MatchRecord], dense: list[MatchRecord]) -> None:
    for season in by_season(past + dense).values():
        leagues = by_league(season)
        assert len(leagues) == 4
        for matches in leagues.values():
            teams = {match.home_team for match in matches}
            assert len(teams) == 12
            meetings = Counter((match.home_team, match.away_team) for match in matches)
            assert meetings == {(home, away): 1 for home in teams for away in teams if home != away}


def test_each_matchday_has_every_club_once(past: list[MatchRecord], dense: list[MatchRecord]) -> None:
    for season in by_season(past + dense).values():
        for matches in by_league(season).values():
            days = defaultdict(list)
            for match in matches:
                days[match.round] += [match.home_team, match.away_team]
            assert set(days) == {f"Matchday {number}" for number in range(1, 23)}
            assert all(len(set(names)) == len(names) == 12 for names in days.values())


def test_no_club_plays_more_than_three_times_running_at_one_end(dense: list[MatchRecord]) -> None:
    ends = defaultdict(str)
    for match in dense:
        ends[match.home_team] += "H"
        ends[match.away_team] += "A"
    assert not [name for name, run in ends.items() if "HHHH" in run or "AAAA" in run]


def test_two_clubs_go_up_and_two_go_down_each_summer(past: list[MatchRecord], dense: list[MatchRecord]) -> None:
    seasons = [by_league(matches) for matches in by_season(past + dense).values()]
    for before, after in pairwise(seasons):
        for region in ("Aldermark", "Valdoria"):
            first, second = ranked(before[region, 1]), ranked(before[region, 2])
            assert {match.home_team for match in after[region, 1]} == {*first[:-2], *second[:2]}
            assert {match.home_team for match in after[region, 2]} == {*first[-2:], *second[2:]}


# Dates


def test_past_matches_kick_off_at_whole_and_half_hours_on_a_few_days_of_the_week(past: list[MatchRecord]) -> None:
    assert {record.kickoff_at.minute for record in past} == {0, 30}
    days = Counter(record.kickoff_at.weekday() for record in past)
    assert set(days) == {1, 2, 5, 6}
    assert 0.05 < (days[1] + days[2]) / len(past) < 0.15


def test_past_matches_end_105_to_118_minutes_after_kick_off(past: list[MatchRecord]) -> None:
    lengths = {(record.finished_at - record.kickoff_at) // MINUTE for record in past if record.finished_at}
    assert lengths == set(range(105, 119))


def test_the_past_ends_some_weeks_before_the_anchor(past: list[MatchRecord]) -> None:
    latest = max(record.kickoff_at for record in past)
    assert timedelta(weeks=3, days=5) < ANCHOR - latest < timedelta(weeks=5)


def test_no_club_plays_twice_within_a_day_and_a_half_in_past_seasons(past: list[MatchRecord]) -> None:
    dates = defaultdict(list)
    for record in past:
        dates[record.home_team].append(record.kickoff_at)
        dates[record.away_team].append(record.kickoff_at)
    assert all(
        later - sooner > timedelta(hours=36) for own in dates.values() for sooner, later in pairwise(sorted(own))
    )


def test_dense_leagues_kick_off_every_four_minutes_and_somewhere_every_minute(dense: list[MatchRecord]) -> None:
    assert [record.kickoff_at for record in dense[:528]] == sorted(
        ANCHOR + timedelta(minutes=league + 4 * place) for league in range(4) for place in range(132)
    )
    assert {record.finished_at - record.kickoff_at for record in dense if record.finished_at} == {2 * MINUTE}
    for matches in by_league(dense).values():
        numbers = [int(match.round.split()[1]) for match in matches]
        assert numbers == sorted(numbers)


def test_an_anchor_within_a_minute_starts_the_dense_season_at_the_next() -> None:
    world = SimulatedWorld(SEED, ANCHOR + timedelta(seconds=12, microseconds=5))
    assert world.season_at(world.anchor_at).starts_at == ANCHOR + MINUTE


def test_the_next_dense_season_follows_after_twenty_minutes_without_end(world: SimulatedWorld) -> None:
    first = world.season_at(ANCHOR)
    assert (first.label, first.starts_at, first.over_at) == ("2026-27 S0001", ANCHOR, AFTER_ONE_DENSE_SEASON)
    assert world.season_at(first.over_at - MINUTE) == first
    second = world.season_at(first.over_at)
    assert (second.label, second.starts_at) == ("2026-27 S0002", first.over_at + timedelta(minutes=20))
    much_later = world.season_at(ANCHOR + timedelta(days=365))
    assert much_later.label == "2026-27 S0958"
    labels = [world.season_at(ANCHOR + number * DENSE_PERIOD).label for number in range(12)]
    assert ["2025-26", *labels] == sorted({"2025-26", *labels})


def test_the_fixtures_of_the_next_season_appear_when_the_last_whistle_went(world: SimulatedWorld) -> None:
    before = list(world.records(AFTER_ONE_DENSE_SEASON - MINUTE, ANCHOR))
    assert {record.season for record in before} == {"2026-27 S0001"}
    after = list(world.records(AFTER_ONE_DENSE_SEASON, AFTER_ONE_DENSE_SEASON - MINUTE))
    assert Counter((record.season, record.status) for record in after) == {
        ("2026-27 S0001", MatchStatus.FINISHED): 1,
        ("2026-27 S0002", MatchStatus.SCHEDULED): 528,
    }


def test_before_its_first_season_the_world_is_empty(world: SimulatedWorld, past: list[MatchRecord]) -> None:
    with pytest.raises(LookupError, match="the sandbox begins at"):
        world.season_at(past[0].kickoff_at - timedelta(days=40))


# What is seen when


def test_no_result_is_seen_before_the_final_whistle(world: SimulatedWorld) -> None:
    moments = [ANCHOR + timedelta(seconds=seconds) for seconds in range(0, 1800, 37)]
    moments += [ANCHOR - timedelta(days=days, hours=8, minutes=40) for days in range(30, 300, 9)]
    moments += [ANCHOR + 2 * MINUTE, ANCHOR + 2 * MINUTE - timedelta(microseconds=1)]
    for now in moments:
        for record in world.records(now, now - timedelta(days=3)):
            if record.status is MatchStatus.FINISHED:
                assert record.finished_at is not None
                assert record.finished_at <= now
                assert record.known_at == record.finished_at
            else:
                assert record.home_goals is record.home_goals_half_time is record.stats is record.finished_at is None
                assert record.status is not MatchStatus.LIVE or record.kickoff_at <= now
                assert record.status is not MatchStatus.SCHEDULED or record.kickoff_at > now


def test_a_match_is_seen_scheduled_then_closed_then_live_then_finished(
    world: SimulatedWorld, dense: list[MatchRecord]
) -> None:
    played = dense[100]
    assert played.finished_at is not None

    def seen(now: datetime) -> MatchRecord:
        return next(record for record in world.records(now, ANCHOR) if record.source_id == played.source_id)

    just = timedelta(microseconds=1)
    announced = seen(ANCHOR)
    assert announced.status is MatchStatus.SCHEDULED
    assert {odds.moment for odds in announced.odds} == {Moment.OPENING}
    assert seen(played.kickoff_at - 10 * MINUTE - just) == announced
    closed = seen(played.kickoff_at - 10 * MINUTE)
    assert closed.status is MatchStatus.SCHEDULED
    assert closed.odds == played.odds
    assert seen(played.kickoff_at - just) == closed
    assert seen(played.kickoff_at).status is seen(played.finished_at - just).status is MatchStatus.LIVE
    assert seen(played.finished_at) == played


def test_a_catch_up_equals_the_union_of_all_minutes() -> None:
    start = ANCHOR + timedelta(minutes=8 * 60 + 40, seconds=20)
    end = start + timedelta(minutes=50)
    stepping, down = SimulatedWorld(SEED, ANCHOR), SimulatedWorld(SEED, ANCHOR)
    union: list[MatchRecord] = []
    now = start
    while now < end:
        fresh = stepping.records(now + MINUTE, now)
        union += [record for record in fresh if record.status is MatchStatus.FINISHED]
        now += MINUTE
    caught_up = [record for record in down.records(end, start) if record.status is MatchStatus.FINISHED]
    assert union == caught_up
    # 8:40:20 to 9:30:20 holds the last nine whistles of the season (8:41 to 8:49) and the first twenty of the next.
    assert Counter(record.season for record in caught_up) == {"2026-27 S0001": 9, "2026-27 S0002": 20}


def test_a_stack_that_was_down_for_two_days_misses_nothing() -> None:
    now = ANCHOR + timedelta(days=2)
    caught_up = list(SimulatedWorld(SEED, ANCHOR).records(now, ANCHOR))
    finished = [record for record in caught_up if record.status is MatchStatus.FINISHED]
    whole, rest = divmod(now - ANCHOR, DENSE_PERIOD)
    assert whole == 5
    assert len(finished) == whole * 528 + min(rest // MINUTE - 1, 528)
    assert len({record.source_id for record in caught_up}) == len(caught_up)


def test_hour_long_steps_bring_sixty_results_each(world: SimulatedWorld) -> None:
    for hour in range(1, 8):
        now = ANCHOR + timedelta(hours=hour)
        records = list(world.records(now, now - timedelta(hours=1)))
        statuses = Counter(record.status for record in records)
        assert statuses[MatchStatus.FINISHED] == (60 if hour > 1 else 59)
        assert statuses[MatchStatus.LIVE] == 2
        assert len(records) == 528 - (60 * (hour - 1) - 1 if hour > 1 else 0)


def test_since_after_now_repeats_nothing_and_keeps_the_fixtures(world: SimulatedWorld) -> None:
    now = ANCHOR + timedelta(hours=1)
    statuses = Counter(record.status for record in world.records(now, now + timedelta(hours=3)))
    assert statuses == {MatchStatus.LIVE: 2, MatchStatus.SCHEDULED: 528 - 61}


# Postponed matches


def test_a_postponed_match_keeps_its_id_and_is_played_later(world: SimulatedWorld) -> None:
    first = world.season_at(ANCHOR - timedelta(days=365))
    now, moved = first.announced_at, {}
    while now < first.over_at:
        now += timedelta(days=1)
        for record in world.records(now, now - timedelta(days=1)):
            if record.status is MatchStatus.POSTPONED:
                moved[record.source_id] = record
    final = {record.source_id: record for record in world.records(first.over_at, first.announced_at)}
    assert 1 <= len(moved) <= 12
    for source_id, called_off in moved.items():
        played = final[source_id]
        assert played.status is MatchStatus.FINISHED
        assert (played.home_team, played.away_team) == (called_off.home_team, called_off.away_team)
        assert played.kickoff_at - called_off.kickoff_at > timedelta(days=8)
        assert not called_off.odds


# Truth, results, odds


def test_a_match_has_the_same_truth_whenever_it_is_asked(world: SimulatedWorld, past: list[MatchRecord]) -> None:
    ids = [past[0].source_id, past[4000].source_id, str(1_000_000 + 528 * 10 + 5)]
    fresh = SimulatedWorld(SEED, ANCHOR)
    before = [truth_of(fresh, source_id) for source_id in reversed(ids)]
    list(fresh.records(ANCHOR + timedelta(days=1), ANCHOR))
    after = [truth_of(fresh, source_id) for source_id in ids]
    assert before[::-1] == after == [truth_of(world, source_id) for source_id in ids]
    assert all(sum(truth) == pytest.approx(1.0, abs=1e-12) for truth in after)


def test_outcomes_are_as_frequent_as_the_truth_says(world: SimulatedWorld, past: list[MatchRecord]) -> None:
    truth = np.array([truth_of(world, record.source_id) for record in past])
    seen = np.eye(3)[[outcome(record) for record in past]]
    for side in range(3):
        order = np.argsort(truth[:, side])
        groups = np.array_split(order, 8)
        expected = np.array([truth[group, side].sum() for group in groups])
        variance = np.array([(truth[group, side] * (1 - truth[group, side])).sum() for group in groups])
        counted = np.array([seen[group, side].sum() for group in groups])
        # The 99.9 % point of chi-square with 8 degrees of freedom (any table).
        assert ((counted - expected) ** 2 / variance).sum() < 26.12


def test_counts_agree_with_the_goals(past: list[MatchRecord]) -> None:
    for record in past:
        stats = record.stats
        assert stats is not None
        assert stats.referee
        for goals, half_time, on_target, shots in (
            (record.home_goals, record.home_goals_half_time, stats.home_shots_on_target, stats.home_shots),
            (record.away_goals, record.away_goals_half_time, stats.away_shots_on_target, stats.away_shots),
        ):
            assert 0 <= half_time <= goals <= on_target <= shots
        assert stats.home_yellow_cards <= stats.home_fouls
        assert stats.away_yellow_cards <= stats.away_fouls


def test_the_side_that_is_expected_to_score_more_shoots_more(world: SimulatedWorld, past: list[MatchRecord]) -> None:
    edge = np.array([np.subtract(*truth_of(world, record.source_id)[::2]) for record in past])
    shots = np.array([record.stats.home_shots - record.stats.away_shots for record in past])
    assert np.corrcoef(edge, shots)[0, 1] > 0.4


def test_bookmakers_keep_a_margin_of_three_to_seven_percent(past: list[MatchRecord]) -> None:
    for record in past:
        quotes = {(odds.bookmaker, odds.moment): odds for odds in record.odds}
        assert len(quotes) == len(record.odds) == 9
        for (bookmaker, _), odds in quotes.items():
            three_way = 1 / odds.home + 1 / odds.draw + 1 / odds.away - 1
            two_way = 1 / odds.over_2_5 + 1 / odds.under_2_5 - 1
            if bookmaker in ("B365", "PS", "Avg"):
                assert 0.03 < three_way < 0.07
                assert 0.03 < two_way < 0.07
            elif bookmaker == "Max":
                assert 0 < three_way < 0.07
                assert 0 < two_way < 0.07
        for moment in Moment:
            highest = quotes["Max", moment]
            assert highest.home >= max(quotes[name, moment].home for name in ("B365", "PS", "Avg"))


def test_the_truth_is_quoted_at_closing_without_a_margin(world: SimulatedWorld, past: list[MatchRecord]) -> None:
    for record in past[::50]:
        (true,) = [odds for odds in record.odds if odds.bookmaker == "TRUE"]
        assert true.moment is Moment.CLOSING
        prices = np.array([true.home, true.draw, true.away])
        np.testing.assert_allclose(1 / prices, truth_of(world, record.source_id), rtol=1e-14)
        assert 1 / true.over_2_5 + 1 / true.under_2_5 == pytest.approx(1.0, abs=1e-12)


def test_closing_odds_are_nearer_to_the_truth_than_opening_odds(world: SimulatedWorld, past: list[MatchRecord]) -> None:
    divergence = defaultdict(list)
    for record in past[::3]:
        truth = np.array(truth_of(world, record.source_id))
        for odds in record.odds:
            shares = 1 / np.array([odds.home, odds.draw, odds.away], dtype=float)
            shares /= shares.sum()
            divergence[odds.bookmaker, odds.moment].append((truth * np.log(truth / shares)).sum())
    for bookmaker in ("B365", "PS", "Avg"):
        opening, closing = (np.mean(divergence[bookmaker, moment]) for moment in (Moment.OPENING, Moment.CLOSING))
        assert 0.0003 < closing < 0.5 * opening < 0.005
