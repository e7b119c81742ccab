"""What a process says of itself, and to whom."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

TOKEN = "only-for-prometheus"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _token(settings):
    settings.SPAI_METRICS_TOKEN = TOKEN


def asked(client, **headers):
    return client.get("/metrics", headers=headers)


def test_a_stranger_may_not_see_the_metrics_and_is_reported_who_may(client):
    answer = asked(client)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
    assert "SPAI_METRICS_TOKEN" in answer.text
    assert "spai_" not in answer.text


@pytest.mark.parametrize(
    "wrong", ["Bearer", "Bearer ", "Bearer guess", "Basic only-for-prometheus", f"Bearer {TOKEN}x", "Bearer \xe9"]
)
def test_another_token_opens_nothing(client, wrong):
    assert asked(client, authorization=wrong).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_program_that_knows_the_token_sees_the_metrics(client, scheme):
    answer = asked(client, authorization=f"{scheme} {TOKEN}")
    assert answer.status_code == 200
    assert "django_http_requests_before_middlewares_total" in answer.text


@pytest.mark.parametrize("sent", ["Bearer ", "Bearer", ""])
def test_without_a_token_in_the_settings_no_program_sees_them(client, settings, sent):
    settings.SPAI_METRICS_TOKEN = ""
    assert asked(client, authorization=sent).status_code == 401


def test_staff_who_are_logged_in_see_the_metrics_and_other_users_do_not(client):
    user = get_user_model().objects.create_user("ann", password="x", is_staff=True)
    client.force_login(user)
    assert asked(client).status_code == 200
    get_user_model().objects.update(is_staff=False)
    refused = asked(client)
    assert (refused.status_code, "staff" in refused.text) == (403, True)


def test_static_files_may_not_be_framed_either(client, settings, tmp_path):
    (tmp_path / "a.css").write_text("a {}")
    settings.STATIC_ROOT = tmp_path
    answer = client.get("/static/a.css")
    answer.close()
    assert (answer.status_code, answer["X-Frame-Options"]) == (200, "DENY")


def test_a_process_that_is_about_to_be_stopped_is_not_ready(client, settings, tmp_path):
    settings.SPAI_ROLE = "admin"
    mark = tmp_path / "stops"
    settings.SPAI_STOP_MARK = str(mark)
    assert client.get("/readyz").status_code == 200
    mark.touch()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "this process is about to be stopped")
