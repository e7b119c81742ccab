"""Template tags and filters for charts, team marks, moments and numbers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from django import template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, gettext_lazy, ngettext, pgettext, pgettext_lazy

from apps.api import charts, selectors, services, written
from apps.matches.models import Match, Team
from apps.matches.records import MatchStatus
from apps.ml.forecasting import contributions
from apps.ml.models import Comparison, PipelineRun, Prediction
from apps.ml.selectors import VersionStage

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

register = template.Library()

STATUSES: Final[dict[str, StrPromise]] = {
    MatchStatus.SCHEDULED: pgettext_lazy("a match", "Scheduled"),
    MatchStatus.LIVE: pgettext_lazy("a match", "Live"),
    MatchStatus.FINISHED: pgettext_lazy("a match", "Finished"),
    MatchStatus.POSTPONED: pgettext_lazy("a match", "Postponed"),
    MatchStatus.CANCELLED: pgettext_lazy("a match", "Cancelled"),
    MatchStatus.ABANDONED: pgettext_lazy("a match", "Abandoned"),
    MatchStatus.AWARDED: pgettext_lazy("a match", "Awarded"),
    MatchStatus.UNKNOWN: pgettext_lazy("a match", "Unknown"),
}
"""Names of the statuses of matches."""

GATES: Final = {
    "better than base rates": gettext_lazy("better than base rates"),
    "calibrated": gettext_lazy("calibrated"),
    "never certain": gettext_lazy("never certain"),
    "no better than possible": gettext_lazy("not suspiciously good"),
    "no better than possible: not checked": gettext_lazy("suspiciously good: not checked"),
    "golden rows": gettext_lazy("answers as recorded"),
}
"""Names of the checks of a version, by those that are stored."""

STAGES: Final[dict[str, StrPromise]] = {
    VersionStage.CHAMPION: gettext_lazy("champion"),
    VersionStage.CHALLENGER: gettext_lazy("challenger"),
    VersionStage.CANDIDATE: gettext_lazy("candidate"),
    VersionStage.SMOKE: gettext_lazy("smoke"),
    VersionStage.FORMER: gettext_lazy("former champion"),
    VersionStage.PASSED_OVER: gettext_lazy("passed over"),
    VersionStage.DECLINED: gettext_lazy("declined"),
    VersionStage.LABELLED: gettext_lazy("labelled"),
    VersionStage.REFUSED: gettext_lazy("refused"),
}
"""Names of the stages of versions."""

RUN_STATUSES: Final[dict[str, StrPromise]] = {
    PipelineRun.RunStatus.QUEUED: pgettext_lazy("a run", "Queued"),
    PipelineRun.RunStatus.RUNNING: pgettext_lazy("a run", "Running"),
    PipelineRun.RunStatus.INTERRUPTED: pgettext_lazy("a run", "Interrupted, resumes"),
    PipelineRun.RunStatus.SUCCEEDED: pgettext_lazy("a run", "Succeeded"),
    PipelineRun.RunStatus.UNCHANGED: pgettext_lazy("a run", "Unchanged"),
    PipelineRun.RunStatus.FAILED: pgettext_lazy("a run", "Failed"),
    PipelineRun.RunStatus.CANCELLED: pgettext_lazy("a run", "Cancelled"),
    "waiting": pgettext_lazy("a stage of a run", "Waiting"),
    "done": pgettext_lazy("a stage of a run", "Done"),
}
"""Names of the statuses of training runs and of their stages."""

RUN_STAGES: Final[dict[str, StrPromise]] = {
    "export": gettext_lazy("Collect the matches"),
    "validate_raw": gettext_lazy("Check what was collected"),
    "preprocess": gettext_lazy("Put the matches in order"),
    "validate_matches": gettext_lazy("Check the matches"),
    "featurize": gettext_lazy("Describe each match in numbers"),
    "validate_features": gettext_lazy("Check these numbers"),
    "split": gettext_lazy("Set matches aside for the test"),
    "train": gettext_lazy("Learn from the results"),
    "calibrate": gettext_lazy("Adjust the chances to what happened"),
    "evaluate": gettext_lazy("Test on the matches set aside"),
    "explain": gettext_lazy("Work out the reasons"),
    "report": gettext_lazy("Write the report"),
    "register": gettext_lazy("Store the model"),
}
"""Names of the stages of training runs, in the order of `dvc.yaml`."""

VERDICTS: Final[dict[str, StrPromise]] = {
    Comparison.Verdict.CHALLENGER: gettext_lazy("may take over"),
    Comparison.Verdict.CANDIDATE: gettext_lazy("stays a candidate"),
}
"""Names of the verdicts of comparisons."""

OUTCOMES: Final = {"home": gettext_lazy("home"), "draw": gettext_lazy("draw"), "away": gettext_lazy("away")}
"""Names of outcomes within a sentence."""


@register.simple_tag
def bars(
    forecast: Sequence[float], market: Sequence[float] | None = None, outcome: Literal["H", "D", "A", ""] = ""
) -> SafeString:
    """Draw the bar of a forecast (home, draw, away) over the thin one of the market, if there is a price.

    After the match `outcome` leaves the part that happened solid and fades the others.
    """
    return _bars(tuple(forecast), tuple(market) if market else None, outcome, get_language())


# Cached, because rows are rendered far more often than forecasts change.
@lru_cache(maxsize=8192)
def _bars(
    forecast: tuple[float, ...], market: tuple[float, ...] | None, outcome: str, language: str | None
) -> SafeString:
    happened = dict(zip("HDA", charts.OUTCOMES, strict=True)).get(outcome, "")
    ours = charts.bar(forecast)
    theirs = charts.bar(market) if market else []
    label = gettext("Our forecast: {chances}.").format(chances=_spoken(ours))
    if theirs:
        label += " " + gettext("Market: {chances}.").format(chances=_spoken(theirs))
    numbers = format_html_join(
        "",
        '<text class="{}" x="{}%" y="52%">{}</text>',
        (
            (
                f"{'off' if happened not in ('', part.outcome) else f'on-{part.outcome}'} {part.size}".strip(),
                part.middle,
                written.per_cent(part.percent),
            )
            for part in ours
            if part.has_number
        ),
    )
    thin = format_html('<svg class="mk" aria-hidden="true">{}</svg>', _segments(theirs, happened)) if theirs else ""
    return format_html(
        '<span class="bars" role="img" aria-label="{}"><svg class="bar" aria-hidden="true">{}{}</svg>{}</span>',
        label,
        _segments(ours, happened),
        numbers,
        thin,
    )


def _spoken(parts: Sequence[charts.BarSegment]) -> str:
    return ", ".join(f"{OUTCOMES[part.outcome]} {written.per_cent(part.percent)}" for part in parts)


def _segments(parts: Sequence[charts.BarSegment], happened: str) -> SafeString:
    """Draw the parts of a bar and the gaps between them."""
    rects = format_html_join(
        "",
        '<rect class="p-{}{}" x="{}%" width="{}%" height="100%"/>',
        ((part.outcome, " off" if happened not in ("", part.outcome) else "", part.x, part.percent) for part in parts),
    )
    gaps = format_html_join("", '<line x1="{0}%" x2="{0}%" y2="100%"/>', ((part.x,) for part in parts[1:]))
    return rects + gaps


@register.simple_tag
def code(team: Team) -> SafeString:
    """Draw a team's three letters on its first colour, with a stripe of the second; without colours on a plain one."""
    return _code(team.display_code, team.first_colour, team.second_colour)


