"""The score of a match in the feed: after 90 minutes, after extra time, and of a shoot-out.

`homeScore` and `awayScore` are the score at the end, extra time included. A text such as ``HT 0:0 - FT 1:1 - ET 2:2 -
PS 4:3`` has all parts. If there was extra time, the score after 90 minutes is its part ``FT``; without that part it is
counted from the goals, or calculated from the goals of extra time. A score that is not certain is refused: a wrong one
would be stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.scraping.sources.whoscored.pages import as_count, as_words

Goals = tuple[int, int]

PART: Final = re.compile(
    r"\b(HT|FT|A?ET|PSO?|PENS?|PK)\b[\s:(]{0,4}(\d{1,2})\s{0,3}[:–-]\s{0,3}(\d{1,2})(?!\d)", re.IGNORECASE
)
PARTS: Final = {"HT": "half_time", "FT": "full_time", "ET": "extra_time", "AET": "extra_time"}
"""Name of a part by its abbreviation; every other one is the shoot-out."""
NAMES: Final = ("homeTeamName", "awayTeamName", "homeTeamCountryName", "awayTeamCountryName")

AFTER_EXTRA_TIME: Final = "AET"
AFTER_PENALTIES: Final = "PEN"

HALF_TIME: Final = "HT"

FIRST_HALF: Final = 1
SECOND_HALF: Final = 3
"""An incident's `period`: 1 is the first half, 3 the second, with stoppage time; higher values are extra time."""

MINUTES: Final = 90
LATEST_STOPPAGE: Final = 105
"""A later minute with the period of the second half may as well be of extra time."""

GOAL: Final = 1
NO_GOALS: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class WhoScoredScore:
    """Goals of the home and of the away side.

    Parameters
    ----------
    extra_time : tuple of int or None
        At the end of extra time, including those before; None if none was played or the score is unknown.
    notes : tuple of str
        Contradictions of the score in the entry.
    """

    full_time: Goals
    half_time: Goals | None = None
    extra_time: Goals | None = None
    penalties: Goals | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WhoScoredLiveScore:
    """Goals of the home and of the away side after so many minutes."""

    goals: Goals
    minute: int


