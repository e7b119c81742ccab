"""The simulated world as a web site, with pages like WhoScored's and files like football-data's.

| address | what it shows |
|---|---|
| ``/`` | `allRegions`: all leagues |
| ``/regions/R/tournaments/T[/SLUG]``, ``…/seasons/S[/SLUG]`` | the list of seasons, the link of the fixtures |
| ``…/seasons/S/stages/G/fixtures[/SLUG]`` | `wsCalendar`: the days with matches, months from 0 |
| ``/tournaments/G/data/?d=YYYYMM`` | the feed of a stage and month, JSON |
| ``/matches/M/live[/SLUG]``, ``/matches/M/preview[/SLUG]`` | match centre, missing players |
| ``/mmz4281/1819/XA1.csv`` and ``XA2 XV1 XV2`` | a past season of a league, in football-data's form |
| ``/fixtures.csv`` | the coming matches of the current season, likewise |
| ``/_faults``, ``/_log`` | for programs on this machine: see `control` |

`SandboxSite` is a WSGI application. Its pages are a pure function of the world and the clock: equal seeds, anchors and
moments give equal bytes. For tests and benchmarks it can also misbehave (`faults`) and lists its requests (`log`).
"""

from __future__ import annotations

from apps.scraping.sandbox.site.application import SandboxSite
from apps.scraping.sandbox.site.faults import FaultError, Faults, Mode
from apps.scraping.sandbox.site.log import RequestLog

__all__ = ["FaultError", "Faults", "Mode", "RequestLog", "SandboxSite"]
