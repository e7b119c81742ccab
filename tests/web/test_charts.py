"""What pages draw, as numbers."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.api import charts
from apps.api.templatetags.spai import bars, chance, code, duration, line_meaning, line_short, percent
from apps.matches.models import Team
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
    assert [name for name, _ in rows] == ["0", "1", "2", "3", "4", "5", "6+"]
    assert sum(cell.is_best for _, cells in rows for cell in cells) == 1


def test_the_longest_push_comes_first_and_home_goes_left():
    first, second = charts.contribution_bars({"form": -0.11, "elo": 0.41})
    assert (first.group, first.side, first.x + first.width) == ("elo", "home", 50.0)
    assert (second.group, second.side, second.x) == ("form", "away", 50.0)
    assert first.width == 46.0
    assert charts.contribution_bars({}) == []


def test_one_forecast_has_not_moved():
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert charts.movement([(at, (0.5, 0.3, 0.2))], at + timedelta(hours=1)) is None


def test_a_forecast_stands_until_the_next_one():
    at = datetime(2026, 11, 23, tzinfo=UTC)
    history = [(at, (0.5, 0.3, 0.2)), (at + timedelta(hours=1), (0.6, 0.25, 0.15))]
    moved = charts.movement(history, at + timedelta(hours=2))
    home = moved.lines[0]
    # Scaled to 75 %: 0.5 lies at 200 × (1 − 0.5 / 0.75) = 66.7, 0.6 at 40.
    assert home.path == "M0 66.7H500.0V40.0H1000"
    assert [line.percent for line in moved.lines] == [60, 25, 15]
    assert [percent for percent, _ in moved.scale] == [0, 25, 50, 75]
    assert moved.label.startswith("home from 50 to 60 per cent")


class TestStrips:
    LINES = (
        {"name": "title", "places": 1, "from_end": False},
        {"name": "down", "places": 1, "from_end": True},
    )

    def test_cells_are_as_dark_as_the_root_of_their_share_and_none_is_drawn_for_nothing(self):
        first, _, _, _ = charts.strips(
            self.LINES, [[0.64, 0.36, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5], [0.25] * 4, [1, 0, 0, 0]]
        )
        # 20 times the roots of 0.64 and 0.36, the largest share of all being 1.
        assert first.cells == [(0.0, 25.0, 16), (25.0, 25.0, 12)]
        assert first.label == "most often place 1, in 64 of 100 seasons"

    def test_borders_lie_where_the_lines_of_the_table_are(self):
        (strip,) = charts.strips(self.LINES, [[0.25] * 4])
        assert strip.borders == [25.0, 75.0]

    def test_no_clubs_have_no_strips(self):
        assert charts.strips(self.LINES, []) == []


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
    ("line", "level", "short", "meaning"),
    [
        ({"name": "title", "places": 1, "from_end": False}, 1, "Title", "first place"),
        ({"name": "first", "places": 4, "from_end": False}, 1, "Top 4", "the highest continental competition"),
        ({"name": "first", "places": 2, "from_end": False}, 2, "Top 2", "direct promotion"),
        ({"name": "down", "places": 3, "from_end": True}, 2, "Bottom 3", "direct relegation"),
    ],
)
def test_a_line_of_a_table_says_what_it_is_worth(line, level, short, meaning):
    assert (line_short(line), line_meaning(line, level)) == (short, meaning)


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
