"""A browser, a site and a push process; without a browser these tests are skipped with the reason."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.utils import timezone

from spai.stack.ports import free_port
from tests.web.conftest import Builder
from tests.web.processes import ROOT, TIMEOUT, environment_of, start_admin, start_push, start_web, stop

FOREIGN = """
() => [...document.querySelectorAll("script[src], img[src], link[href], iframe[src], source[src], use[href]")]
  .map((each) => new URL(each.src || each.href.baseVal || each.href, location))
  .filter((url) => /^http/.test(url.protocol) && url.origin !== location.origin)
  .map((url) => url.href)
"""
"""What a page loads from another host than its own."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WHERE = "Europe/London"


@pytest.fixture(scope="package")
def chromium() -> str:
    """The path of this machine's Chromium."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(BROWSERS)} is on the PATH")
    return path


@pytest.fixture(scope="module")
def browser(chromium):
    """A Chromium, ended with its module: no asynchronous test can run beside Playwright's loop."""
    from playwright import sync_api

    # Playwright keeps an event loop in this thread; the tests' own use of the database stays one at a time.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="package")
def var_folder(chromium, django_db_setup, tmp_path_factory):
    """The folder of the processes of the site, with the static files collected."""
    folder = tmp_path_factory.mktemp("site")
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
    subprocess.run(collect, cwd=ROOT, env=environment_of("web", SPAI_VAR_DIR=str(folder)), check=True)
    return folder


@pytest.fixture(scope="package")
def admin_url(var_folder):
    """An admin process on the test database; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = start_admin(port, var_folder / "admin.log", SPAI_ADMIN_URL=address, SPAI_VAR_DIR=str(var_folder))
    yield address
    stop(process)


@pytest.fixture(scope="package")
def site(var_folder):
    """A web and a push process on the test database; the address of the site."""
    web, push = free_port(), free_port()
    addresses = {
        "SPAI_WEB_URL": f"http://127.0.0.1:{web}",
        "SPAI_PUSH_URL": f"http://127.0.0.1:{push}",
        "SPAI_VAR_DIR": str(var_folder),
    }
    with ThreadPoolExecutor(2) as starters:
        started = [
            starters.submit(start_web, web, var_folder / "web.log", **addresses),
            starters.submit(start_push, push, var_folder / "push.log", origin=addresses["SPAI_WEB_URL"]),
        ]
    try:
        for each in started:
            each.result()
        yield addresses["SPAI_WEB_URL"]
    finally:
        for each in started:
            if each.exception() is None:
                stop(each.result())


@pytest.fixture
def build(transactional_db):
    return Builder(timezone.now().replace(microsecond=0))


@pytest.fixture
def filled(build):
    """Two competitions with results and fixtures around now, forecast by a champion."""
    version = build.version()
    build.promote(version)
    seasons = [build.season(), build.season("Shield League")]
    for season in seasons:
        build.round(season, finished=3, coming=4, version=version)
    match = build.match("Harbour City", "Kingsmoor", season=seasons[0], kickoff_at=build.now + timedelta(minutes=5))
    build.prediction(match, version, (0.46, 0.27, 0.27), before_kickoff=timedelta(hours=2))
    return match, version


@pytest.fixture
def open_page(browser, site):
    """A function that opens a page in a context of its own; at the end its console must have been clean."""
    complaints: list[str] = []
    contexts = []

    def listen(message) -> None:
        # A browser notes by itself that a page which is not there was not there.
        is_lost = message.location.get("url") == f"{site}/nothing/"
        if message.type in ("error", "warning") and not is_lost:
            complaints.append(message.text)

    def opened(path: str, *, width: int = 1280, zone: str = WHERE, push: bool = True):
        context = browser.new_context(viewport={"width": width, "height": 900}, timezone_id=zone)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT * 1000)
        if not push:
            context.route_web_socket("**/ws/**", lambda socket: socket.close())
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
