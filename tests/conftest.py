"""What all tests share; their servers are in tests/servers.py."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Whether the test database stays: its server goes at the end of the run, with all that it holds."""
    return True
