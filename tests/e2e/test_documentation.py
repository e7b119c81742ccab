"""The documentation site in a browser, opened from the disk."""

from __future__ import annotations

import pytest

from tests.documentation import build
from tests.shared import made_once
from tests.web.processes import TIMEOUT

pytest.importorskip("material", reason="mkdocs-material is not installed")
pytestmark = pytest.mark.e2e


def test_the_search_works_from_the_disk_and_asks_no_other_host(browser, tmp_path_factory):
    folder = made_once("documentation", tmp_path_factory, build)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(TIMEOUT * 1000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{folder}/index.html")
    page.locator("input.md-search__input").fill("SPAI_KEEP_DAYS")
    page.wait_for_selector("a.md-search-result__link[href*='configuration.html']")
    page.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
