"""Which files that no reader accepts may hold matches."""

from __future__ import annotations

import pytest

from apps.scraping.sources.other_files import why_not_read

PLAIN = """\
= English Premier League 2023/24

▪ Matchday 1
  Fri Aug/11
    20.00  Burnley FC  v Manchester City FC  0-3 (0-2)
"""


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "Matchday 1\n[Fri Aug/11]\n  Burnley FC  0-3  Manchester City FC\n",
        "» Round 1\n  Burnley FC 0-3 Manchester City FC\n",
    ],
)
def test_plain_text_of_openfootball_is_named(text: str) -> None:
    assert "plain text" in why_not_read(text.encode())


@pytest.mark.parametrize(
    "header",
    [
        "Date,HomeTeam,AwayTeam,FTHG,FTAG",
        "date;home_team;away_team;score",
        '"Date","Season","home","visitor","FT"',
        "Round\tDate\tTeam 1\tFT\tTeam 2",
        "\ufeffdate,home,away",
        "\n\ndate|Home Name|Away Name",
        "div,date,hometeam,awayteam",
    ],
)
def test_a_table_with_two_teams_is_named(header: str) -> None:
    assert "table in another form" in why_not_read(f"{header}\n1,2,3\n".encode())
    assert "table in another form" in why_not_read(f"{header}\n1,2,3\n".encode("utf-16"))


@pytest.mark.parametrize(
    "text",
    ['{"matches": [{"homeTeam": "A", "awayTeam": "B"}]}', '[{"team1": "A", "team2": "B"}]', '{"home": 1, "away": 2}'],
)
def test_json_with_two_teams_is_named(text: str) -> None:
    assert "JSON in another form" in why_not_read(text.encode())


@pytest.mark.parametrize("magic", [b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01"])
def test_compressed_files_that_are_not_opened_are_named(magic: bytes) -> None:
    assert "unpack it first" in why_not_read(magic + b"rest")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# football.json\n\nMatches as JSON. See 2018-19/en.1.json, 5-4 stars.\n",
        b"CC0 1.0 Universal\n\nStatement of Purpose\n",
        b"team,played,points\nEastmoor,38,84\n",
        b'{"name": "Premier League 2018/19", "clubs": [{"name": "Eastmoor", "code": "EAS"}]}',
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR home away",
        b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ",
        b"<html><title>E0</title><td>home</td><td>away</td></html>",
        b"import pandas\n\nhome, away = 1, 2\n",
    ],
)
def test_files_without_matches_are_not_named(content: bytes) -> None:
    assert why_not_read(content) == ""
