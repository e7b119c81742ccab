"""Wrong passwords: counted by account and address, one at a time, with a wait that has an end."""

from __future__ import annotations

import http.client
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from spai import logins
from spai.stack.ports import free_port
from tests.web.processes import TIMEOUT, start_admin, stop, strong_hash

PASSWORD = "a-long-right-one"
WRONG = "Please enter the correct username and password"
TOO_MANY = "Too many wrong passwords or codes from your address"


@pytest.fixture
def admin(settings, db):
    """The operator's account on the process that serves the admin."""
    settings.ROOT_URLCONF = "tests.db.admin_urls"
    return get_user_model().objects.create_superuser("ann", password=PASSWORD)


def tried(password: str, *, name: str = "ann", address: str = "192.0.2.1", **headers: str):
    """Log in by the form; the answer."""
    form = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address, headers=headers).post(reverse("admin:login"), form)


def guess(times: int, **more: str) -> list[int]:
    return [tried("wrong", **more).status_code for _ in range(times)]


def test_the_fifth_wrong_password_locks_and_the_page_says_until_when(admin):
    assert guess(4) == [200] * 4
    assert WRONG in tried("wrong", address="192.0.2.2").text
    refused = tried("wrong")
    assert (refused.status_code, TOO_MANY in refused.text) == (429, True)
    assert "Try again in 15 minutes, at " in refused.text
    assert "manage.py axes_reset" in refused.text
    assert 890 < int(refused["Retry-After"]) <= 900
    # The right one is not looked at either.
    assert tried(PASSWORD).status_code == 429


def test_nobody_locks_the_operator_out_from_another_address(admin):
    guess(9)
    assert tried(PASSWORD, address="192.0.2.2").status_code == 302


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP"])
def test_a_header_that_a_client_writes_itself_is_no_way_around(admin, header):
    answers = [tried("wrong", **{header: f"198.51.100.{number}"}).status_code for number in range(8)]
    assert answers == [200] * 4 + [429] * 4


@pytest.mark.parametrize("header", ["User-Agent", "Accept"])
def test_another_program_of_the_same_address_is_counted_with_it(admin, header):
    answers = [tried("wrong", **{header: f"x/{number}"}).status_code for number in range(8)]
    assert answers == [200] * 4 + [429] * 4


def test_an_address_that_tries_many_accounts_is_locked_for_all(admin):
    answers = [tried("wrong", name=f"user{number}").status_code for number in range(logins.ADDRESS_LIMIT + 5)]
    assert answers == [200] * logins.ADDRESS_LIMIT + [429] * 5
    refused = tried(PASSWORD)
    assert (refused.status_code, TOO_MANY in refused.text) == (429, True)
    assert tried(PASSWORD, address="192.0.2.2").status_code == 302


def test_an_account_that_is_tried_from_many_addresses_is_locked_for_new_ones_alone(admin):
    assert tried(PASSWORD, address="192.0.2.1").status_code == 302
    answers = [tried("wrong", address=f"198.51.100.{number}").status_code for number in range(40)]
    assert answers == [200] * logins.ACCOUNT_LIMIT + [429] * 10
    refused = tried(PASSWORD, address="203.0.113.1")
    assert (
        refused.status_code,
        "Too many wrong passwords or codes for this account. Try again in" in refused.text,
    ) == (
        429,
        True,
    )
    assert 0 < int(refused["Retry-After"]) <= 900
    # The operator's own address is known, and other accounts are not affected.
    assert tried(PASSWORD, address="192.0.2.1").status_code == 302
    assert WRONG in tried("wrong", name="bob", address="203.0.113.1").text


def test_an_address_is_known_to_the_account_that_logged_in_alone_and_not_for_ever(admin):
    get_user_model().objects.create_superuser("bob", password=PASSWORD)
    tried(PASSWORD, name="bob")
    for number in range(logins.ACCOUNT_LIMIT):
        tried("wrong", address=f"198.51.100.{number}")
    assert tried(PASSWORD).status_code == 429
    call_command("axes_reset")
    assert tried(PASSWORD).status_code == 302
    AccessLog.objects.update(attempt_time=timezone.now() - logins.KNOWN - timedelta(minutes=1))
    for number in range(logins.ACCOUNT_LIMIT):
        tried("wrong", address=f"198.51.100.{number}")
    assert tried(PASSWORD).status_code == 429


def test_what_is_tried_during_the_wait_does_not_make_it_longer(admin):
    guess(5)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
    refused = tried("wrong")
    assert (refused.status_code, int(refused["Retry-After"]) <= 60) == (429, True)
    assert "Try again in 1 minute, at" in refused.text
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert tried(PASSWORD).status_code == 302


def test_the_right_password_ends_the_count(admin):
    for _ in range(3):
        assert guess(4) == [200] * 4
        assert tried(PASSWORD).status_code == 302


def test_an_operator_unlocks_by_command(admin, capsys):
    guess(5)
    call_command("axes_reset_username", "ann")
    assert tried(PASSWORD).status_code == 302


def test_an_operator_unlocks_in_the_admin_and_no_password_is_kept(admin):
    guess(5)
    client = Client(REMOTE_ADDR="192.0.2.2")
    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    listed = client.get(reverse("admin:axes_accessattempt_changelist")).text
    assert "192.0.2.1" in listed
    row = AccessAttempt.objects.get()
    assert "wrong" not in row.post_data
    assert client.get(reverse("admin:axes_accessattempt_change", args=[row.pk])).status_code == 200
    client.post(reverse("admin:axes_accessattempt_delete", args=[row.pk]), {"post": "yes"})
    assert tried(PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "198.51.100.7", "192.0.2.1"),
        (1, "198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (2, "203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (1, "", "192.0.2.1"),
        (3, "198.51.100.7", "192.0.2.1"),
        (1, "nonsense", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_as_many_proxies_are_believed_as_there_are(settings, proxies, forwarded, expected):
    settings.SPAI_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": forwarded})
    assert logins.client_address(request) == expected


@pytest.mark.django_db(transaction=True)
def test_forty_wrong_passwords_at_once_are_not_forty_answers(django_user_model, tmp_path):
    django_user_model.objects.create(username="ann", password=strong_hash(PASSWORD), is_staff=True, is_superuser=True)
    port = free_port()
    process = start_admin(port, tmp_path / "log", DEBUG="true")
    try:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        link.request("GET", "/admin/login/")
        page = link.getresponse()
        cookie = page.getheader("Set-Cookie").split(";")[0]
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode()).group(1)
        link.close()

        def post(number: int) -> int:
            body = urlencode({"username": "ann", "password": f"wrong{number}", "csrfmiddlewaretoken": token})
            headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
            headers["X-Forwarded-For"] = f"198.51.100.{number}"
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
            link.request("POST", "/admin/login/", body, headers)
            status = link.getresponse().status
            link.close()
            return status

        with ThreadPoolExecutor(40) as threads:
            answers = sorted(threads.map(post, range(40)))
    finally:
        stop(process)
        connection.close()
    # On a slow machine some are refused before their turn comes, by the login or, after ten seconds, by the process.
    assert 1 <= answers.count(200) <= 4
    assert answers.count(429) + answers.count(503) == 40 - answers.count(200)


def test_a_login_whose_turn_does_not_come_is_refused(admin, monkeypatch):
    @contextmanager
    def taken(*given, **more):
        yield False

    monkeypatch.setattr(logins, "try_lock_of", taken)
    refused = tried(PASSWORD)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert "logins from your address are waiting" in refused.text
