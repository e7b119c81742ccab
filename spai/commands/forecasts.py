"""Commands of forecasts: `predict`, `explain`, `simulate`."""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Collection
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.api.services import forecasts, job_kinds
from apps.api.services.what_if import find_team, what_if_match
from apps.matches.models import Match, Team, World
from apps.ml import services
from apps.ml.forecasting.contributions import label_of
from spai.commands.answers import Answer, Subcommand, add_world, print_progress, table, world_of

OUTCOMES: Final = ("home", "draw", "away")
ID: Final = re.compile(r"[0-9]{1,18}")
RESULT: Final = re.compile(r"([\w-]+):([\w-]+)=(\d{1,2})-(\d{1,2})")


def match_arguments(parser: CommandParser) -> None:
    """Declare the match: a stored one by its id, or two teams."""
    parser.add_argument("match", nargs="*", metavar="MATCH | HOME AWAY", help="the id of a match, or two teams")
    add_world(parser)
    parser.add_argument("--date", type=_day, help="of two teams: the day, YYYY-MM-DD; default: the next Saturday")
    parser.add_argument("--competition", default="", metavar="SLUG", help="of two teams; default: the league of HOME")
    parser.add_argument("--neutral", action="store_true", help="of two teams: on neutral ground")
    parser.add_argument("--model", default="", help="champion, challenger or a number; default: the published forecast")


def predict_arguments(parser: CommandParser) -> None:
    """Declare the match, or that all that is due is published."""
    match_arguments(parser)
    parser.add_argument("--due", action="store_true", help="publish the forecasts that are due, as the timetable does")


def predict(options: Namespace) -> Answer:
    """Forecast a match of the calendar or of any two teams; with ``--due``, publish what is due."""
    if options.due:
        print_progress("publishing the forecasts that are due")
        report = services.predict_due(now=timezone.now())
        if report.busy:
            return Answer(asdict(report), "", "A worker is publishing forecasts at this moment.")
        rows = [(world, report.considered[world], number) for world, number in report.published.items()]
        return Answer(asdict(report), table(("world", "considered", "published"), rows))
    match, details, notes = _forecast(options)
    shape = _shape(match, details, notes, {forecasts.MARKETS})
    return Answer(shape, "\n".join([*_head(match, details, shape), *_weaknesses(shape), *notes]))


def explain(options: Namespace) -> Answer:
    """Say what makes up a forecast: base rates, and what each group of features adds."""
    match, details, notes = _forecast(options)
    shape = _shape(match, details, notes, {forecasts.REASONS})
    base = ", ".join(f"{name} {value:.1%}" for name, value in zip(OUTCOMES, details.base_rates, strict=True))
    strongest = sorted(details.contributions.items(), key=lambda item: -abs(item[1]))
    rows = [
        (label_of(group), f"{value:+.3f}", "home" if value > 0 else "away" if value < 0 else "–")
        for group, value in strongest
    ]
    reasons = table(("because of", "log-odds", "favours"), rows) if rows else "No feature moves it from the base rates."
    return Answer(
        shape, "\n".join([*_head(match, details, shape), f"base rates: {base}", reasons, *_weaknesses(shape), *notes])
    )


def _weaknesses(shape: dict[str, Any]) -> list[str]:
    """Return a line for what makes the forecast less sure than usual; none where nothing does."""
    texts = "; ".join(each["text"] for each in shape["weaknesses"])
    return [f"less sure than usual: {texts}"] if texts else []


def _forecast(options: Namespace) -> tuple[Match, forecasts.ForecastDetails, list[str]]:
    """Return the match that was requested, its forecast, and what makes that less certain."""
    now = timezone.now()
    print_progress("loading the model")
    if len(options.match) == 1:
        if not ID.fullmatch(options.match[0]):
            raise CommandError(f"{options.match[0]!r} is no id of a match. Give its number, or two teams.")
        role = options.model
        if role and role not in forecasts.ROLES and not ID.fullmatch(role):
            raise CommandError(f"{role!r} is no version. Give {' or '.join(forecasts.ROLES)}, or its number.")
        match, details = forecasts.forecast_of(int(options.match[0]), model=role, now=now)
        return match, details, []
    if len(options.match) != 2:
        raise CommandError("Give the id of a match, or two teams: manage.py spai predict Leeds Hull")
    if options.model:
        raise CommandError("--model goes with the id of a match; two teams are forecast by the champion.")
    world = world_of(options)
    home, away = (_team(text, world) for text in options.match)
    found = what_if_match(
        home_team=home,
        away_team=away,
        day=options.date or services.next_saturday(now),
        competition=options.competition,
        is_neutral=options.neutral,
        now=now,
    )
    return found.match, forecasts.what_if_details(found.match, now=now), found.notes


