"""The record of forecasts: how they did, and every graded match."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext

from apps.api import record_charts, selectors, written
from apps.api.methods import read_only
from apps.api.pages.context import PageContext, cached_part, page_context, render_page
from apps.api.pages.forms import RECORDS, RecordForm
from apps.api.rest.predictions import LARGEST_PAGE
from apps.matches.models import Competition, Match, World
from apps.ml import selectors as ml_selectors
from apps.ml.models import ClosingGap, RecordSummary

ROWS_SHOWN: Final = 25
FAIR_FROM: Final = 300
"""Graded matches from which a judgement is fair: the 60 % calls are then known to about 10 points."""

PUBLISHED, BACK_TESTS = RECORDS


@read_only
def track_record(request: HttpRequest) -> HttpResponse:
    """Show how the forecasts of a world did, or the champion's back-tests."""
    page, query = page_context(request), RecordForm.parse(request)
    records = _records(page.world)
    summary = _chosen(records, query["of"])
    context: dict[str, Any] = {
        "summary": summary,
        "is_back_tested": summary is not None and summary.is_back_tested,
        "has_back_tests": BACK_TESTS in records,
    }
    gap = ml_selectors.closing_gap(page.world)
    champion = ml_selectors.champion(page.world) if gap is None and summary is None else None
    has_model = not (gap is None and summary is None and champion is None)
    made = () if gap is None else (gap.pk, gap.computed_at)
    context["gap"] = cached_part(
        page, "partials/record/gap.html", lambda: {"has_model": has_model} | _gap(gap), *(has_model, *made)
    )
    if summary is None:
        context["champion"] = champion
    else:
        key = summary.pk, summary.computed_at
        context["charts"] = cached_part(page, "partials/record/charts.html", lambda: _charts(summary), *key)
        # New grades make a new record, so that the list cannot be older than it.
        context["graded"] = cached_part(
            page, "partials/record/graded.html", lambda: _graded(page, summary, query), *key, *query.values()
        )
    return render_page(request, page, "pages/track_record.html", context)


def _records(world: World) -> dict[str, RecordSummary]:
    """Return the records of a world that have a match, and that of published forecasts also without one."""
    found = {BACK_TESTS if summary.is_back_tested else PUBLISHED: summary for summary in ml_selectors.records(world)}
    return {name: summary for name, summary in found.items() if summary.content["n"] or name == PUBLISHED}


def _chosen(records: dict[str, RecordSummary], wanted: str | None) -> RecordSummary | None:
    """Return the record of a query; by default back-tests only as long as nothing is graded."""
    published = records.get(PUBLISHED)
    has_grades = published is not None and published.content["n"] > 0
    name = wanted or (PUBLISHED if has_grades or BACK_TESTS not in records else BACK_TESTS)
    return records.get(name) if name == BACK_TESTS or has_grades else None


def _charts(summary: RecordSummary) -> dict[str, Any]:
    """Return the numbers of a record as the charts of the page."""
    content, compared = summary.content, summary.content["compared"]
    calls = [*content["best"], *content["worst"]]
    matches = Match.objects.select_related("home_team", "away_team").in_bulk([call["match"] for call in calls])
    graded = selectors.graded_rows(matches.values(), is_back_tested=summary.is_back_tested)
    rows = {row.match.pk: row for row in graded}
    sides = _sides(summary)
    against = compared[f"to_{content['other']}"] if compared else None
    return {
        "record": content,
        "summary": summary,
        "is_back_tested": summary.is_back_tested,
        "is_fair": content["n"] >= FAIR_FROM,
        "fair_from": FAIR_FROM,
        "first_at": datetime.fromtimestamp(content["first_at"], UTC),
        "latest_at": datetime.fromtimestamp(content["latest_at"], UTC),
        "calibration": record_charts.calibration(content["calibration"]),
        "compared": compared,
        # Of the points as the bars show them, so that a reader can do the sum.
        "apart": _shown(compared, "model") - _shown(compared, content["other"]) if against else None,
        "verdict": record_charts.verdict(against) if against else "",
        "over_base": record_charts.verdict(compared["to_base"]) if compared and "to_base" in compared else "",
        "bars": [
            (name, row, bar)
            for (name, row), bar in zip(sides, record_charts.span_bars(row for _, row in sides), strict=True)
        ],
        "leagues": _with_dots(_leagues(summary)),
        "periods": _with_dots([{**row, "name": _period(row["name"])} for row in content["periods"][::-1]]),
        **{
            kind: [
                _call(call, rows[call["match"]], content["other"]) for call in content[kind] if call["match"] in rows
            ]
            for kind in ("best", "worst")
        },
    }


def _call(call: dict[str, Any], row: selectors.GradedRow, other: str) -> tuple[Match, str, str]:
    """Return a match with what the forecast and the other forecaster gave to its outcome, as its bars show it."""
    market = row.market_gave if other == "market" else None
    return (
        row.match,
        written.per_cent(row.gave),
        written.percent(call["other"]) if market is None else written.per_cent(market),
    )


