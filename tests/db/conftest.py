"""What tests of the database share."""

from __future__ import annotations

import pytest


@pytest.fixture
def admin_process(settings, tmp_path):
    """This process as the one that serves the admin."""
    settings.ROOT_URLCONF = "tests.db.admin_urls"
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture
def admin(admin_process, admin_client):
    """The operator's browser on the process that serves the admin."""
    return admin_client
