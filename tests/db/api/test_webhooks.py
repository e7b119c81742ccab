"""Webhooks: what is sent, to whom, how often, and where SPAI does not connect."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from django.db import connection
from django.utils import timezone

from apps.api import services
from apps.api.models import ApiKey, Webhook, WebhookDelivery
from apps.api.services import webhook_requests, webhooks
from apps.matches import feed
from apps.matches.models import Event, Match
from apps.matches.public_addresses import AddressRefusedError
from tests.database import at_once
from tests.factories import MatchFactory
from tests.misbehaviour import Server, Site, started

State = WebhookDelivery.DeliveryState


class Receiver(Site):
    """Takes messages, and keeps their bodies; the path says how it misbehaves."""

    def do_POST(self):  # noqa: N802
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.do_GET()

    def page(self):
        self.send(b"", status=self.server.answers.pop(0) if self.server.answers else 200)

    def gone(self):
        self.send(b"", 410)


@pytest.fixture
def receiver() -> Iterator[Server]:
    server = Server(Receiver)
    server.bodies, server.answers = [], []
    with started(server):
        yield server


@pytest.fixture
def key(db, settings) -> ApiKey:
    settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.0/8"]
    now = timezone.now()
    return services.create_key(name="feed", source="feed", worlds=["sandbox"], created_by="test", now=now).row


@pytest.fixture
def hook(key, receiver) -> Webhook:
    return create(key, receiver.url)


def create(key: ApiKey, url: str, topics=("match.changed",), **filters) -> Webhook:
    return services.create_webhook(api_key=key, url=url, topics=topics, now=timezone.now(), **filters)


def publish(number: int, topic: str = "match.changed", key: str = "1", **payload) -> None:
    match = Match.objects.select_related("season__competition", "home_team", "away_team").filter(pk=key).first()
    about = match and {
        "world": match.world,
        "match_id": match.pk,
        "competition": match.season.competition.slug,
        "home_team": match.home_team.slug,
        "away_team": match.away_team.slug,
    }
    made = {"number": number, "topic": topic, "key": key, "payload": payload, "created_at": timezone.now()}
    Event.objects.create(**made | (about or {}))


def deliver(at: datetime | None = None) -> services.webhooks.DeliveriesReport:
    return services.deliver_due(clock=lambda: at or timezone.now())


def sent_to(hook: Webhook) -> list[int | None]:
    return list(hook.deliveries.order_by("pk").values_list("event_number", flat=True))


# ── What is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_event_is_sent_once_and_an_independent_library_verifies_it(hook, receiver):
    publish(1, home_goals=2)
    assert deliver() == services.webhooks.DeliveriesReport(made=1, delivered=1, failed=0)
    assert deliver() == services.webhooks.DeliveriesReport(made=0, delivered=0, failed=0)
    (body,), ((_, headers, _),) = receiver.bodies, receiver.asked
    message = standardwebhooks.Webhook(hook.secret).verify(
        body, {name.lower(): value for name, value in headers.items()}
    )
    assert message["type"] == "match.changed"
    assert message["timestamp"].endswith("Z")
    assert message["data"] == feed.message_of(Event.objects.get(number=1))
    assert (message["data"]["number"], message["data"]["payload"]) == (1, {"home_goals": 2})
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_" + "A" * 43 + "=").verify(body, {k.lower(): v for k, v in headers.items()})


def test_the_score_of_a_match_in_play_is_sent_with_its_chances(hook, receiver):
    score = {"minute": 67, "home_goals": 0, "away_goals": 1}
    publish(1, key=str(MatchFactory().pk), live=score)
    deliver()
    (body,) = receiver.bodies
    # No forecast of this match is stored.
    assert json.loads(body)["data"]["payload"] == {"live": score | {"probabilities": None}}


def test_the_signature_is_that_of_the_specification():
    # The example of the Standard Webhooks libraries.
    body = b'{"test": 2432232314}'
    made = webhooks.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=body,
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_events_before_the_webhook_and_other_topics_are_not_sent(key, receiver):
    publish(1)
    hook = create(key, receiver.url)
    publish(2, "run.changed")
    publish(3)
    deliver()
    assert sent_to(hook) == [3]


def test_a_webhook_gets_the_events_of_its_match_team_competition_and_world(key, receiver):
    match, other = MatchFactory(), MatchFactory()
    filters = (
        {"match_id": match.pk},
        {"team": match.home_team.slug},
        {"team": match.away_team.slug},
        {"competition": match.season.competition.slug},
    )
    hooks = [create(key, receiver.url, **each) for each in filters]
    of_world = create(key, receiver.url, world=match.season.competition.world)
    elsewhere = create(key, receiver.url, world="real" if of_world.world == "sandbox" else "sandbox")
    publish(1, key=str(match.pk))
    publish(2, key=str(other.pk))
    deliver()
    same_competition = match.season.competition == other.season.competition
    assert [sent_to(hook) for hook in hooks] == [[1], [1], [1], [1, 2] if same_competition else [1]]
    assert (sent_to(of_world), sent_to(elsewhere)) == ([1, 2], [])


def test_a_key_that_was_revoked_gets_nothing_more(hook, receiver):
    services.revoke_key(key=hook.api_key, by="test", now=timezone.now())
    publish(1)
    deliver()
    assert receiver.bodies == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_a_message_once(key, receiver):
    hook = create(key, receiver.url)
    for number in range(1, 21):
        publish(number)

    def work() -> None:
        deliver()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deliver()
    assert len(receiver.bodies) == len(set(receiver.bodies)) == 20
    assert set(hook.deliveries.values_list("state", flat=True)) == {State.DELIVERED}


# ── Again, and no more ───────────────────────────────────────────────────────────────────────────────────────────────
def test_a_refused_message_is_sent_again_later_each_time_until_it_is_dead(hook, receiver):
    receiver.answers = [500] * 100
    publish(1)
    at, waits = timezone.now(), []
    while (delivery := hook.deliveries.first()) is None or delivery.state == State.PENDING:
        if delivery is not None:
            waits.append(delivery.next_attempt_at - at)
            at = delivery.next_attempt_at
        deliver(at)
        Webhook.objects.update(failing_since=None)
    assert (delivery.state, delivery.attempts, delivery.latest_status) == (State.DEAD, 8, 500)
    seconds = [5, 60, 300, 1800, 7200, 28_800, 86_400]
    assert all(wait.total_seconds() / least < 1.1 for wait, least in zip(waits, seconds, strict=True))
    assert all(wait.total_seconds() >= least for wait, least in zip(waits, seconds, strict=True))
    assert len({headers["webhook-id"] for _, headers, _ in receiver.asked}) == 1


def test_a_dead_message_can_be_replayed(hook, receiver):
    publish(1)
    deliver()
    hook.deliveries.update(state=State.DEAD, attempts=8, next_attempt_at=None)
    services.replay(delivery=hook.deliveries.get(), now=timezone.now())
    deliver()
    assert len(receiver.bodies) == 2
    assert hook.deliveries.get().state == State.DELIVERED


def test_an_attempt_of_a_process_that_died_is_made_again(hook, receiver):
    publish(1)
    webhooks._made_from_events(hook.pk, timezone.now())
    assert len(webhooks._claimed(timezone.now())) == 1
    deliver()
    assert receiver.bodies == []
    deliver(timezone.now() + webhooks.LEASE)
    assert len(receiver.bodies) == 1


def test_a_webhook_that_fails_for_days_is_switched_off_and_says_so(hook, receiver):
    receiver.answers = [500, 500]
    now = timezone.now()
    publish(1)
    deliver(now)
    hook.refresh_from_db()
    assert (hook.is_active, hook.failing_since) == (True, now)
    deliver(now + timedelta(days=3))
    hook.refresh_from_db()
    assert not hook.is_active
    assert hook.disabled_reason == "No message was accepted for 3 days; the latest error: The receiver answered 500."
    publish(2)
    deliver()
    services.change_webhook(webhook=hook, is_active=True)
    publish(3)
    hook.deliveries.filter(state=State.PENDING).update(next_attempt_at=now)
    deliver()
    assert (sent_to(hook), hook.disabled_reason) == ([1, 3], "")
    assert set(hook.deliveries.values_list("state", flat=True)) == {State.DELIVERED}


def test_a_success_ends_the_time_of_failures(hook, receiver):
    receiver.answers = [500]
    publish(1)
    deliver()
    hook.deliveries.update(next_attempt_at=timezone.now())
    deliver()
    hook.refresh_from_db()
    assert hook.failing_since is None


def test_a_receiver_that_is_gone_is_switched_off_at_once(key, receiver):
    hook = create(key, f"{receiver.url}/gone")
    publish(1)
    deliver()
    hook.refresh_from_db()
    assert (hook.is_active, hook.disabled_reason) == (False, "The receiver answered 410 Gone.")


def test_a_receiver_that_fails_does_not_hold_up_another(key, receiver):
    broken, sound = create(key, "http://127.0.0.1:9/"), create(key, receiver.url)
    publish(1)
    deliver()
    assert sound.deliveries.get().state == State.DELIVERED
    assert "ConnectionRefused" in broken.deliveries.get().latest_error


def test_webhooks_take_turns_in_a_round(key, receiver):
    hooks = [create(key, receiver.url) for _ in range(3)]
    for number in (1, 2):
        publish(number)
    for hook in hooks:
        webhooks._made_from_events(hook.pk, timezone.now())
    claimed = [delivery.webhook_id for delivery in webhooks._claimed(timezone.now())]
    assert {hook.pk for hook in hooks} == set(claimed[:3]) == set(claimed[3:])
    assert len(claimed) == 6


def test_a_webhook_that_is_deleted_during_an_attempt_does_not_hold_up_another(key, receiver):
    deleted, sound = create(key, receiver.url), create(key, receiver.url)
    publish(1)
    for hook in (deleted, sound):
        webhooks._made_from_events(hook.pk, timezone.now())
    claimed = webhooks._claimed(timezone.now())
    deleted.delete()
    for delivery in claimed:
        webhooks._note(delivery, webhooks._attempt(delivery), now=timezone.now())
    assert [(row.webhook, row.state) for row in WebhookDelivery.objects.all()] == [(sound, State.DELIVERED)]


# ── Where SPAI does not connect ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db(transaction=True)
def test_parallel_requests_make_no_more_webhooks_than_a_key_may_have(settings, monkeypatch):
    settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(webhooks, "WEBHOOKS_LIMIT", 2)
    made = services.create_key(name="Ada", created_by="tests", scopes=["jobs"], now=timezone.now())

    def post(number: int) -> bool:
        try:
            create(made.row, f"http://127.0.0.1/{number}")
        except services.TooManyWebhooksError:
            return False
        return True

    assert sum(at_once(10, post)) == 2


def test_an_address_inside_the_network_is_refused_at_creation_and_at_a_change(key, settings):
    hook = create(key, "http://127.0.0.1:9/")
    settings.SPAI_WEBHOOK_HOSTS = []
    for url in ("http://127.0.0.1:9/", "https://127.0.0.1/", "https://169.254.169.254/", "https://localhost/"):
        with pytest.raises(AddressRefusedError):
            create(key, url)
        with pytest.raises(AddressRefusedError):
            services.change_webhook(webhook=hook, url=url)
    assert Webhook.objects.get().url == "http://127.0.0.1:9/"


def test_a_name_that_leads_inside_only_at_delivery_is_not_connected_to(hook, receiver, settings):
    settings.SPAI_WEBHOOK_HOSTS = []
    Webhook.objects.update(url=receiver.url.replace("http://127.0.0.1", "https://localhost"))
    publish(1)
    deliver()
    assert receiver.asked == []
    assert hook.deliveries.get().latest_status is None


def test_a_redirect_is_not_followed(receiver):
    outcome = send(f"{receiver.url}/moved")
    assert (outcome.status, outcome.is_accepted) == (301, False)
    assert len(receiver.asked) == 1


@pytest.mark.parametrize(
    "path", ["hang", "drip-head", "endless-informational", "nothing", "garbage", "huge-head", "bad-status"]
)
def test_a_receiver_that_misbehaves_ends_within_the_limit_and_is_refused(receiver, path):
    outcome = send(f"{receiver.url}/{path}", time_limit=0.5)
    assert not outcome.is_accepted
    assert outcome.error


@pytest.mark.parametrize("path", ["drip-body", "large", "large-unannounced", "bomb", "cut", "bad-chunks", "reset"])
def test_the_status_decides_and_an_endless_body_is_not_read(receiver, path):
    assert send(f"{receiver.url}/{path}", time_limit=0.5).is_accepted


def send(url: str, **options) -> webhook_requests.Outcome:
    return webhook_requests.send(url, b"{}", headers={}, allowed=["127.0.0.1", "localhost"], **options)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for hooks.test that no authority has signed, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hooks.test"]
    command += ["-addext", "subjectAltName=DNS:hooks.test", "-out", str(paths[0]), "-keyout", str(paths[1])]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl on this machine to make a certificate with")
    return paths


def test_tls_verifies_the_name_although_the_connection_goes_to_the_checked_address(certificate):
    server = Server(Receiver)
    server.bodies, server.answers = [], []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    trusting = ssl.create_default_context(cafile=certificate[0])
    with started(server):
        port = server.server_port

        def to(host: str, tls: ssl.SSLContext | None = trusting) -> webhook_requests.Outcome:
            return webhook_requests.send(
                f"https://{host}:{port}/",
                b"{}",
                headers={},
                allowed=["127.0.0.0/8"],
                tls=tls,
                look_up=lambda host: ("127.0.0.1",),
            )

        assert to("hooks.test").is_accepted
        assert "CERTIFICATE_VERIFY_FAILED" in to("other.test").error
        assert "CERTIFICATE_VERIFY_FAILED" in to("hooks.test", None).error
    assert len(server.bodies) == 1


def test_the_clock_of_a_message_is_that_of_its_attempt(hook, receiver):
    publish(1)
    before = datetime.now(UTC).timestamp()
    deliver(timezone.now() + timedelta(days=1))
    ((_, headers, _),) = receiver.asked
    assert before - 1 <= int(headers["webhook-timestamp"]) <= datetime.now(UTC).timestamp() + 1
