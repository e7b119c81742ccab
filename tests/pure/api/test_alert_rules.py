"""The rules of alerts: the files made from them, their pages, and what Prometheus makes of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.api.alerting import RULES, MetricsSnapshot, ServiceLevelPoint, increase, read_rules
from apps.api.alerting.conditions import Selector
from apps.api.alerting.rules import formatted
from spai.monitoring.files import BOARDS, RULE_FILE, written
from tests.pure.api.alert_cases import CASES, metrics_at

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
WITH_PROMTOOL = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def test_the_files_for_prometheus_and_grafana_are_those_that_would_be_written_now():
    outdated = [path.name for path, content in written().items() if path.read_text(encoding="utf-8") != content]
    assert outdated == [], "python -m spai.monitoring"
    present = {path for path in BOARDS.parent.rglob("*") if path.suffix == ".json"}
    assert present <= set(written())


def test_every_alert_has_its_page_and_every_page_its_alert():
    pages = {rule.runbook for rule in RULES}
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert found == pages
    for page in sorted(pages):
        text = (ROOT / page).read_text(encoding="utf-8")
        names = [rule.name for rule in RULES if rule.runbook == page]
        assert all(name in text for name in names), page
        assert "## What it means" in text, page
        assert "## What to do" in text, page
        assert "## It is over when" in text, page


def test_the_page_of_an_alert_that_one_container_cannot_see_says_who_does():
    pages = {rule.runbook for rule in RULES if rule.each_container}
    assert [page for page in sorted(pages) if "Prometheus" not in (ROOT / page).read_text(encoding="utf-8")] == []


def test_every_alert_has_cases_in_which_it_fires_and_in_which_it_does_not():
    covered = [name for case in CASES for name in case["alerts"]]
    assert sorted(covered) == sorted(rule.name for rule in RULES)
    assert all(case["fires"] and case["quiet"] for case in CASES)


def test_every_placeholder_of_a_summary_is_a_label_or_the_value():
    for rule in RULES:
        if rule.condition is not None:
            labels = dict.fromkeys(getattr(rule.condition, "by", ()), "x")
            assert "{" not in rule.summary_of(labels, 1.0), rule.name


@pytest.mark.slow
@WITH_PROMTOOL
def test_prometheus_fires_in_each_case_and_is_quiet_in_the_others(tmp_path):
    # Cases share no series: one run for all that fire, and one for the first quiet series of each, the second, …
    rounds: list[tuple[dict[str, str], list[dict]]] = []
    for case in CASES:
        runs = [
            (case["fires"], [("before", False), ("at", True)]),
            *((each, [("at", False)]) for each in case["quiet"]),
        ]
        for number, (series, moments) in enumerate(runs):
            if number == len(rounds):
                rounds.append(({}, []))
            assert not set(series) & set(rounds[number][0])
            rounds[number][0].update(series)
            rounds[number][1].extend(
                {
                    "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})',
                    "eval_time": f"{case[moment]}m",
                    "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
                }
                for name in case["alerts"]
                for moment, fires in moments
                if moment in case
            )
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": text, "values": values} for text, values in series.items()],
            "promql_expr_test": checks,
        }
        for series, checks in rounds
    ]
    told = {
        "interval": "1m",
        "input_series": [{"series": 'spai_queue_age_seconds{queue="default"}', "values": "1500x10"}],
        "alert_rule_test": [
            {
                "eval_time": "5m",
                "alertname": "QueueStalled",
                "exp_alerts": [
                    {
                        "exp_labels": {"severity": "critical", "seen_by": "spai", "queue": "default"},
                        "exp_annotations": {
                            "summary": "The oldest message in the queue default has waited for 25m 0s.",
                            "runbook": "docs/runbooks/queue-stalled.md",
                        },
                    }
                ],
            }
        ],
    }
    content = {"rule_files": [str(RULE_FILE)], "evaluation_interval": "1m", "tests": [*tests, told]}
    file = tmp_path / "cases.yaml"
    file.write_text(json.dumps(content))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ── The part of PromQL that SPAI evaluates itself ────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("up", 7.0),
        ('up{job="a"}', 1.0),
        ('up{job!="a"}', 6.0),
        ('up{job=~"a|b"}', 3.0),
        ('up{job=~"a"}', 1.0),
        ('up{job!~"a.*",zone="x"}', 2.0),
        ('up{zone=""}', 5.0),
        ("down", 0.0),
    ],
)
def test_a_selector_selects_as_prometheus_does(text, total):
    series = {'up{job="a"}': "1x0", 'up{job="b",zone="x"}': "2x0", 'up{job="ab"}': "4x0"}
    snapshot = MetricsSnapshot.of(metrics_at(series, 0), at=NOON)
    assert Selector.parse(text).total(snapshot) == total


@pytest.mark.parametrize("text", ["", "up{", "up{job=a}", 'sum(up{job="a"})', 'up{job="a"} > 0', 'up{job="a",}'])
def test_what_is_no_selector_is_refused(text):
    with pytest.raises(ValueError, match="no selector"):
        Selector.parse(text)


def test_a_count_that_falls_has_begun_anew():
    at = [NOON + timedelta(minutes=minute) for minute in range(5)]
    counts = [(1, 10), (3, 20), (1, 5), (1, 9), (2, 12)]
    points = [ServiceLevelPoint(moment, *count) for moment, count in zip(at, counts, strict=True)]
    # 2 of 10, then 1 of 5 after the restart, 0 of 4, 1 of 3
    assert increase(points, since=at[0]) == (4.0, 22.0)
    assert increase(points, since=at[3]) == (1.0, 3.0)
    assert increase(points, since=at[4]) == (0.0, 0.0)
    assert increase([], since=at[0]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (45, "seconds", "45 seconds"),
        (1500, "seconds", "25 minutes"),
        (4 * 3600, "seconds", "4 hours"),
        (400_000, "seconds", "5 days"),
        (0.0321, "ratio", "3.21 %"),
        (1.0, "ratio", "100 %"),
        (3, "number", "3"),
        (0.01234, "number", "0.01234"),
        (1_234_567, "number", "1,234,567"),
    ],
)
def test_values_are_told_in_words(value, unit, text):
    assert formatted(value, unit) == text


LEVEL = {"name": "a", "objective": 0.9, "summary": "s", "total": ["t"], "bad": ["b"], "least": 1}
BURN = {"name": "BurnsFast", "severity": "critical", "factor": 14.4, "long": "1h", "short": "5m", "for": "2m"}
ALERT = {"name": "A", "severity": "critical", "summary": "s", "metric": "m", "above": 1}


@pytest.mark.parametrize(
    "content",
    [
        {"service_levels": [LEVEL], "burn_rates": [BURN], "alerts": []},  # 14.4 times 10 % is more than everything
        {"service_levels": [LEVEL | {"good": ["g"]}], "burn_rates": [], "alerts": []},
        {"service_levels": [], "burn_rates": [], "alerts": [ALERT, ALERT]},
        {"service_levels": [], "burn_rates": [], "alerts": [ALERT | {"metric": "rate(m[5m])"}]},
    ],
)
def test_rules_that_cannot_hold_are_refused(content):
    with pytest.raises(ValueError):
        read_rules(json.dumps(content))
