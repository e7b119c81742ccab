"""From one line of a feed to a record: strict about what is there, silent about what is not.

A field that is null or missing was not told. A field that does not exist, a number that is none and a text that holds
a control character are refused by the name of the field, as a JSON Pointer (RFC 6901).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, Final, NoReturn

from apps.matches.records import (
    CompetitionKey,
    KickoffPrecision,
    MatchRecord,
    MatchStatus,
    Moment,
    OddsRecord,
    StatsRecord,
)

LARGEST_COUNT: Final = 32_767
LARGEST_ATTENDANCE: Final = 2_147_483_647
LONGEST_MATCH: Final = timedelta(days=7)
"""Between kick-off and final whistle; a match that is broken off may be ended days later."""

_SEASON: Final = re.compile(r"\d{4}(-\d{2})?", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_BOOKMAKER: Final = re.compile(r"[A-Za-z0-9]{1,12}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ECHO: Final = 60


class LineError(Exception):
    """A line that cannot be used.

    Parameters
    ----------
    pointer : str
        JSON Pointer of the field that is wrong; empty for the line as a whole.
    reason : str
        What is wrong with it.
    """

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(reason)
        self.pointer = pointer
        self.reason = reason


@dataclass(frozen=True, slots=True)
class OddsLine:
    """Prices of a match that was told before, under the source's own id of it."""

    source_id: str
    odds: tuple[OddsRecord, ...]


def read_line(raw: bytes | bytearray) -> MatchRecord | OddsLine:
    """Return what a line tells.

    Raises
    ------
    LineError
        With the first thing that is wrong with it.
    """
    told = _json(raw)
    if not isinstance(told, dict):
        raise LineError("a line is one JSON object")
    kind = told.pop("type", None)
    if kind is None or kind == "match":
        return _match(told)
    if kind == "odds":
        return _odds_line(told)
    raise LineError(f"type {_echo(kind)} is neither match nor odds", "/type")


def _json(raw: bytes | bytearray) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_constant, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise LineError(f"byte {error.start + 1} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise LineError(
            f"it is no JSON: {error.msg[:1].lower()}{error.msg[1:]} at character {error.pos + 1}"
        ) from error
    except RecursionError as error:
        raise LineError("it is no JSON that a line may hold: nested too deeply") from error
    except ValueError as error:
        # A whole number of more digits than Python reads.
        raise LineError("it holds a number that is too long") from error


def _constant(name: str) -> NoReturn:
    raise LineError(f"it is no JSON: {name} is no number; leave the field out")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        left = dict.fromkeys(found, True)
        again = next(name for name, _ in pairs if not left.pop(name, False))
        raise LineError(f"the field {_echo(again)} comes twice")
    return found


def _match(told: dict[str, Any]) -> MatchRecord:
    values = _read(told, _MATCH)
    for name in ("competition", "season", "home_team", "away_team", "kickoff_at"):
        if values.get(name) in (None, ""):
            raise LineError(f"{name} is missing", f"/{name}")
    precision = values.get("kickoff_precision", KickoffPrecision.MINUTE)
    kickoff_at = values["kickoff_at"]
    if precision == KickoffPrecision.DATE and kickoff_at.timetz() != time(tzinfo=UTC):
        raise LineError("with kickoff_precision date it is a day, such as 2026-11-23", "/kickoff_at")
    if precision == KickoffPrecision.MINUTE and _DAY.fullmatch(told["kickoff_at"].strip()):
        raise LineError("a day alone has kickoff_precision date", "/kickoff_at")
    finished_at = values.get("finished_at")
    if finished_at is not None and finished_at > kickoff_at + LONGEST_MATCH:
        raise LineError(f"it is more than {LONGEST_MATCH.days} days after kick-off", "/finished_at")
    try:
        return MatchRecord(**values)
    except ValueError as error:
        raise LineError(_said(error)) from error


def _odds_line(told: dict[str, Any]) -> OddsLine:
    values = _read(told, _ODDS_LINE)
    for name in ("source_id", "odds"):
        if not values.get(name):
            raise LineError(f"{name} is missing; a line of odds names the match by its source_id", f"/{name}")
    return OddsLine(values["source_id"], values["odds"])


# ── Readers of one value each: they return it as records have it, or say what is wrong ───────────────────────────────
Reader = Callable[[Any], Any]