@lru_cache(maxsize=8192)
def _code(letters: str, first: str, second: str) -> SafeString:
    # The colours are attributes: the Content-Security-Policy allows no inline styles.
    if not first:
        ground = SafeString('<rect class="plain" width="38" height="22"/>')
        text = format_html('<text class="on-plain" x="19" y="11.5">{}</text>', letters)
    else:
        stripe = format_html('<rect width="4" height="22" fill="{}"/>', second) if second else ""
        ground = format_html('<rect width="38" height="22" fill="{}"/>{}', first, stripe)
        text = format_html('<text x="21" y="11.5" fill="{}">{}</text>', charts.text_on(first), letters)
    return format_html('<svg class="code" viewBox="0 0 38 22" aria-hidden="true">{}{}</svg>', ground, text)


@register.simple_tag
def team(team: Team, side: Literal["h", "a", ""] = "") -> SafeString:
    """Write a team: its code and its name."""
    return format_html(
        '<span class="team{}">{}<span class="name">{}</span></span>',
        f" {side}" if side else "",
        code(team),
        team.display_name,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, equal to another one where all that it shows is equal."""

    shows: Hashable
    dated: bool
    twin: str
    card: selectors.MatchCard = field(compare=False)


@register.simple_tag
def row(card: selectors.MatchCard, dated: bool = False, twin: str = "") -> SafeString:
    """Write a match as a row of a list; see `templates/partials/row.html`.

    With `dated` it shows its day; `twin` is the end of the id of a row that the page has twice.
    """
    return row_of(_Row((card.shown, timezone.get_current_timezone_name(), get_language()), dated, twin, card))


# Cached, because a page has dozens of rows and few of them change from one request to the next.
@lru_cache(maxsize=2048)
def row_of(row: _Row) -> SafeString:
    """Return the HTML of a row, which is kept by what it shows."""
    return render_to_string("partials/row.html", {"card": row.card, "dated": row.dated, "twin": row.twin})


@register.simple_tag
def moment(at: datetime, shape: str = "H:i") -> SafeString:
    """Write a moment in the reader's zone, and in UTC for programs."""
    return _moment(at, shape, timezone.get_current_timezone_name(), get_language())


@lru_cache(maxsize=4096)
def _moment(at: datetime, shape: str, zone: str, language: str | None) -> SafeString:
    text = written.day(timezone.localtime(at), shape)
    return format_html('<time datetime="{}">{}</time>', at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), text)


