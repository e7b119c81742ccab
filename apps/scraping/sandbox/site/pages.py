"""The HTML pages of the site: home, league, season, fixtures, preview, match centre, player, error.

As on the real site, scripts contain what programs read; the rest is for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from html import escape
from http import HTTPStatus
from string import Template
from typing import Final

from apps.matches.records import AbsenceRecord, Side
from apps.scraping.sandbox.clubs import LEVELS
from apps.scraping.sandbox.site.addresses import (
    LEAGUES,
    SandboxLeague,
    match_path,
    on_clock,
    season_code,
    season_name,
    slug,
)
from apps.scraping.sandbox.site.answers import SiteAnswer
from apps.scraping.sandbox.site.centre import centre_script
from apps.scraping.sandbox.site.script import literal
from apps.scraping.sandbox.site.stages import MatchView, SandboxStage
from apps.scraping.sandbox.squads import SimulatedPlayer
from apps.scraping.sandbox.timetable import SimulatedSeason

SHOWN: Final = 12
"""Matches around the current moment on the page of a stage."""

LOADER: Final = "var require = {config: {params: {}}};"
"""Replaces the script loader whose parameters contain the data of a match centre."""

FRAME: Final = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
header p { border-left: 4px solid #c60; padding-left: .75rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #8884; }
td.score { text-align: center; white-space: nowrap; }
a { color: #06c; }
@media (prefers-color-scheme: dark) { a { color: #7bf; } }
</style>
</head>
<body>
<header>
<h1>$title</h1>
<p>This football world is simulated: its clubs, players and matches do not exist. <a href="/">All leagues</a></p>
</header>
$body
$script
</body>
</html>
""")

SCRIPT: Final = Template('<script type="text/javascript">\n$code\n</script>')

HOME: Final = Template("""<p>Eight past seasons lie behind today's leagues, in which somewhere a match kicks off every
minute and lasts two. The same seed and the same start give the same world for ever.</p>
<table>
<thead><tr><th>Region</th><th>League</th><th>Level</th><th>Season</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
<h2>Files</h2>
<table>
<tbody>
$files
</tbody>
</table>
<p><a href="/fixtures.csv">Coming matches</a></p>""")

SEASON: Final = Template("""<p><label>Season
<select id="seasons" name="seasons">
$seasons
</select></label></p>
<ul id="sub-navigation">
<li><a href="$stage_path">Fixtures</a></li>
</ul>""")

STAGE: Final = Template("""<p><label>Stage
<select id="stages" name="stages">
<option value="$stage_path" selected="selected">$stage_name</option>
</select></label></p>
<table id="around-now">
<thead><tr><th>Kick-off (UK clock)</th><th>Home</th><th>Score</th><th>Away</th></tr></thead>
<tbody>
$rows
</tbody>
</table>""")

MATCH: Final = Template("""<p><a href="$stage_path">$league, $season</a> · $round</p>
<p>$kickoff (UK clock) · $state</p>
<p><a href="$live">Match centre</a> · <a href="$preview">Preview</a></p>""")

MISSING: Final = Template("""<div id="missing-players">
<h2>Missing players</h2>
<div class="home small-display"><h3>$home</h3><table class="grid"><tbody>
$home_rows
</tbody></table></div>
<div class="away small-display"><h3>$away</h3><table class="grid"><tbody>
$away_rows
</tbody></table></div>
</div>""")

PLAYER: Final = Template("<p>$club · shirt $shirt · $position · aged $age</p>")

LINEUPS: Final = Template("""<table id="line-ups">
<thead><tr><th>$home</th><th>$away</th></tr></thead>
<tbody>
$rows
</tbody>
</table>""")


def page(title: str, body: str, *scripts: str) -> bytes:
    """Return a whole page; `body` and `scripts` are HTML and JavaScript, the title is text."""
    code = "\n".join(SCRIPT.substitute(code=code) for code in scripts)
    return FRAME.substitute(title=escape(title), body=body, script=code).encode()


def home_page(current: SimulatedSeason, past: Iterable[SimulatedSeason]) -> bytes:
    """Return the home page, which lists all leagues."""
    rows = "\n".join(
        f"<tr><td>{escape(league.competition.region)}</td>"
        f'<td><a href="{league.path}">{escape(league.competition.name)}</a></td><td>{league.competition.level}</td>'
        f'<td><a href="{league.stage_path(current)}">{escape(season_name(current))}</a></td></tr>'
        for league in LEAGUES
    )
    files = "\n".join(f"<tr><td>{season.label}</td>{_files(season)}</tr>" for season in past)
    return page("A football world that does not exist", HOME.substitute(rows=rows, files=files), regions_script())


def regions_script() -> str:
    """Return the script that lists the leagues of all regions."""
    regions = [
        {
            "type": 0,
            "id": leagues[0].region_id,
            "flg": f"flg-{leagues[0].competition.region[:3].lower()}",
            "name": leagues[0].competition.region,
            "tournaments": [
                {
                    "id": league.tournament_id,
                    "url": league.path,
                    "name": league.competition.name,
                    "sortOrder": league.competition.level,
                }
                for league in leagues
            ],
        }
        for leagues in (LEAGUES[start : start + LEVELS] for start in range(0, len(LEAGUES), LEVELS))
    ]
    return f"var allRegions = {literal(regions)};"


