"""Alerts that SPAI finds by itself: the same cases as Prometheus, one row for each, told once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core import mail
from django.urls import reverse
from prometheus_client import Metric
from standardwebhooks import Webhook as Verifier

from apps.api import services
from apps.api.alerting import RULES, SERVICE_LEVELS
from apps.api.metrics import COUNTED
from apps.api.models import Alert, AlertMessage, PredictionJob, ServiceLevelCount
from apps.api.services import alerts
from apps.matches.locks import Lock
from apps.matches.models import Match
from apps.ml import selectors as ml_selectors
from tests.database import locked_elsewhere
from tests.factories import FinishedMatchFactory, MatchFactory
from tests.pure.api.alert_cases import CASES, last_minute, metrics_at

pytestmark = pytest.mark.django_db

BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
"""Prometheus's clock of the cases."""
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
STEP = 5
"""Minutes between two evaluations in the cases: the longest pause over which a condition goes on to hold."""


def watch(series=None, *, now=NOON, rules=RULES):
    """Evaluate over metrics that are given as in a case, at their first values."""
    return services.watch(read=lambda: metrics_at(series or {}, 0), clock=lambda: now, rules=rules)


def firing(*names):
    return sorted(Alert.objects.filter(name__in=names, state="firing").values_list("name", flat=True))


def played(series, until):
    """Evaluate a case up to a minute, as the task does, and return the names that fire."""
    rules = [rule for rule in RULES if rule.condition is not None]
    for minute in sorted({*range(0, until, STEP), until}):
        now = BEGIN + timedelta(minutes=minute)
        metrics = list(metrics_at(series, minute))
        by_name = {(sample.name, sample.labels.get("slo")): sample.value for each in metrics for sample in each.samples}
        # What the tables would have been counted to.
        for slo in COUNTED:
            counts = {name: by_name.get((f"spai_slo_{name}_total", slo), 0) for name in ("events", "bad_events")}
            ServiceLevelCount.objects.create(slo=slo, at=now, bad=counts["bad_events"], total=counts["events"])
        services.watch(read=lambda metrics=metrics: metrics, clock=lambda now=now: now, rules=rules)


SEEN_BY_SPAI = [case for case in CASES if not {"SiteDoesNotAnswer", "AlertsNotEvaluated"} & set(case["alerts"])]


@pytest.mark.parametrize("case", SEEN_BY_SPAI, ids=lambda case: case["alerts"][0])
def test_spai_fires_where_prometheus_does(case):
    if "before" in case:
        played(case["fires"], case["before"])
        assert firing(*case["alerts"]) == []
        Alert.objects.all().delete()
        ServiceLevelCount.objects.all().delete()
    played(case["fires"], case["at"])
    assert firing(*case["alerts"]) == sorted(case["alerts"])


@pytest.mark.parametrize("case", SEEN_BY_SPAI, ids=lambda case: case["alerts"][0])
def test_spai_is_quiet_where_prometheus_is(case):
    for series in case["quiet"]:
        played(series, min(case["at"], last_minute(series)))
        assert firing(*case["alerts"]) == []
        ServiceLevelCount.objects.all().delete()


# ── Rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
FULL = {'spai_disk_used_ratio{place="var"}': "0.95x9"}
ROOM = {'spai_disk_used_ratio{place="var"}': "0.5x9"}


def fire(now=NOON, series=FULL):
    """Let DiskAlmostFull hold for as long as it must."""
    watch(series, now=now)
    watch(series, now=now + timedelta(minutes=5))
    return Alert.objects.get(name="DiskAlmostFull", state="firing")


def test_an_alert_says_what_is_wrong_and_ends_with_its_cause():
    row = fire()
    assert row.labels == {"place": "var"}
    assert row.summary == "The disk of var is 95 % full."
    assert (row.began_at, row.fired_at) == (NOON, NOON + timedelta(minutes=5))
    later = NOON + timedelta(minutes=6)
    report = watch(ROOM, now=later)
    row.refresh_from_db()
    assert (report.resolved, row.state, row.resolved_at) == (1, "resolved", later)


def test_what_did_not_hold_for_long_enough_leaves_nothing():
    watch(FULL)
    assert Alert.objects.get().state == "pending"
    watch(ROOM, now=NOON + timedelta(minutes=1))
    assert not Alert.objects.exists()


def test_a_condition_begins_anew_after_a_time_in_which_nobody_looked():
    watch(FULL)
    watch(FULL, now=NOON + timedelta(hours=2))
    assert Alert.objects.get().state == "pending"


def test_an_alert_that_comes_again_is_a_row_of_its_own():
    first = fire()
    watch(ROOM, now=NOON + timedelta(minutes=6))
    second = fire(NOON + timedelta(minutes=7))
    assert first.pk != second.pk
    assert sorted(Alert.objects.values_list("state", flat=True)) == ["firing", "resolved"]


