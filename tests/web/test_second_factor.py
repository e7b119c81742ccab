"""The second factor: set up on a page, asked for at each login, counted like passwords, removed by command."""

from __future__ import annotations

import io
import re

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.matches.models import AuditEntry
from spai import probes, second_factor

pytestmark = pytest.mark.usefixtures("_no_pause")

PASSWORD = "a-long-right-one"
NEEDED = "Enter a code of your app"
WRONG = "The code is wrong"


@pytest.fixture
def _no_pause(settings):
    """A wrong code makes the next one of its device wait for a second, then for two; these tests do not wait."""
    settings.OTP_TOTP_THROTTLE_FACTOR = settings.OTP_STATIC_THROTTLE_FACTOR = 0


@pytest.fixture
def ann(settings, db):
    """The operator's account on the process that serves the admin."""
    settings.ROOT_URLCONF = "tests.db.admin_urls"
    return get_user_model().objects.create_superuser("ann", password=PASSWORD)


@pytest.fixture
def device(ann):
    return TOTPDevice.objects.create(user=ann, name="app")


def code_of(device: TOTPDevice, *, step: int = 0) -> str:
    """Return the code that the app shows now, or that of another step."""
    return f"{totp(device.bin_key, drift=step):06d}"


def log_in(code: str | None = None, *, password: str = PASSWORD, address: str = "192.0.2.1"):
    client = Client(REMOTE_ADDR=address)
    form = {"username": "ann", "password": password} | ({} if code is None else {"code": code})
    return client, client.post(reverse("admin:login"), form)


def page(client: Client):
    return client.get(reverse("admin:second_factor"))


def test_the_login_page_asks_for_a_code_once_somebody_has_a_second_factor(ann):
    login = reverse("admin:login")
    assert 'name="code"' not in Client().get(login).text
    TOTPDevice.objects.create(user=ann, name="app")
    assert 'autocomplete="one-time-code"' in Client().get(login).text


def test_a_password_alone_logs_nobody_in_who_has_a_second_factor(device):
    client, refused = log_in()
    assert (refused.status_code, NEEDED in refused.text) == (200, True)
    assert client.get(reverse("admin:index")).status_code == 302
    client, done = log_in(code_of(device))
    assert done.status_code == 302
    assert client.get(reverse("admin:index")).status_code == 200


def test_a_user_without_a_second_factor_logs_in_as_before(device):
    get_user_model().objects.create_superuser("bob", password=PASSWORD)
    client = Client()
    assert client.post(reverse("admin:login"), {"username": "bob", "password": PASSWORD, "code": ""}).status_code == 302


def test_a_code_is_accepted_once(device):
    code = code_of(device)
    assert log_in(code)[1].status_code == 302
    assert WRONG in log_in(code)[1].text


def test_a_code_with_spaces_is_read(device):
    code = code_of(device)
    assert log_in(f" {code[:3]} {code[3:]} ")[1].status_code == 302


@pytest.mark.parametrize("code", ["000000", "12345", "x" * 8, "１２３４５６", "'; DROP", "x" * 32, "-00001", "\x00"])
def test_a_wrong_code_is_refused_and_no_fault(device, code):
    _, refused = log_in(code)
    assert refused.status_code == 200
    assert "errornote" in refused.text


def test_the_code_of_another_user_is_wrong(device):
    other = get_user_model().objects.create_superuser("bob", password=PASSWORD)
    theirs = TOTPDevice.objects.create(user=other, name="app")
    assert WRONG in log_in(code_of(theirs))[1].text


