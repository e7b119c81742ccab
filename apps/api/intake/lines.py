"""The reader of push-in lines: JSON in, a record out.

A field that is null or missing keeps its stored value. An unknown field, a value of the wrong type and a text with a
control character are refused with the JSON Pointer (RFC 6901) of the field.

The fields are declared by the line serializers. `read_line` does not run the serializers: it uses readers that are
compiled from them once, because a body may hold 200,000 lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, Final, NoReturn

from rest_framework import serializers

from apps.api.intake.serializers import (
    CompetitionLineSerializer,
    CountField,
    EnumField,
    MatchLineSerializer,
    OddsLineSerializer,
    PatternField,
    QuoteLineSerializer,
    StatsLineSerializer,
    TimestampField,
)
from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord, OddsRecord, StatsRecord

LONGEST_MATCH: Final = timedelta(days=7)
"""Between kick-off and final whistle; an interrupted match may be completed days later."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_QUOTE: Final = 60
"""Characters of the client's input that an error message repeats."""

Reader = Callable[[Any], Any]
"""Returns the value that a record takes, or raises `LineError`."""


class LineError(Exception):
    """A line that cannot be used; `pointer` is the JSON Pointer of the field that is wrong, empty for the line."""

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(reason)
        self.pointer = pointer
        self.reason = reason


@dataclass(frozen=True, slots=True)
class OddsLine:
    """Prices of a match that the feed sent earlier, under the feed's own id of it."""

    source_id: str
    odds: tuple[OddsRecord, ...]


def read_line(raw: bytes | bytearray) -> MatchRecord | OddsLine:
    """Return the record of a line.

    Raises
    ------
    LineError
        With the first thing that is wrong.
    """
    line = _json(raw)
    if not isinstance(line, dict):
        raise LineError("a line is one JSON object")
    kind = line.pop("type", None)
    if kind is None or kind == "match":
        return _read_match(line)
    if kind == "odds":
        return _read_odds_line(line)
    raise LineError(f"type {_quoted(kind)} is neither match nor odds", "/type")


