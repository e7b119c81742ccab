"""What pages draw, as numbers."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.api import charts
from apps.api.services import league
from apps.api.templatetags.league import line_title, strip
from apps.api.templatetags.spai import bars, chance, code, duration, line_short, ordinal, percent
from apps.matches.models import Team
from apps.matches.standings import Standing
from apps.ml.forecasting import goals

weights = st.lists(st.floats(0.001, 1.0), min_size=3, max_size=3)


@given(weights)
def test_whole_percents_sum_to_100_and_lie_within_one_of_the_shares(found):
    shares = [weight / sum(found) for weight in found]
    whole = charts.whole_percents(shares)
    assert sum(whole) == 100
    assert all(abs(percent - 100 * share) < 1 for percent, share in zip(whole, shares, strict=True))


def test_the_largest_remainder_gets_the_missing_point():
    assert charts.whole_percents([0.456, 0.272, 0.272]) == [46, 27, 27]
    assert charts.whole_percents([0.334, 0.333, 0.333]) == [34, 33, 33]
    assert charts.whole_percents([1 / 3, 1 / 3, 1 / 3]) == [34, 33, 33]
    assert charts.whole_percents([1.0, 0.0, 0.0]) == [100, 0, 0]


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.3), (0.5, 0.6, -0.1), (float("nan"), 0.5, 0.5)])
def test_what_is_no_distribution_is_refused(shares):
    with pytest.raises(ValueError):
        charts.whole_percents(shares)


@given(weights)
def test_the_parts_of_a_bar_fill_it_in_the_order_home_draw_away(found):
    home, draw, away = charts.bar([weight / sum(found) for weight in found])
    assert [part.outcome for part in (home, draw, away)] == ["home", "draw", "away"]
    assert (home.x, draw.x, away.x) == (0, home.percent, home.percent + draw.percent)
    assert away.x + away.percent == 100
    assert draw.middle == draw.x + draw.percent / 2


def test_the_bar_stands_over_that_of_the_market_and_is_read_out_with_it():
    drawn = bars((0.512, 0.246, 0.242), (0.47, 0.25, 0.28))
    assert 'aria-label="Our forecast: home 51%, draw 25%, away 24%. Market: home 47%, draw 25%, away 28%."' in drawn
    assert drawn.count("<svg") == 2
    alone = bars((0.74, 0.17, 0.09))
    assert "Market" not in alone
    assert alone.count("<svg") == 1
    assert ">17%</text>" in alone
    assert "9%</text>" not in alone


@pytest.mark.parametrize(("outcome", "solid"), [("H", "home"), ("D", "draw"), ("A", "away")])
def test_what_happened_stays_solid_and_the_rest_fades(outcome, solid):
    drawn = bars((0.5, 0.3, 0.2), (0.4, 0.3, 0.3), outcome)
    for each in ("home", "draw", "away"):
        assert drawn.count(f'class="p-{each} off"') == (0 if each == solid else 2)
    assert drawn.count('<text class="off"') == 2
    assert f'class="on-{solid}"' in drawn


@pytest.mark.parametrize(
    ("forecast", "market", "outcome", "points", "is_level"),
    [
        ((0.31, 0.27, 0.42), (0.38, 0.28, 0.34), "away", 8, False),
        ((0.35, 0.26, 0.39), (0.38, 0.26, 0.36), "home", -3, False),
        ((0.41, 0.27, 0.32), (0.40, 0.28, 0.32), "home", 1, True),
        ((0.40, 0.30, 0.30), (0.40, 0.28, 0.32), "draw", 2, True),
    ],
)
def test_the_market_differs_by_the_largest_gap_of_the_three(forecast, market, outcome, points, is_level):
    gap = charts.gap(forecast, market)
    assert (gap.outcome, gap.points, gap.is_level) == (outcome, points, is_level)


def test_a_code_stands_on_the_colours_of_a_club_or_on_a_plain_ground():
    known = code(Team(name="Man United", code="MUN", first_colour="#da291c", second_colour="#ffffff"))
    assert ">MUN</text>" in known
    assert '<rect width="38" height="22" fill="#da291c"/>' in known
    assert '<rect width="4" height="22" fill="#ffffff"/>' in known
    unknown = code(Team(name="Harbour City"))
    assert ">HAC</text>" in unknown
    assert "#" not in unknown


@pytest.mark.parametrize(
    ("colour", "text"), [("#ffffff", charts.INK), ("#fdb913", charts.INK), ("#da291c", "#fff"), ("#000000", "#fff")]
)
def test_the_letters_of_a_code_read_on_its_colour(colour, text):
    assert charts.text_on(colour) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.6612, "66%"), (1.0, "100%"), (0.0996, "10%"), (0.0994, "9.9%"), (0.042, "4.2%"), (0.0, "0%"), (None, "–")],
)
def test_per_cents_have_a_decimal_only_below_10(share, text):
    assert percent(share) == text


class TestLines:
    def test_lines_fill_the_box_and_the_last_value_stands_at_their_end(self):
        chart = charts.line_chart(
            [charts.Series("Pellridge", "PEL", [(0, 0.0), (5, 0.4), (10, 0.8)], "me")],
            label="Title chances",
            y_ticks=(0.0, 0.4, 0.8),
            x_ticks=[(0, "Start"), (10, "Today")],
            notes=[(0, 5, "They win three times.")],
            names=["Start", "Round 5", "Today"],
        )
        (line,) = chart.lines
        assert (line.path, line.latest, line.label_y) == ("M0.0 100.0L50.0 50.0L100.0 0.0", "80%", 0.0)
        assert [(tick.at, tick.text) for tick in chart.y_ticks] == [(100.0, "0%"), (50.0, "40%"), (0.0, "80%")]
        assert [(tick.at, tick.text) for tick in chart.x_ticks] == [(0.0, "Start"), (100.0, "Today")]
        assert [(note.x, note.y) for note in chart.notes] == [(50.0, 50.0)]
        assert chart.rows == [("Start", ["0%"]), ("Round 5", ["40%"]), ("Today", ["80%"])]

    def test_steps_hold_until_the_next_point_and_to_the_end(self):
        series = [charts.Series("Home", "H", [(0, 0.5), (1, 0.75)])]
        chart = charts.line_chart(series, label="", x_ticks=[(0, ""), (4, "")], is_stepped=True)
        assert chart.lines[0].path == "M0.0 50.0H25.0V25.0H100"

    def test_one_point_is_a_chart_too(self):
        chart = charts.line_chart([charts.Series("Home", "H", [(3, 0.5)])], label="")
        assert chart.lines[0].path == "M0.0 50.0"

    @given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
    def test_labels_do_not_touch(self, values):
        series = [charts.Series(str(n), str(n), [(0, value)]) for n, value in enumerate(values)]
        places = sorted(line.label_y for line in charts.line_chart(series, label="").lines)
        assert all(b - a >= charts.LABEL_APART - 0.02 for a, b in itertools.pairwise(places))
        assert places[-1] <= 100.0


def test_the_heat_map_holds_the_whole_grid():
    grid = goals.grid(1.6, 1.1, (0.5, 0.3, 0.2))
    rows = charts.heat(grid)
    assert sum(cell.percent for _, cells in rows for cell in cells) == pytest.approx(100.0)
    assert sum(cell.percent for _, cells in rows for cell in cells if cell.outcome == "home") > 49.5
    assert [name for name, _ in rows] == ["0", "1", "2", "3", "4", "5+"]
    assert sum(cell.is_best for _, cells in rows for cell in cells) == 1
    assert not any(cell.is_result for _, cells in rows for cell in cells)
    (was,) = (cell for _, cells in charts.heat(grid, (7, 1)) for cell in cells if cell.is_result)
    assert (was.home, was.away) == ("5+", "1")


def test_the_why_begins_with_two_equal_teams_and_sums_to_the_chance_of_a_home_win():
    # Half of 0.714, the draw's weight against both wins, beside two equal teams: 1 / 2.714.
    found = charts.why((0.51, 0.25, 0.24), {"baseline": 0.42, "elo": 0.6, "form": -0.26, "season so far": 0.004})
    assert (found.start, found.total) == (37, 51)
    assert [row.group for row in found.rows] == ["elo", "baseline", "form", ""]
    assert sum(row.points for row in found.rows) == 14
    first, _, against, rest = found.rows
    assert (first.side, first.x, first.width) == ("home", 50.0, 48.0)
    assert (against.side, against.x + against.width) == ("away", 50.0)
    assert against.points < 0
    assert rest.points in (0, 1)
    assert [reason.log_odds for reason in found.reasons] == [0.6, 0.42, -0.26, 0.004]
    assert charts.why((0.5, 0.3, 0.2), {}) is None


@given(weights, st.dictionaries(st.sampled_from(["baseline", "elo", "form", "calibration"]), st.floats(-2.0, 2.0)))
def test_whole_points_of_any_forecast_sum_to_it(found, contributions):
    p = [weight / sum(found) for weight in found]
    why = charts.why(p, contributions)
    if why is not None:
        assert why.start + sum(row.points for row in why.rows) == why.total == charts.whole_percents(p)[0]
        assert all(0.0 <= row.x <= 50.0 and row.x + row.width <= 100.0 for row in why.rows)


class TestStrips:
    LINES = (league.Line("title", "title", 1, False), league.Line("down", "down", 1, True))

    def strip(self, places: list[float]) -> str:
        standing = Standing(1, Team(name="Northgate"), 0, 0, 0, 0, 0, 0, 0)
        return strip(league.LeagueRow(standing, "", False, False, {"places": places}, ()), self.LINES)

    def test_cells_are_as_dark_as_their_share_and_none_is_drawn_for_nothing(self):
        drawn = self.strip([0.34, 0.66, 0.0, 0.0])
        assert 'aria-label="Northgate: most likely place 2 (66%)"' in drawn
        assert [(cell["x"], cell["class"]) for cell in cells(drawn)] == [("0", "v16"), ("1", "v20")]

    def test_marks_stand_at_the_lines_of_the_table_but_not_at_the_title(self):
        drawn = self.strip([0.25] * 4)
        assert '<path d="M1 0V1M2 0V1"/><path class="zone" d="M3 0V1"/>' in drawn

    def test_a_team_that_was_not_simulated_has_none(self):
        standing = Standing(1, Team(name="Northgate"), 0, 0, 0, 0, 0, 0, 0)
        assert strip(league.LeagueRow(standing, "", False, False, None, ()), self.LINES) == ""


def cells(drawn: str) -> list[dict[str, str]]:
    """The attributes of the cells of a strip, without its ground."""
    found = [dict(re.findall(r'(\w+)="([^"]*)"', rect)) for rect in re.findall(r"<rect ([^>]*)/>", drawn)]
    return [cell for cell in found if "x" in cell]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "–"),
        (0.0004, "<1%"),
        (0.006, "1%"),
        (0.494, "49%"),
        (0.9949, "99%"),
        (0.9999, ">99%"),
        (1.0, "100%"),
    ],
)
def test_a_counted_chance_is_never_rounded_to_certainty(share, text):
    assert chance(share) == text


@pytest.mark.parametrize(
    ("line", "title"),
    [
        (league.Line("title", "title", 1, False), "Title"),
        (league.Line("top", "first", 4, False), "Top 4"),
        (league.Line("down", "play_off", 3, True), "Down"),
    ],
)
def test_a_column_of_chances_is_named_as_people_say(line, title):
    assert line_title(line) == title


@pytest.mark.parametrize(
    ("line", "short"),
    [
        ({"name": "title", "places": 1, "from_end": False}, "Title"),
        ({"name": "first", "places": 4, "from_end": False}, "Top 4"),
        ({"name": "down", "places": 3, "from_end": True}, "Bottom 3"),
    ],
)
def test_a_line_of_a_table_has_a_short_label(line, short):
    assert line_short(line) == short


def test_places_are_written_as_people_say_them():
    assert [ordinal(place) for place in (1, 2, 3, 4, 11, 12, 13, 20, 21, 22)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "20th", "21st", "22nd")
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (8.44, "8.4 s"),
        (9.96, "10 s"),
        (59.7, "1 min"),
        (200.0, "3 min 20 s"),
        (3599.9, "1 h"),
        (3900.0, "1 h 5 min"),
    ],
)
def test_a_duration_is_written_in_two_units_at_most(seconds, text):
    assert duration(seconds) == text
