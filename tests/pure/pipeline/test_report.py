"""The page of the evaluation: what it says, that it needs nothing from outside, and that its tables scroll."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from apps.ml.pipeline import files, report
from apps.ml.pipeline.report import tables

VOID = {"meta", "br", "hr", "img", "link", "input"}
OPTIONAL = {"html", "li", "p"}


class Checked(HTMLParser):
    """A reader that knows which elements are open and which names are there."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.wrong: list[str] = []
        self.boxed = 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.targets += [given["href"][1:]] if tag == "a" else []
        if tag == "table" and self.open[-1:] == ["div"]:
            self.boxed += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [dict(attrs)["id"]] if dict(attrs).get("id") else []

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(f"</{tag}> in {self.open[-3:]}")


@pytest.fixture(scope="module")
def page(built) -> str:
    return (built / files.REPORT).read_text()


@pytest.fixture
def found(built) -> report.ReportData:
    return report.ReportData.read(built)


def test_every_element_is_closed_and_every_entry_of_the_contents_leads_somewhere(page):
    reader = Checked()
    reader.feed(page)
    assert reader.wrong == []
    assert reader.open == []
    assert len(reader.targets) == 13
    assert set(reader.targets) <= set(reader.ids)


def test_every_table_scrolls_in_a_box_that_the_keyboard_reaches(page):
    reader = Checked()
    reader.feed(page)
    assert reader.boxed == page.count("<table>") == page.count("class=scroll role=region tabindex=0") > 15


def test_the_page_fetches_nothing_and_follows_the_colours_of_its_reader(page):
    assert "<script" not in page
    assert "@import" not in page
    assert re.findall(r"\b(?:src|srcset)=", page) == []
    assert re.findall(r"url\((?!#)", page) == []
    assert "prefers-color-scheme:dark" in page
    assert "name=viewport" in page
    assert "#000000" not in page, "black would not be seen on a dark page"


def test_the_pictures_are_the_same_alone_and_in_the_page(built, page):
    for path in (built / files.PLOTS).iterdir():
        svg = path.read_text()
        assert svg.startswith("<svg")
        assert svg[svg.index(">") :] in page, path.name


def test_all_that_was_asked_of_the_evaluation_has_its_place(page, found):
    for words in (
        "Differences on the same matches", "All on the same", "before calibration", "Month of the calendar",
        "Promoted and relegated clubs", "Gap in ratings", "Part of the season", "Learning curve",
        "log loss added", "Shapley values", "closing-line value", "gives no betting advice",
    ):  # fmt: skip
        assert words in page, words
    assert [step["start"][:10] for step in found.breakdown["steps"]] == ["2022-07-01", "2023-07-01"]
    assert "<th scope=row>2023-07-01</th><td>2020-05-29</td>" in page
    for row in found.breakdown["groups"]["promotions"]:
        assert row["sides"] in page
    for row in found.explained["families"]:
        assert row["family"].replace("_", " ") in page


def test_a_world_whose_competitions_are_large_enough_shows_each(found):
    row = {
        "competition": "league <0>",
        "n": 900,
        "ece": 0.031,
        "ece_limit": 0.02,
        "log_loss": 1.0,
        "before": {"ece": 0.05, "log_loss": 1.1},
        "outcomes": [
            {"outcome": name, "ece": 0.01, "ece_limit": 0.02, "ece_before": 0.03, "points": [[900, 0.4, 0.41]]}
            for name in ("home", "draw", "away")
        ],
    }
    large = replace(found, breakdown=found.breakdown | {"reliability": [row]})
    text = report.page(large, report.plots(large))
    assert "0 of 1 competitions are below their limit" in text
    assert "league &lt;0&gt;" in text
    assert "league <0>" not in text
    assert text.count("<svg") == 6


def test_small_competitions_a_market_without_shared_matches_and_no_refits_have_sentences_of_their_own(found):
    assert "No competition has 500 tested matches" in report.page(found, report.plots(found))
    apart = replace(
        found,
        breakdown=found.breakdown | {"together": None},
        explained=found.explained | {"learning": []},
    )
    pictures = report.plots(apart)
    assert "learning" not in pictures
    text = report.page(apart, pictures)
    assert "No tested match is quoted by all lines" in text
    assert "The profile refits no model" in text


def test_lines_that_were_left_out_are_named_with_a_dash_for_what_nothing_was_compared_with(found):
    row = {"bookmaker": "Avg", "moment": "opening", "month": "2010-05", "matches": 442, "distance": 0.00103}
    left_out = [row | {"above": None}, row | {"bookmaker": "PS", "above": 0.79}]
    apart = replace(found, metrics=found.metrics | {"lines_left_out": left_out})
    html = report.page(apart, report.plots(apart))
    assert "Lines that were left out" in html
    for said in ("Avg opening", "PS opening", "2010-05", "442", "0.00103", "–", "79.0%"):
        assert said in html


def test_numbers_are_written_with_a_true_minus_and_a_missing_one_as_a_dash():
    assert tables.number(-0.01234) == "−0.0123"
    assert tables.number(None) == "–"
    assert tables.interval({"mean": -0.01, "low": -0.02, "high": 0.005}) == "−0.0100 [−0.0200, +0.0050]"
    assert tables.interval(None) == "–"


def test_the_report_reports_the_numbers_and_fetches_nothing(built):
    metrics = files.read_json(built / files.METRICS)
    page = (built / files.REPORT).read_text()
    assert f"{metrics['models'][metrics['best']]['log_loss']:.4f}" in page
    assert f"{metrics['test']['n']} matches" in page
    assert "<script" not in page
    assert "src=" not in page
    assert page.count("<svg") == len(list((built / files.PLOTS).iterdir())) == 5
    assert len(page.encode()) < 2_000_000
