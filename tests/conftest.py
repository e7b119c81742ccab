"""What all tests share; their servers are in tests/servers.py."""

from __future__ import annotations

import pytest
from django.conf import settings

from tests.servers import PASSWORD


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool) -> bool:
    """Whether the test database stays: in a server of this run, which goes with all that it holds, it does."""
    return django_db_keepdb or settings.DATABASES["default"]["PASSWORD"] == PASSWORD
