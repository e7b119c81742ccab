from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from apps.matches.records import IncidentKind, Side, StatsRecord
from apps.scraping.sandbox.clubs import CLUBS
from apps.scraping.sandbox.details import (
    FULL,
    GOALS,
    HALF,
    SENDINGS_OFF,
    SimulatedDetails,
    SimulatedScore,
    draw_details,
)
from apps.scraping.sandbox.season_records import Phase
from apps.scraping.sandbox.squads import IDS_PER_CLUB, draw_squads
from apps.scraping.sandbox.world import SimulatedWorld

SEED = 7
ANCHOR = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
SQUADS = draw_squads(SEED)


def drawn(key: str, score: SimulatedScore, **counts: int) -> tuple[SimulatedDetails, SimulatedScore, StatsRecord]:
    usual = {
        f"{side}_{name}": number
        for side in ("home", "away")
        for name, number in (("shots", 30), ("shots_on_target", 25), ("corners", 6), ("fouls", 12))
    }
    stats = StatsRecord(**{**usual, **counts}, attendance=9_000, referee="J. Tunnard")
    return draw_details(key, (SQUADS[0], SQUADS[30]), score, stats), score, stats


def check(details: SimulatedDetails, score: SimulatedScore, stats: StatsRecord) -> None:
    """Line-ups are whole, nobody who is absent plays, and everything is as often as it was counted."""
    for side in Side:
        lineup = [entry for entry in details.lineups if entry.side is side]
        assert [entry.is_starter for entry in lineup] == [True] * 11 + [False] * 7
        assert Counter(entry.position for entry in lineup[:11])["GK"] == 1
        missing = {absence.player for absence in details.absences if absence.side is side}
        assert 1 <= len(missing) <= 3
        assert not missing & {entry.player for entry in lineup}
        own = [incident for incident in details.incidents if incident.side is side]
        goals = [incident.minute for incident in own if incident.kind in GOALS]
        assert len(goals) == getattr(score, side)
        assert sum(minute <= HALF for minute in goals) == getattr(score, f"{side}_half")
        kinds = Counter(incident.kind for incident in own)
        assert kinds[IncidentKind.YELLOW_CARD] == (getattr(stats, f"{side}_yellow_cards") or 0)
        assert sum(kinds[kind] for kind in SENDINGS_OFF) == (getattr(stats, f"{side}_red_cards") or 0)
        assert 1 <= kinds[IncidentKind.SUBSTITUTION] <= 3
        for name in ("shots", "shots_on_target", "corners", "fouls"):
            minutes = details.minutes[f"{side}_{name}"]
            assert len(minutes) == getattr(stats, f"{side}_{name}")
            assert list(minutes) == sorted(minutes)
        shots, on_target = (Counter(details.minutes[f"{side}_{name}"]) for name in ("shots", "shots_on_target"))
        assert on_target <= shots
        scored = Counter(i.minute for i in own if i.kind in (IncidentKind.GOAL, IncidentKind.PENALTY))
        assert scored <= on_target
    minutes = [incident.minute for incident in details.incidents]
    assert minutes == sorted(minutes)
    assert all(1 <= minute <= FULL for minute in minutes)


def test_every_club_has_twenty_four_players_with_names_and_ids_of_their_own() -> None:
    assert len(SQUADS) == len(CLUBS)
    ids = {player.id for squad in SQUADS for player in squad}
    assert len(ids) == 48 * 24
    for number, squad in enumerate(SQUADS):
        assert len({player.name for player in squad}) == 24
        assert [player.shirt_number for player in squad] == list(range(1, 25))
        assert {int(player.id) // IDS_PER_CLUB for player in squad} == {3_000 + number}
        assert Counter(player.line for player in squad) == {"G": 3, "D": 8, "M": 8, "F": 5}


def test_equal_seeds_give_equal_squads_and_others_do_not() -> None:
    assert draw_squads(SEED) == SQUADS
    assert draw_squads(SEED + 1) != SQUADS


def test_the_stories_of_a_season_fit_what_was_counted() -> None:
    sheet = SimulatedWorld(SEED, ANCHOR).season_records(3)
    kinds: Counter[IncidentKind] = Counter()
    for match in range(528):
        record, details = sheet.record(match, Phase.FINISHED), sheet.details(match)
        assert record.stats
        score = SimulatedScore(
            record.home_goals, record.away_goals, record.home_goals_half_time, record.away_goals_half_time
        )
        check(details, score, record.stats)
        kinds.update(incident.kind for incident in details.incidents)
    assert set(kinds) == set(IncidentKind)
    assert 0.01 < kinds[IncidentKind.OWN_GOAL] / kinds[IncidentKind.GOAL] < 0.06


@pytest.mark.parametrize("key", range(40))
def test_the_wildest_match_has_a_story(key: int) -> None:
    score = SimulatedScore(home=10, away=10, home_half=10, away_half=0)
    counts = {"home_yellow_cards": 16, "away_yellow_cards": 0, "home_red_cards": 2, "away_red_cards": 2}
    check(*drawn(str(key), score, **counts))


def test_a_story_does_not_depend_on_what_was_asked_before() -> None:
    first, second = SimulatedWorld(SEED, ANCHOR), SimulatedWorld(SEED, ANCHOR)
    late = second.season_records(9).details(500)
    assert first.season_records(0).details(3) == second.season_records(0).details(3)
    assert first.season_records(9).details(500) == late
    assert first.season_records(9).details(499) != late