def test_an_alert_stays_while_its_metric_cannot_be_read():
    fire()
    watch({}, now=NOON + timedelta(minutes=6))
    assert Alert.objects.get().state == "firing"


def test_a_rule_that_is_gone_ends_its_alerts():
    fire()
    watch(FULL, now=NOON + timedelta(minutes=6), rules=[rule for rule in RULES if rule.name != "DiskAlmostFull"])
    assert Alert.objects.get().state == "resolved"


def test_of_two_that_look_at_once_one_does_nothing(transactional_db):
    with locked_elsewhere(Lock.ALERTS):
        assert watch(FULL).busy
    assert not Alert.objects.exists()


# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def by_mail(settings):
    settings.SPAI_ALERT_EMAILS = ["operator@example.org"]


def test_out_of_the_box_alerts_are_told_in_the_admin_alone():
    assert fire().told_at is None
    assert not AlertMessage.objects.exists()


def test_a_mail_says_what_fires_and_another_that_it_ended(by_mail):
    row = fire()
    (told,) = mail.outbox
    assert told.subject == "[SPAI] DiskAlmostFull"
    assert "The disk of var is 95 % full." in told.body
    assert "docs/runbooks/disk-almost-full.md" in told.body
    assert f"/admin/api/alert/{row.pk}/change/" in told.body
    watch(ROOM, now=NOON + timedelta(minutes=6))
    assert mail.outbox[1].subject == "[SPAI] resolved: DiskAlmostFull"


def test_an_alert_is_told_once_and_again_after_hours_until_somebody_acknowledges_it(by_mail):
    row = fire()
    for hours in (1, 2, 3):
        watch(FULL, now=NOON + timedelta(hours=hours))
    assert len(mail.outbox) == 1
    watch(FULL, now=NOON + timedelta(hours=5))
    assert len(mail.outbox) == 2
    assert services.acknowledge_alert(alert=row, by="ada", note="on it", now=NOON + timedelta(hours=6))
    assert not services.acknowledge_alert(alert=row, by="ben", note="", now=NOON + timedelta(hours=6))
    watch(FULL, now=NOON + timedelta(hours=20))
    assert len(mail.outbox) == 2
    watch(ROOM, now=NOON + timedelta(hours=21))
    assert len(mail.outbox) == 3


def test_several_alerts_of_a_round_are_one_message(by_mail):
    series = FULL | {'spai_gates_failed{world="real"}': "2x9"}
    watch(FULL)
    watch(series, now=NOON + timedelta(minutes=5))
    (told,) = mail.outbox
    assert told.subject == "[SPAI] DiskAlmostFull, GatesFailed"


def test_two_beats_in_one_minute_tell_once(by_mail):
    fire()
    watch(FULL, now=NOON + timedelta(minutes=5))
    watch(FULL, now=NOON + timedelta(minutes=5, seconds=1))
    assert len(mail.outbox) == 1


def test_a_sender_that_is_killed_leaves_a_message_that_is_not_sent_twice(by_mail, monkeypatch):
    def killed(message, now):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setitem(alerts._SENDERS, "email", killed)
        watch(FULL)
        with pytest.raises(KeyboardInterrupt):
            watch(FULL, now=NOON + timedelta(minutes=5))
    assert AlertMessage.objects.get().state == "sending"
    watch(FULL, now=NOON + timedelta(minutes=6))
    assert AlertMessage.objects.get().state == "sending"
    watch(FULL, now=NOON + timedelta(minutes=16))
    message = AlertMessage.objects.get()
    assert (message.state, mail.outbox) == ("failed", [])
    assert "may have arrived" in message.latest_error


