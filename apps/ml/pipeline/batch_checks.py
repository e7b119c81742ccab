"""Checks of exported matches against the other matches of the export: faults that no row shows by itself.

Each check returns the rows at fault. Most check only the latest matches: what is older went through a gate when it
was new, and history has its own oddities. Their limits are far outside what real seasons do:
`benchmarks/clean_batches.py` counts how often they stop exports of real days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from apps.matches.records import MatchStatus
from apps.ml.forecasting.features.schema import STATS

Rows = pd.Series
"""Of bool, with the index of the matches: those at fault."""

DAY: Final = pd.Timedelta(days=1)

AT_ONCE: Final = pd.Timedelta(hours=20)
"""Two clubs that have met do not meet again so soon: two rows are one match, in two sources or time zones."""

RECENT: Final = 400 * DAY
"""Matches that kicked off in this time before the export, or will, are checked."""

LATELY: Final = 28 * DAY
"""Results of this time are compared with earlier ones."""

KNOWN_BY: Final = 3 * DAY
"""A result should be there so long after the kick-off."""

BEFORE: Final = 3 * 365 * DAY
"""Results that the latest ones are compared with."""

SILENT: Final = 60 * DAY
"""A competition without any match for so long, though it had some in this part of the last three years, is missing."""

GOES_ON: Final = 0.25
"""Share of the competitions that must be sound: with fewer there is no football, or files were not renewed."""

AHEAD: Final = 14 * DAY

YEAR: Final = 364 * DAY

LEAST_LATELY: Final = 20
LEAST_BEFORE: Final = 200
"""Matches of a competition, recently and before, from which its counts are compared."""

LEAST_COUNTED: Final = 8
"""Latest matches of a competition from which the height of its counts is compared: few are enough for that."""

FACTOR: Final = 2.5
"""Largest plausible ratio of the mean of a count to that of earlier years, or of that to it …"""

ERRORS: Final = 6.0
"""… when it also lies so many standard errors away."""

ONE_FORMAT: Final = 0.95
"""Share of the pairs of a season that meet once at each ground, from which all should."""

_OFF: Final = {status.value for status in (MatchStatus.POSTPONED, MatchStatus.CANCELLED, MatchStatus.ABANDONED)}


def met_again_at_once(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return matches of two clubs of a season that meet again at once, without another match in between."""
    rows = _recent(matches, as_of)
    home, away = (rows[f"{side}_team_id"] for side in ("home", "away"))
    club = pd.concat([home, away], ignore_index=True)
    opponent = pd.concat([away, home], ignore_index=True)
    both = {name: np.tile(rows[name].to_numpy(), 2) for name in ("season_id",)}
    at = pd.concat([rows["kickoff_at"]] * 2, ignore_index=True)
    sides = pd.DataFrame({"club": club, "opponent": opponent, "at": at, "row": np.tile(rows.index, 2), **both})
    sides = sides.sort_values(["club", "at"], kind="stable")
    earlier = sides.shift()
    same = np.logical_and.reduce([sides[name] == earlier[name] for name in ("club", "opponent", "season_id")])
    return _marked(matches, sides.loc[same & (sides["at"] - earlier["at"] < AT_ONCE), "row"])


