"""One function understands the addresses of Redis, and every user of Redis asks it."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from celery import Celery
from redis.sentinel import SentinelConnectionPool

from apps.matches import redis_addresses
from spai import broker

ROOT = Path(__file__).resolve().parents[2]
SENTINEL = "redis+sentinel://spai:s%40cret@a:26380,b/main/3"


def test_the_parts_of_an_address_are_known():
    found = redis_addresses.parse(f"{SENTINEL}?sentinel_password=other")
    assert found.hosts == (("a", 26380), ("b", 26379))
    assert (found.service, found.database) == ("main", 3)
    assert found.login == {"username": "spai", "password": "s@cret"}
    assert found.sentinel_login == {"password": "other"}
    assert redis_addresses.parse("redis://:k@[::1]/").hosts == (("::1", 6379),)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("memcached://a", "must begin with"),
        ("redis://a,b/0", "several hosts"),
        ("redis://:x@/0", "host is missing"),
        ("redis://a/one", "must be one number"),
        ("redis+sentinel://a,b", "name of the service"),
        ("redis://a/0?ssl_ca_certs=/ca", "begin with rediss"),
        ("rediss://a/0?ssl_cert_reqs=maybe", "must be required, optional or none"),
        ("redis://a/0?pasword=x", "'pasword' is not known"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(address, reason):
    with pytest.raises(ValueError, match=reason) as refusal:
        redis_addresses.parse(address.replace("://", "://:hidden@") if "@" not in address else address)
    assert "hidden" not in str(refusal.value)


def test_tls_checks_the_certificate_unless_the_address_says_otherwise():
    pool = redis_addresses.parse("rediss://:k@a/0?ssl_ca_certs=/ca").pool()
    assert pool.connection_class is redis.SSLConnection
    checked = pool.make_connection()
    assert (checked.cert_reqs, checked.check_hostname, checked.ca_certs) == (ssl.CERT_REQUIRED, True, "/ca")
    open_one = (
        redis_addresses.parse("rediss://a/0?ssl_cert_reqs=none&ssl_check_hostname=false").pool().make_connection()
    )
    assert (open_one.cert_reqs, open_one.check_hostname) == (ssl.CERT_NONE, False)


def test_a_service_is_asked_of_the_sentinels_and_waits_no_longer_than_its_user():
    pool = redis_addresses.parse(SENTINEL).pool(socket_timeout=0.2, socket_connect_timeout=0.2)
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.connection_kwargs["password"] == "s@cret"
    asked = pool.sentinel_manager.sentinels[0].connection_pool.connection_kwargs
    assert (asked["socket_timeout"], asked.get("password")) == (0.2, None)


def test_celery_gets_the_address_of_a_service_in_its_own_form():
    settings = broker.celery_settings(f"{SENTINEL.replace('redis+', 'rediss+')}?ssl_ca_certs=/ca")
    assert settings["broker_url"] == "sentinel://spai:s%40cret@a:26380/3;sentinel://spai:s%40cret@b:26379/3"
    assert settings["broker_transport_options"]["master_name"] == "main"
    assert settings["broker_transport_options"]["visibility_timeout"] == 7200
    assert settings["broker_transport_options"]["sentinel_kwargs"]["ssl"] is True
    assert settings["broker_use_ssl"] == {"ssl_ca_certs": "/ca", "ssl_cert_reqs": ssl.CERT_REQUIRED}


def test_celery_connects_to_what_the_settings_say_also_where_the_environment_names_the_broker(monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", SENTINEL)
    app = Celery("a", set_as_current=False)
    app.conf.update(broker.celery_settings(SENTINEL))
    for connection in (app.connection_for_read(), app.connection_for_write()):
        assert connection.transport_cls == "sentinel"


def test_celery_never_takes_tls_without_a_check_of_the_certificate_by_itself():
    # kombu does, where an address begins with rediss and no options say otherwise.
    assert broker.celery_settings("rediss://a/0")["broker_use_ssl"] == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert broker.celery_settings("amqps://a/")["broker_use_ssl"] == {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": "a",
    }


def test_queues_at_rabbitmq_survive_the_loss_of_a_node_and_give_up_on_what_kills_workers():
    settings = broker.celery_settings("amqp://u:p@a//;amqp://u:p@b//")
    assert settings["broker_url"] == "amqp://u:p@a//;amqp://u:p@b//"
    assert {queue.name for queue in settings["task_queues"]} == set(broker.QUEUES)
    for queue in settings["task_queues"]:
        assert queue.queue_arguments["x-queue-type"] == "quorum"
        assert queue.queue_arguments["x-delivery-limit"] == 20
        # A task may take an hour, and RabbitMQ's own limit is half an hour.
        assert queue.queue_arguments["x-consumer-timeout"] == 7_200_000
    assert settings["broker_transport_options"]["confirm_publish"] is True


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("REDIS_URL", "redis+sentinel://:hidden@a", "REDIS_URL is no address of a Redis: the name of the service"),
        ("CELERY_BROKER_URL", "redis://:hidden@a/x", "CELERY_BROKER_URL is no address of a broker: the database"),
    ],
)
def test_the_start_is_refused_with_the_reason(name, address, said):
    done = subprocess.run(
        [sys.executable, "-c", "import spai.settings"],
        cwd=ROOT,
        env=os.environ | {"SECRET_KEY": "s", name: address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stderr
    assert "ImproperlyConfigured" in done.stderr
    assert "hidden" not in done.stderr.splitlines()[-1]


def test_no_other_module_opens_a_redis_by_an_address():
    sources = [path for folder in ("apps", "spai") for path in (ROOT / folder).rglob("*.py")]
    own = {"apps/matches/redis_addresses.py", "spai/stack/temporary.py"}
    found = {str(path.relative_to(ROOT)) for path in sources if "Redis.from_url(" in path.read_text(encoding="utf-8")}
    assert found <= own
