"""Accounts of readers, where the operator allows them: what they can do, and what nobody can do with them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode

from apps.api import services
from apps.api.models import ApiKey, ReaderProfile
from apps.api.pages.forms import MAILER, SignUpForm
from apps.matches.models import AuditEntry
from spai import urls
from tests import missed_texts
from tests.database import wait_until_blocked
from tests.web.test_following import HERE
from tests.web.test_pages import text_of

PASSWORD = "a-long-right-one"
OTHER = "another-long-one"
ADDRESSES: Any = ModuleType("urls_with_accounts")
ADDRESSES.urlpatterns = [*urls.account_urls, *urls.role_urls["web"]]


@pytest.fixture(autouse=True)
def accounts(db, settings):
    """A process `web` of an operator who allows accounts, without limits of requests."""
    settings.ROOT_URLCONF, settings.SPAI_ACCOUNTS, settings.SPAI_LIMIT_ANONYMOUS = ADDRESSES, True, 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    return settings


@pytest.fixture
def sends_mail(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def ann(client):
    """A reader who has just signed up with this client."""
    return sign_up(client)


def sign_up(client, name: str = "ann", **fields: str) -> User:
    form = {"username": name, "password1": PASSWORD, "password2": PASSWORD, **fields}
    assert client.post("/account/sign-up/", form)["Location"] == "/account/"
    return User.objects.get(username=name)


def sign_in(client, name: str = "ann", password: str = PASSWORD, **fields: str):
    return client.post("/account/sign-in/", {"username": name, "password": password, **fields})


def is_in(client) -> bool:
    return client.get("/account/").status_code == 200


class TestSignUp:
    def test_a_reader_has_no_rights(self, client, ann):
        assert (ann.is_staff, ann.is_superuser, ann.groups.count(), ann.user_permissions.count()) == (
            False,
            False,
            0,
            0,
        )
        assert is_in(client)
        assert client.session.get_expiry_age() > 29 * 24 * 3600

    @pytest.mark.parametrize(
        ("password", "error"), [("short-one", "at least 12"), ("1qaz2wsx3edc", "common"), ("ann-ann-annabel", "")]
    )
    def test_passwords_follow_the_rules_of_the_admin(self, client, password, error):
        form = {"username": "ann-ann-annabel", "password1": password, "password2": password}
        response = client.post("/account/sign-up/", form)
        assert response.status_code == 200
        assert error in response.content.decode()
        assert not User.objects.exists()

    def test_fields_that_the_form_does_not_have_change_nothing(self, client):
        user = sign_up(client, is_staff="on", is_superuser="on", email="a@example.org", groups="1")
        assert (user.is_staff, user.is_superuser, user.email) == (False, False, "")

    def test_a_name_is_taken_once(self, ann):
        form = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD}
        assert "already exists" in Client().post("/account/sign-up/", form).content.decode()

    def test_a_name_that_another_form_takes_in_this_moment_is_taken(self, ann, monkeypatch):
        monkeypatch.setattr(SignUpForm, "validate_unique", lambda form: None)
        form = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD}
        assert "already exists" in Client().post("/account/sign-up/", form).content.decode()

    def test_an_address_makes_few_accounts_a_minute(self, accounts):
        accounts.SPAI_LIMIT_ANONYMOUS = 200
        answers = [Client(REMOTE_ADDR="198.51.100.7").post("/account/sign-up/", {}).status_code for _ in range(3)]
        assert answers == [200, 200, 429]


class TestSignIn:
    def test_what_the_browser_and_the_account_keep_come_together(self, build):
        region = build.season().competition.region
        one, two, three = (build.team(name, region=region).pk for name in ("One", "Two", "Three"))
        phone, laptop = Client(), Client()
        phone.cookies["follow"], phone.cookies["zone"] = f"{one},{two}", "Asia/Tokyo"
        sign_up(phone)
        laptop.cookies["follow"] = f"{two},{three}"
        sign_in(laptop)
        assert laptop.cookies["follow"].value == f"{one},{two},{three}"
        assert laptop.cookies["zone"].value == "Asia/Tokyo"
        laptop.post("/follow/", {"team": one}, headers=HERE)
        assert ReaderProfile.objects.get().followed_teams == [two, three]

    def test_it_leads_back_on_this_site_alone(self, client, ann):
        assert sign_in(Client(), next="/teams/one/")["Location"] == "/teams/one/"
        assert sign_in(Client(), next="https://evil.example/")["Location"] == "/"

    def test_signing_out_takes_along_what_the_account_keeps(self, client, build):
        client.cookies["follow"] = str(build.team("One", region=build.season().competition.region).pk)
        sign_up(client)
        client.post("/account/sign-out/")
        assert not is_in(client)
        assert client.cookies["follow"].value == ""

    def test_a_visit_does_not_sign_out(self, client, ann):
        client.get("/account/sign-out/")
        assert is_in(client)

    def test_wrong_passwords_lock_as_they_do_in_the_admin(self, ann):
        answers = [sign_in(Client(REMOTE_ADDR="192.0.2.1"), password="wrong").status_code for _ in range(6)]
        assert answers == [200] * 4 + [429] * 2
        refused = sign_in(Client(REMOTE_ADDR="192.0.2.1"))
        assert (refused.status_code, "Try again in 15 minutes" in text_of(refused)) == (429, True)
        assert "axes_reset" not in text_of(refused)
        assert sign_in(Client(REMOTE_ADDR="192.0.2.2")).status_code == 302

    def test_a_form_of_another_site_signs_nobody_in(self, ann):
        assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403

    @pytest.mark.parametrize("rights", [{"is_staff": True}, {"is_superuser": True}])
    def test_the_password_of_staff_is_not_looked_at_here(self, rights):
        User.objects.create_user("operator", password=PASSWORD, **rights)
        right, wrong = (sign_in(Client(), "operator", password) for password in (PASSWORD, "wrong"))
        assert right.status_code == wrong.status_code == 200
        assert "correct username and password" in text_of(right)
        # Nor do tries here lock staff out.
        assert set(AccessAttempt.objects.values_list("username", flat=True)) == {"operator (staff)"}

    def test_staff_who_are_logged_in_to_the_admin_have_no_account_here(self, client):
        client.force_login(
            User.objects.create_superuser("operator"), backend="django.contrib.auth.backends.ModelBackend"
        )
        assert client.get("/account/")["Location"].startswith("/account/sign-in/")
        client.post("/account/sign-out/")
        assert "_auth_user_id" in client.session

    def test_a_reader_does_not_enter_the_admin(self, client, ann, settings):
        settings.ROOT_URLCONF = "tests.db.admin_urls"
        assert client.get("/admin/").status_code == 302


class TestAccount:
    def test_a_key_reads_and_does_nothing_else(self, client, ann):
        page = client.post("/account/", {"change": "key", "name": "my script"}).content.decode()
        token = re.search(r"<code>(spai_[0-9a-f_]+)</code>", page)[1]
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/v1/competitions/", headers=bearer).status_code == 200
        assert client.post("/api/v1/prediction-jobs/", headers=bearer).status_code == 403
        assert token not in client.get("/account/").content.decode()
        entry = AuditEntry.objects.get(action="created an API key")
        assert (entry.by, "ann" in entry.about) == (f"reader {ann.pk}", False)

    def test_a_key_has_the_limit_of_an_address(self, ann, accounts):
        accounts.SPAI_LIMIT_ANONYMOUS = 77
        made = services.create_reader_key(user=ann, name="x", now=timezone.now())
        assert made.row.requests_per_minute == 77

    def test_few_keys_each_and_none_of_another_reader(self, client, ann):
        for n in range(services.MOST_KEYS + 1):
            response = client.post("/account/", {"change": "key", "name": f"script {n}"})
        assert "which is the most. Revoke one first" in text_of(response)
        stranger = Client()
        sign_up(stranger, "bob")
        prefix = ApiKey.objects.first().prefix
        stranger.post("/account/", {"change": "revoke", "prefix": prefix})
        assert ApiKey.objects.filter(revoked_at=None).count() == services.MOST_KEYS
        client.post("/account/", {"change": "revoke", "prefix": prefix})
        assert ApiKey.objects.filter(revoked_at=None).count() == services.MOST_KEYS - 1

    def test_a_changed_password_ends_other_sessions(self, client, ann):
        other = Client()
        sign_in(other)
        form = {"change": "password", "old_password": PASSWORD, "new_password1": OTHER, "new_password2": OTHER}
        client.post("/account/", form | {"old_password": "wrong"})
        assert is_in(other)
        client.post("/account/", form)
        assert (is_in(client), is_in(other)) == (True, False)

    def test_an_account_is_deleted_with_its_password_and_its_keys_end(self, client, ann):
        key = services.create_reader_key(user=ann, name="x", now=timezone.now())
        response = client.post("/account/", {"change": "delete", "password": "wrong"})
        assert "Nothing was deleted" in text_of(response)
        client.post("/account/", {"change": "delete", "password": PASSWORD})
        assert not User.objects.exists()
        assert not ReaderProfile.objects.exists()
        with pytest.raises(services.KeyRefusedError, match="revoked"):
            services.find_key(key.token, now=timezone.now())

    def test_staff_are_not_deleted_by_it(self):
        user = User.objects.create_user("operator", is_staff=True)
        with pytest.raises(PermissionError):
            services.delete_account(user=user, now=timezone.now())

    def test_zone_and_language_are_kept_and_shown_at_once(self, client, ann):
        client.post("/account/", {"change": "choices", "zone": "Europe/Oslo", "language": "de"})
        profile = ReaderProfile.objects.get()
        assert profile.zone == client.cookies["zone"].value == "Europe/Oslo"
        assert profile.language == client.cookies["language"].value == "de"
        assert "Konto löschen" in text_of(client.get("/account/"))
        client.post("/account/", {"change": "choices", "zone": "Nowhere/At_All", "language": "xx"})
        profile = ReaderProfile.objects.get()
        assert (profile.zone, profile.language, client.cookies["language"].value) == ("", "", "")

    def test_another_device_gets_the_language_of_the_account(self, client, ann):
        client.post("/account/", {"change": "choices", "language": "de"})
        other = Client()
        other.cookies["language"] = "en"
        sign_in(other)
        assert other.cookies["language"].value == "de"
        other.post("/account/sign-out/")
        assert other.cookies["language"].value == ""

    def test_an_account_without_a_language_takes_that_of_the_browser(self):
        browser = Client()
        browser.cookies["language"] = "de"
        sign_up(browser)
        assert ReaderProfile.objects.get().language == "de"

    def test_every_text_of_its_pages_can_be_translated(self, client, ann, sends_mail, marked):
        german, stranger = {"Accept-Language": "de"}, Client()
        wrong = [
            client.post("/account/", {"change": name, "password": "no", "name": ""}, headers=german)
            for name in ("delete", "password", "key")
        ]
        pages = [
            *(client.get(path, headers=german) for path in ("/account/", "/account/?changed=password")),
            *(stranger.get(f"/account/{path}/", headers=german) for path in ("sign-in", "sign-up", "password")),
            *wrong,
            stranger.post("/account/sign-in/", {"username": "ann", "password": "no"}, headers=german),
            stranger.post("/account/sign-up/", {"username": "ann", "password1": "a", "password2": "b"}, headers=german),
            stranger.post("/account/password/", {"email": "nobody@example.org"}, headers=german),
        ]
        missed = [missed_texts.in_html(page.text, {"ann", "English", "Deutsch", "London"}) for page in pages]
        assert [found for found in missed if found] == []

    def test_its_page_is_kept_by_no_cache(self, client, ann):
        assert "no-store" in client.get("/account/")["Cache-Control"]


class TestForgotten:
    def test_a_mail_leads_to_a_new_password_once(self, client, sends_mail, accounts):
        accounts.SPAI_WEB_URL = "https://football.example"
        sign_up(client, email="ann@example.org")
        Client(headers={"Host": "127.0.0.1"}).post("/account/password/", {"email": "ann@example.org"})
        MAILER.submit(int).result()
        (sent,) = mail.outbox
        path = re.search(r"https://football\.example(/account/password/\S+)", sent.body)[1]
        form = {"new_password1": OTHER, "new_password2": OTHER}
        assert Client().post(path, form)["Location"] == "/account/sign-in/"
        assert Client().get(path).status_code == 404
        assert sign_in(Client(), password=OTHER).status_code == 302

    def test_the_mail_is_in_the_language_of_the_page(self, client, sends_mail):
        sign_up(client, email="ann@example.org")
        Client().post("/account/password/", {"email": "ann@example.org"}, headers={"Accept-Language": "de"})
        MAILER.submit(int).result()
        (sent,) = mail.outbox
        assert sent.subject.startswith("Ein neues Passwort bei ")
        assert "innerhalb von drei Tagen" in sent.body

    @pytest.mark.parametrize("address", ["nobody@example.org", "operator@example.org"])
    def test_the_answer_tells_nothing_and_staff_get_no_mail(self, sends_mail, address):
        User.objects.create_user("operator", email="operator@example.org", password=PASSWORD, is_staff=True)
        response = Client().post("/account/password/", {"email": address})
        MAILER.submit(int).result()
        assert "If an account has this mail address" in text_of(response)
        assert mail.outbox == []

    @pytest.mark.parametrize("path", ["x/y", "MQ/set-password", "MTIz/abc-def", "%00/a", "LTE/a"])
    def test_an_invented_address_leads_nowhere(self, path):
        assert Client().get(f"/account/password/{path}/").status_code == 404

    def test_an_address_of_a_mail_has_an_end(self, ann, monkeypatch):
        from django.utils.encoding import force_bytes

        path = (
            f"/account/password/{urlsafe_base64_encode(force_bytes(ann.pk))}/{default_token_generator.make_token(ann)}/"
        )
        assert Client().get(path).status_code == 200
        later = default_token_generator._now() + timedelta(days=4)
        monkeypatch.setattr(default_token_generator, "_now", lambda: later)
        assert Client().get(path).status_code == 404

    def test_without_mail_the_page_says_so(self):
        assert "This site sends no mail" in text_of(Client().get("/account/password/"))
        assert "This site sends no mail" in text_of(Client().get("/account/sign-in/"))
        assert "email" not in Client().get("/account/sign-up/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_created_while_its_account_is_deleted_ends_too():
    ann, now = User.objects.create_user("ann"), timezone.now()
    services.reader_profile(user=ann, now=now)

    def delete() -> None:
        try:
            services.delete_account(user=ann, now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            made = services.create_reader_key(user=ann, name="late", now=now)
            deleted = threads.submit(delete)
            wait_until_blocked()
        deleted.result()
    assert not User.objects.exists()
    assert ApiKey.objects.get(pk=made.row.pk).revoked_at == now


def test_there_are_no_accounts_unless_the_operator_allows_them(client, settings):
    settings.ROOT_URLCONF = "spai.urls"
    for path in ("", "sign-in/", "sign-up/", "sign-out/", "password/"):
        assert client.get(f"/account/{path}").status_code == 404
