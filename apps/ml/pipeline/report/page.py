"""The HTML page: sections in their order, table of contents, and styles."""

from __future__ import annotations

from html import escape
from typing import Final, NamedTuple

from apps.ml.pipeline.report import analyses, sections
from apps.ml.pipeline.report.data import ReportData
from apps.ml.pipeline.report.tables import note

STYLE: Final = """:root{color-scheme:light dark;--page:#fff;--ink:#1d2733;--soft:#57636f;--line:#dde3ea;
--mark:#eaf3ff;--link:#0b5cad;--bad:#a4161a}
@media (prefers-color-scheme:dark){:root{--page:#12171d;--ink:#e4e9ee;--soft:#a2adb8;--line:#2d3742;
--mark:#1b2c40;--link:#7ab8ff;--bad:#ff8a80}}
*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;
background:var(--page);color:var(--ink);overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.25rem;margin-top:2.6rem}h3{font-size:1rem;margin:1.6rem 0 .4rem}
a{color:var(--link)}nav ul{columns:16rem;padding-left:1.2rem}.scroll{overflow-x:auto;margin:.6rem 0}
.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;min-width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:400}thead th{color:var(--soft);white-space:normal;vertical-align:bottom;min-width:4rem}
th:first-child{text-align:left;white-space:normal;min-width:min(13rem,36vw);position:sticky;left:0;background:var(--page)}
.best th:first-child,.best td{background:var(--mark);font-weight:600}.no{color:var(--bad)}
figure{margin:1rem 0}figcaption,.note{color:var(--soft);font-size:.9rem}svg{max-width:100%;height:auto}
svg text{fill:currentColor}@media print{.scroll{overflow:visible}}"""


class ReportSection(NamedTuple):
    """A section of the page: anchor, title and content."""

    anchor: str
    title: str
    body: str


def page(found: ReportData, pictures: dict[str, str]) -> str:
    """Return the report as one self-contained HTML page."""
    metrics = found.metrics
    parts = [
        ReportSection("models", "Models", sections.models(found)),
        ReportSection("steps", "Steps of the walk-forward evaluation", sections.steps(found)),
        ReportSection("gates", "Gates", sections.gates(found)),
        ReportSection("market", "Against the market", sections.market(found)),
        ReportSection("calibration", "Calibration", sections.calibration(found, pictures)),
        ReportSection("intervals", "Intervals", sections.intervals(found)),
        ReportSection("seasons", "Seasons and months", sections.seasons(found, pictures)),
        ReportSection("competitions", "Competitions", sections.competitions(found)),
        ReportSection("kinds", "Kinds of matches", sections.kinds(found)),
        ReportSection("learning", "Learning curve", analyses.learning(found, pictures)),
        ReportSection("families", "Families of features", analyses.families(found)),
        ReportSection("importance", "Importance", analyses.importance(found, pictures)),
        ReportSection("betting", "Betting simulation", analyses.betting(found)),
    ]
    test = metrics["test"]
    head = (
        f"<h1>Evaluation of {escape(metrics['best'])} · {escape(metrics['world'])} world</h1>"
        f"<p>Walk-forward evaluation from {test['from']} to {test['to']}: {test['n']} matches, each forecast by a "
        "model that was trained on earlier matches only. "
        f"Profile {escape(metrics['profile'])}, facts as of {escape(metrics['as_of'])}.</p>"
        + note(
            "Log loss in nats; RPS divided by 2, in [0, 1]; Brier summed over the outcomes; ECE over ten bins, the "
            f"outcomes pooled unless one is named. Brackets hold {found.breakdown['level']:.0%} bootstrap intervals "
            "over match days. Differences are first − second: below 0 the first is better."
        )
    )
    links = "".join(f"<li><a href=#{part.anchor}>{escape(part.title)}</a></li>" for part in parts)
    body = "\n".join(
        f"<section><h2 id={part.anchor}>{escape(part.title)}</h2>\n{part.body}</section>" for part in parts
    )
    return (
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content='width=device-width'>\n"
        f"<title>Evaluation of {escape(metrics['best'])}</title>\n<style>{STYLE}</style>\n<main>\n{head}\n"
        f"<nav aria-label=Contents><ul>{links}</ul></nav>\n{body}\n</main>\n</html>\n"
    )