def hosted_twice_never_visited(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return matches of clubs that host another one twice and never visit it, where all others meet once at each.

    Where they do follows from the seasons of the competition that have ended.
    """
    rows = matches[_kicked_off(matches, as_of - BEFORE, as_of + RECENT) & ~matches["status"].isin(_OFF)]
    rows = rows[(rows["stage"] == "") & (rows["level"] > 0) & ~rows["is_neutral"]]
    pair = ["competition_id", "season_id", "home_team_id", "away_team_id"]
    times = rows.groupby(pair).size()
    latest = rows.groupby("season_id")["kickoff_at"].max()
    ended = latest.index[latest < as_of - SILENT]
    past = times[times.index.get_level_values("season_id").isin(ended)]
    reverse = past.reorder_levels([0, 1, 3, 2]).index.isin(past.index)
    once = ((past == 1) & reverse).groupby("competition_id").mean()
    usual = set(once.index[once >= ONE_FORMAT])
    recent = set(_recent(rows, as_of)["season_id"])
    lonely = [
        key
        for key in times.index[times >= 2]
        if key[0] in usual and key[1] in recent and (*key[:2], key[3], key[2]) not in times.index
    ]
    return _marked(matches, rows.index[rows.set_index(pair).index.isin(lonely)])


def another_name(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return matches in which the id of a club comes with another name than in most."""
    rows = _recent(matches, as_of)
    found = pd.Series(False, index=matches.index)
    names = pd.concat(
        [rows[[f"{side}_team_id", f"{side}_team"]].set_axis(["club", "name"], axis=1) for side in ("home", "away")]
    )
    usual = names.groupby(["club", "name"]).size().sort_values().reset_index().drop_duplicates("club", keep="last")
    usual_name = usual.set_index("club")["name"]
    for side in ("home", "away"):
        found[rows.index] |= rows[f"{side}_team"] != rows[f"{side}_team_id"].map(usual_name)
    return found


def outside_its_season(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return matches that kick off before the year in which their season begins, or three years later and more."""
    begins = matches["season"].str.extract(r"^(\d{4})(?:-\d{2})?$", expand=False).astype(float)
    later = matches["kickoff_at"].dt.year - begins
    return later.notna() & ~later.between(0, 2)


def no_whole_number(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return matches with a fraction of a goal, a shot, a corner or a card."""
    return (matches[["home_goals", "away_goals", *STATS]] % 1 > 0).any(axis=1)


def known_late(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return matches whose result was known more than a month after the kick-off."""
    return matches["known_at"] - matches["kickoff_at"] > 31 * DAY


def without_results(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return played matches without a result, of competitions that lack most of them while others have theirs."""
    rows = matches[_kicked_off(matches, as_of - LATELY, as_of - KNOWN_BY) & ~matches["status"].isin(_OFF)]
    lacks = rows["known_at"].isna()
    share = lacks.groupby(rows["competition_id"]).agg(["mean", "size"])
    share = share[share["size"] >= LEAST_LATELY / 2]
    missing = share.index[share["mean"] > 0.5]
    if not _others_go_on(len(missing), len(share)):
        return _none(matches)
    return _marked(matches, rows.index[lacks & rows["competition_id"].isin(missing)])


def silent_competitions(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return the last match of each competition that has none now, but had some at this time of the last three years.

    Several that fall silent at once are named together, unless hardly any other one continues.
    """

    def playing(years: int) -> set[int]:
        # A season may begin two weeks later than it did.
        end = as_of + AHEAD if years == 0 else as_of - AHEAD - years * YEAR
        window = _kicked_off(matches, as_of - SILENT - years * YEAR, end)
        counts = matches.loc[window & ~matches["status"].isin(_OFF), "competition_id"].value_counts()
        return set(counts.index[counts >= (LEAST_LATELY / 2 if years else 1)])

    expected = playing(1) & playing(2) & playing(3)
    silent = expected - playing(0)
    if not _others_go_on(len(silent), len(expected)):
        return _none(matches)
    rows = matches[matches["competition_id"].isin(silent)]
    return _marked(matches, rows.groupby("competition_id")["kickoff_at"].idxmax())


def counts_in_other_units(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return the latest matches of competitions whose counts are far higher or lower than in earlier years.

    A change may be older than four weeks or have come yesterday: all matches of these weeks, and the last few of them.
    """

    def is_odd(own: pd.Series, usual: pd.Series) -> bool:
        if len(own) < LEAST_COUNTED or len(usual) < LEAST_BEFORE:
            return False
        error = np.sqrt(usual.var() * (1 / len(own) + 1 / len(usual)))
        high, low = max(own.mean(), usual.mean()), min(own.mean(), usual.mean())
        return bool(high > FACTOR * low and high - low > ERRORS * error)

    def is_either(own: pd.Series, usual: pd.Series) -> bool:
        own, usual = own.dropna(), usual.dropna()
        return is_odd(own, usual) or is_odd(own.tail(LEAST_COUNTED), usual)

    return _compared(matches.sort_values("kickoff_at", kind="stable"), as_of, is_either).reindex(matches.index)


def counts_gone(matches: pd.DataFrame, as_of: pd.Timestamp) -> Rows:
    """Return the latest matches of competitions that lack counts which nearly all of their earlier matches have."""

    def is_gone(own: pd.Series, usual: pd.Series) -> bool:
        enough = len(own) >= LEAST_LATELY and len(usual) >= LEAST_BEFORE
        return enough and usual.notna().mean() > ONE_FORMAT and own.notna().mean() < 0.5

    return _compared(matches, as_of, is_gone)


def _compared(matches: pd.DataFrame, as_of: pd.Timestamp, is_faulty: Callable[[pd.Series, pd.Series], bool]) -> Rows:
    """Return the latest finished matches of competitions with a faulty count: its latest values and earlier ones."""
    has_ended = matches["known_at"].notna()
    lately = matches[has_ended & _kicked_off(matches, as_of - LATELY, as_of)]
    before = matches[has_ended & _kicked_off(matches, as_of - LATELY - BEFORE, as_of - LATELY)]
    earlier = dict(iter(before.groupby("competition_id")))
    found = _none(matches)
    for competition, own in lately.groupby("competition_id"):
        usual = earlier.get(competition)
        if usual is None:
            continue
        for name in ("home_goals", "away_goals", *STATS):
            if is_faulty(own[name], usual[name]):
                found[own.index] = True
    return found


CHECKS: Final[Mapping[str, Callable[[pd.DataFrame, pd.Timestamp], Rows]]] = {
    "two clubs do not meet again at once": met_again_at_once,
    "no club hosts another one twice that it never visits": hosted_twice_never_visited,
    "the id of a club has one name": another_name,
    "a match kicks off in its season": outside_its_season,
    "goals and counts are whole numbers": no_whole_number,
    "a result is known within a month": known_late,
    "a competition has the results of what was played": without_results,
    "a competition that plays at this time of the year is there": silent_competitions,
    "counts are about as high as in earlier years": counts_in_other_units,
    "counts that a competition has are there": counts_gone,
}
"""What must hold → the rows for which it does not."""


def _others_go_on(faulty: int, competitions: int) -> bool:
    return competitions - faulty >= max(1.0, GOES_ON * competitions)


def _recent(matches: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    return matches[(matches["kickoff_at"] >= as_of - RECENT) & ~matches["status"].isin(_OFF)]


def _kicked_off(matches: pd.DataFrame, after: pd.Timestamp, until: pd.Timestamp) -> Rows:
    return (matches["kickoff_at"] > after) & (matches["kickoff_at"] <= until)


def _none(matches: pd.DataFrame) -> Rows:
    return pd.Series(False, index=matches.index)


def _marked(matches: pd.DataFrame, rows: pd.Index | pd.Series) -> Rows:
    found = _none(matches)
    found[list(rows)] = True
    return found
