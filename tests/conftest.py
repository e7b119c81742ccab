"""What all tests share; their servers are in tests/servers.py."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, settings

# How long an example takes, or making one, says something of the machine and nothing of the code.
settings.register_profile("spai", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spai")


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Whether the test database stays: its server goes at the end of the run, with all that it holds."""
    return True


@pytest.fixture(scope="session", autouse=True)
def _quick_password_hashes() -> None:
    """Hash passwords quickly: hundreds of tests make an account, and none is about the strength of its hash."""
    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    django_settings.PASSWORD_HASHERS = [quick, *django_settings.PASSWORD_HASHERS]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write out what a test has logged and no encoding takes: half a character cannot be sent from a worker."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