def _team(text: str, world: World) -> Team:
    team, candidates = find_team(text, world)
    if team is None:
        similar = f" Similar ones: {', '.join(each.slug for each in candidates)}." if candidates else ""
        raise CommandError(f"No team of the {world} world has the name or slug {text!r}.{similar}")
    return team


def _shape(
    match: Match, details: forecasts.ForecastDetails, notes: list[str], include: Collection[str]
) -> dict[str, Any]:
    return forecasts.forecast_shape(match, details, include=include, now=timezone.now()) | {"notes": notes}


def _head(match: Match, details: forecasts.ForecastDetails, shape: dict[str, Any]) -> list[str]:
    """Return the lines that every forecast begins with."""
    made = f"published {details.published_at:%Y-%m-%d %H:%M} UTC" if details.published_at else "made now, not stored"
    by = details.degraded or str(details.version)
    goals, odds = shape["expected_goals"], shape["fair_odds"]
    rows = [
        ("probability", *(f"{value:.1%}" for value in details.p)),
        *_intervals(details),
        ("fair odds", *(f"{odds[name]:.2f}" if odds[name] else "–" for name in OUTCOMES)),
    ]
    home, away = match.home_team, match.away_team
    return [
        f"{home.display_name} – {away.display_name}, {match.season.competition} {match.season.label}, "
        f"{match.kickoff_at:%Y-%m-%d %H:%M} UTC",
        table(("", *OUTCOMES), rows),
        f"expected goals {goals['home']:.2f} – {goals['away']:.2f}; by {by}, {made}",
    ]


def _intervals(details: forecasts.ForecastDetails) -> list[tuple[str, ...]]:
    """Return the row of the intervals; none where the model has none."""
    found = details.intervals
    if found is None:
        return []
    ends = (f"{100 * found[name]['low']:.0f}–{100 * found[name]['high']:.0f} %" for name in OUTCOMES)
    return [(f"closing line, {found['level']:.0%} of cases", *ends)]


def simulate_arguments(parser: CommandParser) -> None:
    """Declare the season, and results that are taken as given."""
    parser.add_argument("competition", metavar="COMPETITION", help="its slug, as in the address of its page")
    parser.add_argument("--season", default="", metavar="LABEL", help="such as 2026-27; default: the latest")
    parser.add_argument(
        "--result",
        action="append",
        default=[],
        type=_result,
        metavar="HOME:AWAY=2-1",
        help="how a match that is left ends, with the slugs of its teams; repeatable",
    )


def simulate(options: Namespace) -> Answer:
    """Simulate the rest of a season many times; nothing is stored."""
    print_progress("loading the model and simulating")
    parameters = {"competition": options.competition, "season": options.season, "locked": options.result}
    work = job_kinds.season_simulation(parameters, timezone.now())
    shape: dict[str, Any] = json.loads(b"".join(piece for _, piece in work.chunks))
    lines = [line["name"] for line in shape["lines"]]
    rows = [
        (
            club["team"]["name"],
            club["points"],
            f"{club['expected']:.1f}",
            f"{club['low']}–{club['high']}",
            *(f"{club['chances'][name]:.1%}" for name in lines),
        )
        for club in shape["clubs"]
    ]
    heads = ("club", "points", "expected", "range", *(name.replace("_", "-") for name in lines))
    whole = "" if shape["is_whole"] else "; matches that no source lists yet are missing"
    end = (
        f"{shape['simulations']:,} simulations by version {shape['model_version']}: {shape['played']} matches played, "
        f"{shape['remaining']} to play{whole}"
    )
    return Answer(shape, f"{table(heads, rows)}\n{end}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no day; write it as 2026-11-28") from error


def _result(text: str) -> dict[str, Any]:
    found = RESULT.fullmatch(text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no result; write it as leeds:hull=2-1, with the slugs of the teams")
    home, away, home_goals, away_goals = found.groups()
    return {"home": home, "away": away, "home_goals": int(home_goals), "away_goals": int(away_goals)}


COMMANDS = {
    "predict": Subcommand("forecast a match, or publish what is due", predict_arguments, predict),
    "explain": Subcommand("say what makes up a forecast", match_arguments, explain),
    "simulate": Subcommand("simulate the rest of a season", simulate_arguments, simulate),
}