def _read(told: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the values that are told."""
    values: dict[str, Any] = {}
    for name, value in told.items():
        reader = readers.get(name)
        if reader is None:
            raise LineError(f"there is no field {_echo(name)}; there are {', '.join(readers)}", f"/{_escaped(name)}")
        if value is None:
            continue
        try:
            values[name] = reader(value)
        except LineError as error:
            raise LineError(error.reason, f"/{name}{error.pointer}") from error
    return values


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise LineError("it must be a text")
    if not value.isascii() or not value.isprintable():
        if _CONTROL.search(value):
            raise LineError("it holds a control character")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise LineError("it holds half of a pair of UTF-16, which is no character")
    return value.strip()


def _whole(limit: int) -> Reader:
    def read(value: Any) -> int:
        if type(value) is not int:
            raise LineError("it must be a whole number")
        if not 0 <= value <= limit:
            raise LineError(f"it must lie between 0 and {limit:,}")
        return value

    return read


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise LineError("it must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise LineError("it is too large")
    return number


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise LineError("it must be true or false")
    return value


def _one_of(choices: type[StrEnum]) -> Reader:
    by_value = {str(choice): choice for choice in choices}

    def read(value: Any) -> StrEnum:
        found = by_value.get(value) if isinstance(value, str) else None
        if found is None:
            raise LineError(f"{_echo(value)} is none of {', '.join(by_value)}")
        return found

    return read


def _season(value: Any) -> str:
    text = _text(value)
    if not _SEASON.fullmatch(text):
        raise LineError("it must be written 2023-24, or 2023 for a season within one year")
    return text


def _moment_in_time(value: Any) -> datetime:
    text = _text(value)
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None and _DAY.fullmatch(text):
            found = found.replace(tzinfo=UTC)
        if found.tzinfo is None:
            raise LineError("it has no zone; write it as 2026-11-23T15:00:00Z")
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise LineError(f"{_echo(value)} is no moment; write it as 2026-11-23T15:00:00Z") from error


def _bookmaker(value: Any) -> str:
    text = _text(value)
    if not _BOOKMAKER.fullmatch(text):
        raise LineError("it must be a code of 1 to 12 letters and digits")
    return text


def _competition(value: Any) -> CompetitionKey:
    values = _read(_as_object(value), _COMPETITION)
    for name in ("region", "name"):
        if not values.get(name):
            raise LineError(f"{name} is missing", f"/{name}")
    return CompetitionKey(**values)


def _stats(value: Any) -> StatsRecord:
    return StatsRecord(**_read(_as_object(value), _STATS))


def _odds(value: Any) -> tuple[OddsRecord, ...]:
    if not isinstance(value, list):
        raise LineError("it must be a list")
    found = []
    for index, each in enumerate(value):
        try:
            values = _read(_as_object(each), _QUOTE)
            for name in ("bookmaker", "moment"):
                if not values.get(name):
                    raise LineError(f"{name} is missing", f"/{name}")
            try:
                found.append(OddsRecord(**values))
            except ValueError as error:
                raise LineError(_said(error)) from error
        except LineError as error:
            raise LineError(error.reason, f"/{index}{error.pointer}") from error
    return tuple(found)


def _as_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LineError("it must be an object")
    return value


def _said(error: ValueError) -> str:
    """Return what a record says of itself, without its name in front."""
    return str(error).partition(": ")[2] or str(error)


def _echo(value: Any) -> str:
    """Return what was sent in a form that every terminal takes."""
    text = ascii(value)
    return text if len(text) <= _ECHO else f"{text[:_ECHO]}…"


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")[:_ECHO].encode("utf-8", "replace").decode()


_count: Final = _whole(LARGEST_COUNT)

_COMPETITION: Final[Mapping[str, Reader]] = {
    "region": _text,
    "name": _text,
    "level": _count,
    "is_simulated": _yes_or_no,
}
_STATS: Final[Mapping[str, Reader]] = {
    field.name: _count for field in fields(StatsRecord) if field.name.startswith(("home_", "away_"))
} | {"attendance": _whole(LARGEST_ATTENDANCE), "referee": _text}
_QUOTE: Final[Mapping[str, Reader]] = {"bookmaker": _bookmaker, "moment": _one_of(Moment)} | {
    field.name: _number for field in fields(OddsRecord) if field.name not in ("bookmaker", "moment")
}
_MATCH: Final[Mapping[str, Reader]] = {
    "competition": _competition,
    "season": _season,
    "home_team": _text,
    "away_team": _text,
    "kickoff_at": _moment_in_time,
    "kickoff_precision": _one_of(KickoffPrecision),
    "status": _one_of(MatchStatus),
    "home_goals": _count,
    "away_goals": _count,
    "home_goals_half_time": _count,
    "away_goals_half_time": _count,
    "home_goals_extra_time": _count,
    "away_goals_extra_time": _count,
    "home_penalties": _count,
    "away_penalties": _count,
    "finished_at": _moment_in_time,
    "is_neutral": _yes_or_no,
    "source_id": _text,
    "home_team_id": _text,
    "away_team_id": _text,
    "home_region": _text,
    "away_region": _text,
    "stage": _text,
    "round": _text,
    "stats": _stats,
    "odds": _odds,
}
_ODDS_LINE: Final[Mapping[str, Reader]] = {"source_id": _text, "odds": _odds}

FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "match": frozenset(_MATCH),
    "odds": frozenset(_ODDS_LINE),
    "competition": frozenset(_COMPETITION),
    "stats": frozenset(_STATS),
    "quote": frozenset(_QUOTE),
}
"""What may be told, for who describes it."""