def read_live_score(match: Mapping[str, Any]) -> WhoScoredLiveScore | None:
    """Return the score of a match in play; None without a score or a minute, and in extra time.

    `elapsed` is ``23'``, ``45+2'`` or ``HT``; `period` says in which half a minute lies, so that the 47th of the first
    half is its stoppage time.
    """
    goals, period = _pair(match, "homeScore", "awayScore"), as_count(match.get("period"))
    elapsed = as_words(match.get("elapsed")).upper().rstrip("'′")
    minute = MINUTES // 2 if elapsed == HALF_TIME else as_count(elapsed.partition("+")[0])
    if goals is None or minute is None or (period or 0) > SECOND_HALF:
        return None
    return WhoScoredLiveScore(goals, min(minute, MINUTES // 2 if period == FIRST_HALF else MINUTES))


def read_score(match: Mapping[str, Any]) -> WhoScoredScore:
    """Return the score of a finished match.

    Raises
    ------
    ValueError
        When there is none, when its parts contradict each other, or when the one after 90 minutes is not certain.
    """
    total = _pair(match, "homeScore", "awayScore")
    if total is None:
        raise ValueError("finished without a score")
    parts = _parts(match)
    written = parts.get("full_time")
    own_extra = _pair(match, "homeExtratimeScore", "awayExtratimeScore") or parts.get("extra_time")
    penalties = _pair(match, "homePenaltyScore", "awayPenaltyScore")
    penalties = parts.get("shoot_out") if penalties in (None, NO_GOALS) else penalties
    elapsed = as_words(match.get("elapsed")).upper()
    went_on = elapsed in (AFTER_EXTRA_TIME, AFTER_PENALTIES) or penalties is not None
    if not went_on and own_extra == NO_GOALS and "extra_time" not in parts:
        own_extra = None
    went_on = went_on or own_extra is not None
    if written is not None and not _reaches(written, total):
        raise ValueError(f"the score FT {written[0]}:{written[1]} is above the last one, {total[0]}:{total[1]}")
    if not went_on and written in (None, total):
        half_time = _half_time(parts, total)
        return WhoScoredScore(total, half_time, notes=_contradictions(match, total, total, None))
    counted = _counted(match, total)
    full_time = written or counted or _before(match, total, own_extra)
    if full_time is None:
        raise ValueError(f"the score after 90 minutes is missing beside {total[0]}:{total[1]} after {elapsed or 'FT'}")
    played_on = elapsed == AFTER_EXTRA_TIME or own_extra is not None or full_time != total or _has_late_goal(match)
    notes = _contradictions(match, full_time, total, penalties)
    if counted is not None and counted != full_time:
        notes = (*notes, "goals that contradict the score after 90 minutes")
    return WhoScoredScore(full_time, _half_time(parts, full_time), total if played_on else None, penalties, notes)


def _pair(match: Mapping[str, Any], home: str, away: str) -> Goals | None:
    goals = as_count(match.get(home)), as_count(match.get(away))
    if goals[0] is None or goals[1] is None:
        return None
    return goals[0], goals[1]


def _parts(match: Mapping[str, Any]) -> dict[str, Goals]:
    """Return the parts of the score that any text of the entry has, by their names."""
    parts: dict[str, Goals] = {}
    for key, value in match.items():
        if isinstance(value, str) and key not in NAMES and len(value) < 200:
            for name, home, away in PART.findall(value):
                parts.setdefault(PARTS.get(name.upper(), "shoot_out"), (int(home), int(away)))
    return parts


def _half_time(parts: Mapping[str, Goals], full_time: Goals) -> Goals | None:
    half_time = parts.get("half_time")
    return half_time if half_time is not None and _reaches(half_time, full_time) else None


def _reaches(before: Goals, after: Goals) -> bool:
    return before[0] <= after[0] and before[1] <= after[1]


def _before(match: Mapping[str, Any], total: Goals, own_extra: Goals | None) -> Goals | None:
    """Return the score before extra time if it follows from the other scores."""
    if total == NO_GOALS:
        return total
    # The fields hold either the goals of extra time or the score at its end; equal to the total they may be both.
    if own_extra is None or own_extra == total or not _reaches(own_extra, total):
        return None
    before = total[0] - own_extra[0], total[1] - own_extra[1]
    return before if _may_go_on(match, before) else None


def _may_go_on(match: Mapping[str, Any], score: Goals) -> bool:
    """Return whether a match with this score after 90 minutes can continue: it is level, or the second leg of two."""
    return score[0] == score[1] or match.get("aggregateWinnerField") is not None


def _counted(match: Mapping[str, Any], total: Goals) -> Goals | None:
    """Count the goals of the 90 minutes; None unless all goals are listed with a certain minute."""
    counts, all_goals = [0, 0], [0, 0]
    for incident in _goals(match):
        side = incident.get("field")
        if side not in (0, 1):
            return None
        all_goals[side] += 1
        late = _is_late(incident)
        if late is None:
            return None
        counts[side] += not late
    score = counts[0], counts[1]
    return score if (all_goals[0], all_goals[1]) == total and _may_go_on(match, score) else None


def _goals(match: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    incidents = match.get("incidents")
    found = incidents if isinstance(incidents, list) else []
    return [incident for incident in found if isinstance(incident, dict) and incident.get("type") == GOAL]


def _is_late(incident: Mapping[str, Any]) -> bool | None:
    """Return whether a goal was scored in extra time; None if its minute and period leave that open."""
    written, period = incident.get("minute"), as_count(incident.get("period"))
    # "90+4" belongs to the 90 minutes.
    minute = as_count(written.partition("+")[0] if isinstance(written, str) else written)
    if minute is None:
        return None
    if minute <= MINUTES:
        return False if period is None or period <= SECOND_HALF else None
    if period is None or (period <= SECOND_HALF and minute > LATEST_STOPPAGE):
        return None
    return period > SECOND_HALF


def _has_late_goal(match: Mapping[str, Any]) -> bool:
    return any(_is_late(incident) for incident in _goals(match))


def _contradictions(
    match: Mapping[str, Any], full_time: Goals, total: Goals, penalties: Goals | None
) -> tuple[str, ...]:
    notes = []
    deciding = penalties if penalties is not None and total[0] == total[1] else total
    winner = None if deciding[0] == deciding[1] else int(deciding[0] < deciding[1])
    # The second leg names the winner of both.
    if "winnerField" in match and match["winnerField"] != winner and match.get("aggregateWinnerField") is None:
        notes.append("a winner that contradicts the score")
    goals = [incident.get("field") for incident in _goals(match)]
    if goals and (goals.count(0), goals.count(1)) != total and (goals.count(0), goals.count(1)) != full_time:
        notes.append("goals that contradict the score")
    return tuple(notes)