def _json(raw: bytes | bytearray) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates)
    except UnicodeDecodeError as error:
        raise LineError(f"byte {error.start + 1} is not UTF-8") from error
    except json.JSONDecodeError as error:
        message = f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise LineError(f"it is not valid JSON: {message} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise LineError("its JSON is nested too deeply") from error
    except ValueError as error:
        # A whole number of more digits than Python reads.
        raise LineError("it holds a number that is too long") from error


def _refuse_constant(name: str) -> NoReturn:
    raise LineError(f"it is not valid JSON: {name} is not a number; leave the field out")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        unseen = dict.fromkeys(found, True)
        duplicate = next(name for name, _ in pairs if not unseen.pop(name, False))
        raise LineError(f"the field {_quoted(duplicate)} comes twice")
    return found


# ── Readers of one value each ────────────────────────────────────────────────────────────────────────────────────────
def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise LineError("it must be a text")
    if not value.isascii() or not value.isprintable():
        if _CONTROL.search(value):
            raise LineError("it holds a control character")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise LineError("it holds half of a UTF-16 pair, which is not a character")
    return value.strip()


def _text_of(field: PatternField) -> Reader:
    def read(value: Any) -> str:
        text = _text(value)
        if not field.pattern.fullmatch(text):
            raise LineError(field.reason)
        return text

    return read


def _count(field: CountField) -> Reader:
    largest = field.largest

    def read(value: Any) -> int:
        if type(value) is not int:
            raise LineError("it must be a whole number")
        if not 0 <= value <= largest:
            raise LineError(f"it must lie between 0 and {largest:,}")
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


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise LineError("it must be true or false")
    return value


def _member(field: EnumField) -> Reader:
    by_value = {str(member): member for member in field.enum}

    def read(value: Any) -> StrEnum:
        found = by_value.get(value) if isinstance(value, str) else None
        if found is None:
            raise LineError(f"{_quoted(value)} is none of {', '.join(by_value)}")
        return found

    return read


def _timestamp(value: Any) -> datetime:
    text = _text(value)
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None and _DAY.fullmatch(text):
            found = found.replace(tzinfo=UTC)
        if found.tzinfo is None:
            raise LineError("it has no zone; write it as 2026-11-23T15:00:00Z")
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise LineError(f"{_quoted(value)} is not a moment; write it as 2026-11-23T15:00:00Z") from error


def _list_of(read_item: Reader) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise LineError("it must be a list")
        items = []
        for index, item in enumerate(value):
            try:
                items.append(read_item(item))
            except LineError as error:
                raise LineError(error.reason, f"/{index}{error.pointer}") from error
        return tuple(items)

    return read


# ── Readers of objects, compiled from serializers ────────────────────────────────────────────────────────────────────
_RECORDS: Final[Mapping[type, Callable[..., Any]]] = {
    CompetitionLineSerializer: CompetitionKey,
    MatchLineSerializer: MatchRecord,
    OddsLineSerializer: OddsLine,
    QuoteLineSerializer: OddsRecord,
    StatsLineSerializer: StatsRecord,
}


def _reader_of(field: serializers.Field[Any, Any, Any, Any]) -> Reader:
    """Return the reader of a declared field."""
    match field:
        case serializers.ListSerializer(child=serializers.Serializer() as item):
            return _list_of(_object(item))
        case serializers.Serializer():
            return _object(field)
        case serializers.BooleanField():
            return _boolean
        case serializers.FloatField():
            return _number
        case CountField():
            return _count(field)
        case EnumField():
            return _member(field)
        case PatternField():
            return _text_of(field)
        case TimestampField():
            return _timestamp
        case serializers.CharField():
            return _text
    raise TypeError(f"no reader for {type(field).__name__}")


def _object(
    declared: serializers.Serializer[Any], check: Callable[[Mapping[str, Any], Mapping[str, Any]], None] | None = None
) -> Reader:
    """Return the reader of an object, which makes the record of its serializer; `check` sees all values before."""
    fields = {name: field for name, field in declared.fields.items() if name != "type"}
    readers = {name: _reader_of(field) for name, field in fields.items()}
    required = [name for name, field in fields.items() if field.required]
    record = _RECORDS[type(declared)]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise LineError("it must be an object")
        values: dict[str, Any] = {}
        for name, raw in value.items():
            reader = readers.get(name)
            if reader is None:
                known = ", ".join(readers)
                raise LineError(f"there is no field {_quoted(name)}; the fields are {known}", f"/{_escaped(name)}")
            if raw is None:
                continue
            try:
                values[name] = reader(raw)
            except LineError as error:
                raise LineError(error.reason, f"/{name}{error.pointer}") from error
        for name in required:
            if not values.get(name):
                raise LineError(f"{name} is missing", f"/{name}")
        if check is not None:
            check(values, value)
        try:
            return record(**values)
        except ValueError as error:
            # The record puts its own name in front: "odds: …".
            raise LineError(str(error).partition(": ")[2] or str(error)) from error

    return read


def _check_times(values: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    precision = values.get("kickoff_precision", KickoffPrecision.MINUTE)
    kickoff_at, finished_at = values["kickoff_at"], values.get("finished_at")
    if precision == KickoffPrecision.DATE and kickoff_at.timetz() != time(tzinfo=UTC):
        raise LineError("with kickoff_precision date it must be a day, such as 2026-11-23", "/kickoff_at")
    if precision == KickoffPrecision.MINUTE and _DAY.fullmatch(raw["kickoff_at"].strip()):
        raise LineError("a date without a time needs kickoff_precision date", "/kickoff_at")
    if finished_at is not None and finished_at > kickoff_at + LONGEST_MATCH:
        raise LineError(f"it is more than {LONGEST_MATCH.days} days after kick-off", "/finished_at")


def _quoted(value: Any) -> str:
    """Return the client's input in ASCII, which every terminal shows."""
    text = ascii(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")[:_LONGEST_QUOTE].encode("utf-8", "replace").decode()


_read_match: Final = _object(MatchLineSerializer(), check=_check_times)
_read_odds_line: Final = _object(OddsLineSerializer())
