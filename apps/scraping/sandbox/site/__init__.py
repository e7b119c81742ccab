"""The simulated world as a web site: WhoScored's shape and football-data's files, written anew, without a framework.

`Site` is a WSGI application. Its pages are a pure function of the world and the clock: equal seeds, anchors and
moments give equal bytes. It also plays the broken site (`faults`) and counts its requests (`log`), for the tests and
benchmarks of whoever reads it.
"""

from __future__ import annotations

from apps.scraping.sandbox.site.application import Site
from apps.scraping.sandbox.site.faults import FaultError, Faults, Mode
from apps.scraping.sandbox.site.log import RequestLog

__all__ = ["FaultError", "Faults", "Mode", "RequestLog", "Site"]