@register.simple_tag
def kickoff_day(match: Match, shape: str = "D j M Y") -> SafeString:
    """Write the day of a match in the reader's zone; for a date-only match, its date."""
    if match.kickoff_precision == Match.KickoffPrecision.DATE:
        day = match.kickoff_at.astimezone(UTC).date()
        return format_html('<time datetime="{}">{}</time>', day.isoformat(), written.day(day, shape))
    return moment(match.kickoff_at, shape)


@register.filter
def distance(at: datetime, now: datetime) -> str:
    """Write the distance to a moment: “in 2 h 10 min”, “12 min ago”, “in 3 days”."""
    far = abs(at - now)
    minutes = int(far / timedelta(minutes=1))
    if minutes >= 24 * 60:
        days = round(minutes / (24 * 60))
        if at > now:
            return ngettext("in {days} day", "in {days} days", days).format(days=days)
        return ngettext("{days} day ago", "{days} days ago", days).format(days=days)
    if minutes < 1:
        text = gettext("less than a minute")
    elif minutes < 60:
        text = gettext("{minutes} min").format(minutes=minutes)
    elif minutes % 60:
        text = gettext("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)
    else:
        text = gettext("{hours} h").format(hours=minutes // 60)
    return (gettext("in {time}") if at > now else gettext("{time} ago")).format(time=text)


@register.filter
def duration(seconds: float) -> str:
    """Write a number of seconds: “8.4 s”, “3 min 20 s”, “1 h 5 min”."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    large, small, units = (
        (whole // 60, whole % 60, "min s") if whole < 3600 else (whole // 3600, whole // 60 % 60, "h min")
    )
    parts = zip((large, small), units.split(), strict=True)
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


@register.filter
def percent(share: float | None) -> str:
    """Write a share in per cent: 66%; one decimal only below 10: 4.2%."""
    return written.NONE if share is None else written.percent(share)


@register.filter
def per_cent(number: int | str) -> str:
    """Write a number of per cents: 45%."""
    return written.per_cent(number)


@register.filter
def svg_length(share: float) -> str:
    """Write a share as a length in SVG, whose numbers no language changes."""
    return f"{100.0 * share:.1f}%"


@register.filter
def written_day(at: date, shape: str) -> str:
    """Write a date or a moment in one of the shapes that each language has a form of."""
    return written.day(timezone.localtime(at) if isinstance(at, datetime) else at, shape)


@register.filter
def status_name(status: str) -> str:
    """Write the status of a match."""
    return str(STATUSES[status])


@register.filter
def form_letter(letter: str) -> str:
    """Write the letter for won, drawn or lost."""
    letters = {
        "W": pgettext("letter for a match", "W"),
        "D": pgettext("letter for a match", "D"),
        "L": pgettext("letter for a match", "L"),
    }
    return letters[letter]


@register.filter
def outcome_name(outcome: str) -> str:
    """Write an outcome within a sentence: home, draw, away."""
    return str(OUTCOMES[outcome])


@register.filter
def whole(p: Sequence[float]) -> list[int]:
    """Return probabilities as whole per cents that sum to 100."""
    return charts.whole_percents(p)


@register.filter
def thousands(number: int) -> str:
    """Write a whole number with thousands separators: 10,000."""
    return written.thousands(number)


@register.filter
def chance(share: float) -> str:
    """Write a simulated probability in whole per cents; a dash for what never happened."""
    if share <= 0.0:
        return written.NONE
    if share < 0.005:
        return f"<{written.per_cent(1)}"
    if 0.995 <= share < 1.0:
        return f">{written.per_cent(99)}"
    return written.per_cent(round(100.0 * share))


@register.filter
def shade(share: float) -> int:
    """Return the darkness of a probability, 0 to 20."""
    return round(charts.HEAT_STEPS * share)


@register.filter
def line_short(line: dict[str, Any]) -> str:
    """Write a short label of a line of a table: “Top 4”."""
    if line["name"] == "title":
        return pgettext("column of chances", "Title")
    name = gettext("Bottom {places}") if line["from_end"] else gettext("Top {places}")
    return name.format(places=line["places"])


@register.filter
def fair_odds(share: float) -> str:
    """Write the fair decimal odds of a probability."""
    return written.decimal(1.0 / share, 2) if share > 0 else written.NONE


@register.filter
def group_phrase(group: str) -> str:
    """Write a group of inputs as the reason in a sentence: “for their form”."""
    return gettext(contributions.phrase_of(group))


@register.filter
def line_phrase(line: dict[str, Any]) -> str:
    """Write what a line of a table divides, after “the chance of a team”: “to end in the bottom 3”."""
    if line["name"] == "title":
        return gettext("to end first")
    name = gettext("to end in the bottom {places}") if line["from_end"] else gettext("to end in the top {places}")
    return name.format(places=line["places"])


@register.filter
def per_hundred(share: float) -> int:
    """Write how many times in a hundred: 0.118 is 12."""
    return round(100.0 * share)


@register.filter
def ordinal(number: int) -> str:
    """Write a place: 1st, 2nd, 3rd, 14th."""
    return written.ordinal(number)


@register.filter
def signed(value: float | None, digits: int = 2) -> str:
    """Write a number with its sign, and with a minus sign in place of a hyphen."""
    return written.NONE if value is None else written.signed(value, digits)


@register.filter
def decimal(value: float | Literal[""] | None, digits: int = 2) -> str:
    """Write a number with `digits` decimals; a dash for none, which templates pass as an empty string."""
    return written.NONE if value is None or value == "" else written.decimal(value, digits)


@register.filter
def measure(value: float | Literal[""] | None) -> str:
    """Write a count as a whole number, and a metric with five decimals; nothing for none."""
    if value is None or value == "":
        return ""
    if float(value).is_integer():
        return written.thousands(value)
    return written.decimal(value, 5) if abs(value) >= 5e-6 else f"{value:.0e}"


@register.filter
def compared(value: Any) -> str:
    """Write a value beside others: a fraction as `measure` does, a moment in UTC, a dash for none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return measure(value)
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


@register.filter
def bookmaker_name(code: str) -> str:
    """Write the name of a bookmaker, or its code if it has no name here."""
    return gettext(selectors.BOOKMAKERS.get(code, code))


@register.filter
def group_name(group: str) -> str:
    """Write the label of a group of inputs."""
    return gettext(contributions.label_of(group))


@register.filter
def gate(name: str) -> str:
    """Write the name of a check that a version passes or not; one of an older version as it is stored."""
    return str(GATES.get(name, name))


@register.filter
def stage_name(stage: str) -> str:
    """Write the stage of a version."""
    return str(STAGES[stage])


@register.filter
def run_status(status: str) -> str:
    """Write the status of a training run, or of a stage of one, which may have others."""
    return str(RUN_STATUSES.get(status, status))


@register.filter
def run_stage(name: str) -> str:
    """Write the stage of a training run; one of an older version as it is stored."""
    return str(RUN_STAGES.get(name, name))


@register.filter
def verdict_name(verdict: str) -> str:
    """Write the verdict of a comparison."""
    return str(VERDICTS[verdict])


@register.filter
def expected_goals(prediction: Prediction) -> tuple[float, float]:
    """Return the expected goals of a forecast, home and away."""
    return services.expected_goals(prediction)


@register.filter
def item(mapping: dict[Any, Any], key: Any) -> Any:
    """Return one value of a mapping."""
    return mapping.get(key)
