"""The API against its document: requests that schemathesis derives from it, answered by processes with a champion."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from apps.api import services as api
from apps.api.models import ApiKeyScope
from apps.ml import services as ml
from apps.scraping.services.sources import ensure_sources
from spai.stack.ports import free_port
from tests.db.ml.conftest import make_version, now, scene, scenes, stored, world  # noqa: F401  fixtures
from tests.web.conftest import HERE
from tests.web.processes import ROOT, start_admin, start_web, stop

# How long it takes is up to who says how many examples there are.
pytestmark = [pytest.mark.contract, pytest.mark.django_db(transaction=True), pytest.mark.timeout(0)]
INTAKE = "^/api/v1/ingest/"
"""Paths that the admin process serves."""


@pytest.fixture
def token(make_version, now) -> str:  # noqa: F811  fixtures
    """The key of a program with all rights, in a world with a champion, forecasts, grades and a closed ledger."""
    version = make_version(home=0.5)
    ml.promote(version=version, user=None, reason="first champion", now=now)
    assert ml.predict_due(now=now).published["sandbox"] > 0
    ml.simulate_due(now=now)
    ml.rate_due(now=now)
    ml.close_due(now=now + timedelta(days=1))
    ensure_sources(now=now)
    created = api.create_key(
        name="Ada", source="feed", worlds=["sandbox"], scopes=ApiKeyScope.values, created_by="ada", now=now
    )
    return created.token


@pytest.mark.parametrize(
    ("start", "paths"),
    [(start_web, ("--exclude-path-regex", INTAKE)), (start_admin, ("--include-path-regex", INTAKE))],
    ids=["web", "admin"],
)
def test_every_answer_is_as_the_document_says(start, paths, token, request, tmp_path):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = start(port, tmp_path / "log", SPAI_ADMIN_URL=address, SPAI_VAR_DIR=str(tmp_path / "var"))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", str(HERE / "openapi.json"), "--url", address, "--header", f"Authorization: Bearer {token}"]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--checks", "all", "--continue-on-failure"]
    command += ["--max-examples", str(request.config.getoption("--examples")), "--generation-database", "none", *paths]
    try:
        with (tmp_path / "report").open("w") as report:
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=report,
                stderr=report,
                check=False,
            )
    finally:
        stop(process)
    print((tmp_path / "report").read_text())  # noqa: T201  with -rP also where it succeeds
    assert done.returncode == 0
