"""Programs that use the API: the examples of docs/api.md, the Python client and its package, on a running process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import mcp
import pytest
from django.utils import timezone
from mcp.client.stdio import StdioServerParameters

from apps.api import services
from apps.api.models import ApiKeyScope
from apps.matches.models import World
from apps.ml.models import ServedWorld
from spai.stack.ports import free_port
from spai_client import AccessError, Client
from tests.web.conftest import Builder
from tests.web.processes import ROOT, start_web, stop

pytestmark = pytest.mark.django_db(transaction=True)
CLIENT = ROOT / "clients" / "python"
BLOCKS = re.findall(
    r"^```(sh|python)\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(), flags=re.MULTILINE | re.DOTALL
)
"""Language and text of the examples, in their order."""


@pytest.fixture(scope="module")
def site(django_db_setup, tmp_path_factory):
    """The address of a web process on the test database."""
    port = free_port()
    process = start_web(port, tmp_path_factory.mktemp("web") / "log")
    yield f"http://127.0.0.1:{port}"
    stop(process)


@pytest.fixture
def key(db) -> str:
    """The key of a program, with the rows that the examples ask for."""
    build = Builder(timezone.now())
    season = build.season("Premier League", simulated=False)
    version = build.version(world=World.REAL)
    build.promote(version)
    ServedWorld.objects.create(pk=1, world=World.REAL, chosen_at=build.now)
    match = build.match("Arsenal", "Chelsea", season=season, pk=1001)
    build.match("Chelsea", "Arsenal", season=season, kickoff_at=build.now + timedelta(days=9))
    build.prediction(match, version)
    build.season_end(season, version, ["Arsenal", "Chelsea"])
    return services.create_key(
        name="Ada", source="feed", worlds=["real"], scopes=ApiKeyScope.values, created_by="ada", now=build.now
    ).token


def run(language: str, text: str, folder: Path, **environment: str) -> str:
    """Run an example; return what it prints."""
    command = ["bash", "-euo", "pipefail", "-c", text] if language == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_each_example_of_the_document_prints_what_it_says(site, key, tmp_path):
    assert len(BLOCKS) >= 9
    for language, text in BLOCKS:
        wanted = re.findall(r"# → (.+)$", text, flags=re.MULTILINE)
        assert wanted or "=" in text
        example = text.replace("http://127.0.0.1:8000", site)
        printed = run(language, example, tmp_path, SITE=site, SPAI_KEY=key, PYTHONPATH=str(CLIENT))
        for each in wanted:
            assert all(part in printed for part in each.split()), f"{each}\n{printed}"


def test_the_client_reads_a_running_site_and_is_told_of_a_wrong_key(site, key):
    with Client(f"{site}/", key) as spai:
        assert [match.home_team.slug for match in spai.matches(page_size=1)] == ["arsenal", "chelsea"]
        assert spai.prediction(1001) == spai.prediction(1001)
        assert {row.place for row in spai.table("england-premier-league").standings} == {1, 2}
    with Client(site, "spai_wrong.key") as spai, pytest.raises(AccessError):
        spai.match(1001)


async def test_an_assistant_asks_a_running_site(site, key):
    command = [sys.executable, "-c", "from spai_client.mcp_server import main; main()", "--url", site]
    environment = {"PYTHONPATH": str(CLIENT)}
    server = StdioServerParameters(command=command[0], args=command[1:], env=environment)
    async with mcp.Client(server) as session:
        result = await session.call_tool("forecast", {"home": "Arsenal", "away": "Chelsea"})
    assert result.structured_content["match_id"] == 1001, result.content


@pytest.mark.slow
def test_the_package_can_be_installed_and_brings_its_types_and_command(tmp_path):
    shutil.copytree(CLIENT, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", tmp_path / "made", tmp_path / "source"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "made" / "spai_client" / "py.typed").exists()
    assert (tmp_path / "made" / "spai_client" / "verify.py").exists()
    assert (tmp_path / "made" / "spai_client" / "generated" / "models" / "match.py").exists()
    assert (tmp_path / "made" / "bin" / "spai-mcp").exists()
