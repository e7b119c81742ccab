"""Files that no reader accepts: which of them may hold matches anyway."""

from __future__ import annotations

import re
from typing import Final

from apps.scraping.sources.football_data.table import SEPARATORS, decoded

PACKED: Final = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
"""Formats of archives that are not opened, by their first bytes; `containers` has those that are."""

HOME: Final = re.compile(r"(?:home|host)(?:team|teamname|name|club)?|team1|ht")
AWAY: Final = re.compile(r"(?:away|visitor|visiting|guest)(?:team|teamname|name|club)?|team2|at")
"""Columns with the two teams, in lower case, only letters and digits."""

JSON_TEAMS: Final = re.compile(r'"(?:home\w*|team1)"\s*:.*"(?:away\w*|team2)"\s*:', re.DOTALL | re.IGNORECASE)

HEADING: Final = re.compile(r"^ *(?:= .*\d{4}|[»▪] ?\S.*|(?:Matchday|Round) \d+) *$", re.MULTILINE)
RESULT: Final = re.compile(r"^ *\S.* (?:v|\d{1,2}-\d{1,2}) .*\S", re.MULTILINE)
"""Lines of openfootball's plain text: ``= English Premier League 2023/24``, ``▪ Matchday 1``, ``Burnley FC 0-3 …``."""

TEXT_BEGINS: Final = 1_000
"""Characters in which a text has no NUL."""


def why_not_read(head: bytes) -> str:
    """Return why a file that may hold matches is not read; empty for one without matches.

    Parameters
    ----------
    head : bytes
        Its first `HEAD` bytes.
    """
    for magic, name in PACKED.items():
        if head.startswith(magic):
            return f"it is compressed with {name}; unpack it first"
    text = decoded(head)
    if "\x00" in text[:TEXT_BEGINS]:
        return ""
    if text.lstrip().startswith(("{", "[")):
        return "JSON in another form than openfootball's" if JSON_TEAMS.search(text) else ""
    if HEADING.search(text) and RESULT.search(text):
        return "openfootball's plain text; the same seasons are published as JSON"
    if _has_teams(text.lstrip().partition("\n")[0]):
        return "a table in another form than football-data's"
    return ""


def _has_teams(header: str) -> bool:
    columns = [re.sub(r"[^a-z0-9]", "", column) for column in re.split("[" + "".join(SEPARATORS) + "]", header.lower())]
    return any(map(HOME.fullmatch, columns)) and any(map(AWAY.fullmatch, columns))
