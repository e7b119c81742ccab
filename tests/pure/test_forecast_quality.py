"""What the benchmark of forecasts compares, whatever files it is given; its stages have tests of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import forecast_quality
from benchmarks.forecast_quality import PER_LEAGUE, asked_seasons, seasons_between, tables

N = 400


@pytest.fixture
def matches() -> pd.DataFrame:
    """400 matches of two seasons, each outcome in turn."""
    days = pd.date_range("2023-08-01", periods=N, tz="UTC")
    seasons = np.where(np.arange(N) < N // 2, "2023-24", "2024-25")
    return pd.DataFrame({"season": seasons, "as_of": days, "outcome": np.arange(N) % 3, "competition": "a"})


def knowing(matches: pd.DataFrame, share: float) -> np.ndarray:
    """Forecasts that give the outcome this share, and the others what is left."""
    p = np.full((len(matches), 3), (1.0 - share) / 2.0)
    p[np.arange(len(matches)), matches["outcome"]] = share
    return p


@pytest.fixture
def models(matches) -> dict[str, np.ndarray]:
    return {"xgboost": knowing(matches, 0.5), "base_rates": knowing(matches, 0.4), PER_LEAGUE: knowing(matches, 0.45)}


def lines(matches: pd.DataFrame, **quoted: slice) -> dict[str, np.ndarray]:
    found = {}
    for name in forecast_quality.LINES:
        p = np.full((len(matches), 3), np.nan)
        rows = quoted.get(name.split()[0], slice(0, 0))
        p[rows] = knowing(matches, 0.55)[rows]
        found[name] = p
    return found


def everywhere(matches: pd.DataFrame) -> dict[str, np.ndarray]:
    return {"all competitions": np.ones(len(matches), dtype=bool)}


def test_gaps_are_those_to_the_closing_line_on_the_matches_that_it_quotes(matches, models):
    quoted = lines(matches, Pinnacle=slice(0, N), average=slice(0, N), Bet365=slice(0, N))
    (table,) = tables(matches, models, quoted, everywhere(matches))
    assert table.name == "all competitions"
    assert table.title == "all competitions, 2023-24 to 2024-25, matches with the line Pinnacle closing"
    rows = {row["name"]: row for row in table.rows}
    assert {row["n"] for row in table.rows} == {N}
    assert rows["xgboost"]["gap_log_loss"]["mean"] == pytest.approx(np.log(0.55 / 0.5))
    assert rows["xgboost"]["ahead_log_loss"]["mean"] == pytest.approx(np.log(0.5 / 0.45))
    assert rows["Pinnacle closing"]["gap_rps"]["mean"] == 0.0


def test_a_season_that_pinnacle_left_is_compared_with_the_average_closing_line(matches, models):
    quoted = lines(matches, Pinnacle=slice(0, N // 2), average=slice(0, N))
    first, second = tables(matches, models, quoted, everywhere(matches))
    assert first.title == "all competitions, 2023-24 to 2023-24, matches with the line Pinnacle closing"
    assert second.title == "all competitions, 2023-24 to 2024-25, matches with the line average closing"
    assert (first.name, second.name) == ("all competitions", "all competitions, beside the next line")
    assert {row["gap_to"] for row in second.rows} == {"average closing"}
    assert {row["n"] for row in first.rows} == {N // 2}


def test_without_pinnacle_the_average_stands_in_its_place(matches, models):
    (table,) = tables(matches, models, lines(matches, average=slice(0, N)), everywhere(matches))
    assert (table.name, {row["gap_to"] for row in table.rows}) == ("all competitions", {"average closing"})


def test_files_without_a_closing_price_are_reported_so(matches, models, capsys):
    (table,) = tables(matches, models, lines(matches), everywhere(matches))
    assert table.rows == []
    forecast_quality.print_table(table)
    assert "no tested match has one of the lines Pinnacle closing, average closing" in capsys.readouterr().out


def test_a_line_that_quotes_fewer_matches_is_remarked(matches, models, capsys):
    quoted = lines(matches, Pinnacle=slice(0, N), Bet365=slice(0, 50))
    for table in tables(matches, models, quoted, everywhere(matches)):
        forecast_quality.print_table(table)
    assert "where n is smaller, only the gaps can be compared" in capsys.readouterr().out


HELD = ["2012-13", "2013-14", "2014", "2014-15", "2015-16"]


@pytest.mark.parametrize(
    ("first", "latest", "found"),
    [
        (None, None, (2006, 2015)),
        ("2014-15", None, (2014, 2015)),
        ("2013-14", "2014-15", (2013, 2014)),
        (None, "2014", (2005, 2014)),
    ],
)
def test_the_tested_seasons_end_with_the_latest_that_the_files_hold(first, latest, found):
    assert asked_seasons(HELD, first, latest) == found


@pytest.mark.parametrize(
    ("held", "first", "latest", "said"),
    [
        (HELD, "2016-17", "2018-19", "no match of the seasons 2016 to 2018: the files hold 2012-13 to 2015-16"),
        (HELD, "2016-17", "2015-16", "--test-from 2016-17 is after --test-to 2015-16"),
        (HELD, "1415", None, "'1415' is no season; write it as 2014-15"),
        (HELD, "2014-16", None, "'2014-16' is no season; write it as 2014-15"),
        ([], None, None, "the files hold no match that could be read"),
    ],
)
def test_seasons_that_cannot_be_tested_end_it_before_the_work(held, first, latest, said):
    with pytest.raises(SystemExit, match=said.replace("(", r"\(")):
        asked_seasons(held, first, latest)


def test_a_season_has_a_label_of_one_year_and_of_two():
    assert seasons_between(1999, 2000) == ["1999", "1999-00", "2000", "2000-01"]


def test_how_far_ahead_of_base_rates_a_model_is_in_each_competition(matches, models, capsys):
    (row,) = forecast_quality.divisions(matches, models)
    assert (row["competition"], row["n"]) == ("a", N)
    assert row["log_loss"]["xgboost"] == pytest.approx(-np.log(0.5))
    forecast_quality.print_divisions([row])
    assert "xgboost is ahead of base rates in 1 of 1 competitions" in capsys.readouterr().out