def season_page(league: SandboxLeague, shown: SimulatedSeason, seasons: Sequence[SimulatedSeason]) -> bytes:
    """Return the page of a league's season; the list of seasons has the newest first."""
    options = "\n".join(
        f'<option value="{league.season_path(season)}"{" selected" if season == shown else ""}>'
        f"{escape(season_name(season))}</option>"
        for season in seasons
    )
    body = SEASON.substitute(seasons=options, stage_path=league.stage_path(shown))
    return page(f"{league.competition.name} {season_name(shown)}", body)


def stage_page(stage: SandboxStage, days: set[date], around: Sequence[MatchView]) -> bytes:
    """Return the page of a stage's fixtures.

    Parameters
    ----------
    stage : SandboxStage
    days : set of date
        Those with matches.
    around : sequence of MatchView
        The matches to show to people.
    """
    league, path = stage.league, stage.league.stage_path(stage.season)
    rows = "\n".join(_row(view) for view in around)
    body = STAGE.substitute(stage_path=path, stage_name=escape(league.competition.name), rows=rows)
    return page(f"{league.competition.name} {season_name(stage.season)}: fixtures", body, calendar_script(stage, days))


def calendar_script(stage: SandboxStage, days: set[date]) -> str:
    """Return the script with the days that have matches; its months count from 0."""
    mask: dict[int, dict[int, dict[int, int]]] = {}
    for day in sorted(days):
        mask.setdefault(day.year, {}).setdefault(day.month - 1, {})[day.day] = 1
    calendar = {
        "min": min(days),
        "max": max(days),
        "fixtureDate": max(days),
        "stageId": stage.stage_id,
        "isAggregate": False,
        "mask": mask,
    }
    return f"var wsCalendar = {literal(calendar)};"


def preview_page(stage: SandboxStage, view: MatchView) -> bytes:
    """Return the page of a coming match, with its absences once they are published."""
    record = view.record
    absences = view.details.absences if view.has_preview else ()
    body = _head(stage, view) + MISSING.substitute(
        home=escape(record.home_team),
        away=escape(record.away_team),
        home_rows=_absent(absence for absence in absences if absence.side is Side.HOME),
        away_rows=_absent(absence for absence in absences if absence.side is Side.AWAY),
    )
    return page(f"{record.home_team} - {record.away_team}: preview", body)


def centre_page(stage: SandboxStage, view: MatchView, players: Mapping[str, SimulatedPlayer]) -> bytes:
    """Return the match centre."""
    record = view.record
    body = _head(stage, view)
    if view.has_lineups:
        sides = [[entry for entry in view.details.lineups if entry.side is side] for side in Side]
        rows = "\n".join(
            "<tr>" + "".join(f"<td>{e.shirt_number} {escape(e.player.name)}</td>" for e in pair) + "</tr>"
            for pair in zip(*sides, strict=True)
        )
        body += LINEUPS.substitute(home=escape(record.home_team), away=escape(record.away_team), rows=rows)
    title = f"{record.home_team} {_score(view)} {record.away_team}"
    return page(title, body, LOADER, centre_script(stage, view, players))


def player_page(player: SimulatedPlayer, club: str) -> bytes:
    """Return the page of a player."""
    fields = {"shirt": player.shirt_number, "position": player.position, "age": player.age}
    return page(player.name, PLAYER.substitute(club=escape(club), **fields))


def error_answer(status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None) -> SiteAnswer:
    """Return an error page."""
    body = page(f"{status.value} {status.phrase}", f"<p>{escape(reason)}</p>")
    return SiteAnswer(body, status=status, headers=headers or {})


def _files(season: SimulatedSeason) -> str:
    links = [(f"/mmz4281/{season_code(season)}/{league.division}.csv", league.division) for league in LEAGUES]
    return "".join(f'<td><a href="{path}">{division}</a></td>' for path, division in links)


def _head(stage: SandboxStage, view: MatchView) -> str:
    record = view.record
    return MATCH.substitute(
        stage_path=stage.league.stage_path(stage.season),
        league=escape(stage.league.competition.name),
        season=escape(season_name(stage.season)),
        round=escape(record.round),
        kickoff=_clock(record.kickoff_at),
        state=f"{record.status.value}, {_score(view)}" if view.has_begun else record.status.value,
        live=match_path(record.source_id, "live", record.home_team, record.away_team),
        preview=match_path(record.source_id, "preview", record.home_team, record.away_team),
    )


def _row(view: MatchView) -> str:
    record = view.record
    path = match_path(record.source_id, "live", record.home_team, record.away_team)
    return (
        f"<tr><td>{_clock(record.kickoff_at)}</td><td>{escape(record.home_team)}</td>"
        f'<td class="score"><a href="{path}">{_score(view)}</a></td><td>{escape(record.away_team)}</td></tr>'
    )


def _absent(absences: Iterable[AbsenceRecord]) -> str:
    return "\n".join(
        f'<tr><td class="pn"><a class="player-link" href="/Players/{absence.player.source_player_id}/Show/'
        f'{slug(absence.player.name)}">{escape(absence.player.name)}</a></td>'
        f'<td class="reason"><span title="{escape(absence.reason)}">{escape(absence.reason)}</span></td>'
        f'<td class="confirmed">{escape(absence.status)}</td></tr>'
        for absence in absences
    )


def _score(view: MatchView) -> str:
    if not view.has_begun:
        return "–"
    home, away = view.goals
    return f"{home} : {away}"


def _clock(moment: datetime) -> str:
    return f"{on_clock(moment):%Y-%m-%d %H:%M}"
