"""Lines through numbers, as positions in a picture."""

from __future__ import annotations

from apps.ml.charts import HEIGHT, LABELS, MARGIN, WIDTH, trend_line


def test_the_largest_number_is_at_the_top_and_the_steps_are_equal():
    chart = trend_line([("a", 1.0), ("b", 3.0), ("c", 2.0)])
    bottom, top, middle = HEIGHT - MARGIN, MARGIN, HEIGHT / 2
    assert [(point.x, point.y) for point in chart.points] == [
        (LABELS, bottom), ((LABELS + WIDTH - MARGIN) / 2, top), (WIDTH - MARGIN, middle),
    ]  # fmt: skip
    assert chart.path == f"M{LABELS} {bottom}L{(LABELS + WIDTH - MARGIN) / 2} {top}L{WIDTH - MARGIN} {middle}"
    assert chart.scale == [(top, 3.0), (middle, 2.0), (bottom, 1.0)]


def test_a_number_that_is_not_known_leaves_its_place_empty():
    chart = trend_line([("a", 1.0), ("b", None), ("c", float("nan")), ("d", 2.0)])
    assert [(point.about, point.x) for point in chart.points] == [("a", LABELS), ("d", WIDTH - MARGIN)]


def test_equal_numbers_are_a_line_in_the_middle_with_one_value_beside_it():
    chart = trend_line([("a", 0.5), ("b", 0.5)])
    assert {point.y for point in chart.points} == {HEIGHT / 2}
    assert chart.scale == [(HEIGHT / 2, 0.5)]


def test_fewer_than_two_numbers_are_no_line():
    assert trend_line([]) is None
    assert trend_line([("a", 1.0)]) is None
    assert trend_line([("a", 1.0), ("b", None)]) is None