def test_a_server_that_refuses_is_tried_again_and_given_up_in_the_end(by_mail, monkeypatch):
    monkeypatch.setitem(alerts._SENDERS, "email", lambda message, now: "ConnectionRefusedError: no")
    fire()
    now = NOON + timedelta(minutes=5)
    for wait in (1, 5, 30, 120):
        message = AlertMessage.objects.get()
        now += timedelta(minutes=wait)
        assert (message.state, message.next_attempt_at) == ("pending", now)
        watch(FULL, now=now)
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("failed", 5)
    assert "ConnectionRefusedError" in message.latest_error


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_webhook_gets_alertmanagers_form_signed(settings):
    got = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers.items()), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.SPAI_ALERT_WEBHOOK_URL = f"http://127.0.0.1:{server.server_port}/hook"
        settings.SPAI_ALERT_WEBHOOK_SECRET = SECRET
        fire(datetime.now(UTC) - timedelta(minutes=5))
        server.shutdown()
    ((headers, body),) = got
    Verifier(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    told = json.loads(body)
    assert (told["version"], told["status"]) == ("4", "firing")
    (alert,) = told["alerts"]
    assert alert["labels"] == {"alertname": "DiskAlmostFull", "severity": "critical", "place": "var"}
    assert AlertMessage.objects.get().state == "sent"


# ── Service levels of the tables ─────────────────────────────────────────────────────────────────────────────────────
def counts(slo):
    row = ServiceLevelCount.objects.filter(slo=slo).order_by("-at").first()
    return row.bad, row.total


def test_ended_jobs_are_counted_once_and_faults_of_clients_are_not_bad(key):
    watch(now=NOON)
    errors = [None, {"kind": "internal-error", "detail": ""}, {"kind": "result-too-large", "detail": ""}]
    for error in errors:
        PredictionJob.objects.create(
            api_key=key,
            kind="what_if_set",
            parameters={},
            state="failed" if error else "succeeded",
            error=error,
            created_at=NOON,
            finished_at=NOON + timedelta(seconds=30),
        )
    for second in (60, 61, 119, 120, 180):
        watch(now=NOON + timedelta(seconds=second))
    assert counts("job-completion") == (1, 3)


def test_matches_without_a_forecast_at_kick_off_are_counted_from_the_first_champion_on():
    kickoff_at = NOON + timedelta(hours=3)
    MatchFactory(kickoff_at=kickoff_at, created_at=NOON, status=Match.Status.SCHEDULED)
    FinishedMatchFactory(kickoff_at=kickoff_at, created_at=kickoff_at)
    MatchFactory(kickoff_at=kickoff_at, created_at=NOON, status=Match.Status.POSTPONED)
    (world,) = set(Match.objects.values_list("world", flat=True))
    around = kickoff_at - timedelta(minutes=1), kickoff_at
    found = ml_selectors.forecasts_at_kickoff(*around, champions_since={world: NOON})
    assert found == (1, 1)
    assert ml_selectors.forecasts_at_kickoff(*around, champions_since={world: kickoff_at}) == (0, 0)
    assert ml_selectors.forecasts_at_kickoff(*around, champions_since={}) == (0, 0)


def test_every_service_level_has_a_count_each_minute_and_old_ones_are_deleted():
    ServiceLevelCount.objects.create(slo="latency", at=NOON - timedelta(days=2), bad=0, total=1)
    watch(now=NOON)
    assert sorted(ServiceLevelCount.objects.values_list("slo", flat=True)) == sorted(
        each.name for each in SERVICE_LEVELS
    )


# ── The admin ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_home_page_shows_what_fires_and_says_when_nobody_looks(admin):
    home = reverse("admin:index")
    assert "has not looked for alerts" in admin.get(home).content.decode()
    fire(datetime.now(UTC) - timedelta(minutes=5))
    page = admin.get(home).content.decode()
    assert "The disk of var is 95 % full." in page
    assert "has not looked for alerts" not in page


def test_the_page_of_an_alert_has_its_runbook_and_an_operator_acknowledges_it(admin):
    row = fire()
    page = admin.get(reverse("admin:api_alert_change", args=[row.pk])).content.decode()
    assert "du -sh" in page
    assert "Acknowledge" in page
    sent = {"_form_submitted": "on", "note": "<b>on it</b>"}
    assert admin.post(reverse("admin:api_alert_acknowledge", args=[row.pk]), sent).status_code == 200
    row.refresh_from_db()
    assert (row.acknowledged_by, row.note) == ("admin", "<b>on it</b>")
    assert "admin looks after it" in admin.get(reverse("admin:index")).content.decode()
    assert "acknowledge/" not in admin.get(reverse("admin:api_alert_change", args=[row.pk])).content.decode()
    assert "DiskAlmostFull (var)" in admin.get(reverse("admin:api_alert_changelist")).content.decode()


def test_messages_are_listed_with_why_they_were_not_sent(admin, by_mail, monkeypatch):
    monkeypatch.setitem(alerts._SENDERS, "email", lambda message, now: "ConnectionRefusedError: no")
    fire()
    assert "ConnectionRefusedError" in admin.get(reverse("admin:api_alertmessage_changelist")).content.decode()


def test_hostile_text_in_a_label_is_shown_as_text(admin):
    metric = Metric("spai_lane_halted", "", "gauge")
    metric.add_sample("spai_lane_halted", {"host": "<script>{value}</script>"}, 1.0)
    now = datetime.now(UTC)
    for minutes in range(0, 31, 5):
        services.watch(read=lambda: [metric], clock=lambda at=now - timedelta(minutes=30 - minutes): at)
    page = admin.get(reverse("admin:index")).content.decode()
    assert "&lt;script&gt;{value}&lt;/script&gt; gets no request" in page
    assert "<script>{value}" not in page
