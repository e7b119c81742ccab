"""The people of matches: line-ups, incidents and absences replace what the same source told of a match before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from apps.matches.ingest import tables
from apps.matches.records import MatchDetails, PlayerKey, Side

Told = Sequence[tuple[int, MatchDetails]]
"""Matches, each with what a source tells of its people."""

Key = TypeVar("Key", bound=Hashable)


class DetailsWriter:
    """What one source tells of the people of matches, for the length of one ingest.

    Details have four parts: the line-up of either side, the incidents, the absences. A part that is told and differs
    is replaced as a whole; a part that is not told, or is empty, erases nothing. What is told again and is equal keeps
    the moment at which it was known, or learns an earlier one; it never counts as known later. Line-ups of different
    sources stand side by side.

    Players are found by the source's id of them. The name told latest in the input is kept; a new name alone is no
    change of a details.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._ids: dict[str, int] = {}
        self._stored_names: dict[int, str] = {}
        self._told_names: dict[int, str] = {}

    def store(self, told: Told, *, empty: Collection[int]) -> set[int]:
        """Store match details; return the matches of which one changed.

        Parameters
        ----------
        told : sequence of (int, MatchDetails)
            Each match once.
        empty : collection of int
            Matches of which nothing can be stored yet, because they are new.
        """
        self._find_players(told)
        match_ids = [match_id for match_id, _ in told if match_id not in empty]
        return (
            self._store_lineups(told, match_ids)
            | self._store_incidents(told, match_ids)
            | self._store_absences(told, match_ids)
        )

    def close(self) -> None:
        """Follow the players whose names have changed."""
        renamed = {
            player_id: name for player_id, name in self._told_names.items() if name != self._stored_names[player_id]
        }
        if renamed:
            tables.rename_players(renamed)
            self._stored_names |= renamed

    def _find_players(self, told: Told) -> None:
        names = {player.source_player_id: player.name for _, details in told for player in _players(details)}
        unknown = [source_id for source_id in names if source_id not in self._ids]
        for source_id, player_id, name in tables.load_players(self._source, unknown) if unknown else ():
            self._ids[source_id] = player_id
            self._stored_names[player_id] = name
        new = [source_id for source_id in unknown if source_id not in self._ids]
        rows = [
            (player_id, self._source, source_id, names[source_id])
            for player_id, source_id in zip(tables.next_ids(tables.PLAYERS, len(new)), new, strict=True)
        ]
        if rows:
            tables.insert_players(rows)
        for player_id, _, source_id, name in rows:
            self._ids[source_id] = player_id
            self._stored_names[player_id] = name
        for source_id, name in names.items():
            self._told_names[self._ids[source_id]] = name

    def _id(self, player: PlayerKey | None) -> int | None:
        return None if player is None else self._ids[player.source_player_id]

    def _store_lineups(self, told: Told, match_ids: Sequence[int]) -> set[int]:
        stored = _grouped(
            tables.load_lineups(self._source, match_ids) if match_ids else (), lambda row: (row[1], str(row[2]))
        )
        gone: list[int] = []
        new: list[tuple[Any, ...]] = []
        changed: set[int] = set()
        for match_id, details in told:
            by_side: dict[Side, list[tuple[Any, ...]]] = defaultdict(list)
            for entry in details.lineups:
                by_side[entry.side].append(
                    (
                        match_id,
                        entry.side,
                        self._id(entry.player),
                        entry.is_starter,
                        entry.position,
                        entry.shirt_number,
                        details.known_at,
                    )
                )
            for side, rows in by_side.items():
                before = stored.get((match_id, side), [])
                if _is_told_again(before, rows, known_at=details.known_at):
                    continue
                changed.add(match_id)
                gone += [row[0] for row in before]
                new += rows
                # Who is told for the other side now is taken off this one.
                other = stored.get((match_id, Side.AWAY if side is Side.HOME else Side.HOME), [])
                moved = {row[2] for row in rows}
                gone += [row[0] for row in other if row[3] in moved]
        tables.replace_lineups(gone, new)
        return changed

    def _store_incidents(self, told: Told, match_ids: Sequence[int]) -> set[int]:
        stored = _grouped(tables.load_incidents(self._source, match_ids) if match_ids else (), lambda row: row[1])
        gone: list[int] = []
        new: list[tuple[Any, ...]] = []
        changed: set[int] = set()
        for match_id, details in told:
            rows = [
                (
                    match_id,
                    self._source,
                    number,
                    incident.kind,
                    incident.side,
                    incident.minute,
                    self._id(incident.player),
                    self._id(incident.other_player),
                )
                for number, incident in enumerate(details.incidents, start=1)
            ]
            before = stored.get(match_id, [])
            if rows and rows != [row[1:] for row in before]:
                changed.add(match_id)
                gone += [row[0] for row in before]
                new += rows
        tables.replace_incidents(gone, new)
        return changed

    def _store_absences(self, told: Told, match_ids: Sequence[int]) -> set[int]:
        stored = _grouped(tables.load_absences(self._source, match_ids) if match_ids else (), lambda row: row[1])
        gone: list[int] = []
        new: list[tuple[Any, ...]] = []
        changed: set[int] = set()
        for match_id, details in told:
            # Of two absences of one player the later counts.
            rows = {
                self._id(absence.player): (
                    match_id,
                    self._id(absence.player),
                    absence.side,
                    absence.reason,
                    absence.status,
                    details.known_at,
                )
                for absence in details.absences
            }
            before = {row[2]: row for row in stored.get(match_id, [])}
            if not rows:
                continue
            kept = {
                player_id
                for player_id, row in rows.items()
                if player_id in before and _is_told_again([before[player_id]], [row], known_at=details.known_at)
            }
            if kept == before.keys() == rows.keys():
                continue
            changed.add(match_id)
            gone += [row[0] for player_id, row in before.items() if player_id not in kept]
            new += [row for player_id, row in rows.items() if player_id not in kept]
        tables.replace_absences(gone, new)
        return changed


def _is_told_again(stored: Sequence[tuple[Any, ...]], told: Sequence[tuple[Any, ...]], *, known_at: datetime) -> bool:
    """Whether rows equal the stored ones in all but the moment, which is not earlier than the stored one.

    Both end with the moment; the stored ones begin with their id.
    """
    same = sorted(row[1:-1] for row in stored) == sorted(row[:-1] for row in told)
    return same and all(row[-1] <= known_at for row in stored)


def _grouped(
    rows: Iterable[tuple[Any, ...]], key: Callable[[tuple[Any, ...]], Key]
) -> dict[Key, list[tuple[Any, ...]]]:
    groups: dict[Key, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _players(details: MatchDetails) -> Iterator[PlayerKey]:
    for entry in details.lineups:
        yield entry.player
    for incident in details.incidents:
        if incident.player is not None:
            yield incident.player
        if incident.other_player is not None:
            yield incident.other_player
    for absence in details.absences:
        yield absence.player
