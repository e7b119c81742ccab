"""openfootball over football-data, on the real files of the top five leagues: one row a match, every dispute listed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from apps.matches.aliases import aliases_for
from apps.matches.ingest import RecordOutcome, ingest
from apps.matches.ingest.ingestion import Ingestion
from apps.matches.models import Contradiction, Match, TeamAlias
from apps.matches.records import MatchRecord, MatchStatus
from apps.scraping.sources import SOURCES
from tests.db.matches.conftest import at

NOW = at("2024-07-01 12:00")
LEAGUES = {
    "E0.csv": "en.1.json",
    "SP1.csv": "es.1.json",
    "I1.csv": "it.1.json",
    "D1.csv": "de.1.json",
    "F1.csv": "fr.1.json",
}
Key = tuple[str, str, str, str]
"""Region, season and the names that both teams are kept under: these leagues pair teams once at each ground."""

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("SPAI_REAL_DATA"), reason="SPAI_REAL_DATA names no folder of real files"),
]


def seasons() -> Iterator[tuple[Path, Path]]:
    """Yield the files of both sources of each season of each league that both tell of."""
    root = Path(os.environ["SPAI_REAL_DATA"])
    for folder in sorted((root / "openfootball").iterdir()):
        for ours, theirs in LEAGUES.items():
            pair = root / "football-data" / folder.name / ours, folder / theirs
            if all(path.is_file() for path in pair):
                yield pair


def told(source: str, path: Path) -> list[MatchRecord]:
    """Return the matches of a file, without prices, which nothing here is about."""
    parsed = SOURCES[source].parse_file(f"{path.parent.name}/{path.name}", path.read_bytes())
    return [replace(record, odds=()) for record in parsed.records]


def key(record: MatchRecord) -> Key:
    names = aliases_for(record.competition.region)
    home, away = (names.get(name, name) for name in (record.home_team, record.away_team))
    return record.competition.region, record.season, home, away


def score(record: MatchRecord) -> str:
    return (
        f"{record.home_goals}–{record.away_goals}"
        if record.status in (MatchStatus.FINISHED, MatchStatus.AWARDED)
        else ""
    )


@pytest.mark.django_db
def test_over_999_of_1000_common_matches_of_the_top_five_leagues_join_and_every_contradiction_is_listed():
    ours = [record for path, _ in seasons() for record in told("football-data", path)]
    theirs = [record for _, path in seasons() for record in told("openfootball", path)]
    known = {key(record): record for record in ours}
    assert len(known) == len(ours)
    common = [record for record in theirs if key(record) in known]
    disputed = {
        (key(record), score(record), score(known[key(record)]))
        for record in common
        if score(record) and score(known[key(record)]) and score(record) != score(known[key(record)])
    }
    assert len(common) > 20_000
    # Both were awarded after a verdict: football-data has what was played, or what was awarded, as a played result.
    assert disputed == {
        (("France", "2016-17", "Bastia", "Lyon"), "0–0", "0–3"),
        (("Italy", "2020-21", "Verona", "Roma"), "3–0", "0–0"),
    }

    first = ingest(ours, source="football-data", now=NOW, aliases=aliases_for)
    assert (first.created, first.refused) == (len(ours), 0)
    before = dict(Match.objects.values_list("pk", "revision"))
    with Ingestion(source="openfootball", now=NOW, aliases=aliases_for) as run:
        outcomes = dict(zip(map(key, theirs), run.store(theirs).outcomes, strict=True))

    rows = Contradiction.objects.select_related(
        "match__season__competition__region", "match__home_team", "match__away_team"
    )
    listed = {
        (
            (
                row.match.season.competition.region.name,
                row.match.season.label,
                row.match.home_team.name,
                row.match.away_team.name,
            ),
            row.reported,
            row.standing,
        )
        for row in rows
    }
    assert listed == disputed
    assert {(row.source, row.standing_source, row.decided_by, row.resolution) for row in rows} == {
        ("openfootball", "football-data", "trust", "")
    }
    assert Contradiction.objects.filter(resolved_at=None).count() == len(disputed)
    disputed_keys = {each for each, _, _ in disputed}
    joined = [
        record
        for record in common
        if outcomes[key(record)] in (RecordOutcome.SAME, RecordOutcome.CHANGED) or key(record) in disputed_keys
    ]
    assert len(joined) > 0.999 * len(common)
    assert run.report().created == len(theirs) - len(common)
    assert Match.objects.count() == len(ours) + run.report().created
    assert dict(Match.objects.filter(pk__in=before).values_list("pk", "revision")) == before
    assert not TeamAlias.objects.filter(source="openfootball", reviewed_at=None).exists()

    with Ingestion(source="openfootball", now=NOW, aliases=aliases_for) as again:
        again.store(theirs)
    report = again.report()
    assert (report.created, report.changed, report.refused) == (0, 0, run.report().refused)
    assert Contradiction.objects.count() == len(disputed)
