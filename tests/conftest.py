"""Configuration of all tests; tests/servers.py starts their servers."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import TransactionTestCase
from django.test.signals import root_urlconf_changed, setting_changed
from hypothesis import HealthCheck, settings

APART = (
    *("e2e", "scale", "faults", "ha", "images", "services", "real_data", "benchmarks", "each_benchmark", "runs"),
    "contract",
)
"""Markers of tests that take minutes or need more than a fresh machine has; `make test` leaves them out."""

# The time that an example takes, or its generation, depends on the machine and not on the code.
settings.register_profile("spai", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spai")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes recorded expectations and generated documents again, and those of slow tests."""
    parser.addoption("--renew", action="store_true", help="rewrite what the tests compare with")
    parser.addoption("--away", type=float, default=60.0, help="seconds for which a node of tests/ha is away")
    parser.addoption("--broker", choices=("redis", "rabbitmq"), default="redis", help="the broker of tests/ha")
    parser.addoption("--examples", type=int, default=50, help="most requests of each kind to a route, by schemathesis")


@pytest.fixture
def renew(request: pytest.FixtureRequest) -> bool:
    """Whether `--renew` is given."""
    return bool(request.config.getoption("--renew"))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of processors: each worker has servers, imports and migrations of its own to pay for."""
    return os.cpu_count() or 1


def is_wanted(item: pytest.Item, config: pytest.Config) -> bool:
    """Return whether a test runs: one with a marker of `APART` only if `-m` or its file or folder names it."""
    named = {Path(argument.partition("::")[0]).resolve() for argument in config.args}
    return item.path in named or all(
        item.get_closest_marker(mark) is None
        or mark in config.option.markexpr
        or any(mark in (path.name, path.parent.name) for path in named)
        for mark in APART
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what nobody asked for; move modules with slow tests to the front, lest one runs last and alone."""
    unwanted = [item for item in items if not is_wanted(item, config)]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in set(unwanted)]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Keep the test database: its server is removed at the end of the run."""
    return True


@pytest.fixture(scope="session", autouse=True)
def _quick_password_hashes() -> None:
    """Hash passwords quickly: hundreds of tests create a user, and none tests the strength of the hash."""
    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    django_settings.PASSWORD_HASHERS = [quick, *django_settings.PASSWORD_HASHERS]


@pytest.fixture(scope="session", autouse=True)
def _kept_addresses() -> None:
    """Keep what Django knows of each module of addresses when a test changes `ROOT_URLCONF`: it takes 50 ms to make."""
    setting_changed.disconnect(root_urlconf_changed)


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> None:
    """Empty the tables that hold rows after a test with transactions of its own, and keep what migrations made."""

    def empty(_: TransactionTestCase) -> None:
        tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
        holds = " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"
            for table in sorted(tables - {"auth_permission", "django_content_type"})
        )
        with connection.cursor() as cursor:
            cursor.execute(holds)
            if filled := [table for (table,) in cursor.fetchall()]:
                cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")

    TransactionTestCase._fixture_teardown = empty


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape lone surrogates in what a test has logged: a worker cannot send them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