def _shown(compared: dict[str, Any], name: str) -> float:
    """Return the points of a forecaster as the page writes them."""
    return round(float(compared[name]["points"]), 1)


def _gap(gap: ClosingGap | None) -> dict[str, Any]:
    """Return the gap to the closing line, live beside back-tested. Points are above 0 where we were better."""
    if gap is None:
        return {}
    content, power = gap.content, gap.content["power"]
    sides = {name: content[name] for name in ("live", "back_test", "difference") if content[name]}
    nats = sides["difference"]["log_loss"] if "difference" in sides else None
    days = sides.get("back_test", {})
    turned = {name: row | {"points": row["points"] and -row["points"]} for name, row in sides.items()}
    return turned | {
        # Log loss is lower for the better side.
        "verdict": "" if nats is None or nats["low"] is None else _verdict(nats),
        "power": power and _power(power),
        "rows": [
            (name, {"n": row.get("n"), "scores": [row["log_loss"], row["rps"]]})
            for name, row in sides.items()
            if row["log_loss"]
        ],
        "version": gap.version.number if gap.version else None,
        "first_at": datetime.fromtimestamp(days["from"], UTC) if "from" in days else None,
        "latest_at": datetime.fromtimestamp(days["to"], UTC) if "to" in days else None,
        "computed_at": gap.computed_at,
    }


def _power(power: dict[str, Any]) -> dict[str, Any]:
    """Return what it takes to see a difference, as the page tells it."""
    return power | {
        "more": power["more"] and _about(power["more"]),
        "times": 10.0 * power["power"],
        "limit_points": power["points"] * power["limit"] / power["difference"],
    }


def _verdict(nats: dict[str, Any]) -> str:
    """Return the verdict on the live forecasts by the likely range of a difference of log losses."""
    return "better" if nats["high"] < 0.0 else "worse" if nats["low"] > 0.0 else "level"


def _about(number: int) -> int:
    """Return a number of matches to two digits, rounded up: its error is larger than what this leaves out."""
    digit = 10 ** max(0, len(str(number)) - 2)
    return -(-number // digit) * digit


def _leagues(summary: RecordSummary) -> list[dict[str, Any]]:
    """Return the leagues of a record with their competitions as names."""
    rows = summary.content["leagues"]
    found = Competition.objects.select_related("region").in_bulk([row["name"] for row in rows])
    return [{**row, "name": found[row["name"]]} for row in rows if row["name"] in found]


def _with_dots(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], record_charts.SpanDot | None]]:
    return list(zip(rows, record_charts.span_dots(rows), strict=True))


def _period(name: str) -> date:
    """Return the first day of a month or year by its name in ISO 8601."""
    return date.fromisoformat(f"{name}-01" if "-" in name else f"{name}-01-01")


def _graded(page: PageContext, summary: RecordSummary, query: dict[str, Any]) -> dict[str, Any]:
    """Return a page of the graded matches, and the address of the next one."""
    found = list(_matches(page.world, summary, query)[: ROWS_SHOWN + 1])
    chosen = {name: query[name] for name in ("of", "competition", "until") if query[name]}
    older = ""
    if len(found) > ROWS_SHOWN:
        world = {"world": page.world.value} if page.world_query else {}
        older = "?" + urlencode(world | chosen | {"after": found[ROWS_SHOWN - 1].pk}) + "#graded"
    return {
        "record": summary.content,
        "summary": summary,
        "compared": summary.content["compared"],
        "sides": _sides(summary),
        "leagues": _leagues(summary),
        "query": query,
        "rows": selectors.graded_rows(found[:ROWS_SHOWN], is_back_tested=summary.is_back_tested),
        "older": older,
        "rows_of_csv": LARGEST_PAGE,
    }


def _sides(summary: RecordSummary) -> list[tuple[str, dict[str, Any]]]:
    """Return the forecasters that a record compares, with their scores on the same matches."""
    compared = summary.content["compared"] or {}
    return [(name, compared[name]) for name in ("model", "market", "base") if name in compared]


def _matches(world: World, summary: RecordSummary, query: dict[str, Any]) -> QuerySet[Match]:
    """Return the matches of a record that match a query, the latest first."""
    competition = Competition.objects.filter(slug=query["competition"]).first() if query["competition"] else None
    if query["competition"] and (competition is None or competition.world != world):
        raise Http404(gettext("There is no such competition."))
    after = Match.objects.filter(pk=query["after"], world=world).first() if query["after"] else None
    if query["after"] and after is None:
        raise Http404(gettext("There is no such match."))
    until: date | None = query["until"]
    return ml_selectors.graded_matches(
        world,
        summary=summary,
        competition_id=competition.pk if competition else None,
        # To the end of the day.
        until=datetime.combine(until + timedelta(days=1), time(), UTC) if until else None,
        after=after,
    ).select_related("home_team", "away_team", "competition")
