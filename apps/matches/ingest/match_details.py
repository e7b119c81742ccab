"""Match details: line-ups, incidents and absences replace those that the same source has reported before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from apps.matches.ingest import tables
from apps.matches.records import MatchDetails, PlayerKey, Side

Reported = Sequence[tuple[int, MatchDetails]]
"""Ids of matches, each with the details that a source reports."""

Key = TypeVar("Key", bound=Hashable)


class DetailsWriter:
    """Stores the details that one source reports, during one ingest.

    Details have four parts: the line-up of either side, the incidents, the absences. A part that is reported and
    differs is replaced as a whole; a part that is empty erases nothing. What is reported again and is equal keeps the
    moment at which it was known, or gets an earlier one, never a later one. Line-ups of different sources are stored
    side by side.

    Players are found by the source's id of them. The latest name in the input is stored; a new name alone is no
    change of the details.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._ids: dict[str, int] = {}
        self._stored_names: dict[int, str] = {}
        self._latest_names: dict[int, str] = {}

    def store(self, reported: Reported, *, empty: Collection[int]) -> set[int]:
        """Store details, each match once; return the matches of which a detail changed.

        Of the matches in `empty` nothing can be stored yet, because they are new.
        """
        self._find_players(reported)
        match_ids = [match_id for match_id, _ in reported if match_id not in empty]
        return (
            self._store_lineups(reported, match_ids)
            | self._store_incidents(reported, match_ids)
            | self._store_absences(reported, match_ids)
        )

    def close(self) -> None:
        """Store the new names of players."""
        renamed = {
            player_id: name for player_id, name in self._latest_names.items() if name != self._stored_names[player_id]
        }
        if renamed:
            tables.rename_players(renamed)
            self._stored_names |= renamed

    def _find_players(self, reported: Reported) -> None:
        names = {player.source_player_id: player.name for _, details in reported for player in _players(details)}
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
            tables.insert(tables.PLAYERS, rows)
        for player_id, _, source_id, name in rows:
            self._ids[source_id] = player_id
            self._stored_names[player_id] = name
        for source_id, name in names.items():
            self._latest_names[self._ids[source_id]] = name

    def _id(self, player: PlayerKey | None) -> int | None:
        return None if player is None else self._ids[player.source_player_id]

    def _store_lineups(self, reported: Reported, match_ids: Sequence[int]) -> set[int]:
        stored = _grouped(
            tables.load_player_rows(tables.LINEUPS, self._source, match_ids) if match_ids else (),
            lambda row: (row[1], str(row[2])),
        )
        gone: list[int] = []
        new: list[tuple[Any, ...]] = []
        changed: set[int] = set()
        for match_id, details in reported:
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
                if _is_reported_again(before, rows, known_at=details.known_at):
                    continue
                changed.add(match_id)
                gone += [row[0] for row in before]
                new += rows
                # A player who is reported for the other side now is removed from this one.
                other = stored.get((match_id, Side.AWAY if side is Side.HOME else Side.HOME), [])
                moved = {row[2] for row in rows}
                gone += [row[0] for row in other if row[3] in moved]
        tables.replace(tables.LINEUPS, gone, new)
        return changed

    def _store_incidents(self, reported: Reported, match_ids: Sequence[int]) -> set[int]:
        stored = _grouped(tables.load_incidents(self._source, match_ids) if match_ids else (), lambda row: row[1])
        gone: list[int] = []
        new: list[tuple[Any, ...]] = []
        changed: set[int] = set()
        for match_id, details in reported:
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
        tables.replace(tables.INCIDENTS, gone, new)
        return changed

    def _store_absences(self, reported: Reported, match_ids: Sequence[int]) -> set[int]:
        stored = _grouped(
            tables.load_player_rows(tables.ABSENCES, self._source, match_ids) if match_ids else (), lambda row: row[1]
        )
        gone: list[int] = []
        new: list[tuple[Any, ...]] = []
        changed: set[int] = set()
        for match_id, details in reported:
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
                if player_id in before and _is_reported_again([before[player_id]], [row], known_at=details.known_at)
            }
            if kept == before.keys() == rows.keys():
                continue
            changed.add(match_id)
            gone += [row[0] for player_id, row in before.items() if player_id not in kept]
            new += [row for player_id, row in rows.items() if player_id not in kept]
        tables.replace(tables.ABSENCES, gone, new)
        return changed


def _is_reported_again(
    stored: Sequence[tuple[Any, ...]], reported: Sequence[tuple[Any, ...]], *, known_at: datetime
) -> bool:
    """Whether rows equal the stored ones in all but the moment, which is not earlier than the stored one.

    Both end with the moment; the stored ones begin with their id.
    """
    same = sorted(row[1:-1] for row in stored) == sorted(row[:-1] for row in reported)
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