def test_a_code_right_after_a_wrong_one_has_to_wait(device, settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 1_000
    assert WRONG in log_in("000000")[1].text
    assert "came too soon after a wrong one" in log_in(code_of(device))[1].text


def test_wrong_codes_lock_the_account_as_wrong_passwords_do_and_are_not_kept(device):
    answers = [log_in("000000")[1] for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert "Too many wrong passwords or codes from your address. Try again in 15 minutes" in answers[-1].text
    assert log_in(code_of(device))[1].status_code == 429
    assert log_in(code_of(device), address="192.0.2.2")[1].status_code == 302
    assert "000000" not in "".join(AccessAttempt.objects.values_list("post_data", flat=True))


def test_a_wrong_password_is_refused_before_any_code(device):
    code = code_of(device)
    assert "Please enter the correct username and password" in log_in(code, password="wrong")[1].text
    assert log_in(code)[1].status_code == 302


def set_up(client: Client, user) -> list[str]:
    """Set a second factor up, as a user does; return the backup codes."""
    assert "data:image/svg+xml;base64," in page(client).text
    pending = TOTPDevice.objects.get(user=user)
    shown = client.post(reverse("admin:second_factor"), {"code": code_of(pending)})
    return re.search(r'id="backup-codes">([^<]*)<', shown.text)[1].split()


def test_a_second_factor_is_set_up_with_backup_codes_and_ends_other_sessions(ann):
    other, _ = log_in()
    client, _ = log_in()
    assert other.get(reverse("admin:index")).status_code == 200
    codes = set_up(client, ann)
    assert len(set(codes)) == second_factor.BACKUP_CODES
    assert codes[0] not in page(client).text
    assert client.get(reverse("admin:index")).status_code == 200
    assert other.get(reverse("admin:index")).status_code == 302
    assert AuditEntry.objects.get().action == "set up a second factor"
    assert log_in(codes[0])[1].status_code == 302
    assert WRONG in log_in(codes[0])[1].text
    assert log_in(codes[1].upper())[1].status_code == 302


def test_a_wrong_first_code_sets_nothing_up(ann):
    client, _ = log_in()
    page(client)
    assert WRONG in client.post(reverse("admin:second_factor"), {"code": "000000"}).text
    assert not second_factor.is_set_up(ann)
    assert log_in()[1].status_code == 302


def test_two_pages_that_are_open_show_the_same_key(ann):
    client, _ = log_in()
    keys = {re.search(r'spai-key">([A-Z2-7]+)<', page(client).text)[1] for _ in range(2)}
    assert len(keys) == 1


def test_backup_codes_are_renewed_and_the_second_factor_removed_with_a_code_alone(ann):
    client, _ = log_in()
    codes = set_up(client, ann)
    address = reverse("admin:second_factor")
    assert WRONG in client.post(address, {"code": "nothing1", "remove": ""}).text
    renewed = client.post(address, {"code": codes[0], "renew": ""}).text
    assert codes[1] not in renewed
    fresh = list(StaticToken.objects.values_list("token", flat=True))
    client.post(address, {"code": fresh[0], "remove": ""})
    assert not second_factor.is_set_up(ann)
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == [
        "set up a second factor",
        "renewed their backup codes",
        "removed the second factor",
    ]


def test_an_operator_lets_in_by_command_who_has_lost_the_phone(device):
    out = io.StringIO()
    call_command("staff", "reset-second-factor", "ann", stdout=out)
    assert "is removed" in out.getvalue()
    assert log_in()[1].status_code == 302
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.origin) == ("removed the second factor", "command")
    call_command("staff", "reset-second-factor", "ann", stdout=out)
    assert "has no second factor" in out.getvalue()
    with pytest.raises(CommandError, match="no user 'eve'"):
        call_command("staff", "reset-second-factor", "eve")


def test_where_it_is_required_staff_without_one_see_its_page_alone(ann, settings):
    settings.SPAI_SECOND_FACTOR = "required"
    client, _ = log_in()
    for name in ("admin:index", "admin:matches_match_changelist", "admin:password_change", "admin:health"):
        assert client.get(reverse(name))["Location"] == reverse("admin:second_factor")
    assert client.post(reverse("admin:auth_group_add"), {"name": "x"})["Location"] == reverse("admin:second_factor")
    request = RequestFactory().get("/metrics")
    request.user = ann
    assert probes.metrics(request).status_code == 403
    assert "requires a second factor" in page(client).text
    set_up(client, ann)
    assert client.get(reverse("admin:index")).status_code == 200


def test_a_stranger_sees_the_login_page_alone(ann, settings):
    settings.SPAI_SECOND_FACTOR = "required"
    assert page(Client())["Location"].startswith(reverse("admin:login"))


def test_no_list_shows_the_keys_of_devices(ann, device):
    client = Client()
    client.force_login(ann, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/otp_totp/totpdevice/").status_code in (302, 404)
