"""The pages of a tournament and of a season, which list the seasons and the stages."""

from __future__ import annotations

from typing import Final

from selectolax.lexbor import LexborHTMLParser

from apps.scraping.sources.base import Page, ParseError
from apps.scraping.sources.whoscored.pages import as_text, as_tree, as_words
from apps.scraping.sources.whoscored.tournaments import PATH, Tournament, WhoScoredSeason, WhoScoredStage, clean_slug

SEASONS: Final = "select#seasons"
STAGES: Final = "select#stages"
FIXTURES_LINK: Final = 'a[href*="/fixtures" i]'


def read_tournament(page: Page, tournament: Tournament) -> list[WhoScoredSeason]:
    """Return the seasons of a tournament in the order of the page.

    Raises
    ------
    ParseError
        When the page lists no season.
    """
    tree = as_tree(as_text(page.content, page.url), page.url)
    seasons: dict[int, WhoScoredSeason] = {}
    for text, link in _options(tree, SEASONS, page.url):
        path = PATH.search(link)
        if path and path["season"] and _is_of(tournament, path["region"], path["tournament"]) and text:
            season_id = int(path["season"])
            seasons.setdefault(season_id, WhoScoredSeason(tournament, season_id, text, clean_slug(path["slug"])))
    if not seasons:
        raise ParseError(f"selector {SEASONS} option with a season", page.url)
    return list(seasons.values())


def read_season(page: Page, season: WhoScoredSeason) -> list[WhoScoredStage]:
    """Return the stages of a season; the one that the page shows comes first.

    Raises
    ------
    ParseError
        When the page has neither the link to its fixtures nor a list of stages.
    """
    tree = as_tree(as_text(page.content, page.url), page.url)
    stages: dict[int, WhoScoredStage] = {}
    links = [("", str(node.attributes.get("href") or "")) for node in tree.css("a[href]")]
    links = [(text, link) for text, link in links if "/fixtures" in link.lower()][:1_000]
    for text, link in [*links, *_options(tree, STAGES, page.url, is_required=False)]:
        path = PATH.search(link[:500])
        if path is None or not path["stage"] or not _is_of(season.tournament, path["region"], path["tournament"]):
            continue
        if int(path["season"] or 0) != season.season_id:
            continue
        stage_id = int(path["stage"])
        before = stages.get(stage_id)
        slug = before.slug if before else clean_slug(path["slug"])
        stages[stage_id] = WhoScoredStage(season, stage_id, text or (before.name if before else ""), slug)
    if not stages:
        raise ParseError(f"selector {FIXTURES_LINK} or {STAGES} option with a stage", page.url)
    return list(stages.values())


def _options(tree: LexborHTMLParser, selector: str, where: str, *, is_required: bool = True) -> list[tuple[str, str]]:
    """Return text and value of the options of a list; ParseError when it is required and missing."""
    node = tree.css_first(selector)
    if node is None:
        if is_required:
            raise ParseError(f"selector {selector}", where)
        return []
    return [(as_words(option.text()), str(option.attributes.get("value") or "")[:500]) for option in node.css("option")]


def _is_of(tournament: Tournament, region_id: str, tournament_id: str) -> bool:
    return (int(region_id), int(tournament_id)) == (tournament.region_id, tournament.tournament_id)
