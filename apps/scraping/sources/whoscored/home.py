"""The home page: every region and tournament of the site."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from apps.matches.records import CompetitionKey
from apps.scraping.sources.base import Page, ParseError
from apps.scraping.sources.competitions import WHOSCORED
from apps.scraping.sources.whoscored.pages import as_count, as_text, as_words, assigned
from apps.scraping.sources.whoscored.tournaments import PATH, Tournament, clean_slug

REGIONS: Final = re.compile(r"\ballRegions\s*=\s*")


def read_home(
    page: Page, wanted: Sequence[tuple[int, int]], *, is_simulated: bool, notes: Counter[str]
) -> list[Tournament]:
    """Return the tournaments to follow.

    Parameters
    ----------
    wanted : sequence of (int, int)
        Ids of region and tournament; empty for all on the page. One that is not on the page is noted and followed all
        the same, since its address is known.
    is_simulated : bool
        Whether the tournaments are those of the sandbox, whose `sortOrder` is the tier.

    Raises
    ------
    ParseError
        When the page has no readable `allRegions`.
    """
    regions = assigned(as_text(page.content, page.url), REGIONS, "allRegions", page.url)
    if not isinstance(regions, list):
        raise ParseError("a list in variable allRegions", page.url)
    listed = {
        (found.region_id, found.tournament_id): found
        for region in regions
        for found in _tournaments(region, is_simulated=is_simulated, notes=notes)
    }
    if not listed:
        raise ParseError("a tournament in variable allRegions", page.url)
    if not wanted:
        return list(listed.values())
    notes.update(f"tournament {ids[0]}/{ids[1]} is not on the home page" for ids in wanted if ids not in listed)
    return [listed.get(ids) or Tournament(*ids, competition=WHOSCORED.get(ids)) for ids in wanted]


def _tournaments(region: Any, *, is_simulated: bool, notes: Counter[str]) -> list[Tournament]:
    region = region if isinstance(region, dict) else {}
    region_id, region_name = as_count(region.get("id")), as_words(region.get("name"))
    tournaments = region.get("tournaments")
    found = []
    for tournament in tournaments if isinstance(tournaments, list) else []:
        entry = tournament if isinstance(tournament, dict) else {}
        tournament_id, name = as_count(entry.get("id")), as_words(entry.get("name"))
        if region_id is None or tournament_id is None or not region_name or not name:
            notes["tournaments without id or name"] += 1
            continue
        path = PATH.search(str(entry.get("url") or "")[:500])
        competition: CompetitionKey | None
        if is_simulated:
            competition = CompetitionKey(region_name, name, as_count(entry.get("sortOrder")) or 0, is_simulated=True)
        else:
            competition = WHOSCORED.get((region_id, tournament_id)) or CompetitionKey(region_name, name, 0)
        found.append(Tournament(region_id, tournament_id, clean_slug(path["slug"]) if path else "", competition))
    return found
